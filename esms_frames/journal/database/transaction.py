"""The parts of a transaction that differ between databases: the deciding clock, locks, and inserts of rows that may exist.

A SQLite file is used by one machine, and by one transaction at a time. A server is used by several machines, whose clocks
differ, and by several transactions at once: there the server's clock decides, and who plans takes a lock.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from esms_frames.base import clock

if TYPE_CHECKING:
    from datetime import datetime


AHEAD = "esms_frames_ahead"
"""Where a connection keeps by how many seconds the server's clock was ahead of this machine's as the transaction began."""

_JOURNAL = 1_702_063_475  # "esms", so that locks of other programs in the database are others


class Lock(IntEnum):
    """A job that only one transaction at a time does, in the whole journal."""

    TABLES = 1
    """Make the tables, or bring them up."""
    PEOPLE = 2
    """Decide who is to be texted, or change whom the decision is about: the do-not-contact list, who is forgotten."""


def is_shared(connection: sa.Connection) -> bool:
    """Return whether other machines may use the database too."""
    return connection.dialect.name != "sqlite"


def now(connection: sa.Connection) -> datetime:
    """Return the present moment by the clock that decides, in Vietnam time."""
    return clock.now() + timedelta(seconds=connection.info.get(AHEAD, 0.0))


def seconds(connection: sa.Connection) -> float:
    """Return the present moment by the clock that decides, in seconds since 1970 (UTC)."""
    return clock.seconds() + float(connection.info.get(AHEAD, 0.0))


def take(connection: sa.Connection, lock: Lock) -> None:
    """Wait for a lock, and hold it until the transaction ends; SQLite's transactions are one at a time anyway."""
    if is_shared(connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_JOURNAL, int(lock))))


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """Begin an insert that can say what to do if the row exists (`on_conflict_do_nothing`, …)."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name](table)
