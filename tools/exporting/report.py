"""What tools/export.py prints of a model that it wrote."""
import collections
import os

from checkpoints.recognize import TRAINING
from checkpoints.sizes import plural, printable

from .options import ASSUMED, given_of

GROUPS_SHOWN_MAX = 12
REFUSED_SHOWN_MAX = 12


def report(options, model, tensors, file):
    checkpoint = model.checkpoint
    entry = f", entry {checkpoint.entry!r}" if checkpoint.entry else ""
    print(f"{checkpoint.path}{entry}: {model.what}")
    count = sum(values.size for _, values in tensors.values())
    print(f"  {shapes(model)}, {plural(count, 'value')} in {plural(len(tensors), 'tensor')}, {options.dtype}")
    print(f"  wrote {options.model}, {file}")
    if model.assumed:
        given = given_of(options, ASSUMED)
        print("  assumed, since a checkpoint does not contain it, from the network's code"
              f"{' and ' + ', '.join(given) if given else ''}: " + ", ".join(model.assumed))
    if options.verbose:
        for name, source in model.sources.items():
            print(f"    {name} = {checkpoint.tensors[source.name].key}")
    if checkpoint.refused:
        names = checkpoint.refused[:REFUSED_SHOWN_MAX]
        more = len(checkpoint.refused) - len(names)
        print("  not read, because that could run code: " + printable(", ".join(names))
              + (f" and {more} more" if more else ""))
    report_skipped(model, options.verbose)
    if checkpoint.assumed:
        print(f"  note: {checkpoint.assumed}")
    for note in model.notes:
        print(f"  note: {note}")


def shapes(model):
    config = model.config
    inputs = config.get("inputs") or {"x": config["input"]}
    layout = next(iter(inputs.values())).get("layout")
    sides = [f"{name} {shape_of(given['channels'], given.get('layout'))}" for name, given in inputs.items()]
    return ", ".join(sides + [f"y {y}" for y in ([y_of(model, layout)] if model.channels else [])])


def y_of(model, layout):
    output = model.config.get("output")
    size = output and output.get("size")
    if not size or "network" not in model.config:
        return shape_of(model.channels, layout) + (" before its output" if output else "")
    channels = 1 if output.get("as") == "argmax" else model.channels
    return shape_of(channels, layout, "H, W" if size == "input" else "{}, {}".format(*size))


def shape_of(channels, layout, size="H, W"):
    return f"[N, {size}, {channels}]" if layout == "NHWC" else f"[N, {channels}, {size}]"


def report_skipped(model, is_verbose):
    """Prints the tensors that the model does not have, grouped by the first part of their names."""
    where, names = model.skipped
    skipped = [model.checkpoint.tensors[name].key for name in names
               if not name.replace("/", ".").endswith(TRAINING)]
    if not skipped:
        return
    common = len(common_parts([tensor.key for tensor in model.checkpoint.tensors.values()]))
    groups = collections.Counter(key[common:].replace("/", ".").partition(".")[0] for key in skipped)
    shown = [f"{skipped[0][:common]}{name} ({count})" for name, count in groups.most_common(GROUPS_SHOWN_MAX)]
    more = f", {len(groups) - len(shown)} more" if len(groups) > len(shown) else ""
    print(f"  skipped {plural(len(skipped), 'tensor')} {where}: {', '.join(shown)}{more}")
    for key in skipped if is_verbose else []:
        print(f"    {key}")


def common_parts(keys):
    """The common beginning of all keys, up to a dot: module."""
    common = os.path.commonprefix(keys)
    return common[:common.rfind(".") + 1]
