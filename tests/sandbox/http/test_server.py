"""The sandbox's server: forks, TLS, headers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

import pytest
import requests
from support.connecting import certificate
from support.customers import FIFTY

import esms_frames as ef

# Forks

FORK = """
import os, signal, sys, time, threading, warnings
import esms_frames as ef

warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is what is tried
FIFTY = [f"09018884{n}" for n in range(10, 60)]
text = ef.Message("Cam on quy khach da mua hang!", "Baotrixemay")

def forked(work):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.alarm(20)
        work()
        code = 0
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr)
    finally:
        os._exit(code)

def ended_well(child):
    return os.waitpid(child, 0)[1] == 0

def sentence(call):
    try:
        call()
    except ef.InvalidInput as error:
        return str(error)
"""


def forking(code, *arguments):
    """Run a program that forks, away from this process and its threads."""
    command = [sys.executable, "-c", FORK + textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.mark.heavy
@needs_fork
def test_a_fork_uses_the_sandbox_of_its_parent_as_a_client_and_leaves_it_alone(tmp_path):
    forking(
        """
        with ef.Sandbox(state=sys.argv[1]) as sandbox:
            def child():
                with sandbox.client() as client:
                    client.send(text, FIFTY, request_id="child")
                sandbox.stop()  # the parent's goes on
            assert ended_well(forked(child))
            with sandbox.client() as client:
                client.send(text, FIFTY, request_id="parent")
            assert sandbox.sent["request_id"].unique().tolist() == ["child", "parent"]
        assert len(ef.Sandbox(state=sys.argv[1]).sent) == 100
        """,
        tmp_path / "state.jsonl",
    )


@pytest.mark.heavy
@needs_fork
def test_a_fork_is_told_where_the_sandbox_runs_instead_of_a_stale_ledger():
    forking(
        """
        sandbox = ef.Sandbox().start()
        def child():
            calls = [sandbox.start, sandbox.__enter__, *(lambda name=name: getattr(sandbox, name)
                     for name in ("sent", "balance", "faults_met", "callbacks_made"))]
            for call in calls:
                said = sentence(call)
                assert said and str(os.getppid()) in said and "make another" in said, said
            assert f"of process {os.getppid()}" in repr(sandbox)
            with ef.Sandbox() as own:
                own.client().send(text, FIFTY)
                assert len(own.sent) == 50
        assert ended_well(forked(child))
        """
    )


@pytest.mark.heavy
@needs_fork
def test_a_fork_does_not_hold_the_port_open():
    forking(
        """
        import socket
        sandbox = ef.Sandbox().start()
        port = int(sandbox.url.split(":")[2].split("/")[0])
        child = forked(lambda: time.sleep(15))
        sandbox.stop()
        end = time.monotonic() + 10  # a child that has yet to run holds what it is about to close
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
            except ConnectionRefusedError:
                break
            assert time.monotonic() < end, "somebody listens still"
            time.sleep(0.05)
        assert ef.Sandbox(port=port).start()
        os.kill(child, signal.SIGKILL)
        """
    )


@pytest.mark.slow
@needs_fork
def test_a_fork_made_while_requests_are_under_way_keeps_none_of_their_connections():
    forking(
        """
        import psutil
        sandbox = ef.Sandbox(latency=1.0).start()
        port = int(sandbox.url.split(":")[2].split("/")[0])
        client, got = sandbox.client(timeout=(5, 10)), []
        threads = [threading.Thread(target=lambda: got.append(client.send(text, FIFTY))) for _ in range(8)]
        [thread.start() for thread in threads]
        time.sleep(0.5)
        def child():
            held = [one for one in psutil.Process().net_connections("tcp") if one.laddr.port == port]
            assert held == [], held
        assert ended_well(forked(child))
        [thread.join() for thread in threads]
        assert len(got) == 8
        assert len(sandbox.sent) == 400
        """
    )


@pytest.mark.heavy
@needs_fork
def test_a_fork_of_a_sandbox_that_does_not_listen_starts_one_of_its_own():
    """Its locks are new, though a thread of the parent holds the old ones."""
    forking(
        """
        sandbox = ef.Sandbox()
        for part in vars(sandbox).values():
            if hasattr(part, "_lock"):
                part._lock.acquire()
        def child():
            with sandbox:
                sandbox.client(timeout=5).send(text, FIFTY)
                assert len(sandbox.sent) == 50
        assert ended_well(forked(child))
        assert sandbox.sent.empty
        """
    )


# TLS and headers


@pytest.fixture
def pem(tmp_path):
    certificate(tmp_path, "localhost")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def balance_of(sandbox, **options):
    keys = {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}
    return requests.post(sandbox.url + "GetBalance_json", json=keys, timeout=10, **options)


def test_it_speaks_tls_with_a_certificate(pem):
    with ef.Sandbox(certificate=pem) as sandbox:
        assert sandbox.url.startswith("https://localhost:")
        assert balance_of(sandbox, verify=str(pem[0])).json()["CodeResponse"] == "100"
        with pytest.raises(requests.exceptions.SSLError):
            balance_of(sandbox)
        assert balance_of(sandbox, verify=str(pem[0])).ok


def test_a_client_that_says_nothing_holds_nobody_up(pem):
    with ef.Sandbox(certificate=pem) as sandbox:
        port = int(sandbox.url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)):
            assert balance_of(sandbox, verify=str(pem[0])).ok


def test_plain_bytes_can_be_written_past_the_tls_after_the_request_was_taken(pem):
    fields = {"Content": "Xin chao", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
    with ef.Sandbox(certificate=pem, faults=["plain_after"]) as sandbox:
        fields |= {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}
        url = sandbox.url + "SendMultipleMessage_V4_post_json/"
        with pytest.raises(requests.exceptions.SSLError, match=r"WRONG_VERSION_NUMBER|wrong version number"):
            requests.post(url, json=fields, timeout=10, verify=str(pem[0]))
        assert sandbox.sent["phone"].tolist() == [FIFTY[0]]
        assert requests.post(url, json=fields, timeout=10, verify=str(pem[0])).json()["CodeResult"] == "100"


def test_cuts_befall_tls_too_and_nothing_is_written_about_them(pem, capfd):
    fields = {"Content": "Xin chao", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
    with ef.Sandbox(certificate=pem, faults=["cut_before", "cut_after", "plain_after"]) as sandbox:
        fields |= {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}
        for _ in range(3):
            with pytest.raises(requests.exceptions.ConnectionError):
                requests.post(
                    sandbox.url + "SendMultipleMessage_V4_post_json/", json=fields, timeout=10, verify=str(pem[0])
                )
        assert len(sandbox.sent) == 2
        with socket.create_connection(("127.0.0.1", int(sandbox.url.split(":")[2].split("/")[0]))) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.recv(100)
    assert capfd.readouterr().err == ""


def test_answers_are_dated_unless_that_is_switched_off(pem):
    with ef.Sandbox() as sandbox:
        assert "Date" in balance_of(sandbox).headers
    with ef.Sandbox(dated=False) as sandbox:
        assert "Date" not in balance_of(sandbox).headers
        client = sandbox.client()
        client.balance()
        assert client.clock_offset is None


def test_a_protected_key_is_not_asked_about_on_the_terminal(pem, tmp_path):
    command = ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in", "key.pem", "-out", "locked.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(ef.InvalidInput, match="without a password"):
        ef.Sandbox(certificate=(pem[0], tmp_path / "locked.pem"))
