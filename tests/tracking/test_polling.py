"""Asking the gateway about sends: several at once, again where that may help, and never forever."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from support.customers import FIFTY
from support.sandbox_truth import found_in, reports_take, truth

import esms_frames as ef
from esms_frames.gateway import retries
from esms_frames.tracking import polling

SANDBOX = {"report_delay": 0, "failure_rates": {"MobiFone": 0.3}}


def test_an_error_when_asked_again_keeps_the_answer_of_before(client, customers, message, sandbox, track, monkeypatch):
    reports_take(sandbox, 10_000)
    results = ef.send(customers, message, client, progress=False)
    seconds = iter([0.0, 1.0])
    monkeypatch.setattr(polling, "time", SimpleNamespace(sleep=lambda _: sandbox.stop()))
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=lambda: next(seconds, 99.0)))
    tracked = track(results, until="settled", timeout=10)
    assert "pending" in found_in(tracked)
    assert ef.summarize(tracked, None)["price"].tolist() == [50 * 850]


def test_a_send_forgotten_while_it_is_asked_for_again_keeps_what_was_known(
    client, customers, message, at, sandbox, track, monkeypatch
):
    reports_take(sandbox, 100)
    at("2030-01-31 08:00")
    results = ef.send(customers, message, client, progress=False)
    at("2030-02-07 07:59:59")
    sandbox._gateway.outcomes = replace(sandbox._gateway.outcomes, report_delay=10**6)
    known = track(results)
    assert {"delivered", "pending"} <= set(found_in(known))
    seconds = iter([0.0, 1.0])
    forgets = lambda _: sandbox._gateway.sends.clear()  # noqa: E731
    monkeypatch.setattr(polling, "time", SimpleNamespace(sleep=forgets, monotonic=lambda: next(seconds, 99.0)))
    pd.testing.assert_frame_equal(track(results, until="settled", timeout=10), known)


def test_pending_ones_are_asked_for_again_until_settled(client, customers, message, at, sandbox, track, monkeypatch):
    reports_take(sandbox, 100)
    at("2030-01-31 08:00")
    results = ef.send(customers, message, client, progress=False)
    assert "pending" in found_in(track(results))
    clocks = iter(["2030-01-31 08:00:30", "2030-01-31 08:01", "2030-01-31 08:02"])
    own_time = SimpleNamespace(sleep=lambda _: at(next(clocks)), monotonic=time.monotonic)
    monkeypatch.setattr(polling, "time", own_time)
    tracked = track(results, until="settled", timeout=1000)
    assert found_in(tracked) == truth(sandbox, tracked)


def test_what_is_pending_when_the_time_is_over_stays_pending(client, customers, message, sandbox, track):
    reports_take(sandbox, 10_000)
    tracked = track(ef.send(customers, message, client, progress=False), until="settled", timeout=0)
    assert "pending" in found_in(tracked)
    assert track(tracked)["price"].sum() == 50 * 850


def test_not_found_means_too_soon_within_the_hour_and_forgotten_later(results, track, sandbox, at, monkeypatch):
    sandbox._gateway.sends.clear()
    soon = track(results).query("status == 'accepted'")
    assert set(found_in(soon)) == {"pending"}
    assert soon["delivery_reason"].str.contains("not know the send yet").all()
    results["sent_at"] -= pd.Timedelta(hours=2)
    later = track(results).query("status == 'accepted'")
    assert set(found_in(later)) == {None}
    assert later["delivery_reason"].str.contains("forgets after 7 days").all()
    results["sent_at"] = pd.NaT
    assert track(results)["delivery"].isna().all()


def test_an_error_for_one_send_leaves_the_others_their_answers(sandbox, results, track, monkeypatch):
    bad = results["sms_id"].dropna().unique()[0]
    before = track(results)
    before.loc[(before["delivery"] == "failed").to_numpy(), "delivery"] = "pending"
    real = ef.Client.receivers

    def failing(self, sms_id, **options):
        if sms_id == bad:
            raise ef.NoAnswer("the gateway did not answer.")
        return real(self, sms_id, **options)

    monkeypatch.setattr(ef.Client, "receivers", failing)
    with pytest.warns(UserWarning, match="1 of 2 sends could not be asked about"):
        tracked = track(before)
    of_bad = tracked["sms_id"].eq(bad).to_numpy(dtype=bool, na_value=False)
    assert found_in(tracked[~of_bad]) == truth(sandbox, tracked[~of_bad])
    assert found_in(tracked[of_bad]) == found_in(before[of_bad])
    pd.testing.assert_series_equal(tracked["price"], before["price"])
    pending = tracked[of_bad].query("delivery == 'pending'")
    assert pending["delivery_reason"].str.contains("it could not be asked for: the gateway did not answer").all()
    monkeypatch.undo()
    monkeypatch.setattr(polling, "POLLING", replace(retries.POLLING, first_wait=0.0, longest_wait=0.0))
    healed = track(tracked)
    assert found_in(healed) == truth(sandbox, healed)
    assert healed["delivery_reason"].astype(object).equals(before["delivery_reason"].astype(object))


def test_a_gateway_that_is_gone_is_not_asked_forever(sandbox, client, results, track, monkeypatch):
    many = pd.concat([results.assign(sms_id=results["sms_id"] + f"-{n}") for n in range(20)])
    sandbox.stop()
    asked = []
    real = ef.Client.status
    monkeypatch.setattr(ef.Client, "status", lambda self, sms_id, **k: asked.append(sms_id) or real(self, sms_id, **k))
    with pytest.warns(UserWarning, match="40 of 40 sends"):
        tracked = track(many, concurrency=1)
    assert len(set(asked)) == 3
    assert tracked["delivery"].isna().all()
    assert tracked.query("status == 'accepted'")["delivery_reason"].str.contains("^it").all()


def test_a_busy_gateway_is_asked_again(results, track, monkeypatch):
    busy = iter([160, 160])
    real = ef.Client.status

    def status(self, sms_id, **options):
        code = next(busy, None)
        if code:
            raise ef.Refused(code)
        return real(self, sms_id, **options)

    monkeypatch.setattr(ef.Client, "status", status)
    assert track(results)["delivery"].notna().sum() == 70


def test_wrong_keys_are_an_error_at_once(sandbox, results, track):
    with pytest.raises(ef.Refused) as refused:
        track(results, ef.Client("made-up", "made-up", base_url=sandbox.url))
    assert refused.value.code == 101


def test_several_sends_are_asked_for_at_once(results, track, monkeypatch):
    both = threading.Barrier(2, timeout=10)
    real = ef.Client.status
    monkeypatch.setattr(ef.Client, "status", lambda self, sms_id, **k: both.wait() >= 0 and real(self, sms_id, **k))
    assert track(results, concurrency=2)["delivery"].notna().sum() == 70


def test_no_key_and_no_number_is_in_what_is_said(sandbox, client, results):
    sandbox.stop()
    with pytest.warns(UserWarning, match="could not be asked") as warned:
        tracked = ef.track(results, client, progress=False)
    said = " ".join([*tracked["delivery_reason"].dropna().unique(), *(str(one.message) for one in warned)])
    assert sandbox.api_key not in said
    assert sandbox.secret_key not in said
    assert not any(phone in said for phone in [*FIFTY, *results["phone"].dropna()])


def test_progress_is_reported_after_each_send_to_who_asks_for_it(results, client):
    seen = []
    ef.track(results, client, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) == results["sms_id"].nunique() > 1
    assert seen[-1] == (70, 70)


def test_what_a_report_raises_ends_the_tracking(results, client):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ef.track(results, client, progress=stop)
