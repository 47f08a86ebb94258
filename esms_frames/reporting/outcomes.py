"""Find what became of each row of an audience: numbers are looked up in memory, frames are built wherever the rows are."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from esms_frames.recipients.row_status import REASONS
from esms_frames.reporting.frame import (
    Outcome,
    Status,
    has_another_text,
    is_of_another_segment,
    is_segmented,
    results_frame,
    warn_of_differences,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from esms_frames.recipients.any_audience import AnyAudience


_BITS = 32
_LOWER = (1 << _BITS) - 1
_MOMENTS = ("sent_at", "scheduled_for")


class Outcomes:
    """The outcomes of numbers; if a number has two, the higher rank holds."""

    def __init__(self) -> None:
        self._by_rank: dict[int, Outcome] = {}
        self._numbers: list[NDArray[np.int32]] = []
        self._ranks: list[int] = []

    def tell(self, rank: int, outcome: Outcome, numbers: NDArray[np.int32]) -> None:
        """Note what became of numbers; what is told under one rank is one outcome."""
        self._by_rank[rank] = outcome
        self._numbers.append(numbers)
        self._ranks.append(rank)

    @property
    def numbers(self) -> NDArray[np.int32]:
        """The numbers that something was told of, once each, in the order in which they were told."""
        return pd.unique(np.concatenate([np.empty(0, dtype=np.int32), *self._numbers]))

    def ranked(self) -> list[Outcome]:
        """List the outcomes by their ranks, the lowest first."""
        return [self._by_rank[rank] for rank in sorted(self._by_rank)]

    def finder(self) -> Callable[[NDArray[np.int32]], NDArray[np.int32]]:
        """Return a function that finds of each number its place in `ranked`, or how long that is where nothing was told.

        What was told is taken out, so that no number is in memory twice.
        """
        places = {rank: place for place, rank in enumerate(sorted(self._by_rank))}
        pairs = np.empty(sum(map(len, self._numbers)), dtype=np.int64)  # a number and the place of its outcome
        start = 0
        while self._numbers:
            numbers, rank = self._numbers.pop(), self._ranks.pop()
            pairs[start : start + len(numbers)] = (numbers.astype(np.int64) << _BITS) | places[rank]
            start += len(numbers)
        pairs.sort()

        def find(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
            found = np.full(len(numbers), len(places), dtype=np.int32)
            if len(pairs):
                ordered = np.sort((numbers.astype(np.int64) << _BITS) | np.arange(len(numbers)))
                sought, order = ordered >> _BITS, ordered & _LOWER
                last = pairs[(np.searchsorted(pairs, (sought + 1) << _BITS) - 1).clip(0)]
                is_told = last >> _BITS == sought
                found[order[is_told]] = last[is_told] & _LOWER
            return found

        return find


@dataclass(frozen=True)
class Told:
    """The values that the results of all parts of an audience share.

    Attributes
    ----------
    outcomes : list of Outcome
        What became of the recipients.
    texts : mapping of str or None to str, or None
        As for `results_frame`.
    compared : bool
        Likewise.
    reasons : list of str
        The reasons that rows have.
    """

    outcomes: list[Outcome]
    texts: Mapping[str | None, str] | None
    compared: bool
    reasons: list[str]

    def to_text(self) -> str:
        """Write it as JSON."""
        texts = None if self.texts is None else list(self.texts.items())
        outcomes = [asdict(outcome) for outcome in self.outcomes]
        values = {"outcomes": outcomes, "texts": texts, "compared": self.compared, "reasons": self.reasons}
        return json.dumps(values, ensure_ascii=False, default=datetime.isoformat)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read it from JSON."""
        values = json.loads(text)
        texts = None if values["texts"] is None else dict(values["texts"])
        return cls(list(map(_read_outcome, values["outcomes"])), texts, values["compared"], values["reasons"])


def build_results(
    audience: AnyAudience,
    outcomes: Outcomes,
    otherwise: Outcome,
    texts: Mapping[str | None, str] | None = None,
    *,
    stacklevel: int,
) -> Any:
    """Build the results of an audience's rows: a DataFrame of its kind.

    Parameters
    ----------
    audience : AnyAudience
        Whose rows they are of.
    outcomes : Outcomes
        What became of numbers.
    otherwise : Outcome
        What became of recipients that nothing was told of.
    texts : mapping of str or None to str, optional
        The fingerprints of the texts that the rows are to get by now, as for `results_frame`.
    stacklevel : int
        Who is warned of rows that were sent otherwise, as in `warnings.warn`.
    """
    find, told = outcomes.finder(), [*outcomes.ranked(), otherwise]
    counted: list[Counter[int]] = []

    def code_of(numbers: NDArray[np.int32], segments: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        places = find(numbers)
        pairs = places.astype(np.int64) << _BITS
        counts = pd.Series(pairs | (segments.astype(np.int64) + 1) if len(segments) else pairs).value_counts()
        counted.append(Counter(dict(zip(counts.index.tolist(), counts.tolist(), strict=True))))
        return places

    codes = audience._encode(code_of)
    names = [None] if audience.segments is None else [None, *audience.segments]
    kinds = [
        (told[pair >> _BITS], names[pair & _LOWER], count)
        for pair, count in sorted(sum(counted, Counter[int]()).items())
    ]
    is_compared = audience.segments is not None and is_segmented(told, texts)
    others = sum(count for outcome, name, count in kinds if is_compared and is_of_another_segment(outcome, name))
    retold = sum(count for outcome, name, count in kinds if has_another_text(outcome, name, texts))
    warn_of_differences(others, retold, stacklevel=stacklevel + 1)
    of_audience = set(audience.summary()["reason"].dropna())
    reasons: list[str | None] = [str(reason) for reason in REASONS if reason in of_audience]
    for outcome, name, _ in kinds:
        reasons += [outcome.reason]
        reasons += [outcome.reason_with_another_text()] if has_another_text(outcome, name, texts) else []
    shared = Told(told, texts, others > 0, [reason for reason in dict.fromkeys(reasons) if reason is not None])
    return audience._build(build_part, codes, shared)


def build_part(frame: pd.DataFrame, codes: NDArray[np.int32], told: Told) -> pd.DataFrame:
    """Build the results of rows, of those that are recipients by the places of their outcomes."""
    owner = np.full(len(frame), -1)
    owner[(frame["status"] == "ready").to_numpy(dtype=bool)] = codes
    table = results_frame(frame, owner, told.outcomes, told.texts, compared=told.compared)
    reasons = pd.Index(told.reasons, dtype=table["reason"].cat.categories.dtype)  # which can't be told of none
    return table.assign(reason=table["reason"].cat.set_categories(reasons))


def _read_outcome(values: dict[str, Any]) -> Outcome:
    moments = {name: datetime.fromisoformat(values[name]) for name in _MOMENTS if values[name] is not None}
    return Outcome(**(values | {"status": Status(values["status"])} | moments))
