"""DDRNet-23-slim (Hong et al., Deep Dual-resolution Networks, 2021) with DAPPM, as ydhongHIT/DDRNet has it. Maps are
stretched to the size of the finer stream instead of 1/8 of the input, so that any size works."""
import torch
from net import Net
from resnet import Shortcut, conv_bn
from torch import nn
from torch.nn import functional as F

POOLS = ((5, 2, 2), (9, 4, 4), (17, 8, 8))  # window, stride, padding of scale1 to scale3; scale4 is the mean


def write(name, base=32, spp=128, head=64, classes=19):
    net = Net(name)
    x = stem(net, net.input(), base)
    x = net.relu(layer(net, x, "layer1", base, base, 2))
    x = two = net.relu(layer(net, x, "layer2", base, 2 * base, 2, 2))
    x = three = layer(net, x, "layer3", 2 * base, 4 * base, 2, 2)
    fine = layer(net, two, "layer3_", 2 * base, 2 * base, 2)
    x = net.add(three, net.conv_norm(net.relu(fine), 4 * base, "down3.0", "down3.1", kernel=3, stride=2))
    fine = net.add(fine, compressed(net, net.relu(three), fine, "compression3", 2 * base))
    x = four = layer(net, net.relu(x), "layer4", 4 * base, 8 * base, 2, 2)
    fine = layer(net, net.relu(fine), "layer4_", 2 * base, 2 * base, 2)
    x = net.add(four, down4(net, net.relu(fine), base))
    fine = net.add(fine, compressed(net, net.relu(four), fine, "compression4", 2 * base))
    fine = bottleneck(net, net.relu(fine), "layer5_.0", 2 * base, 2 * base)
    x = dappm(net, bottleneck(net, net.relu(x), "layer5.0", 8 * base, 8 * base, 2), "spp", spp, 4 * base)
    segment_head(net, net.add(net.stretch(x, fine, "half_pixel"), fine), "final_layer", head, classes)
    return net.model(output={"size": "input", "upsample": "align_corners"})


def stem(net, x, base):
    for i in (0, 3):
        x = net.relu(net.conv_norm(x, base, f"conv1.{i}", f"conv1.{i + 1}", kernel=3, stride=2, bias=True))
    return x


def layer(net, x, at, channels, out, count, stride=1):
    """Basic blocks, the last of which has no relu at its end."""
    for i in range(count):
        x = basic_block(net, x, f"{at}.{i}", out if i else channels, out, 1 if i else stride, i < count - 1)
    return x


def basic_block(net, x, at, channels, out, stride=1, relu=True):
    y = net.relu(net.conv_norm(x, out, f"{at}.conv1", f"{at}.bn1", kernel=3, stride=stride))
    y = net.conv_norm(y, out, f"{at}.conv2", f"{at}.bn2", kernel=3)
    y = net.add(y, shortcut(net, x, at, channels, out, stride))
    return net.relu(y) if relu else y


def bottleneck(net, x, at, channels, width, stride=1):
    y = net.relu(net.conv_norm(x, width, f"{at}.conv1", f"{at}.bn1"))
    y = net.relu(net.conv_norm(y, width, f"{at}.conv2", f"{at}.bn2", kernel=3, stride=stride))
    y = net.conv_norm(y, 2 * width, f"{at}.conv3", f"{at}.bn3")
    return net.add(y, shortcut(net, x, at, channels, 2 * width, stride))


def shortcut(net, x, at, channels, out, stride):
    if stride == 1 and channels == out:
        return x
    return net.conv_norm(x, out, f"{at}.downsample.0", f"{at}.downsample.1", stride=stride)


def down4(net, x, base):
    x = net.relu(net.conv_norm(x, 4 * base, "down4.0", "down4.1", kernel=3, stride=2))
    return net.conv_norm(x, 8 * base, "down4.3", "down4.4", kernel=3, stride=2)


def compressed(net, x, like, at, channels):
    return net.stretch(net.conv_norm(x, channels, f"{at}.0", f"{at}.1"), like, "half_pixel")


def norm_conv(net, x, at, channels, first=0, **options):
    """Norm, relu, conv: at.0, at.1 and at.2, or from another number on."""
    x = net.relu(net.norm(x, f"{at}.{first}"))
    return net.conv(x, channels, f"{at}.{first + 2}", **options)


def scales(net, x, at, width):
    """-> [the map itself, and the four scales of it stretched back], each by a norm, relu and 1x1 of its own"""
    maps = [norm_conv(net, x, f"{at}.scale0", width)]
    for i, (window, stride, padding) in enumerate(POOLS, 1):
        pooled = net.layer("avg_pool", x, window=window, stride=stride, padding=padding)
        maps.append(net.stretch(norm_conv(net, pooled, f"{at}.scale{i}", width, 1), x, "half_pixel"))
    mean = net.layer("adaptive_avg_pool", x, bins=1)
    maps.append(net.stretch(norm_conv(net, mean, f"{at}.scale4", width, 1), x, "half_pixel"))
    return maps


def dappm(net, x, at, width, out):
    first, *rest = scales(net, x, at, width)
    maps = [first]
    for i, y in enumerate(rest, 1):
        maps.append(norm_conv(net, net.add(y, maps[-1]), f"{at}.process{i}", width, kernel=3))
    y = norm_conv(net, net.concat(*maps), f"{at}.compression", out)
    return net.add(y, norm_conv(net, x, f"{at}.shortcut", out))


def segment_head(net, x, at, width, classes):
    x = net.conv(net.relu(net.norm(x, f"{at}.bn1")), width, f"{at}.conv1", kernel=3)
    return net.conv(net.relu(net.norm(x, f"{at}.bn2")), classes, f"{at}.conv2", bias=True)


# ---- PyTorch ----

class BasicBlock(Shortcut):
    def __init__(self, channels, out, stride=1, relu=True):
        super().__init__(channels, out, stride)
        self.conv1, self.bn1 = conv_bn(channels, out, 3, stride)
        self.conv2, self.bn2 = conv_bn(out, out, 3)
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.shortcut(x))


class Bottleneck(Shortcut):
    def __init__(self, channels, width, stride=1):
        super().__init__(channels, 2 * width, stride)
        self.conv1, self.bn1 = conv_bn(channels, width)
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride)
        self.conv3, self.bn3 = conv_bn(width, 2 * width)

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return self.bn3(self.conv3(y)) + self.shortcut(x)


def make_layer(channels, out, count, stride=1):
    blocks = [BasicBlock(channels, out, stride)] + [BasicBlock(out, out) for _ in range(count - 1)]
    blocks[-1].relu = nn.Identity()
    return nn.Sequential(*blocks)


def make_stem(base):
    return nn.Sequential(*conv_bn(3, base, 3, 2, bias=True), nn.ReLU(), *conv_bn(base, base, 3, 2, bias=True),
                         nn.ReLU())


def norm_relu_conv(channels, out, kernel=1, groups=1):
    return nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups,
                                                          bias=False)


def stretch(x, like):
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class Scales(nn.Module):
    def __init__(self, channels, width, out):
        super().__init__()
        self.scale0 = nn.Sequential(*norm_relu_conv(channels, width))
        self.scale1, self.scale2, self.scale3 = (
            nn.Sequential(nn.AvgPool2d(*pool), *norm_relu_conv(channels, width)) for pool in POOLS)
        self.scale4 = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), *norm_relu_conv(channels, width))
        self.compression = nn.Sequential(*norm_relu_conv(5 * width, out))
        self.shortcut = nn.Sequential(*norm_relu_conv(channels, out))

    def stretched(self, x):
        return [stretch(scale(x), x) for scale in (self.scale1, self.scale2, self.scale3, self.scale4)]


class DAPPM(Scales):
    def __init__(self, channels, width, out):
        super().__init__(channels, width, out)
        self.process1, self.process2, self.process3, self.process4 = (
            nn.Sequential(*norm_relu_conv(width, width, 3)) for _ in range(4))

    def forward(self, x):
        maps = [self.scale0(x)]
        for process, y in zip((self.process1, self.process2, self.process3, self.process4), self.stretched(x)):
            maps.append(process(y + maps[-1]))
        return self.compression(torch.cat(maps, 1)) + self.shortcut(x)


class SegmentHead(nn.Module):
    def __init__(self, channels, width, classes):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), nn.Conv2d(width, classes, 1)

    def forward(self, x):
        return self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))


class DDRNet(nn.Module):
    def __init__(self, base=32, spp=128, head=64, classes=19):
        super().__init__()
        fine = 2 * base
        self.conv1 = make_stem(base)
        self.layer1 = make_layer(base, base, 2)
        self.layer2 = make_layer(base, 2 * base, 2, 2)
        self.layer3 = make_layer(2 * base, 4 * base, 2, 2)
        self.layer4 = make_layer(4 * base, 8 * base, 2, 2)
        self.compression3 = nn.Sequential(*conv_bn(4 * base, fine))
        self.compression4 = nn.Sequential(*conv_bn(8 * base, fine))
        self.down3 = nn.Sequential(*conv_bn(fine, 4 * base, 3, 2))
        self.down4 = nn.Sequential(*conv_bn(fine, 4 * base, 3, 2), nn.ReLU(), *conv_bn(4 * base, 8 * base, 3, 2))
        self.layer3_ = make_layer(fine, fine, 2)
        self.layer4_ = make_layer(fine, fine, 2)
        self.layer5_ = nn.Sequential(Bottleneck(fine, fine))
        self.layer5 = nn.Sequential(Bottleneck(8 * base, 8 * base, 2))
        self.spp = DAPPM(16 * base, spp, 4 * base)
        self.final_layer = SegmentHead(4 * base, head, classes)

    def forward(self, image):
        x = self.layer1(self.conv1(image))
        two = self.layer2(F.relu(x))
        three = self.layer3(F.relu(two))
        fine = self.layer3_(F.relu(two))
        x = three + self.down3(F.relu(fine))
        fine = fine + stretch(self.compression3(F.relu(three)), fine)
        four = self.layer4(F.relu(x))
        fine = self.layer4_(F.relu(fine))
        x = four + self.down4(F.relu(fine))
        fine = fine + stretch(self.compression4(F.relu(four)), fine)
        fine = self.layer5_(F.relu(fine))
        x = stretch(self.spp(self.layer5(F.relu(x))), fine)
        return F.interpolate(self.final_layer(x + fine), image.shape[2:], mode="bilinear", align_corners=True)
