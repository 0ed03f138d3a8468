"""Says what a file is that is not the one expected, from its first bytes or its name."""

DOWNLOAD = "perhaps from a failed download: download it again"

# what texts begin with, after a byte order mark and spaces
TEXTS = (
    (b"version https://git-lfs", "a Git LFS pointer instead of the file: run git lfs pull"),
    (b"<!doctype html", f"a web page, {DOWNLOAD}"), (b"<html", f"a web page, {DOWNLOAD}"),
    (b"<!--", f"a web page, {DOWNLOAD}"), (b"<?xml", f"an XML text, {DOWNLOAD}"),
    (b"not found", f"an error message, {DOWNLOAD}"), (b"404", f"an error message, {DOWNLOAD}"))

# where bytes stand in other files
BYTES = (
    (0, b"\x1f\x8b", "compressed by gzip: gunzip it first"),
    (0, b"BZh", "compressed by bzip2: bunzip2 it first"),
    (0, b"\xfd7zXZ", "compressed by xz: unxz it first"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd: unzstd it first"),
    (0, b"Rar!", "a RAR archive: unpack it first"), (0, b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (0, b"\x12\x01\0\0\0\0\0\0", "MXNet's parameters, expected a checkpoint of PyTorch, Keras or NumPy"),
    (4, b"TFL3", "a TensorFlow Lite model, expected the checkpoint it was made of"),
    (0, b"GGUF", "a GGUF model, expected the checkpoint it was made of"),
    (0, b"MATLAB 5.0", "MATLAB's data, expected a checkpoint of PyTorch, Keras or NumPy"))

# formats that only their names tell
NAMES = {".onnx": "an ONNX model", ".caffemodel": "Caffe's weights", ".pb": "a TensorFlow graph",
         ".pdmodel": "Paddle's inference program", ".pdiparams": "Paddle's inference weights",
         ".mlmodel": "a Core ML model", ".engine": "a TensorRT engine", ".plan": "a TensorRT engine",
         ".t7": "a file of Lua's Torch", ".msgpack": "Flax's weights"}


def text_of(start):
    """-> what a text is from its first bytes, None if there is nothing to say"""
    start = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<?xml") and b"<net " in start:
        return "an OpenVINO model, expected the checkpoint it was made of"
    return next((what for beginning, what in TEXTS if start.startswith(beginning)), None)


def what_is(path, start):
    """-> what a file is that no reader takes"""
    if not start:
        return f"an empty file, {DOWNLOAD}"
    if what := text_of(start):
        return what
    for place, found, what in BYTES:
        if start[place:place + len(found)] == found:
            return what
    if start.startswith(b"{") and b'"weight_map"' in start:
        return "an index of several safetensors files, expected the one that contains the module"
    if start.startswith((b"{", b"[")):
        return "a JSON text, expected a checkpoint"
    if path.suffix.lower() in NAMES:
        return f"{NAMES[path.suffix.lower()]}, expected the checkpoint it was made of"
    return (f"begins with {start[:8]!r}, expected a PyTorch checkpoint, Paddle's .pdparams, Keras "
            ".h5 or .keras, NumPy .npz or .npy, or safetensors")
