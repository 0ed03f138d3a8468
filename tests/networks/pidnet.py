"""PIDNet-S (Xu et al., A Real-time Semantic Segmentation Network Inspired by PID Controllers, 2023) with PAPPM and its
gates, as XuJiacong/PIDNet has it. Of its three streams p is the fine one, i the deep one, and d finds boundaries."""
import torch
from ddrnet import BasicBlock, Bottleneck, Scales, SegmentHead, make_layer, make_stem, norm_relu_conv, stretch
from resnet import conv_bn
from torch import nn
from torch.nn import functional as F


class Pag(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.f_x, self.f_y = (nn.Sequential(*conv_bn(channels, width)) for _ in range(2))

    def forward(self, x, y):
        gate = torch.sigmoid(torch.sum(self.f_x(x) * stretch(self.f_y(y), x), dim=1).unsqueeze(1))
        return (1 - gate) * x + gate * stretch(y, x)


class LightBag(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_p, self.conv_i = (nn.Sequential(*conv_bn(channels, channels)) for _ in range(2))

    def forward(self, p, i, d):
        edge = torch.sigmoid(d)
        return self.conv_p((1 - edge) * i + p) + self.conv_i(i + edge * p)


class PAPPM(Scales):
    def __init__(self, channels, width, out):
        super().__init__(channels, width, out)
        self.scale_process = nn.Sequential(*norm_relu_conv(4 * width, 4 * width, 3, groups=4))

    def forward(self, x):
        first = self.scale0(x)
        y = self.scale_process(torch.cat([y + first for y in self.stretched(x)], 1))
        return self.compression(torch.cat([first, y], 1)) + self.shortcut(x)


class PIDNet(nn.Module):
    def __init__(self, base=32, spp=96, head=128, classes=19):
        super().__init__()
        fine = 2 * base
        self.conv1 = make_stem(base)
        self.layer1 = make_layer(base, base, 2)
        self.layer2 = make_layer(base, fine, 2, 2)
        self.layer3 = make_layer(fine, 4 * base, 3, 2)
        self.layer4 = make_layer(4 * base, 8 * base, 3, 2)
        self.layer5 = nn.Sequential(Bottleneck(8 * base, 8 * base, 2), Bottleneck(16 * base, 8 * base))
        self.compression3 = nn.Sequential(*conv_bn(4 * base, fine))
        self.compression4 = nn.Sequential(*conv_bn(8 * base, fine))
        self.pag3, self.pag4 = Pag(fine, base), Pag(fine, base)
        self.layer3_, self.layer4_ = make_layer(fine, fine, 2), make_layer(fine, fine, 2)
        self.layer5_ = nn.Sequential(Bottleneck(fine, fine))
        self.layer3_d = BasicBlock(fine, base, relu=False)
        self.layer4_d = nn.Sequential(Bottleneck(base, base))
        self.layer5_d = nn.Sequential(Bottleneck(fine, fine))
        self.diff3 = nn.Sequential(*conv_bn(4 * base, base, 3))
        self.diff4 = nn.Sequential(*conv_bn(8 * base, fine, 3))
        self.spp, self.dfm = PAPPM(16 * base, spp, 4 * base), LightBag(4 * base)
        self.final_layer = SegmentHead(4 * base, head, classes)

    def forward(self, image):
        x = F.relu(self.layer2(F.relu(self.layer1(self.conv1(image)))))
        p, d = self.layer3_(x), self.layer3_d(x)
        x = F.relu(self.layer3(x))
        p = self.pag3(p, self.compression3(x))
        d = d + stretch(self.diff3(x), d)
        x = F.relu(self.layer4(x))
        p, d = self.layer4_(F.relu(p)), self.layer4_d(F.relu(d))
        p = self.pag4(p, self.compression4(x))
        d = d + stretch(self.diff4(x), d)
        p, d = self.layer5_(F.relu(p)), self.layer5_d(F.relu(d))
        i = stretch(self.spp(self.layer5(x)), p)
        return F.interpolate(self.final_layer(self.dfm(p, i, d)), image.shape[2:], mode="bilinear", align_corners=True)
