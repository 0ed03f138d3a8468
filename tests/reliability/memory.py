"""Many large bodies, sent by half: the server refuses what does not fit into memory_max_bytes, at once if it
has a Content-Length, and RSS stays within the limit. Afterwards everything is free again."""
import collections
import contextlib
import tempfile
import time

import client
import harness

MEMORY_MAX_BYTES, CONNECTIONS_MAX, CONNECTION_BYTES = 160 << 20, 128, 65536
SHAPE = (1, 4, 512, 512)  # 4 MiB, and more than that for the computation
TOO_LITTLE_BYTES = 7 << 20  # for both
PAUSE_S = 1  # a body that paused for longer may give way to others, with a 408


def send_most(connection, request):
    """Sends all but the end. A refused client may find the connection closed."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(request[:-100])


def crowd(report, server, name, request, clients):
    """Requests that are all half sent before any of them ends."""
    idle_bytes, statuses = server.rss_bytes(), collections.Counter()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(clients)]
        begun = time.monotonic()
        for connection in connections:
            send_most(connection, request)
        taken = server.metric("ppm_bytes_in_flight")
        report.expect(taken <= MEMORY_MAX_BYTES, "memory in use is within memory_max_bytes")
        for connection in connections:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request[-100:])
        refusals = {503} if time.monotonic() - begun < PAUSE_S else {503, 408}
        for connection in connections:
            statuses[client.read_answer(connection).status] += 1
    grown = server.status_kb("VmHWM") * 1024 - idle_bytes
    report.say(f"{clients} {name} bodies of 4 MiB: {dict(statuses)}; {taken / 2**20:.0f} MiB taken, "
               f"RSS grew by {grown / 2**20:.0f} MiB at most, of {MEMORY_MAX_BYTES >> 20}")
    report.expect(set(statuses) <= {200} | refusals and refusals & set(statuses),
                  f"{name}: what does not fit is {' or '.join(map(str, sorted(refusals)))}")
    report.expect(grown < MEMORY_MAX_BYTES + CONNECTIONS_MAX * CONNECTION_BYTES,
                  f"{name}: RSS stays within the budget")
    harness.wait_until(lambda: server.metric("ppm_bytes_in_flight") == 0, 10, "all memory is released")
    report.expect(client_status(server, request) == 200, f"{name}: then there is room again")


def never_fits(report, model, request, name):
    """A request that can never fit is not told to try again."""
    with harness.Server("--log-level", "error", "--model", model, "--memory-max-bytes",
                        str(TOO_LITTLE_BYTES)) as server:
        status = client_status(server, request)
        report.say(f"{name}, alone, with a body that cannot fit: {status}")
        report.expect(status == 413, f"{name}: what could never fit is 413")


def client_status(server, request):
    with server.connect() as connection:
        return client.exchange(connection, request).status


def test(report, is_full):
    clients = 100 if is_full else 50
    query, body = client.tensor(*SHAPE)
    with tempfile.TemporaryDirectory() as folder:
        model = harness.write_model(folder, "flat", head=[{"conv": {"channels": 4}}])
        request = client.request_bytes("POST", "/ppm" + query, body)
        for name, one in (("announced", request), ("chunked", client.chunked_bytes("/ppm" + query, body))):
            never_fits(report, model, one, name)
        with harness.Server("--log-level", "error", "--model", model, "--queue-max", "256",
                            "--memory-max-bytes", str(MEMORY_MAX_BYTES), "--connections-max",
                            str(CONNECTIONS_MAX), "--connection-memory-bytes",
                            str(CONNECTION_BYTES)) as server:
            for _ in range(8):  # first-time allocations
                client_status(server, request)
            crowd(report, server, "announced", request, clients)
            crowd(report, server, "chunked", client.chunked_bytes("/ppm" + query, body), clients)
            report.expect(server.stop() == 0, "it drains")
