"""The gateway's callbacks in the journal: the tokens that let them in, and the last state that each told."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from esms_frames.base import columns
from esms_frames.journal.database.transaction import insert
from esms_frames.journal.ownership import list_scopes
from esms_frames.journal.tables import batches, campaigns, moment_of, text_of
from esms_frames.journal.tables import callbacks as table
from esms_frames.reporting.callbacks import COUNTS, FINAL, frame_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from esms_frames.journal.records import Scope
    from esms_frames.reporting.callbacks import Callback, Known


_TOKEN_BYTES = 24
AT_ONCE = 20
"""Of how many sends the callbacks are read at once: up to 100,000, for which others wait a second."""


@dataclass(frozen=True)
class Received:
    """A callback, the campaign that it came for, and when it came."""

    campaign_id: int
    callback: Callback
    at: datetime


def token_of(connection: sa.Connection, scope: Scope) -> str:
    """Return the token of a campaign; it is made on the first call."""
    mine = campaigns.c.id == scope.id
    fresh = sa.update(campaigns).where(mine, campaigns.c.callback_token.is_(None))
    connection.execute(
        fresh.values(callback_token=secrets.token_urlsafe(_TOKEN_BYTES))
    )  # of two runs, the first's stays
    return str(connection.execute(sa.select(campaigns.c.callback_token).where(mine)).scalar_one())


def tokens(connection: sa.Connection) -> dict[str, int]:
    """Return all tokens with the ids of their campaigns, or of the campaigns that these were merged into."""
    has_token = campaigns.c.callback_token.is_not(None)
    campaign_id = sa.func.coalesce(campaigns.c.merged_into, campaigns.c.id)
    query = sa.select(campaigns.c.callback_token, campaign_id).where(has_token)
    return {row[0]: row[1] for row in connection.execute(query)}


def record(connection: sa.Connection, received: Sequence[Received]) -> None:
    """Write callbacks, one row for each number of a send: its last state, and how often it came.

    What is final is never replaced by what is not, and of two that are equal in that the one that came later stays; so
    the order in which they are written does not matter. A callback to a number that its send does not hold is passed
    over: nobody was texted there, or they were forgotten since. Where the send is not known by now, that is a number that
    no batch holds whose send it could be. Neither is a request id kept that no batch of the campaign
    has any more, for it could tell who was forgotten.
    """
    mine = sorted({each.campaign_id for each in received})
    # Where transactions are not one at a time, nobody is being forgotten between the look below and the end of this one.
    locked = sa.select(campaigns.c.id).where(campaigns.c.id.in_(mine)).order_by(campaigns.c.id)
    connection.execute(locked.with_for_update(read=True, key_share=True))
    held = _numbers_of(connection, received)
    ids = _request_ids_of(connection, received)
    rows = [
        _row(each) if (each.campaign_id, each.callback.request_id) in ids else {**_row(each), "request_id": None}
        for each in received
        if any(each.callback.phone in phones for phones in held(each))
    ]
    for turn in _split_into_turns(rows):
        connection.execute(_upsert(connection), turn)


def read(connection: sa.Connection, campaign: str | None) -> pd.DataFrame:
    """Read the callbacks of a campaign's own sends, or of those of all campaigns."""
    chosen = (
        [] if campaign is None else [table.c.campaign_id.in_([scope.id for scope in list_scopes(connection, campaign)])]
    )
    counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(table.c.times), 0)).select_from(table)
    all_rows = connection.execute(counted.where(*chosen)).one()
    rows, calls = connection.execute(counted.where(*chosen, _own())).one()
    found = build_frame(connection.execute(sa.select(table).where(*chosen, _own()).order_by(*table.primary_key)).all())
    found.attrs = {"calls": int(calls), "repeats": int(calls - rows), "other_sends": int(all_rows[0] - rows)}
    return found


def read_sends(
    connection: sa.Connection, sms_ids: Sequence[str], whose: Collection[tuple[str, str]] | None = None
) -> Sequence[Any]:
    """Read the rows of some sends, for `build_frame`, whatever their campaigns; by some gateways and accounts, or any."""
    mine = [table.c.sms_id.in_(sms_ids), _own()]
    if whose is not None:
        is_whose = sa.tuple_(campaigns.c.gateway, campaigns.c.account).in_(sorted(whose))
        mine.append(table.c.campaign_id.in_(sa.select(campaigns.c.id).where(is_whose)))
    return connection.execute(sa.select(table).where(*mine).order_by(*table.primary_key)).all()


def _own() -> Any:
    """Return the condition that a callback's campaign made the send that it names."""
    return sa.exists().where(batches.c.sms_id == table.c.sms_id, batches.c.campaign_id == table.c.campaign_id)


def _numbers_of(connection: sa.Connection, received: Sequence[Received]) -> Callable[[Received], Sequence[str]]:
    """Return the numbers that a callback's send holds, or may hold, as the journal writes them; none is in all of them."""
    known: dict[tuple[int, str], str] = {}
    if sms_ids := sorted({each.callback.sms_id for each in received}):
        query = sa.select(batches.c.campaign_id, batches.c.sms_id, batches.c.phones).where(
            batches.c.sms_id.in_(sms_ids)
        )
        known = {(row.campaign_id, row.sms_id): row.phones for row in connection.execute(query)}
    early = [each for each in received if (each.campaign_id, each.callback.sms_id) not in known]
    nameless: list[Any] = []
    if early:  # on disk is a batch before it leaves, and the id of its send only when that is answered
        said = {each.callback.request_id for each in early}
        query = sa.select(batches.c.campaign_id, batches.c.request_id, batches.c.phones).where(
            batches.c.campaign_id.in_(sorted({each.campaign_id for each in early})),
            batches.c.sms_id.is_(None),
            batches.c.attempts > 0,
            *([] if None in said else [batches.c.request_id.in_(said)]),
        )
        nameless = list(connection.execute(query))

    def held(one: Received) -> Sequence[str]:
        if (one.campaign_id, one.callback.sms_id) in known:
            return [known[one.campaign_id, one.callback.sms_id]]
        return [
            row.phones
            for row in nameless
            if row.campaign_id == one.campaign_id and one.callback.request_id in {None, row.request_id}
        ]

    return held


def _request_ids_of(connection: sa.Connection, received: Sequence[Received]) -> set[tuple[int, str]]:
    """Return which of their request ids a batch of the campaign has."""
    said = sorted({each.callback.request_id for each in received if each.callback.request_id is not None})
    mine = sorted({each.campaign_id for each in received})
    query = sa.select(batches.c.campaign_id, batches.c.request_id).where(
        batches.c.campaign_id.in_(mine), batches.c.request_id.in_(said)
    )
    return {(row.campaign_id, row.request_id) for row in connection.execute(query)} if said else set()


def _row(received: Received) -> dict[str, Any]:
    said = received.callback
    return {
        "campaign_id": received.campaign_id,
        "sms_id": said.sms_id,
        "phone": said.phone,
        "request_id": said.request_id,
        "telco_id": said.telco_id,
        **{column: getattr(said, column) for column in COUNTS},
        "price": None if said.units is None else f"{said.units // 10**4}.{said.units % 10**4:04d}",
        "received_at": text_of(received.at),
        "times": 1,
    }


def _split_into_turns(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split rows into statements so that no row is in one of them twice, and all have the same order."""
    turns: list[list[dict[str, Any]]] = []
    seen: Counter[Any] = Counter()
    for row in sorted(rows, key=_key):
        turn = seen[_key(row)]
        seen[_key(row)] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(row)
    yield from turns


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _upsert(connection: sa.Connection) -> Any:
    statement = insert(connection, table)
    old, new = table.c, statement.excluded
    was, is_now = (
        sa.case((sa.or_(*(one.send_status == status for status in FINAL)), 1), else_=0) for one in (old, new)
    )
    stays = sa.or_(was > is_now, sa.and_(was == is_now, old.received_at > new.received_at))
    told = [column.name for column in table.c if not column.primary_key and column.name != "times"]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={
            **{name: sa.case((stays, old[name]), else_=new[name]) for name in told},
            "times": old.times + new.times,
        },
    )


def build_frame(rows: Sequence[Any]) -> pd.DataFrame:
    """Build the frame of `read_callbacks` from rows of the table."""
    values = (
        dict(zip(table.c.keys(), zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(table.c.keys(), ())
    )
    text = columns.text_dtype()
    units = [None if price is None else int(price.replace(".", "")) for price in values["price"]]
    return frame_of(
        pd.array(values["sms_id"], dtype=text),
        pd.array(values["request_id"], dtype=text),
        np.array([int(phone or -1) for phone in values["phone"]], dtype=np.int32),
        _known(values["telco_id"]),
        {column: _known(values[column]) for column in COUNTS},
        _known(units),
        columns.moments([moment_of(moment) for moment in values["received_at"]]),
    )


def _known(values: Sequence[int | None]) -> Known:
    known = np.array([value is not None for value in values], dtype=bool)
    return np.array([value or 0 for value in values], dtype=np.int64), known
