"""PSPNet (Zhao et al., Pyramid Scene Parsing Network, 2017) over a ResNet, as hszhao/semseg has it."""
import torch
from net import Net
from resnet import DEPTHS, ResNet, backbone, conv_bn
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)


def write(name, depth, base=64, deep=True, dilated=True, classes=21):
    net = Net(name)
    features = backbone(net, net.input(), depth, base, deep, dilated)[-1]
    channels = base * (32 if DEPTHS[depth][0] else 8)
    classify(net, pyramid(net, features, channels // 4), base * 8, classes)
    return net.model(output={"size": "input", "upsample": "align_corners"})


def pyramid(net, x, reduction, conv="ppm.features.{i}.1", norm="ppm.features.{i}.2", mode="align_corners"):
    branch = [{"conv": {"channels": reduction, "bias": False, "weights": conv}},
              {"batch_norm": {"weights": norm}}, "relu"]
    return net.layer("pyramid", x, bins=list(BINS), branch=branch, upsample=mode, concat="input_first")


def classify(net, x, width, classes):
    x = net.relu(net.conv_norm(x, width, "cls.0", "cls.1", kernel=3))
    return net.conv(x, classes, "cls.4", bias=True)


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
