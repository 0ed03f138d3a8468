"""CSAILVision/semantic-segmentation-pytorch: an encoder, ResNet with three 3x3 in the stem, MobileNetV2 or HRNetV2, and
a decoder, a PPM, UPerNet or C1, which has no pyramid. They are saved in two files."""
import re

from . import Unfit, hrnet, mobilenet_v2, resnet
from .pspnet import BINS, norm_pyramid

# stride: (stride, dilations) of each stage
STAGES = {8: ((1,), (2,), (1, 1, 2, 2), (1, 2, 4, 4)), 16: ((1,), (2,), (2,), (1, 1, 2, 2)),
          32: ((1,), (2,), (2,), (2,))}


def ppm(net):
    net.skip("cbr_deepsup.", "conv_last_deepsup.")
    x = encoder(net, 8)[-1]
    net.part = "head"
    x = norm_pyramid(net, x, "ppm", upsample="half_pixel")
    net.conv(unit(net, x, "conv_last.0", "conv_last.1"), "conv_last.4", bias=True)
    net.output(size="input", upsample="half_pixel")


def c1(net):
    net.skip("cbr_deepsup.", "conv_last_deepsup.")
    x = encoder(net, 8)[-1]
    net.part = "head"
    net.conv(unit(net, x, "cbr.0", "cbr.1"), "conv_last", bias=True)
    net.output(size="input", upsample="half_pixel")


def uper(net):
    """Unlike elsewhere, a pooled map is stretched before its convolution."""
    maps = encoder(net, 32)
    net.part = "head"
    what, bins = net.pools(BINS, net.count("ppm_conv.{i}.0.weight"))
    if what != "bins":
        raise Unfit("pools adaptively, where --windows needs --pool same or valid")
    pooled = [net.resize(net.layer("adaptive_avg_pool", maps[-1], bins=b), "half_pixel", like=maps[-1]) for b in bins]
    priors = [unit(net, x, f"ppm_conv.{i}.0", f"ppm_conv.{i}.1") for i, x in enumerate(pooled)]
    x = unit(net, net.concat(maps[-1], *priors), "ppm_last_conv.0", "ppm_last_conv.1")
    outs = [x]
    for i in reversed(range(len(maps) - 1)):
        lateral = unit(net, maps[i], f"fpn_in.{i}.0", f"fpn_in.{i}.1")
        x = net.add(lateral, net.resize(x, "half_pixel", like=lateral))
        outs.insert(0, unit(net, x, f"fpn_out.{i}.0.0", f"fpn_out.{i}.0.1"))
    stretched = [net.resize(y, "half_pixel", like=outs[0]) for y in outs[1:]]
    x = unit(net, net.concat(outs[0], *stretched), "conv_last.0.0", "conv_last.0.1")
    net.conv(x, "conv_last.1", bias=True)
    net.output(size="input", upsample="half_pixel")


def unit(net, x, conv, norm):
    return net.relu(net.conv_norm(x, conv, norm))


def encoder(net, stride):
    """-> its maps. In a file of both parts, its names begin with encoder. where the decoder's begin with decoder."""
    decoder, net.prefix = net.prefix, re.sub(r"\bdecoder\.\Z", "encoder.", net.prefix)
    try:
        return encoded(net, stride)
    finally:
        net.prefix = decoder


def encoded(net, stride):
    if net.has("stage4.0.branches.0.0.conv1.weight"):
        return [hrnet.features(net, net.image("conv1"))]
    stride = net.stride(stride, tuple(STAGES))
    if not net.has("conv1.weight") and not net.has("features.0.0.weight"):
        raise Unfit("lacks the encoder, which is saved in a file of its own: name both files before MODEL.json")
    if net.has("features.0.0.weight"):
        x = net.image("features.0.0")
        return [mobilenet_v2.features(net, x, "features", 18, *mobilenet_v2.dilated(stride))]
    x = resnet.deep_stem(net, net.image("conv1"), [(f"conv{i}", f"bn{i}") for i in (1, 2, 3)])
    return resnet.stages(net, x, STAGES[stride])
