#!/usr/bin/python3
"""usage: tests/v1/malformed.py URL

Sends malformed requests of TensorFlow Serving's protocol, accidental or malicious, and malformed images by it and
by the Open Inference Protocol: each gets a 400, or the status given, with one sentence as {"error": ...}, and a
good request after it, on the same connection if that stays open, gets the right answer. At the end nothing is in
flight. tests/fuzz/ also fuzzes the JSON."""

import base64
import http.client
import itertools
import json
import re
import struct
import sys
import time
import urllib.parse
import zlib

ADDRESS = urllib.parse.urlparse(sys.argv[1]).netloc
NUMBERS, IMAGES = "/v1/models/listing1-pytorch-ppm:predict", "/v1/models/street:predict"
INFER, LENGTH = "/v2/models/street/infer", "Inference-Header-Content-Length"
X = [[[n / 4, 1, 2], [3, -n, 1e-3]] for n in range(4)]  # [4, 2, 3]
GOOD = json.dumps({"instances": [X, X]})
BAD = (400,)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, pixels, more=b""):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


PNG = png(4, 4, (b"\0" + bytes(range(12))) * 4)
with open("configs/samples/street.jpg", "rb") as photo:
    JPEG = photo.read()
TEXT = base64.b64encode(PNG).decode()


def instances():
    for data in ("[]", "[[]]", "[[[]]]", "[[[[]]]]", "[[[[[1]]]]]", "7", '"x"', "null", "true", "{}", "[1, 2]",
                 json.dumps(X), json.dumps([X, X[:3]]), json.dumps([X, [X]]), json.dumps([X[:3]]),
                 json.dumps([X, None]), json.dumps([None]), json.dumps([X, "x"]), json.dumps([X, {"b64": TEXT}]),
                 json.dumps([X])[:-1], json.dumps([X])[:-1] + ",]", "[" * 100, "[" * 100000,
                 "[" * 100000 + "]" * 100000, "[[[[1e400]]]]", "[[[[01]]]]", "[[[[NaN]]]]", "[[[[1\0]]]]",
                 "[[[[" + "1, " * 1000 + "1]]]]"):
        yield f"instances {data[:40]}", NUMBERS, f'{{"instances": {data}}}', {}, BAD
    yield "large instances", NUMBERS, '{"instances": [[[[' + "1, " * 4000000 + "1]]]]}", {}, (413,)


def texts():
    for text in ("", "{", "}", "[]", "null", "7", '"x"', "{}", "\0", "\xff", '{"instances"}', '{"instances":}',
                 GOOD + "x", GOOD + GOOD, GOOD[:-1] + ",}", "\ufeff" + GOOD, GOOD[:-1] + f", {GOOD[1:]}",
                 GOOD.replace("instances", "\\u0069nstances"), GOOD.replace("instances", "Instances"),
                 GOOD.replace("{", '{"inputs": [1], ', 1), GOOD.replace("{", '{"more": 1, ', 1),
                 *(GOOD.replace("{", f'{{"signature_name": {name}, ', 1)
                   for name in ("7", "null", '"other"', "[]", '"' + "s" * 5000 + '"'))):
        yield f"text {text[:40]!r}", NUMBERS, text, {}, BAD
    for bomb in ('{"a":' * 100000 + "1" + "}" * 100000, '{"a": [' + "1, " * 100000 + "1]}",
                 '{"a": {' + ", ".join(f'"{n}": 1' for n in range(50000)) + "}}"):
        yield f"a bomb {bomb[:20]!r}", NUMBERS, GOOD[:-1] + f', "more": {bomb}}}', {}, BAD
        yield f"a bomb alone {bomb[:20]!r}", NUMBERS, bomb, {}, BAD
    squeezed = zlib.compress(b"[" * 30000000)
    yield "a bomb, compressed", NUMBERS, squeezed, {"Content-Encoding": "deflate"}, (400, 413)
    for query in ("layout=CHW", "size=0,1", "size=1", "priority=9", "shape=1", "dtype=float16"):
        yield query, f"{NUMBERS}?{query}", GOOD, {}, BAD
    yield "a huge size", f"{NUMBERS}?size=65536,65536", GOOD, {}, (413,)
    yield "another type", NUMBERS, GOOD, {"Content-Type": "text/plain"}, (415,)
    yield "no model", NUMBERS.replace("listing1", "listing9"), GOOD, {}, (404,)


def wrapped():
    """JSON around an image, or something like it."""
    for item in (f'{{"b64": "{TEXT}"', f'{{"b64": "{TEXT}"}}, 1', f'{{"b64": "{TEXT}", "a": 1}}',
                 f'{{"b64": ["{TEXT}"]}}', '{"b64": 7}', '{"b64": null}', '{"b64": ""}', '{"b64"}', "{}", '""', '"',
                 '"\\', f'"{TEXT}', f'"{TEXT}\\"', '{"a": {"b": {"c": "d"}}}', '{"a":' * 100000, f'"{TEXT}" "{TEXT}"', f'"{TEXT}",'):
        yield f"an item {item[:40]}", IMAGES, f'{{"instances": [{item}]}}', {}, BAD
    for text in (TEXT[:-1], TEXT[:-2], TEXT + "=", "=" + TEXT, "data:image/png;base64," + TEXT,
                 TEXT[:40] + "_" + TEXT[41:], TEXT[:40] + "\\u0041" + TEXT[41:], TEXT[:40] + "\\x" + TEXT[40:], TEXT[:40] + "\0" + TEXT[40:],
                 "%" * 100000, "\\/" * 50000, "A" * 4000000, "=" * 1000):
        yield f"base64 {text[:40]!r}", IMAGES, f'{{"instances": ["{text}"]}}', {}, BAD
    yield "an image with a layout", f"{IMAGES}?layout=NHWC", f'{{"instances": ["{TEXT}"]}}', {}, BAD
    yield "an image for tensors", NUMBERS, f'{{"instances": ["{TEXT}"]}}', {}, BAD


def files():
    """Bytes that are no image, or none that fits."""
    for what, data, codes in (
            *((f"{n} bytes of a JPEG", JPEG[:n], BAD) for n in (1, 2, 3, 10, 100, 1000, len(JPEG) // 2, len(JPEG) - 2)),
            *((f"{n} bytes of a PNG", PNG[:n], BAD) for n in range(1, len(PNG))),
            ("a GIF", b"GIF89a" + bytes(100), BAD), ("no pixels", png(0, 0, b""), BAD),
            ("too few pixels", png(4, 4, b"\0" * 13), BAD),
            ("50,000 x 50,000", png(50000, 50000, b""), (413,)),
            ("2^31 x 2^31", png(2 ** 31 - 1, 2 ** 31 - 1, b""), (400, 413)),
            ("a compressed profile", png(4, 4, b"", chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(20000000)))), BAD)):
        yield what, IMAGES, json.dumps({"instances": [{"b64": base64.b64encode(data).decode()}]}), {}, codes
        yield f"{what} in BYTES", *element(struct.pack("<I", len(data)) + data), codes


def element(data, shape=(1,)):
    x = {"name": "x", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"inputs": [x]}).encode()
    return INFER, text + data, {LENGTH: str(len(text))}


def elements():
    """BYTES that are not one image."""
    one = struct.pack("<I", len(PNG)) + PNG
    for what, data in (("none", b""), ("three bytes", b"abc"), ("no bytes", bytes(4)), ("two", one + one),
                       ("too short", one[:-1]), ("too long", one + b"x"), ("2^32 - 1", b"\xff" * 4 + PNG),
                       ("big endian", struct.pack(">I", len(PNG)) + PNG)):
        yield f"BYTES: {what}", *element(data), BAD
    for shape in ((), (0,), (2,), (-1,), (1, 2), (1, 1, 1), (1.0,), ("1",), (2 ** 63 - 1,)):
        yield f"BYTES: shape {shape}", *element(one, shape), BAD
    for data in ([], [1], [TEXT, TEXT], [[TEXT]], [{"a": {"b": {"c": TEXT}}}], TEXT, {"b64": TEXT}, [""], [None]):
        x = {"name": "x", "datatype": "BYTES", "shape": [1], "data": data}
        yield f"BYTES: data {data!r:.40}", INFER, json.dumps({"inputs": [x]}), {}, BAD
    x = {"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {
        "shared_memory_region": "r", "shared_memory_byte_size": 64}}
    yield "BYTES: a region", INFER, json.dumps({"inputs": [x]}), {}, BAD


# ---- one after the other ----

problems = []
connection = http.client.HTTPConnection(ADDRESS, timeout=60)


def ask(method, target, body=None, headers=()):
    """Uses the open connection, or a new one if the last answer closed it."""
    body = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    connection.request(method, target, body, dict(headers))
    answer = connection.getresponse()
    return answer.status, answer.read()


def ask_well():
    answers = [ask("POST", NUMBERS, GOOD), ask("POST", IMAGES, json.dumps({"instances": [{"b64": TEXT}]})),
               ask("POST", *element(struct.pack("<I", len(PNG)) + PNG))]
    assert all(status == 200 for status, _ in answers), answers
    return answers


def ask_badly(what, target, body, headers, codes):
    status, said = ask("POST", target, body, headers)
    if status not in codes:
        problems.append(f"{what}: status {status}, expected {codes}: {said[:200]}")
        return
    try:
        sentence = json.loads(said)["error"]
        if not 10 < len(sentence) < 600 or not sentence.isprintable():
            problems.append(f"{what}: {sentence!r:.300}")
    except (ValueError, KeyError, TypeError):
        problems.append(f"{what}: {said[:200]}")


def gauges():
    text = ask("GET", "/metrics")[1].decode()
    return {name: float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))
            for name in ("ppm_requests_in_flight", "ppm_bytes_in_flight", "ppm_queue_depth")}


def main():
    good, count = ask_well(), 0
    for what, target, body, headers, codes in itertools.chain(instances(), texts(), wrapped(), files(), elements()):
        try:
            ask_badly(what, target, body, headers, codes)
            if ask_well() != good:
                problems.append(f"{what}: then a good request was answered otherwise")
        except Exception as error:  # go on with the others
            problems.append(f"{what}: {type(error).__name__} {error}")
            connection.close()
        count += 1
    for _ in range(100):
        found = gauges()
        if found == {"ppm_requests_in_flight": 1, "ppm_bytes_in_flight": 0, "ppm_queue_depth": 0}:
            break
        time.sleep(0.1)
    else:
        problems.append(f"left in flight: {found}")
    for problem in problems[:60]:
        print(f"v1: malformed: {problem}")
    print(f"v1: {count} malformed requests, {len(problems)} answered wrongly")
    sys.exit(1 if problems else 0)


main()
