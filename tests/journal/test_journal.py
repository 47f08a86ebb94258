"""`Journal`: where it lies, who can read it, what it lists, and never relied on when it can't be."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial

import pandas as pd
import pytest
import sqlalchemy as sa
from support.customers import FIFTY, sent
from support.journals import rows, write_batch
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.journal import tables as schema
from esms_frames.journal.database import address as addresses
from esms_frames.journal.database import sqlite_file

pytestmark = pytest.mark.both_journals


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


# Where it is


@pytest.mark.sqlite
def test_it_lies_in_the_users_data_folder_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("ESMS_JOURNAL")
    monkeypatch.setattr(addresses.platformdirs, "user_data_path", lambda *_a, **_k: tmp_path / "data" / "esms_frames")
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


# When it can't be relied on


@pytest.mark.sqlite
def test_when_it_cannot_be_written_nothing_leaves(path, message, sandbox, client):
    book = ef.Journal(path)

    @sa.event.listens_for(book._database._engine, "begin")
    def full(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    many = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(20_000)]})
    with pytest.raises(ef.JournalError, match="no room"):
        sent(many, message, client, journal=book)
    assert sandbox.sent.empty


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
    monkeypatch.setattr(sqlite_file, "_BUSY_SECONDS", 0.1)
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
    monkeypatch.setattr(sqlite_file, "_WAL", "PRAGMA journal_mode")
    monkeypatch.setattr(sqlite_file, "_WANTED_MODE", "delete")
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


@pytest.mark.heavy
def test_many_processes_may_make_it_at_once(address):
    code = f"import esms_frames as ef; ef.Journal({address!r}).campaigns()"
    several = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in several] == [b""] * 4
    assert rows(address, "SELECT version FROM journal") == [(len(schema._MIGRATIONS) + 1,)]


@pytest.mark.heavy
@pytest.mark.sqlite
def test_opening_it_twice_in_a_process_keeps_its_locks(path):
    """Closing any other handle of a file takes away the locks that a process has on it, and SQLite's with them."""
    first, second = ef.Journal(path), ef.Journal(path)
    first._batches.scope("one", "sandbox", "a")
    code = f"import esms_frames as ef; j = ef.Journal({str(path)!r}); print(len(j.campaigns())); j.close()"
    look = [sys.executable, "-c", code]
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip() == "1"
    first._batches.scope("two", "sandbox", "a")
    second._batches.scope("three", "sandbox", "a")
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
    journal._batches.scope("begun", "sandbox", "a")
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
        old.execute("DROP INDEX campaigns_by_name_key")
        old.execute("DROP TABLE account_keys")
        for column in ("name_key", "merged_into", "old_gateway"):
            old.execute(f"ALTER TABLE campaigns DROP COLUMN {column}")
        old.execute("DROP INDEX batches_by_sms_id")
        old.execute("ALTER TABLE campaigns DROP COLUMN callback_token")
        old.execute("DROP TABLE callbacks")
        for column in ("segment", "rules", "split_from"):
            old.execute(f"ALTER TABLE batches DROP COLUMN {column}")
        old.execute("DROP TABLE do_not_contact")
        old.execute("UPDATE journal SET version = 1")
    assert (ef.results("Tết", journal=path)["status"] == "accepted").all()
    assert rows(path, "SELECT version FROM journal") == [(4,)]
    assert rows(path, "SELECT count(*) FROM do_not_contact") == [(0,)]
    fresh = ef.Journal(path.with_name("fresh.sqlite"))
    tables = "SELECT name, type FROM sqlite_master ORDER BY name"
    assert rows(path, tables) == rows(path.with_name("fresh.sqlite"), tables)
    assert fresh.callbacks().empty


@pytest.mark.sqlite
@pytest.mark.parametrize("path", ["", "  ", 3, b"j.sqlite"])
def test_what_names_no_file_is_not_taken_for_the_users_own_journal(path, monkeypatch, tmp_path):
    monkeypatch.setattr(addresses.platformdirs, "user_data_path", lambda *_a, **_k: tmp_path / "own")
    with pytest.raises(ef.InvalidInput, match="and no file: name one"):
        ef.Journal(path)
    assert not (tmp_path / "own").exists()


@pytest.mark.sqlite
def test_an_address_that_is_none_is_one_sentence_and_not_shown():
    with pytest.raises(ef.JournalError, match="no database URL") as caught:
        ef.Journal("://someone:password@host")
    assert "password" not in str(caught.value)


def test_a_journal_is_not_copied_but_opened_again(journal):
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="open it again"):
            take(journal)


# Where it is, said once


@pytest.mark.sqlite
@pytest.mark.parametrize("given", ["sqlite:///j.sqlite", "j.sqlite", "sqlite:///file:j.sqlite?uri=true"])
def test_a_relative_address_stays_the_same_file_and_says_where_it_is(tmp_path, monkeypatch, given):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    book = ef.Journal(given)
    book.close()
    monkeypatch.chdir(tmp_path / "two")
    book._batches.scope("Tết", "sandbox", "a")
    assert str(tmp_path / "one" / "j.sqlite") in repr(book)
    assert rows(tmp_path / "one" / "j.sqlite", "SELECT name FROM campaigns") == [("Tết",)]
    assert list((tmp_path / "two").iterdir()) == []
    book.close()


@pytest.mark.sqlite
def test_the_relative_path_of_the_environment_is_one_file_in_a_process(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.setenv("ESMS_JOURNAL", f"{tmp_path.name}.sqlite")
    monkeypatch.chdir(tmp_path / "one")
    first = ef.Journal()
    first._batches.scope("Tết", "sandbox", "a")
    monkeypatch.chdir(tmp_path / "two")
    assert ef.Journal().campaigns()["campaign"].tolist() == ["Tết"]
    assert addresses.is_there()
    assert repr(first) == repr(ef.Journal())


@pytest.mark.sqlite
@pytest.mark.parametrize("given", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_journal_in_memory_is_refused(given):
    with pytest.raises(ef.JournalError, match="names no file, and memory forgets what was sent: name a file"):
        ef.Journal(given)


# While it is open


def put_aside(path, _tmp):
    path.rename(path.with_name("elsewhere.sqlite"))


def delete(path, _tmp):
    path.unlink()


def delete_wal(path, _tmp):
    path.with_name(f"{path.name}-wal").unlink()


def delete_shm(path, _tmp):
    path.with_name(f"{path.name}-shm").unlink()


def replace(path, tmp):
    other = tmp / "other.sqlite"
    ef.Journal(other).close()
    other.replace(path)


def move_folder(path, _tmp):
    path.parent.rename(path.parent.with_name("moved"))


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be moved there")
@pytest.mark.parametrize("take", heavy_after(2, [put_aside, delete, delete_wal, delete_shm, replace, move_folder]))
def test_a_journal_that_is_taken_away_during_a_run_ends_it_and_nothing_more_leaves(
    tmp_path, message, client, sandbox, take
):
    path = tmp_path / "folder" / "journal.sqlite"
    df = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(1_000_000, 1_000_300)]})
    book = ef.Journal(path)
    taken = []

    def progress(_):
        if not taken:
            take(path, tmp_path)
            taken.append(len(sandbox.sent))

    audience = ef.prepare(df, max_batch=60)
    with pytest.raises(ef.JournalError, match=r"moved, deleted or replaced while it was open, so nothing more is sent"):
        sent(audience, message, client, campaign="Tết", journal=book, concurrency=1, rate=10, progress=progress)
    assert len(sandbox.sent) <= taken[0] + 60  # what was under way
    assert len(sandbox.sent) < 300
    with pytest.raises(ef.JournalError, match="moved, deleted or replaced"):
        sent(audience, message, client, campaign="Tết", journal=book)
    assert len(sandbox.sent) <= taken[0] + 60


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be moved there")
def test_a_journal_that_is_put_back_goes_on(path, customers, message, client, sandbox):
    book = ef.Journal(path)
    aside = path.with_name("aside.sqlite")
    path.rename(aside)
    with pytest.raises(ef.JournalError, match="put it back"):
        sent(customers, message, client, journal=book)
    aside.rename(path)
    sent(customers, message, client, journal=book)
    assert len(sandbox.sent) == 50


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be moved there")
def test_a_run_that_could_not_say_in_the_journal_that_it_ended_keeps_nobody_in_its_process_waiting(
    path, message, client, sandbox, monkeypatch
):
    df, aside = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(180)]}), path.with_name("aside.sqlite")
    real = client.send

    def send(*arguments, **options):
        answer = real(*arguments, **options)
        path.rename(aside)
        return answer

    monkeypatch.setattr(client, "send", send)
    with pytest.raises(ef.JournalError, match="put it back"):
        sent(ef.prepare(df, max_batch=60), message, client, campaign="Tết", journal=path, concurrency=1)
    monkeypatch.setattr(client, "send", real)
    aside.rename(path)
    begun = time.monotonic()
    results = ef.resume("Tết", client, journal=path, progress=False)
    assert time.monotonic() - begun < 20  # and not until its claim has run out
    assert set(results["status"]) == {"accepted"}
    assert sorted(sandbox.sent["phone"]) == sorted(df["sdt"])


@pytest.mark.sqlite
def test_a_file_with_two_names_is_no_journal_before_a_run_nor_during_one(path, customers, message, client, sandbox):
    book = ef.Journal(path)
    other = path.with_name("other.sqlite")
    os.link(path, other)
    for journal in (book, path, other, f"sqlite:///{other}"):
        with pytest.raises(ef.JournalError, match=r"has 2 names \(hard links\)"):
            sent(customers, message, client, journal=journal)
    assert sandbox.sent.empty
    other.unlink()
    sent(customers, message, client, journal=book)
    assert len(sandbox.sent) == 50


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform == "win32", reason="links are others there")
def test_a_symbolic_link_is_another_name_for_the_same_journal(path, customers, message, client, sandbox):
    book = ef.Journal(path)
    link = path.with_name("link.sqlite")
    link.symlink_to(path)
    sent(customers, message, client, campaign="Tết", journal=link)
    sent(customers, message, client, campaign="Tết", journal=book)
    assert len(sandbox.sent) == 50


@pytest.mark.heavy
@pytest.mark.sqlite
@pytest.mark.parametrize("gone", heavy_after(1, [["-wal", "-shm"], ["-wal"]]))
def test_a_wal_that_is_deleted_after_a_crash_takes_nothing_with_it(path, message, client, sandbox, gone):
    """The list has grown since, so that nobody would be in the same batch as before."""
    phones = [f"09{n:08d}" for n in range(1_000_000, 1_000_240)]
    code = f"""
import os, pandas as pd, esms_frames as ef
client = ef.Client({sandbox.api_key!r}, {sandbox.secret_key!r}, base_url={sandbox.url!r})
audience = ef.prepare(pd.DataFrame({{"sdt": {phones!r}}}), max_batch=60)
def crash(progress):
    if progress.done >= 120:
        os._exit(9)
ef.send(audience, ef.Message({message.content!r}, "Baotrixemay"), client, campaign="Tet", journal={str(path)!r},
        concurrency=1, rate=10, progress=crash)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    before = len(sandbox.sent)
    assert before >= 120
    for end in gone:
        path.with_name(f"{path.name}{end}").unlink()
    grown = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(999_950, 1_000_250)]})
    sent(grown, message, client, campaign="Tet", journal=path)
    assert len(sandbox.sent) == 300
    assert sandbox.sent["phone"].is_unique


# What is shown


@pytest.mark.sqlite
def test_it_shows_users_what_is_for_users(journal):
    shown = {name for name in dir(journal) if not name.startswith("_")}
    assert shown == {"callbacks", "campaigns", "close", "do_not_contact", "forget", "prune", "same_account"}


@pytest.mark.sqlite
def test_a_journal_that_could_not_be_opened_is_closed_and_has_a_repr(path, recwarn):
    path.write_bytes(b"this is no database at all" * 100)
    book = ef.Journal.__new__(ef.Journal)
    assert repr(book) == "<Journal that could not be opened>"
    with pytest.raises(ef.JournalError):
        book.__init__(path)
    assert str(path) in repr(book)
    listed = book.do_not_contact
    assert "could not be read" in repr(listed)


@pytest.mark.sqlite
@pytest.mark.parametrize("spoil", heavy_after(1, [spoil_newer, spoil_garbage, spoil_cut, spoil_other]))
def test_a_journal_that_is_refused_leaves_no_connection_open(path, spoil, monkeypatch):
    opened, closed, connect = [], [], sqlite3.connect

    class Watched(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            opened.append(id(self))

        def close(self):
            closed.append(id(self))
            super().close()

    spoil(path)
    gc.collect()
    monkeypatch.setattr(sqlite3.dbapi2, "connect", partial(connect, factory=Watched))
    with pytest.raises(ef.JournalError) as caught:
        ef.Journal(path)
    assert caught.tb is not None  # it keeps the journal, as a notebook keeps the last error
    assert opened
    assert set(closed) == set(opened)  # and not left to the garbage collector, of which Python 3.13 warns


# The latest time


def test_the_latest_time_is_the_greatest_that_was_written(journal, at, customers, message, client):
    assert journal._batches.latest() is None
    first = at("2030-01-31 08:00")
    journal.do_not_contact.add(FIFTY[0])
    assert journal._batches.latest() == first
    later = at("2030-01-31 10:00")
    write_batch(journal, "accepted", times={"sent_at": later, "send_at": later + timedelta(days=3)})
    at("2030-01-31 09:00")  # set back
    sent(customers, message, client, campaign="Tết", journal=journal)
    assert journal._batches.latest() == later
