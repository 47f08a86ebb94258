"""`BatchStore`: a batch is on disk before it leaves, one run has it at a time, and what was accepted stays so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from support.customers import FIFTY, sent
from support.journals import change, rows, write_batch

import esms_frames as ef
from esms_frames.journal.claims import name_machine, run_name
from esms_frames.journal.records import AttemptOutcome, BatchStatus, NewBatch, TextedNumbers

pytestmark = pytest.mark.both_journals

# Before the first byte leaves


@pytest.mark.sqlite
def test_batch_and_numbers_and_the_attempt_are_on_disk_before_the_first_byte_leaves(
    address, customers, message, client, monkeypatch
):
    seen, path = [], Path(address)
    real = client._transport._adapter().send

    def looking(*arguments, **options):
        if "SendMultiple" in arguments[0].url:
            copy = shutil.copytree(path.parent, path.parent.parent / "copy") / path.name  # as a crash leaves it
            seen.extend(rows(copy, "SELECT b.status, b.phones, a.number, a.outcome FROM batches b JOIN attempts a"))
        return real(*arguments, **options)

    monkeypatch.setattr(client._transport._adapter(), "send", looking)
    sent(customers, message, client, journal=path, checks=False)
    assert seen == [("sending", " ".join(FIFTY), 1, None)]


# Claims


@pytest.fixture
def batch(journal, message):
    scope = journal._batches.scope("Tết", "sandbox", "someone")
    new = NewBatch("r-1", message, 30, np.arange(901888410, 901888460, dtype=np.int32))
    return journal._batches.plan(scope, run_name(), lambda *_: ([], [new]), TextedNumbers())[0]


def another_machines_run():
    return f"elsewhere:1:1.0:{os.urandom(3).hex()}"


def test_a_batch_is_claimed_by_one_run_at_a_time(journal, batch):
    one, other = run_name(), run_name()
    assert journal._batches.begin_attempt(batch, one, 60).number == 1
    assert journal._batches.begin_attempt(batch, other, 60) is None
    assert journal._batches.state(batch, other) == ("sending", True)
    assert journal._batches.begin_attempt(batch, one, 60).number == 2
    journal._batches.release(one)
    assert journal._batches.begin_attempt(batch, other, 60).number == 3


def test_of_many_threads_one_gets_the_claim(journal, batch):
    got = []
    start = threading.Barrier(8)

    def claim():
        start.wait()
        if journal._batches.begin_attempt(batch, run_name(), 60) is not None:
            got.append(1)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_claim_ends_with_its_time(journal, batch):
    assert journal._batches.begin_attempt(batch, another_machines_run(), 0.2) is not None
    assert journal._batches.begin_attempt(batch, run_name(), 60) is None
    time.sleep(0.3)
    assert journal._batches.begin_attempt(batch, run_name(), 60) is not None


def test_a_claim_ends_with_its_process(journal, batch):
    process = subprocess.Popen(
        [sys.executable, "-c", "from esms_frames.journal.claims import run_name; print(run_name()); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    run = process.stdout.readline().strip()
    assert journal._batches.begin_attempt(batch, run, 3600) is not None
    assert journal._batches.begin_attempt(batch, run_name(), 60) is None
    process.kill()
    process.communicate()
    taken_over = journal._batches.begin_attempt(batch, run_name(), 60)
    assert taken_over.uncertain_before is not None


def test_a_process_of_the_same_number_that_began_later_is_another(journal, batch):
    run = f"{name_machine()}:{os.getpid()}:1.0:abc"
    assert journal._batches.begin_attempt(batch, run, 3600) is not None
    assert journal._batches.begin_attempt(batch, run_name(), 60) is not None


def test_an_attempt_without_an_outcome_leaves_the_batch_uncertain(journal, batch):
    run = run_name()
    first = journal._batches.begin_attempt(batch, run, 60)
    second = journal._batches.begin_attempt(batch, run, 60)
    assert first.uncertain_before is None
    assert second.uncertain_before == first.started_at


@pytest.mark.parametrize("gone", ["DELETE FROM attempts", "UPDATE attempts SET run = 'there:1:1.0:b'"])
def test_an_older_copy_that_is_put_in_place_during_an_attempt_is_not_taken_for_the_journal(
    address, customers, message, client, sandbox, monkeypatch, gone
):
    """What was sent is not in it, or the ids of it are those of another run's."""
    real = client.send

    def send(*arguments, **options):
        answer = real(*arguments, **options)
        change(
            address, gone, "UPDATE batches SET status = 'planned', attempts = 0, uncertain_since = NULL, holder = NULL"
        )
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", send)
        with pytest.raises(ef.JournalError, match="an older copy had been put in its place"):
            sent(customers, message, client, campaign="Tết", journal=address)
    assert rows(address, "SELECT status, sms_id FROM batches") == [("planned", None)]
    results = ef.resume("Tết", client, journal=address, progress=False)
    assert results["status"].isin(["accepted", "already_sent"]).all()
    assert len(sandbox.sent) == 50


@pytest.mark.parametrize(("status", "outcome"), list(zip(BatchStatus, cycle(AttemptOutcome), strict=False)))
def test_the_tables_hold_plain_words_which_are_read_as_members(address, journal, batch, status, outcome):
    run = run_name()
    attempt = journal._batches.begin_attempt(batch, run, 60)
    journal._batches.end_attempt(attempt, run, status, outcome=outcome)
    assert rows(address, "SELECT b.status, a.outcome FROM batches b JOIN attempts a ON a.batch_id = b.id") == [
        (status.value, outcome.value)
    ]
    assert journal._batches.state(batch, run)[0] is status


def test_a_settled_batch_is_not_tried_again(journal, batch):
    run = run_name()
    attempt = journal._batches.begin_attempt(batch, run, 60)
    journal._batches.end_attempt(attempt, run, "accepted", outcome="accepted", code=100, sms_id="s")
    assert journal._batches.begin_attempt(batch, run, 60) is None
    assert journal._batches.state(batch, run) == ("accepted", False)


@pytest.mark.parametrize("weaker", ["unknown", "planned", "refused", "already_sent"])
def test_what_was_accepted_stays_so_and_a_sleeper_does_not_speak_for_who_took_over(journal, batch, weaker):
    sleeper, other = another_machines_run(), run_name()
    slept = journal._batches.begin_attempt(batch, sleeper, 0.0)
    attempt = journal._batches.begin_attempt(batch, other, 60)
    journal._batches.end_attempt(slept, sleeper, weaker, outcome="unanswered", reason="woke up early")
    assert journal._batches.state(batch, other) == ("sending", False)
    journal._batches.end_attempt(attempt, other, "accepted", outcome="accepted", code=100, sms_id="s")
    journal._batches.end_attempt(slept, sleeper, weaker, outcome="unanswered", reason="woke up late")
    assert journal._batches.state(batch, other) == ("accepted", False)


def test_a_sleeper_does_not_unsettle_what_another_run_found_out_meanwhile(journal, batch):
    sleeper, other = another_machines_run(), run_name()
    slept = journal._batches.begin_attempt(batch, sleeper, 0.0)
    (now,) = journal._batches.batches(journal._batches.scope("Tết", "sandbox", "someone"))
    assert journal._batches.claim(now, other, 60)
    journal._batches.settle(now, other, "accepted", reason=None, sms_id="s")
    journal._batches.end_attempt(slept, sleeper, "unknown", outcome="unanswered", reason="woke up")
    assert journal._batches.state(batch, other) == ("accepted", False)


def test_an_acceptance_goes_before_what_another_run_was_told(journal, batch):
    sleeper, other = another_machines_run(), run_name()
    slept = journal._batches.begin_attempt(batch, sleeper, 0.0)
    attempt = journal._batches.begin_attempt(batch, other, 60)
    journal._batches.end_attempt(attempt, other, "refused", outcome="refused", code=99)
    journal._batches.end_attempt(slept, sleeper, "accepted", outcome="accepted", code=100, sms_id="s")
    assert journal._batches.state(batch, other) == ("accepted", False)


def test_what_is_found_out_is_written_only_while_nothing_has_changed(journal, batch):
    one, other = run_name(), run_name()
    assert journal._batches.claim(batch, one, 60)
    assert not journal._batches.claim(batch, other, 60)
    journal._batches.settle(batch, other, "accepted", reason=None)
    assert journal._batches.state(batch, one)[0] == "planned"
    journal._batches.settle(batch, one, "accepted", reason=None, sms_id="s")
    assert journal._batches.state(batch, one)[0] == "accepted"


def test_a_batch_that_was_tried_since_it_was_read_is_not_claimed_by_who_read_it(journal, batch):
    other = run_name()
    attempt = journal._batches.begin_attempt(batch, other, 60)
    journal._batches.end_attempt(attempt, other, "planned", outcome="unreachable")
    journal._batches.release(other)
    assert not journal._batches.claim(batch, run_name(), 60)


def test_only_planned_batches_of_runs_that_are_over_are_withdrawn(journal, message, at):
    at("2030-01-31 08:00")
    scope = journal._batches.scope("two", "sandbox", "someone")
    new = [
        NewBatch(f"r-{n}", message, 30, np.arange(901888410 + 50 * n, 901888460 + 50 * n, dtype=np.int32))
        for n in range(2)
    ]
    living = run_name()
    planned = journal._batches.plan(scope, living, lambda *_: ([], new), TextedNumbers())
    assert not any(batch.is_abandoned for batch in planned)
    tried = journal._batches.begin_attempt(planned[0], living, 60)
    kept = journal._batches.plan(scope, run_name(), lambda known: (known.batches, []), TextedNumbers())
    assert [batch.number for batch in kept] == [1]  # what is being sent is not withdrawn, whoever asks
    journal._batches.end_attempt(tried, living, "planned", outcome="unreachable")
    journal._batches.release(living)
    assert all(batch.is_abandoned for batch in journal._batches.batches(scope))


def test_a_planner_whose_machine_has_another_name_now_is_over_after_an_hour(journal, message, at):
    at("2030-01-31 08:00")
    scope = journal._batches.scope("moved", "sandbox", "someone")
    new = NewBatch("r-1", message, 30, np.arange(901888410, 901888460, dtype=np.int32))
    journal._batches.plan(scope, another_machines_run(), lambda *_: ([], [new]), TextedNumbers())
    at("2030-01-31 08:59")
    assert not journal._batches.batches(scope)[0].is_abandoned
    at("2030-01-31 09:01")
    assert journal._batches.batches(scope)[0].is_abandoned


# What is read


def test_a_campaign_is_read_some_batches_at_once_as_it_is_read_as_a_whole(journal, monkeypatch):
    monkeypatch.setattr("esms_frames.journal.batches._AT_ONCE", 2)
    for status in ("accepted", "withdrawn", "planned", "split", "unknown", "refused"):
        write_batch(journal, status)
    scope = journal._batches.scopes("Tet")[0]
    whole = [batch.id for batch in journal._batches.batches(scope)]
    assert [batch.id for batch in journal._batches.each_batch(scope)] == whole
    assert [batch.status for batch in journal._batches.unfinished(scope)] == ["planned", "unknown"]
    assert len(whole) == 4
