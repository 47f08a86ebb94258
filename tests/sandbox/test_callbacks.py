"""The sandbox calls back as the gateway does, and the receiver takes it: from send to track without asking."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest
from support.customers import FIFTY
from support.receiving import receiving

import esms_frames as ef


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def addressed(journal):
    """Receive callbacks; the address that messages are given, and the application."""
    with receiving(journal) as (port, app):
        yield f"http://127.0.0.1:{port}/esms/{{token}}", app


@pytest.fixture
def journal():
    book = ef.Journal()
    yield book
    book.close()


@pytest.fixture
def sandbox():
    """One whose reports come at once."""
    with ef.Sandbox(report_delay=0, failure_rates={"MobiFone": 0.3}) as running:
        yield running


def sent(customers, client, url, **options):
    return ef.send(customers, ef.Message("Chao", "Baotrixemay", callback_url=url), client, progress=False, **options)


@pytest.mark.parametrize(("sms_type", "brandname"), [("customer_care", "Baotrixemay"), ("advertising", "QC_ONLINE")])
def test_what_was_called_back_is_what_the_gateway_would_say(
    sandbox, client, customers, journal, monkeypatch, sms_type, brandname
):
    with addressed(journal) as (url, app):
        message = ef.Message("Chao", brandname, sms_type, callback_url=url)
        results = ef.send(customers, message, client, progress=False, rules_off=["sending_hours"])
        calls = 50 if sms_type == "customer_care" else 1
        until(lambda: app.counts == {200: calls})
    asked = ef.track(results, client, callbacks=ef.read_callbacks(["SMSID=none&SendStatus=5"]), progress=False)
    assert set(asked["delivery"]) == {"delivered", "failed"}
    if sms_type == "customer_care":
        monkeypatch.setattr(ef.Client, "status", lambda *_a, **_k: pytest.fail("asked"))
    called = ef.track(results, client, progress=False)
    assert called["delivery"].tolist() == asked["delivery"].tolist()
    assert called["price"].sum() == asked["price"].sum()
    assert called["delivered"].tolist() == asked["delivered"].tolist()
    assert sandbox.callbacks_made == {"200": calls}
    assert len(journal.callbacks()) == calls
    if sms_type == "customer_care":
        assert (journal.callbacks()["network"] == "MobiFone").all()
    assert journal.callbacks()["request_id"].unique().tolist() == results["request_id"].unique().tolist()


def test_neither_token_nor_number_is_in_a_log_however_verbose(customers, client, journal, caplog, capfd, monkeypatch):
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    caplog.set_level("DEBUG")
    with addressed(journal) as (url, _):
        results = sent(customers, client, url)
        until(lambda: len(journal.callbacks()) == len(results))
    token = journal._batches.callback_token(journal._batches.scopes(ef.Journal().campaigns()["campaign"][0])[0])
    shown = caplog.text + "".join(capfd.readouterr())
    assert token not in shown
    assert results["phone"][0] not in shown


def test_the_query_is_the_documented_one(sandbox, client, customers, script):
    script.says(b"OK")
    sent(customers, client, f"{script.url}sms")
    until(lambda: len(script.requests) >= 50)
    asked = [dict(parse_qsl(urlsplit(request.split(b" ")[1].decode()).query)) for request in script.requests]
    names = "SMSID SendFailed SendStatus SendSuccess TotalPrice TotalReceiver TotalSent RequestId TypeId"
    assert all(list(each) == [*names.split(), "telcoid", "phonenumber"] for each in asked)
    assert sorted(each["phonenumber"] for each in asked) == FIFTY
    assert {each["SMSID"] for each in asked} == set(sandbox.sent["sms_id"])
    assert {(each["SendStatus"], each["TypeId"], each["telcoid"], each["TotalReceiver"]) for each in asked} == {
        ("5", "2", "2", "1")
    }


@pytest.mark.parametrize("fault", ["503 Busy", "silence"])
def test_without_200_it_calls_up_to_five_times(customers, script, fault):
    if fault == "silence":
        script.answer = lambda _connection: time.sleep(0.06)
    else:
        script.says(b"", status=fault)
    message = ef.Message("Chao", "QC_ONLINE", "advertising", callback_url=script.url)
    met = {"503": 5} if fault != "silence" else {"unanswered": 5}
    with ef.Sandbox(report_delay=0, callback_wait=0.05) as sandbox, sandbox.client() as client:
        ef.send(customers, message, client, progress=False, rules_off=["sending_hours"])
        until(lambda: sandbox.callbacks_made == met)
        time.sleep(0.15)
    assert sandbox.callbacks_made == met


def test_reports_are_called_back_when_they_come_and_not_before(customers, script):
    script.says(b"OK")
    with ef.Sandbox(report_delay=1000.0) as sandbox, sandbox.client() as client:
        sent(customers, client, script.url)
        time.sleep(0.1)
        assert len(script.requests) < 50


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:9/", "https://hooks.example.vn/esms/{token}", "http://localhost.example.com:9/"]
)
def test_nobody_is_called_but_this_machine(sandbox, client, customers, journal, monkeypatch, url):
    monkeypatch.setattr("requests.Session.get", lambda *_a, **_k: pytest.fail("called"))
    assert (sent(customers, client, url)["status"] == "accepted").all()
    time.sleep(0.1)
    assert sandbox.callbacks_made == {}
    assert sandbox._gateway.report.__self__._thread is None


def test_it_can_be_switched_off_and_ends_with_the_sandbox(customers, script):
    script.says(b"OK")
    with ef.Sandbox(report_delay=0, callbacks=False) as quiet, quiet.client() as client:
        sent(customers, client, script.url)
    with ef.Sandbox(report_delay=1000.0) as sandbox, sandbox.client() as client:
        sent(customers, client, script.url)
        until(lambda: any(thread.name == "esms-sandbox-callbacks" for thread in threading.enumerate()))
    assert not any("esms-sandbox-call" in thread.name for thread in threading.enumerate())
    assert quiet.callbacks_made == {}


def test_a_sandbox_that_is_kept_in_a_file_knows_the_address_again(tmp_path, customers):
    with ef.Sandbox(state=tmp_path / "state") as sandbox, sandbox.client() as client:
        sent(customers, client, "http://example.com/sms")
        before = sandbox.sent
    again = ef.Sandbox(state=tmp_path / "state")
    pd.testing.assert_frame_equal(again.sent, before)
    assert [send.callback_url for send in again._gateway.sends.values()] == ["http://example.com/sms"]
