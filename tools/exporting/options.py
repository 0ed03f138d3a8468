"""The command line of tools/export.py."""
import argparse
import json
import pathlib
import re

from checkpoints.kinds import KINDS as HEADS
from networks.kinds import KINDS as NETWORKS

from . import module

UPSAMPLE = ("align_corners", "half_pixel", "asymmetric")
CONCAT = ("input_first", "input_last", "branches")
POOL = ("adaptive", "same", "valid")
FORMS = ("values", "softmax", "argmax", "sigmoid")
ACTIVATIONS = ("none", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu",
               "hardswish", "hardsigmoid", "mish", "softplus")
# what no checkpoint contains, in the order in which the report says what was given
ASSUMED = ("bins", "windows", "pool", "upsample", "concat", "backbone_activation", "branch_activation",
           "head_activation", "eps", "stride", "depth")
OF_NETWORKS = ("stride", "depth", "backbone_activation")  # what a head does not have
# what a module's code says
OF_CHECKPOINTS = ("kind", "kernels", *ASSUMED, "head", "without_classifier", "base", "map", "map_file")
GRAPH = ("kind", "prefix", *ASSUMED, "head", "without_classifier")


# what the server takes
BRANCHES_MAX, BIN_MAX, WINDOW_MAX, EXTENT_MAX, SCALE_MAX, SLOPE_MAX = 64, 4096, 1 << 16, 1 << 16, 256, 100
MEAN_MAX, STD_MIN, STD_MAX = 1e6, 1e-6, 1e6


class Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the list of options that would hide it."""

    def error(self, message):
        self.exit(2, f"export.py: {message}; --help shows all options\n")


def arguments(argv, description):
    parser = Parser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["whole networks:", *dict.fromkeys(map(row, NETWORKS)), "heads:", *map(row, HEADS)]))
    parser.add_argument("files", metavar="FILE", nargs="*",
                        help="CHECKPOINT, or several that each have a part of the network, then MODEL.json")
    parser.add_argument("--list", action="store_true", help="show the checkpoint's tensors")
    parser.add_argument("--suggest", action="store_true",
                        help="print a base for --base, where shapes alone show a pyramid")
    parser.add_argument("--verbose", action="store_true", help="name every tensor, including skipped ones")
    found = parser.add_argument_group("the checkpoint, if its contents are ambiguous")
    found.add_argument("--entry", help="the entry with the state_dict, in a PyTorch file")
    found.add_argument("--kind", choices=sorted({kind.name for kind in NETWORKS + HEADS}), metavar="KIND")
    found.add_argument("--prefix", help="what precedes the network's or module's names, such as module.")
    found.add_argument("--kernels", choices=("OIHW", "HWIO"),
                       help="the order of convolution weights: PyTorch's or TensorFlow's")
    found.add_argument("--head", action="store_true",
                       help="the pyramid pooling module and what follows it, without the backbone")
    graph = parser.add_argument_group("what a checkpoint does not contain, if the kind's default is wrong")
    graph.add_argument("--bins", type=numbers, metavar="B,B,...", help="in the order of the branches")
    graph.add_argument("--windows", type=numbers, metavar="W,W,...", help="pixels, instead of bins")
    graph.add_argument("--pool", choices=POOL)
    graph.add_argument("--upsample", choices=UPSAMPLE)
    graph.add_argument("--concat", choices=CONCAT)
    graph.add_argument("--backbone-activation", type=activation, metavar="A",
                       help="of a whole network, before its pyramid")
    graph.add_argument("--branch-activation", type=activation, metavar="A",
                       help="at the end of each branch: " + ", ".join(ACTIVATIONS)
                       + ", or leaky_relu:SLOPE")
    graph.add_argument("--head-activation", type=activation, metavar="A",
                       help="of the head, before its classifier")
    graph.add_argument("--eps", type=float, help="of the norms")
    graph.add_argument("--stride", type=int, metavar="S",
                       help="how much smaller than the image a backbone's map is: 8, 16 or 32")
    graph.add_argument("--depth", type=int, metavar="D",
                       help="of an encoder, whose stages may be more than the network runs: 3 to 5")
    graph.add_argument("--without-classifier", action="store_true",
                       help="the head alone, before the convolution to classes")
    module.add_options(parser)
    mapped = parser.add_argument_group("a module of an unknown kind")
    mapped.add_argument("--base", metavar="BASE.json", help="the model, written by hand")
    mapped.add_argument("--map", action="append", default=[], metavar="TENSOR=KEY",
                        help="a tensor of BASE.json and its key in the checkpoint, or the beginnings of "
                        "both; {i} and {n} are the branch, from 0 and from 1")
    mapped.add_argument("--map-file", metavar="FILE", help="a file of such lines; # starts a comment")
    result = parser.add_argument_group("the model")
    result.add_argument("--name", help="[the file name]")
    result.add_argument("--size", type=size, metavar="H,W",
                        help="stretch y to this size, or to that of the \"input\"")
    result.add_argument("--scale", type=int, metavar="K", help="or to K times its size")
    result.add_argument("--as", dest="form", choices=FORMS)
    result.add_argument("--threshold", type=float, metavar="T", help="for --as sigmoid: labels above T, from 0 to 1")
    result.add_argument("--image", type=image, metavar="M,M,M/S,S,S",
                        help="photos are inputs: x = (pixel - M) / S, with pixels from 0 to 255; with /BGR after it, in "
                        "that order; \"none\": tensors only [what the kind's repository does]")
    result.add_argument("--dtype", choices=("F32", "F16", "BF16"), default="F32",
                        help="of the weights file")
    options = parser.parse_intermixed_args(argv)
    place_files(options)
    check(parser, options)
    return options


def place_files(options):
    """Sets checkpoints and model: the last file, which --list and --suggest do without, as --module does without a
    checkpoint."""
    *checkpoints, last = options.files or [None]
    is_shown = (options.list or options.suggest) and not (last or "").endswith(".json")
    has_model = last and (options.module or checkpoints) and not is_shown
    options.model = pathlib.Path(last) if has_model else None
    options.checkpoints = checkpoints if has_model else options.files


def row(kind):
    return f"  {kind.name:25} {kind.about}"


def numbers(text):
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise ValueError
    return values


def size(text):
    return text if text == "input" else numbers(text)


def image(text):
    """-> the image of a model's input, or "none" """
    if text == "none":
        return text
    mean, std, *order = text.split("/")
    if order not in ([], ["RGB"], ["BGR"]):
        raise ValueError
    mean, std = ([json.loads(part) for part in values.split(",")] for values in (mean, std))
    if not len(mean) == len(std) == 3 or not all(type(value) in (int, float) for value in mean + std):
        raise ValueError
    if not all(abs(value) <= MEAN_MAX for value in mean) or not all(STD_MIN <= value <= STD_MAX for value in std):
        raise ValueError
    return {"mean": mean, "std": std, **({"order": "BGR"} if order == ["BGR"] else {})}


def activation(text):
    """A layer of the configuration, or "none"."""
    name, _, slope = text.partition(":")
    if name not in ACTIVATIONS or slope and name != "leaky_relu":
        raise ValueError
    if slope and not abs(float(slope)) <= SLOPE_MAX:
        raise ValueError
    return {name: {"slope": float(slope)}} if slope else name


def given_of(options, names):
    """-> those of these options that the user gave, as they are written"""
    given = {name: getattr(options, name) for name in names}
    return [f"--{name.replace('_', '-')}" for name, value in given.items()
            if value is not None and value is not False and value != []]


def check(parser, options):
    """Checks that argparse cannot make; exits with status 2."""
    module.check(parser, options)
    if not options.list and not options.suggest and not options.model:
        parser.error("expected MODEL.json, the file to write, or --list")
    if options.model and options.model.suffix != ".json":
        parser.error(f"{options.model}: expected a name that ends in .json")
    name = options.name or (options.model.stem if options.model else "model")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        parser.error(f"{name!r}: expected letters, digits, '.', '_' and '-', since the name is "
                     "part of a URL; choose one with --name")
    if (options.map or options.map_file) and not options.base:
        parser.error("--map: expected --base BASE.json, the model to map tensors to")
    if options.base and (given := given_of(options, GRAPH)):
        parser.error(f"{given[0]}: cannot be combined with --base, which describes the whole module")
    if options.bins and options.windows or options.size and options.scale:
        parser.error("expected either --bins or --windows, and either --size or --scale")
    if options.size and options.size != "input" and len(options.size) != 2:
        parser.error("--size: expected H,W")
    check_numbers(parser, options)
    if options.threshold is not None and (options.form != "sigmoid" or not 0 <= options.threshold <= 1):
        parser.error("--threshold: expected --as sigmoid, and a number from 0 to 1")
    if (options.head or options.without_classifier) and (given := given_of(options, OF_NETWORKS)):
        parser.error(f"{given[0]}: is of a whole network, not of a head")
    if options.eps is not None and not 0 <= options.eps <= 1:
        parser.error("--eps: expected a number from 0 to 1")


def check_numbers(parser, options):
    for option, values, most in (("bins", options.bins, BIN_MAX), ("windows", options.windows, WINDOW_MAX)):
        if values and (max(values) > most or len(values) > BRANCHES_MAX):
            parser.error(f"--{option}: expected up to {BRANCHES_MAX} numbers from 1 to {most}")
    if options.size and options.size != "input" and max(options.size) > EXTENT_MAX:
        parser.error(f"--size: expected numbers from 1 to {EXTENT_MAX}")
    if options.scale is not None and not 1 <= options.scale <= SCALE_MAX:
        parser.error(f"--scale: expected a number from 1 to {SCALE_MAX}")
