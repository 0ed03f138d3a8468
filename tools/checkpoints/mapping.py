"""Modules that no kind describes: a model's JSON by hand, and which tensor is which.

A map has lines "TENSOR = KEY": the model's tensor, and the checkpoint's key for it. {i} and {n} on
both sides stand for each branch, counted from 0 and from 1; empty lines and what follows # are
nothing. A tensor that no line names has its own name in the checkpoint.
"""
import json
import pathlib

import ppm_config

from . import ExportError
from .recognise import Unfit, check_shapes


def read_lines(path):
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path}: cannot read it: {error}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line := line.partition("#")[0].strip():
            yield f"{path}:{number}", line


def parse(lines, branches):
    """lines: (where, "TENSOR = KEY") -> {tensor: key}"""
    keys = {}
    for where, line in lines:
        tensor, equals, key = (part.strip() for part in line.partition("="))
        if not (tensor and equals and key):
            raise ExportError(f"{where}: found {line!r}, expected TENSOR = KEY")
        for i in range(branches):
            name = fill_in(tensor, i)
            if keys.setdefault(name, fill_in(key, i)) != fill_in(key, i):
                raise ExportError(f"{where}: {name} is mapped to {keys[name]} already")
    return keys


def fill_in(pattern, i):
    return pattern.replace("{i}", str(i)).replace("{n}", str(i + 1))


def read_model(path):
    try:
        config = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        list(ppm_config.tensors(config))
    except OSError as error:
        raise ExportError(f"{path}: cannot read it: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ExportError(f"{path}: not a model's JSON as docs/models.md has it "
                          f"({type(error).__name__}: {error})") from None
    return config


def export_mapped(checkpoint, model_path, lines):
    """-> (configuration, {tensor of the model: name in the checkpoint})"""
    config = read_model(model_path)
    weights = config.get("weights", {})
    config["weights"] = {key: weights[key] for key in ("kernel_layout",) if key in weights}
    prefix = weights.get("prefix", "")
    keys = parse(lines, len(ppm_config.branch_stacks(config)))
    names = {tensor.key: name for name, tensor in checkpoint.tensors.items()}
    wanted = {tensor.name for tensor in ppm_config.tensors(config)}
    if unknown := sorted(set(keys) - wanted):
        raise ExportError(f"{model_path}: has no tensor {unknown[0]}, its tensors are "
                          + ", ".join(sorted(wanted)))
    sources = {name: names.get(keys.get(name, prefix + name)) for name in wanted}
    if missing := sorted(name for name, source in sources.items() if source is None):
        raise ExportError(f"{checkpoint.path}: has no {keys.get(missing[0], prefix + missing[0])} "
                          f"for {missing[0]}; --list shows what is there, --map names another")
    try:
        check_shapes(checkpoint, {**config, "weights": {
            "kernel_layout": "HWIO" if checkpoint.kernels_are_hwio else "OIHW"}}, sources)
    except Unfit as reason:
        raise ExportError(f"{checkpoint.path}: {reason}") from None
    return config, sources
