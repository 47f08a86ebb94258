"""Serve the receiver of callbacks over a network with waitress, with limits against strangers and without a log."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import waitress
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

from esms_frames.base.errors import InvalidInput

if TYPE_CHECKING:
    from waitress.server import BaseWSGIServer

    from esms_frames.apps.receiver.app import Receiver


_SECONDS_TO_ASK = 10  # for a whole request, however slowly it arrives
_LARGEST_REQUEST = 16 * 1024  # bytes; the gateway's requests have about 500
_MOST_AT_ONCE = 200  # connections; macOS lets a program open 256 files; the system queues further connections
_THREADS = 64  # twice as many as may wait in the application for a read of the tokens


def server_of(app: Receiver, host: str, port: int) -> BaseWSGIServer:
    """Start to listen, and return the server: its ``run`` answers until Ctrl-C, its ``close`` stops listening."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family)
    except (OSError, UnicodeError):
        raise InvalidInput(
            "Callbacks can't be listened for on port {port} of {host}: choose another port, or an address of "
            "this machine.",
            port=str(port),
            host=host,
        ) from None
    log = logging.getLogger("waitress")  # it would contain tokens and numbers, and strangers could fill the disk
    log.propagate = False
    log.handlers = [logging.NullHandler()]
    server = waitress.create_server(
        app,
        sockets=[listener],
        threads=_THREADS,
        connection_limit=_MOST_AT_ONCE + 2,  # waitress also counts the listener and its own pipe
        channel_timeout=_SECONDS_TO_ASK,
        cleanup_interval=1,
        max_request_header_size=_LARGEST_REQUEST,
        log_socket_errors=False,
        asyncore_use_poll=True,
        ident="esms-frames",
    )
    server.channel_class = _Channel
    return server


class _Request(HTTPRequestParser):
    """The head of a request; its body is not read, and the connection is closed after the answer."""

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except (ParsingError, ValueError):  # ValueError for an address such as http://[bad; don't repeat any of it
            raise ParsingError("This is no HTTP request.") from None
        self.body_rcv, self.chunked, self.content_length, self.expect_continue = None, False, 0, False
        self.headers["CONNECTION"] = "close"


class _Channel(HTTPChannel):
    """A connection whose time-out applies to the whole request, not to each byte."""

    parser_class = _Request

    def handle_read(self) -> None:
        super().handle_read()
        self.last_activity = self.creation_time
