"""A set of national numbers that takes one bit a number, however many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        """Put numbers in."""
        np.bitwise_or.at(self._bits, numbers >> 3, _bit(numbers))

    def remove(self, numbers: NDArray[np.int32]) -> None:
        """Take numbers out."""
        np.bitwise_and.at(self._bits, numbers >> 3, ~_bit(numbers))

    def holds(self, numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which numbers are in it."""
        found: NDArray[np.bool_] = (self._bits[numbers >> 3] & _bit(numbers)) > 0
        return found


def _bit(numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (numbers & 7).astype(np.uint8))


class Settled:
    """The numbers that a campaign's batches were accepted with, and which batches these are; the journal keeps it true."""

    def __init__(self) -> None:
        self.numbers = NumberSet()
        self.batches: set[int] = set()
