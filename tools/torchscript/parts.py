"""Parts of a map: some of its channels, in any order, and what is written in place of them."""
import torch

from . import Refusal
from .layers import entry_of, shown, weight_of, whole
from .sizes import Size, equal, values_of
from .values import LABELS, Pending, View, Weight

EACH_IMAGE = "each image of a batch has a result, where the module's own is that of one"


def sliced(program, self, dim=0, start=None, end=None, step=1):
    seen = whole(program, self)
    axis = seen.axis(dim)
    extent = seen.shape[axis]
    whole_axis = (start is None or start == 0) and step == 1 and (
        end is None or isinstance(end, int) and end >= 1 << 31 or equal(end, extent))
    if whole_axis:
        return seen
    if axis != seen.channel_axis():
        return cropped(program, seen, axis, (start or 0, end, step))
    chosen = seen.chosen(slice(start, end, step))
    if not chosen.channels:
        raise Refusal(f"the channels {start} to {end} of {extent}")
    return chosen


def cropped(program, seen, axis, given):
    """A crop to the size of another map, which cuts nothing at the sizes that are left."""
    start, end, step = given
    extent, letter = seen.shape[axis], shown(seen).split(", ")[axis]
    if (start, step) != (0, 1) or not isinstance(end, Size) or not program.samples.exclude(
            ~end.known(extent) | (end.values >= values_of(extent))):
        raise Refusal(f"a part of the axis {letter}, expected channels")
    program.note(f"a crop of the axis {letter} is left out: it cuts nothing at sizes that fit the network's strides")
    program.is_cropped = True
    return seen


def narrow(program, self, dim, start, length):
    return sliced(program, self, dim, start, start + length)


def select(program, self, dim, index):
    if isinstance(self, Pending) and self.name in LABELS and (dim, index) == (0, 0):
        program.note(EACH_IMAGE)
        return self
    seen = whole(program, self)
    axis = seen.axis(dim)
    if equal(seen.shape[axis], 1):
        return seen.seen((*seen.axes[:axis], *seen.axes[axis + 1:]))
    if seen.axes[axis] == ("n",) and index in (0, -1):
        program.note(EACH_IMAGE)
        return seen.seen((*seen.axes[:axis], *seen.axes[axis + 1:]))
    if seen.axes[axis] in (("c0",), ("c1",)):
        return seen.item_of(axis, index)
    if axis != seen.channel_axis():
        raise Refusal(f"an item of the axis {shown(seen).split(', ')[axis]}, expected channels")
    one = seen.chosen([index])
    return one.seen((*seen.axes[:axis], *seen.axes[axis + 1:]))


def index(program, self, indices):
    """x[:, [2, 1, 0]], a copy"""
    seen = whole(program, self)
    given = [(axis, value) for axis, value in enumerate(indices) if value is not None]
    if len(given) != 1:
        raise Refusal(f"numbers of {len(given)} axes, expected those of channels")
    return index_select(program, seen, *given[0])


def index_select(program, self, dim, index):
    seen, numbers = whole(program, self), weight_of(index, "numbers of channels")
    if seen.axis(dim) != seen.channel_axis():
        raise Refusal(f"numbers of the axis {shown(seen).split(', ')[seen.axis(dim)]}, expected those of channels")
    if numbers.dim() != 1 or numbers.is_floating_point() or numbers.dtype == torch.bool or not numbers.numel():
        raise Refusal(f"numbers of shape {list(numbers.shape)} and type {numbers.dtype}, expected a list of channels")
    return seen.chosen(numbers.tolist()).copy()


def flip(program, self, dims):
    seen = whole(program, self)
    if [seen.axis(dim) for dim in dims] != [seen.channel_axis()]:
        raise Refusal(f"axes {dims} of {shown(seen)} turned around, expected the channels")
    return seen.chosen(slice(None, None, -1)).copy()


def split(program, self, split_size, dim=0):
    seen = whole(program, self)
    if seen.axis(dim) != seen.channel_axis():
        raise Refusal(f"a split of the axis {dim}, expected the channels")
    total = seen.channels
    sizes = split_size if isinstance(split_size, list) else \
        [min(split_size, total - first) for first in range(0, total, split_size)]
    if sum(sizes) != total:
        raise Refusal(f"parts of {sizes} channels of {total}")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [seen.chosen(slice(first, first + count)) for first, count in zip(starts, sizes)]


def split_with_sizes(program, self, split_sizes, dim=0):
    return split(program, self, split_sizes, dim)


def chunk(program, self, chunks, dim=0):
    return split(program, self, -(-whole(program, self).channels // chunks), dim)


def unbind(program, self, dim=0):
    seen = whole(program, self)
    return [select(program, seen, dim, i) for i in range(int_of(seen.shape[seen.axis(dim)]))]


def int_of(n):
    if isinstance(n, Size):
        raise Refusal("as many values as the size of the input")
    return n


def overwritten(program, self, src):
    """copy_: what is written in place of a map or a part of one."""
    source, target = whole(program, src), whole(program, self)
    if [source.letters(axis) for axis in range(len(source.axes))] != \
            [target.letters(axis) for axis in range(len(target.axes))] or source.channels != target.channels:
        raise Refusal(f"a copy of {shown(source)} to {shown(target)}")
    return source


def filled(program, self, value):
    number = value.values.item() if isinstance(value, Weight) else value
    if not isinstance(number, (int, float)):
        raise Refusal("a map filled with something that is not a number")
    view = whole(program, self)
    return View.of(program.affine(entry_of(program, view), 0, number), view.axes)


PARTS = {"slice": sliced, "narrow": narrow, "select": select, "index": index, "index_select": index_select,
         "flip": flip, "split": split, "split_with_sizes": split_with_sizes, "chunk": chunk, "tensor_split": chunk,
         "unbind": unbind, "copy": overwritten, "fill": filled}
