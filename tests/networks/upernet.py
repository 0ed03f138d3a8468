"""UPerNet (Xiao et al., Unified Perceptual Parsing, 2018) over ResNet-50, as mmsegmentation has it: a PPM over the
coarsest of four maps, added to the finer ones on the way up, and all four stretched, concatenated and convolved.

write_head() is the same without the backbone: a network with four inputs."""
import torch
from net import Net
from pspnet import BINS
from resnet import ResNet, backbone, conv_bn
from torch import nn
from torch.nn import functional as F


def write(name, base=64, width=512, classes=150, depth=50):
    net = Net(name)
    maps = backbone(net, net.input(), depth, base, deep=False, dilated=False, path="backbone.")
    head(net, maps, width, classes)
    return net.model(output={"size": "input", "upsample": "half_pixel"})


def write_head(name, base=64, width=512, classes=150):
    net = Net(name, inputs={f"c{i + 2}": (4 * base) << i for i in range(4)})
    head(net, [net.input(f"c{i + 2}") for i in range(4)], width, classes)
    return net.model(output={"scale": 4, "upsample": "half_pixel"})


def head(net, maps, width, classes):
    laterals = [module(net, x, f"lateral_convs.{i}", width) for i, x in enumerate(maps[:-1])]
    laterals.append(pyramid(net, maps[-1], width))
    for i in (2, 1, 0):
        laterals[i] = net.add(laterals[i], net.stretch(laterals[i + 1], laterals[i], "half_pixel"))
    outs = [module(net, x, f"fpn_convs.{i}", width, 3) for i, x in enumerate(laterals[:-1])] + laterals[-1:]
    stretched = [net.stretch(x, outs[0], "half_pixel") for x in outs[1:]]
    x = module(net, net.concat(outs[0], *stretched), "fpn_bottleneck", width, 3)
    return net.conv(x, classes, "decode_head.conv_seg", bias=True)


def module(net, x, at, channels, kernel=1):
    at = f"decode_head.{at}"
    return net.relu(net.conv_norm(x, channels, f"{at}.conv", f"{at}.bn", kernel=kernel))


def pyramid(net, x, width):
    at = "decode_head.psp_modules.{i}.1"
    branch = [{"conv": {"channels": width, "bias": False, "weights": f"{at}.conv"}},
              {"batch_norm": {"weights": f"{at}.bn"}}, "relu"]
    x = net.layer("pyramid", x, bins=list(BINS), branch=branch, upsample="half_pixel", concat="input_first")
    return module(net, x, "bottleneck", width, 3)


# ---- PyTorch ----

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
