"""What a caller wants sent to whom, checked: an audience, a message for each of its segments, a campaign, the rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import phones
from esms_frames.audience import REASON_EXCLUDED, Audience, drafted, only_segments
from esms_frames.consent import Rule, rules_for
from esms_frames.errors import InvalidInput
from esms_frames.message import MIN_BATCH, Message, SmsType, check_not_past, checked_campaign, strip_accents

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Group:
    """The recipients of one message."""

    segment: str | None
    """The name of its segment; None where the audience has none."""
    message: Message
    rules: frozenset[Rule]
    floor: int
    numbers: NDArray[np.int32]
    ends: tuple[int, ...] = ()
    """After how many numbers each batch ends, where that is settled already; it holds if all are to get a batch."""


@dataclass(frozen=True)
class Order:
    """What is to be sent.

    Attributes
    ----------
    campaign : str
        Its name.
    audience : Audience
        Whose ready rows are to be texted.
    groups : tuple of Group
        The messages that somebody is to get, with their recipients.
    idle : tuple of str
        The segments that have a message and no row.
    """

    campaign: str
    audience: Audience
    groups: tuple[Group, ...]
    idle: tuple[str, ...] = ()

    @property
    def excluded(self) -> NDArray[np.int32]:
        """The numbers that the caller excludes; not those of rows that are left out for want of a segment or message."""
        frame = self.audience.frame
        return numbers_of(frame[(frame["reason"] == REASON_EXCLUDED).to_numpy(dtype=bool)], "excluded")


def take_order(
    data: Any,
    message: Message | Mapping[Any, Message],
    *,
    campaign: str | None,
    phone: Hashable | None,
    by: Any,
    exclude: Any,
    rules_off: Collection[str],
    rules_on: Collection[str],
) -> Order:
    """Check what a caller hands to `send` or `plan`, and bring it into one form.

    Whether there are enough recipients is for `audience.check_floor`.
    """
    messages, name, rules = take_terms(message, campaign, rules_off, rules_on)
    audience = drafted(data, phone, by=by, exclude=exclude) if isinstance(data, pd.DataFrame) else data
    if not isinstance(audience, Audience):
        raise InvalidInput(
            f"data must be a DataFrame or an Audience, not {type(data).__name__}: hand in your customers."
        )
    if audience is data and not (phone is None and by is None and exclude is None):
        raise InvalidInput(
            "phone, by and exclude are for a DataFrame, and this is an Audience: give them to ef.prepare."
        )
    check_least(audience.min_batch, messages)
    if isinstance(message, Message):
        numbers = numbers_of(audience.frame, "ready")
        return Order(name, audience, (Group(None, message, rules[message.sms_type], audience.min_batch, numbers),))
    audience, there = _segmented(audience, messages)
    numbers, codes = numbers_of(audience.frame, "ready"), audience.ready["segment"].cat.codes.to_numpy()
    order = np.argsort(codes, kind="stable")
    borders = np.searchsorted(codes[order], np.arange(len(there) + 1))
    groups = [
        Group(str(key), messages[key], rules[messages[key].sms_type], audience.min_batch, numbers[order[start:end]])
        for key, start, end in zip(there, borders, borders[1:], strict=False)
        if key in messages
    ]
    present = set(there)
    idle = tuple(str(key) for key in messages if key not in present)
    return Order(name, audience, tuple(groups), idle)


def take_terms(
    message: Message | Mapping[Any, Message],
    campaign: str | None,
    rules_off: Collection[str],
    rules_on: Collection[str],
) -> tuple[dict[Any, Message], str, dict[SmsType, frozenset[Rule]]]:
    """Check what is to be sent, and give the message of each segment, the campaign's name, and the rules of each type."""
    messages = _checked_messages(message)
    name = _default_name(messages) if campaign is None else checked_campaign(campaign)
    for each in messages.values():
        check_not_past(each)
    return messages, name, _rules(messages.values(), rules_off, rules_on)


def check_least(min_batch: int, messages: Mapping[Any, Message]) -> None:
    """Refuse advertising in batches smaller than the gateway takes."""
    if min_batch < MIN_BATCH and any(each.sms_type is SmsType.ADVERTISING for each in messages.values()):
        raise InvalidInput(
            f"Advertising goes out in batches of at least {MIN_BATCH} numbers, and this audience was prepared with "
            f"min_batch={min_batch}: prepare it again without."
        )


def numbers_of(frame: pd.DataFrame, status: str) -> NDArray[np.int32]:
    """Give the national numbers of the rows of a status."""
    return phones.read(frame.loc[(frame["status"] == status).to_numpy(), "phone"])


def default_campaign(message: Message) -> str:
    """Name a campaign after its text: the same text, the same campaign."""
    words = re.sub(r"[^a-z0-9]+", "-", strip_accents(message.content).lower()).strip("-")[:32].strip("-")
    digest = hashlib.sha256(message.content.encode()).hexdigest()[:12]
    return f"{words}-{digest}" if words else digest


def _checked_messages(message: object) -> dict[Any, Message]:
    if isinstance(message, Message):
        return {None: message}
    if not isinstance(message, Mapping) or not message:
        raise InvalidInput(
            f"message must be a Message, or a dict of one for each segment, not {type(message).__name__}: make one with "
            "ef.Message(…)."
        )
    for segment, each in message.items():
        if not isinstance(each, Message):
            raise InvalidInput(
                f"The message of segment {segment!r} must be a Message, not {type(each).__name__}: make it with "
                "ef.Message(…)."
            )
    if len({str(segment) for segment in message}) < len(message):
        raise InvalidInput("Two segments of the messages are written the same way: give each a name of its own.")
    return dict(message)


def _default_name(messages: Mapping[Any, Message]) -> str:
    """Name a campaign of one text after it; of several, a corrected text would make it another campaign unseen."""
    if list(messages) != [None]:
        raise InvalidInput(
            "Several messages make a campaign only under a name, within which nobody is texted twice: give it one with "
            "campaign=…"
        )
    return default_campaign(messages[None])


def _rules(messages: Any, off: Collection[str], on: Collection[str]) -> dict[SmsType, frozenset[Rule]]:
    return {sms_type: rules_for(sms_type, off, on) for sms_type in {message.sms_type for message in messages}}


def _segmented(audience: Audience, messages: Mapping[Any, Message]) -> tuple[Audience, list[Any]]:
    there = check_segments(audience.frame["segment"].cat.categories if "segment" in audience.frame else None, messages)
    return only_segments(audience, messages), there


def check_segments(segments: pd.Index[Any] | None, messages: Mapping[Any, Message]) -> list[Any]:
    """Check that some message is for a segment of the data, and list these."""
    if segments is None:
        raise InvalidInput(
            "A dict of messages goes by segments and the data has none: name the column of the segments with by=…"
        )
    there = list(segments)
    if not any(segment in messages for segment in there):
        raise InvalidInput(
            f"No message is for a segment of the data, which has {some_of(there)}, while the messages are for "
            f"{some_of(list(messages))}: write the segments as in the data."
        )
    return there


def some_of(names: Sequence[Any]) -> str:
    """Name the first few of many."""
    shown = ", ".join(repr(str(name)[:40]) for name in names[:5])
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown or "none"
