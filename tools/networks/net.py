"""Writes a network as the "network" list of a model, from the names and shapes of a checkpoint's tensors.

A family's file has functions that read maps and return maps; what a tensor's shape says is not said again:

    def block(net, x, at, stride, dilation):
        y = net.relu(net.norm(net.conv(x, f"{at}.conv1"), f"{at}.bn1"))
        y = net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", stride=stride, dilation=dilation)
        if net.has(f"{at}.downsample.0.weight"):
            x = net.conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride=stride)
        return net.relu(net.add(y, x))

    def head(net, x):
        net.part = "head"
        x = net.pyramid(x, (1, 2, 3, 6), lambda x, i: net.relu(net.conv_norm(
            x, f"ppm.features.{i}.1", f"ppm.features.{i}.2")), upsample="align_corners")
        return net.conv(x, "cls.4")

    net = Net(checkpoint.tensors, prefix="module.")
    x = head(net, block(net, net.input(3), "layer1.0", 1, 1))
    net.output(size="input", upsample="align_corners")
    net.config(), net.sources, net.unused()

Unfit is raised for a tensor that is missing or of a shape that does not fit. The user's options (Given) go before what
a family says of activations, eps and stretches; net.assumed has what was chosen.
"""
import math
from collections import namedtuple

from . import Unfit
from .entries import numbered, pair, plain, short

# A tensor of the model: its name in the checkpoint, its shape in the model, and the order of axes, None as they are.
Source = namedtuple("Source", "name shape axes")

# What the user says of what no checkpoint contains; None for what the family says.
# activations: {part of the network: layer of the configuration, or "none"}; stride: of the backbone; depth: of the
# encoder
Given = namedtuple("Given", "activations eps upsample bins windows pool concat stride depth",
                   defaults=({}, *8 * [None]))

ENTRIES_MAX, KERNEL_MAX = 4096, 11  # of a model
MODES = ("align_corners", "half_pixel", "asymmetric")


class Map:
    """What an entry computes, or an input. place: the entry's, from 0"""

    def __init__(self, entry, channels, place=0):
        self.entry, self.channels, self.place = entry, channels, place


class Net:
    """tensors: {name: object with a shape and, for a convolution's kernel, perhaps layout "HWIO"}. Names that a
    family gives follow the prefix.

    part: of the network, for activations: "backbone", "head", or what a family calls it; inside a pyramid's
    branches it is "branch".
    """

    def __init__(self, tensors, prefix="", given=Given(), layout=None):
        """layout: "NHWC" where the network has it"""
        self.tensors, self.prefix, self.given = tensors, prefix, given
        self.layout = {"layout": layout} if layout else {}
        self.inputs, self.entries, self.last = {}, [], None
        self.sources, self.used, self.skipped, self.answer = {}, set(), [], {}
        self.part, self.assumed = "backbone", {}  # what: the values that were chosen, in order
        self.backbone, self.depths = None, []  # what is found of its depth, for the report

    # ---- the checkpoint ----

    def has(self, name):
        return self.prefix + name in self.tensors

    def tensor(self, name):
        if not self.has(name):
            raise Unfit(f"lacks {self.prefix}{name}")
        return self.tensors[self.prefix + name]

    def shape(self, name):
        shape = tuple(self.tensor(name).shape)
        if 0 in shape:
            raise Unfit(f"has {self.prefix}{name} of shape {list(shape)}, which holds nothing")
        return shape

    def dimension(self, name, axis):
        shape = self.shape(name)
        if axis >= len(shape):
            raise Unfit(f"has {self.prefix}{name} of shape {list(shape)}, expected {axis + 1} dimensions or more")
        return shape[axis]

    def oriented(self, key):
        """-> (axes, (out, in, height, width)) of a convolution's kernel, as oriented() has them"""
        found = self.shape(f"{key}.weight")
        axes, shape = oriented(found, getattr(self.tensor(f"{key}.weight"), "layout", None))
        if not shape:
            raise Unfit(f"has {self.prefix}{key}.weight of shape {list(found)}, expected a convolution's")
        return axes, shape

    def conv_shape(self, key):
        return self.oriented(key)[1]

    def count(self, pattern):
        """How many of these there are: "layer1.{i}.conv1.weight" for i from 0, or {n} from 1."""
        i = 0
        while self.has(pattern.replace("{i}", str(i)).replace("{n}", str(i + 1))):
            i += 1
        return i

    def use(self, model_name, name, shape, axes=None):
        """Notes that a tensor of the model, with this shape, is one of the checkpoint."""
        found = self.shape(name)
        if math.prod(found) != math.prod(shape):
            raise Unfit(f"has {self.prefix}{name} of shape {list(found)}, expected {list(shape)}")
        self.sources[model_name] = Source(self.prefix + name, tuple(shape), axes)
        self.used.add(self.prefix + name)

    def vectors(self, key, leaves, channels):
        for leaf in leaves:
            self.use(f"{key}.{leaf}", f"{key}.{leaf}", (channels,))

    def skip(self, *starts):
        """Beginnings of the names of tensors that inference does not need, such as an auxiliary head's."""
        self.skipped += [self.prefix + start for start in starts]

    def unused(self):
        """The other tensors of the whole checkpoint that no entry reads."""
        return [name for name in self.tensors if name not in self.used and not name.startswith(tuple(self.skipped))]

    def note(self, what, value):
        values = self.assumed.setdefault(what, [])
        if value not in values:
            values.append(value)

    def deepen(self, backbone, *counts):
        """Notes how many blocks the next stages have, which names alone tell."""
        self.backbone = backbone
        self.depths += counts

    # ---- entries ----

    def input(self, channels, name="x"):
        """The one input, x, or one of several."""
        x = self.inputs[name] = Map({"name": name}, channels)
        if self.last is None and name == "x":
            self.last = x
        return x

    def image(self, key):
        """The one input, of as many channels as the convolution `key` reads."""
        return self.input(self.conv_shape(key)[1])

    def name(self, x, name=None):
        """-> the name of the entry, which is given one where it has none"""
        if "name" not in x.entry:
            chosen = name or f"{next(iter(x.entry))}{x.place}"
            while chosen in self.inputs:  # an input may have such a name, too
                chosen += "_"
            x.entry["name"] = chosen
        return x.entry["name"]

    def append(self, entry, channels):
        if len(self.entries) == ENTRIES_MAX:
            raise Unfit(f"has more than {ENTRIES_MAX} layers, which is all that a model may have")
        self.last = Map(entry, channels, len(self.entries))
        self.entries.append(entry)
        return self.last

    def read(self, kind, x, channels, options):
        """An entry that reads the map x, with as many channels in its output."""
        source = {} if x is self.last else {"from": self.name(x)}
        return self.append({kind: options, **source}, channels)

    def layer(self, kind, x, **options):
        """An entry that keeps the channels, such as max_pool; activations that are assumed by act()."""
        return self.read(kind, x, x.channels, options)

    def join(self, kind, maps, channels):
        return self.append({kind: [self.name(x) for x in maps]}, channels)

    # ---- layers with weights ----

    def conv(self, x, key, kernel=None, groups=None, **options):
        """kernel: the side that it has to have, None for any. groups: a number, "any" for as many as the kernel's shape
        says; None for 1, or for depthwise where the kernel is. options: kernel()'s."""
        axes, shape = self.oriented(key)
        out, each, *sides = shape
        if kernel and sides != [kernel, kernel]:
            raise Unfit(f"has {self.prefix}{key}.weight with a kernel of {sides[0]} x {sides[1]}, expected {kernel} x "
                        f"{kernel}")
        if groups is None:
            groups = x.channels if each == 1 and out % x.channels == 0 else 1
        elif groups == "any":
            groups = max(1, x.channels // each)
        if each * groups != x.channels or out % groups:
            raise Unfit(f"has {self.prefix}{key}.weight of shape {list(self.shape(f'{key}.weight'))}, which does not "
                        f"fit a map of {x.channels} channels")
        return self.kernel(x, key, f"{key}.weight", shape, axes, groups=groups, **options)

    def depthwise(self, x, key, **options):
        """A depthwise convolution whose kernel is [H, W, C, 1], as Keras has it; options as conv()'s."""
        shape = self.shape(f"{key}.weight")
        if len(shape) != 4 or shape[2:] != (x.channels, 1):
            raise Unfit(f"has {self.prefix}{key}.weight of shape {list(shape)}, expected [H, W, {x.channels}, 1]")
        return self.kernel(x, key, f"{key}.weight", (x.channels, 1, *shape[:2]), (2, 3, 0, 1), groups=x.channels,
                           **options)

    def gain(self, x, name):
        """A factor for each channel, the tensor `name`: as a depthwise 1x1 convolution."""
        return self.kernel(x, name, name, (x.channels, 1, 1, 1), groups=x.channels, bias=False)

    def kernel(self, x, key, name, shape, axes=None, stride=1, padding=None, dilation=1, groups=1, bias=None):
        """The convolution whose kernel is the tensor `name`, of this shape as PyTorch has it. padding: None keeps the
        size at stride 1. bias: whether there has to be one; None as found."""
        out, _, *kernel = shape
        self.use(f"{key}.weight", name, shape, axes)
        if max(kernel) > KERNEL_MAX or padding is None and not all(k % 2 for k in kernel):
            raise Unfit(f"has {self.prefix}{name} with a kernel of {kernel[0]} x {kernel[1]}, expected odd sides up to "
                        f"{KERNEL_MAX}")
        bias = self.has(f"{key}.bias") if bias is None else bias
        if bias:
            self.vectors(key, ("bias",), out)
        if padding is None:
            padding = [d * (k // 2) for d, k in zip(pair(dilation), kernel)]
        chosen = {"channels": (out, None), "kernel": (plain(kernel), 1), "stride": (plain(stride), 1),
                  "padding": (plain(padding), 0), "dilation": (plain(dilation), 1), "groups": (groups, 1),
                  "bias": (bias, True)}
        options = {option: value for option, (value, default) in chosen.items() if value != default}
        return self.read("conv", x, out, {**options, "weights": key})

    def norm(self, x, key, eps=1e-5, scale=True, center=True):
        """A batch norm."""
        self.vectors(key, ("running_mean", "running_var"), x.channels)
        return self.scaled("batch_norm", x, key, eps, scale, center)

    def layer_norm(self, x, key, eps=1e-5, scale=True, center=True):
        return self.scaled("layer_norm", x, key, eps, scale, center)

    def group_norm(self, x, key, groups, eps=1e-5, scale=True, center=True):
        return self.scaled("group_norm", x, key, eps, scale, center, groups=groups)

    def scaled(self, kind, x, key, eps, scale, center, **options):
        eps = eps if self.given.eps is None else self.given.eps
        self.note("eps", eps)
        self.vectors(key, ("weight",) * scale + ("bias",) * center, x.channels)
        chosen = {"eps": (eps, 1e-5), "scale": (scale, True), "center": (center, True)}
        options.update({option: value for option, (value, default) in chosen.items() if value != default})
        return self.layer(kind, x, **options, weights=key)

    def conv_norm(self, x, conv, norm, eps=1e-5, bias=False, **options):
        return self.norm(self.conv(x, conv, bias=bias, **options), norm, eps=eps)

    def prelu(self, x, key):
        """One slope for all channels, or one each."""
        self.use(f"{key}.weight", f"{key}.weight", (math.prod(self.shape(f"{key}.weight")),))
        if self.sources[f"{key}.weight"].shape[0] not in (1, x.channels):
            raise Unfit(f"has {self.prefix}{key}.weight of {self.sources[f'{key}.weight'].shape[0]} slopes, expected 1 "
                        f"or {x.channels}")
        return self.layer("prelu", x, weights=key)

    # ---- without weights ----

    def act(self, x, kind, **options):
        """An activation that no checkpoint contains, so that the user may choose another one for this part."""
        given = self.given.activations.get(self.part, {kind: options} if options else kind)
        self.note(self.part, given)
        if given == "none":
            return x
        (kind, options), = given.items() if isinstance(given, dict) else [(given, {})]
        return self.layer(kind, x, **options)

    def relu(self, x):
        return self.act(x, "relu")

    def add(self, *maps):
        return self.join("add", maps, self.common("adds", maps))

    def mul(self, *maps):
        return self.join("mul", maps, self.common("multiplies", maps))

    def common(self, what, maps):
        """-> the channels of what these maps become, of which those with one channel are broadcast"""
        channels = max(x.channels for x in maps)
        if any(x.channels not in (1, channels) for x in maps):
            raise Unfit(f"{what} maps of {' and '.join(str(x.channels) for x in maps)} channels after {self.where()}")
        return channels

    def where(self):
        """The last layer with weights."""
        return next((options["weights"] for entry in reversed(self.entries) for options in entry.values()
                     if isinstance(options, dict) and "weights" in options), "the input")

    def concat(self, *maps):
        return self.join("concat", maps, sum(x.channels for x in maps))

    def channel_sum(self, x):
        return self.read("channel_sum", x, 1, {})

    def channel_mean(self, x):
        return self.read("channel_mean", x, 1, {})

    def slice(self, x, first, end):
        return self.read("slice", x, end - first, {"channels": [first, end]})

    def mode(self, mode):
        """How the network stretches, unless the user says so; "nearest" is not a choice."""
        mode = self.given.upsample or mode if mode in MODES else mode
        self.note("upsample", mode)
        return mode

    def resize(self, x, mode, like=None, scale=None, size=None):
        """To the size of the map `like`, by a scale, or to [h, w]."""
        to = {"like": self.name(like)} if like else {"scale": scale} if scale else {"size": list(size)}
        return self.layer("resize", x, **to, mode=self.mode(mode))

    def stride(self, default, known):
        """How much smaller than the image the backbone's map is, where the network can be made both ways."""
        stride = self.given.stride or default
        if stride not in known:
            raise Unfit(f"has a backbone of stride {' or '.join(map(str, known))}, not of {stride}")
        self.note("stride", stride)
        return stride

    def pools(self, bins, count=None, windows=None):
        """-> ("bins" or "windows", where the branches of a pyramid pool); count: of the branches that there are, by
        default as many as bins; windows: of a network that has them instead"""
        windows = self.given.windows or (not self.given.bins and windows)
        what, bins = ("windows" if windows else "bins"), list(windows or self.given.bins or bins)
        if len(bins) != (count or len(bins)):
            raise Unfit(f"has {count} branches and {len(bins)} {what} ({', '.join(map(str, bins))}): --{what} sets "
                        "where the branches pool")
        self.note(what, tuple(bins))
        return what, bins

    def pyramid(self, x, bins, branch, count=None, upsample="align_corners", concat="input_first", windows=None,
                **options):
        """branch(x, i) -> what branch i computes of the pooled map; count, windows: as pools() has them; options:
        further keys of the pyramid"""
        what, bins = self.pools(bins, count, windows)
        stacks, widths = zip(*(self.stack(x, branch, i) for i in range(len(bins))))
        common, concat = numbered(stacks), self.given.concat or concat
        options.update({"pool": self.given.pool} if self.given.pool else {})
        if what == "windows" and options.get("pool", "adaptive") == "adaptive":
            raise Unfit("pools adaptively, where --windows needs --pool same or valid")
        for key, value in (("pool", options.get("pool", "adaptive")), ("concat", concat)):
            self.note(key, value)
        channels = x.channels if options.get("sum") else sum(widths) + (x.channels if concat != "branches" else 0)
        return self.read("pyramid", x, channels, {
            what: bins, **({"branch": common} if common else {"branches": list(stacks)}),
            "upsample": self.mode(upsample), "concat": concat, **options})

    def stack(self, x, branch, i):
        """-> (the layers that branch(x, i) writes, the channels of its result)"""
        outer = self.entries, self.last, self.part
        self.entries, self.last, self.part = [], Map({}, x.channels), "branch"
        end = branch(self.last, i)
        assert end is self.last and not any("from" in entry for entry in self.entries), "a branch is one path"
        stack = [short(entry) for entry in self.entries]
        self.entries, self.last, self.part = outer
        return stack, end.channels

    # ---- the model ----

    def output(self, upsample=None, **keys):
        self.answer = {**keys, **({"upsample": self.mode(upsample)} if upsample else {})}

    def config(self):
        """-> the model without its name and its weights"""
        described = {name: {"channels": x.channels, **self.layout} for name, x in self.inputs.items()}
        inputs = {"input": described["x"]} if list(described) == ["x"] else {"inputs": described}
        if "inputs" in inputs and self.entries:
            self.name_source(self.entries[0])
        return {**inputs, "network": [short(entry) for entry in self.entries],
                **({"output": self.answer} if self.answer else {})}

    @staticmethod
    def name_source(entry):
        """The first entry reads the one input, x, by default; of several it has to be named."""
        if "from" not in entry and not any(isinstance(options, list) for options in entry.values()):
            entry["from"] = "x"


def oriented(shape, layout):
    """-> (the order of axes that makes it [O, I, H, W], that shape); a matrix is a 1x1 convolution"""
    is_hwio = layout == "HWIO"
    if len(shape) == 2:
        return ((1, 0) if is_hwio else None), (*(shape[::-1] if is_hwio else shape), 1, 1)
    if len(shape) != 4:
        return None, None
    return ((3, 2, 0, 1), (shape[3], shape[2], *shape[:2])) if is_hwio else (None, shape)
