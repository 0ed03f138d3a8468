"""Networks of tests/networks with the heads that their checkpoints have for training, and the larger ones of the same
families, DDRNet-39 and PIDNet-L."""
import whole  # noqa: F401: the path of tests/networks

import ddrnet
import fast_scnn
import pidnet
import torch
from ddrnet import Bottleneck, SegmentHead, make_layer, make_stem, norm_relu_conv, stretch
from resnet import conv_bn
from torch import nn
from torch.nn import functional as F


def supervised(module, **heads):
    for name, head in heads.items():
        module.add_module(name, head)
    return module


def tramac():
    auxlayer = nn.Sequential(*conv_bn(16, 8, 3), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(8, 5, 1))
    return supervised(fast_scnn.FastSCNN(8, 5), auxlayer=auxlayer)


def ddrnet23(base=8):
    return supervised(ddrnet.DDRNet(base, 8, 8, 5), seghead_extra=SegmentHead(2 * base, 8, 5))


def pidnet_s(base=8):
    return supervised(pidnet.PIDNet(base, 8, 8, 5), seghead_p=SegmentHead(2 * base, 8, 5),
                      seghead_d=SegmentHead(2 * base, base, 1))


class DDRNet39(nn.Module):
    """The streams exchange maps in the middle of stage 3 as well."""

    def __init__(self, base=8, spp=8, head=8, classes=5):
        super().__init__()
        fine = 2 * base
        self.conv1, self.layer1 = make_stem(base), make_layer(base, base, 3)
        self.layer2 = make_layer(base, fine, 4, 2)
        self.layer3_1, self.layer3_2 = make_layer(fine, 4 * base, 3, 2), make_layer(4 * base, 4 * base, 3)
        self.layer4 = make_layer(4 * base, 8 * base, 3, 2)
        self.compression3_1, self.compression3_2, self.compression4 = (
            nn.Sequential(*conv_bn(count * base, fine)) for count in (4, 4, 8))
        self.down3_1, self.down3_2 = (nn.Sequential(*conv_bn(fine, 4 * base, 3, 2)) for _ in range(2))
        self.down4 = nn.Sequential(*conv_bn(fine, 4 * base, 3, 2), nn.ReLU(), *conv_bn(4 * base, 8 * base, 3, 2))
        self.layer3_1_, self.layer3_2_, self.layer4_ = (make_layer(fine, fine, 3) for _ in range(3))
        self.layer5_ = nn.Sequential(Bottleneck(fine, fine))
        self.layer5 = nn.Sequential(Bottleneck(8 * base, 8 * base, 2))
        self.spp = ddrnet.DAPPM(16 * base, spp, 4 * base)
        self.final_layer = SegmentHead(4 * base, head, classes)

    def forward(self, image):
        two = self.layer2(F.relu(self.layer1(self.conv1(image))))
        first = self.layer3_1(F.relu(two))
        fine = self.layer3_1_(F.relu(two))
        x = first + self.down3_1(F.relu(fine))
        fine = fine + stretch(self.compression3_1(F.relu(first)), fine)
        second = self.layer3_2(F.relu(x))
        fine = self.layer3_2_(F.relu(fine))
        x = second + self.down3_2(F.relu(fine))
        fine = fine + stretch(self.compression3_2(F.relu(second)), fine)
        four = self.layer4(F.relu(x))
        fine = self.layer4_(F.relu(fine))
        x = four + self.down4(F.relu(fine))
        fine = fine + stretch(self.compression4(F.relu(four)), fine)
        fine = self.layer5_(F.relu(fine))
        x = stretch(self.spp(self.layer5(F.relu(x))), fine)
        return F.interpolate(self.final_layer(x + fine), image.shape[2:], mode="bilinear", align_corners=True)


class Bag(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Sequential(*norm_relu_conv(channels, channels, 3))

    def forward(self, p, i, d):
        edge = torch.sigmoid(d)
        return self.conv(edge * p + (1 - edge) * i)


def pidnet_l(base=8):
    """Deeper than S, with DAPPM, another fusion, and no bottleneck in the boundaries' stage 4."""
    network, fine = pidnet.PIDNet(base, 8, 8, 5), 2 * base
    network.layer1, network.layer2 = make_layer(base, base, 3), make_layer(base, fine, 3, 2)
    network.layer3, network.layer4 = make_layer(fine, 4 * base, 4, 2), make_layer(4 * base, 8 * base, 4, 2)
    network.layer3_, network.layer4_ = make_layer(fine, fine, 3), make_layer(fine, fine, 3)
    network.layer3_d, network.layer4_d = (ddrnet.BasicBlock(fine, fine, relu=False) for _ in range(2))
    network.diff3 = nn.Sequential(*conv_bn(4 * base, fine, 3))
    network.spp, network.dfm = ddrnet.DAPPM(16 * base, 8, 4 * base), Bag(4 * base)
    return network
