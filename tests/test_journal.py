"""`Journal`: on disk before anything leaves, for one run at a time, and never relied on when it can't be."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import FIFTY, change, rows, write_batch

import esms_frames as ef
from esms_frames import database, schema
from esms_frames import journal as journal_module
from esms_frames.batch import NewBatch
from esms_frames.runs import place, run_name


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(address):
    book = ef.Journal(address)
    yield book
    book.close()


def sent(customers, message, client, **options):
    return ef.send(customers, message, client, **{"progress": False, "rate": None} | options)


# Where it is


@pytest.mark.sqlite
def test_it_lies_in_the_users_data_folder_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("ESMS_JOURNAL")
    monkeypatch.setattr(database.platformdirs, "user_data_path", lambda *_a, **_k: tmp_path / "data" / "esms_frames")
    ef.Journal().close()
    assert (tmp_path / "data" / "esms_frames" / "journal.sqlite").exists()
    monkeypatch.setenv("ESMS_JOURNAL", str(tmp_path / "other" / "j.sqlite"))
    ef.Journal().close()
    assert (tmp_path / "other" / "j.sqlite").exists()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("ESMS_JOURNAL", "~/home.sqlite")
    ef.Journal().close()
    assert (tmp_path / "home.sqlite").exists()
    ef.Journal(f"sqlite:///{tmp_path / 'url.sqlite'}").close()
    assert (tmp_path / "url.sqlite").exists()


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
def test_only_its_owner_can_read_it(path, customers, message, client):
    old = os.umask(0)
    try:
        book = ef.Journal(path)
        sent(customers, message, client, journal=book)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert len(modes) >= 2  # SQLite's own files beside it
    assert set(modes.values()) == {0o600}


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
def test_what_is_no_journal_keeps_its_permissions(tmp_path):
    folder, file = tmp_path / "folder", tmp_path / "customers.csv"
    folder.mkdir()
    file.write_text("sdt\n0901888484\n" * 100, encoding="utf-8")
    folder.chmod(0o755)
    file.chmod(0o644)
    with pytest.raises(ef.JournalError, match=r"is no file: name one, such as .*folder.journal\.sqlite"):
        ef.Journal(folder)
    with pytest.raises(ef.JournalError, match="is no journal"):
        ef.Journal(file)
    assert [stat.S_IMODE(there.stat().st_mode) for there in (folder, file)] == [0o755, 0o644]


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
@pytest.mark.parametrize("address", ["{}", "sqlite:///{}"])
def test_a_journal_that_others_could_read_is_made_private(path, address):
    ef.Journal(path).close()
    path.chmod(0o644)
    ef.Journal(address.format(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.sqlite
def test_it_is_durable(journal):
    with journal._database.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_person_can_read_it_with_any_sql_tool(address, customers, message, client):
    sent(customers, message, client, campaign="Tết", journal=address)
    [campaign] = rows(address, "SELECT name, gateway, account FROM campaigns")
    assert campaign == ("Tết", "sandbox", client.account)
    [batch] = rows(address, "SELECT status, code, content, brandname, sms_type, size, phones, attempts FROM batches")
    assert batch == ("accepted", 100, message.content, "Baotrixemay", "customer_care", 50, " ".join(FIFTY), 1)
    [attempt] = rows(address, "SELECT number, outcome, code, started_at < ended_at AS ended FROM attempts")
    assert attempt == (1, "accepted", 100, True)
    [(when,)] = rows(address, "SELECT sent_at FROM batches")
    assert when.endswith("+07:00")


@pytest.mark.sqlite
def test_it_holds_no_key(path, customers, message, sandbox, client):
    sent(customers, message, client, journal=path)
    held = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"0901888410" in held
    assert sandbox.api_key.encode() not in held
    assert sandbox.secret_key.encode() not in held


# Before the first byte leaves


@pytest.mark.sqlite
def test_batch_and_numbers_and_the_attempt_are_on_disk_before_the_first_byte_leaves(
    path, customers, message, client, monkeypatch
):
    seen = []
    real = client._transport._session.request

    def looking(*arguments, **options):
        copy = shutil.copytree(path.parent, path.parent.parent / f"copy{len(seen)}") / path.name  # as a crash leaves it
        seen.extend(rows(copy, "SELECT b.status, b.phones, a.number, a.outcome FROM batches b JOIN attempts a"))
        return real(*arguments, **options)

    monkeypatch.setattr(client._transport._session, "request", looking)
    sent(customers, message, client, journal=path, checks=False)
    assert seen == [("sending", " ".join(FIFTY), 1, None)]


@pytest.mark.sqlite
def test_when_it_cannot_be_written_nothing_leaves(path, message, sandbox, client):
    book = ef.Journal(path)

    @journal_module.sa.event.listens_for(book._database._engine, "begin")
    def full(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    many = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(20_000)]})
    with pytest.raises(ef.JournalError, match="no room"):
        sent(many, message, client, journal=book)
    assert sandbox.sent.empty


# When it can't be relied on


def spoil_newer(path):
    ef.Journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal SET version = 99")


def spoil_garbage(path):
    path.write_bytes(b"this is no database at all" * 100)


def spoil_cut(path):
    ef.Journal(path).close()
    data = path.read_bytes()
    path.write_bytes(data[:5000] + bytes(len(data) - 5000))


def spoil_other(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name)")


def spoil_folder(path):
    path.mkdir()


def spoil_locked(path):
    ef.Journal(path).close()
    held = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")
    return held


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_newer, "newer version"),
        (spoil_garbage, "corrupt"),
        (spoil_cut, "corrupt|newer|something else"),
        (spoil_other, "something else"),
        (spoil_folder, "can't be opened"),
        (spoil_locked, "locked by another program"),
    ],
)
def test_a_journal_that_cannot_be_relied_on_is_one_sentence_and_nothing_is_sent(
    path, customers, message, sandbox, client, monkeypatch, spoil, says
):
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    held = spoil(path)
    with pytest.raises(ef.JournalError, match=says) as error:
        sent(customers, message, client, journal=path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "SELECT" not in str(error.value)
    assert sandbox.sent.empty
    if held:
        held.close()


@pytest.mark.sqlite
def test_a_read_only_journal_is_said_so_and_nothing_is_sent(path, customers, message, sandbox, client):
    ef.Journal(path).close()
    with pytest.raises(ef.JournalError, match="can't be written to"):
        sent(customers, message, client, journal=f"sqlite:///file:{path}?mode=ro&uri=true")
    assert sandbox.sent.empty


@pytest.mark.sqlite
def test_a_drive_that_does_not_lock_files_is_found_out(path, customers, message, sandbox, client, monkeypatch):
    # SQLite's own way to have no locks, as on some network drives; WAL can't be without, so it is taken as given.
    monkeypatch.setattr(database, "_WAL", "PRAGMA journal_mode")
    monkeypatch.setattr(database, "_WANTED_MODE", "delete")
    with pytest.raises(ef.JournalError, match="does not lock files"):
        sent(customers, message, client, journal=f"sqlite:///file:{path}?nolock=1&uri=true")
    assert sandbox.sent.empty


@pytest.mark.sqlite
def test_a_database_whose_driver_is_not_installed_is_one_sentence():
    with pytest.raises(ef.JournalError, match="not installed") as error:
        ef.Journal("postgresql+nosuchdriver://someone:made-up-word@localhost/db")
    assert "made-up-word" not in str(error.value)


def test_a_journal_of_an_older_version_is_brought_up(address, customers, message, client, monkeypatch):
    sent(customers, message, client, campaign="Tết", journal=address)

    def add_note(connection):
        connection.exec_driver_sql("ALTER TABLE campaigns ADD COLUMN note TEXT")

    version = len(schema._MIGRATIONS) + 1
    monkeypatch.setattr(schema, "_MIGRATIONS", [*schema._MIGRATIONS, add_note])
    ef.Journal(address).close()
    ef.Journal(address).close()
    assert rows(address, "SELECT version FROM journal") == [(version + 1,)]
    assert rows(address, "SELECT name, note FROM campaigns") == [("Tết", None)]
    monkeypatch.undo()
    with pytest.raises(ef.JournalError, match="newer version"):
        ef.Journal(address)


def test_many_processes_may_make_it_at_once(address):
    code = f"import esms_frames as ef; ef.Journal({address!r}).campaigns()"
    several = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in several] == [b""] * 4
    assert rows(address, "SELECT version FROM journal") == [(len(schema._MIGRATIONS) + 1,)]


# Claims


@pytest.fixture
def batch(journal, message):
    scope = journal.scope("Tết", "sandbox", "someone")
    new = NewBatch("r-1", message, 30, np.arange(901888410, 901888460, dtype=np.int32))
    return journal.plan(scope, run_name(), lambda *_: ([], [new]))[0]


def another_machines_run():
    return f"elsewhere:1:1.0:{os.urandom(3).hex()}"


def test_a_batch_is_claimed_by_one_run_at_a_time(journal, batch):
    one, other = run_name(), run_name()
    assert journal.begin_attempt(batch, one, 60).number == 1
    assert journal.begin_attempt(batch, other, 60) is None
    assert journal.state(batch, other) == ("sending", True)
    assert journal.begin_attempt(batch, one, 60).number == 2
    journal.release(one)
    assert journal.begin_attempt(batch, other, 60).number == 3


def test_of_many_threads_one_gets_the_claim(journal, batch):
    got = []
    start = threading.Barrier(8)

    def claim():
        start.wait()
        if journal.begin_attempt(batch, run_name(), 60) is not None:
            got.append(1)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_claim_ends_with_its_time(journal, batch):
    assert journal.begin_attempt(batch, another_machines_run(), 0.2) is not None
    assert journal.begin_attempt(batch, run_name(), 60) is None
    time.sleep(0.3)
    assert journal.begin_attempt(batch, run_name(), 60) is not None


def test_a_claim_ends_with_its_process(journal, batch):
    process = subprocess.Popen(
        [sys.executable, "-c", "from esms_frames.runs import run_name; print(run_name()); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    run = process.stdout.readline().strip()
    assert journal.begin_attempt(batch, run, 3600) is not None
    assert journal.begin_attempt(batch, run_name(), 60) is None
    process.kill()
    process.communicate()
    taken_over = journal.begin_attempt(batch, run_name(), 60)
    assert taken_over.uncertain_before is not None


def test_a_process_of_the_same_number_that_began_later_is_another(journal, batch):
    run = f"{place()}:{os.getpid()}:1.0:abc"
    assert journal.begin_attempt(batch, run, 3600) is not None
    assert journal.begin_attempt(batch, run_name(), 60) is not None


def test_an_attempt_without_an_outcome_leaves_the_batch_uncertain(journal, batch):
    run = run_name()
    first = journal.begin_attempt(batch, run, 60)
    second = journal.begin_attempt(batch, run, 60)
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


def test_a_settled_batch_is_not_tried_again(journal, batch):
    run = run_name()
    attempt = journal.begin_attempt(batch, run, 60)
    journal.end_attempt(attempt, run, "accepted", outcome="accepted", code=100, sms_id="s")
    assert journal.begin_attempt(batch, run, 60) is None
    assert journal.state(batch, run) == ("accepted", False)


@pytest.mark.parametrize("weaker", ["unknown", "planned", "refused", "already_sent"])
def test_what_was_accepted_stays_so_and_a_sleeper_does_not_speak_for_who_took_over(journal, batch, weaker):
    sleeper, other = another_machines_run(), run_name()
    slept = journal.begin_attempt(batch, sleeper, 0.0)
    attempt = journal.begin_attempt(batch, other, 60)
    journal.end_attempt(slept, sleeper, weaker, outcome="any", reason="woke up early")
    assert journal.state(batch, other) == ("sending", False)
    journal.end_attempt(attempt, other, "accepted", outcome="accepted", code=100, sms_id="s")
    journal.end_attempt(slept, sleeper, weaker, outcome="any", reason="woke up late")
    assert journal.state(batch, other) == ("accepted", False)


def test_a_sleeper_does_not_unsettle_what_another_run_found_out_meanwhile(journal, batch):
    sleeper, other = another_machines_run(), run_name()
    slept = journal.begin_attempt(batch, sleeper, 0.0)
    (now,) = journal.batches(journal.scope("Tết", "sandbox", "someone"))
    assert journal.claim(now, other, 60)
    journal.settle(now, other, "accepted", reason=None, sms_id="s")
    journal.end_attempt(slept, sleeper, "unknown", outcome="unanswered", reason="woke up")
    assert journal.state(batch, other) == ("accepted", False)


def test_an_acceptance_goes_before_what_another_run_was_told(journal, batch):
    sleeper, other = another_machines_run(), run_name()
    slept = journal.begin_attempt(batch, sleeper, 0.0)
    attempt = journal.begin_attempt(batch, other, 60)
    journal.end_attempt(attempt, other, "refused", outcome="refused", code=99)
    journal.end_attempt(slept, sleeper, "accepted", outcome="accepted", code=100, sms_id="s")
    assert journal.state(batch, other) == ("accepted", False)


def test_what_is_found_out_is_written_only_while_nothing_has_changed(journal, batch):
    one, other = run_name(), run_name()
    assert journal.claim(batch, one, 60)
    assert not journal.claim(batch, other, 60)
    journal.settle(batch, other, "accepted", reason=None)
    assert journal.state(batch, one)[0] == "planned"
    journal.settle(batch, one, "accepted", reason=None, sms_id="s")
    assert journal.state(batch, one)[0] == "accepted"


def test_a_batch_that_was_tried_since_it_was_read_is_not_claimed_by_who_read_it(journal, batch):
    other = run_name()
    attempt = journal.begin_attempt(batch, other, 60)
    journal.end_attempt(attempt, other, "planned", outcome="unreachable")
    journal.release(other)
    assert not journal.claim(batch, run_name(), 60)


def test_only_planned_batches_of_runs_that_are_over_are_withdrawn(journal, message, at):
    at("2030-01-31 08:00")
    scope = journal.scope("two", "sandbox", "someone")
    new = [
        NewBatch(f"r-{n}", message, 30, np.arange(901888410 + 50 * n, 901888460 + 50 * n, dtype=np.int32))
        for n in range(2)
    ]
    living = run_name()
    planned = journal.plan(scope, living, lambda *_: ([], new))
    assert not any(batch.is_abandoned for batch in planned)
    tried = journal.begin_attempt(planned[0], living, 60)
    kept = journal.plan(scope, run_name(), lambda known: (known.batches, []))
    assert [batch.number for batch in kept] == [1]  # what is being sent is not withdrawn, whoever asks
    journal.end_attempt(tried, living, "planned", outcome="unreachable")
    journal.release(living)
    assert all(batch.is_abandoned for batch in journal.batches(scope))


def test_a_planner_whose_machine_has_another_name_now_is_over_after_an_hour(journal, message, at):
    at("2030-01-31 08:00")
    scope = journal.scope("moved", "sandbox", "someone")
    new = NewBatch("r-1", message, 30, np.arange(901888410, 901888460, dtype=np.int32))
    journal.plan(scope, another_machines_run(), lambda *_: ([], [new]))
    at("2030-01-31 08:59")
    assert not journal.batches(scope)[0].is_abandoned
    at("2030-01-31 09:01")
    assert journal.batches(scope)[0].is_abandoned


@pytest.mark.sqlite
def test_opening_it_twice_in_a_process_keeps_its_locks(path):
    """Closing any other handle of a file takes away the locks that a process has on it, and SQLite's with them."""
    first, second = ef.Journal(path), ef.Journal(path)
    first.scope("one", "sandbox", "a")
    code = f"import esms_frames as ef; j = ef.Journal({str(path)!r}); print(len(j.campaigns())); j.close()"
    look = [sys.executable, "-c", code]
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip() == "1"
    first.scope("two", "sandbox", "a")
    second.scope("three", "sandbox", "a")
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip() == "3"


# What there is


def test_campaigns_are_listed_with_their_counts(journal, customers, message, client):
    assert journal.campaigns().empty
    sent(customers, message, client, campaign="Tết", journal=journal)
    sent(customers, ef.Message("Xin chao", "Nobody"), client, campaign="wrong", journal=journal, checks=False)
    table = journal.campaigns()
    assert table["campaign"].tolist() == ["wrong", "Tết"]
    assert table[["accepted", "refused", "unknown", "unfinished"]].values.tolist() == [[0, 0, 0, 50], [50, 0, 0, 0]]
    assert set(table["gateway"]) == {"sandbox"}
    assert str(table["created_at"].dtype) == "datetime64[us, UTC+07:00]"


def test_campaigns_tell_their_type_and_when_they_went_out(journal, at):
    now = at("2030-01-31 12:00")
    hour = timedelta(hours=1)
    journal.scope("begun", "sandbox", "a")
    write_batch(journal, "accepted", campaign="ad", times={"sent_at": now})
    write_batch(journal, "already_sent", campaign="ad", times={"sent_at": now, "send_at": now + hour})
    write_batch(journal, "planned", campaign="ad", times={"send_at": now + 2 * hour})
    write_batch(journal, "refused", campaign="ad", times={"sent_at": now + 3 * hour})
    write_batch(journal, "split", campaign="ad", times={"sent_at": now + 3 * hour})
    write_batch(journal, "unknown", campaign="both", times={"sent_at": now - hour})
    write_batch(journal, "accepted", campaign="both", sms_type="customer_care", times={"sent_at": now})
    table = journal.campaigns().set_index("campaign")
    assert table["sms_type"].fillna("").to_dict() == {"both": "both", "ad": "advertising", "begun": ""}
    assert table.loc["ad", "numbers":"unfinished"].tolist() == [200, 100, 50, 0, 50]
    assert table.loc["begun", "numbers":"forgotten"].tolist() == [0] * 6
    assert table["first_sent_at"].astype(object).tolist()[:2] == [now - hour, now]
    assert table["last_sent_at"].astype(object).tolist()[:2] == [now, now + hour]
    assert table.loc["begun", ["first_sent_at", "last_sent_at"]].isna().all()
    assert str(table["last_sent_at"].dtype) == "datetime64[us, UTC+07:00]"


@pytest.mark.sqlite
def test_its_repr_shows_where_it_is_and_no_password(path):
    assert str(path) in repr(ef.Journal(path))


@pytest.mark.sqlite
def test_a_journal_of_the_first_version_keeps_its_batches(path, customers, message, client):
    sent(customers, message, client, campaign="Tết", journal=path)
    with sqlite3.connect(path) as old:  # as it was before segments, rules, the do-not-contact list and callbacks
        old.execute("DROP INDEX batches_by_sms_id")
        old.execute("ALTER TABLE campaigns DROP COLUMN callback_token")
        old.execute("DROP TABLE callbacks")
        for column in ("segment", "rules", "split_from"):
            old.execute(f"ALTER TABLE batches DROP COLUMN {column}")
        old.execute("DROP TABLE do_not_contact")
        old.execute("UPDATE journal SET version = 1")
    assert (ef.results("Tết", journal=path)["status"] == "accepted").all()
    assert rows(path, "SELECT version FROM journal") == [(3,)]
    assert rows(path, "SELECT count(*) FROM do_not_contact") == [(0,)]
    fresh = ef.Journal(path.with_name("fresh.sqlite"))
    tables = "SELECT name, type FROM sqlite_master ORDER BY name"
    assert rows(path, tables) == rows(path.with_name("fresh.sqlite"), tables)
    assert fresh.callbacks().empty


@pytest.mark.sqlite
@pytest.mark.parametrize("path", ["", "  ", 3, b"j.sqlite"])
def test_what_names_no_file_is_not_taken_for_the_users_own_journal(path, monkeypatch, tmp_path):
    monkeypatch.setattr(database.platformdirs, "user_data_path", lambda *_a, **_k: tmp_path / "own")
    with pytest.raises(ef.InvalidInput, match="and no file: name one"):
        ef.Journal(path)
    assert not (tmp_path / "own").exists()


@pytest.mark.sqlite
def test_an_address_that_is_none_is_one_sentence_and_not_shown():
    with pytest.raises(ef.JournalError, match="no database URL") as caught:
        ef.Journal("://someone:password@host")
    assert "password" not in str(caught.value)


def test_a_campaign_is_read_some_batches_at_once_as_it_is_read_as_a_whole(journal, monkeypatch):
    monkeypatch.setattr("esms_frames.journal._AT_ONCE", 2)
    for status in ("accepted", "withdrawn", "planned", "split", "unknown", "refused"):
        write_batch(journal, status)
    scope = journal.scopes("Tet")[0]
    whole = [batch.id for batch in journal.batches(scope)]
    assert [batch.id for batch in journal.each_batch(scope)] == whole
    assert [batch.status for batch in journal.unfinished(scope)] == ["planned", "unknown"]
    assert len(whole) == 4
