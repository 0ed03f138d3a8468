"""CSAILVision/semantic-segmentation-pytorch in PyTorch with the names of its checkpoints, and with few channels: the
encoders, whose dilation is put in afterwards, and the decoders."""
import torch
from modules_mmseg import BINS, DEPTHS, stretch
from torch import nn
from torch.nn import functional as F


def conv3x3(channels, out, stride=1):
    return nn.Conv2d(channels, out, 3, stride, 1, bias=False)


class Block(nn.Module):
    def __init__(self, channels, width, stride, is_deep):
        super().__init__()
        out = width * (4 if is_deep else 1)
        if is_deep:
            self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = conv3x3(width, width, stride), nn.BatchNorm2d(width)
            self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        else:
            self.conv1, self.bn1 = conv3x3(channels, width, stride), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = conv3x3(width, out), nn.BatchNorm2d(out)
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


def dilated(layers, dilation):
    """In the place of the stride: what had it has half of the dilation."""
    for layer in layers:
        for conv in layer.modules():
            if isinstance(conv, nn.Conv2d):
                d = dilation // 2 if conv.stride == (2, 2) else dilation
                conv.stride = (1, 1)
                if conv.kernel_size == (3, 3):
                    conv.dilation = conv.padding = (d, d)


class Resnet(nn.Module):
    def __init__(self, depth=50, base=8, pixels=8):
        super().__init__()
        channels, is_deep = 3, depth > 34
        for i, (out, stride) in enumerate(((base, 2), (base, 1), (2 * base, 1)), 1):
            self.add_module(f"conv{i}", conv3x3(channels, out, stride))
            self.add_module(f"bn{i}", nn.BatchNorm2d(out))
            channels = out
        for stage, count in enumerate(DEPTHS[depth]):
            blocks = []
            for i in range(count):
                blocks.append(Block(channels, base << stage, 2 if stage and not i else 1, is_deep))
                channels = (base << stage) * (4 if is_deep else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        if pixels == 8:
            dilated([self.layer3], 2)
        if pixels < 32:
            dilated([self.layer4], 32 // pixels)

    def forward(self, x):
        for i in (1, 2, 3):
            x = F.relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
        x, maps = F.max_pool2d(x, 3, 2, 1), []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            maps.append(x)
        return maps


class InvertedResidual(nn.Module):
    def __init__(self, channels, out, stride, expansion):
        super().__init__()
        hidden = channels * expansion
        self.has_shortcut = stride == 1 and channels == out
        expand = [nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()]
        self.conv = nn.Sequential(
            *(expand if expansion > 1 else []), nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden), nn.ReLU6(), nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, base=8):
        super().__init__()
        layers, channels = [nn.Sequential(conv3x3(3, base, 2), nn.BatchNorm2d(base), nn.ReLU6())], base
        for expansion, count, repeats, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                  (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for i in range(repeats):
                out = count * base // 32
                layers.append(InvertedResidual(channels, out, 1 if i else stride, expansion))
                channels = out
        self.features = nn.Sequential(*layers)
        dilated(self.features[7:14], 2)
        dilated(self.features[14:], 4)

    def forward(self, x):
        return [self.features(x)]


def unit(channels, out, kernel=1):
    return [nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


class PPM(nn.Module):
    """is_supervised: "ppm_deepsup", with a head of training alone"""

    def __init__(self, channels, width=8, classes=5, is_supervised=True):
        super().__init__()
        self.ppm = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), *unit(channels, width)) for b in BINS)
        if is_supervised:
            self.cbr_deepsup = nn.Sequential(*unit(channels // 2, channels // 4, 3))
            self.conv_last_deepsup = nn.Conv2d(channels // 4, classes, 1)
        self.conv_last = nn.Sequential(*unit(channels + 4 * width, width, 3), nn.Dropout2d(0.1),
                                       nn.Conv2d(width, classes, 1))

    def forward(self, maps):
        x = maps[-1]
        return self.conv_last(torch.cat([x] + [stretch(branch(x), x) for branch in self.ppm], 1))


class UPerNet(nn.Module):
    def __init__(self, channels, width=8, classes=5):
        super().__init__()
        self.ppm_conv = nn.ModuleList(nn.Sequential(*unit(channels[-1], width)) for _ in BINS)
        self.ppm_last_conv = nn.Sequential(*unit(channels[-1] + 4 * width, width, 3))
        self.fpn_in = nn.ModuleList(nn.Sequential(*unit(count, width)) for count in channels[:-1])
        self.fpn_out = nn.ModuleList(nn.Sequential(nn.Sequential(*unit(width, width, 3))) for _ in channels[:-1])
        self.conv_last = nn.Sequential(nn.Sequential(*unit(len(channels) * width, width, 3)),
                                       nn.Conv2d(width, classes, 1))

    def forward(self, maps):
        x = maps[-1]
        priors = [conv(stretch(F.adaptive_avg_pool2d(x, b), x)) for conv, b in zip(self.ppm_conv, BINS)]
        x = self.ppm_last_conv(torch.cat([x] + priors, 1))
        outs = [x]
        for i in range(len(maps) - 2, -1, -1):
            lateral = self.fpn_in[i](maps[i])
            x = lateral + stretch(x, lateral)
            outs.insert(0, self.fpn_out[i](x))
        return self.conv_last(torch.cat(outs[:1] + [stretch(y, outs[0]) for y in outs[1:]], 1))


class SegmentationModule(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x):
        return stretch(self.decoder(self.encoder(x)), x)


def channels_of(depth, base=8):
    return [(base << stage) * (4 if depth > 34 else 1) for stage in range(4)]


def ppm(depth, is_supervised=True, pixels=8):
    return SegmentationModule(Resnet(depth, pixels=pixels), PPM(channels_of(depth)[-1], is_supervised=is_supervised))


def mobilenet_ppm():
    return SegmentationModule(MobileNetV2(), PPM(80))


def upernet(depth):
    return SegmentationModule(Resnet(depth, pixels=32), UPerNet(channels_of(depth)))


# ---- HRNetV2 ----

def conv_bn(channels, out, kernel=1, stride=1, *after):
    return nn.Sequential(nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out), *after)


class Exchange(nn.Module):
    """A module of a stage: blocks in each stream, and what each takes from the others."""

    def __init__(self, widths, blocks=2):
        super().__init__()
        count = len(widths)
        self.branches = nn.ModuleList(nn.Sequential(*(Block(n, n, 1, False) for _ in range(blocks))) for n in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList([self.moved(widths, j, i) if i != j else nn.Identity() for j in range(count)])
            for i in range(count))

    @staticmethod
    def moved(widths, j, i):
        if j > i:
            return conv_bn(widths[j], widths[i])
        steps = [conv_bn(widths[j], widths[j], 3, 2, nn.ReLU()) for _ in range(i - j - 1)]
        return nn.Sequential(*steps, conv_bn(widths[j], widths[i], 3, 2))

    def forward(self, maps):
        maps = [branch(x) for branch, x in zip(self.branches, maps)]
        outs = []
        for i, row in enumerate(self.fuse_layers):
            terms = [layer(x) for layer, x in zip(row, maps)]
            outs.append(F.relu(sum(stretch(y, maps[i]) if j > i else y for j, y in enumerate(terms))))
        return outs


class HRNetV2(nn.Module):
    def __init__(self, base=4, modules=(1, 2, 1)):
        super().__init__()
        widths = [base << i for i in range(4)]
        self.conv1, self.bn1 = conv3x3(3, 8, 2), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = conv3x3(8, 8, 2), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(Block(8, 8, 1, True), Block(32, 8, 1, True))
        same = nn.Identity
        self.transition1 = nn.ModuleList([conv_bn(32, widths[0], 3, 1, nn.ReLU()),
                                          nn.Sequential(conv_bn(32, widths[1], 3, 2, nn.ReLU()))])
        self.transition2 = nn.ModuleList([same(), same(), nn.Sequential(conv_bn(*widths[1:3], 3, 2, nn.ReLU()))])
        self.transition3 = nn.ModuleList([same(), same(), same(), nn.Sequential(conv_bn(*widths[2:], 3, 2, nn.ReLU()))])
        for stage, count in enumerate(modules, 2):
            self.add_module(f"stage{stage}", nn.Sequential(*(Exchange(widths[:stage]) for _ in range(count))))

    def forward(self, x):
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        x = self.layer1(x)
        maps = self.stage2([self.transition1[0](x), self.transition1[1](x)])
        maps = self.stage3([*maps, self.transition2[2](maps[-1])])
        maps = self.stage4([*maps, self.transition3[3](maps[-1])])
        return [torch.cat(maps[:1] + [stretch(y, maps[0]) for y in maps[1:]], 1)]


class C1(nn.Module):
    def __init__(self, channels, classes=5, is_supervised=False):
        super().__init__()
        self.cbr = nn.Sequential(*unit(channels, channels // 4, 3))
        self.conv_last = nn.Conv2d(channels // 4, classes, 1)
        if is_supervised:
            self.cbr_deepsup = nn.Sequential(*unit(channels // 2, channels // 4, 3))
            self.conv_last_deepsup = nn.Conv2d(channels // 4, classes, 1)

    def forward(self, maps):
        return self.conv_last(self.cbr(maps[-1]))


def hrnet_c1():
    return SegmentationModule(HRNetV2(), C1(60))


def c1(depth):
    return SegmentationModule(Resnet(depth), C1(channels_of(depth)[-1], is_supervised=True))
