"""What stands in a scene: each function draws one thing whose foot is at x, y."""
from canvas import BOAT, BUILDING, CAR, GROUND, PERSON, TREE, VEHICLE, mix, shaded

BODIES = ((196, 62, 52), (58, 104, 168), (232, 232, 226), (238, 178, 66), (64, 138, 110), (92, 96, 108), (150, 84, 130),
          (226, 122, 62))
GLASS, DARK, WHITE = (62, 84, 104), (38, 38, 44), (240, 240, 236)

# Of a body: across from 0 to 1, and up from 0 to 1.
LOWER = ((0.06, 0), (-0.01, 0.44), (0.03, 0.53), (0.29, 0.6), (0.985, 0.6), (1, 0.5), (0.97, 0))
HULL = ((0.14, -0.06), (-0.09, 0.54), (0.29, 0.6), (1, 0.6), (1.01, 0.5), (0.93, -0.06))
CABIN = ((0.25, 0.58), (0.37, 0.94), (0.43, 1), (0.83, 1), (0.87, 0.95), (0.9, 0.58))
WINDOWS = (((0.305, 0.62), (0.4, 0.92), (0.49, 0.92), (0.49, 0.62)),
           ((0.52, 0.62), (0.52, 0.92), (0.66, 0.92), (0.66, 0.62)),
           ((0.69, 0.62), (0.69, 0.92), (0.825, 0.92), (0.85, 0.62)))
HOOD = ((0.05, 0.53), (0.29, 0.6), (0.985, 0.6), (0.99, 0.5), (0.05, 0.46))
STRIPE = ((0.01, 0.3), (0.008, 0.38), (0.995, 0.38), (1, 0.3))
SHADE = ((0.04, 0), (0.02, 0.16), (0.985, 0.16), (0.97, 0))
RACK = ((0.47, 0.99), (0.49, 1.09), (0.74, 1.09), (0.76, 0.99))
TALL = 0.42  # the height of a body of width 1


class Pen:
    """Draws in units of a thing's size, across from its middle and up from its foot, with one label."""

    def __init__(self, canvas, x, y, size, label):
        self.canvas, self.x, self.y, self.size, self.label = canvas, x, y, size, label

    def at(self, points):
        return [(self.x + u * self.size, self.y - v * self.size) for u, v in points]

    def polygon(self, color, *points):
        self.canvas.polygon(self.at(points), color, self.label)

    def box(self, color, left, bottom, right, top):
        (left, bottom), (right, top) = self.at(((left, bottom), (right, top)))
        self.canvas.box(left, top, right, bottom, color, self.label)

    def disc(self, color, u, v, radius, height=None):
        (x, y), = self.at(((u, v),))
        self.canvas.disc(x, y, radius * self.size, color, self.label, height and height * self.size)

    def line(self, color, width, *points):
        self.canvas.line(self.at(points), color, max(width * self.size, 1), self.label)


def one_of(random, colors):
    return colors[random.integers(len(colors))]


def vehicle(canvas, random, x, y, width, label=VEHICLE, lower=LOWER):
    """A van as well as a cabin boat: what is under it tells. -> at(points of a body), its color"""
    tall, is_mirrored = width * TALL * random.uniform(0.9, 1.1), random.random() < 0.5
    color = one_of(random, BODIES)

    def at(points):
        return [(x + width * ((1 - u if is_mirrored else u) - 0.5), y - tall * v) for u, v in points]

    canvas.polygon(at(CABIN), shaded(mix(color, WHITE, 0.55), 0.97), label)
    canvas.polygon(at(lower), color, label)
    canvas.polygon(at(HOOD), mix(color, WHITE, 0.25))
    canvas.polygon(at(STRIPE), WHITE if sum(color) < 600 else (70, 96, 140))
    canvas.polygon(at(SHADE), shaded(color, 0.7))
    for pane in WINDOWS:
        canvas.polygon(at(pane), GLASS)
        (u, _), (v, top), *_ = pane
        canvas.polygon(at(((u + 0.03, 0.66), (v + 0.02, top - 0.03), (v + 0.05, top - 0.03), (u + 0.07, 0.66))),
                       mix(GLASS, WHITE, 0.35))
    if random.random() < 0.6:
        canvas.polygon(at(RACK), shaded(color, 0.75), label)
    return at, color


def misty_vehicle(canvas, random, x, y, width, mist):
    vehicle(canvas, random, x, y, width)
    for strength, height in ((1, 0.16), (1, 0.12), (0.9, 0.1)):
        canvas.haze(x, y + 0.015 * width, 0.8 * width, height * width, mist, strength)


def car(canvas, random, x, y, width):
    canvas.disc(x, y, 0.52 * width, (44, 46, 54), None, 0.035 * width)
    at, _ = vehicle(canvas, random, x, y - 0.05 * width, width, CAR)
    for u in (0.22, 0.77):
        (cx, cy), = at(((u, 0),))
        canvas.disc(cx, cy - 0.01 * width, 0.095 * width, DARK, CAR)
        canvas.disc(cx, cy - 0.01 * width, 0.05 * width, (170, 172, 178))
    (cx, cy), = at(((0.03, 0.42),))
    canvas.disc(cx, cy, 0.025 * width, (255, 240, 190))


def boat(canvas, random, x, y, width):
    at, color = vehicle(canvas, random, x, y - 0.01 * width, width, BOAT, HULL)
    canvas.line(at(((0.62, 1), (0.62, 1.6))), (120, 92, 70), max(0.02 * width, 1.5), BOAT)
    canvas.polygon(at(((0.63, 1.6), (0.63, 1.32), (0.82, 1.45))), mix(color, WHITE, 0.2), BOAT)
    for _ in range(5):  # foam
        middle, y_foam = x + width * random.uniform(-0.5, 0.5), y + 0.02 * width
        canvas.line([(middle - 0.07 * width, y_foam), (middle + 0.07 * width, y_foam)], (232, 240, 244), 0.015 * width)


def person(canvas, random, x, y, tall):
    pen = Pen(canvas, x, y, tall, PERSON)
    skin = one_of(random, ((236, 192, 158), (196, 142, 104), (122, 82, 60)))
    coat = one_of(random, BODIES)
    legs = one_of(random, ((44, 52, 84), (60, 56, 56), (96, 84, 70)))
    stride = random.uniform(0.04, 0.11)
    for side in (-1, 1):
        canvas.line(pen.at(((side * 0.05, 0.46), (side * stride, 0))), legs, 0.1 * tall, PERSON)
        canvas.line(pen.at(((side * 0.11, 0.78), (side * 0.17, 0.45))), shaded(coat, 0.82), 0.08 * tall, PERSON)
    pen.polygon(coat, (-0.14, 0.82), (0.14, 0.82), (0.12, 0.4), (-0.12, 0.4))
    pen.disc(skin, 0, 0.91, 0.085)
    canvas.draw("pieslice", pen.at(((-0.09, 1.01), (0.09, 0.83))), (64, 46, 38), PERSON, start=180, end=360)


def tree(canvas, random, x, y, tall):
    pen = Pen(canvas, x, y, tall, TREE)
    green = mix((62, 124, 58), (112, 150, 60), random.random())
    pen.polygon((102, 76, 54), (-0.05, 0), (-0.03, 0.5), (0.03, 0.5), (0.05, 0))
    blobs = [(random.uniform(-0.24, 0.24), random.uniform(0.42, 0.82), random.uniform(0.14, 0.24)) for _ in range(9)]
    for shift, light, shrink in ((0.03, 0.72, 1), (0, 0.9, 0.95), (-0.035, 1.12, 0.62)):
        for u, v, radius in blobs:
            pen.disc(shaded(green, light), u + shift, v - shift, radius * shrink)


# ---- signs: what tells a street, a harbour and a roof apart ----


def zebra(canvas, random, x, y, size):
    pen = Pen(canvas, x, y, size, GROUND)
    for i in range(4):
        left = i / 3.4 - 0.62
        pen.polygon((238, 238, 232), (left, 0), (left + 0.18, 0), (left + 0.24, 0.6), (left + 0.08, 0.6))


def parked_car(canvas, random, x, y, size):
    car(canvas, random, x, y, 1.45 * size)


def awning(canvas, random, x, y, size):
    """Over the window and the door of a shop."""
    pen = Pen(canvas, x, y, size, BUILDING)
    color = one_of(random, ((204, 52, 48), (40, 104, 160), (44, 130, 82)))
    pen.box((222, 204, 176), -0.6, 0, 0.6, 1.15)
    pen.box(GLASS, -0.45, 0.12, 0.1, 0.5)
    pen.box((110, 74, 52), 0.2, 0, 0.45, 0.5)
    for i in range(6):
        low, high = 0.24 * i - 0.72, 0.2 * i - 0.6
        pen.polygon(WHITE if i % 2 else color, (low, 0.5), (low + 0.24, 0.5), (high + 0.2, 0.85), (high, 0.85))


def sailboat(canvas, random, x, y, size):
    pen = Pen(canvas, x, y, size, BOAT)
    sail = one_of(random, ((246, 242, 232), (236, 214, 176), (224, 92, 70)))
    pen.polygon((124, 64, 46), (-0.55, 0.24), (0.55, 0.24), (0.36, 0), (-0.38, 0))
    pen.line((92, 74, 60), 0.06, (0, 0.2), (0, 1.5))
    pen.polygon(sail, (-0.06, 1.45), (-0.06, 0.32), (-0.55, 0.32))
    pen.polygon(shaded(sail, 0.88), (0.07, 1.3), (0.07, 0.32), (0.48, 0.32))


def lighthouse(canvas, random, x, y, size):
    pen, tall = Pen(canvas, x, y, size, BUILDING), 1.9
    for i in range(5):
        low, high, foot, top = 0.3 - 0.03 * i, 0.27 - 0.03 * i, tall * i / 6, tall * (i + 1) / 6
        pen.polygon((240, 238, 232) if i % 2 else (204, 56, 50), (-low, foot), (low, foot), (high, top), (-high, top))
    pen.box((252, 226, 130), -0.13, tall * 5 / 6, 0.13, tall)
    pen.polygon((150, 44, 40), (-0.22, tall), (0, 1.14 * tall), (0.22, tall))


def waves(canvas, random, x, y, size):
    pen = Pen(canvas, x, y, size, GROUND)
    for row in range(3):
        left, low = 0.12 * (row % 2) - 0.75, 0.26 * row
        pen.line((242, 246, 248), 0.07, *((left + 0.17 * i, low + 0.1 * (i % 2)) for i in range(9)))


def chimney(canvas, random, x, y, size):
    pen = Pen(canvas, x, y, size, BUILDING)
    pen.box((166, 84, 62), -0.38, 0, 0.38, 1.2)
    for i in range(1, 5):
        pen.box((206, 150, 126), -0.38, 0.25 * i, 0.38, 0.25 * i + 0.5 / size)
    pen.box((120, 62, 48), -0.47, 1.2, 0.47, 1.35)
    for side in (-0.2, 0.2):
        pen.box((196, 118, 84), side - 0.1, 1.35, side + 0.1, 1.65)


def vent(canvas, random, x, y, size):
    pen = Pen(canvas, x, y, size, BUILDING)
    pen.box((176, 180, 186), -0.2, 0, 0.2, 0.9)
    pen.box((132, 136, 144), 0.08, 0, 0.2, 0.9)
    pen.disc((206, 210, 214), 0, 0.95, 0.5, 0.36)
    for u in (-0.3, -0.1, 0.1, 0.3):
        canvas.line(pen.at(((u, 1.2), (1.25 * u, 0.72))), (96, 100, 110), 0.06 * size, BUILDING)


def dish(canvas, random, x, y, size):
    pen = Pen(canvas, x, y, size, BUILDING)
    pen.line((110, 112, 118), 0.12, (0, 0), (0, 0.6))
    pen.line((110, 112, 118), 0.09, (-0.3, 0), (0, 0.3), (0.3, 0))
    pen.disc((150, 154, 160), 0, 0.85, 0.55, 0.5)
    pen.disc((234, 236, 238), 0.05, 0.87, 0.46, 0.42)
    pen.line((70, 72, 80), 0.07, (0.05, 0.87), (0.5, 1.25))
    pen.disc((204, 60, 52), 0.5, 1.25, 0.09)
