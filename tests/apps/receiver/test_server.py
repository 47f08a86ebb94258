"""The server of callbacks, as the open internet meets it: slow, huge, many, malformed; and killed in the middle."""

from __future__ import annotations

import logging
import queue
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress

import pytest
from support.customers import FIFTY
from support.journals import write_batch
from support.receiving import receiving

import esms_frames as ef
from esms_frames.apps.receiver import server as callback_server
from esms_frames.apps.receiver.server import server_of

WHOSE = ("rest.esms.vn", "a")
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from esms_frames.apps.cli.main import main; main()"
)


@pytest.fixture
def journal(tmp_path):
    book = ef.Journal(tmp_path / "journal.sqlite")
    write_batch(book, "accepted", sms_id="s1")
    yield book
    book.close()


@pytest.fixture
def path(journal):
    token = journal._batches.callback_token(journal._batches.scope("Tet", *WHOSE))
    return f"/esms/{token}?SMSID=s1&SendStatus=5&SendSuccess=1&TotalReceiver=1&phonenumber="


@pytest.fixture
def serve(journal):
    """Begin to serve, and give the port."""

    def begin(**limits):
        for name, value in limits.items():
            patched.setattr(callback_server, name, value)
        port, _ = running.enter_context(receiving(journal))
        return port

    with pytest.MonkeyPatch.context() as patched, ExitStack() as running:
        yield begin


def ask(port, request, seconds=5.0):
    """Send bytes, and give all that comes back until the peer hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        return everything(connection)


def everything(connection):
    data = b""
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            data += part
    return data


def get(port, path):
    return ask(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def status(answer):
    return int(answer.split(b" ", 2)[1])


def test_a_callback_comes_over_http(journal, serve, path):
    answer = get(serve(), path + FIFTY[0])
    assert status(answer) == 200
    assert not [name for name in (b"werkzeug", b"waitress", b"python") if name in answer.lower()]
    assert journal.callbacks()["phone"].tolist() == FIFTY[:1]


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nHELLO", {200}),
        (b"GET http://other.example{path} HTTP/1.1\r\nHost: x\r\n\r\n", {200}),
        (b"GET /../..//%2e%2e{path} HTTP/1.1\r\nHost: x\r\n\r\n", {200}),
        (b"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
        (b"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ", {405}),
        (b"BREW {path} HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
        (b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
        (b"GET //[bad HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
        (b"GET http://[bad/ HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400}),  # somebody speaks TLS
        (b"GET / HTTP/9.9\r\n\r\n", {404}),
        (b"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" * 2, {200}),
        (b"GET {path}" + b"x" * 12_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414}),
    ],
)
def test_whatever_comes_gets_its_status_and_no_more(journal, serve, path, capfd, caplog, request_, statuses):
    answer = ask(serve(), request_.replace(b"{path}", (path + FIFTY[0]).encode()))
    assert status(answer) in statuses
    assert answer.count(b"HTTP/1.") == 1  # what follows a request is not taken for another
    assert (len(journal.callbacks()) == 1) == (statuses == {200})
    token = path.split("/")[2].partition("?")[0]
    said = "".join(capfd.readouterr()) + caplog.text
    assert token not in said
    assert FIFTY[0] not in said


@pytest.mark.parametrize(
    ("request_", "answered"),
    [
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(90)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000, 405),
    ],
)
def test_huge_requests_are_cut_off_early(serve, path, request_, answered):
    port = serve()
    answer = ask(port, request_)
    assert (status(answer) if answer else None) in {answered, None}
    assert status(get(port, path + FIFTY[0])) == 200


def test_a_request_that_drips_is_cut_off_at_its_deadline(serve, path):
    port = serve(_SECONDS_TO_ASK=1)
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        while not select.select([connection], [], [], 0.05)[0]:  # until the server hangs up
            connection.sendall(b"G")
            assert time.monotonic() - start < 5
    assert status(get(port, path + FIFTY[0])) == 200


def test_connections_beyond_the_most_take_no_thread_and_are_answered_when_the_idle_ones_are_cut_off(
    serve, path, caplog
):
    caplog.set_level(logging.DEBUG)
    port = serve(_MOST_AT_ONCE=3, _SECONDS_TO_ASK=1)
    assert status(get(port, path + FIFTY[0])) == 200
    threads, start = threading.active_count(), time.monotonic()
    holders = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(30)]
    while time.monotonic() - start < 0.5:
        assert threading.active_count() <= threads
        time.sleep(0.05)
    assert [everything(holder) for holder in holders[:3]] == [b""] * 3  # the server hung up
    for holder in holders:
        holder.close()
    assert status(get(port, path + FIFTY[0])) == 200
    assert [record for record in caplog.records if record.name.startswith("waitress")] == []


def test_when_the_system_has_no_threads_for_a_while_it_goes_on(serve, path, monkeypatch):
    port = serve()
    assert status(get(port, path + FIFTY[0])) == 200
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert [status(get(port, path + FIFTY[0])) for _ in range(5)] == [200] * 5


def no_thread(_thread):
    raise RuntimeError("can't start new thread")


def test_where_it_cannot_listen_is_one_sentence(journal, serve):
    port, app = serve(), ef.callbacks_app(journal)
    for where in [("127.0.0.1", port), ("192.0.2.1", 0), ("no such host", 0), ("x" * 70, 0)]:
        with pytest.raises(ef.InvalidInput, match="choose another port, or an address of this machine"):
            server_of(app, *where)


def begin(journal_path):
    """Begin the receiver in a process of its own; the process, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "callbacks", "--journal", journal_path, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, int(re.search(r":(\d+)\.", process.stdout.readline())[1])


@pytest.mark.heavy
def test_killed_in_the_middle_it_has_all_that_it_answered_200_and_repeats_count_once(tmp_path):
    """As the gateway does, what got no answer is sent again, up to five times, and to the receiver that comes after."""
    journal_path = tmp_path / "journal.sqlite"
    journal = ef.Journal(journal_path)
    phones = [f"09{n:08d}" for n in range(1_000_000, 1_001_000)]
    write_batch(journal, "accepted", sms_id="s1", phones=phones)
    token = journal._batches.callback_token(journal._batches.scope("Tet", *WHOSE))
    address = f"/{token}?SMSID=s1&SendStatus=5&SendSuccess=1&TotalReceiver=1&phonenumber="
    process, port = begin(journal_path)
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    for phone in phones:
        todo.put(phone)
    answered, killed = [], threading.Event()

    def call():
        while not killed.is_set():
            phone = todo.get()
            try:
                if status(get(port, address + phone)) == 200:
                    answered.append(phone)
                    continue
            except (OSError, IndexError):
                pass
            todo.put(phone)

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 30
    while len(answered) < 200 and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    killed.set()
    for thread in threads:
        thread.join()

    there = set(journal.callbacks()["phone"])
    assert 200 <= len(answered) < 1000
    assert set(answered) <= there
    left = [phone for phone in phones if phone not in set(answered)][:100]
    left += sorted(there - set(answered))  # on disk, but killed before it was said
    process, port = begin(journal_path)
    assert {status(get(port, address + phone)) for phone in left} == {200}
    process.send_signal(signal.SIGTERM)
    assert f"{len(left)} with 200" in process.communicate()[0]
    found = journal.callbacks()
    assert set(found["phone"]) == there | set(left)
    assert found["phone"].is_unique
    assert found.attrs["calls"] >= len(found) + len(set(left) & there)
    journal.close()
