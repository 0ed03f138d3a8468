"""Writes a model: its JSON, and its weights as safetensors."""
import json
import os

import numpy as np
import safetensors_io
from checkpoints import ExportError

LARGEST = {"F32": float(np.finfo(np.float32).max), "F16": 65504.0, "BF16": 3.3895313892515355e38}


def values_of(checkpoint, sources, dtype):
    """-> {tensor of the model: (shape, flat float32 array)}"""
    result = {}
    for name, source in sources.items():
        found = checkpoint.tensors[source.name]
        where = f"{checkpoint.path}: {found.key}"
        values = as_dtype(found.values(checkpoint.path), dtype, where)
        if name.endswith(".running_var") and values.min(initial=0) < 0:
            raise ExportError(f"{where} holds {values.min():.8g}, expected variances, which are not below 0")
        values = values.transpose(source.axes) if source.axes else values
        result[name] = (source.shape, np.ascontiguousarray(values).reshape(-1))
    return result


def as_dtype(values, dtype, where):
    """-> float32; raises ExportError for values that the weights file cannot hold"""
    if not np.isfinite(values).all():
        raise ExportError(f"{where} holds values that are not finite")
    largest = values.flat[np.abs(values).argmax()] if values.size else 0
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16 if dtype == "F16" else np.float32)
    if not np.isfinite(rounded).all() or dtype == "BF16" and abs(largest) > LARGEST["BF16"]:
        way_out = "; --dtype F32 holds it" if abs(largest) <= LARGEST["F32"] else ""
        raise ExportError(f"{where} holds {largest:.8g}, but the largest number in {dtype} is "
                          f"{LARGEST[dtype]:.8g}{way_out}")
    if values.any() and not rounded.any():
        raise ExportError(f"{where} holds {largest:.8g} at most, which {dtype} rounds to 0"
                          + ("; --dtype F32 holds it" if np.float32(largest) else ""))
    return values.astype(np.float32)


def write(options, config, tensors):
    """Writes both files or, on failure, none; existing files then stay as they were."""
    model, weights = options.model, options.model.with_suffix(".safetensors")
    new = [file.with_name(f".{file.name}.{os.getpid()}") for file in (weights, model)]
    try:
        safetensors_io.save(new[0], tensors, options.dtype)
        new[1].write_text(as_json(config), encoding="utf-8")
        os.replace(new[0], weights)
        os.replace(new[1], model)
    except OSError as error:
        raise ExportError(f"{weights}: cannot write it: {error.strerror}") from None
    finally:
        for file in new:
            file.unlink(missing_ok=True)
    return weights


def as_json(config):
    """A line for each key, and for each layer of a stack or network."""
    def text(key, value):
        if key in ("branch", "head", "branches", "network", "classes"):
            return "[\n    " + ",\n    ".join(json.dumps(layer) for layer in value) + " ]"
        return json.dumps(value)

    return "{\n" + ",\n".join(f'  "{key}": {text(key, value)}'
                              for key, value in config.items()) + "\n}\n"
