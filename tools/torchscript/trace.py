"""Traces a module of the user's own code, at several sizes: what Python computes from a size is a constant in each
trace, and another one in each."""
import contextlib
import importlib.util
import os
import pathlib
import sys
import traceback
import warnings

import torch
from checkpoints import ExportError
from checkpoints.sizes import printable

TOOLS = pathlib.Path(__file__).resolve().parents[1]

# what is added to H and W: multiples of 32 keep the remainders that a network may ask for
STEPS = ((32, 64), (64, 32), (128, 96), (96, 160), (-32, -64), (-64, -32), (256, 128), (512, 256))
FACTORS = ((2, 3), (3, 2), (2, 2), (4, 3))  # of several inputs, whose sizes are multiples of each other
TRACES = 3
THEIRS = {}  # modules of the user's that are called like this program's
STEP, STEP_MIN = 32, 64  # of the sizes for a comparison
PLACES_MAX = 3  # that are shown
OTHERS = ((1, 3), (5, 9), (2, 6), (4, 12), (8, 24), (16, 16))  # what is added for a comparison outside of the traces


def module_of(text):
    """FILE.py:CALL -> the module, in eval mode; runs the file"""
    file, _, call = text.partition(".py:")
    path = pathlib.Path(f"{file}.py")
    if not call:
        raise ExportError(f"--module {text}: expected FILE.py:CALL, such as model/pspnet.py:PSPNet(classes=21)")
    if not path.is_file():
        raise ExportError(f"{path}: no such file, expected the one that defines the module")
    THEIRS.clear()
    namespace = run(text, lambda: vars(imported(path.resolve())))
    module = run(text, lambda: eval(call, namespace))  # the user's own code, as --help says
    if not isinstance(module, torch.nn.Module):
        raise ExportError(f"--module {text}: {call} is a {type(module).__name__}, expected a call that makes a module")
    return module.eval()


def imported(path):
    """A file in a folder with an __init__.py is a part of that package; another one may have any name."""
    folder, name = path.parent, path.stem
    while (folder / "__init__.py").is_file():
        folder, name = folder.parent, f"{folder.name}.{name}"
    sys.path[:0] = [str(folder), os.getcwd()]  # the latter as python -m has it
    if "." not in name:
        return loaded(path, name)
    module = importlib.import_module(name)
    if not os.path.samefile(module.__file__, path):
        raise ExportError(f"{path}: import {name} finds {module.__file__}: expected a package of another name")
    return module


def loaded(path, name):
    """By its path, since Python's own random.py may be loaded already."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def own_modules_hidden():
    """The user's code may have a file or a folder called networks, too, and import it at any time."""
    own = {name: module for name, module in sys.modules.items() if is_own(module)}
    for name in own:
        del sys.modules[name]
    sys.modules.update(THEIRS)
    paths = [entry for entry in sys.path if entry == str(TOOLS)]
    sys.path[:] = [entry for entry in sys.path if entry not in paths]
    try:
        yield
    finally:
        names = {name.partition(".")[0] for name in own}
        THEIRS.update({name: module for name, module in sys.modules.items() if name.partition(".")[0] in names})
        for name in THEIRS:
            del sys.modules[name]
        sys.modules.update(own)
        sys.path.extend(paths)


def is_own(module):
    return str(getattr(module, "__file__", None)).startswith(f"{TOOLS}{os.sep}")


def run(what, function):
    """The user's code can raise anything."""
    try:
        with own_modules_hidden():
            return function()
    except ExportError:
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
        if str(error).startswith("Tracer cannot infer type of"):
            raise ExportError(f"{what}: a result with something else than maps in it, expected maps in lists, tuples "
                              "and dictionaries (transformers' networks have return_dict=False)") from None
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = f": {lines[0][:300]}" if lines else ""
        raise ExportError(printable(f"{what}: {where}{type(error).__name__}{said}")) from None


def other_sizes(sizes):
    """-> [(h, w) of each input] for each try, from the example's"""
    if len(sizes) == 1:
        (h, w), = sizes
        return [[(h + a, w + b)] for a, b in STEPS if h + a > 0 and w + b > 0]
    return [[(h * a, w * b) for h, w in sizes] for a, b in FACTORS]


def smaller(sizes):
    """-> sizes at which a module is quicker, and leaves the same remainders; and its own, if it takes no others"""
    if len(sizes) > 1:
        return [sizes]
    (h, w), = sizes
    return [[tuple(n - max(n - STEP_MIN, 0) // STEP * STEP for n in (h, w))], sizes]


def with_other_remainders(sizes, works):
    """-> sizes to try, no multiples of the step away from the example, among those that the code is known to take"""
    if not works:
        return []
    step, (h, w) = works[0], min(sizes)
    return [[(own_h + a * own_h // h, own_w + b * own_w // w) for own_h, own_w in sizes] for a, b in OTHERS
            if a % step == b % step == 0]


def traces(module, shapes, places):
    """-> ([(traced module, [(h, w) of each input])], why there are no more, or None); the first is the example's.
    places: as traced() has them"""
    sizes = [tuple(shape[2:]) for shape in shapes]
    found, failure = [(run("--example", lambda: traced(module, shapes, places)), sizes)], None
    for others in other_sizes(sizes):
        try:
            found.append((run("a trace", lambda others=others: traced(module, [
                (*shape[:2], *size) for shape, size in zip(shapes, others)])), others))
        except ExportError as error:
            failure = failure or str(error)
        if len(found) == TRACES:
            break
    return found, failure if len(found) == 1 else None


def traced(module, shapes, places=None):
    """places: a list of where Python looks at a tensor, which is added to"""
    generator = torch.Generator().manual_seed(1)
    inputs = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always", torch.jit.TracerWarning)
        made = torch.jit.trace(module, inputs, check_trace=False, strict=False)
    if places is not None:
        found = (f"{warning.filename}:{warning.lineno}" for warning in caught
                 if str(warning.message).startswith("Converting a tensor"))
        places += dict.fromkeys(found)
    return made


def places_text(places):
    more = f" and {len(places) - PLACES_MAX} more" if len(places) > PLACES_MAX else ""
    return f"Python looks at values or sizes at {', '.join(places[:PLACES_MAX])}{more}: the model does what that did " \
           "in the traces"


# ---- constants that differ between traces ----

def operators_of(graph):
    """-> all nodes but constants, in the order of the code"""
    found, left = [], [graph]
    while left:
        block = left.pop()
        for node in block.nodes():
            if node.kind() != "prim::Constant":
                found.append(node)
                left += node.blocks()
    return found


def differing(graph, others):
    """Gives each operand that is another number in other traces a constant of its own.

    -> {its name in the graph: the values in the others}, or None if the traces differ in more than numbers
    """
    columns = [operators_of(each) for each in (graph, *others)]
    if len({tuple(node.kind() for node in column) for column in columns}) > 1:
        return None
    values = {}
    for node, *rest in zip(*columns):
        for position, operands in enumerate(zip(*(each.inputs() for each in (node, *rest)))):
            if all(operand.node().kind() == "prim::Constant" for operand in operands):
                first, *numbers = (operand.toIValue() for operand in operands)
                if differ(first, numbers):
                    graph.setInsertPoint(node)
                    own = graph.insertConstant(first)
                    node.replaceInput(position, own)
                    values[own.debugName()] = numbers
    return values


def differ(first, others):
    if isinstance(first, torch.Tensor):
        return any(not isinstance(other, torch.Tensor) or first.shape != other.shape or not torch.equal(first, other)
                   for other in others)
    return any(type(other) is not type(first) or other != first for other in others)
