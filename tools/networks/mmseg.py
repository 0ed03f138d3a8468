"""mmsegmentation's PSPNet and UPerNet over ResNet, V1c and V1d with three 3x3 in the stem or the plain one; PSPNet over
MobileNetV2 and UPerNet over ConvNeXt as well."""
from . import convnext, resnet, upernet
from .upernet import MMSEG

# stride: (stride, dilations) of each stage; of a basic block's convolutions only the first is dilated
STAGES = {8: ((1,), (2,), (1, 1, 2, 1), (1, 2, 4, 1)), 16: ((1,), (2,), (2,), (1, 1, 2, 1)),
          32: ((1,), (2,), (2,), (2,))}

# stride: (stride, dilation) of the first block of each of MobileNetV2's layers; its other blocks have neither
MOBILE = {8: ((1, 1), (2, 1), (2, 1), (1, 2), (1, 2), (1, 4), (1, 4)),
          32: ((1, 1), (2, 1), (2, 1), (2, 1), (1, 1), (2, 1), (1, 1))}


def pspnet(net):
    psp(net, backbone(net, 8)[-1])


def pspnet_mobilenet(net):
    psp(net, mobilenet_v2(net))


def psp(net, x):
    net.skip("auxiliary_head.")
    net.part = "head"
    net.conv(upernet.pyramid(net, x, MMSEG), MMSEG.classes, bias=True)
    net.output(size="input", upsample="half_pixel")


def uper(net):
    net.skip("auxiliary_head.")
    upernet.head(net, backbone(net, 32), MMSEG)
    net.output(size="input", upsample="half_pixel")


def uper_convnext(net):
    net.skip("auxiliary_head.")
    upernet.head(net, convnext.backbone(net, net.image(convnext.MMSEG.patches), convnext.MMSEG), MMSEG)
    net.output(size="input", upsample="half_pixel")


def backbone(net, stride):
    if net.has("backbone.stem.0.weight"):
        layers = [(f"backbone.stem.{i}", f"backbone.stem.{i + 1}") for i in (0, 3, 6)]
        x = resnet.deep_stem(net, net.image("backbone.stem.0"), layers)
    else:
        x = resnet.plain_stem(net, net.image("backbone.conv1"), "backbone.")
    return resnet.stages(net, x, STAGES[net.stride(stride, tuple(STAGES))], "backbone.")


def mobilenet_v2(net):
    x = net.act(net.conv_norm(net.image("backbone.conv1.conv"), "backbone.conv1.conv", "backbone.conv1.bn", stride=2),
                "relu6")
    for layer, (stride, dilation) in enumerate(MOBILE[net.stride(8, tuple(MOBILE))], 1):
        for i in range(net.count(f"backbone.layer{layer}.{{i}}.conv.0.conv.weight")):
            x = inverted_residual(net, x, f"backbone.layer{layer}.{i}.conv", *((1, 1) if i else (stride, dilation)))
    return x


def inverted_residual(net, x, at, stride, dilation):
    """The first one does not expand."""
    y, count = x, net.count(f"{at}.{{i}}.conv.weight")
    for i in range(count):
        spatial = {"stride": stride, "dilation": dilation, "groups": y.channels} if i == count - 2 else {}
        y = net.conv_norm(y, f"{at}.{i}.conv", f"{at}.{i}.bn", **spatial)
        y = net.act(y, "relu6") if i < count - 1 else y
    return net.add(x, y) if stride == 1 and x.channels == y.channels else y
