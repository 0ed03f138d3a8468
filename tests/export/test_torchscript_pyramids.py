"""Pyramids that a module computes layer by layer are written as pyramids, and what only looks like one is not."""
import json

import pytest
import torch
from support import random_features
from test_torchscript_operators import SIZES, assert_same, made
from torch.nn import functional as F

BINS = (1, 2, 3)


def branch(m, x, bins, align_corners=True, size=None):
    y = F.silu(F.batch_norm(F.conv2d(F.adaptive_avg_pool2d(x, bins), m.kernel, padding=1, groups=3), m.mean, m.var))
    return F.interpolate(y, size or x.shape[2:], mode="bilinear", align_corners=align_corners)


def branches(m, x, **options):
    return [branch(m, x, bins, **options) for bins in BINS]


def read_twice(m, x):
    parts = branches(m, x)
    return torch.cat([x, *parts], 1) + torch.cat([parts[0], x, *parts[:2]], 1)


def of_another_map(m, x):
    return torch.cat([torch.tanh(x), *branches(m, x)], 1)


FORMS = {
    "first": (lambda m, x: torch.cat([x, *branches(m, x)], 1), "input_first"),
    "last": (lambda m, x: torch.cat([*branches(m, x, align_corners=False), x], 1), "input_last"),
    "alone": (lambda m, x: torch.cat(branches(m, x), 1), "branches"),
    "numbers-of-a-trace": (lambda m, x: torch.cat([x, *branches(m, x, size=tuple(map(int, x.shape[2:])))], 1),
                           "input_first"),
    "inside": (lambda m, x: torch.cat([branch(m, x, 1), x, branch(m, x, 2)], 1), None),
    "one": (lambda m, x: torch.cat([x, branch(m, x, 2)], 1), None),
    "modes": (lambda m, x: torch.cat([branch(m, x, 1), branch(m, x, 2, align_corners=False)], 1), None),
    "size": (lambda m, x: torch.cat(branches(m, x, size=(9, 8)), 1), None),
    "rectangles": (lambda m, x: torch.cat([branch(m, x, (1, 2)), branch(m, x, (2, 1))], 1), None),
    "read-twice": (read_twice, None), "of-another-map": (of_another_map, None)}


@pytest.mark.parametrize("name", FORMS)
def test_pyramid(name):
    function, concat = FORMS[name]
    module, found = made(function)
    pyramids = [entry["pyramid"] for entry in found.config["network"] if "pyramid" in entry]
    assert [pyramid["concat"] for pyramid in pyramids] == ([concat] if concat else []), json.dumps(found.config)
    for size in SIZES:
        if name != "numbers-of-a-trace" or size == SIZES[0]:
            assert_same(module, found, random_features(1, 3, *size))
