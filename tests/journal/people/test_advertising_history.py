"""`find_advertised`: which advertising counts towards the daily cap, of whom, and at what time."""

from __future__ import annotations

import time
from datetime import timedelta

import numpy as np
import pytest
from support.customers import FIFTY
from support.journals import write_batch

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.journal.people.advertising_history import find_advertised

pytestmark = pytest.mark.both_journals

DAY = timedelta(days=1)
PEOPLE = np.array([int(phone) for phone in FIFTY], dtype=np.int32)
LIVE, OTHER, REHEARSAL = ("rest.esms.vn", "a"), ("rest.esms.vn", "b"), ("sandbox", "a")


@pytest.fixture
def now(at):
    return at("2030-01-31 12:00")


def found(journal, now, *, whose=LIVE, but=()):
    scope = journal._batches.scope("another", *whose)
    with journal._database.begin() as connection:
        numbers, seconds = find_advertised(connection, scope, now - DAY, now + DAY, but, PEOPLE)
    assert numbers.dtype == np.int32
    assert seconds.dtype == np.int64
    assert len(numbers) == len(seconds)
    return [(f"0{number}", round(second - now.timestamp())) for number, second in zip(numbers, seconds, strict=True)]


def test_an_empty_journal_has_no_history(journal, now):
    assert found(journal, now) == []


@pytest.mark.parametrize("status", ["accepted", "already_sent", "unknown", "sending"])
def test_what_may_have_been_sent_counts_when_it_was_tried(journal, now, status):
    write_batch(journal, status, times={"sent_at": now - timedelta(hours=3), "created_at": now - 3 * DAY})
    assert found(journal, now) == [(phone, -3 * 3600) for phone in FIFTY]


@pytest.mark.parametrize("status", ["accepted", "already_sent", "unknown", "sending", "planned"])
def test_a_schedule_counts_instead_of_the_time_of_sending(journal, now, status):
    write_batch(journal, status, times={"sent_at": now - timedelta(hours=3), "send_at": now + timedelta(hours=5)})
    assert found(journal, now) == [(phone, 5 * 3600) for phone in FIFTY]


@pytest.mark.parametrize("status", ["refused", "split", "withdrawn"])
def test_what_was_not_sent_does_not_count(journal, now, status):
    write_batch(journal, status, times={"sent_at": now - timedelta(hours=3)})
    write_batch(journal, status, times={"send_at": now + timedelta(hours=3)})
    assert found(journal, now) == []


def test_what_another_run_is_about_to_send_counts_as_now(journal, now):
    write_batch(journal, "planned", phones=FIFTY[:30])
    write_batch(
        journal, "planned", phones=FIFTY[30:], times={"sent_at": now - timedelta(hours=9)}
    )  # it did not arrive then
    assert found(journal, now) == [(phone, 0) for phone in FIFTY]


def test_an_old_plan_that_nobody_resumed_does_not_count(journal, now):
    write_batch(journal, "planned", times={"created_at": now - timedelta(hours=25)})
    assert found(journal, now) == []


def test_batches_can_be_left_out(journal, now):
    first, second = (write_batch(journal, "planned", phones=[phone]) for phone in FIFTY[:2])
    assert found(journal, now, but=[first]) == [(FIFTY[1], 0)]
    assert found(journal, now, but={first, second}) == []


def test_only_what_lies_in_the_period_counts_both_ends_included(journal, now):
    second = timedelta(seconds=1)
    for phone, moment in zip(FIFTY, [now - DAY - second, now - DAY, now, now + DAY, now + DAY + second], strict=False):
        write_batch(journal, "accepted", phones=[phone], times={"sent_at": moment})
        write_batch(journal, "accepted", phones=[phone], times={"sent_at": now - 9 * DAY, "send_at": moment})
    assert {phone for phone, _ in found(journal, now)} == set(FIFTY[1:4])
    assert len(found(journal, now)) == 6


def test_customer_care_does_not_count(journal, now):
    write_batch(journal, "accepted", sms_type="customer_care", times={"sent_at": now})
    assert found(journal, now) == []


def test_all_live_accounts_count_together_and_rehearsals_for_themselves(journal, now):
    for phone, whose in zip(FIFTY, [LIVE, OTHER, REHEARSAL, ("sandbox", "b")], strict=False):
        write_batch(journal, "accepted", whose=whose, phones=[phone], times={"sent_at": now})
    assert {phone for phone, _ in found(journal, now, whose=LIVE)} == set(FIFTY[:2])
    assert {phone for phone, _ in found(journal, now, whose=OTHER)} == set(FIFTY[:2])
    assert {phone for phone, _ in found(journal, now, whose=REHEARSAL)} == {FIFTY[2]}


def test_who_was_forgotten_does_not_shift_the_times_of_others(journal, now):
    write_batch(journal, "accepted", phones=[], size=50, times={"sent_at": now})
    write_batch(journal, "accepted", phones=FIFTY[:2], size=50, times={"sent_at": now - timedelta(seconds=1)})
    write_batch(journal, "accepted", phones=FIFTY[2:3], size=50, times={"sent_at": now - timedelta(seconds=2)})
    assert found(journal, now) == [(FIFTY[0], -1), (FIFTY[1], -1), (FIFTY[2], -2)]


def test_what_was_really_sent_is_found(journal, customers, client):
    now = clock.now()
    message = ef.Message("Khuyen mai", "QC_ONLINE", "advertising", send_at=ef.next_allowed_time())
    ef.send(customers, message, client, journal=journal, progress=False)
    scope = journal._batches.scope("another", client.gateway, client.account)
    with journal._database.begin() as connection:
        numbers, seconds = find_advertised(connection, scope, now - DAY, now + DAY, (), PEOPLE)
    assert numbers.tolist() == PEOPLE.tolist()
    assert set(seconds.tolist()) == {int(message.send_at.timestamp())}


@pytest.mark.heavy
def test_a_million_messages_are_read_in_seconds(journal, now):
    people = np.arange(901_000_000, 901_005_000, dtype=np.int32)
    phones = [f"0{number}" for number in people]
    for _ in range(200):
        write_batch(journal, "accepted", phones=phones, times={"sent_at": now})
    scope = journal._batches.scope("another", *LIVE)
    begin = time.perf_counter()
    with journal._database.begin() as connection:
        numbers, seconds = find_advertised(connection, scope, now - DAY, now + DAY, (), people)
    took = time.perf_counter() - begin
    print(f"{took:.2f} s")
    assert len(numbers) == len(seconds) == 1_000_000
    assert took < 10


def test_what_others_get_is_left_out_and_what_the_campaign_itself_sent(journal, now):
    write_batch(journal, "accepted", times={"sent_at": now})
    write_batch(journal, "accepted", times={"sent_at": now}, campaign="another")
    scope = journal._batches.scope("another", *LIVE)
    with journal._database.begin() as connection:
        numbers, seconds = find_advertised(connection, scope, now - DAY, now + DAY, (), PEOPLE[:3])
    assert [f"0{number}" for number in numbers] == FIFTY[:3]
    assert len(seconds) == 3
