"""Misbehaving servers, for tests of clients."""
import socket
import threading


class Misbehaving:
    """A server that sends the n-th list of answers on its n-th connection, one per request, and closes it;
    it counts requests. If an answer is a list of pieces, it sends them piece by piece, forever."""

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
                if not self.read_request(connection):
                    break
                if isinstance(answer, bytes):
                    connection.sendall(answer)
                else:
                    trickle(connection, *answer)
            connection.close()
        self.listener.close()

    def read_request(self, connection):
        """Returns false if the client has left."""
        with connection.makefile("rb") as file:
            length = 0
            if not file.readline():
                return False
            while line := file.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            file.read(length)  # unread data would reset the connection
        self.count += 1
        return True


def trickle(connection, first, pause_s):
    """Sends the first bytes, then a space after each pause, until the client leaves."""
    stop = threading.Event()
    try:
        connection.sendall(first)
        while not stop.wait(pause_s):
            connection.sendall(b" ")
    except OSError:
        pass


def answer(status, body=b"{}", headers=""):
    return (f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n").encode() + body


def npy(header, values=b""):
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode() + values
