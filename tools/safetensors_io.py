"""Reads and writes safetensors files (F32, F16, BF16) with nothing but the standard library.

Values are flat lists, or flat NumPy arrays, which are written at the disk's speed. The format: 8 bytes little-endian length, a JSON header of that length, then the tensors' bytes.
"""
import array
import json
import math
import struct

BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def bf16_bytes(values):
    """The upper half of each float32, rounded to nearest even."""
    words = struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values))
    halves = [(w + 0x7FFF + (w >> 16 & 1)) >> 16 for w in words]
    return struct.pack(f"<{len(halves)}H", *halves)


def array_bytes(values, dtype):
    """encode() of a NumPy array."""
    if dtype != "BF16":
        return values.astype("<f2" if dtype == "F16" else "<f4").tobytes()
    words = values.astype("<f4").view("<u4")
    return ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype("<u2").tobytes()


def encode(values, dtype):
    if hasattr(values, "astype"):
        return array_bytes(values, dtype)
    if dtype == "BF16":
        return bf16_bytes(values)
    return struct.pack(f"<{len(values)}{'e' if dtype == 'F16' else 'f'}", *values)


def decode(raw, dtype):
    """-> array of float32"""
    count = len(raw) // BYTES[dtype]
    if dtype == "BF16":
        raw = b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2))
    return array.array("f", struct.unpack(f"<{count}{'e' if dtype == 'F16' else 'f'}", raw))


def save(path, tensors, dtype="F32"):
    """tensors: {name: (shape, flat values)}; the same input always gives the same bytes."""
    header, chunks, at = {}, [], 0
    for name, (shape, values) in tensors.items():
        assert math.prod(shape) == len(values), name
        chunk = encode(values, dtype)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(chunk)]}
        chunks.append(chunk)
        at += len(chunk)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + b"".join(chunks))


def entries(raw):
    """Yields (name, dtype, shape, bytes) of each tensor in a file's bytes."""
    start = 8 + struct.unpack_from("<Q", raw)[0]
    for name, entry in json.loads(bytes(raw[8:start])).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, entry["dtype"], tuple(entry["shape"]), raw[start + begin:start + end]


def load(path):
    """-> {name: (shape, array of float32)}"""
    with open(path, "rb") as file:
        raw = file.read()
    return {name: (shape, decode(data, dtype)) for name, dtype, shape, data in entries(raw)}
