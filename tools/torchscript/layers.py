"""Layers with weights, and pools: a function for each operator, whose parameters are the operator's."""
import itertools

import torch
from checkpoints import ExportError
from networks.entries import plain

from . import NO_LAYER, Refusal
from .sizes import Size, equal, values_of
from .values import PLAIN, Padded, Pending, View, Weight

RUNS_MAX = 32  # of channels that are next to each other
SORTED_MAX = 1 << 24


def plain_map(program, value):
    """-> the Entry of a map [N, C, H, W], its border included"""
    view = whole(program, value)
    if len(view.axes) != 4 or any(view.letters(axis) not in ((), PLAIN[axis]) for axis in range(4)):
        raise Refusal(f"a map with the axes {shown(view)}, expected N, C, H, W")
    return entry_of(program, view)


def whole(program, value):
    """-> the View, its border made a layer of its own"""
    if isinstance(value, Padded):
        return padded(program, value)
    if isinstance(value, Pending) and value.where:
        raise ExportError(value.where)
    if not isinstance(value, View):
        raise Refusal("a constant, expected a map")
    return value


def shown(view):
    return ", ".join("*".join(letters).upper() or "1" for letters in view.axes)


def entry_of(program, view):
    """-> the Entry of a View's channels"""
    entry, order = view.entry, view.numbers()
    if view.split:
        raise Refusal(f"channels that are split in {view.split[0]} times {view.split[1]}")
    if len(order) == entry.channels and all(i == channel for i, channel in enumerate(order)):
        return entry
    key = ("channels", id(entry), order)
    if key not in program.made:
        program.made[key] = gathered(program, [(entry, channel) for channel in order])
    return program.made[key]


def gathered(program, channels):
    """-> the entry with these channels, [(Entry, channel)]: a concat of slices, or a 1x1 convolution that sorts many"""
    runs = []
    for entry, channel in channels:
        if runs and runs[-1][0] is entry and runs[-1][2] == channel:
            runs[-1][2] += 1
        else:
            runs.append([entry, channel, channel + 1])
    if len(runs) > RUNS_MAX:
        return sorted_channels(program, channels)
    parts = [entry if (first, end) == (0, entry.channels) else
             program.layer("slice", entry, channels=end - first, between=[first, end]) for entry, first, end in runs]
    return parts[0] if len(parts) == 1 else program.join("concat", parts)


def sorted_channels(program, channels):
    sources = list({id(entry): entry for entry, _ in channels}.values())
    starts = dict(zip(map(id, sources), itertools.accumulate((entry.channels for entry in sources), initial=0)))
    x = sources[0] if len(sources) == 1 else program.join("concat", sources)
    if x.channels * len(channels) > SORTED_MAX:
        raise Refusal(f"{len(channels)} of {x.channels} channels in another order")
    weight = torch.zeros(len(channels), x.channels, 1, 1)
    weight[range(len(channels)), [starts[id(entry)] + channel for entry, channel in channels]] = 1
    return convolved(program, x, {"weight": weight}, "order", x.size)


def padded(program, value):
    """A border of zeros: a depthwise 1x1 convolution with this padding, whose weights are 1."""
    entry = entry_of(program, value.view)
    if any(isinstance(n, Size) or n < 0 for n in value.sides):
        raise Refusal("a border that no convolution and no pool takes as its padding")
    if value.value != 0:
        raise Refusal(f"a border of {value.value} that no convolution and no pool takes as its padding")
    weight = torch.ones(entry.channels, 1, 1, 1)
    top, left, bottom, right = value.sides
    size = program.size(entry, lambda n, axis: n + (top + bottom, left + right)[axis])
    return View.of(convolved(program, entry, {"weight": weight}, "pad", size, padding=list(value.sides),
                             groups=entry.channels))


def convolved(program, x, tensors, key, size, **options):
    """The entry of a convolution; its channels and kernel are those of the weight."""
    out, _, *kernel = tensors["weight"].shape
    bias = tensors.get("bias") is not None
    chosen = {"channels": (out, None), "kernel": (plain(kernel), 1), "stride": (plain(options.get("stride", 1)), 1),
              "padding": (plain(options.get("padding", 0)), 0), "dilation": (plain(options.get("dilation", 1)), 1),
              "groups": (options.get("groups", 1), 1), "bias": (bias, True)}
    given = {name: value for name, (value, default) in chosen.items() if value != default}
    entry = program.layer("conv", x, size, out, weights=program.store(tensors, key))
    entry.options = {"channels": out, **given, **entry.options}
    return entry


def pair(value):
    values = [value] if isinstance(value, (int, Size)) else list(value)
    if len(values) > 2:
        raise Refusal(f"{len(values)} numbers where a height and a width are expected")
    return values if len(values) == 2 else values * 2


def weight_of(value, what):
    if not isinstance(value, Weight):
        raise Refusal(f"{what} that are computed from the input")
    return value.values


def key_of(value):
    """layer1.0.conv1.weight -> layer1.0.conv1"""
    return value.key.rpartition(".")[0] or value.key


# ---- convolutions ----

def convolution(program, input, weight, bias=None, stride=1, padding=0, dilation=1, transposed=False,
                output_padding=0, groups=1):
    if transposed:
        raise Refusal(f"a transposed convolution: {NO_LAYER}")
    kernel = weight_of(weight, "weights")
    if kernel.dim() != 4:
        raise Refusal(f"a kernel of {kernel.dim() - 2} axes, expected 2")
    tensors = {"weight": kernel, "bias": None if bias is None else weight_of(bias, "weights")}
    stride, dilation = pair(stride), pair(dilation)
    expect_zeros(input)
    x, padding = with_padding(program, input, padding, kernel.shape[2:], stride, dilation)
    program.expect_channels(x, kernel.shape[1] * groups)
    size = windows(program, x, kernel.shape[2:], stride, padding, dilation)
    return View.of(convolved(program, x, tensors, key_of(weight), size, stride=stride, padding=padding,
                             dilation=dilation, groups=groups))


def expect_zeros(value):
    if isinstance(value, Padded) and value.value != 0:
        raise Refusal(f"a border of {value.value}, expected one of 0")


def with_padding(program, value, padding, kernel, stride, dilation):
    """-> (the map, the padding of a convolution or a pool, a border before it included)"""
    if padding == "valid":
        padding = 0
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel)]
        padding = [t // 2 for t in total] + [t - t // 2 for t in total]
    elif not isinstance(padding, str):
        padding = pair(padding) * 2
    if not isinstance(value, Padded):
        return plain_map(program, value), shortest(padding)
    x = plain_map(program, value.view)
    if any(isinstance(n, Size) for n in value.sides):
        if padding == [0] * 4 and is_same(x, value.sides, kernel, stride, dilation):
            return x, "same"
        raise Refusal("a border whose width depends on the size of the input, and is not TensorFlow's \"same\"")
    return x, shortest([a + b for a, b in zip(padding, value.sides)])


def shortest(padding):
    """[1, 1] for [1, 1, 1, 1]"""
    if isinstance(padding, list) and any(isinstance(n, int) and n < 0 for n in padding):
        raise Refusal("a border that cuts off pixels")
    return padding[:2] if isinstance(padding, list) and padding[:2] == padding[2:] else padding


def is_same(x, sides, kernel, stride, dilation):
    """Whether these are TensorFlow's: as few as make ceil(n / stride) pixels of n, the odd one at the end."""
    for axis, n in enumerate(x.size):
        if not isinstance(n, Size):
            return False
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        total = n.apply(lambda v, s=stride[axis], reach=reach: ((-(-v // s) - 1) * s + reach - v).clip(min=0))
        before = total.apply(lambda v: v // 2) if isinstance(total, Size) else total // 2
        after = total.apply(lambda v, b: v - b, before) if isinstance(total, Size) else total - before
        if not (equal(before, sides[axis]) and equal(after, sides[axis + 2])):
            return False
    return True


def windows(program, x, kernel, stride, padding, dilation=(1, 1), ceil=False):
    """-> the size of what a convolution or a pool computes"""
    def side(n, axis):
        if padding == "same":
            return -(-n // stride[axis])
        given = padding if len(padding) == 4 else padding * 2
        padded, reach = n + given[axis] + given[axis + 2], (kernel[axis] - 1) * dilation[axis] + 1
        if not ceil:
            return (padded - reach) // stride[axis] + 1
        count = -((reach - padded) // stride[axis]) + 1
        return count - ((count - 1) * stride[axis] >= n + given[axis])

    size = program.size(x, side)
    if any(not isinstance(n, Size) and n < 1 for n in size):
        raise Refusal(f"a window of {list(kernel)} on a map of {list(x.size)}")
    return size


def linear(program, input, weight, bias=None):
    """Over the last axis, if that is the channels': a 1x1 convolution."""
    view = whole(program, input)
    if view.channel_axis() != len(view.axes) - 1:
        raise Refusal(f"a linear layer over the last of the axes {shown(view)}, expected the channels there")
    matrix, x = weight_of(weight, "weights"), entry_of(program, view)
    program.expect_channels(x, matrix.shape[1])
    tensors = {"weight": matrix[:, :, None, None], "bias": None if bias is None else weight_of(bias, "weights")}
    return View.of(convolved(program, x, tensors, key_of(weight), x.size), channels_last(view))


def channels_last(view):
    """-> the axes, the last of which has the channels and nothing else"""
    return (*view.axes[:-1], ("c",))


def addmm(program, self, mat1, mat2, beta=1, alpha=1):
    if beta != 1 or alpha != 1:
        raise Refusal("factors other than 1")
    return linear(program, mat1, transposed_weight(mat2), self)


def matmul(program, self, other):
    return linear(program, self, transposed_weight(other))


def transposed_weight(value):
    matrix = weight_of(value, "a product with maps")
    if matrix.dim() != 2:
        raise Refusal(f"a constant of {matrix.dim()} axes, expected a matrix")
    return Weight(matrix.t(), value.key)


# ---- norms ----

def batch_norm(program, input, weight=None, bias=None, running_mean=None, running_var=None, training=False, eps=1e-5):
    if training or running_mean is None:
        raise Refusal("a batch norm with the statistics of the batch: export the module after .eval()")
    tensors = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    return normed(program, "batch_norm", input, tensors, eps)


def native_batch_norm(program, input, weight=None, bias=None, running_mean=None, running_var=None, training=False,
                      eps=1e-5):
    """Of its three results, the statistics are for training."""
    return batch_norm(program, input, weight, bias, running_mean, running_var, training, eps), None, None


def group_norm(program, input, num_groups, weight=None, bias=None, eps=1e-5):
    return normed(program, "group_norm", input, {"weight": weight, "bias": bias}, eps, groups=num_groups)


def instance_norm(program, input, weight=None, bias=None, running_mean=None, running_var=None, use_input_stats=True,
                  eps=1e-5):
    """Over each channel's pixels: a group for each channel."""
    if not use_input_stats:
        return batch_norm(program, input, weight, bias, running_mean, running_var, eps=eps)
    return group_norm(program, input, whole(program, input).channels, weight, bias, eps)


def normed(program, kind, input, tensors, eps, **options):
    view = whole(program, input)
    if view.channel_axis() != 1:
        raise Refusal(f"a norm of the axes {shown(view)}, expected N, C, ...")
    return scaled_norm(program, kind, view, tensors, eps, **options)


def layer_norm(program, input, normalized_shape, weight=None, bias=None, eps=1e-5):
    view = whole(program, input)
    if len(normalized_shape) != 1 or view.channel_axis() != len(view.axes) - 1:
        raise Refusal(f"a norm of the last {len(normalized_shape)} of the axes {shown(view)}, expected the channels")
    return scaled_norm(program, "layer_norm", view, {"weight": weight, "bias": bias}, eps)


def scaled_norm(program, kind, view, tensors, eps, **options):
    x = entry_of(program, view)
    given = {leaf: weight_of(value, "weights") for leaf, value in tensors.items() if value is not None}
    for values in given.values():
        program.expect_channels(x, values.numel())
    key = next((key_of(value) for value in tensors.values() if value is not None), kind)
    chosen = {"eps": (float(eps), 1e-5), "scale": ("weight" in given, True), "center": ("bias" in given, True)}
    options.update({name: value for name, (value, default) in chosen.items() if value != default})
    if not given:
        return View.of(program.layer(kind, x, **options), view.axes)
    return View.of(program.weighted(kind, x, given, key, **options), view.axes)


# ---- pools ----

def max_pool2d(program, self, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
    if pair(dilation) != [1, 1]:
        raise Refusal("a max pool with a dilation")
    window, stride = pair(kernel_size), pair(stride or kernel_size)
    if isinstance(self, Padded) and not takes_border(self):
        self = whole(program, self)
    return pooled(program, "max_pool", self, window, stride, padding, ceil_mode)


def takes_border(value):
    """Whether a max pool's own padding does the same: a border of minus infinity, or of 0 beside no negative value."""
    return value.value == float("-inf") or value.value == 0 and value.view.entry.kind in ("relu", "relu6", "sigmoid")


def max_pool2d_with_indices(program, self, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
    return max_pool2d(program, self, kernel_size, stride, padding, dilation, ceil_mode), None


def avg_pool2d(program, self, kernel_size, stride=(), padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    window, stride = pair(kernel_size), pair(stride or kernel_size)
    expect_zeros(self)
    if isinstance(self, Padded) and (ceil_mode or not count_include_pad and pair(padding) != [0, 0]):
        self = whole(program, self)
    elif isinstance(self, Padded):
        count_include_pad = True
    if any(isinstance(n, Size) for n in window):
        return global_pool(program, self, window, padding)
    view = pooled(program, "avg_pool", self, window, stride, padding, ceil_mode)
    if not count_include_pad and view.entry.options.get("padding", 0) != 0:
        view.entry.options["count_padding"] = False
    if divisor_override:
        return View.of(program.affine(view.entry, window[0] * window[1] / divisor_override))
    return view


def global_pool(program, self, window, padding):
    x = plain_map(program, self)
    if pair(padding) != [0, 0] or not all(equal(n, k) for n, k in zip(x.size, window)):
        raise Refusal("a window that depends on the size of the input, and is not the whole map")
    return View.of(program.layer("adaptive_avg_pool", x, (1, 1), bins=1))


def pooled(program, kind, value, window, stride, padding, ceil):
    if any(isinstance(n, Size) for n in (*window, *stride)):
        raise Refusal("a window that depends on the size of the input")
    x, padding = with_padding(program, value, padding, window, stride, (1, 1))
    size = windows(program, x, window, stride, padding, ceil=ceil)
    options = {"window": plain(window)}
    options.update({name: value for name, value, default in (
        ("stride", plain(stride), plain(window)), ("padding", plain(padding), 0), ("ceil", bool(ceil), False))
        if value != default})
    return View.of(program.layer(kind, x, size, **options))


def adaptive_avg_pool2d(program, self, output_size):
    x = plain_map(program, self)
    bins = [x.size[axis] if n is None else n for axis, n in enumerate(pair(output_size))]
    if all(equal(n, b) for n, b in zip(x.size, bins)):
        return View.of(x)
    if any(isinstance(b, Size) for b in bins):
        raise Refusal("bins that depend on the size of the input")
    return View.of(program.layer("adaptive_avg_pool", x, bins, bins=plain(bins)))


LAYERS = {
    "conv2d": convolution, "convolution": convolution, "_convolution": convolution,
    "_convolution_mode": convolution, "linear": linear,
    "addmm": addmm, "matmul": matmul, "mm": matmul,
    "batch_norm": batch_norm, "native_batch_norm": native_batch_norm,
    "_native_batch_norm_legit_no_training": native_batch_norm,
    "group_norm": group_norm, "instance_norm": instance_norm, "layer_norm": layer_norm,
    "max_pool2d": max_pool2d, "max_pool2d_with_indices": max_pool2d_with_indices, "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d, "_adaptive_avg_pool2d": adaptive_avg_pool2d,
}

__all__ = ["LAYERS", "entry_of", "plain_map", "shown", "values_of", "whole"]
