"""An audience that is larger than memory: its parts on disk, and what is known of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from esms_frames import columns, numbering, phones
from esms_frames.audience import REASONS, STATUSES, batch_borders
from esms_frames.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

_SOME = 1_000_000  # numbers that are read at once


@dataclass(frozen=True, repr=False, eq=False)
class LargeAudience:
    """Who is texted, who is not and why, in which batch, of more rows than memory holds. Made by `prepare`.

    It is that of `Audience`, row by row, but on disk: in a folder with one Parquet file for each partition of the Dask
    DataFrame that it was prepared from. What it shows are counts; rows are read when they are asked for.

    Attributes
    ----------
    folder : Path
        Where the audience is. One that `prepare` was not told a folder for is removed when Python ends.
    column : label
        The column of the customers that the phones were read from.
    min_batch, max_batch : int
        The limits that the batches keep.
    divisions : tuple
        The divisions of the customers, which those of `frame` and of results are too.
    empty : DataFrame
        A frame as each partition's is, without rows.
    rows : array of int, shape (status, reason)
        How many rows there are of each status and reason, which have their codes; the last reason is none.
    networks : array of int
        How many recipients each network has; the last is none.
    ready_by_part : array of int, shape (partitions, segments)
        How many recipients each partition has of each segment; one column without segments.
    excluded : array of int32
        The numbers of rows that are on the exclude list.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import esms_frames as ef
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 80)] + ["n/a", "0901888410"]})
    >>> audience = ef.prepare(dd.from_pandas(customers, npartitions=3), max_batch=60)
    >>> audience
    <LargeAudience: 70 of 72 rows can be texted, in 2 batches of 35; phones from 'sdt'>
             70   97.2%  ready to send
              1    1.4%  duplicate: same phone as an earlier row
              1    1.4%  invalid: not a number
    >>> audience.rejected.compute()["reason"].tolist(), [len(batch) for batch in audience.batches]
    (['not_a_number', 'same phone as an earlier row'], [35, 35])
    """

    folder: Path
    column: Hashable
    min_batch: int
    max_batch: int
    divisions: tuple[Any, ...]
    empty: pd.DataFrame
    rows: NDArray[np.int64]
    networks: NDArray[np.int64]
    ready_by_part: NDArray[np.int64]
    excluded: NDArray[np.int32]

    @property
    def frame(self) -> Any:
        """The rows as a Dask DataFrame: the columns of `Audience.frame`, and the index of the customers."""
        return self.lazily(read_part, self.empty, like=self.empty)

    @property
    def ready(self) -> Any:
        """The rows that are texted, as a Dask DataFrame."""
        frame = self.frame
        return frame[frame["status"] == "ready"]

    @property
    def rejected(self) -> Any:
        """The rows that are not texted, each with its reason, as a Dask DataFrame."""
        frame = self.frame
        return frame[frame["status"] != "ready"]

    @property
    def batches(self) -> Iterator[pd.Series[str]]:
        """The phones of each batch, read one after the other: a Series each, numbered from 0, that fits `Client.send`."""
        for segment, size in enumerate(self.sizes.tolist()):
            for start, stop in batch_borders(size, self.max_batch):
                yield pd.Series(phones.phone_text(self.numbers(segment, start, stop)), name="phone")

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.ready_by_part)

    @property
    def segments(self) -> pd.Index[Any] | None:
        """The names of the segments; None without."""
        return self.empty["segment"].cat.categories if "segment" in self.empty else None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many recipients each segment has; one number without segments."""
        sizes: NDArray[np.int64] = self.ready_by_part.sum(axis=0)
        return sizes

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each status."""
        return dict(zip(STATUSES, self.rows.sum(axis=1).tolist(), strict=True))

    def reasons(self) -> list[str]:
        """List the reasons that rows have, in the order of their codes."""
        return [str(reason) for reason, rows in zip(REASONS, self.rows.sum(axis=0).tolist(), strict=False) if rows]

    def by_segment(self) -> pd.Series[int] | None:
        """Count the recipients of each segment, the most first; None without segments."""
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
        status, reason = np.nonzero(self.rows)
        table = pd.DataFrame(
            {
                "status": columns.category_from_codes(status, STATUSES),
                "reason": columns.category_from_codes(np.where(reason == len(REASONS), -1, reason), REASONS),
                "rows": self.rows[status, reason],
            }
        ).sort_values(["status", "rows"], ascending=[True, False])
        return table.assign(share=table["rows"] / max(int(self.rows.sum()), 1)).reset_index(drop=True)

    def __repr__(self) -> str:
        return self._overview().text("LargeAudience")

    def _repr_html_(self) -> str:
        return self._overview().html()

    def _overview(self) -> Overview:
        sizes = self.sizes[self.sizes > 0]
        batches = -(-sizes // self.max_batch)
        names, _ = numbering.networks()
        networks = pd.Series(self.networks, index=[*names, "unknown"])
        return Overview(
            column=self.column,
            rows=int(self.rows.sum()),
            ready=int(sizes.sum()),
            batches=int(batches.sum()),
            smallest=int((sizes // batches).min(initial=self.max_batch)),
            largest=int((-(-sizes // batches)).max(initial=0)),
            summary=self.summary(),
            networks=networks[networks > 0].sort_values(ascending=False, kind="stable"),
            segments=self.by_segment(),
        )

    def numbers(self, segment: int, start: int, stop: int) -> NDArray[np.int32]:
        """Read the national numbers of a segment's recipients, from one place among them to before another."""
        ends = np.cumsum(self.ready_by_part[:, segment])
        found = [np.empty(0, dtype=np.int32)]
        for part in range(int(np.searchsorted(ends, start, side="right")), self.partitions):
            before = int(ends[part] - self.ready_by_part[part, segment])
            if before >= stop:
                break
            offset = int(self.ready_by_part[part, :segment].sum()) - before
            there = np.load(numbers_file(self.folder, part), mmap_mode="r")
            found.append(np.array(there[max(start, before) + offset : min(stop, int(ends[part])) + offset]))
        return np.concatenate(found)

    def stretches(self, segment: int | None) -> Iterator[NDArray[np.int32]]:
        """Read the national numbers of a segment's recipients, or of all, in the order of the rows, some at once."""
        if segment is None:
            for part in range(self.partitions):
                frame = read_part(part, str(self.folder), ["phone", "status"])
                numbers = phones.read(frame.loc[(frame["status"] == "ready").to_numpy(dtype=bool), "phone"])
                yield from (numbers[start : start + _SOME] for start in range(0, len(numbers), _SOME))
            return
        size = int(self.sizes[segment])
        for start in range(0, size, _SOME):
            yield self.numbers(segment, start, min(start + _SOME, size))

    def lazily(self, read: Any, empty: pd.DataFrame, **arguments: Any) -> Any:
        """Make a Dask DataFrame whose partitions a function reads from the audience's folder."""
        import dask  # noqa: PLC0415 - for those who have it
        import dask.dataframe as dd  # noqa: PLC0415

        parts, folder = list(range(self.partitions)), str(self.folder)
        with dask.config.set({"dataframe.convert-string": False}):  # the dtypes are those of pandas
            return dd.from_map(read, parts, folder=folder, meta=empty, divisions=self.divisions, **arguments)


def frame_file(folder: str | Path, part: int) -> Path:
    """Name the file of a partition's rows."""
    return Path(folder) / "frame" / f"part-{part:06}.parquet"


def numbers_file(folder: str | Path, part: int) -> Path:
    """Name the file of a partition's recipients: national numbers, segment by segment, in the order of the rows."""
    return Path(folder) / "numbers" / f"part-{part:06}.npy"


def write_part(folder: str | Path, part: int, frame: pd.DataFrame) -> None:
    """Write the rows of a partition."""
    frame.to_parquet(frame_file(folder, part), engine="pyarrow")


def read_part(
    part: int, folder: str, columns: Sequence[str] | None = None, *, like: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Read the rows of a partition, or some columns of them; `like` says the dtypes, which Parquet does not keep all."""
    table = pq.read_table(frame_file(folder, part), columns=columns, use_pandas_metadata=True)
    frame: pd.DataFrame = table.to_pandas()
    frame = frame if columns is None else frame[list(columns)]
    if like is None:
        return frame
    frame = frame.astype({name: like[name].dtype for name in frame if frame[name].dtype != like[name].dtype})
    if frame.index.dtype != like.index.dtype:
        frame.index = frame.index.astype(like.index.dtype)
    return frame
