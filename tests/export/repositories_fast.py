"""Whole networks for speed as their repositories define them, forward() included."""
import torch
from bricks import ResNet, conv_bn, conv_bn_relu
from torch import nn
from torch.nn import functional as F


# ---- Tramac/Fast-SCNN-pytorch ----

class FastScnnPyramid(nn.Module):
    """Makes its pools in forward()."""

    def __init__(self, channels, out):
        super().__init__()
        inter_channels = int(channels / 4)
        self.conv1 = conv_bn_relu(channels, inter_channels)
        self.conv2 = conv_bn_relu(channels, inter_channels)
        self.conv3 = conv_bn_relu(channels, inter_channels)
        self.conv4 = conv_bn_relu(channels, inter_channels)
        self.out = conv_bn_relu(channels * 2, out)

    def pool(self, x, size):
        avgpool = nn.AdaptiveAvgPool2d(size)
        return avgpool(x)

    def upsample(self, x, size):
        return F.interpolate(x, size, mode="bilinear", align_corners=True)

    def forward(self, x):
        size = x.size()[2:]
        feat1 = self.upsample(self.conv1(self.pool(x, 1)), size)
        feat2 = self.upsample(self.conv2(self.pool(x, 2)), size)
        feat3 = self.upsample(self.conv3(self.pool(x, 3)), size)
        feat4 = self.upsample(self.conv4(self.pool(x, 6)), size)
        x = torch.cat([x, feat1, feat2, feat3, feat4], dim=1)
        return self.out(x)


class LinearBottleneck(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.use_shortcut, hidden = stride == 1 and channels == out, channels * 2
        self.block = nn.Sequential(conv_bn_relu(channels, hidden), conv_bn_relu(hidden, hidden, 3, stride, 1, hidden),
                                   *conv_bn(hidden, out))

    def forward(self, x):
        out = self.block(x)
        if self.use_shortcut:
            out = x + out
        return out


class FastScnn(nn.Module):
    def __init__(self, classes=5, aux=False):
        super().__init__()
        self.aux = aux
        self.learning_to_downsample = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 4, 3, 2, 0, bias=False), nn.BatchNorm2d(4), nn.ReLU(True)),
            conv_bn_relu(4, 4, 3, 2, 1, 4), conv_bn_relu(4, 6), conv_bn_relu(6, 6, 3, 2, 1, 6))
        self.global_feature_extractor = nn.Sequential(
            LinearBottleneck(6, 6, 2), LinearBottleneck(6, 6, 1), LinearBottleneck(6, 8, 2), FastScnnPyramid(8, 8))
        self.dwconv = conv_bn_relu(8, 8, 3, 1, 1, 8)
        self.conv_lower_res = conv_bn(8, 8)
        self.conv_higher_res = conv_bn(6, 8)
        self.relu = nn.ReLU(True)
        self.classifier = nn.Sequential(conv_bn_relu(8, 8, 3, 1, 1, 8), nn.Dropout(0.1), nn.Conv2d(8, classes, 1))
        if self.aux:
            self.auxlayer = nn.Sequential(*conv_bn_relu(6, 4, 3), nn.Dropout(0.1), nn.Conv2d(4, classes, 1))

    def forward(self, x):
        size = x.size()[2:]
        higher_res_features = self.learning_to_downsample(x)
        y = self.global_feature_extractor(higher_res_features)
        y = F.interpolate(y, scale_factor=4, mode="bilinear", align_corners=True)
        y = self.conv_lower_res(self.dwconv(y))
        y = self.classifier(self.relu(self.conv_higher_res(higher_res_features) + y))
        outputs = []
        y = F.interpolate(y, size, mode="bilinear", align_corners=True)
        outputs.append(y)
        if self.aux:
            auxout = self.auxlayer(higher_res_features)
            auxout = F.interpolate(auxout, size, mode="bilinear", align_corners=True)
            outputs.append(auxout)
        return tuple(outputs)


# ---- CoinCheung/BiSeNet ----

class AttentionRefinement(nn.Module):
    """Pools globally with a window as large as the map."""

    def __init__(self, channels, out):
        super().__init__()
        self.conv = conv_bn_relu(channels, out, 3)
        self.conv_atten = nn.Conv2d(out, out, kernel_size=1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out)
        self.sigmoid_atten = nn.Sigmoid()

    def forward(self, x):
        feat = self.conv(x)
        atten = F.avg_pool2d(feat, feat.size()[2:])
        atten = self.conv_atten(atten)
        atten = self.bn_atten(atten)
        atten = self.sigmoid_atten(atten)
        return torch.mul(feat, atten)


class BiSeNetV1(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.resnet = ResNet(dilated=False)
        _, _, mid, last = self.resnet.channels
        self.arm16, self.arm32 = AttentionRefinement(mid, 8), AttentionRefinement(last, 8)
        self.conv_head32, self.conv_head16 = conv_bn_relu(8, 8, 3), conv_bn_relu(8, 8, 3)
        self.conv_avg = conv_bn_relu(last, 8)
        self.spatial = nn.Sequential(conv_bn_relu(3, 4, 7, 2), conv_bn_relu(4, 4, 3, 2), conv_bn_relu(4, 8, 3, 2))
        self.convblk = conv_bn_relu(16, 8)
        self.conv1 = nn.Conv2d(8, 2, kernel_size=1, bias=False)
        self.conv2 = nn.Conv2d(2, 8, kernel_size=1, bias=False)
        self.relu, self.sigmoid = nn.ReLU(inplace=True), nn.Sigmoid()
        self.conv_out = nn.Sequential(conv_bn_relu(8, 8, 3), nn.Conv2d(8, classes, 1, bias=False))
        self.conv_out16 = nn.Sequential(conv_bn_relu(8, 8, 3), nn.Conv2d(8, classes, 1, bias=False))

    def context(self, x):
        _, feat8, feat16, feat32 = self.resnet(x)
        h8, w8 = feat8.size()[2:]
        h16, w16 = feat16.size()[2:]
        h32, w32 = feat32.size()[2:]
        avg = F.avg_pool2d(feat32, feat32.size()[2:])
        avg = self.conv_avg(avg)
        avg_up = F.interpolate(avg, (h32, w32), mode="nearest")
        feat32_sum = self.arm32(feat32) + avg_up
        feat32_up = self.conv_head32(F.interpolate(feat32_sum, (h16, w16), mode="nearest"))
        feat16_sum = self.arm16(feat16) + feat32_up
        return self.conv_head16(F.interpolate(feat16_sum, (h8, w8), mode="nearest"))

    def fuse(self, fsp, fcp):
        feat = self.convblk(torch.cat([fsp, fcp], dim=1))
        atten = F.avg_pool2d(feat, feat.size()[2:])
        atten = self.conv1(atten)
        atten = self.relu(atten)
        atten = self.conv2(atten)
        atten = self.sigmoid(atten)
        feat_atten = torch.mul(feat, atten)
        return feat_atten + feat

    def forward(self, x):
        h, w = x.size()[2:]
        feat_cp8 = self.context(x)
        feat_fuse = self.fuse(self.spatial(x), feat_cp8)
        feat_out = F.interpolate(self.conv_out(feat_fuse), (h, w), mode="bilinear", align_corners=True)
        feat_out16 = F.interpolate(self.conv_out16(feat_cp8), (h, w), mode="bilinear", align_corners=True)
        return feat_out, feat_out16


class GatherExpand(nn.Module):
    def __init__(self, channels, out, expand=2):
        super().__init__()
        hidden = channels * expand
        self.conv1 = conv_bn_relu(channels, channels, 3)
        self.dwconv1 = conv_bn(channels, hidden, 3, 2, 1, channels)
        self.dwconv2 = conv_bn_relu(hidden, hidden, 3, 1, 1, hidden)
        self.conv2 = conv_bn(hidden, out)
        self.shortcut = nn.Sequential(*conv_bn(channels, channels, 3, 2, 1, channels), *conv_bn(channels, out))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        feat = self.conv2(self.dwconv2(self.dwconv1(self.conv1(x))))
        shortcut = self.shortcut(x)
        feat = feat + shortcut
        return self.relu(feat)


class BiSeNetV2(nn.Module):
    """aux_mode: eval answers a tuple of one, pred labels"""

    def __init__(self, aux_mode="eval", classes=5):
        super().__init__()
        self.aux_mode = aux_mode
        self.detail = nn.Sequential(conv_bn_relu(3, 4, 3, 2), conv_bn_relu(4, 4, 3, 2), conv_bn_relu(4, 8, 3, 2))
        self.stem = conv_bn_relu(3, 4, 3, 2)
        self.left = nn.Sequential(conv_bn_relu(4, 2), conv_bn_relu(2, 4, 3, 2))
        self.right = nn.MaxPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=False)
        self.fuse = conv_bn_relu(8, 4, 3)
        self.stages = nn.Sequential(GatherExpand(4, 4), GatherExpand(4, 6), GatherExpand(6, 8))
        self.bn, self.conv_gap, self.conv_last = nn.BatchNorm2d(8), conv_bn_relu(8, 8), conv_bn_relu(8, 8, 3)
        self.left1 = nn.Sequential(*conv_bn(8, 8, 3, 1, 1, 8), nn.Conv2d(8, 8, 1, bias=False))
        self.left2 = nn.Sequential(*conv_bn(8, 8, 3, 2), nn.AvgPool2d(3, 2, 1, ceil_mode=False))
        self.right1 = conv_bn(8, 8, 3)
        self.right2 = nn.Sequential(*conv_bn(8, 8, 3, 1, 1, 8), nn.Conv2d(8, 8, 1, bias=False))
        self.up1 = nn.Upsample(scale_factor=4)
        self.up2 = nn.Upsample(scale_factor=4)
        self.conv = conv_bn_relu(8, 8, 3)
        self.head = nn.Sequential(
            conv_bn_relu(8, 8, 3), nn.Dropout(0.1), nn.Identity(), nn.Conv2d(8, classes, 1),
            nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False))

    def segment(self, x):
        feat = self.stem(x)
        feat = torch.cat([self.left(feat), self.right(feat)], dim=1)
        x = self.stages(self.fuse(feat))
        feat = torch.mean(x, dim=(2, 3), keepdim=True)
        feat = self.conv_gap(self.bn(feat))
        feat = feat + x
        return self.conv_last(feat)

    def forward(self, x):
        x_d, x_s = self.detail(x), self.segment(x)
        dsize = x_d.size()[2:]
        assert len(dsize) == 2
        left1, left2, right1, right2 = self.left1(x_d), self.left2(x_d), self.right1(x_s), self.right2(x_s)
        right1 = self.up1(right1)
        left = left1 * torch.sigmoid(right1)
        right = left2 * torch.sigmoid(right2)
        right = self.up2(right)
        logits = self.head(self.conv(left + right))
        if self.aux_mode == "pred":
            return logits.argmax(dim=1)
        return logits,
