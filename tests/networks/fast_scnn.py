"""Fast-SCNN (Poudel et al., Fast Semantic Segmentation Network, 2019), as Tramac/Fast-SCNN-pytorch has it: its first
convolution has no padding. The fusion stretches to the finer map's size, not by 4, so that any size works."""
import torch
from pspnet import BINS
from resnet import conv_bn
from torch import nn
from torch.nn import functional as F

EXTRACTOR = ((2, 2, 3), (3, 2, 3), (4, 1, 3))  # channels in 32nds, stride, blocks


def extractor(base):
    """Yields (name, channels, out, stride) of each inverted residual."""
    channels = 2 * base
    for number, (factor, stride, repeats) in enumerate(EXTRACTOR, 1):
        for i in range(repeats):
            yield f"bottleneck{number}.{i}", channels, factor * base, 1 if i else stride
            channels = factor * base


class ConvBNReLU(nn.Module):
    def __init__(self, channels, out, kernel=1, stride=1, groups=1, padding=None):
        super().__init__()
        self.conv = nn.Sequential(*conv_bn(channels, out, kernel, stride, groups=groups), nn.ReLU())
        if padding is not None:
            self.conv[0].padding = (padding, padding)

    def forward(self, x):
        return self.conv(x)


class Separable(nn.Module):
    def __init__(self, channels, out, stride=1):
        super().__init__()
        self.conv = nn.Sequential(*conv_bn(channels, channels, 3, stride, groups=channels), nn.ReLU(),
                                  *conv_bn(channels, out), nn.ReLU())

    def forward(self, x):
        return self.conv(x)


class LinearBottleneck(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.use_shortcut, hidden = stride == 1 and channels == out, 6 * channels
        self.block = nn.Sequential(ConvBNReLU(channels, hidden), ConvBNReLU(hidden, hidden, 3, stride, hidden),
                                   *conv_bn(hidden, out))

    def forward(self, x):
        return x + self.block(x) if self.use_shortcut else self.block(x)


class PyramidPooling(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = (ConvBNReLU(channels, channels // 4) for _ in BINS)
        self.out = ConvBNReLU(2 * channels, channels)

    def forward(self, x):
        maps = [conv(F.adaptive_avg_pool2d(x, b))
                for conv, b in zip((self.conv1, self.conv2, self.conv3, self.conv4), BINS)]
        maps = [F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True) for y in maps]
        return self.out(torch.cat([x] + maps, 1))


class FeatureFusion(nn.Module):
    def __init__(self, fine, channels):
        super().__init__()
        self.dwconv = ConvBNReLU(channels, channels, 3, groups=channels)
        self.conv_lower_res = nn.Sequential(*conv_bn(channels, channels, bias=True))
        self.conv_higher_res = nn.Sequential(*conv_bn(fine, channels, bias=True))

    def forward(self, fine, coarse):
        y = self.dwconv(F.interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=True))
        return F.relu(self.conv_higher_res(fine) + self.conv_lower_res(y))


class FastSCNN(nn.Module):
    def __init__(self, base=32, classes=19):
        super().__init__()
        self.learning_to_downsample = nn.Sequential()
        self.learning_to_downsample.add_module("conv", ConvBNReLU(3, base, 3, 2, padding=0))
        self.learning_to_downsample.add_module("dsconv1", Separable(base, 3 * base // 2, 2))
        self.learning_to_downsample.add_module("dsconv2", Separable(3 * base // 2, 2 * base, 2))
        self.global_feature_extractor = nn.Sequential()
        made = {}
        for at, *numbers in extractor(base):
            made.setdefault(at.split(".")[0], []).append(LinearBottleneck(*numbers))
        for name, layers in made.items():
            self.global_feature_extractor.add_module(name, nn.Sequential(*layers))
        self.global_feature_extractor.add_module("ppm", PyramidPooling(4 * base))
        self.feature_fusion = FeatureFusion(2 * base, 4 * base)
        self.classifier = nn.Sequential()
        self.classifier.add_module("dsconv1", Separable(4 * base, 4 * base))
        self.classifier.add_module("dsconv2", Separable(4 * base, 4 * base))
        self.classifier.add_module("conv", nn.Sequential(nn.Dropout(0.1), nn.Conv2d(4 * base, classes, 1)))

    def forward(self, x):
        fine = self.learning_to_downsample(x)
        y = self.classifier(self.feature_fusion(fine, self.global_feature_extractor(fine)))
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)
