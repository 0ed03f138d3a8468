"""TorchScript archives, edited: what other versions of PyTorch write, and what nobody should."""
import zipfile

import torch
from torch import nn
from torch.nn import functional as F


class Small(nn.Module):
    """What the tests of archives edit."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.drop = nn.Dropout2d(0.1)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, x):
        y = F.relu(self.bn(self.conv(x)), inplace=True)
        y = F.max_pool2d(y, 2)
        y = F.interpolate(y, scale_factor=2.0, mode="nearest")
        y = self.head(self.drop(y))
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=False)


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def edited(path, *changes):
    """Replaces texts of the code, each of which has to be there."""
    contents = entries(path)
    for old, new in changes:
        found = [name for name, data in contents.items() if name.endswith(".py") and old.encode() in data]
        assert found, old
        for name in found:
            contents[name] = contents[name].replace(old.encode(), new.encode())
    return write(path, contents)


def with_forward(path, *lines):
    """A traced archive of Small whose forward() has other code: lines with x, self.conv ..., and y at the end."""
    contents = entries(path)
    name, = (name for name, data in contents.items() if b"class Small(" in data)
    head, _, _ = contents[name].decode().partition("    x: Tensor")
    body = "".join(f"    {line}\n" for line in (*lines, "return y"))
    contents[name] = f"{head}    x: Tensor) -> Tensor:\n{body}".encode()
    return write(path, contents)


def traced_small(path):
    torch.jit.trace(Small().eval(), torch.rand(1, 3, 16, 12), check_trace=False).save(str(path))
    return path
