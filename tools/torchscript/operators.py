"""What operators on maps are, by their names without aten::, and their forms in place."""
from . import Refusal
from .joins import JOINS
from .layers import LAYERS, entry_of, gathered
from .parts import PARTS
from .pointwise import POINTWISE
from .resizes import RESIZES
from .shapes import SHAPES
from .values import View

MAPS = {**LAYERS, **POINTWISE, **JOINS, **RESIZES, **SHAPES, **PARTS}


def in_place(program, target, result):
    """Writes the result to the map that the target is a view of; -> the target"""
    if not isinstance(target, View):
        raise Refusal("a change in place of something that is not a map")
    if not isinstance(result, View):
        return result
    if result.cell is target.cell and result.order == target.order:
        return result
    if target.split:
        raise Refusal("a change in place of channels that are split")
    entry, whole, order = entry_of(program, result), target.entry, target.numbers()
    channels = [(whole, channel) for channel in range(whole.channels)]
    for i, channel in enumerate(order):
        channels[channel] = entry, i
    target.cell.entry = gathered(program, channels)
    return target
