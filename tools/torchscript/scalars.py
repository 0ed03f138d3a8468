"""Operators on numbers, Sizes, strings and lists: the constants and the arithmetic of sizes in a graph."""
import math
import operator

import numpy as np

from . import Refusal
from .sizes import Size

LIST_MAX = 1 << 16
INTEGER_MAX = (1 << 63) - 1  # TorchScript's have 64 bits


def number(array_function, plain):
    """A function of numbers that is array_function of Sizes."""
    def apply(*operands):
        sizes = [operand for operand in operands if isinstance(operand, Size)]
        if not sizes:
            return bounded_number(plain(*operands))
        return sizes[0].apply(lambda _, *values: array_function(*values), *operands)
    return apply


def bounded_number(value):
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise Refusal("an integer of more than 64 bits")
    return value


def comparison(function):
    def apply(a, b):
        if isinstance(a, Size):
            return a.compare(function, b)
        if isinstance(b, Size):
            return b.compare(lambda x, y: function(y, x), a)
        return function(a, b)
    return apply


def add(self, other, alpha=1):
    if isinstance(self, (list, str)):
        return bounded(self + other)
    return ADD(self, other if alpha == 1 else MUL(other, alpha))


def sub(self, other, alpha=1):
    return SUB(self, other if alpha == 1 else MUL(other, alpha))


def mul(self, other):
    if isinstance(self, list):
        return bounded(self * min(other, LIST_MAX + 1))
    return MUL(self, other)


def div(self, other, rounding_mode=None):
    if other == 0:
        raise Refusal("a division by 0")
    return {None: DIV, "floor": FLOORDIV, "trunc": lambda a, b: TRUNC(DIV(a, b))}[rounding_mode](self, other)


def floordiv(self, other):
    if not isinstance(other, Size) and other == 0:
        raise Refusal("a division by 0")
    return FLOORDIV(self, other)


def power(self, other):
    if max(abs(n) for n in (self, other) if not isinstance(n, Size)) > 1024:
        raise Refusal("a power of large numbers")
    return POW(self, other)


def least(function, array_function):
    def apply(self, other=None):
        operands = self if other is None else [self, other]
        result = operands[0]
        for n in operands[1:]:
            result = number(array_function, function)(result, n)
        return result
    return apply


def bounded(value):
    if len(value) > LIST_MAX:
        raise Refusal(f"a list of {len(value)} values, expected at most {LIST_MAX}")
    return value


def append(self, value):
    self.append(value)
    return bounded(self)


def extend(self, values):
    self.extend(values)
    return bounded(self)


def item(self, key, default=None):
    """Of a list, a dictionary or a string."""
    if isinstance(self, dict):
        if key not in self:
            raise Refusal(f"the key {key!r}, which is not there")
        return self[key]
    if not -len(self) <= key < len(self):
        raise Refusal(f"the item {key} of {len(self)}")
    return self[key]


def slice_list(self, start=None, end=None, step=1):
    return self[start:end:step]


def set_item(self, key, value):
    self[key] = value


def text(value):
    """A list, which may be long, is only that."""
    return f"a list of {len(value)}" if isinstance(value, (list, tuple, dict)) else str(value)


def formatted(self, *values):
    for value in values:
        self = bounded(self.replace("{}", text(value), 1))
    return self


def joined(self, values):
    if (len(self) + 1) * len(values) + sum(map(len, values)) > LIST_MAX:
        raise Refusal("a long string")
    return self.join(values)


def converted(self, *options):
    """to(dtype), with a device and flags."""
    dtype = next((option for option in options if type(option) is int), None)
    return TRUNC(self) if dtype in INTEGERS else self


INTEGERS = range(5)  # the numbers of uint8 to int64 in graphs


ADD, SUB, MUL = (number(np_function, function) for np_function, function in (
    (np.add, operator.add), (np.subtract, operator.sub), (np.multiply, operator.mul)))
DIV, FLOORDIV = number(np.true_divide, operator.truediv), number(np.floor_divide, operator.floordiv)
POW, TRUNC = number(np.power, operator.pow), number(np.trunc, int)

# what a list or a dictionary can hold anything for
CONTAINERS = frozenset("len __getitem__ append extend slice _set_item get list copy keys values items pop insert "
                       "reverse add add_".split())

# by the operator's name without aten::, or prim::
NUMBERS = {
    "add": add, "add_": extend, "sub": sub, "mul": mul, "div": div, "true_divide": div,
    "floordiv": floordiv, "floor_divide": floordiv, "pow": power,
    "rsub": lambda self, other, alpha=1: sub(other, self, alpha),
    "remainder": number(np.mod, operator.mod), "fmod": number(np.fmod, math.fmod),
    "neg": number(np.negative, operator.neg), "abs": number(np.abs, abs),
    "floor": number(np.floor, math.floor), "ceil": number(np.ceil, math.ceil), "round": number(np.rint, round),
    "trunc": lambda x: TRUNC(x), "to": converted, "sqrt": number(np.sqrt, math.sqrt), "log": number(np.log, math.log),
    "log2": number(np.log2, math.log2), "exp": number(np.exp, math.exp),
    "Int": lambda x: TRUNC(x), "Float": number(lambda x: x, float), "Bool": bool, "str": text,
    "min": least(min, np.minimum), "max": least(max, np.maximum),
    "minimum": least(min, np.minimum), "maximum": least(max, np.maximum),
    "eq": comparison(operator.eq), "ne": comparison(operator.ne), "lt": comparison(operator.lt),
    "le": comparison(operator.le), "gt": comparison(operator.gt), "ge": comparison(operator.ge),
    "__not__": operator.not_, "__is__": operator.is_, "__isnot__": operator.is_not,
    "__and__": operator.and_, "__or__": operator.or_, "__xor__": operator.xor, "logical_not": operator.not_,
    "len": len, "__getitem__": item, "append": append, "extend": extend, "slice": slice_list, "_set_item": set_item,
    "__contains__": lambda self, key: key in self, "get": lambda self, key, default=None: self.get(key, default),
    "list": list, "dict": lambda pairs=(): dict(pairs), "copy": lambda self: self.copy(), "keys": list,
    "reverse": lambda self: self.reverse(),
    "values": lambda self: list(self.values()), "items": lambda self: list(self.items()),
    "pop": lambda self, index=-1: self.pop(index), "insert": lambda self, index, value: self.insert(index, value),
    "format": formatted, "lower": str.lower, "upper": str.upper, "startswith": str.startswith,
    "endswith": str.endswith, "join": joined, "warn": lambda *_, **__: None,
    "dim": lambda self: 0, "range": lambda *numbers: bounded(list(range(*numbers))),
    **{name: lambda self, *_, **__: self for name in (
        "detach", "clone", "type_as", "contiguous", "cpu", "ScalarImplicit", "FloatImplicit", "IntImplicit",
        "item", "NumToTensor", "tensor", "scalar_tensor", "as_tensor", "alias", "float", "squeeze",
        "lift_fresh", "lift")},
    "int": lambda x: TRUNC(x), "long": lambda x: TRUNC(x),
}
