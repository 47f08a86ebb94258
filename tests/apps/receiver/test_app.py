"""`callbacks_app`: 200 once it is on disk and not before, once however often it comes, and nothing for strangers."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from email.utils import format_datetime
from types import SimpleNamespace

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from support.customers import FIFTY
from support.journals import write_batch
from werkzeug.test import Client as Browser

import esms_frames as ef
from esms_frames.apps.receiver import app as receiver
from esms_frames.base import clock
from esms_frames.journal import tables
from esms_frames.reporting.callbacks import LONGEST_QUERY

WHOSE = ("rest.esms.vn", "a")
LAN = FIFTY[0]


@pytest.fixture
def journal(tmp_path):
    book = ef.Journal(tmp_path / "journal.sqlite")
    yield book
    book.close()


@pytest.fixture
def app(journal):
    made = ef.callbacks_app(journal)
    yield made
    made.close()


@pytest.fixture
def token(journal):
    write_batch(journal, "accepted", sms_id="s1")
    return journal._batches.callback_token(journal._batches.scope("Tet", *WHOSE))


def query(phone=LAN, sms_id="s1", **changes):
    fields = {"SMSID": sms_id, "SendStatus": 5, "SendSuccess": 1, "SendFailed": 0, "TotalReceiver": 1} | changes
    fields |= {"phonenumber": phone} if phone else {}
    return "&".join(f"{name}={value}" for name, value in fields.items())


def get(app, path, **options):
    return Browser(app).open(path, method=options.pop("method", "GET"), **options)


# What is taken


def test_a_callback_is_in_the_journal_once_it_is_answered_with_200(journal, app, token):
    answer = get(app, f"/{token}?{query()}")
    assert (answer.status_code, answer.text) == (200, "OK\n")
    found = journal.callbacks("Tet")
    assert found[["sms_id", "phone", "delivered"]].values.tolist() == [["s1", LAN, 1]]
    assert found.attrs == {"calls": 1, "repeats": 0, "other_sends": 0}
    assert (app.counts, app.commits) == ({200: 1}, 1)


@pytest.mark.parametrize("prefix", ["/", "/esms/", "/a/b//c/", "/%2e%2e/", "/khách/"])
def test_only_the_last_part_of_the_path_is_looked_at(app, token, prefix):
    assert get(app, f"{prefix}{token}?{query()}").status_code == 200


def test_it_is_not_answered_before_the_commit(journal, app, token, monkeypatch):
    """A commit that hangs keeps the answer back, and one that fails is no 200."""
    may_commit, written = threading.Event(), journal._batches.record_callbacks
    monkeypatch.setattr(journal._batches, "record_callbacks", lambda group: may_commit.wait(10) and written(group))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, app, f"/{token}?{query()}")
        time.sleep(0.1)
        assert not answer.done()
        assert journal.callbacks().empty
        may_commit.set()
        assert answer.result(10).status_code == 200
    assert len(journal.callbacks()) == 1


def test_while_one_group_is_written_the_next_gathers(journal, app, token, monkeypatch):
    groups, written = [], journal._batches.record_callbacks
    first_begun, may_commit = threading.Event(), threading.Event()

    def record(group):
        groups.append(len(group))
        first_begun.set()
        may_commit.wait(10)
        written(group)

    monkeypatch.setattr(journal._batches, "record_callbacks", record)
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(get, app, f"/{token}?{query(FIFTY[0])}")]
        first_begun.wait(10)
        answers += [pool.submit(get, app, f"/{token}?{query(phone)}") for phone in FIFTY[1:20]]
        until(lambda: app._writer._queue.qsize() == 19)
        may_commit.set()
        assert {answer.result(10).status_code for answer in answers} == {200}
    assert groups == [1, 19]
    assert sorted(journal.callbacks()["phone"]) == FIFTY[:20]


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_repeats_count_once_also_within_one_commit(journal, app, token):
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: get(app, f"/{token}?{query()}"), range(10)))
    assert journal.callbacks().attrs == {"calls": 10, "repeats": 9, "other_sends": 0}


def test_what_is_final_is_never_replaced_by_a_late_repeat_of_what_was_not(journal, app, token):
    states = [{"SendStatus": 2, "SendSuccess": 0}, {"SendStatus": 5}, {"SendStatus": 7, "SendSuccess": 0}]
    for state, status in zip(states, [2, 5, 5], strict=True):
        get(app, f"/{token}?{query(**state)}")
        assert journal.callbacks()["send_status"].tolist() == [status]
    get(app, f"/{token}?{query(SendStatus=4, SendSuccess=0, SendFailed=1)}")
    assert journal.callbacks()[["send_status", "failed"]].values.tolist() == [[4, 1]]


def test_a_send_that_is_not_known_yet_is_kept_and_counts_once_it_is(journal, app, token):
    batch = write_batch(journal, "sending")
    assert get(app, f"/{token}?{query(sms_id='s2')}").status_code == 200
    assert journal.callbacks().attrs == {"calls": 0, "repeats": 0, "other_sends": 1}
    with journal._database.begin() as connection:
        connection.execute(sa.update(tables.batches).filter_by(id=batch).values(status="accepted", sms_id="s2"))
    assert journal.callbacks("Tet")["sms_id"].tolist() == ["s2"]


def test_a_number_that_its_send_does_not_hold_is_not_kept(journal, app, token):
    """Nobody with a token can fill the journal with numbers, and whoever was forgotten does not come back."""
    journal.forget(LAN)
    assert get(app, f"/{token}?{query(LAN)}").status_code == 200
    assert get(app, f"/{token}?{query('0912888410')}").status_code == 200
    assert get(app, f"/{token}?{query('0912888410', 'made-up')}").status_code == 200
    assert journal.callbacks().attrs == {"calls": 0, "repeats": 0, "other_sends": 0}


def test_advertising_has_a_row_a_send(journal, app, token):
    assert get(app, f"/{token}?{query(None, TotalReceiver=50, SendSuccess=48, SendFailed=2)}").status_code == 200
    found = journal.callbacks("Tet")
    assert found[["delivered", "recipients"]].values.tolist() == [[48, 50]]
    assert found[["phone", "network"]].isna().all(axis=None)


# What is not


def test_a_wrong_token_is_404_and_costs_the_journal_nothing(journal, app, token, monkeypatch):
    get(app, f"/{token}?{query()}")
    looks, read = [], journal._batches.callback_tokens
    monkeypatch.setattr(journal._batches, "callback_tokens", lambda: looks.append(1) or read())
    monkeypatch.setattr(receiver, "_REREAD", 0.0)
    for wrong in [token[:-1], token + "A", token[:-1] + ("A" if token[-1] != "A" else "B"), "x" * 32]:
        assert get(app, f"/esms/{wrong}?{query()}").status_code == 404
    looks.clear()
    for wrong in ["short", "", "ä" * 32, "x" * 65, f"{token}/", f"{token}%00", f"..%2f{token}%20", f"x?{token}"]:
        assert get(app, f"/esms/{wrong}?{query()}").status_code == 404
    assert looks == []  # what has not even the form of one
    assert len(journal.callbacks()) == 1


def test_a_flood_of_wrong_tokens_looks_into_the_journal_once_a_second(journal, app, monkeypatch):
    looks, now = [], [1000.0]

    def pass_by(seconds=0.0):
        now[0] += seconds + 0.001
        return now[0]

    monkeypatch.setattr(journal._batches, "callback_tokens", lambda: looks.append(now[0]) or {})
    monkeypatch.setattr(receiver, "time", SimpleNamespace(monotonic=pass_by, sleep=pass_by))
    for _ in range(10):
        assert get(app, f"/{'x' * 32}?{query()}").status_code == 404
    assert (np.diff(looks) >= 1).all()
    assert len(looks) == 10  # each of them waited


def test_strangers_who_wait_for_the_next_look_are_few_and_keep_nobody_out(journal, app, token, monkeypatch):
    get(app, f"/{token}?{query()}")
    app._tokens._pausing = threading.BoundedSemaphore(3)
    with ThreadPoolExecutor(20) as pool:
        strangers = [pool.submit(get, app, f"/{n:032d}?{query()}") for n in range(20)]
        until(lambda: sum(stranger.done() for stranger in strangers) >= 17)
        assert get(app, f"/{token}?{query()}").status_code == 200
        answers = sorted(stranger.result(10).status_code for stranger in strangers)
    assert answers == [404] * 3 + [503] * 17


def test_many_first_callbacks_of_a_campaign_at_once_are_all_taken(journal, app, token):
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda phone: get(app, f"/{token}?{query(phone)}").status_code, FIFTY))
    assert answers == [200] * 50
    assert len(journal.callbacks()) == 50


def test_a_campaign_that_begins_is_known_by_its_first_callback(journal, app, token):
    get(app, f"/{token}?{query()}")
    late = journal._batches.callback_token(journal._batches.scope("late", *WHOSE))
    assert get(app, f"/{late}?{query(sms_id='s9')}").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"])
def test_anything_but_get_is_405(journal, app, token, method):
    answer = get(app, f"/{token}?{query()}", method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert method != "HEAD" or answer.data == b""
    assert journal.callbacks().empty


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("", 400),
        ("SMSID=s1", 400),
        ("SendStatus=5", 400),
        ("SMSID=s1&SendStatus=five", 400),
        ("SMSID=%FF&SendStatus=5", 400),
        ("SMSID=s1&SendStatus=5&phonenumber=0901", 400),
        ("x" * (LONGEST_QUERY + 1), 414),
    ],
)
def test_a_query_that_the_gateway_would_not_write_is_refused(journal, app, token, asked, status):
    answer = get(app, f"/{token}?{asked}")
    assert answer.status_code == status
    assert "0901" not in answer.text
    assert journal.callbacks().empty
    assert app.commits == 0


def test_a_flood_is_503_and_what_was_answered_200_is_there(journal, app, token, monkeypatch):
    may_commit, written = threading.Event(), journal._batches.record_callbacks
    app._writer._queue.maxsize = 5
    monkeypatch.setattr(journal._batches, "record_callbacks", lambda group: may_commit.wait(10) and written(group))
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(get, app, f"/{token}?{query(phone)}") for phone in FIFTY[:20]]
        until(lambda: sum(answer.done() for answer in answers) >= 9)
        refused = [answer.result() for answer in answers if answer.done()]
        assert {answer.status_code for answer in refused} == {503}
        assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
        may_commit.set()
        taken = [phone for phone, answer in zip(FIFTY, answers, strict=False) if answer.result(10).status_code == 200]
    assert sorted(journal.callbacks()["phone"]) == taken
    assert len(taken) <= 11


def test_a_journal_that_fails_is_503_with_one_warning_and_it_goes_on_after(journal, app, token, monkeypatch, caplog):
    with monkeypatch.context() as patched:
        error = ef.JournalError("The journal j has no room left on its disk: make room, then resume the campaign.")
        patched.setattr(journal._batches, "record_callbacks", lambda _: raise_(error))
        for _ in range(3):
            assert get(app, f"/{token}?{query()}").status_code == 503
    assert [one.message for one in caplog.records] == [str(error)]
    assert get(app, f"/{token}?{query()}").status_code == 200
    assert len(journal.callbacks()) == 1


def test_while_a_look_takes_long_strangers_are_few_and_take_up_no_more_threads(journal, app, token, monkeypatch):
    """As where the journal is locked for a while: else they would have all connections, and real callbacks none."""
    assert get(app, f"/{token}?{query()}").status_code == 200
    locked, may_look = threading.Event(), threading.Event()
    monkeypatch.setattr(receiver, "_REREAD", 0.0)
    app._tokens._pausing = threading.BoundedSemaphore(3)
    monkeypatch.setattr(journal._batches, "callback_tokens", lambda: locked.set() or (may_look.wait(10) and {}))
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(get, app, f"/{'x' * 32}?{query()}")
        locked.wait(10)
        answers = [pool.submit(get, app, f"/{n:032d}?{query()}") for n in range(19)]
        until(lambda: sum(answer.done() for answer in answers) == 17)
        may_look.set()
        assert first.result(10).status_code == 404
        assert sorted(answer.result(10).status_code for answer in answers) == [404] * 2 + [503] * 17


def test_while_the_journal_can_t_be_looked_into_nobody_is_told_that_there_is_no_such_campaign(
    journal, app, token, monkeypatch
):
    def fail():
        waiting.wait(10)
        time.sleep(0.05)
        raise ef.JournalError("The journal j is away.")

    waiting = threading.Event()
    monkeypatch.setattr(receiver, "_REREAD", 0.1)
    monkeypatch.setattr(journal._batches, "callback_tokens", fail)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(get, app, f"/{token}?{query()}") for _ in range(8)]
        waiting.set()
        assert {answer.result(10).status_code for answer in answers} == {503}


@pytest.mark.parametrize("where", ["record_callbacks", "callback_tokens"])
def test_an_error_of_whatever_kind_ends_nothing_and_shows_nothing(journal, app, token, monkeypatch, caplog, where):
    monkeypatch.setattr(receiver, "_REREAD", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(journal._batches, where, lambda *_: raise_(KeyError(token, LAN)))
        assert get(app, f"/{token}?{query()}").status_code in {500, 503}
    said = caplog.text
    assert "KeyError" in said
    assert token not in said
    assert LAN not in said
    assert get(app, f"/{token}?{query()}").status_code == 200


def raise_(error):
    raise error


def test_a_commit_that_takes_too_long_is_503(journal, app, token, monkeypatch):
    may_commit, written = threading.Event(), journal._batches.record_callbacks
    monkeypatch.setattr(receiver, "_PATIENCE", 0.05)
    monkeypatch.setattr(journal._batches, "record_callbacks", lambda group: may_commit.wait(10) and written(group))
    assert get(app, f"/{token}?{query()}").status_code == 503
    may_commit.set()
    app.close()
    assert len(journal.callbacks()) == 1  # a repeat counts once


@given(
    st.text(max_size=40) | st.just("token"),
    st.text(max_size=80) | st.text("SMSID=endStatu5&%+;?#", max_size=60),
    st.sampled_from(["GET", "POST", "HEAD"]),
)
def test_whatever_is_asked_is_answered(tmp_path_factory, path, asked, method):
    journal = ef.Journal(tmp_path_factory.mktemp("any") / "journal.sqlite")
    token = journal._batches.callback_token(journal._batches.scope("any", *WHOSE))
    app = ef.callbacks_app(journal)
    environ = {"REQUEST_METHOD": method, "PATH_INFO": f"/{token if path == 'token' else path}", "QUERY_STRING": asked}
    seen = []
    b"".join(app(environ, lambda status, _headers: seen.append(status)))
    app.close()
    journal.close()
    assert seen[0][:3] in {"200", "400", "404", "405", "414"}


# What it tells


def test_neither_token_nor_number_is_in_what_it_says(journal, app, token, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    for asked in (query(), "SMSID=s1", "x" * 3000, query("0901")):
        answer = get(app, f"/{token}?{asked}")
        assert token not in answer.text
        assert LAN not in answer.text
    said = caplog.text + "".join(capfd.readouterr()) + repr(app) + repr(journal)
    assert token not in said
    assert LAN not in said


def test_it_ends_its_thread_and_begins_another_when_it_is_asked_again(journal, app, token):
    for _ in range(2):
        assert get(app, f"/{token}?{query()}").status_code == 200
        app.close()
        assert "esms-callbacks" not in {thread.name for thread in threading.enumerate()}


def test_a_path_or_nothing_is_the_journal_of_send(tmp_path, monkeypatch):
    monkeypatch.setenv("ESMS_JOURNAL", str(tmp_path / "own.sqlite"))
    for app, file in ((ef.callbacks_app(), "own"), (ef.callbacks_app(tmp_path / "other.sqlite"), "other")):
        assert (tmp_path / f"{file}.sqlite").exists()
        app.close()
    with pytest.raises(ef.InvalidInput, match="and no file"):
        ef.callbacks_app(3)


# The token


def test_a_token_is_made_once_and_is_a_campaigns_own(journal):
    scopes = [
        journal._batches.scope(*key) for key in [("a", "g", "x"), ("b", "g", "x"), ("a", "h", "x"), ("a", "g", "y")]
    ]
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(journal._batches.callback_token, scopes * 5))
    assert len(set(tokens)) == 4
    assert tokens[:4] * 5 == tokens
    assert {len(token) for token in tokens} == {32}
    assert set(journal._batches.callback_tokens()) == set(tokens)


def test_send_puts_it_into_the_address_the_same_at_every_attempt(journal, customers, script):
    """A gateway that takes two attempts: both carry the same token; the journal's batch keeps the template."""
    client = ef.Client("made-up", "made-up-too", base_url=script.url)
    message = ef.Message("Chao", "Baotrixemay", callback_url="https://hooks.example.vn/esms/{token}")
    date = f"Date: {format_datetime(clock.now().astimezone(UTC), usegmt=True)}\r\n"
    script.says(b"{}", status="503 Busy", headers=date)
    options = {"campaign": "Tet", "journal": journal, "progress": False, "checks": False}
    first = ef.send(customers, message, client, **options)
    script.says(b'{"CodeResult":"100","SMSID":"s1"}', headers=date)
    second = ef.resume("Tet", client, journal=journal, progress=False)
    assert (first["status"].unique().tolist(), second["status"].unique().tolist()) == (["unknown"], ["accepted"])
    token = journal._batches.callback_token(journal._batches.scope("Tet", client.gateway, client.account))
    sent = f"<CALLBACKURL>https://hooks.example.vn/esms/{token}</CALLBACKURL>".encode()
    assert len(script.requests) >= 3
    posts = [request for request in script.requests if b"<RQST>" in request]
    assert len(posts) >= 2
    assert all(sent in request for request in posts)
    (batch,) = journal._batches.batches(journal._batches.scope("Tet", client.gateway, client.account))
    assert batch.message.callback_url == message.callback_url


def test_the_token_is_in_no_result_no_error_and_no_traceback(journal, customers, script, caplog):
    """Not even where the gateway's answer repeats the address."""
    caplog.set_level(logging.DEBUG)
    client = ef.Client("made-up", "made-up-too", base_url=script.url)
    message = ef.Message("Chao", "Baotrixemay", callback_url="http://127.0.0.1:9/esms/{token}")
    token = journal._batches.callback_token(journal._batches.scope("Tet", client.gateway, client.account))
    script.says(f'{{"CodeResult":"146","ErrorMessage":"bad http://127.0.0.1:9/esms/{token} ok"}}'.encode())
    results = ef.send(customers, message, client, campaign="Tet", journal=journal, progress=False, checks=False)
    assert results["reason"].str.contains("bad .* ok").all()
    told = results.to_csv() + caplog.text + repr(message._with_token(token)) + repr(journal.campaigns().to_dict())
    script.says(f"<html>{token}</html>".encode())
    try:
        client.send(message._with_token(token), FIFTY)
    except ef.NoAnswer as error:
        below = error.__traceback__.tb_next  # this function has a variable of that name
        told += "".join(traceback.TracebackException(type(error), error, below, capture_locals=True).format())
    assert token not in told


def test_an_address_without_a_token_is_sent_as_it_is(client, customers, sandbox, journal):
    message = ef.Message("Chao", "Baotrixemay", callback_url="http://example.com/sms?a=1&b=2")
    ef.send(customers, message, client, journal=journal, progress=False)
    assert [send.callback_url for send in sandbox._gateway.sends.values()] == ["http://example.com/sms?a=1&b=2"]
    assert journal._batches.callback_tokens() == {}


@pytest.mark.parametrize("sms_type", ["customer_care", "advertising"])
def test_a_rehearsal_fills_in_a_token_of_no_campaign(script, sms_type):
    client = ef.Client("made-up", "made-up-too", base_url=script.url)
    script.says(b'{"CodeResult":"100","SMSID":"s1"}')
    message = ef.Message("Chao", "Any", sms_type, callback_url="https://hooks.example.vn/esms/{token}")
    client.rehearse(message, FIFTY[:1] if sms_type == "customer_care" else FIFTY)
    assert b"https://hooks.example.vn/esms/" in script.requests[0]
    assert b"{token}" not in script.requests[0]
    with pytest.raises(ef.InvalidInput, match="fills in for a campaign"):
        client.send(message, FIFTY)
