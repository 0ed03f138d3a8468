"""Paddle's .pdparams and .pdopt: a pickle of NumPy arrays under the names of its layers.

A norm's statistics are called _mean and _variance, a matrix is [I, O], and bfloat16 is kept as uint16. Tensors among
other things, as in {"model": ..., "epoch": 3}, are saved as (name, array).
"""
import numpy as np

NAMES = "StructuredToParameterName@@"
STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}


def array_of(value):
    """-> the array of a tensor that was saved with its name, or the value as it is"""
    is_named = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)
    return value[1] if is_named and isinstance(value[1], np.ndarray) else value


def is_paddle(value, tensors):
    """Whether Paddle wrote the file that holds this value, these tensors among it."""
    if not all(isinstance(tensor, np.ndarray) for tensor in tensors.values()):
        return False
    stems = {key.rpartition(".")[0] for key in tensors if key.endswith("._mean")}
    return isinstance(value, dict) and NAMES in value or any(f"{stem}._variance" in tensors for stem in stems)


def name_of(key):
    stem, dot, leaf = key.rpartition(".")
    return f"{stem}{dot}{STATISTICS.get(leaf, leaf)}"


def layout_of(array):
    return "HWIO" if array.ndim == 2 else "OIHW"


def floats_of(array):
    """-> the array, float32 for bfloat16"""
    return (array.astype("<u4") << 16).view("<f4") if array.dtype == np.uint16 else array
