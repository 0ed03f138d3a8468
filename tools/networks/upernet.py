"""UPerNet's head (Xiao et al., Unified Perceptual Parsing, 2018) as mmsegmentation and transformers have it: a PPM over
the coarsest of several maps, added to the finer ones on the way up; all are stretched to the finest, concatenated and
convolved."""
from collections import namedtuple

from . import convnext
from .pspnet import BINS

Names = namedtuple("Names", "norm classes")
MMSEG = Names("bn", "decode_head.conv_seg")
TRANSFORMERS = Names("batch_norm", "decode_head.classifier")


def transformers_convnext(net):
    net.skip("auxiliary_head.")
    maps = convnext.backbone(net, net.image(convnext.TRANSFORMERS.patches), convnext.TRANSFORMERS)
    head(net, maps, TRANSFORMERS)
    net.output(size="input", upsample="half_pixel")


def mmseg_head(net):
    head_alone(net, MMSEG)


def transformers_head(net):
    head_alone(net, TRANSFORMERS)


def head_alone(net, names):
    """With the backbone's maps as inputs, c2 the finest."""
    net.skip("backbone.", "auxiliary_head.")
    laterals = net.count("decode_head.lateral_convs.{i}.conv.weight")
    first = [f"decode_head.lateral_convs.{i}.conv" for i in range(laterals)] + ["decode_head.psp_modules.0.1.conv"]
    head(net, [net.input(net.conv_shape(key)[1], f"c{i}") for i, key in enumerate(first, 2)], names)
    net.output(scale=4, upsample="half_pixel")


def head(net, maps, names):
    """maps: from the finest to the coarsest"""
    net.part = "head"
    laterals = [module(net, x, f"lateral_convs.{i}", names) for i, x in enumerate(maps[:-1])]
    laterals.append(pyramid(net, maps[-1], names))
    for i in reversed(range(len(maps) - 1)):
        laterals[i] = net.add(laterals[i], net.resize(laterals[i + 1], "half_pixel", like=laterals[i]))
    outs = [module(net, x, f"fpn_convs.{i}", names) for i, x in enumerate(laterals[:-1])] + laterals[-1:]
    stretched = [net.resize(x, "half_pixel", like=outs[0]) for x in outs[1:]]
    x = module(net, net.concat(outs[0], *stretched), "fpn_bottleneck", names)
    return net.conv(x, names.classes, bias=True)


def module(net, x, at, names):
    """mmcv's ConvModule: a convolution has a bias where no norm follows."""
    at = f"decode_head.{at}"
    if net.has(f"{at}.conv.bias"):
        return net.relu(net.conv(x, f"{at}.conv"))
    return net.relu(net.conv_norm(x, f"{at}.conv", f"{at}.{names.norm}"))


def pyramid(net, x, names):
    x = net.pyramid(x, BINS, lambda x, i: module(net, x, f"psp_modules.{i}.1", names),
                    net.count("decode_head.psp_modules.{i}.1.conv.weight"), upsample="half_pixel")
    return module(net, x, "bottleneck", names)
