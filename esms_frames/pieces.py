"""Send a campaign piece by piece: settle what is uncertain, then write down each piece and send it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.allocation import LeftOut, allocate
from esms_frames.delivery import may_be_sent
from esms_frames.planning import check_hours, out_of_hours
from esms_frames.results import Outcome, Status
from esms_frames.settling import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.allocation import Allocation, Key
    from esms_frames.batch import Batch, Known, NewBatch
    from esms_frames.client import Client
    from esms_frames.delivery import Delivery, Progress
    from esms_frames.ledger import Ledger
    from esms_frames.number_set import Settled
    from esms_frames.order import Group
    from esms_frames.schema import Scope


def run_pieces(
    delivery: Delivery,
    book: Ledger,
    scope: Scope,
    client: Client,
    pieces: Iterable[Sequence[Group]],
    excluded: NDArray[np.int32],
    max_batch: int,
    *,
    progress: bool | Callable[[Progress], object],
    settled: Settled | None = None,
    total: int | None = None,
    strays: dict[Key, NDArray[np.int32]] | None = None,
) -> list[LeftOut]:
    """Settle what is uncertain; then, piece by piece, write down what is to be sent, and send it.

    Parameters
    ----------
    delivery, book, scope, client
        The run, and of which campaign.
    pieces : iterable of sequences of Group
        Who is to get what; all at once, or some after the others, which are asked for when their turn comes.
    excluded : array of int
        The numbers that the caller excludes.
    max_batch : int
        How many numbers a batch may have.
    progress, total
        As for `Delivery.drive`.
    settled : Settled, optional
        What the campaign has, kept as one bit a number; without it, all batches are read for each piece.
    strays : dict of Key to array of int, optional
        Where those of a piece are put who are too few for a batch; whoever makes the pieces may take them into a later one.

    Returns
    -------
    list of LeftOut
        Those who got no batch.
    """
    settle(book, scope, client, book.unfinished(scope), delivery.run)
    left_out: list[LeftOut] = []
    begun = False

    def planned(groups: Sequence[Group]) -> Sequence[Batch]:
        nonlocal begun
        here: list[LeftOut] = []

        def decide(known: Known) -> tuple[list[Batch], list[NewBatch]]:
            # What `settle` left open may have been sent, by a run that an older copy of a journal does not know of.
            certain = [
                batch if may_be_sent(batch, batch.uncertain_since, known.now) else replace(batch, is_abandoned=False)
                for batch in known.batches
            ]
            decided = allocate(groups, excluded, replace(known, batches=certain), scope.name, max_batch)
            if begun:  # it is too late to refuse all
                decided = _in_time(decided, known.now)
            check_hours(decided.added, known.now)
            delivery.held_back.update(decided.held)
            here[:] = decided.left_out
            if strays is not None:
                strays.update({key: numbers for key, numbers in decided.stranded.items() if len(numbers)})
            return decided.withdrawn, decided.added

        about = None if settled is None else np.concatenate([np.empty(0, np.int32), *(g.numbers for g in groups)])
        batches = book.plan(scope, delivery.run, decide, settled, about)
        left_out.extend(here)
        begun = True
        return batches

    delivery.drive(map(planned, pieces), progress=progress, total=total)
    return left_out


def _in_time(decided: Allocation, now: datetime) -> Allocation:
    """Leave out the new batches of advertising that may not go out by now; then none is replaced by them either."""
    late = [(batch, why) for batch in decided.added if (why := out_of_hours(batch, now)) is not None]
    if not late:
        return decided
    if decided.withdrawn:
        late = [(batch, late[0][1]) for batch in decided.added]
    left_out = [LeftOut(batch.numbers, Outcome(Status.NOT_SENT, why)) for batch, why in late]
    out = {batch.request_id for batch, _ in late}
    return replace(
        decided,
        withdrawn=[],
        added=[batch for batch in decided.added if batch.request_id not in out],
        held=decided.held | {batch.id: late[0][1] for batch in decided.withdrawn},
        left_out=[*decided.left_out, *left_out],
    )
