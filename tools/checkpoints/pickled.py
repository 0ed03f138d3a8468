"""Pickles: PyTorch checkpoints, and dictionaries of NumPy arrays. unpickler.py reads
them; this file finds the tensors' bytes and bounds their memory.
"""
import collections
import io
import os
import pickle
import zipfile

import numpy as np

from . import ExportError
from .sizes import Budget, printable
from .unpickler import SafeUnpickler, Storage, StandIn, Unread

__all__ = ["Pickled", "StandIn", "Storage", "TorchTensor", "Unread"]

# PyTorch's storages: the format of an element in the file. BF16 is the upper half of a float32.
STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8",
            "BFloat16Storage": "<u2", "LongStorage": "<i8", "IntStorage": "<i4",
            "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "<u1",
            "UInt16Storage": "<u2", "UInt32Storage": "<u4", "UInt64Storage": "<u8"}
SIZES = {"ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "QInt32Storage": 4}  # others: 1

CHECKPOINTS = (".pth", ".pt", ".ckpt", ".pdparams", ".h5", ".keras", ".npz", ".safetensors", ".bin")

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
NPY_HEADER_MAX = 1 << 14
REPEATS_MAX = 1 << 20  # values of a tensor that is an expanded view of fewer


class TorchTensor(collections.namedtuple("TorchTensor", "storage offset shape strides")):
    """A tensor of PyTorch; its values are read on demand."""
    __slots__ = ()

    @property
    def dtype(self):
        """To be printed."""
        return self.storage.kind.removesuffix("Storage").lower()

    def end(self):
        """The storage's bytes up to the tensor's last one."""
        if 0 in self.shape:
            return 0
        if min((self.storage.first + self.offset, *self.shape, *self.strides)) < 0 \
                or len(self.shape) != len(self.strides):
            raise self.outside()
        return (1 + self.storage.first + self.offset + sum(
            (n - 1) * stride for n, stride in zip(self.shape, self.strides))) * self.itemsize()

    def itemsize(self):
        if self.storage.kind not in STORAGES:
            raise ExportError(f"has the type {self.dtype}, expected real numbers")
        return np.dtype(STORAGES[self.storage.kind]).itemsize

    def outside(self):
        return ExportError(f"is a tensor of shape {list(self.shape)} that reaches outside of its storage")

    def values(self, data):
        """data: the bytes of the storage, at least up to end() -> array of the tensor's type"""
        end, first = self.end(), self.storage.first + self.offset
        if end == 0:
            return np.zeros(self.shape, np.float32)
        if end > len(data):
            raise self.outside()
        elements = np.frombuffer(data, STORAGES[self.storage.kind], count=end // self.itemsize())[first:]
        count = count_of(self.shape)
        if count > max(len(elements), REPEATS_MAX):
            raise ExportError(f"is a tensor of shape {list(self.shape)}, {count:,} values, that "
                              f"repeats the {len(elements):,} of its storage")
        if self.storage.kind == "BFloat16Storage":
            elements = (elements.astype("<u4") << 16).view("<f4")
        strides = [stride * elements.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(elements, self.shape, strides).copy()


def count_of(shape):
    count = 1
    for n in shape:
        count *= n
    return count


class Pickled:
    """The contents of a file: value, with TorchTensors that values() reads, and what was refused."""

    def __init__(self, path, budget, value, refused, read_storage=None):
        self.path, self.budget, self.value, self.refused = path, budget, value, list(refused)
        self.read_storage = read_storage  # (storage, count) -> its first bytes

    def values(self, tensor):
        """Raises ExportError for a kind that cannot be read."""
        if isinstance(tensor, np.ndarray):
            return tensor
        if isinstance(tensor, Unread):
            raise ExportError(f"is a {tensor.kind} tensor, expected a dense one of numbers")
        try:
            self.budget.take(count_of(tensor.shape) * tensor.itemsize())
            return tensor.values(self.read_storage(tensor.storage, tensor.end()))
        except ExportError:
            raise
        except Exception as error:  # a damaged file can raise anything
            raise ExportError(f"cannot be read: {first_line(error)}") from None


def first_line(error):
    lines = str(error).strip().splitlines()
    return printable(f"{type(error).__name__}: {lines[0][:200] if lines else ''}".rstrip(": "))


def read(path, reader):
    """reader(path, Budget) -> Pickled, errors as one sentence"""
    try:
        return reader(path, Budget(path))
    except ExportError:
        raise
    except Exception as error:  # a damaged file can raise anything
        cut_off = ("; it may be truncated" if isinstance(
            error, (zipfile.BadZipFile, pickle.UnpicklingError, EOFError)) else "")
        raise ExportError(f"{path}: cannot read it: {first_line(error)}{cut_off}") from None


def open_member(archive, name, budget):
    """-> (file, its size) of a member of an archive; at most the size is ever inflated"""
    member = archive.getinfo(name)
    if member.compress_type == zipfile.ZIP_STORED:
        return archive.open(member), min(member.file_size, budget.size)
    budget.take(member.file_size, f"{printable(name)} inflated")
    return archive.open(member), member.file_size


def read_npy_header(file):
    """-> (shape, is_fortran, dtype, where the values begin); as long as NumPy's longest, whatever it
    claims to be"""
    start = io.BytesIO(file.read(NPY_HEADER_MAX))
    version = np.lib.format.read_magic(start)
    read_header = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                   else np.lib.format.read_array_header_2_0)
    return (*read_header(start), start.tell())


class Bounded:
    """A file that is never read past its end, whatever a pickle claims."""

    def __init__(self, file, size=None):
        self.file, self.size = file, os.fstat(file.fileno()).st_size if size is None else size
        self.readline, self.readinto = file.readline, file.readinto

    def read(self, count):
        left = self.size - self.file.tell() if count > 1 << 16 else count
        data = self.file.read(min(count, left))
        if len(data) < count:
            raise pickle.UnpicklingError("the file is truncated")
        return data


def read_zip(path, budget):
    """As torch.save writes since PyTorch 1.6: NAME/data.pkl, and NAME/data/KEY for each storage."""
    archive = zipfile.ZipFile(path)
    names = archive.namelist()
    found = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if not found:
        inner = next((name for name in names if name.lower().endswith(CHECKPOINTS)), None)
        raise ExportError(f"{path}: a zip archive with {printable(inner)}: unpack it first" if inner else
                          f"{path}: a zip archive without data.pkl, expected one of torch.save; it "
                          f"holds {printable(', '.join(names[:4]))}{', ...' if names[4:] else ''}")
    folder = found[0].rpartition("/")[0]
    if f"{folder}/constants.pkl" in names:
        raise ExportError(f"{path}: a TorchScript archive, expected a state_dict: "
                          "torch.save(torch.jit.load(FILE).state_dict(), OTHER)")

    def read_storage(storage, size):
        file, whole = open_member(archive, f"{folder}/data/{storage.key}", budget)
        with file:
            return file.read(min(size, whole))

    byteorder = f"{folder}/byteorder"  # there was none at first
    if byteorder in names and archive.open(byteorder).read(16) != b"little":
        raise ExportError(f"{path}: written on a big-endian machine, expected little-endian values")
    file, size = open_member(archive, found[0], budget)
    with file:
        unpickler = SafeUnpickler(Bounded(io.BytesIO(file.read(size)), size), budget, TorchTensor)
    return Pickled(path, budget, unpickler.load(), unpickler.refused, read_storage)


def read_legacy(path, budget):
    """As before PyTorch 1.6: pickles one after the other, the last the keys of the storages, then
    each one's count and elements; or a single pickle, which is the value itself."""
    with open(path, "rb") as file:
        unpickler = SafeUnpickler(Bounded(file), budget, TorchTensor)
        value = unpickler.load()
        if not isinstance(value, int) or value != LEGACY_MAGIC:
            return Pickled(path, budget, value, unpickler.refused)
        for _ in ("protocol", "system"):
            SafeUnpickler(Bounded(file), budget, TorchTensor).load()
        unpickler = SafeUnpickler(Bounded(file), budget, TorchTensor)
        value = unpickler.load()
        places = {}
        for key in SafeUnpickler(Bounded(file), budget, TorchTensor).load():
            count = int.from_bytes(file.read(8), "little")
            kind = unpickler.kinds[key]
            size = count * (np.dtype(STORAGES[kind]).itemsize if kind in STORAGES
                            else SIZES.get(kind, 1))
            places[key] = (file.tell(), size)
            file.seek(size, os.SEEK_CUR)

    def read_storage(storage, size):
        at, whole = places[storage.key]
        with open(path, "rb") as again:
            again.seek(at)
            return Bounded(again).read(min(size, whole))

    return Pickled(path, budget, value, unpickler.refused, read_storage)


def read_pickled_npy(path, budget):
    """np.save of one dictionary."""
    with open(path, "rb") as file:
        _, _, dtype, start = read_npy_header(file)
        file.seek(start)
        if dtype != object:
            raise ExportError(f"{path}: holds one array of {dtype}, expected a dictionary of "
                              "arrays")
        unpickler = SafeUnpickler(Bounded(file), budget, TorchTensor)
        return Pickled(path, budget, unpickler.load().item(), unpickler.refused)
