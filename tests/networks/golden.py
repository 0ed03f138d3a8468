#!/usr/bin/python3
"""Writes the golden cases of networks, tests/golden/net-CASE/{config.json,weights.safetensors,x.npy,y.npy}.

usage: tests/networks/golden.py [--out tests/golden] [CASE...]

The cases are those of cases.py; y is what literal.py computes in float64. Several inputs are x.NAME.npy. Everything is
seeded by the case's name: another run writes the same bytes, and a new case leaves the others as they are.
"""
import argparse
import pathlib

import drawn
import numpy as np
import torch
from cases import CASES
from support import ROOT, model_text, write_weights

from networks.literal import Literal

PREFIX = "net-"


def numbers(row, name):
    """-> {name: x}"""
    return {key: np.float32(row["offset"] + row["span"] * (2 * drawn.stream(f"{name}/{key}").random(
        shape, np.float32) - 1)) for key, shape in row["shapes"].items()}


def to_nchw(inputs, layout):
    return {key: torch.from_numpy(x).permute(*map(layout.index, "NCHW")) for key, x in inputs.items()}


def answer(name, config, tensors, inputs, dtype=torch.float64):
    """-> y of the case in its layout"""
    layout = CASES[name]["layout"]
    y = Literal(config, tensors, dtype)(to_nchw(inputs, layout))
    return y.permute(*map("NCHW".index, layout)).contiguous().numpy()


def made(name):
    """-> {name: x}, the model's JSON, {tensor: array} as the file will hold them"""
    row, full = CASES[name], PREFIX + name
    config, inputs = {"name": full, **row["config"]}, numbers(row, full)
    tensors = drawn.draw(config, full, to_nchw(inputs, row["layout"]))
    if not tensors:
        del config["weights"]
    half = np.float16 if row["dtype"] == "F16" else np.float32
    return inputs, config, {key: value.astype(half).astype(np.float32) for key, value in tensors.items()}


def write_case(folder, name):
    inputs, config, tensors = made(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(model_text(config))
    if tensors:
        write_weights(folder / "weights.safetensors", tensors, CASES[name]["dtype"])
    for key, x in inputs.items():
        np.save(folder / ("x.npy" if len(inputs) == 1 else f"x.{key}.npy"), x)
    y = answer(name, config, tensors, inputs)
    np.save(folder / "y.npy", y if y.dtype == np.int32 else y.astype(np.float32))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/golden")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    for name in args.cases or CASES:
        write_case(args.out / (PREFIX + name), name)
    stale = sorted(folder.name for folder in args.out.glob(f"{PREFIX}*/")
                   if folder.name.removeprefix(PREFIX) not in CASES)
    if stale:
        raise SystemExit(f"{args.out}: no longer in the table, remove: {' '.join(stale)}")


if __name__ == "__main__":
    main()
