#!/usr/bin/env python3
"""Computes y.npy of the golden cases with PyTorch's own operators, in float32.

usage: tools/golden_pytorch.py --out tests/golden [CASE...]     writes y.npy
       tools/golden_pytorch.py --check tests/golden [CASE...]   compares with the y.npy there

Needs, on Debian 12 (PyTorch 1.13):
    apt-get install -y --no-install-recommends python3-torch python3-numpy
and run it with /usr/bin/python3, after tools/golden_cases.py. Another kind of CPU may change the
last bit or two of some values, well inside the tolerance.

Cases called tf-... belong to tools/golden_tfjs.mjs: they are never written here, but --check
compares all of those whose operators PyTorch has, which is all but the asymmetric resize. Cases
called net-... belong to tests/networks/golden.py.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import ppm_config
import safetensors_io

ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "elu": nn.ELU, "sigmoid": nn.Sigmoid,
               "tanh": nn.Tanh, "silu": nn.SiLU, "gelu": nn.GELU, "hardswish": nn.Hardswish,
               "hardsigmoid": nn.Hardsigmoid, "mish": nn.Mish, "softplus": nn.Softplus,
               "softmax": lambda: nn.Softmax(dim=1)}
TOLERANCE = 2e-5  # of the largest magnitude in y


class Unsupported(Exception):
    """An operator that PyTorch does not have."""


class Weights:
    """The tensors of a model's weights file, in PyTorch's layout."""

    def __init__(self, folder, options):
        self.tensors = safetensors_io.load(folder / options["file"])
        self.prefix = options.get("prefix", "")
        self.hwio = options.get("kernel_layout") == "HWIO"

    def get(self, name, wanted=True):
        if not wanted:
            return None
        shape, values = self.tensors[self.prefix + name]
        return nn.Parameter(torch.tensor(values).reshape(shape), requires_grad=False)

    def kernel(self, name):
        weight = self.get(name)
        return nn.Parameter(weight.permute(3, 2, 0, 1), False) if self.hwio else weight


def conv(options, name, weights):
    weight = weights.kernel(f"{name}.weight")
    out, channels, k, _ = weight.shape
    layer = nn.Conv2d(channels, out, k, padding=k // 2, bias=options.get("bias", True))
    layer.weight, layer.bias = weight, weights.get(f"{name}.bias", options.get("bias", True))
    return layer


def batch_norm(options, name, weights):
    mean = weights.get(f"{name}.running_mean")
    layer = nn.BatchNorm2d(len(mean), eps=options.get("eps", 1e-5))
    layer.running_mean, layer.running_var = mean.data, weights.get(f"{name}.running_var").data
    if options.get("scale", True):
        layer.weight = weights.get(f"{name}.weight")
    if options.get("center", True):
        layer.bias = weights.get(f"{name}.bias")
    return layer


def prelu(name, weights):
    slopes = weights.get(f"{name}.weight")
    layer = nn.PReLU(len(slopes))
    layer.weight = slopes
    return layer


def sequential(named_layers, weights):
    """nn.Sequential of (kind, options, tensor name) triples."""
    made = []
    for kind, options, name in named_layers:
        if kind == "conv":
            made.append(conv(options, name, weights))
        elif kind == "batch_norm":
            made.append(batch_norm(options, name, weights))
        elif kind == "prelu":
            made.append(prelu(name, weights))
        elif kind == "leaky_relu":
            made.append(nn.LeakyReLU(options.get("slope", 0.01)))
        else:
            made.append(ACTIVATIONS[kind]())
    return nn.Sequential(*made)


def stride_of(config, i, size):
    """The pooling window of branch i, for SAME and VALID: given, or H / b rounded half to even."""
    if "windows" in config:
        window = config["windows"][i]
        return tuple(window) if isinstance(window, list) else (window, window)
    return tuple(round(n / config["bins"][i]) for n in size)


def pool(config, i, x):
    """-> the pooled x, and the stride if there is one"""
    if config["pool"] == "adaptive":
        return nn.AdaptiveAvgPool2d(config["bins"][i])(x), None
    stride = stride_of(config, i, x.shape[2:])
    if config["pool"] == "valid":
        return F.avg_pool2d(x, stride), stride
    # SAME: half of the missing pixels (the smaller half) before; the rest is ceil_mode's
    padding = [-n % s // 2 for n, s in zip(x.shape[2:], stride)]
    return F.avg_pool2d(x, stride, padding=padding, ceil_mode=True,
                        count_include_pad=False), stride


def resize(x, size, mode):
    if mode == "asymmetric":
        raise Unsupported("asymmetric resize")
    corners = mode == "align_corners"
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=corners)


class PyramidPooling(nn.Module):
    """The module that a configuration describes, from an NCHW x to y."""

    def __init__(self, config, weights):
        super().__init__()
        self.config = config
        self.branches = nn.ModuleList(
            sequential(ppm_config.named_branch(config, i), weights)
            for i in range(len(ppm_config.branch_stacks(config))))
        self.head = sequential(ppm_config.named_head(config), weights)

    def branch(self, i, x):
        pooled, stride = pool(self.config, i, x)
        size = x.shape[2:]
        if self.config.get("upsample_to") == "stride_multiple":
            size = [n * s for n, s in zip(pooled.shape[2:], stride)]
        return resize(self.branches[i](pooled), size, self.config["upsample"])

    def output(self, y, input_size):
        options = self.config.get("output", {})
        scale, trim = options.get("scale", 1), options.get("trim")
        size = options.get("size") or [(n - 1) * scale + 1 if trim else n * scale for n in y.shape[2:]]
        size = input_size if size == "input" else size
        if "size" in options or "scale" in options:
            y = resize(y, size, options["upsample"])
        if options.get("as") == "softmax":
            y = y.softmax(dim=1)
        elif options.get("as") == "argmax":
            y = y.argmax(dim=1, keepdim=True).to(torch.int32)
        elif options.get("as") == "sigmoid":
            y = y.sigmoid()
        if "threshold" in options:
            y = (y > options["threshold"]).to(torch.int32)
        return y

    def forward(self, x):
        size = x.shape[2:]
        indices = range(len(self.branches))
        if self.config.get("cascade"):
            for i in indices:
                x = self.branch(i, x)
        priors = [self.branch(i, x) for i in indices]
        order = {"input_first": [x, *priors], "input_last": [*priors, x], "branches": priors}
        return self.output(self.head(torch.cat(order[self.config["concat"]], dim=1)), size)


def compute(folder):
    config = json.loads((folder / "config.json").read_text())
    module = PyramidPooling(config, Weights(folder, config["weights"])).eval()
    x = torch.from_numpy(np.load(folder / "x.npy"))
    if config["input"].get("layout") != "NHWC":
        return module(x).numpy()
    return module(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).contiguous().numpy()


def check(folder):
    """-> whether y.npy in that folder equals PyTorch's result"""
    try:
        got = compute(folder)
    except Unsupported as reason:
        print(f"{folder.name}: skipped, {reason}")
        return True
    want = np.load(folder / "y.npy")
    if got.shape != want.shape or got.dtype != want.dtype:
        print(f"{folder.name}: {got.dtype} {got.shape}, not {want.dtype} {want.shape}")
        return False
    off = np.abs(got.astype(float) - want).max() / max(np.abs(want).max(), 1e-30)
    print(f"{folder.name}: off by {off:.1e} of the largest value")
    return off <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=pathlib.Path)
    where.add_argument("--check", type=pathlib.Path)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    parent = args.out or args.check
    folders = sorted(parent / case for case in args.cases) or sorted(
        folder for folder in parent.glob("*/") if not folder.name.startswith("net-"))
    torch.set_grad_enabled(False)
    if args.check:
        failed = [folder.name for folder in folders if not check(folder)]
        raise SystemExit(f"differ: {', '.join(failed)}" if failed else 0)
    for folder in folders:
        if not folder.name.startswith("tf-"):
            np.save(folder / "y.npy", compute(folder))


if __name__ == "__main__":
    main()
