"""Finds the module in a checkpoint: its kind, prefix and channels."""
from dataclasses import dataclass, field, replace

import ppm_config
import ppm_network

from . import ExportError, suggest
from .kinds import KINDS, Conv, Norm
from .sizes import plural
from .tensor import conv_shape, depthwise_shape

PARAMETERS = {Conv: ("weight",), Norm: ("weight", "bias", "running_mean", "running_var")}

# kept with the weights by training and its tools: counters, sums of norms that are synchronized, and TensorFlow's
# optimizers
TRAINING = ("num_batches_tracked", "total_ops", "total_params", "_tmp_running_mean", "_tmp_running_var",
            "_running_iter", "Momentum", "Adam", "Adam_1", "ExponentialMovingAverage")

MISSING_SHOWN_MAX = 6
PREFIXES_MAX = 200


@dataclass
class Candidate:
    """A kind at a prefix. sources: {tensor of the model: name in the checkpoint}; used: those names
    that were found; problem: why it cannot be exported, None if it can."""
    kind: object
    checkpoint: object
    prefix: str
    config: dict = field(default_factory=dict)
    sources: dict = field(default_factory=dict)
    used: set = field(default_factory=set)
    problem: str = None

    def describe(self):
        return f"{self.kind.name} ({self.kind.about})" + (
            f" at {self.prefix!r}" if self.prefix else "")


@dataclass(frozen=True)
class Options:
    """The user's options for the module, None for the kind's default. An activation is a layer of
    the configuration, or "none"."""
    bins: tuple = None
    windows: tuple = None
    upsample: str = None
    concat: str = None
    pool: str = None
    eps: float = None
    branch_activation: object = None
    head_activation: object = None
    without_classifier: bool = False

    def given(self):
        """The names of the options that change what a kind computes."""
        return [name for name in ("pool", "upsample", "concat", "branch_activation",
                                  "head_activation", "eps") if getattr(self, name) is not None]

    def applied_to(self, kind):
        return replace(kind, branch=self.stack(kind.branch, self.branch_activation),
                       head=self.stack(kind.head, self.head_activation),
                       **{name: getattr(self, name) for name in ("upsample", "concat", "pool")
                          if getattr(self, name)})

    def stack(self, layers, activation):
        """With this eps, and this activation at its end."""
        layers = tuple(replace(layer, eps=self.eps) if isinstance(layer, Norm) and self.eps is not None
                       else layer for layer in layers)
        if activation is None or not layers:
            return layers
        return tuple(layer for layer in layers if isinstance(layer, (Conv, Norm))) + (
            () if activation == "none" else (activation,))


class Unfit(Exception):
    """Why a candidate cannot be exported."""


class View:
    """The tensors at a prefix, by the kind's names."""

    def __init__(self, checkpoint, kind, prefix):
        self.checkpoint = checkpoint
        tensors = checkpoint.tensors
        self.names = (kind.rename(tensors) if kind.rename else
                      {name[len(prefix):]: name for name in tensors if name.startswith(prefix)})
        self.missing, self.used, self.other_norms = [], set(), []

    def has(self, name):
        return name in self.names

    def tensor(self, name):
        return self.checkpoint.tensors[self.names[name]]

    def conv_shape(self, name):
        """Of the convolution's weight: (out, in, kernel height, kernel width)"""
        tensor = self.tensor(f"{name}.weight")
        found = conv_shape(tensor.shape, tensor.layout)
        if found and 0 not in found:
            return found
        raise Unfit(f"{name}.weight has shape {list(tensor.shape)}, expected a convolution's")

    def note_other_norm(self, name):
        """-> whether a norm of another name or kind is in the place of this one"""
        parent = name.rpartition(".")[0]
        stems = [name] if any(self.has(f"{name}.{leaf}") for leaf in PARAMETERS[Norm]) else [
            key[:-len(".weight")] for key in self.names
            if parent and key.startswith(f"{parent}.") and key.endswith(".weight")
            and key.count(".") == name.count(".") + 1 and len(self.tensor(key).shape) == 1]
        for stem in stems:
            has_statistics = self.has(f"{stem}.running_mean") or self.has(f"{stem}.running_var")
            if self.has(f"{stem}.bias") and not (stem == name and has_statistics):
                self.other_norms.append((name, stem, has_statistics))
                return True
        return False

    def need(self, name):
        """Notes that a tensor is used, or that it is missing; -> whether it is there"""
        (self.used.add if self.has(name) else self.missing.append)(name)
        return self.has(name)


def name_of(layer, kind, i):
    label = kind.labels[i] if kind.labels else str(i)
    return (layer.name.replace("{i}", str(i)).replace("{n}", str(i + 1))
            .replace("{label}", label))


def stack_of(view, layers, names):
    """-> (stack of the configuration, [(layer, name) of those it has])"""
    stack, kept = [], []
    for i, (layer, name) in enumerate(zip(layers, names)):
        if isinstance(layer, Conv):
            stack.append({"conv": conv_options(view, layer, name, lacks_norm(view, layers, names, i + 1))})
        elif isinstance(layer, Norm):
            if lacks_norm(view, layers, names, i):
                continue
            view.note_other_norm(name)
            for leaf in PARAMETERS[Norm]:
                view.need(f"{name}.{leaf}")
            stack.append({"batch_norm": {"eps": layer.eps}} if layer.eps != 1e-5 else "batch_norm")
        else:
            stack.append(layer)
        kept.append((layer, name))
    return stack, kept


def lacks_norm(view, layers, names, i):
    """Whether layer i is an optional norm that is missing."""
    return i < len(layers) and isinstance(layers[i], Norm) and layers[i].is_optional \
        and not any(view.has(f"{names[i]}.{leaf}") for leaf in PARAMETERS[Norm]) \
        and not view.note_other_norm(names[i])


def conv_options(view, layer, name, is_without_norm):
    options = {}
    if view.need(f"{name}.weight"):
        options["channels"] = view.conv_shape(name)[0]
    if layer.kernel != 1:
        options["kernel"] = layer.kernel
    if layer.has_bias or is_without_norm:
        view.need(f"{name}.bias")
    else:
        options["bias"] = False
    return options


def sources_of(named_stack, kept):
    """-> {tensor of the model: name in the view}"""
    sources, layers = {}, iter(kept)
    for _, options, model_name in named_stack:
        layer, name = next(layers)
        if isinstance(layer, (str, dict)):
            continue
        leaves = PARAMETERS[type(layer)]
        if isinstance(layer, Conv) and options.get("bias", True):
            leaves += ("bias",)
        for leaf in leaves:
            sources[f"{model_name}.{leaf}"] = f"{name}.{leaf}"
    return sources


def branch_count(kind, view):
    if kind.labels:
        return len(kind.labels)
    count = 0
    while view.has(name_of(kind.branch[0], kind, count) + ".weight"):
        count += 1
    return count


def pyramid(kind, options, count, classes):
    """-> the configuration's bins or windows, which a checkpoint does not contain"""
    windows = options.windows or (kind.windows and not options.bins and kind.windows(classes))
    what, sizes = ("windows", windows) if windows else ("bins", options.bins or kind.bins)
    if len(sizes) != count:
        raise Unfit(f"has {plural(count, 'branch', 'branches')} and {plural(len(sizes), what[:-1])} "
                    f"({', '.join(map(str, sizes))}): --{what} sets where the branches pool")
    return {what: list(sizes)}


def classes_of(kind, view):
    """The network's number of classes, None if its classifier is missing."""
    last = kind.classifier[-1].name if kind.classifier else ""
    return view.conv_shape(last)[0] if view.has(f"{last}.weight") else None


def configure(candidate, view, options):
    """Fills in the candidate's configuration, sources and used; raises Unfit."""
    kind, count = candidate.kind, branch_count(candidate.kind, view)
    head = kind.head + (() if options.without_classifier else kind.classifier)
    branches = [stack_of(view, kind.branch, [
        layer if isinstance(layer, (str, dict)) else name_of(layer, kind, i) for layer in kind.branch])
        for i in range(count)]
    head_stack, head_kept = stack_of(view, head, [getattr(layer, "name", layer) for layer in head])
    if view.other_norms:
        raise Unfit(other_norm(*view.other_norms[0]))
    if view.missing:
        left = left_over(kind, view, options)
        raise Unfit(missing(view.missing, kind, options) + (
            f", and has {shown(left)}, which that kind does not have" if left else ""))

    stacks = [stack for stack, _ in branches]
    is_same = all(stack == stacks[0] for stack in stacks)
    width, channels = view.conv_shape(name_of(kind.branch[0], kind, 0))[:2]
    if kind.keeps_width and width != channels:
        raise Unfit(f"has branches of {plural(width, 'channel')}, where that kind's have the "
                    f"{channels} of the input")
    config = {"input": {"channels": channels, "layout": kind.layout},
              **pyramid(kind, options, count, classes_of(kind, view)), "pool": kind.pool,
              **({"branch": stacks[0]} if is_same else {"branches": stacks}),
              "upsample": options.upsample or kind.upsample, "concat": kind.concat}
    if head_stack:
        config["head"] = head_stack
    check_options(config, kind, options)
    if view.tensor(name_of(kind.branch[0], kind, 0) + ".weight").layout == "HWIO":
        config["weights"] = {"kernel_layout": "HWIO"}
    candidate.config = config
    sources = {}
    for i, (_, kept) in enumerate(branches):
        sources.update(sources_of(ppm_config.named_branch(config, i), kept))
    sources.update(sources_of(ppm_config.named_head(config), head_kept))
    candidate.sources = {name: view.names[source] for name, source in sources.items()}


def check_options(config, kind, options):
    """Raises Unfit for an option without effect on the module."""
    stacks = [config["branch"]] if "branch" in config else config["branches"]
    layers = [name for stack in [*stacks, config.get("head", [])]
              for name, _ in map(ppm_config.layer, stack)]
    if options.eps is not None and "batch_norm" not in layers:
        raise Unfit("has no batch norm for --eps")
    if options.head_activation is not None and not kind.head:
        raise Unfit("has no head for --head-activation")
    if "windows" in config and config["pool"] == "adaptive":
        raise Unfit("pools adaptively, where --windows needs --pool same or valid")


def shown(names):
    more = f" and {len(names) - MISSING_SHOWN_MAX} more" if len(names) > MISSING_SHOWN_MAX else ""
    return ", ".join(names[:MISSING_SHOWN_MAX]) + more


def missing(names, kind, options):
    ends = {f"{layer.name}.{leaf}" for layer in kind.classifier for leaf in ("weight", "bias")}
    way_out = ("; --without-classifier ends the head before it"
               if not options.without_classifier and set(names) <= ends else "")
    return f"lacks {shown(names)}{way_out}"


def other_norm(name, stem, has_statistics):
    if has_statistics:
        return f"calls its norm {stem}, where that kind has {name}"
    return (f"has {stem}.weight and no {stem}.running_mean: a GroupNorm, or another norm without "
            "running statistics, which that kind does not have")


def check_shapes(checkpoint, config, sources):
    """Raises Unfit unless every tensor has the shape that the configuration says."""
    for tensor in ppm_network.tensors(config):
        found = checkpoint.tensors[sources[tensor.name]]
        if found.problem:
            raise Unfit(f"{found.key} {found.problem}")
        if not is_alike(found, tensor):
            wanted, way_out = list(tensor.shape), ""
            if tensor.role == "weight":
                other = "OIHW" if found.layout == "HWIO" else "HWIO"
                out, channels, h, w = wanted_shape(tensor)
                wanted = [h, w, channels, out] if found.layout == "HWIO" else [out, channels, h, w]
                if conv_shape(found.shape, other) == wanted_shape(tensor):
                    way_out = f"; --kernels {other} would fit"
            raise Unfit(f"{found.key} has shape {list(found.shape)}, expected {wanted}{way_out}")


def wanted_shape(tensor):
    """Of a tensor of a configuration whose kernels are [O, I, H, W]: like conv_shape()."""
    return conv_shape(tensor.shape, "OIHW")


def is_alike(found, tensor):
    """A 1x1 convolution may be a matrix, and norms of caffe-tensorflow are [1, 1, 1, C]; one slope is
    for all channels."""
    if tensor.role == "weight":
        return wanted_shape(tensor) in (conv_shape(found.shape, found.layout), depthwise_shape(found))
    shape = [n for n in found.shape if n != 1]
    return shape == [n for n in tensor.shape if n != 1] or tensor.role == "slope" and not shape


def left_over(kind, view, options):
    """Tensors of layers that the kind does not have. They would change the result, so they must not be
    ignored."""
    classifier = tuple(f"{layer.name}." for layer in kind.classifier)
    layers = [name_of(layer, kind, i) for i in range(branch_count(kind, view)) for layer in kind.branch
              if isinstance(layer, (Conv, Norm))]
    layers += [layer.name for layer in kind.head + kind.classifier if isinstance(layer, (Conv, Norm))]
    own = kind.own + tuple(f"{name}." for name in layers)
    return [name for name in view.names if name.startswith(own) and name not in view.used
            and not name.replace("/", ".").endswith(TRAINING)
            and not (options.without_classifier and name.startswith(classifier))]


def candidates(checkpoint, options, kind_name=None, prefix=None):
    """Every kind, at every prefix that has its first branch."""
    for kind in KINDS:
        if kind_name not in (None, kind.name):
            continue
        anchor = name_of(kind.branch[0], kind, 0) + ".weight"
        starts = [start for start in prefixes(checkpoint, kind, anchor) if is_prefix(prefix, start)]
        if len(starts) > PREFIXES_MAX:
            raise ExportError(f"{checkpoint.path}: {kind.name} may start at any of {len(starts):,} "
                              "prefixes; choose one with --prefix")
        for start in starts:
            view = View(checkpoint, kind, start)
            tensor = view.tensor(anchor)
            shape = conv_shape(tensor.shape, tensor.layout)
            is_pointwise = shape and shape[2:] == (1, 1)
            if not is_pointwise or view.has(kind.absent):
                continue
            candidate = Candidate(options.applied_to(kind), checkpoint, start)
            try:
                configure(candidate, view, options)
                check_shapes(checkpoint, {**candidate.config, "weights": {}}, candidate.sources)
                if left := left_over(candidate.kind, view, options):
                    raise Unfit(f"also has {left[0]}, which that kind does not have")
            except Unfit as reason:
                candidate.problem = str(reason)
            candidate.used = {view.names[name] for name in view.used}
            if kind_name or not (kind.rename and candidate.problem):
                yield candidate  # many networks have unnamed layers


def is_prefix(given, start):
    """Whether a module that starts there is meant by the user, who may leave out the last dot."""
    return given is None or given.rstrip("./") == start.rstrip("./")


def prefixes(checkpoint, kind, anchor):
    if kind.rename:
        return [""] if anchor in kind.rename(checkpoint.tensors) else []
    return [name[:-len(anchor)] for name in checkpoint.tensors
            if name == anchor or name.endswith(("." + anchor, "/" + anchor))]


def is_covered(candidate, other, is_earlier):
    """Whether a module is part of another one, or computes the same as an earlier kind."""
    if candidate.used != other.used:
        return candidate.used < other.used
    if bool(candidate.problem) != bool(other.problem):
        return bool(candidate.problem)
    return is_earlier and (bool(candidate.problem) or candidate.config == other.config)


def recognize(checkpoint, options, kind_name=None, prefix=None):
    """-> the one Candidate that can be exported; a module that another contains is not one."""
    found = list(candidates(checkpoint, options, kind_name, prefix))
    outer = [c for i, c in enumerate(found) if not any(
        is_covered(c, other, j < i) for j, other in enumerate(found) if i != j)]
    fit = [candidate for candidate in outer if not candidate.problem]
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise ExportError(f"{checkpoint.path}: found more than one module: "
                          + "; ".join(candidate.describe() for candidate in fit)
                          + "; choose one with --kind or --prefix")
    if checkpoint.alternative:
        return recognize(checkpoint.alternative, options, kind_name, prefix)
    if outer:
        best = max(outer, key=lambda candidate: len(candidate.used))
        raise ExportError(f"{checkpoint.path}: looks like {best.describe()}, but {best.problem}"
                          + suggest.instead(checkpoint, kind_name, best.used))
    raise ExportError(f"{checkpoint.path}: " + nothing_found(checkpoint, kind_name, prefix))


def nothing_found(checkpoint, kind_name, prefix):
    names = [tensor.key for tensor in checkpoint.tensors.values()]
    wanted = f"{kind_name or 'pyramid pooling module'}{f' at {prefix!r}' if prefix else ''}"
    first = f", the first of which are {', '.join(names[:3])}" if names else ""
    return (f"recognized no {wanted} among {plural(len(names), 'tensor')}{first}; --list shows all; "
            + suggest.sentence(checkpoint))
