"""The language of networks (docs/models.md), computed literally with PyTorch's functions.

One method for each operator; its parameters are the operator's options with their defaults, so that an unknown
option is an error. Nothing is fused, and nothing is shared with the server. Maps are NCHW.
"""
import torch
from torch.nn import functional as F

from .entries import pair

ACTIVATIONS = {"relu": F.relu, "relu6": F.relu6, "elu": F.elu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
               "silu": F.silu, "gelu": F.gelu, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid,
               "mish": F.mish, "softplus": F.softplus, "softmax": lambda x: F.softmax(x, dim=1)}
JOINS = ("add", "mul", "concat")
WITH_WEIGHTS = ("conv", "batch_norm", "group_norm", "layer_norm", "prelu")


def layer(entry):
    """-> (kind, options, name, source) of an entry: "relu", or {"relu": {}, "name": ..., "from": ...}"""
    rest = {entry: {}} if isinstance(entry, str) else dict(entry)
    name, source = rest.pop("name", None), rest.pop("from", None)
    (kind, options), = rest.items()
    return kind, options, name, source


def sides(padding, size, kernel, stride, dilation):
    """-> (top, left, bottom, right) of these four, or of "same" as TensorFlow has it"""
    if padding == "same":
        missing = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
                   for n, k, s, d in zip(size, kernel, stride, dilation)]
        return *(m // 2 for m in missing), *(m - m // 2 for m in missing)
    return tuple(padding)


def is_pytorchs(padding):
    """Whether PyTorch's functions take this padding: n or [h, w], the same on both sides."""
    return isinstance(padding, int) or padding != "same" and len(padding) == 2


def stretch(x, size, mode):
    """Resizes to size: bilinear in one of three ways, or nearest."""
    if mode == "nearest":
        return F.interpolate(x, size, mode="nearest")
    if mode == "asymmetric":
        rows, columns = (source_weights(n, m).to(x.dtype) for n, m in zip(x.shape[2:], size))
        return rows @ x @ columns.T
    return F.interpolate(x, size, mode="bilinear", align_corners={"align_corners": True, "half_pixel": False}[mode])


def stretch_by(x, scale, mode):
    """The same to floor(size * scale); a step between points is 1 / scale, except with align_corners."""
    if mode == "asymmetric":
        rows, columns = (source_weights(n, int(n * scale), 1 / scale).to(x.dtype) for n in x.shape[2:])
        return rows @ x @ columns.T
    if mode == "nearest":
        return F.interpolate(x, scale_factor=scale, mode="nearest")
    return F.interpolate(x, scale_factor=scale, mode="bilinear",
                         align_corners={"align_corners": True, "half_pixel": False}[mode])


def source_weights(n, m, step=None):
    """-> [m, n]: bilinear weights where point i of m reads the source at i n / m, or at i step"""
    at = torch.arange(m, dtype=torch.float64) * (step or n / m)
    low = at.floor().long().clamp(max=n - 1)
    high, share = (low + 1).clamp(max=n - 1), at - low
    eye = torch.eye(n, dtype=torch.float64)
    return eye[low] * (1 - share)[:, None] + eye[high] * share[:, None]


class Literal:
    """A model's JSON as a function of its inputs, {name: tensor} or the one tensor, which is called x.

    tensors: {name: NumPy array}, as in the weights file
    """

    def __init__(self, config, tensors, dtype=torch.float64):
        self.config, self.tensors, self.dtype = config, tensors, dtype
        self.maps, self.prefix = {}, config.get("weights", {}).get("prefix", "")

    def __call__(self, inputs):
        if isinstance(inputs, torch.Tensor):
            inputs = {"x": inputs}
        self.maps = {name: x.to(self.dtype) for name, x in inputs.items()}
        first = next(iter(self.maps.values()))
        y = self.network(first if len(self.maps) == 1 else None, self.config["network"])
        return self.output(y, first.shape[2:], **self.config.get("output", {}))

    def network(self, x, entries, group="network.{k}"):
        """x: what the first entry reads by default; group: what names of tensors begin with that are not given"""
        for k, (kind, options, name, source) in enumerate(map(layer, entries)):
            at = name or group.replace("{k}", str(k))
            if kind in WITH_WEIGHTS:
                options = {"weights": name or f"{at}.{kind}", **options}
            if kind == "pyramid":
                options = {**options, "at": at}
            x = self.maps[source] if source else x
            assert x is not None or kind in JOINS, f"{at} has no from, where there are several inputs"
            x = self.apply(kind, x, options)
            if name:
                self.maps[name] = x
        return x

    def apply(self, kind, x, options):
        if kind in ACTIVATIONS:
            return ACTIVATIONS[kind](x, **options)
        if kind in JOINS:
            return getattr(self, kind)(*(self.maps[name] for name in options))
        return getattr(self, kind)(x, **options)

    def tensor(self, name, shape, role):
        """role: weight, bias, gamma, beta, mean, var or slope"""
        values = torch.as_tensor(self.tensors[self.prefix + name])
        assert values.shape == shape, f"{name} ({role}): {tuple(values.shape)}, not {shape}"
        return values.to(self.dtype)

    # ---- layers with weights ----

    def conv(self, x, weights, channels=None, kernel=1, stride=1, padding=0, dilation=1, groups=1, bias=True):
        kernel, stride, dilation = pair(kernel), pair(stride), pair(dilation)
        out = channels or x.shape[1]
        weight = self.kernel(f"{weights}.weight", (out, x.shape[1] // groups, *kernel))
        added = self.tensor(f"{weights}.bias", (out,), "bias") if bias else None
        if is_pytorchs(padding):
            return F.conv2d(x, weight, added, stride, padding, dilation, groups)
        top, left, bottom, right = sides(padding, x.shape[2:], kernel, stride, dilation)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, added, stride, 0, dilation, groups)

    def kernel(self, name, shape):
        if self.config.get("weights", {}).get("kernel_layout") != "HWIO":
            return self.tensor(name, shape, "weight")
        out, channels, *kernel = shape
        return self.tensor(name, (*kernel, channels, out), "weight").permute(3, 2, 0, 1)

    def batch_norm(self, x, weights, eps=1e-5, scale=True, center=True):
        mean, var = (self.tensor(f"{weights}.running_{role}", x.shape[1:2], role) for role in ("mean", "var"))
        return F.batch_norm(x, mean, var, *self.gain(x, weights, scale, center), eps=eps)

    def group_norm(self, x, weights, groups, eps=1e-5, scale=True, center=True):
        return F.group_norm(x, groups, *self.gain(x, weights, scale, center), eps=eps)

    def layer_norm(self, x, weights, eps=1e-5, scale=True, center=True):
        """Over the channels of each pixel."""
        y = F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], *self.gain(x, weights, scale, center), eps=eps)
        return y.permute(0, 3, 1, 2)

    def gain(self, x, weights, scale, center):
        return (self.tensor(f"{weights}.weight", x.shape[1:2], "gamma") if scale else None,
                self.tensor(f"{weights}.bias", x.shape[1:2], "beta") if center else None)

    def prelu(self, x, weights):
        name = f"{weights}.weight"
        is_one = self.tensors.get(self.prefix + name, x).shape == (1,)
        return F.prelu(x, self.tensor(name, (1,) if is_one else x.shape[1:2], "slope"))

    # ---- without weights ----

    def leaky_relu(self, x, slope=0.01):
        return F.leaky_relu(x, slope)

    def max_pool(self, x, window, stride=None, padding=0, ceil=False):
        if is_pytorchs(padding):
            return F.max_pool2d(x, window, stride, padding, ceil_mode=ceil)
        window, stride = pair(window), pair(stride or window)
        top, left, bottom, right = sides(padding, x.shape[2:], window, stride, (1, 1))
        return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=-torch.inf), window, stride)

    def avg_pool(self, x, window, stride=None, padding=0, ceil=False, count_padding=None):
        counts = padding != "same" if count_padding is None else count_padding
        if is_pytorchs(padding):
            return F.avg_pool2d(x, window, stride, padding, ceil, counts)
        window, stride = pair(window), pair(stride or window)
        top, left, bottom, right = sides(padding, x.shape[2:], window, stride, (1, 1))
        mean, share = (F.avg_pool2d(F.pad(v, (left, right, top, bottom)), window, stride)
                       for v in (x, torch.ones_like(x)))
        return mean if counts else mean / share

    def adaptive_avg_pool(self, x, bins):
        return F.adaptive_avg_pool2d(x, pair(bins))

    def resize(self, x, scale=None, size=None, like=None, mode="align_corners"):
        if scale:
            return stretch_by(x, scale, mode)
        return stretch(x, self.maps[like].shape[2:] if like else size, mode)

    def add(self, *maps):
        total = maps[0]
        for x in maps[1:]:
            total = total + x
        return total

    def mul(self, *maps):
        product = maps[0]
        for x in maps[1:]:
            product = product * x
        return product

    def concat(self, *maps):
        return torch.cat(maps, dim=1)

    def channel_sum(self, x):
        return x.sum(dim=1, keepdim=True)

    def channel_mean(self, x):
        return x.mean(dim=1, keepdim=True)

    def affine(self, x, scale=1.0, shift=0.0):
        return x * scale + shift

    def slice(self, x, channels):
        first, end = channels
        return x[:, first:end]

    # ---- the pyramid ----

    def pyramid(self, x, at, bins=None, windows=None, pool="adaptive", branch=(), branches=None,
                upsample="align_corners", upsample_to="input", concat="input_first", cascade=False, sum=False):
        """at: what default names of tensors begin with"""
        stacks = branches or [branch] * len(bins or windows)

        def prior(i, x):
            pooled, stride = self.pooled(x, bins and bins[i], windows and windows[i], pool)
            y = self.network(pooled, [self.numbered(entry, i) for entry in stacks[i]], f"{at}.branch.{i}")
            multiple = [n * s for n, s in zip(pooled.shape[2:], stride or (1, 1))]
            return stretch(y, multiple if upsample_to == "stride_multiple" else x.shape[2:], upsample)

        if cascade:
            for i in range(len(stacks)):
                x = prior(i, x)
        priors = [prior(i, x) for i in range(len(stacks))]
        maps = {"input_first": [x, *priors], "input_last": [*priors, x], "branches": priors}[concat]
        return self.add(*maps) if sum else self.concat(*maps)

    @staticmethod
    def numbered(entry, i):
        kind, options, *_ = layer(entry)
        if "weights" in options:
            name = options["weights"].replace("{i}", str(i)).replace("{n}", str(i + 1))
            options = {**options, "weights": name}
        return {kind: options}

    def pooled(self, x, bins, window, pool):
        """-> the pooled map, and the window if there is one"""
        if pool == "adaptive":
            return self.adaptive_avg_pool(x, bins), None
        window = pair(window) if window else tuple(round(n / bins) for n in x.shape[2:])
        if pool == "valid":
            return F.avg_pool2d(x, window), window
        before = [-n % w // 2 for n, w in zip(x.shape[2:], window)]
        return F.avg_pool2d(x, window, padding=before, ceil_mode=True, count_include_pad=False), window

    # ---- the answer ----

    @staticmethod
    def output(y, input_size, size=None, scale=None, trim=False, upsample="align_corners", **options):
        if scale:
            size = [(n - 1) * scale + 1 if trim else n * scale for n in y.shape[2:]]
        if size:
            y = stretch(y, tuple(input_size if size == "input" else size), upsample)
        kind, threshold = options.get("as", "values"), options.get("threshold")
        if kind == "argmax":
            return y.argmax(dim=1, keepdim=True).to(torch.int32)
        if kind == "softmax":
            return y.softmax(dim=1)
        if kind == "sigmoid":
            y = torch.sigmoid(y)
            return y if threshold is None else (y >= threshold).to(torch.int32)
        return y
