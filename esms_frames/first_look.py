"""The first, fast look at a piece of a column: numbers from its bytes, and which rows are doubtful.

In text of ten digits a row, these are cut up at fixed places (`_read_ten_digits`). In any other, digits are picked out of
the buffer and those of each row are turned into one integer (`read_bytes`). Integers and floats go straight to the
arithmetic (`national`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from esms_frames import numbering
from esms_frames.cells import EXACT_BITS
from esms_frames.national import national_numbers
from esms_frames.problem import CODE, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esms_frames.national import Bools, Ints

# What a byte that is no digit means to the first, fast reading.
_SOFT, _PLUS, _HARD = range(3)
_KIND = np.full(256, _HARD, dtype=np.uint8)
_KIND[list(b" \t\r\x0b\x0c-.()[]{}<>_~'\"`")] = _SOFT
_KIND[list(b"+")] = _PLUS

WRAPPING = " \t\r\n\x0b\x0c'\"`"
"""What may stand around a number in its cell."""
_WRAPS = np.zeros(256, dtype=bool)
_WRAPS[list(WRAPPING.encode())] = True

_NOWHERE: Ints = np.empty(0, dtype=np.int64)


def first_look(chunk: Any) -> tuple[NDArray[np.int32], Ints, Any]:
    """Read a piece of a column; also give the places of the rows that need a second look, and their text."""
    again, text = _NOWHERE, None
    if pa.types.is_integer(chunk.type):
        found = _read_integers(_without_nulls(chunk, 0))
    elif pa.types.is_floating(chunk.type):
        found = _read_floats(_without_nulls(chunk, np.nan))
    else:
        found, again = _read_text(chunk)
        if again.size:
            text = chunk.take(pa.array(again)).cast(pa.large_string()).fill_null("")
    if chunk.null_count:
        found[chunk.is_null().to_numpy(zero_copy_only=False)] = CODE[Problem.MISSING]
    return found, again, text


def _without_nulls(chunk: Any, instead: float) -> NDArray[Any]:
    filled: NDArray[Any] = (chunk.fill_null(instead) if chunk.null_count else chunk).to_numpy(zero_copy_only=False)
    return filled


def _read_integers(numbers: NDArray[Any]) -> NDArray[np.int32]:
    negative = numbers < 0
    value = (np.minimum(numbers, 10**17) if numbers.dtype == np.uint64 else numbers).astype(np.int64)
    value = np.minimum(value, 10**17)
    value[negative] = 0
    zeros = np.zeros(len(value), dtype=np.int64)
    found = national_numbers(value, zeros, zeros.astype(bool))
    found[negative] = CODE[Problem.NOT_A_NUMBER]
    return found


def _read_floats(numbers: NDArray[Any]) -> NDArray[np.int32]:
    with np.errstate(invalid="ignore"):
        whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
    found = _read_integers(np.where(whole, np.minimum(numbers, 1e17), 0).astype(np.int64))
    found[~whole] = CODE[Problem.NOT_A_NUMBER]
    if numbers.dtype == np.float32:  # nine digits do not fit into its 24 bits
        found[np.abs(numbers) >= 2 ** EXACT_BITS[np.float32]] = CODE[Problem.ROUNDED]
    found[np.isnan(numbers)] = CODE[Problem.MISSING]
    return found


def _read_text(chunk: Any) -> tuple[NDArray[np.int32], Ints]:
    data, offsets = bytes_of(chunk)
    starts, ends = offsets[:-1], offsets[1:]
    if len(data) == 10 * len(starts) and (np.diff(offsets) == 10).all():
        ten = _read_ten_digits(data)
        if ten is not None:
            return ten, _NOWHERE
    found, doubtful = read_bytes(data, starts, ends)
    # Rows with other than printable ASCII, and those that begin or end with blanks or quotes, are read once more without.
    doubtful |= (_WRAPS[_at(data, starts)] | _WRAPS[_at(data, ends - 1)]) & (ends > starts)
    doubtful[np.searchsorted(starts, np.flatnonzero(is_unusual(data)), side="right") - 1] = True
    return found, np.flatnonzero(doubtful)


def is_unusual(data: NDArray[np.uint8]) -> Bools:
    """Tell which bytes are no printable ASCII."""
    return (data - np.uint8(32)) > np.uint8(94)


def _read_ten_digits(data: NDArray[np.uint8]) -> NDArray[np.int32] | None:
    """Read rows of ten bytes if they all are a zero and nine digits of a prefix that is in use; None otherwise."""
    rows = data.reshape(-1, 10)
    if (data - np.uint8(48) > 9).any() or (rows[:, 0] != ord("0")).any():
        return None
    first = rows[:, 1].astype(np.int32) - 48
    eight = np.ndarray(shape=(len(rows),), dtype="<u8", buffer=data, offset=2, strides=(10,))
    found = first * np.int32(10**8) + _joined(eight & np.uint64(0x0F0F0F0F0F0F0F0F)).astype(np.int32)
    return found if numbering.valid_prefixes()[found // numbering.PREFIX].all() else None


def _at(data: NDArray[np.uint8], places: Ints) -> NDArray[np.uint8]:
    return data[np.clip(places, 0, len(data) - 1)] if len(data) else np.zeros(len(places), dtype=np.uint8)


def bytes_of(chunk: Any) -> tuple[NDArray[np.uint8], Ints]:
    """View the bytes of an Arrow text array, and where its rows begin and end in them."""
    _, offset_buffer, data_buffer = chunk.buffers()
    width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    offsets = np.frombuffer(offset_buffer, dtype=width)[chunk.offset : chunk.offset + len(chunk) + 1].astype(
        np.int64, copy=False
    )
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    return data, offsets - offsets[0]


def read_bytes(data: NDArray[np.uint8], starts: Ints, ends: Ints) -> tuple[NDArray[np.int32], Bools]:
    """Read rows of ASCII bytes; the second array tells which rows need a second look."""
    is_digit = (data - np.uint8(48)) < 10
    others = np.flatnonzero(~is_digit)
    kind = _KIND[data[others]]
    digits = np.concatenate([np.zeros(16, dtype=np.uint8), data[is_digit] - np.uint8(48), np.zeros(3, dtype=np.uint8)])
    seen: Ints = np.zeros(len(data) + 1, dtype=np.int64 if len(data) >= 2**31 else np.int32)
    np.cumsum(is_digit, out=seen[1:])
    first, last = seen[starts], seen[ends]
    count = last - first
    lengths = ends - starts

    padded = np.concatenate([np.zeros(3, dtype=np.uint8), data, np.zeros(1, dtype=np.uint8)])
    opening = padded[starts + 3]
    plus = (opening == ord("+")) & (lengths > 0)
    doubtful = (opening == ord("-")) | (count > 16) | ((count == 0) & (lengths > 0))

    pluses = others[kind == _PLUS]
    if pluses.size > np.count_nonzero(plus):  # one is not at the beginning of its row
        rows = np.searchsorted(starts, pluses, side="right") - 1
        plus[rows] = True
        doubtful[rows[seen[pluses] > first[rows]]] = True
        doubtful |= np.bincount(rows, minlength=len(starts)) > 1
    hard = others[kind == _HARD]
    if hard.size:
        doubtful[np.searchsorted(starts, hard, side="right") - 1] = True

    # A point before the last digit or two and nowhere else is a decimal point: 901888484.0 is a float's text.
    decimals = (padded[ends + 1] == ord(".")) | (padded[ends] == ord("."))
    decimals &= lengths == count + 1 + plus
    float_like = decimals & (padded[ends + 1] == ord(".")) & (padded[ends + 2] == ord("0"))
    doubtful |= decimals & ~float_like

    count = np.minimum(count, 16)
    value = _integers(digits, last + 16, count)
    points = np.flatnonzero(float_like)
    value[points] //= 10
    count[points] -= 1
    found = national_numbers(value, _leading_zeros(digits, last + 16 - count - float_like, count), plus)
    found[lengths == 0] = CODE[Problem.MISSING]
    wrong = np.flatnonzero(found < 0)
    doubtful[wrong] |= padded[np.maximum(ends[wrong] - 1, 0)] == ord(".")  # 901888484.000
    return found, doubtful


def _integers(digits: NDArray[np.uint8], ends: Ints, count: Ints) -> Ints:
    """Turn the (at most 16) digits before each end into integers, eight bytes in one machine word at a time."""
    words = np.ndarray(shape=(max(len(digits) - 7, 1),), dtype="<u8", buffer=digits, strides=(1,))
    low = _eight_digits(words[ends - 8], np.minimum(count, 8))
    high = _eight_digits(words[ends - 16], np.maximum(count - 8, 0))
    return high * 10**8 + low


_KEEP_LAST = np.array([0] + [(2**64 - 1) << (64 - 8 * n) & (2**64 - 1) for n in range(1, 9)], dtype=np.uint64)


def _eight_digits(words: NDArray[np.uint64], count: Ints) -> Ints:
    return _joined(words & _KEEP_LAST[count])


def _joined(words: NDArray[np.uint64]) -> Ints:
    """Make one integer of the eight digits in each machine word: neighbours are joined to pairs, fours, and eights."""
    words = (words * np.uint64(10) + (words >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    words = (words * np.uint64(100) + (words >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    words = (words * np.uint64(10000) + (words >> np.uint64(32))) & np.uint64(0x00000000FFFFFFFF)
    return words.view(np.int64)


def _leading_zeros(digits: NDArray[np.uint8], first: Ints, count: Ints) -> Ints:
    """Count the zeros before the first other digit, up to three, of the digits that begin at a place each."""
    zeros = (digits[first] == 0).astype(np.int64)
    for place in (1, 2):
        some = np.flatnonzero(zeros == place)
        zeros[some] += digits[first[some] + place] == 0
    counted: Ints = np.minimum(zeros, count)
    return counted
