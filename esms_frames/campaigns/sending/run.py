"""Send a campaign piece by piece: settle what is uncertain, then write down each piece and send it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from esms_frames.campaigns.decisions.allocation import allocate, leave_out_late
from esms_frames.campaigns.decisions.may_send import check_hours, find_objection
from esms_frames.campaigns.sending.reconcile import find_lacking, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from esms_frames.campaigns.decisions.allocation import LeftOut
    from esms_frames.campaigns.decisions.order import Group
    from esms_frames.campaigns.pending import Pending
    from esms_frames.campaigns.sending.dispatch import Dispatcher, Progress
    from esms_frames.gateway.client import Client
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Batch, Known, NewBatch, Scope


def run_pieces(
    dispatcher: Dispatcher,
    book: BatchStore,
    scope: Scope,
    client: Client,
    pending: Pending,
    *,
    progress: bool | Callable[[Progress], object],
) -> list[LeftOut]:
    """Settle what is uncertain; then, piece by piece, write down what is to be sent, and send it.

    Parameters
    ----------
    dispatcher, book, scope, client
        The run, and of which campaign.
    pending : Pending
        Who is to get what.
    progress
        As for `Dispatcher.drive`.

    Returns
    -------
    list of LeftOut
        Those who got no batch.
    """
    watch, unfinished = dispatcher.watch, book.unfinished(scope)
    if any(batch.uncertain_since for batch in unfinished):
        watch.ask()  # it tells the gateway's time, by which it forgets request ids
    else:
        watch.ask_once()
    settle(book, scope, client, watch, unfinished, dispatcher.run)
    left_out = list(pending.left_out)
    begun = False

    def is_certain(batch: Batch, now: datetime) -> bool:
        clocks = replace(watch.read(), now=now)
        send_at = batch.message.send_at
        return find_objection(batch.created_at, batch.uncertain_since, send_at, clocks, code=batch.code) is None

    def planned(groups: Sequence[Group]) -> Sequence[Batch]:
        nonlocal begun
        here: list[LeftOut] = []
        if groups and not begun:
            find_lacking(book, scope, client, watch, [group.message for group in pending.groups])

        def decide(known: Known) -> tuple[list[Batch], list[NewBatch]]:
            # What `settle` left open may have been sent, by a run that an older copy of a journal does not know of.
            certain = [
                batch if is_certain(batch, known.now) else replace(batch, is_abandoned=False) for batch in known.batches
            ]
            decided = allocate(groups, pending.excluded, replace(known, batches=certain), scope.name, pending.max_batch)
            if begun:  # it is too late to refuse all
                decided = leave_out_late(decided, watch.read())
            check_hours(decided.added, watch.read())
            dispatcher.held_back.update(decided.held)
            here[:] = decided.left_out
            pending.stranded |= {key: numbers for key, numbers in decided.stranded.items() if len(numbers)}
            return decided.withdrawn, decided.added

        batches = book.plan(scope, dispatcher.run, decide, pending.texted)
        left_out.extend(here)
        begun = True
        return batches

    dispatcher.drive(map(planned, pending.pieces()), progress=progress, total=pending.total)
    if dispatcher.said_to_be_there:
        open_ones = [batch for batch in book.unfinished(scope) if batch.id in dispatcher.said_to_be_there]
        settle(book, scope, client, watch, open_ones, dispatcher.run)
    return [*left_out, *dispatcher.left_out]
