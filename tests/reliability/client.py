"""An exact HTTP client: sends requests as bytes, and returns whole answers or none."""
import contextlib
import random
import struct

RAW = "application/octet-stream"
RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER


class Lost(Exception):
    """The connection was accepted, but its answer did not arrive, or not all of it."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def tensor(*shape, seed=1):
    """Returns the query and the raw body of a tensor with values between 0 and 1."""
    count, numbers = 1, random.Random(seed)
    for extent in shape:
        count *= extent
    return (f"?shape={','.join(map(str, shape))}",
            struct.pack(f"<{count}f", *(numbers.random() for _ in range(count))))


def request_bytes(method, target, body=b"", headers=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
        if not any(line.lower().startswith("content-type") for line in headers):
            lines.append(f"Content-Type: {RAW}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked_bytes(target, body, headers=(f"Content-Type: {RAW}",)):
    """A POST with chunks instead of a Content-Length."""
    piece = 1 << 20
    chunks = [body[at:at + piece] for at in range(0, len(body), piece)]
    head = "\r\n".join([f"POST {target} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", *headers])
    return head.encode() + b"\r\n\r\n" + b"".join(
        f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in [*chunks, b""])


def read_answer(connection, has_body=True):
    """Returns one whole answer or raises Lost."""
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            received += (piece := connection.recv(1 << 16))
            if not piece:
                raise Lost(f"closed after {len(received)} bytes of a head")
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines[1:])}
        length, body = has_body and int(headers["content-length"]), bytearray(rest)
        while len(body) < length:
            body += (piece := connection.recv(1 << 20))
            if not piece:
                raise Lost(f"closed after {len(body)} of {length} bytes")
    except ConnectionError as error:
        raise Lost(str(error)) from error
    return Answer(int(lines[0].split()[1]), headers, bytes(body))


def exchange(connection, request):
    """Sends a request and reads its answer, which may arrive before all of the request is sent."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(request)
    return read_answer(connection, not request.startswith(b"HEAD "))
