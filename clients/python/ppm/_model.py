"""Models: loaded, described, run."""
import ctypes
import operator
import os
import weakref
from ctypes import byref

import numpy as np

from . import _team
from ._images import pixels_of
from ._info import DTYPES, info_of
from ._labels import labels_of
from ._library import Error, Status, check, library, ppm_error, ppm_image, ppm_run_options, ppm_tensor

EXTENT_MAX = 2 ** 31 - 1


class Loaded:
    """A struct ppm_model, freed once nobody uses it: runs keep it while a Model is closed."""

    def __init__(self, path):
        error = ppm_error()
        self.handle = library.ppm_model_load(os.fsencode(path), None, byref(error))
        check(error.status, error)

    def __del__(self):
        library.ppm_model_free(getattr(self, "handle", None))


class Model:
    """A model from its JSON file; its weights are found beside it.

    Threads may share a Model. close(), the end of a with statement or garbage collection frees it, after the
    runs that use it."""

    def __init__(self, path):
        self._loaded = Loaded(path)
        self.info = info_of(self._loaded.handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        inputs = ", ".join(f"{each.name}: {each.channels}" for each in self.info.inputs)
        return f"<ppm.Model {self.info.name} ({inputs}) -> {self.info.output_channels} {self.info.dtype}>"

    def close(self):
        self._loaded = None

    def run(self, x, *, layout=None, size=None, threads=None, reference=False):
        """The model's answer, a new array: float32, or int32 for labels.

        x: [N, C, H, W], or [C, H, W] without a batch; with layout="NHWC", [N, H, W, C] or [H, W, C]. The answer
        has the axes of x. For several inputs, a dict of such arrays by name. A float32 array in C order is read
        where it is; others are converted to a copy. Nobody may write to it during the run.
        size: (H, W) of the answer; None for the model's own.
        threads: to compute on; None for all cores that this process may use. The values do not depend on it.
        reference: by plain loops in double precision, to compare with; slow."""
        arrays = [array_of(name, value) for name, value in self._by_input(x)]
        layout = layout_of(self.info.layout if layout is None else layout)
        tensors = (ppm_tensor * len(arrays))(*(tensor_of(array, layout) for array in arrays))
        if len({tensor.is_batch for tensor in tensors}) > 1:
            raise Error(Status.MALFORMED, f"model {self.info.name}: some inputs have the axis N, others do not")
        return self._compute(library.ppm_run, tensors, options_of(size, threads, reference))

    def run_image(self, image, *, size=None, threads=None):
        """The model's answer to an image, [C, H, W] or [H, W, C] as info.layout says, at the image's size.

        image: the path of a file, a PIL image, or an array of uint8 [H, W, 3], red, green and blue. Pillow reads
        files; they are turned upright, alpha is over black. size and threads as for run()."""
        pixels = pixels_of(image)
        wanted = ppm_image(pixels.ctypes.data, pixels.shape[1], pixels.shape[0])
        return self._compute(library.ppm_image_run, byref(wanted), options_of(size, threads))

    def label(self, image, *, size=None, threads=None):
        """The label of each pixel, and the classes that there are: a Labels. image as for run_image()."""
        if not self.info.label_count or self.info.output_channels != 1:
            raise Error(Status.UNFIT, f"model {self.info.name}: its answer is no map of labels; run_image() has it")
        y = self.run_image(image, size=size, threads=threads)
        return labels_of(y[0] if self.info.layout == "NCHW" else y[:, :, 0], self.info)

    def _compute(self, function, given, options):
        loaded, y, error = self._loaded, ppm_tensor(), ppm_error()
        if not loaded:
            raise Error(Status.UNFIT, f"model {self.info.name} is closed")
        with _team.turn(options.threads):
            check(function(loaded.handle, given, byref(options), byref(y), byref(error)), error)
        return array_from(y)

    def _by_input(self, x):
        """(name, value) of each input, in the model's order."""
        names = [each.name for each in self.info.inputs]
        if not isinstance(x, dict):
            if len(names) > 1:
                raise Error(Status.UNFIT, f"model {self.info.name}: found one array, expected a dict with "
                            f"{' and '.join(names)}")
            return [(names[0], x)]
        if set(x) != set(names):
            raise Error(Status.UNFIT, f"model {self.info.name}: found inputs {', '.join(map(str, x)) or '(none)'}, "
                        f"expected {', '.join(names)}")
        return [(name, x[name]) for name in names]


def options_of(size, threads, reference=False):
    h, w = (0, 0) if size is None else pair_of(size)
    return ppm_run_options(threads=_team.threads_of(threads), reference=bool(reference), output_h=h, output_w=w)


def pair_of(size):
    try:
        h, w = (operator.index(extent) for extent in size)
    except (TypeError, ValueError):
        h = w = 0
    if not (0 < h <= EXTENT_MAX and 0 < w <= EXTENT_MAX):
        raise Error(Status.MALFORMED, f"size: found {size!r}, expected (H, W) in pixels")
    return h, w


def layout_of(name):
    layout = ctypes.c_int()
    if not isinstance(name, str) or not library.ppm_layout_from_name(name.encode(), byref(layout)):
        raise Error(Status.MALFORMED, f"layout: found {name!r}, expected \"NCHW\" or \"NHWC\"")
    return layout.value


def array_of(name, value):
    """float32 in C order: the value itself, or a copy."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Error(Status.MALFORMED, f"{name}: expected an array of numbers: {error}") from error
    if array.dtype.kind not in "biuf":
        raise Error(Status.MALFORMED, f"{name}: found {array.dtype}, expected numbers")
    return np.require(array, np.float32, ("C_CONTIGUOUS", "ALIGNED"))


def tensor_of(array, layout):
    """What the array holds; it must outlive the tensor."""
    tensor, error = ppm_tensor(), ppm_error()
    axes = (ctypes.c_size_t * array.ndim)(*array.shape)
    check(library.ppm_tensor_from_axes(axes, array.ndim, layout, byref(tensor), byref(error)), error)
    tensor.data = array.ctypes.data
    return tensor


def array_from(tensor):
    """An array over the memory of a tensor, which is freed with the array's last view."""
    axes = (ctypes.c_size_t * 4)()
    shape = axes[:library.ppm_tensor_axes(byref(tensor), axes)]
    memory = (ctypes.c_char * (4 * int(np.prod(shape)))).from_address(tensor.data)
    weakref.finalize(memory, library.ppm_tensor_free, tensor).atexit = False
    return np.frombuffer(memory, DTYPES[tensor.dtype]).reshape(shape)
