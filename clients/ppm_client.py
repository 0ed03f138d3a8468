#!/usr/bin/python3
"""usage: ppm_client.py X.npy Y.npy [--url URL] [--model NAME] [--key KEY] [--shared-memory]

A client for ppm-server: NumPy arrays in and out, over http://HOST:PORT, https:// or unix:/PATH.

    with ppm_client.Client("http://127.0.0.1:8080") as client:
        y = client.infer(x, model="listing2-pytorch-psp")

Without a model it is the server's first. With a server on this machine that was started with
--allow-shared-memory, tensors need not be sent at all:

        with client.share(x.shape) as shared:  # for as many requests of this shape as you like
            shared.x[:] = x
            y = shared.infer()                 # shared.y, which the next one overwrites

What the server refuses is an Error with the server's own sentence. A Client is for one thread."""

import argparse
import http.client
import io
import json
import multiprocessing.shared_memory
import socket
import time
import urllib.parse

import numpy as np

DTYPES = {"FP32": np.float32, "FP16": np.float16, "FP64": np.float64, "INT32": np.int32}
SAFETENSORS_DTYPES = {"F32": "<f4", "I32": "<i4"}


class Error(Exception):
    """The server's answer was not a success; status is that of HTTP."""

    def __init__(self, status, sentence):
        super().__init__(f"{sentence} (status {status})")
        self.status = status


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """One connection, kept open. tries: how often a request is sent that was not processed: nobody
    listens, the server answers 503, or it has closed the connection between two requests."""

    def __init__(self, url="http://127.0.0.1:8080", key=None, timeout_s=120, tries=3):
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.tries = tries
        kind, _, rest = url.partition(":")
        if kind == "unix":
            self.connection = UnixConnection(rest, timeout_s)
        else:
            connect = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            self.connection = connect[kind](urllib.parse.urlsplit(url).netloc, timeout=timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def infer(self, x, model="", layout=None):
        """x: [N, C, H, W] or [C, H, W], or as layout "NHWC" has it; returns y laid out alike."""
        answer = self.post_npy(x, model, {"layout": layout})
        y = np.lib.format.read_array(answer, allow_pickle=False)
        answer.read()  # its end
        return y

    def stages(self, x, model="", layout=None):
        """All that is computed on the way to y, by name: y, branch.0.pooled, branch.0.output, ..., head."""
        data = self.post_npy(x, model, {"layout": layout, "stages": 1}, "application/octet-stream").read()
        start = 8 + int.from_bytes(data[:8], "little")
        entries = json.loads(data[8:start])  # safetensors
        del entries["__metadata__"]
        return {name: np.frombuffer(data, SAFETENSORS_DTYPES[entry["dtype"]],
                                    np.prod(entry["shape"], dtype=int), start + entry["data_offsets"][0])
                .reshape(entry["shape"]) for name, entry in entries.items()}

    def post_npy(self, x, model, query, accept="application/x-npy"):
        x = np.ascontiguousarray(x, x.dtype if x.dtype.str in ("<f2", "<f4", "<f8") else "<f4")
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(x))
        query = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        return self.ask("POST", path_of(model) + (query and f"?{query}"), [head.getvalue(), memoryview(x).cast("B")],
                        {"Content-Type": "application/x-npy", "Accept": accept,
                         "Content-Length": str(len(head.getvalue()) + x.nbytes)})

    def describe(self, model="", shape=None):
        """What GET /ppm/{model} says, with the costs of a request of a shape."""
        query = f"?shape={','.join(map(str, shape))}" if shape else ""
        return json.load(self.ask("GET", path_of(model) + query))

    def share(self, shape, model=""):
        return Shared(self, shape, model)

    def post_json(self, target, value):
        return self.ask("POST", target, json.dumps(value), {"Content-Type": "application/json"})

    def ask(self, method, target, body=None, headers=()):
        """Returns the answer, a file to be read to its end before the next request."""
        for tries_left in reversed(range(self.tries)):
            is_reused = self.connection.sock is not None
            try:
                answer = self.ask_once(method, target, body, {**self.headers, **dict(headers)})
            except ConnectionRefusedError:
                self.connection.close()
                if not tries_left:
                    raise
                time.sleep(1)
                continue
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.connection.close()
                if not tries_left or not is_reused:
                    raise
                continue
            except BaseException:
                self.connection.close()  # what may still come would be taken for the next answer
                raise
            if answer.status < 300:
                return answer
            sentence = sentence_of(answer.read())
            if answer.status != 503 or not tries_left:
                raise Error(answer.status, sentence)
            time.sleep(float(answer.headers["Retry-After"] or 1))
        raise AssertionError("tries is at least 1")

    def ask_once(self, method, target, body, headers):
        try:
            self.connection.request(method, target, body, headers)
        except (ConnectionResetError, BrokenPipeError):
            pass  # an answer that did not wait for the body may be there
        return self.connection.getresponse()


class Shared:
    """x and y in memory that this process and the server share; from Client.share."""

    def __init__(self, client, shape, model):
        description = client.describe(model, shape)
        self.client, self.model, self.shape = client, description["name"], list(shape)
        self.x_bytes, self.y_bytes = (description["request"][name]
                                      for name in ("input_bytes", "output_bytes"))
        self.memory = multiprocessing.shared_memory.SharedMemory(
            create=True, size=self.x_bytes + self.y_bytes)
        self.name = self.memory.name.strip("/")
        self.x = np.ndarray(shape, np.float32, self.memory.buf)
        self.y = None
        try:
            client.post_json(f"/v2/systemsharedmemory/region/{self.name}/register",
                             {"key": f"/{self.name}", "byte_size": self.memory.size}).read()
        except BaseException:
            self.release()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.client.ask("POST", f"/v2/systemsharedmemory/region/{self.name}/unregister",
                            "").read()
        finally:
            self.release()

    def release(self):
        self.memory.unlink()
        self.x = self.y = None
        try:
            self.memory.close()
        except BufferError:
            pass  # the caller's views keep it until they are gone

    def infer(self):
        def place(offset, size):
            return {"shared_memory_region": self.name, "shared_memory_offset": offset,
                    "shared_memory_byte_size": size}

        answer = json.load(self.client.post_json(f"/v2/models/{self.model}/infer", {
            "inputs": [{"name": "x", "shape": self.shape, "datatype": "FP32",
                        "parameters": place(0, self.x_bytes)}],
            "outputs": [{"name": "y", "parameters": place(self.x_bytes, self.y_bytes)}]}))
        y = answer["outputs"][0]
        self.y = np.ndarray(y["shape"], DTYPES[y["datatype"]], self.memory.buf, self.x_bytes)
        return self.y


def path_of(model):
    return f"/ppm/{urllib.parse.quote(model, safe='')}" if model else "/ppm"


def sentence_of(body):
    """Of an RFC 9457 problem, or of an error of the v2 protocol."""
    try:
        members = json.loads(body)
        return members.get("detail") or members["error"]
    except (ValueError, KeyError, AttributeError):
        return body[:300].decode("utf-8", "replace")


def main():
    parser = argparse.ArgumentParser(description="One .npy through a model of ppm-server.")
    parser.add_argument("x", metavar="X.npy")
    parser.add_argument("y", metavar="Y.npy")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="or unix:/PATH")
    parser.add_argument("--model", default="", help="the server's first, if left out")
    parser.add_argument("--key", help="where the server asks for one")
    parser.add_argument("--shared-memory", action="store_true", help="send no tensors at all")
    options = parser.parse_args()
    x = np.load(options.x)
    with Client(options.url, options.key) as client:
        if not options.shared_memory:
            np.save(options.y, client.infer(x, options.model))
            return
        with client.share(x.shape, options.model) as shared:
            shared.x[:] = x
            np.save(options.y, shared.infer())


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError, http.client.HTTPException) as error:
        raise SystemExit(f"ppm_client.py: {error}") from None
