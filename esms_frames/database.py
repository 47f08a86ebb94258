"""Open the journal's database so that it can be relied on, and say in one sentence when it can't be."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import platformdirs
import sqlalchemy as sa
import stamina

from esms_frames import clock, postgres
from esms_frames.errors import InvalidInput, JournalError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_BUSY_SECONDS = 30
_PATIENCE = 60.0  # seconds for which a server that is away is waited for
_WAIT_INITIAL, _WAIT_MAX = 0.1, 2.0  # seconds between tries, doubling
_WAL, _WANTED_MODE = "PRAGMA journal_mode = WAL", "wal"


class _AwayError(JournalError):
    """The server, or the way to it, is away for now."""


class Database:
    """A database of SQLAlchemy's whose transactions are durable, and whose errors are sentences.

    SQLite's transactions are one at a time. PostgreSQL's are READ COMMITTED: each statement sees what has been committed
    by then, so whoever decides something locks first what the decision rests on.

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
        url = _url(given)
        self._is_shared = postgres.is_meant(url)
        self.where = postgres.shown(url) if self._is_shared else str(url.database)
        """What it is called in messages; without a password."""
        self._ahead = timedelta()
        self._is_known = False  # whether it has ever been reached
        with self._explained():
            self._engine = postgres.engine(url) if self._is_shared else _engine(url)
        self._finish = weakref.finalize(self, self._engine.dispose)  # a server counts the connections that are open

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Begin a transaction, which is on disk once the block is left, or never was if it is left by an error.

        Of a server, an error can also mean that nobody knows: what is to outlast a connection that is lost goes through
        `transact`.
        """
        with self._explained(), self._engine.begin() as connection:
            self._is_known, self._ahead = True, postgres.ahead(connection)
            yield connection

    def transact(self, work: Callable[[sa.Connection], T], *, again: bool = True, wait: bool = True) -> T:
        """Do some work in a transaction, and again in another while a server is away, for a minute at most.

        Parameters
        ----------
        work : callable
            Gets the connection. It has to be such that doing it twice does it once, for the answer to a commit can get
            lost: what it did may be there already. A transaction whose program is gone keeps its locks until the server
            knows, so work that begins by taking a lock finds it either done or not done.
        again : bool, optional
            Whether it is such; else it is done again only if it certainly was not.
        wait : bool, optional
            Whether a server that is away is waited for at all.

        Raises
        ------
        JournalError
            When the server stays away, or for `again` false when nobody knows whether it was done.
        """
        if not (self._is_shared and wait):
            with self.begin() as connection:
                return work(connection)
        failures: list[float] = []

        def is_waited_for(error: Exception) -> bool:
            failures.append(time.monotonic())
            return isinstance(error, _AwayError) and self._is_known and failures[-1] - failures[0] < _PATIENCE

        for attempt in stamina.retry_context(
            on=is_waited_for,
            attempts=None,
            timeout=None,
            wait_initial=_WAIT_INITIAL,
            wait_max=_WAIT_MAX,
            wait_jitter=_WAIT_INITIAL,
        ):
            with attempt:
                done = False
                try:
                    with self.begin() as connection:
                        result = work(connection)
                        done = True
                except _AwayError:
                    if done and not again:
                        raise JournalError(
                            f"The connection to the journal {self.where} was lost, and it is not known whether the last "
                            "change was written: do the same again."
                        ) from None
                    raise
        return result

    def now(self) -> datetime:
        """Give the present moment by the clock that decides: the server's as of the last transaction, or this machine's."""
        return clock.now() + self._ahead

    def check(self, connection: sa.Connection) -> None:
        """Refuse, within a transaction, a drive or a server that would not keep what is written, or lets two write."""
        if self._is_shared:
            postgres.check(connection, self.where)
            return
        with self._explained():
            _check_locks(self._engine)

    def protect(self) -> None:
        """Make a file readable by its owner only, once it is known to be a journal."""
        if self._is_shared:
            return
        for file in (Path(f"{self.where}{end}") for end in ("", "-wal", "-shm")):
            try:
                file.chmod(0o600)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise JournalError(
                    f"The journal {file} can't be made private ({error.strerror}): name a file of your own with "
                    "ESMS_JOURNAL or journal=…"
                ) from None

    def scrub(self) -> None:
        """Leave nothing of what was deleted in the database's files."""
        if self._is_shared:
            with self._explained():
                postgres.scrub(self._engine, self.where)
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
            if self._is_shared and isinstance(error, sa.exc.DBAPIError) and (meaning := postgres.meaning(error)):
                kind = _AwayError if postgres.is_passing(error) else JournalError
                raise kind(f"The journal {self.where} {meaning}.") from None
            raise JournalError(_explanation(self.where, error)) from None
        except ImportError as error:
            if self._is_shared:
                raise JournalError(
                    f'The journal {self.where} needs the driver psycopg: pip install "esms-frames[team]", then try again.'
                ) from None
            raise JournalError(f"The journal {self.where} needs the package {error.name!r}: install it.") from None


def is_there() -> bool:
    """Tell whether the user has a journal: a file that is there, or a database of a team."""
    given = os.environ.get("ESMS_JOURNAL", "").strip()
    return "://" in given or _file(given).exists()


def _file(given: str) -> Path:
    """Give the file that a path names, or the usual one."""
    usual = platformdirs.user_data_path("esms_frames", appauthor=False) / "journal.sqlite"
    return Path(given).expanduser() if given else usual


def _url(given: str) -> sa.URL:
    """Give the URL of what was given: one, a path, or nothing."""
    if "://" not in given:
        file = _file(given)
        _make_file(file)
        return sa.URL.create("sqlite", database=str(file.absolute()))
    try:
        url = sa.make_url(given)
    except (sa.exc.ArgumentError, ValueError):  # not shown, for it can hold a password
        raise JournalError(
            "The journal's address is no database URL: write it like postgresql+psycopg://user@host/name, or name a file."
        ) from None
    if url.get_backend_name() != "sqlite" and not postgres.is_meant(url):
        raise JournalError(
            f"The journal's address names {url.drivername!r}, which is not installed or not known here: write it like "
            "postgresql+psycopg://user@host/name, or name a file."
        )
    return url


def _engine(url: sa.URL) -> sa.Engine:
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


def _make_file(file: Path) -> None:
    """Make the file, readable by its owner only; SQLite's files beside it take after it.

    What is there already may be anything, and stays as it is until it is known to be a journal: see `Database.protect`.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # An existing one is not opened here: closing it again would take away the locks that SQLite has on it in this
        # process ("How To Corrupt An SQLite Database File", 2.2).
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not file.is_file():
            raise JournalError(
                f"The journal {file} can't be opened, for it is no file: name one, such as {file / 'journal.sqlite'}."
            )
    except OSError as error:
        raise JournalError(
            f"The journal {file} can't be opened for writing ({error.strerror}): name another file with ESMS_JOURNAL "
            "or journal=…"
        ) from None


def _explanation(where: str, error: sa.exc.SQLAlchemyError) -> str:
    """Say in one sentence what a database's error means for the journal, without its SQL and parameters."""
    cause = str(getattr(error, "orig", None) or type(error).__name__)
    known = {
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
