#!/usr/bin/python3
"""usage: tests/v2/malformed.py URL

Sends malformed requests of the Open Inference Protocol of every kind, accidental or malicious: each gets a
400, or the status given, with one sentence as {"error": ...}, and a good request after it, on the same
connection if that stays open, gets the right answer. At the end nothing is in flight. tests/fuzz/ also
fuzzes the JSON and the numbers."""

import http.client
import itertools
import json
import re
import struct
import sys
import time
import urllib.parse

ADDRESS = urllib.parse.urlparse(sys.argv[1]).netloc
MODEL = "listing1-pytorch-ppm"
TARGET = f"/v2/models/{MODEL}/infer"
X = struct.pack("<16f", *(n / 4 - 2 for n in range(16)))  # [1, 4, 2, 2]
NUMBERS = list(struct.unpack("<16f", X))
LENGTH = "Inference-Header-Content-Length"
HUGE = 2 ** 63 - 1


def message(shape=(1, 4, 2, 2), datatype="FP32", name="x", binary=64, **more):
    """The JSON of a request with a binary x; more: further members of x, None removes one."""
    x = {"name": name, "datatype": datatype, "shape": shape,
         "parameters": {"binary_data_size": binary}, **more}
    x = {key: value for key, value in x.items() if value is not None}
    return json.dumps({"inputs": [x], "parameters": {"binary_data_output": True}})


def of_numbers(data="NUMBERS", shape="[1, 4, 2, 2]", rest=""):
    """The same request with x as numbers."""
    data = json.dumps(NUMBERS) if data == "NUMBERS" else data
    shape = f'"shape": {shape}, ' if shape else ""
    return f'{{"inputs": [{{"name": "x", "datatype": "FP32", {shape}"data": {data}}}]{rest}}}'


GOOD = message()


def lengths():
    """Wrong lengths of the JSON."""
    body = GOOD.encode() + X
    for value in ("-1", "-0", "+5", "0x10", "1e2", "five", "", " ", "5 5", "5,5", "5.0", "٣",
                  "9" * 19, "18446744073709551615", "18446744073709551616", "9" * 400,
                  str(len(body) + 1), str(2 ** 31), str(2 ** 32 + len(GOOD))):
        yield f"{LENGTH}: {value[:40]}", body, value.encode(), 400
    for value in (1, len(GOOD) - 1, len(GOOD) + 1, len(GOOD) + 4, len(body) - 1, len(body)):
        yield f"{LENGTH} {value}, which splits the JSON", body, value, 400
    yield "no JSON, and no shape", X, 0, 400
    yield "JSON alone that promises more", GOOD.encode(), len(GOOD), 400
    yield "bytes after JSON without a length", body, None, 400
    yield "an empty body", b"", None, 400
    yield "an empty body with a length", b"", 0, 400


def sizes():
    for size in (-1, -64, 0, 63, 65, 60, 68, 128, 2 ** 31, 2 ** 32 + 64, HUGE, HUGE + 1, 10 ** 30,
                 64.0, 64.5, "64", "", None, True, [64], {"bytes": 64}):
        yield f"binary_data_size {size}", *binary(message(binary=size))
    for count in (0, 1, 63, 65, 4096):
        yield f"{count} bytes of 64", *binary(GOOD, (X * 64)[:count])
    yield "half the values as FP16", *binary(message(datatype="FP16"))
    yield "FP16 of as many bytes as it says", *binary(message(datatype="FP16", binary=32), X)
    yield "data and binary_data_size", *binary(message(data=NUMBERS))
    yield "no data at all", *text(message(parameters=None))
    yield "empty parameters", *text(message(parameters={}))
    for value in ([], "size", 64, True):
        yield f"parameters {value}", *binary(message(parameters=value))
    yield "a region and binary_data_size", *binary(message(parameters={
        "binary_data_size": 64, "shared_memory_region": "r", "shared_memory_byte_size": 64}))


def regions():
    for value in (64, "", None, ["r"], "r" * 300, "none", "../r", "r\0"):
        yield f"region {value!r:.20}", *text(message(parameters={
            "shared_memory_region": value, "shared_memory_byte_size": 64}))
    for name, value in itertools.product(("shared_memory_byte_size", "shared_memory_offset"),
                                         (-1, "64", 64.5, HUGE + 1, [])):
        yield f"{name} {value}", *text(message(parameters={
            "shared_memory_region": "r", "shared_memory_byte_size": 64, name: value}))
    yield "a region without a size", *text(message(parameters={"shared_memory_region": "r"}))


def names_and_datatypes():
    for name in ("y", "X", "", "x ", "input", None, 7, ["x"], "x" * 5000, "x\0"):
        yield f"name {name!r:.20}", *binary(message(name=name))
    for datatype in ("FP31", "fp32", "FP64", "INT32", "BYTES", "", None, 32, "FP32 ", ["FP32"]):
        yield f"datatype {datatype!r}", *binary(message(datatype=datatype))
    for outputs in ('"y"', "{}", '[{"name": "z"}]', "[{}]", '[{"name": "y"}, {"name": "y"}]', "[1]",
                    '[{"name": "y", "parameters": {"binary_data": "yes"}}]',
                    '[{"name": "y", "parameters": {"binary_data": 1}}]',
                    '[{"name": "y", "parameters": [1]}]',
                    '[{"name": "y", "parameters": {"classification": 3}}]',
                    '[{"name": "y", "parameters": {"shared_memory_region": "none",'
                    ' "shared_memory_byte_size": 48}}]'):
        yield f"outputs {outputs[:60]}", *text(of_numbers(rest=f', "outputs": {outputs}'))
    for parameters in ('"none"', "[]", "7", '{"timeout": -1}', '{"timeout": "soon"}',
                       '{"timeout": 1e400}', '{"binary_data_output": "yes"}', '{"priority": -1}',
                       '{"priority": "high"}', '{"priority": 1.0}', '{"priority": 1e400}'):
        yield f"parameters {parameters}", *text(of_numbers(rest=f', "parameters": {parameters}'))
    for value in ("7", "{}", '["a"]', '"' + "i" * 5000 + '"'):
        yield f"id {value[:20]}", *text(of_numbers(rest=f', "id": {value}'))


def shapes():
    for shape in ([], [64], [4, 16], [1, 1, 4, 2, 2], [1] * 100, [1, 4, 2, 0], [0, 4, 2, 2], [-1, 4, 2, 2],
                  [1, 4, -2, -2], [1, 4, 2, 2.0], [1, 4, 2, "2"], [1, 4, 2, None], [1, 4, 2, True],
                  [[1, 4, 2, 2]], "1,4,2,2", 64, {}, None, [1, 4, 2, HUGE], [HUGE] * 4,
                  [2 ** 32, 4, 2 ** 32, 1], [2 ** 31, 4, 2 ** 31, 2 ** 31], [1, 4, 2 ** 62, 4],
                  [1, 4, 2, HUGE + 1], [1, 4, 2, 10 ** 40], [1, 5, 2, 2], [1, 2, 2, 4], [1, 4, 2, 3],
                  [2, 4, 2, 2]):
        codes = (400, 413)
        yield f"shape {shape!s:.40}", *binary(message(shape))[:2], codes
        yield f"shape {shape!s:.40} of numbers", of_numbers(shape=json.dumps(shape)).encode(), None, codes


def numbers():
    for count in (0, 1, 15, 17, 1000):
        yield f"{count} numbers of 16", *text(of_numbers(json.dumps((NUMBERS * 63)[:count])))
    for data in ("[[[[1, 2], [3]]]]", '"numbers"', "7", "{}", '["1"' + ", 1" * 15 + "]", "[1" + ", " * 15 + "]",
                 "[true" + ", 1" * 15 + "]", "[1e400" + ", 1" * 15 + "]", "[1e39" + ", 1" * 15 + "]",
                 "[0x1" + ", 1" * 15 + "]", "[01" + ", 1" * 15 + "]", "[1." + ", 1" * 15 + "]",
                 "[.5" + ", 1" * 15 + "]", "[+1" + ", 1" * 15 + "]", "[1, {}" + ", 1" * 14 + "]",
                 "[1" + ", 1" * 15, "[1" + ", 1" * 15 + ",]", "[1\0" + ", 1" * 15 + "]",
                 "[" * 100 + "]" * 100, "[" * 100000 + "]" * 100000, "[" * 100000,
                 "{\"a\":" * 50000 + "1" + "}" * 50000):
        yield f"data {data[:30]!r} ({len(data)} bytes)", *text(of_numbers(data))


def texts():
    for what in ("{", "}", "[]", "null", "7", '"x"', "{}", '{"inputs": []}', '{"inputs": {}}', '{"inputs": 7}',
                 '{"inputs": [7]}', '{"inputs": [{}]}', '{"inputs": [[]]}', "\0", GOOD + "x", GOOD + GOOD,
                 GOOD.replace("{", "{ //\n", 1), GOOD[:-1] + ",}", "\ufeff" + GOOD,
                 GOOD.replace('"x"', '"x\\ud800"'), GOOD.replace('"x"', '"x\x01"')):
        yield f"text {what[:40]!r}", *binary(what)
    for what in (b"\xff" + GOOD.encode(), GOOD.encode().replace(b'"x"', b'"x\xff"'), GOOD.encode() + b"\0",
                 GOOD.encode().replace(b"FP32", b"FP\0 32")):
        yield f"bytes {what[:40]!r}", what + X, len(what), 400
    x = json.loads(GOOD)["inputs"][0]
    yield "two inputs", *binary(json.dumps({"inputs": [x, x]}))
    yield "inputs twice", *binary(GOOD[:-1] + f', "inputs": [{json.dumps(x)}]}}')
    for key in ("name", "shape", "datatype", "parameters"):
        doubled = json.dumps(x)[:-1] + f', "{key}": {json.dumps(x[key])}}}'
        yield f"{key} twice", *binary(f'{{"inputs": [{doubled}]}}')
    yield "data twice", *text(of_numbers()[:-3] + f', "data": {json.dumps(NUMBERS)}}}]}}')
    for bomb in ('{"a":' * 100000 + "1" + "}" * 100000, "[" * 200000, '[{},' * 50000,
                 '{"a": {' + ", ".join(f'"{n}": 1' for n in range(50000)) + "}}"):
        yield f"a bomb {bomb[:10]!r}", *text(of_numbers(rest=f', "more": {bomb}')[:-1] + "}", (400, 413))
        yield f"a bomb alone {bomb[:10]!r}", *text(bomb, (400, 413))


def binary(json_text, values=X):
    text_bytes = json_text.encode("utf-8", "surrogatepass")
    return text_bytes + values, len(text_bytes), 400


def text(json_text, code=400):
    return json_text.encode(), None, code


# ---- one after the other ----

problems = []
connection = http.client.HTTPConnection(ADDRESS, timeout=60)


def ask(method, target, body=None, headers=()):
    """Uses the open connection, or a new one if the last answer closed it."""
    connection.request(method, target, body, dict(headers))
    answer = connection.getresponse()
    read = answer.read()
    return answer.status, answer.headers, read


def ask_well():
    status, headers, body = ask("POST", TARGET, GOOD.encode() + X, {LENGTH: str(len(GOOD))})
    assert status == 200, (status, body[:300])
    return body[int(headers[LENGTH]):]


def ask_badly(what, body, length, codes):
    headers = {} if length is None else {LENGTH: length if isinstance(length, bytes) else str(length)}
    status, headers, said = ask("POST", TARGET, body, headers)
    codes = codes if isinstance(codes, tuple) else (codes,)
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
    text_of_metrics = ask("GET", "/metrics")[2].decode()
    return {name: float(re.search(rf"^{name} (\S+)$", text_of_metrics, re.M).group(1))
            for name in ("ppm_requests_in_flight", "ppm_bytes_in_flight", "ppm_queue_depth")}


def main():
    good, count = ask_well(), 0
    for what, body, length, codes in itertools.chain(lengths(), sizes(), regions(), names_and_datatypes(),
                                                     shapes(), numbers(), texts()):
        try:
            ask_badly(what, body, length, codes)
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
        print(f"v2: malformed: {problem}")
    print(f"v2: {count} malformed requests, {len(problems)} answered wrongly")
    sys.exit(1 if problems else 0)


main()
