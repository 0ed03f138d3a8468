"""A thread loses its core after it has received a request, before it has looked at it: the connection is busy,
and does not make room for others."""
import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import client
import harness

CONNECTIONS_MAX, ROUNDS = 4, 10
SILENT_S, RECEIVED_S = 0.05, 0.05  # slow_thread.c delays by 0.1 s


def crowd(server, request, connect):
    """Connections that send a request, and others that come while it is on its way. Returns how many of the
    requests had an answer, if only that the server is crowded: those of the round before may still be leaving."""
    harness.wait_until(lambda: server.metric("ppm_connections") == 1, 10, "those before have left")
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connect()) for _ in range(CONNECTIONS_MAX)]
        for connection in busy:
            connection.sendall(request)
        time.sleep(RECEIVED_S)
        for _ in range(2):
            stack.enter_context(server.connect()).sendall(request)
        answered = 0
        for connection in busy:
            with contextlib.suppress(client.Lost, OSError):
                answered += client.read_answer(connection).status in (200, 503)
        return answered


def idle(server):
    """A connection that has been silent between two requests for longer than a new one may be."""
    connection = server.connect()
    client.exchange(connection, client.request_bytes("GET", "/healthz"))
    time.sleep(SILENT_S)
    return connection


def test_slow_thread(report):
    query, body = client.tensor(1, 4, 8, 8)
    request = client.request_bytes("POST", "/ppm" + query, body)
    with tempfile.TemporaryDirectory(prefix="ppm-reliability-") as scratch:
        library = pathlib.Path(scratch, "slow_thread.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library,
                        harness.ROOT / "tests/reliability/slow_thread.c", "-ldl"], check=True)
        with harness.Server("--model", harness.SAMPLE_MODEL, "--connections-max", str(CONNECTIONS_MAX),
                            "--http-threads", "16", env={"LD_PRELOAD": str(library)}) as server:
            for what, connect in (("new", server.connect), ("idle", lambda: idle(server))):
                answered = sum(crowd(server, request, connect) for _ in range(ROUNDS))
                report.say(f"{what} connections: {answered} of {ROUNDS * CONNECTIONS_MAX} requests are answered")
                report.expect(answered == ROUNDS * CONNECTIONS_MAX, f"{what} connections keep their place")
