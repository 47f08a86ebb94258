"""`Journal.forget` and `Journal.prune`: nothing of the people is left, the counts stay true, nobody is texted for it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY, sent
from support.erasing import COUNTS, HOA, LAN, SETTLED, files, is_written
from support.journals import change, rows, write_batch
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.campaigns.decisions.allocation import request_id
from esms_frames.journal.claims import run_name
from esms_frames.journal.database import sqlite_file

pytestmark = pytest.mark.both_journals

DAY = timedelta(days=1)
ALL = "SELECT * FROM batches ORDER BY id"


# Who is forgotten


def test_whoever_is_nowhere_leaves_all_as_it_is(address, journal):
    write_batch(journal, "accepted")
    before = rows(address, ALL)
    table = journal.forget("0912888410")
    assert table.empty
    assert table.columns.tolist() == ["campaign", "gateway", "account", "created_at", "numbers"]
    assert str(table["created_at"].dtype) == "datetime64[us, UTC+07:00]"
    assert rows(address, ALL) == before
    assert journal.forget([]).empty


@pytest.mark.parametrize("numbers", [[LAN, "0901"], [LAN, "9.01E+08"], "x", None])
def test_a_list_that_can_t_be_read_forgets_nobody(address, journal, numbers):
    write_batch(journal, "accepted")
    before = rows(address, ALL)
    with pytest.raises(ef.InvalidInput, match="numbers") as caught:
        journal.forget(numbers)
    assert LAN not in str(caught.value)
    assert rows(address, ALL) == before


def test_the_do_not_contact_list_keeps_the_number_alone(journal):
    journal.do_not_contact.add([LAN, HOA], reason="answered STOP")
    journal.forget(LAN)
    table = journal.do_not_contact.frame()
    assert table["phone"].tolist() == [LAN, HOA]
    assert table["reason"].isna().tolist() == table["added_at"].isna().tolist() == [True, False]
    assert journal.do_not_contact.add(LAN) == 0
    assert journal.do_not_contact.frame()["added_at"].isna().tolist() == [True, False]


# What could tell who it was


@pytest.mark.parametrize("status", SETTLED)
def test_the_request_id_of_a_settled_batch_can_t_tell_who_is_missing(address, journal, status):
    derived = request_id("Tet", np.array([int(phone) for phone in FIFTY], dtype=np.int32))
    batch = write_batch(journal, status, request_id=derived)
    untouched = write_batch(journal, status, phones=FIFTY[1:])
    journal.forget(LAN)
    found = dict(rows(address, "SELECT id, request_id FROM batches"))
    assert found == {batch: f"forgotten-{batch}", untouched: "id 1"}
    assert derived.encode() not in files(address)


@pytest.mark.parametrize("status", ["unknown", "sending"])
def test_one_that_may_have_arrived_keeps_its_request_id_until_it_is_settled(address, journal, status):
    batch = write_batch(journal, status, request_id="derived")
    journal.forget(LAN)
    assert rows(address, "SELECT request_id, size, status FROM batches") == [("derived", 50, status)]
    change(address, "UPDATE batches SET status = 'accepted'")
    journal.forget(HOA)
    assert rows(address, "SELECT request_id FROM batches") == [(f"forgotten-{batch}",)]


def test_one_that_never_left_is_a_smaller_one_under_a_request_id_of_its_own(address, journal):
    write_batch(journal, "planned", request_id="derived")
    journal.forget(LAN)
    [(name, size, phones)] = rows(address, "SELECT request_id, size, phones FROM batches")
    assert len(name) == 40
    assert b"derived" not in files(address)
    assert (size, phones) == (49, " ".join(FIFTY[1:]))


def test_the_text_stays_as_long_as_somebody_is_left(address, journal):
    write_batch(journal, "accepted", phones=[LAN, HOA], content="Chao", segment="vip")
    journal.forget(LAN)
    assert rows(address, "SELECT content, segment FROM batches") == [("Chao", "vip")]
    journal.forget(HOA)
    assert rows(address, "SELECT content, segment, size, phones FROM batches") == [("", None, 2, "")]


def test_a_plan_without_anybody_is_withdrawn(address, journal):
    write_batch(journal, "planned", phones=[LAN], content="Chao chi Lan")
    journal.forget(LAN)
    [(status, name, content)] = rows(address, "SELECT status, request_id, content FROM batches")
    assert (status, name, content) == ("withdrawn", "forgotten-1", "")
    assert journal.campaigns()["unfinished"].tolist() == [0]


# The counts


def test_the_counts_stay_true_whatever_became_of_a_batch(journal):
    for number, status in enumerate([*SETTLED, "unknown", "sending"]):
        write_batch(journal, status, request_id=f"r{number}")
    before = journal.campaigns()[COUNTS].values.tolist()
    assert before == [[250, 100, 50, 100, 0]]
    journal.forget([LAN, HOA])
    assert journal.campaigns()[COUNTS].values.tolist() == before
    assert journal.campaigns()["forgotten"].tolist() == [10]  # of five batches: a split one's numbers are in its halves
    journal.forget(FIFTY)
    assert journal.campaigns()[COUNTS].values.tolist() == before
    assert journal.campaigns()["forgotten"].tolist() == [250]


def test_whoever_was_not_texted_yet_is_not_counted_as_unfinished_any_more(journal):
    write_batch(journal, "planned")
    journal.forget(LAN)
    assert journal.campaigns()[[*COUNTS, "forgotten"]].values.tolist() == [[49, 0, 0, 0, 49, 0]]


# A campaign goes on


@pytest.fixture
def unanswered(journal, customers, message, client):
    """Send, and get no answer: after the gateway has taken the batch, or before."""

    def run(*, taken):
        real = client.send

        def deaf(*arguments, **options):
            if taken:
                with suppress(ef.Refused):
                    real(*arguments, **options)
            raise ef.NoAnswer("cut")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "send", deaf)
            results = sent(customers, message, client, campaign="Tet", journal=journal)
        assert (results["status"] == "unknown").all()

    return run


@pytest.mark.parametrize("taken", heavy_after(1, [True, False]))
def test_one_that_may_have_arrived_is_tried_again_for_the_others(journal, client, sandbox, unanswered, taken):
    unanswered(taken=taken)
    journal.forget(LAN)
    results = ef.resume("Tet", client, journal=journal, progress=False)
    assert results["phone"].tolist() == FIFTY[1:]
    assert (results["status"] == "accepted").all()
    assert sandbox.sent["phone"].tolist() == (FIFTY if taken else FIFTY[1:])
    assert journal.campaigns()[["accepted", "forgotten"]].values.tolist() == [[50, 1]]


def test_one_that_may_have_arrived_days_ago_is_settled_for_the_others(journal, client, sandbox, unanswered, at):
    begun = at("2030-01-31 08:00")
    unanswered(taken=True)
    journal.forget(LAN)
    at(f"{begun + 2 * DAY:%Y-%m-%d %H:%M}")
    results = ef.resume("Tet", client, journal=journal, progress=False)
    assert len(results) == 49
    assert (results["status"] == "accepted").all()
    assert len(sandbox.sent) == 50


def test_one_that_may_have_arrived_and_has_become_too_small_waits_until_the_gateway_is_asked(
    journal, client, sandbox, unanswered, at
):
    begun = at("2030-01-31 08:00")
    unanswered(taken=True)
    journal.forget(FIFTY[:25])
    results = ef.resume("Tet", client, journal=journal, progress=False)
    assert results["status"].unique().tolist() == ["unknown"]
    assert results["reason"].iloc[0].startswith("It may have been taken, and only 25 of its numbers are left")
    assert results["attempts"].unique().tolist() == [5]  # not tried again
    at(f"{begun + 2 * DAY:%Y-%m-%d %H:%M}")
    results = ef.resume("Tet", client, journal=journal, progress=False)
    assert results["status"].unique().tolist() == ["accepted"]
    assert len(sandbox.sent) == 50


def test_where_nobody_is_left_nothing_is_tried_again(address, journal, client, sandbox, unanswered):
    unanswered(taken=False)
    journal.forget(FIFTY)
    assert ef.resume("Tet", client, journal=journal, progress=False).empty
    assert sandbox.sent.empty
    assert journal.campaigns()[["unknown", "forgotten"]].values.tolist() == [[50, 50]]
    assert rows(address, "SELECT attempts, request_id FROM batches") == [(5, "forgotten-1")]


def test_one_that_never_left_goes_out_without_them(journal, customers, message):
    with ef.Sandbox(balance=0) as poor, poor.client() as client:
        assert (sent(customers, message, client, campaign="Tet", journal=journal, checks=False)["code"] == 103).all()
        journal.forget([LAN, HOA])
        poor._gateway.balance = 10**9
        results = ef.resume("Tet", client, journal=journal, progress=False)
        assert results["phone"].tolist() == poor.sent["phone"].tolist() == FIFTY[2:]
    assert journal.campaigns()[["accepted", "forgotten"]].values.tolist() == [[48, 0]]


def test_one_that_has_become_too_small_waits_for_more(journal, customers, message):
    with ef.Sandbox(balance=0) as poor, poor.client() as client:
        sent(customers[:30], message, client, campaign="Tet", journal=journal, checks=False)
        journal.forget(LAN)
        poor._gateway.balance = 10**9
        results = ef.resume("Tet", client, journal=journal, progress=False)
        assert results["status"].unique().tolist() == ["not_sent"]
        assert results["reason"].iloc[0].startswith("Only 29 of its numbers are left since the others were forgotten")
        sent(customers[2:], message, client, campaign="Tet", journal=journal)
        assert poor.sent["phone"].sort_values().tolist() == FIFTY[1:]
    assert journal.campaigns()[["accepted", "unfinished"]].values.tolist() == [[49, 0]]


# A run that is at work


@pytest.mark.parametrize("status", ["planned", "sending", "unknown"])
@pytest.mark.parametrize("tie", ["planned_by", "holder"])
def test_a_batch_that_a_run_works_on_is_not_changed_nor_is_anything_else(address, journal, status, tie):
    write_batch(journal, "accepted")
    journal.do_not_contact.add(LAN, reason="STOP")
    values = {tie: run_name()} | ({"held_until": time.time() + 60} if tie == "holder" else {})
    write_batch(journal, status, campaign="Le", **values)
    before = rows(address, ALL), journal.do_not_contact.frame()
    with pytest.raises(ef.JournalError, match="A run works on batch 1 of the campaign 'Le'") as caught:
        journal.forget(LAN)
    assert LAN not in str(caught.value)
    assert rows(address, ALL) == before[0]
    pd.testing.assert_frame_equal(journal.do_not_contact.frame(), before[1])
    journal.forget("0912888410")  # whom it does not hold


@pytest.mark.parametrize("status", heavy_after(1, ["sending", "planned", "unknown"]))
def test_a_run_that_has_died_is_in_nobodys_way(address, journal, status):
    code = "from esms_frames.journal.claims import run_name; print(run_name())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    write_batch(journal, status, planned_by=dead, holder=dead, held_until=time.time() + 600)
    journal.forget(LAN)
    assert not is_written(address, LAN)


def test_whoever_is_forgotten_while_a_run_sleeps_is_in_neither_half_of_a_refused_batch(address, journal, message):
    phones = [f"09018884{n}" for n in range(10, 80)]
    with ef.Sandbox(blocked=[phones[-1]]) as sandbox, sandbox.client() as client:
        real = client.send

        def sleeps_over_its_claim(*arguments, **options):
            monkey.undo()
            change(address, "UPDATE batches SET planned_by = NULL, held_until = 0")
            journal.forget(LAN)
            return real(*arguments, **options)

        with pytest.MonkeyPatch.context() as monkey:
            monkey.setattr(client, "send", sleeps_over_its_claim)
            sent(pd.DataFrame({"sdt": phones}), message, client, campaign="Tet", journal=journal)
        assert sandbox.sent["phone"].tolist() == phones[1:36]
    assert not is_written(address, LAN)


# The gateway's words

SPELLED = ["0901888410", "0901/888/410", "0901,888,410", "0901_888_410", "0901\u00a0888\u00a0410", "84901888410",
           "+84 901 888 410", "(+84)901-888.410", "84.901.888.410"]  # fmt: skip


@pytest.mark.parametrize("spelled", heavy_after(3, SPELLED))
@pytest.mark.parametrize("status", ["refused", "unknown", "accepted"])
def test_they_are_taken_out_of_the_gateways_words_however_these_are_written(address, journal, spelled, status):
    write_batch(journal, status, reason=f"It says 'number {spelled} is blocked, 0901888411 too'.")
    journal.do_not_contact.add(FIFTY[2], reason=f"wife of {spelled}")
    journal.forget(LAN)
    assert rows(address, "SELECT reason FROM batches") == [("It says 'number … is blocked, 0901888411 too'.",)]
    assert journal.do_not_contact.frame()["reason"].tolist() == ["wife of …"]
    assert spelled.encode() not in files(address)


# The files


@pytest.mark.sqlite
def test_while_another_program_reads_them_it_says_that_traces_are_left(address, monkeypatch):
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.2)
    journal = ef.Journal(address)
    write_batch(journal, "accepted")
    reader = sqlite3.connect(address, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM batches").fetchall()
    with pytest.raises(ef.JournalError, match="can still be found in its files"):
        journal.forget(LAN)
    reader.execute("COMMIT")
    reader.close()
    assert journal.forget(LAN).empty  # it was out of the tables already
    assert not is_written(address, LAN)
    journal.close()


# Prune


@pytest.mark.parametrize("status", ["planned", "sending", "unknown"])
def test_an_unfinished_campaign_is_not_pruned(journal, at, status):
    old = at("2030-01-31 12:00") - 40 * DAY
    write_batch(journal, "accepted", times={"created_at": old})
    write_batch(journal, status, times={"created_at": old})
    assert journal.prune(before="2030-01-01").empty
    assert journal.campaigns()["forgotten"].tolist() == [0]


@pytest.mark.parametrize("what", ["created_at", "sent_at", "send_at"])
def test_what_happened_last_decides(journal, at, what):
    now = at("2030-01-31 12:00")
    times = dict.fromkeys(["created_at", "sent_at", "send_at"], now - 40 * DAY) | {what: now - 10 * DAY}
    write_batch(journal, "accepted", times=times)
    assert journal.prune(before=now - 10 * DAY).empty
    assert len(journal.prune(before=now - 10 * DAY + timedelta(seconds=1))) == 1


def test_the_do_not_contact_list_is_not_pruned(journal, at):
    old = at("2030-01-31 12:00") - 40 * DAY
    journal.do_not_contact.add(LAN, reason="STOP")
    write_batch(journal, "accepted", times={"created_at": old})
    journal.prune(before="2030-01-01")
    assert journal.do_not_contact.frame()["reason"].tolist() == ["STOP"]


@pytest.mark.parametrize(
    "before",
    ["2030-01-29 12:01", "2030-01-31", "2031-01-01", datetime(2030, 1, 29, 6, tzinfo=UTC), pd.Timestamp("2030-01-30")],
)
def test_the_last_two_days_are_not_pruned(journal, at, before):
    at("2030-01-31 12:00")
    with pytest.raises(ef.InvalidInput, match="is still needed"):
        journal.prune(before=before)


@pytest.mark.parametrize("before", ["yesterday", "", None, 3, pd.NaT])
def test_a_time_that_is_none_prunes_nothing(journal, before):
    with pytest.raises(ef.InvalidInput, match="before is"):
        journal.prune(before=before)


@pytest.mark.parametrize(
    "before",
    [
        "2030-01-29 12:00",
        " 2030-01-20 ",
        datetime(2030, 1, 20),
        datetime(2030, 1, 29, 5, tzinfo=UTC),
        pd.Timestamp("2030-01-20"),
    ],
)
def test_a_time_is_given_as_text_or_a_moment(journal, at, before):
    at("2030-01-31 12:00")
    assert journal.prune(before=before).empty
