"""Open the journal's database so that it can be relied on, and say in one sentence when it can't be."""

from __future__ import annotations

import os
import time
import weakref
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
import stamina

from esms_frames.base import clock
from esms_frames.base.errors import JournalError
from esms_frames.base.wording import Sentence, mark
from esms_frames.journal.database import postgres, sqlite_file
from esms_frames.journal.database.address import hide, read_place
from esms_frames.journal.database.forks import GATE, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


T = TypeVar("T")

_PATIENCE = 60.0  # seconds for which a server that is away is waited for
_WAIT_INITIAL, _WAIT_MAX = 0.1, 2.0  # seconds between tries, doubling

_of_parents: list[Any] = []
"""What a process has from the one that it was forked from, and which it must neither use nor close nor let go."""


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

    def __init__(self, path: Any) -> None:
        path = hide(path)
        self._place = read_place(path)
        self._is_shared = self._place.server is not None
        self.where = self._place.where
        """What it is called in messages; without a password."""
        self._ahead = timedelta()
        self._is_known = False  # whether it has ever been reached
        if self._place.path is not None:
            sqlite_file.make_file(self._place.path)
        self._first: list[sqlite_file.Opened] = []  # the file, as it was opened first
        self._open()
        register(self)

    def _open(self) -> None:
        """Make the engine of this process, which connects once it is used."""
        self._pid = os.getpid()
        self._opened: dict[int, sqlite_file.Opened] = {}
        with self._explain_errors():
            if self._place.server is not None:
                self._made = postgres.engine(self._place.server)
            elif self._place.file is not None:
                self._made = sqlite_file.engine(self._place.file, self.where, self._opened, self._first)
        self._finish = weakref.finalize(self, _close, self._made, self._pid)  # a server counts the open connections

    @property
    def _engine(self) -> sa.Engine:
        if self._pid != os.getpid():
            self.after_fork()
        return self._made

    def before_fork(self) -> None:
        """Close SQLite's connections: in a child, SQLite would believe that it holds locks which it does not hold."""
        if not self._is_shared and self._pid == os.getpid():
            self._made.dispose()

    def after_fork(self) -> None:
        """Begin with new connections in the child; those of the parent are neither used nor closed."""
        if self._pid == os.getpid():
            return
        self._finish.detach()
        _of_parents.append(self._made)
        sqlite_file.note_carried(self._opened)
        self._open()

    @contextmanager
    def begin(self, *, carry: bool = True) -> Iterator[sa.Connection]:
        """Begin a transaction, which is on disk once the block is left, or never was if it is left by an error.

        Of a server, an error can also mean that nobody knows: what is to outlast a connection that is lost goes through
        `transact`. Of a file, it is an error, too, when it is no longer the one that the path names. For `carry` see
        `transact`.
        """
        with self._explain_errors(), nullcontext() if self._is_shared else GATE.entered(), ExitStack() as stack:
            pid = os.getpid()
            connection = stack.enter_context(self._engine.connect())
            with ExitStack() as transaction:
                transaction.enter_context(connection.begin())
                self._is_known, self._ahead = True, postgres.measure_offset(connection)
                if not self._is_shared:
                    sqlite_file.check_place(connection)
                try:
                    yield connection
                finally:
                    if os.getpid() != pid:
                        _of_parents.append((stack.pop_all(), transaction.pop_all()))
            if os.getpid() != pid:
                raise JournalError(
                    "This process was forked in the middle of a transaction of the journal {where}, which is not "
                    "its own to end: fork at another moment.",
                    where=self.where,
                )
            if not self._is_shared:
                if carry:
                    sqlite_file.carry_over(connection)
                sqlite_file.check_place(connection)

    def transact(
        self, work: Callable[[sa.Connection], T], *, again: bool = True, wait: bool = True, carry: bool = True
    ) -> T:
        """Run some work in a transaction, and again in another while the server is away, for a minute at most.

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
        carry : bool, optional
            Whether a file has what was written in itself, and not only in the ``-wal`` beside it, which people delete after
            a crash. Both are durable; what may get lost without anybody being texted twice can wait for the next one.

        Raises
        ------
        JournalError
            When the server stays away, or for `again` false when nobody knows whether it was done.
        """
        if not (self._is_shared and wait):
            with self.begin(carry=carry) as connection:
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
                            "The connection to the journal {where} was lost, and it is not known whether the last change "
                            "was written: do the same again.",
                            where=self.where,
                        ) from None
                    raise
        return result

    def now(self) -> datetime:
        """Return the present moment by the deciding clock: the server's as of the last transaction, or this machine's."""
        return clock.now() + self._ahead

    def check(self, connection: sa.Connection) -> None:
        """Check, within a transaction, that the drive or server keeps what is written and lets only one writer in."""
        if self._is_shared:
            postgres.check(connection, self.where)
            return
        with self._explain_errors():
            sqlite_file.check_locks(self._engine, self.where)

    def protect(self) -> None:
        """Make a file readable by its owner only, once it is known to be a journal."""
        sqlite_file.protect(self._opened)

    def scrub(self) -> None:
        """Remove all traces of deleted rows from the database's files."""
        with self._explain_errors():
            if self._is_shared:
                postgres.scrub(self._engine, self.where)
                return
            with GATE.entered():
                sqlite_file.scrub(self._engine, self.where)

    def close(self) -> None:
        """Close the connections of this process."""
        _close(self._engine, self._pid)

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            if self._is_shared and isinstance(error, sa.exc.DBAPIError) and (meaning := postgres.explain(error)):
                kind = _AwayError if postgres.is_passing(error) else JournalError
                raise kind("The journal {where} {meaning_text}.", where=self.where, meaning_text=meaning) from None
            raise JournalError(_explain(self.where, error)) from None
        except ImportError as error:
            if self._is_shared:
                raise JournalError(
                    'The journal {where} needs the driver psycopg: pip install "esms-frames[team]", then try again.',
                    where=self.where,
                ) from None
            raise JournalError(
                "The journal {where} needs the package {name}: install it.", where=self.where, name=repr(error.name)
            ) from None


def _close(engine: sa.Engine, pid: int) -> None:
    """Close the connections of an engine, if they are this process's, and not in the middle of a fork."""
    if os.getpid() == pid:
        with GATE.entered():
            engine.dispose()


def _explain(where: str, error: sa.exc.SQLAlchemyError) -> str:
    """Explain in one sentence what a database's error means for the journal, without its SQL and parameters."""
    cause = str(getattr(error, "orig", None) or type(error).__name__)
    known = {
        "not a database": mark("is no journal, or corrupt: restore it from a copy, or name another file"),
        "malformed": mark("is corrupt: restore it from a copy, or name another file"),
        "readonly": mark("can't be written to: check its permissions, or name another file"),
        "read-only": mark("can't be written to: check its permissions, or name another file"),
        "full": mark("has no room left on its disk: make room, then resume the campaign"),
        "locked": mark("is kept locked by another program: close it there, then try again"),
        "locking protocol": mark("is on a drive that does not lock files: name a file on a local disk"),
        "disk i/o": mark("can't be read or written by its drive: name a file on a local disk"),
        "unable to open": mark("can't be opened: check its folder and permissions, or name another file"),
    }
    for words, meaning in known.items():
        if words.lower() in cause.lower():
            return Sentence("The journal {where} {meaning_text}.", where=where, meaning_text=meaning)
    first = cause.splitlines()[0] if cause else ""
    return Sentence(
        "The journal {where} can't be used ({cause}): check the database, then try again.", where=where, cause=first
    )
