"""The small PSPNet that labels drawn scenes, and the same without its pyramid."""
import torch
from canvas import CLASSES
from torch import nn
from torch.nn import functional as F

BINS = (1, 2, 3, 6)
WIDTHS = (16, 32, 64, 96)
# width's index, stride, dilation of each residual block
BLOCKS = ((1, 1, 1), (2, 2, 1), (2, 1, 1), (3, 1, 2))


def conv_norm(channels, out, kernel=1, stride=1, dilation=1):
    return (nn.Conv2d(channels, out, kernel, stride, dilation * (kernel // 2), dilation, bias=False),
            nn.BatchNorm2d(out))


class Block(nn.Module):
    def __init__(self, channels, out, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(channels, out, 3, stride, dilation)
        self.conv2, self.bn2 = conv_norm(out, out, 3, 1, dilation)
        self.downsample = nn.Sequential(*conv_norm(channels, out, 1, stride)) if channels != out or stride > 1 else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class Pyramid(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_norm(channels, width), nn.ReLU())
                                      for b in BINS)

    def forward(self, x):
        stretched = [F.interpolate(branch(x), x.shape[2:], mode="bilinear", align_corners=True)
                     for branch in self.branches]
        return torch.cat([x, *stretched], 1)


class Network(nn.Module):
    """A label per 8 x 8 pixels, stretched; it sees 159 x 159 pixels where it has no pyramid."""

    def __init__(self, has_pyramid=True, widths=WIDTHS):
        super().__init__()
        last = widths[-1]
        self.stem = nn.Sequential(*conv_norm(3, widths[0], 3, 2), nn.ReLU(), *conv_norm(widths[0], widths[1], 3, 2),
                                  nn.ReLU())
        channels, blocks = widths[1], []
        for i, stride, dilation in BLOCKS:
            blocks.append(Block(channels, widths[i], stride, dilation))
            channels = widths[i]
        self.blocks = nn.Sequential(*blocks)
        self.ppm = Pyramid(last, last // 2) if has_pyramid else None
        self.cls = nn.Sequential(*conv_norm(3 * last if has_pyramid else last, last, 3), nn.ReLU(), nn.Dropout(0.1),
                                 nn.Conv2d(last, len(CLASSES), 1))

    def forward(self, x):
        """x: red, green and blue from 0 to 1 -> logits of the pixels"""
        y = self.blocks(self.stem(2 * x - 1))
        y = self.cls(self.ppm(y) if self.ppm else y)
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)


NETWORKS = {  # name: how it is built
    "street": {},
    "street-without-pyramid": {"has_pyramid": False},
    "street-widened": {"has_pyramid": False, "widths": (20, 39, 78, 117)},
}


def made(name):
    return Network(**NETWORKS[name])


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def tensor_of(images):
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] from 0 to 1"""
    return torch.tensor(images).permute(0, 3, 1, 2).float() / 255
