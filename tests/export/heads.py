"""PyTorch networks with pyramid pooling as their repositories define them, with few channels. Attributes have
the repositories' names, so that state_dict() has the keys of their checkpoints.

Each forward() takes the backbone's features and ends where the export ends. The layers called backbone,
layer0, aux, ... never run: they only provide the network's other keys.
"""
import torch
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)


def stretch(x, like, align_corners=True):
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=align_corners)


def conv_bn(channels, out, kernel=1, *, bias=False):
    return [nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=bias), nn.BatchNorm2d(out),
            nn.ReLU(inplace=True)]


class SemsegPPM(nn.Module):
    def __init__(self, channels, reduction, bins=BINS):
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_bn(channels, reduction)) for b in bins)

    def forward(self, x):
        return torch.cat([x] + [stretch(branch(x), x) for branch in self.features], dim=1)


class Semseg(nn.Module):
    def __init__(self, channels=8, classes=5, bins=BINS):
        super().__init__()
        self.layer0 = nn.Sequential(*conv_bn(3, 4, 3))
        self.layer1 = nn.Sequential(nn.Sequential(*conv_bn(4, channels)))
        reduction = channels // len(bins)
        self.ppm = SemsegPPM(channels, reduction, bins)
        self.cls = nn.Sequential(*conv_bn(channels + reduction * len(bins), 6, 3),
                                 nn.Dropout2d(p=0.1), nn.Conv2d(6, classes, kernel_size=1))
        self.aux = nn.Sequential(*conv_bn(4, 4, 3), nn.Dropout2d(p=0.1), nn.Conv2d(4, classes, 1))

    def forward(self, x):
        return self.cls(self.ppm(x))


class LextalModule(nn.Module):
    def __init__(self, features=5, out_features=7, sizes=BINS):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d((size, size)),
                          nn.Conv2d(features, features, kernel_size=1, bias=False))
            for size in sizes)
        self.bottleneck = nn.Conv2d(features * (len(sizes) + 1), out_features, kernel_size=1)
        self.relu = nn.ReLU()

    def forward(self, x):
        priors = [stretch(stage(x), x, align_corners=False) for stage in self.stages] + [x]
        return self.relu(self.bottleneck(torch.cat(priors, 1)))


class Lextal(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.feats = nn.Sequential(*conv_bn(3, 5, 3))
        self.psp = LextalModule()
        self.up_1 = nn.ModuleDict({"conv": nn.Sequential(
            nn.Conv2d(7, 4, 3, padding=1), nn.BatchNorm2d(4), nn.PReLU())})
        self.final = nn.Sequential(nn.Conv2d(4, classes, kernel_size=1), nn.LogSoftmax(dim=1))
        self.classifier = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, classes))

    def forward(self, x):
        return self.psp(x)


class BubbliiiingModule(nn.Module):
    def __init__(self, channels, pool_sizes):
        super().__init__()
        out = channels // len(pool_sizes)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), *conv_bn(channels, out))
            for size in pool_sizes)
        self.bottleneck = nn.Sequential(*conv_bn(channels + out * len(pool_sizes), out, 3),
                                        nn.Dropout2d(0.1))

    def forward(self, x):
        return self.bottleneck(torch.cat([x] + [stretch(s(x), x) for s in self.stages], dim=1))


class Bubbliiiing(nn.Module):
    def __init__(self, channels=12, classes=4):
        super().__init__()
        self.backbone = nn.ModuleDict({"features": nn.Sequential(nn.Sequential(*conv_bn(3, 4, 3)))})
        self.master_branch = nn.Sequential(BubbliiiingModule(channels, BINS),
                                           nn.Conv2d(channels // 4, classes, kernel_size=1))
        self.auxiliary_branch = nn.Sequential(*conv_bn(4, 2, 3), nn.Dropout2d(0.1),
                                              nn.Conv2d(2, classes, kernel_size=1))

    def forward(self, x):
        return self.master_branch(x)


class SmpConv2dReLU(nn.Sequential):
    def __init__(self, channels, out, use_batchnorm):
        super().__init__(nn.Conv2d(channels, out, 1, bias=not use_batchnorm),
                         nn.BatchNorm2d(out) if use_batchnorm else nn.Identity(),
                         nn.ReLU(inplace=True))


class SmpBlock(nn.Module):
    def __init__(self, channels, out, size, use_batchnorm):
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d((size, size)),
                                  SmpConv2dReLU(channels, out, use_batchnorm and size != 1))

    def forward(self, x):
        return stretch(self.pool(x), x)


class SmpModule(nn.Module):
    def __init__(self, channels, use_batchnorm):
        super().__init__()
        self.blocks = nn.ModuleList(SmpBlock(channels, channels // 4, size, use_batchnorm)
                                    for size in BINS)

    def forward(self, x):
        return torch.cat([block(x) for block in self.blocks] + [x], dim=1)


class SmpDecoder(nn.Module):
    def __init__(self, channels, out, use_batchnorm):
        super().__init__()
        self.psp = SmpModule(channels, use_batchnorm)
        self.conv = SmpConv2dReLU(channels * 2, out, use_batchnorm)
        self.dropout = nn.Dropout2d(p=0.2)

    def forward(self, x):
        return self.dropout(self.conv(self.psp(x)))


class Smp(nn.Module):
    def __init__(self, use_batchnorm=True, classes=3, upsampling=8):
        super().__init__()
        self.encoder = nn.ModuleDict({"conv1": nn.Conv2d(3, 8, 7), "bn1": nn.BatchNorm2d(8)})
        self.decoder = SmpDecoder(8, 6, use_batchnorm)
        self.segmentation_head = nn.Sequential(
            nn.Conv2d(6, classes, 3, padding=1),
            nn.UpsamplingBilinear2d(scale_factor=upsampling) if upsampling > 1 else nn.Identity())

    def forward(self, x):
        return self.segmentation_head(self.decoder(x))


class ConvModule(nn.Module):
    """As in mmcv: the convolution has a bias if there is no norm."""

    def __init__(self, channels, out, kernel=1, has_norm=True):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=not has_norm)
        self.bn = nn.BatchNorm2d(out) if has_norm else None
        self.activate = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.conv(x)
        return self.activate(self.bn(x) if self.bn else x)


class MmsegHead(nn.Module):
    def __init__(self, channels, width, classes, has_norm, align_corners):
        super().__init__()
        self.align_corners = align_corners
        self.conv_seg = nn.Conv2d(width, classes, kernel_size=1)
        self.dropout = nn.Dropout2d(0.1)
        self.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(scale), ConvModule(channels, width, 1, has_norm))
            for scale in BINS)
        self.bottleneck = ConvModule(channels + 4 * width, width, 3, has_norm)

    def pyramid(self, x):
        outs = [x] + [stretch(module(x), x, self.align_corners) for module in self.psp_modules]
        return self.bottleneck(torch.cat(outs, dim=1))


class Mmseg(nn.Module):
    def __init__(self, has_norm=True, align_corners=False):
        super().__init__()
        self.backbone = nn.ModuleDict({"layer1": nn.Sequential(*conv_bn(3, 4, 3))})
        self.decode_head = MmsegHead(6, 4, 5, has_norm, align_corners)
        self.auxiliary_head = nn.ModuleDict({"conv_seg": nn.Conv2d(4, 5, 1)})

    def forward(self, x):
        return self.decode_head.conv_seg(self.decode_head.dropout(self.decode_head.pyramid(x)))


class MmsegUper(Mmseg):
    def __init__(self):
        super().__init__()
        head = self.decode_head
        head.lateral_convs = nn.ModuleList([ConvModule(4, 4)])
        head.fpn_convs = nn.ModuleList([ConvModule(4, 4, 3)])
        head.fpn_bottleneck = ConvModule(8, 4, 3)

    def forward(self, x):
        return self.decode_head.pyramid(x)


class ConvBNReLU(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv = nn.Sequential(*conv_bn(channels, out))

    def forward(self, x):
        return self.conv(x)


class FastScnnPyramid(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        inner = channels // 4
        self.conv1 = ConvBNReLU(channels, inner)
        self.conv2 = ConvBNReLU(channels, inner)
        self.conv3 = ConvBNReLU(channels, inner)
        self.conv4 = ConvBNReLU(channels, inner)
        self.out = ConvBNReLU(channels * 2, out)

    def forward(self, x):
        convs = zip((self.conv1, self.conv2, self.conv3, self.conv4), BINS)
        maps = [stretch(conv(F.adaptive_avg_pool2d(x, size)), x) for conv, size in convs]
        return self.out(torch.cat([x] + maps, dim=1))


class FastScnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.learning_to_downsample = nn.ModuleDict({"conv": ConvBNReLU(3, 4)})
        self.global_feature_extractor = nn.ModuleDict(
            {"bottleneck1": nn.Sequential(ConvBNReLU(4, 8)), "ppm": FastScnnPyramid(8, 6)})
        self.classifier = nn.ModuleDict(
            {"conv": nn.Sequential(nn.Dropout(0.1), nn.Conv2d(6, 3, 1))})

    def forward(self, x):
        return self.global_feature_extractor["ppm"](x)


class Csail(nn.Module):
    """The decoder, which is saved in a separate file."""

    def __init__(self, channels=8, width=4, classes=3):
        super().__init__()
        self.ppm = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(scale), *conv_bn(channels, width)) for scale in BINS)
        self.cbr_deepsup = nn.Sequential(*conv_bn(channels // 2, width, 3))
        self.conv_last = nn.Sequential(*conv_bn(channels + 4 * width, width, 3), nn.Dropout2d(0.1),
                                       nn.Conv2d(width, classes, kernel_size=1))
        self.conv_last_deepsup = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        maps = [stretch(branch(x), x, align_corners=False) for branch in self.ppm]
        return self.conv_last(torch.cat([x] + maps, dim=1))
