"""Server processes, their cost, and the client that sends requests."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import common
from neighbors import process_seconds

CLIENT = os.environ.get("PPM_CLIENT", str(common.ROOT / "build/release/bench/client"))
LISTING1 = common.Case("1", "configs/models/listing1-pytorch-ppm.json", (1, 4, 30, 30),
                       "listing 1 at its own size")
CASES = [LISTING1] + [case for case in common.CASES if case.name in ("A", "D")]
START_S = 120  # a server that takes longer counts as dead


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("bench")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Server:
    """A server process at unix:PATH or 127.0.0.1:PORT."""

    def __init__(self, command, address, **environment):
        self.name, self.address = str(command[0]), address
        self.messages = tempfile.TemporaryFile("w+")
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(list(map(str, command)), cwd=common.ROOT,
                                        stderr=self.messages, env={**os.environ, **environment})

    def connection(self):
        if self.address.startswith("unix:"):
            return UnixConnection(self.address[len("unix:"):])
        return http.client.HTTPConnection(self.address, timeout=START_S)

    def post(self, target, body, content_type="application/octet-stream"):
        """-> the answer's bytes, once the server answers"""
        headers = {"Content-Type": content_type}
        while True:
            connection = self.connection()
            try:
                connection.request("POST", target, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                break
            except (ConnectionRefusedError, FileNotFoundError):
                if self.process.poll() is not None or self.age_s() > START_S:
                    self.fail("does not answer")
                time.sleep(0.002)
            finally:
                connection.close()
        if answer.status != 200:
            self.fail(f"answers {answer.status}: {content[:200]!r}")
        return content

    def fail(self, why):
        self.messages.seek(0)
        raise SystemExit(f"{self.messages.read()}{self.name} {why}") from None

    def age_s(self):
        return time.monotonic() - self.started_s

    def cpu_s(self):
        return process_seconds(self.process.pid)

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024

    def files_mb(self):
        """The size of all files that it has mapped: the program and its libraries."""
        with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as lines:
            paths = {line.split(None, 5)[5].strip() for line in lines if "/" in line}
        return sum(os.path.getsize(path) for path in paths if os.path.isfile(path)) / 1e6

    def measure(self, target, body, connections, seconds, *headers):
        """Runs the client for some seconds; returns its result and the server's cost."""
        self.forget_peak()
        before_s = self.cpu_s()
        result = json.loads(common.run([CLIENT, self.address, target, str(body),
                                        str(connections), str(seconds), *headers]))
        result["cpu_ms"] = 1e3 * (self.cpu_s() - before_s) / result["requests"]
        result["client_cpu_ms"] = 1e3 * result["client_cpu_s"] / result["requests"]
        result["rate"] = result["requests"] / result["seconds"]
        result["peak_mb"] = self.peak_mb()
        return result

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_ours(model, address, *flags):
    """ppm-server with defaults, except for the log line per request, which the others do not write."""
    where = (["--host", address] if address.startswith("unix:") else
             ["--host", *address.replace(":", " --port ").split()])
    return Server([common.SERVER, "serve", *where, "--log-level", "error", "--model", model,
                   *flags], address)


def target(case):
    return f"/ppm?shape={common.shape_text(case.shape, ',')}"


def write_body(case, folder):
    """Writes a file of ones with the size of the case's x."""
    count = 1
    for extent in case.shape:
        count *= extent
    path = pathlib.Path(folder) / f"{case.name}.f32"
    path.write_bytes(count * b"\0\0\x80\x3f")
    return path
