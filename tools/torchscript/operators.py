"""What operators on maps are, by their names without aten::, and their forms in place."""
from . import Refusal
from .joins import JOINS
from .layers import LAYERS, entry_of
from .pointwise import POINTWISE
from .resizes import RESIZES
from .shapes import SHAPES
from .values import View

MAPS = {**LAYERS, **POINTWISE, **JOINS, **RESIZES, **SHAPES}


def in_place(program, target, result):
    """Writes the result to the map that the target is a view of; -> the target"""
    if not isinstance(target, View):
        raise Refusal("a change in place of something that is not a map")
    if not isinstance(result, View):
        return result
    if result.cell is target.cell and result.part == target.part:
        return result
    entry, whole = entry_of(program, result), target.entry
    if target.part is not None and target.part != (0, whole.channels):
        first, end = target.part
        sides = [entry_of(program, View(target.cell, part=part))
                 for part in ((0, first), (end, whole.channels)) if part[0] < part[1]]
        maps = ([sides.pop(0)] if first else []) + [entry] + sides
        entry = program.join("concat", maps)
    target.cell.entry = entry
    return target
