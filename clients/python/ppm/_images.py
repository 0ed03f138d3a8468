"""Images as pixels: arrays as they are, files and PIL images through Pillow."""
import contextlib
import os

import numpy as np

from ._library import Error, Status

try:
    import PIL.Image
except ImportError:
    PIL = None

DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # 16 bits of gray, of which convert() would clip all above 255


def pixels_of(image):
    """uint8 [H, W, 3] in C order, from a path, a PIL image or such an array: upright, alpha over black."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise Error(Status.MALFORMED, f"image: found {image.dtype} {list(image.shape)}, expected uint8 [H, W, 3]")
        return np.ascontiguousarray(image)
    if PIL is None:
        raise Error(Status.UNFIT, "image: expected an array of uint8 [H, W, 3]; files need Pillow, which is not "
                    "installed (python3-pil, or pip install Pillow)")
    if isinstance(image, PIL.Image.Image):
        with reading("image"):
            return pixels_of_pil(image)
    if not isinstance(image, (str, bytes, os.PathLike)):
        raise Error(Status.MALFORMED, f"image: found {type(image).__name__}, expected a path, a PIL image or an array")
    with reading(os.fsdecode(image)), PIL.Image.open(os.fsdecode(image)) as opened:
        return pixels_of_pil(opened)


@contextlib.contextmanager
def reading(name):
    """Turns any exception of Pillow's into an Error: its decoders raise many kinds."""
    try:
        yield
    except OSError as error:  # without a number it is about the contents
        status = Status.MALFORMED if error.errno is None else Status.IO
        raise Error(status, f"{name}: {error.strerror or error}") from error
    except Exception as error:
        raise Error(Status.MALFORMED, f"{name}: {error or type(error).__name__}") from error


def upright(image):
    turns = {2: PIL.Image.FLIP_LEFT_RIGHT, 3: PIL.Image.ROTATE_180, 4: PIL.Image.FLIP_TOP_BOTTOM,
             5: PIL.Image.TRANSPOSE, 6: PIL.Image.ROTATE_270, 7: PIL.Image.TRANSVERSE, 8: PIL.Image.ROTATE_90}
    try:
        orientation = image.getexif().get(0x112)
    except Exception:  # EXIF that cannot be read turns nothing, here as in viewers
        orientation = None
    return image.transpose(turns[orientation]) if orientation in turns else image


def pixels_of_pil(image):
    image = upright(image)
    if image.mode in DEEP:
        values = np.asarray(image).clip(0, 65535)
        values = np.where(values == image.info.get("transparency"), 0, values)
        image = PIL.Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode.endswith(("A", "a")) or "transparency" in image.info:
        image = image.convert("RGBA")
        black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = PIL.Image.alpha_composite(black, image)
    return np.array(image.convert("RGB"))
