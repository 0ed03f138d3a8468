#!/usr/bin/env python3
"""Makes the feature maps of configs/samples from a photograph, by filters anyone can check.

usage: tools/make_sample.py [--photo FILE] [--out configs/samples]

Needs, on Debian 12, where the photograph comes from too:
    apt-get install -y --no-install-recommends python3-numpy python3-pil python-matplotlib-data
and run it with /usr/bin/python3. configs/samples/README.md says what the photograph is.

The largest square at the top of the photograph that 30 divides (510 x 510) becomes 30 x 30 cells of
17 x 17 pixels:
    features-3x30x30.npy  red, green and blue, from 0 to 1: the mean of each cell
    features-4x30x30.npy  luminance (Rec. 601), horizontal and vertical gradient (Sobel): the mean
                          of each cell; and local contrast: the standard deviation of the
                          luminance in it. Each channel is then shifted and scaled to mean 0 and
                          variance 1, about what a backbone hands to a pyramid pooling module.
    tiny.json             the latter, averaged to 6 x 6 and rounded to one decimal
Another version of libjpeg may decode some pixels differently by one level.
"""
import argparse
import json
import pathlib

import numpy as np
from PIL import Image

PHOTO = "/usr/share/matplotlib/mpl-data/sample_data/grace_hopper.jpg"
CELLS = 30
SMOOTH, SLOPE = (1, 2, 1), (-1, 0, 1)
LUMINANCE = (0.299, 0.587, 0.114)


def cropped(path):
    """-> [H, W, 3], the top square, from 0 to 1"""
    image = np.asarray(Image.open(path).convert("RGB"), float) / 255
    side = min(image.shape[:2]) // CELLS * CELLS
    left = (image.shape[1] - side) // 2
    return image[:side, left:left + side]


def cells(plane, count):
    """[H, W] -> [count, count, pixels of a cell]"""
    size = plane.shape[0] // count
    blocks = plane.reshape(count, size, count, size).transpose(0, 2, 1, 3)
    return blocks.reshape(count, count, size * size)


def filtered(plane, rows, columns):
    """A separable 3x3 filter, the border pixels repeated."""
    padded, (height, width) = np.pad(plane, 1, mode="edge"), plane.shape
    return sum(rows[i] * columns[j] * padded[i:i + height, j:j + width]
               for i in range(3) for j in range(3))


def features(image):
    """-> [4, CELLS, CELLS]"""
    luminance = image @ np.array(LUMINANCE)
    planes = [luminance, filtered(luminance, SMOOTH, SLOPE), filtered(luminance, SLOPE, SMOOTH)]
    maps = [cells(plane, CELLS).mean(-1) for plane in planes] + [cells(luminance, CELLS).std(-1)]
    return np.stack([(m - m.mean()) / m.std() for m in maps])


def colors(image):
    """-> [3, CELLS, CELLS]"""
    return np.stack([cells(image[..., c], CELLS).mean(-1) for c in range(3)])


def tiny_text(tensor):
    """JSON with a row of the tensor per line."""
    rows = (", ".join(f"{value + 0.0:g}" for value in row) for row in tensor.reshape(-1, 6))
    shape = json.dumps([1, *tensor.shape])
    return f'{{"shape": {shape}, "data": [\n  ' + ",\n  ".join(rows) + "\n]}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", default=PHOTO)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("configs/samples"))
    args = parser.parse_args()
    image = cropped(args.photo)
    four = features(image)
    np.save(args.out / "features-4x30x30.npy", four[None].astype(np.float32))
    np.save(args.out / "features-3x30x30.npy", colors(image)[None].astype(np.float32))
    tiny = np.stack([cells(channel, 6).mean(-1) for channel in four]).round(1)
    (args.out / "tiny.json").write_text(tiny_text(tiny))


if __name__ == "__main__":
    main()
