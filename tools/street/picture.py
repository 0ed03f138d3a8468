#!/usr/bin/python3
"""usage: tools/street/picture.py OUTPUT.png [FOLDER]

Held-out scenes: the image, the truth, labels with the pyramid and without it, by the weights in a folder
[configs/models]. No eye chooses them. Of the scenes that need their surroundings, the upper rows are those in the
middle when they are sorted by what the pyramid gains in pixel accuracy; the last row is the scene that the network
with the pyramid gets most wrong.
"""
import pathlib
import sys

import evaluate
import model
import numpy as np
from canvas import CLASSES, HEIGHT, WIDTH
from PIL import Image, ImageDraw

MIDDLE = 4  # scenes
GAP, LINE = 6, 18
TITLES = ("image", "truth", "with the pyramid", "without")


def ranked(with_pyramid, without):
    """-> [(gain, accuracy with the pyramid, scene, its labels by both)] of the scenes that need their surroundings"""
    rows = []
    for scene in evaluate.held_out():
        if scene.is_ambiguous:
            found = [evaluate.labels_of(net, scene.image) for net in (with_pyramid, without)]
            right = [(labels == scene.labels).mean() for labels in found]
            rows.append((right[0] - right[1], right[0], scene, found))
    return sorted(rows, key=lambda row: row[0])


def chosen(rows):
    first = (len(rows) - MIDDLE) // 2
    return rows[first:first + MIDDLE] + [min(rows, key=lambda row: row[1])]


def sheet(rows):
    colors = np.uint8(list(CLASSES.values()))
    size = (len(TITLES) * (WIDTH + GAP) - GAP, LINE + len(rows) * (HEIGHT + GAP) + LINE)
    picture = Image.new("RGB", size, "white")
    text = ImageDraw.Draw(picture)
    for i, title in enumerate(TITLES):
        text.text((i * (WIDTH + GAP), 3), title, fill="black")
    for row, (_, _, scene, found) in enumerate(rows):
        for i, pixels in enumerate((scene.image, *(colors[labels] for labels in (scene.labels, *found)))):
            picture.paste(Image.fromarray(pixels), (i * (WIDTH + GAP), LINE + row * (HEIGHT + GAP)))
    for i, (name, color) in enumerate(CLASSES.items()):
        x, y = i * size[0] // len(CLASSES), size[1] - LINE + 3
        text.rectangle((x, y, x + 12, y + 11), fill=color)
        text.text((x + 17, y), name, fill="black")
    return picture


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.splitlines()[0])
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else evaluate.ROOT / "configs/models"
    nets = [model.load(folder / f"{name}.safetensors") for name in ("street", "street-without-pyramid")]
    rows = chosen(ranked(*nets))
    for gain, right, scene, _ in rows:
        print(f"{scene.world}: {right:.3f} of the pixels with the pyramid, {right - gain:.3f} without")
    sheet(rows).quantize(256, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
