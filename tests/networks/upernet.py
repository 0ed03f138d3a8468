"""UPerNet (Xiao et al., Unified Perceptual Parsing, 2018) over ResNet-50, as mmsegmentation has it: a PPM over the
coarsest of four maps, added to the finer ones on the way up, and all four stretched, concatenated and convolved.

HeadAlone is the same without the backbone: a network with four inputs."""
import torch
from pspnet import BINS
from resnet import ResNet, conv_bn
from torch import nn
from torch.nn import functional as F


class ConvModule(nn.Module):
    def __init__(self, channels, out, kernel=1):
        super().__init__()
        self.conv, self.bn = conv_bn(channels, out, kernel)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


def stretch(x, like):
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


class Head(nn.Module):
    def __init__(self, channels, width, classes):
        super().__init__()
        self.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), ConvModule(channels[-1], width)) for b in BINS)
        self.bottleneck = ConvModule(channels[-1] + 4 * width, width, 3)
        self.lateral_convs = nn.ModuleList(ConvModule(count, width) for count in channels[:-1])
        self.fpn_convs = nn.ModuleList(ConvModule(width, width, 3) for _ in channels[:-1])
        self.fpn_bottleneck = ConvModule(4 * width, width, 3)
        self.conv_seg = nn.Conv2d(width, classes, 1)

    def forward(self, maps):
        x = maps[-1]
        laterals = [conv(y) for conv, y in zip(self.lateral_convs, maps)]
        laterals.append(self.bottleneck(torch.cat([x] + [stretch(branch(x), x) for branch in self.psp_modules], 1)))
        for i in (3, 2, 1):
            laterals[i - 1] = laterals[i - 1] + stretch(laterals[i], laterals[i - 1])
        outs = [conv(y) for conv, y in zip(self.fpn_convs, laterals)] + laterals[3:]
        outs = [outs[0]] + [stretch(y, outs[0]) for y in outs[1:]]
        return self.conv_seg(self.fpn_bottleneck(torch.cat(outs, 1)))


class UPerNet(nn.Module):
    def __init__(self, base=64, width=512, classes=150, depth=50):
        super().__init__()
        self.backbone = ResNet(depth, base, deep=False, dilated=False)
        self.decode_head = Head([4 * base, 8 * base, 16 * base, 32 * base], width, classes)

    def forward(self, image):
        return stretch(self.decode_head(self.backbone.features(image)), image)


class HeadAlone(nn.Module):
    def __init__(self, base=64, width=512, classes=150):
        super().__init__()
        self.decode_head = Head([4 * base, 8 * base, 16 * base, 32 * base], width, classes)

    def forward(self, *maps):
        return F.interpolate(self.decode_head(maps), scale_factor=4, mode="bilinear", align_corners=False)
