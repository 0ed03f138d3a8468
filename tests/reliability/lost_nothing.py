"""SIGTERM under load, again and again: every client that got a connection gets a whole answer.

wrk with 8 connections, and 8 exact clients, half of which open a new connection for every request. wrk
counts a missing answer as a read error, and a refused connection as a connect or write error; the exact
clients compare every byte. The server may close a connection that is silent for 500 ms, so requests after
such a pause, which the machine causes here, do not count."""
import contextlib
import random
import re
import signal
import subprocess
import tempfile
import threading
import time

import client
import harness

WRK = """
wrk.method = "POST"
wrk.path = "/ppm/busy?shape=1,4,8,8"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = string.rep("\\0\\0\\0\\0", 256)
function done(summary)
  local e = summary.errors
  io.write(string.format("requests=%d status=%d read=%d timeout=%d\\n",
    summary.requests, e.status, e.read, e.timeout))
end
"""


MAY_SLEEP_S = 0.3


class Client(threading.Thread):
    """Sends requests until the server refuses a connection or closes this one."""

    def __init__(self, server, request, expected, is_lasting):
        super().__init__(daemon=True)
        self.server, self.request, self.expected = server, request, expected
        self.is_lasting, self.answers, self.slept, self.lost = is_lasting, 0, 0, []

    def run(self):
        connection, said_s = None, time.monotonic()
        while not self.lost:
            try:
                if not connection:
                    connection, said_s = self.server.connect(), time.monotonic()
            except ConnectionRefusedError:
                return
            except OSError as error:
                self.lost.append(f"neither connected nor refused: {error}")
                return
            try:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(self.request)
                slept_s = time.monotonic() - said_s
                answer = client.read_answer(connection)
                said_s = time.monotonic()
            except (client.Lost, OSError) as error:
                if slept_s < MAY_SLEEP_S or "0 bytes of a head" not in str(error):
                    self.lost.append(f"after {self.answers} answers, {slept_s:.3f} s: {error}")
                    return
                self.slept, connection = self.slept + 1, None
                continue
            if answer.status != 200 or answer.body != self.expected:
                self.lost.append(f"{answer.status}, {len(answer.body)} bytes: {answer.body[:80]}")
                return
            self.answers += 1
            if not self.is_lasting or answer.headers.get("connection") == "close":
                connection.close()
                connection = None


def requests(server):
    """Requests that are computed at once, that wait in the queue, and whose answers take long to send."""
    for target, shape in (("/ppm", (1, 4, 9, 9)), ("/ppm/busy", (1, 4, 16, 16)),
                          ("/ppm/listing2-pytorch-psp", (1, 3, 30, 30)), ("/ppm", (1, 4, 9, 9))):
        query, body = client.tensor(*shape)
        request = client.request_bytes("POST", target + query, body)
        with server.connect() as connection:
            yield request, client.exchange(connection, request).body


def one_round(busy, script, numbers):
    """Returns the answers counted by the clients and by wrk, the clients that slept, and what was lost."""
    with harness.Server("--log-level", "error", "--model", harness.SAMPLE_MODEL, "--model", busy,
                        "--model", harness.SAMPLE_MODEL.replace("1-pytorch-ppm", "2-pytorch-psp")
                        ) as server:
        clients = [Client(server, request, expected, is_lasting)
                   for request, expected in requests(server) for is_lasting in (False, True)]
        wrk = subprocess.Popen(["wrk", "--threads", "1", "--connections", "8", "--duration", "60s",
                                "--timeout", "30s", "--script", script,
                                f"http://127.0.0.1:{server.port}"],
                               stdout=subprocess.PIPE, text=True)
        for one in clients:
            one.start()
        time.sleep(0.2 + 0.3 * numbers.random())
        status = server.stop()
        wrk.send_signal(signal.SIGINT)
        said = wrk.communicate(timeout=60)[0]
        for one in clients:
            one.join(60)
        lost = [text for one in clients for text in one.lost]
        lost += ["a client did not end" for one in clients if one.is_alive()]
        counted = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", said)}
        lost += [f"wrk: {counted[name]} {name} errors" for name in
                 ("status", "read", "timeout") if counted[name]]
        if status != 0:
            lost.append(f"exit status {status}: {server.log()[-300:]}")
        return (sum(one.answers for one in clients), counted["requests"],
                sum(one.slept for one in clients), lost)


def test(report, is_full):
    rounds, numbers = 50 if is_full else 10, random.Random(1)
    answers = by_wrk = slept = 0
    with tempfile.TemporaryDirectory() as folder:
        busy, script = harness.write_model(folder, "busy"), f"{folder}/wrk.lua"
        with open(script, "w", encoding="utf-8") as file:
            file.write(WRK)
        for number in range(rounds):
            own, others, asleep, lost = one_round(busy, script, numbers)
            answers, by_wrk, slept = answers + own, by_wrk + others, slept + asleep
            for text in lost[:4]:
                report.say(f"round {number}: {text}")
            report.expect(not lost, "every request that got a connection got its whole answer")
    report.say(f"{rounds} times SIGTERM: {answers} answers compared, {by_wrk} more counted by wrk, "
               f"{slept} clients had slept")
    report.expect(answers > 10 * rounds and by_wrk > 10 * rounds, "there was load")
