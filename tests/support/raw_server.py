"""A raw HTTP server that does what a test tells it."""

from __future__ import annotations

import socket
import threading


class Script:
    """A raw HTTP server that does to each connection what it is told: bytes are sent back, callables get the socket."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer: bytes | object = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def says(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        self.answer = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n".encode() + body
        )

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                request = self._read(connection)
                if not request.strip():  # it has hung up
                    continue
                if b"Esms-Frames-Challenge" in request:  # whether this is a sandbox, before anything else is asked
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    continue
                self.requests.append(request)
                if isinstance(self.answer, bytes):
                    connection.sendall(self.answer)
                else:
                    self.answer(connection)

    @staticmethod
    def _read(connection) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data and (part := connection.recv(65536)):
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")), 0
        )
        while len(body) < length and (part := connection.recv(65536)):
            body += part
        return head + b"\r\n\r\n" + body
