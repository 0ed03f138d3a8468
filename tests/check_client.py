#!/usr/bin/python3
"""usage: tests/check_client.py URL TWO-LEVELS-URL

Tests clients/ppm_client.py as a module: valid arguments, and broken connections. URL is a server with the
four listings and street, the other one has the model two-levels; misbehaving.py has the misbehaving servers."""

import email.utils
import io
import os
import pathlib
import struct
import sys
import tempfile
import time
import urllib.parse
from multiprocessing import shared_memory

import numpy as np
from misbehaving import Misbehaving, answer, npy
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
import ppm_client  # noqa: E402


def check(holds, what):
    if not holds:
        raise SystemExit(f"check_client: {what}")


def error_of(call):
    """Returns the client's message; it must raise nothing but its Error."""
    try:
        call()
    except ppm_client.Error as error:
        check("\n" not in str(error), f"more than a line: {error}")
        return error
    return None


class Tensor:
    """Like PyTorch's: NumPy can read it once it is detached and on the CPU."""

    dtype = "torch.float32"

    def __init__(self, values, steps=("detach", "cpu")):
        self.values, self.steps = values, steps

    def detach(self):
        return Tensor(self.values, self.steps[1:])

    cpu = detach

    def __array__(self, *_):
        check(not self.steps, "the tensor was not detached")
        return self.values


def check_urls(url):
    host = urllib.parse.urlsplit(url).netloc
    x = np.ones((1, 4, 3, 3), np.float32)
    for form in (host, f"{host}/", f"http://{host}/", f"HTTP://{host}", f"localhost:{host.rpartition(':')[2]}"):
        with ppm_client.Client(form) as client:
            check(client.infer(x).shape == (1, 12, 3, 3), form)
    for form in ("ftp://localhost", "http://", "", "http://a/b", "host:port", "//a:1", "a:-1", "a:99999", "unix:", "::1",
                 None, 8080):
        check(repr(form) in str(error_of(lambda form=form: ppm_client.Client(form))), form)


def check_arguments(url):
    for seconds in (0, -1, "5", float("nan"), 1e20):
        error = error_of(lambda seconds=seconds: ppm_client.Client(url, timeout_s=seconds))
        check("timeout_s: found" in str(error), f"timeout_s={seconds}: {error}")
    with ppm_client.Client(url, timeout_s=float("inf")) as client:
        check(client.infer(np.ones((4, 3, 3))).shape == (12, 3, 3), "no end")
        check("model: found 5" in str(error_of(lambda: client.infer(np.ones((4, 3, 3)), model=5))), "a model's name")


def check_tensors(url):
    random = np.random.default_rng(1)
    x = random.standard_normal((2, 4, 9, 7)).astype(np.float32)
    with ppm_client.Client(url, timeout_s=None) as client:
        y = client.infer(x)
        check(y.shape == (2, 12, 9, 7) and y.dtype == np.float32, f"found {y.dtype} {y.shape}")
        connection = client.connection.sock
        same = {"named": client.infer(x, "listing1-pytorch-ppm"),
                "Fortran order": client.infer(np.asfortranarray(x)),
                "big-endian": client.infer(x.astype(">f4")),
                "float64": client.infer(x.astype(np.float64)),
                "strided": client.infer(np.repeat(x, 2, axis=3)[..., ::2]),
                "NHWC": client.infer(x.transpose(0, 2, 3, 1), layout="NHWC").transpose(0, 3, 1, 2)}
        for what, found in same.items():
            check(np.array_equal(found, y), f"{what}: another answer")
        check(client.infer(x[0]).shape == (12, 9, 7), "three axes are answered with three")
        halves = client.infer(np.float16(x))
        check(np.allclose(halves, client.infer(np.float32(np.float16(x)))), "float16")
        check(client.infer(np.ones((4, 3, 3), int)).shape == (12, 3, 3), "integers")
        check(np.array_equal(client.infer(x.tolist()), y), "lists: another answer")
        check(np.array_equal(client.infer(Tensor(x)), y), "a framework's tensor: another answer")
        y_again = client.infer(x)
        y_again += 1  # the caller owns it
        for what, wrong in {"words": [["a"]], "rows of two lengths": [[1, 2], [3]], "nothing": None,
                            "complex": x + 1j, "no values": np.ones((0, 4))}.items():
            check("x: " in str(error_of(lambda wrong=wrong: client.infer(wrong))), what)
        stages = client.stages(x)
        check(np.array_equal(stages["y"], y), "stages: another answer")
        check(np.allclose(stages["branch.0.pooled"], x.mean((2, 3), keepdims=True), atol=1e-6), "stages: not x's mean")
        check(client.stages(x.transpose(0, 2, 3, 1), layout="NHWC")["branch.2.output"].shape == (2, 3, 3, 2),
              "stages in NHWC")
        costs = client.describe("listing1-pytorch-ppm", x.shape)["request"]
        check(costs["output_shape"] == list(y.shape), f"described: {costs}")
        check(client.infer(x, size=(5, 30)).shape == (2, 12, 5, 30), "a size")
        check(client.stages(x, size=np.array([5, 30]))["y"].shape == (2, 12, 5, 30), "stages of a size")
        check(client.describe(shape=x.shape, size=(5, 30))["request"]["output_shape"] == [2, 12, 5, 30],
              "described with a size")
        for size in (5, (5,), (5, 30, 1), (5.5, 30), "5,30", ("5", "30")):
            check("size: found" in str(error_of(lambda size=size: client.infer(x, size=size))), f"size {size!r}")
        error = error_of(lambda: client.infer(x[:, :3]))
        check(error.status == 422 and "takes 4" in str(error), f"found {error}")
        check(np.array_equal(client.infer(x), y), "after an error")
        check(client.connection.sock is connection, "the connection was not kept")
        check("size: found" in str(error_of(lambda: client.infer(x, size=(0, 30)))), "a size of 0")


def check_several_inputs(url):
    """On two-levels, which takes fine [4 channels] and coarse [3]."""
    random = np.random.default_rng(2)
    x = {"coarse": random.standard_normal((2, 3, 5, 6)).astype(np.float32),
         "fine": random.standard_normal((2, 4, 9, 10)).astype(np.float32)}
    shapes = {name: own.shape for name, own in x.items()}
    with ppm_client.Client(url) as client:
        y = client.infer(x)
        check(y.shape == (2, 1, 9, 10) and y.dtype == np.int32 and 0 < y.mean() < 1, f"several inputs: {y.shape}")
        check(np.array_equal(client.infer(dict(reversed(x.items())), "two-levels"), y), "another order")
        check(np.array_equal(client.infer({name: own.astype(float).tolist() for name, own in x.items()}), y), "lists")
        halves = {name: own.astype(np.float16) for name, own in x.items()}
        widened = {name: own.astype(np.float32) for name, own in halves.items()}
        check(np.array_equal(client.infer(halves), client.infer(widened)), "float16")
        turned = {name: own.transpose(0, 2, 3, 1) for name, own in x.items()}
        check(np.array_equal(client.infer(turned, layout="NHWC").transpose(0, 3, 1, 2), y), "NHWC")
        check(client.describe("two-levels", shapes, (3, 4))["request"]["output_shape"] == [2, 1, 3, 4], "described")
        check(client.stages(x)["head"].shape == (2, 1, 9, 10), "stages")
        for what, wrong in {"one is missing": {"fine": x["fine"]}, "one too many": {**x, "c9": x["fine"]}}.items():
            check(error_of(lambda wrong=wrong: client.infer(wrong)).status == 400, what)
        check("takes 2 inputs" in str(error_of(lambda: client.infer(x["fine"]))), "an array")
        check("expected NAME" in str(error_of(lambda: client.share((1, 4, 5, 6)))), "one shape")
        with client.share(shapes) as shared:
            for name, own in x.items():
                shared.x[name][:] = own
            check(np.array_equal(shared.infer(), y), "in shared memory")
        with client.share(shapes, size=(20, 30)) as shared:
            for name, own in x.items():
                shared.x[name][:] = own
            check(np.array_equal(shared.infer(), client.infer(x, size=(20, 30))), "in shared memory, of another size")


def check_image_forms(client, pixels, labels):
    """An image in every form is labeled the same."""
    image = Image.fromarray(pixels)
    png = io.BytesIO()
    image.save(png, "PNG")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "image.png"
        path.write_bytes(png.getvalue())
        with open(path, "rb") as file:
            forms = {"a name": str(path), "a path": path, "bytes": png.getvalue(), "a bytearray": bytearray(png.getvalue()),
                     "a file": file, "a file in memory": io.BytesIO(png.getvalue()), "Pillow's": image,
                     "Pillow's with alpha": image.convert("RGBA"), "an array": pixels,
                     "a strided array": pixels.repeat(2, 1)[:, ::2]}
            for what, form in forms.items():
                check(np.array_equal(client.label(form, "street").labels, labels), f"{what}: other labels")
    gray = image.convert("L")
    deep = Image.fromarray(np.array(gray).astype(np.uint16) << 8)  # of which the server keeps 8 bits
    for picture in (deep, *(image.convert(mode) for mode in ("1", "L", "LA", "P", "F", "CMYK", "YCbCr", "HSV"))):
        rgb = np.array((gray if picture is deep else picture).convert("RGB"))
        check(np.array_equal(client.label(picture, "street").labels, client.label(rgb, "street").labels), picture.mode)
    check_deep_grays(client)
    check_transparency(client)
    check_orientations(client, image)
    closed = io.BytesIO()
    closed.close()
    for what, wrong in {"a closed file": closed, "Pillow's, which breaks off": Image.open(io.BytesIO(PHOTO[:len(PHOTO) // 2])),
                        "no image": b"GIF89a", "nothing": b"", "no file": "/nowhere/x.jpg", "a folder": "/tmp",
                        "a number": 5, "None": None, "text": io.StringIO("x"), "gray": pixels[..., 0],
                        "floats": pixels / 255, "no pixels": pixels[:0]}.items():
        check(error_of(lambda wrong=wrong: client.label(wrong, "street")).status is None, what)


def pixels_seen(client, image):
    """The server's pixels of an image: those under labels that are not seen."""
    return np.array(Image.open(io.BytesIO(client.overlay(image, 0, "street"))))


def check_deep_grays(client):
    """16 bits of gray, of which the upper 8 are kept, in each of Pillow's modes."""
    values = np.array([[0, 255, 256, 40000], [65535, 32767, 32768, 511]], np.int32)
    png = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(png, "PNG")
    beyond = np.where(values == 65535, 70000, values - (values == 0))
    forms = [png.getvalue(), Image.open(png), Image.fromarray(values), Image.fromarray(beyond),
             *(Image.frombytes(mode, (4, 2), values.astype(dtype).tobytes())
               for mode, dtype in (("I;16", "<u2"), ("I;16L", "<u2"), ("I;16B", ">u2")))]
    for form in forms:
        found = pixels_seen(client, form)
        check(np.array_equal(found, (values >> 8)[..., None].repeat(3, 2)), f"{form}: found {found.tolist()}")
    clear = Image.open(png)
    clear.info["transparency"] = 40000
    found = pixels_seen(client, clear)[..., 0]
    check(np.array_equal(found, np.where(values == 40000, 0, values >> 8)), f"transparent gray: found {found.tolist()}")


def check_transparency(client):
    """What is transparent is laid over black."""
    clear = Image.new("RGBA", (2, 1), (200, 100, 50, 255))
    clear.putpixel((1, 0), (200, 100, 50, 51))
    for mode in ("RGBA", "RGBa"):
        found = pixels_seen(client, clear.convert(mode)).tolist()
        check(found == [[[200, 100, 50], [40, 20, 10]]], f"{mode}: found {found}")


def check_orientations(client, image):
    """Pillow's images are upright, as the files that they come from are, even beside an entry of EXIF that Pillow
    reads but cannot write: an ImageDescription that is a double."""
    for orientation in range(10):
        entries = struct.pack("<HHIIHHII", 0x0112, 3, 1, orientation, 0x010E, 12, 1, 38)
        tiff = b"II*\0\x08\0\0\0\2\0" + entries + bytes(4) + struct.pack("<d", 1e300)
        file = io.BytesIO()
        image.save(file, "PNG", exif=tiff)
        found, expected = (pixels_seen(client, form) for form in (Image.open(file), file.getvalue()))
        check(found.shape == expected.shape and np.array_equal(found, expected), f"orientation {orientation}")
        check((expected.shape[0] == image.width) == (5 <= orientation <= 8), f"orientation {orientation} of a file")


def small_photo():
    """The sample as a JPEG of 64 x 48 pixels, which a server under an emulator labels in a second."""
    file = io.BytesIO()
    Image.open("configs/samples/street.jpg").reduce(4).save(file, "JPEG", quality=95)
    return file.getvalue()


PHOTO = small_photo()


def check_labels(url):
    """On street, which the server has by default."""
    with ppm_client.Client(url) as client:
        street = client.label(PHOTO, "street")
        pixels = np.array(Image.open(io.BytesIO(PHOTO)))
        y = client.infer(np.float32(pixels.transpose(2, 0, 1)) / 255, "street")
        check(street.labels.dtype == np.int32 and np.array_equal(street.labels, y[0]), "other labels than the tensor's")
        check(sum(own["pixels"] for own in street.classes) == street.labels.size, f"classes: {street.classes}")
        for own in street.classes:
            rows, columns = np.nonzero(street.labels == own["id"])
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            check(own["pixels"] == len(rows) and own["box"] == box and "segmentation" not in own, own)
            check(abs(own["share"] - len(rows) / street.labels.size) < 1e-6, own)
        check({"sky", "grass", "building"} <= {own["name"] for own in street.classes}, f"names: {street.classes}")
        colors = np.zeros((9, 3))
        for own in street.classes:
            colors[own["id"]] = own["color"]
        over = np.array(Image.open(io.BytesIO(street.overlay(0.25))), float)
        check(np.abs(over - 0.75 * pixels - 0.25 * colors[street.labels]).max() <= 0.5, "an overlay")
        jpeg = street.overlay(media_type="image/jpeg")
        check(Image.open(io.BytesIO(jpeg)).format == "JPEG", "an overlay as JPEG")
        check(jpeg == client.overlay(pixels, 0.5, "street", media_type="image/jpeg"), "an overlay of pixels")
        sized = client.label(pixels, "street", size=(5, 31))
        check(sized.labels.shape == (5, 31), "a size")
        check(sized.overlay(0.25) == street.overlay(0.25), "an overlay of labels of another size")
        for opacity, same in ((True, 1), (-0.0, 0), (np.float32(0.25), 0.25), (np.int64(1), 1), (1e-5, 0), (5e-324, 0)):
            check(street.overlay(opacity) == street.overlay(same), f"an opacity of {opacity!r}")
        check_image_forms(client, pixels, street.labels)
        for opacity in (-0.1, 1.1, float("nan"), "0.5", None):
            check("opacity: found" in str(error_of(lambda opacity=opacity: street.overlay(opacity))), opacity)
        error = error_of(lambda: client.label(pixels, "listing1-pytorch-ppm"))
        check(error.status == 422 and "takes a tensor of 4 channels" in str(error), f"a model without images: {error}")
        error = error_of(lambda: client.label(b"\xff\xd8\xff\xe0", "street"))
        check(error.status == 400 and "JPEG" in str(error), f"a broken image: {error}")
        check(np.array_equal(client.label(pixels, "street").labels, street.labels), "after an error")


BUSY = answer(503, b'{"detail": "the queue is full"}', "Retry-After: 0\r\n")
CASES = [  # what happens, a list of answers for each connection, calls, requests, the last call's error
    ("closed between two requests", [[answer(200)], [answer(200)]], 2, 2, None),
    ("busy, then not", [[BUSY, BUSY, answer(200)]], 1, 3, None),
    ("busy all the time", [[BUSY] * 3], 1, 3, "the queue is full"),
    ("closed without an answer", [[b""], [answer(200)]], 1, 1, "closed connection"),
    ("an answer that breaks off", [[answer(200, b"{}")[:-1]], [answer(200)]], 1, 1, "IncompleteRead"),
    ("late", [[answer(504, b'{"detail": "too late"}')], [answer(200)]], 1, 1, "too late"),
    ("another sentence", [[answer(400, b'{"error": "no x"}')]], 1, 1, "no x (status 400)"),
    ("no sentence", [[answer(502, b"<html>")]], 1, 1, "<html>"),
]


def check_broken_connections():
    for what, connections, calls, requests, expected in CASES:
        server, found = Misbehaving(connections), None
        with ppm_client.Client(server.url, timeout_s=30) as client:
            for _ in range(calls):
                found = error_of(client.describe)
        check(server.count == requests, f"{what}: {server.count} requests, expected {requests}")
        check(expected in str(found) if expected else found is None, f"{what}: {found}")


X = np.zeros((1, 1, 2, 2), np.float32)
HUGE = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }")
OBJECT = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n(S'false'\ntR.")
PIXEL = ppm_client.png_of(np.zeros((1, 1, 3), np.uint8))


def labels_json(counts, size="1, 2", members='"id": 0'):
    """An answer with one class for each list of counts."""
    classes = ", ".join(f'{{{members}, "segmentation": {{"counts": {own}}}}}' for own in counts)
    return f'{{"size": [{size}], "classes": [{classes}]}}'.encode()


LIES = [  # an answer with status 200, and the call that must reject it
    *[(body, "infer") for body in (
        b"<html>", b"", b"{}", HUGE, OBJECT, HUGE[:20], npy("(" * 5000), npy("{'descr': '<f4'}"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytes(12)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", bytes(7)))],
    *[(body, "stages") for body in (
        b"<html>", b"\2" + bytes(7) + b"{}"[:1], b"\xff" * 8 + b"{}", b"\2" + bytes(7) + b"[]",
        b"\x3d" + bytes(7) + b'{"y":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}')],
    (b"<html>", "describe"), (b"[" * 100000, "describe"),
    *[(body, "label") for body in (
        b"<html>", b"{}", b"[]", b"null", b'{"size": [1, 2], "classes": {}}', b'{"size": [1, 2], "classes": [5]}',
        labels_json([]), labels_json([], "0, 0"), labels_json([], "1"), labels_json([[0, 2]], "-1, -2"),
        labels_json([[0, 1]]), labels_json([[0, 1], [0, 1]]), labels_json([[1, 1]]), labels_json([[0, 2, 1]]),
        labels_json([[0, 3]]), labels_json([[1, -1, 1, 1]]), labels_json([[0, 2], [0, 2]]),
        labels_json([[0, 1000000000000000]], "1000000000, 1000000"), labels_json([[0, 2**63]]),
        labels_json([[0, 2**62], [0, 2**62], [0, 2**62], [0, 2**62], [0, 2]]), labels_json(['["a", "b"]']),
        labels_json([[[0, 2]]]), labels_json([[0, 2]], members='"id": "x"'), labels_json([[0, 2]], members='"of": 0'))],
    *[(body, "share") for body in (
        b"{}", b"[]", b'{"name":"m","request":{"input_bytes":16}}',
        b'{"name":"m","request":{"input_bytes":4,"output_bytes":16}}',
        b'{"name":"m","request":{"input_bytes":16,"output_bytes":-16}}',
        b'{"name":"m","request":{"input_bytes":16,"output_bytes":1099511627775}}',
        b'{"name":"m","request":{"input_bytes":16,"output_bytes":9223372036854775807}}',
        b'{"name":"m","request":{"input_bytes":16,"output_bytes":1e300}}')],
]


def check_lies():
    names = []

    class Recorded(shared_memory.SharedMemory):
        def __init__(self, **options):
            try:
                super().__init__(**options)
            finally:
                names.append(self._name.strip("/"))

    ppm_client.multiprocessing.shared_memory.SharedMemory = Recorded
    for body, name in LIES:
        server = Misbehaving([[answer(200, body)]])
        with ppm_client.Client(server.url, timeout_s=30) as client:
            found = error_of({"infer": lambda: client.infer(X), "stages": lambda: client.stages(X),
                              "label": lambda: client.label(PIXEL),
                              "describe": client.describe, "share": lambda: client.share(X.shape)}[name])
        check(found and found.status is None, f"{name} of {body[:60]}: {found}")
    ppm_client.multiprocessing.shared_memory.SharedMemory = Recorded.__base__
    left = set(names) & set(os.listdir("/dev/shm"))
    check(not left, f"left in /dev/shm: {left}")


def check_time():
    """timeout_s limits a whole call, including pauses that the server requests, however slowly it sends."""
    def busy(retry_after):
        return answer(503, b'{"detail": "later"}', f"Retry-After: {retry_after}\r\n")

    past = email.utils.formatdate(time.time() - 9, usegmt=True)
    for retry_after, requests in (("100000000", 1), ("9" * 5000, 1), (past, 3), ("0", 3),
                                  (email.utils.formatdate(time.time() + 9999, usegmt=True), 1)):
        server = Misbehaving([[busy(retry_after)] * 3])
        with ppm_client.Client(server.url, timeout_s=30) as client:
            found = error_of(client.describe)
        check(found.status == 503 and "later" in str(found), f"{retry_after}: {found}")
        check(server.count == requests, f"Retry-After: {retry_after}: {server.count} requests")
    for text, expected in (("-1", 1), ("1e8", 1), ("nan", 1), ("", 1), (None, 1), ("soon", 1), (" 7 ", 7)):
        check(ppm_client.seconds_of(text) == expected, f"Retry-After: {text}")
    for first in (b"", b"HTTP/1.1 200 X\r\n", b"HTTP/1.1 200 X\r\nContent-Length: 99999\r\n\r\n",
                  b"HTTP/1.1 400 X\r\nContent-Length: 99999\r\n\r\n"):
        server = Misbehaving([[(first, 0.05)]])
        with ppm_client.Client(server.url, timeout_s=0.4) as client:
            check("no answer within 0.4 s" in str(error_of(client.describe)), f"a byte at a time after {first}")


check_urls(sys.argv[1])
check_arguments(sys.argv[1])
check_tensors(sys.argv[1])
check_several_inputs(sys.argv[2])
check_labels(sys.argv[1])
check_broken_connections()
check_lies()
check_time()
