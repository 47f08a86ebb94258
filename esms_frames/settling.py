"""Settle what is uncertain by asking the gateway what it holds, where trying again could text somebody twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from esms_frames import clock
from esms_frames.delivery import may_be_repeated
from esms_frames.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from esms_frames.client import Client
    from esms_frames.journal import Batch, Journal, Scope

_MARGIN = timedelta(hours=1)  # around the times at which the gateway may have taken a batch
_REMEMBERED = timedelta(days=7)  # beyond that, that the gateway shows nothing says nothing


def settle(journal: Journal, scope: Scope, client: Client, batches: Sequence[Batch], run: str) -> None:
    """Ask the gateway about the uncertain batches that may not be repeated, and write down what that settles.

    Parameters
    ----------
    journal, scope, client
        Where the batches are from, and whom to ask.
    batches : sequence of Batch
        Those of the campaign; only uncertain ones that no living run works on are asked about.
    run : str
        The name of this run.

    Notes
    -----
    A batch of which the gateway holds a number, under the campaign's name, was accepted as a whole: that is what
    code 100 means. A batch of which it holds none was not taken, if all messages of the period have come, the period is
    not longer ago than the gateway is known to remember, and no schedule keeps the batch from showing yet. What that
    leaves open stays unknown, with the reason.
    """
    for batch in batches:
        uncertain = batch.status in {"unknown", "sending"} and not may_be_repeated(batch, batch.uncertain_since)
        if uncertain and not journal.state(batch, run)[1]:
            status, reason, sms_id = _found_out(client, scope, batch)
            journal.settle(batch, run, status, reason=reason, sms_id=sms_id)


def _found_out(client: Client, scope: Scope, batch: Batch) -> tuple[str, str | None, str | None]:
    begin, end = _period(batch)
    try:
        held = {
            message.phone: message.sms_id
            for message in client.sent_between(begin, end, batch.message.sms_type)
            if message.campaign == scope.name
        }
    except GatewayError as error:
        return "unknown", f"It may have been taken, and the gateway could not be asked: {error}", None
    sms_id = next((held[phone] for phone in batch.phones if phone in held), None)
    if sms_id is not None:
        return "accepted", None, sms_id
    now = clock.now()
    if now - begin > _REMEMBERED:
        return "unknown", "It may have been taken, too long ago for the gateway's records to tell: ask eSMS.", None
    if end > now:
        return (
            "unknown",
            "It may have been taken, and its schedule is too recent for the gateway's records to tell.",
            None,
        )
    return "planned", "The gateway's records show that it was not taken.", None


def _period(batch: Batch) -> tuple[datetime, datetime]:
    """Give the time within which the messages of a batch went out, if they did."""
    first = batch.uncertain_since or clock.now()
    last = max(first, batch.sent_at or first, batch.message.send_at or first)
    return min(first, batch.message.send_at or first) - _MARGIN, last + _MARGIN
