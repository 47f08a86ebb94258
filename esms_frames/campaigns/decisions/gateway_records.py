"""Decide what the gateway's records prove about a batch that may have been taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from esms_frames.base.codes import DUPLICATE
from esms_frames.base.wording import Sentence, mark
from esms_frames.campaigns.decisions.may_send import CLOCK_UNKNOWN, CLOCKS_DIFFER
from esms_frames.journal.records import BatchStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from esms_frames.campaigns.decisions.may_send import Clocks
    from esms_frames.journal.records import Batch


MARGIN = timedelta(days=1)
"""How long before the first attempt the records are read: this machine's clock may have been wrong by hours then."""

LAG = timedelta(hours=1)
"""For how long after an attempt the records may not show it yet."""

REMEMBERED = timedelta(days=7)
"""How long the gateway keeps its records; that they lack something older proves nothing."""

CLOCK_SLACK = timedelta(minutes=10)
"""By how much clocks may differ without anybody noticing."""

_TO_THE_SECOND = timedelta(seconds=2)  # how exactly the header Date of an answer says the gateway's time


class Proof(Enum):
    """A proof about a batch by the gateway's records, or the reason why there is none."""

    TAKEN = auto()
    """The gateway has all its numbers, under the campaign's name."""
    TAKEN_FROM_ANOTHER_RUN = auto()
    """The gateway has all its numbers, and had them before the only attempt of this journal."""
    PARTLY_TAKEN = auto()
    """The gateway has some of its numbers only."""
    NOT_TAKEN = auto()
    """The records would show it, and do not."""
    CLOCK_WAS_SET_BACK = auto()
    """This machine's clock was set back since the first attempt, so that nobody knows when that was."""
    TOO_RECENT = auto()
    """The records may not show it yet."""
    TOO_OLD = auto()
    """The records may not show it any more."""
    SCHEDULED = auto()
    """The records may show it only once its schedule is past."""
    CLOCK_UNKNOWN = auto()
    """The gateway did not say what time it is, so that it is not known which period the records are of."""
    CLOCKS_DIFFER = auto()
    """The gateway's clock is not this machine's, so that the records may be of another period."""
    UNKNOWN_MESSAGES = auto()
    """The gateway has messages to its numbers that may be this batch or not."""
    UNREADABLE = auto()
    """The gateway has messages to numbers that can't be read, and they may be this batch or not."""


@dataclass(frozen=True)
class Evidence:
    """The records of a batch's numbers, in sends that the journal does not know.

    Attributes
    ----------
    named : int
        How many of the batch's numbers have a message under the campaign's name.
    sms_id : str or None
        The send of the first of these messages.
    last_sent_at : datetime or None
        When the last of these messages was sent; None where the records do not say it of each.
    has_unnamed : bool
        Whether any of the batch's numbers has a message under another name.
    has_unreadable : bool
        Whether there are messages whose numbers can't be read.
    """

    named: int = 0
    sms_id: str | None = None
    last_sent_at: datetime | None = None
    has_unnamed: bool = False
    has_unreadable: bool = False


@dataclass(frozen=True)
class Settlement:
    """The status, reason and send that the journal is to hold for a batch.

    Attributes
    ----------
    status : BatchStatus or None
        Its status; None where it stays as it is.
    reason : str or None
        Why.
    sms_id : str or None
        The send that has its numbers.
    """

    status: BatchStatus | None
    reason: str | None = None
    sms_id: str | None = None


_REASONS = {
    Proof.TAKEN_FROM_ANOTHER_RUN: mark(
        "The gateway had this batch already, from a run that this journal does not know."
    ),
    Proof.NOT_TAKEN: mark("The gateway's records show that it was not taken."),
    Proof.CLOCK_WAS_SET_BACK: mark("It may have been taken, and this machine's clock was set since: ask eSMS."),
    Proof.TOO_RECENT: mark("It was tried too recently for the gateway's records to tell: resume the campaign later."),
    Proof.TOO_OLD: mark("It may have been taken, too long ago for the gateway's records to tell: ask eSMS."),
    Proof.SCHEDULED: mark("It may have been taken, and its schedule is too recent for the records to tell."),
    Proof.CLOCK_UNKNOWN: CLOCK_UNKNOWN,
    Proof.CLOCKS_DIFFER: CLOCKS_DIFFER,
    Proof.UNKNOWN_MESSAGES: (
        mark(
            "The gateway holds messages to these numbers that this journal does not know, and they may "
            "be this batch: ask eSMS."
        )
    ),
    Proof.UNREADABLE: (
        mark("The gateway's records hold messages whose numbers can't be read, and they may be this batch: ask eSMS.")
    ),
}

_STATUSES = {
    Proof.TAKEN: BatchStatus.ACCEPTED,
    Proof.TAKEN_FROM_ANOTHER_RUN: BatchStatus.ALREADY_SENT,
    Proof.NOT_TAKEN: BatchStatus.PLANNED,
}

_PROVED_LATER = {Proof.TOO_RECENT, Proof.CLOCK_UNKNOWN, Proof.CLOCKS_DIFFER}


def judge_records(batch: Batch, evidence: Evidence, clocks: Clocks) -> Proof:
    """Decide what the gateway's records prove about a batch.

    Parameters
    ----------
    batch : Batch
        As the journal knows it.
    evidence : Evidence
        What the records hold of it, from `MARGIN` before its first attempt until now.
    clocks : Clocks
        The present moment.

    Notes
    -----
    That all its numbers have the campaign's message proves that it was taken, whatever the clocks say. That none has it
    proves that it was not taken only if the records certainly cover every moment at which it may have gone out.
    """
    if evidence.named:
        if evidence.named < len(batch.numbers):
            return Proof.PARTLY_TAKEN
        return Proof.TAKEN_FROM_ANOTHER_RUN if _was_there_before(batch, evidence, clocks) else Proof.TAKEN
    if was_set_back(first_moment(batch), clocks.now):
        return Proof.CLOCK_WAS_SET_BACK
    if batch.uncertain_since is not None and (why := _find_gap(batch, clocks.now)) is not None:
        return why
    if not clocks.agree:
        return Proof.CLOCK_UNKNOWN if clocks.offset is None else Proof.CLOCKS_DIFFER
    if evidence.has_unnamed:
        return Proof.UNKNOWN_MESSAGES
    return Proof.UNREADABLE if evidence.has_unreadable else Proof.NOT_TAKEN


def build_settlement(batch: Batch, proof: Proof, evidence: Evidence) -> Settlement:
    """Build what the journal is to hold of a batch: a batch that nothing is proved of stays as uncertain as it was."""
    reason = _REASONS.get(proof)
    if proof in _STATUSES:
        sms_id = None if proof is Proof.NOT_TAKEN else evidence.sms_id
        return Settlement(_STATUSES[proof], reason, sms_id)
    if proof is Proof.PARTLY_TAKEN:
        reason = Sentence(
            "The gateway holds {count} of its {total} numbers: ask eSMS.",
            count=evidence.named,
            total=len(batch.numbers),
        )
    is_uncertain = batch.uncertain_since is not None and proof not in _PROVED_LATER
    return Settlement(BatchStatus.UNKNOWN if is_uncertain else None, reason)


def first_moment(batch: Batch) -> datetime:
    """Return the first moment at which the messages of a batch may have gone out."""
    return min(batch.uncertain_since or batch.created_at, batch.message.send_at or batch.created_at)


def was_set_back(moment: datetime, now: datetime) -> bool:
    """Return whether the journal's clock was set back since a moment, so that nobody knows when that was."""
    return moment > now + CLOCK_SLACK


def find_start(batches: Sequence[Batch], now: datetime) -> datetime:
    """Find since when the records are needed to judge batches."""
    first = min(first_moment(batch) for batch in batches)
    return (now - REMEMBERED if was_set_back(first, now) else first) - MARGIN


def find_start_of_gap(last_tried: datetime | None, last_used: datetime | None, now: datetime) -> datetime:
    """Find since when a journal may lack sends of a campaign, at most as long ago as the gateway keeps its records.

    Parameters
    ----------
    last_tried : datetime or None
        When the campaign was last tried, by this journal.
    last_used : datetime or None
        The latest time that the journal holds; None for a new one, which may be in the place of one that was lost.
    now : datetime
        The present moment.
    """
    oldest = now - REMEMBERED
    return min(max(last_tried or last_used or oldest, oldest), now) - CLOCK_SLACK


def _find_gap(batch: Batch, now: datetime) -> Proof | None:
    """Find why the records may not show an attempt, by its time."""
    if batch.sent_at is not None and now - batch.sent_at < LAG:
        return Proof.TOO_RECENT
    if now - first_moment(batch) > REMEMBERED:
        return Proof.TOO_OLD
    if batch.message.send_at is not None and now < batch.message.send_at + MARGIN:
        return Proof.SCHEDULED
    return None


def _was_there_before(batch: Batch, evidence: Evidence, clocks: Clocks) -> bool:
    """Check whether a send was there before the only attempt at a batch, so that another run made it."""
    if batch.code != DUPLICATE or batch.attempts > 1 or batch.sent_at is None or not clocks.agree:
        return False
    ahead = clocks.offset if clocks.offset is not None and abs(clocks.offset) > _TO_THE_SECOND else timedelta(0)
    begun = batch.sent_at + ahead
    begun = begun.replace(microsecond=begun.microsecond // 1000 * 1000)  # as exactly as the gateway says it
    return evidence.last_sent_at is not None and evidence.last_sent_at < begun
