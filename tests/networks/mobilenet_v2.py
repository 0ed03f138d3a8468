"""PSPNet over MobileNetV2 (Sandler et al., Inverted Residuals and Linear Bottlenecks, 2018) with stride 8, as
bubbliiiing/pspnet-pytorch has it: the last stages are dilated, their first depthwise convolution by half as much."""
import torch
from pspnet import BINS
from resnet import conv_bn
from torch import nn
from torch.nn import functional as F

# expansion, channels, blocks, stride, dilation of the first block, of the others
SETTINGS = ((1, 16, 1, 1, 1, 1), (6, 24, 2, 2, 1, 1), (6, 32, 3, 2, 1, 1), (6, 64, 4, 1, 1, 2), (6, 96, 3, 1, 2, 2),
            (6, 160, 3, 1, 2, 4), (6, 320, 1, 1, 4, 4))


def blocks(base):
    """Yields (number, channels, hidden channels, out, stride, dilation) of each inverted residual."""
    number, channels = 1, base
    for expansion, count, repeats, stride, first, others in SETTINGS:
        out = count * base // 32
        for i in range(repeats):
            yield number, channels, channels * expansion, out, 1 if i else stride, others if i else first
            number, channels = number + 1, out


class InvertedResidual(nn.Module):
    def __init__(self, channels, hidden, out, stride, dilation):
        super().__init__()
        self.use_shortcut = stride == 1 and channels == out
        layers = [nn.Sequential(*conv_bn(channels, hidden), nn.ReLU6())] if hidden != channels else []
        layers.append(nn.Sequential(*conv_bn(hidden, hidden, 3, stride, dilation, hidden), nn.ReLU6()))
        self.conv = nn.Sequential(*layers, *conv_bn(hidden, out))

    def forward(self, x):
        return x + self.conv(x) if self.use_shortcut else self.conv(x)


class PyramidBottleneck(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_bn(channels, width), nn.ReLU()) for b in BINS)
        self.bottleneck = nn.Sequential(*conv_bn(channels + 4 * width, width, 3), nn.ReLU(), nn.Dropout2d(0.1))

    def forward(self, x):
        stretched = [F.interpolate(s(x), x.shape[2:], mode="bilinear", align_corners=True) for s in self.stages]
        return self.bottleneck(torch.cat([x] + stretched, 1))


class MobileNetPSPNet(nn.Module):
    def __init__(self, base=32, classes=21):
        super().__init__()
        first = nn.Sequential(*conv_bn(3, base, 3, 2), nn.ReLU6())
        rest = (InvertedResidual(*numbers) for _, *numbers in blocks(base))
        self.backbone = nn.ModuleDict({"features": nn.Sequential(first, *rest)})
        width = 10 * base // 4
        self.master_branch = nn.Sequential(PyramidBottleneck(10 * base, width), nn.Conv2d(width, classes, 1))

    def forward(self, x):
        y = self.master_branch(self.backbone["features"](x))
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)
