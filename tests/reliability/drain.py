"""A drain: /readyz returns 503 at once while everything is served for drain_delay_ms. Then new clients are
refused and accepted requests are answered. A second signal ends the server at once."""
import contextlib
import os
import signal
import tempfile
import time

import client
import harness

DELAY_S = 1.0
READY, HEALTH = (client.request_bytes("GET", target) for target in ("/readyz", "/healthz"))


def status_of(server, request):
    """Returns the status of an answer over a new connection, or the error's name."""
    try:
        with server.connect() as connection:
            return client.exchange(connection, request).status
    except (OSError, client.Lost) as error:
        return type(error).__name__


def delayed(report, model, number):
    query, body = client.tensor(1, 4, 30, 30)
    compute = client.request_bytes("POST", "/ppm" + query, body)
    query, body = client.tensor(1, 4, 500, 500)  # outlasts the delay on any CPU
    long_request = client.request_bytes("POST", "/ppm" + query, body)
    with harness.Server("--log-level", "warn", "--model", harness.SAMPLE_MODEL, "--model", model,
                        "--drain-delay-ms", str(int(1000 * DELAY_S))) as server, \
            server.connect() as lasting:
        report.expect(status_of(server, READY) == 200, "/readyz is 200 before")
        server.process.send_signal(number)
        begun = time.monotonic()
        found = []
        with contextlib.suppress(TimeoutError):
            harness.wait_until(lambda: status_of(server, READY) == 503, DELAY_S / 2, "not ready")
        unready_s = time.monotonic() - begun
        while time.monotonic() - begun < 0.8 * DELAY_S:
            found.append((status_of(server, READY), status_of(server, compute),
                          client.exchange(lasting, compute).status))
        on_its_way = server.connect()
        on_its_way.sendall(long_request.replace(b"/ppm", b"/ppm/long"))
        while (last := status_of(server, HEALTH)) == 200:
            time.sleep(0.005)
        refused_s = time.monotonic() - begun
        answer = client.read_answer(on_its_way)
        exit_status = server.process.wait(30)
        report.say(f"{signal.Signals(number).name}: not ready after {1e3 * unready_s:.0f} ms; "
                   f"{len(found)} rounds of /readyz and /ppm: {sorted(set(found))}; {last} after "
                   f"{refused_s:.2f} s; a request in flight: {answer.status}; "
                   f"exit status {exit_status}")
        report.expect(unready_s < 0.1, "/readyz is 503 at once")
        report.expect(len(found) > 10 and set(found) == {(503, 200, 200)},
                      "/ppm answers during the delay")
        report.expect(last == "ConnectionRefusedError", "then new clients are refused")
        report.expect(DELAY_S - 0.05 < refused_s < DELAY_S + 2, "after the delay, and soon")
        report.expect(answer.status == 200 and answer.headers.get("connection") == "close",
                      "accepted requests are answered")
        report.expect(exit_status == 0, "exit status 0")
        report.expect(status_of(server, HEALTH) == "ConnectionRefusedError", "and stay refused")


def second_signal(report, model, delay_ms):
    """During the delay, and while a long computation delays the drain."""
    query, body = client.tensor(8, 4, 256, 256)
    with harness.Server("--log-level", "warn", "--model", model, "--drain-delay-ms", delay_ms
                        ) as server, server.connect() as connection:
        connection.sendall(client.request_bytes("POST", "/ppm" + query, body))
        harness.wait_until(lambda: server.metric("ppm_batch_size_count") >= 1, 20, "it is computed")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        report.expect(server.process.poll() is None, "the drain waits for the computation")
        server.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        exit_status = server.process.wait(30)
        took_s = time.monotonic() - begun
        report.say(f"second SIGTERM, drain_delay_ms {delay_ms}: exit status {exit_status} after "
                   f"{1e3 * took_s:.0f} ms")
        report.expect(exit_status == 1 and took_s < 0.5, "a second signal ends it at once")
        report.expect("second signal" in server.log(), "and the log says so")


def unix_socket(report):
    """The server removes its socket at the end, so that a new server can use the name at once."""
    with open(os.devnull, "wb") as null, harness.Server(
            "--model", harness.SAMPLE_MODEL, stderr=null) as server:
        report.expect(status_of(server, HEALTH) == 200, "a unix socket is served")
        report.expect(server.stop() == 0, "exit status 0")
        report.expect(not os.path.exists(server.unix_path), "its name is removed")


def test(report, is_full):
    with tempfile.TemporaryDirectory() as folder:
        model = harness.write_model(folder, "long",
                                    head=5 * [{"conv": {"channels": 256, "kernel": 3}}])
        for _ in range(10 if is_full else 1):
            delayed(report, model, signal.SIGTERM)
            delayed(report, model, signal.SIGINT)
            second_signal(report, model, "0")
            second_signal(report, model, "60000")
            unix_socket(report)
