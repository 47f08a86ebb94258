"""DataFrame to Audience: who is texted, who is not and why, in which batch."""

from __future__ import annotations

import html
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
from esms_frames.number_list import PLAIN, read_list
from esms_frames.phones import Problem
from esms_frames.sets import is_among

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from numpy.typing import NDArray

STATUSES = ("ready", "duplicate", "invalid", "excluded")
_READY, _DUPLICATE, _INVALID, _EXCLUDED = range(4)
_SHOWN = 12  # segments

REASON_DUPLICATE = "same phone as an earlier row"
REASON_EXCLUDED = "on the exclude list"
REASON_NO_SEGMENT = "in no segment"
REASON_NO_MESSAGE = "no message for its segment"
_REASONS = (*Problem, REASON_DUPLICATE, REASON_EXCLUDED, REASON_NO_SEGMENT, REASON_NO_MESSAGE)


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
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 80)] + ["n/a"]})
    >>> audience = prepare(customers, max_batch=60)
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
        table = self.summary()
        lines = [f"<Audience: {self._headline()}; phones from {self.column!r}>"]
        lines += [
            f"  {rows:>9,}  {share:>6.1%}  {_plain(status, reason)}"
            for status, reason, rows, share in table.itertuples(index=False)
        ]
        return "\n".join(lines + [f"  {line}" for line in self._by_segment()])

    def _by_segment(self) -> list[str]:
        if "segment" not in self.frame:
            return []
        sizes = self.ready["segment"].value_counts()
        shown = [f"{segment} {size:,}" for segment, size in sizes.head(_SHOWN).items()]
        more = [f"and {len(sizes) - _SHOWN:,} more segments"] if len(sizes) > _SHOWN else []
        return [f"ready by segment: {', '.join(shown + more)}"]

    def _headline(self) -> str:
        sizes = self.frame["batch"].value_counts()
        if sizes.empty:
            return f"none of {len(self.frame):,} rows can be texted"
        low, high = int(sizes.min()), int(sizes.max())
        size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        batches = "1 batch" if len(sizes) == 1 else f"{len(sizes):,} batches"
        return f"{int(sizes.sum()):,} of {len(self.frame):,} rows can be texted, in {batches} of {size}"

    def _repr_html_(self) -> str:
        rows = [
            (_plain(status, reason), rows, share)
            for status, reason, rows, share in self.summary().itertuples(index=False)
        ]
        networks = self.ready["network"].astype(object).fillna("unknown").value_counts()
        column = f"Phone numbers from the column <em>{html.escape(str(self.column))}</em>."
        parts = [
            '<div style="max-width:44em;line-height:1.5">',
            f'<p style="margin:0 0 .6em"><strong>{html.escape(self._headline())}.</strong><br>{column}</p>',
            _html_table("What becomes of the rows", rows),
            _html_table("Recipients by network", [(name, n, n / networks.sum()) for name, n in networks.items()]),
            "</div>",
        ]
        return "\n".join(parts)


def prepare(
    df: pd.DataFrame,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
) -> Audience:
    """Find out who can be texted, once each, and put them into batches.

    Parameters
    ----------
    df : DataFrame
        The customers, one row each, with any index. It is not changed.
    phone : label, optional
        The column of phone numbers, in any spelling. Left out, it is found by its name (``sdt``, ``Số điện thoại``,
        ``phone``, ``mobile``, …) or its content where that leaves no doubt.
    by : label, Series or array, optional
        The segment of each row: a column, or as many values as there are rows, as in ``groupby``. A batch then holds
        numbers of one segment, and each segment needs as many as a batch. Rows without a segment are ``excluded``.
    exclude : list, Series or DataFrame, optional
        Numbers that are not to be texted, in any spelling; of a DataFrame, the phone column is found in the same way.
    min_batch, max_batch : int, optional
        How many numbers a batch may have: 30 to 5000, the gateway's limits. `min_batch` may be lowered for customer
        care, say for a test message to one's own phone; `send` refuses advertising with less than 30. With 0 there may
        be nobody to text, for looking at what a file holds.

    Returns
    -------
    Audience
        With a frame that has a row for each row of `df`. Of several rows with the same number, in whatever spelling,
        the first is ready and the others are ``duplicate``. n numbers make ceil(n / max_batch) batches of equal size
        (±1), in the order of the rows; with `by`, those of each segment do.

    Raises
    ------
    PhoneColumnError
        When it is not clear which column is meant; the error lists the candidates.
    TooFewRecipients
        When fewer than `min_batch` rows are ready, or ready in some segment, with the counts.
    InvalidInput
        When `exclude` can't be relied on, `by` does not fit the rows, or the limits contradict each other.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)] + ["+84 901 888 410", "n/a"]})
    >>> prepare(customers)
    <Audience: 40 of 42 rows can be texted, in 1 batch of 40; phones from 'sdt'>
             40   95.2%  ready to send
              1    2.4%  duplicate: same phone as an earlier row
              1    2.4%  invalid: not a number
    """
    audience = drafted(df, phone, by=by, exclude=exclude, min_batch=min_batch, max_batch=max_batch)
    check_floor(audience)
    return audience


def drafted(
    df: pd.DataFrame,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
) -> Audience:
    """Do what `prepare` does, whether there are enough recipients or not."""
    _check_limits(min_batch, max_batch)
    column = phone_column(df, phone)
    found = phones.read(df[column])
    excluded = np.empty(0, dtype=np.int32) if exclude is None else read_list(exclude, "exclude")
    frame = _judged(found, df.index, excluded)
    if by is not None:
        frame["segment"] = _segments(df, by)
    return _arranged(Audience(frame, column, min_batch, max_batch), found, None)


def only_segments(audience: Audience, segments: Collection[Any]) -> Audience:
    """Leave out the rows of all other segments; a number that was in one of these too is texted there."""
    there = audience.frame["segment"].cat.categories
    if all(segment in segments for segment in there):
        return audience
    return _arranged(audience, phones.read(audience.frame["phone"]), segments)


def check_floor(audience: Audience) -> None:
    """Check that the audience, and each of its segments, has as many recipients as a batch needs."""
    status = audience.frame["status"].cat.codes.to_numpy()
    counts = np.bincount(status, minlength=len(STATUSES)).tolist()
    small: dict[str, int] = {}
    if "segment" in audience.frame:
        sizes = audience.ready["segment"].value_counts()
        small = {str(segment): int(n) for segment, n in sizes.items() if 0 < n < audience.min_batch}
    if small or counts[_READY] < audience.min_batch:
        raise TooFewRecipients(audience.min_batch, dict(zip(STATUSES, counts, strict=True)), small)


def equal_batches(segment: NDArray[np.integer[Any]], max_batch: int) -> NDArray[np.int32]:
    """Give each recipient a batch, from 1: of each segment ceil(n / max_batch) batches of equal size (±1), in order."""
    sizes = np.bincount(segment)
    counts = -(-sizes // max_batch)
    of = np.repeat(np.arange(len(sizes)), counts)  # the segment of each batch
    place = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)  # and its place there

    def start(place: NDArray[np.int64]) -> NDArray[np.int64]:
        return -(-place * sizes[of] // counts[of])

    in_order = np.repeat(np.arange(1, len(of) + 1, dtype=np.int32), start(place + 1) - start(place))
    if len(sizes) < 2:
        return in_order
    numbers = np.empty(len(segment), dtype=np.int32)
    numbers[np.argsort(segment, kind="stable")] = in_order
    return numbers


def _arranged(audience: Audience, found: NDArray[np.int32], segments: Collection[Any] | None) -> Audience:
    """Say of each usable row whether it is ready or a duplicate, and in which batch, given the segments that count."""
    frame = audience.frame
    status: NDArray[np.int8] = frame["status"].cat.codes.to_numpy().astype(np.int8)
    reason: NDArray[np.int8] = frame["reason"].cat.codes.to_numpy().astype(np.int8)
    segment: NDArray[np.integer[Any]] = np.zeros(len(frame), dtype=np.int8)
    if "segment" in frame:
        segment = frame["segment"].cat.codes.to_numpy()
        categories = frame["segment"].cat.categories
        counted = np.array([segments is None or name in segments for name in categories] + [False])
        open_to_all = (status == _READY) | (status == _DUPLICATE)
        left_out = open_to_all & ~counted[segment]
        status[left_out] = _EXCLUDED
        reason[left_out] = np.where(segment < 0, *map(_REASONS.index, (REASON_NO_SEGMENT, REASON_NO_MESSAGE)))[left_out]
    usable = (status == _READY) | (status == _DUPLICATE)
    again = pd.Series(found[usable]).duplicated().to_numpy()
    status[usable] = np.where(again, _DUPLICATE, _READY)
    reason[usable] = np.where(again, _REASONS.index(REASON_DUPLICATE), -1)
    ready = status == _READY
    batch = np.zeros(len(frame), dtype=np.int32)
    batch[ready] = equal_batches(segment[ready], audience.max_batch)
    arranged = {
        "status": columns.category_from_codes(status, STATUSES),
        "reason": columns.category_from_codes(reason, _REASONS),
        "batch": pd.arrays.IntegerArray(batch, mask=~ready),
    }
    return replace(audience, frame=frame.assign(**arranged))


def _segments(df: pd.DataFrame, by: Any) -> Any:
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
    return _judged(found, pd.RangeIndex(len(found)), np.empty(0, dtype=np.int32))


def _judged(found: NDArray[np.int32], index: pd.Index[Any], excluded: NDArray[np.int32]) -> pd.DataFrame:
    """Say which rows can't be texted; all others are ready, until duplicates are looked for, and in no batch yet."""
    usable = found >= 0
    is_excluded = usable & is_among(found, excluded)
    status = np.full(len(found), _READY, dtype=np.int8)
    status[~usable] = _INVALID
    status[is_excluded] = _EXCLUDED
    reason: NDArray[np.int8] = np.array(phones.problem_of(found).codes)
    reason[is_excluded] = _REASONS.index(REASON_EXCLUDED)
    return pd.DataFrame(
        {
            "phone": phones.phone_text(found),
            "network": phones.network_of(found),
            "status": columns.category_from_codes(status, STATUSES),
            "reason": columns.category_from_codes(reason, _REASONS),
            "batch": pd.arrays.IntegerArray(np.zeros(len(found), np.int32), mask=np.ones(len(found), bool)),
        },
        index=index,
    )


def _check_limits(min_batch: int, max_batch: int) -> None:
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


def _plain(status: str, reason: Any) -> str:
    return "ready to send" if status == "ready" else f"{status}: {PLAIN.get(reason, reason)}"


def _html_table(title: str, rows: list[tuple[Any, int, float]]) -> str:
    cell = "padding:.15em .8em .15em 0;text-align:{};border:0;background:none"
    left, right = cell.format("left"), cell.format("right") + ";font-variant-numeric:tabular-nums"
    bar = '<div style="width:{:.1f}%;min-width:1px;height:.7em;background:#1f77b4"></div>'
    body = "".join(
        f"""<tr style="background:none">
        <td style="{left};width:20em">{html.escape(str(name))}</td>
        <td style="{right}">{count:,}</td>
        <td style="{right}">{share:.1%}</td>
        <td style="{left};width:12em">{bar.format(100 * share)}</td>
        </tr>"""
        for name, count, share in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:0 0 .8em;width:100%;table-layout:fixed">'
        f'<caption style="text-align:left;caption-side:top;opacity:.75;padding:0">{title}</caption>{body}</table>'
    )
