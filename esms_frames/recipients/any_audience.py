"""The base of the audience of a DataFrame and of one larger than memory: counts, numbers and parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd

from esms_frames.base import columns
from esms_frames.base.errors import TooFewRecipients
from esms_frames.base.labels import text_of
from esms_frames.recipients.display import Overview
from esms_frames.recipients.phones import numbering_plan
from esms_frames.recipients.row_status import REASONS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    Coding = Callable[[NDArray[np.int32], NDArray[np.integer[Any]]], NDArray[np.int32]]
    Building = Callable[[pd.DataFrame, NDArray[np.int32], Any], pd.DataFrame]


class AnyAudience(ABC):
    """The recipients of a campaign, wherever the rows are: numbers and small codes are in memory.

    `plan`, `send` and `results` know of an audience what stands here, and nothing else.

    Attributes
    ----------
    column : label
        The column of the customers that the phones were read from.
    min_batch, max_batch : int
        The limits that the batches keep.
    """

    column: Hashable
    min_batch: int
    max_batch: int
    _at_once: ClassVar[int | None] = None
    """How many numbers are planned and sent at once, at most; None for all."""

    @property
    @abstractmethod
    def segments(self) -> pd.Index[Any] | None:
        """The names of the segments; None without."""

    @property
    @abstractmethod
    def sizes(self) -> NDArray[np.int64]:
        """How many recipients each segment has; one number without segments."""

    @abstractmethod
    def _count_rows(self) -> NDArray[np.int64]:
        """Count the rows by the codes of status and reason; the last reason is none."""

    @abstractmethod
    def _count_networks(self) -> NDArray[np.int64]:
        """Count the recipients of each network; the last is none."""

    @abstractmethod
    def _read_recipients(self) -> tuple[NDArray[np.int32], NDArray[np.integer[Any]]]:
        """Return the national numbers of all recipients in the order of the rows, and their segments if there are any."""

    @abstractmethod
    def _read_excluded(self) -> NDArray[np.int32]:
        """Return the numbers on the exclude list; not those of rows that are left out for want of a segment or message."""

    @abstractmethod
    def _encode(self, code_of: Coding) -> Any:
        """Assign each recipient a code, part by part; the result is for `_build`."""

    @abstractmethod
    def _build(self, build: Building, codes: Any, shared: Shared) -> Any:
        """Build a frame of the rows of each part, the codes of its recipients and what the parts share."""

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each status."""
        return dict(zip(STATUSES, self._count_rows().sum(axis=1).tolist(), strict=True))

    def by_segment(self) -> pd.Series[int] | None:
        """Count the recipients of each segment, the most first.

        Returns
        -------
        Series of int or None
            By the names of the segments; None without segments.
        """
        if self.segments is None:
            return None
        return pd.Series(self.sizes, index=self.segments).sort_values(ascending=False, kind="stable")

    def summary(self) -> pd.DataFrame:
        """Count the rows by status and reason, the largest of each status first.

        Returns
        -------
        DataFrame
            Columns ``status``, ``reason``, ``rows`` (int) and ``share`` (float, of all rows).
        """
        rows = self._count_rows()
        status, reason = np.nonzero(rows)
        table = pd.DataFrame(
            {
                "status": columns.category_from_codes(status, STATUSES),
                "reason": columns.category_from_codes(np.where(reason == len(REASONS), -1, reason), REASONS),
                "rows": rows[status, reason],
            }
        ).sort_values(["status", "rows"], ascending=[True, False])
        return table.assign(share=table["rows"] / max(int(rows.sum()), 1)).reset_index(drop=True)

    def __repr__(self) -> str:
        return self._overview().text(type(self).__name__)

    def _repr_html_(self) -> str:
        return self._overview().html()

    def _overview(self) -> Overview:
        sizes = self.sizes[self.sizes > 0]
        batches = -(-sizes // self.max_batch)
        names, _ = numbering_plan.networks()
        networks = pd.Series(self._count_networks(), index=[*names, "unknown"])
        return Overview(
            column=self.column,
            rows=int(self._count_rows().sum()),
            ready=int(sizes.sum()),
            batches=int(batches.sum()),
            smallest=int((sizes // batches).min(initial=self.max_batch)),
            largest=int((-(-sizes // batches)).max(initial=0)),
            summary=self.summary(),
            networks=networks[networks > 0].sort_values(ascending=False, kind="stable"),
            segments=self.by_segment(),
        )

    def _numbers_by_segment(self) -> list[NDArray[np.int32]]:
        """Return the national numbers of each segment's recipients, in the order of the rows; without segments, of all."""
        numbers, codes = self._read_recipients()
        if not len(codes):
            return [numbers for _ in self.sizes]
        return np.split(numbers[np.argsort(codes, kind="stable")], np.cumsum(self.sizes)[:-1])

    def _check_enough(self) -> None:
        """Check that there are as many recipients as a batch needs, in all and of each segment that has any."""
        segments = self.by_segment()
        sizes = {} if segments is None else {text_of(segment): int(n) for segment, n in segments.items()}
        small = {segment: n for segment, n in sizes.items() if 0 < n < self.min_batch}
        counts = self.counts
        if small or counts["ready"] < self.min_batch:
            raise TooFewRecipients(self.min_batch, counts, small)


def count_rows(status: NDArray[np.integer[Any]], reason: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Count rows by the codes of their status and reason; the last reason is none."""
    reasons = len(REASONS) + 1
    code = status.astype(np.int64) * reasons + np.where(reason < 0, len(REASONS), reason)
    return np.bincount(code, minlength=len(STATUSES) * reasons).reshape(-1, reasons)


def count_networks(network: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Count recipients by the codes of their networks; the last is none."""
    names, _ = numbering_plan.networks()
    return np.bincount(np.where(network < 0, len(names), network), minlength=len(names) + 1)


class Shared(Protocol):
    """The values that the parts of an audience share when a frame is built of each."""

    def to_text(self) -> str:
        """Write it as text."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read it from text."""
