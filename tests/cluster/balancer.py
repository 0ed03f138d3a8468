"""HAProxy with deploy/haproxy.cfg itself, in front of servers on this machine."""
import grp
import http.client
import os
import pathlib
import pwd
import re
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy/haproxy.cfg"
SERVERS = re.findall(r"^ +server (\w+) ", CONFIG.read_text(encoding="utf-8"), re.M)
MEMORY = dict(re.findall(r"^(MALLOC_\w+)=(\d+)$", CONFIG.with_suffix(".env").read_text(encoding="utf-8"), re.M))
BUFFER_BYTES = int(re.search(r"tune\.bufsize (\d+)", CONFIG.read_text(encoding="utf-8")).group(1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(listens, numbers, addresses):
    """The variables of haproxy.env, for other addresses. Further servers of the file refuse connections."""
    nobody = [f"127.0.0.1:{free_port()}"] * len(SERVERS)
    return {"PPM_BIND": listens, "PPM_NUMBERS": numbers, "PPM_USER": pwd.getpwuid(os.getuid()).pw_name,
            "PPM_GROUP": grp.getgrgid(os.getgid()).gr_name,
            **MEMORY, **{f"PPM_{number + 1}": address
               for number, address in enumerate([*addresses, *nobody][:len(SERVERS)])}}


class Balancer:
    """HAProxy on a free port of 127.0.0.1."""

    def __init__(self, addresses):
        self.port, self.numbers_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.messages = tempfile.TemporaryFile("w+")
        settings = environment(self.address, f"127.0.0.1:{self.numbers_port}", addresses)
        self.process = subprocess.Popen(["haproxy", "-db", "-f", CONFIG], stderr=self.messages,
                                        env={**os.environ, **settings})
        self.pid = self.process.pid
        try:
            self.wait_for(len(addresses))
        except BaseException:
            self.end()
            raise

    def log(self):
        self.messages.seek(0)
        return self.messages.read()

    def metrics(self):
        """Returns the series of its Prometheus endpoint."""
        connection = http.client.HTTPConnection("127.0.0.1", self.numbers_port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}

    def retries(self):
        """How often HAProxy sent a request to another server."""
        return self.metrics()['haproxy_backend_redispatch_warnings_total{proxy="ppm"}']

    def in_flight(self):
        """The requests that it counts as not finished; it counts one for a moment after its last byte."""
        found = self.metrics()
        return sum(found[f'haproxy_server_current_sessions{{proxy="ppm",server="{server}"}}']
                   for server in SERVERS)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def up(self):
        """The servers that pass its checks."""
        found = self.metrics()
        return [server for server in SERVERS
                if found[f'haproxy_server_status{{proxy="ppm",server="{server}",state="UP"}}']]

    def wait_for(self, count, seconds=20):
        """Waits until this number of servers is up, and stays so for a moment."""
        end, steady = time.monotonic() + seconds, 0
        while steady < 4:
            if self.process.poll() is not None:
                raise OSError(f"haproxy ended with {self.process.returncode}: {self.log()[-500:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"haproxy: {count} servers up: not within {seconds} s")
            try:
                steady = steady + 1 if len(self.up()) == count else 0
            except OSError:
                steady = 0
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.messages.close()
