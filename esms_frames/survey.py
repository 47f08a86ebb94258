"""Go through an audience larger than memory and find who of it is still to get a campaign's message."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.allocation import Key, LeftOut, allocate
from esms_frames.audience import batch_borders
from esms_frames.number_set import NumberSet, Settled
from esms_frames.order import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from esms_frames.allocation import Allocation
    from esms_frames.batch import Known
    from esms_frames.large import LargeAudience
    from esms_frames.ledger import Ledger
    from esms_frames.results import Outcome
    from esms_frames.schema import Scope

PIECE = 1_000_000
"""How many numbers are planned and sent at once, at most: 200 batches."""

_NOBODY = np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class LargeOrder:
    """What is to be sent to an audience larger than memory; the counterpart of `order.Order`.

    Attributes
    ----------
    campaign : str
        Its name.
    audience : LargeAudience
        Whose ready rows are to be texted.
    groups : tuple of Group
        The messages that somebody is to get, without their recipients.
    codes : tuple of (int or None)
        Which segment of the audience each group is; None of one that is all of an audience with segments.
    idle : tuple of str
        The segments that have a message and no row.
    """

    campaign: str
    audience: LargeAudience
    groups: tuple[Group, ...]
    codes: tuple[int | None, ...]
    idle: tuple[str, ...] = ()


class Survey:
    """Who of an audience is still to get a campaign's message, and who is not; on disk, but for counts.

    It is made before anything is sent, so that batches are of equal size over the whole and nobody is left over at the end
    of a piece. What is sent is decided again, piece by piece, in the transactions that write it down.

    Attributes
    ----------
    settled : Settled
        What the campaign has.
    already : int
        How many of the audience have the message.
    unfinished : int
        How many numbers unfinished batches have, in the audience or not.
    held : list of array of int
        For each group, those who are in an unfinished batch.
    touched : set of (str or None)
        The segments of unfinished batches.
    """

    def __init__(self, order: LargeOrder, journal: Ledger, scope: Scope, folder: Path) -> None:
        self.settled = Settled()
        self.already = 0
        self.unfinished = 0
        self.held: list[NDArray[np.int32]] = []
        self.touched: set[str | None] = set()
        self._order = order
        self._folder = folder
        self._sizes = [0] * len(order.groups)
        self._left_out: dict[Outcome, tuple[int, int]] = {}
        for place, code in enumerate(order.codes):
            looked = [self._look(place, numbers, journal, scope) for numbers in order.audience.stretches(code)]
            self.held.append(np.concatenate([_NOBODY, *looked]))

    def _look(self, place: int, numbers: NDArray[np.int32], journal: Ledger, scope: Scope) -> NDArray[np.int32]:
        """Look at some of a group's numbers, and give those that are in an unfinished batch."""
        order, unfinished = self._order, NumberSet()

        def consider(known: Known) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Allocation]:
            for batch in known.batches:
                unfinished.add(batch.numbers)
                self.touched.add(batch.segment)
            held, already = unfinished.holds(numbers), known.settled(numbers)
            self.unfinished = sum(len(batch.numbers) for batch in known.batches)
            # Whoever is in an unfinished batch is for the first piece; here, no count is too small.
            rest = replace(order.groups[place], numbers=numbers[~held & ~already], floor=0)
            decided = allocate([rest], _NOBODY, replace(known, batches=[]), order.campaign, order.audience.max_batch)
            return held, already, decided

        held, already, decided = journal.consult(scope, consider, self.settled, numbers)
        self.already += int((already & ~held).sum())
        for batch in decided.added:
            self._append(self._file(place), batch.numbers)
            self._sizes[place] += len(batch.numbers)
        for some in decided.left_out:
            self.leave_out(some)
        return numbers[held]

    def is_small(self, place: int) -> bool:
        """Tell whether so few of a group are still to get the message that no batch is made of them."""
        return 0 < len(self.rest(place)) < self._order.groups[place].floor

    def leave_out(self, some: LeftOut) -> None:
        """Note numbers that get no batch."""
        which, size = self._left_out.get(some.outcome, (len(self._left_out), 0))
        self._left_out[some.outcome] = which, size + len(some.numbers)
        self._append(self._folder / f"left-out-{which}.i32", some.numbers)

    def left_out(self) -> Iterator[tuple[Outcome, int, Iterator[NDArray[np.int32]]]]:
        """Give those who get no batch: why, how many, and their numbers, some at once."""
        for outcome, (which, size) in self._left_out.items():
            yield outcome, size, _some_at_once(self._folder / f"left-out-{which}.i32", size)

    @property
    def total(self) -> int:
        """How many are still to get the message, those in unfinished batches not counted."""
        return sum(self._sizes)

    def fresh(self, place: int) -> NDArray[np.int32]:
        """Give the numbers of a group that are still to get the message, on disk."""
        size = self._sizes[place]
        return np.memmap(self._file(place), dtype=np.int32, mode="r", shape=(size,)) if size else _NOBODY

    @property
    def first(self) -> list[Group]:
        """The piece that goes with the unfinished batches, which are looked at as they are over the whole.

        Everybody of the audience who is in one is in it; and of groups that somebody of a batch which is replaced may
        join, as many others as keep these from being too few.
        """
        groups = []
        for place, group in enumerate(self._order.groups):
            some = np.concatenate([self.held[place], self.fresh(place)[: self._joining(place)]])
            groups.append(replace(group, numbers=some))
        return [group for group in groups if len(group.numbers)] if self.touched else []

    def _joining(self, place: int) -> int:
        if not len(self.held[place]) and self._order.groups[place].segment not in self.touched:
            return 0
        size, most = self._sizes[place], self._order.audience.max_batch
        return size if size <= 2 * most else most

    def rest(self, place: int) -> NDArray[np.int32]:
        """Give the numbers of a group that are for the pieces after the first."""
        return self.fresh(place)[self._joining(place) :]

    def pieces(self, strays: dict[Key, NDArray[np.int32]]) -> Iterator[list[Group]]:
        """Give the pieces, each of whole batches; whoever turned out to be too few in one is taken into a later one."""
        if self.touched:
            yield self.first
        groups: list[Group] = []
        there = 0
        for place, group in enumerate(self._order.groups):
            numbers, key = self.rest(place), Key(group.segment, group.message, group.rules, group.floor)
            start, ends = 0, [0]
            for _, stop in batch_borders(len(numbers), self._order.audience.max_batch):
                if there + stop - start > PIECE and (groups or len(ends) > 1):
                    if len(ends) > 1:
                        groups.append(_part(group, numbers[start : ends[-1]], start, ends, strays.pop(key, _NOBODY)))
                    yield groups
                    groups, there, start, ends = [], 0, ends[-1], [ends[-1]]
                ends.append(stop)
            if len(ends) > 1:
                groups.append(_part(group, numbers[start:], start, ends, strays.pop(key, _NOBODY)))
                there += ends[-1] - start
        if groups:
            yield groups
        if strays:
            yield [Group(*key, numbers) for key, numbers in strays.items()]

    def _file(self, place: int) -> Path:
        return self._folder / f"fresh-{place}.i32"

    def _append(self, path: Path, numbers: NDArray[np.int32]) -> None:
        with path.open("ab") as file:
            numbers.astype(np.int32).tofile(file)


def _part(
    group: Group, numbers: NDArray[np.int32], start: int, ends: Sequence[int], strays: NDArray[np.int32]
) -> Group:
    """Make the part of a group that is in a piece: whole batches, and those who were too few in an earlier one."""
    if len(strays):
        return replace(group, numbers=np.concatenate([strays, numbers]))
    return replace(group, numbers=np.array(numbers), ends=tuple(end - start for end in ends[1:]))


def _some_at_once(path: Path, size: int) -> Iterator[NDArray[np.int32]]:
    there = np.memmap(path, dtype=np.int32, mode="r", shape=(size,))
    for start in range(0, size, PIECE):
        yield np.array(there[start : start + PIECE])
