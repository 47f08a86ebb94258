"""Open a SQLite file so that it can be relied on as long as it is open."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from esms_frames.base.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    Identity = tuple[int, int]


_BUSY_SECONDS = 30
_CARRY_SECONDS = 0.25
_WAL, _WANTED_MODE = "PRAGMA journal_mode = WAL", "wal"
_ENDS = ("", "-wal", "-shm")
_OPENED, _CHANGES = "esms_frames_opened", "esms_frames_changes"

_carried: set[Identity] = set()
"""The files that were open while this process was forked; SQLite in it believes to have locks on them that it has not."""


@dataclass
class Opened:
    """The files that a connection has open: the journal, and SQLite's two beside it."""

    path: str
    identities: dict[str, Identity] = field(default_factory=dict)

    def check(self, ends: Sequence[str] = _ENDS) -> None:
        """Check that the path still names them, and nothing else does.

        Raises
        ------
        JournalError
            When one of them was moved, deleted or replaced, or the journal has a second name: whoever opens the journal
            next would find another one, which does not know of what is written here.
        """
        for end in ends:
            file = f"{self.path}{end}"
            try:
                found = os.stat(file)  # noqa: PTH116 - several of them for each transaction
            except OSError:
                found = None
            if found is not None and not end:
                _check_names(file, found)
            seen = None if found is None else (found.st_dev, found.st_ino)
            if self.identities.get(end, seen) != seen or (seen is None and not end):
                raise JournalError(
                    "The journal's file {where} was moved, deleted or replaced while it was open, so nothing "
                    "more is sent: end what uses it, put it back, then open it again and resume the campaign.",
                    where=file,
                )
            if seen is not None:
                self.identities[end] = seen


def engine(url: sa.URL, where: str, opened: MutableMapping[int, Opened], first: list[Opened]) -> sa.Engine:
    """Build the engine of a file.

    `opened` holds what its connections have open, by the ids of these, and `first` the journal as it was opened first: all
    later connections have to be to the same file.
    """
    made = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @sa.event.listens_for(made, "do_connect")
    def _check(_dialect: Any, _record: Any, _arguments: Any, _options: Any) -> None:
        for known in first:  # SQLite would make a file where there is none
            known.check([""])

    @sa.event.listens_for(made, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        try:
            files = _prepare_connection(connection, where, first)
        except BaseException:
            connection.close()  # nobody else does
            raise
        opened[id(connection)] = record.info[_OPENED] = files

    @sa.event.listens_for(made, "close")
    def _forget(connection: Any, _record: Any) -> None:
        opened.pop(id(connection), None)

    @sa.event.listens_for(made, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the one writer; a reader that writes later could fail to

    return made


def check_place(connection: sa.Connection) -> None:
    """Check that the journal is still the file that its path names; see `Opened.check`."""
    files: Opened = connection.info[_OPENED]
    files.check()


def carry_over(connection: sa.Connection) -> None:
    """Write what was committed into the file itself, so that it is still there when the ``-wal`` is deleted after a crash.

    While another program reads the file it can't be, and is done with a later transaction, or by that program as it ends.
    """
    raw: Any = connection.connection.driver_connection
    if connection.info.get(_CHANGES, 0) == raw.total_changes:
        return
    end = time.monotonic() + _CARRY_SECONDS
    while True:
        is_busy, written, carried = raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if (not is_busy and carried >= written) or time.monotonic() > end:
            break
        time.sleep(0.001)  # another thread or process does the same
    connection.info[_CHANGES] = raw.total_changes


def note_carried(opened: MutableMapping[int, Opened]) -> None:
    """Record the files that were open when this process was forked, and that it must not open."""
    _carried.update(files.identities[""] for files in opened.values())


def check_locks(database: sa.Engine, where: str) -> None:
    """Check that a second connection can't write while one does; some network drives let both write."""
    raw = database.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return  # as it must be
    finally:
        raw.invalidate()
        raw.close()
    raise JournalError(
        "The drive of the journal {where} does not lock files, so two runs could text the same "
        "people: name a file on a local disk.",
        where=where,
    )


def make_file(file: Path) -> None:
    """Create the file, readable by its owner only; SQLite gives its files beside it the same permissions.

    What is there already may be anything, and stays as it is until it is known to be a journal: see `protect`.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # An existing one is not opened here: closing it again would take away the locks that SQLite has on it in this
        # process ("How To Corrupt An SQLite Database File", 2.2).
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not file.is_file():
            raise JournalError(
                "The journal {file} can't be opened, for it is no file: name one, such as {example}.",
                file=file,
                example=file / "journal.sqlite",
            )
        _check_names(str(file), file.stat())
    except OSError as error:
        raise JournalError(
            "The journal {where} can't be opened for writing ({cause}): name another file with "
            "ESMS_JOURNAL or journal=…",
            where=file,
            cause=error.strerror,
        ) from None


def protect(opened: MutableMapping[int, Opened]) -> None:
    """Make a file readable by its owner only, once it is known to be a journal."""
    for path in sorted({files.path for files in opened.values()}):
        for file in (Path(f"{path}{end}") for end in _ENDS):
            try:
                file.chmod(0o600)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise JournalError(
                    "The journal {file} can't be made private ({cause}): name a file of your own with "
                    "ESMS_JOURNAL or journal=…",
                    file=file,
                    cause=error.strerror,
                ) from None


def scrub(database: sa.Engine, where: str) -> None:
    """Remove all traces of deleted rows from the files."""
    raw = database.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("VACUUM")
        (is_busy, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        why = "another program is reading them" if is_busy else ""
    except sqlite3.Error as error:
        why = str(error)
    finally:
        raw.close()
    if why:
        raise JournalError(
            "What was deleted from the journal {where} can still be found in its files, which could not "
            "be written anew ({cause}): see that they can be, then do the same again.",
            where=where,
            cause=why,
        )


def _prepare_connection(connection: Any, where: str, first: list[Opened]) -> Opened:
    """Make a new connection durable, and record which files it has open."""
    connection.isolation_level = None  # transactions begin where we say so
    cursor = connection.cursor()
    path = str(cursor.execute("PRAGMA database_list").fetchone()[2])
    files = Opened(path, dict(first[0].identities) if first else {})
    files.check([""])  # the others can still be replaced by a process that ends
    if not first:
        first.append(Opened(path, dict(files.identities)))
    if files.identities[""] in _carried:
        raise JournalError(
            "The journal {where} was in use in the middle of a transaction while this process was "
            "forked, and SQLite's files can't be carried over a fork: fork at another moment, or start "
            "processes with 'spawn'.",
            where=where,
        )
    if _set_mode(cursor).lower() != _WANTED_MODE:
        raise JournalError(
            "The journal {where} can't be kept durably on its drive: name a file on a local disk.", where=where
        )
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA fullfsync = ON")  # what durable takes on macOS
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens all files
    cursor.close()
    files.check()
    return files


def _set_mode(cursor: sqlite3.Cursor) -> str:
    """Set the journal mode, for which SQLite does not wait by itself while another process does the same."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return str(cursor.execute(_WAL).fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _check_names(file: str, found: os.stat_result) -> None:
    if found.st_nlink > 1:
        raise JournalError(
            "The journal {where} has {count} names (hard links), each of which would be a journal that "
            "does not know of the other: delete the other name, or copy the file.",
            where=file,
            count=found.st_nlink,
        )
