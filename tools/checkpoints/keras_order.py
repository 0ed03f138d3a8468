"""Names for the layers of a Keras 3 file that has none, but only classes and numbers: conv2d_7 is the eighth Conv2D.

Keras numbers a model's layers by their distance from its output, the farthest first; of equal ones, those come first
that are reached first from the output, by the first input of each. For networks that are known this gives the
names of their layers, if there are as many of each class.
"""
import itertools
import re

from .tensor import Checkpoint

NUMBERED = re.compile(r"(?:.*/)?(conv2d|depthwise_conv2d|batch_normalization)(?:_(\d{1,6}))?\.(\w+)")
BASIC, BOTTLENECK = ((2, 2, 2, 2), (3, 4, 6, 3)), ((3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3))
VGG = ((2, 2, 3, 3, 3), (2, 2, 4, 4, 4))
MOBILE_ENDS = (3, 6, 13)  # the block of MobileNetV2 that a decoder reads, for a stride of 4, 8, 16


def named(checkpoint):
    """-> the checkpoint, with alternatives under the names of each network that has as many layers"""
    numbers, layers = {}, {}
    for name in checkpoint.tensors:
        if found := NUMBERED.fullmatch(name):
            numbers.setdefault(found[1], set()).add(int(found[2] or 0))
            layers[name] = found[1], int(found[2] or 0), found[3]
    if any(found != set(range(len(found))) for found in numbers.values()):
        return checkpoint
    for names in segmentation_models():
        if {kind: len(found) for kind, found in numbers.items()} == {k: len(v) for k, v in names.items() if v}:
            checkpoint.alternative = renamed(checkpoint, layers, names, checkpoint.alternative)
    return checkpoint


def renamed(checkpoint, layers, names, alternative):
    tensors = {}
    for name, tensor in checkpoint.tensors.items():
        kind, number, leaf = layers.get(name, (None, 0, ""))
        tensors[f"{names[kind][number]}.{leaf}" if kind else name] = tensor
    return Checkpoint(checkpoint.path, tensors, checkpoint.entry, checkpoint.refused, alternative,
                      "its layers have no names: taken in the order in which Keras numbers those of such a network")


def segmentation_models():
    """Yields {class: [names]} of qubvel/segmentation_models' PSPNets, and of their head alone."""
    levels = [f"psp_level{level}" for level in (1, 2, 3, 6)] + ["aggregation"]
    head = [f"{name}_conv" for name in levels] + ["final_conv"]
    for convs, norms, depthwise in ([], [], []), *resnets(), *mobilenets(), *vggs():
        for of_head in ([f"{name}_bn" for name in levels], []):
            yield {"conv2d": convs + head, "batch_normalization": norms + of_head, "depthwise_conv2d": depthwise}


def resnets():
    """Up to the first norm of a stage; a shortcut's convolution is numbered after the last one beside it."""
    seen = set()
    for counts, last in [(counts, 2) for counts in BASIC] + [(counts, 3) for counts in BOTTLENECK]:
        for stages in (1, 2, 3):
            if (counts[:stages], last) in seen:
                continue
            seen.add((counts[:stages], last))
            convs, norms = ["conv0"], ["bn_data", "bn0"]
            for stage, count in enumerate(counts[:stages], 1):
                for at in (f"stage{stage}_unit{unit}" for unit in range(1, count + 1)):
                    convs += [f"{at}_conv{i}" for i in range(1, last + 1)] + [f"{at}_sc"] * at.endswith("unit1")
                    norms += [f"{at}_bn{i}" for i in range(1, last + 1)]
            yield convs, norms + [f"stage{stages + 1}_unit1_bn1"], []


def mobilenets():
    for end in MOBILE_ENDS:
        convs, depthwise = ["Conv1", "expanded_conv_project"], ["expanded_conv_depthwise"]
        norms = ["bn_Conv1", "expanded_conv_depthwise_BN", "expanded_conv_project_BN"]
        for block in (f"block_{i}" for i in range(1, end)):
            convs += [f"{block}_expand", f"{block}_project"]
            depthwise += [f"{block}_depthwise"]
            norms += [f"{block}_{part}_BN" for part in ("expand", "depthwise", "project")]
        yield convs + [f"block_{end}_expand"], norms + [f"block_{end}_expand_BN"], depthwise


def vggs():
    seen = set()
    for counts, blocks in itertools.product(VGG, (3, 4, 5)):
        if counts[:blocks] not in seen:
            seen.add(counts[:blocks])
            yield [f"block{b}_conv{i}" for b, count in enumerate(counts[:blocks], 1)
                   for i in range(1, count + 1)], [], []
