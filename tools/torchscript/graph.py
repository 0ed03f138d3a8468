"""Goes through an inlined graph of TorchScript, node by node, and writes what it computes as entries of a Program.

What cannot be read becomes a Refused value, and an error only where the output depends on it: heads for training
and branches that are not taken may hold anything.
"""
import functools
import re

import torch
from checkpoints import ExportError

from . import NO_LAYER, Channels, Refusal, TooLarge
from .constants import TOTAL_MAX, folded, tensor_of
from .operators import MAPS, in_place
from .scalars import CONTAINERS, NUMBERS
from .sizes import DependsOnSize, Size
from .values import Inputs, Module, Padded, Pending, Recorded, Refused, View, Weight

NODES_MAX = 1 << 16  # loops included
BLOCKS_MAX = 64  # inside each other
ODD_MAX = 3  # notes about sizes at which something else is computed
UNFORESEEN = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)  # of hostile graphs
LINE = re.compile(r" # ([^\n]*?):(\d+):\d+\s*$")
FRAME = re.compile(r"^(\S[^\n]*?\.py)\((\d+)\): ", re.MULTILINE)  # of a trace's stack, the innermost first
LIBRARY = re.compile(r"-packages/torch/")


class Raised(Refusal):
    """An exception of the network's own code."""


class Varying(ExportError):
    """A condition that depends on the size of the input, where something else is needed."""

    def __init__(self, sentence, condition):
        super().__init__(sentence)
        self.condition = condition

    def restrict(self, samples, holds):
        """Leaves the sizes at which the condition holds, or does not; -> holds"""
        found = self.condition
        if not samples.exclude((found.holds == holds) | ~found.known):
            raise self
        return holds


class Reader:
    def __init__(self, program, others=None):
        """others: {a constant's name in the graph: its values in graphs of other sizes}"""
        self.program, self.others = program, others or {}
        self.values, self.attributes, self.count, self.depth = {}, {}, 0, 0
        self.budget, self.odd = [TOTAL_MAX], 0

    def read(self, graph, inputs):
        """-> the values of the graph's outputs"""
        for value, given in zip(graph.inputs(), inputs):
            self.values[value.debugName()] = given
        self.block(graph)
        return [self.value(output) for output in graph.outputs()]

    def block(self, block):
        self.depth += 1
        if self.depth > BLOCKS_MAX:
            raise TooLarge(f"more than {BLOCKS_MAX} conditions and loops inside each other")
        self.counted()
        for node in block.nodes():
            self.counted()
            self.node(node)
        self.depth -= 1

    def counted(self):
        """A node, or a block, since that of a loop may be empty."""
        self.count += 1
        if self.count > NODES_MAX:
            raise TooLarge(f"more than {NODES_MAX} operators, those of loops counted each time")

    def value(self, value):
        return self.values[value.debugName()]

    def node(self, node):
        kind = node.kind()
        self.program.node = node
        try:
            if kind in PRIMS:
                results = PRIMS[kind](self, node)
            else:
                result = self.call(node, kind.partition("::")[2])
                results = [result] if node.outputsSize() == 1 else list(result or ())
        except (Raised, TooLarge):
            raise
        except Channels as error:
            raise Channels(error.name, error.count, located(node, error)) from None
        except DependsOnSize as error:
            results = self.refused(node, Varying(located(node, error), error))
        except Refusal as error:
            results = self.refused(node, ExportError(located(node, error)))
        except ExportError as error:
            results = self.refused(node, error)
        except UNFORESEEN as error:
            what = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}"
            results = self.refused(node, ExportError(located(node, what)))
        self.note_odd(node)
        for result in results:
            if isinstance(result, Pending):
                result.where = result.where or located(node, NO_LAYER)
        for output, result in zip(node.outputs(), results):
            self.values[output.debugName()] = result

    def note_odd(self, node):
        odd = self.program.samples.odd
        if odd and self.odd < ODD_MAX:
            self.odd += 1
            sides = ", ".join(f"{n} x {n}" for n in sorted(odd))
            self.program.note(located(node, f"another result for an input of {sides}, where the model does what the "
                                            "code does at usual sizes"))
        odd.clear()

    def refused(self, node, error):
        """Marks what the node would have computed, in place included."""
        values = [self.values.get(value.debugName()) for value in node.inputs()]
        if values and (node.kind().endswith("_") or node.kind().startswith("prim::")):
            if isinstance(values[0], View):
                values[0].cell.entry = Refused(error)
            elif isinstance(values[0], (Weight, Padded, Pending)):
                values[0].error = error
        self.program.unread = self.program.unread or str(error)
        return [Refused(error)] * node.outputsSize()

    # ---- operators ----

    def call(self, node, name):
        schema = schema_of(node)
        operands = [self.value(value) for value in node.inputs()]
        if name == "__getitem__" and isinstance(operands[0], Inputs):
            return operands[0].take(operands[1])
        if name in ("tensor", "as_tensor") and is_plain(operands[0]):
            return tensor_of(*operands)
        if name in CONTAINERS and isinstance(operands[0], (list, dict, tuple)):
            return NUMBERS[name](*operands)  # whose items may be Refused
        for operand in flat(operands):
            if getattr(operand, "error", None):
                raise operand.error
        named = dict(zip((argument.name for argument in schema.arguments), operands)) if schema else {}
        if any(isinstance(operand, (View, Padded, Pending)) for operand in flat(operands)):
            return self.call_on_map(name, named, operands)
        if any(isinstance(operand, Recorded) for operand in flat(operands)):
            return shape_of(name, *operands)
        if any(isinstance(operand, Size) for operand in flat(operands)):
            operands = [as_number(operand) for operand in operands]
        if name in NUMBERS and not any(isinstance(operand, Weight) for operand in flat(operands)):
            return NUMBERS[name](*operands)
        if not schema:
            raise Refusal("an operator that this version of PyTorch does not know")
        return folded(schema, operands, self.budget)

    def call_on_map(self, name, named, operands):
        function = MAPS.get(name)
        if function:
            return function(self.program, **arguments(function, named))
        if name.endswith("_") and name[:-1] in MAPS:
            function = MAPS[name[:-1]]
            return in_place(self.program, operands[0], function(self.program, **arguments(function, named)))
        raise Refusal(NO_LAYER)


@functools.lru_cache(maxsize=None)
def parsed(schema):
    return torch._C.parse_schema(schema)


def shape_of(name, recorded, *dim):
    if name != "size":
        raise Refusal("values that a trace has recorded (x.data, x.numpy()), and which depend on the size of the "
                      "example")
    return recorded.shape[dim[0]] if dim else recorded.shape


def schema_of(node):
    """-> the operator's, or None"""
    text = node.schema()
    return None if text.startswith("(") else parsed(text)


def arguments(function, named):
    """The operands by their names; those that change no value are left out."""
    known = function.__code__.co_varnames[1:function.__code__.co_argcount]
    for name, value in named.items():
        if name not in known and name not in WITHOUT_EFFECT and value is not None:
            raise Refusal(f"the option {name}")
    return {name: value for name, value in named.items() if name in known}


WITHOUT_EFFECT = ("benchmark", "deterministic", "cudnn_enabled", "allow_tf32", "non_blocking", "copy", "memory_format",
                  "momentum", "device", "implicit", "cudnn_enable")


def flat(values):
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


def is_plain(value):
    """Whether it is a list of Python's numbers, or of such lists."""
    return isinstance(value, list) and all(isinstance(item, (bool, int, float)) for item in flat(value))


def as_number(operand):
    """Of a tensor of one value, beside sizes."""
    if isinstance(operand, Weight) and operand.values.numel() == 1:
        return operand.values.item()
    return operand


def located(node, error):
    """The operator, and the line of the source that it came from: the network's own, if that is known."""
    found = LINE.search(str(node).splitlines()[0])
    frames = [frame for frame in FRAME.findall(node.sourceRange()) if not LIBRARY.search(frame[0])]
    file, line = frames[0] if frames else found.groups() if found else ("", 0)
    return f"{node.kind()}{f' at {file}:{line}' if file else ''}: {error}"


# ---- prim ----

def constant(reader, node):
    value = node.output().toIValue()
    others = reader.others.get(node.output().debugName())
    if others:
        return [varying(reader.program.samples, [value, *others])]
    return [Weight(value, "constant") if isinstance(value, torch.Tensor) else value]


def varying(samples, values):
    """What is another number in each trace, or a list of such numbers, or a map"""
    if all(type(value) in (int, float) for value in values):
        return samples.constant(values)
    if all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        return [varying(samples, items) for items in zip(*values)]
    if all(isinstance(value, torch.Tensor) and value.dim() == values[0].dim() for value in values):
        return Recorded(varying(samples, [list(value.shape) for value in values]))
    raise Refusal("a constant that is another one for another size of the example")


def get_attribute(reader, node):
    owner, name = reader.value(node.input()), node.s("name")
    if not isinstance(owner, Module):
        raise Refusal("an attribute of something that is not a module")
    path = f"{owner.path}.{name}" if owner.path else name
    if path not in reader.attributes:
        reader.attributes[path] = attribute(owner.module.getattr(name), path)
    return [reader.attributes[path]]


def attribute(value, path):
    if isinstance(value, torch.Tensor):
        return Weight(value.detach(), path)
    if isinstance(value, (torch.ScriptModule, torch._C.ScriptModule)):
        return Module(getattr(value, "_c", value), path)
    if isinstance(value, (list, tuple)):
        return type(value)(attribute(item, f"{path}.{i}") for i, item in enumerate(value))
    if isinstance(value, torch._C.ScriptObject):
        raise Refusal(f"the attribute {path}, an object of a class of its own")
    return value


def set_attribute(reader, node):
    owner, value = [reader.value(given) for given in node.inputs()]
    if not isinstance(owner, Module):
        raise Refusal("an attribute of something that is not a module")
    path = f"{owner.path}.{node.s('name')}" if owner.path else node.s("name")
    reader.attributes[path] = value
    reader.program.state = reader.program.state or path
    return []


def values_in(reader, node):
    return [reader.value(value) for value in node.inputs()]


def unpack(reader, node):
    values, count = reader.value(node.input()), node.outputsSize()
    if isinstance(values, Refused):
        return [values] * count
    if isinstance(values, Inputs):
        return [values.take(i) for i in range(count)]
    if len(values) != count:
        raise Refusal(f"{len(values)} values where {count} are expected")
    return list(values)


def dictionary(reader, node):
    values = values_in(reader, node)
    return [dict(zip(values[::2], values[1::2]))]


def tuple_index(reader, node):
    values, index = values_in(reader, node)
    return [values[index]]


def condition(reader, node):
    """Runs the block that is taken at every size. One that raises where it is not restricts the sizes."""
    chosen, blocks = reader.value(node.input()), list(node.blocks())
    if isinstance(chosen, Refused):
        if not isinstance(chosen.error, Varying) or not any(map(raises, blocks)):
            raise chosen.error
        chosen = chosen.error.restrict(reader.program.samples, not raises(blocks[0]))
    block = blocks[0] if chosen else blocks[1]
    reader.block(block)
    return [reader.value(output) for output in block.outputs()]


def raises(block):
    return any(node.kind() == "prim::RaiseException" for node in block.nodes())


def loop(reader, node):
    count, goes_on, *carried = values_in(reader, node)
    for value in (count, goes_on):
        if isinstance(value, Refused):
            raise value.error
        if isinstance(value, Size):
            raise Refusal("a loop whose count depends on the size of the input")
    block = next(node.blocks())
    index, *names = block.inputs()
    i = 0
    while goes_on and i < count:
        for name, value in zip((index, *names), (i, *carried)):
            reader.values[name.debugName()] = value
        reader.block(block)
        goes_on, *carried = [reader.value(output) for output in block.outputs()]
        if isinstance(goes_on, Refused):
            raise goes_on.error
        i += 1
    return carried


def raised(reader, node):
    message = next(iter(values_in(reader, node)), "")
    raise Raised(f"the network's own code raises {message!r:.200}")


def known(value):
    return lambda reader, node: [value]


def unary(function):
    return lambda reader, node: [function(reader.value(node.input()))]


def number_of(name):
    return lambda reader, node: [NUMBERS[name](*map(as_number, values_in(reader, node)))]


PRIMS = {
    "prim::Constant": constant, "prim::GetAttr": get_attribute, "prim::SetAttr": set_attribute,
    "prim::ListConstruct": lambda reader, node: [list(values_in(reader, node))],
    "prim::TupleConstruct": lambda reader, node: [tuple(values_in(reader, node))],
    "prim::DictConstruct": dictionary, "prim::ListUnpack": unpack, "prim::TupleUnpack": unpack,
    "prim::TupleIndex": tuple_index, "prim::If": condition, "prim::Loop": loop, "prim::RaiseException": raised,
    "prim::Uninitialized": known(None), "prim::Print": lambda reader, node: [],
    **{f"prim::{name}": unary(lambda value: value) for name in ("unchecked_cast", "data", "unchecked_unwrap_optional")},
    "prim::NumToTensor": unary(as_number),
    **{f"prim::{name}": number_of(name) for name in ("min", "max", "abs")},
    "prim::device": known(torch.device("cpu")), "prim::dtype": known(6), "prim::layout": known(0),
    **{f"prim::{name}": known(False) for name in ("is_cuda", "is_quantized", "requires_grad", "is_sparse", "is_mkldnn",
                                                  "is_meta", "is_mps", "is_vulkan", "is_xla", "is_ort")},
    "aten::warn": lambda reader, node: [], "aten::is_scripting": known(True),
    "prim::is_tracing": known(False), "aten::is_tracing": known(False),
}
