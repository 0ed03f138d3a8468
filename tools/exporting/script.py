"""What a TorchScript archive becomes."""
from checkpoints import ExportError
from checkpoints.tensor import Checkpoint, Tensor
from networks.net import Source

from .model import Model


def find_script(options):
    """-> Model"""
    try:
        from torchscript import reading  # needs torch, which nothing else does
    except ImportError:
        raise ExportError(f"{options.checkpoint}: a TorchScript archive, which only PyTorch can read (apt-get install "
                          "python3-torch, and run this with /usr/bin/python3)") from None
    found = reading.read(options.checkpoint, options.output)
    tensors = {name: Tensor(name, values.shape, values.dtype, values.numpy) for name, values in found.tensors.items()}
    return Model(found.config, {name: Source(name, tensor.shape, None) for name, tensor in tensors.items()},
                 Checkpoint(options.checkpoint, tensors), found.about, notes=list(found.notes))
