"""What a caller hands in for a request to the gateway, checked before anything leaves: pure functions, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from esms_frames import clock
from esms_frames.errors import InvalidInput
from esms_frames.message import MAX_BATCH, MIN_BATCH, Message, SmsType

_REQUEST_ID = re.compile(r"[!-~]{1,50}")
_SMS_ID = re.compile(r"[!-~]{1,64}")
_NUMBERS = re.compile(r"(?:0[0-9]{9})*")


def checked_message(message: object) -> Message:
    """Take what is to be sent."""
    if not isinstance(message, Message):
        raise InvalidInput(f"message must be a Message, not {type(message).__name__}: make one with ef.Message(…).")
    return message


def checked_request_id(request_id: object) -> str:
    """Take the caller's id of a request."""
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        raise InvalidInput("request_id is not 1 to 50 plain characters: choose another, or leave it out.")
    return request_id


def checked_sms_id(sms_id: object) -> str:
    """Take the gateway's id of a send."""
    if not isinstance(sms_id, str) or not _SMS_ID.fullmatch(sms_id):
        raise InvalidInput("sms_id is not 1 to 64 plain characters: take it from the answer to the send.")
    return sms_id


def checked_batch(phones: Iterable[str], message: Message, floor: int, most: int | None = MAX_BATCH) -> list[str]:
    """Take the numbers of one request: different ones, ``0`` and nine digits each, from a floor up to `most`."""
    if isinstance(phones, (str, bytes)) or not isinstance(phones, Iterable):
        raise InvalidInput(f"phones must be a list of numbers, not {type(phones).__name__}: pass [number, …].")
    if floor < MIN_BATCH and message.sms_type is SmsType.ADVERTISING:
        raise InvalidInput(f"Advertising goes to at least {MIN_BATCH} numbers at once: leave the floor as it is.")
    batch = list(phones)
    ten_long = all(isinstance(phone, str) and len(phone) == 10 for phone in batch)
    if not ten_long or not _NUMBERS.fullmatch("".join(batch)):
        raise InvalidInput("phones holds something else than 0 and nine digits: clean it with ef.normalize_phones.")
    different = len(set(batch))
    if different < len(batch):
        raise InvalidInput(f"phones holds {len(batch) - different:,} duplicates: nobody is to be texted twice.")
    if most == 1 and different != 1:
        raise InvalidInput(
            f"phones holds {different:,} numbers and a rehearsal of customer care takes one: pass [number]."
        )
    if different < max(floor, 1) or (most is not None and different > most):
        takes = f"at least {max(floor, 1)}" if most is None else f"{max(floor, 1)} to {most:,}"
        raise InvalidInput(
            f"phones holds {different:,} numbers and a request takes {takes}: make batches with ef.prepare."
        )
    return batch


def in_vietnam(moment: object) -> str:
    """Write a moment as the gateway reads it; one without a time zone is Vietnam's already."""
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - NaT is a datetime that is not itself
        raise InvalidInput("start or end is no moment: pass datetimes; without a time zone they are Vietnam time.")
    aware = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
    return f"{aware:%Y-%m-%d %H:%M:%S}"


def checked_paths(paths: Mapping[str, str]) -> dict[SmsType, str]:
    """Take the paths of some types."""
    unknown = [kind for kind in paths if kind not in set(SmsType)]
    if unknown:
        raise InvalidInput(
            f"send_paths names {unknown[0]!r}: its keys are {' and '.join(map(repr, map(str, SmsType)))}."
        )
    return {SmsType(kind): path for kind, path in paths.items()}
