"""Find who of an audience is still to get a campaign's messages, in pieces that are sent one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from esms_frames.base.sets import NumberSet
from esms_frames.campaigns.decisions.allocation import CAPPED, LISTED, Key, LeftOut, Members, find_barred, find_unwanted
from esms_frames.journal.records import TextedNumbers
from esms_frames.messages.limits import MAX_BATCH
from esms_frames.recipients.batching import batch_borders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from esms_frames.campaigns.decisions.order import Group, Order
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Batch, Known, Scope


_NOBODY: NDArray[np.int32] = np.empty(0, dtype=np.int32)


@dataclass
class Pending:
    """The numbers that are still to get a campaign's messages; at first only those in unfinished batches.

    Attributes
    ----------
    groups : sequence of Group
        All whom the order is about.
    excluded : array of int
        The numbers that the caller excludes.
    max_batch : int
        How many numbers a batch may have.
    at_once : int
        How many numbers a piece of `later` may have.
    first : list of Group
        The piece that goes with the unfinished batches, which are looked at as they are over the whole. If there is but one
        piece, it is this one, and who of it has the message is not known yet.
    later : list of Group
        Those for the pieces after it, of whom it is known that they are in no batch.
    already : int
        How many are known to have the message.
    left_out : list of LeftOut
        Those of whom it is known that they get no batch.
    total : int
        How many numbers are to be sent to, as far as that is known.
    texted : TextedNumbers
        Who has the message, as far as it was read.
    stranded : dict of Key to array of int
        Who turned out to be too few for a batch in a piece; they go with a later one.
    """

    groups: Sequence[Group] = ()
    excluded: NDArray[np.int32] = field(default_factory=_NOBODY.copy)
    max_batch: int = MAX_BATCH
    at_once: int = MAX_BATCH
    first: list[Group] = field(default_factory=list)
    later: list[Group] = field(default_factory=list)
    already: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    total: int = 0
    texted: TextedNumbers = field(default_factory=TextedNumbers)
    stranded: dict[Key, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def too_few(self) -> list[Group]:
        """The groups of which so few are for later pieces that no batch is made of them."""
        return [group for group in self.later if len(group.numbers) < group.floor]

    @property
    def enough(self) -> list[Group]:
        """The other groups of the later pieces."""
        return [group for group in self.later if len(group.numbers) >= group.floor]

    def pieces(self) -> Iterator[list[Group]]:
        """Return the pieces, the later ones of whole batches; each is made when its turn comes."""
        if self.first or not self.later:
            yield self.first
        piece: list[Group] = []
        size = 0
        for group in self.later:
            borders = batch_borders(len(group.numbers), self.max_batch)
            while borders:
                start = borders[0][0]
                fitting = sum(1 for _, end in borders if end - start <= self.at_once - size)
                if not fitting and piece:
                    yield piece
                    piece, size = [], 0
                    continue
                taken, borders = borders[: max(fitting, 1)], borders[max(fitting, 1) :]
                piece.append(self._part(group, [start, *(end for _, end in taken)]))
                size += taken[-1][1] - start
        if piece:
            yield piece

    def _part(self, group: Group, borders: Sequence[int]) -> Group:
        """Return the part of a group that is in a piece: whole batches, and those who were too few in an earlier one."""
        start, *ends = borders
        numbers = group.numbers[start : ends[-1]]
        stranded = self.stranded.pop(Key(group.segment, group.message, group.rules, group.floor), _NOBODY)
        if len(stranded):
            return replace(group, numbers=np.concatenate([stranded, numbers]))
        return replace(group, numbers=numbers, ends=tuple(end - start for end in ends))


def find_pending(order: Order, journal: BatchStore, scope: Scope) -> Pending:
    """Find who is still to get an order's messages.

    As many as may be planned and sent at once are one piece. More are looked through before anything is sent, so that
    batches are of equal size over the whole and nobody is left over at the end of a piece. What is sent is decided again,
    piece by piece, in the transactions that write it down.
    """
    at_once, size = order.audience._at_once, sum(len(group.numbers) for group in order.groups)
    pending = Pending(order.groups, order.excluded, order.audience.max_batch)
    if at_once is None or size <= at_once:
        pending.first = list(order.groups)
        return pending
    pending.at_once = at_once
    unfinished: Sequence[Batch] = ()
    for group in order.groups:
        held, fresh = (np.zeros(len(group.numbers), dtype=bool) for _ in range(2))
        for start in range(0, len(group.numbers), at_once):
            part = slice(start, start + at_once)
            look = journal.consult(scope, partial(_look, replace(group, numbers=group.numbers[part])), pending.texted)
            held[part], fresh[part], unfinished = look.held, look.fresh, look.unfinished
            pending.already += look.already
            pending.left_out += look.left_out
        numbers = group.numbers if fresh.all() else group.numbers[fresh]
        may_join = held.any() or any(batch.segment == group.segment for batch in unfinished)
        joining = _count_joining(len(numbers), pending.max_batch) if may_join else 0
        pending.first.append(replace(group, numbers=np.concatenate([group.numbers[held], numbers[:joining]])))
        pending.later.append(replace(group, numbers=numbers[joining:]))
    pending.first = [group for group in pending.first if len(group.numbers)]
    pending.later = [group for group in pending.later if len(group.numbers)]
    pending.total = sum(len(group.numbers) for group in pending.later) + sum(len(batch.numbers) for batch in unfinished)
    return pending


class _Look(NamedTuple):
    """The state of some numbers of a group by the journal."""

    held: NDArray[np.bool_]
    """Which of them are in unfinished batches."""
    fresh: NDArray[np.bool_]
    """Which are still to get the message, and in no batch."""
    already: int
    """How many others have it."""
    left_out: list[LeftOut]
    unfinished: Sequence[Batch]


def _look(group: Group, known: Known) -> _Look:
    in_batches = NumberSet()
    for batch in known.batches:
        in_batches.add(batch.numbers)
    held = in_batches.holds(group.numbers)
    texted = known.is_texted(group.numbers) & ~held
    fresh = ~held & ~texted
    rest = replace(group, numbers=group.numbers[fresh])
    barred = find_barred(Members.of([rest]), _NOBODY, *find_unwanted([rest], known))
    left_out = [LeftOut(rest.numbers[barred.listed], LISTED), LeftOut(rest.numbers[barred.capped], CAPPED)]
    fresh[fresh] = ~barred.at_all
    return _Look(held, fresh, int(texted.sum()), [some for some in left_out if len(some.numbers)], known.batches)


def _count_joining(size: int, max_batch: int) -> int:
    """Count those who go with the unfinished batches, so that nobody of one that is replaced belongs to too few."""
    return size if size <= 2 * max_batch else max_batch
