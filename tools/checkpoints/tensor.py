"""A checkpoint and its tensors, whatever the format.

Names become PyTorch's: what TensorFlow and Keras call conv2d/kernel:0 or bn/moving_mean is
conv2d.weight or bn.running_mean here, so that the rest of the code knows one kind of name.
"""
import numpy as np

from . import ExportError
from .sizes import printable

# TensorFlow's and Keras's parameters, including caffe-tensorflow's
LEAVES = {"kernel": "weight", "depthwise_kernel": "weight", "weights": "weight", "depthwise_weights": "weight",
          "gamma": "weight", "scale": "weight", "alpha": "weight",
          "bias": "bias", "biases": "bias", "beta": "bias", "offset": "bias",
          "moving_mean": "running_mean", "mean": "running_mean",
          "moving_variance": "running_var", "variance": "running_var"}

# the order of kernels with these names; unknown for others
LAYOUTS = {"weight": "OIHW", "kernel": "HWIO", "weights": "HWIO", "depthwise_kernel": "HWIO",
           "depthwise_weights": "HWIO"}


class Tensor:
    """One tensor: its key in the file, its shape, the name of its type, and read() for its values,
    which may raise an ExportError. layout: of a convolution's kernel,
    "OIHW" as PyTorch's or "HWIO" as TensorFlow's; None if the file does not tell. aliases: other
    names that a map may use."""

    def __init__(self, key, shape, dtype, read, layout=None, aliases=()):
        self.key, self.shape, self.dtype = printable(key), tuple(shape), printable(str(dtype))
        self.read, self.layout, self.aliases = read, layout, aliases
        self.problem = None  # why it cannot be read, if its shape cannot either

    def values(self, path):
        """-> array of floats, unconverted"""
        try:
            values = np.asarray(self.read())
        except ExportError as error:
            raise ExportError(f"{path}: {self.key} {error}") from None
        except Exception as error:  # a damaged file can raise anything
            raise ExportError(f"{path}: {self.key} cannot be read: {type(error).__name__}: "
                              f"{printable(str(error))[:200]}") from None
        if values.dtype.kind not in "biuf":
            raise ExportError(f"{path}: {self.key} has the type {values.dtype}, expected real numbers")
        return values if values.dtype.kind == "f" else values.astype(np.float64)


def unread(key, shape, kind):
    """A tensor whose type cannot be read, which matters only if the model needs it."""
    def read():
        raise ExportError(tensor.problem)

    tensor = Tensor(key, shape, kind, read)
    tensor.problem = f"has a type {kind}, expected real numbers"
    return tensor


class Checkpoint:
    """tensors: {name: Tensor}; entry: the part of the file that was used, None for all of it; refused: what
    was not read because it could run code; alternative: the same file under other names, tried
    if no kind has these; assumed: what the names follow from, None if they are the file's."""

    def __init__(self, path, tensors, entry=None, refused=(), alternative=None, assumed=None):
        self.path, self.tensors, self.entry = path, tensors, entry
        self.refused, self.alternative, self.assumed = refused, alternative, assumed

    def set_layout(self, layout):
        """The user's choice of the order of kernels."""
        for tensor in self.tensors.values():
            tensor.layout = layout
        if self.alternative:
            self.alternative.set_layout(layout)


def conv_shape(shape, layout):
    """-> (out, in, kernel height, kernel width); a fully connected layer is a 1x1 convolution"""
    is_hwio = layout == "HWIO"
    if len(shape) == 2:
        shape = (1, 1, *shape) if is_hwio else (*shape, 1, 1)
    if len(shape) != 4:
        return None
    h, w, channels, out = shape if is_hwio else (shape[2], shape[3], shape[1], shape[0])
    return out, channels, h, w


def depthwise_shape(tensor):
    """-> the same of a depthwise kernel [H, W, C, 1], as TensorFlow has it; None if it cannot be one"""
    if tensor.layout != "HWIO" or len(tensor.shape) != 4 or tensor.shape[3] != 1:
        return None
    return tensor.shape[2], 1, *tensor.shape[:2]


def leaf_of(key):
    """conv5_4/weights:0 -> weights; layer1.0.conv1.weight -> weight"""
    return key.partition(":")[0].replace("/", ".").rpartition(".")[2]


def pytorch_name(key):
    """conv5_4/weights:0 -> conv5_4.weight; None for a key of another style."""
    stem, slash, leaf = key.partition(":")[0].rpartition("/")
    return f"{stem}.{LEAVES[leaf]}" if slash and leaf in LEAVES else None


def named_by_pytorch(path, tensors, refused=()):
    """tensors: a Tensor for each key, in the order of the file. If all names are PyTorch's,
    a slash counts as a dot."""
    leaves = {leaf_of(key) for key in tensors}
    is_pytorch = "weight" in leaves and not leaves & set(LEAVES) - {"bias", "scale"}
    names = {}
    for key, tensor in tensors.items():
        name = key.replace("/", ".") if is_pytorch else pytorch_name(key)
        names[key if name is None or name in names else name] = tensor
    return Checkpoint(path, names, refused=refused)
