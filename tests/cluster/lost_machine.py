"""A machine that vanishes, as when its cable is pulled: it sends no packet, not even a refusal. Another server
answers the requests that were in flight there, and later requests do not wait. Pulls a virtual cable
between two network namespaces."""
import os
import subprocess
import sys
import tempfile
import threading
import time

from balancer import Balancer
import client
import harness
import pytest
import soak

HERE, THERE = "192.0.2.1", "192.0.2.2"
INSIDE = "PPM_TEST_INSIDE"
REQUESTS = 4


def run_in_namespace():
    """Runs this test in a process with a separate network."""
    unshare = ["unshare", "--net"] + ([] if os.getuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], capture_output=True).returncode != 0:
        pytest.skip("creating network namespaces needs root here")
    subprocess.run([*unshare, sys.executable, "-m", "pytest", "-s", __file__], check=True,
                   env={**os.environ, INSIDE: "1"})


def run(*command):
    subprocess.run(command, check=True)


def lay_cable(server):
    """Connects this namespace and the server's."""
    run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(server.pid))
    for command, address, device in ((["ip"], HERE, "here"), (inside(server), THERE, "there")):
        run(*command, "addr", "add", f"{address}/24", "dev", device)
        run(*command, "link", "set", device, "up")


def inside(server):
    return ["nsenter", "--target", str(server.pid), "--net", "ip"]


class Client(threading.Thread):
    def __init__(self, balancer, request):
        super().__init__(daemon=True)
        self.balancer, self.request, self.answer, self.done_s = balancer, request, None, None
        self.start()

    def run(self):
        with self.balancer.connect() as connection:
            self.answer = client.exchange(connection, self.request)
        self.done_s = time.monotonic()


def in_flight(balancer, server):
    return balancer.metrics()[f'haproxy_server_current_sessions{{proxy="ppm",server="{server}"}}']


def lose(report, far, near, request, quick):
    """far is at the other end of the cable."""
    expected, expected_quick = (soak.server_answer(near, one).body for one in (request, quick))
    with Balancer([f"{THERE}:{far.port}", f"127.0.0.1:{near.port}"]) as balancer:
        clients = [Client(balancer, request) for _ in range(REQUESTS)]
        harness.wait_until(lambda: in_flight(balancer, "ppm1") == REQUESTS / 2, 20, "half of them are there")
        run(*inside(far), "link", "set", "there", "down")
        cut_s = time.monotonic()
        harness.wait_until(lambda: balancer.up() == ["ppm2"], 20, "its checks tell")
        report.say(f"not asked any more {time.monotonic() - cut_s:.1f} s after the cable was pulled")
        later = Client(balancer, quick)
        for one in [later, *clients]:
            one.join(60)
        took = [one.done_s - cut_s for one in clients if one.done_s]
        report.say(f"{REQUESTS} requests in flight, half of them there: answered after "
                   f"{', '.join(f'{seconds:.1f}' for seconds in sorted(took))} s")
        report.expect(all(one.answer and one.answer.status == 200 and one.answer.body == expected
                          for one in clients), "each is answered 200 and right")
        report.expect(later.answer and later.answer.body == expected_quick, "and so is one that came later")
        report.expect(balancer.retries() > 0, "by another server")


def test(report):
    if INSIDE not in os.environ:
        run_in_namespace()
        report.expect(True, "its promises, in there")
        return
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory() as folder:
        layers = 5 * [{"conv": {"channels": 256, "kernel": 3}}]
        flags = ["--threads", "1", "--log-level", "warn", "--model", harness.SAMPLE_MODEL, "--model",
                 harness.write_model(folder, "slow", head=layers)]
        requests = [client.request_bytes("POST", target + query, body) for target, (query, body) in
                    (("/ppm/slow", client.tensor(1, 4, 88, 88)), ("/ppm", client.tensor(1, 4, 30, 30)))]
        with harness.Server("--host", "0.0.0.0", *flags, command=("unshare", "--net")) as far:
            lay_cable(far)
            with harness.Server(*flags) as near:
                lose(report, far, near, *requests)
