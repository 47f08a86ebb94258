"""Check what is to be sent to whom: an audience, a message for each of its segments, a campaign, the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esms_frames.base.errors import InvalidInput
from esms_frames.base.labels import list_names, list_values, text_of, tidy
from esms_frames.base.wording import shown
from esms_frames.messages.advertising_rules import Rule, rules_for
from esms_frames.messages.campaign_names import default_name
from esms_frames.messages.limits import MIN_BATCH, SmsType, check_campaign
from esms_frames.messages.message import Message, check_not_past, fingerprint
from esms_frames.recipients.prepare import only_segments, take_audience

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from esms_frames.recipients.any_audience import AnyAudience


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
    """A checked order to send.

    Attributes
    ----------
    campaign : str
        Its name.
    audience : AnyAudience
        Whose ready rows are to be texted.
    groups : tuple of Group
        The messages that somebody is to get, with their recipients.
    idle : tuple of str
        The segments that have a message and no row.
    """

    campaign: str
    audience: AnyAudience
    groups: tuple[Group, ...]
    idle: tuple[str, ...] = ()

    @property
    def excluded(self) -> NDArray[np.int32]:
        """The numbers that the caller excludes; not those of rows that are left out for want of a segment or message."""
        return self.audience._read_excluded()


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

    Whether there are enough recipients is for the audience to check.
    """
    messages = _checked_messages(message)
    name = _default_name(messages) if campaign is None else check_campaign(campaign)
    for each in messages.values():
        check_not_past(each)
    rules = _rules(messages.values(), rules_off, rules_on)
    audience = take_audience(data, phone=phone, by=by, exclude=exclude)
    _check_least(audience.min_batch, messages)
    floor = audience.min_batch
    if isinstance(message, Message):
        numbers, _ = audience._read_recipients()
        return Order(name, audience, (Group(None, message, rules[message.sms_type], floor, numbers),))
    segments = _check_segments(audience.segments, messages)
    audience = only_segments(audience, messages)
    groups = tuple(
        Group(text_of(segment), messages[segment], rules[messages[segment].sms_type], floor, numbers)
        for segment, numbers in zip(segments, audience._numbers_by_segment(), strict=True)
        if segment in messages
    )
    present = set(segments)
    idle = tuple(text_of(segment) for segment in messages if segment not in present)
    return Order(name, audience, groups, idle)


def _check_least(min_batch: int, messages: Mapping[Any, Message]) -> None:
    """Refuse advertising in batches smaller than the gateway takes."""
    if min_batch < MIN_BATCH and any(each.sms_type is SmsType.ADVERTISING for each in messages.values()):
        raise InvalidInput(
            "Advertising goes out in batches of at least {floor} numbers, and this audience was prepared "
            "with min_batch={min_batch}: prepare it again without.",
            floor=MIN_BATCH,
            min_batch=min_batch,
        )


def texts_of(groups: Sequence[Group]) -> dict[str | None, str]:
    """Return the fingerprint of the text that each segment is to get, or under None the one for all."""
    return {group.segment: fingerprint(group.message.content) for group in groups}


def default_campaign(message: Message) -> str:
    """Name a campaign after its text: the same text, the same campaign."""
    return default_name(message.content)


def _checked_messages(message: object) -> dict[Any, Message]:
    if isinstance(message, Message):
        return {None: message}
    if not isinstance(message, Mapping) or not message:
        raise InvalidInput(
            "message must be a Message, or a dict of one for each segment, not {kind}: make one with ef.Message(…).",
            kind=type(message).__name__,
        )
    for segment, each in message.items():
        if not isinstance(each, Message):
            raise InvalidInput(
                "The message of segment {segment} must be a Message, not {kind}: make it with ef.Message(…).",
                segment=shown(segment),
                kind=type(each).__name__,
            )
    if len({text_of(tidy(segment)) for segment in message}) < len(message):
        raise InvalidInput("Two segments of the messages are written the same way: give each a name of its own.")
    return {tidy(segment): each for segment, each in message.items()}


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


def _check_segments(segments: pd.Index[Any] | None, messages: Mapping[Any, Message]) -> list[Any]:
    """Check that some message is for a segment of the data, and list these."""
    if segments is None:
        raise InvalidInput(
            "A dict of messages goes by segments and the data has none: name the column of the segments with by=…"
        )
    there = list(segments)
    if not any(segment in messages for segment in there):
        raise InvalidInput(
            "No message is for a segment of the data, which has {segments}, while the messages are for "
            "{keys}: write the segments as in the data.",
            segments=list_values(there),
            keys=list_values(list(messages)),
        )
    return there


def some_of(names: Sequence[Any]) -> str:
    """Name the first few of many."""
    return list_names(names, 5)
