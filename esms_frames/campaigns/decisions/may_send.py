"""Decide whether a batch may leave now, and what a refusal or a failure proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from esms_frames.base.codes import BUSY, DUPLICATE, IN_PROCESS, Kind, lookup
from esms_frames.base.errors import InvalidInput, NoAnswer, Refused, Unreachable
from esms_frames.base.wording import Sentence, mark
from esms_frames.journal.records import AttemptOutcome, BatchStatus
from esms_frames.messages.advertising_rules import FIRST_HOUR, LAST_HOUR, Rule, explain_hours

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from esms_frames.campaigns.decisions.order import Group
    from esms_frames.journal.records import Attempt, NewBatch


SAME_ID_IS_SAFE = timedelta(hours=23)
"""For how long the same request id may be sent again; the gateway refuses a repetition for 24 hours."""

NEAR_MIDNIGHT = timedelta(minutes=15)
"""How near to midnight nothing is repeated: clocks may differ by some minutes, and a request takes a while to arrive.

Until the summer of 2025 the gateway freed request ids at 00:00, and it is not known which rule holds today.
"""

CLOCK_SLACK = timedelta(minutes=5)
"""By how much clocks are set without anybody noticing."""

CLOCKS_AGREE = 2 * CLOCK_SLACK
"""By how much two clocks may differ and still be called the same."""

TOO_LATE = mark("Too much time has passed for it to be sent without asking the gateway first: resume the campaign.")
DAY_ENDED = mark(
    "The gateway may take a request id a second time after midnight, and it was tried before or "
    "too near to it: resume the campaign, and the gateway is asked first."
)
CLOCK_SET_BACK = mark(
    "This machine's clock is behind the latest time in the journal, so nothing uncertain is repeated: set it right."
)
CLOCKS_DIFFER = mark("This machine's clock is not the gateway's, so nothing is repeated: set it right.")
CLOCK_UNKNOWN = mark(
    "The gateway did not say what time it is, so nothing uncertain is repeated: resume the campaign once it answers."
)
ASK_FIRST = mark(
    "To repeat it would not tell whether it was taken: resume the campaign an hour after the "
    "last attempt, and the gateway is asked."
)


@dataclass(frozen=True)
class Verdict:
    """The status of a batch and the outcome of its attempt, by an answer or a failure."""

    status: BatchStatus
    reason: str | None = None
    outcome: AttemptOutcome = AttemptOutcome.REFUSED


@dataclass(frozen=True)
class Clocks:
    """The clocks of the journal and the gateway at the present moment."""

    now: datetime
    """By the journal's clock."""
    latest: datetime | None = None
    """The latest time that the journal has seen."""
    offset: timedelta | None = None
    """By how much the gateway's clock is ahead of the journal's; None where it did not say."""
    heard: timedelta | None = None
    """The same as it was said last, where it is not known any more: the law's hours are still decided by it."""

    @property
    def agree(self) -> bool:
        """Whether the gateway's clock is known, and is the journal's."""
        return self.offset is not None and abs(self.offset) < CLOCKS_AGREE

    @property
    def was_set_back(self) -> bool:
        """Whether the journal has seen a later time than the present."""
        return self.latest is not None and self.now < self.latest - CLOCK_SLACK

    @property
    def earliest(self) -> datetime:
        """The earliest moment that it may be at the gateway, a day ago where nothing is known of its clock.

        What is tried now is held against it later, when this machine's clock may have been set right.
        """
        if self.offset is None:
            return self.now - timedelta(days=1)
        return self.now if self.agree else min(self.now, self.now + self.offset)

    @property
    def moments(self) -> tuple[datetime, ...]:
        """The moments that it may be by a clock of the law: the gateway's where it is known, both where they differ."""
        if self.ahead is None:
            return (self.now,)
        return (self.now + self.ahead,) if abs(self.ahead) < CLOCKS_AGREE else (self.now, self.now + self.ahead)

    @property
    def ahead(self) -> timedelta | None:
        """By how much the gateway's clock is ahead, as it said last."""
        return self.heard if self.offset is None else self.offset


def find_objection(
    created_at: datetime,
    uncertain_since: datetime | None,
    send_at: datetime | None,
    clocks: Clocks,
    *,
    code: int | None = None,
    planned_since: datetime | None = None,
) -> str | None:
    """Find why a batch may not be sent under its request id without asking the gateway first.

    Parameters
    ----------
    created_at : datetime
        When it was planned.
    uncertain_since : datetime or None
        When the first attempt was made that may have arrived.
    send_at : datetime or None
        Its schedule.
    clocks : Clocks
        The present moment.
    code : int, optional
        What the gateway said last of a batch that may have arrived.
    planned_since : datetime, optional
        When this run began: what was planned since then was planned while the journal was open.

    Returns
    -------
    str or None
        One sentence; None where it may be sent.

    Notes
    -----
    A batch that may have arrived is repeated only while the gateway certainly refuses repetitions: within 23 hours and one
    day of Vietnam's, by clocks that agree and were not set back, and not after its schedule, for it could go out at once
    then. One that certainly did not arrive, as far as this journal knows, may be known better by a journal of which this is
    an older copy: so that of an earlier run is sent on the day of its plan only.
    """
    if uncertain_since is None:
        if clocks.now - created_at >= SAME_ID_IS_SAFE:
            return TOO_LATE
        is_own = planned_since is not None and created_at >= planned_since
        return None if is_own or _is_same_day(created_at, clocks.now, margin=timedelta(0)) else DAY_ENDED
    if clocks.was_set_back or clocks.now < uncertain_since - CLOCK_SLACK:
        return CLOCK_SET_BACK
    if clocks.now - uncertain_since >= SAME_ID_IS_SAFE or (send_at is not None and clocks.now >= send_at):
        return TOO_LATE
    if not _is_same_day(uncertain_since, clocks.now, margin=NEAR_MIDNIGHT):
        return DAY_ENDED
    if is_taught_nothing(code):
        return ASK_FIRST
    if clocks.offset is None:
        return CLOCK_UNKNOWN
    return None if clocks.agree else CLOCKS_DIFFER


def is_taught_nothing(code: int | None) -> bool:
    """Check whether an uncertain batch met a code which it would meet again, and which settles nothing."""
    return code is not None and (code == DUPLICATE or lookup(code).kind is Kind.BATCH)


def _is_same_day(since: datetime, now: datetime, *, margin: timedelta) -> bool:
    return (since - margin).date() == (now + margin).date()


def find_hours_objection(rules: Collection[Rule], send_at: datetime | None, clocks: Clocks) -> str | None:
    """Find why a message may not go out at this hour; one whose schedule is past would go out at once.

    By the gateway's clock where it is known; where it differs from this machine's by more than minutes, by both.
    """
    if Rule.SENDING_HOURS not in rules:
        return None
    for moment in clocks.moments:
        goes_out = max(send_at or moment, moment)
        if (why := explain_hours(goes_out)) is not None:
            if clocks.ahead is None or abs(clocks.ahead) < CLOCKS_AGREE:
                return why
            return Sentence(
                "This machine's clock and the gateway's differ by {offset_text}, and by one of them "
                "advertising would go out at {when}, not between {first}:00 and {last}:00 (Decree "
                "91/2020/ND-CP): set this machine's clock right, or send it later.",
                offset_text=_in_words(clocks.ahead),
                when=f"{goes_out:%Y-%m-%d %H:%M}",
                first=f"{FIRST_HOUR:02}",
                last=LAST_HOUR,
            )
    return None


def check_hours(added: Sequence[NewBatch | Group], clocks: Clocks) -> None:
    """Refuse new batches, or groups, of advertising at a time at which it may not go out."""
    for batch in added:
        if (why := find_hours_objection(batch.rules, batch.message.send_at, clocks)) is not None:
            raise InvalidInput(why)


def _in_words(offset: timedelta) -> Sentence:
    minutes = round(abs(offset).total_seconds() / 60)
    if minutes < 120:
        return Sentence("{count} minutes", count=minutes)
    return Sentence("{count} hours", count=round(minutes / 60))


def judge_refusal(refusal: Refused, attempt: Attempt) -> Verdict:
    """Decide what a refusal proves about its batch, given the attempts before it.

    Only code 124 says anything of an earlier attempt without an answer. It proves that that one was taken, if all earlier
    attempts got no answer or did not arrive: the gateway may keep the ids of what it refuses. Where there was none before,
    somebody else sent the request: a proxy that sent it twice, or a run with another journal.
    """
    if refusal.code == DUPLICATE:
        return _judge_duplicate(refusal, attempt)
    if refusal.code == IN_PROCESS:
        return Verdict(BatchStatus.UNKNOWN, refusal._sentence, AttemptOutcome.UNANSWERED)
    if attempt.uncertain_before is not None:
        return Verdict(
            BatchStatus.UNKNOWN,
            Sentence("An earlier attempt got no answer, and then: {error_text}", error_text=refusal),
        )
    if refusal.code == BUSY or refusal.kind.stops_campaign:
        return Verdict(BatchStatus.PLANNED, refusal._sentence)
    return Verdict(BatchStatus.REFUSED, refusal._sentence)


def judge_failure(error: Exception, attempt: Attempt) -> Verdict:
    """Decide what an attempt proves that the gateway did not answer, given the attempts before it.

    One that did not arrive, or was not made at all, proves nothing: the batch stays as uncertain as it was.
    """
    if may_have_arrived(error):
        return Verdict(BatchStatus.UNKNOWN, str(error), AttemptOutcome.UNANSWERED)
    outcome = AttemptOutcome.UNREACHABLE if isinstance(error, Unreachable) else AttemptOutcome.NOT_TRIED
    status = BatchStatus.PLANNED if attempt.uncertain_before is None else BatchStatus.UNKNOWN
    return Verdict(status, str(error), outcome)


def may_have_arrived(error: Exception) -> bool:
    """Return whether the gateway may have taken what failed with an error, or may still take it."""
    return isinstance(error, NoAnswer) or (isinstance(error, Refused) and error.code == IN_PROCESS)


def _judge_duplicate(refusal: Refused, attempt: Attempt) -> Verdict:
    outcome = AttemptOutcome.ALREADY_THERE
    if attempt.refused_before:
        reason = Sentence(
            "It was refused before, and now the gateway says that it has it: {error_text}", error_text=refusal
        )
        return Verdict(BatchStatus.UNKNOWN, reason, outcome)
    if attempt.unanswered_before:
        return Verdict(BatchStatus.ACCEPTED, outcome=outcome)
    reason = Sentence(
        "The gateway has this request, most likely because a proxy on the way sent it twice or a run "
        "that this journal does not know sent it: resume the campaign later, and the gateway is "
        "asked ({error_text})",
        error_text=refusal,
    )
    return Verdict(BatchStatus.UNKNOWN, reason, outcome)
