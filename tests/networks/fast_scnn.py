"""Fast-SCNN (Poudel et al., Fast Semantic Segmentation Network, 2019), as Tramac/Fast-SCNN-pytorch has it: its first
convolution has no padding. The fusion stretches to the finer map's size, not by 4, so that any size works."""
import torch
from net import Net
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


def write(name, base=32, classes=19):
    net, down = Net(name), "learning_to_downsample"
    x = net.relu(net.conv_norm(net.input(), base, f"{down}.conv.conv.0", f"{down}.conv.conv.1", kernel=3, stride=2,
                               padding=0))
    x = separable(net, x, f"{down}.dsconv1.conv", base, 3 * base // 2, 2)
    fine = x = separable(net, x, f"{down}.dsconv2.conv", 3 * base // 2, 2 * base, 2)
    for at, channels, out, stride in extractor(base):
        x = linear_bottleneck(net, x, f"global_feature_extractor.{at}.block", channels, out, stride)
    x = pyramid(net, x, "global_feature_extractor.ppm", 4 * base)
    x = fusion(net, fine, x, "feature_fusion", 4 * base)
    for i in (1, 2):
        x = separable(net, x, f"classifier.dsconv{i}.conv", 4 * base, 4 * base, 1)
    net.conv(x, classes, "classifier.conv.1", bias=True)
    return net.model(output={"size": "input", "upsample": "align_corners"})


def separable(net, x, at, channels, out, stride):
    x = net.relu(net.conv_norm(x, channels, f"{at}.0", f"{at}.1", kernel=3, stride=stride, groups=channels))
    return net.relu(net.conv_norm(x, out, f"{at}.3", f"{at}.4"))


def linear_bottleneck(net, x, at, channels, out, stride):
    hidden = 6 * channels
    y = net.relu(net.conv_norm(x, hidden, f"{at}.0.conv.0", f"{at}.0.conv.1"))
    y = net.relu(net.conv_norm(y, hidden, f"{at}.1.conv.0", f"{at}.1.conv.1", kernel=3, stride=stride, groups=hidden))
    y = net.conv_norm(y, out, f"{at}.2", f"{at}.3")
    return net.add(x, y) if stride == 1 and channels == out else y


def pyramid(net, x, at, channels):
    branch = [{"conv": {"channels": channels // 4, "bias": False, "weights": f"{at}.conv{{n}}.conv.0"}},
              {"batch_norm": {"weights": f"{at}.conv{{n}}.conv.1"}}, "relu"]
    x = net.layer("pyramid", x, bins=list(BINS), branch=branch, upsample="align_corners", concat="input_first")
    return net.relu(net.conv_norm(x, channels, f"{at}.out.conv.0", f"{at}.out.conv.1"))


def fusion(net, fine, coarse, at, channels):
    y = net.stretch(coarse, fine, "align_corners")
    y = net.relu(net.conv_norm(y, channels, f"{at}.dwconv.conv.0", f"{at}.dwconv.conv.1", kernel=3, groups=channels))
    y = net.conv_norm(y, channels, f"{at}.conv_lower_res.0", f"{at}.conv_lower_res.1", bias=True)
    x = net.conv_norm(fine, channels, f"{at}.conv_higher_res.0", f"{at}.conv_higher_res.1", bias=True)
    return net.relu(net.add(x, y))


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
