"""Pickles of other people, read without running what they ask for: PyTorch's checkpoints, and
dictionaries of NumPy arrays.

A pickle calls what it names. Here it gets the few names that tensors, arrays and dictionaries are
made of; for every other it gets a stand-in that does nothing, and the name is kept to be reported.
PyTorch is not needed. (Nor would it do: torch.load(weights_only=True) of PyTorch 1.13 refuses files
that hold a float beside the weights, a learning rate for one, and its pickle_module is ignored.)
"""
import collections
import pickle
import zipfile

import numpy as np

from . import ExportError

# PyTorch's storages: how an element lies in the file. BF16 is the upper half of a float32.
STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8",
            "BFloat16Storage": "<u2", "LongStorage": "<i8", "IntStorage": "<i4",
            "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "<u1"}

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class Storage(collections.namedtuple("Storage", "kind key count first")):
    """count elements behind a key of the file, of which a tensor sees those from first on."""
    __slots__ = ()


class TorchTensor(collections.namedtuple("TorchTensor", "storage offset shape strides")):
    """A tensor of PyTorch; its values are read when they are wanted."""
    __slots__ = ()

    def values(self, data):
        """data: the bytes of the storage -> float32 array"""
        storage, dtype = self.storage, np.dtype(STORAGES[self.storage.kind])
        first = storage.first + self.offset
        last = first + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides))
        if 0 in self.shape:
            return np.zeros(self.shape, np.float32)
        if min((first, *self.shape, *self.strides)) < 0 or len(self.shape) != len(self.strides) \
                or (last + 1) * dtype.itemsize > len(data):
            raise ExportError(f"a tensor of shape {list(self.shape)} lies outside its storage")
        elements = np.frombuffer(data, dtype)[first:last + 1]
        if storage.kind == "BFloat16Storage":
            elements = (elements.astype("<u4") << 16).view("<f4")
        strides = [stride * elements.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(elements, self.shape, strides).astype(np.float32)


def rebuild_tensor(storage, offset, shape, strides, *_):
    return TorchTensor(storage, offset, tuple(shape), tuple(strides))


def rebuild_parameter(tensor, *_):
    return tensor


def encode(text, _):
    """_codecs.encode, by which Python 3 pickles bytes for Python 2"""
    return text.encode("latin1")


ALLOWED = {("collections", "OrderedDict"): collections.OrderedDict, ("_codecs", "encode"): encode,
           ("torch", "Size"): tuple, ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
           ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
           ("torch._utils", "_rebuild_parameter"): rebuild_parameter}
NUMPY = {"_reconstruct", "scalar", "ndarray", "dtype"}


class SafeUnpickler(pickle.Unpickler):
    """refused: the names for which there was a stand-in, each once; kinds: of storages, by key"""

    def __init__(self, file):
        super().__init__(file, encoding="latin1")
        self.refused, self.kinds = {}, {}

    def find_class(self, module, name):
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        if module == "torch" and name in STORAGES:
            return name
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in NUMPY:
            return super().find_class(module.replace("_core", "core"), name)
        self.refused[f"{module.replace('__builtin__', 'builtins')}.{name}"] = None
        return stand_in()

    def persistent_load(self, saved):
        """("storage", kind, key, device, count), and a view in old files"""
        _, kind, key, _, count, *view = saved
        first = view[0][1] if view and view[0] else 0
        if kind not in STORAGES or not isinstance(key, str):
            raise pickle.UnpicklingError(f"found a storage of {kind!r}")
        self.kinds[key] = kind
        return Storage(kind, key, count, first)


def stand_in():
    """A new class that takes whatever a pickle does to it or to what it makes, and does nothing."""
    def ignore(self, *_, **__):
        return self

    methods = ("__init__", "__setstate__", "append", "extend", "add", "update", "__setitem__",
               "__call__")
    made = type("StandIn", (), {name: ignore for name in methods})
    made.__init__ = made.__setstate__ = made.__setitem__ = lambda self, *_, **__: None
    return made


class Pickled:
    """What a file holds: value, with TorchTensors that values() reads, and what was refused."""

    def __init__(self, path, value, refused, read_storage=None):
        self.path, self.value, self.refused = path, value, list(refused)
        self.read_storage = read_storage

    def values(self, tensor):
        if isinstance(tensor, np.ndarray):
            return np.asarray(tensor, np.float32)
        try:
            return tensor.values(self.read_storage(tensor.storage))
        except ExportError as error:
            raise ExportError(f"{self.path}: {error}") from None
        except Exception as error:  # whatever a damaged file leads to
            raise ExportError(f"{self.path}: cannot read it: {first_line(error)}") from None


def first_line(error):
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")


def read(path, reader):
    """reader(path) -> Pickled, its failures in one sentence"""
    try:
        return reader(path)
    except ExportError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise ExportError(f"{path}: cannot read it: {first_line(error)}") from None


def read_zip(path):
    """As torch.save writes since PyTorch 1.6: NAME/data.pkl, and NAME/data/KEY for each storage."""
    archive = zipfile.ZipFile(path)
    names = archive.namelist()
    found = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if not found:
        raise ExportError(f"{path}: an archive without data.pkl, expected one of torch.save")
    folder = found[0].rpartition("/")[0]
    if f"{folder}/constants.pkl" in names:
        raise ExportError(f"{path}: a TorchScript archive, expected a state_dict: "
                          "torch.save(torch.jit.load(FILE).state_dict(), OTHER)")
    if archive_byteorder(archive, folder) != b"little":
        raise ExportError(f"{path}: written on a big-endian machine, expected little-endian values")
    with archive.open(found[0]) as file:
        unpickler = SafeUnpickler(file)
        value = unpickler.load()
    return Pickled(path, value, unpickler.refused,
                   lambda storage: archive.read(f"{folder}/data/{storage.key}"))


def archive_byteorder(archive, folder):
    try:
        return archive.read(f"{folder}/byteorder")
    except KeyError:
        return b"little"  # written before there was one


def read_legacy(path):
    """As before PyTorch 1.6: pickles one after the other, the last the keys of the storages, then
    each one's count and elements; or a single pickle, which is the value itself."""
    with open(path, "rb") as file:
        unpickler = SafeUnpickler(file)
        value = unpickler.load()
        if value != LEGACY_MAGIC:
            return Pickled(path, value, unpickler.refused)
        for _ in ("protocol", "system"):
            SafeUnpickler(file).load()
        unpickler = SafeUnpickler(file)
        value = unpickler.load()
        places = {}
        for key in SafeUnpickler(file).load():
            count = int.from_bytes(file.read(8), "little")
            size = count * np.dtype(STORAGES[unpickler.kinds[key]]).itemsize
            places[key] = (file.tell(), size)
            file.seek(size, 1)

    def read_storage(storage):
        at, size = places[storage.key]
        with open(path, "rb") as again:
            again.seek(at)
            return again.read(size)

    return Pickled(path, value, unpickler.refused, read_storage)


def read_pickled_npy(path):
    """np.save of one dictionary."""
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                       else np.lib.format.read_array_header_2_0)
        dtype = read_header(file)[2]
        if dtype != object:
            raise ExportError(f"{path}: holds one array of {dtype}, expected a dictionary of "
                              "arrays")
        unpickler = SafeUnpickler(file)
        return Pickled(path, unpickler.load().item(), unpickler.refused)
