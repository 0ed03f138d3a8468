"""What the tests of whole networks share: weights of a realistic size for any module, and the comparison of what
ppm-server computes with the module in float64."""
import copy
import subprocess
import sys

import numpy as np
import torch
from support import ROOT, SERVER, ExportTest
from torch import nn

sys.path.append(str(ROOT / "tests/networks"))

from drawn import picture  # noqa: E402

ERROR_MAX = 4  # times that of PyTorch's float32
EQUAL_MIN = 0.9995  # of the labels
RANGES = {"weight": (0.5, 1.5), "bias": (-0.3, 0.3)}  # of vectors
RESIDUAL = 0.3


def drawn(module, *inputs, seed=1):
    """-> the module with random weights. Each batch norm has the statistics of what these inputs put through it, off by
    a little, so that maps keep their size however deep the network is. The last norm of a residual block is small, or
    rounding errors would grow from block to block as they do in no trained network."""
    torch.manual_seed(seed)
    for name, values in module.eval().state_dict().items():
        if values.dim() > 1:
            values.normal_().div_(values[0].numel() ** 0.5)
        elif values.is_floating_point():
            values.uniform_(*RANGES.get(name.rpartition(".")[2], RANGES["weight"]))
    for part in module.modules():
        if hasattr(part, "bn2"):
            getattr(part, "bn3", part.bn2).weight *= RESIDUAL
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


def centered(module, *inputs):
    """Takes the mean of each class from the bias of the last convolution, so that no class wins everywhere."""
    convs = []
    handles = [part.register_forward_hook(lambda conv, *_: convs.append(conv)) for part in module.modules()
               if isinstance(part, nn.Conv2d)]
    logits = module(*inputs)
    convs[-1].bias -= logits.mean((0, 2, 3))
    for handle in handles:
        handle.remove()
    return module


def image(size, seed="image"):
    return {"x": picture(f"{seed}/{size}", 1, 3, *size)}


class WholeTest(ExportTest):
    def assert_whole(self, module, kind, checkpoint, sizes, *options, inputs=image):
        """The export says the kind, and the model computes what the module does at every size; inputs(size) -> {name:
        map}. -> what the export printed"""
        printed = self.export(checkpoint, *options)
        self.assertIn(f": {kind} (", printed)
        reference = copy.deepcopy(module).double()
        for size in sizes:
            maps = inputs(size)
            want, y = reference(*(x.double() for x in maps.values())).numpy(), self.computed(maps)
            pytorchs, labels = difference(module(*maps.values()).numpy(), want), want.argmax(1)
            self.assertGreater(pytorchs, 0)
            self.assertLessEqual(difference(y, want), ERROR_MAX * pytorchs, f"{kind} at {size}")
            self.assertGreater(len(np.unique(labels)), 2)  # equal labels would prove nothing
            self.assertGreaterEqual(np.mean(y.argmax(1) == labels), EQUAL_MIN)
        return printed

    def computed(self, maps):
        """-> what ppm-server computes"""
        arguments = []
        for name, x in maps.items():
            np.save(self.folder / f"{name}.npy", x.numpy())
            file = str(self.folder / f"{name}.npy")
            arguments += ["--input", file if len(maps) == 1 else f"{name}={file}"]
        done = subprocess.run([SERVER, "run", "--model", self.model, *arguments, "--output",
                               self.folder / "y.npy"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return np.load(self.folder / "y.npy")


def difference(y, want):
    """The largest, relative to the largest value."""
    assert y.shape == want.shape, (y.shape, want.shape)
    return np.abs(y.astype(np.float64) - want).max() / np.abs(want).max()
