"""A value that is not finite reaches the same values of the output as in PyTorch, and no others.

Cases that stretch maps are left out: where a weight is 0 up to rounding, 0 * Inf depends on the last bit of it.
"""
import json

import cases
import drawn
import golden
import numpy as np
import pytest
import torch
from support import model_text, run, write_weights

TOLERANCE = 1e-5  # of the largest finite value
CASES = [name for name, row in cases.CASES.items()
         if not any(word in json.dumps(row["config"]) for word in ("resize", "pyramid", "output"))]

torch.set_grad_enabled(False)


def kinds(y):
    """0 for what is finite, 1 for NaN, 2 and -2 for infinities"""
    return np.where(np.isnan(y), 1, np.where(np.isinf(y), 2 * np.sign(y), 0))


@pytest.mark.parametrize("name", CASES)
def test_planted(tmp_path, name):
    inputs, config, tensors = golden.made(name)
    (tmp_path / "config.json").write_text(model_text(config))
    if tensors:
        write_weights(tmp_path / "weights.safetensors", tensors)
    for value in (np.nan, np.inf, -np.inf):
        planted = {key: x.copy() for key, x in inputs.items()}
        for key, x in planted.items():
            x.flat[drawn.stream(f"{name}/{key}/{value}").integers(x.size)] = value
        expected = golden.answer(name, config, tensors, planted)
        y = run(tmp_path / "config.json", planted, tmp_path)
        assert (kinds(y) == kinds(expected)).all(), f"{value}: {kinds(y)}, not {kinds(expected)}"
        finite = np.isfinite(expected)
        off = np.abs(y[finite] - expected[finite]).max(initial=0)
        assert off <= TOLERANCE * np.abs(expected[finite]).max(initial=1e-9)
