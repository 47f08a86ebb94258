"""A batch as the journal knows it, and how it is written in a row of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames.consent import Rule, rules_for
from esms_frames.message import Message, SmsType
from esms_frames.schema import moment_of, numbers_in, phones_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from esms_frames.schema import Scope


@dataclass(frozen=True)
class Batch:
    """A batch as the journal knows it."""

    id: int
    number: int
    request_id: str
    status: str
    reason: str | None
    code: int | None
    sms_id: str | None
    attempts: int
    sent_at: datetime | None
    uncertain_since: datetime | None
    settled_by: str | None
    created_at: datetime
    is_abandoned: bool
    """Whether it never arrived and the run that planned it has ended, so that its numbers may go into another batch."""
    message: Message
    floor: int
    numbers: NDArray[np.int32]
    """The national numbers, in the order of sending."""
    segment: str | None
    rules: frozenset[Rule]
    """The rules of advertising that it is sent under."""

    @property
    def phones(self) -> list[str]:
        """The numbers as they are sent."""
        return phones_of(self.numbers).split()


@dataclass(frozen=True)
class NewBatch:
    """A batch that is to be written into the journal."""

    request_id: str
    message: Message
    floor: int
    numbers: NDArray[np.int32]
    segment: str | None = None
    rules: frozenset[Rule] = frozenset()


def _nobody(numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
    return np.zeros(len(numbers), dtype=bool)


@dataclass(frozen=True)
class Known:
    """What the journal knows when it is decided what to send; good for as long as the decision takes."""

    batches: list[Batch]
    """Those of the campaign, in the order of their numbers, without those withdrawn or split; of one that is sent piece by
    piece only the unfinished ones."""
    request_ids: set[str]
    """All that the campaign has ever used."""
    do_not_contact: Callable[[], NDArray[np.int32]]
    """The numbers of the do-not-contact list."""
    advertised: Callable[[datetime, datetime, Collection[int]], tuple[NDArray[np.int32], NDArray[np.int64]]]
    """The advertising of a period, whatever the campaign, but for some batches; see `history.advertised`."""
    now: datetime
    """The present moment by the journal's clock."""
    settled: Callable[[NDArray[np.int32]], NDArray[np.bool_]] = _nobody
    """Which numbers batches of the campaign have been accepted with that are not among `batches`."""


@dataclass(frozen=True)
class Attempt:
    """One try at a batch, on disk before it begins."""

    id: int
    batch_id: int
    number: int
    uncertain_before: datetime | None
    """When the first earlier attempt was made that may have arrived."""
    unanswered_before: bool
    """Whether an earlier attempt may have been taken: it was cut short, got no answer, or was in process."""
    refused_before: bool
    """Whether an earlier attempt was certainly refused, with a code."""
    started_at: datetime


def row_of(scope: Scope, run: str, batch: NewBatch, number: int, now: datetime) -> dict[str, Any]:
    """Write a new batch as a row, planned by a run at a moment."""
    message = batch.message
    return {
        "campaign_id": scope.id,
        "number": number,
        "request_id": batch.request_id,
        "status": "planned",
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
        request_id=row.request_id,
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
        message=Message.restored(row.content, row.brandname, row.sms_type, moment_of(row.send_at), row.callback_url),
        floor=row.floor,
        numbers=numbers_in(row.phones),
        segment=row.segment,
        rules=rules_for(SmsType(row.sms_type)) if row.rules is None else frozenset(map(Rule, row.rules.split())),
    )
