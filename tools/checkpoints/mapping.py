"""Modules of unknown kinds: a model's JSON written by hand, and a map of its tensors.

A map has lines "TENSOR = KEY": the model's tensor, and the checkpoint's key for it. {i} and {n} on
both sides are the branch, from 0 and from 1; empty lines and text after # are
nothing. The common beginning of several tensors' names maps all of them:
"head.0.conv = fuse" for head.0.conv.weight and head.0.conv.bias. A tensor that no line names has its
own name in the checkpoint.
"""
import json
import pathlib

import ppm_config
import ppm_network

from . import ExportError, foreign
from .recognize import Unfit, check_shapes, wanted_shape
from .tensor import conv_shape

START_BYTES = 4096


def read_lines(path):
    for number, line in enumerate(read_text(path, "lines TENSOR = KEY").splitlines(), 1):
        if line := line.partition("#")[0].strip():
            yield f"{path}:{number}", line


def read_text(path, expected):
    try:
        data = pathlib.Path(path).read_bytes()
        if what := foreign.text_of(data[:START_BYTES]):
            raise ExportError(f"{path}: {what}")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ExportError(f"{path}: cannot read it: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ExportError(f"{path}: found bytes that are not UTF-8, expected {expected}") from None


def parse(lines, branches):
    """lines: (where, "TENSOR = KEY") -> {tensor, or the beginning of some: key}"""
    keys = {}
    for where, line in lines:
        tensor, equals, key = (part.strip() for part in line.partition("="))
        if not (tensor and equals and key):
            raise ExportError(f"{where}: found {line!r}, expected TENSOR = KEY")
        for i in range(branches):
            name = fill_in(tensor, i).removesuffix(".")
            if keys.setdefault(name, fill_in(key, i)) != fill_in(key, i):
                raise ExportError(f"{where}: {name} is mapped to {keys[name]} already")
    return keys


def fill_in(pattern, i):
    return pattern.replace("{i}", str(i)).replace("{n}", str(i + 1))


def read_model(path):
    try:
        config = json.loads(read_text(path, "a model's JSON"))
        ppm_network.check(config)
        ppm_network.tensors(config)
    except ppm_config.ConfigError as error:
        raise ExportError(f"{path}: not a model's JSON (docs/models.md): {error}") from None
    except json.JSONDecodeError as error:
        raise ExportError(f"{path}: not JSON: {error.msg.lower()} at line {error.lineno}, column "
                          f"{error.colno}: expected a model's JSON (docs/models.md)") from None
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as error:
        raise ExportError(f"{path}: not a model's JSON (docs/models.md) "
                          f"({type(error).__name__}: {error})") from None
    return config


def export_mapped(checkpoint, model_path, lines):
    """-> (configuration, {tensor of the model: name in the checkpoint})"""
    config = read_model(model_path)
    weights = config.get("weights", {})
    config["weights"] = {key: weights[key] for key in ("kernel_layout",) if key in weights}
    keys = parse(lines, ppm_network.branch_count(config))
    wanted = {tensor.name: tensor for tensor in ppm_network.tensors({**config, "weights": {}})}
    check_lines(model_path, keys, wanted)
    names = names_of(checkpoint)
    sources = {}
    for name in wanted:
        key = key_for(name, keys) or weights.get("prefix", "") + name
        if key not in names:
            raise ExportError(f"{checkpoint.path}: has no {key} for {name}; --list shows what is "
                              f"there, --map chooses another{without(key, names, wanted[name])}")
        sources[name] = names[key]
    try:
        settle_layouts(checkpoint, sources, wanted)
        check_shapes(checkpoint, {**config, "weights": {}}, sources)
    except Unfit as reason:
        raise ExportError(f"{checkpoint.path}: {reason}") from None
    return config, sources


def check_lines(model_path, keys, wanted):
    for line in keys:
        if not any(name == line or name.startswith(f"{line}.") for name in wanted):
            layers = list(dict.fromkeys(name.rpartition(".")[0] for name in wanted))
            raise ExportError(f"{model_path}: has no tensor {line}; layers with tensors are "
                              + (", ".join(layers[:8]) + (", ..." if layers[8:] else "") or "none"))


def names_of(checkpoint):
    """{name that a line may use: tensor}"""
    names = {}
    for of in (lambda tensor, name: [name], lambda tensor, _: tensor.aliases,
               lambda tensor, _: [tensor.key]):
        for name, tensor in checkpoint.tensors.items():
            for called in of(tensor, name):
                names[called] = name
    return names


def key_for(name, keys):
    """From the line with the longest match of the name; None if there is none."""
    stem, leaf = name, ""
    while stem:
        if stem in keys:
            return keys[stem].removesuffix(".") + leaf
        stem, _, last = stem.rpartition(".")
        leaf = f".{last}{leaf}"
    return None


def without(key, names, tensor):
    """A hint, if the missing tensor is optional in its layer."""
    option = {"bias": "bias", "gamma": "scale", "beta": "center"}.get(tensor.role)
    layer = key.rpartition(".")[0]
    if option and any(name.startswith(f"{layer}.") for name in names):
        return f"; if {layer} has none, write \"{option}\": false in its layer"
    return ""


def settle_layouts(checkpoint, sources, wanted):
    """Chooses the order of a kernel by its shape if its name does not tell; else the user has to."""
    for name, tensor in wanted.items():
        found = checkpoint.tensors[sources[name]]
        if tensor.role != "weight" or found.layout:
            continue
        fit = [layout for layout in ("OIHW", "HWIO")
               if conv_shape(found.shape, layout) == wanted_shape(tensor)]
        if len(fit) > 1 and set(found.shape) != {1}:
            raise Unfit(f"{found.key} of shape {list(found.shape)} may be [O, I, H, W] as in PyTorch or "
                        "[H, W, I, O] as in TensorFlow, [O, I] or [I, O]: choose with --kernels OIHW "
                        "or HWIO")
        found.layout = fit[0] if fit else "OIHW"
