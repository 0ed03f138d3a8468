"""What a node of a graph may compute: besides Python's constants and Sizes,

Weight    a constant tensor, and the name of the parameter that it is or was made of
View      a map, or a part of its channels, with axes permuted, merged or left out
Padded    a map with a border that the next layer may take as its padding
Pending   what has no layer of its own, and may be a part of something that has
Recorded  a map that a trace has as a constant, another one in each trace
Module    a module, and where it is
Inputs    a list or a dictionary of maps that the module takes
Refused   what cannot be read; an error only if the output depends on it
"""
import numpy as np

from . import Refusal
from .sizes import Size, equal

LETTERS = "nchw"
LABELS = ("argmax", "gt")  # what can be the end of a network only
PLAIN = tuple((letter,) for letter in LETTERS)


class Value:
    error = None  # of a change in place that could not be read


class Weight(Value):
    def __init__(self, values, key):
        self.values, self.key = values, key


class Recorded(Value):
    def __init__(self, shape):
        self.shape = shape


class Module:
    def __init__(self, module, path):
        self.module, self.path = module, path


class Refused:
    def __init__(self, error):
        self.error = error


class Pending(Value):
    """name: of the operator; value: what it reads, a View; options: its arguments"""

    where = ""  # a sentence about its line of the source

    def __init__(self, name, value, **options):
        self.name, self.value, self.options = name, value, options


class Padded(Value):
    """sides: top, left, bottom, right"""

    def __init__(self, view, sides, value):
        self.view, self.sides, self.value = view, sides, value


class Inputs:
    """A list or a dictionary of maps as an input: as many as the code takes."""

    def __init__(self, make):
        self.made, self.make = {}, make

    def take(self, index):
        if isinstance(index, int) and index < 0:
            raise Refusal(f"the item {index} of a list whose length is not known")
        if index not in self.made:
            self.made[index] = self.make(index)
        return self.made[index]


class Cell:
    """What views of one map share: an operator in place changes it for all of them."""

    def __init__(self, entry):
        self.entry = entry


class View:
    """axes: the letters of the map's axes in each axis of the view. A letter that is in none has the size 1.
    order: the channels of the map, as numbers, or None for all of them
    split: (a, b) if the channels are an axis of a, c0, and one of b, c1
    """

    def __init__(self, cell, axes=PLAIN, order=None, split=None):
        self.cell, self.axes, self.order, self.split = cell, axes, order, split

    @classmethod
    def of(cls, entry, axes=PLAIN):
        return cls(Cell(entry), axes)

    def seen(self, axes):
        """The same memory with other axes."""
        for pair in (("c0", "c1"), ("c1", "c0")) if self.split else ():
            for axis, letters in enumerate(axes):
                at = next((i for i in range(len(letters)) if letters[i:i + 2] == pair), None)
                if at is not None:
                    merged = (*axes[:axis], (*letters[:at], "c", *letters[at + 2:]), *axes[axis + 1:])
                    return View(self.cell, merged, self.in_order(pair))
        return View(self.cell, axes, self.order, self.split)

    def numbers(self):
        """-> the channels of the map"""
        return range(self.entry.channels) if self.order is None else self.order

    def in_order(self, pair):
        """-> the channels where two axes become one"""
        grid = np.array(self.numbers()).reshape(self.split)
        return tuple((grid if pair[0] == "c0" else grid.T).ravel().tolist())

    def chosen(self, channels):
        """Some of the channels: a slice, or numbers."""
        numbers = self.numbers()
        order = numbers[channels] if isinstance(channels, slice) else tuple(numbers[i] for i in channels)
        return View(self.cell, self.axes, order, self.split)

    def item_of(self, axis, index):
        """An item of one of the two axes that the channels are split into."""
        letter, = self.axes[axis]
        grid = np.array(self.numbers()).reshape(self.split)
        order = tuple((grid[index] if letter == "c0" else grid[:, index]).tolist())
        left = (*self.axes[:axis], *self.axes[axis + 1:])
        return View(self.cell, tuple(tuple("c" if each in ("c0", "c1") else each for each in letters)
                                     for letters in left), order)

    def copy(self):
        """The same values in memory of their own."""
        return View(Cell(self.entry), self.axes, self.order, self.split)

    @property
    def entry(self):
        """The whole map; raises what made it unreadable."""
        if isinstance(self.cell.entry, Refused):
            raise self.cell.entry.error
        return self.cell.entry

    @property
    def channels(self):
        return len(self.numbers())

    def extent(self, letter):
        if letter in ("c0", "c1"):
            return self.split[int(letter[1])]
        entry = self.entry
        return {"n": entry.batch, "c": self.channels, "h": entry.size[0], "w": entry.size[1]}[letter]

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
