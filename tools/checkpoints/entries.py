"""Finds the weights among a file's entries: training scripts save other things with them."""
import numpy as np

from . import ExportError, paddle
from .pickled import StandIn, TorchTensor, Unread
from .sizes import printable

# names of such entries, the usual ones first
ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights",
           "params", "state_dict_ema", "model_ema")
NOT_WEIGHTS = ("optim", "sched", "callback", "loop", "rng", "hyper")  # what such entries begin with
DEPTH_MAX = 4
ENTRIES_SHOWN_MAX = 12


def tensors_of(value):
    items = value.items() if isinstance(value, dict) else ()
    return {str(key): x for key, x in ((key, paddle.array_of(x)) for key, x in items)
            if isinstance(x, (TorchTensor, Unread, np.ndarray))}


def entries_of(value):
    """{name: value} of entries that may hold a state_dict"""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {str(key): inner for key, inner in items
            if isinstance(inner, (dict, list, tuple)) and not hasattr(inner, "_fields")}


def levels_of(value):
    """Yields for each depth {dotted name: tensors} of the entries that have any."""
    level, seen = entries_of(value), set()
    for _ in range(DEPTH_MAX):
        once = {}
        for name, inner in level.items():
            if id(inner) not in seen:
                seen.add(id(inner))
                once[name] = inner
        yield {name: tensors for name, inner in once.items() if (tensors := tensors_of(inner))}
        level = {f"{name}.{key}": x for name, inner in once.items()
                 if not name.rpartition(".")[2].lower().startswith(NOT_WEIGHTS)
                 for key, x in entries_of(inner).items()}


def weights_of(pickled, entry):
    """-> [(entry, None for the whole file; {key: tensor})], to be tried in order"""
    path, value = pickled.path, pickled.value
    if not isinstance(value, (dict, list, tuple)) or hasattr(value, "_fields"):
        raise ExportError(f"{path}: holds {what(value)}, expected a state_dict{advice(pickled)}")
    if entry is not None:
        names = entry.split(",") if entry not in entries_of(value) else [entry]
        return joined({name: tensors_of(find(pickled, name.strip())) for name in names})
    if is_state_dict(value):
        return [(None, tensors_of(value))]
    for found in levels_of(value):
        usual = [name for last in ENTRIES for name in found if name.rpartition(".")[2] == last]
        if len(found) == 1 or usual:
            name = (usual or list(found))[0]
            return [(name, found[name])]
        if found:
            if keys_are_disjoint(found):
                return joined(found)
            raise ExportError(f"{path}: found weights in more than one entry: {shown(found)}; "
                              "choose one with --entry, or combine parts of one network: "
                              f"--entry {','.join(list(map(printable, found))[:2])}")
    if not isinstance(value, dict):
        raise ExportError(f"{path}: holds {what(value)}, expected a state_dict{advice(pickled)}")
    raise ExportError(f"{path}: found no state_dict among its entries, which are {shown(value)}"
                      f"{advice(pickled)}")


def alike(value, entry):
    """-> the names of the other entries whose tensors have the names and shapes of this one's: averaged weights"""
    own = shapes_of(tensors_of(entries_of(value)[entry])) if entry in entries_of(value) else {}
    levels = levels_of(value) if own else ()
    return [name for found in levels for name, tensors in found.items()
            if name != entry and own.items() <= shapes_of(tensors).items()]


def shapes_of(tensors):
    return {key.removeprefix("module."): tuple(tensor.shape) for key, tensor in tensors.items()}


def is_state_dict(value):
    """Whether the file's own tensors are the weights: not a best accuracy beside the entry that holds them."""
    tensors = tensors_of(value)
    return bool(tensors) and (are_layers(tensors) or not any(
        are_layers(inner) for found in levels_of(value) for inner in found.values()))


def are_layers(tensors):
    """Whether these are names of layers' tensors, such as conv1.weight."""
    return any(mark in key for key in tensors for mark in "./")


def find(pickled, entry):
    """The value of an entry, whose name may be dotted; a key may contain dots."""
    value, rest = pickled.value, entry
    while rest:
        inner = entries_of(value) if isinstance(value, (dict, list, tuple)) else {}
        key = next((key for key in sorted(inner, key=len, reverse=True)
                    if rest == key or rest.startswith(f"{key}.")), None)
        if key is None:
            break
        value, rest = inner[key], rest[len(key) + 1:]
    if rest or not tensors_of(value):
        raise ExportError(f"{pickled.path}: entry {entry!r}: found no tensors there; the entries "
                          f"are {shown(pickled.value)}{advice(pickled)}")
    return value


def keys_are_disjoint(found):
    return len({key for tensors in found.values() for key in tensors}) == sum(map(len, found.values()))


def joined(found):
    """The parts of one network that were saved separately: under their own keys if those differ, and
    under the entries' names, as in the network."""
    name = ",".join(found)
    if len(found) == 1:
        return list(found.items())
    plain = {key: tensor for tensors in found.values() for key, tensor in tensors.items()}
    prefixed = {f"{entry.rpartition('.')[2]}.{key}": tensor
                for entry, tensors in found.items() for key, tensor in tensors.items()}
    return [(name, plain), (name, prefixed)] if keys_are_disjoint(found) else [(name, prefixed)]


def shown(names):
    names = list(names) if isinstance(names, dict) else list(range(len(names)))
    more = ", ..." if len(names) > ENTRIES_SHOWN_MAX else ""
    return printable(", ".join(map(str, names[:ENTRIES_SHOWN_MAX]))) + more or "none"


def what(value):
    if isinstance(value, TorchTensor):
        return "one tensor"
    return "an object" if isinstance(value, StandIn) else f"a {type(value).__name__}"


def advice(pickled):
    if not pickled.refused:
        return ""
    return (f"; refused, because reading it could run code: {printable(', '.join(pickled.refused[:4]))}; "
            "if you trust the file, save only the weights: torch.save(model.state_dict(), FILE)")


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
