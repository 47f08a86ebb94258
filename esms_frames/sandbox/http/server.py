"""The sandbox's HTTP server: it listens on this machine, in the process that started it and not in its forks."""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from socket import create_server
from typing import TYPE_CHECKING
from weakref import WeakSet

from werkzeug.serving import WSGIRequestHandler, make_server

from esms_frames.base import clock
from esms_frames.base.addresses import SANDBOX_SERVER
from esms_frames.base.errors import InvalidInput
from esms_frames.gateway.http.proof import CHALLENGE, PROOF, answer_challenge
from esms_frames.sandbox.http.app import RAW_STREAM
from esms_frames.sandbox.http.operations import BASE_PATH

if TYPE_CHECKING:
    from socket import socket
    from wsgiref.types import WSGIApplication, WSGIEnvironment


_HOST = "127.0.0.1"

_sockets: WeakSet[socket] = WeakSet()
"""The listening sockets, and those of requests under way; a fork must not keep them open."""


class Server:
    """A server on this machine that listens until `stop`.

    Parameters
    ----------
    app : WSGI application
        The application that answers.
    port : int
        The port to listen on; 0 for any free port.
    tls : SSLContext, optional
        Serve https with this context; see `read_certificate`.
    dated : bool
        Whether answers have a ``Date`` header.
    """

    def __init__(
        self,
        app: WSGIApplication,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        dated: bool,
    ) -> None:
        self.process = os.getpid()
        handler = _Handler if dated else _UndatedHandler
        try:
            with create_server((_HOST, port)) as listener:
                self._server = make_server(
                    _HOST, port, app, threaded=True, request_handler=handler, fd=listener.fileno()
                )
        except OSError:
            raise InvalidInput(
                "The sandbox can't listen on port {port} of {host}: choose another, or 0 for a free one.",
                port=str(port),
                host=_HOST,
            ) from None
        if tls is not None:  # each request's own thread makes its handshake, so that no handshake blocks the others
            plain = self._server.socket
            self._server.socket = tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            self._server.ssl_context = tls
        _sockets.add(self._server.socket)
        where = f"http://{_HOST}" if tls is None else "https://localhost"  # certificates are issued for names
        self.url = f"{where}:{self._server.socket.getsockname()[1]}{BASE_PATH}"
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, name="esms-sandbox", daemon=True).start()

    @property
    def is_here(self) -> bool:
        """Whether this process started the server; a fork only knows its address."""
        return self.process == os.getpid()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def read_certificate(
    certificate: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None,
) -> ssl.SSLContext | None:
    """Read the files of a certificate and its key; return None if there is none."""
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(*certificate, password="")  # so that it never asks on a terminal
    except (OSError, TypeError, ValueError):
        raise InvalidInput(
            "certificate names no TLS certificate and key: write (certificate.pem, key.pem), the key without a password."
        ) from None
    return context


def _close_inherited() -> None:
    """Close the inherited sockets in a new fork; the parent's own stay open."""
    for inherited in list(_sockets):
        with suppress(OSError):
            os.close(inherited.detach())
    _sockets.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


class _Handler(WSGIRequestHandler):
    server_version, sys_version = f"{SANDBOX_SERVER}/1", ""
    wbufsize = -1  # one packet per answer: two would wait for each other (Nagle's algorithm, delayed ACK)
    disable_nagle_algorithm = True

    def setup(self) -> None:
        _sockets.add(self.request)
        super().setup()

    def handle_expect_100(self) -> bool:
        """Ask at once for the body that a client holds back, and only once: werkzeug would ask again, too late."""
        del self.headers["Expect"]
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def make_environ(self) -> WSGIEnvironment:
        return super().make_environ() | {RAW_STREAM: self.rfile}

    def run_wsgi(self) -> None:
        """Answer one request, or prove that this is a sandbox and keep the connection open."""
        proof = answer_challenge(self.headers.get(CHALLENGE, ""))
        if proof is None or self.command != "GET":
            super().run_wsgi()
            return
        self.wfile.write(
            f"HTTP/1.1 204 No Content\r\nServer: {self.server_version}\r\n{PROOF}: {proof}\r\n\r\n".encode()
        )
        self.wfile.flush()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the date of an answer, by the package's clock."""
        moment = clock.now() if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
        return format_datetime(moment.astimezone(UTC), usegmt=True)

    def finish(self) -> None:
        """Close both streams, even if the client hung up before everything was written."""
        for stream in (self.wfile, self.rfile):
            with suppress(OSError):
                stream.close()

    def log_request(self, *_: object) -> None:
        """Write no log, because in some operations the address contains the keys."""

    def log_error(self, *_: object) -> None:
        """Write no log, because a client that hangs up is not an error here."""


class _UndatedHandler(_Handler):
    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "Date":
            super().send_header(keyword, value)
