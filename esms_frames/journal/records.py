"""The values that the journal holds; no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.base.sets import NumberSet
from esms_frames.recipients.phones.formatting import join_phones

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.messages.advertising_rules import Rule
    from esms_frames.messages.message import Message


class BatchStatus(StrEnum):
    """How far a batch has come."""

    PLANNED = "planned"
    """It certainly was not taken yet."""
    SENDING = "sending"
    """It is being tried, or the run that tried it was cut short."""
    UNKNOWN = "unknown"
    """It may have been taken."""
    ACCEPTED = "accepted"
    """A run of this journal sent it, and the gateway took it."""
    ALREADY_SENT = "already_sent"
    """The gateway has it from a run that this journal does not know."""
    REFUSED = "refused"
    """It was refused for a reason of its own."""
    SPLIT = "split"
    """It was refused, and its halves are batches of their own."""
    WITHDRAWN = "withdrawn"
    """It was replaced by another batch while it was planned."""


UNFINISHED = (BatchStatus.PLANNED, BatchStatus.SENDING, BatchStatus.UNKNOWN)
"""The statuses of batches that may still have to be sent."""

SETTLED = (BatchStatus.ACCEPTED, BatchStatus.ALREADY_SENT)
"""The statuses of batches whose numbers have the message."""

LIVE = (*UNFINISHED, *SETTLED)
"""The statuses of batches whose numbers are not for another batch."""

REPLACED = (BatchStatus.WITHDRAWN, BatchStatus.SPLIT)
"""The statuses of batches whose numbers are in other batches instead."""


class AttemptOutcome(StrEnum):
    """How one attempt to send a batch ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Refused with a code that says that it was not taken."""
    UNANSWERED = "unanswered"
    """It may have been taken."""
    ALREADY_THERE = "already there"
    """Refused, since the gateway has a request of this id."""
    UNREACHABLE = "unreachable"
    """It certainly did not arrive."""
    NOT_TRIED = "not tried"
    """Something forbade it after it was begun."""


FORGOTTEN = "forgotten-"
"""How the request ids begin that stand for those that were derived from numbers which are forgotten."""


@dataclass(frozen=True)
class Scope:
    """A campaign: its name within one gateway and account."""

    id: int
    name: str
    gateway: str
    account: str


def phones_of(numbers: NDArray[np.int32]) -> str:
    """Write national numbers as the tables hold them: ten digits each, separated by blanks."""
    return join_phones(numbers)


def numbers_in(phones: str) -> NDArray[np.int32]:
    """Read the national numbers of a batch, or of several joined by blanks."""
    return np.fromstring(phones, dtype=np.int32, sep=" ")


def count_in(phones: str) -> int:
    """Count the numbers of a batch, each of which is ten digits."""
    return (len(phones) + 1) // 11


@dataclass(frozen=True)
class Batch:
    """A batch as the journal knows it."""

    id: int
    number: int
    request_id: str
    status: BatchStatus
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


@dataclass(frozen=True)
class FoundSend:
    """A send of a campaign that the gateway knows, and this journal does not."""

    sms_id: str
    message: Message
    numbers: NDArray[np.int32]
    sent_at: datetime | None


@dataclass(frozen=True)
class Known:
    """A snapshot of the journal for the decision what to send; valid only while the decision is made."""

    batches: list[Batch]
    """The unfinished ones of the campaign, in the order of their numbers."""
    request_ids: set[str]
    """All that the campaign has ever used."""
    do_not_contact: Callable[[], NDArray[np.int32]]
    """The numbers of the do-not-contact list."""
    advertised: Callable[
        [datetime, datetime, Collection[int], NDArray[np.int32]], tuple[NDArray[np.int32], NDArray[np.int64]]
    ]
    """The advertising of a period to some numbers, but for some batches; see `advertising_history.advertised`."""
    now: datetime
    """The present moment by the journal's clock."""
    is_texted: Callable[[NDArray[np.int32]], NDArray[np.bool_]]
    """Which numbers have the campaign's message."""


@dataclass(frozen=True)
class Attempt:
    """One attempt to send a batch, on disk before it begins."""

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
    earliest: datetime
    """The earliest moment that it may have been at the gateway as it began."""


class TextedNumbers:
    """The numbers that have a campaign's message, and in which batches; the journal brings it up to date as it is asked."""

    def __init__(self) -> None:
        self.numbers = NumberSet()
        self.batches: set[int] = set()
