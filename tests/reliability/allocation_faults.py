"""Runs $PPM_SERVER (build/ppm-server) under fiu-run, which makes malloc, and then sockets and files, fail at
random while clients request everything there is. Each request gets the right answer, a complete 503, or a
closed connection, within seconds. Afterwards the same process answers as before, has released everything,
and drains with exit status 0. It reloads all the time.
Then starts with little memory: each server serves, or says why not."""

import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

SERVER = os.environ.get("PPM_SERVER", "build/ppm-server")
CLIENTS, ANSWER_S = 4, 15
NPY, RAW, JSON = "application/x-npy", "application/octet-stream", "application/json"

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

MODEL = {"name": "slow", "input": {"channels": 4}, "bins": [1, 2], "branch": [],
         "head": [{"conv": {"channels": 64, "kernel": 3}}, "relu", {"conv": {"channels": 3}}],
         "weights": {"random": 1}}
problems = []
faults = ""  # of the current round


def check(holds, what):
    if not holds:
        problems.append(what)
        print(f"  {what}", flush=True)


class Connection(http.client.HTTPConnection):
    """Sends head and body at once: a server that refuses the head may not read the rest."""

    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_S)
        self.path, self.unsent = path, b""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def send(self, data):
        self.unsent += data

    def getresponse(self):
        data, self.unsent = self.unsent, b""
        if self.sock is None:
            self.connect()
        self.sock.sendall(data)
        return super().getresponse()

    def close(self):
        self.unsent = b""
        super().close()


class Request:
    def __init__(self, method, target, headers=None, body=None, chunked=False):
        self.method, self.target, self.body = method, target, body
        self.headers, self.chunked = headers or {}, chunked

    def __str__(self):
        return f"{self.method} {self.target} {self.headers}"

    def ask(self, connection):
        """Returns status, headers and body; None if the connection ended first."""
        body = iter((self.body[:100], self.body[100:])) if self.chunked else self.body
        try:
            connection.request(self.method, self.target, body, self.headers,
                               encode_chunked=self.chunked)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except TimeoutError:
            check(False, f"{self}: no answer and no end within {ANSWER_S} s")
        except (OSError, http.client.HTTPException):
            pass
        connection.close()
        return None


def values(count):
    return [(i % 17) / 4 - 2 for i in range(count)]


def npy(shape, count):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + raw(count)


def raw(count):
    return struct.pack(f"<{count}f", *values(count))


def requests():
    small = json.dumps({"shape": [1, 4, 10, 10], "data": values(400)}).encode()
    ret = [
        Request("GET", "/healthz"), Request("HEAD", "/healthz"), Request("GET", "/readyz"),
        Request("GET", "/metrics"), Request("GET", "/ppm"),
        Request("GET", "/ppm/slow?shape=1,4,30,30"), Request("GET", "/ppm?shape=none"),
        Request("GET", "/ppm/none"), Request("GET", "/none"), Request("DELETE", "/ppm"),
        Request("POST", "/ppm", {"Content-Type": "text/plain"}, b"x"),
        Request("POST", "/ppm", {"Content-Type": JSON, "Accept": "text/html"}, small),
        Request("POST", "/ppm", {"Content-Type": JSON}, small[:200]),
        Request("POST", "/ppm?shape=1,5,1,1", {"Content-Type": RAW}, raw(5)),
    ]
    for accept in (NPY, RAW, JSON):
        ret += [
            Request("POST", "/ppm", {"Content-Type": JSON, "Accept": accept}, small),
            Request("POST", "/ppm", {"Content-Type": JSON, "Accept": accept,
                                     "Transfer-Encoding": "chunked"}, small, True),
            Request("POST", "/ppm/slow", {"Content-Type": NPY, "Accept": accept},
                    npy((1, 4, 30, 30), 3600)),
        ]
    for height in range(20, 40):  # more sizes than the server keeps plans
        ret.append(Request("POST", f"/ppm/slow?shape=1,4,{height},20", {"Content-Type": RAW},
                           raw(80 * height)))
    return ret


def essence(request, answer):
    """The part of an answer that is the same for every answer to the request."""
    status, headers, body = answer
    passing = {"Date", "Server-Timing", "X-Request-Id", "Connection"}
    if request.target == "/metrics":
        passing.add("Content-Length")
        body = [line for line in body.splitlines()  # process_... depends on what /proc shows
                if line.startswith(b"#") and b" process_" not in line]
    return status, {k: v for k, v in headers.items() if k not in passing}, body


def is_refusal(request, answer):
    status, headers, body = answer
    if status == 499:  # the server uses recv to see whether the client is still there
        return "recv" in faults
    if status != 503 or int(headers.get("Retry-After", 0)) < 1 or not headers.get("X-Request-Id"):
        return False
    problem = {"status": 503} if request.method == "HEAD" else json.loads(body)
    return problem["status"] == 503


class Server:
    def __init__(self, directory, *arguments):
        self.socket, self.control = f"{directory}/socket", f"{directory}/control"
        self.log = open(f"{directory}/log", "wb")
        # With several threads OpenMP rebuilds its teams, and ends the process if it has no memory for one.
        command = ["fiu-run", "-x", "-f", self.control, *arguments, SERVER, "serve", "--threads",
                   "1", "--http-threads", "2", "--host", f"unix:{self.socket}", "--model",
                   "configs/models/listing1-pytorch-ppm.json", "--model", f"{directory}/slow.json"]
        # Otherwise the server sets this and executes itself again.
        environment = dict(os.environ, GOMP_SPINCOUNT="20000")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log,
                                        env=environment)

    def said(self):
        with open(self.log.name, "rb") as log:  # with a file position separate from the server's
            return log.read().decode(errors="replace")

    def wait_until_it_serves(self):
        for _ in range(1000):
            if self.process.poll() is not None:
                return False
            if "listening on" in self.said():
                return True
            time.sleep(0.01)
        return False

    def fault(self, names, command):
        for name in names:
            subprocess.run(["fiu-ctrl", "-f", self.control, "-c", command.format(name),
                            str(self.process.pid)], check=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "no end"


def ask_for(server, seconds, expected, counts, seed):
    chance, connection = random.Random(seed), Connection(server.socket)
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(problems) < 10:
        request = chance.choice(list(expected))
        answer = request.ask(connection)
        if answer is None:
            counts["ended"] += 1
        elif essence(request, answer) == expected[request]:
            counts["answered"] += 1
        elif is_refusal(request, answer):
            counts["503"] += 1
        else:
            check(False, f"{request}: {answer[0]} {answer[1]} {answer[2][:300]}")
    connection.close()


def reload(server):
    """Reloads the same models. One reload at a time: a second signal would kill fiu's own thread."""
    before = server.said().count("reloaded")
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + ANSWER_S
    while server.said().count("reloaded") == before:
        if time.monotonic() > end or server.process.poll() is not None:
            check(False, "a reload does not end")
            return
        time.sleep(0.01)


def round_of(server, what, names, probability, seconds, expected):
    global faults
    faults = " ".join(names)
    counts = {"answered": 0, "503": 0, "ended": 0}
    server.fault(names, f"enable_random name={{}},probability={probability}")
    clients = [threading.Thread(target=ask_for, args=(server, seconds, expected, counts, seed))
               for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        while client.is_alive():
            client.join(0.1)
            if names == MEMORY and server.process.poll() is None:
                reload(server)
    server.fault(names, "disable name={}")
    print(f"{what}: {', '.join(f'{count} {name}' for name, count in counts.items())}", flush=True)
    check(names[0] not in MEMORY or counts["503"] * counts["ended"], f"{what}: too little failed")
    check(server.process.poll() is None, f"{what}: the server ended: {server.said()[-600:]}")


def ask_well(server):
    connection = Connection(server.socket)
    expected = {}
    for request in requests():
        answer = request.ask(connection)
        check(answer is not None, f"{request}: no answer without faults")
        if answer:
            expected[request] = essence(request, answer)
    connection.close()
    return expected


def metric(server, name):
    time.sleep(0.2)
    answer = Request("GET", "/metrics").ask(Connection(server.socket))
    return float(re.search(rf"^{name} (.*)$", answer[2].decode(), re.M).group(1))


def run_faults(directory, seconds):
    server = Server(directory)
    if not server.wait_until_it_serves():
        check(False, f"it does not start: {server.said()}")
        return
    ask_well(server)
    expected = ask_well(server)
    files = metric(server, "process_open_fds")
    parts = sum(part for *_, part in ROUNDS)
    for what, names, probability, part in ROUNDS:
        if server.process.poll() is None:
            round_of(server, what, names, probability, seconds * part / parts, expected)
    if server.process.poll() is None:
        after = ask_well(server).values()
        check(list(after) == list(expected.values()), "afterwards it answers otherwise")
        for name, value in (("ppm_requests_in_flight", 1), ("ppm_bytes_in_flight", 0),
                            ("ppm_queue_depth", 0), ("process_open_fds", files)):
            found = metric(server, name)
            check(found == value, f"afterwards {name} is {found}, expected {value}")
    status = server.stop()
    check(status == 0, f"it ended with {status}: {server.said()[-600:]}")


def run_starts(directory):
    served = 0
    for i in range(STARTS):
        faults = [f"enable_random name={name},probability={0.0005 * (1 + i % 8)}"
                  for name in MEMORY]
        server = Server(directory, *(word for fault in faults for word in ("-c", fault)))
        is_serving = server.wait_until_it_serves()
        served += is_serving
        status = server.stop()
        said = server.said()
        check(status == 0 if is_serving else status in (1, 2) and said.strip(),
              f"a start ended with {status}: {said[-600:]}")
    print(f"starts: {served} served, {STARTS - served} refused", flush=True)


def test(is_full):
    with tempfile.TemporaryDirectory() as directory:
        with open(f"{directory}/slow.json", "w", encoding="utf-8") as file:
            json.dump(MODEL, file)
        run_faults(directory, 60 if is_full else 15)
        run_starts(directory)
    assert not problems, problems
