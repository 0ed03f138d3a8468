"""Finds the module in a checkpoint: which kind, under which prefix, with how many channels."""
from dataclasses import dataclass, field

import ppm_config

from . import ExportError
from .kinds import KINDS, Conv, Norm

PARAMETERS = {Conv: ("weight",), Norm: ("weight", "bias", "running_mean", "running_var")}

# what training keeps beside the weights: counters, and the optimizers of TensorFlow
BESIDE = ("num_batches_tracked", "Momentum", "Adam", "Adam_1", "ExponentialMovingAverage")

MISSING_SHOWN_MAX = 6


@dataclass
class Candidate:
    """A kind at a prefix. sources: {tensor of the model: name in the checkpoint}; used: those names
    that were found; problem: why it cannot be exported, None if it can."""
    kind: object
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
    """What the user says of the module, None where the kind's own is right."""
    bins: tuple = None
    windows: tuple = None
    upsample: str = None
    without_classifier: bool = False


class Unfit(Exception):
    """Why a candidate cannot be exported."""


class View:
    """The tensors behind a prefix, under the names that a kind has for them."""

    def __init__(self, checkpoint, kind, prefix):
        self.checkpoint = checkpoint
        tensors = checkpoint.tensors
        self.names = (kind.rename(tensors) if kind.rename else
                      {name[len(prefix):]: name for name in tensors if name.startswith(prefix)})
        self.missing, self.used = [], set()

    def has(self, name):
        return name in self.names

    def shape(self, name):
        return self.checkpoint.tensors[self.names[name]].shape

    def conv_shape(self, name):
        """Of the convolution's weight: (out, in, kernel height, kernel width)"""
        shape = self.shape(f"{name}.weight")
        if found := conv_shape(shape, self.checkpoint.kernels_are_hwio):
            return found
        raise Unfit(f"{name}.weight has shape {list(shape)}, expected a convolution's")

    def need(self, name):
        """Notes that a tensor is used, or that it is missing; -> whether it is there"""
        (self.used.add if self.has(name) else self.missing.append)(name)
        return self.has(name)


def conv_shape(shape, is_hwio):
    """-> (out, in, kernel height, kernel width); a fully connected layer is a 1x1 convolution"""
    if len(shape) == 2:
        shape = (1, 1, *shape) if is_hwio else (*shape, 1, 1)
    if len(shape) != 4:
        return None
    h, w, channels, out = shape if is_hwio else (shape[2], shape[3], shape[1], shape[0])
    return out, channels, h, w


def name_of(layer, kind, i):
    label = kind.labels[i] if kind.labels else str(i)
    return (layer.name.replace("{i}", str(i)).replace("{n}", str(i + 1))
            .replace("{label}", label))


def stack_of(view, layers, names):
    """-> (stack of the configuration, [(layer, name) of those it has])"""
    stack, kept = [], []
    for layer, name in zip(layers, names):
        if isinstance(layer, str):
            stack.append(layer)
        elif isinstance(layer, Conv):
            stack.append({"conv": conv_options(view, layer, name)})
        else:
            leaves = [f"{name}.{leaf}" for leaf in PARAMETERS[Norm]]
            if layer.is_optional and not any(map(view.has, leaves)):
                before = kept[-1][1]
                view.need(f"{before}.bias")
                continue
            for leaf in leaves:
                view.need(leaf)
            stack.append({"batch_norm": {"eps": layer.eps}} if layer.eps != 1e-5 else "batch_norm")
        kept.append((layer, name))
    return stack, kept


def conv_options(view, layer, name):
    options = {}
    if view.need(f"{name}.weight"):
        options["channels"] = view.conv_shape(name)[0]
    if layer.kernel != 1:
        options["kernel"] = layer.kernel
    if view.has(f"{name}.bias") or layer.needs_bias:
        view.need(f"{name}.bias")
    else:
        options["bias"] = False
    return options


def sources_of(named_stack, kept):
    """-> {tensor of the model: name in the view}"""
    sources, layers = {}, iter(kept)
    for _, options, model_name in named_stack:
        layer, name = next(layers)
        if isinstance(layer, str):
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
    """-> the keys of a configuration that say where the branches pool, which no checkpoint does"""
    windows = options.windows or (kind.windows and not options.bins and kind.windows(classes))
    what, sizes = ("windows", windows) if windows else ("bins", options.bins or kind.bins)
    if len(sizes) != count:
        raise Unfit(f"has {count} branches and {len(sizes)} {what} ({', '.join(map(str, sizes))}): "
                    f"--{what} says where the branches pool")
    return {what: list(sizes)}


def classes_of(kind, view):
    """How many the network tells apart, None where its end is not there."""
    last = kind.classifier[-1].name if kind.classifier else ""
    return view.conv_shape(last)[0] if view.has(f"{last}.weight") else None


def configure(candidate, view, options):
    """Fills in the candidate's configuration, sources and used; raises Unfit."""
    kind, count = candidate.kind, branch_count(candidate.kind, view)
    head = kind.head + (() if options.without_classifier else kind.classifier)
    branches = [stack_of(view, kind.branch, [
        layer if isinstance(layer, str) else name_of(layer, kind, i) for layer in kind.branch])
        for i in range(count)]
    head_stack, head_kept = stack_of(view, head, [getattr(layer, "name", layer) for layer in head])
    if view.missing:
        raise Unfit(missing(view.missing, kind, options))

    stacks = [stack for stack, _ in branches]
    is_same = all(stack == stacks[0] for stack in stacks)
    channels = view.conv_shape(name_of(kind.branch[0], kind, 0))[1]
    config = {"input": {"channels": channels, "layout": kind.layout},
              **pyramid(kind, options, count, classes_of(kind, view)), "pool": kind.pool,
              **({"branch": stacks[0]} if is_same else {"branches": stacks}),
              "upsample": options.upsample or kind.upsample, "concat": kind.concat}
    if head_stack:
        config["head"] = head_stack
    if view.checkpoint.kernels_are_hwio:
        config["weights"] = {"kernel_layout": "HWIO"}
    candidate.config = config
    sources = {}
    for i, (_, kept) in enumerate(branches):
        sources.update(sources_of(ppm_config.named_branch(config, i), kept))
    sources.update(sources_of(ppm_config.named_head(config), head_kept))
    candidate.sources = {name: view.names[source] for name, source in sources.items()}


def missing(names, kind, options):
    shown = ", ".join(names[:MISSING_SHOWN_MAX])
    more = f" and {len(names) - MISSING_SHOWN_MAX} more" if len(names) > MISSING_SHOWN_MAX else ""
    ends = {f"{layer.name}.{leaf}" for layer in kind.classifier for leaf in ("weight", "bias")}
    way_out = ("; --without-classifier ends the head before it"
               if not options.without_classifier and set(names) <= ends else "")
    return f"lacks {shown}{more}{way_out}"


def check_shapes(checkpoint, config, sources):
    """Raises Unfit unless every tensor has the shape that the configuration says."""
    for tensor in ppm_config.tensors(config):
        found = checkpoint.tensors[sources[tensor.name]]
        if not is_alike(found.shape, tensor, checkpoint.kernels_are_hwio):
            raise Unfit(f"{found.key} has shape {list(found.shape)}, expected {list(tensor.shape)}")


def is_alike(shape, tensor, is_hwio):
    """A 1x1 convolution may be a matrix, and norms of caffe-tensorflow are [1, 1, 1, C]."""
    if tensor.role == "weight":
        return conv_shape(shape, is_hwio) == conv_shape(tensor.shape, is_hwio)
    return [n for n in shape if n != 1] == [n for n in tensor.shape if n != 1]


def check_nothing_is_left(candidate, view, options):
    """A layer that the kind does not have would change the result: it must not be passed over."""
    kind = candidate.kind
    classifier = tuple(f"{layer.name}." for layer in kind.classifier)
    for name in view.names:
        if not kind.own or not name.startswith(kind.own) or name in view.used \
                or name.replace("/", ".").endswith(BESIDE):
            continue
        if not (options.without_classifier and name.startswith(classifier)):
            raise Unfit(f"also has {name}, which such a module does not")


def candidates(checkpoint, options, kind_name=None, prefix=None):
    """Every kind at every prefix where its first branch is."""
    for kind in KINDS:
        if kind_name not in (None, kind.name):
            continue
        anchor = name_of(kind.branch[0], kind, 0) + ".weight"
        for start in prefixes(checkpoint, kind, anchor):
            view = View(checkpoint, kind, start)
            shape = conv_shape(view.shape(anchor), checkpoint.kernels_are_hwio)
            is_pointwise = shape and shape[2:] == (1, 1)
            if prefix not in (None, start) or not is_pointwise or view.has(kind.absent):
                continue
            candidate = Candidate(kind, start)
            try:
                configure(candidate, view, options)
                check_shapes(checkpoint, candidate.config, candidate.sources)
                check_nothing_is_left(candidate, view, options)
            except Unfit as reason:
                candidate.problem = str(reason)
            candidate.used = {view.names[name] for name in view.used}
            if kind_name or not (kind.rename and candidate.problem):
                yield candidate  # layers without names are in many networks


def prefixes(checkpoint, kind, anchor):
    if kind.rename:
        return [""] if anchor in kind.rename(checkpoint.tensors) else []
    return [name[:-len(anchor)] for name in checkpoint.tensors
            if name == anchor or name.endswith(("." + anchor, "/" + anchor))]


def recognise(checkpoint, options, kind_name=None, prefix=None):
    """-> the one Candidate that can be exported; a module that another contains is not one."""
    found = list(candidates(checkpoint, options, kind_name, prefix))
    outer = [c for i, c in enumerate(found) if not any(
        c.used < other.used or (c.used == other.used and j < i) for j, other in enumerate(found))]
    fit = [candidate for candidate in outer if not candidate.problem]
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise ExportError(f"{checkpoint.path}: found more than one module: "
                          + "; ".join(candidate.describe() for candidate in fit)
                          + "; --kind or --prefix says which")
    if outer:
        best = max(outer, key=lambda candidate: len(candidate.used))
        raise ExportError(f"{checkpoint.path}: looks like {best.describe()}, but {best.problem}")
    raise ExportError(f"{checkpoint.path}: " + nothing_found(checkpoint, kind_name, prefix))


def nothing_found(checkpoint, kind_name, prefix):
    names = [tensor.key for tensor in checkpoint.tensors.values()]
    wanted = f"{kind_name or 'pyramid pooling module'}{f' at {prefix!r}' if prefix else ''}"
    shown = f", the first of which are {', '.join(names[:3])}" if names else ""
    return (f"recognised no {wanted} among {len(names)} tensors{shown}; --list shows all, "
            "--map takes what you say")
