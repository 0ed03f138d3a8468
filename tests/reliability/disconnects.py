"""Clients leave, by FIN and by RST, during the head, the body, the queue, the computation and the answer:
the server counts each one and releases its descriptor and memory."""
import contextlib
import socket
import tempfile
import time

import client
import harness

LONG = (1, 4, 128, 128)  # about a second: nine wide layers
BODY_BYTES, ARRIVED_BYTES = 160000, 60000
GAUGES = ("ppm_requests_in_flight", "ppm_connections", "ppm_queue_depth", "ppm_bytes_in_flight")
BUFFERS_KEPT_S = 5.5  # an idle buffer lives for so long


def gone(server, stage):
    return server.metric(f'ppm_cancelled_total{{reason="client_gone",stage="{stage}"}}')


def leave(connection, is_reset):
    with contextlib.suppress(OSError):
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, client.RST_ON_CLOSE)
        else:
            connection.shutdown(socket.SHUT_WR)
    connection.close()


def send(server, data):
    connection = server.connect()
    connection.sendall(data)
    return connection


def leave_together(server, count, is_reset, data, arrived):
    """Connections that have sent data, once arrived(count) says that the server has received it."""
    connections = [send(server, data) for _ in range(count)]
    harness.wait_until(lambda: arrived(count), 20, "requests arrive")
    for connection in connections:
        leave(connection, is_reset)


def in_head(server, count, is_reset, _):
    data = b"POST /ppm HTTP/1.1\r\nHost: localhost\r\n"
    leave_together(server, count, is_reset, data,
                   lambda n: server.metric("ppm_connections") >= n + 1)


def in_body(server, count, is_reset, _):
    request = client.request_bytes("POST", "/ppm?shape=1,4,100,100", bytes(BODY_BYTES))
    leave_together(server, count, is_reset, request[:ARRIVED_BYTES - BODY_BYTES],
                   lambda n: server.metric("ppm_bytes_in_flight") >= n * ARRIVED_BYTES)


def in_queue(server, count, is_reset, long_request):
    blocker = send_computed(server, long_request)  # on all threads, so that nothing else is computed
    query, body = client.tensor(1, 4, 64, 64)
    request = client.request_bytes("POST", "/ppm" + query, body)
    leave_together(server, count - 1, is_reset, request,
                   lambda n: server.metric("ppm_queue_depth") >= n)
    leave(blocker, is_reset)


def send_computed(server, request):
    def begun():
        return server.metric('ppm_batch_size_count{model="long"}')
    before = begun()
    connection = send(server, request)
    harness.wait_until(lambda: begun() > before, 20, "it is computed")
    return connection


def in_compute(server, count, is_reset, long_request):
    for _ in range(count):
        connection = send_computed(server, long_request)
        time.sleep(0.03)
        leave(connection, is_reset)
        harness.wait_until(lambda: server.metric("ppm_bytes_in_flight") == 0, 5, "the computation ends")


def in_answer(server, count, is_reset, _):
    query, body = client.tensor(1, 3, 64, 64)  # the answer is 17 MB
    request = client.request_bytes("POST", "/ppm/listing2-pytorch-psp" + query, body)
    for _ in range(count):
        connection = send(server, request)
        connection.recv(1000)
        leave(connection, is_reset)


STAGES = {"head": in_head, "body": in_body, "queue": in_queue, "compute": in_compute,
          "answer": in_answer}


def one_pass(report, server, clients, long_request):
    """All stages, both ways: the server counts exactly the clients that left."""
    for stage, run in STAGES.items():
        for way, is_reset in (("FIN", False), ("RST", True)):
            before = {name: gone(server, name) for name in STAGES}
            begun = time.monotonic()
            run(server, clients, is_reset, long_request)

            def counted():
                found = {name: gone(server, name) - before[name] for name in STAGES}
                if stage == "queue":  # the blocker is computed
                    found["queue"] += found.pop("compute")
                return found[stage], sum(found.values())

            with contextlib.suppress(TimeoutError):
                harness.wait_until(lambda: counted()[1] >= clients, 10, "counted")
            at_stage, at_any = counted()
            report.say(f"{stage}, {way}: {clients} left, {at_stage:.0f} counted there, "
                       f"{time.monotonic() - begun:.1f} s")
            report.expect(at_stage == at_any == clients, f"a client that leaves by {way} in {stage} is counted")
    for gauge in GAUGES:
        idle = 1 if gauge in GAUGES[:2] else 0  # the request that asks
        harness.wait_until(lambda: server.metric(gauge) == idle, 10, f"{gauge} back to zero")


def measure(server):
    time.sleep(BUFFERS_KEPT_S)
    return server.rss_bytes(), server.descriptors(), server.threads()


def test(report, is_full):
    clients = 100 if is_full else 20  # of each kind
    query, body = client.tensor(*LONG)
    long_request = client.request_bytes("POST", "/ppm" + query, body)
    query, body = client.tensor(1, 4, 16, 16)
    listing2 = harness.SAMPLE_MODEL.replace("1-pytorch-ppm", "2-pytorch-psp")
    with tempfile.TemporaryDirectory() as folder:
        long = harness.write_model(folder, "long", warm_up=[LONG],
                                   head=9 * [{"conv": {"channels": 256, "kernel": 3}}])
        with harness.Server("--log-level", "error", "--model", long,
                            "--model", listing2, "--queue-max", "512") as server:
            expected = server.ask("POST", "/ppm" + query, body).body
            one_pass(report, server, clients, long_request)  # allocations that happen only once
            rss, descriptors, threads = measure(server)
            one_pass(report, server, clients, long_request)
            rss_after, descriptors_after, threads_after = measure(server)
            report.say(f"{10 * clients} clients left: RSS {rss / 1e6:.1f} -> {rss_after / 1e6:.1f} "
                       f"MB, descriptors {descriptors} -> {descriptors_after}, threads {threads} -> "
                       f"{threads_after}")
            report.expect(rss_after - rss < 4 << 20, "no memory is lost")
            report.expect(descriptors_after == descriptors, "no descriptor is lost")
            report.expect(threads_after == threads, "no thread is lost")
            report.expect(server.ask("POST", "/ppm" + query, body).body == expected,
                          "answers are what they were")
            report.expect(server.stop() == 0, "it drains")
