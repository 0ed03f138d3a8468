"""Runs the server under fiu-run, which makes malloc, and then sockets and files, fail at random while clients
request everything there is. Each request gets the right answer, a complete 503, or a closed connection,
within seconds. Afterwards the same process answers as before, has released everything, and drains with exit
status 0. It reloads all the time.
Then starts with little memory: each server serves, or says why not."""
import collections
import json
import random
import re
import signal
import subprocess
import tempfile
import threading
import time

import client
import harness
import soak

CLIENTS, ANSWER_S = 4, 15

# The faults of each round, the probability that a call fails, and the round's share of the time.
MEMORY = ("libc/mm/malloc", "libc/mm/calloc", "libc/mm/realloc")
ROUNDS = (
    ("little memory", MEMORY, 0.01, 4),
    ("hardly any memory", MEMORY, 0.2, 1),
    ("files that fail", ("posix/io/oc/open", "posix/io/rw/read", "posix/io/rw/write",
                         "posix/stdio/oc/fopen", "posix/stdio/oc/open_memstream"), 0.02, 1),
    ("sockets that fail", ("posix/io/net/accept", "posix/io/net/recv", "posix/io/net/send",
                           "posix/io/net/sendmsg", "posix/io/net/poll"), 0.02, 1),
    ("all of it", MEMORY + ("posix/io/net/accept", "posix/io/net/recv", "posix/io/net/sendmsg",
                            "posix/io/rw/write"), 0.01, 1),
)
STARTS = 32


class Server(harness.Server):
    def __init__(self, model, *faults):
        self.control_folder = tempfile.TemporaryDirectory()
        self.control = f"{self.control_folder.name}/control"
        # With several threads OpenMP rebuilds its teams, and ends the process if it has no memory for one.
        # Without GOMP_SPINCOUNT the server sets it and executes itself again.
        super().__init__("--threads", "1", "--http-threads", "2", "--model", harness.SAMPLE_MODEL, "--model",
                         model, command=("fiu-run", "-x", "-f", self.control, *faults),
                         env={"GOMP_SPINCOUNT": "20000"})

    def fault(self, names, command):
        for name in names:
            subprocess.run(["fiu-ctrl", "-f", self.control, "-c", command.format(name), str(self.pid)],
                           check=True)


class Asker:
    """Sends requests over a connection, or a new one if it has ended."""

    def __init__(self, report, server):
        self.report, self.server, self.connection = report, server, None

    def ask(self, request):
        """Returns the answer; None if the connection ended first."""
        answer = None
        try:
            self.connection = self.connection or self.server.connect(ANSWER_S)
            answer = client.exchange(self.connection, request)
        except TimeoutError:
            self.report.expect(False, f"{request[:60]}: an answer or an end within {ANSWER_S} s")
        except (OSError, client.Lost):
            pass
        if self.connection and (not answer or answer.headers.get("connection") == "close"):
            self.connection.close()
            self.connection = None
        return answer


def requests():
    for line in ("GET /healthz", "HEAD /healthz", "GET /readyz", "GET /metrics", "GET /ppm", "GET /ppm/none",
                 "GET /ppm/slow?shape=1,4,30,30", "GET /ppm?shape=none", "GET /none", "DELETE /ppm"):
        yield client.request_bytes(*line.split())
    (_, _, raw), (_, npy, large), (_, form, small) = (soak.bodies(shape, 1)[i] for i, shape in enumerate(
        ((1, 5, 1, 1), (1, 4, 30, 30), (1, 4, 10, 10))))
    yield client.request_bytes("POST", "/ppm", b"x", ["Content-Type: text/plain"])
    yield client.request_bytes("POST", "/ppm", small, [f"Content-Type: {form}", "Accept: text/html"])
    yield client.request_bytes("POST", "/ppm", small[:200], [f"Content-Type: {form}"])
    yield client.request_bytes("POST", "/ppm?shape=1,5,1,1", raw)
    for accept in (f"Accept: {one}" for one in (npy, client.RAW, form)):
        yield client.request_bytes("POST", "/ppm", small, [f"Content-Type: {form}", accept])
        yield client.chunked_bytes("/ppm", small, [f"Content-Type: {form}", accept])
        yield client.request_bytes("POST", "/ppm/slow", large, [f"Content-Type: {npy}", accept])
    for height in range(20, 40):  # more sizes than the server keeps plans
        query, raw = client.tensor(1, 4, height, 20)
        yield client.request_bytes("POST", f"/ppm/slow{query}", raw)


def essence(request, answer):
    """The part of an answer that is the same for every answer to the request."""
    passing, body = {"date", "server-timing", "x-request-id", "connection"}, answer.body
    if request.startswith(b"GET /metrics"):
        passing.add("content-length")
        body = [line for line in body.splitlines()  # process_... depends on what /proc shows
                if line.startswith(b"#") and b" process_" not in line]
    return answer.status, {k: v for k, v in answer.headers.items() if k not in passing}, body


def is_refusal(request, answer, faults):
    if answer.status == 499:  # the server uses recv to see whether the client is still there
        return any("recv" in name for name in faults)
    if answer.status != 503 or int(answer.headers.get("retry-after", 0)) < 1 or "x-request-id" not in answer.headers:
        return False
    return request.startswith(b"HEAD ") or json.loads(answer.body)["status"] == 503


def ask_for(report, server, seconds, expected, faults, counts, seed):
    chance, asker, end = random.Random(seed), Asker(report, server), time.monotonic() + seconds
    while time.monotonic() < end and len(report.broken) < 10:
        request = chance.choice(list(expected))
        answer = asker.ask(request)
        if answer is None:
            counts["ended"] += 1
        elif essence(request, answer) == expected[request]:
            counts["answered"] += 1
        elif is_refusal(request, answer, faults):
            counts["503"] += 1
        else:
            report.expect(False, f"{request[:60]}: {answer.status} {answer.headers} {answer.body[:300]} is right")


def reload(report, server):
    """Reloads the same models. One reload at a time: a second signal would kill fiu's own thread."""
    before = server.log().count("reloaded")
    server.process.send_signal(signal.SIGHUP)
    try:
        harness.wait_until(lambda: server.log().count("reloaded") > before or server.process.poll() is not None,
                           ANSWER_S, "a reload")
    except TimeoutError as error:
        report.expect(False, str(error))


def round_of(report, server, what, names, probability, seconds, expected):
    counts = collections.Counter()
    server.fault(names, f"enable_random name={{}},probability={probability}")
    threads = [threading.Thread(target=ask_for, args=(report, server, seconds, expected, names, counts, seed))
               for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.1)
            if names == MEMORY and server.process.poll() is None:
                reload(report, server)
    server.fault(names, "disable name={}")
    report.say(f"{what}: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    report.expect(names[0] not in MEMORY or counts["503"] * counts["ended"], f"{what}: enough calls fail")
    report.expect(server.process.poll() is None, f"{what}: the server goes on: {server.log()[-600:]}")


def answers_of(report, server):
    """The essence of each request's answer, without faults."""
    asker = Asker(report, server)
    answers = {request: asker.ask(request) for request in requests()}
    report.expect(all(answers.values()), "without faults everything is answered")
    return {request: essence(request, answer) for request, answer in answers.items() if answer}


def run_faults(report, model, seconds):
    with Server(model) as server:
        answers_of(report, server)
        expected = answers_of(report, server)
        time.sleep(0.2)
        files = server.metric("process_open_fds")
        parts = sum(part for *_, part in ROUNDS)
        for what, names, probability, part in ROUNDS:
            round_of(report, server, what, names, probability, seconds * part / parts, expected)
        report.expect(answers_of(report, server) == expected, "afterwards it answers as before")
        time.sleep(0.2)
        for name, value in (("ppm_requests_in_flight", 1), ("ppm_bytes_in_flight", 0), ("ppm_queue_depth", 0),
                            ("process_open_fds", files)):
            report.expect(server.metric(name) == value, f"afterwards {name} is {value}")
        report.expect(server.stop(ANSWER_S) == 0, f"it drains: {server.log()[-600:]}")


def run_starts(report, model):
    served = 0
    for i in range(STARTS):
        faults = [f"enable_random name={name},probability={0.0005 * (1 + i % 8)}" for name in MEMORY]
        try:
            with Server(model, *(word for fault in faults for word in ("-c", fault))) as server:
                served += 1
                report.expect(server.stop(ANSWER_S) == 0, f"a start drains: {server.log()[-600:]}")
        except OSError as error:
            report.expect(re.search(r"ended with [12]: \S", str(error)), f"a refused start says why: {error}")
    report.say(f"starts: {served} served, {STARTS - served} refused")


def test(report, is_full):
    with tempfile.TemporaryDirectory() as folder:
        model = harness.write_model(folder, "slow", bins=[1, 2], branch=[], head=[
            {"conv": {"channels": 64, "kernel": 3}}, "relu", {"conv": {"channels": 3}}])
        run_faults(report, model, 60 if is_full else 15)
        run_starts(report, model)
