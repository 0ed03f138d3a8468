"""Runs the module and the network that was read of it, on the same numbers.

Nothing that was read wrongly becomes a model: what the two compute is compared before anything is written.
"""
import torch
from checkpoints import ExportError
from networks.literal import Literal

from .constants import FOLDED
from .graph import PRIMS
from .operators import MAPS
from .scalars import NUMBERS

# of the input, the first that it takes; both ways around, and a quarter of it where there are several
SIDES = (67, 93), (64, 96), (128, 192), (256, 384)
OTHER_MODES = ("upsample_", "_upsample_", "adaptive_avg_pool")  # in the branches of a scripted interpolate()
ERROR_MAX = 1e-4  # of the largest value
EQUAL_MIN = 0.99  # of the labels


def verify(module, found, graph=None, tries=None):
    """Raises ExportError where they differ; -> why they could not be compared, or None.

    found: a Read; graph: of an archive of a stranger's; tries: for each comparison, sizes to try, [(h, w) of each
    input], or None for such as the code takes
    """
    if graph and (foreign := foreign_operator(graph)):
        return f"the module was not run, since {foreign} is none of the operators that are known to be harmless"
    if graph and found.harm:
        return f"the module was not run to compare it, since a part of it was not read: {found.harm}"
    literal = Literal(found.config, {name: values.double().numpy() for name, values in found.tensors.items()})
    tries, count = tries or fitting(found), 0
    for candidates in tries:
        for size in candidates:
            inputs = made(found, size)
            expected = run(module, inputs)
            if expected is not None:
                compare(literal, found, inputs, expected)
                count += 1
                break
    tried = ", ".join(f"{h} x {w}" for candidates in tries for (h, w), *_ in candidates)
    return None if count else f"the module was not run to compare it, since it takes no input of {tried}: --example " \
                              "N,C,H,W names one that it takes"


def fitting(found):
    """-> for each comparison, the sizes to try"""
    step, extra = found.works or (1, 0)
    count = len(found.config.get("inputs", "x"))
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


def made(found, sizes):
    described = found.config.get("inputs") or {"x": found.config["input"]}
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn((1, given["channels"], *size), generator=generator)
            for (name, given), size in zip(described.items(), sizes)}


def run(module, inputs):
    """-> its results, in float64 if its constants allow that; None if it takes no such input"""
    for dtype in (torch.float64, torch.float32):
        try:
            return module.to(dtype)(*arranged(module, [x.to(dtype) for x in inputs.values()]))
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
    expected = as_read(found, results)
    try:
        y = literal({name: x.double() for name, x in inputs.items()})
    except Exception as error:
        raise wrong(inputs, f"cannot be computed ({str(error).strip().partition(chr(10))[0]:.200})") from None
    if y.numel() != expected.numel():
        raise wrong(inputs, f"has an output of {list(y.shape)}, the module's has {list(expected.shape)}")
    expected = expected.reshape(y.shape)
    if not expected.is_floating_point():
        same = (y == expected).double().mean().item()
        if same < EQUAL_MIN:
            raise wrong(inputs, f"has the module's label at {100 * same:.1f} % of the pixels")
        return
    largest, off = expected.abs().max().item(), (y - expected).abs().max().item()
    if off > ERROR_MAX * largest:
        raise wrong(inputs, f"is off by {off:.2g}, where the largest value is {largest:.2g}")


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


def wrong(inputs, what):
    sizes = ", ".join(f"{x.shape[2]} x {x.shape[3]}" for x in inputs.values())
    return ExportError(f"the network that was read {what}, for an input of {sizes}: nothing was written. This is a "
                       "fault of this program: please report it")
