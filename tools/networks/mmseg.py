"""mmsegmentation's PSPNet and UPerNet over ResNet: V1c and V1d with three 3x3 in the stem, or the plain one."""
from . import convnext, resnet, upernet
from .upernet import MMSEG

# stride: (stride, dilations) of each stage; of a basic block's convolutions only the first is dilated
STAGES = {8: ((1,), (2,), (1, 1, 2, 1), (1, 2, 4, 1)), 16: ((1,), (2,), (2,), (1, 1, 2, 1)),
          32: ((1,), (2,), (2,), (2,))}


def pspnet(net):
    net.skip("auxiliary_head.")
    x = backbone(net, 8)[-1]
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
