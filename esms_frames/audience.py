"""DataFrame to Audience: who is texted, who is not and why, in which batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import columns, phones
from esms_frames.detection import phone_column
from esms_frames.errors import InvalidInput, TooFewRecipients, shown
from esms_frames.message import MAX_BATCH, MIN_BATCH
from esms_frames.number_list import read_list
from esms_frames.overview import Overview
from esms_frames.problem import Problem
from esms_frames.sets import is_among, repeated

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from numpy.typing import NDArray

STATUSES = ("ready", "duplicate", "invalid", "excluded")
_READY, _DUPLICATE, _INVALID, _EXCLUDED = range(4)

REASON_DUPLICATE = "same phone as an earlier row"
REASON_EXCLUDED = "on the exclude list"
REASON_NO_SEGMENT = "in no segment"
REASON_NO_MESSAGE = "no message for its segment"
REASONS = (*Problem, REASON_DUPLICATE, REASON_EXCLUDED, REASON_NO_SEGMENT, REASON_NO_MESSAGE)


@dataclass(frozen=True, repr=False, eq=False)
class Audience:
    """Who is texted, who is not and why, in which batch. Made by `prepare`.

    Attributes
    ----------
    frame : DataFrame
        One row for each row of the customers, with the same index:

        - ``phone``: text, ``0`` and nine digits; NA where unusable.
        - ``network``: category, the network that the prefix was given to.
        - ``status``: category, ``ready``, ``duplicate``, ``invalid`` or ``excluded``.
        - ``reason``: category, why a row is not ready: the `Problem` of an invalid one, or a phrase; NA where ready.
        - ``batch``: Int32, the number of its batch, from 1; NA where not ready.
        - ``segment``: category, only where the audience was prepared with `by`; NA where the row is in none.
    column : label
        The column of the customers that the phones were read from.
    min_batch, max_batch : int
        The limits that the batches keep.

    Examples
    --------
    >>> import esms_frames as ef
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 80)] + ["n/a"]})
    >>> audience = ef.prepare(customers, max_batch=60)
    >>> [len(batch) for batch in audience.batches], audience.rejected["reason"].tolist()
    ([35, 35], ['not_a_number'])
    """

    frame: pd.DataFrame
    column: Hashable
    min_batch: int = MIN_BATCH
    max_batch: int = MAX_BATCH

    @property
    def ready(self) -> pd.DataFrame:
        """The rows that are texted."""
        return self.frame[self.frame["status"] == "ready"]

    @property
    def rejected(self) -> pd.DataFrame:
        """The rows that are not texted, each with its reason."""
        return self.frame[self.frame["status"] != "ready"]

    @property
    def batches(self) -> tuple[pd.Series[str], ...]:
        """The phones of each batch, in the order of the rows, as one Series a batch; each fits `Client.send`."""
        ready = self.ready.sort_values("batch", kind="stable")
        if ready.empty:
            return ()
        ends = np.flatnonzero(np.diff(ready["batch"].to_numpy(dtype=np.int32))) + 1
        borders = [0, *ends.tolist(), len(ready)]
        return tuple(ready["phone"].iloc[a:b] for a, b in pairwise(borders))

    def summary(self) -> pd.DataFrame:
        """Count the rows by status and reason, the largest of each status first.

        Returns
        -------
        DataFrame
            Columns ``status``, ``reason``, ``rows`` (int) and ``share`` (float, of all rows).
        """
        counted = (
            self.frame.reset_index(drop=True)
            .groupby(["status", "reason"], observed=True, dropna=False)
            .size()
            .rename("rows")
        )
        table = counted[counted > 0].reset_index().sort_values(["status", "rows"], ascending=[True, False])
        return table.assign(share=table["rows"] / max(len(self.frame), 1)).reset_index(drop=True)

    def __repr__(self) -> str:
        return self._overview().text("Audience")

    def _repr_html_(self) -> str:
        return self._overview().html()

    def _overview(self) -> Overview:
        sizes = self.frame["batch"].value_counts()
        return Overview(
            column=self.column,
            rows=len(self.frame),
            ready=int(sizes.sum()),
            batches=len(sizes),
            smallest=int(sizes.min()) if len(sizes) else 0,
            largest=int(sizes.max()) if len(sizes) else 0,
            summary=self.summary(),
            networks=self.ready["network"].astype(object).fillna("unknown").value_counts(),
            segments=self.ready["segment"].value_counts() if "segment" in self.frame else None,
        )


def drafted(
    df: pd.DataFrame,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
) -> Audience:
    """Do what `preparation.prepare` does with a DataFrame, whether there are enough recipients or not."""
    check_limits(min_batch, max_batch)
    column = phone_column(df, phone)
    found = phones.read(df[column])
    excluded = np.empty(0, dtype=np.int32) if exclude is None else read_list(exclude, "exclude")
    segment = None if by is None else segments_of(df, by)
    status, reason = verdicts(found, excluded)
    batch = _arranged(found, status, reason, segment, None, max_batch)
    frame = decided_frame(found, status, reason, batch, df.index)
    if segment is not None:
        frame["segment"] = segment
    return Audience(frame, column, min_batch, max_batch)


def only_segments(audience: Audience, segments: Collection[Any]) -> Audience:
    """Leave out the rows of all other segments; a number that was in one of these too is texted there."""
    frame = audience.frame
    if all(segment in segments for segment in frame["segment"].cat.categories):
        return audience
    status, reason = (frame[name].cat.codes.to_numpy().astype(np.int8) for name in ("status", "reason"))
    found = phones.read(frame["phone"])
    batch = _arranged(found, status, reason, frame["segment"].array, segments, audience.max_batch)
    return replace(audience, frame=frame.assign(**_decided(status, reason, batch)))


def check_floor(audience: Audience) -> None:
    """Check that the audience, and each of its segments, has as many recipients as a batch needs."""
    status = audience.frame["status"].cat.codes.to_numpy()
    counts = dict(zip(STATUSES, np.bincount(status, minlength=len(STATUSES)).tolist(), strict=True))
    check_counts(
        audience.min_batch, counts, audience.ready["segment"].value_counts() if "segment" in audience.frame else None
    )


def check_counts(floor: int, counts: Mapping[str, int], segments: pd.Series[int] | None) -> None:
    """Check that there are as many recipients as a batch needs, in all and of each segment that has any."""
    sizes = {} if segments is None else {str(segment): int(n) for segment, n in segments.items()}
    small = {segment: n for segment, n in sizes.items() if 0 < n < floor}
    if small or counts["ready"] < floor:
        raise TooFewRecipients(floor, counts, small)


def equal_batches(
    segment: NDArray[np.integer[Any]],
    max_batch: int,
    before: NDArray[np.int64] | None = None,
    sizes: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """Give each recipient a batch, from 1: of each segment ceil(n / max_batch) batches of equal size (±1), in order.

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
    """Give the first place and the one after the last of each batch of so many recipients."""
    _, start, end = _borders(np.array([size], dtype=np.int64), max_batch)
    return list(zip(start.tolist(), end.tolist(), strict=True))


def _borders(
    sizes: NDArray[np.int64], max_batch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give the segment of each batch, and within it the first place of the batch and the one after its last."""
    counts = -(-sizes // max_batch)
    of = np.repeat(np.arange(len(sizes)), counts)
    place = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    start, end = (-(-n * sizes[of] // counts[of]) for n in (place, place + 1))
    return of, start, end


def _arranged(
    found: NDArray[np.int32],
    status: NDArray[np.int8],
    reason: NDArray[np.int8],
    segment: Any,
    wanted: Collection[Any] | None,
    max_batch: int,
) -> NDArray[np.int32]:
    """Say, in the arrays handed in, which usable rows are ready and which duplicates; give the batch of each ready one.

    `segment` is a categorical, or None without segments, and `wanted` holds the segments that count; None for all.
    """
    code: NDArray[np.integer[Any]] = np.zeros(len(found), dtype=np.int8)
    if segment is not None:
        code = segment.codes
        set_aside(status, reason, code, counted(segment.categories, wanted))
    usable = (status == _READY) | (status == _DUPLICATE)
    mark_duplicates(status, reason, usable, repeated(found[usable]))
    return equal_batches(code[status == _READY], max_batch)


def counted(segments: pd.Index[Any], wanted: Collection[Any] | None) -> NDArray[np.bool_]:
    """Tell of each segment whether it counts; the last, which the code -1 finds, is for rows without one."""
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
    """Say, in the arrays handed in, of the usable rows which are ready and which have the number of an earlier one."""
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


def segments_of(df: pd.DataFrame, by: Any) -> Any:
    """Read the segment of each row, as ``groupby`` takes it, as a categorical."""
    values = by
    if isinstance(by, (Mapping, set, frozenset, Iterator, pd.DataFrame)) or getattr(by, "ndim", 1) > 1:
        raise InvalidInput(
            f"by is a {type(by).__name__}, which does not give one value a row, in order: name a column, or give a list, a "
            "Series or an array."
        )
    if isinstance(by, (pd.Series, pd.Index)) or (pd.api.types.is_list_like(by) and not isinstance(by, tuple)):
        if len(by) != len(df) or (isinstance(by, pd.Series) and not by.index.equals(df.index)):
            raise InvalidInput(
                f"by holds {len(by):,} values that don't go with the {len(df):,} rows: give one value a row, with the same "
                "index."
            )
    else:
        found = [] if by is pd.NA else [place for place, name in enumerate(df.columns) if name == by]
        if len(found) != 1:
            raise InvalidInput(
                f"by names {shown(by)} and the data has {len(found) or 'no'} such column{'s' if found else ''}: it has "
                f"{', '.join(map(repr, df.columns))}."
            )
        values = df.iloc[:, found[0]]
    try:
        return pd.Categorical(values).remove_unused_categories()
    except TypeError:
        raise InvalidInput(
            "by holds lists or other values that can't name a segment: give text, numbers or dates."
        ) from None


def ready_frame(found: NDArray[np.int32]) -> pd.DataFrame:
    """Make the frame of an audience of which all numbers are ready, without batches."""
    status, reason = verdicts(found, np.empty(0, dtype=np.int32))
    frame = decided_frame(found, status, reason, np.zeros(len(found), np.int32), pd.RangeIndex(len(found)))
    frame["batch"] = pd.arrays.IntegerArray(np.zeros(len(found), np.int32), mask=np.ones(len(found), bool))
    return frame


def verdicts(found: NDArray[np.int32], excluded: NDArray[np.int32]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Give the codes of status and reason of rows, by their numbers alone; duplicates are still ready."""
    usable = found >= 0
    is_excluded = usable & is_among(found, excluded)
    status = np.full(len(found), _READY, dtype=np.int8)
    status[~usable] = _INVALID
    status[is_excluded] = _EXCLUDED
    reason: NDArray[np.int8] = np.array(phones.problem_of(found).codes)
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
    who = {"phone": phones.phone_text(found), "network": phones.network_of(found)}
    return pd.DataFrame(who | _decided(status, reason, ready_batches), index=index, copy=False)  # nobody else has them


def check_limits(min_batch: int, max_batch: int) -> None:
    """Check that batches of these sizes can hold any count of numbers from the smaller on."""
    whole = all(isinstance(limit, int) and not isinstance(limit, bool) for limit in (min_batch, max_batch))
    if not whole or not 0 <= min_batch <= max_batch <= MAX_BATCH or max_batch < 1:
        raise InvalidInput(
            f"min_batch {min_batch!r} and max_batch {max_batch!r} don't fit: give whole numbers, "
            f"min_batch ≤ max_batch ≤ {MAX_BATCH}."
        )
    if max_batch < 2 * min_batch - 1:
        raise InvalidInput(
            f"Batches of {min_batch} to {max_batch} can't hold every count of numbers: "
            f"raise max_batch to at least {2 * min_batch - 1}."
        )
