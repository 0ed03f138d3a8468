"""mmsegmentation's networks in PyTorch with the names of their checkpoints, and with few channels: ResNet as mmcv's,
PSPHead and UPerHead, Fast-SCNN with its head."""
import torch
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)
DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def stretch(x, like, align_corners=False):
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=align_corners)


class ConvModule(nn.Module):
    def __init__(self, channels, out, kernel=1, stride=1, groups=1, padding=None, act=True, norm="bn"):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2 if padding is None else padding, groups=groups,
                              bias=norm is None)
        self.norm = norm
        if norm:
            self.add_module(norm, nn.BatchNorm2d(out))
        self.act = {True: F.relu, False: lambda x: x}.get(act, act)

    def forward(self, x):
        x = self.conv(x)
        return self.act(getattr(self, self.norm)(x) if self.norm else x)


# ---- ResNet ----

class Block(nn.Module):
    """A bottleneck, or a basic block, of whose convolutions only the first is dilated."""

    def __init__(self, channels, width, stride, dilation, is_deep, pools):
        super().__init__()
        self.is_deep, out = is_deep, width * (4 if is_deep else 1)
        sizes = ((channels, width, 1), (width, width, 3), (width, out, 1)) if is_deep else \
            ((channels, width, 3), (width, out, 3))
        for i, (a, b, kernel) in enumerate(sizes, 1):
            is_first = i == (2 if is_deep else 1)
            s, d = (stride, dilation) if is_first else (1, 1)
            self.add_module(f"conv{i}", nn.Conv2d(a, b, kernel, s, d * (kernel // 2), d, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.count = len(sizes)
        if stride != 1 or channels != out:
            pool = [nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)] if pools else []
            self.downsample = nn.Sequential(*pool, nn.Conv2d(channels, out, 1, 1 if pools else stride, bias=False),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(F.relu(y) if i > 1 else y))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, depth=50, base=8, stem="c", pixels=8):
        """stem: "c" of three 3x3, "d" the same and shortcuts that pool, "b" the 7x7"""
        super().__init__()
        if stem == "b":
            self.conv1, self.bn1 = nn.Conv2d(3, base, 7, 2, 3, bias=False), nn.BatchNorm2d(base)
        else:
            layers, channels = [], 3
            for out, stride in ((base // 2, 2), (base // 2, 1), (base, 1)):
                layers += [nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
                channels = out
            self.stem = nn.Sequential(*layers)
        is_deep, channels = depth > 34, base
        strides, dilations = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2)),
                              32: ((1, 2, 2, 2), (1, 1, 1, 1))}[pixels]
        for stage, count in enumerate(DEPTHS[depth]):
            blocks, dilation = [], dilations[stage]
            for i in range(count):
                contracted = dilation if i or dilation == 1 else dilation // 2
                blocks.append(Block(channels, base << stage, 1 if i else strides[stage], contracted, is_deep,
                                    stem == "d"))
                channels = (base << stage) * (4 if is_deep else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, x):
        x = self.stem(x) if hasattr(self, "stem") else F.relu(self.bn1(self.conv1(x)))
        x, maps = F.max_pool2d(x, 3, 2, 1), []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            maps.append(x)
        return maps


# ---- heads ----

class Pyramid(nn.Module):
    """PSPHead's, and UPerHead's, without what follows."""

    def __init__(self, channels, width, norm, align_corners):
        super().__init__()
        self.align_corners = align_corners
        self.psp_modules = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), ConvModule(channels, width, norm=norm))
                                         for b in BINS)
        self.bottleneck = ConvModule(channels + 4 * width, width, 3, norm=norm)

    def pyramid(self, x):
        priors = [stretch(branch(x), x, self.align_corners) for branch in self.psp_modules]
        return self.bottleneck(torch.cat([x] + priors, 1))


class PSPHead(Pyramid):
    def __init__(self, channels, width=8, classes=5, norm="bn", align_corners=False):
        super().__init__(channels, width, norm, align_corners)
        self.conv_seg = nn.Conv2d(width, classes, 1)

    def forward(self, maps):
        return self.conv_seg(self.pyramid(maps[-1]))


class UPerHead(Pyramid):
    def __init__(self, channels, width=8, classes=5, norm="bn", align_corners=False, last="conv_seg"):
        super().__init__(channels[-1], width, norm, align_corners)
        self.lateral_convs = nn.ModuleList(ConvModule(count, width, norm=norm) for count in channels[:-1])
        self.fpn_convs = nn.ModuleList(ConvModule(width, width, 3, norm=norm) for _ in channels[:-1])
        self.fpn_bottleneck = ConvModule(len(channels) * width, width, 3, norm=norm)
        self.last = last
        self.add_module(last, nn.Conv2d(width, classes, 1))

    def forward(self, maps):
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, maps)] + [self.pyramid(maps[-1])]
        for i in range(len(maps) - 1, 0, -1):
            laterals[i - 1] = laterals[i - 1] + stretch(laterals[i], laterals[i - 1], self.align_corners)
        outs = [conv(x) for conv, x in zip(self.fpn_convs, laterals)] + laterals[-1:]
        outs = outs[:1] + [stretch(x, outs[0], self.align_corners) for x in outs[1:]]
        return getattr(self, self.last)(self.fpn_bottleneck(torch.cat(outs, 1)))


class FCNHead(nn.Module):
    """Of training alone: it never runs here."""

    def __init__(self, channels, classes=5):
        super().__init__()
        self.convs = nn.Sequential(ConvModule(channels, 4, 3))
        self.conv_seg = nn.Conv2d(4, classes, 1)


class EncoderDecoder(nn.Module):
    def __init__(self, backbone, decode_head, auxiliary_head=None, align_corners=False):
        super().__init__()
        self.backbone, self.decode_head, self.align_corners = backbone, decode_head, align_corners
        if auxiliary_head:
            self.auxiliary_head = auxiliary_head

    def forward(self, x):
        return stretch(self.decode_head(self.backbone(x)), x, self.align_corners)


def channels_of(depth, base):
    return [(base << stage) * (4 if depth > 34 else 1) for stage in range(4)]


def pspnet(depth=50, base=8, stem="c", pixels=8, **options):
    channels = channels_of(depth, base)
    return EncoderDecoder(ResNet(depth, base, stem, pixels), PSPHead(channels[-1], **options), FCNHead(channels[-2]),
                          options.get("align_corners", False))


def upernet(depth=50, base=8, stem="c"):
    channels = channels_of(depth, base)
    return EncoderDecoder(ResNet(depth, base, stem, 32), UPerHead(channels), FCNHead(channels[-2]))


# ---- Fast-SCNN ----

class Separable(nn.Module):
    def __init__(self, channels, out, stride=1, middle=False):
        super().__init__()
        self.depthwise_conv = ConvModule(channels, channels, 3, stride, channels, act=middle)
        self.pointwise_conv = ConvModule(channels, out)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


class InvertedResidual(nn.Module):
    def __init__(self, channels, out, stride, act, expansion=6, dilation=1):
        super().__init__()
        hidden = expansion * channels
        self.has_shortcut = stride == 1 and channels == out
        expand = [ConvModule(channels, hidden, act=act)] if expansion > 1 else []
        self.conv = nn.Sequential(*expand, ConvModule(hidden, hidden, 3, stride, hidden, act=act),
                                  ConvModule(hidden, out, act=False))
        self.conv[-2].conv.dilation = self.conv[-2].conv.padding = (dilation, dilation)

    def forward(self, x):
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class FastSCNN(nn.Module):
    """is_new: since June 2021"""

    def __init__(self, is_new=True):
        super().__init__()
        act, middle = (F.relu, False) if is_new else (F.relu6, True)
        self.learning_to_downsample = nn.Module()
        self.learning_to_downsample.conv = ConvModule(3, 8, 3, 2, padding=int(is_new))
        self.learning_to_downsample.dsconv1 = Separable(8, 12, 2, middle)
        self.learning_to_downsample.dsconv2 = Separable(12, 16, 2, middle)
        extractor = self.global_feature_extractor = nn.Module()
        channels = 16
        for group, (out, stride) in enumerate(((16, 2), (24, 2), (32, 1)), 1):
            blocks = [InvertedResidual(out if i else channels, out, 1 if i else stride, act) for i in range(3)]
            extractor.add_module(f"bottleneck{group}", nn.Sequential(*blocks))
            channels = out
        extractor.ppm = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), ConvModule(32, 8)) for b in BINS)
        extractor.out = ConvModule(64, 32, 3 if is_new else 1)
        fusion = self.feature_fusion = nn.Module()
        fusion.dwconv = ConvModule(32, 32, 3, groups=32) if is_new else ConvModule(32, 32)
        fusion.conv_lower_res, fusion.conv_higher_res = ConvModule(32, 32, act=False), ConvModule(16, 32, act=False)

    def forward(self, x):
        down, extractor, fusion = self.learning_to_downsample, self.global_feature_extractor, self.feature_fusion
        fine = x = down.dsconv2(down.dsconv1(down.conv(x)))
        for group in (1, 2, 3):
            x = getattr(extractor, f"bottleneck{group}")(x)
        x = extractor.out(torch.cat([x] + [stretch(branch(x), x) for branch in extractor.ppm], 1))
        y = fusion.conv_lower_res(fusion.dwconv(stretch(x, fine)))
        return F.relu(fusion.conv_higher_res(fine) + y)


class SeparableHead(nn.Module):
    def __init__(self, middle, classes=5):
        super().__init__()
        self.convs = nn.Sequential(Separable(32, 32, middle=middle), Separable(32, 32, middle=middle))
        self.conv_seg = nn.Conv2d(32, classes, 1)

    def forward(self, x):
        return self.conv_seg(self.convs(x))


def fast_scnn(is_new=True):
    return EncoderDecoder(FastSCNN(is_new), SeparableHead(not is_new), nn.ModuleList([FCNHead(32), FCNHead(16)]))


# ---- MobileNetV2 ----

class MobileNetV2(nn.Module):
    """Of a layer only the first block is dilated."""

    def __init__(self, base=8):
        super().__init__()
        self.conv1, channels = ConvModule(3, base, 3, 2, act=F.relu6), base
        settings = ((1, 16, 1, 1, 1), (6, 24, 2, 2, 1), (6, 32, 3, 2, 1), (6, 64, 4, 1, 2), (6, 96, 3, 1, 2),
                    (6, 160, 3, 1, 4), (6, 320, 1, 1, 4))
        for number, (expansion, count, repeats, stride, dilation) in enumerate(settings, 1):
            blocks = []
            for i in range(repeats):
                blocks.append(InvertedResidual(channels, count * base // 32, 1 if i else stride, F.relu6, expansion,
                                               1 if i else dilation))
                channels = count * base // 32
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x):
        x = self.conv1(x)
        for number in range(1, 8):
            x = getattr(self, f"layer{number}")(x)
        return [x]


def mobilenet_pspnet():
    return EncoderDecoder(MobileNetV2(), PSPHead(80), FCNHead(24))
