"""Stands between a client and a server and keeps the requests, as comparable text: what differs from one
run to the next has a name in its place."""

import base64
import hashlib
import re
import socket
import threading
import zlib


def forward(source, sink, keep=None):
    try:
        while piece := source.recv(1 << 16):
            if keep is not None:
                keep += piece
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other direction ends too


class Recorder:
    def __init__(self, target):
        self.target = target
        self.streams = []  # the bytes of each connection
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            host, port = self.target.split(":")
            server = socket.create_connection((host, int(port)))
            stream = bytearray()
            self.streams.append(stream)
            threading.Thread(target=forward, args=(client, server, stream), daemon=True).start()
            threading.Thread(target=forward, args=(server, client), daemon=True).start()

    def requests(self):
        """One dictionary for each, sorted; what was sent twice is there once."""
        found = {}
        for stream in self.streams:
            rest = bytes(stream)
            while rest:
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
                size = int(length.group(1)) if length else 0
                if size > len(rest):
                    break  # its connection ended within it
                request = comparable(head.decode(), rest[:size])
                found[str(request)] = request
                rest = rest[size:]
        return [found[key] for key in sorted(found)]


def comparable(head, body):
    head = re.sub(r"(?im)^host: .*$", "host: HOST", head.replace("\r\n", "\n"))
    head = re.sub(r"(?im)^(user-agent: .*-)[\d.]+$", r"\1VERSION", head)
    encoding = re.search(r"(?im)^content-encoding: (\w+)$", head)
    if encoding:  # the same in other bytes wherever zlib is another
        body = zlib.decompress(body, 15 + 32)
        head = re.sub(r"(?im)^content-length: .*$", "content-length: COMPRESSED", head)
    split = re.search(r"(?im)^inference-header-content-length: (\d+)$", head)
    json_bytes = int(split.group(1)) if split else len(body)
    text, binary = body[:json_bytes].decode(), body[json_bytes:]
    request = {"head": head.split("\n"), "json": re.sub(r"(ppm_test_)\d{8}", r"\1PROCESS", text)}
    if len(binary) > 1024:
        request["binary"] = f"{len(binary)} bytes, SHA-256 {hashlib.sha256(binary).hexdigest()}"
    elif binary:
        request["binary"] = base64.b64encode(binary).decode()
    if len(text) > 4096:
        request["json"] = f"{len(text)} bytes, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"
    return request
