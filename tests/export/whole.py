"""What the tests of whole networks share: weights of a realistic size for any module."""
import sys

import numpy as np
import torch
from support import ROOT
from torch import nn

sys.path.append(str(ROOT / "tests/networks"))

from drawn import picture  # noqa: E402, F401

RANGES = {"weight": (0.5, 1.5), "bias": (-0.3, 0.3)}  # of vectors
RESIDUAL = 0.3


def drawn(module, *inputs, seed=1):
    """-> the module with random weights. Each batch norm has the statistics of what these inputs put through it, off by
    a little, so that maps keep their size however deep the network is. The last norm of a bottleneck scales what is
    added to the shortcut down: otherwise rounding errors would grow from block to block as in no trained network."""
    torch.manual_seed(seed)
    for name, values in module.eval().state_dict().items():
        if values.dim() > 1:
            values.normal_().div_(values[0].numel() ** 0.5)
        elif values.is_floating_point():
            values.uniform_(*RANGES.get(name.rpartition(".")[2], RANGES["weight"]))
            values *= RESIDUAL if name.endswith("bn3.weight") else 1
    handles = [part.register_forward_pre_hook(measured) for part in module.modules()
               if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    module(*inputs)
    for handle in handles:
        handle.remove()
    return module


def measured(norm, inputs):
    x, = inputs
    mean, power = (v.double().mean((0, 2, 3)) for v in (x, x * x))
    var = (power - mean * mean).clamp(min=0) + 0.1 * power + 1e-4  # a constant map varies between pictures
    norm.running_mean.copy_(mean + 0.2 * var.sqrt() * torch.randn(len(mean)))
    norm.running_var.copy_(var * torch.empty(len(mean)).uniform_(0.7, 1.4))


def difference(y, want):
    """The largest, relative to the largest value."""
    assert y.shape == want.shape, (y.shape, want.shape)
    return np.abs(y.astype(np.float64) - want).max() / np.abs(want).max()
