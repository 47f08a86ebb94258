"""Open the journal's database so that it can be relied on, and say in one sentence when it can't be."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import sqlalchemy as sa

from esms_frames.errors import InvalidInput, JournalError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 30
_WAL, _WANTED_MODE = "PRAGMA journal_mode = WAL", "wal"


class Database:
    """A database of SQLAlchemy's whose transactions are durable and one at a time, and whose errors are sentences.

    Parameters
    ----------
    path : str or path-like, optional
        As for `journal.Journal`.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        if path is not None and (not isinstance(path, (str, os.PathLike)) or not str(path).strip()):
            raise InvalidInput(
                f"journal is {shown(path)} and no file: name one, or leave it out for the one of ESMS_JOURNAL or your own."
            )
        given = os.fspath(path) if path is not None else os.environ.get("ESMS_JOURNAL", "").strip()
        if "://" in given:
            try:
                url = sa.make_url(given)
            except (sa.exc.ArgumentError, ValueError):  # not shown, for it can hold a password
                raise JournalError(
                    "The journal's address is no database URL: write it like postgresql+psycopg://user@host/name, or name "
                    "a file."
                ) from None
        else:
            file = _file(given)
            url = sa.URL.create("sqlite", database=str(file.absolute()))
            _make_private(file)
        self.where = str(url.database if url.drivername == "sqlite" else url.render_as_string())
        """What it is called in messages; without a password."""
        with self._explained():
            self._engine = _engine(url)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Begin a transaction, which is on disk once the block is left, or never was if it is left by an error."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    def check_locks(self) -> None:
        """Check, within a transaction, that another connection is kept from writing; on some network drives it is not."""
        with self._explained():
            _check_locks(self._engine)

    def scrub(self) -> None:
        """Leave nothing of what was deleted in SQLite's files; other databases see to that by themselves."""
        if self._engine.dialect.name != "sqlite":
            return
        with self._explained():
            raw = self._engine.raw_connection()
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
                f"What was deleted from the journal {self.where} can still be found in its files, which could not be "
                f"written anew ({why}): see that they can be, then do the same again."
            )

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            raise JournalError(_explanation(self.where, error)) from None
        except ModuleNotFoundError as error:
            raise JournalError(f"The journal {self.where} needs the package {error.name!r}: install it.") from None


def is_there() -> bool:
    """Tell whether the user has a journal: a file that is there, or a database of a team."""
    given = os.environ.get("ESMS_JOURNAL", "").strip()
    return "://" in given or _file(given).exists()


def _file(given: str) -> Path:
    """Give the file that a path names, or the usual one."""
    usual = platformdirs.user_data_path("esms_frames", appauthor=False) / "journal.sqlite"
    return Path(given).expanduser() if given else usual


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        cursor = connection.cursor()
        if _mode(cursor).lower() != _WANTED_MODE:
            raise JournalError(
                f"The journal {url.database} can't be kept durably on its drive: name a file on a local disk."
            )
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA fullfsync = ON")  # what durable takes on macOS
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the one writer; a reader that writes later could fail to

    return engine


def _mode(cursor: sqlite3.Cursor) -> str:
    """Set the journal mode, for which SQLite does not wait by itself while another process does the same."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return str(cursor.execute(_WAL).fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _check_locks(engine: sa.Engine) -> None:
    """While one connection writes, another must be kept from it; on some network drives it is not."""
    if engine.dialect.name != "sqlite":
        return
    raw = engine.raw_connection()
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
        f"The drive of the journal {engine.url.database} does not lock files, so two runs could text the same people: "
        "name a file on a local disk."
    )


def _make_private(file: Path) -> None:
    """Make the file, readable by its owner only; SQLite's files beside it take after it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # An existing one is not opened here: closing it again would take away the locks that SQLite has on it in this
        # process ("How To Corrupt An SQLite Database File", 2.2).
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise JournalError(
            f"The journal {file} can't be opened for writing ({error.strerror}): name another file with ESMS_JOURNAL "
            "or journal=…"
        ) from None


def _explanation(where: str, error: sa.exc.SQLAlchemyError) -> str:
    """Say in one sentence what a database's error means for the journal, without its SQL and parameters."""
    cause = str(getattr(error, "orig", None) or type(error).__name__)
    known = {
        "NoSuchModule": "names a kind of database that is not installed here: install its driver, or name a file",
        "not a database": "is no journal, or corrupt: restore it from a copy, or name another file",
        "malformed": "is corrupt: restore it from a copy, or name another file",
        "readonly": "can't be written to: check its permissions, or name another file",
        "read-only": "can't be written to: check its permissions, or name another file",
        "full": "has no room left on its disk: make room, then resume the campaign",
        "locked": "is kept locked by another program: close it there, then try again",
        "locking protocol": "is on a drive that does not lock files: name a file on a local disk",
        "disk i/o": "can't be read or written by its drive: name a file on a local disk",
        "unable to open": "can't be opened: check its folder and permissions, or name another file",
    }
    for words, meaning in known.items():
        if words.lower() in cause.lower():
            return f"The journal {where} {meaning}."
    first = cause.splitlines()[0] if cause else ""
    return f"The journal {where} can't be used ({first}): check the database, then try again."
