#!/usr/bin/python3
"""usage: tests/check_c_client.py build/ppm_client

Runs clients/ppm_client.c with servers that lie: it always exits with status 1 and one line, writes no y, and
leaves no shared memory. Under sanitizers (make test-asan) it prints nothing else."""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from misbehaving import Misbehaving, answer, npy

X_BYTES = 4 * 4 * 3 * 3
OK = answer(200)
F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"


def description(y_bytes, name=b"m", x_bytes=X_BYTES):
    return answer(200, b'{"name":"%s","input_bytes":%d,"output_bytes":%d}' % (name, x_bytes, y_bytes))


def inferred(shape):
    return answer(200, b'{"shape":%s}' % shape)


SENT = [  # the answer to x, and the client's message
    (b"", "the answer is not HTTP/1.1"), (b"HTTP/1.1 200 OK", "the answer is not HTTP/1.1"),
    (b"HTTP/1.1 200\0\r\n\r\n", "the answer is not HTTP/1.1"),
    (b"HTTP/1.1 99999999999999999999 X\r\n\r\n", "the answer is not HTTP/1.1"),
    (b"<html>\r\n\r\n", "the answer is not HTTP/1.1"),
    (b"HTTP/1.1 200 OK\r\n\r\nbody", "bytes where it says 0"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "where it says 0"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", "where it says 0"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n", "where it says 10000000000000"),
    (OK[:-1], "bytes where it says"), (OK + b"more", "bytes where it says"),
    (b'HTTP/1.1 400 x\r\n\r\n{"detail":"abc\\', "abc\\ (status 400)"),
    (answer(400, b'{"detail":"a\x1b[2Jb\n\nc"}'), "a?[2Jb??c (status 400)"),
    (answer(400, b'{"detail":"' + b"long" * 10000), "long"), (answer(500, b""), "(status 500)"),
    ((OK, 0.2), "the server's answer is not a .npy"),  # it does not close the connection
    (OK, "the server's answer is not a .npy"), (answer(200, b"\x93NUMPY\1\0\xff\xff"), "not a .npy"),
    (answer(200, npy(F4 % "1,1000000000000,4")), "not those of [1,1000000000000,4]"),
    (answer(200, npy(F4 % "4294967296,4294967296,4")), "no shape"),
    (answer(200, npy(F4 % "18446744073709551616,")), "no shape"),
    (answer(200, npy(F4 % ("1," * 1000))), "no shape"), (answer(200, npy(F4 % "-1,")), "no shape"),
    (answer(200, npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")), "not float32"),
]
SHARED = [  # the answers to the requests for a description, a registration and an inference
    ([description(2**64 - X_BYTES + 16)], "bytes for [1,4,3,3]"),
    ([description(2**64 - X_BYTES - 1)], "shared memory: "), ([description(2**64)], "has no"),
    ([description(2**60)], "shared memory: "), ([description(2**63)], "shared memory: "),
    ([description(4), OK, inferred(b"[1,12,3,3]"), OK], "y of [1,12,3,3] is not of 4 bytes"),
    ([description(432), OK, inferred(b"[1]"), OK], "y of [1] is not of 432 bytes"),
    ([description(432), OK, inferred(b"[]"), OK], "no shape"),
    ([description(432), OK, inferred(b"[4294967296,4294967296,12,3,3]"), OK], "no shape"),
    ([description(432), OK, inferred(b"[" + b"1," * 9999 + b"108]"), OK], "no shape"),
    ([description(432), OK, OK, OK], "no shape"), ([description(432), OK, answer(500), OK], "500"),
    ([description(432), answer(400, b'{"error":"no"}')], "no (status 400)"),
    ([description(432, b"m" * 5000), OK, OK], "longer than 255 bytes"),
    ([description(432, b"a/../b")], "expected letters"), ([description(432, b"")], "expected letters"),
    ([description(432, b"a\r\nX: y")], "expected letters"), ([OK], "has no"),
    ([description(432, x_bytes=16)], "the server says 16 and 432 bytes"),
]


URLS = ["http://127.0.0.1:port", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://127.0.0.1:1/ppm",
        "http://u:p@localhost:1", "https://localhost:1", "http://:1", "http://[::1:1", "ftp://localhost:1"]


FLAGS = [  # that would change the request's head or query
    ("--size", "5x31", "--size \"5x31\": expected H,W in pixels"), ("--size", "5,31 HTTP/1.1\r\nX: y", "expected H,W"),
    ("--size", "5,31&overlay=1", "expected H,W"), ("--overlay", "0.5&size=1,1", "expected an opacity from 0 to 1"),
    ("--overlay", "\r\n", "expected an opacity"), ("--model", "a/../b", "expected letters"),
]


def run(client, folder, answers, expected, *options, url=None):
    server = Misbehaving([[one] for one in answers])
    done = subprocess.run([client, folder / "x.npy", folder / "y.npy", url or server.url, *options],
                          capture_output=True, text=True, errors="replace", timeout=60)
    lines = done.stderr.splitlines()
    if done.returncode != 1 or len(lines) != 1 or expected not in lines[0] or len(lines[0]) > 600 \
            or (folder / "y.npy").exists():
        raise SystemExit(f"check_c_client: {answers!r:.300}: exit status {done.returncode}, expected "
                         f"one line with {expected!r}, found:\n{done.stderr[:3000]}")


with tempfile.TemporaryDirectory() as name:
    np.save(pathlib.Path(name) / "x.npy", np.ones((1, 4, 3, 3), np.float32))
    for one, sentence in SENT:
        run(sys.argv[1], pathlib.Path(name), [one], sentence)
    for flag, value, sentence in FLAGS:
        run(sys.argv[1], pathlib.Path(name), [OK], sentence, flag, value)
    for url in URLS:
        run(sys.argv[1], pathlib.Path(name), [OK], ": expected http://HOST:PORT", url=url)
    for url in ("HTTP://[::1]:1/", "127.0.0.1:1"):
        run(sys.argv[1], pathlib.Path(name), [OK], "Connection refused", url=url)
    for several, sentence in SHARED:
        run(sys.argv[1], pathlib.Path(name), several, sentence, "--shared-memory")
left = [entry for entry in os.listdir("/dev/shm") if entry.startswith("ppm_client_")]
if left:
    raise SystemExit(f"check_c_client: left in /dev/shm: {left}")
