"""libppm by ctypes: the structs and functions of ppm.h that this package uses, under their names."""
import ctypes
import enum
import os
import pathlib
from ctypes import POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_int, c_size_t, c_uint8, c_uint64, c_void_p

SONAME = "libppm.so.0"
PPM_ERROR_TEXT_BYTES = 512
PPM_INPUTS_MAX = 8


class Status(enum.IntEnum):
    """Why something was refused: enum ppm_status."""
    OK = 0
    MALFORMED = 1
    UNFIT = 2
    TOO_LARGE = 3
    BAD_CONFIG = 4
    IO = 5
    NO_MEMORY = 6
    CANCELLED = 7


class Error(Exception):
    """What went wrong, in one sentence. status: a Status."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = Status(status)

    def __reduce__(self):
        return Error, (self.status, str(self))


class ppm_error(Structure):
    _fields_ = [("status", c_int), ("text", c_char * PPM_ERROR_TEXT_BYTES)]


class ppm_shape(Structure):
    _fields_ = [("n", c_size_t), ("c", c_size_t), ("h", c_size_t), ("w", c_size_t)]


class ppm_sizes(Structure):
    _fields_ = [("inputs", ppm_shape * PPM_INPUTS_MAX), ("count", c_size_t),
                ("output_h", c_size_t), ("output_w", c_size_t), ("image_h", c_size_t), ("image_w", c_size_t),
                ("is_soft", c_bool)]


class ppm_tensor(Structure):
    _fields_ = [("shape", ppm_shape), ("layout", c_int), ("dtype", c_int), ("is_batch", c_bool), ("data", c_void_p)]


class ppm_input_info(Structure):
    _fields_ = [("name", c_char_p), ("channels", c_size_t)]


class ppm_compute_error(Structure):
    _fields_ = [("error", c_double), ("sizes", ppm_sizes)]


class ppm_class_info(Structure):
    _fields_ = [("name", c_char_p), ("color", c_uint8 * 3)]


class ppm_model_info(Structure):
    _fields_ = [
        ("name", c_char_p), ("config_json", c_char_p), ("unused", c_char_p),
        ("inputs", ppm_input_info * PPM_INPUTS_MAX), ("input_count", c_size_t), ("pools_input", c_bool),
        ("output_channels", c_size_t), ("layout", c_int), ("output_dtype", c_int), ("classes", c_size_t),
        ("palette", POINTER(c_uint8 * 3)), ("palette_count", c_size_t),
        ("class_list", POINTER(ppm_class_info)), ("class_count", c_size_t), ("takes_images", c_bool),
        ("image", c_void_p), ("parameters", c_uint64), ("parameters_bytes", c_uint64),
        ("isa", c_char_p), ("compute", c_char_p), ("compute_share", c_double), ("compute_error", ppm_compute_error),
        ("layer_count", c_size_t), ("step_count", c_size_t), ("warm_up", POINTER(ppm_sizes)),
        ("warm_up_count", c_size_t)]


class ppm_run_options(Structure):
    _fields_ = [
        ("threads", c_int), ("reference", c_bool), ("is_cancelled", c_void_p), ("cancel_context", c_void_p),
        ("ret_times", c_void_p), ("ret_step_ms", c_void_p), ("output_h", c_size_t), ("output_w", c_size_t),
        ("plan", c_void_p), ("scratch", c_void_p), ("scratch_bytes", c_size_t), ("pooling", c_void_p),
        ("stages", c_void_p)]


class ppm_image(Structure):
    _fields_ = [("pixels", c_void_p), ("width", c_size_t), ("height", c_size_t)]


# name: (result, arguments)
FUNCTIONS = {
    "ppm_version": (c_char_p, []),
    "ppm_default_threads": (c_int, []),
    "ppm_layout_from_name": (c_bool, [c_char_p, POINTER(c_int)]),
    "ppm_layout_name": (c_char_p, [c_int]),
    "ppm_dtype_name": (c_char_p, [c_int]),
    "ppm_tensor_axes": (c_size_t, [POINTER(ppm_tensor), POINTER(c_size_t)]),
    "ppm_tensor_from_axes": (c_int, [POINTER(c_size_t), c_size_t, c_int, POINTER(ppm_tensor), POINTER(ppm_error)]),
    "ppm_tensor_free": (None, [POINTER(ppm_tensor)]),
    "ppm_model_load": (c_void_p, [c_char_p, c_void_p, POINTER(ppm_error)]),
    "ppm_model_free": (None, [c_void_p]),
    "ppm_model_info": (None, [c_void_p, POINTER(ppm_model_info)]),
    "ppm_run": (c_int, [c_void_p, POINTER(ppm_tensor), POINTER(ppm_run_options), POINTER(ppm_tensor),
                        POINTER(ppm_error)]),
    "ppm_image_run": (c_int, [c_void_p, POINTER(ppm_image), POINTER(ppm_run_options), POINTER(ppm_tensor),
                              POINTER(ppm_error)]),
}


def load():
    """LIBPPM, if the environment has it; else the library in this folder, as in a wheel; else the system's."""
    beside = pathlib.Path(__file__).with_name(SONAME)
    name = os.environ.get("LIBPPM") or (str(beside) if beside.exists() else SONAME)
    try:
        library = ctypes.CDLL(name)
        for function, (result, arguments) in FUNCTIONS.items():
            getattr(library, function).restype = result
            getattr(library, function).argtypes = arguments
    except (OSError, AttributeError) as error:
        raise ImportError(f"libppm: {error}; LIBPPM in the environment names another file") from error
    return library


library = load()


def check(status, error):
    if status != Status.OK:
        raise Error(status, error.text.decode("utf-8", "replace"))
