"""`Client`: over real HTTP to the sandbox, and to a server that misbehaves as the sandbox would not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lxml import etree
from support.connecting import KEY, SECRET, certificate, connect
from support.customers import FIFTY
from support.ports import own_port

import esms_frames as ef
from esms_frames.base import addresses

TESTS = Path(__file__).parents[1]


def test_a_batch_is_accepted_and_stands_in_the_ledger(sandbox, client, message):
    answer = client.send(message, FIFTY, request_id="r-1", campaign="Tết")
    assert answer.code == 100
    assert 31 <= len(answer.sms_id) <= 38
    assert sandbox.sent["phone"].tolist() == FIFTY
    row = sandbox.sent.iloc[0]
    assert (row["sms_id"], row["request_id"], row["campaign"], row["brandname"], row["content"]) == (
        answer.sms_id,
        "r-1",
        "Tết",
        "Baotrixemay",
        message.content,
    )


def test_advertising_takes_the_path_of_its_type(sandbox, client):
    client.send(ef.Message("Giam gia", "QC_ONLINE", "advertising"), FIFTY)
    assert set(sandbox.sent["sms_type"]) == {"advertising"}


@pytest.mark.parametrize(
    ("sms_type", "path"),
    [("customer_care", b"/SendMultipleMessage_V4/"), ("advertising", b"/SendMultipleSMSBrandname")],
)
def test_the_request_on_the_wire_is_the_pages(script, sms_type, path):
    script.says(b'{"CodeResult":"100","SMSID":"x"}')
    connect(script).send(ef.Message("Xin chào", "Shop", sms_type), FIFTY)
    head, _, body = script.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST " + path + b" HTTP/1.1\r\n")
    assert b"\r\nContent-Type: text/plain\r\n" in head
    assert etree.fromstring(body).findtext("APIKEY") == KEY


def test_paths_can_be_overridden_for_a_type(script):
    script.says(b'{"CodeResult":"100","SMSID":"x"}')
    connect(script, send_paths={"advertising": "Other/"}).send(ef.Message("Xin chao", "Shop", "advertising"), FIFTY)
    assert script.requests[0].startswith(b"POST /Other/ ")
    with pytest.raises(ef.InvalidInput, match="promo"):
        connect(script, send_paths={"promo": "Other/"})


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, np.array])
def test_the_numbers_come_in_any_kind_of_list(sandbox, client, message, kind):
    client.send(message, kind(FIFTY))
    assert len(sandbox.sent) == 50


@pytest.mark.parametrize(
    ("phones", "says"),
    [
        (FIFTY[:29], "29 numbers"),
        ([], "0 numbers"),
        ([f"09{n:08d}" for n in range(5001)], "5,001 numbers"),
        ([*FIFTY, FIFTY[0]], "duplicates"),
        ([*FIFTY, "+84901888484"], "normalize_phones"),
        ([*FIFTY, "0901888484,0901888485"], "normalize_phones"),
        ([*FIFTY, 901888484], "normalize_phones"),
        ([*FIFTY, None], "normalize_phones"),
        ([*FIFTY, "0901888484\n"], "normalize_phones"),
        ([*FIFTY, "٠٩٠١٨٨٨٤٨٤"], "normalize_phones"),
        ("0901888484", "list"),
        (None, "list"),
    ],
)
def test_a_batch_that_is_not_one_is_refused_before_anything_is_sent(sandbox, client, message, phones, says):
    with pytest.raises(ef.InvalidInput, match=says):
        client.send(message, phones)
    assert sandbox.sent.empty


def test_the_floor_can_be_lowered_for_customer_care_only(message):
    with ef.Sandbox(customer_care_floor=1) as sandbox:
        assert sandbox.client().send(message, FIFTY[:1], floor=1).code == 100
        with pytest.raises(ef.InvalidInput, match="Advertising"):
            sandbox.client().send(ef.Message("Giam gia", "QC_ONLINE", "advertising"), FIFTY, floor=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_id": "x" * 51},
        {"request_id": ""},
        {"request_id": "a\x00b"},
        {"request_id": ["a"]},
        {"campaign": "x" * 255},
    ],
)
def test_ids_that_the_gateway_would_not_take_are_refused(client, message, wrong):
    with pytest.raises(ef.InvalidInput):
        client.send(message, FIFTY, **wrong)


def test_a_schedule_that_has_become_past_is_refused(client, at):
    at("2030-01-31 08:00")
    soon = ef.Message("Xin chao", "Baotrixemay", send_at="2030-01-31 08:01")
    at("2030-01-31 08:02")
    with pytest.raises(ef.InvalidMessage, match="past"):
        client.send(soon, FIFTY)


def test_what_is_no_message_is_refused(client):
    with pytest.raises(ef.InvalidInput, match="Message"):
        client.send("Xin chao", FIFTY)


def test_the_balance_is_what_the_account_has_left(client, message):
    before = client.balance()
    client.send(message, FIFTY)
    assert before - client.balance() == 50 * 850  # MobiFone, one part


def test_wrong_keys_are_refused_with_101(sandbox):
    with pytest.raises(ef.Refused, match="ApiKey") as error:
        ef.Client("wrong", sandbox.secret_key, base_url=sandbox.url).balance()
    assert error.value.code == 101


# The way to the gateway


def test_no_connection_means_nothing_was_sent(message):
    with pytest.raises(ef.Unreachable, match="nothing was sent"):
        ef.Client(KEY, SECRET, base_url=f"http://127.0.0.1:{own_port()}/").send(message, FIFTY)


def proxy(listener, answer):
    """Be a proxy for one CONNECT, then read the request that comes through TLS, and do what is told."""
    with listener, listener.accept()[0] as connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_a_proxy_that_refuses_the_way_means_nothing_was_sent(message, monkeypatch):
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    thread = threading.Thread(target=proxy, args=(listener, b"HTTP/1.1 403 Forbidden\r\n\r\n"))
    thread.start()
    with pytest.raises(ef.Unreachable, match="nothing was sent"):
        ef.Client(KEY, SECRET, base_url="https://gateway.example/").send(message, FIFTY)
    thread.join()


def test_a_cut_behind_a_proxy_is_uncertain(message, monkeypatch, tmp_path):
    """Once a request may have left, a proxy's trouble says nothing about where it broke."""
    context = certificate(tmp_path, "gateway.example")
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    received = []

    def serve():
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(connection, server_side=True) as secure:
                while b"</RQST>" not in b"".join(received):
                    received.append(secure.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ef.NoAnswer, match="uncertain"):
        ef.Client(KEY, SECRET, base_url="https://gateway.example/").send(message, FIFTY)
    thread.join()
    assert b"0901888410" in b"".join(received)


def test_a_port_that_does_not_speak_tls_means_nothing_was_sent(message):
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=proxy, args=(listener, b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    thread.start()
    with pytest.raises(ef.Unreachable, match="nothing was sent"):
        ef.Client(KEY, SECRET, base_url=f"https://127.0.0.1:{listener.getsockname()[1]}/").send(message, FIFTY)
    thread.join()


def test_a_connection_that_is_not_made_in_time_means_nothing_was_sent(message):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(ef.Unreachable, match="nothing was sent"):
            ef.Client(KEY, SECRET, base_url=f"http://127.0.0.1:{full.getsockname()[1]}/", timeout=(0.2, 5)).send(
                message, FIFTY
            )
        for one in waiting:
            one.close()


def test_an_unknown_host_means_nothing_was_sent(message):
    with pytest.raises(ef.Unreachable, match="nothing was sent"):
        ef.Client(KEY, SECRET, base_url="https://gateway.invalid/", timeout=5).send(message, FIFTY)


def test_a_certificate_that_is_not_trusted_means_nothing_was_sent(message, tmp_path):
    context = certificate(tmp_path, "localhost")
    listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def serve():
        with pytest.raises(OSError):
            listener.accept()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ef.Unreachable, match="nothing was sent"):
        ef.Client(KEY, SECRET, base_url=f"https://127.0.0.1:{listener.getsockname()[1]}/").send(message, FIFTY)
    thread.join()
    listener.close()


def test_a_time_out_while_waiting_is_uncertain(script, message):
    script.answer = lambda _: time.sleep(1)
    with pytest.raises(ef.NoAnswer, match="uncertain"):
        connect(script, timeout=(1, 0.2)).send(message, FIFTY)


def test_an_answer_that_drips_or_never_ends_is_given_up(script, message):
    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(40):
                connection.sendall(b"x")
                time.sleep(0.1)

    def flood(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(500):
                connection.sendall(b"x" * 100_000)

    for answer in (drip, flood):
        script.answer = answer
        start = time.monotonic()
        with pytest.raises(ef.NoAnswer, match="uncertain"):
            connect(script, timeout=(1, 0.5)).send(message, FIFTY)
        assert time.monotonic() - start < 3


@pytest.mark.parametrize("location", ["http://[bad", "\xff\xfe", "x" * 60_000])
def test_a_redirect_to_nowhere_is_uncertain_too(script, message, location):
    script.answer = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode("latin-1") + b"\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(ef.NoAnswer):
        connect(script).send(message, FIFTY)


def test_a_connection_cut_before_or_in_the_answer_is_uncertain(script, message):
    for partial in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"HTTP/1.1 200 OK\r\n"):
        script.answer = partial
        with pytest.raises(ef.NoAnswer):
            connect(script).send(message, FIFTY)


@pytest.mark.parametrize(
    "status", ["500 Internal Server Error", "429 Too Many Requests", "404 Not Found", "204 No Content"]
)
def test_another_status_than_200_is_a_bad_answer(script, message, status):
    script.says(b"", status)
    with pytest.raises(ef.BadAnswer, match=status[:3]):
        connect(script).send(message, FIFTY)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed(script, message, status):
    script.says(b"", status, f"Location: {script.url}elsewhere\r\n")
    with pytest.raises(ef.BadAnswer):
        connect(script).send(message, FIFTY)
    assert len(script.requests) == 1


def test_the_client_never_retries_by_itself(script, message):
    script.says(b"", "503 Service Unavailable", "Retry-After: 0\r\n")
    with pytest.raises(ef.BadAnswer):
        connect(script).send(message, FIFTY)
    script.answer = b""
    with pytest.raises(ef.NoAnswer):
        connect(script).send(message, FIFTY)
    assert len(script.requests) == 2


def test_connections_are_reused(message):
    connections = set()

    class Keeping(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            connections.add(self.client_address)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "20")
            self.end_headers()
            self.wfile.write(b'{"CodeResult":"100"}')

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with ef.Client(KEY, SECRET, base_url=f"http://127.0.0.1:{server.server_port}/") as connected:
            for _ in range(5):
                connected.send(message, FIFTY)
        server.shutdown()
    assert len(connections) == 1


def test_one_client_serves_many_threads(sandbox, client, message):
    batches = [[f"09{n:02d}{m:06d}" for m in range(30)] for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda batch: client.send(message, batch), batches))
    assert len({answer.sms_id for answer in answers}) == 40
    assert sandbox.sent["phone"].is_unique


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(sandbox, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert sandbox.client().balance() > 0


# Settings


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://rest.esms.vn/MainService.svc/json/", "unencrypted"),
        ("http://10.0.0.1/", "unencrypted"),
        ("http://127.0.0.1.example.com/", "unencrypted"),
        ("http://localhost.example.com/", "unencrypted"),
        ("https://user:word@rest.esms.vn/", "user name"),
        ("https://rest.esms.vn/?key=1", "base_url"),
        ("https://rest.esms.vn/?", "base_url"),
        ("https://rest.esms.vn/#", "base_url"),
        ("ftp://rest.esms.vn/", "base_url"),
        ("rest.esms.vn", "base_url"),
        ("https://rest.esms.vn:99999/", "base_url"),
        ("https://" + "a" * 64 + ".example/", "base_url"),
        ("https://a..example/", "base_url"),
        ("", "base_url"),
        (None, "base_url"),
    ],
)
def test_an_address_that_would_leak_keys_or_is_none_is_refused(url, says):
    with pytest.raises(ef.InvalidInput, match=says) as error:
        ef.Client(KEY, SECRET, base_url=url)
    assert "word" not in str(error.value).replace("password", "")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://localhost:1", "http://[::1]:1/", "https://example.com"]
)
def test_https_and_loopback_are_taken(url):
    connected = ef.Client(KEY, SECRET, base_url=url)
    assert connected.base_url.endswith("/")
    assert connected.is_local is url.startswith("http:")


@pytest.mark.parametrize("timeout", [0, -1, None, float("inf"), (5,), (5, 0), "5", float("nan")])
def test_a_time_out_must_be_set(timeout):
    with pytest.raises(ef.InvalidInput, match="timeout"):
        ef.Client(KEY, SECRET, timeout=timeout)


@pytest.mark.parametrize("key", ["", " ", None, "a\nb", "é", 5])
def test_keys_that_cannot_be_keys_are_refused_without_showing_them(key):
    for keys in ((key, SECRET), (KEY, key)):
        with pytest.raises(ef.InvalidInput, match="_key is empty") as error:
            ef.Client(*keys)
        assert SECRET not in str(error.value)


def test_from_env_reads_keys_and_address(monkeypatch, sandbox):
    monkeypatch.setenv("ESMS_API_KEY", f" {sandbox.api_key}\n")
    monkeypatch.setenv("ESMS_SECRET_KEY", sandbox.secret_key)
    monkeypatch.setenv("ESMS_BASE_URL", sandbox.url)
    assert ef.Client.from_env(timeout=3).balance() == 10**12
    monkeypatch.delenv("ESMS_BASE_URL")
    assert ef.Client.from_env().base_url == addresses.LIVE_URL
    monkeypatch.delenv("ESMS_SECRET_KEY")
    with pytest.raises(ef.InvalidInput, match="ESMS_SECRET_KEY is not set"):
        ef.Client.from_env()


def test_a_key_of_one_letter_spoils_no_answer(script, message):
    script.says(b'{"CodeResult":"100","SMSID":"d533459ee42b2b95"}')
    answer = ef.Client("e", "1", base_url=script.url).send(message, FIFTY)
    assert (answer.code, answer.sms_id) == (100, "d533459ee42b2b95")


# What the gateway holds


def test_the_messages_of_a_period_come_page_by_page(sandbox, client, message, at):
    at("2030-01-31 08:00")
    client.send(message, [f"09{n:08d}" for n in range(1200)], campaign="Tết")
    at("2030-01-31 09:00")
    client.send(message, FIFTY, campaign="later")
    hour = timedelta(hours=1)
    start = datetime(2030, 1, 31, 8)
    found = list(client.sent_between(start - hour, start, "customer_care"))
    assert [one.phone for one in found] == [f"09{n:08d}" for n in range(1200)]
    assert {one.campaign for one in found} == {"Tết"}
    assert {one.sms_id for one in found} == set(sandbox.sent["sms_id"][:1200])
    assert {one.sent_at.isoformat() for one in found} == {"2030-01-31T08:00:00+07:00"}
    assert len(list(client.sent_between(start, start + hour, "customer_care"))) == 1250
    assert list(client.sent_between(start, start + hour, "advertising")) == []
    assert list(client.sent_between(start + 2 * hour, start + 3 * hour, "customer_care")) == []


def test_a_page_is_asked_for_again_only_where_that_may_help_and_only_if_asked_to(script):
    period = datetime(2030, 1, 31), datetime(2030, 2, 1), "advertising"
    for body, attempts, asked in (
        (b"", 1, 1),
        (b"", 2, 2),
        (b'{"CodeResult":"160"}', 2, 2),
        (b'{"CodeResult":"101"}', 2, 1),
    ):
        script.says(body)
        script.requests.clear()
        with pytest.raises(ef.GatewayError):
            list(connect(script).sent_between(*period, attempts=attempts))
        assert len(script.requests) == asked
    with pytest.raises(ef.InvalidInput, match="customer_care"):
        list(connect(script).sent_between(datetime(2030, 1, 31), datetime(2030, 2, 1), "promo"))


def test_pages_that_end_too_early_are_no_answer(script):
    script.says(b'{"CodeResult":"100","CountTotal":5,"SentData":[]}')
    with pytest.raises(ef.NoAnswer, match="0 of 5"):
        list(connect(script).sent_between(datetime(2030, 1, 31), datetime(2030, 2, 1), "advertising"))


# Which gateway it is, and what time it is there


def test_the_gateways_clock_is_compared_with_this_machines(sandbox, client, script, at):
    assert client.clock_offset is None
    client.balance()
    assert abs(client.clock_offset) < timedelta(seconds=5)
    at("2030-01-31 08:00")
    client.balance()
    assert client.clock_offset == timedelta(0)
    for date, offset in (("Thu, 31 Jan 2030 06:00:00 GMT", timedelta(hours=5)), ("yesterday", None), ("", None)):
        script.says(b'{"Balance": 1, "CodeResponse": "100"}', headers=f"Date: {date}\r\n")
        other = connect(script)
        other.balance()
        assert other.clock_offset == offset


@pytest.mark.parametrize(
    "url",
    ["https://rest.esms.vn/a/", "https://REST.esms.vn.:443", "https://reseller.example/", "https://127.0.0.1:8443/"],
)
def test_the_gateway_is_live_by_whatever_address_it_is_reached(url):
    assert ef.Client(KEY, SECRET, base_url=url).gateway == "live"


def test_an_account_is_a_fingerprint_and_no_key():
    one, other = ef.Client(KEY, SECRET), ef.Client(KEY + "2", SECRET)
    assert one.account == ef.Client(KEY, "another").account != other.account
    assert len(one.account) == 12
    assert KEY not in one.account


def test_an_account_is_known_by_the_gateways_user_id_whatever_its_keys_are(script):
    one, other = connect(script), ef.Client("another", SECRET, base_url=script.url)
    assert one.account != other.account
    for said in (b"12345", b'"12345"', b'" 012345"'):
        script.says(b'{"Balance": 1, "CodeResponse": "100", "UserID": ' + said + b"}")
        one.balance()
        other.balance()
        assert one.account == other.account == one.user_fingerprint
        assert "12345" not in one.account
        assert one.has_told
    assert one.key_fingerprint != other.key_fingerprint


@pytest.mark.parametrize("said", ["", ', "UserID": null', ', "UserID": 0', ', "UserID": true', ', "UserID": "x"'])
def test_a_gateway_that_tells_no_user_id_leaves_the_account_to_the_key(script, said):
    one = connect(script)
    script.says(b'{"Balance": 1, "CodeResponse": "100"' + said.encode() + b"}")
    one.balance()
    assert one.user_fingerprint is None
    assert one.account == one.key_fingerprint
    assert one.has_told


def test_a_sandbox_is_known_by_its_proof_and_a_tunnel_is_not_taken_for_one(sandbox, client, script):
    assert client.gateway == "sandbox"
    assert ef.Client(KEY, SECRET, base_url=sandbox.url).is_sandbox
    script.says(b'{"Balance": 1, "CodeResponse": "100"}', headers="Server: esms-frames-sandbox/1\r\n")
    tunnel = connect(script)
    tunnel.balance()
    assert tunnel.is_local
    assert not tunnel.is_sandbox
