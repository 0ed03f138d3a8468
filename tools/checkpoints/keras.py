"""Keras's files: .h5 as Keras 2 writes it, .weights.h5 and .keras as Keras 3 does.

Keras 3 calls a layer's tensors layers/conv2d_1/vars/0: the class, how many of it came before, and
which of its variables. The layers' own names are in the .keras file's config.json.
"""
import collections
import io
import json
import math
import re
import zipfile

from . import ExportError
from .pickled import first_line, open_member
from .sizes import Budget
from .tensor import LAYOUTS, Tensor, leaf_of, named_by_pytorch

VARIABLE = re.compile(r"(.+)/vars/(\d+)")
CONV, NORM = ("kernel", "bias"), ("gamma", "beta", "moving_mean", "moving_variance")
CONFIG_BYTES_MAX = 64 << 20


def read_hdf5(path):
    return read_datasets(path, str(path), Budget(path), {})


def read_keras(path):
    """A zip with model.weights.h5 and config.json."""
    budget = Budget(path)
    try:
        with zipfile.ZipFile(path) as archive:
            file, size = open_member(archive, "model.weights.h5", budget)
            weights = io.BytesIO(file.read(size))
            names = layer_names(archive, budget)
    except ExportError:
        raise
    except Exception as error:  # a damaged archive
        raise ExportError(f"{path}: cannot read it: {first_line(error)}") from None
    return read_datasets(path, weights, budget, names)


def layer_names(archive, budget):
    """{"conv2d_1": "psp_level2_conv"} by config.json, for the layers of a model that is not nested"""
    if "config.json" not in archive.namelist():
        return {}
    file, size = open_member(archive, "config.json", budget)
    try:
        layers = json.loads(file.read(min(size, CONFIG_BYTES_MAX)))["config"]["layers"]
        counts, names = collections.Counter(), {}
        for layer in layers:
            kind = snake_case(layer["class_name"])
            number = counts[kind]
            counts[kind] += 1
            names[f"{kind}_{number}" if number else kind] = str(layer["config"]["name"])
        return names
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}  # a model of a class of one's own has none


def snake_case(name):
    """Conv2D -> conv2d, as Keras has it"""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def read_datasets(path, file, budget, layers):
    try:
        import h5py
    except ImportError:
        raise ExportError(f"{path}: reading it takes h5py (apt-get install python3-h5py, and run "
                          "this with /usr/bin/python3)") from None
    arrays = {}

    def take(name, dataset):
        if isinstance(dataset, h5py.Dataset):  # in the folder of its layer: conv1/conv1/kernel:0
            arrays[name] = dataset

    try:
        root = h5py.File(file, "r")
        link = root.get("model_weights", getlink=True)  # not into another file
        group = root["model_weights"] if isinstance(link, h5py.HardLink) else root
        is_keras = any(mark in group.attrs for mark in ("layer_names", "keras_version"))
        group.visititems(take)
        names = legacy_names(arrays) if is_keras else variable_names(arrays, layers)
        tensors = {key: hdf5_tensor(key, name, arrays[name], budget, is_keras)
                   for key, name in names.items()}
    except Exception as error:  # a damaged file can raise anything
        raise ExportError(f"{path}: h5py cannot read it: {first_line(error)}") from None
    return named_by_pytorch(path, tensors)


def legacy_names(arrays):
    """{key: name in the file}: a layer's folder holds its tensors by their own, whole names."""
    names = {}
    for name in arrays:
        key = name.partition("/")[2] or name
        names[name if key in names else key] = name
    return names


def variable_names(arrays, layers):
    """The same for Keras 3; of a file of another kind, each key is its name. Which variable is which
    follows from their number and shapes, if nothing else tells."""
    variables = collections.defaultdict(dict)
    for name in arrays:
        if found := VARIABLE.fullmatch(name):
            variables[found[1]][int(found[2])] = name
    names = {name: name for name in arrays}
    for stem, numbered in variables.items():
        container, _, layer = stem.rpartition("/")
        is_outer = container in ("layers", "_layer_checkpoint_dependencies")
        own = layers.get(layer) if is_outer else None
        shapes = [arrays[numbered[i]].shape for i in sorted(numbered)]
        leaves = NORM if len(shapes) == 4 and len(set(shapes)) == 1 and len(shapes[0]) == 1 else (
            CONV if len(shapes) <= 2 and len(shapes[0]) in (2, 4) else ())
        for i, leaf in enumerate(leaves):
            if i in numbered:
                del names[numbered[i]]
                names[f"{own or stem}/{leaf}"] = numbered[i]
    return names


def hdf5_tensor(key, name, dataset, budget, is_keras):
    shape, dtype = dataset.shape or (), dataset.dtype

    def read_values():
        if dtype.kind not in "biuf":
            raise ExportError(f"has the type {dtype}, expected real numbers")
        if dataset.external or dataset.is_virtual:
            raise ExportError("is in another file, which is not read")
        chunk = math.prod(dataset.chunks or ()) * dtype.itemsize
        budget.take(max(math.prod(shape) * dtype.itemsize, chunk))
        return dataset[()]

    is_keras = is_keras or VARIABLE.fullmatch(name)
    shown = name if name.startswith(key.rpartition("/")[0] + "/vars/") else key
    return Tensor(shown, shape, dtype, read_values, "HWIO" if is_keras else LAYOUTS.get(leaf_of(key)),
                  (name, name.partition("/")[2]))
