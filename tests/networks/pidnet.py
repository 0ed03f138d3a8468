"""PIDNet-S (Xu et al., A Real-time Semantic Segmentation Network Inspired by PID Controllers, 2023) with PAPPM and its
gates, as XuJiacong/PIDNet has it. Of its three streams p is the fine one, i the deep one, and d finds boundaries."""
import torch
from ddrnet import (BasicBlock, Bottleneck, Scales, SegmentHead, basic_block, bottleneck, compressed, layer, make_layer,
                    make_stem, norm_conv, norm_relu_conv, scales, segment_head, stem, stretch)
from net import Net
from resnet import conv_bn
from torch import nn
from torch.nn import functional as F


def write(name, base=32, spp=96, head=128, classes=19):
    net = Net(name)
    x = layer(net, stem(net, net.input(), base), "layer1", base, base, 2)
    x = net.relu(layer(net, net.relu(x), "layer2", base, 2 * base, 2, 2))
    p = layer(net, x, "layer3_", 2 * base, 2 * base, 2)
    d = basic_block(net, x, "layer3_d", 2 * base, base, relu=False)
    x = net.relu(layer(net, x, "layer3", 2 * base, 4 * base, 3, 2))
    p = pag(net, p, net.conv_norm(x, 2 * base, "compression3.0", "compression3.1"), "pag3", base)
    d = net.add(d, difference(net, x, d, "diff3", base))
    x = net.relu(layer(net, x, "layer4", 4 * base, 8 * base, 3, 2))
    p = layer(net, net.relu(p), "layer4_", 2 * base, 2 * base, 2)
    d = bottleneck(net, net.relu(d), "layer4_d.0", base, base)
    p = pag(net, p, net.conv_norm(x, 2 * base, "compression4.0", "compression4.1"), "pag4", base)
    d = net.add(d, difference(net, x, d, "diff4", 2 * base))
    p = bottleneck(net, net.relu(p), "layer5_.0", 2 * base, 2 * base)
    d = bottleneck(net, net.relu(d), "layer5_d.0", 2 * base, 2 * base)
    x = bottleneck(net, x, "layer5.0", 8 * base, 8 * base, 2)
    x = bottleneck(net, x, "layer5.1", 16 * base, 8 * base)
    i = net.stretch(pappm(net, x, "spp", spp, 4 * base), p, "half_pixel")
    segment_head(net, light_bag(net, p, i, d, "dfm", 4 * base), "final_layer", head, classes)
    return net.model(output={"size": "input", "upsample": "align_corners"})


def difference(net, x, like, at, channels):
    return net.stretch(net.conv_norm(x, channels, f"{at}.0", f"{at}.1", kernel=3), like, "half_pixel")


def one_minus(net, x):
    return net.layer("affine", x, scale=-1, shift=1)


def pag(net, x, y, at, width):
    """Pixel-attention-guided fusion: (1 - s) x + s y, where s is how much both agree at a pixel"""
    similar = net.mul(net.stretch(net.conv_norm(y, width, f"{at}.f_y.0", f"{at}.f_y.1"), x, "half_pixel"),
                      net.conv_norm(x, width, f"{at}.f_x.0", f"{at}.f_x.1"))
    gate = net.layer("sigmoid", net.layer("channel_sum", similar))
    stretched = net.stretch(y, x, "half_pixel")
    return net.add(net.mul(one_minus(net, gate), x), net.mul(gate, stretched))


def light_bag(net, p, i, d, at, channels):
    """Boundary-attention-guided fusion"""
    gate = net.layer("sigmoid", d)
    left = net.add(net.mul(one_minus(net, gate), i), p)
    right = net.add(i, net.mul(gate, p))
    return net.add(net.conv_norm(left, channels, f"{at}.conv_p.0", f"{at}.conv_p.1"),
                   net.conv_norm(right, channels, f"{at}.conv_i.0", f"{at}.conv_i.1"))


def pappm(net, x, at, width, out):
    first, *rest = scales(net, x, at, width)
    maps = net.concat(*(net.add(y, first) for y in rest))
    y = norm_conv(net, maps, f"{at}.scale_process", 4 * width, kernel=3, groups=4)
    y = norm_conv(net, net.concat(first, y), f"{at}.compression", out)
    return net.add(y, norm_conv(net, x, f"{at}.shortcut", out))


# ---- PyTorch ----

class Pag(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.f_x, self.f_y = (nn.Sequential(*conv_bn(channels, width)) for _ in range(2))

    def forward(self, x, y):
        gate = torch.sigmoid(torch.sum(self.f_x(x) * stretch(self.f_y(y), x), dim=1).unsqueeze(1))
        return (1 - gate) * x + gate * stretch(y, x)


class LightBag(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_p, self.conv_i = (nn.Sequential(*conv_bn(channels, channels)) for _ in range(2))

    def forward(self, p, i, d):
        edge = torch.sigmoid(d)
        return self.conv_p((1 - edge) * i + p) + self.conv_i(i + edge * p)


class PAPPM(Scales):
    def __init__(self, channels, width, out):
        super().__init__(channels, width, out)
        self.scale_process = nn.Sequential(*norm_relu_conv(4 * width, 4 * width, 3, groups=4))

    def forward(self, x):
        first = self.scale0(x)
        y = self.scale_process(torch.cat([y + first for y in self.stretched(x)], 1))
        return self.compression(torch.cat([first, y], 1)) + self.shortcut(x)


class PIDNet(nn.Module):
    def __init__(self, base=32, spp=96, head=128, classes=19):
        super().__init__()
        fine = 2 * base
        self.conv1 = make_stem(base)
        self.layer1 = make_layer(base, base, 2)
        self.layer2 = make_layer(base, fine, 2, 2)
        self.layer3 = make_layer(fine, 4 * base, 3, 2)
        self.layer4 = make_layer(4 * base, 8 * base, 3, 2)
        self.layer5 = nn.Sequential(Bottleneck(8 * base, 8 * base, 2), Bottleneck(16 * base, 8 * base))
        self.compression3 = nn.Sequential(*conv_bn(4 * base, fine))
        self.compression4 = nn.Sequential(*conv_bn(8 * base, fine))
        self.pag3, self.pag4 = Pag(fine, base), Pag(fine, base)
        self.layer3_, self.layer4_ = make_layer(fine, fine, 2), make_layer(fine, fine, 2)
        self.layer5_ = nn.Sequential(Bottleneck(fine, fine))
        self.layer3_d = BasicBlock(fine, base, relu=False)
        self.layer4_d = nn.Sequential(Bottleneck(base, base))
        self.layer5_d = nn.Sequential(Bottleneck(fine, fine))
        self.diff3 = nn.Sequential(*conv_bn(4 * base, base, 3))
        self.diff4 = nn.Sequential(*conv_bn(8 * base, fine, 3))
        self.spp, self.dfm = PAPPM(16 * base, spp, 4 * base), LightBag(4 * base)
        self.final_layer = SegmentHead(4 * base, head, classes)

    def forward(self, image):
        x = F.relu(self.layer2(F.relu(self.layer1(self.conv1(image)))))
        p, d = self.layer3_(x), self.layer3_d(x)
        x = F.relu(self.layer3(x))
        p = self.pag3(p, self.compression3(x))
        d = d + stretch(self.diff3(x), d)
        x = F.relu(self.layer4(x))
        p, d = self.layer4_(F.relu(p)), self.layer4_d(F.relu(d))
        p = self.pag4(p, self.compression4(x))
        d = d + stretch(self.diff4(x), d)
        p, d = self.layer5_(F.relu(p)), self.layer5_d(F.relu(d))
        i = stretch(self.spp(self.layer5(x)), p)
        return F.interpolate(self.final_layer(self.dfm(p, i, d)), image.shape[2:], mode="bilinear", align_corners=True)
