"""Check the arguments of a request before anything leaves: pure functions, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from esms_frames.base import clock
from esms_frames.base.errors import InvalidInput
from esms_frames.messages.limits import MAX_BATCH, MIN_BATCH, SmsType
from esms_frames.messages.message import Message

_REQUEST_ID = re.compile(r"[!-~]{1,50}")
_SMS_ID = re.compile(r"[!-~]{1,64}")
_NUMBERS = re.compile(r"(?:0[0-9]{9})*")


def check_message(message: object) -> Message:
    """Check that a message is to be sent."""
    if not isinstance(message, Message):
        raise InvalidInput(
            "message must be a Message, not {kind}: make one with ef.Message(…).", kind=type(message).__name__
        )
    return message


def check_request_id(request_id: object) -> str:
    """Check the caller's id of a request."""
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        raise InvalidInput("request_id is not 1 to 50 plain characters: choose another, or leave it out.")
    return request_id


def check_sms_id(sms_id: object) -> str:
    """Check the gateway's id of a send."""
    if not isinstance(sms_id, str) or not _SMS_ID.fullmatch(sms_id.strip(" ")):
        raise InvalidInput("sms_id is not 1 to 64 plain characters: take it from the answer to the send.")
    return sms_id.strip(" ")


def check_batch(phones: Iterable[str], message: Message, floor: int, most: int | None = MAX_BATCH) -> list[str]:
    """Check the numbers of one request: different ones, ``0`` and nine digits each, from a floor up to `most`."""
    if isinstance(phones, (str, bytes)) or not isinstance(phones, Iterable):
        raise InvalidInput(
            "phones must be a list of numbers, not {kind}: pass [number, …].", kind=type(phones).__name__
        )
    if floor < MIN_BATCH and message.sms_type is SmsType.ADVERTISING:
        raise InvalidInput(
            "Advertising goes to at least {min_batch} numbers at once: leave the floor as it is.", min_batch=MIN_BATCH
        )
    batch = list(phones)
    ten_long = all(isinstance(phone, str) and len(phone) == 10 for phone in batch)
    if not ten_long or not _NUMBERS.fullmatch("".join(batch)):
        raise InvalidInput("phones holds something else than 0 and nine digits: clean it with ef.normalize_phones.")
    different = len(set(batch))
    if different < len(batch):
        raise InvalidInput(
            "phones holds {count} duplicates: nobody is to be texted twice.", count=len(batch) - different
        )
    if most == 1 and different != 1:
        raise InvalidInput(
            "phones holds {count} numbers and a rehearsal of customer care takes one: pass [number].",
            count=different,
        )
    if different < max(floor, 1) or (most is not None and different > most):
        takes = f"at least {max(floor, 1)}" if most is None else f"{max(floor, 1)} to {most:,}"
        raise InvalidInput(
            "phones holds {count} numbers and a request takes {most}: make batches with ef.prepare.",
            count=different,
            most=takes,
        )
    return batch


def in_vietnam(moment: object) -> str:
    """Write a moment as the gateway reads it; without a time zone it is Vietnam time."""
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - NaT is a datetime that is not itself
        raise InvalidInput("start or end is no moment: pass datetimes; without a time zone they are Vietnam time.")
    aware = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
    return f"{aware:%Y-%m-%d %H:%M:%S}"


def check_paths(paths: Mapping[str, str]) -> dict[SmsType, str]:
    """Check the paths of some types."""
    unknown = [kind for kind in paths if kind not in set(SmsType)]
    if unknown:
        raise InvalidInput(
            "send_paths names {unknown}: its keys are {known}.",
            unknown=repr(unknown[0]),
            known=" and ".join(map(repr, map(str, SmsType))),
        )
    return {SmsType(kind): path for kind, path in paths.items()}
