"""Which of a file's entries are the weights: training scripts save them among other things."""
import numpy as np

from . import ExportError
from .pickled import TorchTensor

# how they are called, the usual ones first
ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights",
           "params", "state_dict_ema", "model_ema")


def tensors_of(value):
    return ({str(key): x for key, x in value.items() if isinstance(x, (TorchTensor, np.ndarray))}
            if isinstance(value, dict) else {})


def state_dict(pickled, entry):
    """-> (the entry, None for the whole file; {key: tensor})"""
    path, value = pickled.path, pickled.value
    if not isinstance(value, dict):
        raise ExportError(f"{path}: holds {what(value)}, expected a state_dict{advice(pickled)}")
    names = ", ".join(map(str, value)) or "none"
    if entry is not None:
        if not tensors_of(value.get(entry)):
            raise ExportError(f"{path}: entry {entry!r}: found no tensors there, the entries are "
                              f"{names}{advice(pickled)}")
        return entry, tensors_of(value[entry])
    if tensors_of(value):
        return None, tensors_of(value)
    found = [key for key, inner in value.items() if tensors_of(inner)]
    usual = [key for key in ENTRIES if key in found]
    if not usual and len(found) > 1:
        raise ExportError(f"{path}: found weights in more than one entry: "
                          f"{', '.join(map(str, found))}; --entry names one")
    if not found:
        raise ExportError(f"{path}: found no state_dict among its entries, which are {names}"
                          f"{advice(pickled)}")
    chosen = (usual or found)[0]
    return chosen, tensors_of(value[chosen])


def what(value):
    return "an object" if type(value).__name__ == "StandIn" else f"a {type(value).__name__}"


def advice(pickled):
    if not pickled.refused:
        return ""
    return (f"; refused, as reading it could run code: {', '.join(pickled.refused[:4])}; where you "
            "trust the file, save the weights alone: torch.save(model.state_dict(), FILE)")


def flatten(pickled):
    """{layer: {parameter: array}} -> {"layer/parameter": array}"""
    if not isinstance(pickled.value, dict):
        raise ExportError(f"{pickled.path}: holds {what(pickled.value)}, expected a dictionary of "
                          f"arrays{advice(pickled)}")
    flat = {}
    for name, inner in pickled.value.items():
        for leaf, array in (inner if isinstance(inner, dict) else {"": inner}).items():
            if isinstance(array, np.ndarray):
                flat[f"{name}/{leaf}".rstrip("/")] = array
    return flat
