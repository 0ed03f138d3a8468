"""What a node of a graph may compute: besides Python's constants and Sizes,

Weight    a constant tensor, and the name of the parameter that it is or was made of
View      a map, or a part of its channels, with axes permuted, merged or left out
Padded    a map with a border that the next layer may take as its padding
Pending   what has no layer of its own, and may be a part of something that has
Module    a module, and where it is
Inputs    a list of maps that the module takes
Refused   what cannot be read; an error only if the output depends on it
"""
import numpy as np

from . import Refusal
from .sizes import Size, equal

LETTERS = "nchw"
PLAIN = tuple((letter,) for letter in LETTERS)


class Value:
    error = None  # of a change in place that could not be read


class Weight(Value):
    def __init__(self, values, key):
        self.values, self.key = values, key


class Module:
    def __init__(self, module, path):
        self.module, self.path = module, path


class Refused:
    def __init__(self, error):
        self.error = error


class Pending(Value):
    """name: of the operator; value: what it reads, a View; options: its arguments"""

    def __init__(self, name, value, **options):
        self.name, self.value, self.options = name, value, options


class Padded(Value):
    """sides: top, left, bottom, right"""

    def __init__(self, view, sides, value):
        self.view, self.sides, self.value = view, sides, value


class Inputs:
    """A list of maps as an input: as many as the code takes."""

    def __init__(self, make):
        self.made, self.make = {}, make

    def take(self, index):
        if index not in self.made:
            self.made[index] = self.make(index)
        return self.made[index]


class Cell:
    """What views of one map share: an operator in place changes it for all of them."""

    def __init__(self, entry):
        self.entry = entry


class View:
    """axes: the letters of the map's axes in each axis of the view. A letter that is in none has the size 1."""

    def __init__(self, cell, axes=PLAIN, part=None):
        self.cell, self.axes, self.part = cell, axes, part

    @classmethod
    def of(cls, entry, axes=PLAIN):
        return cls(Cell(entry), axes)

    def seen(self, axes):
        """The same memory with other axes."""
        return View(self.cell, axes, self.part)

    @property
    def entry(self):
        """The whole map; raises what made it unreadable."""
        if isinstance(self.cell.entry, Refused):
            raise self.cell.entry.error
        return self.cell.entry

    @property
    def channels(self):
        return self.part[1] - self.part[0] if self.part else self.entry.channels

    def extent(self, letter):
        return {"n": 1, "c": self.channels, "h": self.entry.size[0], "w": self.entry.size[1]}[letter]

    def axis_size(self, axis):
        return product(self.extent(letter) for letter in self.axes[axis])

    @property
    def shape(self):
        return [self.axis_size(axis) for axis in range(len(self.axes))]

    def letters(self, axis):
        """Of an axis, without those of size 1."""
        return tuple(letter for letter in self.axes[axis] if not equal(self.extent(letter), 1))

    def axis(self, index):
        """An index counted from the end if it is negative -> from the beginning"""
        rank = len(self.axes)
        if not isinstance(index, int) or not -rank <= index < rank:
            raise Refusal(f"the axis {index} of {rank}")
        return index % rank

    def channel_axis(self):
        """-> the axis that has the channels, or None"""
        found = [axis for axis, letters in enumerate(self.axes) if "c" in letters]
        if found and all(equal(self.extent(letter), 1) for letter in self.axes[found[0]] if letter != "c"):
            return found[0]
        return None


def product(numbers):
    """Of numbers and Sizes."""
    result = 1
    for n in numbers:
        result = result * n if isinstance(result, int) and isinstance(n, int) else \
            (n if isinstance(n, Size) else result).apply(np.multiply, result if isinstance(n, Size) else n)
    return result
