"""Sends what NVIDIA's Python client for Triton sends over HTTP, byte for byte, where that client is not
installed: as much of its interface as triton.py uses, written anew from what it puts on the wire.
recorded.json holds the requests of the real one; triton.py holds these against them.

That client sends no Content-Type, no Content-Length where a body is empty, asks for binary output in
"parameters" where it names no outputs, and sends again what got no answer before its connection
was closed."""

import concurrent.futures
import gzip
import http.client
import json
import queue
import socket
import urllib.parse
import zlib

import numpy as np

AGENT = "python/gevent-http-client-2.0.8"
COMPRESS = {"gzip": gzip.compress, "deflate": zlib.compress}
DECOMPRESS = {"gzip": gzip.decompress, "deflate": zlib.decompress}
DTYPES = {"FP32": np.float32, "FP16": np.float16, "FP64": np.float64, "INT32": np.int32,
          "INT64": np.int64}


class InferenceServerException(Exception):
    def __init__(self, message, status):
        super().__init__(message)
        self.text, self.code = message, status

    def message(self):
        return self.text

    def status(self):
        return self.code


def text_of(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


class Region:
    """Where a tensor lies in shared memory, as a request says it."""

    @staticmethod
    def parameters(name, byte_size, offset):
        place = {"shared_memory_region": name, "shared_memory_byte_size": byte_size}
        return {**place, "shared_memory_offset": offset} if offset else place


class InferInput:
    def __init__(self, name, shape, datatype):
        self.tensor = {"name": name, "shape": shape, "datatype": datatype}
        self.bytes = None

    def set_data_from_numpy(self, x, binary_data=True):
        if not binary_data:
            self.tensor["data"] = x.flatten().tolist()
            return self
        if self.tensor["datatype"] == "BF16":
            self.bytes = (x.view(np.uint32) >> 16).astype("<u2").tobytes()
        else:
            self.bytes = x.tobytes()
        self.tensor["parameters"] = {"binary_data_size": len(self.bytes)}
        return self

    def set_shared_memory(self, region_name, byte_size, offset=0):
        self.tensor["parameters"] = Region.parameters(region_name, byte_size, offset)
        return self


class InferRequestedOutput:
    def __init__(self, name, binary_data=True, class_count=0):
        classes = {"classification": class_count} if class_count else {}
        self.tensor = {"name": name, "parameters": {**classes, "binary_data": binary_data}}

    def set_shared_memory(self, region_name, byte_size, offset=0):
        self.tensor["parameters"]["binary_data"] = False
        self.tensor["parameters"].update(Region.parameters(region_name, byte_size, offset))


class InferResult:
    def __init__(self, headers, body):
        body = DECOMPRESS.get(headers["Content-Encoding"], bytes)(body)
        length = int(headers["Inference-Header-Content-Length"] or len(body))
        self.response, self.binary = json.loads(body[:length]), body[length:]

    def get_response(self):
        return self.response

    def get_output(self, name):
        return next((y for y in self.response["outputs"] if y["name"] == name), None)

    def as_numpy(self, name):
        at = 0
        for output in self.response["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            if output["name"] == name:
                dtype = DTYPES[output["datatype"]]
                values = (np.array(output["data"], dtype) if size is None
                          else np.frombuffer(self.binary[at:at + size], dtype))
                return values.reshape(output["shape"])
            at += size or 0
        return None


class InferAsyncRequest:
    def __init__(self, future):
        self.future = future

    def get_result(self, timeout=None):
        return self.future.result(timeout)


class InferenceServerClient:
    def __init__(self, url, concurrency=1, network_timeout=60.0):
        self.address, self.timeout = url, network_timeout
        self.tries = concurrency + 2
        self.idle = queue.LifoQueue()
        self.places = concurrent.futures.ThreadPoolExecutor(concurrency)

    def close(self):
        self.places.shutdown()
        while not self.idle.empty():
            self.idle.get().close()

    def connect(self):
        host, _, port = self.address.partition(":")
        return socket.create_connection((host, int(port)), self.timeout)

    def exchange(self, method, path, body=b"", headers=(), query_params=None):
        """Returns status, headers and body; sends again where a connection ends without an answer."""
        query = f"?{urllib.parse.urlencode(query_params)}" if query_params else ""
        lines = [f"{method} /{path}{query} HTTP/1.1", f"user-agent: {AGENT}",
                 *(f"{name.lower()}: {value}" for name, value in dict(headers).items()),
                 f"host: {self.address}", *([f"content-length: {len(body)}"] if body else [])]
        request = "\r\n".join([*lines, "", ""]).encode() + body
        for tries_left in reversed(range(self.tries)):
            connection = self.connect() if self.idle.empty() else self.idle.get()
            try:
                connection.sendall(request)
                answer = http.client.HTTPResponse(connection, method=method)
                answer.begin()
            except (ConnectionError, http.client.RemoteDisconnected):
                connection.close()
                if not tries_left:
                    raise
                continue
            read = answer.read()
            if answer.will_close:
                connection.close()
            else:
                self.idle.put(connection)
            return answer.status, answer.headers, read
        raise AssertionError

    def ask(self, *arguments, **options):
        status, headers, body = self.exchange(*arguments, **options)
        if status != 200:
            raise InferenceServerException(json.loads(body)["error"], str(status))
        return headers, body

    def get_json(self, path):
        return json.loads(self.ask("GET", path)[1])

    # ---- health, metadata, statistics ----

    @staticmethod
    def path_of(model, version, what=""):
        version = f"/versions/{version}" if version else ""
        return f"v2/models/{urllib.parse.quote(model)}{version}{what}"

    def is_server_live(self):
        return self.exchange("GET", "v2/health/live")[0] == 200

    def is_server_ready(self):
        return self.exchange("GET", "v2/health/ready")[0] == 200

    def is_model_ready(self, model_name, model_version=""):
        return self.exchange("GET", self.path_of(model_name, model_version, "/ready"))[0] == 200

    def get_server_metadata(self):
        return self.get_json("v2")

    def get_model_metadata(self, model_name, model_version=""):
        return self.get_json(self.path_of(model_name, model_version))

    def get_model_config(self, model_name, model_version=""):
        return self.get_json(self.path_of(model_name, model_version, "/config"))

    def get_inference_statistics(self, model_name="", model_version=""):
        return self.get_json(self.path_of(model_name, model_version, "/stats") if model_name
                             else "v2/models/stats")

    # ---- the repository ----

    def get_model_repository_index(self):
        return json.loads(self.ask("POST", "v2/repository/index")[1])

    def load_model(self, model_name):
        self.ask("POST", f"v2/repository/models/{model_name}/load", b"{}")

    def unload_model(self, model_name):
        self.ask("POST", f"v2/repository/models/{model_name}/unload",
                 b'{"parameters":{"unload_dependents":false}}')

    # ---- shared memory ----

    def register_system_shared_memory(self, name, key, byte_size, offset=0):
        self.ask("POST", f"v2/systemsharedmemory/region/{name}/register",
                 text_of({"key": key, "offset": offset, "byte_size": byte_size}).encode())

    def unregister_system_shared_memory(self, name=""):
        region = f"/region/{name}" if name else ""
        self.ask("POST", f"v2/systemsharedmemory{region}/unregister")

    def get_system_shared_memory_status(self, region_name=""):
        region = f"/region/{region_name}" if region_name else ""
        return self.get_json(f"v2/systemsharedmemory{region}/status")

    # ---- inference ----

    @staticmethod
    def message(inputs, outputs, request_id, priority, timeout, sequence_id, sequence_start,
                sequence_end, parameters):
        said = {"id": request_id} if request_id else {}
        more = {}
        if sequence_id:
            more.update(sequence_id=sequence_id, sequence_start=sequence_start,
                        sequence_end=sequence_end)
        more.update({"priority": priority} if priority else {})
        more.update({} if timeout is None else {"timeout": timeout})
        said["inputs"] = [x.tensor for x in inputs]
        if outputs:
            said["outputs"] = [y.tensor for y in outputs]
        else:
            more["binary_data_output"] = True
        more.update(parameters or {})
        return text_of({**said, "parameters": more} if more else said).encode()

    def infer(self, model_name, inputs, model_version="", outputs=None, request_id="", priority=0,
              timeout=None, headers=None, query_params=None, request_compression_algorithm=None,
              response_compression_algorithm=None, parameters=None, sequence_id=0,
              sequence_start=False, sequence_end=False):
        head = self.message(inputs, outputs, request_id, priority, timeout, sequence_id,
                            sequence_start, sequence_end, parameters)
        binary = [x.bytes for x in inputs if x.bytes is not None]
        body, headers = head + b"".join(binary), dict(headers or {})
        if request_compression_algorithm:
            body = COMPRESS[request_compression_algorithm](body)
            headers["Content-Encoding"] = request_compression_algorithm
        if response_compression_algorithm:
            headers["Accept-Encoding"] = response_compression_algorithm
        if binary:
            headers["Inference-Header-Content-Length"] = len(head)
        return InferResult(*self.ask("POST", self.path_of(model_name, model_version, "/infer"), body,
                                     headers, query_params))

    def async_infer(self, model_name, inputs, **options):
        return InferAsyncRequest(self.places.submit(self.infer, model_name, inputs, **options))
