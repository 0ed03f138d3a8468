"""A drawn street by the water, with the label of each pixel, and label maps as pictures."""
import numpy as np
from PIL import Image, ImageDraw

AEROPLANE, BOAT, BUS, PLANT, SHEEP = 1, 4, 6, 16, 17
GAP = 6  # pixels between two pictures

# class, color, shape, and its coordinates in a unit square
SHAPES = [
    (0, (118, 186, 226), "rectangle", (0, 0.3, 1, 0.46)),  # water
    (0, (104, 150, 84), "rectangle", (0, 0.46, 1, 0.68)),  # grass
    (0, (96, 96, 104), "rectangle", (0, 0.68, 1, 1)),  # road
    *[(0, (210, 206, 190), "rectangle", (x, 0.93, x + 0.1, 0.95)) for x in (0.05, 0.3, 0.55, 0.8)],
    (AEROPLANE, (226, 226, 232), "ellipse", (0.08, 0.1, 0.4, 0.16)),
    (AEROPLANE, (196, 198, 208), "polygon", (0.2, 0.13, 0.29, 0.13, 0.23, 0.22, 0.19, 0.22)),
    (AEROPLANE, (200, 60, 56), "polygon", (0.09, 0.125, 0.13, 0.12, 0.09, 0.04, 0.07, 0.04)),
    (BOAT, (240, 236, 226), "polygon", (0.7, 0.1, 0.7, 0.34, 0.54, 0.34)),
    (BOAT, (232, 150, 70), "polygon", (0.72, 0.16, 0.72, 0.34, 0.84, 0.34)),
    (BOAT, (120, 62, 44), "polygon", (0.52, 0.36, 0.9, 0.36, 0.82, 0.44, 0.6, 0.44)),
    *[(SHEEP, (238, 234, 222), "ellipse", (x, y, x + 0.09, y + 0.08)) for x, y in (
        (0.06, 0.5), (0.1, 0.48), (0.14, 0.51), (0.1, 0.53))],
    (SHEEP, (58, 52, 50), "ellipse", (0.22, 0.49, 0.26, 0.55)),
    *[(SHEEP, (58, 52, 50), "rectangle", (x, 0.59, x + 0.012, 0.64)) for x in (0.1, 0.18)],
    (BUS, (206, 52, 48), "rounded_rectangle", (0.34, 0.5, 0.97, 0.83)),
    *[(BUS, (70, 92, 116), "rectangle", (x, 0.55, x + 0.1, 0.66)) for x in (0.39, 0.52, 0.65, 0.8)],
    *[(BUS, (34, 34, 38), "ellipse", (x, 0.77, x + 0.11, 0.88)) for x in (0.43, 0.78)],
    (PLANT, (166, 92, 58), "polygon", (0.08, 0.8, 0.24, 0.8, 0.21, 0.94, 0.11, 0.94)),
    *[(PLANT, (52, 122, 58), "ellipse", (x, y, x + 0.13, y + 0.13)) for x, y in (
        (0.03, 0.68), (0.15, 0.68), (0.09, 0.64))],
]


def draw(side):
    """-> (RGB image, [side, side] labels)"""
    sky = np.linspace((70, 130, 206), (206, 226, 240), side)[:, None].repeat(side, axis=1)
    image = Image.fromarray(sky.astype(np.uint8))
    labels = Image.new("L", image.size)
    on_image, on_labels = ImageDraw.Draw(image), ImageDraw.Draw(labels)
    for label, color, shape, at in SHAPES:
        at = [round(value * (side - 1)) for value in at]
        more = {"radius": side // 30} if shape == "rounded_rectangle" else {}
        getattr(on_image, shape)(at, fill=color, **more)
        getattr(on_labels, shape)(at, fill=label, **more)
    return image, np.array(labels)


def voc_colors():
    """Pascal VOC's color for each label: its bits, from the lowest, are the highest of R, G, B."""
    colors = np.zeros((256, 3), np.uint8)
    for label in range(256):
        for bit in range(8):
            colors[label, bit % 3] |= (label >> bit & 1) << (7 - bit // 3)
    return colors


def side_by_side(image, label_maps, colors):
    """One picture of the image and the label maps, side by side."""
    pictures = [image] + [Image.fromarray(np.uint8(colors)[labels]) for labels in label_maps]
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, image.height), "white")
    for i, picture in enumerate(pictures):
        row.paste(picture, (i * (image.width + GAP), 0))
    return row
