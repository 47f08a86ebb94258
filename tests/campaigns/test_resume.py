"""A campaign as a scope: run again, changed, interrupted, uncertain, twice at once; nobody twice, nobody lost."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY, MORE, sent
from support.dying import counts, frame, resumed
from support.journals import batches_of
from support.live_gateway import LiveGateway
from support.sandbox_truth import shift_ledger
from support.weight import heavy_after
from urllib3.connection import HTTPConnection

import esms_frames as ef
from esms_frames.campaigns.decisions.allocation import allocate
from esms_frames.campaigns.decisions.order import take_order
from esms_frames.campaigns.sending.dispatch import Dispatcher
from esms_frames.gateway import pace
from esms_frames.gateway.decode import SentMessage
from esms_frames.gateway.http import transport
from esms_frames.journal.batches import BatchStore
from esms_frames.journal.records import NewBatch, TextedNumbers

pytestmark = [
    pytest.mark.both_journals,
    # Texts are corrected here, and who keeps the one of before is told with the results.
    pytest.mark.filterwarnings("ignore::esms_frames.SentOtherwiseWarning"),
]


# The campaign as scope


def test_too_few_new_numbers_are_not_sent_and_said_so(sandbox, client, message):
    sent(frame(FIFTY), message, client, campaign="Tết")
    results = sent(frame([*FIFTY, *MORE[:7]]), message, client, campaign="Tết")
    assert counts(results) == {"already_sent": 50, "not_sent": 7}
    assert "Only 7" in results.loc[results["status"] == "not_sent", "reason"].iloc[0]
    assert len(sandbox.sent) == 50


def test_another_campaign_texts_again_and_the_same_text_without_a_name_does_not(sandbox, client, message):
    sent(frame(FIFTY), message, client)
    assert counts(sent(frame(FIFTY), message, client)) == {"already_sent": 50}
    assert counts(sent(frame(FIFTY), message, client, campaign="again")) == {"accepted": 50}
    assert len(sandbox.sent) == 100


def test_a_rehearsal_counts_for_no_other_gateway_or_account(client, message):
    sent(frame(FIFTY), message, client, campaign="Tết")
    with ef.Sandbox() as other:
        assert counts(sent(frame(FIFTY), message, other.client(), campaign="Tết")) == {"accepted": 50}


def test_a_sandbox_found_again_in_its_file_is_the_same_account(message, tmp_path):
    for status in ("accepted", "already_sent"):
        with ef.Sandbox(state=tmp_path / "sandbox.jsonl") as sandbox:
            assert counts(sent(frame(FIFTY), message, sandbox.client(), campaign="Tết")) == {status: 50}


def test_numbers_that_were_refused_may_be_sent_again_under_another_request_id(sandbox, client, message, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.Refused(99)))
        refused = sent(frame(FIFTY), message, client, campaign="Tết")
    again = sent(frame(FIFTY), message, client, campaign="Tết")
    assert (counts(refused), counts(again)) == ({"refused": 50}, {"accepted": 50})
    assert refused["request_id"].iloc[0] != again["request_id"].iloc[0]
    assert counts(ef.results("Tết")) == {"accepted": 50}


def test_what_the_account_lacked_is_sent_once_it_is_there(message):
    with ef.Sandbox(balance=0) as sandbox:
        poor = sent(frame(FIFTY), message, sandbox.client(), campaign="Tết", checks=False)
        assert counts(poor) == {"refused": 50}
        assert poor["code"].tolist() == [103] * 50
        sandbox._gateway.balance = 10**9
        assert counts(resumed("Tết", sandbox.client())) == {"accepted": 50}


# Interrupted


def test_an_exclude_list_that_has_grown_since_is_respected(sandbox, client, message, died):
    phones = [f"09{n:08d}" for n in range(300)]
    died(ef.prepare(frame(phones), max_batch=100), message, 0, after=False, campaign="Tết")
    # Batch 1 may have arrived, and holds an excluded number now; batches 2 and 3 never left.
    stopped = [phones[0], phones[150]]
    results = sent(ef.prepare(frame(phones), exclude=stopped), message, client, campaign="Tết")
    assert counts(results) == {"accepted": 199, "unknown": 99, "excluded": 2}
    assert not set(stopped) & set(sandbox.sent["phone"])


def test_a_text_that_was_corrected_since_goes_to_those_who_were_not_sent_the_other(sandbox, client, message, died):
    phones = [f"09{n:08d}" for n in range(300)]
    died(ef.prepare(frame(phones), max_batch=100), message, 1, after=True, campaign="Tết")
    corrected = ef.Message("Cam on quy khach rat nhieu!", "Baotrixemay")
    assert counts(sent(frame(phones), corrected, client, campaign="Tết")) == {"accepted": 200, "already_sent": 100}
    texts = sandbox.sent.groupby("content")["phone"].size().to_dict()
    assert texts == {message.content: 200, corrected.content: 100}
    assert sandbox.sent["phone"].is_unique


def test_ctrl_c_lets_what_is_under_way_settle_and_resume_goes_on(sandbox, client, message, monkeypatch):
    phones = [f"09{n:08d}" for n in range(3000)]
    audience = ef.prepare(frame(phones), max_batch=100)
    real = pace.wait
    looks = iter(range(10**6))

    def interrupted(*arguments, **options):
        if next(looks) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sent(audience, message, client, campaign="Tết")
    there = counts(ef.results("Tết"))
    assert "unknown" not in there
    assert there["accepted"] == len(sandbox.sent) < 3000
    assert counts(resumed("Tết", client)) == {"accepted": 3000}
    assert sandbox.sent["phone"].is_unique


def test_an_interrupted_schedule_that_is_past_is_not_sent_at_once(sandbox, client, at, died):
    at("2030-01-31 08:00")
    scheduled = ef.Message("Xin chao", "Baotrixemay", send_at="2030-01-31 09:00")
    audience = ef.prepare(frame([f"09{n:08d}" for n in range(200)]), max_batch=100)
    died(audience, scheduled, 0, after=True, campaign="Tết")
    at("2030-01-31 12:00")
    results = resumed("Tết", client)
    assert counts(results) == {"accepted": 100, "not_sent": 100}  # the first is found in the gateway's records
    assert "past" in results.loc[results["status"] == "not_sent", "reason"].iloc[0]
    assert len(sandbox.sent) == 100


def unreachable(*_, **__):
    raise ef.Unreachable("no network")


def test_segments_sent_one_after_the_other_in_a_campaign_do_not_drop_each_others_unfinished_batches(
    sandbox, client, message, monkeypatch
):
    df = pd.DataFrame({"sdt": [*FIFTY, *MORE], "seg": ["vip"] * 50 + ["new"] * 50})
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", unreachable)
        sent(df, {"vip": message}, client, by="seg", campaign="Tết")
    other = ef.Message("Chao mung!", "Baotrixemay")
    sent(df, {"new": other}, client, by="seg", campaign="Tết")
    assert sandbox.sent.groupby("content")["phone"].agg(set).to_dict() == {
        message.content: set(FIFTY),
        other.content: set(MORE),
    }


def test_a_row_without_a_segment_does_not_keep_its_number_from_being_settled_in_another(sandbox, client, message, died):
    df = pd.DataFrame({"sdt": [FIFTY[0], *FIFTY], "seg": [None] + ["vip"] * 50})
    died(df, {"vip": message}, 0, after=False, by="seg", campaign="Tết")
    assert counts(sent(df, {"vip": message}, client, by="seg", campaign="Tết")) == {"accepted": 50, "excluded": 1}
    assert len(sandbox.sent) == 50


# Uncertain


def test_within_the_day_an_uncertain_batch_is_settled_by_its_request_id(sandbox, client, message, at, died):
    at("2030-01-31 00:20")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    at("2030-01-31 23:15")
    results = resumed("Tết", client)
    assert counts(results) == {"accepted": 50}
    assert results["code"].tolist() == [124] * 50
    assert len(sandbox.sent) == 50


def test_what_the_gateway_cannot_be_asked_stays_unknown_and_named(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    at("2030-02-02 08:00")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "sent_between", lambda *_a, **_k: (_ for _ in ()).throw(ef.NoAnswer("no word")))
        results = resumed("Tết", client)
    assert counts(results) == {"unknown": 50}
    assert "no word" in results["reason"].iloc[0]
    assert len(sandbox.sent) == 50


@pytest.mark.sqlite
@pytest.mark.parametrize(("corrected", "exclude"), [(None, FIFTY[:1]), ("Cam on!", None)])
def test_an_older_copy_of_the_journal_replaces_no_batch_that_the_gateway_cannot_be_asked_about(
    sandbox, client, message, at, tmp_path, corrected, exclude
):
    at("2030-01-31 08:00")
    copy = tmp_path / "copy.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.Unreachable("no network")))
        sent(frame(FIFTY), message, client, campaign="Tết")
    with closing(sqlite3.connect(os.environ["ESMS_JOURNAL"])) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)
    sent(frame(FIFTY), message, client, campaign="Tết")  # what the copy does not know
    at("2030-02-01 08:01")
    text = ef.Message(corrected, "Baotrixemay") if corrected else message
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "sent_between", lambda *_a, **_k: (_ for _ in ()).throw(ef.NoAnswer("no word")))
        results = sent(frame(FIFTY), text, client, campaign="Tết", journal=copy, exclude=exclude)
    assert counts(results).get("accepted") is None
    assert sandbox.sent["phone"].is_unique
    assert counts(sent(frame(FIFTY), message, client, campaign="Tết", journal=copy)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


def test_that_the_gateway_shows_nothing_after_a_week_says_nothing(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=False, campaign="Tết")
    at("2030-02-10 08:00")
    results = resumed("Tết", client)
    assert counts(results) == {"unknown": 50}
    assert "too long ago" in results["reason"].iloc[0]
    assert sandbox.sent.empty


def test_a_batch_of_another_campaign_with_the_same_numbers_is_not_taken_for_it(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=False, campaign="Tết")
    sent(frame(FIFTY), message, client, campaign="another")
    at("2030-02-02 08:00")
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert sandbox.sent["campaign"].value_counts().to_dict() == {"another": 50, "Tết": 50}


def test_a_schedule_still_to_come_does_not_show_and_stays_unknown(sandbox, client, at, died):
    at("2030-01-31 08:00")
    later = ef.Message("Xin chao", "Baotrixemay", send_at="2030-02-05 09:00")
    died(frame(FIFTY), later, 0, after=True, campaign="Tết")
    at("2030-02-02 08:00")
    results = resumed("Tết", client)
    assert counts(results) == {"unknown": 50}
    assert "schedule" in results["reason"].iloc[0]
    at("2030-02-05 12:00")
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


def test_a_batch_that_another_run_left_uncertain_long_ago_is_not_repeated_by_one_that_knew_it_as_planned(
    sandbox, client, message, at
):
    at("2030-01-31 08:00")
    book = ef.Journal()
    scope = book._batches.scope("Tết", client.gateway, client.account)
    new = NewBatch("r-1", message, 30, np.arange(901888410, 901888460, dtype=np.int32))
    planned = book._batches.plan(scope, "elsewhere:1:1.0:a", lambda *_: ([], [new]), TextedNumbers())
    book._batches.begin_attempt(planned[0], "elsewhere:1:1.0:b", 0.0)
    at("2030-02-01 08:01")
    Dispatcher(book._batches, scope, client, concurrency=1, rate=None, split=True).drive([planned], progress=False)
    assert sandbox.sent.empty
    assert counts(ef.results("Tết")) == {"unknown": 50}


def test_a_laptop_that_sleeps_while_it_begins_an_attempt_does_not_repeat_a_batch_a_day_later(
    sandbox, client, message, at, monkeypatch
):
    """The request id is safe when the attempt begins, and not any more once that is on disk."""
    at("2030-01-31 08:00")
    real_send, taken = client.send, []

    def answered_nothing(*arguments, **options):
        if not taken:
            taken.append(real_send(*arguments, **options))
        raise ef.NoAnswer("cut")

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", answered_nothing)
        assert counts(sent(frame(FIFTY), message, client)) == {"unknown": 50}
    real = BatchStore.begin_attempt

    def begin(journal, *arguments, **options):
        attempt = real(journal, *arguments, **options)
        at("2030-02-01 09:00")
        return attempt

    at("2030-01-31 20:00")
    with monkeypatch.context() as patch:
        patch.setattr(BatchStore, "begin_attempt", begin)
        results = sent(frame(FIFTY), message, client)
    assert counts(results) == {"unknown": 50}
    assert results["reason"].str.contains("resume the campaign").all()
    assert len(sandbox.sent) == 50


def connecting(patch, then):
    """Let something happen while a run's connection to the gateway is being made."""
    real = HTTPConnection.connect

    def connect(connection):
        real(connection)
        if threading.current_thread().name.startswith("esms-send"):
            then()

    patch.setattr(HTTPConnection, "connect", connect)


def test_a_laptop_that_sleeps_while_it_connects_does_not_repeat_a_batch_a_day_later(
    sandbox, client, message, at, monkeypatch
):
    at("2030-01-31 08:00")
    real_send, taken = client.send, []

    def answered_nothing(*arguments, **options):
        if not taken:
            taken.append(real_send(*arguments, **options))
        raise ef.NoAnswer("cut")

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", answered_nothing)
        assert counts(sent(frame(FIFTY), message, client)) == {"unknown": 50}
    at("2030-01-31 20:00")
    with monkeypatch.context() as patch:
        connecting(patch, lambda: at("2030-02-01 09:00"))
        results = sent(frame(FIFTY), message, client)
    assert counts(results) == {"unknown": 50}
    assert len(sandbox.sent) == 50


@pytest.mark.parametrize("send_at", [None, "2030-01-31 21:59:30"])
@pytest.mark.parametrize("when", ["begins", "connects"])
def test_advertising_does_not_leave_at_night_when_a_machine_sleeps_as_it(
    sandbox, client, at, monkeypatch, when, send_at
):
    advert = ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising", send_at=send_at)
    at("2030-01-31 21:59")
    with monkeypatch.context() as patch:
        if when == "connects":
            connecting(patch, lambda: at("2030-01-31 22:01"))
        else:
            real = BatchStore.begin_attempt

            def begin(journal, *arguments, **options):
                attempt = real(journal, *arguments, **options)
                at("2030-01-31 22:01")
                return attempt

            patch.setattr(BatchStore, "begin_attempt", begin)
        results = sent(frame(FIFTY), advert, client, campaign="QC", checks=False)
    assert counts(results) == {"not_sent": 50}
    assert results["reason"].str.contains("07:00").all()
    assert len(sandbox.sent) == 0
    at("2030-02-01 08:00")
    if send_at is None:
        assert counts(resumed("QC", client)) == {"accepted": 50}


def test_what_the_gateway_sent_hours_after_it_was_taken_is_found(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    shift_ledger(sandbox, timedelta(hours=20))
    at("2030-02-01 08:01")
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


def test_a_clock_that_was_days_ahead_and_was_set_right_leaves_it_unknown(sandbox, client, message, at, died):
    at("2030-02-03 08:00")
    died(frame(FIFTY), message, 0, after=False, campaign="Tết")
    at("2030-01-31 10:00")
    results = resumed("Tết", client)
    assert counts(results) == {"unknown": 50}
    assert "clock was set" in results["reason"].iloc[0]
    assert sandbox.sent.empty


def test_a_clock_that_differs_from_the_gateways_repeats_nothing_uncertain(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "_measure_offset", lambda _: timedelta(hours=5))
        patch.setattr(client, "sent_between", lambda *_a, **_k: iter(()))
        for when in ("2030-01-31 10:00", "2030-02-01 12:00"):
            at(when)
            results = resumed("Tết", client)
            assert counts(results) == {"unknown": 50}
            assert "clock" in results["reason"].iloc[0]
    assert len(sandbox.sent) == 50


@pytest.mark.parametrize(
    ("told", "status"),
    heavy_after(
        5,
        [
            ({"campaign": "Tết"}, "accepted"),
            ({"campaign": " Te\u0302\u0301t "}, "accepted"),
            ({"campaign": "Tết", "only": 49}, "unknown"),
            ({"campaign": ""}, "unknown"),
            ({"campaign": "cut off name"}, "unknown"),
            ({"campaign": "TẾT"}, "accepted"),
            (
                {"campaign": "another", "content": "another text"},
                "unknown",
            ),  # a label, or a text that was cut, looks like that
            ({"campaign": "", "content": "Ma OTP 1234"}, "unknown"),
            ({"campaign": "", "content": ""}, "unknown"),
            ({"campaign": "Tết", "prefix": "8491"}, "sent"),
            ({"campaign": "", "prefix": "8490188****"}, "unknown"),
            ({"campaign": "", "prefix": "", "only": 1}, "unknown"),
        ],
    ),
)
def test_what_the_gateway_holds_is_compared_with_care(sandbox, client, message, at, died, told, status):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=False, campaign="Tết")
    at("2030-02-01 08:01")
    base = {"content": message.content, "sms_id": "s", "price": 0, "send_status": 5, "send_result": 1, "sent_at": None}
    told = dict(told)
    only, prefix = told.pop("only", 50), told.pop("prefix", "8490")
    rest = 3 if len(prefix) == 4 else 10
    held = [SentMessage(**base | told, phone=prefix + phone[rest:]) for phone in FIFTY[:only]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "sent_between", lambda *_a, **_k: iter(held))
        results = resumed("Tết", client)
    assert counts(results) == {"accepted" if status == "sent" else status: 50}
    assert len(sandbox.sent) == (50 if status == "sent" else 0)


def test_a_batch_that_was_tried_within_the_hour_is_not_said_to_be_absent(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=False, campaign="Tết")
    at("2030-01-31 23:30")
    real = client.send
    with pytest.MonkeyPatch.context() as patch:

        def lost(*arguments, **options):
            real(*arguments, **options)
            at("2030-01-31 23:50")
            raise ef.NoAnswer("cut")

        patch.setattr(client, "send", lost)
        assert counts(resumed("Tết", client)) == {"unknown": 50}
    at("2030-02-01 00:20")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "sent_between", lambda *_a, **_k: iter(()))  # the records are late
        results = sent(frame(FIFTY), message, client, campaign="Tết", exclude=FIFTY[:1])
    assert counts(results) == {"unknown": 49, "excluded": 1}
    assert len(sandbox.sent) == 50


def test_what_another_journal_sent_to_some_of_a_batch_does_not_make_it_accepted(
    sandbox, client, message, at, died, another_address
):
    at("2030-01-31 08:00")
    died(frame([*FIFTY[40:], *MORE]), message, 0, after=False, campaign="Tết")
    sent(frame(FIFTY), message, client, campaign="Tết", journal=another_address)
    at("2030-02-01 09:00")
    results = resumed("Tết", client)
    assert counts(results) == {"unknown": 60}
    assert "10 of its 60" in results["reason"].iloc[0]


def test_a_page_that_fails_is_asked_for_again(sandbox, client, message, at, died):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    at("2030-02-01 09:00")
    real, calls = client._transport.post_json, iter(range(10))

    def failing(path, fields, read):
        if path == "GetSmsSentData_V2" and next(calls) < 2:
            raise ef.NoAnswer("cut")
        return real(path, fields, read)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client._transport, "post_json", failing)
        assert counts(resumed("Tết", client)) == {"accepted": 50}


def test_batches_of_customers_who_are_not_in_the_dataframe_now_are_finished_too(sandbox, client, message, died):
    phones = [f"09{n:08d}" for n in range(300)]
    died(ef.prepare(frame(phones), max_batch=100), message, 0, after=False, campaign="Tết")
    assert counts(sent(frame(FIFTY), message, client, campaign="Tết")) == {"accepted": 50}
    assert sorted(sandbox.sent["phone"]) == sorted([*phones, *FIFTY])
    assert counts(ef.results("Tết")) == {"accepted": 350}


@pytest.mark.heavy
def test_a_campaign_of_many_batches_is_planned_anew_by_few_looks_at_its_numbers(client, message, died, monkeypatch):
    audience = ef.prepare(frame([f"09{n:08d}" for n in range(3000)]), max_batch=60)
    died(audience, message, 0, after=False, campaign="Tết")
    looks = []
    real = np.isin
    monkeypatch.setattr(np, "isin", lambda *arguments: looks.append(1) or real(*arguments))
    there = batches_of("Tết")
    order = take_order(audience, message, campaign="Tết", phone=None, by=None, exclude=None, rules_off=(), rules_on=())
    book = ef.Journal()
    book._batches.consult(
        book._batches.scopes("Tết")[0],
        lambda known: allocate(order.groups, order.excluded, known, "Tết", 60),
        TextedNumbers(),
    )
    assert len(there) == 50
    assert len(looks) < 10


# Two at once


def test_the_late_one_waits_for_what_the_other_has(message, monkeypatch):
    with ef.Sandbox(latency=0.5) as sandbox:
        early = threading.Thread(
            target=sent, args=(frame(FIFTY), message, sandbox.client()), kwargs={"campaign": "Tết"}
        )
        early.start()
        time.sleep(0.3)
        start = time.monotonic()
        late = sent(frame(FIFTY), message, sandbox.client(), campaign="Tết")
        assert time.monotonic() - start > 0.1
        early.join()
        assert counts(late) == {"already_sent": 50}
        assert "another run" in late["reason"].iloc[0]
        assert len(sandbox.sent) == 50


# Results of the past


def test_results_are_rebuilt_as_they_were(client, message):
    customers = frame([*FIFTY, "x", FIFTY[0]]).set_axis([f"k{n % 5}" for n in range(52)])
    first = sent(customers, message, client, campaign="Tết")
    pd.testing.assert_frame_equal(ef.results("Tết", customers), first)
    alone = ef.results("Tết")
    assert alone["phone"].tolist() == FIFTY
    assert counts(alone) == {"accepted": 50}
    with_others = ef.results("Tết", frame([*FIFTY, *MORE]))
    assert counts(with_others) == {"accepted": 50, "not_sent": 50}
    assert "not in the campaign" in with_others["reason"].iloc[-1]


def test_a_campaign_that_is_not_there_is_said_so(client, message):
    for call in (lambda: ef.results("Tết"), lambda: ef.resume("Tết", client)):
        with pytest.raises(ef.InvalidInput, match="no campaign 'Tết'"):
            call()
    sent(frame(FIFTY), message, client, campaign="Tết")
    with ef.Sandbox() as other, pytest.raises(ef.InvalidInput, match="no campaign"):
        ef.resume("Tết", other.client())


def test_of_rehearsals_the_latest_is_meant_and_the_live_one_goes_before_them(client, message):
    sent(frame(FIFTY), message, client, campaign="Tết")
    with ef.Sandbox() as other:
        sent(frame([*FIFTY, *MORE]), message, other.client(), campaign="Tết")
        assert len(ef.results("Tết")) == 100
        assert len(ef.results("Tết", client=client)) == 50
    for user_id in (1, 2):
        with LiveGateway(user_id=user_id) as live:
            sent(frame(FIFTY[:40]), message, live.client(), campaign="Tết")
        if user_id == 1:
            assert len(ef.results("Tết")) == 40
    with pytest.raises(ef.InvalidInput, match="Several accounts have a campaign 'Tết'"):
        ef.results("Tết")
