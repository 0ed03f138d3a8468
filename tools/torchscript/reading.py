"""From a module of TorchScript to a model's JSON and tensors."""
from collections import namedtuple

import torch
from checkpoints import ExportError
from checkpoints.sizes import plural

from . import Channels, trace
from .archive import load
from .graph import Raised, Reader
from .output import answer, chosen
from .program import Program
from .sizes import Samples
from .values import Inputs, Module, View
from .verify import verify
from .write import written

CHANNELS = 3  # of an input, until a layer says otherwise
TRIES_MAX = 16
MAPS = ("TensorType", "ListType", "TupleType", "DictType")
RESULTS_SHOWN_MAX = 12
MAP_VALUES_MAX = 1 << 27

# config: without name and weights; tensors: {name: torch tensor}; about: what was read, for the report; channels: of y;
# result: which it is, such as "out" or "1.0"; axes: its own; is_logarithm: of what y is; works: the sizes that the code
# takes, as Samples.multiple() has them; harm: why a stranger's module should not be run, or None; state: an
# attribute that the code sets, or None; inputs: {name: channels} of all, those that nothing reads included
Read = namedtuple("Read", "config tensors notes about channels result axes is_logarithm works harm state inputs")


def read(path, output=None, shapes=()):
    """A TorchScript archive. output: which result, by number or name; shapes: [N, C, H, W] of an example of each input,
    where they are known"""
    module = load(path)
    try:
        found = read_module(module, output, [shape[1] for shape in shapes])
        return verified(module, found, inlined(module), tries=[[[shape[2:] for shape in shapes]]] if shapes else None)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from None


def verified(module, found, graph=None, **options):
    """The same, with notes of verify()."""
    found.notes.extend(verify(module, found, graph, **options))
    return found


def read_code(text, shapes, output=None, load=None):
    """FILE.py:CALL, traced. shapes: [N, C, H, W] of an example of each input; load: puts weights into the module"""
    module = trace.module_of(text)
    if load:
        load(module)
    places = []
    found, failure = trace.traces(module, shapes, places)
    (first, sizes), *rest = found
    graph = inlined(first)
    others = trace.differing(graph, [inlined(other) for other, _ in rest])
    if others is None:
        failure = f"the code does something else for {sizes_text(rest[0][1])}"
        found = found[:1]
    try:
        result = read_inlined(first, graph, output, [shape[1] for shape in shapes], [size for _, size in found], others)
        is_one = len(found) == 1
        tries = [[sizes]] if is_one else [trace.smaller(size) for _, size in found[:2]]
        result = verified(module, result, tries=tries, traced=(first, sizes),
                          others=() if is_one else trace.with_other_remainders(tries[0][0], result.works))
    except ExportError as error:
        raise ExportError(f"{text}: {error}") from None
    if places:
        result.notes.append(trace.places_text(places))
    if failure:
        result.notes.append("numbers that the code computes from the size are fixed, since the model follows the one "
                            f"trace of {sizes_text(sizes)}: {failure}")
    return result


def sizes_text(sizes):
    return ", ".join(f"{h} x {w}" for h, w in sizes)


def inlined(module):
    if not module._c._has_method("forward"):
        raise ExportError("it has no method called forward, expected one that takes a map")
    graph = module.graph.copy()
    torch._C._jit_pass_inline(graph)
    return graph


def read_module(module, output=None, channels=()):
    """output: which result, by number or name; channels: of each input, where they are known"""
    return read_inlined(module, inlined(module), output, channels)


def read_inlined(module, graph, output, channels, sizes=(), others=None):
    """sizes: [(h, w) of each input] of traces; others: constants that differ between them, as Reader has them"""
    names = names_of(list(graph.inputs())[1:])
    known = dict(zip(names, channels))
    for _ in range(TRIES_MAX):
        try:
            return read_graph(module, graph, output, known, Reader(Program(Samples(sizes)), others))
        except Channels as error:
            if error.name in known and (channels or known[error.name] == error.count):
                raise
            known[error.name] = error.count
    raise ExportError("its layers expect several numbers of channels of one input")


def read_graph(module, graph, output, channels, reader):
    program = reader.program
    others, defaults = list(graph.inputs())[1:], defaults_of(module)
    inputs = [input_of(program, name, value, channels, defaults) for name, value in zip(names_of(others), others)]
    try:
        values = reader.read(graph, [Module(module._c, ""), *inputs])
    except Raised as error:
        raise ExportError(str(error)) from None
    name, value, found = chosen(values, output)
    last, form, axes = answer(program, value)
    config, tensors = written(program, last, form)
    works = program.samples.multiple()
    if works != (1, 0):
        program.note(f"y is what the code computes for {sides_text(works)} only: it crops at others"
                     if program.is_cropped else f"the network takes {sides_text(works)} only")
    about = described(config, [name or "y" for name, _ in found], output)
    return Read(config, tensors, program.notes, about, last.channels, name, axes,
                getattr(value, "name", "") == "log_softmax", works, harm_of(program), program.state,
                {entry.options["name"]: entry.channels for entry in program.inputs})


def harm_of(program):
    """What cannot be read may take any time and memory, even where the result does not depend on it."""
    if program.unread:
        return program.unread
    count = program.values_max()
    return f"it has a map of {count:.2g} values" if count > MAP_VALUES_MAX else None


def sides_text(works):
    if not works:
        return "some sizes"
    step, extra = works
    return f"heights and widths of {step} k{' + 1' if extra else ''}"


def described(config, results, output):
    which = f", the result {output or results[0]} of {len(results)} ({', '.join(results[:RESULTS_SHOWN_MAX])})" \
        if len(results) > 1 else ""
    return f"a module of {plural(len(config['network']), 'layer')}{which}"


def names_of(values):
    """The inputs' names in the code, or x for the only one that is not an option."""
    maps = [value for value in values if value.type().kind() in MAPS]
    return ["x" if len(maps) == 1 and value is maps[0] else name_of(value) for value in values]


def name_of(value):
    name = value.debugName()
    return name.rpartition(".")[0] or name


def defaults_of(module):
    """-> {an option's name: its default}; an option is what is not a map, or needs no map"""
    arguments = module._c._get_method("forward").schema.arguments[1:]
    return {argument.name: argument.default_value for argument in arguments if argument.has_default_value()}


def input_of(program, name, value, channels, defaults):
    kind = value.type().kind()
    if kind not in MAPS:
        if name_of(value) not in defaults:
            raise ExportError(f"its input {name} is of the type {value.type().annotation_str:.60}, expected maps only, "
                              "or options with a default")
        return defaults[name_of(value)]
    if kind == "DictType":
        return Inputs(lambda key: map_of(program, str(key), channels))
    if kind == "ListType":
        return Inputs(lambda index: map_of(program, f"{name}{index}", channels))
    if kind == "TupleType":
        return tuple(map_of(program, f"{name}{i}", channels) for i in range(len(value.type().elements())))
    return map_of(program, name, channels)


def map_of(program, name, channels):
    return View.of(program.input(name, channels.get(name, CHANNELS)))
