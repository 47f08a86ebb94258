"""What is uncertain: over midnight, by wrong clocks, with proxies, other journals and answers that are mixed up."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY, sent
from support.dying import Die, counts, dying, frame, resumed

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.campaigns.sending import dispatch
from esms_frames.gateway import decode
from esms_frames.gateway.http import transport
from esms_frames.journal.batches import BatchStore


def copied(book, copy):
    """Copy a journal as it is now."""
    with closing(sqlite3.connect(book)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)
    return copy


def ids_end_at_midnight(sandbox, patch):
    """Let the gateway free request ids at 00:00, as it did until the summer of 2025."""
    gateway = sandbox._gateway
    real = gateway.send

    def send(*arguments, **options):
        today = clock.now().date()
        for request_id, earlier in list(gateway._by_request.items()):
            if earlier.accepted_at.date() != today:
                del gateway._by_request[request_id]
        return real(*arguments, **options)

    patch.setattr(gateway, "send", send)


@pytest.fixture
def frees_ids(sandbox, monkeypatch):
    ids_end_at_midnight(sandbox, monkeypatch)


@pytest.mark.usefixtures("frees_ids")
@pytest.mark.parametrize(("first", "then"), [("23:20", "00:05"), ("23:59", "00:01"), ("23:40", "23:59")])
def test_nothing_uncertain_is_repeated_over_midnight_though_within_23_hours(
    sandbox,
    client,
    message,
    at,
    died,
    first,
    then,
):
    at(f"2030-01-31 {first}")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    at(f"2030-01-31 {then}" if then > first else f"2030-02-01 {then}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "sent_between", lambda *_a, **_k: iter(()))  # the records are late
        assert counts(resumed("Tết", client)) == {"unknown": 50}
    assert len(sandbox.sent) == 50
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


@pytest.mark.usefixtures("frees_ids")
@pytest.mark.parametrize("moment", ["waits", "connects"])
def test_a_retry_whose_wait_or_connection_crosses_midnight_does_not_leave(sandbox, client, message, at, moment):
    at("2030-01-31 23:30")
    real, calls = client.send, []

    def cut(*arguments, **options):
        calls.append(1)
        if len(calls) > 1 and moment == "connects":
            at("2030-02-01 00:00:01")
        answer = real(*arguments, **options)
        if len(calls) == 1:
            if moment == "waits":
                at("2030-02-01 00:00:01")
            raise ef.NoAnswer("cut")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", cut)
        results = sent(frame(FIFTY), message, client, campaign="Tết")
    assert counts(results) == {"unknown": 50}
    assert len(sandbox.sent) == 50


def test_a_run_that_goes_on_over_midnight_sends_what_it_planned_itself(sandbox, client, message, at):
    at("2030-01-31 23:59:59")
    real = client.send

    def send(*arguments, **options):
        answer = real(*arguments, **options)
        at("2030-02-01 00:00:30")
        return answer

    audience = ef.prepare(frame([f"09{n:08d}" for n in range(300)]), max_batch=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", send)
        assert counts(sent(audience, message, client, concurrency=1)) == {"accepted": 300}


@pytest.mark.usefixtures("frees_ids")
def test_what_an_older_copy_has_planned_the_day_before_is_asked_about_first(sandbox, client, message, at, tmp_path):
    at("2030-01-31 20:00")
    book = tmp_path / "journal.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.Unreachable("no network")))
        sent(frame(FIFTY), message, client, campaign="Tết", journal=book)
    older = copied(book, tmp_path / "older.sqlite")
    sent(frame(FIFTY), message, client, campaign="Tết", journal=book)
    at("2030-02-01 08:00")
    assert counts(resumed("Tết", client, journal=older)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


# Clocks


def without_a_date(patch):
    patch.setattr(transport, "_measure_offset", lambda _: None)


def test_a_clock_that_was_set_back_while_answers_carry_no_date_repeats_nothing(
    sandbox,
    client,
    message,
    at,
    died,
    monkeypatch,
):
    without_a_date(monkeypatch)
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    at("2030-01-31 20:00")
    assert counts(sent(frame([f"0912{n:06d}" for n in range(50)]), message, client, campaign="later")) == {
        "accepted": 50
    }
    at("2030-01-31 08:10")  # the clock was set back, and the gateway's is at 08:10 of some other day
    sandbox._gateway._by_request.clear()
    monkeypatch.setattr(client, "sent_between", lambda *_a, **_k: iter(()))
    results = resumed("Tết", client)
    assert counts(results) == {"unknown": 50}
    assert (
        "was set" in results["reason"].iloc[0]
        or "clock" in results["reason"].iloc[0]
        or "too recent" in str(results["reason"].iloc[0])
    )
    assert len(sandbox.sent) == 100


@pytest.mark.parametrize("said", ["no date", "no answer"])
def test_nothing_uncertain_is_repeated_where_the_gateways_clock_is_not_known(
    sandbox,
    message,
    at,
    died,
    monkeypatch,
    said,
):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    at("2030-01-31 12:00")
    sandbox._gateway._by_request.clear()  # the gateway's clock is days ahead
    client = sandbox.client()
    if said == "no date":
        without_a_date(monkeypatch)
    else:
        client.balance()
        monkeypatch.setattr(client, "balance", lambda: (_ for _ in ()).throw(ef.NoAnswer("no word")))
    monkeypatch.setattr(client, "sent_between", lambda *_a, **_k: iter(()))
    results = resumed("Tết", client)
    assert counts(results) == {"unknown": 50}
    assert "what time it is" in results["reason"].iloc[0]
    assert len(sandbox.sent) == 50


def test_within_a_run_nothing_is_repeated_where_the_gateways_clock_is_not_known(sandbox, client, message, monkeypatch):
    without_a_date(monkeypatch)
    real, calls = client.send, []

    def cut(*arguments, **options):
        calls.append(1)
        real(*arguments, **options)
        raise ef.NoAnswer("cut")

    monkeypatch.setattr(client, "send", cut)
    results = sent(frame(FIFTY), message, client)
    assert counts(results) == {"unknown": 50}
    assert results["reason"].iloc[0] == "cut"
    assert len(calls) == 1


@pytest.mark.parametrize("ahead", [11, -11])
def test_advertising_does_not_go_out_at_night_by_the_gateways_clock(sandbox, client, at, monkeypatch, ahead):
    at("2030-01-31 12:30" if ahead > 0 else "2030-01-31 10:30")
    monkeypatch.setattr(transport, "_measure_offset", lambda _: timedelta(hours=ahead))
    advert = ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising")
    for checks in (True, False):
        with pytest.raises(ef.InvalidInput, match="11 hours"):
            sent(frame(FIFTY), advert, client, campaign=f"QC {checks}", checks=checks)
    assert sandbox.sent.empty


def test_what_the_gateways_clock_said_holds_for_the_hours_though_answers_carry_no_date_any_more(
    sandbox, client, at, monkeypatch
):
    """A proxy's 502 in the middle of a run carries no Date, and it is night by the gateway's clock meanwhile."""
    at("2030-01-31 10:30")
    monkeypatch.setattr(transport, "_measure_offset", lambda _: timedelta(hours=11))
    advert, phones = ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising"), [f"09{n:08d}" for n in range(120)]
    real = client.send

    def send(*arguments, **options):
        answer = real(*arguments, **options)
        at("2030-01-31 11:30")
        client._transport.clock_offset = None
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", send)
        results = sent(ef.prepare(frame(phones), max_batch=60), advert, client, concurrency=1, campaign="QC")
    assert counts(results) == {"accepted": 60, "not_sent": 60}
    assert "22:30" in results["reason"].iloc[60]
    assert len(sandbox.sent) == 60


# 124


def test_after_a_refusal_and_a_cut_the_gateway_is_asked_what_124_means(sandbox, client, message, at, monkeypatch):
    """160, then a cut, then 124: the gateway keeps the ids of what it refuses, and nobody was texted."""
    at("2030-01-31 08:00")
    answers = iter([ef.Refused(160), ef.NoAnswer("cut"), ef.Refused(124)])
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(next(answers)))
        assert counts(sent(frame(FIFTY), message, client, campaign="Tết")) == {"unknown": 50}
    assert sandbox.sent.empty
    at("2030-01-31 08:30")
    assert counts(resumed("Tết", client)) == {"unknown": 50}  # the records may be late
    at("2030-01-31 09:31")
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


def test_what_124_says_is_found_in_the_records(sandbox, client, message, monkeypatch):
    real, calls = client.send, []

    def first_refused_then_cut(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise ef.Refused(160)
        answer = real(*arguments, **options)
        if len(calls) == 2:
            raise ef.NoAnswer("cut")
        return answer

    monkeypatch.setattr(client, "send", first_refused_then_cut)
    results = sent(frame(FIFTY), message, client)
    assert len(calls) == 3
    assert counts(results) == {"accepted": 50}
    assert set(results["sms_id"]) == set(sandbox.sent["sms_id"])


def test_a_proxy_that_sends_a_request_twice_makes_nobodys_row_another_runs(sandbox, client, message, monkeypatch):
    real = client._transport.post

    def twice(path, *arguments, **options):
        if path.startswith("SendMultiple"):
            real(path, *arguments, **options)
        return real(path, *arguments, **options)

    monkeypatch.setattr(client._transport, "post", twice)
    results = sent(frame(FIFTY), message, client)
    assert counts(results) == {"accepted": 50}
    assert set(results["sms_id"]) == set(sandbox.sent["sms_id"])
    assert len(sandbox.sent) == 50


def test_where_the_records_are_late_it_is_said_what_is_likely(client, message, monkeypatch):
    real = client._transport.post

    def twice(path, *arguments, **options):
        if path.startswith("SendMultiple"):
            real(path, *arguments, **options)
        return real(path, *arguments, **options)

    monkeypatch.setattr(client._transport, "post", twice)
    monkeypatch.setattr(client, "sent_between", lambda *_a, **_k: (_ for _ in ()).throw(ef.NoAnswer("no word")))
    results = sent(frame(FIFTY), message, client)
    assert counts(results) == {"unknown": 50}
    assert "no word" in results["reason"].iloc[0]


def test_what_another_run_sent_hours_ago_is_already_sent_with_its_sms_id(sandbox, client, message, at, tmp_path):
    at("2030-01-31 08:00")
    first = sent(frame(FIFTY), message, client, campaign="Tết")
    at("2030-01-31 12:00")
    results = sent(frame(FIFTY), message, client, campaign="Tết", journal=tmp_path / "other.sqlite")
    assert counts(results) == {"already_sent": 50}
    assert "does not know" in results["reason"].iloc[0]
    assert set(results["sms_id"]) == set(first["sms_id"])
    assert len(sandbox.sent) == 50


# Answers of others


def test_an_answer_with_the_sms_id_of_another_batch_settles_nothing(sandbox, client, message, monkeypatch):
    audience = ef.prepare(frame([f"09{n:08d}" for n in range(300)]), max_batch=100)
    real, calls, closed = client.send, [], []

    def late(*arguments, **options):
        if len(calls) == 1:  # the first one's answer comes once more, and this request gets lost
            calls.append(calls[0])
            return calls[0]
        calls.append(real(*arguments, **options))
        return calls[-1]

    monkeypatch.setattr(client, "send", late)
    monkeypatch.setattr(client, "close", lambda: closed.append(1))
    results = sent(audience, message, client, concurrency=1)
    assert counts(results) == {"accepted": 300}
    assert results.groupby("batch")["sms_id"].first().is_unique
    assert results.groupby("batch")["attempts"].first().tolist() == [1, 2, 1]
    assert closed
    assert sandbox.sent["phone"].is_unique
    assert len(sandbox.sent) == 300


def test_an_answer_of_another_batch_that_comes_again_and_again_leaves_it_unknown(client, message, monkeypatch):
    audience = ef.prepare(frame([f"09{n:08d}" for n in range(200)]), max_batch=100)
    monkeypatch.setattr(client, "send", lambda *_a, **_k: decode.Answer(100, "one"))
    results = sent(audience, message, client, concurrency=1)
    assert counts(results) == {"accepted": 100, "unknown": 100}
    assert "SMSID of another batch" in results.loc[results["status"] == "unknown", "reason"].iloc[0]


# An older copy of the journal


def test_an_older_copy_of_the_journal_does_not_text_those_again_whom_it_lacks(sandbox, client, message, at, tmp_path):
    at("2030-01-31 08:00")
    book, phones = tmp_path / "journal.sqlite", [f"09{n:08d}" for n in range(300)]
    sent(frame(phones[:100]), message, client, campaign="Tết", journal=book)
    older = copied(book, tmp_path / "older.sqlite")
    at("2030-01-31 10:00")
    lacking = sent(frame(phones[:200]), message, client, campaign="Tết", journal=book)
    at("2030-02-01 09:00")
    resumed("Tết", client, journal=older)
    results = sent(frame(phones), message, client, campaign="Tết", journal=older)
    assert counts(results) == {"accepted": 100, "already_sent": 200}
    assert results["sms_id"][100:200].tolist() == lacking["sms_id"][100:200].tolist()
    assert "older copy" in results["reason"].iloc[150]
    assert sandbox.sent["phone"].is_unique
    again = sent(frame(phones), message, client, campaign="Tết", journal=older)
    assert counts(again) == {"already_sent": 300}


def test_a_gateway_that_cannot_be_asked_for_what_the_journal_may_lack_stops_no_send(client, message, monkeypatch):
    sent(frame(FIFTY), message, client, campaign="Tết")
    monkeypatch.setattr(client, "sent_between", lambda *_a, **_k: (_ for _ in ()).throw(ef.Refused(101)))
    results = sent(frame([f"0912{n:06d}" for n in range(50)]), message, client, campaign="Tết")
    assert counts(results) == {"accepted": 50}


# The do-not-contact list during a run


@pytest.fixture
def advert(at):
    at("2030-01-31 10:00")
    return ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising")


def test_a_number_listed_during_a_run_is_not_texted_and_the_others_of_its_batch_are(sandbox, client, advert):
    phones = [f"09{n:08d}" for n in range(300)]
    real, calls = client.send, []

    def listing(*arguments, **options):
        answer = real(*arguments, **options)
        if not calls:
            ef.Journal().do_not_contact.add(
                [phones[0], phones[150]]
            )  # of a batch that has left, and of one that has not
        calls.append(answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", listing)
        results = sent(ef.prepare(frame(phones), max_batch=100), advert, client, concurrency=1, campaign="QC")
    assert counts(results) == {"accepted": 299, "excluded": 1}
    assert results["status"].iloc[150] == "excluded"
    assert "do-not-contact" in results["reason"].iloc[150]
    assert sorted(sandbox.sent["phone"]) == [*phones[:150], *phones[151:]]
    assert counts(ef.results("QC")) == {"accepted": 299}


def test_a_batch_with_a_listed_number_whose_others_are_too_few_is_not_tried(sandbox, client, advert):
    phones = [f"09{n:08d}" for n in range(60)]
    real = client.send

    def listing(*arguments, **options):
        answer = real(*arguments, **options)
        ef.Journal().do_not_contact.add(phones[59])
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", listing)
        results = sent(ef.prepare(frame(phones), max_batch=59), advert, client, concurrency=1)
    assert counts(results) == {"accepted": 30, "not_sent": 30}
    assert phones[59] not in set(sandbox.sent["phone"])


def test_customer_care_goes_to_those_on_the_list(sandbox, client, message):
    phones = [f"09{n:08d}" for n in range(200)]
    real = client.send

    def listing(*arguments, **options):
        answer = real(*arguments, **options)
        ef.Journal().do_not_contact.add(phones[150])
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", listing)
        assert counts(sent(ef.prepare(frame(phones), max_batch=100), message, client, concurrency=1)) == {
            "accepted": 200
        }
    assert len(sandbox.sent) == 200


# Killed between a refusal and the halves


def test_killed_between_a_refusal_and_the_halves_the_batch_is_settled_and_split_later(message, at, monkeypatch):
    at("2030-01-31 08:00")
    with ef.Sandbox(balance=10**9, blocked=[FIFTY[0]]) as sandbox:
        client = sandbox.client()
        phones = [*FIFTY, *(f"0912{n:06d}" for n in range(70))]
        with monkeypatch.context() as patch:
            patch.setattr(BatchStore, "split", lambda *_a, **_k: (_ for _ in ()).throw(Die()))
            patch.setattr(BatchStore, "release", lambda *_, **__: None)
            patch.setattr(dispatch, "run_name", lambda: "elsewhere:999999999:1.0:a")
            with dying(client, 99, after=False), pytest.raises(Die):
                sent(frame(phones), message, client, campaign="Tết", concurrency=1)
        at("2030-01-31 08:20")
        assert counts(resumed("Tết", client)) == {"unknown": 120}  # refused, and whether the first was is not known
        at("2030-01-31 08:40")
        assert counts(resumed("Tết", client)) == {"unknown": 120}  # not tried again: that would tell nothing
        at("2030-01-31 09:25")
        results = resumed("Tết", client)
        assert counts(results) == {"accepted": 90, "refused": 30}
        assert sandbox.sent["phone"].is_unique


def test_two_batches_that_come_with_one_sms_id_at_once_are_not_both_accepted(client, message, monkeypatch):
    audience = ef.prepare(frame([f"09{n:08d}" for n in range(200)]), max_batch=100)
    both = threading.Barrier(2, timeout=10)
    calls = []

    def same(*_a, **_k):
        calls.append(1)
        if len(calls) <= 2:
            both.wait()
        return decode.Answer(100, "one")

    monkeypatch.setattr(client, "send", same)
    assert counts(sent(audience, message, client, concurrency=2)) == {"accepted": 100, "unknown": 100}


def test_numbers_are_left_to_the_batch_that_has_them_when_sends_are_found(client, message, at, monkeypatch):
    at("2030-01-31 08:00")
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.NoAnswer("cut")))
        sent(frame(FIFTY), message, client, campaign="Tết")
    at("2030-01-31 08:30")
    base = {"content": message.content, "price": 0, "send_status": 5, "send_result": 1, "sent_at": None}
    held = [decode.SentMessage(**base, sms_id="s", campaign="Tết", phone=phone) for phone in FIFTY[:20]]
    with monkeypatch.context() as patch:
        patch.setattr(client, "sent_between", lambda *_a, **_k: iter(held))
        sent(frame([f"0912{n:06d}" for n in range(40)]), message, client, campaign="Tết")
    results = ef.results("Tết")
    assert len(results) == 90
    assert pd.Index(results["phone"]).is_unique
    assert np.isin(results["status"].astype(str), ["accepted", "unknown"]).all()
