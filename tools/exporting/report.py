"""What tools/export.py prints of a model that it wrote."""
import collections
import os

import ppm_network
from checkpoints.recognize import TRAINING
from checkpoints.sizes import plural, printable

from . import extents
from .options import ASSUMED, given_of

GROUPS_SHOWN_MAX = 12
REFUSED_SHOWN_MAX = 12


def report(options, model, tensors, file):
    checkpoint = model.checkpoint
    entry = f", entry {checkpoint.entry!r}" if checkpoint.entry else ""
    print(f"{checkpoint.path}{entry}: {model.what}")
    count = sum(values.size for _, values in tensors.values())
    print(f"  {shapes(model)}, {plural(count, 'value')} in {plural(len(tensors), 'tensor')}, {options.dtype}")
    if model.backbone:
        print(f"  its backbone: {model.backbone}")
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
    """-> the inputs and what the model answers, which is y unless an input has that name"""
    inputs = ppm_network.inputs_of(model.config)
    layout = next(iter(inputs.values())).get("layout")
    texts = [f"{name} {shape_of(given['channels'], given.get('layout'))}" for name, given in inputs.items()]
    if model.channels:
        channels = 1 if model.config.get("output", {}).get("as") == "argmax" else model.channels
        name = "the result" if "y" in inputs else "y"
        texts.append(f"{name} {shape_of(channels, layout, ', '.join(extents.sides(model.config)))}")
    return ", ".join(texts)


def shape_of(channels, layout, size="H, W"):
    return f"[N, {size}, {channels}]" if layout == "NHWC" else f"[N, {channels}, {size}]"


def report_skipped(model, is_verbose):
    """Prints the tensors that the model does not have, grouped by the part of their names in which they differ from
    those of the model."""
    where, names = model.skipped
    skipped = [model.checkpoint.tensors[name].key for name in names
               if not name.replace("/", ".").endswith(TRAINING)]
    if not skipped:
        return
    prefix = model.prefix or common_parts([tensor.key for tensor in model.checkpoint.tensors.values()])
    groups = collections.Counter(group(key, prefix) for key in skipped)
    shown = [f"{name} ({count})" for name, count in groups.most_common(GROUPS_SHOWN_MAX)]
    more = f", {len(groups) - len(shown)} more" if len(groups) > len(shown) else ""
    print(f"  skipped {plural(len(skipped), 'tensor')} {where}: {', '.join(shown)}{more}")
    for key in skipped if is_verbose else []:
        print(f"    {key}")


def group(key, prefix):
    """aux, or module.aux beside a network at module."""
    shared = len(common_parts([key, prefix]))
    return key[:shared] + key[shared:].replace("/", ".").partition(".")[0]


def common_parts(keys):
    """The common beginning of all keys, up to a dot: module."""
    common = os.path.commonprefix(keys)
    return common[:common.rfind(".") + 1]
