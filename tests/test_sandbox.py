"""`Sandbox`: it judges, charges and reports as the gateway's documentation says, over real HTTP."""

from __future__ import annotations

import socket
import time

import pytest
import requests
from conftest import FIFTY

import esms_frames as ef

CARE, ADS = "SendMultipleMessage_V4/", "SendMultipleSMSBrandname"


def xml(sandbox, phones=FIFTY, **fields):
    base = {
        "APIKEY": sandbox.api_key,
        "SECRETKEY": sandbox.secret_key,
        "CONTENT": "Xin chao",
        "SMSTYPE": "2",
        "BRANDNAME": "Baotrixemay",
    }
    parts = "".join(f"<{name}>{value}</{name}>" for name, value in (base | fields).items() if value is not None)
    numbers = "".join(f"<CUSTOMER><PHONE>{phone}</PHONE></CUSTOMER>" for phone in phones)
    return f"<RQST>{parts}<CONTACTS>{numbers}</CONTACTS></RQST>".encode()


def post(sandbox, body, path=CARE, content_type="text/plain"):
    return requests.post(sandbox.url + path, data=body, headers={"Content-Type": content_type}, timeout=10)


def ask(sandbox, operation, **query):
    query = {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key} | query
    return requests.get(sandbox.url + operation, params=query, timeout=10).json()


def test_a_valid_request_is_accepted_in_the_documented_shape(sandbox):
    answer = post(sandbox, xml(sandbox))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"CodeResult", "CountRegenerate", "SMSID"}
    assert answer.json()["CodeResult"] == "100"
    assert 31 <= len(answer.json()["SMSID"]) <= 38


@pytest.mark.parametrize("content_type", ["text/plain", "application/text/plain", "text/plain; charset=utf-8"])
def test_both_content_types_of_the_page_are_taken(sandbox, content_type):
    assert post(sandbox, xml(sandbox), content_type=content_type).json()["CodeResult"] == "100"


@pytest.mark.parametrize(
    ("code", "words", "changed"),
    [
        ("101", "Authorize Failed", {"APIKEY": "wrong"}),
        ("101", "Authorize Failed", {"SECRETKEY": None}),
        ("300", "message type missing", {"SMSTYPE": None}),
        ("118", "unsupported message type", {"SMSTYPE": "1"}),
        ("118", "unsupported message type", {"SMSTYPE": "8"}),
        ("104", "Brand name code is not exist", {"BRANDNAME": "baotrixemay"}),
        ("104", "Brand name code is not exist", {"BRANDNAME": "QC_ONLINE"}),
        ("104", "Brand name code is not exist", {"BRANDNAME": None}),
        ("108", "a number has the wrong format", {"phones": [*FIFTY, "84901888484"]}),
        ("108", "a number has the wrong format", {"phones": [*FIFTY, ""]}),
        ("107", "Each request has at least 30 numbers to be approved", {"phones": FIFTY[:29]}),
        ("107", "Each request has at least 30 numbers to be approved", {"phones": FIFTY[:1] * 40}),
        ("107", "Each request has at least 30 numbers to be approved", {"phones": []}),
        ("120", "more numbers than allowed", {"phones": [f"09{n:08d}" for n in range(5001)]}),
    ],
)
def test_each_refusal_has_its_code(sandbox, code, words, changed):
    answer = post(sandbox, xml(sandbox, **changed)).json()
    assert answer == {"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": words}
    assert sandbox.sent.empty
    assert sandbox.balance == 10**12


@pytest.mark.parametrize("count", [30, 5000])
def test_the_limits_themselves_pass(sandbox, count):
    body = xml(sandbox, [f"09{n:08d}" for n in range(count)], SMSTYPE="1", BRANDNAME="QC_ONLINE")
    assert post(sandbox, body, ADS).json()["CodeResult"] == "100"
    assert len(sandbox.sent) == count


def test_a_repeated_request_id_is_refused_for_24_hours(sandbox, at):
    at("2030-01-31 08:00:00")
    assert post(sandbox, xml(sandbox, REQUESTID="r-1")).json()["CodeResult"] == "100"
    at("2030-02-01 07:59:59")
    again = post(sandbox, xml(sandbox, FIFTY[:40], REQUESTID="r-1")).json()
    assert again == {"CodeResult": "124", "CountRegenerate": 0, "ErrorMessage": "Request exist 1"}
    assert len(sandbox.sent) == 50
    at("2030-02-01 08:00:00")
    assert post(sandbox, xml(sandbox, REQUESTID="r-1")).json()["CodeResult"] == "100"
    assert sandbox.sent["sms_id"].nunique() == 2


def test_a_refused_request_does_not_use_up_its_id(sandbox):
    assert post(sandbox, xml(sandbox, FIFTY[:5], REQUESTID="r-1")).json()["CodeResult"] == "107"
    assert post(sandbox, xml(sandbox, REQUESTID="r-1")).json()["CodeResult"] == "100"


def test_requests_without_an_id_are_all_taken(sandbox):
    ids = {post(sandbox, xml(sandbox)).json()["SMSID"] for _ in range(3)}
    assert len(ids) == 3


def test_prices_go_by_network_and_part():
    phones = [*FIFTY[:20], *[f"03218884{n}" for n in range(10, 30)], *[f"05221884{n}" for n in range(10, 20)]]
    with ef.Sandbox(balance=100_000, prices={"MobiFone": 100, "Viettel": 10}) as sandbox:
        post(sandbox, xml(sandbox, phones, CONTENT="a" * 161))
        assert 100_000 - sandbox.balance == 2 * (20 * 100 + 20 * 10 + 10 * 850)


def test_a_balance_too_low_refuses_the_whole_request():
    with ef.Sandbox(balance=50 * 850) as sandbox:
        assert post(sandbox, xml(sandbox)).json()["CodeResult"] == "100"
        assert sandbox.balance == 0
        assert post(sandbox, xml(sandbox)).json()["CodeResult"] == "103"
        assert len(sandbox.sent) == 50


def test_the_balance_answers_in_the_documented_shape(sandbox):
    keys = {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}
    found = requests.post(sandbox.url + "GetBalance_json", json=keys, timeout=10).json()
    assert found == {"Balance": 10**12, "CodeResponse": "100", "UserID": 9999}
    wrong = requests.post(sandbox.url + "GetBalance_json", json={}, timeout=10).json()
    assert wrong["CodeResponse"] == "101"


def test_delivery_evolves_with_time_and_ends(sandbox, at):
    at("2030-01-31 08:00:00")
    sms_id = post(sandbox, xml(sandbox)).json()["SMSID"]
    first = ask(sandbox, "GetSendStatus", RefId=sms_id)
    assert set(first) == {
        "CodeResponse", "SMSID", "SendFailed", "SendStatus", "SendSuccess", "TotalPrice", "TotalReceiver", "TotalSent",
    }  # fmt: skip
    assert (first["SendStatus"], first["SendSuccess"], first["TotalReceiver"]) == (7, 0, 50)
    at("2030-01-31 08:00:02")
    second = ask(sandbox, "GetSendStatus", RefId=sms_id)
    assert second["SendStatus"] == 7
    assert 0 < second["SendSuccess"] < 50
    at("2030-01-31 08:00:06")
    last = ask(sandbox, "GetSendStatus", RefId=sms_id)
    assert last["SendStatus"] == 5
    assert last["SendSuccess"] + last["SendFailed"] == 50
    assert last["TotalPrice"] == 50 * 850.0
    receivers = ask(sandbox, "GetSmsReceiverStatus_get", RefId=sms_id)["ReceiverList"]
    assert [row["Phone"] for row in receivers] == FIFTY
    assert {row["NetworkName"] for row in receivers} == {"MobiFone"}
    assert sum(row["SentResult"] for row in receivers) == last["SendSuccess"]


def test_a_scheduled_send_waits_for_its_time(sandbox, at):
    at("2030-01-31 08:00:00")
    sms_id = post(sandbox, xml(sandbox, SENDDATE="2030-01-31 09:00:00")).json()["SMSID"]
    waiting = ask(sandbox, "GetSendStatus", RefId=sms_id)
    assert (waiting["SendStatus"], waiting["TotalSent"], waiting["SendSuccess"]) == (2, 0, 0)
    at("2030-01-31 09:00:10")
    assert ask(sandbox, "GetSendStatus", RefId=sms_id)["SendStatus"] == 5


def test_deliveries_follow_from_the_seed():
    def delivered(seed):
        with ef.Sandbox(seed=seed, report_delay=0, failure_rates={"MobiFone": 0.5}) as sandbox:
            sms_id = post(sandbox, xml(sandbox, REQUESTID="r-1")).json()["SMSID"]
            return [row["SentResult"] for row in ask(sandbox, "GetSmsReceiverStatus_get", RefId=sms_id)["ReceiverList"]]

    assert delivered(1) == delivered(1)
    assert delivered(1) != delivered(2)
    assert 10 < sum(delivered(1)) < 40


def test_the_status_queries_know_seven_days_and_only_what_was_sent(sandbox, at):
    at("2030-01-31 08:00")
    sms_id = post(sandbox, xml(sandbox)).json()["SMSID"]
    at("2030-02-08 08:00")
    assert ask(sandbox, "GetSendStatus", RefId=sms_id)["CodeResponse"] == "105"
    assert ask(sandbox, "GetSmsReceiverStatus_get", RefId=sms_id)["CodeResult"] == "105"
    assert ask(sandbox, "GetSendStatus", RefId="other")["CodeResponse"] == "105"
    assert ask(sandbox, "GetSendStatus", RefId=sms_id, ApiKey="wrong")["CodeResponse"] == "101"
    assert ask(sandbox, "GetSmsReceiverStatus_get", RefId=sms_id, SecretKey="")["CodeResult"] == "101"


# What is not a request of the gateway

LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(10))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<RQST>",
        b"<RQST></CONTACTS></RQST>",
        b"<OTHER/>",
        b"<RQST><CONTENT>&unknown;</CONTENT></RQST>",
        b"<RQST><CONTENT>\x01</CONTENT></RQST>",
        b"\xff\xfe<\x00R\x00Q\x00S\x00T\x00/\x00>\x00",
        b'<?xml version="1.0" encoding="utf-7"?>+ADw-RQST/+AD4-',
        b"<RQST>" + b"<A>" * 100_000,
        b"<!DOCTYPE RQST [" + LAUGHS + b"]><RQST><CONTENT>&l9;</CONTENT></RQST>",
        b'<!DOCTYPE RQST [<!ENTITY x SYSTEM "file:///etc/passwd">]><RQST><CONTENT>&x;</CONTENT></RQST>',
        b'<!DOCTYPE RQST SYSTEM "http://127.0.0.1:9/x.dtd"><RQST/>',
        b'<!doctype RQST [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><RQST/>',
    ],
)
def test_malformed_xml_is_refused_at_once(sandbox, body):
    start = time.monotonic()
    answer = post(sandbox, body)
    assert answer.status_code == 400
    assert "sandbox" in answer.text
    assert len(answer.content) < 200
    assert time.monotonic() - start < 2
    assert sandbox.sent.empty


def test_an_entity_reaches_neither_disk_nor_network(sandbox, script, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not show")
    for target in (secret.as_uri(), script.url):
        body = f'<!DOCTYPE RQST [<!ENTITY x SYSTEM "{target}">]>'.encode() + xml(sandbox, CONTENT="&x;")
        assert post(sandbox, body).status_code == 400
    assert script.requests == []
    assert sandbox.sent.empty


def test_escaped_text_about_document_types_is_text(sandbox):
    answer = post(sandbox, xml(sandbox, CONTENT="learn &lt;!DOCTYPE&gt; &amp;lt;"))
    assert answer.json()["CodeResult"] == "100"
    assert sandbox.sent["content"].iloc[0] == "learn <!DOCTYPE> &lt;"


@pytest.mark.parametrize(
    "changed",
    [{"CONTENT": None}, {"CONTENT": "  "}, {"SENDDATE": "tomorrow"}, {"REQUESTID": "x" * 51}],
)
def test_what_the_documentation_says_nothing_of_is_a_bad_request(sandbox, changed):
    assert post(sandbox, xml(sandbox, **changed)).status_code == 400
    assert sandbox.sent.empty


def test_http_itself_is_checked(sandbox):
    assert post(sandbox, xml(sandbox), "Unknown/").status_code == 404
    assert requests.get(sandbox.url.replace("MainService.svc/json/", ""), timeout=10).status_code == 404
    assert requests.get(sandbox.url + CARE, timeout=10).status_code == 405
    assert post(sandbox, xml(sandbox), content_type="application/json").status_code == 415
    assert post(sandbox, b"<RQST>" + b" " * 5_000_000).status_code == 413
    for body in (b"", b"[]", b"{", b"[" * 100_000):
        assert requests.post(sandbox.url + "GetBalance_json", data=body, timeout=10).status_code == 400
    assert sandbox.sent.empty


# The server


def test_it_listens_on_this_machine_only_while_it_runs():
    sandbox = ef.Sandbox()
    with pytest.raises(ef.InvalidInput, match="does not listen"):
        _ = sandbox.url
    with sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        client = sandbox.client()
        assert client.balance() == sandbox.balance
    with pytest.raises(ef.Unreachable):
        client.balance()


def test_stopped_and_started_it_goes_on_with_what_it_had(message):
    sandbox = ef.Sandbox()
    with sandbox:
        sandbox.client().send(message, FIFTY)
    with sandbox:
        assert len(sandbox.sent) == 50
        assert sandbox.start() is sandbox


def test_a_port_that_is_taken_is_said_so(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ef.InvalidInput, match="another"):
        ef.Sandbox(port=taken.getsockname()[1]).start()
    assert capsys.readouterr().err == ""


def test_each_sandbox_is_an_account_of_its_own():
    with ef.Sandbox() as one, ef.Sandbox() as other:
        assert one.api_key != other.api_key
        with pytest.raises(ef.Refused):
            ef.Client(one.api_key, one.secret_key, base_url=other.url).balance()


def test_latency_is_waited_for():
    with ef.Sandbox(latency=0.2) as sandbox:
        start = time.monotonic()
        sandbox.client().balance()
        assert time.monotonic() - start >= 0.2


def test_brandnames_can_be_registered_for_a_type_or_both():
    with ef.Sandbox(brandnames={"Shop": ["customer_care", "advertising"], "Care": "customer_care"}) as sandbox:
        sandbox.client().send(ef.Message("Xin chao", "Shop", "advertising"), FIFTY)
        sandbox.client().send(ef.Message("Xin chao", "Care"), FIFTY)
        with pytest.raises(ef.Refused, match="104"):
            sandbox.client().send(ef.Message("Xin chao", "Care", "advertising"), FIFTY)
    with pytest.raises(ef.InvalidInput, match="Shop"):
        ef.Sandbox(brandnames={"Shop": "promo"})


def test_the_repr_and_the_log_show_no_key(sandbox, message, capfd):
    sandbox.client().send(message, FIFTY)
    ask(sandbox, "GetSendStatus", RefId="x")
    shown = repr(sandbox) + "".join(capfd.readouterr())
    assert sandbox.api_key not in shown
    assert sandbox.secret_key not in shown


def test_the_ledger_has_its_columns_when_it_is_empty(sandbox):
    assert sandbox.sent.columns.tolist() == [
        "phone", "sms_id", "request_id", "campaign", "brandname", "sms_type", "content", "accepted_at",
    ]  # fmt: skip
