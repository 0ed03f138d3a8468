"""PSPNets over a graph of Keras's layers (keras_graph.py), as bubbliiiing/pspnet-keras and pspnet-tf2, and
qubvel/segmentation_models define them over keras_applications and classification_models; narrow, and shallow where
their own functions can be."""
import numpy as np
import torch
from keras_graph import same
from torch.nn import functional as F

BINS = (1, 2, 3, 6)


# ---- bubbliiiing ----

def conv_norm_relu(g, x, *arguments, norm=None, eps=1e-3, relu="relu", **options):
    return getattr(g, relu)(g.norm(g.conv(x, *arguments, **options), norm, eps))


def bubbliiiing_resnet(g, x, base, stride):
    dilation4, dilation5, stride4 = (2, 4, 1) if stride == 8 else (1, 2, 2)
    for i, (out, step) in enumerate(((base, 2), (base, 1), (2 * base, 1)), 1):
        x = g.pad(x, 1, 1, 1, 1)
        x = conv_norm_relu(g, x, out, 3, f"conv{i}", stride=step, padding="valid", norm=f"bn_conv{i}")
    x = g.max_pool(g.pad(x, 1, 1, 1, 1), 3, 2)
    stages = ((2, 1, 1, 1, 1), (3, 2, 2, 1, 1), (4, 3, stride4, 1, dilation4), (5, 2, 1, dilation4, dilation5))
    auxiliary = None
    for stage, count, step, first, others in stages:
        for i in range(count):
            at = f"{stage}{chr(97 + i)}_branch"
            x = bubbliiiing_block(g, x, at, base << (stage - 2), 1 if i else step, others if i else first, i == 0)
        auxiliary = x if stage == 4 else auxiliary
    return auxiliary, x


def bubbliiiing_block(g, x, at, width, stride, dilation, is_first):
    y = conv_norm_relu(g, x, width, 1, f"res{at}2a", stride=stride, norm=f"bn{at}2a")
    y = conv_norm_relu(g, y, width, 3, f"res{at}2b", dilation=dilation, norm=f"bn{at}2b")
    y = g.norm(g.conv(y, 4 * width, 1, f"res{at}2c"), f"bn{at}2c")
    if is_first:
        x = g.norm(g.conv(x, 4 * width, 1, f"res{at}1", stride), f"bn{at}1")
    return g.relu(g.add(y, x))


# number of the block, channels where base is 32, stride (0: that of stage 4), stage whose dilation it has
MOBILE = ((1, 24, 2, 0), (2, 24, 1, 0), (3, 32, 2, 0), (4, 32, 1, 0), (5, 32, 1, 0), (6, 64, 0, 0), (7, 64, 1, 4),
          (8, 64, 1, 4), (9, 64, 1, 4), (10, 96, 1, 4), (11, 96, 1, 4), (12, 96, 1, 4), (13, 160, 1, 4),
          (14, 160, 1, 5), (15, 160, 1, 5), (16, 320, 1, 5))


def bubbliiiing_mobilenet(g, x, base, stride):
    rates = {0: 1, 4: 2 if stride == 8 else 1, 5: 4 if stride == 8 else 2}
    x = conv_norm_relu(g, x, base, 3, "Conv", stride=2, norm="Conv_BN", relu="relu6")
    x = inverted_residual(g, x, "expanded_conv", base // 2, expand=False)
    auxiliary = None
    for number, out, step, dilation in MOBILE:
        step = step or (1 if stride == 8 else 2)
        x = inverted_residual(g, x, f"expanded_conv_{number}", out * base // 32, step, rates[dilation])
        auxiliary = x if number == 12 else auxiliary
    return auxiliary, x


def inverted_residual(g, x, at, out, stride=1, dilation=1, expand=True):
    y, channels = x, x.value.shape[1]
    if expand:
        y = conv_norm_relu(g, y, 6 * channels, 1, f"{at}_expand", norm=f"{at}_expand_BN", relu="relu6")
    y = g.relu6(g.norm(g.depthwise(y, f"{at}_depthwise", stride=stride, dilation=dilation), f"{at}_depthwise_BN"))
    y = g.norm(g.conv(y, out, 1, f"{at}_project"), f"{at}_project_BN")
    return g.add(x, y) if out == channels and stride == 1 else y


def bubbliiiing(g, image, backbone, base=8, stride=16, classes=4, auxiliary=None):
    """auxiliary: None, or whether its layers have names"""
    middle, x = backbone(g, image, base, stride)
    width, size = x.value.shape[1] // 4, x.value.shape[2:]
    maps = [x]
    for bins in BINS:
        windows = [int(np.round(float(n) / bins)) for n in size]
        maps.append(g.resize(conv_norm_relu(g, g.average(x, windows), width), size, True))
    y = g.conv(conv_norm_relu(g, g.concat(*maps), width, 3), classes, bias=True)
    y = g.resize(y, image.value.shape[2:], True)
    if auxiliary is not None:
        names = ("branch_conv1", "branch_batchnor1", "branch_conv2") if auxiliary else (None, None, None)
        z = conv_norm_relu(g, middle, width // 2, 3, names[0], norm=names[1])
        g.conv(z, classes, 1, names[2], bias=True)
    return y


# ---- Vladkryvoruchko/PSPNet-Keras-tensorflow, hellochick/PSPNet-tensorflow ----

def caffe(g, image, base=8, counts=(2, 2, 2, 2), classes=5, windows=(8, 4, 3, 2)):
    """windows: of bins 1, 2, 3 and 6"""
    def conv(x, out, kernel, at, **options):
        return g.norm(g.conv(x, out, kernel, at, **options), f"{at}_bn", 1e-5)

    x = g.relu(conv(image, base, 3, "conv1_1_3x3_s2", stride=2))
    x = g.relu(conv(g.relu(conv(x, base, 3, "conv1_2_3x3")), 2 * base, 3, "conv1_3_3x3"))
    x = g.plain("MaxPooling2D", lambda x: F.max_pool2d(same(x, (3, 3), (2, 2), -np.inf), 3, 2), x)
    for stage, count, dilation in zip((2, 3, 4, 5), counts, (1, 1, 2, 4)):
        width = base << (stage - 2)
        for i in range(1, count + 1):
            at, x = f"conv{stage}_{i}", x if stage == 2 and i == 1 else g.relu(x)
            stride = 2 if stage == 3 and i == 1 else 1
            y = g.relu(conv(x, width, 1, f"{at}_1x1_reduce", stride=stride))
            y = g.relu(conv(y, width, 3, f"{at}_3x3", dilation=dilation))
            y = conv(y, 4 * width, 1, f"{at}_1x1_increase")
            x = g.add(y, conv(x, 4 * width, 1, f"{at}_1x1_proj", stride=stride) if i == 1 else x)
    x, maps = g.relu(x), []
    for bins, window in zip(BINS, windows):
        y = g.plain("AveragePooling2D", lambda x, window=window: F.avg_pool2d(x, window), x)
        y = g.relu(conv(y, 6, 1, f"conv5_3_pool{bins}_conv"))
        maps.append(g.resize(y, x.value.shape[2:], True))
    y = g.conv(g.relu(conv(g.concat(x, *maps[::-1]), 10, 3, "conv5_4")), classes, 1, "conv6", bias=True)
    return g.resize(y, image.value.shape[2:], True)


# ---- segmentation_models ----

def resnet(g, x, base, factor, counts=(2, 2, 2, 2), is_bottleneck=False):
    eps, last = 2e-5, {4: 2, 8: 3, 16: 4}[factor]
    x = g.norm(x, "bn_data", eps, scale=False)
    x = conv_norm_relu(g, g.pad(x, 3, 3, 3, 3), base, 7, "conv0", stride=2, padding="valid", norm="bn0", eps=eps)
    x = g.max_pool(g.pad(x, 1, 1, 1, 1), 3, 2)
    for stage, count in enumerate(counts[:last]):
        for i in range(count if stage < last - 1 else 1):
            at = f"stage{stage + 1}_unit{i + 1}_"
            y = g.relu(g.norm(x, f"{at}bn1", eps))
            if stage == last - 1:
                return y
            x = unit(g, x, y, at, base << stage, (1 if stage == 0 else 2) if i == 0 else 1, i == 0, is_bottleneck)


def unit(g, x, y, at, width, stride, has_shortcut, is_bottleneck):
    eps, out = 2e-5, 4 * width if is_bottleneck else width
    short = g.conv(y, out, 1, f"{at}sc", stride, padding="valid") if has_shortcut else x
    if is_bottleneck:
        y = conv_norm_relu(g, y, width, 1, f"{at}conv1", padding="valid", norm=f"{at}bn2", eps=eps)
        y = conv_norm_relu(g, g.pad(y, 1, 1, 1, 1), width, 3, f"{at}conv2", stride=stride, padding="valid",
                           norm=f"{at}bn3", eps=eps)
        y = g.conv(y, out, 1, f"{at}conv3", padding="valid")
    else:
        y = conv_norm_relu(g, g.pad(y, 1, 1, 1, 1), width, 3, f"{at}conv1", stride=stride, padding="valid",
                           norm=f"{at}bn2", eps=eps)
        y = g.conv(g.pad(y, 1, 1, 1, 1), width, 3, f"{at}conv2", padding="valid")
    return g.add(y, short)


def vgg(g, x, base, factor, counts=(2, 2, 3, 3, 3)):
    for block, count in enumerate(counts[:{4: 3, 8: 4, 16: 5}[factor]]):
        x = g.max_pool(x, 2, 2) if block else x
        for i in range(count):
            x = g.conv(x, base << min(block, 3), 3, f"block{block + 1}_conv{i + 1}", bias=True, act="relu")
    return x


def mobilenet_v2(g, x, base, factor):
    """Pads before a depthwise convolution of stride 2, one pixel more after where the side is even."""
    x = conv_norm_relu(g, correct_pad(g, x), base, 3, "Conv1", stride=2, padding="valid", norm="bn_Conv1", relu="relu6")
    x = inverted_residual(g, x, "expanded_conv", base // 2, expand=False)
    outs = (24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96)
    last = {4: 3, 8: 6, 16: 13}[factor]
    for number in range(1, last):
        at, channels, out = f"block_{number}", x.value.shape[1], outs[number - 1] * base // 32
        y = conv_norm_relu(g, x, 6 * channels, 1, f"{at}_expand", norm=f"{at}_expand_BN", relu="relu6")
        stride = 2 if number in (1, 3, 6) else 1
        y = g.depthwise(correct_pad(g, y) if stride == 2 else y, f"{at}_depthwise", stride=stride,
                        padding="valid" if stride == 2 else "same")
        y = g.norm(g.conv(g.relu6(g.norm(y, f"{at}_depthwise_BN")), out, 1, f"{at}_project"), f"{at}_project_BN")
        x = g.add(x, y) if out == channels and stride == 1 else y
    return conv_norm_relu(g, x, 6 * x.value.shape[1], 1, f"block_{last}_expand", norm=f"block_{last}_expand_BN",
                          relu="relu6")


def mobilenet(g, x, base, factor):
    x = g.pad(x, 0, 0, 1, 1)
    x = conv_norm_relu(g, x, base, 3, "conv1", stride=2, padding="valid", norm="conv1_bn", relu="relu6")
    for number in range(1, {4: 3, 8: 5, 16: 11}[factor] + 1):
        strided = number in (2, 4, 6)
        y = g.pad(x, 0, 0, 1, 1) if strided else x
        y = g.depthwise(y, f"conv_dw_{number}", stride=2 if strided else 1, padding="valid" if strided else "same")
        y = g.relu6(g.norm(y, f"conv_dw_{number}_bn"))
        x = conv_norm_relu(g, y, base * (2 + number // 2), 1, f"conv_pw_{number}", norm=f"conv_pw_{number}_bn",
                           relu="relu6")
    return x


def densenet(g, x, base, factor, counts=(3, 2, 2), growth=4):
    eps = 1.001e-5
    x = g.pad(x, 3, 3, 3, 3)
    x = conv_norm_relu(g, x, base, 7, "conv1/conv", stride=2, padding="valid", norm="conv1/bn", eps=eps)
    x = g.max_pool(g.pad(x, 1, 1, 1, 1), 3, 2)
    for block, count in enumerate(counts[:{4: 1, 8: 2, 16: 3}[factor]], 2):
        x = g.plain("AveragePooling2D", lambda x: F.avg_pool2d(x, 2), x) if block > 2 else x
        for i in range(1, count + 1):
            at = f"conv{block}_block{i}"
            y = g.conv(g.relu(g.norm(x, f"{at}_0_bn", eps)), 4 * growth, 1, f"{at}_1_conv")
            y = g.conv(g.relu(g.norm(y, f"{at}_1_bn", eps)), growth, 3, f"{at}_2_conv")
            x = g.concat(x, y)
        x = g.conv(g.relu(g.norm(x, f"pool{block}_bn", eps)), x.value.shape[1] // 2, 1, f"pool{block}_conv")
    return x


# EfficientNet's stages: kernel, blocks, channels, expansion, stride
EFFICIENT = ((3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2), (5, 3, 112, 6, 1),
             (5, 4, 192, 6, 2))


def efficientnet(g, x, base, factor):
    x = conv_norm_relu(g, x, base, 3, "stem_conv", stride=2, norm="stem_bn", relu="swish")
    last = {4: 3, 8: 4, 16: 6}[factor]
    for stage, (kernel, count, out, expansion, stride) in enumerate(EFFICIENT, 1):
        for i in range(count):
            at, y, channels = f"block{stage}{chr(97 + i)}", x, x.value.shape[1]
            if expansion != 1:
                y = conv_norm_relu(g, y, expansion * channels, 1, f"{at}_expand_conv", norm=f"{at}_expand_bn",
                                   relu="swish")
            if stage == last:
                return y
            step = stride if i == 0 else 1
            y = g.swish(g.norm(g.depthwise(y, f"{at}_dwconv", kernel, step), f"{at}_bn"))
            z = g.plain("GlobalAveragePooling2D", lambda y: y.mean((2, 3), keepdim=True), y)
            z = g.swish(g.conv(z, channels // 4, 1, f"{at}_se_reduce", bias=True))
            z = g.plain("Activation", torch.sigmoid, g.conv(z, y.value.shape[1], 1, f"{at}_se_expand", bias=True))
            y = g.plain("Multiply", torch.mul, y, z)
            y = g.norm(g.conv(y, out * base // 32, 1, f"{at}_project_conv"), f"{at}_project_bn")
            x = g.add(y, x) if step == 1 and y.value.shape[1] == channels else y


def correct_pad(g, x):
    height, width = x.value.shape[2:]
    return g.pad(x, height % 2, width % 2, 1, 1)


def segmentation_models(g, image, backbone, base=8, factor=8, classes=4, has_norm=True, width=6, **options):
    def block(x, at):
        x = g.conv(x, width, 1, f"{at}_conv", bias=not has_norm)
        return g.relu(g.norm(x, f"{at}_bn") if has_norm else x)

    x = backbone(g, image, base, factor, **options)
    size, maps = x.value.shape[2:], [x]
    for bins in BINS:
        maps.append(g.resize(block(g.average(x, [n // bins for n in size]), f"psp_level{bins}"), size, False))
    y = g.conv(block(g.concat(*maps), "aggregation"), classes, 3, "final_conv", bias=True)
    return g.resize(y, [n * factor for n in size], False)
