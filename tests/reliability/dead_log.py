"""A log that cannot be written - a full device, a closed or unread pipe, no log at all - does not stop
requests, reloads or a drain."""
import contextlib
import fcntl
import os
import signal
import time

import client
import harness


@contextlib.contextmanager
def full_device():
    with open("/dev/full", "wb") as device:
        yield device, None


@contextlib.contextmanager
def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as file:
        yield file, None


@contextlib.contextmanager
def pipe_that_nobody_reads():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(reader, "rb") as log, os.fdopen(writer, "wb") as file:
        yield file, log


@contextlib.contextmanager
def no_descriptor():
    with open(os.devnull, "wb") as file:
        yield file, None


LOGS = {"/dev/full": full_device, "a closed pipe": closed_pipe,
        "a pipe that nobody reads": pipe_that_nobody_reads, "no stderr": no_descriptor}


def check(report, name, requests):
    without = ["sh", "-c", 'exec "$@" 2>&-', "sh"] if name == "no stderr" else ()
    with LOGS[name]() as (stderr, reader), harness.Server(
            "--log-level", "debug", "--model", harness.SAMPLE_MODEL, stderr=stderr, command=without
            ) as server:
        query, body = client.tensor(1, 4, 30, 30)
        request = client.request_bytes("POST", "/ppm" + query, body, ["X-Request-Id: " + 100 * "x"])
        log = os.readlink(f"/proc/{server.pid}/fd/2")
        report.expect(not log.startswith("socket"), f"{name}: the server does not mistake a socket for the log")
        expected, took = server.ask("POST", "/ppm" + query, body).body, []
        server.process.send_signal(signal.SIGHUP)
        with server.connect() as lasting:
            for number in range(requests):
                begun = time.monotonic()
                with contextlib.nullcontext(lasting) if number % 2 else server.connect() as connection:
                    answer = client.exchange(connection, request)
                took.append(time.monotonic() - begun)
                report.expect(answer.status == 200 and answer.body == expected,
                              f"{name}: every answer arrives and is right")
        report.say(f"{name}: {requests} answers, {harness.spread(took)}")
        report.expect(harness.percentile(took, 0.5) < 0.02, f"{name}: requests do not wait for it")
        if reader:  # read again
            os.set_blocking(reader.fileno(), False)
            reader.read()
            server.ask("GET", "/healthz")
            harness.wait_until(lambda: b"/healthz" in (reader.read() or b""), 5, "lines come again")
        report.expect(server.stop() == 0, f"{name}: it drains")


def test(report, is_full):
    for name in LOGS:
        check(report, name, 20000 if is_full else 1000)
