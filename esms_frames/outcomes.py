"""Say of each row of an audience larger than memory what became of it: a Dask DataFrame of results, read when asked for.

What became of each number is put together on disk, first by the number's first two digits, so that no more than those of
one beginning are in memory, then by partitions, as codes that stand for outcomes. A partition's results are its rows and
its codes; nothing else is read for them, no journal is opened, and no gateway is asked.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import phones
from esms_frames.audience import STATUSES
from esms_frames.large import read_part
from esms_frames.results import Outcome, Status, results_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from esms_frames.large import LargeAudience

_BEGINNING = 10**7  # the numbers that begin with the same two digits
_CODE_BITS = 32
_BUFFERED = 2_000_000  # pairs that are held before they are written


class Outcomes:
    """What became of the numbers of a campaign, gathered on disk; of a number that is told of twice, the higher rank holds.

    Parameters
    ----------
    audience : LargeAudience
        Whose rows the results will be of; they are written into its folder.
    """

    def __init__(self, audience: LargeAudience) -> None:
        self._audience = audience
        self._folder = Path(tempfile.mkdtemp(prefix="results-", dir=audience.folder))
        (self._folder / "numbers").mkdir()
        self._outcomes: dict[int, Outcome] = {}
        self._waiting: list[NDArray[np.int64]] = []
        self._size = 0

    def tell(self, rank: int, outcome: Outcome, numbers: NDArray[np.int32]) -> None:
        """Note what became of numbers."""
        self._outcomes[rank] = outcome
        self._waiting.append((numbers.astype(np.int64) << _CODE_BITS) | rank)
        self._size += len(numbers)
        if self._size >= _BUFFERED:
            self._write()

    def results(self, otherwise: Outcome) -> Any:
        """Give the results of all rows; `otherwise` holds of those that are ready and that nothing was told of."""
        import dask  # noqa: PLC0415 - for those who have it

        self._write()
        for file in (self._folder / "numbers").glob("*.i64"):
            pairs = np.sort(np.fromfile(file, dtype=np.int64))
            is_last = np.append(pairs[1:] >> _CODE_BITS != pairs[:-1] >> _CODE_BITS, [True])
            np.save(file.with_suffix(".npy"), pairs[is_last[: len(pairs)]])
            file.unlink()
        folder, source = str(self._folder), str(self._audience.folder)
        parts = [dask.delayed(_looked_up)(part, source, folder) for part in range(self._audience.partitions)]
        used = np.unique(np.concatenate([np.empty(0, np.int32), *dask.compute(*parts)]))
        shutil.rmtree(self._folder / "numbers")
        told = {int(rank): self._outcomes[int(rank)] for rank in used if rank >= 0}
        if -1 in used:
            told[-1] = otherwise
        text = json.dumps([(rank, _as_json(outcome)) for rank, outcome in told.items()], ensure_ascii=False)
        (self._folder / "outcomes.json").write_text(text, encoding="utf-8")
        reasons = [*self._audience.reasons(), *(outcome.reason for outcome in told.values())]
        empty = _results(self._audience.empty, np.empty(0, np.int32), told, reasons)
        like, names = self._audience.empty, empty["reason"].cat.categories.tolist()
        return self._audience.lazily(read_results, empty, results=folder, like=like, reasons=names)

    def _write(self) -> None:
        pairs = np.concatenate([np.empty(0, np.int64), *self._waiting])
        self._waiting, self._size = [], 0
        beginning = (pairs >> _CODE_BITS) // _BEGINNING
        order = np.argsort(beginning, kind="stable")
        ends = np.searchsorted(beginning[order], np.arange(101))
        for start, end, which in zip(ends, ends[1:], range(100), strict=False):
            if end > start:
                with (self._folder / "numbers" / f"{which:02}.i64").open("ab") as file:
                    pairs[order[start:end]].tofile(file)


def read_results(
    part: int,
    folder: str,
    columns: Sequence[str] | None = None,
    *,
    results: str,
    like: pd.DataFrame,
    reasons: Sequence[str],
) -> pd.DataFrame:
    """Read the results of a partition."""
    frame = read_part(part, folder, like=like)
    written = json.loads((Path(results) / "outcomes.json").read_text(encoding="utf-8"))
    told = {rank: _from_json(values) for rank, values in written}
    table = _results(frame, np.load(_ranks_file(results, part)), told, reasons)
    return table if columns is None else table[list(columns)]


def _results(
    frame: pd.DataFrame, ranks: NDArray[np.int32], told: dict[int, Outcome], reasons: Iterable[str | None]
) -> pd.DataFrame:
    """Make the results of rows, of those that are ready by the ranks of their outcomes."""
    known = np.array(sorted(told), dtype=np.int64)
    owner = np.full(len(frame), -1)
    owner[(frame["status"] == "ready").to_numpy(dtype=bool)] = np.searchsorted(known, ranks)
    table = results_frame(frame, owner, [told[rank] for rank in known.tolist()])
    wanted = [reason for reason in dict.fromkeys(reasons) if reason is not None]
    named = pd.Index(wanted, dtype=table["reason"].cat.categories.dtype)  # which can't be told of none
    return table.assign(reason=table["reason"].cat.set_categories(named))


def _looked_up(part: int, folder: str, results: str) -> NDArray[np.int32]:
    """Write the ranks of what became of a partition's recipients, in the order of its rows, and give those that there are.

    Of a recipient that nothing was told of it is -1.
    """
    frame = read_part(part, folder, ["phone", "status"])
    numbers = phones.read(frame.loc[(frame["status"] == STATUSES[0]).to_numpy(dtype=bool), "phone"])
    ranks = np.full(len(numbers), -1, dtype=np.int32)
    order = np.argsort(numbers, kind="stable")
    sought = numbers[order].astype(np.int64)
    beginnings = sought // _BEGINNING
    for beginning in np.unique(beginnings).tolist():
        file = Path(results) / "numbers" / f"{beginning:02}.npy"
        if file.exists():
            start, stop = np.searchsorted(beginnings, [beginning, beginning + 1])
            pairs = np.load(file, mmap_mode="r")
            place = np.searchsorted(pairs, (sought[start:stop] + 1) << _CODE_BITS) - 1
            found = np.asarray(pairs[place.clip(0)])
            there = (place >= 0) & (found >> _CODE_BITS == sought[start:stop])
            ranks[order[start:stop][there]] = found[there] & ((1 << _CODE_BITS) - 1)
    np.save(_ranks_file(results, part), ranks)
    return np.unique(ranks)


def _ranks_file(results: str | Path, part: int) -> Path:
    return Path(results) / f"part-{part:06}.npy"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    sent_at = None if outcome.sent_at is None else outcome.sent_at.isoformat()
    return asdict(outcome) | {"status": str(outcome.status), "sent_at": sent_at}


def _from_json(values: dict[str, Any]) -> Outcome:
    sent_at = None if values["sent_at"] is None else datetime.fromisoformat(values["sent_at"])
    return Outcome(**(values | {"status": Status(values["status"]), "sent_at": sent_at}))
