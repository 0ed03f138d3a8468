"""The entries of a network while it is read, and their tensors; at the end its "network" list."""
import math

from . import Channels, Refusal, TooLarge
from .sizes import Size, equal, is_known, text

ENTRIES_MAX = 1 << 14
CHANNELS_MAX = 131072
LEAVES = ("weight", "bias", "running_mean", "running_var")


class Entry:
    """inputs: Entries; size: (h, w), numbers or Sizes; origin: the input that this has as many channels as, or None;
    target: of a resize, the size to reach, and scale: the factors, if the code gives them"""

    def __init__(self, kind, options, inputs, channels, size, origin=None, target=None, scale=None):
        self.kind, self.options, self.inputs = kind, options, inputs
        self.channels, self.size, self.origin = channels, tuple(size), origin
        self.batch = self.node = None  # the Size N, of all maps; what it comes from
        self.target, self.scale = target, scale
        self.facts = {}  # what is known of its values, for norms that the code writes out

    def goal(self):
        """The size that a resize has to reach: that of the maps it is joined with, where a trace has numbers."""
        facts = self.facts.get("agrees", {})
        return tuple(facts.get(axis, n) for axis, n in enumerate(self.target))


class Program:
    def __init__(self, samples):
        self.samples, self.entries, self.inputs = samples, [], []
        self.tensors, self.notes = {}, []
        self.known, self.made = {}, {}
        self.node = None  # of the graph, which is read
        self.unread = None  # why something in the graph could not be
        self.is_cropped = False  # by a crop that is left out
        self.state = None  # an attribute that the code sets

    def note(self, sentence):
        if sentence not in self.notes:
            self.notes.append(sentence)

    def input(self, name, channels):
        entry = self.append(Entry("input", {"name": name}, [], channels, self.samples.of_input(len(self.inputs)), name))
        self.inputs.append(entry)
        return entry

    def append(self, entry):
        if len(self.entries) == ENTRIES_MAX:
            raise TooLarge(f"more than {ENTRIES_MAX} layers")
        if entry.channels > CHANNELS_MAX:
            raise Refusal(f"a map of {entry.channels} channels, expected at most {CHANNELS_MAX}")
        entry.batch, entry.node = self.samples.batch, self.node
        self.entries.append(entry)
        return entry

    def values_max(self):
        """-> the values of the largest map at the first of the sizes, of those that nothing reads, too"""
        return max(entry.channels * math.prod(n.values[0] if isinstance(n, Size) else n for n in entry.size)
                   for entry in self.entries)

    def layer(self, kind, x, size=None, channels=None, **options):
        """A layer of one map; by default of its size and channels."""
        origin = x.origin if channels is None else None
        return self.append(Entry(kind, options, [x], channels or x.channels, size or x.size, origin))

    def weighted(self, kind, x, tensors, key, **options):
        """The same with weights, {"weight": a tensor or None, ...}, which the model has under a key like this one."""
        return self.layer(kind, x, **options, weights=self.store(tensors, key))

    def store(self, tensors, key):
        given = {leaf: value.detach() for leaf, value in tensors.items() if value is not None}
        name, count = key or "constant", 1
        while not self.has_room(name, given):
            count += 1
            name = f"{key}.{count}"
        self.tensors.update({f"{name}.{leaf}": value for leaf, value in given.items()})
        self.known.setdefault(name, set(given))
        return name

    def has_room(self, name, given):
        """Whether no other tensors have these names."""
        if name not in self.known:
            return not any(f"{name}.{leaf}" in self.tensors for leaf in LEAVES)
        return self.known[name] == set(given) and all(
            same(self.tensors[f"{name}.{leaf}"], value) for leaf, value in given.items())

    def affine(self, x, scale=1, shift=0):
        if scale == 1 and shift == 0:
            return x
        if not (math.isfinite(scale) and math.isfinite(shift)):
            raise Refusal(f"a factor of {scale} and a term of {shift}, expected finite numbers")
        given = {"scale": (scale, 1), "shift": (shift, 0)}
        return self.layer("affine", x, **{key: value for key, (value, default) in given.items() if value != default})

    def resize(self, x, mode, target, scale):
        """To the size `target`; scale: what the code gives as the factors, or None"""
        target = self.identified(target)
        return self.append(Entry("resize", {"mode": mode}, [x], x.channels, target, x.origin, target, scale))

    def join(self, kind, maps):
        """add or mul of maps that are broadcast, or concat."""
        if kind == "concat":
            return self.append(Entry(kind, {}, maps, sum(x.channels for x in maps), self.joined_size(maps)))
        self.expect_equal_channels([x for x in maps if x.channels > 1])
        pixels = [x for x in maps if all(equal(n, 1) for n in x.size)]
        wide = [x for x in maps if not any(x is other for other in pixels)]
        for x in wide:
            if equal(x.size[0], 1) != equal(x.size[1], 1) and len(wide) > 1:
                raise Refusal("a map of one row or one column that is broadcast, expected one pixel or one channel")
        size = self.joined_size(wide) if wide else (1, 1)
        widest = max(maps, key=lambda x: x.channels)
        entry = self.append(Entry(kind, {}, maps, widest.channels, size, widest.origin))
        if kind == "mul" and len(maps) == 2 and maps[0].facts.get("centered") is maps[1].facts.get("centered", self):
            entry.facts["square"] = maps[0].facts["centered"]
        return entry

    def expect_equal_channels(self, maps):
        for x, other in zip(maps, maps[1:]):
            x, other = (other, x) if other.origin else (x, other)
            self.expect_channels(x, other.channels)

    def joined_size(self, maps):
        return [self.agree(maps, axis) for axis in (0, 1)]

    def identified(self, target):
        """A size that is known only where it was traced is that of the input or of a map, if it is equal there."""
        if all(map(is_known, target)):
            return target
        fitting = (entry.size for entry in self.entries if all(map(is_known, entry.size))
                   and all(equal(a, b) for a, b in zip(entry.size, target)))
        return next(fitting, target)

    def agree(self, maps, axis):
        """-> the height or width that all maps have, at the sizes at which they do"""
        sides = [x.size[axis] for x in maps]
        first = next((n for n in sides if isinstance(n, Size) and is_known(n)),
                     next((n for n in sides if isinstance(n, Size)), sides[0]))
        for x in maps:
            self.must_agree(first, x, axis)
        return first

    def must_agree(self, first, x, axis):
        own = x.size[axis]
        if own is first:
            return
        if isinstance(first, Size) and isinstance(own, Size):
            known = first.known(own)
            if first.inputs == own.inputs and not self.samples.exclude(~known | (first.values == own.values)):
                raise Refusal(f"maps of two {('heights', 'widths')[axis]}: {text(first)}, and {text(own)}")
        elif not isinstance(first, Size) and first != own:
            raise Refusal(f"maps of two {('heights', 'widths')[axis]}: {first} and {own}")
        elif isinstance(first, Size):
            self.explain(x, axis, own, first)

    @staticmethod
    def explain(x, axis, number, size):
        """A number that a trace has where the code computes a size: the resize that it comes from is to that size."""
        while x.kind != "resize" and x.inputs and x.inputs[0].size[axis] == number:
            x = x.inputs[0]
        if x.kind == "resize":
            x.facts.setdefault("agrees", {})[axis] = size

    def size(self, x, function):
        """-> what function(n, axis) makes of each side of a map, of arrays or numbers"""
        return tuple(n.apply(lambda values, axis=axis: function(values, axis)) if isinstance(n, Size)
                     else function(n, axis) for axis, n in enumerate(x.size))

    def expect_channels(self, x, count):
        if x.channels != count:
            sentence = f"a map of {x.channels} channels, expected {count}"
            raise Channels(x.origin, count, sentence) if x.origin else Refusal(sentence)


def same(a, b):
    return a is b or a.shape == b.shape and a.dtype == b.dtype and bool((a == b).all())

