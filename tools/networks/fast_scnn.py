"""Fast-SCNN (Poudel et al., Fast Semantic Segmentation Network, 2019), as Tramac/Fast-SCNN-pytorch and mmsegmentation
have it. The fusion stretches to the finer map's size, not by 4, so that any size works.

Names are (convolution, norm) of each unit, with {at} for what they follow. What no tensor says follows them: padding of
the first convolution, the activation after a separable convolution's depthwise half, and within the inverted
residuals."""
from collections import namedtuple

from .pspnet import BINS

Names = namedtuple("Names", "prefix unit separable bottleneck branch out fusion classifier classes padding middle "
                   "inner has_bias mode")

TRAMAC = Names("", unit=("{at}.conv.0", "{at}.conv.1"),
               separable=(("{at}.conv.0", "{at}.conv.1"), ("{at}.conv.3", "{at}.conv.4")),
               bottleneck=tuple((f"{{at}}.block.{conv}", f"{{at}}.block.{norm}")
                                for conv, norm in (("0.conv.0", "0.conv.1"), ("1.conv.0", "1.conv.1"), ("2", "3"))),
               branch=("ppm.conv{n}.conv.0", "ppm.conv{n}.conv.1"), out="ppm.out",
               fusion=("{at}.0", "{at}.1"), classifier=("classifier.dsconv1", "classifier.dsconv2"),
               classes="classifier.conv.1", padding=0, middle="relu", inner="relu", has_bias=True,
               mode="align_corners")

MMSEG = Names("backbone.", unit=("{at}.conv", "{at}.bn"),
              separable=(("{at}.depthwise_conv.conv", "{at}.depthwise_conv.bn"),
                         ("{at}.pointwise_conv.conv", "{at}.pointwise_conv.bn")),
              bottleneck=tuple((f"{{at}}.conv.{i}.conv", f"{{at}}.conv.{i}.bn") for i in range(3)),
              branch=("ppm.{i}.1.conv", "ppm.{i}.1.bn"), out="out",
              fusion=("{at}.conv", "{at}.bn"), classifier=("decode_head.convs.0", "decode_head.convs.1"),
              classes="decode_head.conv_seg", padding=1, middle="none", inner="relu", has_bias=False,
              mode="half_pixel")

# before mmsegmentation 0.15 (June 2021), whose 1x1 after the pyramid became a 3x3
MMSEG_BEFORE = MMSEG._replace(padding=0, middle="relu", inner="relu6")

STRIDES = (2, 2, 1)  # of the three groups of inverted residuals


def tramac(net):
    net.skip("auxlayer.")
    write(net, TRAMAC)


def mmseg(net):
    net.skip("auxiliary_head.")
    after_pyramid = net.conv_shape("backbone.global_feature_extractor.out.conv")
    write(net, MMSEG if after_pyramid[2:] == (3, 3) else MMSEG_BEFORE)


def write(net, names):
    down, extractor = (f"{names.prefix}{part}" for part in ("learning_to_downsample", "global_feature_extractor"))
    first = names.unit[0].format(at=f"{down}.conv")
    net.note("padding", names.padding)
    x = unit(net, net.image(first), names.unit, f"{down}.conv", stride=2, padding=names.padding)
    x = separable(net, x, names, f"{down}.dsconv1", 2)
    fine = x = separable(net, x, names, f"{down}.dsconv2", 2)
    for group, stride in enumerate(STRIDES, 1):
        at = f"{extractor}.bottleneck{group}"
        for i in range(net.count(names.bottleneck[0][0].format(at=f"{at}.{{i}}") + ".weight")):
            x = linear_bottleneck(net, x, names, f"{at}.{i}", 1 if i else stride)
    x = pyramid(net, x, names, extractor)
    x = fusion(net, fine, x, names, f"{names.prefix}feature_fusion")
    net.part = "head"
    for at in names.classifier:
        x = separable(net, x, names, at)
    net.conv(x, names.classes, bias=True)
    net.output(size="input", upsample=names.mode)


def unit(net, x, pair, at, activation="relu", **options):
    """A convolution, its norm and, where there is one, an activation."""
    conv, norm = (name.replace("{at}", at) for name in pair)
    x = net.conv_norm(x, conv, norm, **options)
    return net.act(x, activation) if activation else x


def separable(net, x, names, at, stride=1):
    depthwise, pointwise = names.separable
    x = unit(net, x, depthwise, at, names.middle, stride=stride, groups=x.channels)
    return unit(net, x, pointwise, at)


def linear_bottleneck(net, x, names, at, stride):
    expand, depthwise, project = names.bottleneck
    y = unit(net, x, expand, at, names.inner)
    y = unit(net, y, depthwise, at, names.inner, stride=stride, groups=y.channels)
    y = unit(net, y, project, at, None)
    return net.add(x, y) if stride == 1 and x.channels == y.channels else y


def pyramid(net, x, names, at):
    def branch(x, i):
        pair = [name.replace("{i}", str(i)).replace("{n}", str(i + 1)) for name in names.branch]
        return unit(net, x, [f"{at}.{name}" for name in pair], at)

    return unit(net, net.pyramid(x, BINS, branch, upsample=names.mode), names.unit, f"{at}.{names.out}")


def fusion(net, fine, coarse, names, at):
    y = unit(net, net.resize(coarse, names.mode, like=fine), names.unit, f"{at}.dwconv")
    y = unit(net, y, names.fusion, f"{at}.conv_lower_res", None, bias=names.has_bias)
    x = unit(net, fine, names.fusion, f"{at}.conv_higher_res", None, bias=names.has_bias)
    return net.relu(net.add(x, y))
