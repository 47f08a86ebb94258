"""Decide the status of every row: ready, duplicate, invalid or excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base import columns
from esms_frames.base.sets import is_among
from esms_frames.base.wording import mark
from esms_frames.recipients.phones import formatting, normalize
from esms_frames.recipients.phones.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray


STATUSES = ("ready", "duplicate", "invalid", "excluded")
_READY, _DUPLICATE, _INVALID, _EXCLUDED = range(4)

REASON_DUPLICATE = mark("same phone as an earlier row")
REASON_EXCLUDED = mark("on the exclude list")
REASON_NO_SEGMENT = mark("in no segment")
REASON_NO_MESSAGE = mark("no message for its segment")
REASONS = (*Problem, REASON_DUPLICATE, REASON_EXCLUDED, REASON_NO_SEGMENT, REASON_NO_MESSAGE)


def counted(segments: Iterable[Any], wanted: Collection[Any] | None) -> NDArray[np.bool_]:
    """Return of each segment whether it counts; the last, which the code -1 finds, is for rows without one."""
    return np.array([wanted is None or name in wanted for name in segments] + [False])


def set_aside(
    status: NDArray[np.int8],
    reason: NDArray[np.int8],
    segment: NDArray[np.integer[Any]],
    counts: NDArray[np.bool_],
) -> None:
    """Exclude, in the arrays handed in, the usable rows of segments that don't count."""
    left_out = ((status == _READY) | (status == _DUPLICATE)) & ~counts[segment]
    status[left_out] = _EXCLUDED
    reason[left_out] = np.where(segment < 0, *map(REASONS.index, (REASON_NO_SEGMENT, REASON_NO_MESSAGE)))[left_out]


def mark_duplicates(
    status: NDArray[np.int8], reason: NDArray[np.int8], usable: NDArray[Any], again: NDArray[np.bool_]
) -> None:
    """Mark, in the arrays passed in, which usable rows are ready and which have the number of an earlier one."""
    status[usable] = np.where(again, np.int8(_DUPLICATE), np.int8(_READY))
    reason[usable] = np.where(again, np.int8(REASONS.index(REASON_DUPLICATE)), np.int8(-1))


def _decided(status: NDArray[np.int8], reason: NDArray[np.int8], ready_batches: NDArray[np.int32]) -> dict[str, Any]:
    """Make the columns of a frame that say what becomes of its rows, given the batches of those that are ready."""
    ready = status == _READY
    batch = np.zeros(len(status), dtype=np.int32)
    batch[ready] = ready_batches
    return {
        "status": columns.category_from_codes(status, STATUSES),
        "reason": columns.category_from_codes(reason, REASONS),
        "batch": pd.arrays.IntegerArray(batch, mask=~ready),
    }


def ready_frame(found: NDArray[np.int32]) -> pd.DataFrame:
    """Make the frame of an audience of which all numbers are ready, without batches."""
    status, reason = verdicts(found, np.empty(0, dtype=np.int32))
    frame = decided_frame(found, status, reason, np.zeros(len(found), np.int32), pd.RangeIndex(len(found)))
    frame["batch"] = pd.arrays.IntegerArray(np.zeros(len(found), np.int32), mask=np.ones(len(found), bool))
    return frame


def verdicts(found: NDArray[np.int32], excluded: NDArray[np.int32]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return the codes of status and reason of rows, by their numbers alone; duplicates are still ready."""
    usable = found >= 0
    is_excluded = usable & is_among(found, excluded)
    status = np.full(len(found), _READY, dtype=np.int8)
    status[~usable] = _INVALID
    status[is_excluded] = _EXCLUDED
    reason: NDArray[np.int8] = np.array(normalize.problem_of(found).codes)
    reason[is_excluded] = REASONS.index(REASON_EXCLUDED)
    return status, reason


def decided_frame(
    found: NDArray[np.int32],
    status: NDArray[np.int8],
    reason: NDArray[np.int8],
    ready_batches: NDArray[np.int32],
    index: pd.Index[Any],
) -> pd.DataFrame:
    """Make the frame of an audience out of what was decided about its rows."""
    who = {"phone": formatting.format_phones(found), "network": normalize.network_of(found)}
    return pd.DataFrame(who | _decided(status, reason, ready_batches), index=index, copy=False)  # nobody else has them
