"""Say what a batch's state in the journal means for its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.consent import switched_off
from esms_frames.results import Outcome, Status

if TYPE_CHECKING:
    from esms_frames.batch import Batch
    from esms_frames.delivery import Delivery


def outcome_of(batch: Batch, delivery: Delivery | None, run: str | None) -> Outcome:
    """Say what a batch's state in the journal means."""
    status, reason = _said(batch, delivery, run)
    return Outcome(
        status,
        reason,
        batch=batch.number,
        request_id=batch.request_id,
        sms_id=batch.sms_id,
        code=batch.code,
        attempts=batch.attempts,
        sent_at=batch.sent_at,
        segment=batch.segment,
    )


def _said(batch: Batch, delivery: Delivery | None, run: str | None) -> tuple[Status, str | None]:
    if batch.status == "accepted":
        if run is None or batch.settled_by == run:
            return Status.ACCEPTED, switched_off(batch.rules, batch.message.sms_type)
        when = f"{batch.sent_at:%Y-%m-%d}" if batch.sent_at else "an earlier day"  # few texts for many batches
        return Status.ALREADY_SENT, f"Sent by another run, on {when}."
    if batch.status == "already_sent":
        return Status.ALREADY_SENT, batch.reason
    if batch.status == "refused":
        return Status.REFUSED, batch.reason
    held_back = None if delivery is None else delivery.held_back.get(batch.id)
    if batch.status == "planned":
        if batch.code is not None and held_back is None:
            return Status.REFUSED, batch.reason
        ended = delivery.why_ended if delivery is not None else ""
        return Status.NOT_SENT, held_back or batch.reason or ended or "It is planned and not sent yet."
    cut_short = "A run was cut short while it was sending this: resume the campaign."
    return Status.UNKNOWN, held_back or batch.reason or cut_short
