"""A journal in PostgreSQL: what several machines, a network and a server bring along, and nobody is texted twice for it."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from support.customers import FIFTY, sent
from support.journals import change, rows, write_batch
from support.postgres_server import PASSWORD, Wire
from support.programs import needs_postgres

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.gateway.http import transport
from esms_frames.journal import claims
from esms_frames.journal.batches import BatchStore
from esms_frames.journal.claims import run_name
from esms_frames.journal.database import database, postgres
from esms_frames.journal.database.postgres_driver import PatientConnection
from esms_frames.journal.records import NewBatch, TextedNumbers

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ADVERT = ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising")


@pytest.fixture
def kind():
    return "postgresql"


@pytest.fixture
def server():
    return needs_postgres()


@pytest.fixture
def scope(journal):
    return journal._batches.scope("Tết", "sandbox", "someone")


def numbers(n, start=901888410):
    return np.arange(start, start + n, dtype=np.int32)


@pytest.fixture
def batch(journal, scope, message):
    [planned] = journal._batches.plan(
        scope, run_name(), lambda _: ([], [NewBatch("r-1", message, 30, numbers(60))]), TextedNumbers()
    )
    return planned


def frame(phones):
    return pd.DataFrame({"sdt": phones})


def many(n):
    return [f"09{m:08d}" for m in range(n)]


def counts(results):
    return results["status"].value_counts().loc[lambda n: n > 0].to_dict()


def at_once(*several):
    """Run functions in threads that begin at the same moment; what they gave or raised."""
    found, start = [None] * len(several), threading.Barrier(len(several))

    def run(place):
        start.wait()
        try:
            found[place] = several[place]()
        except Exception as error:  # noqa: BLE001 - it is looked at
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(several))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# Its address


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_url_is_taken_with_or_without_the_driver(address, name):
    book = ef.Journal(address.replace("postgresql+psycopg", name))
    assert repr(book).startswith("<Journal postgresql+psycopg://colleague:***@127.0.0.1:")
    book.close()


def test_it_is_the_journal_of_the_environment_too(address, monkeypatch, customers, message, client):
    monkeypatch.setenv("ESMS_JOURNAL", address)
    assert counts(sent(customers, message, client, campaign="Tết")) == {"accepted": 50}
    assert rows(address, "SELECT name FROM campaigns") == [("Tết",)]


@pytest.mark.parametrize("name", ["postgresql+psycopg2", "postgresql+asyncpg", "mysql"])
def test_another_driver_or_database_is_refused_with_the_way_out(address, name):
    with pytest.raises(ef.JournalError, match="not installed or not known here: write it like postgresql") as caught:
        ef.Journal(address.replace("postgresql+psycopg", name))
    assert PASSWORD not in str(caught.value)


def test_without_the_driver_the_extra_is_named(address, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ef.JournalError, match=r'needs the driver psycopg: pip install "esms-frames\[team\]"'):
        ef.Journal(address)


SECRET = "hunter-made-up"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"word": SECRET}, "does not let this user in"),
        ({"user": "nobody", "word": SECRET}, "does not let this user in"),
        ({"port": 1, "word": SECRET}, "can't be reached"),
        ({"word": SECRET, "database": "no_such_database"}, "does not let this user in|is not there"),
        ({"word": SECRET, "host": "no-such-host.invalid"}, "can't be reached"),
        ({"query": {"password": SECRET}}, "does not let this user in"),
        ({"word": SECRET, "query": {"no_such_option": SECRET}}, "can't be used|can't be reached"),
    ],
)
def test_a_server_that_is_not_as_it_should_be_is_one_sentence_without_the_password(server, caplog, change, says):
    caplog.set_level(logging.DEBUG)
    url = sa.make_url(server.url(**{name: change.pop(name) for name in ("user", "word", "port") if name in change}))
    address = url.set(**change).render_as_string(hide_password=False)
    begin = time.monotonic()
    with pytest.raises(ef.JournalError, match=says) as caught:
        ef.Journal(address)
    assert time.monotonic() - begin < 15  # a server that was never there is not waited for
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value)
    assert SECRET not in shown
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_database_that_is_not_there_is_said_so(server):
    address = sa.make_url(server.url()).set(database="no_such_database").render_as_string(hide_password=False)
    with pytest.raises(ef.JournalError, match="is not there: create the database"):
        ef.Journal(address)


def test_a_schema_that_is_not_there_is_said_so(server):
    with pytest.raises(ef.JournalError, match="has no schema of the name that its address gives"):
        ef.Journal(server.url(schema="not_there"))


def test_errors_show_neither_sql_nor_numbers(journal, scope, address, caplog):
    caplog.set_level(logging.DEBUG)
    change(address, "ALTER TABLE do_not_contact ADD CHECK (phone <> '0901888410')")
    why = "Lan asked"
    with pytest.raises(ef.JournalError) as caught:
        journal.do_not_contact.add(FIFTY, reason=why)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not any(word in shown for word in (FIFTY[0], "INSERT", why))


def test_a_newer_journal_and_a_database_of_something_else_are_not_used(address, server):
    ef.Journal(address).close()
    change(address, "UPDATE journal SET version = 99")
    with pytest.raises(ef.JournalError, match="newer version"):
        ef.Journal(address)
    other = server.address()
    change(other, "CREATE TABLE customers (name text)")
    with pytest.raises(ef.JournalError, match="something else: name another one"):
        ef.Journal(other)


def test_a_journal_that_may_only_be_read_is_said_so(server):
    address = server.address()
    ef.Journal(address).close()
    url = sa.make_url(address)
    given = url.query["options"] + " -cdefault_transaction_read_only=on"
    with pytest.raises(ef.JournalError, match="can't be written to"):
        ef.Journal(url.update_query_dict({"options": given}).render_as_string(hide_password=False))


def test_connections_end_with_the_journal(address, server):
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'esms_frames'"
    gc.collect()  # the journals of other tests
    before = server.execute(mine)[0][0]
    book = ef.Journal(address)
    book.campaigns()
    assert server.execute(mine)[0][0] > before
    del book
    gc.collect()
    deadline = time.monotonic() + 5
    while server.execute(mine)[0][0] > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.execute(mine)[0][0] <= before


# Durable


def test_commits_are_on_the_servers_disk_and_each_statement_sees_what_is_committed_whatever_the_defaults(server):
    url = sa.make_url(server.address())
    hasty = " -csynchronous_commit=off -cdefault_transaction_isolation=serializable"
    url = url.update_query_dict({"options": url.query["options"] + hasty})
    book = ef.Journal(url.render_as_string(hide_password=False))
    with book._database.begin() as connection:
        for name, value in {
            "synchronous_commit": "on",
            "transaction_isolation": "read committed",
            "lock_timeout": "1min",
            "idle_in_transaction_session_timeout": "5min",
        }.items():
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
    book.close()


def test_a_commit_that_waits_for_more_than_that_stays_so(server):
    url = sa.make_url(server.address())
    url = url.update_query_dict({"options": url.query["options"] + " -csynchronous_commit=remote_apply"})
    book = ef.Journal(url.render_as_string(hide_password=False))
    with book._database.begin() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "remote_apply"
    book.close()


def test_a_server_that_does_not_write_durably_is_refused(server, address):
    server.stop("fast")
    server.start(fsync="off")
    try:
        with pytest.raises(ef.JournalError, match="fsync = off, which forgets in a power cut"):
            ef.Journal(address)
    finally:
        server.stop("fast")
        server.start()


def test_a_database_that_can_t_hold_vietnamese_is_refused(server):
    server.execute("DROP DATABASE IF EXISTS latin")
    server.execute("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0")
    address = sa.make_url(server.url()).set(database="latin").render_as_string(hide_password=False)
    with pytest.raises(ef.JournalError, match="can't hold Vietnamese"):
        ef.Journal(address)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1258", "SQL_ASCII"])
def test_vietnamese_comes_and_goes_whatever_encoding_the_users_environment_names(
    address, customers, client, monkeypatch, encoding
):
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    results = sent(customers, ef.Message("Xin chào Đà Lạt ở", "Baotrixemay"), client, campaign="Tết", journal=address)
    assert counts(results) == {"accepted": 50}
    book = ef.Journal(address)
    assert book.campaigns()["campaign"].tolist() == ["Tết"]
    book.close()


def test_a_lock_that_somebody_keeps_is_not_waited_for_for_ever(journal, batch, address, monkeypatch):
    monkeypatch.setattr(postgres, "_BEGIN", postgres._BEGIN.replace("'60s'", "'200ms'"))
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as other:
        other.exec_driver_sql("SELECT id FROM batches FOR UPDATE")
        with pytest.raises(ef.JournalError, match="kept locked by another program for 60 seconds"):
            journal._batches.begin_attempt(batch, run_name(), 60)
    assert journal._batches.begin_attempt(batch, run_name(), 60) is not None


# The clocks of machines


@contextmanager
def machine(off):
    """Let this machine's clock be wrong by a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "seconds", lambda: time.time() + off.total_seconds())
        yield


OFF = [-DAY, -HOUR, HOUR, DAY]


@pytest.mark.parametrize("off", OFF)
def test_no_claim_is_taken_over_by_a_machine_whose_clock_is_wrong(journal, batch, off):
    assert journal._batches.begin_attempt(batch, "here:1:1.0:a", 5) is not None
    with machine(off):
        assert journal._batches.state(batch, "there:1:1.0:b") == ("sending", True)
        assert journal._batches.begin_attempt(batch, "there:1:1.0:b", 5) is None
        assert not journal._batches.claim(batch, "there:1:1.0:b", 5)


@pytest.mark.parametrize("off", OFF)
def test_a_claim_of_a_machine_whose_clock_is_wrong_lasts_as_long_as_any_other(journal, batch, off):
    with machine(off):
        assert journal._batches.begin_attempt(batch, "here:1:1.0:a", 0.4) is not None
    assert journal._batches.begin_attempt(batch, "there:1:1.0:b", 5) is None
    time.sleep(0.5)
    assert journal._batches.begin_attempt(batch, "there:1:1.0:b", 5) is not None


@pytest.mark.parametrize("off", OFF)
def test_all_times_that_are_written_are_the_servers(address, customers, client, off):
    with machine(off):
        book = ef.Journal(address)
        message = ef.Message("Xin chao", "Baotrixemay")
        sent(customers, message, client, campaign="Tết", journal=book)
        book.do_not_contact.add(FIFTY[0])
    written = rows(
        address,
        "SELECT created_at FROM campaigns UNION ALL SELECT created_at FROM batches UNION ALL SELECT sent_at FROM batches "
        "UNION ALL SELECT started_at FROM attempts UNION ALL SELECT ended_at FROM attempts "
        "UNION ALL SELECT added_at FROM do_not_contact",
    )
    for (text,) in written:
        assert abs(pd.Timestamp(text) - pd.Timestamp(clock.now())) < pd.Timedelta(minutes=1), text
    book.close()


@pytest.mark.parametrize("off", [HOUR, DAY])
def test_a_machine_whose_clock_is_behind_repeats_nothing_after_the_24_hours(
    address, sandbox, client, customers, message, monkeypatch, off
):
    def deaf(*arguments, **options):
        with pytest.raises(ef.Refused) if len(sandbox.sent) else contextmanager(lambda: iter([None]))():
            real(*arguments, **options)
        raise ef.NoAnswer("cut")

    real = client.send
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", deaf)
        assert counts(sent(customers, message, client, campaign="Tết", journal=address)) == {"unknown": 50}
    # It was 23 hours and a half ago by the server's clock; by the machine's it is not, or has not even been.
    earlier = (clock.now() - 23.5 * HOUR).isoformat(timespec="microseconds")
    change(address, f"UPDATE batches SET uncertain_since = '{earlier}', created_at = '{earlier}'")
    asked = []
    with monkeypatch.context() as patch, machine(-off):
        patch.setattr(client, "send", lambda *_a, **_k: asked.append(1))
        patch.setattr(client, "sent_between", lambda *_a, **_k: (_ for _ in ()).throw(ef.NoAnswer("no word")))
        results = ef.resume("Tết", client, journal=address, progress=False, rate=None)
    assert (counts(results), asked) == ({"unknown": 50}, [])


@pytest.mark.parametrize("off", [-DAY, DAY])
def test_a_machine_whose_clock_is_wrong_finishes_what_is_uncertain_by_the_servers(
    address, sandbox, client, customers, message, monkeypatch, off
):
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.NoAnswer("cut")))
        sent(customers, message, client, campaign="Tết", journal=address)
    with monkeypatch.context() as patch, machine(off):
        patch.setattr(transport, "_measure_offset", lambda _: -off)  # the gateway's clock is right
        results = ef.resume("Tết", client, journal=address, progress=False, rate=None)
    assert counts(results) == {"accepted": 50}
    assert len(sandbox.sent) == 50


@pytest.mark.parametrize("off", OFF)
def test_the_daily_cap_is_counted_by_the_servers_clock(journal, client, customers, address, off, at):
    live = ("sandbox", client.account)
    present = journal._batches.now()
    for hours, campaign in ((1, "a"), (10, "b"), (23.9, "c")):
        write_batch(journal, "accepted", campaign=campaign, whose=live, times={"sent_at": present - hours * HOUR})
    options = {"journal": address, "rules_off": ["sending_hours"]}
    with machine(off):
        assert counts(sent(customers, ADVERT, client, campaign="d", **options)) == {"capped": 50}
        change(address, f"UPDATE batches SET sent_at = '{(present - 24.1 * HOUR).isoformat()}' WHERE campaign_id = 3")
        assert counts(sent(customers, ADVERT, client, campaign="d", **options)) == {"accepted": 50}


@pytest.mark.parametrize("off", [-10 * HOUR, 10 * HOUR])
def test_advertising_goes_out_at_the_hours_of_the_servers_clock(address, sandbox, client, customers, off, monkeypatch):
    noon = (clock.now() + DAY).replace(hour=12)
    monkeypatch.setattr(clock, "now", lambda: noon)
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.Unreachable("no network")))
        assert counts(sent(customers, ADVERT, client, campaign="Tết", journal=address)) == {"not_sent": 50}
    monkeypatch.setattr(clock, "now", lambda: noon.replace(hour=23) + off)
    with machine(off):
        resumed = ef.resume("Tết", client, journal=address, progress=False, rate=None)
        with pytest.raises(ef.InvalidInput, match="07:00"):
            sent(customers, ADVERT, client, campaign="other", journal=address, checks=False)
    assert counts(resumed) == {"not_sent": 50}
    assert "07:00" in resumed["reason"].iloc[0]
    assert sandbox.sent.empty


def test_a_planner_is_idle_by_the_servers_clock(journal, scope, batch, address):
    change(address, "UPDATE batches SET planned_by = 'there:1:1.0:b'")
    with machine(2 * HOUR):
        assert not journal._batches.batches(scope)[0].is_abandoned
    change(address, f"UPDATE batches SET created_at = '{(clock.now() - 1.1 * HOUR).isoformat()}'")
    with machine(-2 * HOUR):
        assert journal._batches.batches(scope)[0].is_abandoned


# Machines of one name


@contextmanager
def boot(name):
    """Be another machine, or container, of the same name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "_boot", lambda: name)
        yield


@pytest.mark.parametrize("other", ["another", ""])
def test_on_a_machine_of_the_same_name_the_numbers_of_processes_say_nothing(journal, scope, batch, other):
    with boot(other):
        elsewhere = f"{claims.name_machine()}:999999999:1.0:a"  # no such process here
        assert journal._batches.begin_attempt(batch, elsewhere, 60) is not None
    assert journal._batches.begin_attempt(batch, run_name(), 60) is None
    with boot(other):
        same = journal._batches.begin_attempt(batch, run_name(), 60)
    assert (same is None) == (other == "")  # where machine and container can't be told, only time tells


def test_a_file_is_of_one_machine_whenever_that_was_started(tmp_path):
    with boot("before it was started anew"):
        earlier = f"{claims.name_machine()}:999999999:1.0:a"
    assert claims.is_over(earlier, is_shared=False)
    assert not claims.is_over(earlier, is_shared=True)


# Several at once


def slowed(patch, seconds=0.3):
    """Let each plan take a while between what it reads and what it writes."""
    real = BatchStore._add

    def add(*arguments, **options):
        time.sleep(seconds)
        return real(*arguments, **options)

    patch.setattr(BatchStore, "_add", add)


def test_two_campaigns_planned_at_once_do_not_break_the_daily_cap_together(
    address, sandbox, customers, monkeypatch, at
):
    at("2030-01-31 12:00")
    for name in ("one", "two"):
        sent(customers, ADVERT, sandbox.client(), campaign=name, journal=address)
    slowed(monkeypatch)
    found = at_once(
        *(
            lambda name=name: sent(customers, ADVERT, sandbox.client(), campaign=name, journal=ef.Journal(address))
            for name in ("three", "four")
        )
    )
    assert sorted(str(counts(one)) for one in found) == ["{'accepted': 50}", "{'capped': 50}"]
    assert sandbox.sent.groupby("phone").size().tolist() == [3] * 50


def test_two_machines_that_plan_one_campaign_at_once_share_it(address, sandbox, message, monkeypatch):
    slowed(monkeypatch)
    phones = many(600)

    def run(some):
        audience = ef.prepare(frame(some), max_batch=100)
        return sent(audience, message, sandbox.client(), campaign="Tết", journal=ef.Journal(address))

    found = at_once(lambda: run(phones), lambda: run(phones[100:]))
    assert sorted(sandbox.sent["phone"]) == phones
    for one in found:
        assert one["status"].isin(["accepted", "already_sent"]).all()


def test_whoever_is_put_on_the_list_while_it_is_planned_waits_and_whoever_was_before_gets_nothing(
    journal, address, sandbox, customers, monkeypatch, at
):
    at("2030-01-31 12:00")
    ended = {}

    def add():
        journal.do_not_contact.add(FIFTY[:3])
        ended["add"] = time.monotonic()

    def plan():
        return sent(customers, ADVERT, sandbox.client(), campaign="Tết", journal=address)

    slowed(monkeypatch)
    real = BatchStore._add

    def noted(*arguments, **options):
        done = real(*arguments, **options)
        ended["plan"] = time.monotonic()
        return done

    monkeypatch.setattr(BatchStore, "_add", noted)
    found, _ = at_once(plan, lambda: time.sleep(0.15) or add())
    capped = counts(found)
    assert capped in ({"accepted": 50}, {"accepted": 47, "excluded": 3})
    assert (ended["add"] > ended["plan"]) == (capped == {"accepted": 50})


def test_what_a_run_begins_to_send_while_another_plans_is_not_replaced(journal, scope, batch, message, address):
    journal._batches.release(batch_planner(address))
    [abandoned] = journal._batches.batches(scope)
    assert abandoned.is_abandoned
    begun = threading.Event()
    found = []

    def try_it():
        begun.set()
        found.append(journal._batches.begin_attempt(abandoned, "there:1:1.0:b", 60))

    def decide(known):
        thread.start()
        begun.wait()
        time.sleep(0.3)
        return known.batches, [NewBatch("r-2", message, 30, numbers(60))]

    thread = threading.Thread(target=try_it)
    planned = journal._batches.plan(scope, run_name(), decide, TextedNumbers())
    thread.join()
    assert found == [None]  # it was replaced before that run could have it
    assert [one.request_id for one in planned] == ["r-2"]


def batch_planner(address):
    return rows(address, "SELECT planned_by FROM batches")[0][0]


def test_of_many_machines_one_gets_the_claim(address, batch):
    books = [ef.Journal(address) for _ in range(8)]
    found = at_once(*(lambda book=book: book._batches.begin_attempt(batch, run_name(), 60) for book in books))
    assert sum(attempt is not None for attempt in found) == 1
    for book in books:
        book.close()


def test_a_campaign_that_two_machines_begin_at_once_is_one(address):
    books = [ef.Journal(address) for _ in range(8)]
    found = at_once(*(lambda book=book: book._batches.scope("Tết", "sandbox", "a") for book in books))
    assert len({scope.id for scope in found}) == 1
    for book in books:
        book.close()


def test_many_machines_may_make_it_at_once(address):
    for book in at_once(*(lambda: ef.Journal(address) for _ in range(8))):
        book.close()
    assert len(rows(address, "SELECT version FROM journal")) == 1


def test_people_are_forgotten_while_campaigns_are_sent(address, sandbox, message):
    """Whoever is in a batch that a run works on makes it wait; everybody else is out, and nobody is texted twice."""
    phones = many(3000)
    for n in range(6):
        sent(frame(FIFTY), message, sandbox.client(), campaign=f"before {n}", journal=address)
    book, forgotten = ef.Journal(address), []

    def forget():
        forgotten.extend(len(book.forget(phone)) for phone in FIFTY[:5])
        try:
            book.forget(phones[0])
        except ef.JournalError as error:
            assert "A run works on batch" in str(error) or "kept locked" in str(error), error

    audience = ef.prepare(frame(phones), max_batch=60)
    results, error = at_once(lambda: sent(audience, message, sandbox.client(), campaign="Tết", journal=address), forget)
    assert error is None
    assert forgotten == [6] * 5
    assert counts(results) in ({"accepted": 3000}, {"accepted": 2999, "not_sent": 1})
    assert sandbox.sent[sandbox.sent["campaign"] == "Tết"]["phone"].is_unique
    book.close()


# A connection that is lost


@pytest.fixture
def wire(server):
    made = Wire(server.port)
    yield made
    made.close()


@pytest.fixture
def far(address, wire, monkeypatch):
    """The same journal over a network that can be cut."""
    monkeypatch.setattr(PatientConnection, "silence", 0.5)
    url = sa.make_url(address).set(port=wire.port)
    book = ef.Journal(url.render_as_string(hide_password=False))
    yield book
    book.close()


LOST = pytest.mark.parametrize("lost", ["request", "answer", "late", "silence"])


@LOST
def test_a_plan_is_written_once_whatever_of_its_commit_is_lost(far, wire, message, address, lost):
    scope = far._batches.scope("Tết", "sandbox", "a")
    wire.lose(lost)
    ids = iter(["r-1", "r-2", "r-3"])  # as if each decision were another
    planned = far._batches.plan(
        scope, run_name(), lambda _: ([], [NewBatch(next(ids), message, 30, numbers(60))]), TextedNumbers()
    )
    assert wire.losses == 1
    assert len(planned) == 1
    assert len(rows(address, "SELECT id FROM batches")) == 1


@LOST
def test_an_attempt_is_begun_once_whatever_of_its_commit_is_lost(far, wire, batch, address, lost):
    run = run_name()
    wire.lose(lost)
    attempt = far._batches.begin_attempt(batch, run, 60)
    assert wire.losses == 1
    assert (attempt.number, attempt.uncertain_before, attempt.unanswered_before) == (1, None, False)
    assert rows(address, "SELECT id, run, number FROM attempts") == [(attempt.id, run, 1)]
    assert rows(address, "SELECT attempts, status, holder FROM batches") == [(1, "sending", run)]


@LOST
@pytest.mark.parametrize("status", ["accepted", "unknown", "refused"])
def test_the_end_of_an_attempt_is_written_whatever_of_its_commit_is_lost(far, wire, batch, address, lost, status):
    run = run_name()
    attempt = far._batches.begin_attempt(batch, run, 60)
    wire.lose(lost)
    far._batches.end_attempt(attempt, run, status, outcome="unanswered", code=100, sms_id="s")
    assert wire.losses == 1
    assert rows(address, "SELECT status, attempts FROM batches") == [(status, 1)]
    assert rows(address, "SELECT outcome FROM attempts") == [("unanswered",)]


@LOST
def test_a_batch_is_split_once_whatever_of_the_commit_is_lost(far, wire, scope, batch, message, address, lost):
    run = run_name()
    attempt = far._batches.begin_attempt(batch, run, 60)
    wire.lose(lost)
    halves = far._batches.split(scope, attempt, run, halved(message), reason="blocked", code=99)
    assert wire.losses == 1
    assert [len(half.numbers) for half in halves] == [30, 30]
    found = rows(address, "SELECT status, size FROM batches ORDER BY id")
    assert found == [("split", 60), ("planned", 30), ("planned", 30)]


def halved(message):
    def divide(there, taken):
        name = f"half-{len(taken)}"
        return [NewBatch(f"{name}-{n}", message, 30, part) for n, part in enumerate(np.split(there, 2))]

    return divide


@LOST
def test_a_claim_and_what_is_found_out_are_written_whatever_of_the_commit_is_lost(far, wire, batch, address, lost):
    run = run_name()
    wire.lose(lost)
    assert far._batches.claim(batch, run, 60)
    wire.lose(lost)
    far._batches.settle(batch, run, "accepted", reason=None, sms_id="s")
    assert wire.losses == 2
    assert rows(address, "SELECT status, sms_id, holder FROM batches") == [("accepted", "s", None)]
    wire.lose(lost)
    far._batches.release(run)
    wire.lose(lost)
    assert far._batches.scope("new", "sandbox", "a").id
    assert wire.losses == 4
    assert rows(address, "SELECT count(*) FROM campaigns") == [(2,)]


@LOST
def test_of_a_change_that_can_t_be_told_from_its_repetition_it_is_said_that_nobody_knows(far, wire, address, lost):
    wire.lose(lost)
    with pytest.raises(ef.JournalError, match="not known whether the last change was written: do the same again"):
        far.do_not_contact.add(FIFTY)
    time.sleep(0.4)
    far.do_not_contact.add(FIFTY)
    assert len(far.do_not_contact) == 50


def test_a_campaign_goes_on_over_a_wire_that_is_cut_again_and_again(address, wire, sandbox, message):
    phones = many(3000)
    book = ef.Journal(sa.make_url(address).set(port=wire.port).render_as_string(hide_password=False))
    wire.lose_every(7)
    audience = ef.prepare(frame(phones), max_batch=100)
    results = sent(audience, message, sandbox.client(), campaign="Tết", journal=book)
    assert wire.losses > 5
    assert counts(results) == {"accepted": 3000}
    assert sorted(sandbox.sent["phone"]) == phones
    book.close()


# A batch that two split


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_a_sleeper_whose_batch_was_split_by_who_took_over_does_not_split_it_again(where, tmp_path, server, message):
    book = ef.Journal(server.address() if where == "postgresql" else tmp_path / "journal.sqlite")
    scope = book._batches.scope("Tết", "sandbox", "a")
    [batch] = book._batches.plan(
        scope, run_name(), lambda _: ([], [NewBatch("r-1", message, 30, numbers(60))]), TextedNumbers()
    )
    slept = book._batches.begin_attempt(batch, "there:1:1.0:a", 0.0)
    attempt = book._batches.begin_attempt(batch, "here:1:1.0:b", 60)
    assert len(book._batches.split(scope, attempt, "here:1:1.0:b", halved(message), reason="blocked", code=99)) == 2
    assert book._batches.split(scope, slept, "there:1:1.0:a", halved(message), reason="blocked", code=99) == []
    assert len(book._batches.batches(scope)) == 2
    book.close()


# A server that stops


def test_a_run_survives_a_server_that_stops_and_comes_back(address, server, message):
    phones = many(2000)
    audience = ef.prepare(frame(phones), max_batch=60)
    with ef.Sandbox(latency=0.05, balance=10**12) as sandbox:
        found = []
        run = threading.Thread(
            target=lambda: found.append(sent(audience, message, sandbox.client(), campaign="Tết", journal=address))
        )
        run.start()
        deadline = time.monotonic() + 20
        while len(sandbox.sent) < 300 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.stop("immediate")
        assert len(sandbox.sent) < 2000
        time.sleep(0.3)
        server.start()
        run.join()
        assert counts(found[0]) == {"accepted": 2000}
        assert sorted(sandbox.sent["phone"]) == phones
    assert rows(address, "SELECT DISTINCT status FROM batches") == [("accepted",)]


def test_each_call_waits_its_own_minute_for_a_server_that_is_away(journal, server, monkeypatch):
    monkeypatch.setattr(database, "_PATIENCE", 0.5)
    journal.campaigns()
    server.stop("immediate")
    try:
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(ef.JournalError, match="can't be reached"):
                journal.campaigns()
            assert time.monotonic() - began > 0.5
    finally:
        server.start()


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_run_ends_with_one_sentence_when_the_server_stays_away_and_resume_finishes(
    address, server, message, monkeypatch, concurrency
):
    monkeypatch.setattr(database, "_PATIENCE", 0.5)
    transact, waits = database.Database.transact, []

    def timed(self, *arguments, **options):
        began = time.monotonic()
        try:
            return transact(self, *arguments, **options)
        except ef.JournalError:
            waits.append(time.monotonic() - began)
            raise

    monkeypatch.setattr(database.Database, "transact", timed)
    phones = many(2000)
    audience = ef.prepare(frame(phones), max_batch=60)
    with ef.Sandbox(latency=0.05, balance=10**12) as sandbox:
        found = []

        def run():
            with pytest.raises(ef.JournalError) as caught:
                sent(audience, message, sandbox.client(), campaign="Tết", journal=address, concurrency=concurrency)
            found.append((time.monotonic(), caught.value))

        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 20
        while len(sandbox.sent) < 300 and time.monotonic() < deadline:
            time.sleep(0.01)
        stopped = time.monotonic()
        server.stop("immediate")
        try:
            thread.join(30)
        finally:
            server.start()
        [(ended, error)] = found
        assert "can't be reached: see that its server runs" in str(error)
        assert PASSWORD not in "".join(traceback.format_exception(error))
        assert ended - stopped < 5
        assert sum(wait > 0.5 for wait in waits) <= concurrency  # waited for once, by all threads at the same time
        assert len(waits) == concurrency + 1  # and tried once more to give up its claims
        assert 300 <= len(sandbox.sent) < 2000
        there = ef.results("Tết", journal=address)
        assert set(counts(there)) <= {"accepted", "unknown", "not_sent"}
        time.sleep(0.1)
        change(address, "UPDATE batches SET held_until = 0 WHERE holder IS NOT NULL")  # their time is over
        resumed = ef.resume("Tết", sandbox.client(), journal=address, progress=False, rate=None)
        assert counts(resumed) == {"accepted": 2000}
        assert sorted(sandbox.sent["phone"]) == phones


# A server that hangs


def test_a_server_that_hangs_is_not_waited_for_for_ever(address, server, message, monkeypatch):
    monkeypatch.setattr(PatientConnection, "silence", 0.5)
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    book = ef.Journal(
        sa.make_url(address).update_query_dict({"connect_timeout": "2"}).render_as_string(hide_password=False)
    )
    phones = many(2000)
    audience = ef.prepare(frame(phones), max_batch=60)
    with ef.Sandbox(latency=0.05, balance=10**12) as sandbox:
        errors = []

        def run():
            with pytest.raises(ef.JournalError) as caught:
                sent(audience, message, sandbox.client(), campaign="Tết", journal=book, concurrency=1)
            errors.append(caught.value)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while len(sandbox.sent) < 300 and time.monotonic() < deadline:
            time.sleep(0.01)
        with server.paused():
            thread.join(20)
            assert not thread.is_alive()
        assert "can't be reached: see that its server runs" in str(errors[0])
        assert 300 <= len(sandbox.sent) < 2000
        time.sleep(0.1)
        change(address, "UPDATE batches SET held_until = 0 WHERE holder IS NOT NULL")  # their time is over
        resumed = ef.resume("Tết", sandbox.client(), journal=book, progress=False, rate=None)
        assert counts(resumed) == {"accepted": 2000}
        assert sorted(sandbox.sent["phone"]) == phones
    book.close()


def test_what_takes_the_server_long_is_waited_for_while_something_comes(address, monkeypatch):
    monkeypatch.setattr(PatientConnection, "silence", 0.4)
    with postgres.engine(postgres.Server(sa.make_url(address))).connect() as connection:
        slow = "SELECT repeat('x', 20000), pg_sleep(0.1) FROM generate_series(1, 8)"
        assert len(connection.exec_driver_sql(slow).all()) == 8
        with pytest.raises(sa.exc.OperationalError, match="does not answer"):
            connection.exec_driver_sql("SELECT pg_sleep(1)")
        assert connection.invalidated


# What is left of people


def test_the_server_keeps_no_samples_of_them(journal, address):
    for n in range(3):
        write_batch(journal, "accepted", phones=FIFTY, request_id=f"r{n}", content="Chao chi Lan", segment="Lan")
    journal.do_not_contact.add(FIFTY, reason="Lan asked")
    change(address, "ANALYZE")
    kept = rows(
        address,
        "SELECT attname, most_common_vals::text, histogram_bounds::text FROM pg_stats "
        "WHERE schemaname = current_schema()",
    )
    assert kept
    assert not any(word in str(kept) for word in ("09018884", "Lan"))


def test_tables_that_can_t_be_written_anew_are_said_so(journal, address, server):
    write_batch(journal, "accepted")
    server.execute("DROP ROLE IF EXISTS intern")
    server.execute("CREATE ROLE intern LOGIN PASSWORD 'made up'")
    schema = sa.make_url(address).query["options"].partition("=")[2]
    server.execute(f"GRANT ALL ON SCHEMA {schema} TO intern")
    server.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO intern")
    theirs = ef.Journal(server.url(schema=schema, user="intern", word="made up"))
    with pytest.raises(ef.JournalError, match="can still be found in its files, which could not be written anew"):
        theirs.forget(FIFTY[0])
    theirs.close()
    server.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM intern")
    server.execute(f"REVOKE ALL ON SCHEMA {schema} FROM intern")
    server.execute("DROP ROLE intern")


# The command line


def test_the_command_line_takes_the_address(address, customers, message, client):
    sent(customers, message, client, campaign="Tet", journal=address)
    command = [
        sys.executable,
        "-c",
        "from esms_frames.apps.cli.main import main; main()",
        "results",
        "--journal",
        address,
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert shown.returncode == 0, shown.stderr
    assert "Tet" in shown.stdout + shown.stderr
    assert PASSWORD not in shown.stdout + shown.stderr
