"""Whole networks of several streams as their repositories define them, forward() included."""
import torch
from bricks import BINS, BasicBlock, Bottleneck, ResNet, conv_bn, conv_bn_relu
from torch import nn
from torch.nn import functional as F


# ---- ydhongHIT/DDRNet ----

class Dappm(nn.Module):
    def __init__(self, channels, width, out):
        super().__init__()
        for i, pool in enumerate(([nn.AvgPool2d(5, 2, 2)], [nn.AvgPool2d(9, 4, 4)], [nn.AvgPool2d(17, 8, 8)],
                                  [nn.AdaptiveAvgPool2d((1, 1))], []), 1):
            layers = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, width, 1, bias=False)]
            setattr(self, f"scale{i % 5}", nn.Sequential(*pool, *layers))
        for i in range(1, 5):
            setattr(self, f"process{i}", nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True),
                                                       nn.Conv2d(width, width, 3, padding=1, bias=False)))
        self.compression = nn.Sequential(nn.BatchNorm2d(width * 5), nn.ReLU(inplace=True),
                                         nn.Conv2d(width * 5, out, kernel_size=1, bias=False))
        self.shortcut = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True),
                                      nn.Conv2d(channels, out, kernel_size=1, bias=False))

    def forward(self, x):
        width = x.shape[-1]
        height = x.shape[-2]
        x_list = []
        x_list.append(self.scale0(x))
        for i in range(1, 5):
            x_list.append(getattr(self, f"process{i}")((F.interpolate(
                getattr(self, f"scale{i}")(x), size=[height, width], mode="bilinear") + x_list[i - 1])))
        out = self.compression(torch.cat(x_list, 1)) + self.shortcut(x)
        return out


class SegmentHead(nn.Module):
    def __init__(self, channels, width, out, scale_factor=None):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), nn.Conv2d(width, out, kernel_size=1)
        self.scale_factor = scale_factor

    def forward(self, x):
        x = self.conv1(self.relu(self.bn1(x)))
        out = self.conv2(self.relu(self.bn2(x)))
        if self.scale_factor is not None:
            height = x.shape[-2] * self.scale_factor
            width = x.shape[-1] * self.scale_factor
            out = F.interpolate(out, size=[height, width], mode="bilinear")
        return out


class DdrNet(nn.Module):
    def __init__(self, augment=False, classes=5, planes=4):
        super().__init__()
        self.augment = augment
        self.conv1 = nn.Sequential(nn.Conv2d(3, planes, 3, 2, 1), nn.BatchNorm2d(planes), nn.ReLU(inplace=True),
                                   nn.Conv2d(planes, planes, 3, 2, 1), nn.BatchNorm2d(planes), nn.ReLU(inplace=True))
        self.relu = nn.ReLU(inplace=False)
        self.layer1 = BasicBlock(planes, planes, no_relu=True)
        self.layer2 = BasicBlock(planes, 2 * planes, 2, no_relu=True)
        self.layer3 = BasicBlock(2 * planes, 3 * planes, 2, no_relu=True)
        self.layer4 = BasicBlock(3 * planes, 4 * planes, 2, no_relu=True)
        self.compression3 = conv_bn(3 * planes, 2 * planes)
        self.compression4 = conv_bn(4 * planes, 2 * planes)
        self.down3 = conv_bn(2 * planes, 3 * planes, 3, 2)
        self.down4 = nn.Sequential(*conv_bn_relu(2 * planes, 3 * planes, 3, 2), *conv_bn(3 * planes, 4 * planes, 3, 2))
        self.layer3_ = BasicBlock(2 * planes, 2 * planes, no_relu=True)
        self.layer4_ = BasicBlock(2 * planes, 2 * planes, no_relu=True)
        self.layer5_ = Bottleneck(2 * planes, 2 * planes, no_relu=True)
        self.layer5 = Bottleneck(4 * planes, 4 * planes, 2, no_relu=True)
        self.spp = Dappm(8 * planes, planes, 4 * planes)
        if self.augment:
            self.seghead_extra = SegmentHead(2 * planes, 4, classes)
        self.final_layer = SegmentHead(4 * planes, 6, classes)

    def forward(self, x):
        width_output = x.shape[-1] // 8
        height_output = x.shape[-2] // 8
        layers = []
        x = self.conv1(x)
        x = self.layer1(x)
        layers.append(x)
        x = self.layer2(self.relu(x))
        layers.append(x)
        x = self.layer3(self.relu(x))
        layers.append(x)
        x_ = self.layer3_(self.relu(layers[1]))
        x = x + self.down3(self.relu(x_))
        x_ = x_ + F.interpolate(self.compression3(self.relu(layers[2])), size=[height_output, width_output],
                                mode="bilinear")
        if self.augment:
            temp = x_
        x = self.layer4(self.relu(x))
        layers.append(x)
        x_ = self.layer4_(self.relu(x_))
        x = x + self.down4(self.relu(x_))
        x_ = x_ + F.interpolate(self.compression4(self.relu(layers[3])), size=[height_output, width_output],
                                mode="bilinear")
        x_ = self.layer5_(self.relu(x_))
        x = F.interpolate(self.spp(self.layer5(self.relu(x))), size=[height_output, width_output], mode="bilinear")
        x_ = self.final_layer(x + x_)
        if self.augment:
            x_extra = self.seghead_extra(temp)
            return [x_, x_extra]
        return x_


# ---- XuJiacong/PIDNet ----

class Pag(nn.Module):
    def __init__(self, channels, width, after_relu=False, with_channel=False):
        super().__init__()
        self.with_channel, self.after_relu = with_channel, after_relu
        self.f_x, self.f_y = conv_bn(channels, width), conv_bn(channels, width)
        if with_channel:
            self.up = conv_bn(width, channels)
        if after_relu:
            self.relu = nn.ReLU(inplace=True)

    def forward(self, x, y):
        input_size = x.size()
        if self.after_relu:
            y = self.relu(y)
            x = self.relu(x)
        y_q = self.f_y(y)
        y_q = F.interpolate(y_q, size=[input_size[2], input_size[3]], mode="bilinear", align_corners=False)
        x_k = self.f_x(x)
        if self.with_channel:
            sim_map = torch.sigmoid(self.up(x_k * y_q))
        else:
            sim_map = torch.sigmoid(torch.sum(x_k * y_q, dim=1).unsqueeze(1))
        y = F.interpolate(y, size=[input_size[2], input_size[3]], mode="bilinear", align_corners=False)
        x = (1 - sim_map) * x + sim_map * y
        return x


class Pappm(nn.Module):
    def __init__(self, channels, width, out):
        super().__init__()
        self.scale0, self.scale1, self.scale2 = (nn.Sequential(
            *pool, nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, width, 1, bias=False))
            for pool in ([], [nn.AvgPool2d(5, 2, 2)], [nn.AdaptiveAvgPool2d((1, 1))]))
        self.scale_process = nn.Sequential(nn.BatchNorm2d(width * 2), nn.ReLU(inplace=True), nn.Conv2d(
            width * 2, width * 2, kernel_size=3, padding=1, groups=2, bias=False))
        self.compression = nn.Sequential(nn.BatchNorm2d(width * 3), nn.ReLU(inplace=True),
                                         nn.Conv2d(width * 3, out, kernel_size=1, bias=False))

    def forward(self, x):
        width = x.shape[-1]
        height = x.shape[-2]
        scale_list = []
        x_ = self.scale0(x)
        for scale in (self.scale1, self.scale2):
            scale_list.append(F.interpolate(scale(x), size=[height, width], mode="bilinear", align_corners=False) + x_)
        scale_out = self.scale_process(torch.cat(scale_list, 1))
        return self.compression(torch.cat([x_, scale_out], 1))


class PidNet(nn.Module):
    """self.relu changes maps that are read again; with augment the answer is [auxiliary, main, boundary]."""

    def __init__(self, augment=True, classes=5, planes=4):
        super().__init__()
        self.augment = augment
        self.conv1 = nn.Sequential(nn.Conv2d(3, planes, 3, 2, 1), nn.BatchNorm2d(planes), nn.ReLU(inplace=True),
                                   nn.Conv2d(planes, planes, 3, 2, 1), nn.BatchNorm2d(planes), nn.ReLU(inplace=True))
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = BasicBlock(planes, planes, no_relu=True)
        self.layer2 = BasicBlock(planes, 2 * planes, 2, no_relu=True)
        self.layer3 = BasicBlock(2 * planes, 3 * planes, 2, no_relu=True)
        self.layer4 = BasicBlock(3 * planes, 4 * planes, 2, no_relu=True)
        self.compression3, self.pag3 = conv_bn(3 * planes, 2 * planes), Pag(2 * planes, planes)
        self.layer3_ = BasicBlock(2 * planes, 2 * planes, no_relu=True)
        self.layer4_ = BasicBlock(2 * planes, 2 * planes, no_relu=True)
        self.layer3_d = BasicBlock(2 * planes, planes, no_relu=True)
        self.layer4_d = Bottleneck(planes, planes, expansion=4)
        self.diff3 = conv_bn(3 * planes, planes, 3)
        self.spp = Pappm(4 * planes, planes, 4 * planes)
        self.layer5_ = Bottleneck(2 * planes, 2 * planes)
        self.conv_p, self.conv_i = conv_bn(4 * planes, 4 * planes), conv_bn(4 * planes, 4 * planes)
        self.seghead_p = SegmentHead(2 * planes, 4, classes)
        self.seghead_d = SegmentHead(planes, 4, 1)
        self.final_layer = SegmentHead(4 * planes, 6, classes)

    def forward(self, x):
        width_output = x.shape[-1] // 8
        height_output = x.shape[-2] // 8
        x = self.conv1(x)
        x = self.layer1(x)
        x = self.relu(self.layer2(self.relu(x)))
        x_ = self.layer3_(x)
        x_d = self.layer3_d(x)
        x = self.relu(self.layer3(x))
        x_ = self.pag3(x_, self.compression3(x))
        x_d = x_d + F.interpolate(self.diff3(x), size=[height_output, width_output], mode="bilinear",
                                  align_corners=False)
        if self.augment:
            temp_p = x_
        x = self.relu(self.layer4(x))
        x_ = self.layer4_(self.relu(x_))
        if self.augment:
            temp_d = x_d
        x_d = self.layer4_d(self.relu(x_d))
        x_ = self.layer5_(self.relu(x_))
        x = F.interpolate(self.spp(x), size=[height_output, width_output], mode="bilinear", align_corners=False)
        edge_att = torch.sigmoid(x_d)
        p_add = self.conv_p((1 - edge_att) * x + x_)
        i_add = self.conv_i(x + edge_att * x_)
        x_ = self.final_layer(p_add + i_add)
        if self.augment:
            return [self.seghead_p(temp_p), x_, self.seghead_d(temp_d)]
        return x_


# ---- liminn/ICNet-pytorch ----

class CascadeFusion(nn.Module):
    def __init__(self, low, high, out, classes):
        super().__init__()
        self.conv_low, self.conv_high = conv_bn(low, out, 3, 1, 2), conv_bn(high, out)
        self.conv_low_cls = nn.Conv2d(out, classes, 1, bias=False)

    def forward(self, x_low, x_high):
        x_low = F.interpolate(x_low, size=x_high.size()[2:], mode="bilinear", align_corners=True)
        x_low = self.conv_low(x_low)
        x_high = self.conv_high(x_high)
        x = x_low + x_high
        x = F.relu(x, inplace=True)
        x_low_cls = self.conv_low_cls(x_low)
        return x, x_low_cls


class IcNet(nn.Module):
    """The backbone runs twice, on the image at two sizes; three of the four outputs are auxiliary."""

    def __init__(self, classes=5):
        super().__init__()
        self.conv_sub1 = nn.Sequential(conv_bn_relu(3, 4, 3, 2), conv_bn_relu(4, 4, 3, 2), conv_bn_relu(4, 8, 3, 2))
        self.backbone = ResNet()
        self.cff_12 = CascadeFusion(8, 8, 8, classes)
        self.cff_24 = CascadeFusion(self.backbone.channels[3], self.backbone.channels[1], 8, classes)
        self.conv_cls = nn.Conv2d(8, classes, 1, bias=False)

    def ppm(self, x):
        feat = x
        height, width = x.shape[2:]
        for bin_size in BINS:
            y = F.adaptive_avg_pool2d(x, output_size=bin_size)
            y = F.interpolate(y, size=(height, width), mode="bilinear", align_corners=True)
            feat = feat + y
        return feat

    def forward(self, x):
        x_sub1 = self.conv_sub1(x)
        x_sub2 = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=True)
        _, x_sub2, _, _ = self.backbone(x_sub2)
        x_sub4 = F.interpolate(x, scale_factor=0.25, mode="bilinear", align_corners=True)
        _, _, _, x_sub4 = self.backbone(x_sub4)
        x_sub4 = self.ppm(x_sub4)
        outputs = list()
        x_cff_24, x_24_cls = self.cff_24(x_sub4, x_sub2)
        outputs.append(x_24_cls)
        x_cff_12, x_12_cls = self.cff_12(x_cff_24, x_sub1)
        outputs.append(x_12_cls)
        up_x2 = F.interpolate(x_cff_12, scale_factor=2, mode="bilinear", align_corners=True)
        up_x2 = self.conv_cls(up_x2)
        outputs.append(up_x2)
        up_x8 = F.interpolate(up_x2, scale_factor=4, mode="bilinear", align_corners=True)
        outputs.append(up_x8)
        outputs.reverse()
        return tuple(outputs)
