"""Settle what is uncertain by asking the gateway what it holds, where sending could text somebody twice."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from esms_frames import phones
from esms_frames.delivery import ATTEMPTS, clock_agrees, may_be_sent
from esms_frames.errors import GatewayError
from esms_frames.schema import UNFINISHED
from esms_frames.sets import distinct, is_among

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from esms_frames.batch import Batch
    from esms_frames.client import Client
    from esms_frames.ledger import Ledger
    from esms_frames.message import SmsType
    from esms_frames.schema import Scope
    from esms_frames.wire import SentMessage

_MARGIN = timedelta(days=1)  # before the first attempt: this machine's clock may have been wrong by hours then
_LAG = timedelta(hours=1)  # after an attempt, within which the records may not show it yet
_REMEMBERED = timedelta(days=7)  # beyond that, that the gateway shows nothing says nothing
_AGREES = timedelta(minutes=10)
_CLAIM_SECONDS = 600.0
_AT_ONCE = 50_000  # messages looked through at once


def settle(journal: Ledger, scope: Scope, client: Client, batches: Sequence[Batch], run: str) -> None:
    """Ask the gateway about the unfinished batches that may not just be sent, and write down what that settles.

    Parameters
    ----------
    journal, scope, client
        Where the batches are from, and whom to ask.
    batches : sequence of Batch
        Those of the campaign; those that another run works on are left to it.
    run : str
        The name of this run.

    Notes
    -----
    A batch of which the gateway holds every number, under the campaign's name and in a send that this journal does not
    know otherwise, was accepted. A batch of which it holds none was not taken, if all messages from a day before it was
    first tried until now have come, none of them has its text under another name, it was not tried within the hour nor
    longer ago than the gateway is known to remember, its clock and this machine's agree, and no schedule keeps the batch
    from showing yet. What that leaves open stays as uncertain as it was, with the reason.
    """
    if any(batch.status in UNFINISHED and batch.uncertain_since for batch in batches):
        with suppress(GatewayError):
            client.balance()  # tells the gateway's time, by which it forgets request ids
    doubtful = [
        batch
        for batch in batches
        if batch.status in UNFINISHED
        and not may_be_sent(batch, batch.uncertain_since, journal.now())
        and journal.claim(batch, run, _CLAIM_SECONDS)
    ]
    for sms_type in {batch.message.sms_type for batch in doubtful}:
        of_type = [batch for batch in doubtful if batch.message.sms_type == sms_type]
        try:
            held = _held(client, of_type, sms_type, journal.now())
        except GatewayError as error:
            for batch in of_type:
                journal.settle(batch, run, None, reason=f"The gateway had to be asked first, and could not be: {error}")
            continue
        known = journal.sms_ids(scope)
        for batch in of_type:
            status, reason, sms_id = _verdict(batch, scope, client, held, known, journal)
            journal.settle(batch, run, status, reason=reason, sms_id=sms_id)


def _held(client: Client, batches: Sequence[Batch], sms_type: SmsType, now: datetime) -> dict[int, list[SentMessage]]:
    """Ask once for all messages that could be of the batches; those to their numbers, by number."""
    numbers = distinct(np.concatenate([batch.numbers for batch in batches]))
    begin = min(_first(batch) for batch in batches)
    if _clock_was_set(begin, now):
        begin = now - _REMEMBERED
    held: dict[int, list[SentMessage]] = {}
    messages = client.sent_between(begin - _MARGIN, now + _MARGIN, sms_type, attempts=ATTEMPTS)
    while some := list(islice(messages, _AT_ONCE)):
        read = phones.read(pd.Series([message.phone for message in some], dtype=object))
        for place in np.flatnonzero(is_among(read, numbers)):
            held.setdefault(int(read[place]), []).append(some[place])
    return held


def _verdict(
    batch: Batch,
    scope: Scope,
    client: Client,
    held: Mapping[int, Sequence[SentMessage]],
    known: set[str],
    journal: Ledger,
) -> tuple[str | None, str | None, str | None]:
    ours = [message for number in batch.numbers.tolist() for message in held.get(number, ())]
    named = [message for message in ours if _same(message.campaign, scope.name) and message.sms_id not in known]
    now, first = journal.now(), _first(batch)
    undecided = "unknown" if batch.uncertain_since else None
    if named:
        there = distinct(phones.read(pd.Series([message.phone for message in named], dtype=object)))
        if len(there) == len(batch.numbers):
            return "accepted", None, named[0].sms_id or None
        return undecided, f"The gateway holds {len(there):,} of its {len(batch.numbers):,} numbers: ask eSMS.", None
    if _clock_was_set(first, now):
        return undecided, "It may have been taken, and this machine's clock was set since: ask eSMS.", None
    if batch.uncertain_since:
        if batch.sent_at and now - batch.sent_at < _LAG:
            return None, "It was tried too recently for the gateway's records to tell: resume the campaign later.", None
        if now - first > _REMEMBERED:
            return undecided, "It may have been taken, too long ago for the gateway's records to tell: ask eSMS.", None
        if batch.message.send_at is not None and now < batch.message.send_at + _MARGIN:
            return undecided, "It may have been taken, and its schedule is too recent for the records to tell.", None
    if client.clock_offset is None or not clock_agrees(client, journal):
        return None, "This machine's clock is not the gateway's, so nothing is repeated: set it right.", None
    if any(message.sms_id not in known and _looks_alike(message, batch) for message in ours):
        return undecided, "The gateway holds messages to these numbers that may be this batch: ask eSMS.", None
    return "planned", "The gateway's records show that it was not taken.", None


def _first(batch: Batch) -> datetime:
    """Give the first moment at which the messages of a batch may have gone out."""
    return min(batch.uncertain_since or batch.created_at, batch.message.send_at or batch.created_at)


def _clock_was_set(first: datetime, now: datetime) -> bool:
    """Tell whether the journal's clock was set back since a moment: then nobody knows when that was."""
    return first > now + _AGREES


def _looks_alike(message: SentMessage, batch: Batch) -> bool:
    return not message.content.strip() or _same(message.content, batch.message.content)


def _same(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one).split() == unicodedata.normalize("NFC", other).split()
