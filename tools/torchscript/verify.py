"""Runs the module and the network that was read of it, on the same numbers.

Nothing that was read wrongly becomes a model: what the two compute is compared before anything is written.
"""
import torch
from checkpoints import ExportError
from networks.literal import Literal

from .constants import FOLDED
from .graph import PRIMS
from .labels import before_labels
from .operators import MAPS
from .scalars import NUMBERS
from .trace import own_modules_hidden

# of the input, the first that it takes; both ways around, and a quarter of it where there are several
SIDES = (67, 93), (64, 96), (128, 192), (256, 384)
OTHER_MODES = ("upsample_", "_upsample_", "adaptive_avg_pool")  # in the branches of a scripted interpolate()
ERROR_MAX = 1e-4  # of the largest value
EQUAL_MIN = 0.99  # of the labels
NUMBERS_OF = {"numbers from 0 to 1": lambda x: x.sigmoid(), "numbers around 100": lambda x: 50 * x + 100}


class Differs(Exception):
    """Says what the network that was read does otherwise than the module."""


def verify(module, found, graph=None, tries=None, others=(), traced=None):
    """Raises ExportError where they differ; -> notes: why they could not be compared, or in what they differ.

    found: a Read; graph: of an archive of a stranger's; tries: for each comparison, sizes to try, [(h, w) of each
    input], or None for such as the code takes; others: sizes to try that leave other remainders than those of traces;
    traced: a trace of the module and the sizes that it takes, by default the module itself
    """
    reason = unrun(found, graph) if graph else None
    if reason:
        return [reason]
    literal = Literal(found.config, {name: values.double().numpy() for name, values in found.tensors.items()})
    tries = tries or fitting(found)
    tested = [each for each in (taken(module, found, candidates) for candidates in tries) if each]
    if not tested:
        tried = ", ".join(f"{h} x {w}" for candidates in tries for (h, w), *_ in candidates)
        return [f"the module was not run to compare it, since it takes no input of {tried}: --example N,C,H,W names "
                "one that it takes"]
    try:
        compare_numbers(literal, module, found, *tested[0], is_code=not graph)
        compare_before_labels(literal, found, *(traced or (module, tested[0][0])))
        is_equal = all([compare_batch(literal, module, found, *each) for each in tested[1:]])
    except Differs as error:
        raise ExportError(f"the network that was read {error}: nothing was written. This is a fault of this program: "
                          "please report it") from None
    compare_others(literal, module, found, others)
    return [] if is_equal else ["the module's own answer to a batch of images is another one than to each of them, "
                                "which is what the model answers"]


def unrun(found, graph):
    """-> why a stranger's module should not be run, or None"""
    if foreign := foreign_operator(graph):
        reason = f"the module was not run, since {foreign} is none of the operators that are known to be harmless"
    elif found.harm:
        reason = f"the module was not run to compare it, since a part of it was not read: {found.harm}"
    else:
        return None
    if found.state:
        raise ExportError(f"its code sets {found.state}, which may be kept from one run to the next, as no model does; "
                          f"and {reason}")
    return reason


def taken(module, found, candidates):
    """-> the first of these sizes that the module takes, and its results; None if it takes none"""
    results = ((size, run(module, made(found, size))) for size in candidates)
    return next(((size, each) for size, each in results if each is not None), None)


def compare_numbers(literal, module, found, size, results, is_code):
    """Other numbers than those of traces, too: Python may have looked at them."""
    inputs, values = made(found, size), as_read(found, results)
    again = as_read(found, run(module, inputs))
    if values.shape != again.shape or not torch.equal(values.nan_to_num(), again.nan_to_num()):
        raise ExportError("the module's result for the same input is another one each time: it keeps "
                          f"{found.state or 'something'} from one run to the next, or draws random numbers, as no "
                          "model does")
    if not values.isfinite().all():
        broken = next((f", as its tensor {name} has" for name, each in found.tensors.items()
                       if not each.isfinite().all()), "")
        raise ExportError(f"the module's result has values that are not finite{broken}: nothing can be compared with "
                          "it")
    compare(literal, found, inputs, results)
    for what, change in NUMBERS_OF.items():
        inputs = made(found, size, change)
        results = run(module, inputs)
        if results is None or not as_read(found, results).isfinite().all():
            continue
        try:
            compare(literal, found, inputs, results)
        except Differs as error:
            if not is_code:
                raise
            raise ExportError(f"the code does something else for {what} than for the random ones that were traced: "
                              f"Python looks at values, as no model does: the network that was read {error}") from None


def compare_before_labels(literal, found, module, size):
    """Where random numbers have labels of one class, these say little."""
    answer = dict(found.config.get("output", {}))
    form, threshold = answer.pop("as", None), answer.pop("threshold", None)
    if form != "argmax" and threshold is None:
        return
    function = before_labels(module)
    inputs = made(found, size)
    results = run(module, inputs, function) if function else None
    if isinstance(results, torch.Tensor) and results.dim() == 4 and found.axes[0] == ("n",):
        if answer.get("as") == "sigmoid" and not ((results >= 0) & (results <= 1)).all():
            del answer["as"]  # a threshold of logits, which the model has for their sigmoid
        compare_maps(Literal({**found.config, "output": answer}, literal.tensors), inputs, results)


def compare_batch(literal, module, found, size, results):
    """-> whether the module answers two images as it does each, as far as it takes two; the model has to fit one"""
    inputs = made(found, size, count=2)
    both = run(module, inputs)
    try:
        if both is not None:
            compare(literal, found, inputs, both)
            return True
    except Differs:
        pass
    compare(literal, found, made(found, size), results)
    return both is None


def compare_others(literal, module, found, sizes):
    if not (each := taken(module, found, sizes)):
        return
    try:
        compare(literal, found, made(found, each[0]), each[1])
    except Differs as error:
        raise ExportError(f"the code does something else for sizes that were not traced: the network that was read "
                          f"{error}. Python computes with sizes there; torch.jit.script keeps that") from None


def fitting(found):
    """-> for each comparison, the sizes to try"""
    step, extra = found.works or (1, 0)
    count = len(found.inputs)
    part = 1 if count == 1 else 4
    tries = [[-(-n // part // step) * step + extra for n in sides] for sides in SIDES]
    return [[[(h, w)] * count for h, w in tries], [[(w, h)] * count for h, w in tries]]


def foreign_operator(graph):
    """An archive of a stranger's may hold operators that write files, where nothing depends on what they compute."""
    left = [graph]
    while left:
        for node in left.pop().nodes():
            left += node.blocks()
            name = node.kind().partition("::")[2]
            known = {name, name.rstrip("_")} & (MAPS.keys() | NUMBERS.keys() | FOLDED)
            if not known and node.kind() not in PRIMS and not name.startswith(OTHER_MODES):
                return node.kind()
    return None


def made(found, sizes, change=lambda x: x, count=1):
    generator = torch.Generator().manual_seed(1)
    return {name: change(torch.randn((count, channels, *size), generator=generator))
            for (name, channels), size in zip(found.inputs.items(), sizes)}


def run(module, inputs, function=None):
    """-> its results, or what the function of it computes, in float64 if its constants allow that; None if it takes no
    such input"""
    for dtype in (torch.float64, torch.float32):
        try:
            module.to(dtype)
            with own_modules_hidden():
                return (function or module)(*arranged(module, [x.to(dtype) for x in inputs.values()]))
        except Exception:  # the module's own code can raise anything
            continue
    return None


def arranged(module, maps):
    """As the module takes them: one by one, or as one list or tuple."""
    if not isinstance(module, torch.jit.ScriptModule):
        return maps
    _, *values = module.graph.inputs()
    if len(values) == 1 and values[0].type().kind() in ("ListType", "TupleType"):
        return [tuple(maps) if values[0].type().kind() == "TupleType" else maps]
    return maps


def compare(literal, found, inputs, results):
    compare_maps(literal, inputs, as_read(found, results))


def compare_maps(literal, inputs, expected):
    sizes = ", ".join(f"{x.shape[2]} x {x.shape[3]}" for x in inputs.values())
    try:
        y = literal({name: inputs[name].double() for name in literal.config.get("inputs", ["x"])})
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise Differs(f"cannot be computed for an input of {sizes} ({reason:.200})") from None
    if y.numel() != expected.numel():
        raise Differs(f"has an output of {list(y.shape)}, the module's has {list(expected.shape)}, for an input of "
                      f"{sizes}")
    expected = expected.reshape(y.shape)
    if not expected.is_floating_point():
        same = (y == expected).double().mean().item()
        if same < EQUAL_MIN:
            raise Differs(f"has the module's label at {100 * same:.1f} % of the pixels, for an input of {sizes}")
        return
    largest, off = expected.abs().max().item(), (y - expected).abs().max().item()
    if not off <= ERROR_MAX * largest:
        raise Differs(f"is off by {off:.2g}, where the largest value is {largest:.2g}, for an input of {sizes}")


def as_read(found, results):
    """-> the result that was read, in the model's form and order of axes"""
    value = results
    for key in found.result.split(".") if found.result else []:
        value = value[key] if isinstance(value, dict) else value[int(key)]
    if found.is_logarithm:
        value = value.exp()
    if len(found.axes) == value.dim() and all(len(letters) < 2 for letters in found.axes):
        letters = [axis[0] if axis else "" for axis in found.axes]
        value = value.permute(sorted(range(value.dim()), key=lambda axis: "nchw".find(letters[axis])))
    return value if value.is_floating_point() else value.to(torch.int64)
