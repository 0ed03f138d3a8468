"""Reads a checkpoint of any format, detected from its first bytes: its tensors by name."""
import json
import math
import os
import pathlib
import struct
import zipfile

import numpy as np

from . import ExportError, entries, foreign, keras, paddle, pickled
from .pickled import TorchTensor, Unread, first_line
from .sizes import Budget
from .tensor import LAYOUTS, Checkpoint, Tensor, leaf_of, named_by_pytorch, unread

TENSORFLOW = (".index", ".meta")  # and .data-00000-of-00001
START_BYTES = 4096
HEADER_BYTES_MAX = 100 << 20  # of safetensors

SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
               "I16": "<i2", "I8": "<i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1",
               "BOOL": "?"}
FORMATS = {"pt": "OIHW", "tf": "HWIO", "flax": "HWIO", "jax": "HWIO", "keras": "HWIO"}


def read_parts(paths, entry=None):
    """-> the Checkpoint of a network whose parts are in several files: the tensors of all of them"""
    parts = [read(path, entry) for path in paths]
    if len(parts) == 1:
        return parts[0]
    tensors = {}
    for part in parts:
        if both := next((name for name in part.tensors if name in tensors), None):
            raise ExportError(f"{part.path}: has {part.tensors[both].key} like a file before it, expected another part of "
                              "the network")
        tensors.update(part.tensors)
    path = ", ".join(str(part.path) for part in parts)
    return Checkpoint(path, tensors, refused=[name for part in parts for name in part.refused])


def read(path, entry=None):
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            raise ExportError(f"{path}: a folder, expected a checkpoint in it")
        with open(path, "rb") as file:
            start = file.read(START_BYTES)
    except OSError as error:
        raise ExportError(f"{path}: cannot read it: {error.strerror}") from None
    if path.suffix in TENSORFLOW or ".data-" in path.name:
        raise ExportError(f"{path}: a TensorFlow checkpoint, which only TensorFlow can read; "
                          "docs/weights.md says how to convert it to .npz")
    found = reader_of(path, start)(path, entry)
    if entry is not None and found.entry is None:
        raise ExportError(f"{path}: entry {entry!r}: this kind of file has no entries")
    return found


def reader_of(path, start):
    if start.startswith(b"\x89HDF"):
        return lambda path, _: keras.read_hdf5(path)
    if start.startswith(b"\x93NUMPY"):
        return read_npy
    if start[8:9] == b"{":
        return read_safetensors
    if start.startswith(b"PK"):
        return reader_of_archive(path)
    if start.startswith(b"\x80"):
        return read_legacy_torch
    raise ExportError(f"{path}: {foreign.what_is(path, start)}")


def reader_of_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return read_torch  # which says what is wrong
    if "model.weights.h5" in names:
        return lambda path, _: keras.read_keras(path)
    return read_npz if any(name.endswith(".npy") for name in names) else read_torch


def read_torch(path, entry):
    return read_pickled(pickled.read(path, pickled.read_zip), entry)


def read_legacy_torch(path, entry):
    return read_pickled(pickled.read(path, pickled.read_legacy), entry)


def read_pickled(found, entry):
    checkpoint = None
    for name, tensors in reversed(entries.weights_of(found, entry)):
        read_one = paddle_tensor if paddle.is_paddle(found.value, tensors) else pickled_tensor
        named = paddle.name_of if read_one is paddle_tensor else str
        checkpoint = Checkpoint(found.path, {named(key): read_one(found, key, tensor)
                                             for key, tensor in tensors.items()},
                                name, found.refused, checkpoint)
    if entry is None and (others := entries.alike(found.value, checkpoint.entry)):
        checkpoint.assumed = (f"the entry {', '.join(map(repr, others))} has the same tensors with other values: "
                              f"--entry {others[0]}")
    return checkpoint


def paddle_tensor(_, key, array):
    return Tensor(key, array.shape, array.dtype, lambda: paddle.floats_of(array), paddle.layout_of(array))


def pickled_tensor(found, key, tensor):
    dtype = tensor.kind if isinstance(tensor, Unread) else tensor.dtype
    layout = "OIHW" if isinstance(tensor, TorchTensor) else LAYOUTS.get(leaf_of(key))
    return Tensor(key, tensor.shape, dtype, lambda: found.values(tensor), layout)


def read_safetensors(path, _):
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size - 8
            length = struct.unpack("<Q", file.read(8))[0]
            if length > min(size, HEADER_BYTES_MAX):
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", None) or {}
        layout = FORMATS.get(str(metadata.get("format")))
        tensors = {key: safetensors_tensor(path, key, entry, 8 + length, size - length, layout)
                   for key, entry in header.items()}
    except Exception as error:  # whatever a damaged header leads to
        raise ExportError(f"{path}: not a safetensors file: {first_line(error)}") from None
    return named_by_pytorch(path, tensors)


def safetensors_tensor(path, key, entry, start, size, layout):
    dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    numbers = [begin, end, *shape]
    if not all(type(n) is int and n >= 0 for n in numbers) or not begin <= end <= size:
        raise ValueError(f"{key} is outside of it")
    known = SAFETENSORS.get(dtype)
    if known and math.prod(shape) * np.dtype(known).itemsize != end - begin:
        raise ValueError(f"{key} of shape {shape} has {end - begin} bytes")

    def read_values():
        if not known:
            raise ExportError(f"has the type {dtype}, expected real numbers")
        with open(path, "rb") as file:
            file.seek(start + begin)
            values = np.frombuffer(file.read(end - begin), known).reshape(shape)
        return (values.astype("<u4") << 16).view("<f4") if dtype == "BF16" else values

    return Tensor(key, shape, dtype, read_values, layout or LAYOUTS.get(leaf_of(key)))


def read_npz(path, _):
    try:
        budget, tensors = Budget(path), {}
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    key = name[:-len(".npy")]
                    tensors[key] = npz_tensor(path, archive, name, key, budget)
    except Exception as error:  # a damaged archive
        raise ExportError(f"{path}: NumPy cannot read it: {first_line(error)}") from None
    return named_by_pytorch(path, tensors)


def npz_tensor(path, archive, name, key, budget):
    try:
        with archive.open(name) as file:
            shape, is_fortran, dtype, start = pickled.read_npy_header(file)
    except ValueError as error:
        return unread(key, (), f"that NumPy cannot read ({first_line(error)})")

    def read_values():
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "biuf":
            raise ExportError(f"has the type {dtype}, expected real numbers")
        budget.take(size)
        with zipfile.ZipFile(path) as again, again.open(name) as file:
            file.read(start)
            data = file.read(size)
        return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")

    return Tensor(key, shape, dtype, read_values, LAYOUTS.get(leaf_of(key)))


def read_npy(path, _):
    found = pickled.read(path, pickled.read_pickled_npy)
    flat = entries.flatten(found)
    return named_by_pytorch(path, {key: Tensor(key, array.shape, array.dtype, lambda array=array: array,
                                               LAYOUTS.get(leaf_of(key)))
                                   for key, array in flat.items()}, found.refused)
