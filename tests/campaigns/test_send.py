"""`send`: all batches, several at once; every row accounted for under any mix of answers."""

from __future__ import annotations

import threading
import time

import pandas as pd
import pytest
from support.customers import FIFTY, many, sent_singly
from support.dying import counts
from support.judging import Judge
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.gateway import decode
from esms_frames.gateway.retries import SENDING
from esms_frames.journal import batches
from esms_frames.journal.batches import BatchStore
from esms_frames.reporting.frame import Status

pytestmark = pytest.mark.both_journals


def test_an_audience_is_sent_as_it_was_prepared(sandbox, client, message, customers):
    audience = ef.prepare(customers, exclude=FIFTY[:5])
    results = sent_singly(audience, message, client)
    assert counts(results) == {"accepted": 45, "excluded": 5}
    assert results["batch"].dropna().unique().tolist() == [1]


def test_the_dataframe_is_not_changed(client, message, customers):
    before = customers.copy(deep=True)
    sent_singly(customers, message, client)
    pd.testing.assert_frame_equal(customers, before)


def test_the_campaign_and_the_ids_reach_the_gateway(sandbox, client, message, customers):
    results = sent_singly(customers, message, client, campaign="Tết 2027")
    assert set(sandbox.sent["campaign"]) == {"Tết 2027"}
    assert set(sandbox.sent["request_id"]) == set(results["request_id"])
    assert results["request_id"].str.len().max() <= 50


@pytest.mark.heavy
def test_what_was_sent_before_has_one_reason_however_many_batches_it_was(client, message):
    sent_singly(many(15_000), message, client)
    again = sent_singly(many(15_000), message, client)
    assert again["sms_id"].nunique() == again["batch"].nunique() == 3
    assert len(again["reason"].unique()) == 1


# Refusals


@pytest.fixture
def judge(client, monkeypatch):
    return Judge(client, monkeypatch)


@pytest.mark.parametrize("code", heavy_after(4, [99, 107, 108, 120, 163, 177, 105, 854, 4711]))
def test_a_refusal_of_one_batch_leaves_the_others_alone(client, message, judge, code):
    judge.verdicts = {1: [ef.Refused(code, "its words")]}
    results = sent_singly(many(15_000), message, client, split=False)
    assert counts(results) == {"accepted": 10_000, "refused": 5_000}
    refused = results[results["status"] == "refused"]
    assert set(refused["batch"]) == {2}
    assert set(refused["code"]) == {code}
    assert f"code {code}" in refused["reason"].iloc[0]


@pytest.mark.parametrize("code", heavy_after(4, [146, 201, 104, 118, 300, 101, 102, 103, 140, 143]))
def test_a_refusal_of_the_message_or_the_account_ends_the_run(client, message, judge, code):
    judge.verdicts = {1: [ef.Refused(code)]}
    results = sent_singly(many(25_000), message, client)
    assert counts(results) == {"accepted": 5_000, "refused": 5_000, "not_sent": 15_000}
    left = results[results["status"] == "not_sent"]
    assert left["batch"].min() == 3
    assert f"code {code}" in left["reason"].iloc[0]
    assert "batch 2" in left["reason"].iloc[0]
    assert (left["attempts"] == 0).all()
    assert left["sent_at"].isna().all()
    assert len(judge.calls) == 2


def test_a_wrong_brandname_is_refused_by_the_sandbox_and_nobody_is_texted(sandbox, client):
    results = sent_singly(many(40_000), ef.Message("Xin chao", "Nobody"), client, checks=False)
    assert set(counts(results)) <= {"refused", "not_sent"}
    assert len(results) == 40_000
    assert sandbox.sent.empty


def test_a_balance_that_runs_out_ends_the_run(message):
    with ef.Sandbox(balance=5_000 * 850 + 1, prices={}) as sandbox:
        results = sent_singly(many(20_000), message, sandbox.client(), checks=False)
        assert counts(results) == {"accepted": 5_000, "refused": 5_000, "not_sent": 10_000}
        assert len(sandbox.sent) == 5_000


# Uncertain outcomes


def test_what_got_no_answer_is_unknown_and_not_guessed(client, message, judge):
    judge.verdicts = {0: [ef.NoAnswer("cut")], 2: [ef.Refused(199)]}
    results = sent_singly(many(15_000), message, client)
    assert counts(results) == {"unknown": 10_000, "accepted": 5_000}
    unknown = results[results["status"] == "unknown"]
    assert unknown["sent_at"].notna().all()
    assert (unknown["attempts"] == SENDING.attempts).all()
    assert unknown["sms_id"].isna().all()


def test_a_time_out_after_the_gateway_took_the_batch_is_unknown(message, customers):
    with ef.Sandbox(latency=0.5) as sandbox:
        results = sent_singly(customers, message, sandbox.client(timeout=(1, 0.1)))
        assert counts(results) == {"unknown": 50}
        time.sleep(0.7)
        assert len(sandbox.sent) == 50  # it may well have been taken: that is why it is unknown


def test_a_gateway_that_cannot_be_reached_leaves_all_not_sent(sandbox, message):
    client = sandbox.client()
    sandbox.stop()
    results = sent_singly(many(100_000), message, client)
    assert counts(results) == {"not_sent": 100_000}
    assert results["reason"].str.contains("No connection").all()
    sandbox.start()


def test_a_gateway_that_cannot_be_reached_is_not_tried_for_every_batch(client, message, judge):
    judge.verdicts = {0: [ef.Unreachable("no way")]}
    results = sent_singly(many(20_000), message, client)
    assert counts(results) == {"not_sent": 20_000}
    assert judge.calls == [0] * SENDING.attempts
    assert "could not be reached" in results["reason"].iloc[-1]


def test_garbage_in_an_answer_is_unknown(script, message, customers):
    script.says(b"<html>It works</html>")
    results = sent_singly(customers, message, ef.Client("made-up", "made-up", base_url=script.url))
    assert counts(results) == {"unknown": 50}
    assert "HTTP 200" in results["reason"].iloc[0]


def test_a_schedule_that_becomes_past_on_the_way_ends_the_run(client, message, judge):
    judge.verdicts = {batch: [ef.InvalidMessage("send_at", "send_at is past")] for batch in (1, 2, 3)}
    results = sent_singly(many(20_000), message, client)
    assert counts(results) == {"accepted": 5_000, "not_sent": 15_000}


# Retries


@pytest.mark.parametrize(
    "verdict",
    heavy_after(
        3,
        [
            ef.NoAnswer("cut"),
            ef.Unreachable("refused"),
            ef.Refused(160),
            ef.Refused(199),
            ef.BadAnswer("garbage", 200, ""),
            ef.BadAnswer("503", 503, ""),
            ef.BadAnswer("429", 429, ""),
        ],
    ),
)
def test_what_is_worth_it_is_tried_again_under_the_same_request_id(sandbox, client, message, judge, verdict):
    judge.verdicts = {1: [verdict, verdict, None]}
    results = sent_singly(many(15_000), message, client)
    assert counts(results) == {"accepted": 15_000}
    assert results.groupby("batch")["attempts"].first().tolist() == [1, 3, 1]
    assert sandbox.sent["request_id"].nunique() == 3


@pytest.mark.parametrize("verdict", [ef.Refused(107), ef.BadAnswer("404", 404, ""), ef.BadAnswer("403", 403, "")])
def test_what_is_not_worth_it_is_tried_once(client, message, judge, verdict):
    judge.verdicts = {1: [verdict]}
    results = sent_singly(many(15_000), message, client)
    assert results.groupby("batch")["attempts"].first().tolist() == [1, 1, 1]


def test_it_gives_up_after_some_attempts(client, message, judge):
    judge.verdicts = {0: [ef.NoAnswer("cut")]}
    assert counts(sent_singly(many(10_000), message, client)) == {"unknown": 5_000, "accepted": 5_000}
    assert judge.calls.count(0) == SENDING.attempts


@pytest.mark.parametrize(
    ("attempts", "status"),
    heavy_after(
        5,
        [
            ([ef.NoAnswer("cut"), ef.Refused(124)], "accepted"),
            ([ef.Refused(199), ef.Refused(124)], "accepted"),
            ([ef.Unreachable("refused"), ef.NoAnswer("cut"), ef.Refused(124)], "accepted"),
            ([ef.Unreachable("refused"), ef.Refused(124)], "unknown"),  # and the gateway's records show nothing
            ([ef.Refused(124)], "unknown"),
            ([ef.Refused(160), ef.Refused(124)], "unknown"),  # did it keep the id of what it refused?
            ([ef.Refused(160), ef.Unreachable("refused"), ef.Refused(124)], "unknown"),
            ([ef.Refused(160), ef.NoAnswer("cut"), ef.Refused(124)], "unknown"),
            ([ef.NoAnswer("cut"), ef.Refused(160), ef.Refused(124)], "unknown"),
            ([ef.NoAnswer("cut"), ef.Refused(103)], "unknown"),  # the first attempt may have cost what is now missing
            ([ef.NoAnswer("cut"), ef.Refused(99)], "unknown"),
            ([ef.NoAnswer("cut"), ef.Unreachable("refused")], "unknown"),
            ([ef.Unreachable("refused")], "not_sent"),
            ([ef.Refused(160)], "refused"),
        ],
    ),
)
def test_what_the_attempts_met_decides_and_nothing_uncertain_is_called_certain(
    client, message, judge, attempts, status
):
    judge.verdicts = {0: attempts}
    results = sent_singly(many(5_000), message, client)
    assert counts(results) == {status: 5_000}


def test_what_stayed_open_does_not_become_certain_by_being_asked_once_more(client, message, judge):
    judge.verdicts = {0: [ef.Refused(160), ef.Refused(124)]}
    for _ in range(2):
        assert counts(sent_singly(many(5_000), message, client)) == {"unknown": 5_000}


def test_three_batches_in_a_row_without_an_answer_end_the_run(client, message, judge):
    judge.verdicts = {batch: [ef.NoAnswer("cut")] for batch in (0, 2, 3, 4)}
    results = sent_singly(many(50_000), message, client)
    assert counts(results) == {"unknown": 20_000, "accepted": 5_000, "not_sent": 25_000}
    assert "in a row" in results["reason"].iloc[-1]


@pytest.mark.heavy
def test_requests_leave_no_faster_than_the_rate(client, message, judge):
    start = time.monotonic()
    sent_singly(many(25_000), message, client, rate=10, concurrency=4)
    assert time.monotonic() - start >= 0.35  # five requests, a tenth of a second apart
    start = time.monotonic()
    sent_singly(many(25_000), message, client, rate=None, campaign="no limit")
    assert len(judge.calls) == 10


# Several at once


def test_batches_go_out_several_at_once_but_no_more_than_asked(sandbox, message, monkeypatch):
    client, under_way, most, lock = sandbox.client(), 0, 0, threading.Lock()

    def slow(_message, phones, **_):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        with lock:
            under_way -= 1
        return decode.Answer(100, phones[0])

    monkeypatch.setattr(client, "send", slow)
    sent_singly(many(60_000), message, client, concurrency=3)
    assert most == 3


def test_an_interrupted_run_lets_what_is_under_way_settle_and_sends_nothing_more(sandbox, message, monkeypatch):
    client, started, finished = sandbox.client(), [], []

    def interrupting(_message, phones, **_):
        started.append(len(phones))
        time.sleep(0.1)
        finished.append(len(phones))
        if len(finished) == 1:
            raise KeyboardInterrupt
        return decode.Answer(100, phones[0])

    monkeypatch.setattr(client, "send", interrupting)
    with pytest.raises(KeyboardInterrupt):
        sent_singly(many(200_000), message, client, concurrency=2)
    assert len(started) == len(finished) <= 4
    time.sleep(0.3)
    assert len(started) <= 4


def test_a_progress_bar_counts_the_numbers(client, message, capsys):
    sent_singly(many(10_000), message, client, progress=True)
    shown = capsys.readouterr().err
    assert "10000/10000" in shown
    sent_singly(many(10_000), message, client, campaign="again")
    assert capsys.readouterr().err == ""


# Bad input: nothing is sent


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data": ["0901888484"]}, "DataFrame"),
        ({"data": pd.DataFrame({"a": ["x"] * 50})}, "phone="),
        ({"data": pd.DataFrame({"sdt": FIFTY[:29]})}, "Only 29"),
        ({"message": "Xin chao"}, "Message"),
        ({"client": "http://127.0.0.1"}, "Client"),
        ({"campaign": ""}, "campaign"),
        ({"campaign": "x" * 255}, "254"),
        ({"phone": "nope"}, "nope"),
        ({"exclude": ["0901888410/0901888411"]}, "exclude"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 65}, "concurrency"),
        ({"concurrency": 2.5}, "concurrency"),
        ({"rate": 0}, "rate"),
        ({"rate": -1}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"rate": float("nan")}, "rate"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_sent(sandbox, client, message, customers, change, says):
    given_ = {"data": customers, "message": message, "client": client} | change
    data, text, gateway = given_.pop("data"), given_.pop("message"), given_.pop("client")
    with pytest.raises(ef.InvalidInput, match=says) as error:
        sent_singly(data, text, gateway, **given_)
    assert "\n" not in str(error.value)
    assert sandbox.sent.empty


def test_what_belongs_to_prepare_is_not_taken_with_an_audience(client, message, customers):
    with pytest.raises(ef.InvalidInput, match=r"ef\.prepare"):
        ef.send(ef.prepare(customers), message, client, exclude=FIFTY[:1])


def test_advertising_never_goes_to_less_than_thirty(sandbox, client, customers):
    audience = ef.prepare(customers, min_batch=1)
    with pytest.raises(ef.InvalidInput, match="30"):
        sent_singly(audience, ef.Message("Giam gia", "QC_ONLINE", "advertising"), client)
    assert sandbox.sent.empty


def test_a_test_message_to_ones_own_phone_can_be_sent(message):
    with ef.Sandbox(customer_care_floor=1) as sandbox:
        audience = ef.prepare(pd.DataFrame({"sdt": FIFTY[:1]}), min_batch=1)
        results = sent_singly(audience, message, sandbox.client())
        assert results["status"].tolist() == [Status.ACCEPTED]


# Segments


def two_segments(n):
    return many(n).assign(seg=["vip", "new"] * (n // 2))


TEXTS = {"vip": ef.Message("Chao VIP", "Baotrixemay"), "new": ef.Message("Chao ban", "Baotrixemay")}


def test_each_segment_gets_its_own_text_and_the_results_are_one_frame(sandbox, client):
    df = two_segments(12_000)
    results = sent_singly(df, TEXTS, client, by="seg", campaign="Tết")
    assert counts(results) == {"accepted": 12_000}
    assert results["segment"].tolist() == df["seg"].tolist()
    read = sandbox.sent.set_index("phone")["content"][results["phone"]].tolist()
    assert read == [TEXTS[segment].content for segment in df["seg"]]
    assert results.groupby("batch")["segment"].nunique().eq(1).all()
    assert results["batch"].nunique() == 4
    again = ef.results("Tết")
    assert again.set_index("phone")["segment"].astype(str).to_dict() == dict(
        zip(results["phone"], df["seg"], strict=True)
    )
    assert counts(ef.results("Tết", df, by="seg")) == {"accepted": 12_000}


def test_a_row_whose_segment_has_no_message_is_excluded_with_the_reason(sandbox, client):
    df = two_segments(100)
    results = sent_singly(df, {"vip": TEXTS["vip"]}, client, by="seg", campaign="Tết")
    assert counts(results) == {"accepted": 50, "excluded": 50}
    assert set(results.loc[results["status"] == "excluded", "reason"]) == {"no message for its segment"}
    assert len(sandbox.sent) == 50


def test_a_segment_under_the_floor_is_named_before_anything_goes_out(sandbox, client):
    df = many(100).assign(seg=["vip"] * 90 + ["new"] * 10)
    with pytest.raises(ef.TooFewRecipients, match=r"\('new' 10\)"):
        sent_singly(df, TEXTS, client, by="seg", campaign="Tết")
    assert sandbox.sent.empty


def test_a_customer_who_has_changed_segments_is_not_texted_again(sandbox, client):
    df = two_segments(200)
    sent_singly(df, TEXTS, client, by="seg", campaign="Tết")
    moved = df.assign(seg=df["seg"].map({"vip": "new", "new": "vip"}))
    with pytest.warns(ef.SentOtherwiseWarning, match="^200 rows"):
        again = sent_singly(moved, TEXTS, client, by="seg", campaign="Tết")
    assert counts(again) == {"already_sent": 200}
    assert again["segment"].tolist() == df["seg"].tolist()
    assert len(sandbox.sent) == 200


def test_personal_texts_are_segments_too(sandbox, client):
    df = many(90).assign(city=["Huế", "Vinh", "Đà Lạt"] * 30)
    by, messages = ef.Message("Cua hang {city} chao ban", "Baotrixemay").for_each(df)
    results = sent_singly(df, messages, client, by=by, campaign="Tết")
    assert counts(results) == {"accepted": 90}
    assert results["segment"].tolist() == df["city"].tolist()
    assert set(sandbox.sent["content"]) == {f"Cua hang {city} chao ban" for city in ("Huế", "Vinh", "Đà Lạt")}


# A poisoned batch


@pytest.fixture
def poisoned():
    def start(**knobs):
        running = ef.Sandbox(balance=10**12, **knobs)
        started.append(running)
        return running.start()

    started = []
    yield start
    for running in started:
        running.stop()


@pytest.mark.parametrize("n", heavy_after(1, [1, 2, 7]))
def test_blocked_numbers_cost_few_others_their_message(poisoned, message, n):
    customers = many(5_000)
    blocked = customers["sdt"].sample(n, random_state=n).tolist()
    sandbox = poisoned(blocked=blocked)
    results = sent_singly(customers, message, sandbox.client())
    assert set(counts(results)) == {"accepted", "refused"}
    refused = results[results["status"] == "refused"]
    assert set(blocked) <= set(refused["phone"])
    assert len(refused) < 60 * n
    assert set(refused["code"]) == {99}
    assert refused["reason"].str.contains("code 99").all()
    assert sandbox.sent["phone"].is_unique
    assert sorted(sandbox.sent["phone"]) == sorted(results.loc[results["status"] == "accepted", "phone"])


def test_one_bad_number_among_5000_costs_14_more_requests(poisoned, message, monkeypatch):
    customers = many(5_000)
    sandbox = poisoned(blocked=[customers["sdt"].iloc[1234]])
    client, calls = sandbox.client(), []
    real = client.send
    monkeypatch.setattr(client, "send", lambda *arguments, **options: calls.append(1) or real(*arguments, **options))
    assert counts(sent_singly(customers, message, client))["refused"] in {39, 40}
    assert len(calls) == 1 + 14


@pytest.mark.heavy
@pytest.mark.sqlite
def test_bad_numbers_all_over_it_cost_no_more_requests_than_is_said(poisoned, message, monkeypatch):
    customers = many(5_000)
    sandbox = poisoned(blocked=customers["sdt"].iloc[::20].tolist())
    client, calls = sandbox.client(), []
    real = client.send
    monkeypatch.setattr(client, "send", lambda *arguments, **options: calls.append(1) or real(*arguments, **options))
    assert counts(sent_singly(customers, message, client)) == {"refused": 5_000}
    assert len(calls) == 1 + 254


@pytest.mark.heavy
def test_a_network_that_is_not_registered_costs_the_others_nothing(poisoned, message):
    customers = pd.DataFrame({"sdt": [f"0{prefix}{n:07d}" for n in range(1_000) for prefix in (90, 91, 92, 97)]})
    sandbox = poisoned(unregistered_networks={"Baotrixemay": ["VinaPhone"]})
    results = sent_singly(customers, message, sandbox.client())
    by_network = results.groupby("network", observed=True)["status"].agg(lambda s: (s == "accepted").sum())
    assert by_network["VinaPhone"] == 0
    assert by_network.sum() > 3_000 - 60


def test_it_can_be_switched_off(poisoned, message):
    customers = many(5_000)
    sandbox = poisoned(blocked=[customers["sdt"].iloc[0]])
    assert counts(sent_singly(customers, message, sandbox.client(), split=False)) == {"refused": 5_000}
    assert sandbox.sent.empty


def test_halves_are_in_the_journal_before_they_leave_and_a_crash_in_between_loses_nobody(
    poisoned, message, monkeypatch
):
    customers = many(300)
    sandbox = poisoned(blocked=[customers["sdt"].iloc[0]])
    client = sandbox.client()
    real, calls = client.send, []

    def dies_at_the_third(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise SystemExit
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", dies_at_the_third)
        with pytest.raises(SystemExit):
            sent_singly(customers, message, client, campaign="Tết", concurrency=1)
    with ef.Journal()._database.begin() as connection:
        halves = connection.exec_driver_sql("SELECT size FROM batches WHERE split_from = 1").scalars().all()
    assert halves == [150, 150]
    there = ef.results("Tết")
    assert len(there) == 300
    assert there["phone"].is_unique
    done = ef.resume("Tết", client, progress=False)
    assert set(counts(done)) == {"accepted", "refused"}
    assert counts(done)["refused"] < 60
    assert sandbox.sent["phone"].is_unique


@pytest.mark.heavy
def test_splitting_reads_the_halves_and_not_the_whole_campaign(poisoned, message, monkeypatch):
    customers = many(6_000)
    client = poisoned(blocked=[customers["sdt"].iloc[0]]).client()
    read, real, split = [], batches.batch_of, BatchStore.split

    def counted(*arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(batches, "batch_of", lambda *row, **more: read.append(1) or real(*row, **more))
            return split(*arguments, **options)

    monkeypatch.setattr(BatchStore, "split", counted)
    sent_singly(ef.prepare(customers, max_batch=60), message, client, campaign="Tết", concurrency=1)
    assert len(read) == 2


def test_a_refusal_after_an_attempt_without_an_answer_is_not_split(client, message, judge):
    judge.verdicts = {0: [ef.NoAnswer("cut"), ef.Refused(99)]}
    assert counts(sent_singly(many(5_000), message, client)) == {"unknown": 5_000}


def test_the_counts_of_a_split_campaign_are_true(poisoned, message):
    customers = many(5_000)
    sandbox = poisoned(blocked=[customers["sdt"].iloc[0]])
    results = sent_singly(customers, message, sandbox.client(), campaign="Tết")
    row = ef.Journal().campaigns().iloc[0]
    assert (row["accepted"], row["refused"]) == (counts(results)["accepted"], counts(results)["refused"])


# Progress


@pytest.mark.heavy
def test_progress_may_be_a_function_and_what_it_raises_interrupts_the_run(sandbox, client, message):
    class Cancelled(Exception):
        pass

    seen = []

    def look(progress):
        seen.append((progress.total, progress.done))
        if progress.done:
            raise Cancelled

    with pytest.raises(Cancelled):
        sent_singly(many(50_000), message, client, campaign="Tết", concurrency=1, progress=look)
    assert seen[-1][0] == 50_000
    there = ef.results("Tết")
    assert counts(there)["accepted"] == len(sandbox.sent) < 50_000
    assert counts(ef.resume("Tết", client, rate=None, progress=seen.append)) == {"accepted": 50_000}
    assert sandbox.sent["phone"].is_unique


def test_a_refusal_without_a_code_is_refused_with_the_gateways_words(script, message, customers):
    script.says(b'{"error": "Invalid request"}')
    client = ef.Client("made-up", "made-up-too", base_url=script.url)
    results = ef.send(customers, message, client, checks=False, progress=False)
    assert set(results["status"]) == {"refused"}
    assert results["code"].isna().all()
    assert results["reason"].str.contains("Invalid request").all()
    assert sum(b"SendMultipleMessage" in request for request in script.requests) == 1
