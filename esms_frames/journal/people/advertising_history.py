"""Find the advertising that the journal has sent or scheduled, per number, for the daily cap."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from esms_frames.base.addresses import SANDBOX
from esms_frames.base.sets import NumberSet
from esms_frames.journal.database import transaction
from esms_frames.journal.records import LIVE, SETTLED, BatchStatus, count_in, numbers_in
from esms_frames.journal.tables import batches, campaigns, text_of
from esms_frames.messages.limits import SmsType

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from esms_frames.journal.records import Scope


_AT_ONCE = 200  # batches
_MAY_HAVE_LEFT = (*SETTLED, BatchStatus.UNKNOWN, BatchStatus.SENDING)


def find_advertised(
    connection: sa.Connection,
    scope: Scope,
    since: datetime,
    until: datetime,
    but: Collection[int],
    people: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find the advertising messages of a period that may have been sent to some people, or will be.

    What the campaign itself has sent is left out, for whoever had that gets no more of it. No more than some batches are in
    memory at once.

    Parameters
    ----------
    connection : Connection
        Of the transaction that plans, so that of two runs the second knows what the first is about to send.
    scope : Scope
        Of a live gateway, the messages of all live gateways and accounts count, for it is the same people who get them.
        Of a sandbox, only those of the same account: a rehearsal never counts for the live gateway, nor the other way.
    since, until : datetime
        The period, both ends within it; with a time zone.
    but : collection of int
        Ids of batches to leave out.
    people : array of int32
        The national numbers of those whose advertising matters.

    Returns
    -------
    numbers : array of int32, shape (m,)
        National numbers, as often as each was or will be texted.
    seconds : array of int64, shape (m,)
        When, in seconds since 1970 (UTC): at the schedule, or else when it was tried last, or now if it was not yet.

    Notes
    -----
    What was refused, split or withdrawn does not count. What is planned counts where it is scheduled within the period, or
    was planned since its beginning: older plans wait for somebody to resume them, who has to look at the rules then.
    """
    known = sa.or_(
        sa.and_(
            batches.c.status.in_(_MAY_HAVE_LEFT),
            batches.c.send_at.is_(None),
            _is_within(batches.c.sent_at, since, until),
        ),
        sa.and_(
            batches.c.status == BatchStatus.PLANNED, batches.c.send_at.is_(None), batches.c.created_at >= text_of(since)
        ),
        sa.and_(batches.c.status.in_(LIVE), _is_within(batches.c.send_at, since, until)),
    )
    same = campaigns.c.gateway != SANDBOX
    if scope.gateway == SANDBOX:
        same = sa.and_(campaigns.c.gateway == SANDBOX, campaigns.c.account == scope.account)
    query = (
        sa.select(batches.c.id, batches.c.status, batches.c.send_at, batches.c.sent_at, batches.c.phones)
        .join(campaigns)
        .where(batches.c.sms_type == str(SmsType.ADVERTISING), known, same)
        .where(sa.or_(batches.c.campaign_id != scope.id, batches.c.status.not_in(SETTLED)))
    )
    among = NumberSet()
    among.add(people)
    left_out, now = frozenset(but), transaction.now(connection)
    numbers, seconds = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)]
    for chunk in connection.execute(query, execution_options={"yield_per": _AT_ONCE}).partitions():
        rows = [row for row in chunk if row.id not in left_out and row.phones]
        moments = [_moment(row.status, row.send_at, row.sent_at, now) for row in rows]
        found = numbers_in(" ".join([row.phones for row in rows]))
        times = np.array([int(moment.timestamp()) for moment in moments], dtype=np.int64)
        of_found = np.repeat(times, [count_in(row.phones) for row in rows])
        mine = among.holds(found)
        numbers.append(found[mine])
        seconds.append(of_found[mine])
    return np.concatenate(numbers), np.concatenate(seconds)


def _is_within(column: sa.Column[str | None], since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    return column.between(text_of(since), text_of(until))  # all are written in the same time zone and width


def _moment(status: BatchStatus, send_at: str | None, sent_at: str | None, now: datetime) -> datetime:
    text = send_at or (None if status == BatchStatus.PLANNED else sent_at)
    return now if text is None else datetime.fromisoformat(text)
