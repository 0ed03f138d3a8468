"""Keras's layers as far as PSPNets need them, on PyTorch: TensorFlow's "same" padding written out, kernels
[H, W, I, O], weights made where a layer is called the first time. Layers are numbered as Keras numbers a model's.

    graph = Graph()
    y = network(graph, graph.input(x))  # x: [N, C, H, W], float64 or float32
"""
import collections

import numpy as np
import torch
from torch.nn import functional as F

# What a layer computes, its name, and the layers that it reads.
Node = collections.namedtuple("Node", "value layer")


class Layer:
    def __init__(self, kind, name, reads):
        self.kind, self.name, self.reads = kind, name, reads


def same(x, kernel, stride, value=0.0):
    """x padded as TensorFlow's "same" does: the odd pixel after."""
    pads = []
    for n, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1]):
        missing = max((-(-n // s) - 1) * s + k - n, 0)
        pads += [missing // 2, missing - missing // 2]
    return F.pad(x, pads, value=value)


class Graph:
    def __init__(self, seed=5):
        self.random, self.weights, self.numbers = np.random.default_rng(seed), {}, collections.Counter()

    def input(self, x):
        self.numbers.clear()  # of the layers without names
        return Node(x, Layer("InputLayer", "data", []))

    def named(self, kind, name):
        if name:
            return name
        self.numbers[kind] += 1
        return f"{kind}_{self.numbers[kind] - 1}" if self.numbers[kind] > 1 else kind

    def made(self, name, **shapes):
        """-> the layer's weights as tensors"""
        if name not in self.weights:
            self.weights[name] = {leaf: self.values(leaf, shape).astype(np.float32) for leaf, shape in shapes.items()}
        return self.weights[name]

    def values(self, leaf, shape):
        if leaf in ("gamma", "moving_variance"):
            return self.random.uniform(0.5, 1.5, shape)
        if "kernel" in leaf:
            axes = (0, 1) if leaf == "depthwise_kernel" else (0, 1, 2)
            kernel = self.random.normal(size=shape, scale=(2 / np.prod([shape[axis] for axis in axes])) ** 0.5)
            # the sum of a kernel over maps that are never negative would decide every label
            return kernel if len(axes) == 2 else kernel - kernel.mean(axes)
        return self.random.normal(size=shape, scale=0.3)

    def conv(self, x, out, kernel=1, name=None, stride=1, dilation=1, padding="same", bias=False, act=None):
        name, channels = self.named("conv2d", name), x.value.shape[1]
        shapes = {"kernel": (kernel, kernel, channels, out), **({"bias": (out,)} if bias else {})}
        weights = {key: torch.from_numpy(value).to(x.value.dtype) for key, value in self.made(name, **shapes).items()}
        y = same(x.value, [dilation * (kernel - 1) + 1] * 2, [stride] * 2) if padding == "same" else x.value
        y = F.conv2d(y, weights["kernel"].permute(3, 2, 0, 1), weights.get("bias"), stride, 0, dilation)
        return Node(F.relu(y) if act == "relu" else y, Layer("Conv2D", name, [x.layer]))

    def depthwise(self, x, name, kernel=3, stride=1, dilation=1, padding="same"):
        channels = x.value.shape[1]
        weights = self.made(name, depthwise_kernel=(kernel, kernel, channels, 1))["depthwise_kernel"]
        weights = torch.from_numpy(weights).to(x.value.dtype).permute(2, 3, 0, 1)
        y = same(x.value, [dilation * (kernel - 1) + 1] * 2, [stride] * 2) if padding == "same" else x.value
        y = F.conv2d(y, weights, None, stride, 0, dilation, channels)
        return Node(y, Layer("DepthwiseConv2D", name, [x.layer]))

    def norm(self, x, name=None, eps=1e-3, scale=True):
        name, channels = self.named("batch_normalization", name), x.value.shape[1]
        leaves = ("gamma",) * scale + ("beta", "moving_mean", "moving_variance")
        weights = {key: torch.from_numpy(value).to(x.value.dtype)
                   for key, value in self.made(name, **{leaf: (channels,) for leaf in leaves}).items()}
        y = F.batch_norm(x.value, weights["moving_mean"], weights["moving_variance"], weights.get("gamma"),
                         weights["beta"], eps=eps)
        return Node(y, Layer("BatchNormalization", name, [x.layer]))

    def plain(self, kind, function, *maps):
        """A layer without weights."""
        return Node(function(*(x.value for x in maps)), Layer(kind, self.named(kind.lower(), None),
                                                              [x.layer for x in maps]))

    def relu(self, x):
        return self.plain("Activation", F.relu, x)

    def relu6(self, x):
        return self.plain("Activation", F.relu6, x)

    def swish(self, x):
        return self.plain("Activation", F.silu, x)

    def add(self, x, y):
        return self.plain("Add", torch.add, x, y)

    def concat(self, *maps):
        return self.plain("Concatenate", lambda *values: torch.cat(values, 1), *maps)

    def pad(self, x, top, left, bottom, right):
        return self.plain("ZeroPadding2D", lambda x: F.pad(x, (left, right, top, bottom)), x)

    def max_pool(self, x, window, stride):
        return self.plain("MaxPooling2D", lambda x: F.max_pool2d(x, window, stride), x)

    def average(self, x, windows):
        """"same": padding does not count"""
        def compute(x):
            ones = torch.ones_like(x[:1, :1])
            sums, counts = (F.avg_pool2d(same(y, windows, windows), windows, divisor_override=1) for y in (x, ones))
            return sums / counts
        return self.plain("AveragePooling2D", compute, x)

    def resize(self, x, size, align_corners):
        return self.plain("Lambda" if align_corners else "UpSampling2D", lambda x: F.interpolate(
            x, size=size, mode="bilinear", align_corners=align_corners), x)


def ordered(last):
    """The layers of a model as Keras numbers them: by their distance from the output, the farthest first; of equal
    ones the first to be met on the way from the output to the inputs."""
    met, depths, finished = {}, {}, []

    def visit(layer):
        met.setdefault(layer, len(met))
        for other in layer.reads:
            if other not in met:
                visit(other)
        finished.append(layer)

    visit(last.layer)
    for layer in reversed(finished):
        depth = depths.setdefault(layer, 0)
        for other in layer.reads:
            depths[other] = max(depths.get(other, 0), depth + 1)
    return sorted(met, key=lambda layer: (-depths[layer], met[layer]))
