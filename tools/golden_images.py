#!/usr/bin/env python3
"""Writes pictures, and the pixels that Pillow shows of them, for tests/test_image_golden.c.

usage: tools/golden_images.py --out tests/images      writes NAME.jpg or NAME.png, and NAME.ppm
       tools/golden_images.py --check tests/images    compares what Pillow shows with NAME.ppm

Needs, on Debian 12 (Pillow 9.4 and jpegtran of the same libjpeg-turbo 2.1.5, libpng 1.6.39):
    apt-get install -y --no-install-recommends python3-pil python3-numpy libjpeg-turbo-progs
and run it with /usr/bin/python3.

PNGs are written here, byte for byte, since Pillow writes neither interlaced ones nor all depths. Where
Pillow 9.4 shows something else than the standard says, pixels are NumPy's: it clips gray of 16 bits to 255
(here its upper 8 bits count), compares a transparent color of 16 bits with the upper 8 alone, and one of gray
below 8 bits with what it has stretched to 8; and in PNGs it does not know EXIF with JPEG's prefix.
"""
import argparse
import io
import pathlib
import re
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from PIL import Image, ImageFile, ImageOps

SIDE_W, SIDE_H = 35, 27
ORIENTATION = 0x0112
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
NUMPY_ALONE = re.compile("16|gray-[24]-transparent|with-prefix")
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6


def scene(width=SIDE_W, height=SIDE_H):
    """A picture in which no two corners, rows or columns are alike. -> uint8 [height, width, 3]"""
    y, x = np.mgrid[0:height, 0:width]
    wave = 60 * np.sin(x * 0.9) * np.cos(y * 0.5)
    planes = [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), 90 + wave + 2 * x]
    picture = np.stack(planes, -1).clip(0, 255).astype(np.uint8)
    picture[: height // 3, : width // 4] = (250, 10, 30)  # a sharp corner
    return picture


# ---- JPEG ----------------------------------------------------------------------------------------------


def exif(orientation):
    found = Image.Exif()
    found[ORIENTATION] = orientation
    found[0x010F] = "a camera"
    return found


def jpeg(picture=None, mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(scene() if picture is None else picture).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def jpegtran(data, *options):
    return subprocess.run(["jpegtran", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def segments(data):
    """-> [marker and its data] up to the first scan, and the rest"""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2:at + 4])[0]
        found.append(data[at:at + 2 + length])
        at += 2 + length
    return found, data[at:]


def with_segments(data, keep=lambda segment: True, add=b""):
    head, rest = segments(data)
    return data[:2] + add + b"".join(filter(keep, head)) + rest


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


def is_kind(*markers):
    return lambda segment: segment[1] not in markers


def several_scans(data):
    with tempfile.NamedTemporaryFile("w") as script:
        script.write("0;\n1;\n2;\n")
        script.flush()
        return jpegtran(data, "-scans", script.name)


def jpegs():
    """(name, file)"""
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"jpeg-{name}", jpeg(subsampling=subsampling, quality=90)
    plain = jpeg()
    for width, height in ((1, 1), (1, 17), (17, 1), (16, 16)):
        yield f"jpeg-{width}x{height}", jpeg(scene(width, height))
    yield "jpeg-quality-100", jpeg(quality=100)
    yield "jpeg-gray", jpeg(mode="L")
    yield "jpeg-progressive", jpeg(progressive=True)
    yield "jpeg-progressive-gray", jpeg(mode="L", progressive=True)
    yield "jpeg-restarts", jpegtran(plain, "-restart", "1B")
    yield "jpeg-progressive-restarts", jpegtran(plain, "-progressive", "-restart", "1")
    yield "jpeg-several-scans", several_scans(plain)
    yield "jpeg-arithmetic", jpegtran(plain, "-arithmetic")
    yield "jpeg-arithmetic-progressive", jpegtran(plain, "-arithmetic", "-progressive")
    ink = jpeg(mode="CMYK", quality=95)
    ink_alone = with_segments(ink, is_kind(0xE0, 0xEE))
    yield "jpeg-cmyk", with_segments(ink_alone, add=adobe(0))
    yield "jpeg-cmyk-without-adobe", ink_alone
    yield "jpeg-ycck", with_segments(ink_alone, add=adobe(2))
    yield "jpeg-cmyk-progressive", jpegtran(with_segments(ink_alone, add=adobe(0)), "-progressive")
    direct = with_segments(jpeg(subsampling=0), is_kind(0xE0))
    yield "jpeg-rgb", with_segments(direct, add=adobe(0))
    yield "jpeg-adobe-ycc", with_segments(direct, add=adobe(1))
    for number in range(1, 9):
        yield f"jpeg-orientation-{number}", jpeg(exif=exif(number))
    yield "jpeg-orientation-6-progressive", jpeg(exif=exif(6), progressive=True)
    yield "jpeg-orientation-8-cmyk", jpeg(mode="CMYK", exif=exif(8))
    yield "jpeg-orientation-0", jpeg(exif=exif(0))
    yield "jpeg-orientation-9", jpeg(exif=exif(9))
    yield "jpeg-two-exifs", with_segments(jpeg(exif=exif(3)), add=segments(jpeg(exif=exif(6)))[0][1])
    yield "jpeg-broken-exif", with_segments(plain, add=b"\xff\xe1\x00\x0aExif\x00\x00XX")
    yield "jpeg-trailing-bytes", plain + b"\xff\xd8 more"
    yield "jpeg-fill-bytes", with_segments(plain, add=b"\xff\xff\xff\xfe\x00\x04ab\x00\x00")


# ---- PNG -----------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, bits):
    """Rows of samples [h, w, channels] as PNG has them: a filter's byte, bits from the left."""
    rows = samples.reshape(len(samples), -1)
    if bits == 16:
        rows = rows.astype(">u2").view(np.uint8).reshape(len(rows), -1)
    elif bits < 8:
        rows = np.packbits((rows[..., None] >> np.arange(bits - 1, -1, -1) & 1).reshape(len(rows), -1)
                           .astype(np.uint8), axis=1)
    # Every third row is the difference to the one above it: filter 2.
    return b"".join(b"\2" + (rows[i] - rows[i - 1]).tobytes() if i % 3 == 2 else b"\0" + rows[i].tobytes()
                    for i in range(len(rows)))


def png(samples, bits, color, *chunks, interlaced=False, after=(), parts=1):
    """samples: [h, w, channels]; chunks before the pixels, and after them"""
    height, width = samples.shape[:2]
    if interlaced:
        passes = [samples[y::down, x::across] for x, y, across, down in ADAM7]
        data = b"".join(packed(part, bits) for part in passes if part.size)
    else:
        data = packed(samples, bits)
    data = zlib.compress(data, 9)
    cut = -(-len(data) // parts)
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *chunks,
                     *(chunk(b"IDAT", data[i:i + cut]) for i in range(0, len(data), cut)), *after,
                     chunk(b"IEND", b"")])


def samples_of(color, bits, width=19, height=11):
    channels = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}[color]
    picture = scene(width, height).astype(int) * 257 + np.arange(width)[:, None]  # lower bits differ, too
    alpha = (np.add.outer(np.arange(height) * 5, np.arange(width) * 7) * 301) % 65536
    planes = {1: picture[..., 2:], 2: np.dstack([picture[..., 0], alpha]), 3: picture,
              4: np.dstack([picture, alpha])}[channels]
    return (planes.clip(0, 65535) >> (16 - bits)).astype(np.uint16 if bits == 16 else np.uint8)


def over_black(picture, alpha):
    """As Pillow rounds: to the nearest."""
    return ((picture.astype(int) * alpha[..., None] * 2 + 255) // 510).astype(np.uint8)


def as_numpy_shows(samples, color, bits, transparent=None):
    """The pixels of a PNG without a palette: for depths that Pillow reads in its own way."""
    upper = (samples.astype(int) * 255 // ((1 << bits) - 1) if bits < 8 else samples >> (bits - 8)).astype(np.uint8)
    alpha = np.full(samples.shape[:2], 255)
    if color in (GRAY_ALPHA, RGBA):
        alpha, upper = upper[..., -1].astype(int), upper[..., :-1]
    if transparent is not None:
        alpha = np.where((samples == transparent).all(-1), 0, 255)
    return over_black(np.broadcast_to(upper, (*upper.shape[:2], 3)), alpha)


def palette_of(bits):
    count = 1 << bits
    return bytes(np.stack([np.arange(count) * 37 % 256, 255 - np.arange(count), np.arange(count) ** 2 % 251], -1)
                 .astype(np.uint8).tobytes())


def pngs():
    """(name, file, the pixels or None for those that Pillow shows)"""
    for interlaced in (False, True):
        end = "-interlaced" if interlaced else ""
        for color, name, depths in ((GRAY, "gray", (1, 2, 4, 8, 16)), (GRAY_ALPHA, "gray-alpha", (8, 16)),
                                    (RGB, "rgb", (8, 16)), (RGBA, "rgba", (8, 16))):
            for bits in depths:
                samples = samples_of(color, bits)
                yield (f"png-{name}-{bits}{end}", png(samples, bits, color, interlaced=interlaced),
                       as_numpy_shows(samples, color, bits))
        for bits in (1, 2, 4, 8):
            yield (f"png-palette-{bits}{end}", png(samples_of(PALETTE, bits), bits, PALETTE,
                                                    chunk(b"PLTE", palette_of(bits)), interlaced=interlaced), None)
    for color, name, depths in ((GRAY, "gray", (1, 2, 4, 8, 16)), (RGB, "rgb", (8, 16))):
        for bits in depths:
            samples = samples_of(color, bits)
            key = samples[5, 7]
            clear = chunk(b"tRNS", struct.pack(f">{len(key)}H", *map(int, key)))
            yield (f"png-{name}-{bits}-transparent", png(samples, bits, color, clear),
                   as_numpy_shows(samples, color, bits, key))
    yield ("png-palette-8-transparent", png(samples_of(PALETTE, 8), 8, PALETTE, chunk(b"PLTE", palette_of(8)),
                                             chunk(b"tRNS", bytes(range(3, 203)))), None)
    picture = samples_of(RGB, 8)
    for width, height in ((1, 1), (2, 1), (1, 5), (4, 3), (5, 5), (9, 9)):
        yield (f"png-interlaced-{width}x{height}", png(picture[:height, :width], 8, RGB, interlaced=True), None)
    for number in range(1, 9):
        yield f"png-orientation-{number}", png(picture, 8, RGB, chunk(b"eXIf", exif(number).tobytes()[6:])), None
    turn = chunk(b"eXIf", exif(6).tobytes()[6:])
    yield "png-orientation-6-interlaced", png(picture, 8, RGB, turn, interlaced=True), None
    yield ("png-orientation-with-prefix", png(picture, 8, RGB, chunk(b"eXIf", exif(5).tobytes())),
           picture.swapaxes(0, 1))
    yield "png-orientation-after-pixels", png(picture, 8, RGB, after=[turn]), None
    text = [chunk(b"gAMA", struct.pack(">I", 20000)), chunk(b"iCCP", b"a profile\0\0" + zlib.compress(b"nothing")),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"text")), chunk(b"tEXt", b"Title\0text"),
            chunk(b"bKGD", struct.pack(">HHH", 9, 9, 9)), chunk(b"teSt", b"unknown")]
    yield "png-other-chunks", png(samples_of(RGBA, 8), 8, RGBA, *text), None
    yield "png-parts", png(picture, 8, RGB, parts=40), None
    yield "png-trailing-bytes", png(picture, 8, RGB) + b"more", None


# ---- what is shown -------------------------------------------------------------------------------------


def as_pillow_shows(file):
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    if picture.mode in ("LA", "RGBA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return over_black(np.asarray(picture)[..., :3], np.asarray(picture)[..., 3].astype(int))
    return np.asarray(picture.convert("RGB"))


def portable_pixmap(pixels):
    return b"P6\n%d %d\n255\n" % pixels.shape[1::-1] + pixels.tobytes()


def cases():
    """(name, suffix, file, pixels)"""
    for name, file in jpegs():
        yield name, ".jpg", file, as_pillow_shows(file)
    for name, file, pixels in pngs():
        yield name, ".png", file, as_pillow_shows(file) if pixels is None else pixels
        if pixels is not None and not NUMPY_ALONE.search(name):
            assert (as_pillow_shows(file) == pixels).all(), f"{name}: NumPy and Pillow differ"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=pathlib.Path)
    where.add_argument("--check", type=pathlib.Path)
    args = parser.parse_args()
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    differ = []
    if args.out:  # what a JPEG is written of, and what Pillow writes
        (args.out / "written.pixels.ppm").write_bytes(portable_pixmap(scene()))
        (args.out / "written.jpeg").write_bytes(jpeg(quality=90, subsampling=0))
    for name, suffix, file, pixels in cases():
        shown = portable_pixmap(pixels)
        if args.out:
            (args.out / (name + suffix)).write_bytes(file)
            (args.out / (name + ".ppm")).write_bytes(shown)
        elif (args.check / (name + ".ppm")).read_bytes() != shown:
            differ.append(name)
    raise SystemExit(f"differ: {', '.join(differ)}" if differ else 0)


if __name__ == "__main__":
    main()
