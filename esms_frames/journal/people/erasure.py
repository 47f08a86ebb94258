"""Take people out of the journal, so that nothing of them is left in it while its counts stay true."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from esms_frames.base import columns
from esms_frames.base.errors import JournalError
from esms_frames.base.sets import distinct, is_among
from esms_frames.journal.records import FORGOTTEN, REPLACED, UNFINISHED, BatchStatus, count_in, numbers_in, phones_of
from esms_frames.journal.tables import batches, callbacks, campaigns, do_not_contact, moment_of, text_of
from esms_frames.recipients.phones.mask import mask_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray


_AT_ONCE = 200  # batches in memory: a million numbers


def forget(connection: sa.Connection, wanted: NDArray[np.int32], is_busy: Callable[[Any], bool]) -> pd.DataFrame:
    """Erase numbers from all batches, and what is not needed of them from the do-not-contact list.

    Parameters
    ----------
    connection : Connection
        Of the transaction that this is.
    wanted : array of int32
        National numbers, each once, sorted.
    is_busy : callable
        Tells of the row of an unfinished batch whether a run that is alive works on it.

    Returns
    -------
    DataFrame
        As `Journal.forget` returns it.

    Raises
    ------
    JournalError
        When a run works on one of the batches; the transaction is to be given up then.
    """
    # While campaigns are locked nobody puts the numbers of a batch into others, which could be missed.
    every = sa.select(campaigns).order_by(campaigns.c.id).with_for_update()
    names = {row.id: row for row in connection.execute(every)}
    found: dict[int, list[NDArray[np.int32]]] = {}
    ids = (
        connection.execute(sa.select(batches.c.id).where(batches.c.phones != "").order_by(batches.c.id)).scalars().all()
    )
    for chunk in _pieces(ids):
        query = sa.select(
            batches.c.id,
            batches.c.campaign_id,
            batches.c.number,
            batches.c.status,
            batches.c.holder,
            batches.c.held_until,
            batches.c.planned_by,
            batches.c.created_at,
            batches.c.phones,
        )
        rows = connection.execute(query.where(batches.c.id.in_(chunk)).order_by(batches.c.id).with_for_update()).all()
        for row, gone, left in _split_batches(rows, wanted):
            if row.status in UNFINISHED and is_busy(row):
                raise JournalError(
                    "A run works on batch {number} of the campaign {name}, which holds some of the numbers, so nothing "
                    "was changed: forget them when the run has ended, or interrupt it first.",
                    number=row.number,
                    name=repr(names[row.campaign_id].name),
                )
            found.setdefault(row.campaign_id, []).append(gone)
            connection.execute(sa.update(batches).where(batches.c.id == row.id).values(_build_rest(row.status, left)))
    _cut_ties(connection)
    _take_out_of_words(connection, wanted)
    for phones in _pieces(phones_of(wanted).split()):
        connection.execute(sa.delete(callbacks).where(callbacks.c.phone.in_(phones)))
        listed = do_not_contact.c.phone.in_(phones)
        connection.execute(sa.update(do_not_contact).where(listed).values(reason=None, added_at=None))
    chosen = [names[key] for key in sorted(found, reverse=True)]
    return _table(chosen, [len(distinct(np.concatenate(found[row.id]))) for row in chosen])


def prune(connection: sa.Connection, before: datetime) -> pd.DataFrame:
    """Erase all numbers of the campaigns that are finished and in which nothing happened since a time.

    Returns
    -------
    DataFrame
        As `Journal.prune` returns it.
    """
    connection.execute(sa.select(campaigns.c.id).order_by(campaigns.c.id).with_for_update())
    counted = sa.case((batches.c.status.in_(REPLACED), 0), else_=count_present(batches))
    with_numbers = batches.c.phones != ""
    query = (
        sa.select(
            *campaigns.c,
            sa.func.sum(counted).label("numbers"),
            sa.func.max(batches.c.created_at).label("planned"),
            sa.func.max(batches.c.sent_at).label("tried"),
            sa.func.max(batches.c.send_at).label("scheduled"),
        )
        .join_from(campaigns, batches)
        .where(with_numbers)
        .group_by(campaigns.c.id)
        .having(sa.func.sum(sa.case((batches.c.status.in_(UNFINISHED), 1), else_=0)) == 0)
        .order_by(campaigns.c.id.desc())
    )
    limit = text_of(before) or ""
    rows = [
        row
        for row in connection.execute(query)
        if max(row.planned, row.tried or "", row.scheduled or "") < limit  # all in one time zone and width
    ]
    for chunk in _pieces([row.id for row in rows]):
        connection.execute(sa.update(batches).where(batches.c.campaign_id.in_(chunk), with_numbers).values(phones=""))
    campaigns_with_numbers = sa.select(batches.c.campaign_id).where(with_numbers)
    connection.execute(
        sa.delete(callbacks).where(callbacks.c.phone != "", callbacks.c.campaign_id.not_in(campaigns_with_numbers))
    )
    _cut_ties(connection)
    return _table(rows, [int(row.numbers) for row in rows])


def count_present(table: Any) -> Any:
    """Count in SQL the numbers that a batch still has, as `records.count_in` does."""
    return (sa.func.length(table.c.phones) + 1) // 11


def _split_batches(
    rows: Sequence[Any], wanted: NDArray[np.int32]
) -> Iterator[tuple[Any, NDArray[np.int32], NDArray[np.int32]]]:
    """Split the numbers of each batch that has some of those to forget into these and the others."""
    numbers = numbers_in(" ".join([row.phones for row in rows]))
    is_wanted = is_among(numbers, wanted)
    ends = np.cumsum([count_in(row.phones) for row in rows])[:-1]
    for row, batch, gone in zip(rows, np.split(numbers, ends), np.split(is_wanted, ends), strict=True):
        if gone.any():
            yield row, batch[gone], batch[~gone]


def _build_rest(status: BatchStatus, left: NDArray[np.int32]) -> dict[str, Any]:
    """Build the row of a batch of which only some numbers, or none, are left.

    One that certainly never arrived is a smaller batch from now on, under a request id of its own, for the first could
    tell who was in it. One that may have arrived keeps its id, under which nobody gets it twice, and its size.
    """
    if status != BatchStatus.PLANNED:
        return {"phones": phones_of(left)}
    if not len(left):
        return {"phones": "", "status": BatchStatus.WITHDRAWN}
    return {"phones": phones_of(left), "size": len(left), "request_id": os.urandom(20).hex()}


def _take_out_of_words(connection: sa.Connection, wanted: NDArray[np.int32]) -> None:
    """Erase numbers from the reasons of batches, which hold the gateway's words, and of the do-not-contact list."""
    nationals = frozenset(f"{number:09d}" for number in wanted.tolist())
    for table in (batches, do_not_contact):
        written = sa.type_coerce(table.c.reason, sa.Text)
        reasons = connection.execute(sa.select(written).where(written.is_not(None)).distinct()).scalars()
        for reason in reasons.all():
            if (left := mask_numbers(reason, nationals)) != reason:
                connection.execute(
                    sa.update(table).where(written == reason).values({table.c.reason: sa.literal(left, sa.Text)})
                )


def _cut_ties(connection: sa.Connection) -> None:
    """Erase from the batches that lack somebody what could show who it was.

    A request id is a hash of the numbers: with the others known, the missing one is found by trying all that there are.
    It is needed only as long as a batch may be sent again. The text and the segment of a batch can hold a name.
    """
    emptied = batches.c.phones == ""
    may_be_sent_again = sa.and_(batches.c.status.in_(UNFINISHED), ~emptied)
    connection.execute(
        sa.update(batches)
        .where(
            batches.c.request_id.not_like(f"{FORGOTTEN}%"), count_present(batches) < batches.c.size, ~may_be_sent_again
        )
        .values(request_id=sa.literal(FORGOTTEN) + sa.cast(batches.c.id, sa.Text))
    )
    named = sa.or_(batches.c.content != "", batches.c.segment.is_not(None))
    connection.execute(sa.update(batches).where(emptied, named).values(content="", segment=None))
    still_there = sa.exists().where(
        batches.c.campaign_id == callbacks.c.campaign_id, batches.c.request_id == callbacks.c.request_id
    )
    connection.execute(
        sa.update(callbacks).where(callbacks.c.request_id.is_not(None), ~still_there).values(request_id=None)
    )


def _pieces(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _table(rows: Sequence[Any], numbers: Sequence[int]) -> pd.DataFrame:
    text = columns.text_dtype()
    return pd.DataFrame(
        {
            "campaign": pd.array([row.name for row in rows], dtype=text),
            "gateway": pd.array([row.gateway for row in rows], dtype=text),
            "account": pd.array([row.account for row in rows], dtype=text),
            "created_at": columns.moments([moment_of(row.created_at) for row in rows]),
            "numbers": np.array(numbers, dtype=np.int64),
        }
    )
