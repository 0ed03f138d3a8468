"""With too few descriptors the server does not start and says why in one line. Connections beyond the limit
wait, without spinning and without flooding the log, and are served later."""
import contextlib
import resource
import subprocess
import time

import client
import harness

CONNECTIONS_MAX, SPARE = 64, 64


def limit_descriptors(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def refuses_to_start(report, descriptors):
    found = subprocess.run(
        [harness.PROGRAM, "serve", "--port", "0", "--connections-max", str(CONNECTIONS_MAX),
         "--model", harness.SAMPLE_MODEL], stderr=subprocess.PIPE, text=True, timeout=20, cwd=harness.ROOT,
        preexec_fn=limit_descriptors(descriptors))
    report.say(f"ulimit -n {descriptors}: exit status {found.returncode}: {found.stderr.strip()}")
    said = found.stderr.strip().splitlines()
    report.expect(found.returncode == 2 and len(said) == 1, "too few descriptors: no start, one line")
    report.expect(all(word in found.stderr for word in
                      ("connections_max", str(descriptors), str(CONNECTIONS_MAX + SPARE), "ulimit")),
                  "the message names both numbers")


def crowd(report, server, count, seconds):
    """More silent connections than the limit, which then leave."""
    request = client.request_bytes("GET", "/healthz")
    first = server.connect()
    client.exchange(first, request)
    idle_descriptors = server.descriptors()
    with contextlib.ExitStack() as stack:
        crowd_of = [stack.enter_context(server.connect()) for _ in range(count)]
        time.sleep(0.5)
        cpu_s, log_bytes = server.cpu_s(), len(server.log())
        time.sleep(seconds)
        cpu_s, log_bytes = server.cpu_s() - cpu_s, len(server.log()) - log_bytes
        report.say(f"{count} connections, {CONNECTIONS_MAX} of them accepted at most: "
                   f"{server.descriptors()} descriptors, {cpu_s:.2f} s of CPU time in {seconds} s, "
                   f"{log_bytes} bytes of log")
        report.expect(cpu_s < 0.1 * seconds, "no spin at the limit of connections")
        report.expect(log_bytes < 20000 * seconds, "no flood of log lines")
        report.expect(server.descriptors() <= CONNECTIONS_MAX + SPARE, "the limit holds")
        report.expect(client.exchange(first, request).status == 200, "connected clients are served")
        last = crowd_of.pop()
        for connection in crowd_of:
            connection.close()
        report.expect(client.exchange(last, request).status == 200, "waiting clients are served later")
    report.expect(server.ask("GET", "/healthz").status == 200, "it recovers")
    harness.wait_until(lambda: server.descriptors() <= idle_descriptors, 10, "descriptors are released")
    first.close()


def starve(report, server, seconds):
    """Lowers the limit while the server runs: accept() fails, and closing connections does not help."""
    with contextlib.ExitStack() as stack:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE,
                         (server.descriptors(), CONNECTIONS_MAX + SPARE))
        for _ in range(8):
            stack.enter_context(server.connect())
        time.sleep(0.5)
        cpu_s, log_bytes = server.cpu_s(), len(server.log())
        time.sleep(seconds)
        cpu_s, log_bytes = server.cpu_s() - cpu_s, len(server.log()) - log_bytes
        report.say(f"none left to accept with: {cpu_s:.2f} s of CPU time in {seconds} s, "
                   f"{log_bytes} bytes of log")
        report.expect(cpu_s < 0.1 * seconds, "no spin without descriptors")
        report.expect(log_bytes < 20000 * seconds, "no flood of log lines")
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, 2 * (CONNECTIONS_MAX + SPARE,))
    harness.wait_until(lambda: server.ask("GET", "/healthz").status == 200, 10, "it recovers")


def test(report, is_full):
    seconds = 10 if is_full else 2
    refuses_to_start(report, CONNECTIONS_MAX + SPARE - 1)
    with harness.Server("--log-level", "debug", "--connections-max", str(CONNECTIONS_MAX), "--model",
                        harness.SAMPLE_MODEL,
                        limits=limit_descriptors(CONNECTIONS_MAX + SPARE)) as server:
        crowd(report, server, 4 * CONNECTIONS_MAX, seconds)
        starve(report, server, seconds)
        report.expect(server.stop() == 0, "it drains")
