"""From a module of TorchScript to a model's JSON and tensors."""
from collections import namedtuple

import torch
from checkpoints import ExportError

from . import Channels
from .archive import load
from .graph import Raised, Reader
from .output import answer, chosen
from .program import Program
from .sizes import Samples
from .values import Module, View
from .write import written

CHANNELS = 3  # of an input, until a layer says otherwise
TRIES_MAX = 16
RESULTS_SHOWN_MAX = 12

# config: without name and weights; tensors: {name: torch tensor}; about: what was read, for the report
Read = namedtuple("Read", "config tensors notes about")


class Inputs:
    """A list of maps as an input: as many as the code takes."""

    def __init__(self, take):
        self.made, self.make = {}, take

    def take(self, index):
        if index not in self.made:
            self.made[index] = self.make(index)
        return self.made[index]


def read(path, output=None):
    """A TorchScript archive. output: which result, by number or name; the first if it is None"""
    module = load(path)
    try:
        return read_module(module, output)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from None


def read_module(module, output=None, channels=None):
    """output: which result, by number or name; channels: {input: its channels}, where they are known"""
    graph = module.forward.graph.copy() if hasattr(module.forward, "graph") else module.graph.copy()
    torch._C._jit_pass_inline(graph)
    known = dict(channels or {})
    for _ in range(TRIES_MAX):
        try:
            return read_graph(module, graph, output, known)
        except Channels as error:
            if known.get(error.name) == error.count:
                raise
            known[error.name] = error.count
    raise ExportError("its layers expect several numbers of channels of one input")


def read_graph(module, graph, output, channels):
    program = Program(Samples())
    own, *others = graph.inputs()
    names = names_of(others)
    inputs = [input_of(program, name, value, channels) for name, value in zip(names, others)]
    reader = Reader(program)
    try:
        values = reader.read(graph, [Module(module._c, ""), *inputs])
    except Raised as error:
        raise ExportError(str(error)) from None
    value, found = chosen(values, output)
    last, form = answer(program, value)
    config, tensors = written(program, last, form)
    return Read(config, tensors, program.notes, described(config, [name or "y" for name, _ in found], output))


def described(config, results, output):
    inputs = ", ".join(f"{name} [N, {given['channels']}, H, W]"
                       for name, given in config.get("inputs", {"x": config.get("input")}).items())
    which = f"the result {output or results[0]} of {len(results)} ({', '.join(results[:RESULTS_SHOWN_MAX])})" \
        if len(results) > 1 else "its result"
    return f"a network of {len(config['network'])} layers: {inputs}, {which}"


def names_of(values):
    """The inputs' names in the code, or x for the only one."""
    if len(values) == 1:
        return ["x"]
    return [value.debugName().rpartition(".")[0] or value.debugName() for value in values]


def input_of(program, name, value, channels):
    kind = value.type().kind()
    if kind == "ListType":
        return Inputs(lambda index: map_of(program, f"{name}{index}", channels))
    if kind == "TupleType":
        return tuple(map_of(program, f"{name}{i}", channels) for i in range(len(value.type().elements())))
    return map_of(program, name, channels)


def map_of(program, name, channels):
    return View.of(program.input(name, channels.get(name, CHANNELS)))
