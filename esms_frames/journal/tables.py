"""The journal's tables, and how older ones become them.

All times are Vietnam time in ISO 8601, and the words are such that a person with any SQL tool can read them:

``campaigns``
    One row for each name within one gateway, ``live`` or ``sandbox``, and account. The account is a short fingerprint of
    the gateway's UserID, or of the ApiKey while the gateway has not told it; see ``account_keys``. The ``name`` is as it
    was first written, ``name_key`` what names are compared by (NULL until `ownership.update_keys`). A campaign that turned
    out to be another one's is ``merged_into`` that; its row stays, for its name and token lead there.
    ``old_gateway`` is what versions 1 to 3 called the gateway: its host, or ``sandbox`` for any address on this machine.
    The ``callback_token`` stands in the address that the gateway calls back, if there is one: who knows it can report what
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
``account_keys``
    Fingerprints of the keys by which accounts were reached, each with its account; ``is_told`` is 1 where the gateway told
    it, and 0 where a person did (`Journal.same_account`).
``journal``
    The version of these tables.

A batch's ``status`` is ``planned`` (it certainly was not taken yet), ``sending``, ``unknown`` (it may have been taken),
``accepted``, ``already_sent``, ``refused``, ``split`` (it was refused, and its halves are batches of their own, whose
``split_from`` is its id), or ``withdrawn`` (replaced by another batch while it was planned). ``uncertain_since`` is when
the first attempt was made that may have arrived. ``holder`` is the run that works on the batch, until ``held_until``
(seconds since 1970) or until its process ends; ``planned_by`` the one that planned it, while it lasts; ``settled_by`` the
one that learned what became of it. ``segment`` is the segment that it belongs to, and ``rules`` the rules of advertising
that it was sent under, separated by blanks (NULL in batches of before there were any: all of them for advertising).
Its ``reason`` is the text of a sentence, or, where values stand in it, JSON of its ``template`` and ``values``.
``size`` is how many numbers it had when it was tried, whoever has been forgotten since; the request id of a batch from
which somebody was, and which is not to be sent again, is ``forgotten-`` and its id.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from esms_frames.base import clock
from esms_frames.base.errors import JournalError
from esms_frames.base.wording import Sentence, read_sentence, recall, write_sentence
from esms_frames.journal.database.transaction import Lock, take
from esms_frames.journal.records import AttemptOutcome, Batch, BatchStatus, NewBatch, numbers_in, phones_of
from esms_frames.messages.advertising_rules import Rule, rules_for
from esms_frames.messages.limits import SmsType
from esms_frames.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from esms_frames.journal.records import Scope


class _Word(sa.TypeDecorator[StrEnum]):
    """A column of text whose words are the members of an enum."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(self.members(value))

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> StrEnum | None:  # noqa: ARG002
        return None if value is None else self.members(value)


class _Reason(sa.TypeDecorator[str]):
    """A column of sentences: the template and the values of one that has any, else its text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else write_sentence(recall(value))

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Sentence | None:  # noqa: ARG002
        return None if value is None else read_sentence(value)


_metadata = sa.MetaData()
journal = sa.Table("journal", _metadata, sa.Column("version", sa.Integer, nullable=False))
campaigns = sa.Table(
    "campaigns",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("callback_token", sa.Text),
    sa.Column("name_key", sa.Text),
    sa.Column("merged_into", sa.Integer),
    sa.Column("old_gateway", sa.Text),
    sa.UniqueConstraint("name", "gateway", "account"),
)
_by_name_key = sa.Index(
    "campaigns_by_name_key", campaigns.c.name_key, campaigns.c.gateway, campaigns.c.account, unique=True
)
account_keys = sa.Table(
    "account_keys",
    _metadata,
    sa.Column("gateway", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("is_told", sa.Integer, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
)
batches = sa.Table(
    "batches",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("campaign_id", sa.ForeignKey("campaigns.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("status", _Word(BatchStatus), nullable=False),
    sa.Column("reason", _Reason),
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
    sa.Column("outcome", _Word(AttemptOutcome)),
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


def _to_version_2(connection: sa.Connection) -> None:
    for column, kind in (("segment", "TEXT"), ("rules", "TEXT"), ("split_from", "INTEGER")):
        connection.exec_driver_sql(f"ALTER TABLE batches ADD COLUMN {column} {kind}")
    do_not_contact.create(connection)


def _to_version_3(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE campaigns ADD COLUMN callback_token TEXT")
    callbacks.create(connection)
    _by_sms_id.create(connection)


def _to_version_4(connection: sa.Connection) -> None:
    for column, kind in (("name_key", "TEXT"), ("merged_into", "INTEGER"), ("old_gateway", "TEXT")):
        connection.exec_driver_sql(f"ALTER TABLE campaigns ADD COLUMN {column} {kind}")
    _by_name_key.create(connection)
    account_keys.create(connection)


_MIGRATIONS: Sequence[Callable[[sa.Connection], None]] = [_to_version_2, _to_version_3, _to_version_4]
"""What brings tables from version 1 to 2, and so on; new ones are made as they are today."""


def migrate(connection: sa.Connection, where: str) -> None:
    """Create the tables, or migrate existing ones to today's version."""
    take(connection, Lock.TABLES)  # two who make them at once would fail, both finding none
    existing = sa.inspect(connection).get_table_names()
    if existing and journal.name not in existing:
        raise JournalError("{where} is a database of something else: name another one for the journal.", where=where)
    current = len(_MIGRATIONS) + 1
    found = connection.execute(sa.select(journal.c.version)).scalar() if existing else current
    if found is None or found > current:
        raise JournalError(
            "The journal {where} was made by a newer version of esms_frames: update the package, or name another file.",
            where=where,
        )
    if not existing:
        _metadata.create_all(connection)
        connection.execute(sa.insert(journal).values(version=current))
    for step in _MIGRATIONS[found - 1 :]:
        step(connection)
    connection.execute(sa.update(journal).values(version=current))  # also tells whether it can be written to


def text_of(moment: datetime | None) -> str | None:
    """Write a moment as the tables hold it."""
    return None if moment is None else moment.astimezone(clock.VIETNAM).isoformat(timespec="microseconds")


def moment_of(text: str | None) -> datetime | None:
    """Read a moment of the tables."""
    return None if text is None else datetime.fromisoformat(text).astimezone(clock.VIETNAM)


def row_of(scope: Scope, run: str, batch: NewBatch, number: int, now: datetime) -> dict[str, Any]:
    """Write a new batch as a row, planned by a run at a moment."""
    message = batch.message
    return {
        "campaign_id": scope.id,
        "number": number,
        "request_id": batch.request_id,
        "status": BatchStatus.PLANNED,
        "planned_by": run,
        "attempts": 0,
        "created_at": text_of(now),
        "content": message.content,
        "brandname": message.brandname,
        "sms_type": str(message.sms_type),
        "send_at": text_of(message.send_at),
        "callback_url": message.callback_url,
        "floor": batch.floor,
        "size": len(batch.numbers),
        "segment": batch.segment,
        "rules": " ".join(sorted(batch.rules)),
        "phones": phones_of(batch.numbers),
    }


def batch_of(row: Any, *, is_abandoned: bool) -> Batch:
    """Read a batch from its row."""
    return Batch(
        id=row.id,
        number=row.number,
        request_id=row.request_id.split("/")[0],  # what follows keeps those of two campaigns apart that became one
        status=row.status,
        reason=row.reason,
        code=row.code,
        sms_id=row.sms_id,
        attempts=row.attempts,
        sent_at=moment_of(row.sent_at),
        uncertain_since=moment_of(row.uncertain_since),
        settled_by=row.settled_by,
        created_at=datetime.fromisoformat(row.created_at),
        is_abandoned=is_abandoned,
        message=Message._restored(row.content, row.brandname, row.sms_type, moment_of(row.send_at), row.callback_url),
        floor=row.floor,
        numbers=numbers_in(row.phones),
        segment=row.segment,
        rules=rules_for(SmsType(row.sms_type)) if row.rules is None else frozenset(map(Rule, row.rules.split())),
    )
