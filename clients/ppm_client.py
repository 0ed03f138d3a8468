#!/usr/bin/python3
"""usage: ppm_client.py X.npy Y.npy [--url URL] [--model NAME] [--size H,W] [--key KEY] [--shared-memory]
       ppm_client.py NAME=X.npy... Y.npy [...]     for a model of several inputs
       ppm_client.py PHOTO.jpg LABELS.png [...]    or .json (the classes), .npy; --overlay 0.5: or .jpg

A client for ppm-server: images and NumPy arrays in and out, over http://HOST:PORT, https:// or unix:/PATH.

    with ppm_client.Client("http://127.0.0.1:8080") as client:
        street = client.label("street.jpg", model="street")
        print(street.labels, street.classes)         # an array [H, W], and names, shares, boxes
        picture = street.overlay(0.5)                # the bytes of a PNG
        y = client.infer(x, model="listing2-pytorch-psp")

Without a model it uses the server's first. Several inputs are a dict, infer({"c2": c2, "c5": c5}). If the server runs on this machine with
--allow-shared-memory, tensors need not be sent:

        with client.share(x.shape) as shared:  # for any number of requests of this shape
            shared.x[:] = x
            y = shared.infer()                 # shared.y; the next request overwrites it

x may be a NumPy array, a list or a PyTorch tensor. timeout_s bounds a whole call, retries included.
Whatever goes wrong is an Error with one sentence, the server's own if it responded. Use a Client in one
thread only."""

import argparse
import contextlib
import email.utils
import http.client
import io
import json
import math
import multiprocessing.shared_memory
import numbers
import os
import re
import socket
import ssl
import struct
import time
import urllib.parse
import zlib

import numpy as np

try:
    import PIL.Image
except ImportError:
    PIL = None

DTYPES = {"FP32": np.float32, "FP16": np.float16, "FP64": np.float64, "INT32": np.int32}
SAFETENSORS_DTYPES = {"F32": "<f4", "F16": "<f2", "I32": "<i4"}
ALIGNMENT_BYTES = 64
PIECE_BYTES = 1 << 20
LABELS_MAX = 1 << 30
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # of Pillow
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # 16 bits of gray, of which convert() would clip all above 255
IMAGE_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}  # by their first bytes
PROBLEM_BYTES_MAX = 1 << 16
SENTENCE_MAX = 1000
Y_BYTES_MAX = 1 << 40
TIMEOUT_S_MAX = 1e9  # the socket module overflows beyond this


class Error(Exception):
    """What went wrong. status: of the response; None if there was none or it was invalid."""

    def __init__(self, status, sentence):
        sentence = " ".join("".join(c if c.isprintable() else " " for c in sentence[:SENTENCE_MAX]).split())
        super().__init__(sentence if status is None else f"{sentence} (status {status})")
        self.status = status


@contextlib.contextmanager
def reading(what):
    """Turns any exception from a response that is not `what` into an Error."""
    try:
        yield
    except Error:
        raise
    except Exception as error:
        raise Error(None, f"the server's answer is not {what}: {type(error).__name__}: {error}") from error


class TimedReader(io.RawIOBase):
    """Reads a socket until the connection's deadline; a socket's own timeout restarts with each byte."""

    def __init__(self, sock, connection):
        self.sock, self.connection, self.file = sock, connection, sock.makefile("rb", buffering=0)

    def readable(self):
        return True

    def readinto(self, buffer):
        self.sock.settimeout(self.connection.seconds_left())
        return self.file.readinto(buffer)

    def close(self):
        self.file.close()
        super().close()


class TimedSocket:
    """The part of a socket that http.client uses, with the connection's deadline."""

    def __init__(self, sock, connection):
        self.sock, self.connection, self.close = sock, connection, sock.close

    def makefile(self, _):
        return io.BufferedReader(TimedReader(self.sock, self.connection))

    def sendall(self, data):
        rest = memoryview(data).cast("B")
        while rest:
            self.sock.settimeout(self.connection.seconds_left())
            rest = rest[self.sock.send(rest[:PIECE_BYTES]):]


class Connection(http.client.HTTPConnection):
    """url may be just HOST:PORT. All waits end at the deadline, in seconds of time.monotonic(); None
    for no deadline."""

    def __init__(self, url):
        text = url if isinstance(url, str) else ""
        scheme, _, self.path = text.partition(":")
        self.is_unix, self.deadline = scheme == "unix" and bool(self.path), None
        url_or_host = re.fullmatch(r"(?:(https?)://)?(\[[^]]+\]|[^][:/?#@\s]+)(?::(\d+))?/?", text, re.I)
        port = url_or_host and url_or_host[3]
        if not self.is_unix and (not url_or_host or port and not 0 < int(port) < 65536):
            raise Error(None, f"{url!r}: expected http://HOST:PORT, https://HOST:PORT or unix:/PATH")
        is_tls = not self.is_unix and (url_or_host[1] or "").lower() == "https"
        self.tls = ssl.create_default_context() if is_tls else None
        self.default_port = 443 if self.tls else 80
        super().__init__("localhost" if self.is_unix else url_or_host[2], int(port) if port else None)

    def seconds_left(self):
        if self.deadline is None:
            return None
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def connect(self):
        if self.is_unix:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(self.seconds_left())
            sock.connect(self.path)
        else:
            sock = socket.create_connection((self.host, self.port), self.seconds_left())
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            sock = self.tls.wrap_socket(sock, server_hostname=self.host)
        self.sock = TimedSocket(sock, self)


class Client:
    """One connection, kept open. tries: how often an unprocessed request is sent: if nobody
    listens, the server responds 503, or it has closed the connection between two requests."""

    def __init__(self, url="http://127.0.0.1:8080", key=None, timeout_s=120, tries=3):
        if timeout_s == float("inf"):
            timeout_s = None
        is_number = isinstance(timeout_s, (int, float))
        if timeout_s is not None and not (is_number and 0 < timeout_s <= TIMEOUT_S_MAX):
            raise Error(None, f"timeout_s: found {timeout_s!r}, expected seconds, or None for no limit")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.url, self.timeout_s, self.tries = url, timeout_s, max(tries, 1)
        self.connection = Connection(url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def infer(self, x, model="", layout=None, size=None):
        """x: [N, C, H, W] or [C, H, W], or in layout "NHWC"; a dict of such by name for several inputs.
        Returns y in the same layout. size: (H, W) of y in pixels; None for the model's own."""
        data = self.post_tensors(x, model, {"layout": layout, "size": size_text(size)})
        with reading("a .npy"):
            return array_of_npy(data)

    def stages(self, x, model="", layout=None, size=None):
        """y and all intermediate results, by name: y, branch.0.pooled, branch.0.output, ..., head."""
        data = self.post_tensors(x, model, {"layout": layout, "size": size_text(size), "stages": 1},
                                 "application/octet-stream")
        with reading("safetensors"):
            start = 8 + int.from_bytes(data[:8], "little")
            if start > len(data):
                raise ValueError(f"{len(data)} bytes of {start}")
            entries = json.loads(data[8:start])
            entries.pop("__metadata__", None)
            return {name: np.frombuffer(data, SAFETENSORS_DTYPES[entry["dtype"]],
                                        np.prod(entry["shape"], dtype=int), start + entry["data_offsets"][0])
                    .reshape(entry["shape"]) for name, entry in entries.items()}

    def label(self, image, model="", size=None):
        """The Labels of an image: the name of a JPEG or PNG file, its bytes, a file object, a Pillow image,
        or an array [H, W, 3] of red, green and blue from 0 to 255. size: (H, W) of the labels in pixels;
        None for the image's own."""
        body = bytes_of_image(image)
        answer = read_json(self.post_image(body, model, {"labels": "rle", "size": size_text(size)}, "application/json"))
        with reading("labels and classes"):
            labels = labels_of(answer)
            classes = [{key: value for key, value in own.items() if key != "segmentation"}
                       for own in answer["classes"]]
        return Labels(self, body, model, labels, classes)

    def overlay(self, image, opacity=0.5, model="", media_type="image/png"):
        """The image with the colors of its labels over it, in its own size, as the bytes of a PNG or JPEG."""
        if not isinstance(opacity, numbers.Real) or not 0 <= opacity <= 1:
            raise Error(None, f"opacity: found {opacity!r}, expected a number from 0 to 1")
        return bytes(self.post_image(bytes_of_image(image), model, {"overlay": str(abs(float(opacity)))}, media_type))

    def post_image(self, body, model, query, accept):
        return self.ask("POST", path_of(model, query), body,
                        {"Content-Type": type_of_image(body), "Accept": accept})

    def post_tensors(self, x, model, query, accept="application/x-npy"):
        kind, pieces = safetensors_of(x) if isinstance(x, dict) else npy_of(x)
        return self.ask("POST", path_of(model, query), pieces,
                        {"Content-Type": kind, "Accept": accept,
                         "Content-Length": str(sum(map(len, pieces)))})

    def describe(self, model="", shape=None, size=None):
        """The response to GET /ppm/{model}, with the cost of a request of a shape, or of a dict of
        shapes."""
        query = {"shape": shape_text(shape), "size": size_text(size)}
        return read_json(self.ask("GET", path_of(model, query)))

    def share(self, shape, model="", size=None):
        return Shared(self, shape, model, size)

    def post_json(self, target, value):
        return self.ask("POST", target, json.dumps(value), {"Content-Type": "application/json"})

    def ask(self, method, target, body=None, headers=()):
        """Returns the body of the response."""
        self.connection.deadline = None if self.timeout_s is None else time.monotonic() + self.timeout_s
        try:
            return self.ask_until_processed(method, target, body, {**self.headers, **dict(headers)})
        except Error:
            raise
        except BaseException as error:
            self.connection.close()  # late bytes would be taken for the next response
            if isinstance(error, TimeoutError):
                raise Error(None, f"{self.url}: no answer within {self.timeout_s} s") from error
            if isinstance(error, (OSError, ValueError, http.client.HTTPException)):
                raise Error(None, f"{self.url}: {getattr(error, 'strerror', None) or error}") from error
            raise

    def ask_until_processed(self, method, target, body, headers):
        for tries_left in reversed(range(self.tries)):
            is_reused = self.connection.sock is not None
            try:
                answer = self.ask_once(method, target, body, headers)
            except ConnectionRefusedError:
                self.connection.close()
                if not self.wait(1, tries_left):
                    raise
                continue
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.connection.close()
                if not tries_left or not is_reused:
                    raise
                continue
            try:
                if answer.status < 300:
                    return read_all(answer)
                sentence = sentence_of(answer.read(PROBLEM_BYTES_MAX)) or answer.reason
            finally:
                if not answer.isclosed():  # truncated, or not read to its end
                    answer.close()
                    self.connection.close()
            if answer.status != 503 or not self.wait(seconds_of(answer.headers["Retry-After"]), tries_left):
                raise Error(answer.status, sentence)
        raise AssertionError("tries is at least 1")

    def wait(self, seconds, tries_left):
        """False: no tries or no time left."""
        deadline = self.connection.deadline
        if not tries_left or deadline is not None and time.monotonic() + seconds >= deadline:
            return False
        time.sleep(seconds)
        return True

    def ask_once(self, method, target, body, headers):
        try:
            self.connection.request(method, target, body, headers)
        except (ConnectionResetError, BrokenPipeError):
            pass  # the server may have responded before the whole body
        return self.connection.getresponse()


class Labels:
    """labels: int32 [H, W]. classes: those in the image, the largest first, as dicts: id, name and color if
    the model has them, pixels, share, box (x, y, width, height)."""

    def __init__(self, client, body, model, labels, classes):
        self.labels, self.classes = labels, classes
        self.ask = lambda opacity, media_type: client.overlay(body, opacity, model, media_type)

    def overlay(self, opacity=0.5, media_type="image/png"):
        """Asks the server for it, in the image's own size, whatever that of labels: see Client.overlay."""
        return self.ask(opacity, media_type)


class Shared:
    """x and y in memory shared by this process and the server; from Client.share. x is a dict for
    a model of several inputs, as the shape was."""

    def __init__(self, client, shape, model, size):
        description = client.describe(model, shape, size)
        self.client, self.parameters = client, {"size": size_text(size)} if size else {}
        with reading("a description of a model"):
            self.model = description["name"]
            shapes = shape if isinstance(shape, dict) else {only_input(description): shape}
            x_bytes, self.y_bytes = (int(description["request"][name])
                                     for name in ("input_bytes", "output_bytes"))
            if x_bytes != sum(map(bytes_of, shapes.values())) or not 0 < self.y_bytes < Y_BYTES_MAX:
                raise ValueError(f"{x_bytes} and {self.y_bytes} bytes for {shape}")
            self.inputs, self.y_at = [], 0  # name, shape and offset of each
            for name, own in shapes.items():
                self.inputs.append((name, list(own), self.y_at))
                self.y_at += -(-bytes_of(own) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
            self.memory = multiprocessing.shared_memory.SharedMemory(
                create=True, size=self.y_at + self.y_bytes)
        self.name = self.memory.name.strip("/")
        arrays = {name: np.ndarray(own, np.float32, self.memory.buf, at) for name, own, at in self.inputs}
        self.x, self.y = arrays if isinstance(shape, dict) else arrays[self.inputs[0][0]], None
        try:
            client.post_json(f"/v2/systemsharedmemory/region/{self.name}/register",
                             {"key": f"/{self.name}", "byte_size": self.memory.size})
        except BaseException:
            self.release()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.client.ask("POST", f"/v2/systemsharedmemory/region/{self.name}/unregister", "")
        finally:
            self.release()

    def release(self):
        self.memory.unlink()
        self.x = self.y = None
        try:
            self.memory.close()
        except BufferError:
            pass  # the caller still has views of it

    def infer(self):
        def place(offset, size):
            return {"shared_memory_region": self.name, "shared_memory_offset": offset,
                    "shared_memory_byte_size": size}

        answer = read_json(self.client.post_json(f"/v2/models/{urllib.parse.quote(self.model, safe='')}/infer", {
            "inputs": [{"name": name, "shape": shape, "datatype": "FP32", "parameters": place(at, bytes_of(shape))}
                       for name, shape, at in self.inputs],
            "outputs": [{"name": "y", "parameters": place(self.y_at, self.y_bytes)}], "parameters": self.parameters}))
        with reading("one of an inference"):
            y = answer["outputs"][0]
            self.y = np.ndarray(y["shape"], DTYPES[y["datatype"]], self.memory.buf, self.y_at)
        return self.y


def path_of(model, query):
    if model is not None and not isinstance(model, str):
        raise Error(None, f"model: found {model!r}, expected a name")
    query = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None}, safe=",")
    return (f"/ppm/{urllib.parse.quote(model, safe='')}" if model else "/ppm") + (query and f"?{query}")


def size_text(size):
    """"480,640"; None for None."""
    try:
        h, w = (None, None) if size is None else size
        return None if size is None else f"{h:d},{w:d}"
    except (TypeError, ValueError) as error:
        raise Error(None, f"size: found {size!r}, expected (H, W) in pixels") from error


def only_input(description):
    inputs = description.get("inputs", [{"name": "x"}])  # earlier servers name none
    if len(inputs) != 1:
        raise Error(None, f"model {description['name']} takes {len(inputs)} inputs, expected a dict of shapes")
    return inputs[0]["name"]


def shape_text(shape):
    """"1,4,30,30"; "c2=1,256,64,64;c5=1,2048,16,16" for a dict."""
    if isinstance(shape, dict):
        return ";".join(f"{name}={shape_text(own)}" for name, own in shape.items())
    return shape and ",".join(map(str, shape))


def bytes_of(shape):
    return 4 * math.prod(shape)


def npy_of(x):
    """The Content-Type and the pieces of a body."""
    x = array_of(x)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(x))
    return "application/x-npy", [head.getvalue(), memoryview(x).cast("B")]


def safetensors_of(tensors):
    """The same for one safetensors file."""
    names, header, pieces, at = {"<f4": "F32", "<f2": "F16"}, {}, [], 0
    for name, x in tensors.items():
        x = array_of(x)
        x = np.ascontiguousarray(x, x.dtype if x.dtype.str in names else "<f4")
        header[name] = {"dtype": names[x.dtype.str], "shape": x.shape, "data_offsets": [at, at + x.nbytes]}
        pieces.append(memoryview(x).cast("B"))
        at += x.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return "application/octet-stream", [len(text).to_bytes(8, "little") + text, *pieces]


def array_of(x):
    """A NumPy array that can be sent without conversion."""
    try:
        if hasattr(x, "detach"):  # PyTorch: NumPy supports neither gradients nor bfloat16
            x = x.detach().cpu()
            x = x.float() if str(x.dtype) == "torch.bfloat16" else x
        x = np.asarray(x)
        kind = x.dtype.kind
    except (ValueError, TypeError, RuntimeError) as error:
        raise Error(None, f"x: expected numbers in rows of one length: {error}") from error
    if kind not in "biuf" or x.size == 0:
        raise Error(None, f"x: found {x.dtype} {list(x.shape)}, expected numbers")
    return np.ascontiguousarray(x, x.dtype if x.dtype.str in ("<f2", "<f4", "<f8") else "<f4")


def bytes_of_image(image):
    """The bytes of a JPEG or PNG file."""
    if isinstance(image, (str, os.PathLike)):
        with reading_file(image), open(image, "rb") as file:
            return file.read()
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, np.ndarray):
        return png_of(image)
    if PIL and isinstance(image, PIL.Image.Image):
        file = io.BytesIO()
        with reading_file("image"):
            for_png(upright(image)).save(file, "PNG", compress_level=1)
        return file.getvalue()
    with reading_file("image"):
        body = image.read() if hasattr(image, "read") else None
    if not isinstance(body, bytes):
        raise Error(None, f"image: found {type(image).__name__}, expected a file's name, bytes, a file that is "
                          "open for bytes, a Pillow image or an array [H, W, 3]")
    return body


def upright(image):
    """A Pillow image as its EXIF says, which a PNG of it would not have."""
    turns = {2: PIL.Image.FLIP_LEFT_RIGHT, 3: PIL.Image.ROTATE_180, 4: PIL.Image.FLIP_TOP_BOTTOM,
             5: PIL.Image.TRANSPOSE, 6: PIL.Image.ROTATE_270, 7: PIL.Image.TRANSVERSE, 8: PIL.Image.ROTATE_90}
    try:
        orientation = image.getexif().get(0x112)
    except Exception:  # EXIF that cannot be read turns nothing, here as in viewers
        orientation = None
    return image.transpose(turns[orientation]) if orientation in turns else image


def for_png(image):
    """A Pillow image in a mode of PNG: of 16 bits the upper 8."""
    if image.mode in DEEP_MODES:
        values = np.asarray(image).clip(0, 65535)
        values = np.where(values == image.info.get("transparency"), 0, values)
        return PIL.Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode in PNG_MODES:
        return image
    return image.convert("RGBA" if image.mode.endswith(("A", "a")) else "RGB")


def type_of_image(body):
    for start, media_type in IMAGE_TYPES.items():
        if body.startswith(start):
            return media_type
    raise Error(None, f"image: found {body[:8]!r}, expected the bytes of a JPEG or PNG")


def png_of(pixels):
    """An array [H, W, 3] as a PNG."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise Error(None, f"image: found {pixels.dtype} {list(pixels.shape)}, expected uint8 [H, W, 3]")
    h, w, _ = pixels.shape
    rows = np.zeros((h, 1 + 3 * w), np.uint8)  # each after the number of its filter: none
    rows[:, 1:] = pixels.reshape(h, 3 * w)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def labels_of(answer):
    """The labels [H, W] from the run lengths of each class, column by column."""
    h, w = (int(extent) for extent in answer["size"])
    if min(h, w) < 1 or h * w > LABELS_MAX:
        raise ValueError(f"found labels of {h} x {w}")
    runs = [np.zeros((0, 3), np.int64)]  # first pixel, pixels, class
    for own in answer["classes"]:
        counts = np.array(own["segmentation"]["counts"], np.int64)
        if ((counts < 0) | (counts > h * w)).any() or counts.sum() != h * w:
            raise ValueError(f"found runs of {counts.sum()} pixels, expected {h * w}")
        starts, lengths = np.cumsum(counts)[:-1:2], counts[1::2]
        runs.append(np.stack([starts, lengths, np.full(len(starts), int(own["id"]))], 1)[lengths > 0])
    runs = np.concatenate(runs)
    starts, lengths, ids = runs[np.argsort(runs[:, 0])].T
    if not np.array_equal(np.append(starts, h * w), np.append(0, np.cumsum(lengths))):
        raise ValueError("the runs of its classes do not cover the labels once")
    return np.repeat(ids.astype(np.int32), lengths).reshape(w, h).T


def array_of_npy(data):
    """np.load() of numbers, without allocating more than the data has."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0,
                   (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, is_fortran, dtype = read_header(file)
    if dtype.kind not in "iuf":
        raise ValueError(f"found elements of {dtype}, expected numbers")
    return np.frombuffer(data, dtype, -1, file.tell()).reshape(shape, order="F" if is_fortran else "C")


def read_all(answer):
    """The body, in memory that grows with the bytes that arrive, not with the length that is announced."""
    data = bytearray()
    while piece := answer.read(PIECE_BYTES):
        data += piece
    if answer.length:
        raise http.client.IncompleteRead(bytes(data), answer.length)
    return data


def read_json(data):
    with reading("JSON"):
        return json.loads(data)


def seconds_of(retry_after):
    """The seconds in Retry-After, a number or a date; 1 for anything else."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 1.0


def sentence_of(body):
    """The message of an RFC 9457 problem or of a v2 error."""
    try:
        members = json.loads(body)
        return str(members.get("detail") or members["error"])
    except (ValueError, KeyError, AttributeError, RecursionError):
        return body[:300].decode("utf-8", "replace")


@contextlib.contextmanager
def reading_file(path):
    try:
        yield
    except OSError as error:
        raise Error(None, f"{path}: cannot read it: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise Error(None, f"{path}: {error}") from error


def size_of(text):
    """"480,640" -> [480, 640]"""
    try:
        return [int(extent) for extent in text.split(",")]
    except ValueError:
        raise Error(None, f"--size: found {text!r}, expected H,W in pixels") from None


def load(path):
    with reading_file(path):
        x = np.load(path)
        if not isinstance(x, np.ndarray):
            raise ValueError("found a .npz, expected a .npy")
        return x


def type_of_output(path):
    """The media type of an image's answer, by the extension of its file."""
    types = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".json": "application/json",
             ".npy": "application/x-npy"}
    extension = os.path.splitext(path)[1].lower()
    if extension not in types:
        raise Error(None, f"{path}: expected {', '.join(types)}")
    return types[extension]


def label_file(client, options, size):
    query = {"overlay": options.overlay, "size": size_text(size)}
    answer = client.post_image(bytes_of_image(options.x[0]), options.model, query, type_of_output(options.y))
    with open(options.y, "wb") as file:
        file.write(answer)


def infer_files(client, options, size):
    if len(options.x) == 1:
        x = load(options.x[0])
    elif any("=" not in name for name in options.x):
        raise Error(None, f"found {' '.join(options.x)}, expected NAME=X.npy for each input")
    else:
        x = {name: load(path) for name, _, path in (named.partition("=") for named in options.x)}
    if not options.shared_memory:
        np.save(options.y, client.infer(x, options.model, size=size))
        return
    shape = {name: own.shape for name, own in x.items()} if isinstance(x, dict) else x.shape
    with client.share(shape, options.model, size) as shared:
        for room, own in [(shared.x[name], x[name]) for name in x] if isinstance(x, dict) else [(shared.x, x)]:
            room[...] = own
        np.save(options.y, shared.infer())


def main():
    parser = argparse.ArgumentParser(description="Sends images and .npy files through a model of ppm-server.")
    parser.add_argument("x", metavar="X", nargs="+",
                        help="a .jpg, .png or .npy; NAME=X.npy for each of several inputs")
    parser.add_argument("y", metavar="Y", help="a .npy; of an image also .png, .json, .jpg")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="or unix:/PATH")
    parser.add_argument("--model", default="", help="[the server's first]")
    parser.add_argument("--size", metavar="H,W", help="of y in pixels [the model's]")
    parser.add_argument("--overlay", metavar="OPACITY", help="the image with its labels over it")
    parser.add_argument("--key", help="if the server needs one")
    parser.add_argument("--shared-memory", action="store_true", help="send no tensors at all")
    options = parser.parse_args()
    is_image = len(options.x) == 1 and re.fullmatch(r".*\.(jpe?g|png)", options.x[0], re.I | re.S)
    if is_image and options.shared_memory:
        raise Error(None, f"{options.x[0]}: an image is always sent, expected no --shared-memory")
    if options.overlay is not None and not is_image:
        raise Error(None, f"--overlay: found {' '.join(options.x)}, expected one .jpg, .jpeg or .png")
    size = size_of(options.size) if options.size is not None else None
    with Client(options.url, options.key) as client:
        (label_file if is_image else infer_files)(client, options, size)


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError, EOFError) as error:
        raise SystemExit(f"ppm_client.py: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
