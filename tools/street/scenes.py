"""Drawn scenes of a street, a harbour or a roof, each with the label of every pixel.

In two thirds of them the ground has the same colors whether it is road, water or roof, and one routine draws cars and
boats, with mist where wheels or a hull would be. Then one or two signs near an edge tell which world it is: those
that look at a part of the picture cannot know.
"""
import io
from collections import namedtuple

import numpy as np
import parts
from canvas import (BOAT, BUILDING, CAR, GRASS, GROUND, HEIGHT, ROAD, SCALE, SKY, VEHICLE, WATER, WIDTH, Canvas, mix,
                    shaded)
from PIL import Image, ImageFilter

# what the ground and a vehicle are; the signs that tell
World = namedtuple("World", "share ground vehicle on_ground at_horizon")
WORLDS = {
    "street": World(0.42, ROAD, CAR, (parts.zebra, parts.parked_car), (parts.awning,)),
    "harbour": World(0.42, WATER, BOAT, (parts.sailboat, parts.waves), (parts.lighthouse,)),
    "roof": World(0.16, BUILDING, None, (parts.chimney, parts.vent, parts.dish), ()),
}
Scene = namedtuple("Scene", "image labels world is_ambiguous")
HELD_OUT = 1_000_000  # the first seed of scenes that no network is trained on

SKIES = (((96, 156, 220), (250, 224, 196)), ((64, 132, 210), (206, 230, 242)), ((92, 88, 150), (248, 178, 138)),
         ((142, 160, 178), (220, 224, 226)), ((70, 120, 170), (244, 206, 170)))
WALLS = ((188, 128, 98), (206, 176, 140), (150, 120, 112), (122, 132, 148), (214, 200, 182), (168, 92, 80),
         (104, 118, 128))


def draw(seed):
    """-> Scene, the same for the same seed"""
    random = np.random.default_rng(seed)
    name = random.choice(list(WORLDS), p=[w.share for w in WORLDS.values()])
    world, is_ambiguous = WORLDS[name], random.random() < 2 / 3
    canvas, horizon = Canvas(), int(random.integers(62, 96))
    haze = background(canvas, random, horizon)
    value = random.uniform(85, 175)
    color = (value - 8, value, value + 10) if is_ambiguous else plain_color(random, world)
    ground(canvas, random, horizon, color, haze, is_ambiguous or world.ground == WATER)
    if is_ambiguous:
        ambiguous(canvas, random, horizon, world, mix(mix(color, haze, 0.5), (255, 255, 255), 0.3))
    else:
        plain(canvas, random, horizon, world)
    image, labels = camera(random, canvas, horizon, haze)
    labels = np.where(labels == GROUND, world.ground, labels)
    return Scene(image, np.where(labels == VEHICLE, world.vehicle or 0, labels).astype(np.uint8), name, is_ambiguous)


# ---- what all worlds share ----


def background(canvas, random, horizon):
    """Sky, hills and skyline -> the color of what is far"""
    top, low = SKIES[random.integers(len(SKIES))]
    rows = np.linspace(0, 1, horizon * SCALE)[:, None] ** 1.3
    sky = np.uint8(np.array(top) + rows * (np.array(low) - top))[:, None].repeat(WIDTH * SCALE, axis=1)
    canvas.image.paste(Image.fromarray(sky))
    canvas.labels.paste(SKY, (0, 0, WIDTH * SCALE, HEIGHT * SCALE))
    x, y = random.uniform(20, WIDTH - 20), random.uniform(12, 0.6 * horizon)
    canvas.haze(x, y, 60, 60, (255, 246, 214), 0.75)
    canvas.disc(x, y, random.uniform(5, 9), (255, 250, 232))
    for _ in range(random.integers(0, 5)):
        cloud(canvas, random, mix(low, (255, 255, 255), 0.65), horizon)
    for layer in range(2):
        hills(canvas, random, horizon, mix((86, 124, 84), low, 0.6 - 0.22 * layer), 22 - 9 * layer)
    skyline(canvas, random, horizon, low)
    return low


def cloud(canvas, random, color, horizon):
    x, y, size = random.uniform(0, WIDTH), random.uniform(6, 0.6 * horizon), random.uniform(10, 26)
    for shade, lift in ((0.93, 0.08), (1, 0)):
        for u, radius in ((-0.9, 0.3), (-0.4, 0.46), (0.15, 0.56), (0.65, 0.4), (1.05, 0.24)):
            canvas.disc(x + u * size, y + (lift - radius / 3) * size, radius * size, shaded(color, shade), None,
                        0.6 * radius * size)


def hills(canvas, random, horizon, color, tall):
    across = np.arange(0, WIDTH + 8, 8)
    waves = sum(np.sin(across / random.uniform(14, 60) + random.uniform(0, 6)) for _ in range(3))
    tops = horizon - tall * np.clip(0.45 + 0.22 * waves, 0.05, 1)
    canvas.polygon([(0, horizon), *zip(across.tolist(), tops.tolist()), (WIDTH, horizon)], color, GRASS)


def skyline(canvas, random, horizon, haze):
    x = random.uniform(-20, 20)
    while x < WIDTH:
        width, tall = random.uniform(14, 38), random.uniform(12, 52)
        if random.random() < 0.62:
            house(canvas, random, x, horizon, width, min(tall, horizon - 8), haze)
        elif random.random() < 0.75:
            for _ in range(random.integers(1, 4)):
                parts.tree(canvas, random, x + random.uniform(0, width), horizon + 1, random.uniform(14, 30))
        x += width + random.uniform(-2, 12)


def house(canvas, random, x, y, width, tall, haze):
    wall = mix(WALLS[random.integers(len(WALLS))], haze, random.uniform(0.1, 0.4))
    canvas.box(x, y - tall, x + width, y + 1, wall, BUILDING)
    canvas.box(x + 0.78 * width, y - tall, x + width, y + 1, shaded(wall, 0.86))
    if random.random() < 0.5 and tall > 18:
        canvas.polygon([(x - 1.5, y - tall), (x + width / 2, y - tall - 0.3 * width), (x + width + 1.5, y - tall)],
                       shaded(wall, 0.66), BUILDING)
    pane = shaded(wall, 0.62) if random.random() < 0.7 else mix(wall, (255, 236, 170), 0.7)
    for row in np.arange(y - tall + 4, y - 5, 8):
        for column in np.arange(x + 3, x + width - 5, 7):
            canvas.box(column, row, column + 3.4, row + 4.6, pane)


def ground(canvas, random, horizon, color, haze, is_wet):
    """The ground to the horizon, between banks of grass."""
    top, size = horizon * SCALE, (WIDTH * SCALE, (HEIGHT - horizon) * SCALE)
    depth = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    base = np.array(color, np.float32) * (0.92 + 0.16 * depth)
    base = base + (np.array(haze, np.float32) - base) * 0.55 * (1 - depth) ** 3
    if is_wet:
        seen = canvas.image.crop((0, 0, size[0], top)).transpose(Image.FLIP_TOP_BOTTOM)
        seen = np.asarray(seen.resize((64, 12), Image.BOX).resize(size, Image.BILINEAR), np.float32)
        base = base + (seen - seen.mean((0, 1))) * 0.3 * (1 - 0.6 * depth)
    for across, down, strength in ((24, 40, 7), (90, 56, 5), (size[0], size[1], 4)):
        grain = Image.fromarray(random.standard_normal((down, across), np.float32))
        base = base + np.asarray(grain.resize(size, Image.BILINEAR))[:, :, None] * strength
    canvas.image.paste(Image.fromarray(np.uint8(np.clip(base, 0, 255))), (0, top))
    canvas.labels.paste(GROUND, (0, top, size[0], HEIGHT * SCALE))
    vanishing = random.uniform(0.3, 0.7) * WIDTH
    for side in (-1, 1):
        edge = WIDTH / 2 + side * random.uniform(0.34, 0.85) * WIDTH
        bank(canvas, random, side, vanishing + side * random.uniform(12, 50), edge, horizon, haze)


def bank(canvas, random, side, far, near, horizon, haze):
    """Grass from the edge of the picture to a line from far, at the horizon, to near, at the bottom."""
    end = 0 if side < 0 else WIDTH
    green = mix((104, 164, 66), (160, 176, 80), random.random())
    steps = 6
    for i in range(steps):
        a, b = (i / steps) ** 1.5, ((i + 1) / steps) ** 1.5
        points = [(far + (near - far) * t, horizon + (HEIGHT - horizon) * t) for t in (a, b)]
        if any((x - end) * side < 0 for x, _ in points):
            outer = end + side * 200
            canvas.polygon([(outer, points[0][1]), *points, (outer, points[1][1] + 1)],
                           mix(green, haze, 0.4 * (1 - b) ** 2), GRASS)
    for _ in range(70):
        t = random.random() ** 0.7
        x, y = far + (near - far) * t + side * random.uniform(2, 140), horizon + (HEIGHT - horizon) * t
        canvas.line([(x, y), (x + random.uniform(-1, 1), y - 1 - 3 * t)], shaded(green, random.uniform(0.75, 1.2)), 0.5)


def people(canvas, random, horizon, count, where):
    """where: the labels that they stand on"""
    for _ in range(count):
        for _ in range(12):
            depth = random.uniform(0.06, 0.8)
            x, y = random.uniform(8, WIDTH - 8), horizon + depth * (HEIGHT - horizon)
            if canvas.labels.getpixel((int(x) * SCALE, int(y) * SCALE)) in where:
                draw_one = parts.person if random.random() < 0.7 else parts.tree
                draw_one(canvas, random, x, y, 24 + 46 * depth + (16 if draw_one is parts.tree else 0))
                break


def on_ground(canvas, random, horizon, depth):
    """-> a point of the ground, at a depth from 0, the horizon, to 1"""
    y = horizon + depth * (HEIGHT - horizon)
    free = np.flatnonzero(canvas.label_map()[int(y)] == GROUND)
    return (random.choice(free) if len(free) else random.uniform(0, WIDTH)), y


# ---- scenes that show what they are ----


def plain_color(random, world):
    light = random.uniform(0.8, 1.15)
    return shaded({ROAD: (92, 92, 98), WATER: (62, 118, 150), BUILDING: (168, 140, 122)}[world.ground], light)


def plain(canvas, random, horizon, world):
    {ROAD: lanes, WATER: wavelets, BUILDING: tiles}[world.ground](canvas, random, horizon)
    people(canvas, random, horizon, random.integers(0, 4), (GRASS,) if world.ground == WATER else (GRASS, GROUND))
    draw_one = {CAR: parts.car, BOAT: parts.boat, None: None}[world.vehicle]
    for depth in sorted(random.uniform(0.1, 0.95, random.integers(1, 4))):
        x, y = on_ground(canvas, random, horizon, depth)
        if draw_one:
            draw_one(canvas, random, x, y, 26 + 110 * depth * random.uniform(0.7, 1.2))
        else:
            sign = world.on_ground[random.integers(len(world.on_ground))]
            sign(canvas, random, x, y, 12 + 26 * depth)


def lanes(canvas, random, horizon):
    tall, middle = HEIGHT - horizon, random.uniform(0.4, 0.6) * WIDTH
    for t in np.linspace(0.02, 0.95, 9) ** 1.6:
        width, y = 1 + 5 * t, horizon + t * tall
        end = y + 0.05 * tall * (0.4 + t)
        canvas.polygon([(middle - width / 2, y), (middle + width / 2, y), (middle + width * 0.6, end),
                        (middle - width * 0.6, end)], (236, 234, 222))


def wavelets(canvas, random, horizon):
    labels = canvas.label_map()
    for _ in range(60):
        t = random.random()
        x, y, size = random.uniform(0, WIDTH - 1), horizon + t * (HEIGHT - horizon - 1), 2 + 8 * t
        if labels[int(y), int(x)] == GROUND:
            canvas.line([(x - size, y), (x, y - 0.12 * size), (x + size, y)],
                        (196, 220, 230) if random.random() < 0.6 else (40, 84, 116), 0.4 + 0.8 * t)


def tiles(canvas, random, horizon):
    labels, tall = canvas.label_map(), HEIGHT - horizon
    for t in np.linspace(0.03, 1, 10) ** 1.8:
        y = horizon + t * tall
        inside = np.flatnonzero(labels[min(int(y), HEIGHT - 1)] == GROUND)
        if len(inside):
            canvas.line([(inside[0], y), (inside[-1], y)], (128, 102, 88), 0.5 + t)


# ---- scenes where only a sign tells ----


def ambiguous(canvas, random, horizon, world, mist):
    people(canvas, random, horizon, random.integers(0, 4), (GRASS,))
    side = random.choice((-1, 1))
    if world.vehicle:
        is_near = random.random() < 0.45
        for depth in sorted(random.uniform(0.12, 0.7, 0 if is_near else random.integers(1, 4))):
            x, y = on_ground(canvas, random, horizon, depth)
            parts.misty_vehicle(canvas, random, x, y, 34 + 100 * depth * random.uniform(0.7, 1.2), mist)
        if is_near:
            width, y = random.uniform(0.6, 1) * WIDTH, HEIGHT - random.uniform(4, 32)
            parts.misty_vehicle(canvas, random, WIDTH * (0.5 - side * random.uniform(0.05, 0.3)), y, width, mist)
    else:
        for _ in range(random.integers(0, 3)):
            x, y = random.uniform(0, WIDTH), random.uniform(horizon + 8, HEIGHT)
            canvas.haze(x, y, 70, 12, mist, 0.9)
    kinds = world.on_ground + world.at_horizon
    for _ in range(random.integers(1, 3)):
        sign(canvas, random, horizon, side, world, kinds[random.integers(len(kinds))])


def sign(canvas, random, horizon, side, world, draw_one):
    """Where it covers as little as possible of what is not ground."""
    labels = canvas.label_map() == GROUND
    larger, places = random.uniform(0.9, 1.15), []
    for _ in range(40):
        depth = random.uniform(0.12, 0.97)
        y, size = horizon + depth * (HEIGHT - horizon), larger * (14 + 11 * depth)
        if draw_one in world.at_horizon:
            y, size = horizon + 2, larger * 18
        x = random.uniform(0.7 * size, 0.3 * WIDTH)
        seen = labels[max(int(y - size), 0):int(y) + 1]
        x, from_edge = x if side < 0 else WIDTH - x, x / WIDTH
        seen = seen[:, max(int(x - 0.7 * size), 0):int(x + 0.7 * size) + 1]
        places.append((seen.mean() - from_edge / 2, x, y, size))
    draw_one(canvas, random, *max(places)[1:])


# ---- the camera ----


def camera(random, canvas, horizon, haze):
    """Fog, light, a turned and shaken camera, noise and JPEG -> (uint8 image, labels)"""
    image, labels = canvas.halved(), canvas.label_map()
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None, None]
    fog = random.uniform(0, 0.6) * np.exp(-((rows - horizon) / random.uniform(8, 26)) ** 2)
    image = image + (np.array(haze, np.float32) - image) * fog
    image = image * random.uniform(0.6, 1.2) * random.uniform(0.94, 1.06, 3).astype(np.float32)
    image = Image.fromarray(np.uint8(np.clip(image, 0, 255)))
    labels = Image.fromarray(labels)
    if random.random() < 0.35:
        angle = random.uniform(-8, 8)
        image, labels = (turned(x, angle, how) for x, how in ((image, Image.BILINEAR), (labels, Image.NEAREST)))
    if random.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.2)))
    noise = random.standard_normal((HEIGHT, WIDTH, 3), np.float32) * random.uniform(0, 7)
    image = Image.fromarray(np.uint8(np.clip(np.asarray(image) + noise, 0, 255)))
    if random.random() < 0.5:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(random.integers(35, 92)))
        image = Image.open(file).convert("RGB")
    return np.asarray(image), np.asarray(labels)


def turned(image, angle, resample):
    """Turned, and enlarged so that no corner is empty."""
    turn = np.radians(abs(angle))
    zoom = np.cos(turn) + np.sin(turn) * WIDTH / HEIGHT
    c, s, x, y = np.cos(np.radians(angle)) / zoom, np.sin(np.radians(angle)) / zoom, WIDTH / 2, HEIGHT / 2
    return image.transform(image.size, Image.AFFINE, (c, s, x - c * x - s * y, -s, c, y + s * x - c * y), resample)
