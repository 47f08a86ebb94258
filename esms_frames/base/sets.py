"""Sets of numbers: fast operations on arrays, and one bit a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from esms_frames.base.parallel import map_in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray


_CACHED = 1_000_000  # numbers: their hash table takes a few megabytes
_Integer = TypeVar("_Integer", bound=np.signedinteger[Any])


def is_among(numbers: NDArray[_Integer], others: NDArray[_Integer]) -> NDArray[np.bool_]:
    """Return for each number whether it is one of the others."""
    if not len(others):
        return np.zeros(len(numbers), dtype=bool)
    return pd.Series(numbers).isin(others).to_numpy()


def distinct(numbers: NDArray[_Integer]) -> NDArray[_Integer]:
    """Return each number once, sorted."""
    return np.sort(pd.unique(numbers))


def find_repeated(numbers: NDArray[_Integer]) -> NDArray[np.bool_]:
    """Return for each number whether it is a repetition of an earlier one.

    A hash table of many millions is larger than a processor's cache, and slow: they are processed in parts that never share
    a number.
    """
    parts = -(-len(numbers) // _CACHED)
    if parts < 2:
        return pd.Series(numbers).duplicated().to_numpy()
    part, again = numbers % parts, np.zeros(len(numbers), dtype=bool)

    def look(which: int) -> None:
        rows = np.flatnonzero(part == which)
        again[rows] = pd.Series(numbers[rows]).duplicated().to_numpy()

    map_in_threads(look, range(parts))
    return again


def find_positions(numbers: NDArray[_Integer], among: NDArray[_Integer]) -> NDArray[np.int64]:
    """Find each number's position among others, which are all different; -1 if it is not there."""
    found: NDArray[np.int64] = pd.Index(among).get_indexer(pd.Index(numbers)).astype(np.int64)
    return found


_NUMBERS = 10**9  # nine digits


class NumberSet:
    """A set of national numbers: 125 MB of address space, of which only what is used is memory.

    Examples
    --------
    >>> some = NumberSet()
    >>> some.add(np.array([901888484, 901888485], dtype=np.int32))
    >>> some.remove(np.array([901888485], dtype=np.int32))
    >>> some.holds(np.array([901888484, 901888485], dtype=np.int32)).tolist()
    [True, False]
    """

    def __init__(self) -> None:
        self._bits = np.zeros(_NUMBERS // 8, dtype=np.uint8)

    def add(self, numbers: NDArray[np.int32]) -> None:
        """Add numbers."""
        np.bitwise_or.at(self._bits, numbers >> 3, _bit(numbers))

    def add_new(self, numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Add numbers, and return which were new; of equal numbers only the first is."""
        is_new = ~(find_repeated(numbers) | self.holds(numbers))
        self.add(numbers[is_new])
        return is_new

    def remove(self, numbers: NDArray[np.int32]) -> None:
        """Remove numbers."""
        np.bitwise_and.at(self._bits, numbers >> 3, ~_bit(numbers))

    def holds(self, numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which numbers are in it."""
        found: NDArray[np.bool_] = (self._bits[numbers >> 3] & _bit(numbers)) > 0
        return found


def _bit(numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (numbers & 7).astype(np.uint8))
