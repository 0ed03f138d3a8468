"""TensorFlow's and Keras's networks with pyramid pooling: writes their weights under their repositories' names
and in their file layouts, and computes their results with PyTorch's operators on permuted weights.
"""
import json
import pickle
import zipfile

import h5py
import numpy as np
import torch
from torch.nn import functional as F

VALUES = np.random.default_rng(3)


def conv(channels, out, kernel=1, bias=False):
    """Parameters by Keras's names, the kernel as [H, W, I, O]."""
    parameters = {"kernel": VALUES.normal(size=(kernel, kernel, channels, out),
                                          scale=(channels * kernel * kernel) ** -0.5)}
    if bias:
        parameters["bias"] = VALUES.normal(size=out)
    return as_float32(parameters)


def norm(channels):
    return as_float32({"gamma": VALUES.uniform(0.5, 1.5, channels),
                       "beta": VALUES.normal(size=channels),
                       "moving_mean": VALUES.normal(size=channels),
                       "moving_variance": VALUES.uniform(0.5, 1.5, channels)})


def as_float32(parameters):
    return {name: value.astype(np.float32) for name, value in parameters.items()}


class Pyramid:
    """Layers in order of creation: a conv and a norm for each branch, the 3x3 bottleneck with its norm, the
    classifier, and the network's other layers."""

    def __init__(self, channels, width, classes, branch_names, head_names, rest, eps):
        self.eps, self.head_names, self.branch_names = eps, head_names, branch_names
        self.layers = dict(rest)
        for conv_name, norm_name in branch_names:
            self.layers[conv_name] = conv(channels, width)
            self.layers[norm_name] = norm(width)
        bottleneck, bottleneck_norm, classifier = head_names
        self.layers[bottleneck] = conv(channels + width * len(branch_names), 6, kernel=3)
        self.layers[bottleneck_norm] = norm(6)
        self.layers[classifier] = conv(6, classes, bias=True)

    def convolve(self, x, name):
        layer = self.layers[name]
        kernel = torch.from_numpy(layer["kernel"]).permute(3, 2, 0, 1)
        bias = torch.from_numpy(layer["bias"]) if "bias" in layer else None
        return F.conv2d(x, kernel, bias, padding=kernel.shape[2] // 2)

    def normalize(self, x, name):
        gamma, beta, mean, variance = map(torch.from_numpy, self.layers[name].values())
        return F.batch_norm(x, mean, variance, gamma, beta, eps=self.eps)

    def compute(self, x, pools, resize):
        """x: [N, C, H, W]; pools: a function for each branch, in the order of the concat."""
        maps = [x]
        for pool, (conv_name, norm_name) in zip(pools, self.branch_names):
            pooled = self.normalize(self.convolve(pool(x), conv_name), norm_name)
            maps.append(resize(F.relu(pooled), x.shape[2:]))
        bottleneck, bottleneck_norm, classifier = self.head_names
        y = F.relu(self.normalize(self.convolve(torch.cat(maps, dim=1), bottleneck),
                                  bottleneck_norm))
        return self.convolve(y, classifier)


def align_corners(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def asymmetric(x, size):
    """TensorFlow 1's resize_bilinear with its defaults: src = dst * in / out."""
    for axis, out in zip((2, 3), size):
        at = torch.arange(out) * (x.shape[axis] / out)
        low = at.floor().long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        share = (at - low).reshape((-1, 1) if axis == 2 else (-1,))
        x = x.index_select(axis, low) * (1 - share) + x.index_select(axis, high) * share
    return x


def valid(window):
    return lambda x: F.avg_pool2d(x, window)


def same(bin_size):
    """Keras's "same": pads half of the missing pixels before and the rest after, and does not count them."""
    def pool(x):
        strides = [round(n / bin_size) for n in x.shape[2:]]
        padding = [-n % s // 2 for n, s in zip(x.shape[2:], strides)]
        return F.avg_pool2d(x, strides, padding=padding, ceil_mode=True, count_include_pad=False)
    return pool


def hellochick(channels, classes):
    convs = [f"conv5_3_pool{bins}_conv" for bins in (6, 3, 2, 1)]
    rest = {"conv1_1_3x3_s2": conv(3, 4, 3), "conv1_1_3x3_s2_bn": norm(4),
            "conv5_3_1x1_increase": conv(4, channels), "conv5_3_1x1_increase_bn": norm(channels)}
    return Pyramid(channels, 2, classes, [(name, f"{name}_bn") for name in convs],
                   ("conv5_4", "conv5_4_bn", "conv6"), rest, 1e-5)


def pudae(channels, classes):
    scope = "pspnet_v1_50"
    convs = [f"{scope}/pyramid_pool_module/level{level}/pyramid_pool_v1/conv1"
             for level in (4, 3, 2, 1)]
    rest = {f"{scope}/root/conv1": conv(3, 4, 3), f"{scope}/root/conv1/BatchNorm": norm(4)}
    return Pyramid(channels, 2, classes, [(name, f"{name}/BatchNorm") for name in convs],
                   (f"{scope}/fc1", f"{scope}/fc1/BatchNorm", f"{scope}/logits"), rest, 1e-5)


def bubbliiiing(channels, classes, first=0):
    """Default names of layers: the first is conv2d, the next conv2d_1; first: the session's count when the
    network was created."""
    def named(layer, i):
        return f"{layer}_{first + i}" if first + i else layer

    branches = [(named("conv2d", i), named("batch_normalization", i)) for i in range(4)]
    rest = {"Conv": conv(3, 4, 3), "Conv_BN": norm(4),
            "expanded_conv_16_project": conv(4, channels)}
    pyramid = Pyramid(channels, 3, classes, branches, (
        named("conv2d", 4), named("batch_normalization", 4), named("conv2d", 5)), rest, 1e-3)
    pyramid.layers |= {named("conv2d", 6): conv(4, 2, 3), named("batch_normalization", 5): norm(2),
                       named("conv2d", 7): conv(2, classes, bias=True)}
    return pyramid


def write_h5(path, layers, is_whole_model=False, scope=None):
    """Writes what Keras's save_weights does or, below model_weights and with the optimizer's, what save does.
    scope: of the model, which names of weights may begin with"""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if is_whole_model else file
        root.attrs["layer_names"] = [name.encode() for name in ["input_1", *layers]]
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.2.4-tf"
        root.create_group("input_1").attrs["weight_names"] = []
        for name, parameters in layers.items():
            group, at = root.create_group(name), f"{scope}/{name}" if scope else name
            group.attrs["weight_names"] = [f"{at}/{leaf}:0".encode() for leaf in parameters]
            for leaf, value in parameters.items():
                group.create_dataset(f"{at}/{leaf}:0", data=value)
        if is_whole_model:
            file.create_dataset("optimizer_weights/Adam/iterations:0", data=np.int64(7))


def segmentation_models(channels, classes):
    """qubvel/segmentation_models' PSPNet: a 1x1 bottleneck, a 3x3 classifier, an eps of 1e-3."""
    levels = [(f"psp_level{level}_conv", f"psp_level{level}_bn") for level in (1, 2, 3, 6)]
    pyramid = Pyramid(channels, 3, classes, levels, ("aggregation_conv", "aggregation_bn", "final_conv"),
                      {"stem_conv": conv(3, 4, 3)}, 1e-3)
    pyramid.layers["aggregation_conv"] = conv(channels + 12, 6)
    pyramid.layers["final_conv"] = conv(6, classes, 3, bias=True)
    return pyramid


def half_pixel(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def class_of(parameters):
    return ("BatchNormalization" if "moving_mean" in parameters else "DepthwiseConv2D" if "depthwise_kernel" in parameters
            else "Conv2D")


def write_keras3(path, layers, has_names=False, is_bfloat16=False):
    """As Keras 3 writes .weights.h5: layers by their classes and numbers, variables by their numbers. has_names: with
    the layers' names as attributes, as later versions do."""
    numbers = {"BatchNormalization": 0, "Conv2D": 0, "DepthwiseConv2D": 0}
    with h5py.File(path, "w") as file:
        for own, parameters in layers.items():
            kind = class_of(parameters)
            name = {"BatchNormalization": "batch_normalization", "Conv2D": "conv2d"}.get(kind, "depthwise_conv2d")
            suffix = f"_{numbers[kind]}" if numbers[kind] else ""
            numbers[kind] += 1
            group = file.create_group(f"layers/{name}{suffix}/vars")
            if has_names:
                group.attrs["name"] = own
            for i, value in enumerate(parameters.values()):
                if is_bfloat16:
                    value = (value.view("<u4") >> 16).astype("<u2").view("V2")
                group.create_dataset(str(i), data=value).attrs.update({"dtype": "bfloat16"} if is_bfloat16 else {})
        file.create_dataset("optimizer/vars/0", data=np.int64(7))


def write_keras(path, layers, has_names=True):
    """As Keras 3 writes .keras: a zip with the weights and what the layers are called."""
    write_keras3(path.with_suffix(".weights.h5"), layers)
    config = {"class_name": "Functional", "config": {"layers": [
        {"class_name": "InputLayer", "config": {"name": "input_1"}},
        *({"class_name": class_of(parameters), "config": {"name": name}} for name, parameters in layers.items())]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.4.0"}')
        archive.writestr("config.json", json.dumps(config if has_names else {}))
        archive.write(path.with_suffix(".weights.h5"), "model.weights.h5")


def write_npz(path, layers):
    """The variables of a TensorFlow checkpoint by their names, the optimizer's among them."""
    variables = {}
    for name, parameters in layers.items():
        for leaf, value in parameters.items():
            leaf = {"kernel": "weights", "bias": "biases"}.get(leaf, leaf)
            variables[f"{name}/{leaf}"] = value
            if not leaf.startswith("moving"):
                variables[f"{name}/{leaf}/Momentum"] = value * 0
    np.savez(path, global_step=np.int64(60000), **variables)


def write_npy(path, layers, protocol=2):
    """As caffe-tensorflow writes it: one pickled dictionary, norms as [1, 1, 1, C]."""
    leaves = {"kernel": "weights", "bias": "biases", "gamma": "scale", "beta": "offset",
              "moving_mean": "mean", "moving_variance": "variance"}
    value = np.array({name: {leaves[leaf]: array.reshape(1, 1, 1, -1) if "gamma" in parameters
                             else array for leaf, array in parameters.items()}
                      for name, parameters in layers.items()}, dtype=object)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(value))
        pickle.dump(value, file, protocol=protocol)
