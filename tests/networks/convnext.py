"""ConvNeXt blocks (Liu et al., A ConvNet for the 2020s, 2022) in two stages, with a PPM over them.

The blocks' scale for each channel, gamma, is a depthwise 1x1 convolution without bias. Its weights are the module's in
another shape, as are those of the linear layers."""
import torch
from pspnet import PPM, conv_bn
from torch import nn
from torch.nn import functional as F

from networks.pspnet import norm_pyramid

EPS = 1e-6


def write(net):
    x = norm(net, net.conv(net.image("downsample_layers.0.0"), "downsample_layers.0.0", stride=4, padding=0),
             "downsample_layers.0.1")
    x = stage(net, x, "stages.0")
    x = net.conv(norm(net, x, "downsample_layers.1.0"), "downsample_layers.1.1", stride=2, padding=0)
    x = norm(net, stage(net, x, "stages.1"), "norm1")
    x = norm_pyramid(net, x, "ppm.features", upsample="half_pixel")
    net.conv(net.relu(net.conv_norm(x, "cls.0", "cls.1")), "cls.4")
    net.output(size="input", upsample="half_pixel")


def norm(net, x, key):
    return net.layer_norm(x, key, EPS)


def stage(net, x, at):
    for j in range(net.count(f"{at}.{{i}}.dwconv.weight")):
        y = norm(net, net.conv(x, f"{at}.{j}.dwconv"), f"{at}.{j}.norm")
        y = net.conv(net.act(net.conv(y, f"{at}.{j}.pwconv1"), "gelu"), f"{at}.{j}.pwconv2")
        key = f"{at}.{j}.gamma"
        x = net.add(x, net.kernel(y, key, f"{key}.weight", (y.channels, 1, 1, 1), groups=y.channels, bias=False))
    return x


class ChannelsFirstNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        var = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * ((x - mean) / torch.sqrt(var + EPS)) + self.bias[:, None, None]


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.weight * x


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.pwconv1, self.pwconv2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.gamma = Scale(channels)

    def forward(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma(self.pwconv2(F.gelu(self.pwconv1(y))))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, base=96, blocks=2, classes=21):
        super().__init__()
        self.downsample_layers = nn.ModuleList([
            nn.Sequential(nn.Conv2d(3, base, 4, 4), ChannelsFirstNorm(base)),
            nn.Sequential(ChannelsFirstNorm(base), nn.Conv2d(base, 2 * base, 2, 2))])
        self.stages = nn.ModuleList(nn.Sequential(*(Block(n) for _ in range(blocks))) for n in (base, 2 * base))
        self.norm1 = ChannelsFirstNorm(2 * base)
        self.ppm = PPM(2 * base, base // 2, align_corners=False)
        self.cls = nn.Sequential(*conv_bn(4 * base, base, 3), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(base, classes, 1))

    def forward(self, image):
        x = image
        for down, stage in zip(self.downsample_layers, self.stages):
            x = stage(down(x))
        y = self.cls(self.ppm(self.norm1(x)))
        return F.interpolate(y, image.shape[2:], mode="bilinear", align_corners=False)
