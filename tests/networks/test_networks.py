"""Whole networks: ppm-server compared with PyTorch.

The expected values are float64's. PyTorch's own float32 has an error too, and ppm-server's may be a few times that.
"""
import catalog
import numpy as np
import pytest
import torch
from support import model_text, run, write_weights

from networks.literal import Literal

ERROR_MAX = 4  # times PyTorch's
EQUAL_MIN = 0.9995  # of the labels

torch.set_grad_enabled(False)


class Model:
    """A network of the catalog with its weights, and its files."""

    def __init__(self, name, folder):
        self.name, self.sizes = name, catalog.NETWORKS[name].sizes
        self.folder, self.known = folder, {}
        self.config, self.tensors = catalog.made(name, is_test=True)
        write_weights(folder / "weights.safetensors", self.tensors)
        self.config["weights"] = {"file": "weights.safetensors"}

    def file(self, kind, compute):
        """-> its JSON"""
        path, output = self.folder / f"{kind}-{compute}.json", {**self.config["output"], "as": kind}
        path.write_text(model_text({**self.config, "compute": compute, "output": output}))
        return path

    def expected(self, size, dtype=torch.float64):
        """-> what PyTorch computes from inputs(size)"""
        if (size, dtype) not in self.known:
            self.known[size, dtype] = Literal(self.config, self.tensors, dtype)(self.inputs(size)).numpy()
        return self.known[size, dtype]

    def inputs(self, size, count=1):
        return catalog.pictures(self.config, f"{self.name}/{size}", count, size)

    def errors(self, y, size):
        """-> (of y, of PyTorch's float32)"""
        return (difference(values, self.expected(size)) for values in (y, self.expected(size, torch.float32)))

    def run(self, inputs, *options, kind="values", compute="float32"):
        arrays = {name: x.numpy() for name, x in inputs.items()}
        return run(self.file(kind, compute), arrays, self.folder, *options)


@pytest.fixture(scope="module", params=catalog.NETWORKS)
def model(request, tmp_path_factory):
    return Model(request.param, tmp_path_factory.mktemp(request.param))


def difference(y, expected):
    """The largest, relative to the largest value."""
    assert y.shape == expected.shape
    return np.abs(y.astype(np.float64) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("which", (0, 1))
def test_engine(model, which):
    size = model.sizes[which]
    inputs, labels = model.inputs(size), model.expected(size).argmax(1, keepdims=True)
    assert len(np.unique(labels)) > 3  # equal labels would prove nothing
    error, pytorchs = model.errors(model.run(inputs), size)
    assert error <= ERROR_MAX * pytorchs, f"{error:.1e}, PyTorch's is {pytorchs:.1e}"
    assert np.mean(model.run(inputs, kind="argmax") == labels) >= EQUAL_MIN


def test_reference(model):
    """The literal graph sums in double precision, and is nearer than PyTorch's float32."""
    size = model.sizes[1]
    error, pytorchs = model.errors(model.run(model.inputs(size), "--reference"), size)
    assert error <= pytorchs, f"{error:.1e}, PyTorch's is {pytorchs:.1e}"


def test_bits(model):
    """Neither the number of threads nor the other maps of a batch change a bit."""
    inputs = model.inputs(model.sizes[1], 2)
    y = model.run(inputs, "--threads", "2")
    assert y.tobytes() == model.run(inputs, "--threads", "1").tobytes()
    assert y[1:].tobytes() == model.run({name: x[1:] for name, x in inputs.items()}).tobytes()


def test_bfloat16(model):
    """A product's roundoff is 2 ** -9 instead of 2 ** -24."""
    size = model.sizes[1]
    try:
        y = model.run(model.inputs(size), compute="bfloat16")
    except AssertionError as refusal:
        if "or a CPU with AVX512_BF16" not in str(refusal):
            raise
        pytest.skip("this CPU has no bfloat16 products")
    error, pytorchs = model.errors(y, size)
    assert pytorchs < error <= ERROR_MAX * 2 ** 15 * pytorchs, f"{error:.1e}, PyTorch's float32 has {pytorchs:.1e}"


def test_literal(model):
    """What the tests above expect is what the network's own definition computes."""
    size = model.sizes[1]
    module = catalog.module_of(model.name, model.tensors, is_test=True).double()
    y = module(*(x.double() for x in model.inputs(size).values())).numpy()
    assert difference(y, model.expected(size)) < 1e-13
