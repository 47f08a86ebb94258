"""Serve the receiver of callbacks to a network: time-outs, limits and silence for werkzeug's threaded server."""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from esms_frames.errors import InvalidInput

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from werkzeug.serving import BaseWSGIServer

    from esms_frames.receiver import Receiver

_SECONDS_TO_ASK = 10.0  # for the whole of a request, however slowly it drips
_SECONDS_TO_ANSWER = 10.0  # for a peer to take the answer
_LARGEST_REQUEST = 16 * 1024  # bytes; the gateway's have some 500
_MOST_AT_ONCE = 128  # connections, a thread each
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def server_of(app: Receiver, host: str, port: int) -> BaseWSGIServer:
    """Begin to listen; ``serve_forever`` of what is given back answers, until ``shutdown``, or Ctrl-C."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        with socket.create_server((host, port), family=family, backlog=_MOST_AT_ONCE) as listener:
            return _Server(host, port, app, _Handler, fd=listener.fileno())
    except (OSError, UnicodeError):
        raise InvalidInput(
            f"Callbacks can't be listened for on port {port} of {host}: choose another port, or an address of this machine."
        ) from None


class _Server(ThreadedWSGIServer):
    """A server that has so many connections at once and no more, and writes nothing of what it is asked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except RuntimeError:  # the system has no thread for it now
                self._free.release()
            else:
                return
        with suppress(OSError):
            request.settimeout(0)
            request.send(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write no log of a connection that broke: strangers could fill the disk with it."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's signature
        """Write no log: the address holds a token and a number."""


class _Handler(WSGIRequestHandler):
    server_version, sys_version = "esms-frames", ""
    wbufsize = -1  # one packet an answer: two would wait for each other (Nagle's algorithm, delayed ACK)
    disable_nagle_algorithm = True
    error_message_format, error_content_type = "%(code)d\n", "text/plain"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Limited(self.connection))

    def run_wsgi(self) -> None:
        self.connection.settimeout(_SECONDS_TO_ANSWER)
        try:
            urlsplit(self.path)
        except ValueError:  # which werkzeug would let fall through
            self.send_error(400)
            return
        super().run_wsgi()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer with the status alone, and repeat nothing of what was asked, nor how it was written."""
        self.request_version = "HTTP/1.1"
        super().send_error(code)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write no log, nor try to read the address for it."""

    def finish(self) -> None:
        """Close both directions, also when the peer has hung up before everything was written."""
        for stream in (self.wfile, self.rfile):
            with suppress(OSError):
                stream.close()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's signature
        """Write no log: the address holds a token and a number."""


class _Limited(io.RawIOBase):
    """What a peer sends, up to a size and a time that no request of the gateway's comes near."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + _SECONDS_TO_ASK
        self._left = _LARGEST_REQUEST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0 or self._left <= 0:
            raise ConnectionAbortedError
        self._connection.settimeout(seconds)
        read = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= read
        return read
