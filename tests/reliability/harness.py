"""What the tests in this folder share: servers, what they use, and durations."""
import contextlib
import json
import multiprocessing
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import client

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(pathlib.Path(os.environ.get("PPM_SERVER", ROOT / "build/ppm-server")).resolve())
SAMPLE_MODEL = str(ROOT / "configs/models/listing1-pytorch-ppm.json")


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def spread(seconds):
    """Returns p50, p99 and the longest of some durations, in milliseconds."""
    p50, p99, longest = (1e3 * percentile(seconds, share) for share in (0.5, 0.99, 1))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {longest:.1f} ms"


def wait_until(is_so, seconds, what):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Pauses:
    """Times when the machine ran nothing, seen by a process that only sleeps. Durations measured then say
    nothing about the server."""

    def __enter__(self):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.watch, args=(theirs,), daemon=True)
        self.process.start()
        self.ours.recv()
        return self

    @staticmethod
    def watch(pipe):
        found, last = [], time.monotonic()
        pipe.send("awake")
        while not pipe.poll(0.005):
            now = time.monotonic()
            if now - last > 0.04:
                found.append((last, now))
            last = now
        pipe.send(found)

    def __exit__(self, *_):
        self.ours.send("enough")
        self.found = self.ours.recv()
        self.process.join()

    def without(self, timed):
        """The durations of (begin, end) outside of pauses."""
        return [end - begin for begin, end in timed
                if not any(begin < until and end > since for since, until in self.found)]


def write_model(folder, name, **changes):
    """Writes a model of 4 channels with much work for each byte: 0.7 MFLOP per pixel."""
    model = {"name": name, "input": {"channels": 4}, "bins": [1, 2, 3, 6],
             "branch": [{"conv": {"channels": 8}}, "relu"],
             "head": [{"conv": {"channels": 128, "kernel": 3}}, "relu",
                      {"conv": {"channels": 128, "kernel": 3}}, "relu", {"conv": {"channels": 4}}],
             "weights": {"random": 1}, **changes}
    path = pathlib.Path(folder) / f"{name}.json"
    path.write_text(json.dumps(model), encoding="utf-8")
    return str(path)


class Server:
    """A server on a free port of 127.0.0.1, or on a unix socket if its log cannot show the port."""

    def __init__(self, *flags, stderr=None, command=(), env=None, limits=None):
        self.scratch = tempfile.TemporaryDirectory(prefix="ppm-reliability-")
        self.log_path = pathlib.Path(self.scratch.name) / "log"
        self.unix_path = f"{self.scratch.name}/socket" if stderr is not None else None
        host = ["--host", f"unix:{self.unix_path}"] if self.unix_path else ["--port", "0"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*command, PROGRAM, "serve", *host, *flags], cwd=ROOT, stdin=subprocess.DEVNULL,
                stderr=log if stderr is None else stderr, preexec_fn=limits,
                env={**os.environ, **(env or {})})
        self.pid, self.port = self.process.pid, None
        try:
            wait_until(self.is_up, 60, "listening")
        except BaseException:
            self.end()
            raise

    def is_up(self):
        if self.process.poll() is not None:
            raise OSError(f"the server ended with {self.process.returncode}: {self.log()[-500:]}")
        if self.unix_path:
            with contextlib.suppress(OSError):
                self.connect().close()
                return True
            return False
        found = re.search(r"^listening on http://.*:(\d+)$", self.log(), re.M)
        self.port = int(found.group(1)) if found else None
        return found is not None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Kills the server."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.scratch.cleanup()

    def stop(self, seconds=60):
        """Drains the server and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def connect(self, seconds=30):
        if self.unix_path:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(self.unix_path)
            return connection
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def ask(self, method, target, body=b"", headers=(), seconds=30):
        with self.connect(seconds) as connection:
            return client.exchange(connection, client.request_bytes(method, target, body, headers))

    def metrics(self):
        text = self.ask("GET", "/metrics").body.decode()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}

    def metric(self, name):
        """Returns one series, or the sum over all series of a metric."""
        return sum(value for series, value in self.metrics().items()
                   if series == name or series.startswith(name + "{"))

    def status_kb(self, field):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"^{field}:\s+(\d+)", status, re.M).group(1))

    def rss_bytes(self):
        return 1024 * self.status_kb("VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return self.status_kb("Threads")

    def cpu_s(self):
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
