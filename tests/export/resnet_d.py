"""PSPNets over a ResNet with three 3x3 in its stem, as PaddleSeg (ResNet_vd) and pytorchcv (resnetd50b) define them,
with few channels: attributes have their names, and paddle_state() gives the names of Paddle's files."""
import torch
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)


def stretch(x, size, align_corners):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


# ---- PaddleSeg ----

class ConvBN(nn.Module):
    def __init__(self, channels, out, kernel=1, stride=1, dilation=1, act=True, bias=False, pool=False):
        super().__init__()
        self._conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2 * dilation, dilation, bias=bias)
        self._batch_norm = nn.BatchNorm2d(out)
        self.has_act, self.has_pool = act, pool

    def forward(self, x):
        x = F.avg_pool2d(x, 2, 2, ceil_mode=True) if self.has_pool else x
        x = self._batch_norm(self._conv(x))
        return F.relu(x) if self.has_act else x


class VdBlock(nn.Module):
    def __init__(self, channels, width, stride, dilation, is_first, has_short, is_bottleneck):
        super().__init__()
        out = 4 * width if is_bottleneck else width
        if is_bottleneck:
            self.conv0 = ConvBN(channels, width)
            self.conv1 = ConvBN(width, width, 3, stride, dilation)
            self.conv2 = ConvBN(width, out, act=False)
        else:
            self.conv0 = ConvBN(channels, width, 3, stride, dilation)
            self.conv1 = ConvBN(width, width, 3, 1, dilation, act=False)
        if has_short:
            self.short = ConvBN(channels, out, act=False, pool=not is_first and stride != 1)

    def forward(self, x):
        y = self.conv1(self.conv0(x))
        y = self.conv2(y) if hasattr(self, "conv2") else y
        return F.relu(y + (self.short(x) if hasattr(self, "short") else x))


class ResNetVd(nn.Module):
    def __init__(self, base, counts, stride, is_bottleneck):
        super().__init__()
        self.conv1_1, self.conv1_2 = ConvBN(3, base // 2, 3, 2), ConvBN(base // 2, base // 2, 3)
        self.conv1_3 = ConvBN(base // 2, base, 3)
        channels, dilations = base, {8: {2: 2, 3: 4}, 16: {3: 2}}[stride]
        for stage, count in enumerate(counts):
            width, dilation = base << stage, dilations.get(stage, 1)
            for i in range(count):
                step = 2 if i == 0 and stage and dilation == 1 else 1
                self.add_module(f"bb_{stage}_{i}", VdBlock(channels, width, step, dilation, stage == i == 0, i == 0,
                                                          is_bottleneck))
                channels = 4 * width if is_bottleneck else width
        self.counts = counts

    def forward(self, x):
        x = F.max_pool2d(self.conv1_3(self.conv1_2(self.conv1_1(x))), 3, 2, 1)
        maps = []
        for stage, count in enumerate(self.counts):
            for i in range(count):
                x = getattr(self, f"bb_{stage}_{i}")(x)
            maps.append(x)
        return maps


class PaddlePyramid(nn.Module):
    def __init__(self, channels, out, align_corners):
        super().__init__()
        self.stages = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), ConvBN(channels, channels // 4, bias=True))
                                    for b in BINS)
        self.conv_bn_relu2 = ConvBN(2 * channels, out, 3, bias=True)
        self.align_corners = align_corners

    def forward(self, x):
        maps = [stretch(stage(x), x.shape[2:], self.align_corners) for stage in self.stages]
        return self.conv_bn_relu2(torch.cat([x] + maps[::-1], 1))


class PaddleHead(nn.Module):
    def __init__(self, channels, out, classes, align_corners=False):
        super().__init__()
        self.psp_module = PaddlePyramid(channels, out, align_corners)
        self.conv = nn.Conv2d(out, classes, 1)
        self.auxlayer = nn.ModuleDict({"conv_bn_relu": ConvBN(channels // 2, 4, 3, bias=True),
                                       "conv": nn.Conv2d(4, classes, 1)})

    def forward(self, x):
        return self.conv(self.psp_module(x))


class PaddlePSPNet(nn.Module):
    def __init__(self, base=8, counts=(1, 2, 2, 2), stride=8, is_bottleneck=True, align_corners=False, classes=5):
        super().__init__()
        self.backbone = ResNetVd(base, counts, stride, is_bottleneck)
        self.head = PaddleHead((32 if is_bottleneck else 8) * base, 10, classes, align_corners)
        self.align_corners = align_corners

    def forward(self, x):
        return stretch(self.head(self.backbone(x)[-1]), x.shape[2:], self.align_corners)


def paddle_state(module):
    """{name: array}, as paddle.save has it"""
    names = {"running_mean": "_mean", "running_var": "_variance"}
    state = {".".join(names.get(part, part) for part in key.split(".")): value.numpy()
             for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    return {**state, "StructuredToParameterName@@": {key: f"conv2d_{i}.w_0" for i, key in enumerate(state)}}


# ---- pytorchcv ----

class ConvBlock(nn.Module):
    def __init__(self, channels, out, kernel=1, stride=1, dilation=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2 * dilation, dilation, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.has_act = act

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu(x) if self.has_act else x


class Parts(nn.Sequential):
    """Parts one after the other, by their names."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


class Unit(nn.Module):
    def __init__(self, channels, out, stride, dilation):
        super().__init__()
        mid = out // 4
        self.body = Parts(conv1=ConvBlock(channels, mid), conv2=ConvBlock(mid, mid, 3, stride, dilation),
                          conv3=ConvBlock(mid, out, act=False))
        if channels != out or stride != 1:
            self.identity_conv = ConvBlock(channels, out, 1, stride, act=False)

    def forward(self, x):
        return F.relu(self.body(x) + (self.identity_conv(x) if hasattr(self, "identity_conv") else x))


class CvBranch(nn.Module):
    def __init__(self, channels, bins):
        super().__init__()
        self.pool, self.conv = nn.AdaptiveAvgPool2d(bins), ConvBlock(channels, channels // 4)

    def forward(self, x):
        return stretch(self.conv(self.pool(x)), x.shape[2:], True)


class CvPyramid(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branches = Parts(**{f"branch{i + 2}": CvBranch(channels, bins) for i, bins in enumerate(BINS)})

    def forward(self, x):
        return torch.cat([x] + [branch(x) for branch in self.branches], 1)


class CvPSPNet(nn.Module):
    def __init__(self, base=8, counts=(1, 2, 2, 2), classes=5):
        super().__init__()
        units, channels = {}, 2 * base
        for i, count in enumerate(counts):
            made = {}
            for j in range(count):
                made[f"unit{j + 1}"] = Unit(channels, 4 * base << i, 2 if j == 0 and i == 1 else 1,
                                            2 ** max(0, i - 1 - (j == 0)))
                channels = 4 * base << i
            units[f"stage{i + 1}"] = Parts(**made)
        stem = Parts(conv1=ConvBlock(3, base, 3, 2), conv2=ConvBlock(base, base, 3), conv3=ConvBlock(base, 2 * base, 3),
                     pool=nn.MaxPool2d(3, 2, 1))
        self.backbone = Parts(init_block=stem, **units)
        self.pool = CvPyramid(channels)
        self.final_block = Parts(conv1=ConvBlock(2 * channels, channels // 4, 3), dropout=nn.Dropout(0.1),
                                 conv2=nn.Conv2d(channels // 4, classes, 1))
        self.aux_block = Parts(conv1=ConvBlock(channels // 2, 4, 3), conv2=nn.Conv2d(4, classes, 1))

    def head(self, x):
        return self.final_block(self.pool(x))

    def forward(self, x):
        return stretch(self.head(self.backbone(x)), x.shape[2:], True)
