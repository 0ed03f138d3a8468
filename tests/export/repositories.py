"""The whole networks of repositories_*.py, each with the size it is traced at, and the sizes it is asked at."""
from dataclasses import dataclass
from typing import Callable

import repositories_blocks as blocks
import repositories_fast as fast
import repositories_fpn as fpn
import repositories_pyramid as pyramid
import repositories_streams as streams

ANY = (40, 48), ((33, 50), (71, 25))
EVEN = (64, 96), ((32, 64), (96, 160))
BY_32 = (64, 96), ((32, 64), (96, 32))
BY_4_BEHIND_3X3 = (64, 96), ((61, 32), (96, 93))  # the first convolution of Fast-SCNN has no padding


@dataclass
class Network:
    """is_scripted: torch.jit.script takes it as well"""
    make: Callable
    sizes: tuple = ANY
    is_scripted: bool = False


NETWORKS = {
    "lextal_resnet": Network(lambda: pyramid.Lextal(pyramid.LextalBackbone)),
    "lextal_densenet": Network(lambda: pyramid.Lextal(pyramid.DenseNet)),
    "lextal_squeezenet": Network(lambda: pyramid.Lextal(pyramid.SqueezeNet), is_scripted=True),
    "bubbliiiing": Network(pyramid.Bubbliiiing),
    "mmseg": Network(pyramid.Mmseg),
    "mmseg_align_corners": Network(lambda: pyramid.Mmseg(align_corners=True)),
    "csail_ppm": Network(lambda: pyramid.Csail(pyramid.CsailPPM)),
    "csail_upernet": Network(lambda: pyramid.Csail(pyramid.CsailUper)),
    "fast_scnn": Network(fast.FastScnn, BY_4_BEHIND_3X3),
    "fast_scnn_aux": Network(lambda: fast.FastScnn(aux=True), BY_4_BEHIND_3X3),
    "bisenet_v1": Network(fast.BiSeNetV1, is_scripted=True),
    "bisenet_v2": Network(fast.BiSeNetV2, EVEN),
    "bisenet_v2_labels": Network(lambda: fast.BiSeNetV2("pred"), EVEN),
    "ddrnet": Network(streams.DdrNet, EVEN),
    "pidnet": Network(lambda: streams.PidNet(augment=False), EVEN),
    "icnet": Network(streams.IcNet, EVEN),
    "smp_unet": Network(fpn.SmpUnet, BY_32),
    "smp_fpn": Network(fpn.SmpFpn, BY_32),
    "torchvision_fcn": Network(fpn.TorchvisionSegmentation, is_scripted=True),
    "torchvision_deeplab": Network(lambda: fpn.TorchvisionSegmentation((2, 4, 6)), is_scripted=True),
    "torchvision_lraspp": Network(fpn.Lraspp, is_scripted=True),
    "refinenet": Network(fpn.RefineNet),
    "gcn": Network(fpn.Gcn, is_scripted=True),
    "espnet": Network(blocks.EspNetC),
    "liteseg": Network(blocks.LiteSeg, is_scripted=True),
    "pp_liteseg": Network(blocks.PpLiteSeg, is_scripted=True),
    "hrnet": Network(blocks.HrNet, EVEN),
    "convnext_upernet": Network(blocks.ConvNextUper, ((48, 64), ((47, 57), (56, 49)))),
}

# the operator that stops it, and why
REFUSED = {
    "hrnet_ocr": (lambda: blocks.HrNet(ocr=True), "aten::softmax at", "over the axis 2, expected the channels"),
    "pp_liteseg_with_maxima": (lambda: blocks.PpLiteSeg(is_simple=False), "aten::max at", "has no such layer"),
    "encnet": (blocks.EncNet, "aten::sub at", "expected a value for each channel"),
    "erfnet": (blocks.ErfNet, "aten::_convolution at", "has no such layer"),
    "enet": (blocks.ENet, "aten::zeros at", "a constant that depends on the size of the input"),
}
