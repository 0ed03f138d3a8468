"""What the networks of repositories_*.py are made of, with the habits of their authors: ReLUs in place, residuals by
+=, lists built in loops. Widths are small; the rest is as their repositories have it."""
from torch import nn

BINS = (1, 2, 3, 6)


def conv_bn(channels, out, kernel=1, stride=1, dilation=1, groups=1):
    padding = dilation * (kernel // 2)
    return nn.Sequential(nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=False),
                         nn.BatchNorm2d(out))


def conv_bn_relu(channels, out, kernel=1, stride=1, dilation=1, groups=1):
    return nn.Sequential(*conv_bn(channels, out, kernel, stride, dilation, groups), nn.ReLU(inplace=True))


class BasicBlock(nn.Module):
    def __init__(self, channels, out, stride=1, no_relu=False):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = conv_bn(channels, out, 1, stride) if stride != 1 or channels != out else None
        self.no_relu = no_relu

    def forward(self, x):
        residual = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        if self.downsample is not None:
            residual = self.downsample(x)
        out += residual
        return out if self.no_relu else self.relu(out)


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride=1, dilation=1, expansion=2, no_relu=False):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(channels, width)
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride, dilation)
        self.conv3, self.bn3 = conv_bn(width, width * expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (conv_bn(channels, width * expansion, 1, stride)
                           if stride != 1 or channels != width * expansion else None)
        self.no_relu = no_relu

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out = out + identity
        return out if self.no_relu else self.relu(out)


class ResNet(nn.Module):
    """-> the maps of its four stages; the last two keep the size, dilated, or halve it."""

    def __init__(self, base=4, dilated=True):
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        stride = 1 if dilated else 2
        self.layer1 = nn.Sequential(Bottleneck(base, base), Bottleneck(2 * base, base))
        self.layer2 = nn.Sequential(Bottleneck(2 * base, 2 * base, 2))
        self.layer3 = nn.Sequential(Bottleneck(4 * base, 2 * base, stride, 2 if dilated else 1))
        self.layer4 = nn.Sequential(Bottleneck(4 * base, 4 * base, stride, 4 if dilated else 1))
        self.channels = (2 * base, 4 * base, 4 * base, 8 * base)

    def forward(self, x, return_feature_maps: bool = True):
        conv_out = []
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.maxpool(x)
        x = self.layer1(x)
        conv_out.append(x)
        x = self.layer2(x)
        conv_out.append(x)
        x = self.layer3(x)
        conv_out.append(x)
        x = self.layer4(x)
        conv_out.append(x)
        if return_feature_maps:
            return conv_out
        return [x]
