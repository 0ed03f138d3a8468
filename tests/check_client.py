#!/usr/bin/python3
"""usage: tests/check_client.py URL

clients/ppm_client.py, as a module: what it may be given, and what it does when connections break.
URL is a server with the four listings; servers that misbehave are made here."""

import pathlib
import socket
import sys
import threading

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
import ppm_client  # noqa: E402


def check(holds, what):
    if not holds:
        raise SystemExit(f"check_client: {what}")


def check_tensors(url):
    random = np.random.default_rng(1)
    x = random.standard_normal((2, 4, 9, 7)).astype(np.float32)
    with ppm_client.Client(url) as client:
        y = client.infer(x)
        check(y.shape == (2, 12, 9, 7) and y.dtype == np.float32, f"found {y.dtype} {y.shape}")
        connection = client.connection.sock
        same = {"named": client.infer(x, "listing1-pytorch-ppm"),
                "Fortran order": client.infer(np.asfortranarray(x)),
                "big-endian": client.infer(x.astype(">f4")),
                "float64": client.infer(x.astype(np.float64)),
                "strided": client.infer(np.repeat(x, 2, axis=3)[..., ::2]),
                "NHWC": client.infer(x.transpose(0, 2, 3, 1), layout="NHWC").transpose(0, 3, 1, 2)}
        for what, found in same.items():
            check(np.array_equal(found, y), f"{what}: another answer")
        check(client.infer(x[0]).shape == (12, 9, 7), "three axes are answered with three")
        halves = client.infer(np.float16(x))
        check(np.allclose(halves, client.infer(np.float32(np.float16(x)))), "float16")
        check(client.infer(np.ones((4, 3, 3), int)).shape == (12, 3, 3), "integers")
        stages = client.stages(x)
        check(np.array_equal(stages["y"], y), "stages: another answer")
        check(np.allclose(stages["branch.0.pooled"], x.mean((2, 3), keepdims=True), atol=1e-6), "stages: not x's mean")
        check(client.stages(x.transpose(0, 2, 3, 1), layout="NHWC")["branch.2.output"].shape == (2, 3, 3, 2),
              "stages in NHWC")
        costs = client.describe("listing1-pytorch-ppm", x.shape)["request"]
        check(costs["output_shape"] == list(y.shape), f"described: {costs}")
        try:
            client.infer(x[:, :3])
            check(False, "3 channels were taken")
        except ppm_client.Error as error:
            check(error.status == 422 and "takes 4" in str(error), f"found {error}")
        check(np.array_equal(client.infer(x), y), "after an error")
        check(client.connection.sock is connection, "the connection was not kept")


class Misbehaving:
    """A server whose n-th connection gets the n-th list of answers, one a request, and is closed;
    requests are counted."""

    def __init__(self, connections):
        self.connections, self.count = connections, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        threading.Thread(target=self.run, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self):
        for answers in self.connections:
            connection, _ = self.listener.accept()
            for answer in answers:
                self.read_request(connection)
                connection.sendall(answer)
            connection.close()

    def read_request(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        self.count += 1


def answer(status, body=b"{}", headers=""):
    return (f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n").encode() + body


BUSY = answer(503, b'{"detail": "the queue is full"}', "Retry-After: 0\r\n")
CASES = [  # what, a list of answers for each connection, calls, requests, the last call's error
    ("closed between two requests", [[answer(200)], [answer(200)]], 2, 2, None),
    ("busy, then not", [[BUSY, BUSY, answer(200)]], 1, 3, None),
    ("busy all the time", [[BUSY] * 3], 1, 3, "the queue is full"),
    ("closed without an answer", [[b""], [answer(200)]], 1, 1, "closed connection"),
    ("an answer that breaks off", [[answer(200, b"{}")[:-1]], [answer(200)]], 1, 1, "IncompleteRead"),
    ("late", [[answer(504, b'{"detail": "too late"}')], [answer(200)]], 1, 1, "too late"),
    ("another sentence", [[answer(400, b'{"error": "no x"}')]], 1, 1, "no x (status 400)"),
    ("no sentence", [[answer(502, b"<html>")]], 1, 1, "<html>"),
]


def check_broken_connections():
    for what, connections, calls, requests, expected in CASES:
        server, found = Misbehaving(connections), None
        with ppm_client.Client(server.url, timeout_s=30) as client:
            for _ in range(calls):
                try:
                    client.describe()
                except Exception as error:  # whatever it is
                    found = f"{type(error).__name__} {error}"
        check(server.count == requests, f"{what}: {server.count} requests, expected {requests}")
        check(expected in found if expected else found is None, f"{what}: {found}")


check_tensors(sys.argv[1])
check_broken_connections()
