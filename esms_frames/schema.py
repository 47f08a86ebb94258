"""The journal's tables, and how older ones become them.

All times are Vietnam time in ISO 8601, and the words are such that a person with any SQL tool can read them:

``campaigns``
    One row for each name within one gateway and account. The account is a short fingerprint, never a key. The
    ``callback_token`` stands in the address that the gateway calls back, if there is one: who knows it can report what
    became of this campaign's messages, and nothing else.
``batches``
    What one request carries: its request id, text and numbers (``phones``, separated by blanks), and what became of it.
``attempts``
    Every time a batch was tried, with the outcome; one without an outcome was cut short, and may have arrived.
``do_not_contact``
    Numbers that are never to get advertising, with reason and date; both are NULL for those who were forgotten.
``callbacks``
    The gateway's callbacks: the last state of each send (``phone`` is empty then) or of each number of a send, and how
    many ``times`` it was called. The columns are named as by `read_callbacks`. The gateway may call before the sender has
    written down the ``sms_id``, so there are rows whose send is not known; such count for nothing.
``journal``
    The version of these tables.

A batch's ``status`` is ``planned`` (it certainly was not taken yet), ``sending``, ``unknown`` (it may have been taken),
``accepted``, ``already_sent``, ``refused``, ``split`` (it was refused, and its halves are batches of their own, whose
``split_from`` is its id), or ``withdrawn`` (replaced by another batch while it was planned). ``uncertain_since`` is when
the first attempt was made that may have arrived. ``holder`` is the run that works on the batch, until ``held_until``
(seconds since 1970) or until its process ends; ``planned_by`` the one that planned it, while it lasts; ``settled_by`` the
one that learned what became of it. ``segment`` is the segment that it belongs to, and ``rules`` the rules of advertising
that it was sent under, separated by blanks (NULL in batches of before there were any: all of them for advertising).
``size`` is how many numbers it had when it was tried, whoever has been forgotten since; the request id of a batch from
which somebody was, and which is not to be sent again, is ``forgotten-`` and its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from esms_frames import clock
from esms_frames.errors import JournalError
from esms_frames.phones import joined_phones
from esms_frames.transaction import Lock, take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

UNFINISHED = ("planned", "sending", "unknown")
"""The statuses of batches that may still have to be sent."""

SETTLED = ("accepted", "already_sent")
"""The statuses of batches whose numbers have the message."""

FORGOTTEN = "forgotten-"
"""How the request ids begin that stand for those that were derived from numbers which are forgotten."""

_metadata = sa.MetaData()
_journal = sa.Table("journal", _metadata, sa.Column("version", sa.Integer, nullable=False))
campaigns = sa.Table(
    "campaigns",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("callback_token", sa.Text),
    sa.UniqueConstraint("name", "gateway", "account"),
)
batches = sa.Table(
    "batches",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("campaign_id", sa.ForeignKey("campaigns.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("code", sa.Integer),
    sa.Column("sms_id", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("sent_at", sa.Text),
    sa.Column("uncertain_since", sa.Text),
    sa.Column("planned_by", sa.Text),
    sa.Column("settled_by", sa.Text),
    sa.Column("holder", sa.Text),
    sa.Column("held_until", sa.Float),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("brandname", sa.Text, nullable=False),
    sa.Column("sms_type", sa.Text, nullable=False),
    sa.Column("send_at", sa.Text),
    sa.Column("callback_url", sa.Text),
    sa.Column("floor", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("phones", sa.Text, nullable=False),
    sa.Column("segment", sa.Text),
    sa.Column("rules", sa.Text),
    sa.Column("split_from", sa.Integer),
    sa.UniqueConstraint("campaign_id", "number"),
    sa.UniqueConstraint("campaign_id", "request_id"),
)
attempts = sa.Table(
    "attempts",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("batch_id", sa.ForeignKey("batches.id"), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("code", sa.Integer),
)
do_not_contact = sa.Table(
    "do_not_contact",
    _metadata,
    sa.Column("phone", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text),
    sa.Column("added_at", sa.Text),
)
callbacks = sa.Table(
    "callbacks",
    _metadata,
    sa.Column("campaign_id", sa.ForeignKey("campaigns.id"), primary_key=True),
    sa.Column("sms_id", sa.Text, primary_key=True),
    sa.Column("phone", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text),
    sa.Column("telco_id", sa.Integer),
    sa.Column("send_status", sa.Integer, nullable=False),
    sa.Column("delivered", sa.Integer),
    sa.Column("failed", sa.Integer),
    sa.Column("sent", sa.Integer),
    sa.Column("recipients", sa.Integer),
    sa.Column("price", sa.Text),
    sa.Column("type_id", sa.Integer),
    sa.Column("received_at", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
)
_by_sms_id = sa.Index("batches_by_sms_id", batches.c.sms_id)

_of_people = {
    batches: ("phones", "content", "segment"),
    do_not_contact: ("phone", "reason"),
    callbacks: ("phone",),
}
for _table, _columns in _of_people.items():
    for _name in _columns:  # PostgreSQL would keep samples of them in its statistics, even of those who are forgotten
        sa.event.listen(
            _table,
            "after_create",
            sa.DDL(  # type: ignore[no-untyped-call, unused-ignore]
                f"ALTER TABLE {_table.name} ALTER {_name} SET STATISTICS 0"
            ).execute_if(dialect="postgresql"),
        )


@dataclass(frozen=True)
class Scope:
    """A campaign: its name within one gateway and account."""

    id: int
    name: str
    gateway: str
    account: str


def _to_version_2(connection: sa.Connection) -> None:
    for column, kind in (("segment", "TEXT"), ("rules", "TEXT"), ("split_from", "INTEGER")):
        connection.exec_driver_sql(f"ALTER TABLE batches ADD COLUMN {column} {kind}")
    do_not_contact.create(connection)


def _to_version_3(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE campaigns ADD COLUMN callback_token TEXT")
    callbacks.create(connection)
    _by_sms_id.create(connection)


_MIGRATIONS: Sequence[Callable[[sa.Connection], None]] = [_to_version_2, _to_version_3]
"""What brings tables from version 1 to 2, and so on; new ones are made as they are today."""


def migrate(connection: sa.Connection, where: str) -> None:
    """Make the tables, or bring those that are there to today's version."""
    take(connection, Lock.TABLES)  # two who make them at once would fail, both finding none
    there = sa.inspect(connection).get_table_names()
    if there and _journal.name not in there:
        raise JournalError(f"{where} is a database of something else: name another one for the journal.")
    current = len(_MIGRATIONS) + 1
    found = connection.execute(sa.select(_journal.c.version)).scalar() if there else current
    if found is None or found > current:
        raise JournalError(
            f"The journal {where} was made by a newer version of esms_frames: update the package, or name another file."
        )
    if not there:
        _metadata.create_all(connection)
    for step in _MIGRATIONS[found - 1 :]:
        step(connection)
    connection.execute(sa.delete(_journal))
    connection.execute(sa.insert(_journal).values(version=current))  # also tells whether it can be written to


def text_of(moment: datetime | None) -> str | None:
    """Write a moment as the tables hold it."""
    return None if moment is None else moment.astimezone(clock.VIETNAM).isoformat(timespec="microseconds")


def moment_of(text: str | None) -> datetime | None:
    """Read a moment of the tables."""
    return None if text is None else datetime.fromisoformat(text).astimezone(clock.VIETNAM)


def phones_of(numbers: NDArray[np.int32]) -> str:
    """Write national numbers as the tables hold them: as they are sent, separated by blanks."""
    return joined_phones(numbers)


def numbers_in(phones: str) -> NDArray[np.int32]:
    """Read the national numbers of a batch, or of several joined by blanks."""
    return np.fromstring(phones, dtype=np.int32, sep=" ")


def count_in(phones: str) -> int:
    """Count the numbers of a batch, each of which is ten digits."""
    return (len(phones) + 1) // 11
