"""The end of a network: which of its results is the answer, its form, and the stretch that makes its size."""
from checkpoints import ExportError

from .layers import entry_of, shown, whole
from .sizes import Size, equal
from .values import Pending, Refused, View

FORMS = ("softmax", "sigmoid")
STRETCHES = ("align_corners", "half_pixel", "asymmetric")


def results_of(values):
    """-> [(name, value)] of all maps in tuples, lists and dictionaries, in order"""
    found, left = [], [("", value) for value in values][::-1]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()][::-1]
        elif isinstance(value, (list, tuple)):
            left += [(f"{name}.{i}" if name else str(i), item) for i, item in enumerate(value)][::-1]
        elif isinstance(value, (View, Pending, Refused)) or hasattr(value, "view"):
            found.append((name, value))
    return found


def chosen(values, which):
    """-> the name and the value of the result of that number or name, the first if it is None; and all of them"""
    found = results_of(values)
    names = ", ".join(name or "y" for name, _ in found[:12])
    if not found:
        raise ExportError("its result does not depend on its input")
    if which is None:
        return *found[0], found
    for index, (name, value) in enumerate(found):
        if which in (name, str(index)):
            return name, value, found
    raise ExportError(f"--output {which}: expected a number from 0 to {len(found) - 1}, or one of {names}")


def answer(program, value):
    """-> (the last Entry of the network, the model's "output", the axes of the result)"""
    if isinstance(value, Refused):
        raise value.error
    form, value = form_of(program, value)
    view = whole(program, value)
    order = [letter for axis in range(len(view.axes)) for letter in view.letters(axis)]
    if order != sorted(order, key="nchw".index):
        program.note(f"y has the axes N, C, H, W; the module's own are {shown(view)}")
    entry = entry_of(program, view)
    if entry.kind == "input":
        raise ExportError("its result is its input")
    if entry.channels == 1 and form.get("as") in ("argmax", "softmax"):
        raise ExportError(f"its result has 1 channel, whose {form['as']} is always {int(form['as'] == 'softmax')}: "
                          "expected a sigmoid, to separate two classes")
    output, entry = stretch(program, entry)
    return entry, {**output, **form}, view.axes


def form_of(program, value):
    """-> ({"as": ...}, what is before it)"""
    if not isinstance(value, Pending):
        return peeled(program, value, FORMS)
    if value.name == "log_softmax":
        program.note("y is the softmax, where the module computes its logarithm")
        return {"as": "softmax"}, value.value
    if value.name == "argmax":
        return {"as": "argmax"}, peeled(program, value.value, ("softmax",))[1]
    if value.name == "gt" and value.value.entry.kind == "sigmoid" and 0 <= value.options["threshold"] <= 1:
        form, view = peeled(program, value.value, ("sigmoid",))
        return {**form, "threshold": value.options["threshold"]}, view
    raise ExportError(f"its result is that of aten::{value.name}, expected a map, or labels by argmax")


def peeled(program, view, kinds):
    """A softmax or sigmoid at the end is the output's form."""
    if isinstance(view, View) and view.order is None and view.entry.kind in kinds and \
            view.entry.inputs[0].kind != "input":
        return {"as": view.entry.kind}, View.of(view.entry.inputs[0], view.axes)
    return {}, view


def stretch(program, entry):
    """-> (the size of the output, the entry before it): a resize at the end is never computed as a map"""
    if entry.kind != "resize" or entry.options["mode"] not in STRETCHES or entry.inputs[0].kind == "input":
        return {}, entry
    size = output_size(program, entry)
    return ({**size, "upsample": entry.options["mode"]}, entry.inputs[0]) if size else ({}, entry)


def output_size(program, entry):
    x = entry.inputs[0]
    if all(equal(a, b) for a, b in zip(entry.target, program.inputs[0].size)):
        return {"size": "input"}
    if not any(isinstance(n, Size) for n in entry.target):
        return {"size": [int(n) for n in entry.target]}
    if entry.scale and any(factor != entry.scale[0] or factor % 1 for factor in entry.scale):
        return None
    for times in range(2, 65):
        if all(equal(a, b) for a, b in zip(entry.target, program.size(x, lambda n, axis: n * times))):
            return {"scale": times}
        if all(equal(a, b) for a, b in zip(entry.target, program.size(x, lambda n, axis: (n - 1) * times + 1))):
            return {"scale": times, "trim": True}
    return None
