"""Sets of numbers by hash tables of pandas', many times faster than numpy's `isin` and `unique` on millions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from esms_frames.threads import in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CACHED = 1_000_000  # numbers: their hash table takes a few megabytes
_Integer = TypeVar("_Integer", bound=np.signedinteger[Any])


def is_among(numbers: NDArray[_Integer], others: NDArray[_Integer]) -> NDArray[np.bool_]:
    """Tell for each number whether it is one of the others."""
    if not len(others):
        return np.zeros(len(numbers), dtype=bool)
    return pd.Series(numbers).isin(others).to_numpy()


def distinct(numbers: NDArray[_Integer]) -> NDArray[_Integer]:
    """Give each number once, sorted."""
    return np.sort(pd.unique(numbers))


def repeated(numbers: NDArray[_Integer]) -> NDArray[np.bool_]:
    """Tell for each number whether it stands further ahead already.

    A hash table of many millions is larger than a processor's cache, and slow: they are looked at in parts that never share
    a number.
    """
    parts = -(-len(numbers) // _CACHED)
    if parts < 2:
        return pd.Series(numbers).duplicated().to_numpy()
    part, again = numbers % parts, np.zeros(len(numbers), dtype=bool)

    def look(which: int) -> None:
        rows = np.flatnonzero(part == which)
        again[rows] = pd.Series(numbers[rows]).duplicated().to_numpy()

    in_threads(look, range(parts))
    return again


def places(numbers: NDArray[_Integer], among: NDArray[_Integer]) -> NDArray[np.int64]:
    """Find each number's place among others, which are different; -1 where it is not there."""
    found: NDArray[np.int64] = pd.Index(among).get_indexer(pd.Index(numbers)).astype(np.int64)
    return found
