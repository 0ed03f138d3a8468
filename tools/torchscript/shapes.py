"""What changes a map's axes and borders; and sums and means over axes."""
import torch

from . import Refusal
from .layers import convolved, entry_of, plain_map, shown, whole
from .program import CHANNELS_MAX
from .sizes import Size, equal, text
from .values import LABELS, Padded, Pending, View, product


def copied(program, self):
    return whole(program, self).copy()


def contiguous(program, self):
    """The same memory if that is a whole map whose axes are in order."""
    view = whole(program, self)
    letters = [letter for axis in range(len(view.axes)) for letter in view.letters(axis)]
    return view if view.order is None and letters == sorted(letters, key="ncc0c1hw".index) else view.copy()


def converted(program, self, dtype=None, other=None, device=None):
    """To another type of numbers: the model's is float32 in any case."""
    if isinstance(self, View) and dtype in INTEGERS:
        raise Refusal("a conversion to integers")
    return self


INTEGERS = (0, 1, 2, 3, 4, 11)  # the numbers of uint8 to int64 and bool in graphs


def dropout(program, input=None, self=None, p=0.5, train=False):
    if train:
        raise Refusal("a dropout that is active: export the module after .eval()")
    return self or input


# ---- axes ----

def is_labels(value):
    """Labels have [N, 1, H, W], whatever axes the module gives them."""
    return isinstance(value, Pending) and value.name in LABELS


def permute(program, self, dims):
    view = whole(program, self)
    axes = [view.axis(dim) for dim in dims]
    if sorted(axes) != list(range(len(view.axes))):
        raise Refusal(f"the axes {dims}")
    return view.seen(tuple(view.axes[axis] for axis in axes))


def transpose(program, self, dim0, dim1):
    view = whole(program, self)
    order = list(range(len(view.axes)))
    a, b = view.axis(dim0), view.axis(dim1)
    order[a], order[b] = order[b], order[a]
    return permute(program, view, order)


def movedim(program, self, source, destination):
    view = whole(program, self)
    pairs = zip(*([value] if isinstance(value, int) else value for value in (source, destination)))
    moved = {view.axis(to): view.axis(axis) for axis, to in pairs}
    left = iter([axis for axis in range(len(view.axes)) if axis not in moved.values()])
    return permute(program, view, [moved[to] if to in moved else next(left) for to in range(len(view.axes))])


def transposed(program, self):
    return transpose(program, self, 0, 1)


def unsqueeze(program, self, dim):
    if is_labels(self):
        return self
    view = whole(program, self)
    rank = len(view.axes) + 1
    if not -rank <= dim < rank:
        raise Refusal(f"the axis {dim} of {rank}")
    return view.seen((*view.axes[:dim % rank], (), *view.axes[dim % rank:]))


def squeeze(program, self, dim=None):
    """Without a dim the batch's axis stays, since that is 1 in the example only."""
    if is_labels(self):
        return self
    view = whole(program, self)
    if dim is None:
        chosen = [axis for axis in range(len(view.axes)) if view.axes[axis] != ("n",)]
    else:
        chosen = [view.axis(index) for index in (dim if isinstance(dim, list) else [dim])]
    return view.seen(tuple(letters for axis, letters in enumerate(view.axes)
                           if axis not in chosen or view.letters(axis) or "n" in letters))


def flatten(program, self, start_dim=0, end_dim=-1):
    view = whole(program, self)
    start, end = view.axis(start_dim), view.axis(end_dim)
    merged = tuple(letter for letters in view.axes[start:end + 1] for letter in letters)
    return view.seen((*view.axes[:start], merged, *view.axes[end + 1:]))


def view(program, self, size):
    """Axes that are merged, or split where they were merged."""
    seen = whole(program, self)
    letters = [letter for axis in seen.axes for letter in axis]
    left = [(letter, seen.extent(letter)) for letter in letters if not equal(seen.extent(letter), 1)]
    ones = [letter for letter in letters if equal(seen.extent(letter), 1)]
    axes = taken(left, list(size))
    if axes is None and not seen.split:
        seen, axes = channels_split(seen, left, list(size))
    if axes is None:
        raise Refusal(f"a view of the axes {shown(seen)} as {', '.join(map(text, size))}")
    return seen.seen(with_ones(axes, ones))


def channels_split(seen, left, size):
    """-> (the View with two axes of channels, the letters of each axis, or None)"""
    for a in [n for n in size if isinstance(n, int) and n > 1 and seen.channels % n == 0]:
        split = a, seen.channels // a
        axes = taken([pair for letter, extent in left for pair in (
            zip(("c0", "c1"), split) if letter == "c" else [(letter, extent)])], size)
        if axes is not None:
            return View(seen.cell, seen.axes, seen.order, split), axes
    return seen, None


def taken(left, size):
    """-> the letters of each axis of that size, or None; -1 takes what the axes after it leave"""
    if -1 in [n for n in size if not isinstance(n, Size)]:
        at = next(i for i, n in enumerate(size) if not isinstance(n, Size) and n == -1)
        before, left = fill(left, size[:at])
        after, rest = fill(left[::-1], size[:at:-1])
        if before is None or after is None:
            return None
        return [*before, tuple(letter for letter, _ in rest[::-1]), *(axis[::-1] for axis in after[::-1])]
    axes, rest = fill(left, size)
    return axes if not rest else None


def fill(left, size):
    """Takes letters until each axis has its size; -> (axes or None, the letters that are left)"""
    axes, left = [], list(left)
    for n in size:
        axis = []
        if not isinstance(n, Size) and n == 1 and left and left[0][0] == "n":
            axis.append(left.pop(0))  # code for one image at a time
            n = axis[0][1]
        while left and not equal(product(extent for _, extent in axis), n):
            axis.append(left.pop(0))
        if not equal(product(extent for _, extent in axis), n):
            return None, left
        axes.append(tuple(letter for letter, _ in axis))
    return axes, left


def with_ones(axes, ones):
    """Puts letters of size 1 where N, C, H and W have them, so that messages and squeezes find them."""
    free = [i for i, axis in enumerate(axes) if not axis]
    axes = list(axes)
    for letter in ones:
        at = "nchw".index(letter[0])
        if at in free and len(axes) > at:
            axes[at] = (letter,)
            free.remove(at)
    return tuple(axes)


def view_as(program, self, other):
    return view(program, self, whole(program, other).shape)


def reshape(program, self, shape):
    return view(program, contiguous(program, self), shape)


def expand(program, self, size):
    """One pixel to a size becomes a resize; what a sum or a product broadcasts by itself stays."""
    seen = whole(program, self)
    seen = seen.seen(((),) * (len(size) - len(seen.axes)) + seen.axes)
    wanted = [own if not isinstance(n, Size) and n == -1 else n for own, n in zip(seen.shape, size)]
    if all(equal(own, n) for own, n in zip(seen.shape, wanted)):
        return seen
    x = plain_map(program, seen)
    if len(size) != 4 or wanted[1] != x.channels and x.channels != 1:
        raise Refusal(f"an expansion of the axes {shown(seen)}, expected one pixel to a map, or one channel to several")
    if wanted[1] != x.channels:
        x = convolved(program, x, {"weight": torch.ones(wanted[1], 1, 1, 1)}, "expand", x.size)
    return spread(program, x, wanted[2:])


def spread(program, x, size):
    """One pixel to a map"""
    if all(equal(n, own) for n, own in zip(size, x.size)):
        return View.of(x)
    if not all(equal(n, 1) for n in x.size):
        raise Refusal("an expansion of a map, expected one of one pixel")
    return View.of(program.resize(x, "nearest", tuple(size), None))


def repeat(program, self, repeats):
    seen = whole(program, self)
    x = plain_map(program, seen)
    if len(repeats) != 4 or repeats[0] != 1 or isinstance(repeats[1], Size):
        raise Refusal(f"repeats of {', '.join(map(text, repeats))}, expected those of channels, height and width")
    if not 1 <= x.channels * repeats[1] <= CHANNELS_MAX:
        raise Refusal(f"{x.channels} channels {repeats[1]} times, expected at most {CHANNELS_MAX}")
    if repeats[1] != 1:
        x = entry_of(program, View.of(x).chosen(list(range(x.channels)) * repeats[1]))
    return spread(program, x, [product(pair) for pair in zip(x.size, repeats[2:])])


def expand_as(program, self, other):
    return expand(program, self, whole(program, other).shape)


def pad(program, self, pad, mode="constant", value=0):
    if mode != "constant":
        raise Refusal(f"a border in the mode {mode!r}, expected constant")
    return constant_pad_nd(program, self, pad, value or 0)


def constant_pad_nd(program, self, pad, value=0):
    if len(pad) % 2 or any(not isinstance(n, Size) and n != 0 for n in pad[4:]):
        raise Refusal(f"a border of {pad}, expected one of height and width")
    left, right, top, bottom = [*pad, 0, 0, 0, 0][:4]
    if all(not isinstance(n, Size) and n == 0 for n in (left, right, top, bottom)):
        return copied(program, self)
    view = whole(program, self)
    plain_map(program, view)
    return Padded(view, (top, left, bottom, right), value)


# ---- sums and means over axes ----

def reduced(view, dim, keepdim):
    """-> (the letters that are gone, the axes that are left)"""
    given = list(range(len(view.axes))) if dim is None or dim == [] else dim if isinstance(dim, list) else [dim]
    chosen = {view.axis(index) for index in given}
    gone = {letter for axis in chosen for letter in view.letters(axis)}
    axes = tuple((letters if axis not in chosen else view.axes[axis]) for axis, letters in enumerate(view.axes)
                 if keepdim or axis not in chosen)
    return gone, axes


def mean(program, self, dim=None, keepdim=False, dtype=None):
    """Over height and width, in one step or in two, and over the channels."""
    is_second = isinstance(self, Pending) and self.name == "mean"
    view = self.value.seen(self.options["axes"]) if is_second else whole(program, self)
    gone, axes = reduced(view, dim, keepdim)
    x = entry_of(program, view)
    if not gone <= {"c", "h", "w"}:
        raise Refusal("a mean over the batch")
    if is_second:
        gone |= self.options["gone"]
    if len(gone & {"h", "w"}) == 1 and not all(equal(x.size["hw".index(letter)], 1) for letter in {"h", "w"} - gone):
        return Pending("mean", view, axes=axes, gone=gone)
    if gone & {"h", "w"}:
        x = program.layer("adaptive_avg_pool", x, (1, 1), bins=1)
    if "c" in gone:
        of, x = x, program.layer("channel_mean", x, channels=1)
        x.facts["mean of"] = of
        if "square" in of.facts:
            x.facts["variance"] = of.facts["square"]
    return View.of(x, axes)


def total(program, self, dim=None, keepdim=False, dtype=None):
    view = whole(program, self)
    gone, axes = reduced(view, dim, keepdim)
    if gone == {"c"}:
        return View.of(program.layer("channel_sum", entry_of(program, view), channels=1), axes)
    if not gone:
        return View.of(entry_of(program, view), axes)
    if gone == {"h", "w"}:
        return Pending("sum", view, axes=axes)
    raise Refusal(f"a sum over {', '.join(sorted(gone)).upper()}, expected the channels")


def variance(program, self, dim=None, unbiased=True, keepdim=False, correction=None):
    view = whole(program, self)
    gone, axes = reduced(view, dim, keepdim)
    if gone != {"c"} or (correction != 0 if correction is not None else unbiased):
        raise Refusal("a variance, expected one over the channels with unbiased=False")
    x = entry_of(program, view)
    deviation = program.join("add", [x, program.affine(program.layer("channel_mean", x, channels=1), -1)])
    result = program.layer("channel_mean", program.join("mul", [deviation, deviation]), channels=1)
    result.facts["variance"] = x
    return View.of(result, axes)


# ---- what is asked of a map ----

def size(program, self, dim=None):
    if isinstance(self, Padded):
        self = whole(program, self)
    shape = (self.value if isinstance(self, Pending) else self).shape
    return shape if dim is None else shape[whole(program, self).axis(dim)]


def rank(program, self):
    return len(whole(program, self).axes)


def length(program, self):
    return whole(program, self).shape[0]


def count(program, self):
    return product(whole(program, self).shape)


SHAPES = {
    **{name: lambda program, self, **_: self for name in (
        "detach", "alias", "lift_fresh", "lift", "cpu", "float", "double", "half", "type_as")},
    "clone": copied, "contiguous": contiguous, "to": converted, "_to_copy": converted,
    "dropout": dropout, "feature_dropout": dropout, "alpha_dropout": dropout, "feature_alpha_dropout": dropout,
    "permute": permute, "transpose": transpose, "swapaxes": transpose, "movedim": movedim, "t": transposed,
    "unsqueeze": unsqueeze, "squeeze": squeeze, "flatten": flatten,
    "view": view, "reshape": reshape, "view_as": view_as, "reshape_as": view_as,
    "expand": lambda program, self, size, implicit=False: expand(program, self, size), "expand_as": expand_as,
    "repeat": repeat,
    "pad": pad, "constant_pad_nd": constant_pad_nd,
    "mean": mean, "sum": total, "var": variance, "size": size, "dim": rank, "len": length, "numel": count,
    "is_floating_point": lambda program, self: True,
}
