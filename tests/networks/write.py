#!/usr/bin/python3
"""Writes a network at its real width to a folder: NAME.json and NAME.safetensors, with random weights.

usage: tests/networks/write.py NAME FOLDER [--onnx H,W] [--test] [--as argmax]

--onnx H,W: also NAME.onnx for this size of the input, and x.npy of that size; --test: with as few channels as the
tests have; --as: the output's, values by default. Without arguments: the names.
"""
import argparse
import pathlib
import warnings

import catalog
import numpy as np
import torch
from support import model_text, write_weights
from torch import nn

from networks.literal import Literal, pair

OPSET = 13


class Exportable(Literal):
    """Adaptive pooling as two products, since ONNX has no operator for bins of unequal size."""

    def adaptive_avg_pool(self, x, bins):
        rows, columns = (means(int(n), b).to(x.dtype) for n, b in zip(x.shape[2:], pair(bins)))
        return rows @ (x @ columns.T)


def means(n, bins):
    matrix = torch.zeros(bins, n)
    for i in range(bins):
        begin, end = i * n // bins, -(-(i + 1) * n // bins)
        matrix[i, begin:end] = 1 / (end - begin)
    return matrix


class Network(nn.Module):
    """A network of the language with its tensors as parameters; float32."""

    def __init__(self, config, tensors, literal=Literal):
        super().__init__()
        made = {name: nn.Parameter(torch.from_numpy(values), False) for name, values in tensors.items()}
        for name, parameter in made.items():
            self.register_parameter(name.replace(".", "/"), parameter)
        self.literal = literal(config, made, torch.float32)

    def forward(self, x):
        return self.literal(x)


def write_onnx(path, config, tensors, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes become constants
        torch.onnx.export(Network(config, tensors, Exportable), x, path, opset_version=OPSET, input_names=["x"],
                          output_names=["y"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=catalog.NETWORKS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--onnx", metavar="H,W", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--as", dest="kind", choices=("values", "softmax", "argmax"), default="values")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    config, tensors = catalog.made(args.name, args.test)
    args.folder.mkdir(parents=True, exist_ok=True)
    file = args.folder / args.name
    write_weights(file.with_suffix(".safetensors"), tensors)
    text = {**config, "output": {**config["output"], "as": args.kind},
            "weights": {"file": f"{args.name}.safetensors"}}
    file.with_suffix(".json").write_text(model_text(text))
    if args.onnx:
        x, *others = catalog.pictures(config, f"{args.name}/x", 1, args.onnx).values()
        if others:
            parser.error(f"--onnx: {args.name} has several inputs")
        np.save(args.folder / "x.npy", x.numpy())
        write_onnx(file.with_suffix(".onnx"), text, tensors, x)


if __name__ == "__main__":
    main()
