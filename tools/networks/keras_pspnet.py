"""PSPNets of Keras: bubbliiiing's, and segmentation_models'."""
from checkpoints.kinds import keras_names

from . import Unfit
from .keras_backbones import (conv_norm_act, densenet, efficientnet, mobilenet, mobilenet_v2, mobilenet_v2_to_expansion,
                              resnet, resnet_before_activation, vgg)

BINS = (1, 2, 3, 6)
EPS = 1e-3  # Keras's default
AUXILIARY = ("conv2d#6.weight", "batch_normalization#5.weight", "conv2d#7.weight")


def bubbliiiing(net):
    """The layers of its head have no names, only numbers in the order of creation; those of an auxiliary one follow."""
    names = keras_names(net.tensors)
    net.skip("branch_", *(f"{names[name].removesuffix('weight')}" for name in AUXILIARY if name in names))

    def unnamed(kind, number):
        if (name := names.get(f"{kind}#{number}.weight")) is None:
            raise Unfit(f"lacks a {kind} without a name, number {number} of its head")
        return name.removesuffix(".weight")

    def conv(x, number, **options):
        return conv_norm_act(net, x, unnamed("conv2d", number), unnamed("batch_normalization", number), EPS, **options)

    is_mobile = net.has("Conv.weight")
    x = net.image("Conv" if is_mobile else "conv1")
    x = (mobilenet_v2 if is_mobile else resnet)(net, x)
    net.part = "head"
    x = net.pyramid(x, BINS, conv, upsample="align_corners", pool="same")
    net.conv(conv(x, 4), unnamed("conv2d", 5), bias=True)
    net.output(size="input", upsample="align_corners")


# the tensor that tells the backbone, the axis of its shape that is the image's channels, and its function
BACKBONES = (("bn_data.bias", 0, resnet_before_activation), ("Conv1.weight", 2, mobilenet_v2_to_expansion),
             ("block1_conv1.weight", 2, vgg), ("conv1.weight", 2, mobilenet), ("conv1/conv.weight", 2, densenet),
             ("stem_conv.weight", 2, efficientnet))


def segmentation_models(net):
    for name, axis, backbone in BACKBONES:
        if net.has(name):
            x = backbone(net, net.input(net.dimension(name, axis)))
            break
    else:
        raise Unfit("has a backbone that is none of ResNet, VGG, MobileNet, MobileNetV2, DenseNet and EfficientNet")

    def conv(x, at):
        has_norm = net.has(f"{at}_bn.weight")
        x = net.conv(x, f"{at}_conv", bias=not has_norm)
        return net.relu(net.norm(x, f"{at}_bn", eps=EPS) if has_norm else x)

    net.part = "head"
    x = net.pyramid(x, BINS, lambda x, i: conv(x, f"psp_level{BINS[i]}"), upsample="half_pixel", pool="same")
    net.conv(conv(x, "aggregation"), "final_conv", bias=True)
    net.output(size="input", upsample="half_pixel")
