"""Backbones as Keras's repositories define them: with their layers' names, eps, and TensorFlow's padding.

In segmentation_models a file ends with the map that the decoder reads, and its names tell which one that is.
"""
import itertools
import string


def conv_norm_act(net, x, conv, norm, eps, act="relu", **options):
    return net.act(net.conv_norm(x, conv, norm, eps=eps, **options), act)


# ---- bubbliiiing/pspnet-keras, pspnet-tf2 ----

# stride of the backbone -> {stage: (dilation of its first block, of the others)}
RESNET_DILATIONS = {8: {4: (1, 2), 5: (2, 4)}, 16: {5: (1, 2)}}


def resnet(net, x):
    """ResNet-50 with caffe's names. The first 1x1 of a stage has the stride."""
    eps, dilations = 1e-3, RESNET_DILATIONS[net.stride(16, (8, 16))]
    for i, stride in enumerate((2, 1, 1), 1):
        x = conv_norm_act(net, x, f"conv{i}", f"bn_conv{i}", eps, stride=stride)
    x = net.layer("max_pool", x, window=3, stride=2, padding=1)
    for stage in (2, 3, 4, 5):
        first, others = dilations.get(stage, (1, 1))
        stride = 2 if stage == 3 or stage == 4 and stage not in dilations else 1
        for letter in itertools.takewhile(lambda letter, at=f"res{stage}": net.has(f"{at}{letter}_branch2a.weight"),
                                          string.ascii_lowercase):
            x = bottleneck(net, x, f"{stage}{letter}_branch", eps, *((stride, first) if letter == "a" else (1, others)))
    return x


def bottleneck(net, x, at, eps, stride, dilation):
    y = conv_norm_act(net, x, f"res{at}2a", f"bn{at}2a", eps, stride=stride)
    y = conv_norm_act(net, y, f"res{at}2b", f"bn{at}2b", eps, dilation=dilation)
    y = net.conv_norm(y, f"res{at}2c", f"bn{at}2c", eps=eps)
    if net.has(f"res{at}1.weight"):
        x = net.conv_norm(x, f"res{at}1", f"bn{at}1", eps=eps, stride=stride)
    return net.relu(net.add(y, x))


def mobilenet_v2(net, x):
    """Inverted residuals expanded_conv_{number}_; the dilation follows the numbers."""
    stride, eps = net.stride(16, (8, 16)), 1e-3
    x = conv_norm_act(net, x, "Conv", "Conv_BN", eps, "relu6", stride=2, padding="same")
    x = inverted_residual(net, x, "expanded_conv", eps)
    for number in range(1, 17):
        dilation = (1 if number < 7 else 2 if number < 14 else 4) * 8 // stride
        x = inverted_residual(net, x, f"expanded_conv_{number}", eps, max(dilation, 1),
                              2 if number in ((1, 3, 6) if stride == 16 else (1, 3)) else 1)
    return x


# ---- segmentation_models: of keras_applications and classification_models ----

def inverted_residual(net, x, at, eps, dilation=1, stride=1):
    y = x
    if net.has(f"{at}_expand.weight"):
        y = conv_norm_act(net, y, f"{at}_expand", f"{at}_expand_BN", eps, "relu6")
    padding = "same" if stride == 2 else None
    y = net.depthwise(y, f"{at}_depthwise", stride=stride, dilation=dilation, padding=padding)
    y = net.act(net.norm(y, f"{at}_depthwise_BN", eps=eps), "relu6")
    y = net.conv_norm(y, f"{at}_project", f"{at}_project_BN", eps=eps)
    return net.add(x, y) if stride == 1 and y.channels == x.channels else y


def mobilenet_v2_to_expansion(net, x):
    """keras_applications' MobileNetV2 up to the wide map of the block that would be the next of stride 2."""
    eps = 1e-3
    x = conv_norm_act(net, x, "Conv1", "bn_Conv1", eps, "relu6", stride=2, padding="same")
    x = inverted_residual(net, x, "expanded_conv", eps)
    for number in itertools.count(1):
        at = f"block_{number}"
        if not net.has(f"{at}_depthwise.weight"):
            return conv_norm_act(net, x, f"{at}_expand", f"{at}_expand_BN", eps, "relu6")
        x = inverted_residual(net, x, at, eps, stride=2 if number in (1, 3, 6, 13) else 1)


def resnet_before_activation(net, x):
    """classification_models' ResNets: norm and relu before each convolution, up to those of a stage's first unit."""
    eps = 2e-5
    x = net.norm(x, "bn_data", eps=eps, scale=False)
    x = conv_norm_act(net, x, "conv0", "bn0", eps, stride=2)
    x = net.layer("max_pool", x, window=3, stride=2, padding=1)
    for stage in itertools.count(1):
        net.tensor(f"stage{stage}_unit1_bn1.weight")  # or the end is missing
        for number in range(1, 1 + net.count(f"stage{stage}_unit{{n}}_bn1.weight")):
            at = f"stage{stage}_unit{number}"
            y = net.relu(net.norm(x, f"{at}_bn1", eps=eps))
            if not net.has(f"{at}_conv1.weight"):
                return y
            x = unit(net, x, y, at, eps, 2 if stage > 1 and number == 1 else 1)


def unit(net, x, y, at, eps, stride):
    """y: what the unit's first norm and relu make of x"""
    if net.has(f"{at}_sc.weight"):
        x = net.conv(y, f"{at}_sc", stride=stride)
    last = 3 if net.has(f"{at}_conv3.weight") else 2
    for i in range(1, last):  # the 3x3 has the stride: the first of two, the second of three
        y = conv_norm_act(net, y, f"{at}_conv{i}", f"{at}_bn{i + 1}", eps, stride=stride if i == last - 1 else 1)
    return net.add(net.conv(y, f"{at}_conv{last}"), x)


def vgg(net, x):
    for block in itertools.count(1):
        for number in range(1, 1 + net.count(f"block{block}_conv{{n}}.weight")):
            x = net.relu(net.conv(x, f"block{block}_conv{number}", bias=True))
        if not net.has(f"block{block + 1}_conv1.weight"):
            return x
        x = net.layer("max_pool", x, window=2)


def mobilenet(net, x):
    """A stride of 2 has a row and a column of zeros after, whatever the size is."""
    eps, after = 1e-3, [0, 0, 1, 1]
    x = conv_norm_act(net, x, "conv1", "conv1_bn", eps, "relu6", stride=2, padding=after)
    for number in range(1, 1 + net.count("conv_dw_{n}.weight")):
        strided = {"stride": 2, "padding": after} if number in (2, 4, 6, 12) else {}
        x = net.norm(net.depthwise(x, f"conv_dw_{number}", **strided), f"conv_dw_{number}_bn", eps=eps)
        x = conv_norm_act(net, net.act(x, "relu6"), f"conv_pw_{number}", f"conv_pw_{number}_bn", eps, "relu6")
    return x


def densenet(net, x):
    """Up to the 1x1 between two blocks, before its pooling."""
    eps = 1.001e-5
    x = conv_norm_act(net, x, "conv1/conv", "conv1/bn", eps, stride=2)
    x = net.layer("max_pool", x, window=3, stride=2, padding=1)
    for block in itertools.count(2):
        for number in range(1, 1 + net.count(f"conv{block}_block{{n}}_0_bn.weight")):
            at = f"conv{block}_block{number}"
            y = net.conv(net.relu(net.norm(x, f"{at}_0_bn", eps=eps)), f"{at}_1_conv")
            y = net.conv(net.relu(net.norm(y, f"{at}_1_bn", eps=eps)), f"{at}_2_conv")
            x = net.concat(x, y)
        x = net.conv(net.relu(net.norm(x, f"pool{block}_bn", eps=eps)), f"pool{block}_conv")
        if not net.has(f"conv{block + 1}_block1_0_bn.weight"):
            return x
        x = net.layer("avg_pool", x, window=2)


def efficientnet(net, x):
    """Up to the wide map of the block that would be the next of stride 2."""
    eps = 1e-3
    x = conv_norm_act(net, x, "stem_conv", "stem_bn", eps, "silu", stride=2, padding="same")
    for stage in itertools.count(1):
        if not net.has(f"block{stage}a_dwconv.weight"):
            return widened(net, x, f"block{stage}a", eps)
        for letter in itertools.takewhile(lambda letter, at=f"block{stage}": net.has(f"{at}{letter}_dwconv.weight"),
                                          string.ascii_lowercase):
            x = squeezed_residual(net, x, f"block{stage}{letter}", eps,
                                  2 if letter == "a" and stage in (2, 3, 4, 6) else 1)


def widened(net, x, at, eps):
    return conv_norm_act(net, x, f"{at}_expand_conv", f"{at}_expand_bn", eps, "silu")


def squeezed_residual(net, x, at, eps, stride):
    """An inverted residual whose wide channels are weighed by their means."""
    y = widened(net, x, at, eps) if net.has(f"{at}_expand_conv.weight") else x
    y = net.depthwise(y, f"{at}_dwconv", stride=stride, padding="same" if stride == 2 else None)
    y = net.act(net.norm(y, f"{at}_bn", eps=eps), "silu")
    mean = net.layer("adaptive_avg_pool", y, bins=1)
    mean = net.act(net.conv(mean, f"{at}_se_reduce", bias=True), "silu")
    y = net.mul(y, net.layer("sigmoid", net.conv(mean, f"{at}_se_expand", bias=True)))
    y = net.conv_norm(y, f"{at}_project_conv", f"{at}_project_bn", eps=eps)
    return net.add(x, y) if stride == 1 and y.channels == x.channels else y
