"""Map the journal's batches to the outcome of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esms_frames.base.addresses import SANDBOX
from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import Sentence, mark
from esms_frames.journal import identity
from esms_frames.journal.journal import Journal
from esms_frames.journal.records import LIVE, BatchStatus
from esms_frames.messages.advertising_rules import describe_switched_off
from esms_frames.messages.message import fingerprint
from esms_frames.recipients.audience import Audience
from esms_frames.recipients.row_status import ready_frame
from esms_frames.reporting.frame import Outcome, Status
from esms_frames.reporting.outcomes import Outcomes, build_results

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from esms_frames.campaigns.decisions.allocation import LeftOut
    from esms_frames.campaigns.sending.dispatch import Dispatcher
    from esms_frames.gateway.client import Client
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Batch, Scope
    from esms_frames.recipients.any_audience import AnyAudience


_LIVE_RANK = 1 << 30  # above all batches that were refused


def gather_outcomes(
    batches: BatchStore,
    scope: Scope,
    left_out: Sequence[LeftOut] = (),
    dispatcher: Dispatcher | None = None,
    run: str | None = None,
) -> Outcomes:
    """Gather what became of the numbers of a campaign's batches, and of those who got no batch.

    A number may be in several batches, of which all but one were refused: the one, or the last, counts. With `run`, which
    is that of `dispatcher`, what another run has sent is already sent, and refusals are told of batches that it worked on.
    """
    outcomes = Outcomes()
    for batch in batches.each_batch(scope):
        is_live = batch.status in LIVE
        if is_live or run is None or dispatcher is None or batch.id in dispatcher.driven:
            rank = batch.number + (_LIVE_RANK if is_live else len(left_out))
            outcomes.tell(rank, outcome_of(batch, dispatcher, run), batch.numbers)
    for rank, some in enumerate(left_out):
        outcomes.tell(rank, some.outcome, some.numbers)
    return outcomes


def rebuild_results(audience: AnyAudience | None, scope: Scope, outcomes: Outcomes) -> Any:
    """Build the results of a campaign of an audience's rows, or without one a row for each of its numbers."""
    otherwise = Outcome(
        Status.NOT_SENT, Sentence("The number is not in the campaign {campaign}.", campaign=repr(scope.name))
    )
    audience = Audience(ready_frame(outcomes.numbers), "phone") if audience is None else audience
    return build_results(audience, outcomes, otherwise, stacklevel=3)


def _opened(journal: Journal | str | os.PathLike[str] | None) -> Journal:
    return journal if isinstance(journal, Journal) else Journal(journal)


def _found(book: Journal, name: str, client: Client | None) -> Scope:
    """Find the one campaign that is meant by a name; a rehearsal on a sandbox is not taken for the live one."""
    scopes = book._batches.scopes(name)
    if client is not None:
        whose = identity.accounts_of(client, book._batches)
        scopes = [scope for scope in scopes if (scope.gateway, scope.account) in whose]
    live = [scope for scope in scopes if scope.gateway != SANDBOX]
    if not scopes:
        raise _none_there(book, name, client)
    if len(live) > 1:
        accounts = ", ".join(scope.account for scope in live)
        raise InvalidInput(
            "Several accounts have a campaign {name} ({accounts}): say whose with client=….",
            name=repr(name),
            accounts=accounts,
        )
    return live[0] if live else scopes[0]


def _none_there(book: Journal, name: str, client: Client | None) -> InvalidInput:
    whose = "" if client is None else f" of the {client.gateway} account {client.account}"
    return InvalidInput(
        "{where} has no campaign {name}{whose}: Journal().campaigns() and `esms-frames results` list those there are.",
        where=book,
        name=repr(name),
        whose=whose,
    )


def outcome_of(batch: Batch, dispatcher: Dispatcher | None, run: str | None) -> Outcome:
    """Return what a batch's state in the journal means."""
    status, reason = _said(batch, dispatcher, run)
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
        scheduled_for=batch.message.send_at,
        text=fingerprint(batch.message.content) if batch.message.content else None,  # none once it is forgotten
    )


def _said(batch: Batch, dispatcher: Dispatcher | None, run: str | None) -> tuple[Status, str | None]:
    if batch.status == BatchStatus.ACCEPTED:
        if run is None or batch.settled_by == run:
            return Status.ACCEPTED, describe_switched_off(batch.rules, batch.message.sms_type)
        when = (
            f"{batch.sent_at:%Y-%m-%d}" if batch.sent_at else Sentence("an earlier day")
        )  # few texts for many batches
        return Status.ALREADY_SENT, Sentence("Sent by another run, on {when}.", when=when)
    if batch.status == BatchStatus.ALREADY_SENT:
        return Status.ALREADY_SENT, batch.reason
    if batch.status == BatchStatus.REFUSED:
        return Status.REFUSED, batch.reason
    held_back = None if dispatcher is None else dispatcher.held_back.get(batch.id)
    if batch.status == BatchStatus.PLANNED:
        if batch.code is not None and held_back is None:
            return Status.REFUSED, batch.reason
        ended = dispatcher.why_ended if dispatcher is not None else ""
        return Status.NOT_SENT, held_back or batch.reason or ended or mark("It is planned and not sent yet.")
    cut_short = mark("A run was cut short while it was sending this: resume the campaign.")
    return Status.UNKNOWN, held_back or batch.reason or cut_short
