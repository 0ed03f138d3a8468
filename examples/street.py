#!/usr/bin/python3
"""usage: examples/street.py [--image FILE] [--output FILE.png] [--url URL]

From an image to the label of each pixel, by ppm-server alone: a small PSPNet of this project (docs/street.md),
compared with the same network in PyTorch, and with one that has no pyramid. "make example" runs it. The picture
shows the image, PyTorch's labels, the server's, and those without a pyramid.

The networks know drawn scenes only: they are of no use for photographs. With --url it uses a running server that has
both models, otherwise it starts one. Needs python3-torch, python3-numpy and python3-pil."""
import argparse
import contextlib
import os
import pathlib
import sys

import numpy as np
import scene
import torch
from PIL import Image
from serving import served, timed

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = pathlib.Path(os.path.relpath(ROOT / "configs/models"))
sys.path[:0] = [str(ROOT / "clients"), str(ROOT / "tools/street")]

import model  # noqa: E402
import network  # noqa: E402
import ppm_client  # noqa: E402
from canvas import CLASSES  # noqa: E402

NAMES = ("street", "street-without-pyramid")
EQUAL_MIN = 0.9999  # of the pixels; rounding may break a tie between two classes


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=pathlib.Path, default=os.path.relpath(ROOT / "configs/samples/street.jpg"))
    parser.add_argument("--output", type=pathlib.Path, help="the picture [build/example/street.png]",
                        default=os.path.relpath(ROOT / "build/example/street.png"))
    parser.add_argument("--server", default=os.path.relpath(ROOT / "build/ppm-server"), help="the program to start")
    parser.add_argument("--url", help="a running server")
    return parser.parse_args()


def labels_by_pytorch(name, x):
    return model.load(MODELS / f"{name}.safetensors")(torch.from_numpy(x)).argmax(1)[0].numpy()


def report(labels):
    """What share of the image each class has."""
    shares = np.bincount(labels.ravel(), minlength=len(CLASSES)) / labels.size
    ranked = sorted(zip(shares, CLASSES), reverse=True)
    return ", ".join(f"{share:.0%} {name}" for share, name in ranked if share >= 0.01)


def main():
    options = arguments()
    torch.set_grad_enabled(False)
    image = Image.open(options.image).convert("RGB")
    x = network.tensor_of(np.array(image)[None]).numpy()  # [1, 3, H, W], from 0 to 1

    theirs = {name: labels_by_pytorch(name, x) for name in NAMES}
    with (contextlib.nullcontext(options.url) if options.url else
          served(options.server, *(str(MODELS / f"{name}.json") for name in NAMES))) as url, \
            ppm_client.Client(url) as client:
        ours = {name: client.infer(x, name)[0, 0] for name in NAMES}  # and warmed up
        timed("image to labels by ppm-server, over HTTP", client.infer, x, "street")
    for name in NAMES:
        print(f"{name}: {report(ours[name])}")

    options.output.parent.mkdir(parents=True, exist_ok=True)
    scene.side_by_side(image, [theirs["street"], *ours.values()], list(CLASSES.values())).save(options.output)
    print(f"{options.output}: the image, labels by PyTorch, by ppm-server, without a pyramid")
    equal = {name: (ours[name] == theirs[name]).mean() for name in NAMES}
    for name in NAMES:
        print(f"{name}: {equal[name]:.4%} of {ours[name].size} labels equal to PyTorch's")
    raise SystemExit(0 if min(equal.values()) >= EQUAL_MIN else 1)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ppm_client.Error) as error:
        sys.exit(f"street.py: {error}")
