"""NumPy's arrays in a pickle, of plain types only: what a pickle says of one is checked before NumPy sees it, whose own
code trusts it."""
import math
import re

import numpy as np

PLAIN = re.compile(r"[<>|=]?[biufcOSUVMm]\d{0,9}")
COUNT_MAX = 1 << 48  # values of an array


class Dtype:
    """A type as a pickle builds it, in two steps. dtype: None for one that is not read, such as a record."""
    __slots__ = ("dtype",)

    def __init__(self, text=None, *_):
        try:
            self.dtype = np.dtype(text) if isinstance(text, str) and PLAIN.fullmatch(text) else None
        except (TypeError, ValueError):
            self.dtype = None

    def set_state(self, state):
        """state: (version, order of bytes, subarray, names, fields, ...)"""
        is_plain = isinstance(state, tuple) and len(state) > 4 and all(part is None for part in state[2:5])
        if not is_plain or state[1] not in ("<", ">", "|", "="):
            self.dtype = None
        elif self.dtype is not None and state[1] in "<>":
            self.dtype = self.dtype.newbyteorder(state[1])


def dtype_of(made):
    return made.dtype if isinstance(made, Dtype) else None


def empty(*_):
    """The first step of an array."""
    return np.zeros(0, np.int8)


def set_state(array, state, budget):
    """-> whether it is an array that is read. state: (version, shape, type, whether in Fortran's order, data)"""
    if not isinstance(state, tuple) or len(state) != 5 or dtype_of(state[2]) is None or not is_shape(state[1]):
        return False
    _, shape, made, is_fortran, data = state
    size = math.prod(shape) * made.dtype.itemsize
    if made.dtype == object:
        fits = isinstance(data, list) and len(data) == math.prod(shape)
    else:
        data = data.encode("latin1") if isinstance(data, str) else data  # of Python 2
        fits = isinstance(data, bytes) and len(data) == size
    if fits:
        budget.take(size, "an array")
        array.__setstate__((1, tuple(shape), made.dtype, bool(is_fortran), data))
    return fits


def is_shape(shape):
    return isinstance(shape, tuple) and len(shape) <= 32 and all(
        type(n) is int and 0 <= n <= COUNT_MAX for n in shape) and math.prod(shape) <= COUNT_MAX


def from_buffer(data, made, shape, order):
    """-> the array, None if it is not read"""
    dtype = dtype_of(made)
    if dtype is None or not dtype.itemsize or dtype.hasobject or not is_shape(shape) \
            or not isinstance(data, (bytes, bytearray)) or len(data) != math.prod(shape) * dtype.itemsize:
        return None
    return np.frombuffer(data, dtype).reshape(shape, order="F" if order == "F" else "C")


def scalar(made, data=b""):
    dtype = dtype_of(made)
    data = data.encode("latin1") if isinstance(data, str) else data
    if dtype is None or dtype.kind not in "biuf" or not isinstance(data, bytes) or len(data) != dtype.itemsize:
        return None
    return np.frombuffer(data, dtype)[0]
