#!/usr/bin/env python3
"""Writes the small weights files of the listings in configs/models.

usage: tools/make_listing_weights.py [--models configs/models]

The listings define shapes but come without trained weights, so these are random; they are
reproducible: another run writes the same bytes. Tensor names and shapes come from each model's
JSON. Models with {"random": SEED} weights need no file and are skipped. Python 3.8 or later,
standard library only.
"""
import argparse
import json
import pathlib

import random_weights
import safetensors_io


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path("configs/models"))
    models = parser.parse_args().models
    written = {}  # file -> its tensors: listing 2 has two configurations for one file
    for path in sorted(models.glob("*.json")):
        config = json.loads(path.read_text())
        file = config["weights"].get("file")
        if not file:
            continue
        tensors = random_weights.weights(config, seed=file)
        if written.setdefault(file, tensors) != tensors:
            raise SystemExit(f"{path}: {file} holds other tensors for another model")
        safetensors_io.save(models / file, tensors)
        print(f"{models / file}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
