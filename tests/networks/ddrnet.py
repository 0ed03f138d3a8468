"""DDRNet-23-slim (Hong et al., Deep Dual-resolution Networks, 2021) with DAPPM, as ydhongHIT/DDRNet has it. Maps are
stretched to the size of the finer stream instead of 1/8 of the input, so that any size works."""
import torch
from resnet import Shortcut, conv_bn
from torch import nn
from torch.nn import functional as F

POOLS = ((5, 2, 2), (9, 4, 4), (17, 8, 8))  # window, stride, padding of scale1 to scale3; scale4 is the mean


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
