"""Nobody is told the same thing twice: run again, changed, killed, asleep, by a wrong clock, two at once."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
import traceback
import warnings
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.customers import FIFTY, MORE, respelled, sent, sent_singly
from support.dying import Die, counts, dying, frame, resumed
from support.journals import batches_of
from support.programs import needs_postgres
from support.sandbox_truth import shift_ledger
from support.surroundings import at_once
from support.weight import examples, heavy_after

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.campaigns.sending import dispatch
from esms_frames.gateway.http import transport
from esms_frames.gateway.retries import SENDING
from esms_frames.sandbox import callbacks as sandbox_callbacks
from esms_frames.sandbox import gateway as sandbox_gateway
from esms_frames.sandbox import reports as sandbox_reports
from esms_frames.sandbox.http import server as sandbox_server

pytestmark = [
    pytest.mark.both_journals,
    # Texts are corrected here, and who keeps the one of before is told with the results.
    pytest.mark.filterwarnings("ignore::esms_frames.SentOtherwiseWarning"),
]


def test_the_same_send_again_texts_nobody_twice(sandbox, client, message, customers):
    first = sent_singly(customers, message, client)
    again = sent_singly(customers, message, client)
    assert counts(again) == {"already_sent": 50}
    for name in ("sms_id", "sent_at", "request_id", "batch"):
        assert again[name].tolist() == first[name].tolist()
    assert f"{first['sent_at'].iloc[0]:%Y-%m-%d}" in again["reason"].iloc[0]
    assert len(sandbox.sent) == 50


def test_with_a_lost_journal_the_gateway_still_keeps_anybody_from_being_texted_twice(
    sandbox, client, message, customers, another_address
):
    sent_singly(customers, message, client)
    again = sent_singly(customers, message, client, journal=another_address)
    assert counts(again) == {"already_sent": 50}
    assert set(again["sms_id"]) == set(sandbox.sent["sms_id"])
    assert "does not know" in again["reason"].iloc[0]
    assert len(sandbox.sent) == 50


def test_with_a_lost_journal_a_grown_dataframe_in_another_order_texts_only_the_new(
    sandbox, client, message, customers, another_address
):
    sent_singly(customers, message, client)
    grown = pd.concat([pd.DataFrame({"sdt": [f"0912{n:06d}" for n in range(30)]}), customers[::-1]])
    again = sent_singly(grown, message, client, journal=another_address)
    assert counts(again) == {"accepted": 30, "already_sent": 50}
    assert "does not know" in again["reason"].iloc[30]
    assert sandbox.sent["phone"].is_unique


def test_a_grown_shuffled_respelled_dataframe_texts_only_the_new(sandbox, client, message):
    first = sent(frame(FIFTY), message, client, campaign="Tết")
    grown = frame(respelled([*MORE, *reversed(FIFTY)])).sample(frac=1, random_state=1)
    second = sent(grown, message, client, campaign="Tết")
    assert counts(second) == {"accepted": 50, "already_sent": 50}
    assert second.index.equals(grown.index)
    assert set(second.loc[second["status"] == "accepted", "phone"]) == set(MORE)
    known = second[second["status"] == "already_sent"]
    assert set(known["sms_id"]) == set(first["sms_id"])
    assert set(known["sent_at"]) == set(first["sent_at"])
    assert sandbox.sent["phone"].is_unique
    assert len(sandbox.sent) == 100


def test_a_campaigns_name_is_the_same_in_every_spelling(sandbox, client, message):
    for name in ("Tết", "Te\u0302\u0301t", " Tết ", "Tết\u3000"):
        sent(frame(FIFTY), message, client, campaign=name)
        assert ef.results(name)["status"].eq("accepted").all()
    assert len(sandbox.sent) == 50


def test_unfinished_batches_are_finished_first_unchanged_under_their_own_request_ids(sandbox, client, message, died):
    phones = [f"09{n:08d}" for n in range(300)]
    audience = ef.prepare(frame(phones), max_batch=100)
    died(audience, message, 1, after=True, campaign="Tết")
    planned = {batch.request_id: batch.numbers.tolist() for batch in batches_of("Tết")}
    assert len(planned) == 3
    results = sent(frame(respelled([*phones[::-1], *FIFTY])), message, client, campaign="Tết")
    assert counts(results) == {"accepted": 250, "already_sent": 100}
    by_id = sandbox.sent.groupby("request_id")["phone"].apply(lambda phones: [int(phone) for phone in phones])
    for request_id, numbers in planned.items():
        assert by_id[request_id] == numbers
    assert sandbox.sent["phone"].is_unique


@pytest.mark.parametrize("after", heavy_after(1, [True, False]))
@pytest.mark.parametrize("call", [0, 1, 2])
def test_killed_at_any_batch_before_or_after_it_was_taken_resume_finishes(sandbox, client, message, died, call, after):
    audience = ef.prepare(frame([f"09{n:08d}" for n in range(300)]), max_batch=100)
    died(audience, message, call, after=after, campaign="Tết")
    interrupted = ef.results("Tết", audience)
    assert len(sandbox.sent) == 100 * (call + after)
    assert counts(interrupted) == {
        name: n for name, n in {"accepted": call * 100, "unknown": 100, "not_sent": 200 - call * 100}.items() if n
    }
    assert counts(resumed("Tết", client)) == {"accepted": 300}
    assert sorted(sandbox.sent["phone"]) == audience.frame["phone"].tolist()
    assert counts(ef.results("Tết", audience)) == {"accepted": 300}


@pytest.mark.parametrize("after", [True, False])
def test_after_24_hours_it_is_settled_by_asking_and_never_by_sending_blindly(sandbox, client, message, at, died, after):
    at("2030-01-31 08:00")
    died(frame(FIFTY), message, 0, after=after, campaign="Tết")
    at("2030-02-01 08:01")  # the gateway would take the same request id again now
    results = resumed("Tết", client)
    assert counts(results) == {"accepted": 50}
    assert set(results["sms_id"]) == set(sandbox.sent["sms_id"])
    assert len(sandbox.sent) == 50


def test_a_laptop_that_sleeps_in_the_middle_of_a_request_does_not_repeat_it_days_later(sandbox, client, message, at):
    at("2030-01-31 08:00")
    real = client.send

    def sleeping(*arguments, **options):
        real(*arguments, **options)
        at("2030-02-03 00:00")
        raise ef.NoAnswer("cut while the lid was closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", sleeping)
        assert counts(sent(frame(FIFTY), message, client, campaign="Tết")) == {"unknown": 50}
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


@pytest.mark.parametrize("hours", [-7, 7])
def test_a_clock_that_was_wrong_by_hours_when_it_was_sent_lets_nobody_be_texted_twice(
    sandbox, client, message, at, died, hours
):
    at("2030-01-31 12:00")
    died(frame(FIFTY), message, 0, after=True, campaign="Tết")
    shift_ledger(sandbox, timedelta(hours=hours))
    at("2030-02-02 12:00")
    assert counts(resumed("Tết", client)) == {"accepted": 50}
    assert len(sandbox.sent) == 50


def test_a_request_id_is_never_used_for_another_text(client, message, monkeypatch):
    ids = []

    def refusing(_message, _phones, *, request_id, **_):
        ids.append(request_id)
        raise ef.Refused(146)

    monkeypatch.setattr(client, "send", refusing)
    for text in ("A", "B", "C"):
        sent(frame(FIFTY), ef.Message(text, "Baotrixemay"), client, campaign="Tết")
    assert len(set(ids)) == 3


@pytest.mark.parametrize("same", [True, False])
def test_two_threads_sending_the_same_campaign_share_it(sandbox, message, same):
    phones = [f"09{n:08d}" for n in range(2000)]
    frames = [frame(phones), frame(phones[::-1] if same else phones[500:])]
    results = [None, None]
    start = threading.Barrier(2)

    def run(place):
        start.wait()
        audience = ef.prepare(frames[place], max_batch=100)
        results[place] = sent(audience, message, sandbox.client(), campaign="Tết", concurrency=3)

    threads = [threading.Thread(target=run, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sandbox.sent["phone"]) == phones
    for one in results:
        assert one["status"].isin(["accepted", "already_sent"]).all()
    accepted = [set(one.loc[one["status"] == "accepted", "phone"]) for one in results]
    assert not accepted[0] & accepted[1]


POOL = [f"09{n:08d}" for n in range(240)]


CAN_FORK = hasattr(os, "fork")


DATED = transport._measure_offset


class GatewaysClock(SimpleNamespace):
    """The clock of a gateway, which is not this machine's."""

    VIETNAM = clock.VIETNAM

    def now(self):
        return self.told()


class Campaign(RuleBasedStateMachine):
    """Send, crash, fork and resume in any order, on any part of the customers, with faults and wrong clocks, over days."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(dispatch, "SENDING", at_once(SENDING))
        self.true = clock.now()
        self.ahead = timedelta(0)  # this machine's clock, of the gateway's
        self.patch.setattr(clock, "now", lambda: self.true + self.ahead)
        for module in (sandbox_server, sandbox_gateway, sandbox_reports, sandbox_callbacks):
            self.patch.setattr(module, "clock", GatewaysClock(told=lambda: self.true))
        self.sandbox = ef.Sandbox(faults={"cut_before": 0.15, "cut_after": 0.15, "busy": 0.1}, balance=10**12).start()
        self.client = self.sandbox.client()
        self.journal = ef.Journal(self.journal_address())
        self.message = ef.Message("Xin chao", "Baotrixemay")
        self.wanted = set()
        self.started = False

    @initialize(frees_ids_at_midnight=st.booleans())
    def begin(self, frees_ids_at_midnight):
        gateway = self.sandbox._gateway
        real = gateway.send

        def send(*arguments, **options):
            for request_id, earlier in list(gateway._by_request.items()):
                if earlier.accepted_at.date() != self.true.date():
                    del gateway._by_request[request_id]
            return real(*arguments, **options)

        if frees_ids_at_midnight:
            self.patch.setattr(gateway, "send", send)

    def journal_address(self):
        return tempfile.mkdtemp() + "/journal.sqlite"

    def teardown(self):
        self.sandbox.stop()
        self.journal.close()
        self.patch.undo()

    def run(self, phones, floor):
        audience = ef.prepare(frame(respelled(phones)), max_batch=60, min_batch=floor)
        results = sent(audience, self.message, self.client, campaign="Tết", journal=self.journal, concurrency=2)
        assert len(results) == len(phones)
        assert results["status"].notna().all()
        return results

    def send(self, phones, floor):
        results = self.run(phones, floor)
        taken = set(self.sandbox.sent["phone"])
        assert set(results.loc[results["status"].isin(["accepted", "already_sent"]), "phone"]) <= taken
        certainly_not = results["status"].isin(["not_sent", "refused"])
        assert not set(results.loc[certainly_not, "phone"]) & taken

    @rule(seed=st.integers(0, 2**20), n=st.integers(30, 240))
    def send_some(self, seed, n):
        phones = [POOL[k] for k in np.random.default_rng(seed).permutation(240)[:n]]
        self.send(phones, 30)
        self.started = True

    @rule(seed=st.integers(0, 2**20), n=st.integers(60, 240), call=st.integers(0, 4), after=st.booleans())
    def crash_while_sending(self, seed, n, call, after):
        phones = [POOL[k] for k in np.random.default_rng(seed).permutation(240)[:n]]
        with dying(self.client, call, after=after), suppress(Die):
            self.send(phones, 30)
        self.started = True

    @rule(seed=st.integers(0, 2**20), call=st.integers(0, 4), hours=st.integers(1, 60))
    def sleep_while_sending(self, seed, call, hours):
        phones = [POOL[k] for k in np.random.default_rng(seed).permutation(240)[:120]]
        real, calls = self.client.send, iter(range(10**6))

        def send(*arguments, **options):
            answer = real(*arguments, **options)
            if next(calls) == call:
                self.true += timedelta(hours=hours)
                raise ef.NoAnswer("cut while the lid was closed")
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.client, "send", send)
            self.send(phones, 30)
        self.started = True

    @rule(seed=st.integers(0, 2**20), call=st.integers(0, 3), before=st.integers(1, 1200), after=st.integers(1, 1200))
    def midnight_comes_while_sending(self, seed, call, before, after):
        phones = [POOL[k] for k in np.random.default_rng(seed).permutation(240)[:120]]
        midnight = self.true.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self.true = midnight - timedelta(seconds=before)
        real, calls = self.client.send, iter(range(10**6))

        def send(*arguments, **options):
            answer = real(*arguments, **options)
            if next(calls) == call:
                self.true = max(self.true, midnight + timedelta(seconds=after))
                raise ef.NoAnswer("cut as the day ended")
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.client, "send", send)
            self.send(phones, 30)
        self.started = True

    @precondition(lambda self: CAN_FORK)
    @rule(seed=st.integers(0, 2**20), n=st.integers(60, 240))
    def fork_and_send_in_both(self, seed, n):
        rng = np.random.default_rng(seed)
        mine, theirs = ([POOL[k] for k in rng.permutation(240)[:n]] for _ in range(2))
        self.started = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that threads run is what is tried here
            child = os.fork()
        if child == 0:
            failed = 1
            try:
                self.run(theirs, 30)  # the gateway's ledger is its parent's
                failed = 0
            except BaseException:  # noqa: BLE001 - it must not go on with the tests of its parent
                traceback.print_exc()
            finally:
                os._exit(failed)
        self.send(mine, 30)
        deadline = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                pytest.fail("the child did not end")
            time.sleep(0.02)
        assert ended[1] == 0

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours):
        self.true += timedelta(hours=hours)

    @rule(minutes=st.one_of(st.integers(-90, 90), st.integers(-60 * 30, 60 * 30)))
    def this_machines_clock_is_set(self, minutes):
        self.ahead += timedelta(minutes=minutes)

    @rule()
    def this_machines_clock_is_set_right(self):
        self.ahead = timedelta(0)

    @rule(does=st.booleans())
    def answers_carry_a_date(self, does):
        self.patch.setattr(transport, "_measure_offset", DATED if does else lambda _: None)

    @precondition(lambda self: self.started)
    @rule()
    def resume(self):
        results = resumed("Tết", self.client, journal=self.journal)
        assert set(results.loc[results["status"] == "accepted", "phone"]) <= set(self.sandbox.sent["phone"])

    @invariant()
    def nobody_was_texted_twice(self):
        assert self.sandbox.sent["phone"].is_unique

    @precondition(lambda self: self.started)
    @invariant()
    def the_journal_knows_everybody_who_was_texted(self):
        known = ef.results("Tết", journal=self.journal)
        maybe = known.loc[known["status"].isin(["accepted", "already_sent", "unknown"]), "phone"]
        assert set(self.sandbox.sent["phone"]) <= set(maybe)


class CampaignOnPostgres(Campaign):
    """The same with a journal on a server."""

    def journal_address(self):
        return needs_postgres().address()


THOROUGH = settings(
    max_examples=examples(20), stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


TestCampaign, TestCampaignOnPostgres = Campaign.TestCase, CampaignOnPostgres.TestCase
TestCampaign.settings = THOROUGH
TestCampaignOnPostgres.settings = settings(THOROUGH, max_examples=examples(8))
TestCampaignOnPostgres.pytestmark = [pytest.mark.heavy]
