"""What a checkpoint becomes: a whole network, a head alone, or what a map says."""
import math
from dataclasses import dataclass, field

import ppm_config
import ppm_network
from checkpoints import ExportError
from checkpoints.mapping import export_mapped, read_lines
from checkpoints.recognize import Options, recognize
from checkpoints.tensor import conv_shape, depthwise_shape
from networks import kinds
from networks.net import Given, Source

from .options import ASSUMED, OF_NETWORKS, given_of

# what a Net notes as assumed, in words
WORDS = {"bins": "bins {}", "windows": "windows {}", "pool": "{}", "upsample": "{}", "concat": "{}",
         "stride": "a backbone of stride {}", "padding": "a first convolution with padding {}",
         "depth": "an encoder of depth {}", "backbone": "a backbone with {}", "branch": "branches with {}",
         "head": "a head with {}", "eps": "eps {}"}


REST = "of the rest of the network"


@dataclass
class Model:
    """config: without name and weights file; sources: {tensor: Source}; channels: of y before its output, if known;
    assumed: what no checkpoint contains, in words; skipped: what the report calls the tensors that are not used, and
    their names; notes: for the user; prefix: of the tensors' names; backbone: what was found of it, in words"""
    config: dict
    sources: dict
    checkpoint: object
    what: str
    channels: int = None
    assumed: list = field(default_factory=list)
    skipped: tuple = ("", ())
    notes: list = field(default_factory=list)
    prefix: str = ""
    backbone: str = ""


def find(checkpoint, options):
    """-> Model"""
    if options.base:
        return mapped(checkpoint, options)
    if options.head or options.without_classifier:
        return head(checkpoint, options)
    found, nearest = kinds.recognize(checkpoint, network_options(options), options.kind, options.prefix)
    return network(found, nearest, options) if found else head_instead(checkpoint, options, nearest)


def head_instead(checkpoint, options, nearest):
    """The head of what is not a network that is known; nearest: the Candidate that it resembles, or None"""
    problem = f"{nearest.describe()}, but {nearest.problem}" if nearest else ""
    if given := given_of(options, OF_NETWORKS):
        if not nearest:
            raise ExportError(f"{checkpoint.path}: {given[0]} is of a whole network, which this is not")
        is_said = given[0] in problem
        raise ExportError(f"{checkpoint.path}: looks like {problem}"
                          + ("" if is_said else f"; its head alone has no {given[0]}"))
    try:
        model = head(checkpoint, options)
    except ExportError as error:
        if not nearest or nearest.describe() in str(error):
            raise
        alone = str(error).removeprefix(f"{checkpoint.path}: ")
        raise ExportError(f"{checkpoint.path}: looks like {problem}; as a head alone, {alone}") from None
    model.notes.append(f"this is the head alone: the whole network looks like {problem}" if nearest else
                       "this is the head alone, since its network is not of a known kind")
    return model


# ---- a whole network ----

def network_options(options):
    parts = {"backbone": options.backbone_activation, "branch": options.branch_activation,
             "head": options.head_activation}
    return Given({part: layer for part, layer in parts.items() if layer is not None}, options.eps, options.upsample,
                 options.bins, options.windows, options.pool, options.concat, options.stride,
                 options.depth)


def network(found, nearest, options):
    """nearest: another Candidate that does not claim the checkpoint, or None"""
    net, config = found.net, found.net.config()
    is_whole = "input" in config  # and not the maps of a backbone
    skipped = [name for name in found.checkpoint.tensors if name not in net.used]
    own = normalized(found.checkpoint, skipped)
    notes = [note for note in (kinds.note_of(found.kind, net), own) if note]
    if found.kind.image and not own and config.get("input", {}).get("channels") == 3:
        config["input"] = {**config["input"], "image": found.kind.image}
    if nearest and (not is_whole or len(nearest.net.used) > len(net.used)):
        notes.append(f"the whole network looks like {nearest.describe()}, but {nearest.problem}")
    where = "that inference does not need" + (", or elsewhere than at --prefix" if options.prefix is not None else "")
    return Model(config, net.sources, found.checkpoint,
                 found.describe() + (", the whole network" if is_whole else ""), net.last.channels,
                 assumed_of(net), (where if is_whole else REST, skipped), notes, net.prefix, backbone_of(net))


def backbone_of(net):
    return f"{net.backbone} with stages of {', '.join(map(str, net.depths))} blocks" if net.depths else ""


def normalized(checkpoint, skipped):
    """-> the note on what the module around the network makes of images, "" if the checkpoint lacks these numbers"""
    found = {name: tensor for name in skipped if kinds.normalizes(name, tensor := checkpoint.tensors[name])}
    texts = [f"{name} {', '.join(f'{value:.6g}' for value in tensor.values(checkpoint.path).reshape(-1))}"
             for name, tensor in found.items()]
    return (f"the module around it normalizes images with its own {' and '.join(texts)}, which the model leaves to you"
            if texts else "")


def assumed_of(net):
    """-> what the weights do not determine, in words"""
    return [pattern.format(", ".join(map(worded, net.assumed[what]))) for what, pattern in WORDS.items()
            if what in net.assumed]


def worded(value):
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    (kind, options), = value.items() if isinstance(value, dict) else [(value, {})]
    return " ".join(["no activation" if kind == "none" else str(kind), *map(str, options.values())])


# ---- a head ----

def head_options(options):
    return Options(**{name: getattr(options, name) for name in (*ASSUMED, "without_classifier")
                      if name not in OF_NETWORKS})


def head(checkpoint, options):
    graph = head_options(options)
    found = recognize(checkpoint, graph, options.kind, options.prefix)
    return Model(found.config, sources_of(found.checkpoint, found.config, found.sources), found.checkpoint,
                 found.describe(), ppm_network.channels_out(found.config), head_assumed(found.config),
                 (REST, unused(found.checkpoint, found.sources)),
                 [found.kind.note] if found.kind.note else [], found.prefix)


def mapped(checkpoint, options):
    lines = list(read_lines(options.map_file)) if options.map_file else []
    lines += [("--map", line) for line in options.map]
    config, sources = export_mapped(checkpoint, options.base, lines)
    return Model(config, sources_of(checkpoint, config, sources), checkpoint, f"described by {options.base}",
                 ppm_network.channels_out(config), skipped=(REST, unused(checkpoint, sources)))


def unused(checkpoint, sources):
    used = set(sources.values())
    return [name for name in checkpoint.tensors if name not in used]


def sources_of(checkpoint, config, names):
    """names: {tensor of the model: name in the checkpoint} -> {tensor of the model: Source}"""
    layout = config.get("weights", {}).get("kernel_layout", "OIHW")
    result = {}
    for tensor in ppm_network.tensors({"weights": {}, **config}):
        found, axes = checkpoint.tensors[names[tensor.name]], None
        shape = tensor.shape
        if tensor.role == "weight" and depthwise_shape(found) == conv_shape(shape, layout):
            axes = (2, 3, 0, 1) if layout == "OIHW" else (0, 1, 3, 2)
        elif tensor.role == "weight" and (found.layout or "OIHW") != layout:
            axes = (1, 0) if len(found.shape) == 2 else (3, 2, 0, 1) if layout == "OIHW" else (2, 3, 1, 0)
        elif tensor.role == "slope":
            shape = (math.prod(found.shape),)
        result[tensor.name] = Source(names[tensor.name], shape, axes)
    return result


def head_assumed(config):
    what = "windows" if "windows" in config else "bins"
    stack = (config["branches"] if "branches" in config else [config["branch"]])[0]
    eps = eps_of(stack) + eps_of(config.get("head", []))
    return [f"{what} {', '.join(map(str, config[what]))}", config["pool"], config["upsample"], config["concat"],
            f"branches with {activations_of(stack)}",
            *([f"a head with {activations_of(config['head'])}"] if config.get("head") else []),
            *([f"eps {eps[0]}"] if eps else [])]


def activations_of(stack):
    return ", ".join(kind + (f" {options['slope']}" if "slope" in options else "")
                     for kind, options in map(ppm_config.layer, stack)
                     if kind not in ("conv", "batch_norm")) or "no activation"


def eps_of(stack):
    return [options.get("eps", 1e-5) for kind, options in map(ppm_config.layer, stack)
            if kind == "batch_norm"]


# ---- its output ----

def output_of(options, model):
    """Applies the options for y's size and form, and notes what was removed as a consequence."""
    config = model.config
    output = dict(config.get("output", {}))
    if options.size or options.scale:
        for key in ("size", "scale", "trim"):
            output.pop(key, None)
        size = options.size if options.size == "input" else list(options.size or ())
        output.update({"size": size} if size else {"scale": options.scale})
        if "upsample" in config:
            output.setdefault("upsample", config["upsample"])
    if options.form:
        output["as"] = options.form
        if options.form != "argmax" and output.pop("palette", None):
            model.notes.insert(0, "the base's palette is left out, because only argmax uses it")
        if options.form != "sigmoid":
            output.pop("threshold", None)
    if options.threshold is not None:
        output["threshold"] = options.threshold
    elif options.form and "threshold" in output:
        model.notes.insert(0, f"y is a mask, since the threshold {output['threshold']:g} stays; --threshold chooses "
                           "another")
    if output:
        config["output"] = output
    check_one_channel(model)


def image_of(options, model):
    """Says how a pixel becomes x, as the option does, or notes that nothing does."""
    given = ppm_network.inputs_of(model.config)
    described = next(iter(given.values()))
    if len(given) > 1 or described["channels"] != 3:
        if options.image:
            found = " and ".join(f"{name} of {x['channels']} channels" for name, x in given.items())
            raise ExportError(f"--image: found {found}, expected one input of 3 channels")
        return
    if options.image:
        described.pop("image", None)
        described.update({} if options.image == "none" else {"image": options.image})
    elif "image" not in described:
        model.notes.insert(0, "the model takes tensors only: --image M,M,M/S,S,S says how a photo becomes x")


def check_one_channel(model):
    """With one channel argmax is always 0 and softmax always 1."""
    config, answered = model.config, model.config.get("output", {}).get("as", "values")
    if "network" not in config:
        check_branches(config)
        answered = last_softmax(config) or answered
    if model.channels == 1 and answered in ("softmax", "argmax"):
        raise ExportError(f"y has 1 channel, whose {answered} is always {int(answered == 'softmax')}: expected "
                          "--as sigmoid, or a sigmoid as the last layer, to separate two classes")


def check_branches(config):
    for i, stack in enumerate(ppm_config.branch_stacks(config)):
        channels = config["input"]["channels"]
        for kind, layer in map(ppm_config.layer, stack):
            channels = layer.get("channels", channels) if kind == "conv" else channels
            if kind == "softmax" and channels == 1:
                raise ExportError(f"branch {i} has 1 channel, whose softmax is always 1: expected sigmoid")


def last_softmax(config):
    """-> "softmax" if a layer of the head makes one of a single channel"""
    channels = ppm_config.channels_concatenated(config)
    for kind, layer in map(ppm_config.layer, config.get("head", [])):
        channels = layer.get("channels", channels) if kind == "conv" else channels
        if kind == "softmax" and channels == 1:
            return "softmax"
    return None
