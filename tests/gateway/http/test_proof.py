"""How a server proves to be a sandbox, and what proves nothing."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest
from support.ports import own_port

import esms_frames as ef
from esms_frames.gateway.http import challenge
from esms_frames.gateway.http.proof import CHALLENGE, PROOF, answer_challenge, is_proven, make_challenge


def test_an_answer_proves_it_for_its_question_alone():
    first, second = make_challenge(), make_challenge()
    assert first != second
    assert is_proven(first, answer_challenge(first))
    assert is_proven(first, f" {answer_challenge(first)} ")
    for wrong in (answer_challenge(second), first, "", None, "é"):
        assert not is_proven(first, wrong)


@pytest.mark.parametrize("asked", ["", "x", "0" * 31, "0" * 33, "<script>alert(1)</script>", "Z" * 32, "0" * 31 + "é"])
def test_a_sandbox_answers_no_other_question(asked):
    assert answer_challenge(asked) is None
    assert not is_proven(asked, "")


class Server:
    """A raw server that does with each connection what it is told."""

    def __init__(self, serve):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/MainService.svc/json/"
        self.asked = []
        threading.Thread(target=self._accept, args=(serve,), daemon=True).start()

    def _accept(self, serve):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65536))
                with suppress(OSError):  # who asks hangs up
                    serve(connection, self.asked[-1])

    def close(self):
        self._listener.close()


def echo(connection, asked):
    nonce = asked.split(CHALLENGE.encode() + b": ")[1].split(b"\r\n")[0]
    connection.sendall(b"HTTP/1.1 204 No Content\r\n" + PROOF.encode() + b": " + nonce + b"\r\n\r\n")


def drip(connection, _):
    for _ in range(20):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "serve",
    [
        echo,
        drip,
        lambda connection, _: None,
        lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nServer: esms-frames-sandbox/1\r\n\r\n"),
        lambda connection, _: connection.sendall(b"x" * 100_000),
        lambda connection, _: connection.sendall(b"\xff\xfe\r\n\r\n"),
    ],
    ids=["echo", "drip", "hangs up", "the name of its server", "no head", "garbage"],
)
def test_whatever_else_answers_is_no_sandbox(serve, monkeypatch, message):
    monkeypatch.setattr(challenge, "_SECONDS", 0.3)
    server = Server(serve)
    client = ef.Client("made-up-key", "made-up-secret", base_url=server.url)
    assert not client.is_sandbox
    assert client.gateway == "live"
    with pytest.raises(ef.Unreachable, match="nothing was sent"):
        client.expect_sandbox().balance()
    server.close()
    assert b"made-up" not in b"".join(server.asked)


def test_where_nobody_listens_it_is_not_decided_and_asked_again(monkeypatch):
    port = own_port()
    client = ef.Client("a", "b", base_url=f"http://127.0.0.1:{port}/MainService.svc/json/")
    assert not client.is_sandbox
    with ef.Sandbox(port=port):
        assert client.is_sandbox


def test_an_https_address_is_asked_nothing(monkeypatch):
    monkeypatch.setattr(challenge, "ask", lambda _: pytest.fail("asked"))
    assert not ef.Client("a", "b", base_url="https://127.0.0.1:9/").is_sandbox


def test_a_sandbox_goes_on_with_the_connection_on_which_it_proved_to_be_one(sandbox):
    parts = sandbox.url.split("/")[2].split(":")
    with socket.create_connection((parts[0], int(parts[1]))) as connection:
        challenge.check(connection, sandbox.url)
        challenge.check(connection, sandbox.url)
        connection.sendall(
            f"GET /MainService.svc/json/GetListBrandname/a/b HTTP/1.1\r\nHost: {parts[0]}\r\n\r\n".encode()
        )
        assert b"Authorize Failed" in connection.recv(65536)
