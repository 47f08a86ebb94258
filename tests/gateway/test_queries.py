"""What `Client` can ask beside sending, over real HTTP to the sandbox."""

from __future__ import annotations

import json
import socket
import threading
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from support.connecting import KEY, SECRET, certificate, connect
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.messages.limits import SmsType

VIETTEL = [f"03218884{n}" for n in range(10, 60)]
ADS = ("Khuyen mai 20%", "QC_ONLINE", "advertising")
OTP = "2803 la ma xac minh dang ky Baotrixemay cua ban"


# Prices


def test_an_estimate_of_advertising_is_the_gateways_for_the_batch(sandbox, client):
    estimate = client.estimate(ef.Message(*ADS), FIFTY + VIETTEL)
    assert (estimate.price, estimate.recipients) == (50 * 850 + 50 * 800, 100)
    assert isinstance(estimate.price, Decimal)
    client.send(ef.Message(*ADS), FIFTY + VIETTEL)
    assert 10**12 - sandbox.balance == estimate.price


def test_an_estimate_of_customer_care_asks_one_number_of_each_network(sandbox, client, monkeypatch):
    asked = []
    real = client._transport.get
    monkeypatch.setattr(client._transport, "get", lambda *given: asked.append(given[1]["Phone"]) or real(*given))
    phones = [number for pair in zip(FIFTY, VIETTEL, strict=True) for number in pair]
    message = ef.Message("Chúc mừng năm mới " * 5, "Baotrixemay")
    estimate = client.estimate(message, phones)
    assert (estimate.price, estimate.recipients) == (2 * (50 * 850 + 50 * 800), 100)
    assert sorted(asked) == [VIETTEL[0], FIFTY[0]]
    client.send(message, phones)
    assert 10**12 - sandbox.balance == estimate.price


@pytest.mark.parametrize("count", [1, 20_000])
def test_an_estimate_of_customer_care_takes_any_count(client, count):
    phones = [f"090{n:07d}" for n in range(count)]
    assert client.estimate(ef.Message("Xin chao", "Baotrixemay"), phones).price == 850 * count


@pytest.mark.parametrize(
    ("message", "phones", "says"),
    [
        (ADS, FIFTY[:29], "30 to 5,000"),
        (ADS, [f"09{n:08d}" for n in range(5001)], "30 to 5,000"),
        (("Xin chao", "Shop"), [], "at least 1"),
        (("Xin chao", "Shop"), ["+84901888484"], "normalize_phones"),
        (("Xin chao", "Shop"), FIFTY[:1] * 2, "duplicates"),
    ],
)
def test_an_estimate_of_what_could_not_be_sent_is_refused(client, message, phones, says):
    with pytest.raises(ef.InvalidInput, match=says):
        client.estimate(ef.Message(*message), phones)
    with pytest.raises(ef.InvalidInput, match="Message"):
        client.estimate("Xin chao", FIFTY)


def test_an_estimate_ignores_the_schedule_and_sends_nothing(sandbox, client, at):
    at("2030-01-31 08:00")
    message = ef.Message(*ADS, send_at="2030-01-31 08:01", callback_url="https://example.com/")
    at("2030-01-31 09:00")
    assert client.estimate(message, FIFTY).recipients == 50
    assert sandbox.sent.empty


def test_a_refused_estimate_is_refused(client):
    for sms_type in SmsType:
        with pytest.raises(ef.Refused, match="104"):
            client.estimate(ef.Message("Xin chao", "Nobody", sms_type), FIFTY)


# Rehearsals at the gateway


@pytest.mark.parametrize(("message", "phones"), [(ADS, FIFTY), ((OTP, "Baotrixemay"), FIFTY[:1])])
def test_a_rehearsal_is_judged_like_a_send_and_leaves_nothing(sandbox, client, message, phones):
    for _ in range(2):
        assert client.rehearse(ef.Message(*message), phones).code == 100
    with pytest.raises(ef.Refused, match="104"):
        client.rehearse(ef.Message(message[0], "Nobody", *message[2:]), phones)
    assert sandbox.sent.empty
    assert sandbox.balance == 10**12


def test_a_rehearsal_carries_the_switch_and_the_vendors_names(script, at):
    at("2030-01-01 00:00")
    script.says(b'{"CodeResult":"100","SMSID":"x"}')
    client, options = connect(script), {"send_at": "2030-01-31 08:00", "callback_url": "https://example.com/"}
    client.rehearse(ef.Message("Xin chào", "Shop", **options), FIFTY[:1])
    client.rehearse(ef.Message("Xin chao", "QC", "advertising"), FIFTY)
    care, advertising = (request.partition(b"\r\n\r\n") for request in script.requests)
    assert care[0].startswith(b"POST /SendMultipleMessage_V4_post_json/ ")
    assert advertising[0].startswith(b"POST /SendMultipleSMSBrandname_json/ ")
    assert json.loads(care[2]) == {
        "ApiKey": KEY,
        "SecretKey": SECRET,
        "Content": "Xin chào",
        "Phone": FIFTY[0],
        "Brandname": "Shop",
        "SmsType": "2",
        "IsUnicode": "1",
        "SendDate": "2030-01-31 08:00:00",
        "CallbackUrl": "https://example.com/",
        "Sandbox": "1",
    }
    assert json.loads(advertising[2]) == {
        "ApiKey": KEY,
        "SecretKey": SECRET,
        "Content": "Xin chao",
        "Phones": FIFTY,
        "Brandname": "QC",
        "SmsType": "1",
        "Sandbox": "1",
    }


def test_a_rehearsal_of_customer_care_takes_one_number_and_of_advertising_a_batch(script):
    for phones in ([], FIFTY[:2]):
        with pytest.raises(ef.InvalidInput, match="takes one"):
            connect(script).rehearse(ef.Message("Xin chao", "Shop"), phones)
    with pytest.raises(ef.InvalidInput, match="30 to 5,000"):
        connect(script).rehearse(ef.Message(*ADS), FIFTY[:1])
    assert script.requests == []


# What is registered


def test_brandnames_are_those_of_the_account():
    names = {"Shop": ["customer_care", "advertising"], "Care": "customer_care"}
    with ef.Sandbox(brandnames=names) as sandbox:
        found = sandbox.client().brandnames()
    assert [(one.name, one.type_code, one.sms_type) for one in found] == [
        ("Shop", 1, SmsType.ADVERTISING),
        ("Shop", 2, SmsType.CUSTOMER_CARE),
        ("Care", 2, SmsType.CUSTOMER_CARE),
    ]


def test_templates_of_the_account_tell_which_texts_pass():
    template = ef.Template(7, "Viettel", "Chao {P1,10}!")
    with ef.Sandbox(templates={"Baotrixemay": [template, "Cam on!"]}) as sandbox:
        client = sandbox.client()
        found = client.templates("Baotrixemay")
        assert found[0] == template
        assert {one.network for one in found[1:]} >= {"Viettel", "MobiFone", "VinaPhone"}
        assert {one.content for one in found[1:]} == {"Cam on!"}
        for text in ("Chao Lan!", "Cam on!", "Chao chi Lan Anh!", "Cam on"):
            message = ef.Message(text, "Baotrixemay")
            if ef.fits(message.content, found):
                assert client.send(message, FIFTY).code == 100
            else:
                with pytest.raises(ef.Refused, match="146"):
                    client.send(message, FIFTY)
        assert sandbox.sent["content"].unique().tolist() == ["Chao Lan!", "Cam on!"]


@pytest.mark.parametrize("brandname", ["", None, "x" * 12, " Shop", "a\nb"])
def test_what_can_be_no_brandname_is_not_asked_for(script, brandname):
    with pytest.raises(ef.InvalidMessage, match="brandname"):
        connect(script).templates(brandname)
    assert script.requests == []


# What became of a send


def test_the_status_of_a_send_evolves(client, message, at):
    at("2030-01-31 08:00:00")
    sms_id = client.send(message, FIFTY).sms_id
    first = client.status(sms_id)
    assert (first.sms_id, first.send_status, first.recipients, first.sent, first.delivered) == (sms_id, 7, 50, 50, 0)
    assert first.price == 50 * 850
    at("2030-01-31 08:01:00")
    last = client.status(sms_id)
    assert last.send_status == 5
    assert last.delivered + last.failed == 50
    receivers = client.receivers(sms_id)
    assert receivers["phone"].tolist() == FIFTY
    assert receivers["delivered"].sum() == last.delivered


@pytest.mark.parametrize("sms_id", ["", None, 5, "a b", "x" * 65, "é", "a\n", "0901888484\x00"])
def test_what_can_be_no_id_is_not_asked_for(script, sms_id):
    for ask in (connect(script).status, connect(script).receivers):
        with pytest.raises(ef.InvalidInput, match="sms_id"):
            ask(sms_id)
    assert script.requests == []


@pytest.mark.parametrize("sms_id", ["a&ApiKey=x", "a/b?c#d", "%41", "a+b"])
def test_an_id_is_asked_for_as_it_is(script, sms_id):
    script.says(b'{"CodeResponse":"105"}')
    with pytest.raises(ef.Refused) as error:
        connect(script).status(sms_id)
    assert error.value.kind == "try later"
    asked = parse_qs(urlsplit(script.requests[0].split()[1].decode()).query)
    assert asked == {"RefId": [sms_id], "ApiKey": [KEY], "SecretKey": [SECRET]}


# Messages of a period


def test_the_messages_of_a_period_come_as_a_frame(client, message, at):
    moment = at("2030-01-31 08:00")
    sms_id = client.send(message, [f"09{n:08d}" for n in range(700)], campaign="Tết").sms_id
    at("2030-01-31 09:00")
    found = client.sent_frame(moment, moment, "customer_care")
    assert len(found) == 700
    assert found["sms_id"].unique().tolist() == [sms_id]
    assert found["campaign"].unique().tolist() == ["Tết"]
    assert found["price"].sum() == client.status(sms_id).price
    assert set(found["send_status"]) == {5}
    assert (found["send_result"] == 1).sum() == client.status(sms_id).delivered
    assert (found["sent_at"] == pd.Timestamp(moment)).all()
    assert len(client.sent_frame(moment, moment, "advertising")) == 0


@pytest.mark.parametrize("start", [None, "2030-01-31", pd.NaT, 5])
def test_a_period_of_no_moments_is_refused(client, start):
    with pytest.raises(ef.InvalidInput, match="no moment"):
        client.sent_frame(start, datetime(2030, 1, 31), "advertising")


# Asking again


ASKS = {
    "brandnames": lambda client, n: client.brandnames(attempts=n),
    "templates": lambda client, n: client.templates("Shop", attempts=n),
    "status": lambda client, n: client.status("some-id", attempts=n),
    "receivers": lambda client, n: client.receivers("some-id", attempts=n),
    "sent_frame": lambda client, n: client.sent_frame(
        datetime(2030, 1, 1), datetime(2030, 1, 2), "advertising", attempts=n
    ),
}


@pytest.mark.parametrize("ask", ASKS)
def test_it_is_asked_again_only_where_that_may_help_and_only_if_asked_to(script, ask):
    for body, attempts, asked in (
        (b"", 1, 1),
        (b"", 2, 2),
        (b'{"CodeResult":"105"}', 2, 2),
        (b'{"CodeResult":"101"}', 2, 1),
    ):
        script.says(body)
        script.requests.clear()
        with pytest.raises(ef.GatewayError):
            ASKS[ask](connect(script), attempts)
        assert len(script.requests) == asked
    for attempts in (0, -1, None, "2"):
        with pytest.raises(ef.InvalidInput, match="attempts"):
            ASKS[ask](connect(script), attempts)


# Ways


def test_a_query_goes_through_a_proxy_with_its_keys(monkeypatch, tmp_path):
    context = certificate(tmp_path, "gateway.example")
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    received = []

    def serve():
        with listener, listener.accept()[0] as connection:
            received.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(connection, server_side=True) as secure:
                for body in (b'{"CodeResponse":"100","ListBrandName":[]}', b'{"CodeResponse":"105"}'):
                    received.append(secure.recv(65536))
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    thread = threading.Thread(target=serve)
    thread.start()
    client = ef.Client(KEY, SECRET, base_url="https://gateway.example/", timeout=timedelta(seconds=10).total_seconds())
    assert client.brandnames() == ()
    with pytest.raises(ef.Refused, match="105"):
        client.status("some-id")
    client.close()
    thread.join()
    assert KEY.encode() not in received[0]
    assert received[1].startswith(f"GET /GetListBrandname/{KEY}/{SECRET} HTTP/1.1\r\n".encode())
    assert received[2].startswith(f"GET /GetSendStatus?RefId=some-id&ApiKey={KEY}&SecretKey={SECRET} HTTP/1.1".encode())
