"""PSPNet (Zhao et al., Pyramid Scene Parsing Network, 2017) over a ResNet, as hszhao/semseg has it."""
import torch
from resnet import DEPTHS, ResNet, conv_bn
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)


class PPM(nn.Module):
    def __init__(self, channels, reduction, align_corners=True):
        super().__init__()
        self.align_corners = align_corners
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_bn(channels, reduction), nn.ReLU()) for b in BINS)

    def forward(self, x):
        return torch.cat([x] + [F.interpolate(branch(x), x.shape[2:], mode="bilinear",
                                              align_corners=self.align_corners) for branch in self.features], 1)


class PSPNet(ResNet):
    def __init__(self, depth, base=64, deep=True, dilated=True, classes=21):
        super().__init__(depth, base, deep, dilated)
        channels = base * (32 if DEPTHS[depth][0] else 8)
        self.ppm = PPM(channels, channels // 4)
        self.cls = nn.Sequential(*conv_bn(2 * channels, 8 * base, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                 nn.Conv2d(8 * base, classes, 1))

    def forward(self, x):
        y = self.cls(self.ppm(self.features(x)[-1]))
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)
