"""Numbers that follow from the size of the input, such as (H - 1) // 8 + 1.

Such a number is known by its values at a few hundred sizes of the input. Arithmetic is that of arrays, whatever
operators the code uses, and two numbers are equal if they are at all of these sizes.
"""
import math

import numpy as np

BATCHES = np.array([2.0, 3.0, 5.0, 7.0, 4.0])  # sizes of the batch, so that nothing is taken to be one
STEPS = (1, 2, 4, 8, 16, 32, 64)
FAR = (1, 17, 33, 2049, 4096, 8192)  # sides at which a network may fail, and a condition may be another one


class DependsOnSize(Exception):
    """A condition holds at some sizes only; holds: where, as far as it is known."""

    def __init__(self, holds, known):
        super().__init__("a condition that depends on the size of the input")
        self.holds, self.known = holds, known


def sampled():
    """-> [2, K]: heights and widths: 64 in a row, and multiples of each step, with and without 1 more"""
    rows = [(257 + i, 257 + 37 * i % 64) for i in range(64)]
    for step in STEPS[1:]:
        for extra in (0, 1):
            rows += [(step * (3 * i + 192 // step) + extra, step * (5 * i % 16 + 256 // step) + extra)
                     for i in range(10)]
    return np.array(rows, np.float64).T


class Samples:
    """The sizes of the inputs, and at which of them the network's own code would work.

    traced: the sizes of each trace, [(h, w) of each input], the only ones at which constants of traces are known; they
    come last. Sizes of several inputs are independent of each other.

    odd: at which of FAR a number or a condition is another one than at all usual sizes
    """

    def __init__(self, traced=()):
        self.sides, self.traced = sampled(), traced
        self.usual = self.sides.shape[1]
        self.free = self.usual + len(FAR)
        self.works = np.ones(self.free + len(traced), bool)
        self.works[self.usual:self.free] = False
        self.odd = set()
        self.batch = Size(np.resize(BATCHES, len(self.works)), self, frozenset({"batch"}))

    def of_input(self, index):
        """-> the Sizes H and W of an input"""
        return [Size(np.concatenate([np.roll(sides, 7 * index), FAR, [sizes[index][axis] for sizes in self.traced]]),
                     self, frozenset({index})) for axis, sides in enumerate(self.sides)]

    def expect_usual(self, values, usual):
        """Notes where these are others than what they are at usual sizes."""
        far = values[self.usual:self.free]
        self.odd.update(side for side, value in zip(FAR, far) if value != usual and not math.isnan(value))

    def constant(self, values):
        """-> a number that is only known at the traced sizes; one number if it is the same at all"""
        if len(set(values)) == 1:
            return values[0]
        return Size(np.concatenate([np.full(self.free, np.nan), np.array(values, np.float64)]), self, frozenset())

    def exclude(self, works):
        """Sizes at which the code itself fails; -> whether any are left"""
        left = self.works & works
        if left.any():
            self.works = left
        return left.any()

    def multiple(self):
        """-> (step, extra): the code takes sides of step k + extra, (1, 0) if any; None if it takes others only"""
        for step in STEPS:
            for extra in (0, 1):
                fits = (self.sides % step == extra % step).all(axis=0)
                if fits.any() and self.works[:self.usual][fits].all():
                    return step, extra % step
        return None


class Size:
    def __init__(self, values, samples, inputs):
        self.values, self.samples, self.inputs = values, samples, inputs

    def apply(self, function, *others):
        """function of arrays -> a Size, or a number if it is the same everywhere"""
        with np.errstate(all="ignore"):
            values = function(self.values, *(values_of(other) for other in others))
        inputs = self.inputs.union(*(other.inputs for other in others if isinstance(other, Size)))
        return collapsed(np.asarray(values, np.float64), self.samples, inputs)

    def known(self, other):
        return self.samples.works & ~np.isnan(self.values + values_of(other))

    def compare(self, function, other):
        """-> whether it holds; raises DependsOnSize if it does at some sizes only"""
        known = self.known(other)
        holds = function(self.values, values_of(other))
        if not known.any() or holds[known].all() != holds[known].any():
            raise DependsOnSize(holds, known)
        self.samples.expect_usual(holds, bool(holds[known].all()))
        return bool(holds[known].all())

    def __hash__(self):
        return id(self)


def is_known(number):
    """Whether its value is known at every size, and not only at those that were traced."""
    return not isinstance(number, Size) or not np.isnan(number.values).any()


def values_of(number):
    return number.values if isinstance(number, Size) else number


def collapsed(values, samples, inputs):
    first, far = values[0], slice(samples.usual, samples.free)
    if not math.isnan(first) and (np.delete(values, far) == first).all():
        samples.expect_usual(values, first)
        return int(first) if first == int(first) else float(first)
    return Size(values, samples, inputs)


def equal(a, b):
    """Whether two numbers are equal at every size at which the code works."""
    if not isinstance(a, Size) and not isinstance(b, Size):
        return a == b
    a, b = (a, b) if isinstance(a, Size) else (b, a)
    known = a.known(b)
    return bool(known.sum() > 1 and (a.values == values_of(b))[known].all())


def inputs_of(number):
    return number.inputs if isinstance(number, Size) else frozenset()


def text(number):
    """For messages."""
    if not isinstance(number, Size):
        return str(number)
    samples = number.samples
    height, width = samples.of_input(min(number.inputs, default=0))
    known = np.flatnonzero(samples.works & ~np.isnan(number.values))
    if not known.size:
        return "an unknown number"
    at = known[-len(samples.traced)] if samples.traced else known[0]
    return f"{number.values[at]:g} for an input of {height.values[at]:g} x {width.values[at]:g}"
