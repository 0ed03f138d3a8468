"""The known networks, each a row of KINDS, and how one is found in a checkpoint.

A kind claims a checkpoint only if every tensor is one that its network reads, but for those that it skips by name
(an auxiliary head) and for what training leaves behind. Anything else would be half a network.

A row's write() is a function of a family's file, such as pspnet.py: it reads the Net's tensors, calls its methods for
each layer from net.input() on, names with net.skip() what inference does not need, and ends with net.output().
"""
import math
import re
from dataclasses import dataclass

from checkpoints import ExportError
from checkpoints.recognize import TRAINING, is_prefix

from . import (Unfit, caffe_pspnet, csail, ddrnet, fast_scnn, keras_pspnet, mmseg, pidnet, pspnet, resnet_d_pspnet,
               smp, upernet)
from .net import Net

# parts of a training program's module that lie beside its network: losses, what they are measured by, and counters of
# averaged weights
BESIDE = re.compile(r"(\w+_)?(criterion|loss|metrics?)(_(fn|func|weights?|train|val|valid|test|\d+))?|"
                    r"(train|val|valid|test)_(\w+_)?(m?iou|jaccard|dice|f1|acc|accuracy|precision|recall)(_score|_index)?|"
                    r"n_averaged|global_step")
COUNTED = re.compile(r"long|int|short|char|byte|bool|u?int\d+|[iu]\d+", re.I)  # types, as files call them
NORMALIZES = re.compile(r"(pixel_)?(mean|std)")  # what the module around a network makes of images with
NORMALIZES_MAX = 16  # values
BESIDE_KERAS = ("optimizer/vars/", "seed_generator/vars/")  # parts of names
PREFIXES_MAX = 20


@dataclass(frozen=True)
class Kind:
    name: str
    about: str
    marks: tuple  # tensors that it has; where the first one is tells the prefix
    write: object  # of a Net: writes its entries and its output
    layout: str = None  # "NHWC"
    note: str = ""  # printed for the user: what images it expects
    image: dict = None  # how a pixel becomes x, if the repository has one way


@dataclass
class Candidate:
    """A kind at a prefix. problem: why it does not claim the checkpoint, None if it does."""
    kind: Kind
    checkpoint: object
    net: Net
    problem: str = None

    def describe(self):
        return f"{self.kind.name} ({self.kind.about})" + (f" at {self.net.prefix!r}" if self.net.prefix else "")


COLORS = re.compile("RGB|BGR")
NORMALIZED = ("it was trained with RGB images from 0 to 255, less 123.675, 116.28, 103.53 and divided by 58.395, "
              "57.12, 57.375")
TO_ONE = "it was trained with RGB images from 0 to 1"

# (pixel - mean) / std, as a model's JSON has it
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
UNIT = {"mean": [0, 0, 0], "std": [255, 255, 255]}
CAFFE = {"mean": [103.939, 116.779, 123.68], "std": [1, 1, 1], "order": "BGR"}

LEXTAL = ("it ends before the network's LogSoftmax: --as softmax gives probabilities; PyTorch before 0.4 stretched by "
          "align_corners where the code does not say; for a network trained with it, --upsample align_corners")
MMSEG = f"for a configuration that says align_corners=True, --upsample align_corners; {NORMALIZED}"
MAPS = ("its inputs are the backbone's maps, as the backbone gives them to the head: c2, the finest, to c5; y has 4 "
        "times the size of c2, for images whose sides are multiples of 4")

KINDS = (
    Kind("semseg", "hszhao/semseg: PSPNet", ("ppm.features.0.1.weight", "layer0.0.weight", "cls.4.weight"),
         pspnet.semseg, note=NORMALIZED, image=IMAGENET),
    Kind("pspnet-pytorch", "Lextal/pspnet-pytorch: PSPNet", ("psp.stages.0.1.weight", "up_1.conv.0.weight"),
         pspnet.lextal, note=LEXTAL),
    Kind("bubbliiiing-pytorch", "bubbliiiing/pspnet-pytorch", ("master_branch.0.stages.0.1.weight",),
         pspnet.bubbliiiing, note=TO_ONE, image=UNIT),
    Kind("smp", "segmentation_models_pytorch: PSPNet", ("decoder.psp.blocks.0.pool.1.0.weight",), smp.pspnet,
         note=f"for images whose sides are multiples of its encoder's stride, 8 at depth 3; {NORMALIZED}", image=IMAGENET),
    Kind("mmseg-psp", "mmsegmentation: PSPNet", ("decode_head.psp_modules.0.1.conv.weight",
                                                 "backbone.layer1.0.conv1.weight"), mmseg.pspnet, note=MMSEG, image=IMAGENET),
    Kind("mmseg-psp", "mmsegmentation: PSPNet", ("decode_head.psp_modules.0.1.conv.weight",
                                                 "backbone.layer1.0.conv.0.conv.weight"), mmseg.pspnet_mobilenet,
         note=MMSEG, image=IMAGENET),
    Kind("mmseg-uper", "mmsegmentation: UPerNet", ("decode_head.fpn_bottleneck.conv.weight",
                                                   "backbone.layer1.0.conv1.weight"), mmseg.uper, note=MMSEG, image=IMAGENET),
    Kind("mmseg-uper-convnext", "mmsegmentation: UPerNet over ConvNeXt",
         ("decode_head.fpn_bottleneck.conv.weight", "backbone.downsample_layers.0.0.weight"), mmseg.uper_convnext,
         note=MMSEG, image=IMAGENET),
    Kind("mmseg-uper-head", "mmsegmentation: UPerHead, with the backbone's maps as inputs",
         ("decode_head.fpn_bottleneck.conv.weight", "decode_head.conv_seg.weight"), upernet.mmseg_head, note=MAPS),
    Kind("mmseg-fast-scnn", "mmsegmentation: Fast-SCNN", ("backbone.global_feature_extractor.out.conv.weight",),
         fast_scnn.mmseg, note=MMSEG, image=IMAGENET),
    Kind("huggingface-uper-convnext", "transformers: UperNet over ConvNeXt",
         ("decode_head.fpn_bottleneck.conv.weight", "backbone.encoder.stages.0.layers.0.dwconv.weight"),
         upernet.transformers_convnext, note=NORMALIZED, image=IMAGENET),
    Kind("huggingface-uper-head", "transformers: UperNetHead, with the backbone's maps as inputs",
         ("decode_head.fpn_bottleneck.conv.weight", "decode_head.classifier.weight"), upernet.transformers_head,
         note=MAPS),
    Kind("fast-scnn", "Tramac/Fast-SCNN-pytorch", ("learning_to_downsample.conv.conv.0.weight",), fast_scnn.tramac,
         note=NORMALIZED, image=IMAGENET),
    Kind("csail-ppm", "CSAILVision/semantic-segmentation-pytorch: encoder and PPM decoder",
         ("ppm.0.1.weight", "conv_last.4.weight"), csail.ppm, note=NORMALIZED, image=IMAGENET),
    Kind("csail-c1", "CSAILVision/semantic-segmentation-pytorch: encoder and C1 decoder",
         ("cbr.0.weight", "conv_last.weight"), csail.c1, note=NORMALIZED, image=IMAGENET),
    Kind("csail-uper", "CSAILVision/semantic-segmentation-pytorch: encoder and UPerNet decoder",
         ("ppm_last_conv.0.weight", "fpn_in.0.0.weight"), csail.uper, note=NORMALIZED, image=IMAGENET),
    Kind("ddrnet", "ydhongHIT/DDRNet: DDRNet-23-slim, -23, -39", ("spp.process1.2.weight", "down4.0.weight"),
         ddrnet.write, note=NORMALIZED, image=IMAGENET),
    Kind("pidnet", "XuJiacong/PIDNet: PIDNet-S, -M, -L", ("spp.scale0.2.weight", "pag3.f_x.0.weight"), pidnet.write,
         note=NORMALIZED, image=IMAGENET),
    Kind("pytorchcv", "osmr/pytorchcv: PSPNet", ("pool.branches.branch2.conv.conv.weight",
         "backbone.init_block.conv1.conv.weight"), resnet_d_pspnet.pytorchcv, note=NORMALIZED, image=IMAGENET),
    Kind("paddleseg", "PaddlePaddle/PaddleSeg: PSPNet", ("head.psp_module.stages.0.1._conv.weight",
         "backbone.conv1_1._conv.weight"), resnet_d_pspnet.paddleseg,
         note="its configuration may say align_corners: True (--upsample align_corners) and how images are normalized"),
    Kind("bubbliiiing-keras", "bubbliiiing/pspnet-keras, bubbliiiing/pspnet-tf2", ("expanded_conv_16_project.weight",),
         keras_pspnet.bubbliiiing, "NHWC", note=TO_ONE, image=UNIT),
    Kind("bubbliiiing-keras", "bubbliiiing/pspnet-keras, bubbliiiing/pspnet-tf2", ("res5a_branch2a.weight",
         "conv3.weight"), keras_pspnet.bubbliiiing, "NHWC", note=TO_ONE, image=UNIT),
    Kind("pspnet-tensorflow", "hellochick/PSPNet-tensorflow, Vladkryvoruchko/PSPNet-Keras-tensorflow",
         ("conv5_3_pool1_conv.weight", "conv1_1_3x3_s2.weight"), caffe_pspnet.write, "NHWC",
         note="it was trained with BGR images from 0 to 255, less 103.939, 116.779, 123.68", image=CAFFE),
    Kind("segmentation-models-keras", "qubvel/segmentation_models: PSPNet", ("psp_level1_conv.weight",),
         keras_pspnet.segmentation_models, "NHWC", note="for images whose sides are multiples of 6 times its stride, "
         "mostly 48, as the network has them; get_preprocessing(BACKBONE) says how they are normalized"),
)


def note_of(kind, net):
    """What it says of images with three colors does not hold for others."""
    parts = kind.note.split("; ")
    has_colors = any(x.channels == 3 for x in net.inputs.values())
    return "; ".join(part for part in parts if has_colors or not COLORS.search(part))


def candidates(checkpoint, given, kind_name=None, prefix=None):
    """Every kind, at every prefix that has its marks."""
    for kind in KINDS:
        if kind_name in (None, kind.name):
            starts = [start for start in prefixes(checkpoint.tensors, kind.marks) if is_prefix(prefix, start)]
            if len(starts) > PREFIXES_MAX:
                raise ExportError(f"{checkpoint.path}: {kind.name} may start at any of {len(starts):,} prefixes; "
                                  "choose one with --prefix")
            for start in starts:
                yield written(kind, checkpoint, start, given, prefix is not None)


def prefixes(tensors, marks):
    first = marks[0]
    starts = [name[:-len(first)] for name in tensors if name == first or name.endswith(f".{first}")]
    return [start for start in starts if all(start + mark in tensors for mark in marks)]


def written(kind, checkpoint, prefix, given, is_chosen):
    """-> Candidate; is_chosen: the user named the prefix, so that what is elsewhere does not count"""
    net = Net(checkpoint.tensors, prefix, given, kind.layout)
    candidate = Candidate(kind, checkpoint, net)
    try:
        kind.write(net)
        check_given(net, given)
        left = [name for name in net.unused()
                if not (is_chosen and is_elsewhere(name, net) or is_beside(name, net))]
        if left:
            raise Unfit(f"also has {checkpoint.tensors[left[0]].key}, which that network does not have")
    except Unfit as reason:
        candidate.problem = str(reason)
    return candidate


def check_given(net, given):
    """Raises Unfit for what the user says and the network does not have."""
    options = {"eps": given.eps, "upsample": given.upsample, "bins": given.bins, "windows": given.windows,
               "pool": given.pool, "concat": given.concat, "stride": given.stride, "depth": given.depth,
               **{f"{part}-activation": layer for part, layer in given.activations.items()}}
    for option, value in options.items():
        if value is not None and option.removesuffix("-activation") not in net.assumed:
            raise Unfit(f"has one {option} only, which --{option} cannot change" if option in ("stride", "depth") else
                        f"has nothing that --{option} could change")


def is_elsewhere(name, net):
    """Whether a tensor is not at the network's prefix; without one, not in a part that has any tensor of it."""
    return not name.startswith(net.prefix) or not net.prefix and name.partition(".")[0] not in {
        used.partition(".")[0] for used in net.used}


def is_beside(name, net):
    """Whether a tensor that the network does not read is of training alone, or what images are normalized with."""
    tensor = net.tensors[name]
    is_around = "." not in name or not name.startswith(net.prefix)
    return (is_around and math.prod(tensor.shape) == 1 and bool(COUNTED.fullmatch(tensor.dtype))
            or normalizes(name, tensor) or name.replace("/", ".").endswith(TRAINING)
            or bool(BESIDE.fullmatch(name.partition(".")[0])) or any(part in name for part in BESIDE_KERAS))


def normalizes(name, tensor):
    return bool(NORMALIZES.fullmatch(name)) and math.prod(tensor.shape) <= NORMALIZES_MAX


def recognize(checkpoint, given, kind_name=None, prefix=None):
    """-> (the one Candidate that claims the checkpoint or None, the one of the others that is nearest to it or None); a
    head alone does not where the network with its backbone does"""
    found = list(candidates(checkpoint, given, kind_name, prefix))
    whole = [candidate for candidate in found if not candidate.problem]
    fit = [c for c in whole if not any(c.net.used < other.net.used for other in whole)]
    if len(fit) > 1:
        raise ExportError(f"{checkpoint.path}: is more than one network: "
                          + "; ".join(candidate.describe() for candidate in fit)
                          + "; choose one with --kind or --prefix")
    if not fit and not found and checkpoint.alternative:
        return recognize(checkpoint.alternative, given, kind_name, prefix)
    failed = [candidate for candidate in found if candidate.problem]
    nearest = max(failed, key=lambda candidate: len(candidate.net.used), default=None)
    return (fit[0] if fit else None), nearest
