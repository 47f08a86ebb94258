"""The message that the form is about to send, and whether it may: decisions as functions of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from esms_frames.campaigns.decisions.order import default_campaign
from esms_frames.messages.advertising_rules import explain_hours, next_allowed_time
from esms_frames.messages.limits import SmsType, check_campaign
from esms_frames.messages.message import Message

if TYPE_CHECKING:
    from datetime import datetime

    from esms_frames.campaigns.preview.report import Plan
    from esms_frames.campaigns.sending.dispatch import Progress
    from esms_frames.gateway.client import Client
    from esms_frames.messages.encoding import Encoding
    from esms_frames.recipients.audience import Audience


_LONGEST_CAMPAIGN = 254


@dataclass(frozen=True)
class Draft:
    """Everything that a send needs, as far as it is there.

    Two drafts are equal only if they hold the same client and audience, not others that look alike, so a draft that was
    checked is no longer the present one after any change.
    """

    client: Client | None = None
    audience: Audience | None = None
    message: Message | None = None
    campaign: str | None = None
    """The name as it was typed; None for one derived from the text."""

    @property
    def name(self) -> str:
        """The campaign's name."""
        if self.campaign is not None:
            return check_campaign(self.campaign)
        return default_campaign(self.message) if self.message is not None else ""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return None not in {self.client, self.audience, self.message}


@dataclass(frozen=True)
class Checked:
    """A plan, and the draft that it was made of."""

    draft: Draft
    plan: Plan


@dataclass(frozen=True)
class Gate:
    """Whether a send may begin, and the key of the label that says why (not)."""

    open: bool
    why: str


def gate(draft: Draft, checked: Checked | None, typed: str, *, busy: bool) -> Gate:
    """Decide whether the button to send is enabled.

    Parameters
    ----------
    draft : Draft
        What the form holds now.
    checked : Checked or None
        The last check.
    typed : str
        What was typed to confirm a live send: the number of recipients.
    busy : bool
        Whether something else is under way.
    """
    if busy:
        return Gate(False, "send_busy")
    if checked is None:
        return Gate(False, "send_check")
    if checked.draft != draft or not draft.complete:
        return Gate(False, "send_again")
    if checked.plan.problems:
        return Gate(False, "send_problems")
    if not checked.plan.recipients:
        return Gate(False, "send_nobody")
    if is_live(draft) and not confirms(typed, checked.plan.recipients):
        return Gate(False, "send_confirm")
    return Gate(True, "send_ready")


def is_live(draft: Draft) -> bool:
    """Return whether what is sent would reach people."""
    return draft.client is not None and not draft.client.is_sandbox


def confirms(typed: str, recipients: int) -> bool:
    """Return whether somebody typed the number of recipients, with whatever separators."""
    digits = typed.strip().replace(".", "").replace(",", "").replace(" ", "").replace("\xa0", "")
    return digits.isdecimal() and int(digits) == recipients


@dataclass(frozen=True)
class Count:
    """How long a text is, and what its accents cost."""

    characters: int
    encoding: Encoding
    parts: int
    left: int
    """How many more characters fit before there is one more part."""
    plain_parts: int
    """How many parts there would be without accents."""
    accented: bool


def count(content: str) -> Count | None:
    """Count a text; nothing for one that is empty or can't be sent."""
    if not content.strip():
        return None
    message = Message(content, "-")
    plain = message.without_accents()
    size = message.encoding.single if message.parts == 1 else message.encoding.multiple * message.parts
    return Count(
        message.characters,
        message.encoding,
        message.parts,
        max(0, size - message.characters),
        plain.parts,
        plain.content != message.content,
    )


@dataclass(frozen=True)
class Hours:
    """When a message may go out: a label's key, and the next allowed time where now is not."""

    why: str
    next: datetime | None = None


def hours(sms_type: SmsType, now: datetime, *, at_once: bool) -> Hours:
    """Return when a message of a type may go out."""
    if sms_type is not SmsType.ADVERTISING:
        return Hours("window_any")
    if at_once and explain_hours(now):
        return Hours("window_closed", next_allowed_time(now))
    return Hours("window")


def test_campaign(name: str, word: str, now: datetime) -> str:
    """Name the campaign of a test message: another one each time, so that it can be repeated."""
    tail = f" – {word} {now:%Y-%m-%d %H:%M:%S}"
    return name[: _LONGEST_CAMPAIGN - len(tail)].rstrip() + tail


def remaining(progress: Progress, elapsed: float) -> float | None:
    """Estimate the seconds that a run still takes; nothing before there is something to go by."""
    if not 0 < progress.done < progress.total or elapsed < 1:
        return None
    return elapsed / progress.done * (progress.total - progress.done)


def span(seconds: float) -> tuple[str, int]:
    """Round a time for people: the key of its unit's label, and how many."""
    if seconds < 90:
        return "seconds", max(1, round(seconds))
    if seconds < 5400:
        return "minutes", round(seconds / 60)
    return "hours_n", round(seconds / 3600)
