"""A picture and the label of each of its pixels, drawn together at twice their size and then halved."""
import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 256, 192
SCALE = 2  # of what is drawn: halving it smooths the edges

CLASSES = {  # name: color of its labels
    "sky": (130, 190, 235), "building": (150, 95, 85), "road": (90, 90, 102), "grass": (152, 200, 95),
    "water": (35, 95, 175), "tree": (35, 120, 65), "car": (225, 60, 50), "boat": (250, 185, 50),
    "person": (215, 90, 200)}
SKY, BUILDING, ROAD, GRASS, WATER, TREE, CAR, BOAT, PERSON = range(len(CLASSES))
# The ground and what stands on it, as long as only the surroundings say what they are.
GROUND, VEHICLE = len(CLASSES), len(CLASSES) + 1


def mix(a, b, share):
    """-> color a with this share of color b"""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b))


def shaded(color, factor):
    return tuple(min(255, round(v * factor)) for v in color)


class Canvas:
    """Coordinates are those of the halved picture."""

    def __init__(self):
        size = (WIDTH * SCALE, HEIGHT * SCALE)
        self.image, self.labels = Image.new("RGB", size), Image.new("L", size)
        self.on_image, self.on_labels = ImageDraw.Draw(self.image), ImageDraw.Draw(self.labels)

    def draw(self, shape, points, color, label=None, **options):
        """shape: of Pillow's ImageDraw; label: None leaves the labels as they are"""
        points = [(x * SCALE, y * SCALE) for x, y in points]
        getattr(self.on_image, shape)(points, fill=color, **options)
        if label is not None:
            getattr(self.on_labels, shape)(points, fill=label, **options)

    def polygon(self, points, color, label=None):
        self.draw("polygon", points, color, label)

    def box(self, left, top, right, bottom, color, label=None):
        if right > left and bottom > top:
            self.draw("rectangle", [(left, top), (right, bottom)], color, label)

    def disc(self, x, y, radius, color, label=None, height=None):
        """An ellipse; height: half of it, if it is no circle"""
        height = radius if height is None else height
        self.draw("ellipse", [(x - radius, y - height), (x + radius, y + height)], color, label)

    def line(self, points, color, width, label=None):
        self.draw("line", points, color, label, width=max(1, round(width * SCALE)), joint="curve")

    def haze(self, x, y, radius, height, color, strength):
        """A soft patch of a color over the picture: mist, or light. The labels stay."""
        box = [round(v * SCALE) for v in (x - radius, y - height, x + radius, y + height)]
        if box[2] > box[0] and box[3] > box[1]:
            mask = Image.fromarray(np.uint8(255 * min(strength, 1) * PATCH)).resize((box[2] - box[0], box[3] - box[1]))
            self.image.paste(color, box, mask)

    def label_map(self):
        return np.asarray(self.labels)[::SCALE, ::SCALE]

    def halved(self):
        """-> [HEIGHT, WIDTH, 3] float32"""
        return np.asarray(self.image.reduce(SCALE), np.float32)


def _patch():
    """1 in the middle, 0 at the rim of an ellipse."""
    across = np.linspace(-1, 1, 48)
    distance = np.hypot(across[:, None], across)
    return np.clip(1 - distance ** 2, 0, 1) ** 1.5


PATCH = _patch()
