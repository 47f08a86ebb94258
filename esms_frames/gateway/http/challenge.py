"""Ask the server at the other end of a connection to prove that it is a sandbox, before anything else is sent."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from urllib.parse import urlsplit

from esms_frames.gateway.http.proof import CHALLENGE, PROOF, is_proven, make_challenge

_SECONDS = 5.0  # for which a server on this machine is waited for
_LARGEST_HEAD = 64 * 1024


class NoSandboxError(Exception):
    """Raised when a server that must be a sandbox has not proved to be one."""


def ask(base_url: str) -> bool | None:
    """Return whether a sandbox listens at an http address; None if nobody answers.

    No key is sent.
    """
    parts = urlsplit(base_url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_SECONDS) as connection:
            head = _exchange(connection, base_url, challenge := make_challenge())
    except OSError:
        return None
    return is_proven(challenge, _header(head, PROOF)) if head else None


def check(connection: socket.socket, base_url: str) -> None:
    """Check that a sandbox is at the other end of a connection, which can be used as before afterwards.

    Raises
    ------
    NoSandboxError
        When it does not prove it. Nothing but the question was sent.
    """
    head = b""
    challenge = make_challenge()
    before = connection.gettimeout()
    with suppress(OSError):
        head = _exchange(connection, base_url, challenge)
        connection.settimeout(before)
    if not is_proven(challenge, _header(head, PROOF)):
        raise NoSandboxError


def _exchange(connection: socket.socket, base_url: str, challenge: str) -> bytes:
    """Return the head of the answer, without its last line end; empty if it does not come in time."""
    parts = urlsplit(base_url)
    question = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n{CHALLENGE}: {challenge}\r\n\r\n"
    end = time.monotonic() + _SECONDS
    connection.settimeout(_SECONDS)
    connection.sendall(question.encode("ascii", "replace"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        part = connection.recv(_LARGEST_HEAD)
        answer += part
        if not part or len(answer) > _LARGEST_HEAD:
            return b""
    return answer.partition(b"\r\n\r\n")[0]


def _header(head: bytes, name: str) -> str | None:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.strip().lower() == name.lower():
            return value.strip()
    return None
