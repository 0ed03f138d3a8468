"""A map of labels, and the classes in it."""
from typing import NamedTuple, Optional

import numpy as np

from ._images import PIL
from ._library import Error, Status


class Area(NamedTuple):
    """A class in a map of labels."""
    id: int                # its label
    name: str              # "": the model names no classes
    color: Optional[tuple]  # red, green, blue; None: the model has no colors
    pixels: int
    share: float           # of all pixels
    box: tuple             # around all of them: x and y of its corner at the top left, width, height


class Labels(NamedTuple):
    """labels, classes = model.label(image)"""
    labels: np.ndarray     # int32 [H, W]
    classes: list          # an Area for each class with pixels, the largest first

    def picture(self):
        """A PIL image of the labels in their classes' colors: picture().save("labels.png")"""
        if PIL is None:
            raise Error(Status.UNFIT, "picture: needs Pillow, which is not installed")
        if any(each.color is None or each.id > 255 for each in self.classes):
            raise Error(Status.UNFIT, "picture: the model has no colors for its labels")
        palette = np.zeros((256, 3), np.uint8)
        for each in self.classes:
            palette[each.id] = each.color
        picture = PIL.Image.fromarray(self.labels.astype(np.uint8))
        picture.putpalette(palette.tobytes())
        return picture


def labels_of(labels, info):
    areas = [area_of(labels, int(label), info) for label in np.unique(labels)]
    return Labels(labels, sorted(areas, key=lambda area: (-area.pixels, area.id)))


def area_of(labels, label, info):
    mask = labels == label
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    pixels = int(np.count_nonzero(mask))
    if info.classes:
        name, color = info.classes[label]
    else:
        name, color = "", None if info.palette is None else tuple(info.palette[label].tolist())
    box = (int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    return Area(label, name, color, pixels, pixels / labels.size, box)
