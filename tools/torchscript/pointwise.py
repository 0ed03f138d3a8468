"""Functions of each value by itself: activations, and what can be written with them."""
import math

from . import NO_LAYER, Refusal
from .layers import entry_of, key_of, weight_of, whole
from .values import Pending, View


def act(kind, **options):
    """The operator of this name, if its options are those of the layer."""
    def apply(program, self):
        view = whole(program, self)
        return View.of(program.layer(kind, entry_of(program, view), **options), view.axes)
    return apply


def layer(program, view, kind, **options):
    return View.of(program.layer(kind, entry_of(program, view), **options), view.axes)


def affine(program, view, scale=1, shift=0):
    return View.of(program.affine(entry_of(program, view), scale, shift), view.axes)


def joined(program, kind, *views):
    return View.of(program.join(kind, [entry_of(program, view) for view in views]), views[0].axes)


def leaky_relu(program, self, negative_slope=0.01):
    view = whole(program, self)
    if negative_slope == 0:
        return layer(program, view, "relu")
    return layer(program, view, "leaky_relu", **({"slope": negative_slope} if negative_slope != 0.01 else {}))


def rrelu(program, self, lower=1 / 8, upper=1 / 3, training=False, generator=None):
    if training:
        raise Refusal("a random slope: export the module after .eval()")
    return leaky_relu(program, self, (lower + upper) / 2)


def elu(program, self, alpha=1, scale=1, input_scale=1):
    if (alpha, scale, input_scale) != (1, 1, 1):
        raise Refusal(f"an elu with alpha {alpha}, scale {scale} and input_scale {input_scale}, expected 1, 1 and 1")
    return layer(program, whole(program, self), "elu")


def softplus(program, self, beta=1, threshold=20):
    if (beta, threshold) != (1, 20):
        raise Refusal(f"a softplus with beta {beta} and threshold {threshold}, expected 1 and 20")
    return layer(program, whole(program, self), "softplus")


def gelu(program, self, approximate="none"):
    """The form with tanh is written out: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x ** 3)))."""
    x = whole(program, self)
    if approximate == "none":
        return layer(program, x, "gelu")
    cube = joined(program, "mul", x, x, x)
    inner = affine(program, joined(program, "add", x, affine(program, cube, 0.044715)), math.sqrt(2 / math.pi))
    return joined(program, "mul", affine(program, x, 0.5), affine(program, layer(program, inner, "tanh"), shift=1))


def prelu(program, self, weight):
    view, slopes = whole(program, self), weight_of(weight, "slopes")
    if slopes.numel() != 1:
        if view.channel_axis() != 1:
            raise Refusal("slopes for an axis that is not the channels'")
        program.expect_channels(entry_of(program, view), slopes.numel())
    entry = program.weighted("prelu", entry_of(program, view), {"weight": slopes.reshape(-1)}, key_of(weight))
    return View.of(entry, view.axes)


def clamp(program, self, min=None, max=None):
    view = whole(program, self)
    for bound in (min, max):
        if not isinstance(bound, (int, float, type(None))):
            raise Refusal("a bound that is not a number")
    return clamped(program, view, None if min == -math.inf else min, None if max == math.inf else max)


def clamped(program, view, low, high):
    """By relu and relu6 of what is shifted and scaled."""
    if (low, high) == (0, 6):
        return layer(program, view, "relu6")
    if high is None:
        return view if low is None else affine(program, layer(program, affine(program, view, 1, -low), "relu"), 1, low)
    if low is None:
        return affine(program, layer(program, affine(program, view, -1, high), "relu"), -1, high)
    if low >= high:
        raise Refusal(f"bounds {low} and {high}, expected a lower and a higher one")
    scale = 6 / (high - low)
    return affine(program, layer(program, affine(program, view, scale, -low * scale), "relu6"), 1 / scale, low)


def threshold(program, self, threshold, value):
    if threshold != value:
        raise Refusal(f"a threshold of {threshold} and a value of {value}, expected the same")
    return clamped(program, whole(program, self), threshold, None)


def hardtanh(program, self, min_val=-1, max_val=1):
    return clamped(program, whole(program, self), min_val, max_val)


def absolute(program, self):
    x = whole(program, self)
    return joined(program, "add", layer(program, x, "relu"), layer(program, affine(program, x, -1), "relu"))


def power(program, self, exponent):
    if exponent in (2, 3):
        x = whole(program, self)
        return joined(program, "mul", *[x] * int(exponent))
    if exponent == 1:
        return whole(program, self)
    if exponent == 0.5:
        return pending("sqrt")(program, self)
    if exponent == -0.5:
        return pending("rsqrt")(program, self)
    raise Refusal(f"a power of {exponent}, expected 1, 2 or 3")


def square(program, self):
    return power(program, self, 2)


def negative(program, self):
    return affine(program, whole(program, self), -1)


def pending(name):
    """What has no layer, and may be a part of a norm, or the end of the network."""
    def apply(program, self):
        return Pending(name, whole(program, self))
    return apply


def softmax_axis(view, dim):
    if view.axis(dim) != view.channel_axis():
        raise Refusal(f"over the axis {dim}, expected the channels")


def softmax(program, self, dim, dtype=None):
    view = whole(program, self)
    softmax_axis(view, dim)
    return layer(program, view, "softmax")


def log_softmax(program, self, dim, dtype=None):
    view = whole(program, self)
    softmax_axis(view, dim)
    return Pending("log_softmax", view)


def argmax(program, self, dim=None, keepdim=False):
    value = self.value if isinstance(self, Pending) and self.name == "log_softmax" else self
    view = whole(program, value)
    softmax_axis(view, dim)
    return Pending("argmax", view)


def largest(program, self, dim=None, keepdim=False):
    """max(x, dim): of its two results the labels can be an answer."""
    if dim is None:
        raise Refusal("the largest value of a map")
    return Pending("max", whole(program, self.value if isinstance(self, Pending) else self)), \
        argmax(program, self, dim, keepdim)


def greater(program, self, other):
    """y > 0 is sigmoid(y) > 0.5."""
    view = whole(program, self)
    if not isinstance(other, (int, float)):
        raise Refusal("a comparison with something that is not a number")
    if other == 0 and view.entry.kind != "sigmoid":
        view, other = layer(program, view, "sigmoid"), 0.5
    return Pending("gt", view, threshold=other)


def not_less(program, self, other):
    program.note(f"a value of exactly {other} is below the threshold, where the module's is not")
    return greater(program, self, other)


def rounded(program, self):
    """Of probabilities: 0.5 is rounded to 0."""
    view = whole(program, self)
    if view.entry.kind != "sigmoid":
        raise Refusal(NO_LAYER)
    return Pending("gt", view, threshold=0.5)


def glu(program, self, dim=-1):
    view = whole(program, self)
    softmax_axis(view, dim)
    half = view.channels // 2
    first, second = (view.chosen(slice(start, start + half)) for start in (0, half))
    return joined(program, "mul", first, layer(program, second, "sigmoid"))


POINTWISE = {
    **{name: act(name) for name in ("relu", "relu6", "sigmoid", "tanh", "silu", "mish", "hardswish", "hardsigmoid")},
    "leaky_relu": leaky_relu, "rrelu": rrelu, "elu": elu, "softplus": softplus, "gelu": gelu, "prelu": prelu,
    "clamp": clamp, "clip": clamp, "clamp_min": lambda program, self, min: clamp(program, self, min),
    "clamp_max": lambda program, self, max: clamp(program, self, None, max), "hardtanh": hardtanh,
    "threshold": threshold, "abs": absolute, "pow": power, "square": square, "neg": negative,
    "sqrt": pending("sqrt"), "rsqrt": pending("rsqrt"), "softmax": softmax, "_softmax": softmax,
    "log_softmax": log_softmax, "_log_softmax": log_softmax, "argmax": argmax, "max": largest, "gt": greater,
    "ge": not_less, "round": rounded,
    "glu": glu,
}
