"""libfaketime moves the clock an hour forward and back while requests are in flight: the server cuts off
nothing because of it, and deadlines hold."""
import datetime
import glob
import pathlib
import tempfile
import threading
import time

import client
import harness

HEAD_TIMEOUT_S, REQUEST_TIMEOUT_S = 2, 5
HOUR_S = 3600


def hours_ahead(server):
    """The difference between the server's clock, from its log, and ours."""
    server.ask("GET", "/healthz")
    harness.wait_until(lambda: "/healthz" in server.log().splitlines()[-1], 5, "a line of the log")
    stamp = server.log().splitlines()[-1].split()[0]
    shown = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    return round((shown - time.time()) / HOUR_S)


class Timed(threading.Thread):
    """The result of an exchange, and its time."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_it, self.answer, self.error, self.took_s = run, None, None, None
        self.begun = time.monotonic()
        self.start()

    def run(self):
        try:
            self.answer = self.run_it()
        except (client.Lost, OSError) as error:
            self.error = error
        self.took_s = time.monotonic() - self.begun

    def status(self):
        self.join(30)
        return self.answer.status if self.answer else self.error


def body_in_two_parts(connection, request, jumped):
    connection.sendall(request[:-1000])
    jumped.wait(10)
    connection.sendall(request[-1000:])
    return client.read_answer(connection)


def jump(report, server, clock, hours):
    """Everything that waits while the clock jumps."""
    query, body = client.tensor(1, 4, 64, 64)
    request = client.request_bytes("POST", "/ppm" + query, body)
    long_query, long_body = client.tensor(1, 4, 256, 256)
    long_request = client.request_bytes("POST", "/ppm" + long_query, long_body,
                                        ["X-Request-Timeout-Ms: 400"])
    jumped = threading.Event()
    with server.connect() as idle, server.connect() as head, server.connect() as upload, \
            server.connect() as late, server.connect() as computed:
        client.exchange(idle, client.request_bytes("GET", "/healthz"))
        head.sendall(b"GET /healthz HTTP/1.1\r\n")
        waits = {"a head": Timed(lambda: client.read_answer(head)),
                 "a body": Timed(lambda: body_in_two_parts(upload, request, jumped)),
                 "a computation": Timed(lambda: client.exchange(computed, request)),
                 "a deadline": Timed(lambda: client.exchange(late, long_request))}
        time.sleep(0.1)
        clock.write_text(f"{hours * HOUR_S:+d}\n", encoding="utf-8")
        report.expect(hours_ahead(server) == hours, "the server's clock jumps")
        jumped.set()
        found = {name: wait.status() for name, wait in waits.items()}
        report.say(f"{hours:+d} h: " + ", ".join(
            f"{name} {found[name]} after {wait.took_s:.2f} s" for name, wait in waits.items()))
        report.expect(found["a body"] == 200 and found["a computation"] == 200,
                      "a jump does not cut off requests in flight")
        report.expect(found["a head"] == 408 and
                      HEAD_TIMEOUT_S - 0.1 < waits["a head"].took_s < HEAD_TIMEOUT_S + 2,
                      "a head's deadline holds")
        report.expect(found["a deadline"] == 504 and 0.39 < waits["a deadline"].took_s < 2.4,
                      "a computation's deadline holds")
        answer = client.exchange(idle, client.request_bytes("GET", "/readyz"))
        report.expect(answer.status == 200, "a jump does not close an idle connection")


def test(report, is_full):
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    with tempfile.TemporaryDirectory() as folder:
        clock = pathlib.Path(folder) / "clock"
        clock.write_text("+0\n", encoding="utf-8")
        environment = {"LD_PRELOAD": libraries[0] if libraries else "libfaketimeMT.so.1",
                       "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        long = harness.write_model(folder, "long",
                                   head=9 * [{"conv": {"channels": 256, "kernel": 3}}])
        with harness.Server("--model", long, "--head-timeout-ms", str(1000 * HEAD_TIMEOUT_S),
                            "--request-timeout-ms", str(1000 * REQUEST_TIMEOUT_S),
                            "--max-queue-delay-us", "20000", env=environment) as server:
            for hours in (1, 0, -1, 0) * (5 if is_full else 1):
                jump(report, server, clock, hours)
            report.expect(server.stop() == 0, "it drains")
