#!/usr/bin/python3
"""usage: tests/v2/replay.py URL

Sends the server at URL, started by clients.sh, what Triton's clients sent: recorded.json has the requests
in order, as NVIDIA's tritonclient.http sent them, byte for byte but for tensors' values (no Content-Type, no
Content-Length with an empty body), and as its C++ client sends them (the last six), with their status. Each is
answered with that status and, where recorded, that JSON; each result is what POST /ppm computes.

In recorded.json HOST and PROCESS replace what differs from run to run, COMPRESSED for the length of a
body that is compressed here, and a number of bytes for zeros. "x" in shared memory is made up here."""

import base64
import gzip
import http.client
import json
import mmap
import os
import pathlib
import re
import sys
import urllib.parse
import zlib

import numpy as np

ADDRESS = urllib.parse.urlparse(sys.argv[1]).netloc
MODEL = "listing1-pytorch-ppm"
OBJECT = pathlib.Path(f"/dev/shm/ppm_test_{os.getpid():08d}")
OBJECT_BYTES = 11264
REGIONS = {"all": 0, "part": 4096}  # where they begin
COMPRESS = {"gzip": gzip.compress, "deflate": zlib.compress}
DTYPES = {"FP32": np.float32, "FP16": np.float16, "INT32": np.int32}
random = np.random.default_rng(7)


def header_of(head, name):
    return next((line.partition(": ")[2] for line in head if line.lower().startswith(f"{name}: ")), None)


def bytes_of(request):
    """-> head, and body not yet compressed"""
    text = request["json"].replace("PROCESS", f"{os.getpid():08d}").encode()
    binary = request.get("binary", "")
    body = text + (bytes(binary) if isinstance(binary, int) else base64.b64decode(binary))
    head, sent = list(request["head"]), body
    if encoding := header_of(head, "content-encoding"):
        sent = COMPRESS[encoding](body)
    head = "\r\n".join([*head, "", ""]).replace("HOST", ADDRESS).replace("COMPRESSED", str(len(sent)))
    return head.encode(), sent, text


def exchange(connection, head, body):
    """-> status, JSON, binary part"""
    connection.connect()
    connection.sock.sendall(head + body)
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    read = answer.read()
    connection.close()
    if answer.headers["Content-Encoding"]:
        read = zlib.decompress(read, 47)
    length = int(answer.headers["Inference-Header-Content-Length"] or len(read))
    return answer.status, read[:length], read[length:]


def place(memory, tensor):
    """Where a tensor is in shared memory, as a slice; None: it is not there."""
    parameters = tensor.get("parameters", {})
    if "shared_memory_region" not in parameters:
        return None
    begin = REGIONS[parameters["shared_memory_region"]] + parameters.get("shared_memory_offset", 0)
    assert begin + parameters["shared_memory_byte_size"] <= len(memory)
    return slice(begin, begin + parameters["shared_memory_byte_size"])


def values_of(tensor, binary):
    """As float32."""
    if "data" in tensor:
        values = np.array(tensor["data"], np.float32)
    elif tensor["datatype"] == "BF16":
        values = (np.frombuffer(binary, np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(binary, DTYPES[tensor["datatype"]]).astype(np.float32)
    return values.reshape(tensor["shape"])


def expected(target, x):
    """What POST /ppm answers."""
    path, _, query = target.partition("?")
    query = f"shape={','.join(map(str, x.shape))}&{query}"
    connection = http.client.HTTPConnection(ADDRESS, timeout=60)
    connection.request("POST", f"/ppm/{path.split('/')[3]}?{query}", x.tobytes(),
                       {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    read = answer.read()
    assert answer.status == 200, read
    return [int(axis) for axis in answer.headers["X-Tensor-Shape"].split(",")], read


def check_result(memory, request, text, said, binary):
    asked, said = json.loads(text), json.loads(said)
    target = request["head"][0].split()[1]
    x = asked["inputs"][0]
    given = place(memory, x)
    given = memory[given] if given else base64.b64decode(request.get("binary", ""))
    shape, y = expected(target, values_of(x, given))
    output, = said["outputs"]
    assert said["model_name"] == target.split("/")[3] and said["model_version"] == "1", said
    assert said.get("id", "") == asked.get("id", ""), said
    assert (output["name"], output["shape"]) == ("y", shape), output
    at = place(memory, asked["outputs"][0]) if "outputs" in asked else None
    parameters = output.get("parameters", {"binary_data_size": 0})
    assert "binary_data_size" in parameters, "the C++ client takes no parameters without it"
    if at:
        assert "data" not in output and memory[at] == y, "shared memory has other values"
    elif "data" in output:
        assert np.array(output["data"], DTYPES[output["datatype"]]).tobytes() == y, "other values"
    else:
        assert parameters["binary_data_size"] == len(binary) and binary == y, "other values"


def replay(memory, request):
    head, body, text = bytes_of(request)
    is_inference = "/infer" in request["head"][0]
    if is_inference and request["status"] == 200 and (at := place(memory, json.loads(text)["inputs"][0])):
        memory[at] = (random.integers(-40, 41, (at.stop - at.start) // 4) / 8).astype(np.float32).tobytes()
    status, said, binary = exchange(http.client.HTTPConnection(ADDRESS, timeout=60), head, body)
    assert status == request["status"], f"{status}: {said[:300]}"
    if "answer" in request:
        found = json.loads(said.replace(OBJECT.name.encode(), b"ppm_test_PROCESS"))
        assert found == request["answer"], said
    if is_inference and status == 200:
        check_result(memory, request, text, said, binary)
    elif status != 200 and said:
        assert json.loads(said)["error"], said


def statistics():
    connection = http.client.HTTPConnection(ADDRESS, timeout=60)
    connection.request("GET", f"/v2/models/{MODEL}/stats")
    return json.loads(connection.getresponse().read())["model_stats"][0]


def check_statistics(before, after, requests):
    """Each inference is counted once, by v2 and by POST /ppm, which computes each one again."""
    ours = [request for request in requests if f"models/{MODEL}/" in request["head"][0] and
            "/infer" in request["head"][0]]
    computed = 2 * sum(request["status"] == 200 for request in ours)
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        was, now = before["inference_stats"][name], after["inference_stats"][name]
        assert now["count"] == was["count"] + computed and now["ns"] >= was["ns"], (name, was, now, computed)
    assert after["inference_count"] >= before["inference_count"] + computed, (before, after)
    assert after["inference_stats"]["fail"]["count"] > before["inference_stats"]["fail"]["count"], after
    assert after["last_inference"] > 1e12, after


def main():
    with open(pathlib.Path(__file__).with_name("recorded.json"), encoding="utf-8") as file:
        requests = json.load(file)
    OBJECT.write_bytes(bytes(OBJECT_BYTES))
    failed, before = 0, statistics()
    try:
        with open(OBJECT, "r+b") as file, mmap.mmap(file.fileno(), OBJECT_BYTES) as memory:
            for number, request in enumerate(requests):
                try:
                    replay(memory, request)
                except (AssertionError, OSError, ValueError, KeyError, http.client.HTTPException) as error:
                    failed += 1
                    print(f"v2: request {number}, {request['head'][0]} {request['json'][:300]}: "
                          f"{type(error).__name__}: {str(error)[:600]}")
    finally:
        OBJECT.unlink()
    check_statistics(before, statistics(), requests)
    print(f"v2: {len(requests)} requests of Triton's clients, {failed} answered otherwise than recorded")
    sys.exit(1 if failed else 0)


main()
