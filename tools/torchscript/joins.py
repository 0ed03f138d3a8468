"""Sums, products and concats: of maps, of a map and a number, and of a map and a constant for each channel."""
import torch

from . import Refusal
from .layers import channels_last, convolved, entry_of, key_of, shown, whole
from .pointwise import affine
from .sizes import Size, equal
from .values import Pending, Refused, View, Weight


def axes_of(a, b):
    """-> the axes of a broadcast result; raises where axes of different kinds meet"""
    rank = max(len(a.axes), len(b.axes))
    result = []
    for i in range(-rank, 0):
        pairs = [(view.letters(i), view.axes[i]) for view in (a, b) if -i <= len(view.axes)]
        wide = [letters for letters, _ in pairs if letters]
        if len(set(wide)) > 1:
            raise Refusal(f"maps with the axes {shown(a)} and {shown(b)}")
        axes = [all_letters for letters, all_letters in pairs if letters] or [pair[1] for pair in pairs]
        result.append(max(axes, key=len))
    return without_repeats(result)


def without_repeats(axes):
    """A letter of size 1 may come from both views, in different axes."""
    seen, result = set(), []
    for letters in axes:
        result.append(tuple(letter for letter in letters if letter not in seen))
        seen.update(letters)
    return tuple(result)


def joined(program, kind, a, b):
    axes = axes_of(a, b)
    return View.of(program.join(kind, [entry_of(program, a), entry_of(program, b)]), axes)


def operand(program, value):
    """-> a View, a number or a Weight of several values"""
    if isinstance(value, Weight):
        return value.values.item() if value.values.numel() == 1 else value
    if isinstance(value, (int, float, Pending)):
        return value
    if isinstance(value, Size):
        raise Refusal("a number that depends on the size of the input" if value.inputs else
                      "a number that is another one in each trace: Python computes it from sizes, from values or at "
                      "random")
    return whole(program, value)


def channel_values(view, weight):
    """-> the constant as a value for each channel of the view"""
    values = weight.values
    rank = len(view.axes)
    if values.dim() > rank and any(n != 1 for n in values.shape[:values.dim() - rank]):
        raise Refusal(f"a constant of shape {list(values.shape)} and a map with the axes {shown(view)}")
    wide = [axis for axis in range(-values.dim(), 0) if values.shape[axis] != 1]
    at = view.channel_axis()
    if len(wide) != 1 or at is None or wide[0] % rank != at:
        raise Refusal(f"a constant of shape {list(values.shape)} and a map with the axes {shown(view)}, "
                      "expected a value for each channel")
    return values.reshape(-1).float()


def per_channel(program, view, weight, scale=None, shift=None):
    """scale * x + shift of each channel: a depthwise 1x1 convolution."""
    x = entry_of(program, view)
    values = scale if scale is not None else shift
    axes = view.axes
    if x.channels == 1 and values.numel() > 1:
        raise Refusal("a constant with more channels than the map")
    program.expect_channels(x, values.numel())
    if x.kind in ("layer_norm", "group_norm") and (folded := into_norm(program, x, weight, scale, shift)):
        return View.of(folded, axes)
    kernel = torch.ones(values.numel()) if scale is None else scale
    tensors = {"weight": kernel.reshape(-1, 1, 1, 1), "bias": shift}
    key = weight.key if scale is not None or "." not in weight.key else key_of(weight) + ".shift"
    return View.of(convolved(program, x, tensors, key, x.size, groups=values.numel()), axes)


def into_norm(program, x, weight, scale, shift):
    """A factor or a term for each channel after a norm without one becomes the norm's own."""
    options = dict(x.options)
    name = options.pop("weights", None)
    has_scale, has_center = options.pop("scale", True), options.pop("center", True)
    if has_center or scale is not None and has_scale:
        return None
    given = {leaf: program.tensors[f"{name}.{leaf}"] for leaf in ("weight",) if name and has_scale}
    given.update({"weight": scale} if scale is not None else {"bias": shift})
    if "weight" not in given:
        options["scale"] = False
    if "bias" not in given:
        options["center"] = False
    return program.weighted(x.kind, x.inputs[0], given, key_of(weight), **options)


def add(program, self, other, alpha=1):
    if isinstance(self, list):
        return self + other
    a, b = operand(program, self), operand(program, other)
    if isinstance(a, Pending) or isinstance(b, Pending):
        raise Refusal(f"a sum with {(a if isinstance(a, Pending) else b).name}")
    if not isinstance(a, View):
        a, b, alpha = scaled(program, b, alpha), a, 1
    if isinstance(b, View):
        return centered(program, a, b, alpha) or joined(program, "add", a, scaled(program, b, alpha))
    if isinstance(b, Weight):
        return per_channel(program, a, b, shift=channel_values(a, b) * alpha)
    result = affine(program, a, shift=b * alpha)
    if "variance" in a.entry.facts:
        result.entry.facts["variance + eps"] = (a.entry.facts["variance"], b * alpha)
    return result


def scaled(program, value, alpha):
    return value if alpha == 1 else affine(program, value, alpha)


def centered(program, a, b, alpha):
    """x - mean(x), which is a sum as well, and may begin a norm."""
    if alpha == -1 and b.entry.facts.get("mean of") is a.entry:
        result = joined(program, "add", a, affine(program, b, -1))
        result.entry.facts["centered"] = a.entry
        return result
    return None


def sub(program, self, other, alpha=1):
    return add(program, self, other, -alpha)


def rsub(program, self, other, alpha=1):
    return add(program, other, self, -alpha) if isinstance(other, View) else add(
        program, affine(program, whole(program, self), -alpha), other)


def mul(program, self, other):
    a, b = operand(program, self), operand(program, other)
    if isinstance(a, Pending) or isinstance(b, Pending):
        a, b = (b, a) if isinstance(a, Pending) else (a, b)
        return normalized(program, a, b, "rsqrt")
    if not isinstance(a, View):
        a, b = b, a
    if isinstance(b, View):
        return joined(program, "mul", a, b)
    if isinstance(b, Weight):
        return per_channel(program, a, b, scale=channel_values(a, b))
    return affine(program, a, b)


def div(program, self, other, rounding_mode=None):
    if rounding_mode is not None:
        raise Refusal("a division with rounding")
    a = operand(program, self)
    if isinstance(a, Pending) and a.name == "sum" and isinstance(other, Size):
        return mean_of_sum(program, a, other)
    b = operand(program, other)
    if isinstance(b, Pending) and isinstance(a, View):
        return normalized(program, a, b, "sqrt")
    if isinstance(a, Pending) or not isinstance(a, View) or isinstance(b, View):
        raise Refusal("a division by a map")
    if isinstance(b, Weight):
        return per_channel(program, a, b, scale=1 / channel_values(a, b).double())
    if b == 0:
        raise Refusal("a division by 0")
    return affine(program, a, 1 / b)


def mean_of_sum(program, total, count):
    x = entry_of(program, total.value)
    if not equal(count, View.of(x, (("h", "w"),)).shape[0]):
        raise Refusal("a sum over the map that is divided by something else than its pixels")
    return View.of(program.layer("adaptive_avg_pool", x, (1, 1), bins=1), total.options["axes"])


def normalized(program, view, root, name):
    """(x - mean) / sqrt(variance + eps), over channels"""
    if not isinstance(root, Pending) or root.name != name:
        raise Refusal(f"a product with {getattr(root, 'name', 'a constant')}")
    of, eps = root.value.entry.facts.get("variance + eps", (None, None))
    if of is None or view.entry.facts.get("centered") is not of:
        raise Refusal(f"a {name} that is not a norm's over the channels, (x - mean) / sqrt(variance + eps)")
    options = {} if eps == 1e-5 else {"eps": eps}
    return View.of(program.layer("layer_norm", of, **options, scale=False, center=False), view.axes)


def concat(program, tensors, dim=0):
    views = []
    for value in tensors:
        if isinstance(value, Refused):
            raise value.error
        views.append(whole(program, value))
    first = views[0]
    for view in views:
        if view.axis(dim) != view.channel_axis() or len(view.axes) != len(first.axes):
            raise Refusal(f"a concat over the axis {dim} of {shown(view)}, expected the channels")
    if len(views) == 1:
        return View.of(entry_of(program, first), first.axes)
    return View.of(program.join("concat", [entry_of(program, view) for view in views]),
                   channels_last(first) if first.channel_axis() == len(first.axes) - 1 else first.axes)


JOINS = {"add": add, "sub": sub, "subtract": sub, "rsub": rsub, "mul": mul, "multiply": mul, "div": div,
         "divide": div, "true_divide": div, "cat": concat, "concat": concat}
