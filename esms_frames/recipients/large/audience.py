"""An audience that is larger than memory: its parts on disk, and what is known of the whole."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from esms_frames.base.parallel import map_in_threads
from esms_frames.recipients.any_audience import AnyAudience
from esms_frames.recipients.batching import batch_borders
from esms_frames.recipients.phones import formatting

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from esms_frames.recipients.any_audience import Building, Coding, Shared


@dataclass(frozen=True, repr=False, eq=False)
class LargeAudience(AnyAudience):
    """The recipients of a campaign with more rows than memory holds. Made by `prepare`.

    It is that of `Audience`, row by row, but on disk: in a folder with one Parquet file for each partition of the Dask
    DataFrame that it was prepared from. What it shows are counts; rows are read when they are asked for. In memory are the
    numbers of the recipients, five bytes or so each.

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
    _empty: pd.DataFrame  # a frame as each partition's is, without rows
    _rows: NDArray[np.int64]  # how many rows there are, by the codes of status and reason; the last reason is none
    _networks: NDArray[np.int64]  # how many recipients each network has; the last is none
    _ready_by_part: NDArray[np.int64]  # recipients by partition and segment; one column without segments
    _numbers: NDArray[np.int32]  # of all recipients, in the order of the rows
    _codes: NDArray[np.integer[Any]]  # the segment of each of them; empty without segments
    _excluded: NDArray[np.int32]  # the numbers of rows that are on the exclude list
    _at_once: ClassVar[int | None] = 1_000_000

    @property
    def frame(self) -> Any:
        """The rows as a Dask DataFrame: the columns of `Audience.frame`, and the index of the customers."""
        return self._lazily(read_part, self._empty, like=self._empty)

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
        for numbers in self._numbers_by_segment():
            for start, stop in batch_borders(len(numbers), self.max_batch):
                yield pd.Series(formatting.format_phones(numbers[start:stop]), name="phone")

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self._ready_by_part)

    @property
    def segments(self) -> pd.Index[Any] | None:
        """The names of the segments; None without."""
        return self._empty["segment"].cat.categories if "segment" in self._empty else None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many recipients each segment has; one number without segments."""
        sizes: NDArray[np.int64] = self._ready_by_part.sum(axis=0)
        return sizes

    def _count_rows(self) -> NDArray[np.int64]:
        return self._rows

    def _count_networks(self) -> NDArray[np.int64]:
        return self._networks

    def _read_recipients(self) -> tuple[NDArray[np.int32], NDArray[np.integer[Any]]]:
        return self._numbers, self._codes

    def _read_excluded(self) -> NDArray[np.int32]:
        return self._excluded

    def _encode(self, code_of: Coding) -> str:
        """Write the codes into a new folder within the audience's, one file a partition, and return its path."""
        folder = tempfile.mkdtemp(prefix="results-", dir=self.folder)
        ends = np.append(0, np.cumsum(self._ready_by_part.sum(axis=1)))

        def write(part: int) -> None:
            here = slice(ends[part], ends[part + 1])
            np.save(_codes_file(folder, part), code_of(self._numbers[here], self._codes[here]))

        map_in_threads(write, range(self.partitions))
        return folder

    def _build(self, build: Building, codes: str, shared: Shared) -> Any:
        """Build a Dask DataFrame; a partition needs its rows and codes, and nothing else."""
        _shared_file(codes).write_text(shared.to_text(), encoding="utf-8")
        empty = build(self._empty, np.empty(0, dtype=np.int32), shared)
        terms: dict[str, Any] = {"like": self._empty, "codes": codes, "build": build, "kind": type(shared)}
        return self._lazily(build_part, empty, **terms)

    def _lazily(self, read: Any, empty: pd.DataFrame, **arguments: Any) -> Any:
        """Make a Dask DataFrame whose partitions a function reads from the audience's folder."""
        import dask  # noqa: PLC0415 - for those who have it
        import dask.dataframe as dd  # noqa: PLC0415

        parts, folder = list(range(self.partitions)), str(self.folder)
        with dask.config.set({"dataframe.convert-string": False}):  # the dtypes are those of pandas
            return dd.from_map(read, parts, folder=folder, meta=empty, divisions=self.divisions, **arguments)


def build_part(
    part: int,
    folder: str,
    columns: Sequence[str] | None = None,
    *,
    like: pd.DataFrame,
    codes: str,
    build: Building,
    kind: type[Shared],
) -> pd.DataFrame:
    """Build the frame of a partition out of its rows, the codes of its recipients and what all partitions share."""
    shared = kind.from_text(_shared_file(codes).read_text(encoding="utf-8"))
    table = build(read_part(part, folder, like=like), np.load(_codes_file(codes, part)), shared)
    return table if columns is None else table[list(columns)]


def _codes_file(folder: str, part: int) -> Path:
    return Path(folder) / f"part-{part:06}.npy"


def _shared_file(folder: str) -> Path:
    return Path(folder) / "shared.json"


def frame_file(folder: str | Path, part: int) -> Path:
    """Name the file of a partition's rows."""
    return Path(folder) / "frame" / f"part-{part:06}.parquet"


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
