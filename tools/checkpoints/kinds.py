"""The known pyramid pooling modules, each a row of KINDS: its layers with the names
of their tensors, and what a checkpoint does not contain (bins, resize, order of the concat).

In a name {i} is the branch from 0, {n} from 1, {label} its entry of `labels`. Dropout does nothing
in inference and is left out.
"""
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Conv:
    """A convolution, with a bias or without."""
    name: str
    kernel: int = 1
    has_bias: bool = False


@dataclass(frozen=True)
class Norm:
    """A batch norm; if an optional one is missing, the conv before it has a bias instead."""
    name: str
    eps: float = 1e-5
    is_optional: bool = False


@dataclass(frozen=True)
class Kind:
    """The tensors whose names begin with `own` or a layer's name must be exactly those of the layers:
    any other tensor, such as a bias, means another module."""
    name: str
    about: str
    own: tuple  # beginnings of its tensors' names; "": nothing else is at its prefix
    branch: tuple
    head: tuple = ()
    classifier: tuple = ()  # the end of the head, omitted by --without-classifier
    absent: str = ""  # if this exists, it is another module
    bins: tuple = (1, 2, 3, 6)
    labels: tuple = ()  # of the branches in the order of the concat; none: 0, 1, ... as found
    windows: object = None  # classes -> windows in the order of labels, instead of bins
    keeps_width: bool = False  # branches have as many channels as the input
    pool: str = "adaptive"
    upsample: str = "align_corners"
    concat: str = "input_first"
    layout: str = "NCHW"
    rename: object = None  # names of the checkpoint -> {name here: name there}
    note: str = ""  # printed for the user


def conv_norm_relu(conv, norm, kernel=1, **options):
    return (Conv(conv, kernel=kernel), Norm(norm, **options), "relu")


def uper(name, about, norm, is_optional, **options):
    """The pyramid of mmsegmentation's UPerHead, whose norms have other names elsewhere."""
    return Kind(name, about, ("decode_head.psp_modules.", "decode_head.bottleneck."),
                branch=(Conv("decode_head.psp_modules.{i}.1.conv"),
                        Norm(f"decode_head.psp_modules.{{i}}.1.{norm}", is_optional=is_optional), "relu"),
                head=(Conv("decode_head.bottleneck.conv", kernel=3),
                      Norm(f"decode_head.bottleneck.{norm}", is_optional=is_optional), "relu"),
                upsample="half_pixel", **options)


# The sizes that these networks are built for: 713 or 720 pixels for the 19 classes of Cityscapes,
# 473 for the others.
def caffe_windows(classes):
    return (15, 30, 45, 90) if classes == 19 else (10, 20, 30, 60)


def slim_windows(_):
    return (10, 20, 30, 60)


def keras_names(names):
    """Unnamed layers are numbered in order of creation: the branches, the
    bottleneck, the classifier, then an auxiliary branch if that is unnamed too."""
    layers = {"conv2d": {}, "batch_normalization": {}}  # {number: {leaf: name}}
    for name in names:
        if found := re.fullmatch(r"(conv2d|batch_normalization)(?:_(\d{1,9}))?\.(\w+)", name):
            layers[found[1]].setdefault(int(found[2] or 0), {})[found[3]] = name
    return {f"{layer}#{place}.{leaf}": name for layer, numbered in layers.items()
            for place, number in enumerate(sorted(numbered))
            for leaf, name in numbered[number].items()}


TO_INPUT = "the network then stretches its logits to the image's size; --size H,W adds that"

KINDS = (
    Kind("semseg", "hszhao/semseg: PSPNet", ("ppm.", "cls."),
         branch=conv_norm_relu("ppm.features.{i}.1", "ppm.features.{i}.2"),
         head=conv_norm_relu("cls.0", "cls.1", kernel=3),
         classifier=(Conv("cls.4", has_bias=True),),
         note="the network then stretches its logits to 8 (H - 1) + 1; --size H,W adds "
              "that"),
    Kind("pspnet-pytorch", "Lextal/pspnet-pytorch: PSPModule", ("",),
         branch=(Conv("stages.{i}.1"),),
         head=(Conv("bottleneck", has_bias=True), "relu"),
         keeps_width=True, upsample="half_pixel", concat="input_last",
         note="PyTorch before 0.4 stretched by align_corners where the code does not say; for a "
              "network trained with it, --upsample align_corners"),
    Kind("sparseinst", "hustvl/SparseInst: PyramidPoolingModule", ("",),
         branch=(Conv("stages.{i}.1", has_bias=True), "relu"),
         head=(Conv("bottleneck", has_bias=True), "relu"),
         upsample="half_pixel", concat="input_last"),
    Kind("bubbliiiing-pytorch", "bubbliiiing/pspnet-pytorch", ("master_branch.",),
         branch=conv_norm_relu("master_branch.0.stages.{i}.1", "master_branch.0.stages.{i}.2"),
         head=conv_norm_relu("master_branch.0.bottleneck.0", "master_branch.0.bottleneck.1",
                             kernel=3),
         classifier=(Conv("master_branch.1", has_bias=True),), note=TO_INPUT),
    Kind("smp", "segmentation_models_pytorch: PSPNet", ("decoder.", "segmentation_head."),
         branch=(Conv("decoder.psp.blocks.{i}.pool.1.0"),
                 Norm("decoder.psp.blocks.{i}.pool.1.1", is_optional=True), "relu"),
         head=(Conv("decoder.conv.0"), Norm("decoder.conv.1", is_optional=True), "relu"),
         classifier=(Conv("segmentation_head.0", kernel=3, has_bias=True),),
         concat="input_last",
         note="the network then stretches its logits 8 times, unless it was made otherwise; "
              "--scale 8 adds that"),
    Kind("mmseg-psp", "mmsegmentation: PSPHead", ("decode_head.",),
         branch=(Conv("decode_head.psp_modules.{i}.1.conv"),
                 Norm("decode_head.psp_modules.{i}.1.bn", is_optional=True), "relu"),
         head=(Conv("decode_head.bottleneck.conv", kernel=3),
               Norm("decode_head.bottleneck.bn", is_optional=True), "relu"),
         classifier=(Conv("decode_head.conv_seg", has_bias=True),),
         absent="decode_head.fpn_bottleneck.conv.weight", upsample="half_pixel",
         note="for a configuration that says align_corners=True, --upsample align_corners"),
    uper("mmseg-uper", "mmsegmentation: the pyramid of UPerHead", "bn", True,
         note="for a configuration that says align_corners=True, --upsample align_corners"),
    uper("huggingface-uper", "transformers: the pyramid of UperNetHead", "batch_norm", False),
    Kind("fast-scnn", "Tramac/Fast-SCNN-pytorch: PyramidPooling", ("ppm.",),
         branch=conv_norm_relu("ppm.conv{n}.conv.0", "ppm.conv{n}.conv.1"),
         head=conv_norm_relu("ppm.out.conv.0", "ppm.out.conv.1")),
    Kind("csail", "CSAILVision/semantic-segmentation-pytorch: PPM decoder", ("ppm.", "conv_last."),
         branch=conv_norm_relu("ppm.{i}.1", "ppm.{i}.2"),
         head=conv_norm_relu("conv_last.0", "conv_last.1", kernel=3),
         classifier=(Conv("conv_last.4", has_bias=True),), upsample="half_pixel", note=TO_INPUT),
    Kind("pytorchcv", "osmr/pytorchcv: PSPNet", ("pool.branches.", "final_block."),
         labels=("2", "3", "4", "5"),
         branch=conv_norm_relu("pool.branches.branch{label}.conv.conv", "pool.branches.branch{label}.conv.bn"),
         head=conv_norm_relu("final_block.conv1.conv", "final_block.conv1.bn", kernel=3),
         classifier=(Conv("final_block.conv2", has_bias=True),), note=TO_INPUT),
    Kind("paddleseg", "PaddlePaddle/PaddleSeg: PSPNet", ("head.psp_module.", "head.conv."),
         labels=("3", "2", "1", "0"), bins=(6, 3, 2, 1),  # its concat is in this order
         branch=(Conv("head.psp_module.stages.{label}.1._conv", has_bias=True),
                 Norm("head.psp_module.stages.{label}.1._batch_norm"), "relu"),
         head=(Conv("head.psp_module.conv_bn_relu2._conv", kernel=3, has_bias=True),
               Norm("head.psp_module.conv_bn_relu2._batch_norm"), "relu"),
         classifier=(Conv("head.conv", has_bias=True),), upsample="half_pixel",
         note="for a configuration that says align_corners: True, --upsample align_corners; " + TO_INPUT),
    Kind("ppm", "a PPM as in hszhao/semseg, by itself", ("",),
         branch=conv_norm_relu("features.{i}.1", "features.{i}.2")),
    Kind("pspnet-tensorflow",
         "hellochick/PSPNet-tensorflow, Vladkryvoruchko/PSPNet-Keras-tensorflow",
         ("conv5_3_pool", "conv5_4", "conv6"), labels=("6", "3", "2", "1"), windows=caffe_windows,
         branch=conv_norm_relu("conv5_3_pool{label}_conv", "conv5_3_pool{label}_conv_bn"),
         head=conv_norm_relu("conv5_4", "conv5_4_bn", kernel=3),
         classifier=(Conv("conv6", has_bias=True),), pool="valid", layout="NHWC",
         note="the network stretches its logits by align_corners; --size H,W adds that"),
    Kind("tensorflow-pspnet", "pudae/tensorflow-pspnet", ("pyramid_pool_module/", "fc1", "logits"),
         labels=("4", "3", "2", "1"), windows=slim_windows,
         branch=conv_norm_relu("pyramid_pool_module/level{label}/pyramid_pool_v1/conv1",
                               "pyramid_pool_module/level{label}/pyramid_pool_v1/conv1/BatchNorm"),
         head=conv_norm_relu("fc1", "fc1/BatchNorm", kernel=3),
         classifier=(Conv("logits", has_bias=True),), pool="valid", layout="NHWC",
         upsample="asymmetric", note=TO_INPUT),
    Kind("bubbliiiing-keras", "bubbliiiing/pspnet-keras, bubbliiiing/pspnet-tf2", (),
         branch=conv_norm_relu("conv2d#{i}", "batch_normalization#{i}", eps=1e-3),
         head=conv_norm_relu("conv2d#4", "batch_normalization#4", kernel=3, eps=1e-3),
         classifier=(Conv("conv2d#5", has_bias=True),), labels=("0", "1", "2", "3"),
         pool="same", layout="NHWC", rename=keras_names, note=TO_INPUT),
    Kind("segmentation-models-keras", "qubvel/segmentation_models: PSPNet",
         ("psp_level", "aggregation", "final_conv"), labels=("1", "2", "3", "6"),
         branch=(Conv("psp_level{label}_conv"),
                 Norm("psp_level{label}_bn", eps=1e-3, is_optional=True), "relu"),
         head=(Conv("aggregation_conv"), Norm("aggregation_bn", eps=1e-3, is_optional=True), "relu"),
         classifier=(Conv("final_conv", kernel=3, has_bias=True),),
         pool="same", upsample="half_pixel", layout="NHWC",
         note="for maps whose sides are multiples of 6, as the network has them; it goes on by "
              "stretching its logits 8 times, unless it was made otherwise; --scale 8 adds that"),
)
