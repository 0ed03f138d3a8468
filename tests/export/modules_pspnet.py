"""PSPNets in PyTorch with the names of their repositories' checkpoints, and with few channels: hszhao/semseg's,
Lextal/pspnet-pytorch's over its ResNets, SqueezeNet and DenseNet, bubbliiiing/pspnet-pytorch's over MobileNetV2 and
ResNet-50."""
import torch
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)
DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def stretch(x, size, align_corners=True):
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)


def conv_bn(channels, out, kernel=1, stride=1, dilation=1, groups=1):
    return (nn.Conv2d(channels, out, kernel, stride, dilation * (kernel // 2), dilation, groups, bias=False),
            nn.BatchNorm2d(out))


# ---- ResNets ----

class Block(nn.Module):
    """A bottleneck with its stride in the 3x3, or a basic block with both convolutions dilated."""

    def __init__(self, channels, width, stride, dilation, is_deep, groups=1):
        super().__init__()
        out = 4 * width if is_deep else width
        if is_deep:
            self.conv1, self.bn1 = conv_bn(channels, width)
            self.conv2, self.bn2 = conv_bn(width, width, 3, stride, dilation, groups)
            self.conv3, self.bn3 = conv_bn(width, out)
        else:
            self.conv1, self.bn1 = conv_bn(channels, out, 3, stride, dilation)
            self.conv2, self.bn2 = conv_bn(out, out, 3, 1, dilation)
        self.downsample = nn.Sequential(*conv_bn(channels, out, 1, stride)) if stride > 1 or channels != out else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def layers_of(depth, base, channels, strides, first, others, groups=1):
    """-> the four stages; first, others: dilations of the first block of each, and of the others"""
    made = []
    for stage, count in enumerate(DEPTHS[depth]):
        blocks = []
        for i in range(count):
            blocks.append(Block(channels, base << stage, 1 if i else strides[stage], (others if i else first)[stage],
                                depth > 34, groups))
            channels = (base << stage) * (4 if depth > 34 else 1)
        made.append(nn.Sequential(*blocks))
    return made


class ResNet(nn.Module):
    """torchvision's stem."""

    def __init__(self, depth, base, *dilations, channels=3, groups=1):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels, base, 7, 2)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers_of(depth, base, base, *dilations, groups)

    def stem(self, x):
        return F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)

    def maps(self, x):
        x, found = self.stem(x), []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            found.append(x := layer(x))
        return found

    def forward(self, x):
        return self.maps(x)[-1]


# ---- semseg ----

class Semseg(nn.Module):
    def __init__(self, depth=50, base=8, classes=5, bins=BINS):
        super().__init__()
        self.layer0 = nn.Sequential(*conv_bn(3, base, 3, 2), nn.ReLU(), *conv_bn(base, base, 3), nn.ReLU(),
                                    *conv_bn(base, 2 * base, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers_of(
            depth, base, 2 * base, (1, 2, 1, 1), (1, 1, 2, 4), (1, 1, 2, 4))
        channels, width = 32 * base, 32 * base // len(bins)
        self.ppm = nn.Module()
        self.ppm.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_bn(channels, width), nn.ReLU()) for b in bins)
        self.cls = nn.Sequential(*conv_bn(2 * channels, 8 * base, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                 nn.Conv2d(8 * base, classes, 1))
        self.aux = nn.Sequential(*conv_bn(16 * base, 4 * base, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                 nn.Conv2d(4 * base, classes, 1))

    def forward(self, image):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.layer0(image)))))
        x = torch.cat([x] + [stretch(branch(x), x.shape[2:]) for branch in self.ppm.features], 1)
        return stretch(self.cls(x), image.shape[2:])


# ---- Lextal ----

class Fire(nn.Module):
    def __init__(self, channels, squeezed, out, dilation=1):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, out, 1)
        self.expand3x3 = nn.Conv2d(squeezed, out, 3, padding=dilation, dilation=dilation)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, base=8):
        super().__init__()
        b = base
        self.feat_1 = nn.Sequential(nn.Conv2d(3, 2 * b, 3, 2, 1), nn.ReLU())
        self.feat_2 = nn.Sequential(nn.MaxPool2d(3, 2, 1), Fire(2 * b, b, 2 * b), Fire(4 * b, b, 2 * b))
        self.feat_3 = nn.Sequential(nn.MaxPool2d(3, 2, 1), Fire(4 * b, b, 4 * b, 2), Fire(8 * b, b, 4 * b, 2))
        self.feat_4 = nn.Sequential(Fire(8 * b, b, 6 * b, 4), Fire(12 * b, b, 6 * b, 4), Fire(12 * b, 2 * b, 8 * b, 4),
                                    Fire(16 * b, 2 * b, 8 * b, 4))

    def forward(self, x):
        return self.feat_4(self.feat_3(self.feat_2(self.feat_1(x))))


class DenseLayer(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


class Transition(nn.Module):
    def __init__(self, channels, pools):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.pools = pools

    def forward(self, x):
        x = self.conv(F.relu(self.norm(x)))
        return F.avg_pool2d(x, 2) if self.pools else x


class DenseNet(nn.Module):
    """Its parts are in a list as well, so that a state_dict has them twice."""

    def __init__(self, growth=4, counts=(3, 4, 5, 3)):
        super().__init__()
        self.start_features = nn.Sequential()
        for name, part in zip(("conv0", "norm0", "relu0", "pool0"),
                              (*conv_bn(3, 8, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))):
            self.start_features.add_module(name, part)
        self.blocks, channels = nn.ModuleList(), 8
        for i, count in enumerate(counts, 1):
            block = nn.Sequential()
            for layer in range(1, count + 1):
                block.add_module(f"denselayer{layer}", DenseLayer(channels, growth))
                channels += growth
            self.add(f"denseblock{i}", block)
            if i < 4:
                self.add(f"transition{i}", Transition(channels, i == 1))
                channels //= 2
        self.channels = channels

    def add(self, name, part):
        self.blocks.append(part)
        self.add_module(name, part)

    def forward(self, x):
        x = self.start_features(x)
        for part in self.blocks:
            x = part(x)
        return x


class PSPUpsample(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.PReLU())

    def forward(self, x):
        return self.conv(stretch(x, [2 * n for n in x.shape[2:]], False))


class Lextal(nn.Module):
    """Its result is what its LogSoftmax gets."""

    def __init__(self, feats, channels, classes=5):
        super().__init__()
        self.feats = feats
        self.psp = nn.Module()
        self.psp.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), nn.Conv2d(channels, channels, 1, bias=False)) for b in BINS)
        self.psp.bottleneck = nn.Conv2d(5 * channels, 32, 1)
        self.up_1, self.up_2, self.up_3 = PSPUpsample(32, 16), PSPUpsample(16, 8), PSPUpsample(8, 8)
        self.final = nn.Sequential(nn.Conv2d(8, classes, 1), nn.LogSoftmax(dim=1))
        self.classifier = nn.Sequential(nn.Linear(channels, 8), nn.ReLU(), nn.Linear(8, classes))

    def forward(self, x):
        x = self.feats(x)
        x = torch.cat([stretch(stage(x), x.shape[2:], False) for stage in self.psp.stages] + [x], 1)
        return self.final[0](self.up_3(self.up_2(self.up_1(F.relu(self.psp.bottleneck(x))))))


def lextal_resnet(depth):
    base = 8
    feats = ResNet(depth, base, (1, 2, 1, 1), (1, 1, 1, 1), (1, 1, 2, 4))
    return Lextal(feats, base * (32 if depth > 34 else 8))


def lextal_squeezenet():
    return Lextal(SqueezeNet(), 128)


def lextal_densenet():
    feats = DenseNet()
    return Lextal(feats, feats.channels)


# ---- MobileNetV2 ----

class InvertedResidual(nn.Module):
    """is_nested: as torchvision has it, where a convolution, its norm and its ReLU6 are a list of their own"""

    def __init__(self, channels, hidden, out, stride, dilation, is_nested):
        super().__init__()
        self.has_shortcut = stride == 1 and channels == out
        parts = [[*conv_bn(channels, hidden), nn.ReLU6()]] if hidden != channels else []
        parts += [[*conv_bn(hidden, hidden, 3, stride, dilation, hidden), nn.ReLU6()]]
        if is_nested:
            self.conv = nn.Sequential(*(nn.Sequential(*part) for part in parts), *conv_bn(hidden, out))
        else:
            self.conv = nn.Sequential(*(layer for part in parts for layer in part), *conv_bn(hidden, out))

    def forward(self, x):
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """pixels: the stride; what would go beyond it is dilated. last: torchvision's 1x1 at the end"""

    # expansion, channels, blocks, stride
    SETTINGS = ((1, 2, 1, 1), (6, 3, 2, 2), (6, 4, 3, 2), (6, 8, 4, 2), (6, 12, 3, 1), (6, 20, 3, 2), (6, 40, 1, 1))

    def __init__(self, is_nested, pixels=32, last=False, channels=3):
        super().__init__()
        self.features = [nn.Sequential(*conv_bn(channels, 4, 3, 2), nn.ReLU6())]
        channels, reached, dilation = 4, 2, 1
        for expansion, out, count, stride in self.SETTINGS:
            for i in range(count):
                first = 1 if i else stride
                own = dilation
                if first == 2 and reached == pixels:
                    first, own, dilation = 1, dilation, 2 * dilation
                reached *= first
                self.features.append(InvertedResidual(channels, channels * expansion, out, first, own, is_nested))
                channels = out
        if last:
            self.features.append(nn.Sequential(*conv_bn(channels, 80), nn.ReLU6()))
        self.features = nn.Sequential(*self.features)

    def forward(self, x):
        return self.features(x)


# ---- bubbliiiing ----

class ThreeConvolutions(ResNet):
    def __init__(self, base, *dilations):
        super().__init__(50, base, *dilations)
        self.conv1, self.bn1 = conv_bn(3, base, 3, 2)
        self.conv2, self.bn2 = conv_bn(base, base, 3)
        self.conv3, self.bn3 = conv_bn(base, 2 * base, 3)
        self.layer1[0] = Block(2 * base, base, 1, 1, True)

    def stem(self, x):
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.relu(norm(conv(x)))
        return F.max_pool2d(x, 3, 2, 1)


class Bubbliiiing(nn.Module):
    def __init__(self, backbone, channels, classes=5):
        super().__init__()
        self.backbone, width = backbone, channels // 4
        module = nn.Module()
        module.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_bn(channels, width), nn.ReLU()) for b in BINS)
        module.bottleneck = nn.Sequential(*conv_bn(2 * channels, width, 3), nn.ReLU(), nn.Dropout2d(0.1))
        self.master_branch = nn.ModuleList([module, nn.Conv2d(width, classes, 1)])
        self.auxiliary_branch = nn.Sequential(*conv_bn(12, 4, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                              nn.Conv2d(4, classes, 1))

    def forward(self, image):
        x, (module, last) = self.backbone(image), self.master_branch
        x = module.bottleneck(torch.cat([x] + [stretch(stage(x), x.shape[2:]) for stage in module.stages], 1))
        return stretch(last(x), image.shape[2:])


def bubbliiiing_mobilenet(pixels):
    return Bubbliiiing(MobileNetV2(False, pixels), 40)


def bubbliiiing_resnet50(pixels):
    dilations = ((1, 2, 1, 1), (1, 1, 1, 2), (1, 1, 2, 4)) if pixels == 8 else ((1, 2, 2, 1), (1,) * 4, (1, 1, 1, 2))
    return Bubbliiiing(ThreeConvolutions(4, *dilations), 128)
