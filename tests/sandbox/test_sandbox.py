"""`Sandbox`: it judges, charges and reports as the gateway's documentation says, over real HTTP."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import socket
import stat
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.sandbox.state_file import StateFile

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


SANDBOX = {"customer_care_floor": 30}


def test_customer_care_is_taken_from_one_number_on_as_the_vendors_sample_has_it():
    with ef.Sandbox() as sandbox:
        assert post(sandbox, xml(sandbox, FIFTY[:1])).json()["CodeResult"] == "100"
        assert post(sandbox, xml(sandbox, [])).json()["CodeResult"] == "107"
        ads = xml(sandbox, FIFTY[:29], SMSTYPE="1", BRANDNAME="QC_ONLINE")
        assert post(sandbox, ads, ADS).json()["CodeResult"] == "107"


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
        ("118", "unsupported message type", {"SMSTYPE": "99"}),
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
    ids = {post(sandbox, xml(sandbox, REQUESTID=name)).json()["SMSID"] for name in (None, None, "None", "")}
    assert len(ids) == 4
    assert len(sandbox.sent) == 200


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
    user_id = sandbox._gateway.user_id
    found = requests.post(sandbox.url + "GetBalance_json", json=keys, timeout=10).json()
    assert found == {"Balance": 10**12, "CodeResponse": "100", "UserID": user_id}
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
    assert {row["NetworkName"] for row in receivers} == {"Mobifone"}
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
    [
        {"CONTENT": None},
        {"CONTENT": "  "},
        {"SENDDATE": "tomorrow"},
        {"REQUESTID": "x" * 51},
        {"CAMPAIGNID": "x" * 255},
    ],
)
def test_what_the_documentation_says_nothing_of_is_a_bad_request(sandbox, changed):
    assert post(sandbox, xml(sandbox, **changed)).status_code == 400
    assert sandbox.sent.empty
    assert sandbox.balance == 10**12


def test_http_itself_is_checked(sandbox):
    wrong = requests.get(sandbox.url + CARE, timeout=10)
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert wrong.text == "The sandbox answers this operation by POST only.\n"
    assert post(sandbox, b"<RQST>" + b" " * 5_000_000).status_code == 413
    assert post(sandbox, iter([xml(sandbox), b" " * 5_000_000, b"GARBAGE<"])).status_code == 413
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
    names = {"Shop": ["customer_care", "advertising"], "Care": "customer_care", "A very long name": "customer_care"}
    with ef.Sandbox(brandnames=names) as sandbox:
        assert post(sandbox, xml(sandbox, BRANDNAME="A very long name")).json()["CodeResult"] == "100"
        sandbox.client().send(ef.Message("Xin chao", "Shop", "advertising"), FIFTY)
        sandbox.client().send(ef.Message("Xin chao", "Care"), FIFTY)
        with pytest.raises(ef.Refused, match="104"):
            sandbox.client().send(ef.Message("Xin chao", "Care", "advertising"), FIFTY)
    with pytest.raises(ef.InvalidInput, match="Shop"):
        ef.Sandbox(brandnames={"Shop": "promo"})


def test_a_blocked_number_refuses_the_whole_request():
    with ef.Sandbox(blocked=["+84 901 888 410", 901888411]) as sandbox:
        assert post(sandbox, xml(sandbox)).json()["CodeResult"] == "99"
        ads = {"SMSTYPE": "1", "BRANDNAME": "QC_ONLINE"}
        assert post(sandbox, xml(sandbox, FIFTY[1:], **ads), ADS).json()["CodeResult"] == "99"
        assert sandbox.sent.empty
        assert post(sandbox, xml(sandbox, FIFTY[2:])).json()["CodeResult"] == "100"


def test_a_network_that_a_brandname_is_not_registered_with_refuses_customer_care():
    viettel = [f"03218884{n}" for n in range(10, 60)]
    names = {"Shop": ["customer_care", "advertising"], "Other": "customer_care"}
    with ef.Sandbox(brandnames=names, unregistered_networks={"Shop": ["Viettel", "Gmobile"]}) as sandbox:
        assert post(sandbox, xml(sandbox, [*FIFTY, viettel[0]], BRANDNAME="Shop")).json()["CodeResult"] == "177"
        assert sandbox.sent.empty
        assert post(sandbox, xml(sandbox, BRANDNAME="Shop")).json()["CodeResult"] == "100"
        assert post(sandbox, xml(sandbox, viettel, BRANDNAME="Other")).json()["CodeResult"] == "100"
        ads = {"SMSTYPE": "1", "BRANDNAME": "Shop"}
        assert post(sandbox, xml(sandbox, viettel, **ads), ADS).json()["CodeResult"] == "100"


def test_a_customer_care_text_fits_a_template_of_its_brandname_or_is_refused():
    names = {"Shop": ["customer_care", "advertising"], "Other": "customer_care"}
    with ef.Sandbox(brandnames=names, templates={"Shop": ["Chao {P1,5}!"], "Other": []}) as sandbox:
        assert post(sandbox, xml(sandbox, BRANDNAME="Shop", CONTENT="Chao Lan!")).json()["CodeResult"] == "100"
        assert post(sandbox, xml(sandbox, BRANDNAME="Shop")).json()["CodeResult"] == "146"
        assert post(sandbox, xml(sandbox, BRANDNAME="Other")).json()["CodeResult"] == "100"
        ads = {"SMSTYPE": "1", "BRANDNAME": "Shop"}
        assert post(sandbox, xml(sandbox, **ads), ADS).json()["CodeResult"] == "100"
    with ef.Sandbox() as sandbox:  # by default any text can be tried
        assert post(sandbox, xml(sandbox, CONTENT="x" * 2000)).json()["CodeResult"] == "100"


def test_the_operations_for_one_number_take_one_whatever_the_floor(sandbox):
    fields = {"Content": "Xin chao", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
    fields |= {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}
    for _ in range(2):
        found = requests.post(sandbox.url + "SendMultipleMessage_V4_post_json/", json=fields, timeout=10).json()
        assert found["CodeResult"] == "100"
    assert post(sandbox, xml(sandbox, FIFTY[:1])).json()["CodeResult"] == "107"
    assert sandbox.sent["phone"].tolist() == [FIFTY[0]] * 2


def test_faults_befall_every_form_of_sending():
    with befall("busy") as sandbox:
        fields = {"Content": "x", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
        assert ask(sandbox, "SendMultipleMessage_V4_get", **fields)["CodeResult"] == "160"
        assert sandbox.client().balance() > 0


def test_the_repr_and_the_log_show_no_key(sandbox, caplog):
    caplog.set_level(logging.INFO)  # debugging, urllib3 logs the address that requests.get is given here
    ask(sandbox, "GetSendStatus", RefId="x")
    shown = repr(sandbox) + caplog.text
    assert sandbox.api_key not in shown
    assert sandbox.secret_key not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": -1},
        {"balance": "much"},
        {"prices": {"Viettel": -1}},
        {"port": 99999},
        {"report_delay": None},
        {"blocked": ["0901888484", "12"]},
        {"blocked": "0901888484"},
        {"blocked": 5},
        {"unregistered_networks": {"Shop": ["Vodafone"]}},
        {"templates": {"Shop": "one text"}},
        {"templates": {"Shop": [5]}},
        {"templates": {"Shop": None}},
        {"templates": {"Shop": [ef.Template(1, None, "x")]}},
        {"faults": {"earthquake": 0.5}},
        {"faults": {"cut_after": 1.5}},
        {"faults": {"busy": -0.1}},
        {"faults": ["busy", "earthquake"]},
        {"faults": "busy"},
        {"faults": {None: 0.5}},
        {"faults": 0.5},
        {"records": ["upside down"]},
        {"requests_per_second": "many"},
        {"requests_per_second": 0},
        {"same_text_pause": -1},
        {"user_id": "me"},
        {"certificate": ("none.pem", "none.pem")},
        {"certificate": "none.pem"},
    ],
)
def test_a_setting_that_is_none_is_refused(wrong):
    with pytest.raises(ef.InvalidInput):
        ef.Sandbox(**wrong)


# Disasters


def befall(fault, **options):
    return ef.Sandbox(faults={fault: 1.0}, **options)


@pytest.mark.parametrize(("fault", "taken"), [("cut_before", 0), ("cut_after", 50)])
def test_a_cut_connection_leaves_the_sender_uncertain(message, fault, taken):
    with befall(fault) as sandbox:
        with pytest.raises(ef.NoAnswer):
            sandbox.client().send(message, FIFTY)
        assert len(sandbox.sent) == taken


def test_a_slow_answer_comes_after_the_time_out_and_the_request_is_taken(message):
    with befall("slow", slow_seconds=0.6) as sandbox:
        with pytest.raises(ef.NoAnswer, match="in time"):
            sandbox.client(timeout=(1, 0.2)).send(message, FIFTY)
        time.sleep(0.5)
        assert len(sandbox.sent) == 50


def test_an_unavailable_gateway_takes_nothing(message):
    with befall("unavailable") as sandbox:
        with pytest.raises(ef.BadAnswer, match="503"):
            sandbox.client().send(message, FIFTY)
        assert sandbox.sent.empty


def test_garbage_comes_with_http_200_and_the_request_is_taken_or_not(message):
    with befall("garbage") as sandbox:
        for n in range(20):
            with pytest.raises(ef.BadAnswer, match=r"HTTP 200.*It works"):
                sandbox.client().send(message, FIFTY, request_id=str(n))
        assert 0 < len(sandbox.sent) < 20 * 50


def test_a_busy_gateway_says_160(message):
    with befall("busy") as sandbox:
        with pytest.raises(ef.Refused, match="160"):
            sandbox.client().send(message, FIFTY)
        assert sandbox.sent.empty


@pytest.mark.heavy
def test_faults_come_at_their_rates_and_repeat_with_the_seed(message):
    def met(seed):
        with ef.Sandbox(faults={"busy": 0.3, "unavailable": 0.2}, seed=seed) as sandbox:
            answers = [post(sandbox, xml(sandbox, REQUESTID=str(n))) for n in range(100)]
            return [answer.json()["CodeResult"] if answer.ok else "503" for answer in answers]

    assert met(1) == met(1) != met(2)
    assert 15 <= met(1).count("160") <= 45
    assert 8 <= met(1).count("503") <= 35
    assert met(1).count("100") >= 30


def test_faults_can_be_listed_one_for_each_request(message):
    with ef.Sandbox(faults=["busy", None, "cut_after", "unavailable"]) as sandbox, sandbox.client() as client:
        with pytest.raises(ef.Refused, match="160"):
            client.send(message, FIFTY, request_id="r-1")
        assert client.send(message, FIFTY, request_id="r-2").code == 100
        with pytest.raises(ef.NoAnswer):
            client.send(message, FIFTY, request_id="r-3")
        with pytest.raises(ef.BadAnswer, match="503"):
            client.send(message, FIFTY, request_id="r-4")
        assert client.send(message, FIFTY, request_id="r-5").code == 100
        assert sandbox.sent["request_id"].unique().tolist() == ["r-2", "r-3", "r-5"]
        assert sandbox.faults_met == {"busy": 1, "cut_after": 1, "unavailable": 1}


@pytest.mark.parametrize("keeps", [False, True])
def test_whether_a_refusal_keeps_its_request_id_is_a_knob(message, keeps):
    """160, then a cut, then 124 though nobody was texted: what the documentation leaves open can be rehearsed."""
    with ef.Sandbox(faults=["busy", "cut_before"], keeps_refused_ids=keeps) as sandbox, sandbox.client() as client:
        with pytest.raises(ef.Refused, match="160"):
            client.send(message, FIFTY, request_id="r-1")
        with pytest.raises(ef.NoAnswer):
            client.send(message, FIFTY, request_id="r-1")
        if keeps:
            with pytest.raises(ef.Refused, match="124"):
                client.send(message, FIFTY, request_id="r-1")
        else:
            assert client.send(message, FIFTY, request_id="r-1").code == 100
        assert len(sandbox.sent) == (0 if keeps else 50)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"BRANDNAME": "Nobody"}, "104"),
        ({"CONTENT": "x" * 200}, "146"),
        ({"phones": FIFTY[:2]}, "107"),
        ({"SMSTYPE": "99"}, "118"),
    ],
)
def test_every_refusal_of_the_account_keeps_its_id_for_a_day(at, changed, code):
    at("2030-01-31 08:00")
    templates = {"Baotrixemay": ["{P1,100}"]}
    with ef.Sandbox(keeps_refused_ids=True, templates=templates, customer_care_floor=30) as sandbox:
        assert post(sandbox, xml(sandbox, REQUESTID="r-1", APIKEY="another's")).json()["CodeResult"] == "101"
        assert post(sandbox, xml(sandbox, REQUESTID="r-1", **changed)).json()["CodeResult"] == code
        assert post(sandbox, xml(sandbox, REQUESTID="r-1")).json()["CodeResult"] == "124"
        at("2030-02-01 08:00")
        assert post(sandbox, xml(sandbox, REQUESTID="r-1")).json()["CodeResult"] == "100"


def test_a_refusal_without_any_code_is_as_printed():
    with befall("invalid") as sandbox:
        assert post(sandbox, xml(sandbox)).json() == {"error": "Invalid request"}
        assert sandbox.sent.empty


@pytest.mark.heavy
def test_requests_above_the_rate_are_refused_with_160_and_those_below_are_not():
    fields = {"Content": "Xin chao", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
    with ef.Sandbox(requests_per_second=5) as sandbox:
        began, codes = time.monotonic(), []
        while time.monotonic() - began < 2.5:
            codes.append(ask(sandbox, "SendMultipleMessage_V4_get", **fields)["CodeResult"])
        assert set(codes) == {"100", "160"}
        assert 11 <= codes.count("100") <= 15
        assert codes[:6] == ["100"] * 5 + ["160"]
        assert sandbox.client().balance() > 0  # questions are not counted
        assert len(sandbox.sent) == codes.count("100")


def test_a_number_gets_the_same_text_once_in_the_pause_that_is_asked_for(at):
    fields = {"Content": "Xin chao", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
    with ef.Sandbox(same_text_pause=300) as sandbox:
        path = "SendMultipleMessage_V4_get"
        at("2030-01-31 08:00:00")
        assert ask(sandbox, path, **fields, SandBox="1")["CodeResult"] == "100"  # a rehearsal counts for nothing
        assert ask(sandbox, path, **fields)["CodeResult"] == "100"
        assert ask(sandbox, path, **{**fields, "Content": "Chao"})["CodeResult"] == "100"
        assert ask(sandbox, path, **{**fields, "Phone": FIFTY[1]})["CodeResult"] == "100"
        at("2030-01-31 08:04:59")
        again = ask(sandbox, path, **fields)
        assert again == {"error": "The sandbox sends this number the same text once in 300 seconds"}
        assert post(sandbox, xml(sandbox)).json()["CodeResult"] == "100"  # said of the operations for one number only
        at("2030-01-31 08:05:00")
        assert ask(sandbox, path, **fields)["CodeResult"] == "100"
    with ef.Sandbox() as sandbox:
        assert {ask(sandbox, path, **fields)["CodeResult"] for _ in range(3)} == {"100"}


@pytest.mark.parametrize(
    ("looks", "changed"),
    [
        ("labelled", {"content": "[QC] Cảm ơn quý khách đã mua hàng, hẹn gặp lại quý khách"}),
        ("cut", {"content": "Cảm ơn quý khách đã mua hàng, hẹn gặp lạ"}),
        ("unaccented", {"content": "Cam on quy khach da mua hang, hen gap lai quy khach"}),
        ("name_in_capitals", {"campaign": "TẾT"}),
        ("nameless", {"campaign": ""}),
        ("masked", {"phone": "0901***410"}),
        (
            ["cut", "unaccented", "masked"],
            {"content": "Cam on quy khach da mua hang, hen gap la", "phone": "0901***410"},
        ),
    ],
)
def test_records_can_differ_from_what_was_sent(at, looks, changed):
    now = at("2030-01-31 08:00")
    usual = {"content": "Cảm ơn quý khách đã mua hàng, hẹn gặp lại quý khách", "campaign": "Tết", "phone": FIFTY[0]}
    with ef.Sandbox(records=looks) as sandbox, sandbox.client() as client:
        client.send(ef.Message(usual["content"], "Baotrixemay"), FIFTY, campaign="Tết")
        first = next(client.sent_between(now, now, "customer_care"))
        assert {name: getattr(first, name) for name in usual} == usual | changed
        assert sandbox.sent["content"].iloc[0] == usual["content"]


def test_the_account_tells_its_number_or_not():
    for user_id, told in ((9999, {"UserID": 9999}), (5, {"UserID": 5}), (None, {})):
        with ef.Sandbox(user_id=user_id) as sandbox:
            keys = {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}
            found = requests.post(sandbox.url + "GetBalance_json", json=keys, timeout=10).json()
            assert found == {"Balance": 100_000_000, "CodeResponse": "100"} | told


def test_no_sms_id_is_given_out_twice(at):
    """Neither that of a rehearsal, nor that of a refusal, nor one of before a restart."""
    with ef.Sandbox(templates={"Baotrixemay": ["Xin chao"]}) as sandbox:
        fields = {"Content": "Xin chao", "Phone": FIFTY[0], "Brandname": "Baotrixemay", "SmsType": "2"}
        path, given = "SendMultipleMessage_V4_get", []
        for day in range(1, 6):
            at(f"2030-01-0{day} 08:00")
            for request_id in ("", "r-1"):
                for sandboxed in "101":
                    asked = {**fields, "SandBox": sandboxed, "RequestId": request_id}
                    given.append(ask(sandbox, path, **asked).get("SMSID"))
                    refused = ask(sandbox, path, **{**asked, "Content": "fits no template"})
                    assert refused["CodeResult"] == "146"
                    given.append(refused["SMSID"])
        given = [sms_id for sms_id in given if sms_id]
        assert len(given) == 55  # the id r-1 was used when it was rehearsed again
        assert len(set(given)) == 55
        assert set(sandbox.sent["sms_id"]) < set(given)


def test_the_records_of_a_period_are_those_that_were_made_in_it(at):
    """The vendor's page selects by the date of creation, also where a message goes out later."""
    now = at("2030-01-31 08:00")
    with ef.Sandbox() as sandbox, sandbox.client() as client:
        client.send(ef.Message("Xin chao", "Baotrixemay", send_at="2030-02-02 08:00"), FIFTY)
        later = at("2030-02-02 09:00")
        assert len(list(client.sent_between(now, now, "customer_care"))) == 50
        assert list(client.sent_between(later - timedelta(hours=2), later, "customer_care")) == []


# An account that outlives its server


def test_a_sandbox_with_a_state_file_is_the_same_account_again(message, tmp_path):
    path = tmp_path / "sandbox.jsonl"
    with ef.Sandbox(state=path) as first:
        first.client().send(message, FIFTY, request_id="r-1", campaign="Tết")
        keys, balance, sent = (first.api_key, first.secret_key), first.balance, first.sent
    with ef.Sandbox(state=path) as second:
        assert (second.api_key, second.secret_key) == keys
        assert second.balance == balance
        assert second.sent.equals(sent)
        with pytest.raises(ef.Refused, match="124"):
            second.client().send(message, FIFTY, request_id="r-1")


def test_a_line_cut_short_by_a_crash_is_no_message(message, tmp_path):
    path = tmp_path / "sandbox.jsonl"
    with ef.Sandbox(state=path) as first:
        first.client().send(message, FIFTY)
    with path.open("a") as file:
        file.write('{"sms_id": "cut')
    for more in (1, 2):
        with ef.Sandbox(state=path) as again:
            assert len(again.sent) == 50 * more
            again.client().send(message, FIFTY)


@pytest.mark.parametrize("content", ["hello\n", "hello\nwithout an end", "no line", "[1]\n", '{"a": 1}\n'])
def test_a_file_of_something_else_is_no_state_and_stays_as_it_is(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(ef.InvalidFile, match="state of a sandbox"):
        ef.Sandbox(state=path)
    assert path.read_text() == content


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such mode there")
@pytest.mark.parametrize("before", [None, b"", b'{"api_'])
def test_a_state_file_is_private_from_its_first_byte(message, tmp_path, monkeypatch, before):
    path, seen = tmp_path / "sandbox.jsonl", []
    if before is not None:  # made by hand, or by a process that was killed at its first line
        path.write_bytes(before)
        path.chmod(0o666)
    else:  # it is made so, for a reader who opened it before a change of its mode could go on reading
        monkeypatch.setattr(Path, "chmod", lambda *_: None)
    write = StateFile._append
    monkeypatch.setattr(StateFile, "_append", lambda file, fields: (seen.append(mode(path)), write(file, fields)))
    umask = os.umask(0)
    try:
        with ef.Sandbox(state=path) as sandbox:
            sandbox.client().send(message, FIFTY)
    finally:
        os.umask(umask)
    assert seen == [0o600, 0o600]
    assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["sandbox.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such mode there")
def test_an_older_state_file_that_others_can_read_is_made_private(tmp_path):
    path = tmp_path / "sandbox.jsonl"
    keys = ef.Sandbox(state=path).api_key
    path.chmod(0o644)
    assert ef.Sandbox(state=path).api_key == keys
    assert mode(path) == 0o600


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_planted_link_is_not_followed_to_a_new_state(tmp_path):
    path = tmp_path / "sandbox.jsonl"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ef.InvalidFile):
        ef.Sandbox(state=path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_sandbox_that_is_killed_leaves_its_state_and_nothing_beside_it(message, tmp_path):
    path = tmp_path / "sandbox.jsonl"
    code = f"import esms_frames as ef, time; s = ef.Sandbox(state={str(path)!r}).start(); print(s.url); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        keys = json.loads(path.read_text().splitlines()[0])
        client = ef.Client(keys["api_key"], keys["secret_key"], base_url=url)
        client.send(message, FIFTY)
        server.kill()
    assert [entry.name for entry in tmp_path.iterdir()] == ["sandbox.jsonl"]
    assert len(ef.Sandbox(state=path).sent) == 50


def test_an_account_gets_new_keys_and_stays_the_same_account(message, tmp_path):
    path = tmp_path / "sandbox.jsonl"
    with ef.Sandbox(state=path, api_key="old", secret_key="old secret") as first:
        first.client().send(message, FIFTY, request_id="r-1")
    with ef.Sandbox(state=path, api_key="new", secret_key="new secret") as second:
        with pytest.raises(ef.Refused, match="124"):
            second.client().send(message, FIFTY, request_id="r-1")
        with pytest.raises(ef.Refused, match="101"):
            ef.Client("old", "old secret", base_url=second.url).balance()
    assert ef.Sandbox(state=path).api_key == "new"


def test_the_ledger_has_its_columns_when_it_is_empty(sandbox):
    assert sandbox.sent.columns.tolist() == [
        "phone", "sms_id", "request_id", "campaign", "brandname", "sms_type", "content", "accepted_at",
    ]  # fmt: skip


def test_a_sandbox_is_not_copied():
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="make another"):
            take(ef.Sandbox())
