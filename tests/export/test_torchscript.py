"""Networks in TorchScript archives: what tools/export.py makes of them computes what the module does, at the size
that was traced and at others."""
import sys
import warnings

import pytest
import torch
from networks.literal import Literal
from support import ROOT, ExportTest

sys.path.insert(0, str(ROOT / "tests/networks"))

import catalog  # noqa: E402

from torchscript import reading  # noqa: E402

NETWORKS = ("mobilenet-v2", "upernet-head", "convnext")


@pytest.mark.parametrize("name", NETWORKS)
def test_traced(tmp_path, name):
    """Traced at one size, compared in float64 at it and at another."""
    config, tensors = catalog.made(name, is_test=True)
    module = catalog.module_of(name, tensors, is_test=True)
    inputs = {size: catalog.pictures(config, name, 1, size) for size in catalog.NETWORKS[name].sizes}
    traced(module, *next(iter(inputs.values())).values()).save(tmp_path / "net.pt")
    found = reading.read(tmp_path / "net.pt")
    literal = Literal(found.config, {key: values.numpy() for key, values in found.tensors.items()})
    names = list(found.config.get("inputs", ["x"]))
    for maps in inputs.values():
        y = literal(dict(zip(names, maps.values())))
        expected = module.double()(*(x.double() for x in maps.values()))
        assert y.shape == expected.shape
        assert (y - expected).abs().max() < 1e-12 * expected.abs().max()


def traced(module, *inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes in asserts become constants
        return torch.jit.trace(module, inputs, check_trace=False)


class Served(ExportTest):
    def test_at_another_size(self):
        config, tensors = catalog.made("resnet18", is_test=True)
        module = catalog.module_of("resnet18", tensors, is_test=True)
        first, second = (catalog.pictures(config, "x", 1, size)["x"] for size in catalog.NETWORKS["resnet18"].sizes)
        traced(module, first).save(self.folder / "net.pt")
        printed = self.export(self.folder / "net.pt")
        self.assertIn("x [N, 3, H, W], y [N, 21, H, W], ", printed)
        for x in (first, second):
            self.assert_same(self.serve(x), module(x))


