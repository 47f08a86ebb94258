"""What the gateway's records prove about a batch: the tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

import numpy as np
import pytest

import esms_frames as ef
from esms_frames.base.clock import VIETNAM
from esms_frames.campaigns.decisions.gateway_records import (
    Evidence,
    Proof,
    Settlement,
    build_settlement,
    find_start,
    find_start_of_gap,
    judge_records,
)
from esms_frames.campaigns.decisions.may_send import Clocks
from esms_frames.journal.records import Batch, BatchStatus

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
NOW = datetime(2030, 1, 31, 12, tzinfo=VIETNAM)
AGREEING = Clocks(NOW, offset=timedelta(0))
NUMBERS = np.array([901888410, 901888411, 901888412], dtype=np.int32)


def batch(tried=2 * HOUR, *, uncertain=True, send_at=None, code=None, attempts=1, created=None):
    """Make a batch of three numbers that was planned, and tried some time ago or never."""
    message = ef.Message("Xin chao", "Baotrixemay")
    if send_at is not None:
        message = ef.Message._restored(message.content, message.brandname, message.sms_type, send_at, None)
    tried_at = None if tried is None else NOW - tried
    return Batch(
        id=1,
        number=1,
        request_id="r1",
        status=BatchStatus.UNKNOWN if uncertain else BatchStatus.PLANNED,
        reason=None,
        code=code,
        sms_id=None,
        attempts=attempts,
        sent_at=tried_at,
        uncertain_since=tried_at if uncertain else None,
        settled_by=None,
        created_at=created or tried_at or NOW,
        is_abandoned=False,
        message=message,
        floor=1,
        numbers=NUMBERS,
        segment=None,
        rules=frozenset(),
    )


@pytest.mark.parametrize(
    ("evidence", "proof"),
    [
        (Evidence(), Proof.NOT_TAKEN),
        (Evidence(named=3, sms_id="s"), Proof.TAKEN),
        (Evidence(named=3, has_unnamed=True, has_unreadable=True), Proof.TAKEN),
        (Evidence(named=2), Proof.PARTLY_TAKEN),
        (Evidence(named=1, has_unreadable=True), Proof.PARTLY_TAKEN),
        (Evidence(has_unnamed=True), Proof.UNKNOWN_MESSAGES),
        (Evidence(has_unnamed=True, has_unreadable=True), Proof.UNKNOWN_MESSAGES),
        (Evidence(has_unreadable=True), Proof.UNREADABLE),
    ],
)
def test_what_the_records_prove_where_they_cover_the_attempt(evidence, proof):
    assert judge_records(batch(), evidence, AGREEING) is proof


@pytest.mark.parametrize(
    ("uncertain_batch", "proof"),
    [
        (batch(HOUR - SECOND), Proof.TOO_RECENT),
        (batch(HOUR), Proof.NOT_TAKEN),
        (batch(7 * DAY), Proof.NOT_TAKEN),
        (batch(7 * DAY + SECOND), Proof.TOO_OLD),
        (batch(2 * HOUR, send_at=NOW + DAY), Proof.SCHEDULED),
        (batch(2 * HOUR, send_at=NOW - DAY + SECOND), Proof.SCHEDULED),
        (batch(2 * DAY, send_at=NOW - DAY), Proof.NOT_TAKEN),
        (batch(-11 * MINUTE), Proof.CLOCK_WAS_SET_BACK),
        (batch(-9 * MINUTE), Proof.TOO_RECENT),
        (batch(MINUTE, uncertain=False), Proof.NOT_TAKEN),  # it certainly did not arrive by this journal's attempts
        (batch(8 * DAY, uncertain=False), Proof.NOT_TAKEN),
    ],
)
def test_that_the_records_hold_nothing_proves_something_only_where_they_would_show_it(uncertain_batch, proof):
    assert judge_records(uncertain_batch, Evidence(), AGREEING) is proof


@pytest.mark.parametrize(
    ("offset", "proof"),
    [
        (timedelta(0), Proof.NOT_TAKEN),
        (-9 * MINUTE, Proof.NOT_TAKEN),
        (10 * MINUTE, Proof.CLOCKS_DIFFER),
        (-5 * HOUR, Proof.CLOCKS_DIFFER),
        (None, Proof.CLOCK_UNKNOWN),
    ],
)
def test_that_the_records_hold_nothing_proves_nothing_unless_the_clocks_agree(offset, proof):
    assert judge_records(batch(), Evidence(), Clocks(NOW, offset=offset)) is proof
    assert judge_records(batch(), Evidence(named=3), Clocks(NOW, offset=offset)) is Proof.TAKEN


@pytest.mark.parametrize(
    ("code", "attempts", "offset", "sent", "proof"),
    [
        (124, 1, timedelta(0), -SECOND, Proof.TAKEN_FROM_ANOTHER_RUN),
        (124, 1, timedelta(0), timedelta(0), Proof.TAKEN),  # it may be the attempt itself, which a proxy sent twice
        (124, 1, timedelta(0), None, Proof.TAKEN),
        (124, 2, timedelta(0), -SECOND, Proof.TAKEN),  # it may be the first attempt
        (None, 1, timedelta(0), -SECOND, Proof.TAKEN),
        (124, 1, None, -SECOND, Proof.TAKEN),
        (124, 1, 2 * SECOND, SECOND, Proof.TAKEN),  # a Date tells the time to the second only
        (124, 1, MINUTE, 59 * SECOND, Proof.TAKEN_FROM_ANOTHER_RUN),
        (124, 1, MINUTE, MINUTE, Proof.TAKEN),
    ],
)
def test_a_send_from_before_the_only_attempt_is_of_another_run(code, attempts, offset, sent, proof):
    tried = batch(code=code, attempts=attempts)
    evidence = Evidence(named=3, last_sent_at=None if sent is None else tried.sent_at + sent)
    assert judge_records(tried, evidence, Clocks(NOW, offset=offset)) is proof


@pytest.mark.parametrize(
    ("proof", "of_uncertain", "of_planned", "sms_id"),
    [
        (Proof.TAKEN, BatchStatus.ACCEPTED, BatchStatus.ACCEPTED, "s"),
        (Proof.TAKEN_FROM_ANOTHER_RUN, BatchStatus.ALREADY_SENT, BatchStatus.ALREADY_SENT, "s"),
        (Proof.NOT_TAKEN, BatchStatus.PLANNED, BatchStatus.PLANNED, None),
        (Proof.PARTLY_TAKEN, BatchStatus.UNKNOWN, None, None),
        (Proof.CLOCK_WAS_SET_BACK, BatchStatus.UNKNOWN, None, None),
        (Proof.TOO_RECENT, None, None, None),  # the next run asks again
        (Proof.TOO_OLD, BatchStatus.UNKNOWN, None, None),
        (Proof.SCHEDULED, BatchStatus.UNKNOWN, None, None),
        (Proof.CLOCK_UNKNOWN, None, None, None),
        (Proof.CLOCKS_DIFFER, None, None, None),
        (Proof.UNKNOWN_MESSAGES, BatchStatus.UNKNOWN, None, None),
        (Proof.UNREADABLE, BatchStatus.UNKNOWN, None, None),
    ],
)
def test_what_the_journal_is_to_hold_by_each_proof(proof, of_uncertain, of_planned, sms_id):
    for uncertain, status in ((True, of_uncertain), (False, of_planned)):
        settlement = build_settlement(batch(uncertain=uncertain), proof, Evidence(named=2, sms_id="s"))
        assert settlement == Settlement(status, settlement.reason, sms_id)
        assert (settlement.reason is None) == (proof is Proof.TAKEN)


def test_of_a_batch_that_may_have_been_taken_nothing_but_the_records_says_that_it_was_not():
    seen = set()
    for tried, offset, unnamed, unreadable, named in product(
        (MINUTE, 2 * HOUR, 8 * DAY, -DAY), (None, timedelta(0), DAY), (False, True), (False, True), (0, 1, 3)
    ):
        evidence = Evidence(named, has_unnamed=unnamed, has_unreadable=unreadable)
        if judge_records(batch(tried), evidence, Clocks(NOW, offset=offset)) is Proof.NOT_TAKEN:
            seen.add((tried, offset, evidence))
    assert seen == {(2 * HOUR, timedelta(0), Evidence())}


@pytest.mark.parametrize(
    ("batches", "ago"),
    [
        ([batch(2 * HOUR)], DAY + 2 * HOUR),
        ([batch(2 * HOUR), batch(3 * HOUR)], DAY + 3 * HOUR),
        ([batch(None, uncertain=False, created=NOW - 2 * DAY)], 3 * DAY),
        ([batch(-9 * MINUTE)], DAY - 9 * MINUTE),
        ([batch(-11 * MINUTE)], 8 * DAY),  # nobody knows when it was tried
    ],
)
def test_the_records_are_needed_from_a_day_before_the_first_attempt(batches, ago):
    assert find_start(batches, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("last_tried", "last_used", "ago"),
    [
        (HOUR, MINUTE, HOUR),
        (None, MINUTE, MINUTE),
        (None, None, 7 * DAY),  # a new journal may be in the place of one that was lost
        (9 * DAY, MINUTE, 7 * DAY),
        (-HOUR, None, timedelta(0)),  # the clock was set back
    ],
)
def test_a_journal_may_lack_what_was_sent_since_it_was_last_used(last_tried, last_used, ago):
    moments = [None if age is None else NOW - age for age in (last_tried, last_used)]
    assert find_start_of_gap(*moments, NOW) == NOW - ago - 10 * MINUTE
