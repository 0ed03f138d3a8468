"""Reads pickles without running their code.

A pickle calls the functions it names. Here it gets only the few names that tensors, arrays and
dictionaries need; every other name becomes a stand-in that does nothing, and is reported.
This is Python's own unpickler written in Python: the one in C allocates memory for claimed lengths and
memo numbers, and hashes any key. (PyTorch's is no alternative: torch.load(weights_only=True) of
1.13 refuses files with a float, such as a learning rate, and its pickle_module is ignored.)
"""
import collections
import pickle
import re

import numpy as np

from . import arrays

KEY_PARTS_MAX = 16  # of a tuple that is a key
ITEM_BYTES = 100  # of an entry that is copied
NUMPY = ("numpy", "numpy.core.multiarray", "numpy.core.numeric", "numpy._core.multiarray",
         "numpy._core.numeric")
DTYPE = re.compile(r"q?u?int\d*(x\d+)?|b?float\d*(_\w+)?|c?(half|double|long|short)|complex\d+|bool|"
                   r"bits\w+|per_(tensor|channel)_\w+")
PLAIN = ("list", "dict", "int", "float", "complex", "set", "frozenset", "slice", "range", "xrange", "bytearray")
TORCH_NUMBERS = {"uint16": "UInt16Storage", "uint32": "UInt32Storage", "uint64": "UInt64Storage"}


class Storage(collections.namedtuple("Storage", "kind key count first")):
    """count elements at a key of the file, of which a tensor uses those from first on."""
    __slots__ = ()


class Unread(collections.namedtuple("Unread", "kind shape")):
    """A tensor of a kind that is not read: sparse, quantized, ..."""
    __slots__ = ()


class StandIn:
    """Accepts any operation of a pickle and does nothing."""
    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    def __call__(self, *_, **__):
        return StandIn(self.name)

    def __setitem__(self, *_):
        pass

    __setstate__ = append = extend = add = update = __setitem__


def is_flat(shape):
    return isinstance(shape, (tuple, list)) and all(
        type(n) is int and abs(n) < 1 << 62 for n in shape)  # pylint: disable=unidiomatic-typecheck


def shape_in(values, depth=2):
    """The first list of sizes among a tensor's arguments, () if there is none."""
    for value in values:
        if type(value) in (tuple, list) and value:  # not a Storage
            if is_flat(value):
                return tuple(value)
            if depth and (found := shape_in(value, depth - 1)):
                return found
    return ()


class SafeUnpickler(pickle._Unpickler):  # pylint: disable=protected-access
    """tensor: makes one of (Storage, offset, shape, strides); budget: of sizes.py; refused: the names
    for which there was a stand-in, each once; kinds: of storages, by key."""

    dispatch = dict(pickle._Unpickler.dispatch)  # pylint: disable=protected-access

    def __init__(self, file, budget, tensor):
        super().__init__(file, encoding="latin1")
        self.budget, self.tensor = budget, tensor
        self.refused, self.kinds = {}, {}
        rebuild = {"_rebuild_tensor": self.rebuild_tensor, "_rebuild_tensor_v2": self.rebuild_tensor,
                   "_rebuild_tensor_v3": self.rebuild_tensor_v3,
                   "_rebuild_parameter": lambda tensor, *_: tensor,
                   "_rebuild_parameter_with_state": lambda tensor, *_: tensor}
        self.rebuilders = list(rebuild.values())
        self.allowed = {
            ("collections", "OrderedDict"): self.dictionary, ("torch", "Size"): self.tuple,
            ("collections", "defaultdict"): lambda *_: {}, ("_codecs", "encode"): self.encode,
            ("builtins", "tuple"): self.tuple, ("builtins", "eval"): self.evaluated,
            ("torch._tensor", "_rebuild_from_type_v2"): self.rebuild_from_type,
            **{("torch._utils", name): make for name, make in rebuild.items()},
            **{(module, name): make for module in NUMPY for name, make in (
                ("_reconstruct", arrays.empty), ("_frombuffer", self.from_buffer), ("scalar", arrays.scalar),
                ("dtype", arrays.Dtype))}}
        self.quiet = {*(("builtins", name) for name in PLAIN), ("torch.nn.parameter", "Parameter"),
                      ("torch", "device"),
                      ("torch", "Tensor"), ("torch.serialization", "_get_layout"),
                      *((module, "ndarray") for module in NUMPY)}

    def find_class(self, module, name):
        module = module.replace("__builtin__", "builtins")
        if make := self.allowed.get((module, name)):
            return make
        if module in ("torch", "torch.storage", "torch.cuda") and name.endswith("Storage"):
            return name
        if module == "torch._utils" and name.startswith("_rebuild_"):
            kind = name[len("_rebuild_"):].replace("qtensor", "quantized").partition("_")[0]
            return lambda *values: Unread(kind, shape_in(values))
        if (module, name) not in self.quiet and not (module == "torch" and DTYPE.fullmatch(name)):
            self.refused[f"{module}.{name}"] = None
        return StandIn(name)

    def persistent_load(self, pid):
        """("storage", kind, key, device, count), and a view in old files"""
        _, kind, key, _, count, *view = pid
        first = view[0][1] if view and view[0] else 0
        kind = kind if isinstance(kind, str) else getattr(kind, "name", "unknown")
        if not isinstance(key, str) or not is_flat((count, first)):
            raise pickle.UnpicklingError("found a storage without a key or a count")
        self.kinds[key] = kind
        return Storage(kind, key, count, first)

    def rebuild_tensor(self, storage, offset, shape, strides, *_):
        if not isinstance(storage, Storage) or not all(map(is_flat, (shape, strides, (offset,)))):
            return Unread("damaged", ())
        return self.tensor(storage, offset, tuple(shape), tuple(strides))

    def rebuild_tensor_v3(self, storage, offset, shape, strides, _, __, dtype, *___):
        kind = getattr(dtype, "name", "unknown")
        if kind not in TORCH_NUMBERS or not isinstance(storage, Storage):
            return Unread(kind, shape_in([shape]))
        return self.rebuild_tensor(storage._replace(kind=TORCH_NUMBERS[kind]), offset, shape, strides)

    def rebuild_from_type(self, make, _, values, *__):
        """A tensor of another class, or with attributes."""
        if make in self.rebuilders:
            return make(*values)
        return Unread(getattr(make, "name", "unknown"), shape_in(values))

    def dictionary(self, items=()):
        self.budget.take(ITEM_BYTES * len(items), "a dictionary")
        for key, _ in items:
            check_key(key)
        return collections.OrderedDict(items)

    def tuple(self, items=()):
        self.budget.take(ITEM_BYTES * len(items), "a tuple")
        return tuple(items)

    def encode(self, text, _):
        """_codecs.encode, by which Python 3 pickles bytes for Python 2"""
        self.budget.take(len(text), "a string")
        return text.encode("latin1")

    def evaluated(self, text=None, names=None):
        """eval("data", {"data": array}), by which Paddle pickles an array: the array, and nothing else"""
        if text == "data" and isinstance(names, dict) and isinstance(names.get("data"), np.ndarray):
            return names["data"]
        self.refused["builtins.eval"] = None
        return StandIn("builtins.eval")

    def from_buffer(self, *values):
        array = arrays.from_buffer(*values)
        return Unread("record", ()) if array is None else array

    def load_build(self):
        made = self.stack[-2]
        if isinstance(made, arrays.Dtype):
            made.set_state(self.stack.pop())
        elif isinstance(made, np.ndarray):
            if not arrays.set_state(made, self.stack.pop(), self.budget):
                self.stack[-1] = Unread("record", ())
        elif isinstance(made, (dict, StandIn)):
            super().load_build()
        else:
            raise pickle.UnpicklingError(f"found a state for a {type(made).__name__}")

    def load_newobj(self):
        values = self.stack.pop()
        make = self.stack.pop()
        self.append(make(*values))

    def load_newobj_ex(self):
        self.stack.pop()
        self.load_newobj()

    def load_bytearray8(self):
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def check_key(key, depth=2):
    """Keys are hashed: a tuple of tuples of tuples could take for ever, or more than the stack."""
    if isinstance(key, Storage):
        return
    if isinstance(key, tuple):
        if depth == 0 or len(key) > KEY_PARTS_MAX:
            raise pickle.UnpicklingError("found a key of many parts")
        for part in key:
            check_key(part, depth - 1)


def checked(opcode, keys):
    """Looks at what an opcode is about to hash: keys(stack)."""
    load = SafeUnpickler.dispatch[opcode[0]]

    def load_checked(self):
        for key in keys(self.stack):
            check_key(key)
        load(self)
    SafeUnpickler.dispatch[opcode[0]] = load_checked


for code in (pickle.SETITEMS, pickle.DICT):
    checked(code, lambda stack: stack[::2])
for code in (pickle.ADDITEMS, pickle.FROZENSET):
    checked(code, lambda stack: stack)
checked(pickle.SETITEM, lambda stack: stack[-2:-1])
