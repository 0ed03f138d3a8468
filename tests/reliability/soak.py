"""SOAK_MINUTES (60) of mixed load: forms, shapes, models, errors, clients that leave, reloads. No request
fails, answers do not change, and memory, descriptors and threads stay constant."""
import hashlib
import json
import os
import random
import signal
import socket
import struct
import threading
import time

import client
import harness

WORKERS, SAMPLE_EVERY_S, RELOAD_EVERY_S, GROWTH_BYTES = 4, 30, 20, 2 << 20
SAMPLES_MIN = 3  # after the warm-up
BUFFERS_KEPT_S = 5.5  # lifetime of an idle buffer
MODELS = {"listing1-pytorch-ppm": 4, "listing2-pytorch-psp": 3, "listing4-tf1-pool-block": 3}
NPY, JSON = "application/x-npy", "application/json"
SIZES = [(h, w) for h in (12, 18, 24, 30, 36) for w in (12, 18, 24, 30, 36)]  # more than the server keeps plans


def bodies(shape, seed):
    """The three forms of a tensor: (query, Content-Type, body)."""
    query, raw = client.tensor(*shape, seed=seed)
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    values = struct.unpack(f"<{len(raw) // 4}f", raw)
    return [(query + "&layout=NCHW", client.RAW, raw),
            ("?layout=NCHW", NPY, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + raw),
            ("?layout=NCHW", JSON, json.dumps({"shape": shape, "data": values}).encode())]


def good_requests():
    for number, (model, channels) in enumerate(MODELS.items()):
        for index, size in enumerate(SIZES):
            forms = bodies((1 + index % 2, channels, *size), seed=number)
            query, form, body = forms[index % 3]
            accept = (client.RAW, NPY, JSON)[(index // 3) % 3]
            yield client.request_bytes("POST", f"/ppm/{model}{query}", body,
                                       [f"Content-Type: {form}", f"Accept: {accept}"])
    for target in ("/healthz", "/readyz", "/ppm", "/ppm/listing2-pytorch-psp?shape=1,3,30,30"):
        yield client.request_bytes("GET", target)


def bad_requests():
    """(status, request): refused before or after the body, or not HTTP at all."""
    _, raw = client.tensor(1, 4, 9, 9)
    yield 404, client.request_bytes("GET", "/nowhere")
    yield 404, client.request_bytes("POST", "/ppm/nobody?shape=1,4,9,9", raw)
    yield 405, client.request_bytes("DELETE", "/ppm")
    yield 415, client.request_bytes("POST", "/ppm", raw, ["Content-Type: text/plain"])
    yield 406, client.request_bytes("POST", "/ppm?shape=1,4,9,9", raw, ["Accept: text/html"])
    yield 400, client.request_bytes("POST", "/ppm?shape=1,4,9,8", raw)
    yield 422, client.request_bytes("POST", "/ppm?shape=1,9,6,6", raw)
    yield 400, client.request_bytes("POST", "/ppm", b'{"shape": [1,4,9,9], "data": [1,',
                                    [f"Content-Type: {JSON}"])
    yield 400, client.request_bytes("POST", "/ppm", b"\x93NUMPY\x01\x00", [f"Content-Type: {NPY}"])


class Worker(threading.Thread):
    """Sends requests and errors and leaves, at random; does nothing while paused."""

    def __init__(self, server, cases, number, gate, is_over):
        super().__init__(daemon=True)
        self.server, self.cases, self.numbers = server, cases, random.Random(number)
        self.gate, self.is_over = gate, is_over
        self.is_still, self.answers, self.left, self.failures = False, 0, 0, []

    def run(self):
        while not self.is_over.is_set():
            if not self.gate.is_set():
                self.is_still = True
                self.gate.wait()
                self.is_still = False
            try:
                self.some_requests()
            except (client.Lost, OSError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")

    def some_requests(self):
        """Over one connection."""
        with self.server.connect() as connection:
            for _ in range(self.numbers.randint(1, 20)):
                request, status, digest = self.numbers.choice(self.cases)
                if self.numbers.random() < 0.05:
                    self.leave(connection, request)
                    return
                answer = client.exchange(connection, request)
                self.answers += 1
                if answer.status != status or digest not in (None, digest_of(answer)):
                    self.failures.append(f"{answer.status} for {status}: {request[:60]}")
                if answer.headers.get("connection") == "close":
                    return

    def leave(self, connection, request):
        self.left += 1
        connection.sendall(request[:self.numbers.randint(1, len(request))])
        if self.numbers.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, client.RST_ON_CLOSE)


def digest_of(answer):
    return hashlib.sha256(answer.body).digest() if answer.status == 200 else None


def sample(server, workers, gate):
    """Returns RSS, descriptors and threads while no request is in flight."""
    gate.clear()
    harness.wait_until(lambda: all(worker.is_still for worker in workers), 30, "workers pause")
    harness.wait_until(lambda: server.metric("ppm_connections") == 1, 30, "connections end")
    harness.wait_until(lambda: server.metric("ppm_requests_in_flight") == 1, 30, "requests end")
    time.sleep(BUFFERS_KEPT_S)
    found = server.rss_bytes(), server.descriptors(), server.threads()
    gate.set()
    return found


def middle(values):
    return sorted(values)[len(values) // 2]


def judge(report, samples, minutes):
    """samples: (second, RSS, descriptors, threads)."""
    warm_s = min(120, 20 * minutes)
    warm = [found for found in samples if found[0] >= warm_s] or samples
    third = max(1, len(warm) // 3)
    first, last = (middle([found[1] for found in part]) for part in (warm[:third], warm[-third:]))
    report.say(f"RSS at rest, MB: {' '.join(f'{found[1] / 1e6:.1f}' for found in samples)}")
    report.say(f"RSS {first / 1e6:.2f} MB in the first third from minute {warm_s / 60:.1f} on, "
               f"{last / 1e6:.2f} MB in the last; descriptors {sorted({s[2] for s in warm})}, threads "
               f"{sorted({s[3] for s in warm})}")
    report.expect(len(warm) >= SAMPLES_MIN, f"{len(warm)} samples after the warm-up are enough")
    report.expect(last - first < GROWTH_BYTES, "RSS grows by less than 2 MiB")
    report.expect(len({found[2] for found in warm}) == 1, "descriptors stay")
    report.expect(len({found[3] for found in warm}) == 1, "threads stay")


def run(report, server, minutes):
    cases = [(request, 200, digest_of(server_answer(server, request))) for request in good_requests()]
    cases += [(request, status, None) for status, request in bad_requests()] * 2
    gate, is_over, begun, samples, reloads = threading.Event(), threading.Event(), time.monotonic(), [], 0
    sample_every_s = min(SAMPLE_EVERY_S, 60 * minutes / 8)
    gate.set()
    workers = [Worker(server, cases, number, gate, is_over) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    while (second := time.monotonic() - begun) < 60 * minutes:
        time.sleep(1)
        if second // RELOAD_EVERY_S > reloads:
            server.process.send_signal(signal.SIGHUP)
            reloads += 1
        if second // sample_every_s <= len(samples):
            continue
        samples.append((time.monotonic() - begun, *sample(server, workers, gate)))
    is_over.set()
    for worker in workers:
        worker.join(30)
    failures = [text for worker in workers for text in worker.failures]
    report.say(f"{minutes:g} minutes: {sum(w.answers for w in workers)} answers, "
               f"{sum(w.left for w in workers)} clients left, {reloads} reloads, "
               f"{len(failures)} failures {failures[:3] or ''}")
    report.expect(not failures, "no request fails")
    judge(report, samples, minutes)


def server_answer(server, request):
    with server.connect() as connection:
        answer = client.exchange(connection, request)
    if answer.status != 200:
        raise client.Lost(f"{answer.status} for {request[:60]}: {answer.body[:200]}")
    return answer


def test(report):
    models = [text for model in MODELS
              for text in ("--model", str(harness.ROOT / f"configs/models/{model}.json"))]
    with harness.Server("--log-level", "error", *models) as server:
        run(report, server, float(os.environ.get("SOAK_MINUTES", 60)))
        report.expect("not reloaded" not in server.log(), "every reload works")
        report.expect(server.stop() == 0, "it drains")
