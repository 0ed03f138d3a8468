#!/usr/bin/python3
"""usage: tools/export.py CHECKPOINT... MODEL.json [OPTION...]
       tools/export.py [CHECKPOINT] MODEL.json --module FILE.py:CALL --example N,C,H,W
       tools/export.py CHECKPOINT... --list | --suggest

Writes a model of the network in a checkpoint, or with --head of its pyramid pooling module alone: MODEL.json, and its
weights as MODEL.safetensors in the same folder. The checkpoint is from PyTorch (.pth, .pt, and TorchScript archives),
Keras (.h5, .keras) or NumPy (.npz, .npy), or safetensors; docs/weights.md shows each kind. Needs python3-numpy,
python3-h5py for Keras files, and python3-torch for TorchScript."""
import os
import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules load: Ctrl-C ends it without a traceback

try:
    import numpy  # noqa: F401: to say how it is installed before anything else needs it
except ImportError:
    raise SystemExit("export.py: NumPy is missing (apt-get install python3-numpy, and run this "
                     "with /usr/bin/python3)") from None

from checkpoints import ExportError, files, suggest
from checkpoints.sizes import printable
from exporting.files import as_json, values_of, write
from exporting.model import find, image_of, output_of
from exporting.options import arguments
from exporting.report import report
from exporting.script import find_script
from torchscript.archive import is_archive

SENTENCE_MAX = 2000


def main(argv=None):
    options = arguments(argv, __doc__.split("\n\n", 1)[1])
    if options.list:
        return list_tensors(read(options))
    if options.suggest:
        return print_base(read(options))
    weights = options.model.with_suffix(".safetensors")
    for file in (options.model, weights):
        if file.exists() and any(file.samefile(path) for path in options.checkpoints):
            raise ExportError(f"{file}: the checkpoint itself would be overwritten: choose "
                              "another name for MODEL.json")
        if file.is_dir():
            raise ExportError(f"{file}: a folder, expected a file name")
    if not is_code(options) and (options.output or options.example):
        option = "--output" if options.output else "--example"
        raise ExportError(f"{options.checkpoints[0]}: weights alone, where {option} is for TorchScript archives and "
                          "--module")
    model = find_script(options) if is_code(options) else find(read(options), options)
    output_of(options, model)
    image_of(options, model)
    tensors = values_of(model.checkpoint, model.sources, options.dtype)
    config = {"name": options.name or options.model.stem,
              **{key: value for key, value in model.config.items() if key not in ("name", "weights")},
              "weights": {"file": weights.name, **model.config.get("weights", {})}}
    write(options, config, tensors)
    report(options, model, tensors, weights)


def is_code(options):
    return bool(options.module) or is_archive(options.checkpoints[0])


def read(options):
    checkpoint = files.read_parts(options.checkpoints, options.entry)
    if options.kernels:
        checkpoint.set_layout(options.kernels)
    return checkpoint


def list_tensors(checkpoint):
    for tensor in checkpoint.tensors.values():
        print(f"{tensor.key} {list(tensor.shape)}")


def print_base(checkpoint):
    base = suggest.suggested(checkpoint)
    if not base:
        raise ExportError(f"{checkpoint.path}: no shapes of its tensors look like those of a pyramid: several 1x1 "
                          "convolutions of C channels, and one that reads these and what they compute")
    print(as_json(base), end="")
    print(f"export.py: {suggest.GUESSES}", file=sys.stderr)


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
