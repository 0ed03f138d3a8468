"""How large y is, as the report says it: in terms of the input's H and W, apart from what is rounded or cut at
edges."""
from fractions import Fraction

import ppm_network

POOLS = ("max_pool", "avg_pool")
UNKNOWN = ("h", "w")  # maps of other inputs than the first, and what becomes of maps of fixed sizes
DENOMINATOR_MAX = 1000


def sides(config):
    """-> the texts of y's height and width, such as H/8"""
    output = config.get("output", {})
    size, scale = output.get("size"), output.get("scale", 1)
    try:
        if size:
            return ("H", "W") if size == "input" else tuple(map(str, size))
        found = last(config) if "network" in config else [("H", Fraction(1)), ("W", Fraction(1))]
        if output.get("trim"):
            return tuple(f"{scale} ({text(side, unknown)} - 1) + 1" for side, unknown in zip(found, UNKNOWN))
        return tuple(text(side and (side[0], side[1] * scale), unknown) for side, unknown in zip(found, UNKNOWN))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return UNKNOWN  # a base that was written by hand, which the server will refuse


def text(side, unknown):
    if not side:
        return unknown
    letter, ratio = side
    if not letter:
        return str(int(ratio))
    times = "" if ratio.numerator == 1 else f"{ratio.numerator} "
    return f"{times}{letter}" + ("" if ratio.denominator == 1 else f"/{ratio.denominator}")


def last(config):
    """-> of each side of the network's last map (letter, how many times that; no letter for pixels), None if unknown"""
    first, *others = ppm_network.inputs_of(config)
    maps = {first: [("H", Fraction(1)), ("W", Fraction(1))], **{name: [None, None] for name in others}}
    found = maps[first]
    for k, entry in enumerate(config["network"]):
        kind, options, name, source = ppm_network.layer(entry, f"network entry {k}")
        x = found if source is None else maps[source]
        found = joined([maps[name] for name in options]) if kind in ppm_network.JOINS else layer(kind, options, x, maps)
        maps[name] = found
    return found


def joined(maps):
    """They are of one size, but for those of one pixel."""
    return [next((side for side in axis if side and side != (None, 1)), axis[0]) for axis in zip(*maps)]


def layer(kind, options, x, maps):
    if kind == "conv" or kind in POOLS:
        strides = pair(options.get("stride", options.get("window", 1)))
        return [scaled(side, Fraction(1, stride)) for side, stride in zip(x, strides)]
    if kind == "adaptive_avg_pool":
        return [(None, Fraction(bins)) for bins in pair(options["bins"])]
    if kind != "resize":
        return x
    if "like" in options:
        return maps[options["like"]]
    if "size" in options:
        return [(None, Fraction(pixels)) for pixels in options["size"]]
    return [scaled(side, Fraction(scale).limit_denominator(DENOMINATOR_MAX))
            for side, scale in zip(x, pair(options["scale"]))]


def scaled(side, ratio):
    """A number of pixels that is scaled is not said: how it is rounded depends on the layer."""
    if not side or ratio == 1:
        return side
    return (side[0], side[1] * ratio) if side[0] else None


def pair(value):
    return value if isinstance(value, list) else [value, value]
