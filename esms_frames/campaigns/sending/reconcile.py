"""Settle what is uncertain by asking the gateway what it holds, where sending could text somebody twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from esms_frames.base.errors import GatewayError, InvalidMessage
from esms_frames.base.sets import distinct, is_among
from esms_frames.base.wording import Sentence, mark
from esms_frames.campaigns.decisions.gateway_records import (
    MARGIN,
    Evidence,
    build_settlement,
    find_start,
    find_start_of_gap,
    judge_records,
)
from esms_frames.campaigns.decisions.may_send import find_objection
from esms_frames.gateway.retries import RECONCILING_ATTEMPTS
from esms_frames.journal.records import UNFINISHED, FoundSend
from esms_frames.messages.campaign_names import campaign_key
from esms_frames.messages.message import Message
from esms_frames.recipients.phones import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.campaigns.decisions.may_send import Clocks
    from esms_frames.campaigns.sending.watch import Watch
    from esms_frames.gateway.client import Client
    from esms_frames.gateway.decode import SentMessage
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Batch, Scope
    from esms_frames.messages.limits import SmsType


_CLAIM_SECONDS = 600.0
_AT_ONCE = 50_000  # messages looked through at once
_MOST_LOOKED_THROUGH = 5_000  # messages, ten questions, of those that the journal may lack

_LACKED = mark(
    "Sent by a run that this journal does not know, by the gateway's records: it may be an older copy, or a new one."
)


@dataclass(frozen=True)
class _Records:
    """The gateway's records of a period, without the sends that this journal knows."""

    messages: dict[int, list[SentMessage]]
    """The messages to the numbers that were asked for, by number."""
    has_unreadable: bool
    """Whether there are messages of which it can't be read whom they went to."""


def settle(journal: BatchStore, scope: Scope, client: Client, watch: Watch, batches: Sequence[Batch], run: str) -> None:
    """Ask the gateway about the unfinished batches that may not just be sent, and write down what that settles.

    Parameters
    ----------
    journal, scope, client, watch
        Where the batches are from, whom to ask, and what time it is.
    batches : sequence of Batch
        Those of the campaign; those that another run works on are left to it.
    run : str
        The name of this run.

    Notes
    -----
    What the records prove about a batch is decided by `judge_records`. What they leave open stays as uncertain as it was,
    with the reason.
    """
    clocks = watch.read()
    doubtful = [
        batch
        for batch in batches
        if batch.status in UNFINISHED and _is_doubtful(batch, clocks) and journal.claim(batch, run, _CLAIM_SECONDS)
    ]
    for sms_type in {batch.message.sms_type for batch in doubtful}:
        of_type = [batch for batch in doubtful if batch.message.sms_type == sms_type]
        numbers = distinct(np.concatenate([batch.numbers for batch in of_type]))
        start = find_start(of_type, clocks.now)
        try:
            records = _look(client, start, clocks.now, sms_type, numbers, journal.sms_ids(scope))
        except GatewayError as error:
            for batch in of_type:
                journal.settle(
                    batch,
                    run,
                    None,
                    reason=Sentence(
                        "The gateway had to be asked first, and could not be: {error_text}", error_text=error
                    ),
                )
            continue
        for batch in of_type:
            evidence = _build_evidence(batch, scope, records)
            settlement = build_settlement(batch, judge_records(batch, evidence, clocks), evidence)
            journal.settle(batch, run, settlement.status, reason=settlement.reason, sms_id=settlement.sms_id)


def find_lacking(journal: BatchStore, scope: Scope, client: Client, watch: Watch, messages: Sequence[Message]) -> None:
    """Ask the gateway for sends of a campaign that this journal lacks, as an older copy does, and write them down.

    Those since the campaign was last tried are asked for, or, where it is new, since the journal was last used; a new
    journal may be in the place of one that was lost, so for it those of 7 days are, as at most for any. At most 5,000
    messages are looked at. Where the gateway can't be asked, nothing is found.

    Parameters
    ----------
    journal, scope, client, watch
        Of the run.
    messages : sequence of Message
        What is to be sent.
    """
    now = watch.read().now
    since = find_start_of_gap(journal.last_tried(scope), watch.last_used, now)
    known = journal.sms_ids(scope)
    for sms_type, message in {message.sms_type: message for message in messages}.items():
        try:
            there = client.sent_between(since, now + MARGIN, sms_type, attempts=RECONCILING_ATTEMPTS)
            found = [one for one in islice(there, _MOST_LOOKED_THROUGH) if one.sms_id not in known]
        except GatewayError:
            continue
        by_send: dict[str, list[SentMessage]] = {}
        for one in found:
            if campaign_key(one.campaign) == campaign_key(scope.name):
                by_send.setdefault(one.sms_id, []).append(one)
        if by_send:
            journal.add_found(scope, [_as_send(some, message) for some in by_send.values()], _LACKED)


def _as_send(sent: Sequence[SentMessage], message: Message) -> FoundSend:
    """Build a send from its messages; what the gateway does not say of it is taken from what is to be sent."""
    with suppress(InvalidMessage):
        message = Message._restored(sent[0].content, message.brandname, message.sms_type, None, None)
    numbers = _read(sent)
    moments = [one.sent_at for one in sent if one.sent_at is not None]
    return FoundSend(sent[0].sms_id, message, distinct(numbers[numbers >= 0]), min(moments, default=None))


def _is_doubtful(batch: Batch, clocks: Clocks) -> bool:
    objection = find_objection(batch.created_at, batch.uncertain_since, batch.message.send_at, clocks, code=batch.code)
    return objection is not None


def _look(
    client: Client,
    since: datetime,
    now: datetime,
    sms_type: SmsType,
    numbers: NDArray[np.int32],
    known: set[str],
) -> _Records:
    """Ask once for all messages of a period, and keep those to some numbers in sends that are not known."""
    held: dict[int, list[SentMessage]] = {}
    has_unreadable = False
    messages = client.sent_between(since, now + MARGIN, sms_type, attempts=RECONCILING_ATTEMPTS)
    while some := list(islice(messages, _AT_ONCE)):
        new = [message for message in some if message.sms_id not in known]
        read = _read(new)
        has_unreadable = has_unreadable or bool((read < 0).any())
        for place in np.flatnonzero(is_among(read, numbers)):
            held.setdefault(int(read[place]), []).append(new[place])
    return _Records(held, has_unreadable)


def _read(messages: Sequence[SentMessage]) -> NDArray[np.int32]:
    return normalize.read(pd.Series([message.phone for message in messages], dtype=object))


def _build_evidence(batch: Batch, scope: Scope, records: _Records) -> Evidence:
    """Build the evidence that the records hold about a batch."""
    ours = [message for number in batch.numbers.tolist() for message in records.messages.get(number, ())]
    named = [message for message in ours if campaign_key(message.campaign) == campaign_key(scope.name)]
    moments = [message.sent_at for message in named if message.sent_at is not None]
    return Evidence(
        named=len(distinct(_read(named))),
        sms_id=(named[0].sms_id or None) if named else None,
        last_sent_at=max(moments) if moments and len(moments) == len(named) else None,
        has_unnamed=len(named) < len(ours),
        has_unreadable=records.has_unreadable,
    )
