"""Reads a checkpoint: its tensors by name, whatever the format.

Which format it is, its first bytes say. Names are PyTorch's in the end: what TensorFlow and Keras
call conv2d/kernel:0 or bn/moving_mean is conv2d.weight or bn.running_mean here, so that the rest
needs to know one kind of name.
"""
import pathlib
import zipfile

import numpy as np

import safetensors_io

from . import ExportError, entries, pickled
from .pickled import first_line

# TensorFlow's and Keras's parameters, those of caffe-tensorflow among them
LEAVES = {"kernel": "weight", "weights": "weight", "gamma": "weight", "scale": "weight",
          "alpha": "weight", "bias": "bias", "biases": "bias", "beta": "bias", "offset": "bias",
          "moving_mean": "running_mean", "mean": "running_mean",
          "moving_variance": "running_var", "variance": "running_var"}

TENSORFLOW = (".index", ".meta")  # and .data-00000-of-00001


class Tensor:
    """One tensor of a checkpoint: its key there, its shape, and read() for its float32 values."""

    def __init__(self, key, shape, read):
        self.key, self.shape, self.read = key, tuple(shape), read


class Checkpoint:
    """tensors: {name: Tensor}; kernels_are_hwio: convolutions are [H, W, I, O]; entry: what of the
    file was taken, None for all of it; refused: what in it is not read, as it could run code."""

    def __init__(self, path, tensors, kernels_are_hwio=False, entry=None, refused=()):
        self.path, self.tensors, self.refused = path, tensors, refused
        self.kernels_are_hwio, self.entry = kernels_are_hwio, entry


def read(path, entry=None):
    path = pathlib.Path(path)
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise ExportError(f"{path}: cannot read it: {error.strerror}") from None
    if path.suffix in TENSORFLOW or ".data-" in path.name:
        raise ExportError(f"{path}: a TensorFlow checkpoint, which TensorFlow alone can read; "
                          "docs/weights.md says how it makes an .npz of it")
    return reader_of(path, start)(path, entry)


def reader_of(path, start):
    if start.startswith(b"\x89HDF"):
        return read_hdf5
    if start.startswith(b"\x93NUMPY"):
        return read_npy
    if start[8:9] == b"{":
        return read_safetensors
    if start.startswith(b"PK") and is_npz(path):
        return read_npz
    if start.startswith(b"PK"):
        return read_torch
    if start.startswith(b"\x80"):
        return read_legacy_torch
    raise ExportError(f"{path}: begins with {start[:8]!r}, expected a PyTorch checkpoint, Keras "
                      ".h5, NumPy .npz or .npy, or safetensors")


def is_npz(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return False
    return any(name.endswith(".npy") for name in names)


def read_torch(path, entry):
    return read_pickled(pickled.read(path, pickled.read_zip), entry)


def read_legacy_torch(path, entry):
    return read_pickled(pickled.read(path, pickled.read_legacy), entry)


def read_pickled(found, entry):
    entry, tensors = entries.state_dict(found, entry)
    return Checkpoint(found.path, {key: Tensor(key, tensor.shape,
                                               lambda tensor=tensor: found.values(tensor))
                                   for key, tensor in tensors.items()},
                      entry=entry, refused=found.refused)


def read_safetensors(path, _):
    dtypes = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}

    def reader(dtype, shape, data):
        def read_values():
            if dtype == "BF16":
                words = np.frombuffer(data, "<u2").astype("<u4") << 16
                return words.view("<f4").reshape(shape)
            if dtype not in dtypes:
                raise ExportError(f"{path}: holds {dtype}, expected floats")
            return np.frombuffer(data, dtypes[dtype]).astype("<f4").reshape(shape)
        return read_values

    try:
        found = list(safetensors_io.entries(memoryview(path.read_bytes())))
    except Exception as error:  # whatever a damaged header leads to
        raise ExportError(f"{path}: not a safetensors file: {first_line(error)}") from None
    return Checkpoint(path, {key: Tensor(key, shape, reader(dtype, shape, data))
                             for key, dtype, shape, data in found})


def read_hdf5(path, _):
    try:
        import h5py
    except ImportError:
        raise ExportError(f"{path}: reading it takes h5py (apt-get install python3-h5py, and run "
                          "this with /usr/bin/python3)") from None
    arrays = {}

    def take(name, dataset):
        if isinstance(dataset, h5py.Dataset):  # in the folder of its layer: conv1/conv1/kernel:0
            key = name.partition("/")[2] or name
            arrays[name if key in arrays else key] = dataset

    try:
        file = h5py.File(path, "r")
        file.get("model_weights", file).visititems(take)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"{path}: h5py cannot read it: {first_line(error)}") from None
    return named_by_pytorch(path, arrays)


def read_npz(path, _):
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception as error:  # a damaged archive, or objects in it
        raise ExportError(f"{path}: NumPy cannot read it: {first_line(error)}") from None
    return named_by_pytorch(path, arrays)


def read_npy(path, _):
    found = pickled.read(path, pickled.read_pickled_npy)
    return named_by_pytorch(path, entries.flatten(found), found.refused)


def pytorch_name(key):
    """conv5_4/weights:0 -> conv5_4.weight; None for a key of another style."""
    stem, slash, leaf = key.partition(":")[0].rpartition("/")
    return f"{stem}.{LEAVES[leaf]}" if slash and leaf in LEAVES else None


def named_by_pytorch(path, arrays, refused=()):
    """arrays: {key: NumPy array, or a dataset that becomes one}"""
    names = {key: pytorch_name(key) for key in arrays}
    tensors = {names[key] or key: Tensor(key, array.shape,
                                         lambda array=array: np.asarray(array, np.float32))
               for key, array in arrays.items()}
    return Checkpoint(path, tensors, kernels_are_hwio=any(names.values()), refused=refused)
