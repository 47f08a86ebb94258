"""Forks: a journal that a child process has from its parent is used there with connections, locks and runs of its own."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from support.customers import FIFTY
from support.journals import rows
from support.programs import needs_postgres
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.journal import tables
from esms_frames.journal.claims import run_name
from esms_frames.journal.database import forks
from esms_frames.journal.records import NewBatch, TextedNumbers

pytestmark = [
    pytest.mark.both_journals,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks there"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]

WAIT = 20.0  # seconds


class Child:
    """A forked process that runs a function; `result` is what that returned, or the error."""

    def __init__(self, do):
        self._read, write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                found = do()
            except BaseException as error:  # noqa: BLE001 - it is looked at
                found = error
            os.write(write, pickle.dumps(found))
            os._exit(0)
        os.close(write)

    def result(self):
        alarm = threading.Timer(WAIT, os.kill, (self.pid, signal.SIGKILL))  # a child that hangs
        alarm.start()
        with os.fdopen(self._read, "rb") as pipe:
            said = pipe.read()
        os.waitpid(self.pid, 0)
        alarm.cancel()
        assert said, "the child hung, or died"
        return pickle.loads(said)


def names(journal):
    return sorted(journal.campaigns()["campaign"])


def begin(journal, name):
    return journal._batches.scope(name, "sandbox", "someone")


def backend(journal):
    with journal._database.begin() as connection:
        return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()


# Connections


def test_a_fork_opens_connections_of_its_own_and_both_go_on(journal):
    begin(journal, "before")

    def child():
        for n in range(20):
            begin(journal, f"child {n}")
        return len(names(journal))

    running = Child(child)
    for n in range(20):
        begin(journal, f"parent {n}")
    assert running.result() >= 21
    assert len(names(journal)) == 41


def test_several_children_and_threads_write_at_once_and_nothing_is_lost(journal):
    begin(journal, "before")
    children = [Child(lambda who=who: [begin(journal, f"{who} {n}") for n in range(10)] and None) for who in range(4)]
    assert [child.result() for child in children] == [None] * 4
    assert len(names(journal)) == 41


def test_a_child_of_a_child_does_so_too(journal):
    begin(journal, "before")

    def child():
        begin(journal, "child")
        return Child(lambda: begin(journal, "grandchild") and names(journal)).result()

    assert Child(child).result() == ["before", "child", "grandchild"]
    assert len(names(journal)) == 3


def test_the_do_not_contact_list_is_one_list_over_forks(journal):
    listed = journal.do_not_contact
    listed.add(FIFTY[0])
    assert Child(lambda: (listed.contains(FIFTY[0]), listed.add(FIFTY[1]))).result() == (True, 1)
    assert len(listed) == 2


@pytest.mark.heavy
@pytest.mark.sqlite
def test_on_a_server_the_childs_connection_is_another_and_the_parents_stays_open(request):
    address = needs_postgres().address()
    with_password = ef.Journal(address)
    mine = backend(with_password)
    theirs = Child(lambda: (backend(with_password), with_password.close(), backend(with_password))).result()
    assert mine not in theirs
    assert backend(with_password) == mine
    with_password.close()


ENDS = {
    "at its end": "",
    "by close": "journal.close()",
    "by the garbage collector": "del journal; import gc; gc.collect()",
}


@pytest.mark.parametrize("how", heavy_after(1, ENDS.values()), ids=ENDS)
def test_a_child_closes_nothing_of_its_parents_however_it_lets_go_of_the_journal(address, how):
    """The child ends as programs end, with all that is done then."""
    code = f"""
import os, sys
import esms_frames as ef
journal = ef.Journal({address!r})
journal._batches.scope("before", "sandbox", "someone")
connection = journal._database._engine.connect()  # one that the parent is using
if not journal._database._is_shared:
    connection.close()  # of SQLite there must be none
if os.fork() == 0:
    {how or "pass"}
    sys.exit(0)
os.wait()
if journal._database._is_shared:
    print(connection.exec_driver_sql("SELECT 1").scalar())
    connection.close()
journal._batches.scope("after", "sandbox", "someone")
print(len(journal.campaigns()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout.split()[-1] == "2"


@pytest.mark.heavy
@pytest.mark.sqlite
def test_what_a_child_writes_is_kept_though_its_parent_and_others_close_the_journal(address):
    """SQLite would believe to have locks that are the parent's, and others would delete the child's files as if unused."""
    journal = ef.Journal(address)
    begin(journal, "before")
    go, ready = os.pipe(), os.pipe()

    def child():
        try:
            begin(journal, "child")
        finally:
            os.write(ready[1], b".")  # its parent waits
        os.read(go[0], 1)
        begin(journal, "child, after the others have closed")
        return names(journal)

    running = Child(child)
    os.read(ready[0], 1)
    journal.close()
    look = f"import esms_frames as ef; j = ef.Journal({address!r}); j.campaigns(); j.close()"
    subprocess.run([sys.executable, "-c", look], check=True)
    wal = Path(f"{address}-wal")
    assert wal.exists()  # for the child has it open
    os.write(go[1], b".")
    assert running.result() == ["before", "child", "child, after the others have closed"]
    assert [name for (name,) in rows(address, "SELECT name FROM campaigns")][1:] == [
        "child",
        "child, after the others have closed",
    ]


# Threads of the parent


@pytest.mark.heavy
def test_a_fork_in_the_midst_of_other_threads_work_hangs_nowhere_and_loses_nothing(journal):
    stop, done = threading.Event(), [0] * 3

    def write(who):
        while not stop.is_set():
            begin(journal, f"thread {who} {done[who]}")
            done[who] += 1

    threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(10):
            assert Child(lambda n=n: begin(journal, f"child {n}").name).result() == f"child {n}"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(names(journal)) == 10 + sum(done)


def test_a_fork_waits_for_a_transaction_of_another_thread(journal):
    begun, end = threading.Event(), threading.Event()

    def hold():
        with journal._database.begin():
            begun.set()
            end.wait(WAIT)

    holding = threading.Thread(target=hold)
    holding.start()
    begun.wait(WAIT)
    threading.Timer(0.3, end.set).start()
    child = Child(lambda: begin(journal, "child").name)
    holding.join()
    assert child.result() == "child"


@pytest.mark.sqlite
def test_a_fork_that_can_t_wait_longer_refuses_the_file_in_the_child_and_the_parent_goes_on(address, monkeypatch):
    monkeypatch.setattr(forks, "_PATIENCE", 0.1)
    journal = ef.Journal(address)
    begun, end = threading.Event(), threading.Event()

    def hold():
        with journal._database.begin():
            begun.set()
            end.wait(WAIT)

    holding = threading.Thread(target=hold)
    holding.start()
    begun.wait(WAIT)
    child = Child(lambda: begin(journal, "child"))
    other = Child(lambda: ef.Journal(address))
    for refused in (child.result(), other.result()):
        assert isinstance(refused, ef.JournalError)
        assert "can't be carried over a fork: fork at another moment, or start processes with 'spawn'" in str(refused)
    end.set()
    holding.join()
    assert begin(journal, "parent").name == "parent"


@pytest.mark.sqlite
def test_a_fork_waits_until_the_file_of_a_journal_that_another_thread_lets_go_is_closed(address):
    journals, begun, ended = [ef.Journal(address)], threading.Event(), threading.Event()

    @sa.event.listens_for(journals[0]._database._engine, "close")
    def close_slowly(*_):
        begun.set()
        time.sleep(0.3)
        ended.set()

    closer = threading.Thread(target=journals.clear)
    closer.start()
    assert begun.wait(WAIT)
    child = Child(ended.is_set)
    closer.join()
    assert child.result()


@pytest.mark.sqlite
def test_a_journal_that_the_forking_thread_lets_go_is_closed_at_once(address):
    journals, closed = [ef.Journal(address)], []
    sa.event.listen(journals[0]._database._engine, "close", lambda *_: closed.append(True))
    forks.GATE.close(WAIT)
    journals.clear()
    forks.GATE.open()
    assert closed


def test_a_transaction_that_is_forked_is_ended_by_the_parent_alone(journal):
    inside = journal._database.begin()
    inside.__enter__().execute(
        sa.insert(tables.campaigns).values(name="parent", gateway="g", account="a", created_at="2030-01-31T08:00+07:00")
    )

    def child():
        with pytest.raises(ef.JournalError, match="forked in the middle of a transaction"):
            inside.__exit__(None, None, None)

    assert Child(child).result() is None
    inside.__exit__(None, None, None)
    assert names(journal) == ["parent"]


# Runs


@pytest.fixture
def batch(journal, message):
    new = NewBatch("r-1", message, 30, np.arange(901888410, 901888460, dtype=np.int32))
    return journal._batches.plan(begin(journal, "Tet"), run_name(), lambda *_: ([], [new]), TextedNumbers())[0]


def test_a_run_of_the_parent_is_not_taken_for_the_childs(journal, batch):
    run = run_name()
    attempt = journal._batches.begin_attempt(batch, run, 60)
    scope = begin(journal, "Tet")

    def tried(do):
        try:
            return do()
        except ef.JournalError as error:
            return str(error)

    def child():
        journal._batches.release(run)
        several = [
            lambda: journal._batches.begin_attempt(batch, run, 60),
            lambda: journal._batches.claim(batch, run, 60),
            lambda: journal._batches.end_attempt(attempt, run, "planned", outcome="unreachable"),
            lambda: journal._batches.settle(batch, run, "planned", reason=None),
            lambda: journal._batches.plan(scope, run, lambda *_: ([], []), TextedNumbers()),
            lambda: journal._batches.split(scope, attempt, run, lambda *_: [], reason="", code=99),
        ]
        return [tried(do) for do in several], journal._batches.begin_attempt(batch, run_name(), 60)

    said, of_its_own = Child(child).result()
    assert all("does not go on in a process that is forked" in text for text in said)
    assert of_its_own is None  # the parent has it
    assert journal._batches.state(batch, run) == ("sending", False)
    journal._batches.end_attempt(attempt, run, "accepted", outcome="accepted", code=100, sms_id="s")
    assert journal._batches.state(batch, run) == ("accepted", False)


def test_what_a_child_had_under_way_is_taken_over_when_it_has_died(journal, batch):
    assert Child(lambda: journal._batches.begin_attempt(batch, run_name(), 3600)).result().number == 1
    time.sleep(0.05)
    assert journal._batches.begin_attempt(batch, run_name(), 60).number == 2


def test_a_child_has_a_run_name_of_its_own():
    mine, theirs = run_name(), Child(run_name).result()
    assert mine.split(":")[1] != theirs.split(":")[1]
