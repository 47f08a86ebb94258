"""Each stage of a connection, over real sockets: what is certain of a request, what is not, and how long it takes."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from support.customers import FIFTY
from support.peers import Authority, Peer, answer

import esms_frames as ef

KEY, SECRET = "made-up-key", "made-up-secret"
HOST = "gateway.example"
MESSAGE = ef.Message("Cam on quy khach!", "Baotrixemay")
MANY = [f"09{n:08d}" for n in range(5000)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def here(authority):
    """The TLS of a server on this machine."""
    return authority.serve_as("127.0.0.1")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def send(url, phones=FIFTY, timeout=(0.5, 0.5), **options):
    with ef.Client(KEY, SECRET, base_url=url, timeout=timeout) as client:
        return client.send(MESSAGE, phones, **options)


def certainly_not_sent(url, says, **options):
    """Check that a send is known not to have left; the error."""
    with pytest.raises(ef.Unreachable, match=f"{says}.*so nothing was sent") as caught:
        send(url, **options)
    return caught.value


def hold(talk):
    """Do nothing until the client goes."""
    with suppress(OSError):
        while talk.read():
            pass


# Certain: not a byte of the request has left


def test_a_name_that_is_not_known():
    certainly_not_sent("https://gateway.invalid/", "No connection to gateway.invalid", timeout=5)


def test_a_port_that_nobody_listens_at():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/"
    certainly_not_sent(url, "No connection to 127.0.0.1")


def test_a_proxy_that_cannot_be_reached(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://someone:made-up@{proxy}")
    error = certainly_not_sent(f"https://{HOST}/", f"The proxy {proxy} can't be reached")
    assert "made-up" not in str(error)
    assert not error.is_lasting


def closes(_):
    pass


def closes_on_connect(talk):
    talk.request()


def resets_on_connect(talk):
    talk.request()
    talk.reset()


def half_a_reply(talk):
    talk.request()
    talk.say(b"HTTP/1.1 200 Connection est")


def drips_its_reply(talk):
    talk.request()
    talk.say(b"HTTP/1.1 200 OK\r\n")
    for n in range(100):
        talk.say(b"X-%d: y\r\n" % n)
        time.sleep(0.1)


@pytest.mark.parametrize("behave", [closes, closes_on_connect, resets_on_connect, hold, half_a_reply, drips_its_reply])
def test_a_proxy_that_breaks_off_before_there_is_a_way(monkeypatch, behave):
    with Peer(behave) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        start = time.monotonic()
        certainly_not_sent(f"https://{HOST}/", f"127.0.0.1:{proxy.port}|gateway.example")
        assert time.monotonic() - start < 4
    assert b"RQST" not in b"".join(proxy.received)


@pytest.mark.parametrize(
    ("status", "says", "is_lasting"),
    [
        ("403 Forbidden", "refused the way to gateway.example .HTTP 403.", True),
        ("407 Proxy Authentication Required", "wants a user name and a password .HTTP 407.", True),
        ("502 Bad Gateway", "refused the way to gateway.example .HTTP 502.", False),
    ],
)
def test_a_proxy_that_refuses_the_way(monkeypatch, status, says, is_lasting):
    def refuse(talk):
        talk.request()
        talk.say(answer(b"no", status))

    with Peer(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert certainly_not_sent(f"https://{HOST}/", says).is_lasting is is_lasting


def cuts(talk):
    talk.read()


def resets(talk):
    talk.read()
    talk.reset()


def speaks_http(talk):
    talk.read()
    talk.say(answer(b"no", "400 Bad Request"))


def half_a_hello(talk):
    talk.read()
    talk.say(b"\x16\x03\x03\x00\x7a\x02\x00\x00")


@pytest.mark.parametrize("behave", [closes, cuts, resets, speaks_http, half_a_hello, hold])
def test_a_handshake_that_comes_to_nothing(behave):
    with Peer(behave) as peer:
        certainly_not_sent(f"https://127.0.0.1:{peer.port}/", f"No secure connection to 127.0.0.1:{peer.port}")
    assert b"RQST" not in b"".join(peer.received)


@pytest.mark.parametrize("behave", [closes, cuts, resets, speaks_http])
def test_a_handshake_that_comes_to_nothing_behind_a_proxy(monkeypatch, behave):
    def tunnel(talk):
        talk.request()
        talk.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        behave(talk)

    with Peer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        certainly_not_sent(f"https://{HOST}/", "No secure connection to gateway.example")


@pytest.mark.parametrize(
    ("name", "times", "says"),
    [
        ("127.0.0.1", ("20200101000000Z", "20210101000000Z"), "certificate of 127.0.0.1:[0-9]+ has expired"),
        ("127.0.0.1", ("20980101000000Z", "20990101000000Z"), "certificate of 127.0.0.1:[0-9]+ is not valid yet"),
        ("127.0.0.2", (), "certificate that came from 127.0.0.1:[0-9]+ is another host's"),
        ("other.example", (), "certificate that came from 127.0.0.1:[0-9]+ is another host's"),
    ],
)
def test_a_certificate_that_is_wrong_is_told_with_what_is_wrong(authority, monkeypatch, name, times, says):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(hold, authority.serve_as(name, *times)) as peer:
        assert certainly_not_sent(peer.url(), says).is_lasting
    assert peer.received == []


def test_a_certificate_that_nobody_vouches_for_is_told_with_the_way_out(authority, here):
    for context, what in ((here, "is signed by none whom this machine trusts"), (authority.serve_as_itself(), "self-")):
        with Peer(hold, context) as peer:
            assert "set REQUESTS_CA_BUNDLE" in str(certainly_not_sent(peer.url(), what))


def test_certificates_of_the_environment_are_trusted_on_this_machine_too(authority, here, monkeypatch):
    def serve(talk):
        talk.request()
        talk.say(answer())

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # which has no way to this machine
    with Peer(serve, here) as peer:
        assert send(peer.url()).sms_id == "s-1"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_told_and_not_tried_again(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, str(tmp_path / "nowhere.pem"))
    with Peer(hold) as peer:
        assert certainly_not_sent(f"https://127.0.0.1:{peer.port}/", f"{name} is .*, which holds no certif").is_lasting
    (tmp_path / "nowhere.pem").write_text("no certificate", encoding="utf-8")
    with Peer(hold) as peer:
        assert certainly_not_sent(f"https://127.0.0.1:{peer.port}/", f"{name} is .*, which holds no certif").is_lasting


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("socks5://127.0.0.1:9", "SOCKS proxy"),
        ("http://", "proxy's address in this machine's settings can't be used"),
        ("http://:80:90", "proxy's address in this machine's settings can't be used"),
        ("ftp://127.0.0.1:9", "proxy's address in this machine's settings can't be used"),
    ],
)
def test_a_proxy_that_is_none_is_told_and_not_tried_again(monkeypatch, proxy, says):
    if proxy.startswith("socks") and "socks" in sys.modules:
        pytest.skip("PySocks is here")
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert certainly_not_sent(f"https://{HOST}/", says).is_lasting


def test_a_send_whose_certificate_is_wrong_is_tried_once(authority, monkeypatch, customers):
    tries = []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(tries.append, authority.serve_as("other.example")) as peer:
        client = ef.Client(KEY, SECRET, base_url=peer.url())
        connects = []
        real = socket.create_connection
        monkeypatch.setattr(
            "urllib3.util.connection.create_connection", lambda *a, **k: connects.append(1) or real(a[0], a[1])
        )
        results = ef.send(customers, MESSAGE, client, checks=False, progress=False)
    assert set(results["status"]) == {"not_sent"}
    assert results["reason"].str.contains("another host's").all()
    assert (
        len(connects) == 4
    )  # to ask whose account it is, what time, and what it has of the campaign; and for the batch


# Uncertain: some of the request may have arrived


def cut_in_the_request_line(talk):
    talk.read(5)
    talk.reset()


def cut_in_the_body(talk):
    talk.read(1500)
    talk.reset()


def end_in_the_body(talk):
    talk.read(1500)


def cut_after_the_body(talk):
    talk.request()
    talk.reset()


def end_after_the_body(talk):
    talk.request()


def silence_after_the_body(talk):
    talk.request()
    hold(talk)


def say_after_the_body(text):
    def behave(talk):
        talk.request()
        talk.say(text)

    behave.__name__ = re.sub(r"\W+", " ", text[:30].decode("latin-1")) or "nothing"
    return behave


def drip(start, piece, every=0.05):
    def behave(talk):
        talk.request()
        talk.say(start)
        end = time.monotonic() + 8
        while time.monotonic() < end:
            talk.say(piece)
            time.sleep(every)

    behave.__name__ = f"drip {piece[:12]} after {start[:12]}"
    return behave


UNCERTAIN = [
    cut_in_the_request_line,
    cut_in_the_body,
    end_in_the_body,
    cut_after_the_body,
    end_after_the_body,
    silence_after_the_body,
    say_after_the_body(b"HTTP/1.1 200 OK\r\n"),
    say_after_the_body(b"HTTP/1.1 2"),
    say_after_the_body(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\nX-Ha"),
    say_after_the_body(b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"CodeResult":"100"'),
    say_after_the_body(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{"CodeResult":"100"}\r\n'),
    say_after_the_body(b"220 smtp.example ESMTP\r\n"),
    say_after_the_body(b"HTTP/1.1 100 Continue\r\n\r\n" * 400_000),
    say_after_the_body(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 400_000),
    say_after_the_body(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    say_after_the_body(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n{}"),
    say_after_the_body(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 5_000_000),
    say_after_the_body(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno"),
    say_after_the_body(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00"),
    drip(b"", b"H"),
    drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
    drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    drip(b"HTTP/1.1 302 Found\r\nContent-Length: 9999\r\nLocation: /x\r\n", b"X: y\r\n"),
]


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("behave", UNCERTAIN, ids=lambda behave: behave.__name__)
def test_whatever_happens_once_a_byte_may_have_left_is_uncertain(authority, here, monkeypatch, behave, is_secure):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(behave, here if is_secure else None) as peer:
        start = time.monotonic()
        with pytest.raises(ef.NoAnswer, match="it is uncertain whether it took the request"):
            send(peer.url(), MANY)
        assert time.monotonic() - start < 4
    assert b"".join(peer.received).startswith(b"POST ")


def write_plainly(talk):
    talk.request()
    raw = socket.socket(fileno=os.dup(talk.connection.fileno()))
    with raw:
        raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


def write_plainly_in_the_body(talk):
    while b"RQST" not in talk.read(1500):
        pass
    raw = socket.socket(fileno=os.dup(talk.connection.fileno()))
    with raw:
        raw.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.2)


def write_an_alert(talk):
    talk.request()
    raw = socket.socket(fileno=os.dup(talk.connection.fileno()))
    with raw:
        raw.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


@pytest.mark.parametrize("behave", [write_plainly, write_plainly_in_the_body, write_an_alert])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tls_stream_that_turns_to_something_else_is_uncertain(authority, monkeypatch, behave, version):
    """A proxy's 502, written as it is into the stream, is an SSLError, as a handshake that fails is."""
    context = authority.serve_as("127.0.0.1")
    context.maximum_version = version
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(behave, context) as peer, pytest.raises(ef.NoAnswer, match="uncertain"):
        send(peer.url(), MANY)
    assert b"RQST" in b"".join(peer.received)


def test_a_tunnel_that_turns_to_something_else_is_uncertain(authority, monkeypatch):
    context = authority.serve_as(HOST)

    def tunnel(talk):
        talk.request()
        talk.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        talk.secure(context)
        write_plainly(talk)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ef.NoAnswer, match="uncertain"):
            send(f"https://{HOST}/")


def test_an_uncertain_send_is_unknown_in_the_results_and_a_corrected_text_does_not_follow(
    authority, here, monkeypatch, customers
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(write_plainly, here) as peer:
        client = ef.Client(KEY, SECRET, base_url=peer.url(), timeout=1)
        results = ef.send(customers, MESSAGE, client, campaign="Tet", checks=False, progress=False)
        assert set(results["status"]) == {"unknown"}
        asked = len(peer.received)
        corrected = ef.Message("Cam on quy khach nhieu!", "Baotrixemay")
        with pytest.warns(ef.SentOtherwiseWarning, match="50 rows"):
            results = ef.send(customers, corrected, client, campaign="Tet", checks=False, progress=False)
    assert not any(b"nhieu" in part for part in peer.received[asked:])
    assert set(results["status"]) == {"unknown"}


def test_an_interim_answer_is_not_the_answer():
    def serve(talk):
        talk.request()
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        talk.say(hints + b"HTTP/1.1 100 Continue\r\n\r\n" + hints + answer())

    with Peer(serve) as peer:
        assert send(peer.url()).sms_id == "s-1"


# Redirects, and what is not asked for


def test_a_redirect_is_told_with_its_target_and_its_body_is_not_read():
    def redirect(talk):
        talk.request()
        talk.say(
            b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 4000000000\r\n"
            b"Location: https://new.example/json/made-up-key/0901888484?ApiKey=made-up-key\r\n\r\n"
        )
        end = time.monotonic() + 8
        while time.monotonic() < end:
            talk.say(b" " * 100_000)

    with Peer(redirect) as peer, ef.Client(KEY, SECRET, base_url=peer.url(), timeout=(0.5, 3)) as client:
        start = time.monotonic()
        for ask in (client.balance, lambda: client.send(MESSAGE, FIFTY)):
            with pytest.raises(
                ef.BadAnswer, match=r"redirects to 'https://new.example/json/…/…' \(HTTP 301\)"
            ) as caught:
                ask()
            assert caught.value.status == 301
        assert time.monotonic() - start < 2


@pytest.mark.parametrize("behave", [end_after_the_body, silence_after_the_body, say_after_the_body(answer(b"no"))])
def test_a_question_without_an_answer_is_not_said_to_be_a_send(behave):
    with Peer(behave) as peer, pytest.raises(ef.NoAnswer, match=r": ask again later\.$") as caught:
        ef.Client(KEY, SECRET, base_url=peer.url(), timeout=(0.5, 0.3)).balance()
    assert "took" not in str(caught.value)


def test_what_this_machine_knows_of_the_host_is_not_sent_to_it(authority, monkeypatch, tmp_path):
    """Neither the password of a .netrc file, nor a cookie of an earlier answer."""
    (tmp_path / "netrc").write_text(f"machine {HOST} login someone password made-up\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    context = authority.serve_as(HOST)

    def tunnel(talk):
        talk.request()
        talk.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        talk.secure(context)
        while talk.request():
            talk.say(answer(headers="Set-Cookie: session=made-up; Path=/\r\n"))

    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with Peer(tunnel) as proxy, ef.Client(KEY, SECRET, base_url=f"https://{HOST}/") as client:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        client.send(MESSAGE, FIFTY)
        client.send(MESSAGE, FIFTY)
    received = b"".join(proxy.received).lower()
    assert received.count(b"<rqst>") == 2
    assert b"authorization" not in received
    assert b"cookie" not in received


# One answer for one request


def ids(talk):
    """Answer each request on a connection with the request's own id as SMSID."""
    while request := talk.request():
        talk.say(own_answer(request))


def own_answer(request, pad=0):
    found = re.search(rb"<REQUESTID>(.*?)</REQUESTID>", request)
    return answer(b'{"CodeResult":"100","Balance":1,"SMSID":"%s"%s}' % (found[1] if found else b"", b" " * pad))


@pytest.mark.heavy
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_opens_connections_of_its_own(authority, here, monkeypatch):
    """Used, then forked, and both send at once: each gets the answers to its own requests."""
    script = f"""
import os, sys
import esms_frames as ef
client = ef.Client({KEY!r}, {SECRET!r}, base_url=sys.argv[1])
message = ef.Message("Cam on quy khach!", "Baotrixemay")
phones = [f"09018884{{n}}" for n in range(10, 60)]
client.send(message, phones, request_id="before")
child = os.fork()
who = "parent" if child else "child"
wrong = 0
for n in range(40):
    try:
        wrong += client.send(message, phones, request_id=f"{{who}}-{{n}}").sms_id != f"{{who}}-{{n}}"
    except ef.EsmsError as error:
        print(who, error, file=sys.stderr)
        wrong += 1
if child:
    wrong += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    client.close()
    client.balance()
os._exit(min(wrong, 99)) if not child else sys.exit(min(wrong, 99))
"""
    connections = []

    def serve(talk):
        connections.append(requests := [])
        while request := talk.request():
            requests.append(request)
            time.sleep(0.005)
            talk.say(own_answer(request))

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    for context in (None, here):
        connections.clear()
        with Peer(serve, context) as peer:
            command = [sys.executable, "-c", script, peer.url()]
            done = subprocess.run(command, capture_output=True, timeout=60, text=True, check=False)
        assert done.returncode == 0, done.stderr
        whose = [{who for who in (b"parent-", b"child-") if who in b"".join(seen)} for seen in connections]
        assert all(len(one) <= 1 for one in whose)


def test_a_second_answer_that_came_with_the_first_is_not_the_next_requests(authority, here, monkeypatch):
    """Not even where TLS holds it back from sight until then."""

    def twice(talk):
        while request := talk.request():
            talk.say(own_answer(request, pad=12_000) + answer(b'{"CodeResult":"100","SMSID":"late"}'))

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    for context in (None, here):
        with Peer(twice, context) as peer, ef.Client(KEY, SECRET, base_url=peer.url(), timeout=2) as client:
            for n in range(3):
                assert client.send(MESSAGE, FIFTY, request_id=f"r-{n}").sms_id == f"r-{n}"


def test_of_two_answers_on_a_connection_that_was_used_before_none_is_believed():
    def late(talk):
        talk.say(own_answer(talk.request()))
        request = talk.request()
        talk.say(answer(b'{"CodeResult":"100","SMSID":"late"}') + own_answer(request))
        hold(talk)

    with Peer(late) as peer, ef.Client(KEY, SECRET, base_url=peer.url(), timeout=2) as client:
        assert client.send(MESSAGE, FIFTY, request_id="r-0").sms_id == "r-0"
        with pytest.raises(ef.NoAnswer, match="uncertain"):
            client.send(MESSAGE, FIFTY, request_id="r-1")
        assert client.send(MESSAGE, FIFTY, request_id="r-2").sms_id == "r-2"


@pytest.mark.parametrize("status", ["103 Early Hints", "204 No Content", "429 Too Many", "500 Oops", "302 Found"])
def test_a_connection_with_an_unexpected_answer_carries_no_other_request(status):
    firsts = []

    def serve(talk):
        firsts.append(talk.request())
        talk.say(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n".encode())
        if talk.request():
            firsts.append(b"again")

    with Peer(serve) as peer, ef.Client(KEY, SECRET, base_url=peer.url(), timeout=(1, 0.3)) as client:
        for _ in range(3):
            with pytest.raises(ef.NoAnswer):
                client.send(MESSAGE, FIFTY)
    assert len(firsts) == 3
    assert b"again" not in firsts


def test_a_connection_that_went_away_meanwhile_is_opened_anew():
    def once(talk):
        talk.say(own_answer(talk.request()))

    with Peer(once) as peer, ef.Client(KEY, SECRET, base_url=peer.url(), timeout=2) as client:
        for n in range(3):
            assert client.send(MESSAGE, FIFTY, request_id=f"r-{n}").sms_id == f"r-{n}"
            time.sleep(0.05)
