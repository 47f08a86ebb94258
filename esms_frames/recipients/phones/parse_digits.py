"""Fast path: parse plain digits straight from the Arrow buffer, and flag the rows that need the slow parser.

In text of ten digits a row, these are cut up at fixed places (`_read_ten_digits`). In any other, digits are picked out of
the buffer and those of each row are turned into one integer (`read_bytes`). Integers and floats go straight to the
arithmetic (`classify`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from esms_frames.recipients.phones import numbering_plan
from esms_frames.recipients.phones.area_codes import is_area_code
from esms_frames.recipients.phones.classify import classify_numbers
from esms_frames.recipients.phones.problems import CODE, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esms_frames.recipients.phones.classify import Bools, Ints


EXACT_BITS: dict[type, int] = {np.float16: 11, np.float32: 24}
"""How many bits of a whole number those floats hold which are too short for nine digits."""


# What a byte that is no digit means to the fast path.
_SOFT, _PLUS, _HARD = range(3)
_KIND = np.full(256, _HARD, dtype=np.uint8)
_KIND[list(b" \t\r\x0b\x0c-.()[]{}<>_~'\"`")] = _SOFT
_KIND[list(b"+")] = _PLUS

WRAPPING = " \t\r\n\x0b\x0c'\"`"
"""What may stand around a number in its cell."""
_CLOSES = np.zeros(256, dtype=bool)
_CLOSES[list(b")]}")] = True
_PLAIN = np.zeros(256, dtype=bool)
_PLAIN[list(b" .-")] = True
_WRAPS = np.zeros(256, dtype=bool)
_WRAPS[list(WRAPPING.encode())] = True

_NOWHERE: Ints = np.empty(0, dtype=np.int64)


def parse_digits(chunk: Any) -> tuple[NDArray[np.int32], Ints, Any]:
    """Read a piece of a column; return its numbers, the positions of the rows that need the slow parser, and their text."""
    again, text = _NOWHERE, None
    if pa.types.is_integer(chunk.type):
        found = _read_integers(_fill_nulls(chunk, 0))
    elif pa.types.is_floating(chunk.type):
        found = _read_floats(_fill_nulls(chunk, np.nan))
    else:
        found, again = _read_text(chunk)
        if again.size:
            text = chunk.take(pa.array(again)).cast(pa.large_string()).fill_null("")
    if chunk.null_count:
        found[chunk.is_null().to_numpy(zero_copy_only=False)] = CODE[Problem.MISSING]
    return found, again, text


def _fill_nulls(chunk: Any, instead: float) -> NDArray[Any]:
    filled: NDArray[Any] = (chunk.fill_null(instead) if chunk.null_count else chunk).to_numpy(zero_copy_only=False)
    return filled


def _read_integers(numbers: NDArray[Any]) -> NDArray[np.int32]:
    negative = numbers < 0
    value = (np.minimum(numbers, 10**17) if numbers.dtype == np.uint64 else numbers).astype(np.int64)
    value = np.minimum(value, 10**17)
    value[negative] = 0
    zeros = np.zeros(len(value), dtype=np.int64)
    found = classify_numbers(value, zeros, zeros.astype(bool))
    found[negative] = CODE[Problem.NOT_A_NUMBER]
    return found


def _read_floats(numbers: NDArray[Any]) -> NDArray[np.int32]:
    with np.errstate(invalid="ignore"):
        is_integer = np.isfinite(numbers) & (numbers == np.floor(numbers))
    found = _read_integers(np.where(is_integer, np.clip(numbers, -1, 1e17), 0).astype(np.int64))
    found[~is_integer] = CODE[Problem.NOT_A_NUMBER]
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
    """Return which bytes are not printable ASCII."""
    return (data - np.uint8(32)) > np.uint8(94)


def are_perhaps_old(found: NDArray[np.int32]) -> Bools:
    """Return which codes digits get that begin with an area code of before 2017 and not with a mobile prefix."""
    perhaps: Bools = (found == CODE[Problem.UNASSIGNED]) | (found == CODE[Problem.TOO_LONG])
    return perhaps


def _read_ten_digits(data: NDArray[np.uint8]) -> NDArray[np.int32] | None:
    """Read rows of ten bytes if all of them are a zero and nine digits with a valid prefix; None otherwise."""
    rows = data.reshape(-1, 10)
    if (data - np.uint8(48) > 9).any() or (rows[:, 0] != ord("0")).any():
        return None
    first = rows[:, 1].astype(np.int32) - 48
    eight = np.ndarray(shape=(len(rows),), dtype="<u8", buffer=data, offset=2, strides=(10,))
    found = first * np.int32(10**8) + _join_digits(eight & np.uint64(0x0F0F0F0F0F0F0F0F)).astype(np.int32)
    return found if numbering_plan.valid_prefixes()[found // numbering_plan.PREFIX].all() else None


def _at(data: NDArray[np.uint8], positions: Ints) -> NDArray[np.uint8]:
    return data[np.clip(positions, 0, len(data) - 1)] if len(data) else np.zeros(len(positions), dtype=np.uint8)


def bytes_of(chunk: Any) -> tuple[NDArray[np.uint8], Ints]:
    """Return a view of the bytes of an Arrow text array, and the offsets of its rows."""
    _, offset_buffer, data_buffer = chunk.buffers()
    width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    offsets = np.frombuffer(offset_buffer, dtype=width)[chunk.offset : chunk.offset + len(chunk) + 1].astype(
        np.int64, copy=False
    )
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    return data, offsets - offsets[0]


def read_bytes(data: NDArray[np.uint8], starts: Ints, ends: Ints) -> tuple[NDArray[np.int32], Bools]:
    """Read rows of ASCII bytes; the second array tells which rows need the slow parser."""
    is_digit = (data - np.uint8(48)) < 10
    others = np.flatnonzero(~is_digit)
    signs = data[others]
    kind = _KIND[signs]
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

    inner = kind == _PLUS
    inner[(starts - first)[plus]] = False
    pluses = others[inner]  # those that are not at the beginning of their row
    if pluses.size:
        rows = np.searchsorted(starts, pluses, side="right") - 1
        doubtful[rows[seen[pluses] > first[rows]]] = True
        doubtful |= plus + np.bincount(rows, minlength=len(starts)) > 1
        plus[rows] = True
    hard = others[kind == _HARD]
    if hard.size:
        doubtful[np.searchsorted(starts, hard, side="right") - 1] = True

    # A point before the last digit or two and nowhere else is a decimal point: 901888484.0 is a float's text.
    decimals = (padded[ends + 1] == ord(".")) | (padded[ends] == ord("."))
    decimals &= lengths == count + 1 + plus
    float_like = decimals & (padded[ends + 1] == ord(".")) & (padded[ends + 2] == ord("0"))
    doubtful |= decimals & ~float_like

    separators = lengths - count
    count = np.minimum(count, 16)
    value = _integers(digits, last + 16, count)
    points = np.flatnonzero(float_like)
    value[points] //= 10
    count[points] -= 1
    found = classify_numbers(value, _leading_zeros(digits, last + 16 - count - float_like, count), plus)
    found[lengths == 0] = CODE[Problem.MISSING]
    wrong = np.flatnonzero(found < 0)
    doubtful[wrong] |= padded[np.maximum(ends[wrong] - 1, 0)] == ord(".")  # 901888484.000
    # Perhaps there is an area code that no mobile number begins with.
    doubtful[wrong] |= (separators[wrong] > plus[wrong]) & are_perhaps_old(found[wrong])
    before = (others - np.arange(len(others))).astype(seen.dtype)  # digits before each separator
    doubtful |= _with_area_code(signs, separators, np.repeat(last, separators) - before, found, value)
    return found, doubtful


def _with_area_code(
    signs: NDArray[np.uint8], separators: Ints, after: Ints, found: NDArray[np.int32], value: Ints
) -> Bools:
    """Return which rows have a number with a separator behind what was an area code until 2017.

    `signs` are all bytes that are no digits, `separators` how many of them each row has, `after` how many of its digits
    come after each.
    """
    subset = np.flatnonzero((after - 6).view(f"u{after.itemsize}") <= 2)
    subset = subset[(after[subset] > 6) | _CLOSES[signs[subset]]]
    doubtful = np.zeros(len(found), dtype=bool)
    if not subset.size:
        return doubtful
    ends = np.cumsum(separators)
    row = np.searchsorted(ends, subset, side="right")
    kept = is_area_code(found[row], after[subset]) & (value[row] % 10**9 == found[row])  # not those renumbered in 2018
    row, subset = row[kept], subset[kept]
    doubtful[row] = True
    doubtful[row[_are_groups_of_mobiles(signs, after, subset, ends[row] - separators[row], ends[row])]] = False
    return doubtful


def _are_groups_of_mobiles(signs: NDArray[np.uint8], after: Ints, subset: Ints, begin: Ints, end: Ints) -> Bools:
    """Return which separators make their row a usual group of mobile numbers, 077 386 3863 or (077) 386-3863.

    The separators of their rows are those from `begin` to before `end`.
    """
    ahead, second = np.maximum(subset - 1, 0), np.minimum(subset + 1, len(signs) - 1)
    inside = subset > begin
    alike = _PLAIN[signs[subset]] & (signs[subset] == signs[second]) & ~(inside & (after[ahead] == 7))
    masked = inside & (signs[subset] == ord(")")) & (signs[ahead] == ord("(")) & (after[ahead] == 10)
    blank = masked & (after[second] == 7) & (signs[second] == ord(" "))
    second = np.minimum(second + blank, len(signs) - 1)
    masked &= signs[second] == ord("-")
    ends = (after[subset] == 7) & (after[second] == 4) & (subset + 1 + blank == end - 1)
    usual: Bools = ends & (alike | masked)
    return usual


def _integers(digits: NDArray[np.uint8], ends: Ints, count: Ints) -> Ints:
    """Convert the (at most 16) digits before each end to integers, eight bytes in one machine word at a time."""
    words = np.ndarray(shape=(max(len(digits) - 7, 1),), dtype="<u8", buffer=digits, strides=(1,))
    low = _eight_digits(words[ends - 8], np.minimum(count, 8))
    high = _eight_digits(words[ends - 16], np.maximum(count - 8, 0))
    return high * 10**8 + low


_KEEP_LAST = np.array([0] + [(2**64 - 1) << (64 - 8 * n) & (2**64 - 1) for n in range(1, 9)], dtype=np.uint64)


def _eight_digits(words: NDArray[np.uint64], count: Ints) -> Ints:
    return _join_digits(words & _KEEP_LAST[count])


def _join_digits(words: NDArray[np.uint64]) -> Ints:
    """Convert the eight digits in each machine word to an integer: neighbours are joined to pairs, fours and eights."""
    words = (words * np.uint64(10) + (words >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    words = (words * np.uint64(100) + (words >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    words = (words * np.uint64(10000) + (words >> np.uint64(32))) & np.uint64(0x00000000FFFFFFFF)
    return words.view(np.int64)


def _leading_zeros(digits: NDArray[np.uint8], first: Ints, count: Ints) -> Ints:
    """Count the leading zeros, up to three, of the digits that begin at each position."""
    zeros = (digits[first] == 0).astype(np.int64)
    for known in (1, 2):
        rows = np.flatnonzero(zeros == known)
        zeros[rows] += digits[first[rows] + known] == 0
    counted: Ints = np.minimum(zeros, count)
    return counted
