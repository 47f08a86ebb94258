"""Decide what becomes of the unfinished batches of two campaigns that turn out to be one; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.base.sets import is_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


_NOBODY = np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class Unfinished:
    """A batch that may still have to be sent."""

    id: int
    is_uncertain: bool
    """Whether it may have been taken; else it certainly was not."""
    numbers: NDArray[np.int32]


@dataclass(frozen=True)
class Side:
    """The batches of one of the two campaigns."""

    texted: NDArray[np.int32]
    """The numbers of its batches that were taken."""
    unfinished: Sequence[Unfinished]


@dataclass(frozen=True)
class Change:
    """A change to an unfinished batch.

    Attributes
    ----------
    id : int
        Of the batch.
    left : array of int32
        The numbers that it keeps.
    texted : array of int32
        Those that it loses because the other campaign has texted them.
    """

    id: int
    left: NDArray[np.int32]
    texted: NDArray[np.int32]


def disentangle(first: Side, second: Side) -> list[Change]:
    """Decide which numbers the unfinished batches of two campaigns lose, so that each number is in one that may be sent.

    Parameters
    ----------
    first, second : Side
        What the two have. A number within one of them is in no two batches that may be sent.

    Returns
    -------
    list of Change
        Of the batches that change. Whom the other campaign has texted is in none any more. Whom both may yet text stays in
        the batch that may have been taken, for under its request id a repetition is refused; of two such, in the first's.
    """
    changes = []
    for mine, other, is_second in ((first, second, False), (second, first, True)):
        uncertain, planned = _numbers(other, is_uncertain=True), _numbers(other, is_uncertain=False)
        for batch in mine.unfinished:
            is_texted = is_among(batch.numbers, other.texted)
            is_elsewhere = np.zeros(len(batch.numbers), dtype=bool)
            if is_second or not batch.is_uncertain:
                is_elsewhere |= is_among(batch.numbers, uncertain)
            if is_second and not batch.is_uncertain:
                is_elsewhere |= is_among(batch.numbers, planned)
            if (is_texted | is_elsewhere).any():
                changes.append(Change(batch.id, batch.numbers[~(is_texted | is_elsewhere)], batch.numbers[is_texted]))
    return changes


def _numbers(side: Side, *, is_uncertain: bool) -> NDArray[np.int32]:
    return np.concatenate(
        [_NOBODY, *(batch.numbers for batch in side.unfinished if batch.is_uncertain == is_uncertain)]
    )
