"""The callbacks in the journal: whose they are, which of them stays, and how people are taken out of them."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from itertools import permutations

import numpy as np
import pytest
import sqlalchemy as sa
from support.customers import FIFTY
from support.journals import write_batch
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.campaigns.decisions.allocation import request_id
from esms_frames.journal import callbacks, tables
from esms_frames.journal.callbacks import Received
from esms_frames.reporting.callbacks import Callback

pytestmark = pytest.mark.both_journals

LAN, HOA = FIFTY[:2]
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "journal").mkdir()
    return tmp_path / "journal" / "journal.sqlite"


@pytest.fixture
def journal(path):
    book = ef.Journal(path)
    yield book
    book.close()


def rows(path, query):
    with sqlite3.connect(path) as connection:
        return connection.execute(query).fetchall()


def files(path):
    """Give all bytes in the journal's folder: its file, and those of SQLite beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def is_written(path, phone):
    """Whether a number is anywhere in the files, in national or international form."""
    return phone[1:].encode() in files(path)


@pytest.mark.parametrize("order", heavy_after(6, [list(order) for order in permutations(range(4))]))
@pytest.mark.parametrize("together", [False, True])
def test_the_last_final_state_stays_in_whatever_order_they_are_written(journal, order, together):
    write_batch(journal, "accepted", sms_id="s1")
    begin = clock.now()
    states = [(7, 0), (5, 1), (4, 2), (2, 3)]
    received = [Received(1, Callback("s1", status, phone=LAN), begin + n * DAY) for status, n in states]
    received = [received[place] for place in order]
    for group in [received] if together else [[one] for one in received]:
        journal._batches.record_callbacks(group)
    found = journal.callbacks("Tet")
    assert found["send_status"].tolist() == [4]
    assert found["received_at"].tolist() == [begin + 2 * DAY]
    assert found.attrs == {"calls": 4, "repeats": 3, "other_sends": 0}


def test_each_campaign_sees_its_own_sends_alone(journal):
    """The name may be another gateway's or account's too; a send that another campaign made counts for nothing."""
    write_batch(journal, "accepted", sms_id="s1")
    write_batch(journal, "accepted", sms_id="s2", whose=("rest.esms.vn", "b"))
    write_batch(journal, "accepted", sms_id="s3", campaign="July")
    said = [(campaign, Callback(sms_id, 5)) for campaign in (1, 2, 3) for sms_id in ("s1", "s2", "s3")]
    journal._batches.record_callbacks([Received(campaign, one, clock.now()) for campaign, one in said])
    assert journal.callbacks("Tet")["sms_id"].tolist() == ["s1", "s2"]
    assert journal.callbacks(" July ")["sms_id"].tolist() == ["s3"]
    assert journal.callbacks("August").empty
    assert journal.callbacks().attrs == {"calls": 3, "repeats": 0, "other_sends": 0}
    assert journal._batches.callbacks_of(["s3", "s1", "s9"])["sms_id"].tolist() == ["s1", "s3"]
    assert len(journal._batches.callbacks_of([f"s{n}" for n in range(2000)])) == 3


def test_whoever_knows_a_token_can_not_fill_the_disk_with_sends_that_are_made_up(journal):
    """Only while a batch waits for the id of its send can a callback be meant for one that is not known yet."""
    write_batch(journal, "accepted", sms_id="s1")
    made_up = [Received(1, Callback(f"x{n}", 5), clock.now()) for n in range(100)]
    journal._batches.record_callbacks(made_up)
    assert journal.callbacks().attrs == {"calls": 0, "repeats": 0, "other_sends": 0}
    write_batch(journal, "sending")
    journal._batches.record_callbacks(made_up[:1])
    assert journal.callbacks().attrs == {"calls": 0, "repeats": 0, "other_sends": 1}


def test_whoever_writes_meanwhile_waits_for_some_sends_callbacks_and_not_for_all(path, journal, monkeypatch):
    """A look at the callbacks of millions would keep a campaign that is being sent from going on."""
    for n in range(1, 101):
        write_batch(journal, "accepted", sms_id=f"s{n:03d}")
    journal._batches.record_callbacks([Received(1, Callback(f"s{n:03d}", 5), clock.now()) for n in range(1, 101)])
    read = callbacks.build_frame

    def frame(rows):
        with sqlite3.connect(path, timeout=0) as another:
            another.execute("DELETE FROM do_not_contact")  # fails while somebody has the journal
        assert len(rows) <= callbacks.AT_ONCE
        return read(rows)

    monkeypatch.setattr(callbacks, "build_frame", frame)
    found = journal._batches.callbacks_of(["none", *(f"s{n:03d}" for n in range(1, 101))])
    assert found["sms_id"].tolist() == [f"s{n:03d}" for n in range(1, 101)]
    assert found.dtypes.equals(journal._batches.callbacks_of([]).dtypes)


def test_an_empty_frame_has_the_columns_and_types_of_read_callbacks(journal):
    line = ef.read_callbacks(["SMSID=a&SendStatus=5"])
    assert journal.callbacks().dtypes.astype(str).to_dict() == line.dtypes.astype(str).to_dict()


# How people are forgotten


def arrive(journal, batch, sms_id, phones, request_id=None):
    """Write down that callbacks have come for a batch, which gets the id of a send."""
    with journal._database.begin() as connection:
        connection.execute(sa.update(tables.batches).filter_by(id=batch).values(sms_id=sms_id))
    scope = journal._batches.scope("Tet", "rest.esms.vn", "a")
    said = [Callback(sms_id, 5, request_id or f"id {batch - 1}", phone, delivered=1, recipients=1) for phone in phones]
    journal._batches.record_callbacks([Received(scope.id, one, clock.now()) for one in said])


def test_callbacks_to_them_are_forgotten_too_and_what_could_tell_who_it_was(path, journal):
    derived = request_id("Tet", np.array([int(phone) for phone in FIFTY], dtype=np.int32))
    arrive(journal, write_batch(journal, "accepted", request_id=derived), "s1", [*FIFTY[:3], ""], derived)
    arrive(journal, write_batch(journal, "accepted", phones=FIFTY[5:]), "s2", FIFTY[5:7])
    journal.forget([LAN, HOA])
    assert not is_written(path, LAN)
    assert derived.encode() not in files(path)
    found = rows(path, "SELECT sms_id, phone, request_id FROM callbacks ORDER BY sms_id, phone")
    assert found == [("s1", "", None), ("s1", FIFTY[2], None), ("s2", FIFTY[5], "id 1"), ("s2", FIFTY[6], "id 1")]


def test_a_callback_that_comes_late_does_not_bring_them_back(path, journal):
    batch = write_batch(journal, "accepted")
    arrive(journal, batch, "s1", [])
    journal.forget(LAN)
    arrive(journal, batch, "s1", [LAN, FIFTY[2]], request_id=f"forgotten-{batch}")
    assert rows(path, "SELECT phone FROM callbacks") == [(FIFTY[2],)]
    assert not is_written(path, LAN)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("erase", ["forget", "prune"])
def test_nor_does_one_for_a_send_whose_id_is_not_known(path, journal, erase, named):
    """As after 124, which tells that the gateway has the batch, and not under which id."""
    write_batch(journal, "accepted", request_id="r1", times={"created_at": clock.now() - 10 * DAY})
    write_batch(journal, "planned", campaign="another", attempts=0)
    if erase == "forget":
        journal.forget(LAN)
    else:
        journal.prune(before=clock.now() - 3 * DAY)
        journal.forget(LAN)  # out of the other campaign
    late = Callback("s1", 5, "r1" if named else None, phone=LAN, delivered=1, recipients=1)
    journal._batches.record_callbacks([Received(campaign, late, clock.now()) for campaign in (1, 2)])
    assert rows(path, "SELECT * FROM callbacks") == []
    assert not is_written(path, LAN)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("status", ["sending", "unknown", "accepted"])
def test_one_that_comes_before_the_id_of_its_send_is_kept(journal, status, named):
    batch = write_batch(journal, status, request_id="r1")
    write_batch(journal, status, request_id="r2", phones=FIFTY[1:2])
    early = [Callback("s1", 5, "r1" if named else None, phone=phone) for phone in (LAN, HOA, "0999999999")]
    journal._batches.record_callbacks([Received(1, one, clock.now()) for one in early])
    with journal._database.begin() as connection:
        connection.execute(sa.update(tables.batches).filter_by(id=batch).values(sms_id="s1"))
    assert journal.callbacks()["phone"].tolist() == [LAN, HOA]


@pytest.mark.parametrize("erase", ["forget", "prune"])
def test_nor_does_it_bring_back_the_request_id_that_could_tell_who_they_were(path, journal, erase):
    """The gateway repeats it with every callback, also to those who stay, and to the send as a whole."""
    derived = request_id("Tet", np.array([int(phone) for phone in FIFTY], dtype=np.int32))
    old = {"created_at": clock.now() - 10 * DAY}
    batch = write_batch(journal, "accepted", request_id=derived, times=old)
    arrive(journal, batch, "s1", [FIFTY[3]], derived)
    assert journal.callbacks()["request_id"].tolist() == [derived]
    if erase == "forget":
        journal.forget(LAN)
    else:
        journal.prune(before=clock.now() - 3 * DAY)
    arrive(journal, batch, "s1", [FIFTY[2], ""], derived)
    kept = ["", FIFTY[2], FIFTY[3]] if erase == "forget" else [""]
    assert rows(path, "SELECT phone, request_id FROM callbacks ORDER BY 1") == [(phone, None) for phone in kept]
    assert derived.encode() not in files(path)


def test_pruning_takes_the_numbers_of_callbacks_of_finished_campaigns(path, journal):
    old = clock.now() - 10 * DAY
    arrive(journal, write_batch(journal, "accepted", times={"created_at": old}), "s1", [LAN, ""])
    arrive(journal, write_batch(journal, "accepted", times={"created_at": old}), "s9", [])
    journal._batches.record_callbacks([Received(1, Callback("unknown", 5, phone=HOA), clock.now())])
    write_batch(journal, "planned", campaign="running", phones=FIFTY[1:])
    journal._batches.record_callbacks([Received(2, Callback("early", 5, phone=HOA), clock.now())])
    journal.prune(before=clock.now() - 3 * DAY)
    assert rows(path, "SELECT sms_id, phone FROM callbacks ORDER BY 1") == [("early", HOA), ("s1", "")]
    assert not is_written(path, LAN)
