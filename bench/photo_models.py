#!/usr/bin/python3
"""What the servers of bench/servers need to label a photo.

usage: bench/photo_models.py write MODEL.json PHOTO FOLDER    a model with "image": writes model.pt, model.onnx and
                                                      labels.npy to FOLDER, for photos of this one's size
       bench/photo_models.py resize PHOTO SIDE OUT.jpg
       bench/photo_models.py compare FOLDER FILE.png...    prints {FILE: the share of labels that differ}

Needs Debian's Python for Debian's PyTorch.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/networks")]
import safetensors_io  # noqa: E402  (found by the line above)
from write import Network, write_onnx  # noqa: E402

NUMPY = {"F32": "<f4", "F16": "<f2"}


def tensors_of(path):
    return {name: np.frombuffer(data, NUMPY[dtype]).astype(np.float32).reshape(shape)
            for name, dtype, shape, data in safetensors_io.entries(path.read_bytes())}


def picture(config, photo):
    """-> x, normalized as the model asks"""
    pixels = torch.from_numpy(np.asarray(Image.open(photo).convert("RGB")).transpose(2, 0, 1)[None].astype(np.float32))
    mean, std = (torch.tensor(config["input"]["image"][key], dtype=torch.float32).view(1, 3, 1, 1)
                 for key in ("mean", "std"))
    return (pixels - mean) / std


def write(model, photo, folder):
    model, folder = pathlib.Path(model), pathlib.Path(folder)
    config = json.loads(model.read_text(encoding="utf-8"))
    tensors = tensors_of(model.parent / config["weights"]["file"])
    x, module = picture(config, photo), Network(config, tensors).eval()
    np.save(folder / "labels.npy", module(x).numpy().astype(np.uint8)[0].squeeze())
    torch.jit.trace(module, x).save(str(folder / "model.pt"))
    write_onnx(folder / "model.onnx", config, tensors, x)


def resize(photo, side, out):
    Image.open(photo).resize((int(side), int(side)), Image.BICUBIC).save(out, quality=90)


def compare(folder, *files):
    expected = np.load(pathlib.Path(folder, "labels.npy"))
    print(json.dumps({file: float(np.mean(np.asarray(Image.open(pathlib.Path(folder, file))) != expected))
                      for file in files}))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    {"write": write, "resize": resize, "compare": compare}[sys.argv[1]](*sys.argv[2:])
