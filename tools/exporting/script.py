"""What a module becomes: a TorchScript archive, or the user's own code, which is traced."""
from checkpoints import ExportError, files
from checkpoints.sizes import plural
from checkpoints.tensor import Checkpoint, Tensor
from networks.net import Source

from .model import Model
from .options import OF_CHECKPOINTS, given_of

SHOWN_MAX = 6


def find_script(options):
    """-> Model"""
    paths = options.checkpoints
    what = f"--module {options.module}" if options.module else f"{paths[0]}: a TorchScript archive"
    if not options.module and paths[1:]:
        raise ExportError(f"{what}, which has the whole network: expected no {paths[1]} beside it")
    if given := given_of(options, OF_CHECKPOINTS):
        raise ExportError(f"{what}, whose code says what the network is: {given[0]} cannot change that")
    if not options.module and (options.entry or options.prefix):
        raise ExportError(f"{what}, which has no {'--entry' if options.entry else '--prefix'}")
    try:
        from torchscript import reading  # needs torch, which nothing else does
    except ImportError:
        raise ExportError(f"{what}, which only PyTorch can read (apt-get install python3-torch, and run this with "
                          "/usr/bin/python3)") from None
    path, notes = ", ".join(paths) or options.module.partition(":")[0], []
    if options.module:
        found = reading.read_code(options.module, options.example, options.output,
                                  lambda module: load_weights(module, options, notes))
    else:
        found = reading.read(paths[0], options.output, options.example)
    size = found.config.get("output", {}).get("size", "input")
    if size != "input" and not options.size and not options.scale:
        notes.append(f"y has {size[0]} x {size[1]} pixels whatever the size of x, since the code has these numbers as "
                     "constants; --size input stretches it to the size of x")
    tensors = {name: Tensor(name, values.shape, values.dtype, numbers_of(values).numpy)
               for name, values in found.tensors.items()}
    return Model(found.config, {name: Source(name, tensor.shape, None) for name, tensor in tensors.items()},
                 Checkpoint(path, tensors), found.about, found.channels, notes=[*notes, *found.notes])


def numbers_of(values):
    """NumPy has no bfloat16."""
    return values.float() if str(values.dtype) == "torch.bfloat16" else values


def load_weights(module, options, notes):
    """Puts the tensors of a checkpoint into the module, if one is given."""
    if not options.checkpoints:
        notes.append("the weights are those that the code makes, since no checkpoint is given")
        return
    import torch
    checkpoint = files.read_parts(options.checkpoints, options.entry)
    own = module.state_dict()
    prefix = options.prefix if options.prefix is not None else prefix_of(own, checkpoint)
    for name, values in own.items():
        found = checkpoint.tensors.get(prefix + name)
        if found is None and not name.endswith("num_batches_tracked"):
            raise ExportError(f"{checkpoint.path}: lacks {prefix}{name}, which the module has")
        if found is not None and tuple(found.shape) != tuple(values.shape):
            raise ExportError(f"{checkpoint.path}: {found.key} has the shape {list(found.shape)}, the module's "
                              f"{list(values.shape)}")
        if found is not None:
            values.copy_(torch.from_numpy(found.values(checkpoint.path).copy()))
    left = [tensor.key for name, tensor in checkpoint.tensors.items()
            if not (name.startswith(prefix) and name[len(prefix):] in own)]
    notes += [checkpoint.assumed] if checkpoint.assumed else []
    if left:
        more = f" and {len(left) - SHOWN_MAX} more" if len(left) > SHOWN_MAX else ""
        notes.append(f"the module has no place for {plural(len(left), 'tensor')} of {checkpoint.path}: "
                     + ", ".join(left[:SHOWN_MAX]) + more)


def prefix_of(own, checkpoint):
    """What the checkpoint has before the module's names, such as module."""
    names = [name for name in own if not name.endswith("num_batches_tracked")]
    if not names:
        return ""
    prefixes = [name[:len(name) - len(names[0])] for name in checkpoint.tensors if name.endswith(names[0])]
    count = {prefix: sum(prefix + name in checkpoint.tensors for name in names) for prefix in prefixes}
    whole = [prefix for prefix in count if count[prefix] == len(names)]
    if len(whole) > 1:
        more = f" and {len(whole) - SHOWN_MAX} more" if len(whole) > SHOWN_MAX else ""
        raise ExportError(f"{checkpoint.path}: found more than one set of the module's weights: at "
                          + ", ".join(repr(prefix) for prefix in whole[:SHOWN_MAX]) + more
                          + "; choose one with --prefix")
    return max(count, key=count.get, default="")
