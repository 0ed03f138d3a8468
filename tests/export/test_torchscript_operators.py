"""Each operator of TorchScript that has a row in tools/torchscript: traced at one size, asked at another, and compared
in float64 with what the function itself computes."""
import io
import warnings

import pytest
import torch
from checkpoints import ExportError
from networks.literal import Literal
from support import random_features
from torch import nn
from torch.nn import functional as F
from torchscript import reading

SIZES = ((16, 24), (21, 19))
ERROR_MAX = 1e-5  # of the largest value: constants in graphs are float32


class Module(nn.Module):
    """A function after a convolution, with some parameters at hand."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.weight, self.bias = nn.Parameter(torch.rand(6) + 0.5), nn.Parameter(torch.rand(6))
        self.mean, self.var = nn.Parameter(torch.rand(6)), nn.Parameter(torch.rand(6) + 0.5)
        self.matrix, self.kernel = nn.Parameter(torch.rand(6, 6)), nn.Parameter(torch.rand(6, 2, 3, 3) - 0.5)
        self.depthwise, self.slope = nn.Parameter(torch.rand(6, 1, 5, 5) - 0.5), nn.Parameter(torch.rand(1))
        self.function = function

    def forward(self, x):
        return self.function(self, self.first(x))


def read_back(module, output=None):
    """As from a file."""
    data = io.BytesIO()
    torch.jit.save(module, data)
    data.seek(0)
    return reading.read_module(torch.jit.load(data).eval(), output)


def made(function):
    """-> (the module, what is read of its trace)"""
    module = Module(function).eval()
    x = random_features(1, 3, *SIZES[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return module, read_back(torch.jit.trace(module, x, check_trace=False))


def assert_same(module, found, x):
    y = Literal(found.config, {name: values.numpy() for name, values in found.tensors.items()})(x)
    expected = module.double()(x.double())
    assert y.shape == expected.shape
    assert expected.std() > 0
    assert (y - expected).abs().max() < ERROR_MAX * expected.abs().max()


def norm_by_hand(m, x):
    mean = x.mean(1, keepdim=True)
    var = (x - mean).pow(2).mean(1, keepdim=True)
    return m.weight[:, None, None] * ((x - mean) / torch.sqrt(var + 1e-6)) + m.bias[:, None, None]


def norm_by_rsqrt(m, x):
    mean, var = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
    return (x - mean) * torch.rsqrt(var + 1e-3)


def squeezed(m, x):
    """Squeeze and excite over vectors, by linear layers."""
    n, c, _, _ = x.size()
    y = F.adaptive_avg_pool2d(x, 1).view(n, c)
    y = torch.sigmoid(F.linear(F.relu(F.linear(y, m.matrix)), m.matrix, m.bias)).view(n, c, 1, 1)
    return x * y.expand_as(x)


def in_place(m, x):
    """What is read after a change in place is the changed map."""
    y = F.relu_(x)
    return torch.cat([x, y + 1], 1)


def part_in_place(m, x):
    y = x * 1
    y[:, 2:4].mul_(3)
    y[:, :1] += 1
    return y + x


def parts_exchanged(m, x):
    y = x * 1
    y[:, :3] = y[:, 3:]
    return y


def channels_last(m, x):
    y = x.permute(0, 2, 3, 1)
    y = F.gelu(F.linear(F.layer_norm(y, (6,), m.weight, m.bias, 1e-6), m.matrix))
    return (m.weight * y).permute(0, 3, 1, 2) + x


def to_size(x, size, **options):
    return F.interpolate(x, size=size, mode="bilinear", **options)


HALF = {"mode": "bilinear", "align_corners": False}

FUNCTIONS = {
    # convolutions
    "conv2d": lambda m, x: F.conv2d(x, m.kernel, m.bias, stride=2, padding=1, groups=3),
    "conv2d-dilated": lambda m, x: F.conv2d(x, m.kernel, padding=(4, 2), dilation=(4, 2), groups=3),
    "conv2d-depthwise": lambda m, x: F.conv2d(x, m.depthwise, m.bias, padding=2, groups=6),
    "conv2d-same": lambda m, x: F.conv2d(x, m.kernel, padding="same", groups=3, dilation=2),
    "conv2d-valid": lambda m, x: F.conv2d(x, m.kernel, padding="valid", groups=3),
    "conv2d-scaled-weight": lambda m, x: F.conv2d(x, m.kernel * m.weight.view(6, 1, 1, 1) / 2, groups=3),
    "conv2d-standardized": lambda m, x: F.conv2d(x, (m.kernel - m.kernel.mean((1, 2, 3), keepdim=True))
                                                 / (m.kernel.std((1, 2, 3), keepdim=True) + 1e-5), groups=3),
    "conv2d-twice": lambda m, x: F.conv2d(F.conv2d(x, m.kernel, padding=1, groups=3), m.kernel, groups=3),
    "pad-conv2d": lambda m, x: F.conv2d(F.pad(x, (1, 2, 0, 1)), m.kernel, stride=2, groups=3),
    "pad": lambda m, x: torch.sigmoid(F.pad(x, (1, 2, 0, 1))),
    "pad-0": lambda m, x: F.pad(x, (0, 0, 0, 0)),
    "linear": lambda m, x: F.linear(x.flatten(2).transpose(1, 2), m.matrix, m.bias).transpose(1, 2).reshape(x.shape),
    "matmul": lambda m, x: (x.permute(0, 2, 3, 1) @ m.matrix + m.bias).permute(0, 3, 1, 2),
    "addmm": lambda m, x: torch.addmm(m.bias, x.mean((2, 3)), m.matrix)[:, :, None, None] + x,
    # norms
    "batch_norm": lambda m, x: F.batch_norm(x, m.mean, m.var, m.weight, m.bias, eps=1e-3),
    "batch_norm-plain": lambda m, x: F.batch_norm(x, m.mean, m.var),
    "batch_norm-vector": lambda m, x: x * F.batch_norm(x.mean((2, 3)), m.mean, m.var)[..., None, None],
    "group_norm": lambda m, x: F.group_norm(x, 3, m.weight, m.bias),
    "group_norm-plain": lambda m, x: F.group_norm(x, 2, eps=1e-3),
    "instance_norm": lambda m, x: F.instance_norm(x, weight=m.weight, bias=m.bias),
    "layer_norm": channels_last, "layer_norm-by-hand": norm_by_hand, "layer_norm-rsqrt": norm_by_rsqrt,
    # activations
    **{name: lambda m, x, name=name: getattr(F, name)(x) for name in (
        "relu", "relu6", "elu", "silu", "gelu", "hardswish", "hardsigmoid", "mish", "softplus", "leaky_relu",
        "hardtanh")},
    "sigmoid": lambda m, x: torch.sigmoid(x), "tanh": lambda m, x: x.tanh_() + x,
    **{f"{name}-in-place": lambda m, x, name=name: getattr(F, name)(x, inplace=True) + x for name in (
        "relu", "relu6", "elu", "silu", "hardswish", "hardsigmoid", "mish", "leaky_relu", "hardtanh")},
    "leaky_relu-slope": lambda m, x: F.leaky_relu(x, 0.2),
    "rrelu": lambda m, x: F.rrelu(x),
    "prelu": lambda m, x: F.prelu(x, m.weight), "prelu-one": lambda m, x: F.prelu(x, m.slope),
    "gelu-tanh": lambda m, x: F.gelu(x, approximate="tanh"),
    "hardtanh-0-6": lambda m, x: F.hardtanh(x, 0, 6), "hardtanh-other": lambda m, x: F.hardtanh(x, -0.5, 0.25),
    "clamp": lambda m, x: x.clamp(0, 0.5), "clamp-min": lambda m, x: x.clamp(min=-0.1),
    "clamp-max": lambda m, x: x.clamp(max=0.2), "clamp_min": lambda m, x: torch.clamp_min(x, 0),
    "threshold": lambda m, x: F.threshold(x, 0, 0),
    "softmax": lambda m, x: F.softmax(x, 1), "softmax-last": lambda m, x: x.movedim(1, -1).softmax(-1).movedim(-1, 1),
    "glu": lambda m, x: F.glu(x, 1), "abs": lambda m, x: x.abs(), "neg": lambda m, x: -x,
    "pow": lambda m, x: x ** 2 + x.pow(3), "square": lambda m, x: torch.square(x),
    # numbers and constants
    "add-number": lambda m, x: 1 - (2 * x + 3) / 4 - 0.5, "rsub-alpha": lambda m, x: torch.rsub(x, 2, alpha=3),
    "sub-alpha": lambda m, x: torch.sub(x, torch.sigmoid(x), alpha=2),
    "add-alpha": lambda m, x: torch.add(x, torch.sigmoid(x), alpha=0.5),
    "normalized-input": lambda m, x: (x - m.mean[None, :, None, None]) / m.var[:, None, None],
    "constant-minus": lambda m, x: m.bias.view(1, -1, 1, 1) - x,
    "one-value": lambda m, x: x * m.slope + torch.tensor(2.0),
    "buffer-of-equal-values": lambda m, x: x * torch.full((1, 6, 1, 1), 0.5),
    # sums, products, concats
    "add-in-place": lambda m, x: F.relu(x).add_(x) + x, "in-place": in_place, "part-in-place": part_in_place,
    "parts-exchanged": parts_exchanged,
    "mul-channel": lambda m, x: x * x.mean(1, keepdim=True), "mul-pixel": lambda m, x: x * x.mean((2, 3), keepdim=True),
    "cat": lambda m, x: torch.cat([x, torch.sigmoid(x)], dim=1), "cat-negative": lambda m, x: torch.cat((x, x), -3),
    "sum": lambda m, x: x.sum(1, keepdim=True) * torch.sigmoid(x),
    "sum-unsqueeze": lambda m, x: x + x.sum(1).unsqueeze(1),
    "sum-over-map": lambda m, x: x.sum((2, 3), keepdim=True) / (x.size(2) * x.size(3)) + x,
    "addcmul-like": lambda m, x: x + torch.sigmoid(x) * torch.tanh(x),
    # pools
    "max_pool2d": lambda m, x: F.max_pool2d(x, 3, 2, 1),
    "max_pool2d-ceil": lambda m, x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "max_pool2d-indices": lambda m, x: F.max_pool2d(x, 2, return_indices=True)[0],
    "pad-max_pool2d": lambda m, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2),
    "pad-relu-max_pool2d": lambda m, x: F.max_pool2d(F.pad(F.relu(x), (0, 1, 0, 1)), 3, 2),
    "pad-inf-max_pool2d": lambda m, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2),
    "avg_pool2d": lambda m, x: F.avg_pool2d(x, 5, 2, 2),
    "avg_pool2d-ceil": lambda m, x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "avg_pool2d-without-padding": lambda m, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool2d-divisor": lambda m, x: F.avg_pool2d(x, 2, divisor_override=3),
    "avg_pool2d-pad": lambda m, x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2),
    "avg_pool2d-global": lambda m, x: F.avg_pool2d(x, x.size()[2:]) * x,
    "adaptive_avg_pool2d": lambda m, x: F.adaptive_avg_pool2d(x, (3, 2)), "adaptive-itself": lambda m, x:
        F.adaptive_avg_pool2d(x, x.shape[2:]),
    "mean": lambda m, x: x.mean([2, 3], True) + x,
    "mean-of-view": lambda m, x: x.view(x.size(0), x.size(1), -1).mean(2)[:, :, None, None] + x,
    # resizes
    "resize-like": lambda m, x: x + to_size(F.avg_pool2d(x, 2), x.shape[2:], align_corners=True),
    "resize-scale": lambda m, x: F.interpolate(x, scale_factor=2, **HALF),
    "resize-scale-1.5": lambda m, x: F.interpolate(x, scale_factor=1.5, **HALF),
    "resize-recomputed": lambda m, x: F.interpolate(x, scale_factor=2, recompute_scale_factor=True, **HALF),
    "resize-multiple": lambda m, x: F.interpolate(x, (x.shape[2] * 3, x.shape[3] * 3), mode="nearest"),
    "resize-nearest": lambda m, x: F.interpolate(x, scale_factor=2),
    "resize-fixed": lambda m, x: to_size(x, (7, 9), align_corners=True),
    "resize-itself": lambda m, x: to_size(x, x.shape[2:], align_corners=True),
    "resize-number-that-is-a-size": lambda m, x: x + to_size(F.avg_pool2d(x, 2), tuple(map(int, x.shape[2:]))),
    "resize-by-other-numbers": lambda m, x: x[:, :, :] + F.interpolate(
        F.avg_pool2d(x, 2), (x.shape[2] // 2 * 2 + x.shape[2] % 2, (2 * x.shape[3] + 1) // 2), mode="nearest"),
    "resize-from-pixel": lambda m, x: x + to_size(x.mean((2, 3), True), x.shape[2:]),
    "upsample": lambda m, x: F.upsample(x, scale_factor=2, mode="bilinear"),
    "expand": lambda m, x: torch.cat([x, x.mean((2, 3), True).expand(-1, -1, x.size(2), x.size(3))], 1),
    # parts and axes
    "chunk": lambda m, x: torch.cat(x.chunk(3, 1)[::-1], 1), "split": lambda m, x: x.split([1, 5], 1)[1],
    "slice": lambda m, x: x[:, 1:5], "slice-steps-of-axes": lambda m, x: x[:, :, :, :] + x[..., :],
    "narrow": lambda m, x: x.narrow(1, 2, 3), "select": lambda m, x: x[:, 2].unsqueeze(1),
    "unbind": lambda m, x: torch.unbind(x, 1)[2][:, None] * x, "squeeze-and-excite": squeezed,
    "squeeze": lambda m, x: x.mean((2, 3), True).squeeze(-1).squeeze(2)[..., None, None] * x,
    "flatten-view": lambda m, x: F.relu(x.flatten(2)).view_as(x),
    "reshape-back": lambda m, x: torch.tanh(x.reshape(x.size(0), x.size(1), -1)).reshape(*x.shape),
    "clone-detach": lambda m, x: F.relu_(x.clone().detach().contiguous()) + x,
    "dropout": lambda m, x: F.dropout2d(F.dropout(x, training=False), training=False),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operator(name):
    module, found = made(FUNCTIONS[name])
    for size in SIZES:
        assert_same(module, found, random_features(1, 3, *size))


REFUSED = {
    "row": (lambda m, x: x * F.adaptive_avg_pool2d(x, (1, 24)), "a map of one row or one column that is broadcast"),
    "kernel": (lambda m, x: F.conv2d(x, m.depthwise.expand(6, 1, 5, 5).repeat(1, 1, 3, 3), groups=6),
               "a kernel of 15, expected at most 11"),
    "dilation": (lambda m, x: F.conv2d(x, m.kernel, padding=300, dilation=300, groups=3), "a dilation of 300"),
    "conv_transpose2d": (lambda m, x: F.conv_transpose2d(x, m.kernel, groups=3), "a transposed convolution"),
    "bicubic": (lambda m, x: F.interpolate(x, scale_factor=2, mode="bicubic"), "aten::upsample_bicubic2d at "),
    "exp": (lambda m, x: x.exp(), "aten::exp at "),
    "matmul": (lambda m, x: x @ x.transpose(2, 3) @ x, "a product with maps"),
    "training": (lambda m, x: F.dropout(x, training=True), "a dropout that is active"),
    "batch": (lambda m, x: F.batch_norm(x, None, None, training=True), "the statistics of the batch"),
    "reflect": (lambda m, x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "a border in the mode 'reflect'"),
    "max": (lambda m, x: x.max(1, keepdim=True)[0] * x, "a product with max"),
    "crop": (lambda m, x: x[:, :, 1:], "a part of the axis H, expected channels"),
    "split-of-channels": (lambda m, x: x.view(x.size(0), 2, 3, x.size(2), x.size(3)).mean(1), "split in 2 times 3"),
    "division": (lambda m, x: x / (1 + torch.sigmoid(x)), "a division by a map"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    function, sentence = REFUSED[name]
    with pytest.raises(ExportError) as caught:
        made(function)
    assert sentence in str(caught.value)
    assert "test_torchscript_operators.py:" in str(caught.value) or "functional.py:" in str(caught.value)
    assert "\n" not in str(caught.value)

