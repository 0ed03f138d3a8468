#!/usr/bin/python3
"""usage: tools/export.py CHECKPOINT MODEL.json [OPTION...]
       tools/export.py CHECKPOINT --list

Writes a model of the pyramid pooling module in a checkpoint: MODEL.json, and its weights as
MODEL.safetensors in the same folder. The checkpoint is from PyTorch (.pth, .pt), Paddle
(.pdparams), Keras (.h5, .keras) or NumPy (.npz, .npy), or safetensors; docs/weights.md shows each kind. Needs python3-numpy, and
python3-h5py for Keras files."""
import argparse
import collections
import json
import os
import pathlib
import re
import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules load: Ctrl-C ends it without a traceback

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
from checkpoints.recognize import Options, conv_shape, recognize
from checkpoints.sizes import plural, printable
from torchscript import archive, reading

UPSAMPLE = ("align_corners", "half_pixel", "asymmetric")
CONCAT = ("input_first", "input_last", "branches")
POOL = ("adaptive", "same", "valid")
ACTIVATIONS = ("none", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu",
               "hardswish", "hardsigmoid", "mish", "softplus")
GRAPH = ("kind", "prefix", "bins", "windows", "pool", "upsample", "concat", "branch_activation",
         "head_activation", "eps", "without_classifier")
GROUPS_SHOWN_MAX = 12
REFUSED_SHOWN_MAX = 12
SENTENCE_MAX = 2000
LARGEST = {"F32": float(np.finfo(np.float32).max), "F16": 65504.0, "BF16": 3.3895313892515355e38}


class Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the list of options that would hide it."""

    def error(self, message):
        self.exit(2, f"export.py: {message}; --help shows all options\n")


def arguments(argv):
    parser = Parser(
        description=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="kinds:\n" + "\n".join(f"  {kind.name:25} {kind.about}" for kind in KINDS))
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("model", metavar="MODEL.json", nargs="?", type=pathlib.Path)
    parser.add_argument("--list", action="store_true", help="show the checkpoint's tensors")
    parser.add_argument("--verbose", action="store_true", help="name every tensor, including skipped ones")
    found = parser.add_argument_group("the checkpoint, if its contents are ambiguous")
    found.add_argument("--entry", help="the entry with the state_dict, in a PyTorch file")
    found.add_argument("--kind", choices=[kind.name for kind in KINDS], metavar="KIND")
    found.add_argument("--prefix", help="what precedes the module's names, such as module.")
    found.add_argument("--kernels", choices=("OIHW", "HWIO"),
                       help="the order of convolution weights: PyTorch's or TensorFlow's")
    graph = parser.add_argument_group("what a checkpoint does not contain, if the kind's default is wrong")
    graph.add_argument("--bins", type=numbers, metavar="B,B,...", help="in the order of the branches")
    graph.add_argument("--windows", type=numbers, metavar="W,W,...", help="pixels, instead of bins")
    graph.add_argument("--pool", choices=POOL)
    graph.add_argument("--upsample", choices=UPSAMPLE)
    graph.add_argument("--concat", choices=CONCAT)
    graph.add_argument("--branch-activation", type=activation, metavar="A",
                       help="at the end of each branch: " + ", ".join(ACTIVATIONS)
                       + ", or leaky_relu:SLOPE")
    graph.add_argument("--head-activation", type=activation, metavar="A",
                       help="of the head, before its classifier")
    graph.add_argument("--eps", type=float, help="of the batch norms")
    graph.add_argument("--without-classifier", action="store_true",
                       help="end the head before the convolution to classes")
    script = parser.add_argument_group("TorchScript")
    script.add_argument("--output", metavar="N", help="which result of a module that has several: its number from 0, "
                        "or its name in a dictionary")
    mapped = parser.add_argument_group("a module of an unknown kind")
    mapped.add_argument("--base", metavar="BASE.json", help="the model, written by hand")
    mapped.add_argument("--map", action="append", default=[], metavar="TENSOR=KEY",
                        help="a tensor of BASE.json and its key in the checkpoint, or the beginnings of "
                        "both; {i} and {n} are the branch, from 0 and from 1")
    mapped.add_argument("--map-file", metavar="FILE", help="a file of such lines; # starts a comment")
    result = parser.add_argument_group("the model")
    result.add_argument("--name", help="[the file name]")
    result.add_argument("--size", type=numbers, metavar="H,W", help="stretch y to this size")
    result.add_argument("--scale", type=int, metavar="K", help="or to K times its size")
    result.add_argument("--as", dest="form", choices=("values", "softmax", "argmax"))
    result.add_argument("--dtype", choices=("F32", "F16", "BF16"), default="F32",
                        help="of the weights file")
    options = parser.parse_args(argv)
    check(parser, options)
    return options


def numbers(text):
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise ValueError
    return values


def activation(text):
    """A layer of the configuration, or "none"."""
    name, _, slope = text.partition(":")
    if name not in ACTIVATIONS or slope and name != "leaky_relu":
        raise ValueError
    return {name: {"slope": float(slope)}} if slope else name


def check(parser, options):
    """Checks that argparse cannot make; exits with status 2."""
    if not options.list and not options.model:
        parser.error("expected MODEL.json, the file to write, or --list")
    if options.model and options.model.suffix != ".json":
        parser.error(f"{options.model}: expected a name that ends in .json")
    name = options.name or (options.model.stem if options.model else "model")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        parser.error(f"{name!r}: expected letters, digits, '.', '_' and '-', since the name is "
                     "part of a URL; choose one with --name")
    if (options.map or options.map_file) and not options.base:
        parser.error("--map: expected --base BASE.json, the model to map tensors to")
    if options.base and (given := [key for key in GRAPH if getattr(options, key) is not None
                                   and getattr(options, key) is not False]):
        parser.error(f"--{given[0].replace('_', '-')}: cannot be combined with --base, which "
                     "describes the whole module")
    if options.bins and options.windows or options.size and options.scale:
        parser.error("expected either --bins or --windows, and either --size or --scale")
    if options.size and len(options.size) != 2:
        parser.error("--size: expected H,W")
    if options.scale is not None and options.scale < 1:
        parser.error("--scale: expected a number from 1")
    if options.eps is not None and not 0 <= options.eps <= 1:
        parser.error("--eps: expected a number from 0 to 1")


def output_of(options, config):
    """Applies the options for y's size and form; -> a note on what was removed as a
    consequence, or None"""
    output, note = dict(config.get("output", {})), None
    if options.size or options.scale:
        for key in ("size", "scale"):
            output.pop(key, None)
        output.update({"size": list(options.size)} if options.size else {"scale": options.scale})
        if "upsample" in config:
            output.setdefault("upsample", config["upsample"])
    if options.form:
        output["as"] = options.form
        if options.form != "argmax" and output.pop("palette", None):
            note = "the base's palette is left out, because only argmax uses it"
    if output:
        config["output"] = output
    if "network" not in config:
        check_one_channel(config)
    return note


def check_one_channel(config):
    """With one channel argmax is always 0 and softmax always 1."""
    for i, stack in enumerate(ppm_config.branch_stacks(config)):
        channels = config["input"]["channels"]
        for kind, layer in map(ppm_config.layer, stack):
            channels = layer.get("channels", channels) if kind == "conv" else channels
            if kind == "softmax" and channels == 1:
                raise ExportError(f"branch {i} has 1 channel, whose softmax is always 1: expected "
                                  "sigmoid")
    answered = config.get("output", {}).get("as", "values")
    channels = ppm_config.channels_concatenated(config)
    for kind, layer in map(ppm_config.layer, config.get("head", [])):
        channels = layer.get("channels", channels) if kind == "conv" else channels
        answered = "softmax" if kind == "softmax" and channels == 1 else answered
    if channels == 1 and answered in ("softmax", "argmax"):
        raise ExportError(f"y has 1 channel, whose {answered} is always {int(answered == 'softmax')}: "
                          "expected --as values, and a sigmoid to separate two "
                          "classes (\"sigmoid\" as the last layer of the head)")


def find(checkpoint, options):
    """-> (configuration, {tensor of the model: name}, the Checkpoint of those names, the Candidate or
    None)"""
    if options.base:
        lines = list(read_lines(options.map_file)) if options.map_file else []
        lines += [("--map", line) for line in options.map]
        return (*export_mapped(checkpoint, options.base, lines), checkpoint, None)
    found = recognize(checkpoint, graph_of(options), options.kind, options.prefix)
    return found.config, found.sources, found.checkpoint, found


def graph_of(options):
    return Options(**{name: getattr(options, name) for name in GRAPH if name not in ("kind", "prefix")})


def values_of(checkpoint, config, sources, dtype):
    """-> {tensor of the model: (shape, flat float32 array)} in the model's kernel layout"""
    layout = config.get("weights", {}).get("kernel_layout", "OIHW")
    result = {}
    for tensor in ppm_config.tensors(config):
        source = checkpoint.tensors[sources[tensor.name]]
        values = as_dtype(source.values(checkpoint.path), dtype, f"{checkpoint.path}: {source.key}")
        if tensor.role == "weight" and layout != source.layout:
            out, channels, height, width = conv_shape(source.shape, source.layout)
            values = (values.reshape(out, channels, height, width).transpose(2, 3, 1, 0)
                      if layout == "HWIO"
                      else values.reshape(height, width, channels, out).transpose(3, 2, 0, 1))
        shape = (values.size,) if tensor.role == "slope" else tensor.shape
        result[tensor.name] = (shape, np.ascontiguousarray(values).reshape(-1))
    return result


def as_dtype(values, dtype, where):
    """-> float32; raises ExportError for values that the weights file cannot hold"""
    if not np.isfinite(values).all():
        raise ExportError(f"{where} holds values that are not finite")
    largest = values.flat[np.abs(values).argmax()] if values.size else 0
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16 if dtype == "F16" else np.float32)
    if not np.isfinite(rounded).all() or dtype == "BF16" and abs(largest) > LARGEST["BF16"]:
        way_out = "; --dtype F32 holds it" if abs(largest) <= LARGEST["F32"] else ""
        raise ExportError(f"{where} holds {largest:.8g}, but the largest number in {dtype} is "
                          f"{LARGEST[dtype]:.8g}{way_out}")
    if values.any() and not rounded.any():
        raise ExportError(f"{where} holds {largest:.8g} at most, which {dtype} rounds to 0"
                          + ("; --dtype F32 holds it" if np.float32(largest) else ""))
    return values.astype(np.float32)


def write(options, config, tensors):
    """Writes both files or, on failure, none; existing files then stay as they were."""
    model, weights = options.model, options.model.with_suffix(".safetensors")
    new = [file.with_name(f".{file.name}.{os.getpid()}") for file in (weights, model)]
    try:
        safetensors_io.save(new[0], tensors, options.dtype)
        new[1].write_text(as_json(config), encoding="utf-8")
        os.replace(new[0], weights)
        os.replace(new[1], model)
    except OSError as error:
        raise ExportError(f"{weights}: cannot write it: {error.strerror}") from None
    finally:
        for file in new:
            file.unlink(missing_ok=True)
    return weights


def as_json(config):
    """A line for each key, and for each layer of a stack."""
    def text(key, value):
        if key in ("branch", "head", "branches", "network"):
            return "[\n    " + ",\n    ".join(json.dumps(layer) for layer in value) + " ]"
        return json.dumps(value)

    return "{\n" + ",\n".join(f'  "{key}": {text(key, value)}'
                              for key, value in config.items()) + "\n}\n"


def report(checkpoint, options, config, sources, candidate, tensors, file):
    entry = f", entry {checkpoint.entry!r}" if checkpoint.entry else ""
    what = candidate.describe() if candidate else f"described by {options.base}"
    print(f"{checkpoint.path}{entry}: {what}")
    shape = "[N, H, W, {}]" if config["input"].get("layout") == "NHWC" else "[N, {}, H, W]"
    channels = ppm_config.channels_out(config.get("head", []),
                                       ppm_config.channels_concatenated(config))
    count = sum(values.size for _, values in tensors.values())
    print(f"  x {shape.format(config['input']['channels'])}, y {shape.format(channels)}"
          f"{' before its output' if 'output' in config else ''}, {plural(count, 'value')} in "
          f"{plural(len(tensors), 'tensor')}, {options.dtype}")
    print(f"  wrote {options.model}, {file}")
    if candidate:
        report_assumed(config, graph_of(options))
    if options.verbose:
        for name, source in sources.items():
            print(f"    {name} = {checkpoint.tensors[source].key}")
    if checkpoint.refused:
        names = checkpoint.refused[:REFUSED_SHOWN_MAX]
        more = len(checkpoint.refused) - len(names)
        print("  not read, because that could run code: " + printable(", ".join(names))
              + (f" and {more} more" if more else ""))
    report_skipped(checkpoint, set(sources.values()), options.verbose)


def report_assumed(config, graph):
    """Prints what the weights do not determine."""
    what = "windows" if "windows" in config else "bins"
    stack = (config["branches"] if "branches" in config else [config["branch"]])[0]
    eps = eps_of(stack) + eps_of(config.get("head", []))
    parts = [f"{what} {', '.join(map(str, config[what]))}", config["pool"], config["upsample"],
             config["concat"], f"branches with {activations_of(stack)}"]
    parts += [f"a head with {activations_of(config['head'])}"] if config.get("head") else []
    parts += [f"eps {eps[0]}"] if eps else []
    given = [f"--{name.replace('_', '-')}" for name in
             [name for name in ("bins", "windows") if getattr(graph, name)] + graph.given()]
    print(f"  assumed, since a checkpoint does not contain it, from the network's code"
          f"{' and ' + ', '.join(given) if given else ''}: " + ", ".join(parts))


def activations_of(stack):
    return ", ".join(kind + (f" {options['slope']}" if "slope" in options else "")
                     for kind, options in map(ppm_config.layer, stack)
                     if kind not in ("conv", "batch_norm")) or "no activation"


def eps_of(stack):
    return [options.get("eps", 1e-5) for kind, options in map(ppm_config.layer, stack)
            if kind == "batch_norm"]


def report_skipped(checkpoint, used, is_verbose):
    """Prints the network's tensors outside of the module, grouped by the first part of their names."""
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
    print(f"  skipped {plural(len(skipped), 'tensor')} of the rest of the network: {', '.join(shown)}"
          f"{more}")
    for key in skipped if is_verbose else []:
        print(f"    {key}")


def common_parts(keys):
    """The common beginning of all keys, up to a dot: module."""
    common = os.path.commonprefix(keys)
    return common[:common.rfind(".") + 1]


def export_script(options, weights):
    """A whole network from a TorchScript archive."""
    found = reading.read(options.checkpoint, options.output)
    tensors = {}
    for name, values in found.tensors.items():
        values = as_dtype(values.numpy(), options.dtype, f"{options.checkpoint}: {name}")
        tensors[name] = values.shape, np.ascontiguousarray(values).reshape(-1)
    config = {"name": options.name or options.model.stem, **found.config, "weights": {"file": weights.name}}
    output_of(options, config)
    write(options, config, tensors)
    print(f"{options.checkpoint}: {found.about}")
    print(f"  {plural(sum(values.size for _, values in tensors.values()), 'value')} in "
          f"{plural(len(tensors), 'tensor')}, {options.dtype}\n  wrote {options.model}, {weights}")
    for note in found.notes:
        print(f"  note: {note}")


def main(argv=None):
    options = arguments(argv)
    if options.model and archive.is_archive(options.checkpoint):
        return export_script(options, options.model.with_suffix(".safetensors"))
    checkpoint = files.read(options.checkpoint, options.entry)
    if options.kernels:
        checkpoint.set_layout(options.kernels)
    if options.list:
        for tensor in checkpoint.tensors.values():
            print(f"{tensor.key} {list(tensor.shape)}")
        return
    weights = options.model.with_suffix(".safetensors")
    for file in (options.model, weights):
        if file.exists() and file.samefile(options.checkpoint):
            raise ExportError(f"{file}: the checkpoint itself would be overwritten: choose "
                              "another name for MODEL.json")
        if file.is_dir():
            raise ExportError(f"{file}: a folder, expected a file name")
    config, sources, checkpoint, candidate = find(checkpoint, options)
    note = output_of(options, config) or (candidate and candidate.kind.note)
    tensors = values_of(checkpoint, {"weights": {}, **config}, sources, options.dtype)
    config = {"name": options.name or options.model.stem,
              **{key: value for key, value in config.items() if key not in ("name", "weights")},
              "weights": {"file": weights.name, **config.get("weights", {})}}
    write(options, config, tensors)
    report(checkpoint, options, config, sources, candidate, tensors, weights)
    if note:
        print(f"  note: {note}")


def run():
    """-> exit status"""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if sys.stdout:
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            main()
        finally:
            if sys.stdout:
                sys.stdout.flush()
        return 0
    except ExportError as error:
        print(f"export.py: {printable(str(error))[:SENTENCE_MAX]}", file=sys.stderr)
    except BrokenPipeError:  # the reader has enough; the files are written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print("export.py: out of memory", file=sys.stderr)
    except OSError as error:
        print(f"export.py: {error.filename or 'standard output'}: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("export.py: interrupted", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(run())
