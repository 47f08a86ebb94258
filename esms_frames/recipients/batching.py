"""Put numbers into batches of equal size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames.recipients.row_status import _DUPLICATE, _READY, mark_duplicates, set_aside

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def equal_batches(
    segment: NDArray[np.integer[Any]],
    max_batch: int,
    before: NDArray[np.int64] | None = None,
    sizes: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """Assign each recipient a batch, from 1: of each segment ceil(n / max_batch) batches of equal size (±1), in order.

    Where these are a part of all recipients, `before` says how many of each segment come before them, and `sizes` how
    many it has in all.
    """
    here = np.bincount(segment, minlength=0 if sizes is None else len(sizes))
    first = np.zeros_like(here) if before is None else before
    of, start, end = _borders(here if sizes is None else sizes, max_batch)
    low, high = first[of], (first + here)[of]
    in_order = np.repeat(np.arange(1, len(of) + 1, dtype=np.int32), end.clip(low, high) - start.clip(low, high))
    if len(here) < 2:
        return in_order
    numbers = np.empty(len(segment), dtype=np.int32)
    numbers[np.argsort(segment, kind="stable")] = in_order
    return numbers


def batch_borders(size: int, max_batch: int) -> list[tuple[int, int]]:
    """Return the first place and the one after the last of each batch of so many recipients."""
    _, start, end = _borders(np.array([size], dtype=np.int64), max_batch)
    return list(zip(start.tolist(), end.tolist(), strict=True))


def _borders(
    sizes: NDArray[np.int64], max_batch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the segment of each batch, and within it the first place of the batch and the one after its last."""
    counts = -(-sizes // max_batch)
    of = np.repeat(np.arange(len(sizes)), counts)
    place = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    start, end = (-(-n * sizes[of] // counts[of]) for n in (place, place + 1))
    return of, start, end


def arrange(
    status: NDArray[np.int8],
    reason: NDArray[np.int8],
    segment: NDArray[np.integer[Any]],
    counts: NDArray[np.bool_],
    is_repeated: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
    max_batch: int,
    before: NDArray[np.int64] | None = None,
    sizes: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """Decide, in the arrays handed in, which usable rows are ready and which duplicates; return the batches of the ready.

    Parameters
    ----------
    status, reason : array of int8
        The codes of what is known of each row by itself, which are changed.
    segment : array of int
        The code of each row's segment; 0 without segments.
    counts : array of bool
        Which segments count; see `counted`.
    is_repeated : callable
        Given which rows are usable, returns for each of these whether an earlier one has its number.
    max_batch, before, sizes
        As for `equal_batches`.
    """
    set_aside(status, reason, segment, counts)
    usable = (status == _READY) | (status == _DUPLICATE)
    mark_duplicates(status, reason, usable, is_repeated(usable))
    return equal_batches(segment[status == _READY], max_batch, before, sizes)
