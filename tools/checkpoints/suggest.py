"""Where no kind is recognized: a base whose layers name tensors that, by their shapes, make a pyramid.

Several 1x1 convolutions from C to B channels under names that differ in a number, and one whose input has C and as many
times B channels, are branches and what reads their concat. What shapes do not tell is guessed, and said.
"""
import collections
import itertools
import math
import re

from .tensor import conv_shape

Conv = collections.namedtuple("Conv", "place name out channels kernel")
BINS = {4: [1, 2, 3, 6], 3: [1, 2, 4]}
BRANCHES = range(2, 9)
GROUPS = 32  # of GroupNorms
GUESSES = ("guessed, since shapes do not tell: bins and their order, pool, upsample, concat, activations, groups and "
           "eps; check them")


def suggested(checkpoint):
    """-> the base as a configuration, None if no shapes look like a pyramid's"""
    convs = [found for place, name in enumerate(checkpoint.tensors) if (found := convolution(checkpoint, place, name))]
    inputs = collections.defaultdict(list)
    for conv in convs:
        inputs[conv.channels].append(conv)
    groups = collections.defaultdict(list)
    for conv in convs:
        if conv.kernel == 1:
            groups[re.sub(r"\d+", "#", conv.name), conv.out, conv.channels].append(conv)
    for (_, out, channels), branches in groups.items():
        readers = [conv for conv in inputs[channels + len(branches) * out] if conv not in branches]
        if len(branches) in BRANCHES and readers:
            reader = max(readers, key=lambda conv: common_parts(branches[-1].name, conv.name))
            return base_of(checkpoint, branches, reader, convs)
    return None


def convolution(checkpoint, place, name):
    tensor, (stem, _, leaf) = checkpoint.tensors[name], name.rpartition(".")
    shape = conv_shape(tensor.shape, tensor.layout) if leaf == "weight" else None
    if shape and shape[2:] in ((1, 1), (3, 3)):
        return Conv(place, stem, *shape[:3])
    return None


def common_parts(name, other):
    """How many parts two names begin with, between dots, slashes and underscores."""
    parts = zip(*(re.split(r"[./_]", text) for text in (name, other)))
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], parts))


def base_of(checkpoint, branches, reader, convs):
    stacks = [stack(checkpoint, conv) for conv in sorted(branches, key=lambda conv: numbers(conv.name))]
    head = [*stack(checkpoint, reader)]
    for conv in convs:
        if conv.channels == reader.out and is_classifier(conv, reader, [*branches, reader], convs):
            head += stack(checkpoint, conv)[:1]
            break
    is_keras = checkpoint.tensors[f"{reader.name}.weight"].layout == "HWIO"
    common = merged(stacks)
    pyramid = {"bins": BINS.get(len(branches), list(range(1, len(branches) + 1))),
               "pool": "same" if is_keras else "adaptive", **({"branch": common} if common else {"branches": stacks}),
               "upsample": "align_corners", "concat": "input_first"}
    channels = reader.channels - len(branches) * branches[0].out
    base = {"input": {"channels": channels, **({"layout": "NHWC"} if is_keras else {})}}
    if any("group_norm" in layer for layer in [*stacks[0], *head]):  # which only a network has
        return {**base, "network": [{"pyramid": pyramid}, *map(padded, head)]}
    return {**base, **pyramid, "head": head}


def is_classifier(conv, reader, others, convs):
    """Whether a convolution that would fit follows the reader: the next in the file, or the only one beside these in
    what both are part of."""
    shared = common_parts(conv.name, reader.name)
    if not shared or conv in others:
        return False
    following = next((other for other in convs if other.place > reader.place), None)
    return conv == following or not any(common_parts(other.name, reader.name) >= shared
                                        for other in convs if other not in [*others, conv])


def padded(layer):
    """A head's layer as a network's, where a 3x3 keeps its size only if that is said."""
    options = layer.get("conv", {}) if isinstance(layer, dict) else {}
    return {"conv": {**options, "padding": 1}} if options.get("kernel") == 3 else layer


def stack(checkpoint, conv):
    options = {"channels": conv.out, **({"kernel": conv.kernel} if conv.kernel != 1 else {}),
               **({} if f"{conv.name}.bias" in checkpoint.tensors else {"bias": False}), "weights": conv.name}
    batch, group = (norm_after(checkpoint, conv, leaf) for leaf in (".running_var", ".weight"))
    norm = [{"batch_norm": {"weights": batch}}] if batch else [
        {"group_norm": {"groups": math.gcd(GROUPS, conv.out), "weights": group}}] if group else []
    return [{"conv": options}, *norm, "relu"]


def norm_after(checkpoint, conv, leaf):
    """-> the norm as wide as the convolution that lies in the same module, or has almost its name; None. leaf: of a
    tensor that it has"""
    found = [name.removesuffix(leaf) for name, tensor in checkpoint.tensors.items()
             if name.endswith(leaf) and tensor.shape == (conv.out,)]
    for is_beside in (lambda name: name.startswith(conv.name), lambda name: same_parent(".", name, conv.name),
                      lambda name: same_parent("_", name, conv.name)):
        if beside := list(filter(is_beside, found)):
            after = [name for name in beside if numbers(name) > numbers(conv.name)]
            return min(after or beside, key=numbers)
    return None


def same_parent(mark, name, other):
    return name.rpartition(mark)[0] == other.rpartition(mark)[0] != ""


def numbers(name):
    return [int(number) for number in re.findall(r"\d{1,9}", name)]


def merged(stacks):
    """-> one stack whose names have {i} or {n}, None if they cannot be written so"""
    if len({len(stack) for stack in stacks}) > 1:  # a norm is missing
        return None
    result = []
    for layers in zip(*stacks):
        if isinstance(layers[0], str):
            result.append(layers[0])
            continue
        kind, names = next(iter(layers[0])), [next(iter(layer.values()))["weights"] for layer in layers]
        for text, first in (("{i}", 0), ("{n}", 1)):
            pattern = pattern_of(names, text, first)
            if pattern:
                result.append({kind: {**layers[0][kind], "weights": pattern}})
                break
        else:
            return None
    return result


def pattern_of(names, text, first):
    parts = [re.split(r"(\d+)", name) for name in names]
    counted = [str(first + i) for i in range(len(names))]
    columns = list(zip(*parts))
    texts = [column[0] if len(set(column)) == 1 else text if list(column) == counted else None for column in columns]
    return "".join(texts) if None not in texts else None


def sentence(checkpoint):
    """What to say of a checkpoint that is of no kind."""
    base = suggested(checkpoint)
    if not base:
        return "with --base and --map you can name the tensors yourself"
    stacks, head = parts_of(base)
    return (f"by their shapes, {stacks[0][0]['conv']['weights']} and the like may be the {len(stacks)} branches of a "
            f"pyramid, and {head[0]['conv']['weights']} what reads them: --suggest prints a base, for --base")


def parts_of(base):
    """-> (the stacks of the branches, the head)"""
    pyramid = base["network"][0]["pyramid"] if "network" in base else base
    head = base["network"][1:] if "network" in base else base["head"]
    return pyramid.get("branches") or [pyramid["branch"]] * len(pyramid["bins"]), head


def instead(checkpoint, kind_name, used):
    """The same after what a known kind lacks; nothing if the user chose it, or if it uses most of these tensors."""
    base = None if kind_name else suggested(checkpoint)
    if not base:
        return ""
    names = [f"{name}.weight" for name in layers_of(base)]
    return "" if sum(name in used for name in names) > len(names) * 3 / 4 else f"; {sentence(checkpoint)}"


def layers_of(base):
    stacks, head = parts_of(base)
    for i, layers in enumerate([*stacks, head]):
        for layer in layers:
            if isinstance(layer, dict):
                yield next(iter(layer.values()))["weights"].replace("{i}", str(i)).replace("{n}", str(i + 1))
