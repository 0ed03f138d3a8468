"""Keras's files: .h5 as Keras 2 writes it, .weights.h5 and .keras as Keras 3 does.

Keras 3 calls a layer's tensors layers/conv2d_1/vars/0: the class, how many of it came before, and
which of its variables. The layers' own names are attributes of these folders, or in the .keras file's config.json.
"""
import collections
import io
import json
import math
import re
import zipfile

from . import ExportError, keras_order
from .pickled import first_line, open_member
from .sizes import Budget
from .tensor import LAYOUTS, Tensor, leaf_of, named_by_pytorch, unread

VARIABLE = re.compile(r"(.+)/vars/(\d+)")
CONV, NORM = ("kernel", "bias"), ("gamma", "beta", "moving_mean", "moving_variance")
CONFIG_BYTES_MAX = 64 << 20
DEPTH_MAX = 4  # of a layer's name, between slashes
TEXT_BYTES_MAX = 1 << 16


def read_hdf5(path):
    return read_datasets(path, str(path), Budget(path), {})


def read_keras(path):
    """A zip with model.weights.h5 and config.json."""
    budget = Budget(path)
    try:
        with zipfile.ZipFile(path) as archive:
            file, size = open_member(archive, "model.weights.h5", budget)
            weights = io.BytesIO(file.read(size))
            names = configured_names(archive, budget)
    except ExportError:
        raise
    except Exception as error:  # a damaged archive
        raise ExportError(f"{path}: cannot read it: {first_line(error)}") from None
    return read_datasets(path, weights, budget, names)


def configured_names(archive, budget):
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
        is_keras = any(mark in group.attrs for mark in ("layer_names", "layer_names0", "keras_version"))
        group.visititems(take)
        names = legacy_names(arrays) if is_keras else variable_names(arrays, layers)
        tensors = {key: hdf5_tensor(key, name, arrays[name], budget, is_keras)
                   for key, name in names.items()}
    except Exception as error:  # a damaged file can raise anything
        raise ExportError(f"{path}: h5py cannot read it: {first_line(error)}") from None
    return keras_order.named(named_by_pytorch(path, tensors))


def legacy_names(arrays):
    """{key: name in the file}: a layer's folder holds its tensors, mostly below its name once more, but also below
    that of the model or the scope in which it was made: bn1/resnet/bn1/gamma. A model in a model is one folder."""
    parents = collections.defaultdict(set)
    for name in arrays:
        parents[folder_of(name)].add(name.rpartition("/")[0])
    names = {}
    for name in arrays:
        folder = folder_of(name)
        rest = name[len(folder) + 1:]
        key = f"{folder}/{name.rpartition('/')[2]}" if rest and len(parents[folder]) == 1 else rest or name
        names[name if key in names else key] = name
    return names


def folder_of(name):
    """Of a layer, whose name may have slashes: conv1/conv for conv1/conv/conv1/conv/kernel:0"""
    parts = name.split("/")[:-1]
    length = next((i for i in range(min(len(parts) // 2, DEPTH_MAX), 1, -1) if parts[:i] == parts[-i:]), 1)
    return "/".join(parts[:length]) or name


def variable_names(arrays, layers):
    """The same for Keras 3; of a file of another kind, each key is its name. Which variable is which
    follows from their number and shapes, if nothing else tells."""
    variables = collections.defaultdict(dict)
    for name in arrays:
        if found := VARIABLE.fullmatch(name):
            variables[found[1]][int(found[2])] = name
    names, called = {name: name for name in arrays}, own_names(arrays, variables, layers)
    for stem, numbered in variables.items():
        for i, leaf in enumerate(leaves_of([arrays[numbered[i]].shape for i in sorted(numbered)])):
            if i in numbered:
                del names[numbered[i]]
                names[f"{called.get(stem, stem)}/{leaf}"] = numbered[i]
    return names


def own_names(arrays, variables, layers):
    """{"layers/conv2d": "conv0"}: what the layers of these folders are called, by the file or by config.json"""
    called = {}
    for stem, numbered in variables.items():
        container, _, layer = stem.rpartition("/")
        name = attribute(arrays[next(iter(numbered.values()))].parent, "name")  # since Keras 3.8
        if name is None and container in ("layers", "_layer_checkpoint_dependencies"):
            name = layers.get(layer)
        if name:
            called[stem] = name
    counts = collections.Counter(called.values())
    return {stem: name for stem, name in called.items() if counts[name] == 1}


def attribute(of, name):
    """-> a text, None if it is none: one whose type is looked at first, since the library trusts a damaged one"""
    import h5py
    if name not in of.attrs:
        return None
    found = h5py.h5a.open(of.id, name.encode())
    if not isinstance(found.get_type(), h5py.h5t.TypeStringID) or found.shape != () \
            or not 0 < found.get_type().get_size() <= TEXT_BYTES_MAX:
        return None
    value = of.attrs[name]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def leaves_of(shapes):
    """What the variables of these shapes are, () if they do not tell; a norm of three has no gamma."""
    if len(shapes) in (3, 4) and len(set(shapes)) == 1 and len(shapes[0]) == 1:
        return NORM[4 - len(shapes):]
    return CONV if len(shapes) <= 2 and len(shapes[0]) in (2, 4) else ()


def hdf5_tensor(key, name, dataset, budget, is_keras):
    shape = dataset.shape or ()
    try:
        dtype = dataset.dtype
    except TypeError:  # a date, for example
        return unread(key, shape, "that NumPy does not have")

    def read_values():
        is_bfloat16 = dtype.itemsize == 2 and attribute(dataset, "dtype") == "bfloat16"
        if dtype.kind not in "biuf" and not is_bfloat16:
            raise ExportError(f"has the type {dtype}, expected real numbers")
        if dataset.external or dataset.is_virtual:
            raise ExportError("is in another file, which is not read")
        chunk = math.prod(dataset.chunks or ()) * dtype.itemsize
        budget.take(max(math.prod(shape) * dtype.itemsize, chunk))
        values = dataset[()]
        return (values.view("<u2").astype("<u4") << 16).view("<f4") if is_bfloat16 else values

    is_keras = is_keras or VARIABLE.fullmatch(name)
    shown = name if name.startswith(key.rpartition("/")[0] + "/vars/") else key
    return Tensor(shown, shape, dtype, read_values, "HWIO" if is_keras else LAYOUTS.get(leaf_of(key)),
                  (name, name.partition("/")[2]))
