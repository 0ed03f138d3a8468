#!/usr/bin/python3
"""usage: tests/v2/triton.py URL REFUSING-URL [--record FILE]

Drives the server at URL, started by clients.sh, as users of NVIDIA's Triton do: with their Python
client, tritonclient.http, unmodified, where it can be imported (TRITONCLIENT=FOLDER puts a folder on
the path), else with wire.py, which sends the same bytes. Which of them it was is printed. REFUSING-URL
is a server that allows neither shared memory nor control of its models.

All requests are held against recorded.json; --record writes what the real client sent."""

import itertools
import json
import mmap
import os
import pathlib
import re
import sys
import time
import traceback
import urllib.request

import numpy as np

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import recorder  # noqa: E402

sys.path[1:1] = [os.environ["TRITONCLIENT"]] if os.environ.get("TRITONCLIENT") else []
try:
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException
except (ImportError, RuntimeError):
    if os.environ.get("TRITONCLIENT"):
        raise
    import wire as triton
    from wire import InferenceServerException
IS_REAL = triton.__name__ == "tritonclient.http"

MODEL, ARGMAX, NHWC = "listing1-pytorch-ppm", "output-argmax", "listing3-tf2-pool-block"


def check(holds, what):
    if not holds:
        raise AssertionError(what)


class Bench:
    """A server, a client of it, by way of a recorder or not, and what POST /ppm says of a tensor."""

    def __init__(self, address, client_address):
        self.address, self.client_address = address, client_address
        self.client = triton.InferenceServerClient(client_address)
        self.random = np.random.default_rng(7)

    def tensor(self, *shape):
        """Eighths: the same in all floating point formats, and short as text."""
        return (self.random.integers(-40, 41, shape) / 8).astype(np.float32)

    def expected(self, x, model=MODEL, dtype=np.float32, layout=None):
        shape = ",".join(map(str, x.shape)) + (f"&layout={layout}" if layout else "")
        request = urllib.request.Request(f"http://{self.address}/ppm/{model}?shape={shape}",
                                         x.tobytes(), {"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            axes = [int(axis) for axis in answer.headers["X-Tensor-Shape"].split(",")]
            return np.frombuffer(answer.read(), dtype).reshape(axes)

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=60) as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
        return float(found.group(1)) if found else 0.0


def input_of(x, datatype="FP32", binary=True, name="x", shape=None):
    tensor = triton.InferInput(name, list(shape or x.shape), datatype)
    tensor.set_data_from_numpy(x, binary_data=binary)
    return [tensor]


def output_of(binary=True, name="y"):
    return [triton.InferRequestedOutput(name, binary_data=binary)]


def check_result(result, expected, what, model=MODEL):
    y, said = result.as_numpy("y"), result.get_response()
    check(y is not None and y.dtype == expected.dtype and y.shape == expected.shape,
          f"{what}: {said if y is None else (y.dtype, y.shape)}")
    check(np.array_equal(y, expected), f"{what}: other values than those of POST /ppm")
    check(said["model_name"] == model and said["model_version"] == "1", f"{what}: {said}")
    for output in said["outputs"]:  # the C++ client takes no parameters without it
        check("binary_data_size" in output.get("parameters", {"binary_data_size": 0}),
              f"{what}: {output}")


def check_refused(call, status, words, what):
    try:
        call()
    except InferenceServerException as error:
        check(error.status() == str(status), f"{what}: status {error.status()}, {error.message()}")
        check(words in error.message(), f"{what}: {error.message()}")
        return
    raise AssertionError(f"{what}: not refused")


# ---- the cases: each is given a Bench, and the one that refuses ----


def health_and_metadata(bench, _):
    client = bench.client
    check(client.is_server_live() and client.is_server_ready(), "live, ready")
    check(client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1"), "model ready")
    check(not client.is_model_ready("none") and not client.is_model_ready(MODEL, "2"), "not ready")
    server = client.get_server_metadata()
    wanted = {"binary_tensor_data", "model_configuration", "statistics", "model_repository",
              "system_shared_memory"}
    check(server["name"] == "ppm-server" and wanted <= set(server["extensions"]), f"{server}")
    for version in ("", "1"):
        model, config = client.get_model_metadata(MODEL, version), client.get_model_config(MODEL, version)
        check(model["name"] == MODEL and model["versions"] == ["1"] and model["platform"], f"{model}")
        x, y = model["inputs"][0], model["outputs"][0]
        check((x["name"], x["datatype"], x["shape"]) == ("x", "FP32", [-1, 4, -1, -1]), f"{x}")
        check((y["name"], y["datatype"], y["shape"][0]) == ("y", "FP32", -1), f"{y}")
        check(config["name"] == MODEL and config["max_batch_size"] == 0, f"{config}")
        check(config["input"][0]["data_type"] == "TYPE_FP32", f"{config}")
    check(client.get_model_metadata(NHWC)["inputs"][0]["shape"] == [-1, -1, -1, 3], "NHWC")
    check(client.get_model_metadata(ARGMAX)["outputs"][0]["datatype"] == "INT32", "INT32")
    check_refused(lambda: client.get_model_metadata("none"), 404, "none", "no such model")
    check_refused(lambda: client.get_model_config(MODEL, "2"), 404, "version", "no such version")


def binary_and_json(bench, _):
    x = bench.tensor(1, 4, 5, 6)
    y = bench.expected(x)
    for is_in_binary in (True, False):
        for outputs, is_out_binary in ((None, True), (output_of(True), True), (output_of(False), False)):
            what = f"binary: in {is_in_binary}, out {is_out_binary}, named: {outputs is not None}"
            result = bench.client.infer(MODEL, input_of(x, binary=is_in_binary), outputs=outputs)
            check_result(result, y, what)
            check(("data" in result.get_output("y")) != is_out_binary, what)


def what_a_request_may_say(bench, _):
    x = bench.tensor(2, 4, 3, 3)
    y, client = bench.expected(x), bench.client
    result = client.infer(MODEL, input_of(x), request_id="a request")
    check(result.get_response()["id"] == "a request", f"{result.get_response()}")
    check("id" not in client.infer(MODEL, input_of(x)).get_response(), "an id that nobody gave")
    check_result(client.infer(MODEL, input_of(x), "1"), y, "version 1")
    check_result(client.infer(MODEL, input_of(x), priority=2, sequence_id=5, sequence_start=True,
                              parameters={"other": "text"}, headers={"X-Request-Id": "mine"},
                              query_params={"layout": "NCHW"}), y, "what does not matter here")
    check_result(client.infer(MODEL, input_of(x[0])), bench.expected(x[0]), "three axes")
    as_nhwc = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    check_result(client.infer(MODEL, input_of(as_nhwc), query_params={"layout": "NHWC"}),
                 bench.expected(as_nhwc, layout="NHWC"), "?layout=NHWC")
    pool = bench.tensor(1, 12, 12, 3)
    check_result(client.infer(NHWC, input_of(pool)), bench.expected(pool, NHWC), "a model of NHWC", NHWC)


def datatypes(bench, _):
    x = bench.tensor(1, 4, 7, 5)
    y, client = bench.expected(x), bench.client
    check_result(client.infer(MODEL, input_of(x.astype(np.float16), "FP16")), y, "FP16")
    check_result(client.infer(MODEL, input_of(x, "BF16")), y, "BF16")
    check_result(client.infer(MODEL, input_of(x.astype(np.float16), "FP16"), outputs=output_of(False)),
                 y, "FP16, answered with numbers")
    channels = client.get_model_metadata(ARGMAX)["inputs"][0]["shape"][1]
    x = bench.tensor(1, channels, 6, 5)
    for binary in (True, False):
        check_result(client.infer(ARGMAX, input_of(x), outputs=output_of(binary)),
                     bench.expected(x, ARGMAX, np.int32), f"argmax, binary: {binary}", ARGMAX)


def compressed(bench, _):
    x = bench.tensor(1, 4, 30, 30)
    y = bench.expected(x)
    for request in (None, "gzip", "deflate"):
        for response in (None, "gzip", "deflate"):
            for binary in (True, False):
                result = bench.client.infer(MODEL, input_of(x, binary=binary), outputs=output_of(binary),
                                            request_compression_algorithm=request,
                                            response_compression_algorithm=response)
                check_result(result, y, f"request {request}, response {response}")
    zeros = np.zeros((1, 4, 30, 30), np.float32)
    expected = bench.expected(zeros)
    for request in ("gzip", "deflate"):  # its JSON alone is longer than the body, compressed
        result = bench.client.infer(MODEL, input_of(zeros), request_id="i" * 250,
                                    request_compression_algorithm=request)
        check_result(result, expected, f"zeros, request {request}")


def asynchronous(bench, _):
    tensors = [bench.tensor(1, 4, 9, 4 + i) for i in range(12)]
    client = triton.InferenceServerClient(bench.client_address, concurrency=4)
    requests = [client.async_infer(MODEL, input_of(x), request_id=f"n{i}")
                for i, x in enumerate(tensors)]
    for i, (x, request) in enumerate(zip(tensors, requests)):
        result = request.get_result(timeout=60)
        check_result(result, bench.expected(x), f"the {i}th")
        check(result.get_response()["id"] == f"n{i}", f"{result.get_response()['id']} for n{i}")
    client.close()


class SharedMemory:
    """A POSIX shared memory object, as shm_open makes it."""

    def __init__(self, name, size):
        self.key, self.path = f"/{name}", f"/dev/shm/{name}"
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(file, size)
        self.map = mmap.mmap(file, size)
        os.close(file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self.path)


def in_region(name, shape, x_place, y_place):
    """x_place, y_place: byte size and offset"""
    x, y = triton.InferInput("x", shape, "FP32"), triton.InferRequestedOutput("y")
    x.set_shared_memory(name, x_place[0], x_place[1])
    y.set_shared_memory(name, y_place[0], y_place[1])
    return {"inputs": [x], "outputs": [y]}


def shared_memory(bench, _):
    x, client = bench.tensor(1, 4, 8, 8), bench.client
    y = bench.expected(x)
    y_at = 4096
    with SharedMemory(f"ppm_test_{os.getpid():08d}", 8192 + y.nbytes) as memory:
        client.register_system_shared_memory("all", memory.key, 8192 + y.nbytes)
        client.register_system_shared_memory("part", memory.key, 4096 + y.nbytes, offset=4096)
        listed = client.get_system_shared_memory_status()
        check({region["name"] for region in listed} == {"all", "part"}, f"{listed}")
        part = client.get_system_shared_memory_status("part")
        check(part == [{"name": "part", "key": memory.key, "offset": 4096,
                        "byte_size": 4096 + y.nbytes}], f"{part}")
        memory.map[64:64 + x.nbytes] = x.tobytes()
        result = client.infer(MODEL, **in_region("all", list(x.shape), (x.nbytes, 64), (y.nbytes, y_at)))
        found = np.frombuffer(memory.map[y_at:y_at + y.nbytes], np.float32).reshape(y.shape)
        check(np.array_equal(found, y), "what stands in shared memory")
        output = result.get_output("y")
        check(output["shape"] == list(y.shape) and output["datatype"] == "FP32", f"{output}")
        check("data" not in output and "binary_data_size" in output.get("parameters", {"binary_data_size": 0}),
              f"the C++ client does not take {output}")
        memory.map[y_at:y_at + x.nbytes] = x.tobytes()  # the same place, as "part" has it
        result = client.infer(MODEL, in_region("part", list(x.shape), (x.nbytes, 0), (0, 0))["inputs"])
        check_result(result, y, "x in shared memory, y in the answer")
        result = client.infer(MODEL, input_of(x),
                              outputs=in_region("all", [], (0, 0), (y.nbytes, 64))["outputs"])
        found = np.frombuffer(memory.map[64:64 + y.nbytes], np.float32).reshape(y.shape)
        check(np.array_equal(found, y), "x in the request, y in shared memory")
        refuse_regions(client, memory, x, y)
        client.unregister_system_shared_memory("part")
        check([region["name"] for region in client.get_system_shared_memory_status()] == ["all"], "one left")
        client.unregister_system_shared_memory()
        check(client.get_system_shared_memory_status() == [], "none left")
        check_refused(lambda: client.infer(MODEL, **in_region("all", list(x.shape), (x.nbytes, 0), (y.nbytes, 0))),
                      400, "all", "an unregistered region")


def refuse_regions(client, memory, x, y):
    size, shape = len(memory.map), list(x.shape)
    register = client.register_system_shared_memory
    check_refused(lambda: register("all", memory.key, size), 400, "all", "registered already")
    check_refused(lambda: register("long", memory.key, size + 1), 400, "", "longer than the object")
    check_refused(lambda: register("far", memory.key, size, offset=1), 400, "", "beyond its end")
    check_refused(lambda: register("no", "/ppm_test_none", 16), 400, "ppm_test_none", "no such object")
    check_refused(lambda: register("out", "/../etc/passwd", 16), 400, "", "a path")
    for what, x_place, y_place in (("x too short", (x.nbytes - 4, 0), (y.nbytes, 4096)),
                                   ("y too short", (x.nbytes, 0), (y.nbytes - 4, 4096)),
                                   ("x beyond the end", (x.nbytes, size - 8), (y.nbytes, 4096)),
                                   ("y beyond the end", (x.nbytes, 0), (y.nbytes, size - 8))):
        request = in_region("all", shape, x_place, y_place)
        check_refused(lambda: client.infer(MODEL, **request), 400, "", what)


def errors(bench, _):
    x, client = bench.tensor(1, 4, 3, 3), bench.client
    for what, status, words, model, arguments in (
            ("no such model", 404, "none", "none", {"inputs": input_of(x)}),
            ("no such version", 404, "version", MODEL, {"inputs": input_of(x), "model_version": "7"}),
            ("another input", 400, "x", MODEL, {"inputs": input_of(x, name="image")}),
            ("another output", 400, "y", MODEL, {"inputs": input_of(x), "outputs": output_of(name="z")}),
            ("two inputs", 400, "inputs", MODEL, {"inputs": input_of(x) + input_of(x)}),
            ("3 channels", 400, "4", MODEL, {"inputs": input_of(x[:, :3].copy())}),
            ("two axes", 400, "shape", MODEL, {"inputs": input_of(x[0, 0])}),
            ("INT32", 400, "datatype", MODEL, {"inputs": input_of(x.astype(np.int32), "INT32")}),
            ("FP16 as numbers", 400, "", MODEL, {"inputs": input_of(x.astype(np.float16), "FP16", False)}),
            ("classes", 400, "classification", MODEL,
             {"inputs": input_of(x), "outputs": [triton.InferRequestedOutput("y", class_count=3)]})):
        check_refused(lambda: client.infer(model, **arguments), status, words, what)
    large = np.zeros((1, 4, 700, 1000), np.float32)
    before = bench.metric('ppm_rejected_total{reason="too_large"}')
    check_refused(lambda: client.infer(MODEL, input_of(large)), 413, "", "a body over the limit")
    check(bench.metric('ppm_rejected_total{reason="too_large"}') == before + 1, "it was sent again")
    check_result(client.infer(MODEL, input_of(x)), bench.expected(x), "after the errors")


def numbers_of(node):
    if isinstance(node, dict):
        for value in node.values():
            yield from numbers_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from numbers_of(value)
    elif not isinstance(node, str):
        yield node


def statistics(bench, _):
    def of_model():
        return bench.client.get_inference_statistics(MODEL)["model_stats"][0]

    x, before = bench.tensor(1, 4, 6, 6), of_model()
    for _ in range(5):
        bench.client.infer(MODEL, input_of(x))
    check_refused(lambda: bench.client.infer(MODEL, input_of(x[:, :3].copy())), 400, "", "3 channels")
    after = of_model()
    check(after["version"].isdecimal() and after["name"] == MODEL, f"{after}")
    check(all(type(number) is int and number >= 0 for number in numbers_of(after)), f"{after}")
    check(after["inference_count"] == before["inference_count"] + 5, f"{before} {after}")
    check(after["execution_count"] > before["execution_count"], f"{before} {after}")
    check(after["last_inference"] > 1e12, f"{after['last_inference']} ms")
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        was, now = before["inference_stats"][name], after["inference_stats"][name]
        check(now["count"] == was["count"] + 5 and now["ns"] >= was["ns"], f"{name}: {was} {now}")
    check(after["inference_stats"]["success"]["ns"] > before["inference_stats"]["success"]["ns"], "ns")
    check(after["inference_stats"]["fail"]["count"] == before["inference_stats"]["fail"]["count"] + 1,
          f"{before} {after}")
    check(sum(batch["batch_size"] * batch["compute_infer"]["count"] for batch in after["batch_stats"])
          >= after["inference_count"], f"{after['batch_stats']}")
    everything = bench.client.get_inference_statistics()["model_stats"]
    check({MODEL, ARGMAX, NHWC} == {model["name"] for model in everything}, f"{everything}")
    check(bench.client.get_inference_statistics(MODEL, "1")["model_stats"][0]["name"] == MODEL, "by version")


def repository(bench, refusing):
    x, client = bench.tensor(1, 4, 3, 4), bench.client
    y = bench.expected(x)

    def states():
        return {model["name"]: model["state"] for model in client.get_model_repository_index()}

    check(states() == {name: "READY" for name in (MODEL, ARGMAX, NHWC)}, f"{states()}")
    client.unload_model(MODEL)
    check(states()[MODEL] == "UNAVAILABLE" and not client.is_model_ready(MODEL), f"{states()}")
    check_refused(lambda: client.infer(MODEL, input_of(x)), 404, MODEL, "an unloaded model")
    check(client.is_model_ready(ARGMAX) and client.is_server_ready(), "the others go on")
    client.load_model(MODEL)
    check(states()[MODEL] == "READY" and client.is_model_ready(MODEL), f"{states()}")
    check_result(client.infer(MODEL, input_of(x)), y, "a model that was loaded again")
    client.load_model(MODEL)  # once more
    check_result(client.infer(MODEL, input_of(x)), y, "a model that was loaded twice")
    check_refused(lambda: client.load_model("none"), 404, "none", "no such model")
    for what, call in (("load", lambda: refusing.client.load_model(MODEL)),
                       ("unload", lambda: refusing.client.unload_model(MODEL))):
        check_refused(call, 403, "allow_model_control", what)
    check_refused(lambda: refusing.client.register_system_shared_memory("r", "/r", 16), 403,
                  "allow_shared_memory", "register")
    check(refusing.client.is_model_ready(MODEL), "it is served")


def timeouts(bench, _):
    x = bench.tensor(1, 4, 5, 5)
    check_result(bench.client.infer(MODEL, input_of(x), timeout=60000000), bench.expected(x), "a minute")
    large = np.ones((1, 4, 500, 500), np.float32)
    check_refused(lambda: bench.client.infer(MODEL, input_of(large), timeout=1), 504, "", "a microsecond")
    check_result(bench.client.infer(MODEL, input_of(x)), bench.expected(x), "after it")


def as_the_cpp_client(bench, _):
    """Which names the type of each body and the length of each JSON, and an id where it has none."""
    x = bench.tensor(1, 4, 3, 5)
    y = bench.expected(x)
    place = {True: {"parameters": {"binary_data_size": x.nbytes}}, False: {"data": x.flatten().tolist()}}
    for is_in_binary, is_out_binary in itertools.product((True, False), (True, False, None)):
        what = f"in {is_in_binary}, out {is_out_binary}"
        message = {"id": "", "parameters": {"binary_data_output": True},
                   "inputs": [{"name": "x", "datatype": "FP32", "shape": list(x.shape), **place[is_in_binary]}]}
        if is_out_binary is not None:
            del message["parameters"]
            message["outputs"] = [{"name": "y", "parameters": {"binary_data": is_out_binary}}]
        text = json.dumps(message, separators=(",", ":")).encode()
        kind = "application/octet-stream" if is_in_binary else "application/json"
        request = urllib.request.Request(f"http://{bench.address}/v2/models/{MODEL}/infer",
                                         text + (x.tobytes() if is_in_binary else b""),
                                         {"Inference-Header-Content-Length": str(len(text)),
                                          "Content-Type": kind, "Accept": "*/*"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            body, length = answer.read(), answer.headers["Inference-Header-Content-Length"]
        check((length is None) == (is_out_binary is False), f"{what}: length {length}")
        output = json.loads(body[:int(length or len(body))])["outputs"][0]
        check(("parameters" in output) == (length is not None), f"{what}: {output}")
        values = body[int(length):] if length else np.float32(output["data"]).tobytes()
        check(values == y.tobytes(), f"{what}: other values")


def a_connection_closed_while_idle(bench, _):
    """The server closes it after a second: the client sends again, and one request is computed."""
    def count():
        return bench.client.get_inference_statistics(MODEL)["model_stats"][0]["inference_count"]

    x = bench.tensor(1, 4, 4, 4)
    y, before = bench.expected(x), count()
    time.sleep(2.5)
    check_result(bench.client.infer(MODEL, input_of(x)), y, "on a new connection")
    check(count() == before + 1, f"computed {count() - before} times")


CASES = (health_and_metadata, binary_and_json, what_a_request_may_say, datatypes, compressed,
         asynchronous, shared_memory, errors, statistics, repository, timeouts,
         as_the_cpp_client, a_connection_closed_while_idle)


def run(address, refusing_address, proxy=None):
    """Returns how many cases failed."""
    bench = Bench(address, proxy.address if proxy else address)
    refusing = Bench(refusing_address, refusing_address)
    failed = 0
    for case in CASES:
        try:
            case(bench, refusing)
        except Exception as error:  # the others are to be seen as well
            failed += 1
            line = error.__traceback__.tb_next.tb_lineno
            print(f"v2: {case.__name__}, line {line}: {type(error).__name__}: {str(error)[:600]}")
            if not isinstance(error, (AssertionError, InferenceServerException)):
                traceback.print_exc()
    bench.client.close()
    refusing.client.close()
    return failed


def compare(found):
    with open(HERE / "recorded.json", encoding="utf-8") as file:
        recorded = json.load(file)
    differing = [request for request in found if request not in recorded]
    missing = [request for request in recorded if request not in found]
    for what, requests in (("not recorded", differing), ("recorded, but not sent", missing)):
        for request in requests[:5]:
            print(f"v2: {what}: {json.dumps(request)[:600]}")
    return len(differing) + len(missing)


def main():
    address, refusing_address = (re.sub("^http://", "", url) for url in sys.argv[1:3])
    failed = run(address, refusing_address)
    proxy = recorder.Recorder(address)
    failed += run(address, refusing_address, proxy)
    requests = proxy.requests()
    if "--record" in sys.argv:
        check(IS_REAL and not failed, "only the real client, and all of it, is worth recording")
        with open(sys.argv[sys.argv.index("--record") + 1], "w", encoding="utf-8") as file:
            file.write("[\n" + ",\n".join(map(json.dumps, requests)) + "\n]\n")
    failed += compare(requests)
    who = "tritonclient.http" if IS_REAL else "wire.py, for want of tritonclient"
    print(f"v2: {len(CASES)} cases by {who}, {len(requests)} kinds of requests, {failed} failed")
    sys.exit(1 if failed else 0)


main()
