"""The Audience: a DataFrame with the decision on every row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base.errors import InvalidInput
from esms_frames.base.labels import find_label, list_names, tidy_categories
from esms_frames.base.sets import find_repeated
from esms_frames.base.wording import shown
from esms_frames.messages.limits import MAX_BATCH, MIN_BATCH
from esms_frames.recipients.any_audience import AnyAudience, count_networks, count_rows
from esms_frames.recipients.batching import arrange
from esms_frames.recipients.find_column import phone_column
from esms_frames.recipients.number_lists import read_list
from esms_frames.recipients.phones import normalize
from esms_frames.recipients.row_status import REASON_EXCLUDED, _decided, counted, decided_frame, verdicts

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from numpy.typing import NDArray

    from esms_frames.recipients.any_audience import Building, Coding, Shared


@dataclass(frozen=True, repr=False, eq=False)
class Audience(AnyAudience):
    """The recipients of a campaign: who is texted in which batch, who is not and why. Made by `prepare`.

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

    @property
    def segments(self) -> pd.Index[Any] | None:
        """The names of the segments; None without."""
        return self.frame["segment"].cat.categories if "segment" in self.frame else None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many recipients each segment has; one number without segments."""
        is_ready = self._is_ready()
        if "segment" not in self.frame:
            return np.array([is_ready.sum()])
        return np.bincount(self._read_codes(is_ready), minlength=len(self.frame["segment"].cat.categories))

    def _count_rows(self) -> NDArray[np.int64]:
        return count_rows(*(self.frame[name].cat.codes.to_numpy() for name in ("status", "reason")))

    def _count_networks(self) -> NDArray[np.int64]:
        return count_networks(self.frame["network"].cat.codes.to_numpy()[self._is_ready()])

    def _read_recipients(self) -> tuple[NDArray[np.int32], NDArray[np.integer[Any]]]:
        is_ready = self._is_ready()
        return self._read_numbers(is_ready), self._read_codes(is_ready)

    def _read_excluded(self) -> NDArray[np.int32]:
        return self._read_numbers((self.frame["reason"] == REASON_EXCLUDED).to_numpy(dtype=bool))

    def _encode(self, code_of: Coding) -> NDArray[np.int32]:
        return code_of(*self._read_recipients())

    def _build(self, build: Building, codes: NDArray[np.int32], shared: Shared) -> pd.DataFrame:
        return build(self.frame, codes, shared)

    def _is_ready(self) -> NDArray[np.bool_]:
        return (self.frame["status"] == "ready").to_numpy(dtype=bool)

    def _read_numbers(self, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
        return normalize.read(self.frame.loc[chosen, "phone"])

    def _read_codes(self, chosen: NDArray[np.bool_]) -> NDArray[np.integer[Any]]:
        if "segment" not in self.frame:
            return np.empty(0, dtype=np.int8)
        codes: NDArray[np.integer[Any]] = self.frame["segment"].cat.codes.to_numpy()[chosen]
        return codes


def draft_audience(
    df: pd.DataFrame,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
) -> Audience:
    """Build the audience of a DataFrame, whether there are enough recipients or not."""
    check_limits(min_batch, max_batch)
    # Without attrs, which pandas copies with every column.
    df = pd.DataFrame(df) if isinstance(df, pd.DataFrame) else df
    column = phone_column(df, phone)
    found = normalize.read(df.iloc[:, find_label(df.columns, column)[0]])
    excluded = np.empty(0, dtype=np.int32) if exclude is None else read_list(exclude, "exclude")
    segment = None if by is None else segments_of(df, by)
    status, reason = verdicts(found, excluded)
    batch = _arrange(found, status, reason, segment, None, max_batch)
    frame = decided_frame(found, status, reason, batch, df.index)
    if segment is not None:
        frame["segment"] = segment
    return Audience(frame, column, min_batch, max_batch)


def leave_out_segments(audience: Audience, wanted: Collection[Any]) -> Audience:
    """Leave out the rows of all other segments; a number that was in one of these too is texted there."""
    frame = audience.frame
    status, reason = (frame[name].cat.codes.to_numpy().astype(np.int8) for name in ("status", "reason"))
    found = normalize.read(frame["phone"])
    batch = _arrange(found, status, reason, frame["segment"].array, wanted, audience.max_batch)
    return replace(audience, frame=frame.assign(**_decided(status, reason, batch)))


def _arrange(
    found: NDArray[np.int32],
    status: NDArray[np.int8],
    reason: NDArray[np.int8],
    segments: Any,
    wanted: Collection[Any] | None,
    max_batch: int,
) -> NDArray[np.int32]:
    codes = np.zeros(len(found), dtype=np.int8) if segments is None else segments.codes
    counts = counted([None] if segments is None else segments.categories, wanted)
    return arrange(status, reason, codes, counts, lambda usable: find_repeated(found[usable]), max_batch)


def segments_of(df: pd.DataFrame, by: Any) -> Any:
    """Read the segment of each row, as ``groupby`` takes it, as a categorical."""
    values = by
    if isinstance(by, (Mapping, set, frozenset, Iterator, pd.DataFrame)) or getattr(by, "ndim", 1) > 1:
        raise InvalidInput(
            "by is a {kind}, which does not give one value a row, in order: name a column, or give a "
            "list, a Series or an array.",
            kind=type(by).__name__,
        )
    if isinstance(by, (pd.Series, pd.Index)) or (pd.api.types.is_list_like(by) and not isinstance(by, tuple)):
        if len(by) != len(df) or (isinstance(by, pd.Series) and not by.index.equals(df.index)):
            raise InvalidInput(
                "by holds {count} values that don't go with the {rows} rows: give one value a row, with the "
                "same index.",
                count=len(by),
                rows=len(df),
            )
    else:
        found = find_label(df.columns, by)
        if len(found) != 1:
            raise InvalidInput(
                "by names {by}, and the data has {count} such columns: it has {columns}.",
                by=shown(by),
                count=len(found) or "no",
                columns=list_names(list(df.columns)),
            )
        values = df.iloc[:, found[0]]
    try:
        segments = pd.Categorical(values)
        segments.categories.map(str)  # is shown to people
        tidied = tidy_categories(segments.remove_unused_categories())
        if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype) or len(tidied.categories) == 0:
            return tidied
        return tidied.reorder_categories(pd.Categorical(list(tidied.categories)).categories)
    except Exception:  # noqa: BLE001 - cells of any kind
        raise InvalidInput(
            "by holds lists or other values that can't name a segment: give text, numbers or dates."
        ) from None


def check_limits(min_batch: int, max_batch: int) -> None:
    """Check that batches of these sizes can hold any count of numbers from the smaller on."""
    whole = all(isinstance(limit, int) and not isinstance(limit, bool) for limit in (min_batch, max_batch))
    if not whole or not 0 <= min_batch <= max_batch <= MAX_BATCH or max_batch < 1:
        raise InvalidInput(
            "min_batch {min_batch} and max_batch {max_batch} don't fit: give whole numbers, min_batch ≤ "
            "max_batch ≤ {most}.",
            min_batch=repr(min_batch),
            max_batch=repr(max_batch),
            most=MAX_BATCH,
        )
    if max_batch < 2 * min_batch - 1:
        raise InvalidInput(
            "Batches of {min_batch} to {max_batch} can't hold every count of numbers: raise max_batch to "
            "at least {least}.",
            min_batch=min_batch,
            max_batch=max_batch,
            least=2 * min_batch - 1,
        )
