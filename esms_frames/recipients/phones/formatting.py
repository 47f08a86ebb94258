"""Write national numbers as text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from esms_frames.base import columns
from esms_frames.base.parallel import map_in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ROWS, _DOUBTFUL_ROWS = 32_768, 8_192


_TEN_DIGITS = [("first", "<u2"), ("middle", "<u4"), ("last", "<u4")]


def format_phones(found: NDArray[np.int32]) -> Any:
    """Write national numbers as text of ten digits, NA for what is no number; a pandas text array."""
    valid = found >= 0
    offsets = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum(valid, out=offsets[1:])
    digits = np.empty(int(offsets[-1]), dtype=_TEN_DIGITS)

    def write(part: slice) -> None:
        subset, begin = found[part][valid[part]], offsets[part.start]
        _write_digits(subset, digits[begin : begin + len(subset)])

    map_in_threads(write, _parts(len(found)))
    offsets *= 10
    bitmap = np.packbits(valid, bitorder="little")
    buffers = [pa.py_buffer(bitmap), pa.py_buffer(offsets), pa.py_buffer(digits)]
    return columns.text_from_arrow(pa.Array.from_buffers(pa.large_string(), len(found), buffers))


def join_phones(numbers: NDArray[np.int32]) -> str:
    """Write national numbers as text of ten digits each, with blanks between them."""
    digits = np.empty(len(numbers), dtype=[*_TEN_DIGITS, ("blank", "u1")])
    digits["blank"] = ord(" ")
    _write_digits(numbers, digits)
    return digits.tobytes()[:-1].decode("ascii")


def _parts(rows: int) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, rows, _ROWS)]


def _write_digits(numbers: NDArray[np.int32], digits: NDArray[np.void]) -> None:
    """Write the ten digits of national numbers into records, two and twice four in one machine word each."""
    pairs, fours = _digit_tables()
    rest = numbers % 10**8
    digits["first"] = pairs[numbers // 10**8]
    digits["middle"] = fours[rest // 10**4]
    digits["last"] = fours[rest % 10**4]


@cache
def _digit_tables() -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Return the text of 00 to 99 and of 0000 to 9999, each as one machine word."""
    pairs = np.array([b"%02d" % n for n in range(100)]).view("<u2")
    fours = np.array([b"%04d" % n for n in range(10_000)]).view("<u4")
    return pairs, fours
