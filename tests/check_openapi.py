#!/usr/bin/python3
"""usage: tests/check_openapi.py URL KEY ALLOWING-URL

Asks the servers of openapi.sh, of which one wants KEY and the other allows shared memory and control of
its models, for everything that URL/openapi.json describes: each answer's status, type, headers and body
must be described, and each described status must have been seen, except those that a test cannot cause
at will. "make test-openapi" checks the document itself."""

import base64
import gzip
import http.client
import json
import math
import os
import pathlib
import re
import sys
import urllib.parse
import zlib

from jsonschema import Draft202012Validator, RefResolver

ADDRESS, ALLOWING = (urllib.parse.urlparse(url).netloc for url in (sys.argv[1], sys.argv[3]))
KEY = sys.argv[2]
ALLOWED = "no key, everything allowed"
AT_OTHERS_WILL = {"503", "504"}  # load, memory, time: see test_live_limits.c, test_live_deadlines.c
problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def ask(method, target, body=None, headers=(), key=KEY):
    connection = http.client.HTTPConnection(ADDRESS if key != ALLOWED else ALLOWING, timeout=30)
    fields = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request(method.upper(), target, body, {**fields, **dict(headers)})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, answer.headers, read


status, fields, text = ask("GET", "/openapi.json")
assert status == 200, text
document = json.loads(text)


def resolve(node):
    """The node that a {"$ref": "#/..."} refers to."""
    while "$ref" in node:
        path, node = node["$ref"], document
        for part in path.removeprefix("#/").split("/"):
            node = node[part]
    return node


def check_value(value, schema, where):
    validator = Draft202012Validator(schema, resolver=RefResolver("", document))
    for error in validator.iter_errors(value):
        check(False, f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")


# ---- the server, asked ----

JSON, NPY, RAW = "application/json", "application/x-npy", "application/octet-stream"
PNG, JPEG, MAP = "image/png", "image/jpeg", "/ppm/voc-map"
TINY = b'{"shape": [1, 4, 1, 1], "data": [1, 2, 3, 4]}'
MODEL, TWO, LENGTH = "listing1-pytorch-ppm", "two-levels", "Inference-Header-Content-Length"
OBJECT = pathlib.Path(f"/dev/shm/ppm_openapi_{os.getpid()}")  # of shared memory
seen = {}  # (path, method): the statuses


def sample():
    with open("configs/samples/features-4x30x30.npy", "rb") as file:
        return file.read()


def requests_of_tensors():
    """(path, target, body, headers, status)"""
    for path, target in (("/ppm", "/ppm"), ("/ppm/{model}", f"/ppm/{MODEL}")):
        for accept in (JSON, NPY, RAW):
            yield path, target, TINY, {"Content-Type": JSON, "Accept": accept}, 200
            yield path, target, sample(), {"Content-Type": NPY, "Accept": accept}, 200
        yield path, f"{target}?shape=1,4,1,1&layout=NHWC", bytes(16), {"Content-Type": RAW}, 422
        yield path, f"{target}?shape=1,1,1,4&layout=NHWC", bytes(16), {"Content-Type": RAW}, 200
        yield path, target, bytes(16), {"Content-Type": RAW, "X-Tensor-Shape": "4,1,1"}, 200
        yield path, target, b"{", {"Content-Type": JSON}, 400
        yield path, target, TINY, {"Content-Type": JSON, "Accept": "text/html"}, 406
        yield path, target, TINY, {"Content-Type": JSON, "Accept": PNG}, 406
        yield path, target, TINY, {"Content-Type": "text/html"}, 415
        yield path, target, TINY, {"Content-Type": JSON, "Content-Encoding": "br"}, 415
        yield path, target, gzip.compress(TINY), {"Content-Type": JSON, "Content-Encoding": "gzip"}, 200
        yield path, target, sample(), {"Content-Type": NPY, "Accept": JSON, "Accept-Encoding": "gzip"}, 200
        for dtype in ("float32", "float16", "bfloat16"):
            yield (path, f"{target}?shape=1,4,1,1&dtype={dtype}&out_dtype={dtype}",
                   bytes(16 if dtype == "float32" else 8), {"Content-Type": RAW}, 200)
        for accept in (JSON, RAW):
            yield path, f"{target}?stages=1", TINY, {"Content-Type": JSON, "Accept": accept}, 200
        yield path, f"{target}?stages=2", TINY, {"Content-Type": JSON}, 400
        yield path, f"{target}?stages=1", TINY, {"Content-Type": JSON, "Accept": NPY}, 406
        yield path, target, bytes(200000), {"Content-Type": NPY}, 413
        yield path, target, TINY, {"Content-Type": JSON, "Content-Length": "100"}, 408
    yield "/ppm/{model}", "/ppm/none", TINY, {"Content-Type": JSON}, 404
    yield "/ppm", "/ppm", b'{"model": "none", ' + TINY.strip()[1:], {"Content-Type": JSON}, 404
    for accept in (JSON, NPY, RAW, PNG):
        yield "/ppm/{model}", MAP, sample(), {"Content-Type": NPY, "Accept": accept}, 200
    yield "/ppm/{model}", f"{MAP}?shape=2,4,1,1", bytes(32), {"Content-Type": RAW, "Accept": PNG}, 406


def requests_of_images():
    """As requests_of_tensors, of the model street."""
    path, target = "/ppm/{model}", "/ppm/street"
    with open("tests/images/jpeg-444.jpg", "rb") as file:  # small, for servers under an emulator
        photo = file.read()
    for accept in (JSON, NPY, RAW, PNG):
        yield path, target, photo, {"Content-Type": JPEG, "Accept": accept}, 200
    for query in ("", "?size=40,50", "?labels=true", "?labels=rle", "?stages=1", "?stages=stem,network.0",
                  "?overlay=0.5"):
        yield path, target + query, photo, {}, 200
        yield path, target + query, photo, {"Content-Type": RAW}, 200
    yield path, f"{target}?overlay=1", photo, {"Accept": JPEG}, 200
    yield path, target, photo[:len(photo) // 2], {}, 400
    yield path, f"{target}?overlay=1.5", photo, {}, 400
    yield path, f"{target}?labels=true", photo, {"Accept": PNG}, 406
    yield path, target, photo, {"Accept": JPEG}, 406
    yield path, target, b"GIF89a" + photo, {}, 415
    yield path, f"/ppm/{MODEL}", photo, {}, 422
    yield "/ppm", "/ppm", photo, {"Content-Type": JPEG}, 422
    text = base64.b64encode(photo).decode()
    element = len(photo).to_bytes(4, "little") + photo
    x = {"name": "x", "shape": [1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [{**x, "parameters": {"binary_data_size": len(element)}}]}).encode()
    path, target = "/v2/models/{model}/infer", "/v2/models/street/infer"
    yield path, target, json.dumps({"inputs": [{**x, "data": [text]}]}).encode(), {}, 200
    yield path, target, head + element, {LENGTH: str(len(head))}, 200
    path, target = "/v1/models/{model}:predict", "/v1/models/street:predict"
    for instance in ({"b64": text}, {"image_bytes": {"b64": text}}, text):
        yield path, target, json.dumps({"instances": [instance]}).encode(), {}, 200


def safetensors(tensors):
    """A file of zeros: {name: shape}."""
    header, at = {}, 0
    for name, shape in tensors.items():
        count = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)


def requests_of_several_inputs():
    """As requests_of_tensors, of the model two-levels."""
    path, target = "/ppm/{model}", f"/ppm/{TWO}"
    body = safetensors({"coarse": [1, 3, 2, 2], "fine": [1, 4, 4, 4]})
    for accept in (JSON, NPY, RAW, PNG):
        yield path, f"{target}?size=5,6", body, {"Content-Type": RAW, "Accept": accept}, 200
    yield path, f"{target}?stages=1", body, {"Content-Type": RAW}, 200
    yield path, target, body[:-4], {"Content-Type": RAW}, 400
    yield path, f"{target}?size=5", body, {"Content-Type": RAW}, 400
    yield path, f"{target}?size=65537,5", body, {"Content-Type": RAW}, 413
    yield path, target, safetensors({"coarse": [1, 3, 2, 2], "fine": [1, 5, 4, 4]}), {"Content-Type": RAW}, 422
    yield path, target, TINY, {"Content-Type": JSON}, 415
    numbers = json.dumps({"inputs": [
        {"name": "coarse", "shape": [3, 1, 1], "datatype": "FP32", "data": [1, 2, 3]},
        {"name": "fine", "shape": [4, 1, 1], "datatype": "FP32", "data": [1, 2, 3, 4]}],
        "parameters": {"size": "2,3"}}).encode()
    path, target = "/v2/models/{model}/infer", f"/v2/models/{TWO}/infer"
    yield path, target, numbers, {}, 200
    yield path, f"{target}?size=2,4", numbers, {}, 400


def requests_of_inferences():
    """The same for the Open Inference Protocol."""
    head = (b'{"inputs": [{"name": "x", "shape": [1, 4, 1, 1], "datatype": "FP32", '
            b'"parameters": {"binary_data_size": 16}}], "parameters": {"binary_data_output": true}}')
    numbers = (b'{"inputs": [{"name": "x", "shape": [1, 4, 1, 1], "datatype": "FP32", '
               b'"data": [1, 2, 3, 4]}]}')
    for version in ("", "/versions/{version}"):
        path = f"/v2/models/{{model}}{version}/infer"
        target = path.replace("{model}", MODEL).replace("{version}", "1")
        yield path, target, numbers, {}, 200
        yield path, target, numbers, {"Content-Type": JSON}, 200
        yield path, target, head + bytes(16), {LENGTH: str(len(head))}, 200
        yield path, f"{target}?shape=1,4,1,1", bytes(16), {LENGTH: "0"}, 200
        yield path, target, head, {}, 400
        yield path, target, numbers, {"Content-Length": "1000"}, 408
        yield path, target, bytes(200000), {}, 413
        yield path, target, numbers, {"Content-Encoding": "br"}, 415
        yield path, target.replace(MODEL, "none"), numbers, {}, 404
    yield path, target.replace("/1/", "/2/"), numbers, {}, 404


def requests_of_predictions():
    """The same for TensorFlow Serving's protocol."""
    instances = b'{"instances": [[[[1]], [[2]], [[3]], [[4]]], [[[1]], [[2]], [[3]], [[5]]]]}'
    for version in ("", "/versions/{version}"):
        path = f"/v1/models/{{model}}{version}:predict"
        target = path.replace("{model}", MODEL).replace("{version}", "1")
        yield path, target, instances, {}, 200
        yield path, target, instances, {"Content-Type": JSON}, 200
        yield path, f"{target}?size=30,40", instances, {"Accept-Encoding": "gzip"}, 200
        yield path, target, b'{"instances": [[[1]]]}', {}, 400
        yield path, target, instances, {"Content-Length": "1000"}, 408
        yield path, target, bytes(200000), {}, 413
        yield path, target, instances, {"Content-Type": "text/html"}, 415
        yield path, target.replace(MODEL, "none"), instances, {}, 404
    yield path, target.replace("/1:", "/2:"), instances, {}, 404


def requests_of_regions():
    """(method, path, target, body, key, status)"""
    regions, region = "/v2/systemsharedmemory", "/v2/systemsharedmemory/region/{region}"
    register = b'{"key": "/%s", "byte_size": 4096}' % OBJECT.name.encode()
    for key, expected in ((KEY, 403), (ALLOWED, 200)):
        yield "post", f"{region}/register", f"{regions}/region/r/register", register, key, expected
        yield "get", f"{regions}/status", f"{regions}/status", None, key, expected
        yield "get", f"{region}/status", f"{regions}/region/r/status", None, key, expected
        yield "post", f"{region}/unregister", f"{regions}/region/r/unregister", None, key, expected
        yield "post", f"{regions}/unregister", f"{regions}/unregister", None, key, expected
    yield "post", f"{region}/register", f"{regions}/region/r/register", b"{}", ALLOWED, 400
    yield "get", f"{region}/status", f"{regions}/region/none/status", None, ALLOWED, 404
    for action in ("register", "unregister"):
        yield "post", f"{region}/{action}", f"{regions}/region/r/{action}", bytes(5000), ALLOWED, 413
    yield "post", f"{regions}/unregister", f"{regions}/unregister", bytes(5000), ALLOWED, 413


def requests_of_models():
    """The same."""
    for what in ("", "/ready", "/config", "/stats"):
        for version in ("", "/versions/{version}"):
            path = f"/v2/models/{{model}}{version}{what}"
            target = path.replace("{version}", "1")
            yield "get", path, target.replace("{model}", MODEL), None, KEY, 200
            yield "get", path, target.replace("{model}", "none"), None, KEY, 404
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats"):
        yield "get", path, path, None, KEY, 200
    for version in ("", "/versions/{version}"):
        path = f"/v1/models/{{model}}{version}"
        target = path.replace("{version}", "1")
        yield "get", path, target.replace("{model}", MODEL), None, KEY, 200
        yield "get", path, target.replace("{model}", "none"), None, KEY, 404
    yield "get", "/v1/models", "/v1/models", None, KEY, 200
    index, model = "/v2/repository/index", "/v2/repository/models/{model}"
    for body, expected in ((None, 200), (b'{"ready": true}', 200), (b"[", 400), (bytes(5000), 413)):
        yield "post", index, index, body, KEY, expected
    for action in ("unload", "load"):
        path = f"{model}/{action}"
        target = path.replace("{model}", MODEL)
        yield "post", path, target, None, KEY, 403
        yield "post", path, target, None, ALLOWED, 200
        yield "post", path, target, bytes(5000), ALLOWED, 413
        yield "post", path, path.replace("{model}", "none"), None, ALLOWED, 404


def requests():
    """(method, path, target, body, headers, key, status)"""
    for path, target, body, headers, expected in [*requests_of_tensors(), *requests_of_images(),
                                                  *requests_of_several_inputs(),
                                                  *requests_of_inferences(), *requests_of_predictions()]:
        yield "post", path, target, body, headers, KEY, expected
        if path.startswith("/ppm"):
            yield "put", path, target, body, headers, KEY, expected
    for method, path, target, body, key, expected in [*requests_of_models(), *requests_of_regions()]:
        yield method, path, target, body, {}, key, expected
    for path, target in (("/ppm", "/ppm"), ("/ppm/{model}", f"/ppm/{MODEL}")):
        for query, expected in (("", 200), ("?shape=1,4,30,30", 200), ("?shape=4,30,30", 200),
                                ("?shape=all", 400), ("?layout=CHWN", 400), ("?shape=1,5,3,3", 422)):
            yield "get", path, target + query, None, {}, KEY, expected
    for query, expected in (("", 200), ("?shape=fine=1,4,6,6;coarse=1,3,3,3&size=7,8", 200), ("?shape=1,4,6,6", 400)):
        yield "get", "/ppm/{model}", f"/ppm/{TWO}{query}", None, {}, KEY, expected
    yield "get", "/v2/models/{model}", f"/v2/models/{TWO}", None, {}, KEY, 200
    yield "get", "/ppm/{model}", "/ppm/none", None, {}, KEY, 404
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/"):
        yield "get", path, path, None, {}, KEY, 200
    for name in ("page.css", "page.js", "icon.svg", "features-4x30x30.npy", "street.jpg", "page.md"):
        yield "get", "/page/{file}", f"/page/{name}", None, {}, KEY, 200
    yield "get", "/page/{file}", "/page/none", None, {}, KEY, 404
    for path, target in (("/", "/"), ("/page/{file}", "/page/page.js")):
        known = {"If-None-Match": ask("HEAD", target)[1]["ETag"]}
        yield "get", path, target, None, known, KEY, 304


def requests_without_key():
    for path, item in document["paths"].items():
        for method, operation in item.items():
            target = path.replace("{model}", MODEL).replace("{region}", "r").replace("{version}", "1")
            if "401" in operation["responses"]:
                yield method, path, target, None, {}, None, 401


def check_answer(method, path, request, answer):
    code, headers, body = answer
    where = f"{method.upper()} {request}: {code}"
    operation = document["paths"][path][method]
    seen.setdefault((path, method), set()).add(str(code))
    check(str(code) in operation["responses"], f"{where}: not described")
    response = resolve(operation["responses"].get(str(code), operation["responses"]["default"]))
    media = (headers["Content-Type"] or "").split(";")[0]
    content = response.get("content", {})
    check(media in content if content else not body, f"{where}: a body of type {media}")
    for name in response.get("headers", {}):
        optional = (name.startswith("X-Tensor") and (media == JSON or "overlay=" in request) or
                    name.startswith(("Inference-", "Content-Encoding", "X-Image-")))
        check(headers[name] or optional, f"{where}: lacks {name}")
        if headers[name]:
            schema = resolve(response["headers"][name])["schema"]
            value = headers[name]
            check_value(int(value) if schema.get("type") == "integer" else value, schema, where)
    if headers["Content-Encoding"]:
        body = zlib.decompress(body, 15 + 32)
    check(("X-Image-Size" in headers) == (request.startswith("/ppm/street") and code == 200), f"{where}: X-Image-Size")
    if media == JPEG:
        check(body.startswith(b"\xff\xd8\xff"), f"{where}: no JPEG: {body[:16]}")
    if media == PNG:
        check(body.startswith(b"\x89PNG\r\n\x1a\n"), f"{where}: no PNG: {body[:16]}")
    if media in content and media.endswith("json"):
        check_value(json.loads(body), content[media]["schema"], where)


def check_server():
    for method, path, target, body, headers, key, expected in [*requests(), *requests_without_key()]:
        try:
            answer = ask(method, target, body, headers, key)
        except (ConnectionError, http.client.HTTPException) as error:
            check(False, f"{method} {target}: {type(error).__name__}")
            continue
        check(answer[0] == expected, f"{method} {target}: {answer[0]}, expected {expected}: "
                                     f"{answer[2][:200]}")
        check_answer(method, path, target, answer)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            described = set(operation["responses"]) - {"default"} - AT_OTHERS_WILL
            missing = described - seen.get((path, method), set())
            check(not missing, f"{method.upper()} {path}: described, but not seen: {sorted(missing)}")


OBJECT.write_bytes(bytes(4096))
try:
    check_server()
finally:
    OBJECT.unlink()
for problem in problems[:40]:
    print(f"openapi: {problem}")
if not problems:
    count = sum(len(codes) for codes in seen.values())
    print(f"openapi: {len(document['paths'])} paths are described, {count} kinds of answers as described")
sys.exit(1 if problems else 0)
