"""A port for a server that comes and goes."""

from __future__ import annotations

import secrets
import socket


def own_port():
    """Return a port on which nobody listens, and on which no other test will: the system hands none out from there."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
