"""What the tests of TorchScript share: archives of modules, and what their exported models compute."""
import warnings

import numpy as np
import torch
from support import random_features

ERROR_MAX = 1e-4  # of the largest value; some of these networks are deep for so few channels


def archive(case, module, x, is_scripted=False):
    """-> the path of an archive"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python computes is constant
        made = torch.jit.script(module) if is_scripted else torch.jit.trace(module, x, check_trace=False, strict=False)
    made.save(str(case.folder / "net.pt"))
    return case.folder / "net.pt"


def main_of(y):
    """The output that is exported: the first one, as maps."""
    while not isinstance(y, torch.Tensor):
        y = next(iter(y.values())) if isinstance(y, dict) else y[0]
    return y if y.dim() == 4 else y[:, None]


def assert_serves(case, module, printed, sizes, count=1):
    """The exported model computes what the module does, in float64. count: of the images in a request"""
    exact = module.double()
    for size in sizes:
        x = random_features(count, 3, *size)
        y, expected = case.serve(x), main_of(exact(x.double())).numpy()
        assert y.shape == expected.shape
        assert expected.std() > 0
        if expected.dtype == np.int64:
            assert np.mean(y == expected) > 0.999
            continue
        if "its logarithm" in printed:
            expected = np.exp(expected)
        assert np.abs(y - expected).max() / np.abs(expected).max() < ERROR_MAX
