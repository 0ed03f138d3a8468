"""Whole networks: ppm-server compared with PyTorch.

The expected values are float64's. PyTorch's own float32 has an error too, and ppm-server's may be a few times that.
"""
import catalog
import drawn
import numpy as np
import pytest
import torch
from literal import Literal
from support import model_text, run, write_weights

ERROR_MAX = 4  # times PyTorch's
EQUAL_MIN = 0.9995  # of the labels
SIZES = [(name, size) for name, network in catalog.NETWORKS.items() for size in network.sizes]

torch.set_grad_enabled(False)


class Model:
    """A network of the catalog with its weights, and its files."""

    def __init__(self, name, folder):
        self.folder = folder
        self.config, self.tensors = catalog.made(name, is_test=True)
        write_weights(folder / "weights.safetensors", self.tensors)
        self.config["weights"] = {"file": "weights.safetensors"}

    def file(self, **output):
        """-> its JSON, with these keys of the output"""
        path = self.folder / f"{'-'.join(map(str, output.values())) or 'values'}.json"
        path.write_text(model_text({**self.config, "output": {**self.config["output"], **output}}))
        return path

    def expected(self, x, dtype=torch.float64):
        return Literal(self.config, self.tensors, dtype)(torch.from_numpy(x)).numpy()

    def run(self, x, *options, **output):
        return run(self.file(**output), x, self.folder, *options)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The last model, which the tests of one network share."""
    last = {}

    def model_of(name):
        if name not in last:
            last.clear()
            last[name] = Model(name, tmp_path_factory.mktemp(name))
        return last[name]
    return model_of


def difference(y, expected):
    """The largest, relative to the largest value."""
    assert y.shape == expected.shape
    return np.abs(y.astype(np.float64) - expected).max() / np.abs(expected).max()


def picture(name, size, count=1):
    return drawn.picture(f"{name}/{size}", count, 3, *size).numpy()


@pytest.mark.parametrize("name, size", SIZES)
def test_engine(models, name, size):
    model, x = models(name), picture(name, size)
    expected = model.expected(x)
    labels = expected.argmax(1, keepdims=True)
    assert len(np.unique(labels)) > 3  # equal labels would prove nothing

    y = model.run(x)
    error, pytorchs = (difference(values, expected) for values in (y, model.expected(x, torch.float32)))
    assert error <= ERROR_MAX * pytorchs, f"{error:.1e}, PyTorch's is {pytorchs:.1e}"
    answered = model.run(x, **{"as": "argmax"})
    assert np.mean(answered == labels) >= EQUAL_MIN


@pytest.mark.parametrize("name, size", SIZES[1::2])
def test_bits(models, name, size):
    """Neither the number of threads nor the other maps of a batch change a bit."""
    model, x = models(name), picture(name, size, 2)
    y = model.run(x, "--threads", "2")
    assert y.tobytes() == model.run(x, "--threads", "1").tobytes()
    assert y[1:].tobytes() == model.run(x[1:]).tobytes()


@pytest.mark.parametrize("name, size", SIZES[1::2])
def test_reference(models, name, size):
    """The literal graph in double precision, whose maps are float32, is nearer than PyTorch's float32."""
    model, x = models(name), picture(name, size)
    expected = model.expected(x)
    error, pytorchs = (difference(y, expected) for y in (model.run(x, "--reference"), model.expected(x, torch.float32)))
    assert error <= pytorchs, f"{error:.1e}, PyTorch's is {pytorchs:.1e}"


@pytest.mark.parametrize("name, size", SIZES[1::2])
def test_literal(models, name, size):
    """What the tests above expect is what the network's own definition computes."""
    model, x = models(name), picture(name, size)
    module = catalog.module_of(name, model.tensors, is_test=True).double()
    assert difference(module(torch.from_numpy(x).double()).numpy(), model.expected(x)) < 1e-13
