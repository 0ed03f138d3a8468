"""ResNet-18, -34, -50 and -101 (He et al., Deep Residual Learning, 2015) in PyTorch.

dilated: the last two stages keep stride 8 and have dilation 2 and 4 (Yu et al., Dilated Residual Networks, 2017)
as semseg does it; otherwise they go to stride 32. deep: a stem of three 3x3 instead of one 7x7.
"""
from torch import nn
from torch.nn import functional as F

# depth -> (whether its blocks are bottlenecks, how many of them each stage has)
DEPTHS = {18: (False, (2, 2, 2, 2)), 34: (False, (3, 4, 6, 3)), 50: (True, (3, 4, 6, 3)),
          101: (True, (3, 4, 23, 3))}
STRIDES = {True: ((1, 1), (2, 1), (1, 2), (1, 4)), False: ((1, 1), (2, 1), (2, 1), (2, 1))}  # stride, dilation


def stages(depth, base, deep, dilated):
    """Yields (stage from 1, block, channels, width, stride, dilation, channels of its output) of each block."""
    bottleneck, counts = DEPTHS[depth]
    channels = 2 * base if deep else base
    for i, (count, (stride, dilation)) in enumerate(zip(counts, STRIDES[dilated])):
        width = base << i
        for block in range(count):
            out = 4 * width if bottleneck else width
            yield i + 1, block, channels, width, 1 if block else stride, dilation, out
            channels = out


def conv_bn(channels, out, kernel=1, stride=1, dilation=1, groups=1, bias=False):
    return (nn.Conv2d(channels, out, kernel, stride, dilation * (kernel // 2), dilation, groups, bias),
            nn.BatchNorm2d(out))


class Shortcut(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(*conv_bn(channels, out, 1, stride))

    def shortcut(self, x):
        return self.downsample(x) if hasattr(self, "downsample") else x


class Bottleneck(Shortcut):
    def __init__(self, channels, width, stride, dilation, out):
        super().__init__(channels, out, stride)
        self.conv1, self.bn1 = conv_bn(channels, width)
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride, dilation)
        self.conv3, self.bn3 = conv_bn(width, out)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class BasicBlock(Shortcut):
    def __init__(self, channels, width, stride, dilation, out):
        super().__init__(channels, out, stride)
        self.conv1, self.bn1 = conv_bn(channels, width, 3, stride, dilation)
        self.conv2, self.bn2 = conv_bn(width, width, 3, 1, dilation)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, depth, base, deep, dilated):
        super().__init__()
        if deep:
            self.layer0 = nn.Sequential(*conv_bn(3, base, 3, 2), nn.ReLU(), *conv_bn(base, base, 3), nn.ReLU(),
                                        *conv_bn(base, 2 * base, 3), nn.ReLU())
        else:
            self.conv1, self.bn1 = conv_bn(3, base, 7, 2)
        blocks = {1: [], 2: [], 3: [], 4: []}
        for stage, _, *rest in stages(depth, base, deep, dilated):
            blocks[stage].append((Bottleneck if DEPTHS[depth][0] else BasicBlock)(*rest))
        self.layer1, self.layer2, self.layer3, self.layer4 = (nn.Sequential(*made) for made in blocks.values())

    def features(self, x):
        x = self.layer0(x) if hasattr(self, "layer0") else F.relu(self.bn1(self.conv1(x)))
        x, maps = F.max_pool2d(x, 3, 2, 1), []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps
