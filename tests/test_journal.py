"""`Journal`: where it lies, who can read it, what it lists, and never relied on when it can't be."""

from __future__ import annotations

import copy
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from conftest import FIFTY, rows, sent, write_batch

import esms_frames as ef
from esms_frames import database, schema


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


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


def test_a_journal_is_not_copied_but_opened_again(journal):
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="open it again"):
            take(journal)
