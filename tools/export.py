#!/usr/bin/python3
"""usage: tools/export.py CHECKPOINT MODEL.json [OPTION...]
       tools/export.py CHECKPOINT --list

Makes a model of the pyramid pooling module in a checkpoint: MODEL.json, and the weights beside it
as MODEL.safetensors. The checkpoint is PyTorch's (.pth, .pt), Keras's (.h5), NumPy's (.npz, .npy)
or safetensors; docs/weights.md shows each kind. Needs python3-numpy, and python3-h5py for .h5."""
import argparse
import collections
import json
import os
import pathlib
import re
import sys

try:
    import numpy as np
except ImportError:
    raise SystemExit("export.py: NumPy is missing (apt-get install python3-numpy, and run this "
                     "with /usr/bin/python3)") from None

import ppm_config
import safetensors_io
from checkpoints import ExportError, files
from checkpoints.kinds import KINDS
from checkpoints.mapping import export_mapped, read_lines
from checkpoints.recognise import Options, conv_shape, recognise

UPSAMPLE = ("align_corners", "half_pixel", "asymmetric")
GROUPS_SHOWN_MAX = 12


def arguments(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="kinds:\n" + "\n".join(f"  {kind.name:20} {kind.about}" for kind in KINDS))
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("model", metavar="MODEL.json", nargs="?", type=pathlib.Path)
    parser.add_argument("--list", action="store_true", help="show the checkpoint's tensors")
    parser.add_argument("--verbose", action="store_true", help="name every tensor, the skipped too")
    found = parser.add_argument_group("what is in the checkpoint, where that is not clear")
    found.add_argument("--entry", help="of a PyTorch file: the entry with the state_dict")
    found.add_argument("--kind", choices=[kind.name for kind in KINDS], metavar="KIND")
    found.add_argument("--prefix", help="what stands before the module's names, such as module.")
    graph = parser.add_argument_group("what no checkpoint says, where the kind's own is not right")
    graph.add_argument("--bins", type=numbers, metavar="B,B,...", help="in the order of branches")
    graph.add_argument("--windows", type=numbers, metavar="W,W,...", help="pixels, instead of bins")
    graph.add_argument("--upsample", choices=UPSAMPLE)
    graph.add_argument("--without-classifier", action="store_true",
                       help="end the head before the convolution to classes")
    mapped = parser.add_argument_group("a module of no known kind")
    mapped.add_argument("--base", metavar="BASE.json", help="the model, written by hand")
    mapped.add_argument("--map", action="append", default=[], metavar="TENSOR=KEY",
                        help="the model's tensor and its key; {i} and {n} stand for each branch")
    mapped.add_argument("--map-file", metavar="FILE", help="such lines; # begins a comment")
    result = parser.add_argument_group("the model")
    result.add_argument("--name", help="[the file's]")
    result.add_argument("--size", type=numbers, metavar="H,W", help="y is stretched to this size")
    result.add_argument("--scale", type=int, metavar="K", help="or so many times")
    result.add_argument("--as", dest="form", choices=("values", "softmax", "argmax"))
    result.add_argument("--dtype", choices=("F32", "F16", "BF16"), default="F32",
                        help="of the weights' file")
    options = parser.parse_args(argv)
    check(parser, options)
    return options


def numbers(text):
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise ValueError
    return values


def check(parser, options):
    """What argparse does not see; ends with status 2."""
    graph = ("kind", "prefix", "bins", "windows", "upsample")
    if not options.list and not options.model:
        parser.error("expected MODEL.json, where the model goes, or --list")
    if options.model and options.model.suffix != ".json":
        parser.error(f"{options.model}: expected a name that ends in .json")
    name = options.name or (options.model.stem if options.model else "model")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        parser.error(f"{name!r}: expected a name of letters, digits, '.', '_' and '-', as it is "
                     "part of a URL; --name gives another")
    if (options.map or options.map_file) and not options.base:
        parser.error("--map: expected --base BASE.json, the model whose tensors are mapped")
    if options.base and (given := [key for key in graph if getattr(options, key)]):
        parser.error(f"--{given[0]}: expected no --base, which says everything about the module")
    if options.bins and options.windows or options.size and options.scale:
        parser.error("expected either --bins or --windows, and either --size or --scale")
    if options.size and len(options.size) != 2:
        parser.error("--size: expected H,W")


def output_of(options, config):
    """Adds to a configuration how y is stretched and what of it is answered."""
    output = {}
    if options.size:
        output["size"] = list(options.size)
    if options.scale:
        output["scale"] = options.scale
    if output:
        output["upsample"] = config["upsample"]
    if options.form:
        output["as"] = options.form
    if output:
        config["output"] = output


def find(checkpoint, options):
    """-> (configuration, {tensor of the model: name in the checkpoint}, the Candidate or None)"""
    if options.base:
        lines = list(read_lines(options.map_file)) if options.map_file else []
        lines += [("--map", line) for line in options.map]
        return (*export_mapped(checkpoint, options.base, lines), None)
    found = recognise(checkpoint, Options(options.bins, options.windows, options.upsample,
                                          options.without_classifier), options.kind, options.prefix)
    return found.config, found.sources, found


def values_of(checkpoint, config, sources):
    """-> {tensor of the model: (shape, flat float32 array)} as the model's kernel layout has it"""
    to_hwio = config["weights"].get("kernel_layout") == "HWIO"
    result = {}
    for tensor in ppm_config.tensors(config):
        source = checkpoint.tensors[sources[tensor.name]]
        values = source.read()
        if tensor.role == "weight" and to_hwio != checkpoint.kernels_are_hwio:
            out, channels, height, width = conv_shape(source.shape, checkpoint.kernels_are_hwio)
            values = (values.reshape(out, channels, height, width).transpose(2, 3, 1, 0) if to_hwio
                      else values.reshape(height, width, channels, out).transpose(3, 2, 0, 1))
        if not np.isfinite(values).all():
            raise ExportError(f"{checkpoint.path}: {source.key} holds values that are not finite")
        result[tensor.name] = (tensor.shape, values.reshape(-1))
    return result


def write(model, config, tensors, dtype):
    file = model.with_suffix(".safetensors")
    try:
        safetensors_io.save(file, tensors, dtype)
        model.write_text(as_json(config), encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{error.filename}: cannot write it: {error.strerror}") from None
    return file


def as_json(config):
    """A line for each key, and for each layer of a stack."""
    def text(key, value):
        if key in ("branch", "head", "branches"):
            return "[\n    " + ",\n    ".join(json.dumps(layer) for layer in value) + " ]"
        return json.dumps(value)

    return "{\n" + ",\n".join(f'  "{key}": {text(key, value)}'
                              for key, value in config.items()) + "\n}\n"


def report(checkpoint, options, config, sources, candidate, tensors, file):
    entry = f", entry {checkpoint.entry!r}" if checkpoint.entry else ""
    what = candidate.describe() if candidate else f"as {options.base} has it"
    print(f"{checkpoint.path}{entry}: {what}")
    shape = "[N, H, W, {}]" if config["input"].get("layout") == "NHWC" else "[N, {}, H, W]"
    channels = ppm_config.channels_out(config.get("head", []),
                                       ppm_config.channels_concatenated(config))
    count = sum(values.size for _, values in tensors.values())
    print(f"  x {shape.format(config['input']['channels'])}, y {shape.format(channels)}"
          f"{' before its output' if 'output' in config else ''}, {count:,} values in "
          f"{len(tensors)} tensors, {options.dtype}")
    print(f"  wrote {options.model}, {file}")
    if candidate:
        what = "windows" if "windows" in config else "bins"
        sizes = ", ".join(map(str, config[what]))
        print(f"  as no checkpoint says it, from its code: {what} {sizes}, {config['pool']}, "
              f"{config['upsample']}, {config['concat']}")
    if options.verbose:
        for name, source in sources.items():
            print(f"    {name} = {checkpoint.tensors[source].key}")
    if checkpoint.refused:
        print("  not read, as that could run code: " + ", ".join(checkpoint.refused))
    report_skipped(checkpoint, set(sources.values()), options.verbose)
    if candidate and candidate.kind.note:
        print(f"  note: {candidate.kind.note}")


def report_skipped(checkpoint, used, is_verbose):
    """What of the network is not in the module, by the first part of its names."""
    skipped = [tensor.key for name, tensor in checkpoint.tensors.items()
               if name not in used and not name.endswith("num_batches_tracked")]
    if not skipped:
        return
    common = len(common_parts([tensor.key for tensor in checkpoint.tensors.values()]))
    groups = collections.Counter(key[common:].replace("/", ".").partition(".")[0]
                                 for key in skipped)
    shown = [f"{skipped[0][:common]}{name} ({count})" for name, count in
             groups.most_common(GROUPS_SHOWN_MAX)]
    more = f", {len(groups) - len(shown)} more" if len(groups) > len(shown) else ""
    print(f"  skipped {len(skipped)} tensors of the rest of the network: {', '.join(shown)}{more}")
    for key in skipped if is_verbose else []:
        print(f"    {key}")


def common_parts(keys):
    """What all keys begin with, up to a dot: module."""
    common = os.path.commonprefix(keys)
    return common[:common.rfind(".") + 1]


def main(argv=None):
    options = arguments(argv)
    checkpoint = files.read(options.checkpoint, options.entry)
    if options.list:
        for tensor in checkpoint.tensors.values():
            print(f"{tensor.key} {list(tensor.shape)}")
        return
    config, sources, candidate = find(checkpoint, options)
    output_of(options, config)
    tensors = values_of(checkpoint, {"weights": {}, **config}, sources)
    config = {"name": options.name or options.model.stem,
              **{key: value for key, value in config.items() if key not in ("name", "weights")},
              "weights": {"file": options.model.with_suffix(".safetensors").name,
                          **config.get("weights", {})}}
    file = write(options.model, config, tensors, options.dtype)
    report(checkpoint, options, config, sources, candidate, tensors, file)


if __name__ == "__main__":
    try:
        main()
    except ExportError as error:
        sys.exit(f"export.py: {error}")
