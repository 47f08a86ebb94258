"""Open a PostgreSQL server's database so that it can be relied on, and say what its errors mean."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from esms_frames.base import clock
from esms_frames.base.errors import JournalError
from esms_frames.base.wording import Sentence, mark
from esms_frames.journal.database.transaction import AHEAD

DRIVER = "postgresql+psycopg"
_NAMES = {"postgres", "postgresql", DRIVER}

_LOCK_SECONDS = 60
"""For how long a transaction waits for another's lock: a campaign of millions takes some seconds to be planned."""

_IDLE_SECONDS = 300
"""After which the server ends a transaction whose program says nothing more, and gives its locks free."""

_ALIVE = {
    "connect_timeout": 10,
    # A peer that is gone without a word is noticed in half a minute, and not after the system's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

# One round trip. The settings are of this transaction alone, so that they hold behind a pooler of connections too, and
# whatever the defaults of server, database and user are. A commit that waits for more than this server's disk stays so.
_BEGIN = f"""
SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'remote_apply'
                                             THEN 'remote_apply' ELSE 'on' END, true),
       set_config('lock_timeout', '{_LOCK_SECONDS}s', true),
       set_config('idle_in_transaction_session_timeout', '{_IDLE_SECONDS}s', true),
       extract(epoch FROM clock_timestamp())
"""  # noqa: S608 - its numbers are those above

_MEANINGS = {
    "55P03": Sentence(
        "was kept locked by another program for {count} seconds: see what runs there, then try again",
        count=_LOCK_SECONDS,
    ),
    "53100": mark("has no room left on its disk: make room, then resume the campaign"),
    "25006": mark("can't be written to: check its permissions, or name another file"),
    "42501": mark("may not be used so by this user: have the owner of its database grant it"),
    "28": mark("does not let this user in: check user and password, which can stand in PGPASSWORD or ~/.pgpass"),
    "3D000": mark("is not there: create the database, or check its name"),
    "3F000": mark(
        "has no schema of the name that its address gives: have it created (CREATE SCHEMA), or check its name"
    ),
    "22P05": mark("can't hold Vietnamese: create its database with the encoding UTF8"),
    "57014": mark("took longer than its server allows (statement_timeout): ask who keeps the server, then try again"),
}
"""What an error means, by its SQLSTATE or the class of that."""

# Errors of opening a connection have no SQLSTATE.
_REFUSALS = {
    "28": ("password authentication failed", "no password supplied", "pg_hba.conf", 'role "', "peer authentication"),
    "3D000": ('database "',),
}

_PASSING = {"40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05", "25P03"}
"""Conflicts that end one of two transactions, and servers that are about to stop or have just been started."""


def is_meant(url: sa.URL) -> bool:
    """Return whether a URL names a PostgreSQL database, with the driver that is used here or with none."""
    return url.drivername in _NAMES


def mask_url(url: sa.URL) -> str:
    """Return a URL without its password, and without its options, which may hold one too."""
    return url.set(drivername=DRIVER, query={}).render_as_string()


class Server:
    """A database on a server, to be connected to.

    Nothing but this holds the password: neither SQLAlchemy nor a frame that an error can pass through, for tracebacks can
    show the values of names.
    """

    __slots__ = ("_url",)

    def __init__(self, url: sa.URL) -> None:
        self._url = url.set(drivername=DRIVER)

    def __repr__(self) -> str:
        return f"<{mask_url(self._url)}>"

    @property
    def shown_url(self) -> sa.URL:
        """The URL without password and options."""
        url = self._url
        return sa.URL.create(DRIVER, username=url.username, host=url.host, port=url.port, database=url.database)

    def connect(self, dialect: sa.Dialect) -> Any:
        """Open a connection to it."""
        error: BaseException
        try:
            return self._connected(dialect)
        except BaseException as caught:  # noqa: BLE001 - Ctrl-C too: where it came, the password is among the locals
            error = caught
        error.__context__ = error.__cause__ = None
        raise error.with_traceback(None)

    def _connected(self, dialect: sa.Dialect) -> Any:
        from esms_frames.journal.database.postgres_driver import PatientConnection  # noqa: PLC0415 - the driver is an extra

        arguments, options = dialect.create_connect_args(self._url)
        # PGCLIENTENCODING, or a default of the user's, could be one that has not all letters.
        always = {"application_name": "esms_frames", "client_encoding": "utf8", "prepare_threshold": None}
        return PatientConnection.connect(*arguments, **(_ALIVE | dict(options) | always))


def engine(server: Server) -> sa.Engine:
    """Build the engine of a database; nothing is connected yet."""
    made = sa.create_engine(
        server.shown_url,
        # Another default of the server's would let a transaction that has waited for a lock not see what it waited for.
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        pool_pre_ping=True,
    )

    @sa.event.listens_for(made, "do_connect")
    def _connect(dialect: Any, _record: Any, _arguments: Any, _options: Any) -> Any:
        return server.connect(dialect)

    @sa.event.listens_for(made, "begin")
    def _begin(connection: sa.Connection) -> None:
        asked = clock.seconds()
        *_, told = connection.exec_driver_sql(_BEGIN).one()
        answered = clock.seconds()
        # The server looked at its clock between question and answer; nearer than that two clocks can't be compared.
        ahead = float(told) - (asked + answered) / 2
        connection.info[AHEAD] = ahead if abs(ahead) > (answered - asked) / 2 else 0.0

    return made


def measure_offset(connection: sa.Connection) -> timedelta:
    """Return how far the server's clock is ahead of this machine's."""
    return timedelta(seconds=connection.info.get(AHEAD, 0.0))


def check(connection: sa.Connection, where: str) -> None:
    """Check that the server keeps what it confirms even in a power cut, and that it can hold Vietnamese text."""
    fsync, encoding = connection.exec_driver_sql(
        "SELECT current_setting('fsync'), current_setting('server_encoding')"
    ).one()
    if fsync != "on":
        raise JournalError(
            "The journal {where} is on a server with fsync = {value}, which forgets in a power cut what "
            "was sent: have it switched on.",
            where=where,
            value=fsync,
        )
    if encoding != "UTF8":
        raise JournalError("The journal {where} {meaning_text}.", where=where, meaning_text=_MEANINGS["22P05"])


def is_passing(error: sa.exc.DBAPIError) -> bool:
    """Return whether an error may pass: the server, or the way to it, was away for a moment."""
    if error.connection_invalidated:
        return True
    state = _state(error)
    return state in _PASSING or state[:2] == "08"


def explain(error: sa.exc.DBAPIError) -> str | None:
    """Explain what an error means for the journal; None if that is not known."""
    state = _state(error)
    if is_passing(error):
        return mark("can't be reached: see that its server runs and the network is there, then try again")
    return _MEANINGS.get(state) or _MEANINGS.get(state[:2])


def scrub(database: sa.Engine, where: str) -> None:
    """Rewrite the tables that people were deleted from, so that no byte of them is left."""
    notices: list[str] = []
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver: Any = connection.connection.driver_connection
        driver.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        driver.silence = math.inf  # it takes as long as the journal is large
        try:
            connection.exec_driver_sql(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
            connection.exec_driver_sql("VACUUM (FULL) batches, do_not_contact, callbacks")
        except sa.exc.DBAPIError as error:
            notices.append(str(error.orig).partition("\n")[0])
        finally:
            connection.invalidate()  # with its setting and its handler
    if notices:
        raise JournalError(
            "What was deleted from the journal {where} can still be found in its files, which could not "
            "be written anew ({cause}): see that they can be, then do the same again.",
            where=where,
            cause=notices[0],
        )


def _state(error: sa.exc.DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None)
    if state is None and type(error.orig).__name__ in {"OperationalError", "ConnectionTimeout"}:
        words = str(error.orig)
        return next((state for state, phrases in _REFUSALS.items() if any(each in words for each in phrases)), "08001")
    return state or ""
