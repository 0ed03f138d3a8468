"""Stretching, in the forms that PyTorch's versions have had."""
from . import Refusal
from .layers import plain_map
from .scalars import NUMBERS
from .sizes import Size, equal
from .values import View

MODES = {("bilinear", True): "align_corners", ("bilinear", False): "half_pixel", ("nearest", False): "nearest"}


def bilinear(program, self=None, input=None, output_size=None, align_corners=False, scale_factors=None, scales_h=None,
             scales_w=None):
    return resize(program, self or input, MODES["bilinear", bool(align_corners)], output_size,
                  scales(scale_factors, scales_h, scales_w))


def nearest(program, self=None, input=None, output_size=None, scale_factors=None, scales_h=None, scales_w=None):
    return resize(program, self or input, "nearest", output_size, scales(scale_factors, scales_h, scales_w))


def scales(both, height, width):
    if both is not None:
        return both
    return None if height is None and width is None else [height, width]


def interpolate(program, input, size=None, scale_factor=None, mode="nearest", align_corners=None,
                recompute_scale_factor=None, antialias=False):
    if antialias or (mode, bool(align_corners)) not in MODES:
        raise Refusal(f"the mode {mode!r}{' with antialias' if antialias else ''}, expected bilinear or nearest")
    given = scale_factor if isinstance(scale_factor, (list, type(None))) else [scale_factor] * 2
    if recompute_scale_factor and given:
        x = plain_map(program, input)
        size, given = [floor(n, factor) for n, factor in zip(x.size, given)], None
    return resize(program, input, MODES[mode, bool(align_corners)], size, given)


def resize(program, value, mode, size, scale):
    x = plain_map(program, value)
    if size is None and scale is None:
        raise Refusal("neither a size nor a scale")
    if size is None:
        scale = list(scale) * (2 // len(scale))
        target = tuple(floor(n, factor) for n, factor in zip(x.size, scale))
        scale = None if any(isinstance(factor, Size) for factor in scale) else scale
    else:
        target = tuple(size) * (2 // len(size))
    if any(not isinstance(n, Size) and n < 1 for n in target):
        raise Refusal(f"a resize to {list(target)}")
    if all(equal(n, own) for n, own in zip(target, x.size)):
        return View.of(x)
    return View.of(program.resize(x, mode, target, scale))


def floor(n, factor):
    """floor(n * factor)"""
    return NUMBERS["floor"](NUMBERS["mul"](n, factor))


def upsample(program, input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    return interpolate(program, input, size, scale_factor, mode, align_corners)


RESIZES = {"upsample_bilinear2d": bilinear, "upsample_nearest2d": nearest, "__interpolate": interpolate,
           "__upsample": upsample,
           "__upsample_bilinear": lambda program, input, size=None, scale_factor=None: interpolate(
               program, input, size, scale_factor, "bilinear", True),
           "__upsample_nearest": lambda program, input, size=None, scale_factor=None: interpolate(
               program, input, size, scale_factor)}
