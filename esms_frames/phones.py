"""Read phone numbers in any spelling, whole columns at once: the number that the gateway takes, or why there is none.

How a column is read
--------------------
Text is looked at as one buffer of bytes, 32,768 rows at a time so that the work stays in the processor's cache, and by
several threads, for numpy and Arrow let go of Python's lock. A column of ten digits a row is cut up at fixed places
(`_read_ten_digits`). In any other, digits are picked out of the buffer and those of each row are turned into one
integer; what they mean is then arithmetic on whole columns (`_national`). Rows that hold anything but digits and
harmless separators, or too many digits for one number, are gathered from the whole column and take a second, slower way
(`_second_look`), which knows other scripts, labels, scientific notation and cells with two numbers; gathered, because its
many regular expressions cost as much to compile as to match a few thousand rows. Both ways end in the same arithmetic,
and columns of integers and floats go straight to it.
"""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from esms_frames import columns, numbering
from esms_frames.errors import InvalidInput
from esms_frames.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.signedinteger[Any]]
    Bools = NDArray[np.bool_]


class Problem(StrEnum):
    """Why a cell holds no number that can be texted."""

    MISSING = "missing"
    """Nothing there: NA, or only blanks."""
    NOT_A_NUMBER = "not_a_number"
    """Text, a negative or fractional number, a number with a note beside it."""
    ROUNDED = "rounded"
    """Scientific notation, as in a spreadsheet's 9.12E+08: nobody can tell which digits were rounded away."""
    SEVERAL = "several"
    """Two or more numbers in one cell."""
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LANDLINE = "landline"
    """02…: cannot receive an SMS."""
    FOREIGN = "foreign"
    """An international number of another country."""
    UNASSIGNED = "unassigned"
    """The right length, but no network has been given the prefix."""


_PROBLEMS = list(Problem)
_CODE = {problem: -1 - position for position, problem in enumerate(_PROBLEMS)}
_ROWS, _DOUBTFUL_ROWS = 32_768, 8_192
_EXACT_BITS: dict[type, int] = {np.float16: 11, np.float32: 24}

# What a byte that is no digit means to the first, fast reading.
_SOFT, _PLUS, _HARD = range(3)
_KIND = np.full(256, _HARD, dtype=np.uint8)
_KIND[list(b" \t\r\x0b\x0c-.()[]{}<>_~'\"`")] = _SOFT
_KIND[list(b"+")] = _PLUS

_WRAPPING = " \t\r\n\x0b\x0c'\"`"
_WRAPS = np.zeros(256, dtype=bool)
_WRAPS[list(_WRAPPING.encode())] = True

_NOWHERE: Ints = np.empty(0, dtype=np.int64)
_TEN_DIGITS = [("first", "<u2"), ("middle", "<u4"), ("last", "<u4")]
_POWER = 10 ** np.arange(19, dtype=np.int64)


def normalize_phones(values: Any) -> pd.DataFrame:
    """Read a column of phone numbers in any spelling.

    Understood are the forms that CRM exports and spreadsheets produce: ``0901888484``, ``+84 901 888 484``,
    ``84901888484``, ``0084…``, ``+84 (0)901…``, a lost leading zero, a float's ``.0``, separators and brackets of any
    kind, invisible and full-width characters, a leading apostrophe or ``="…"``, a label such as ``tel:`` or ``SĐT:``,
    and the eleven-digit numbers of before 2018 with or without their zero, which become today's. Nothing is guessed:
    what can be read in two ways, or carries a note, is a `Problem`.

    Parameters
    ----------
    values : Series, Index, array or list
        One column of any dtype: text, object with mixed types, integers, floats with NaN, nullable, categorical, Arrow.

    Returns
    -------
    DataFrame
        One row for each value, with the same index (an Index is its own; arrays and lists get a new one):

        - ``phone``: text, ``0`` and nine digits; NA where there is none.
        - ``network``: category, the network that the prefix was given to (numbers may have been ported); NA where
          unknown.
        - ``problem``: category of `Problem`; NA where ``phone`` is there.

    Raises
    ------
    InvalidInput
        When `values` is not one column.

    Notes
    -----
    Valid prefixes and networks come from the ``phonenumbers`` package's data for Vietnam.

    Examples
    --------
    >>> import esms_frames as ef
    >>> table = ef.normalize_phones(["+84 901 888 484", "0168.888.4848", "9.12E+08", "024 3825 1234"])
    >>> table.astype(object).fillna("")
            phone   network   problem
    0  0901888484  MobiFone
    1  0388884848   Viettel
    2                        rounded
    3                       landline
    """
    column = one_column(values)
    found = read(column)
    return pd.DataFrame(
        {"phone": phone_text(found), "network": network_of(found), "problem": problem_of(found)},
        index=column.index,
        copy=False,  # nobody else has them
    )


def read(column: pd.Series[Any]) -> NDArray[np.int32]:
    """Read a column into integers: the national number (901888484), or a negative code that `problem_of` names."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        found = read(pd.Series(column.cat.categories))
        codes = column.cat.codes.to_numpy()
        missing = np.int32(_CODE[Problem.MISSING])
        return np.where(codes >= 0, np.append(found, missing)[codes], missing)
    first = in_threads(_first_look, _pieces(_to_arrow(column), _ROWS))
    found = np.concatenate([np.empty(0, dtype=np.int32), *(numbers for numbers, _, _ in first)])
    if any(len(rows) for _, rows, _ in first):
        starts = np.cumsum([0, *(len(numbers) for numbers, _, _ in first)])
        again = np.concatenate([rows + start for (_, rows, _), start in zip(first, starts, strict=False)])
        texts = pa.concat_arrays([text for _, _, text in first if text is not None])
        found[again] = np.concatenate(in_threads(_second_look, _pieces(texts, _DOUBTFUL_ROWS)))
    return found


def phone_text(found: NDArray[np.int32]) -> Any:
    """Write national numbers as text of ten digits, NA for what is no number; a pandas text array."""
    valid = found >= 0
    offsets = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum(valid, out=offsets[1:])
    digits = np.empty(int(offsets[-1]), dtype=_TEN_DIGITS)

    def write(part: slice) -> None:
        some, begin = found[part][valid[part]], offsets[part.start]
        _write_digits(some, digits[begin : begin + len(some)])

    in_threads(write, _parts(len(found)))
    offsets *= 10
    bitmap = np.packbits(valid, bitorder="little")
    buffers = [pa.py_buffer(bitmap), pa.py_buffer(offsets), pa.py_buffer(digits)]
    return columns.text_from_arrow(pa.Array.from_buffers(pa.large_string(), len(found), buffers))


def joined_phones(numbers: NDArray[np.int32]) -> str:
    """Write national numbers as text of ten digits each, with blanks between them."""
    digits = np.empty(len(numbers), dtype=[*_TEN_DIGITS, ("blank", "u1")])
    digits["blank"] = ord(" ")
    _write_digits(numbers, digits)
    return digits.tobytes()[:-1].decode("ascii")


def network_of(found: NDArray[np.int32]) -> Any:
    """Name the network that each national number's prefix was given to; NA where unknown or no number."""
    names, table = numbering.networks()
    codes = np.empty(len(found), dtype=np.int8)

    def write(part: slice) -> None:
        some = found[part]
        codes[part] = np.where(some >= 0, table[np.maximum(some, 0) // numbering.PREFIX], np.int8(-1))

    in_threads(write, _parts(len(found)))
    return columns.category_from_codes(codes, names)


def problem_of(found: NDArray[np.int32]) -> Any:
    """Name the problem of each row that has no number; NA for the others."""
    return columns.category_from_codes(np.maximum(-1 - found, -1).astype(np.int8), _PROBLEMS)


def one_column(values: Any) -> pd.Series[Any]:
    """Take one column out of what was handed in, or say why there is none."""
    if isinstance(values, pd.Series):
        return values
    if isinstance(values, pd.DataFrame):
        raise InvalidInput(
            f"normalize_phones reads one column and was given a DataFrame of {values.shape[1]}: pass df[column]."
        )
    if isinstance(values, pd.MultiIndex):
        raise InvalidInput("normalize_phones reads one column and was given a MultiIndex: pass one of its levels.")
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise InvalidInput(
            f"normalize_phones reads a column and was given a single {type(values).__name__}: pass a list, [value]."
        )
    if isinstance(values, pd.Index):
        return values.to_series()
    if getattr(values, "ndim", 1) != 1:
        raise InvalidInput(f"normalize_phones reads one column and was given an array of {values.ndim} dimensions.")
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return pd.Series(values.to_pandas(types_mapper=pd.ArrowDtype))
    if isinstance(values, (set, frozenset, dict)):
        raise InvalidInput(f"a {type(values).__name__} has no order to give back: pass list(values).")
    return pd.Series(values, dtype=None if hasattr(values, "dtype") else object)


def _to_arrow(column: pd.Series[Any]) -> Any:
    """Take the column as Arrow text, integers or floats; without a copy where pandas keeps it so."""
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        array = None  # an object column of mixed types
    if array is not None and pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if array is not None and pa.types.is_integer(array.type):
        return array
    if array is not None and (pa.types.is_float32(array.type) or pa.types.is_float64(array.type)):
        return array
    if array is not None and (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    if array is not None and pa.types.is_null(array.type):
        return array.cast(pa.large_string())
    cells = list(column.array)
    written = {kind: _writer(kind) for kind in set(map(type, cells))}
    missing = column.isna().to_numpy(dtype=bool, na_value=True)
    return pa.array([written[type(cell)](cell) for cell in cells], type=pa.large_string(), mask=missing)


def _writer(kind: type) -> Callable[[Any], str]:
    """Choose how cells of a type are written as text, in columns of mixed and unusual types."""
    if issubclass(kind, str):  # a lone surrogate can't be encoded
        return lambda cell: cell.encode("utf-8", "replace").decode("utf-8")
    if issubclass(kind, (np.float16, np.float32)):
        return lambda cell: str(int(cell)) if abs(cell) < 2 ** _EXACT_BITS[kind] and cell == int(cell) else "9E+08"
    if issubclass(kind, (float, np.floating, Decimal)):
        return lambda cell: str(int(cell)) if abs(cell) < 10**17 and cell == int(cell) else "not whole"
    return str


def _pieces(array: Any, rows: int) -> list[Any]:
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return [chunk.slice(start, rows) for chunk in chunks for start in range(0, len(chunk), rows)]


def _first_look(chunk: Any) -> tuple[NDArray[np.int32], Ints, Any]:
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
        found[chunk.is_null().to_numpy(zero_copy_only=False)] = _CODE[Problem.MISSING]
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
    found = _national(value, zeros, zeros.astype(bool))
    found[negative] = _CODE[Problem.NOT_A_NUMBER]
    return found


def _read_floats(numbers: NDArray[Any]) -> NDArray[np.int32]:
    with np.errstate(invalid="ignore"):
        whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
    found = _read_integers(np.where(whole, np.minimum(numbers, 1e17), 0).astype(np.int64))
    found[~whole] = _CODE[Problem.NOT_A_NUMBER]
    if numbers.dtype == np.float32:  # nine digits do not fit into its 24 bits
        found[np.abs(numbers) >= 2 ** _EXACT_BITS[np.float32]] = _CODE[Problem.ROUNDED]
    found[np.isnan(numbers)] = _CODE[Problem.MISSING]
    return found


def _read_text(chunk: Any) -> tuple[NDArray[np.int32], Ints]:
    data, offsets = _bytes_of(chunk)
    starts, ends = offsets[:-1], offsets[1:]
    if len(data) == 10 * len(starts) and (np.diff(offsets) == 10).all():
        ten = _read_ten_digits(data)
        if ten is not None:
            return ten, _NOWHERE
    found, doubtful = _read_bytes(data, starts, ends)
    # Rows with other than printable ASCII, and those that begin or end with blanks or quotes, are read once more without.
    doubtful |= (_WRAPS[_at(data, starts)] | _WRAPS[_at(data, ends - 1)]) & (ends > starts)
    doubtful[np.searchsorted(starts, np.flatnonzero(_is_unusual(data)), side="right") - 1] = True
    return found, np.flatnonzero(doubtful)


def _is_unusual(data: NDArray[np.uint8]) -> Bools:
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


def _bytes_of(chunk: Any) -> tuple[NDArray[np.uint8], Ints]:
    """View the bytes of an Arrow text array, and where its rows begin and end in them."""
    _, offset_buffer, data_buffer = chunk.buffers()
    width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    offsets = np.frombuffer(offset_buffer, dtype=width)[chunk.offset : chunk.offset + len(chunk) + 1].astype(
        np.int64, copy=False
    )
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    return data, offsets - offsets[0]


def _spans(chunk: Any) -> tuple[NDArray[np.uint8], Ints, Ints]:
    data, offsets = _bytes_of(chunk)
    return data, offsets[:-1], offsets[1:]


def _to_ascii(chunk: Any) -> Any:
    """Write every character as one ASCII byte of the same meaning, so that a single reading serves all scripts."""
    data, offsets = _bytes_of(chunk)
    if not _is_unusual(data).any():
        return chunk
    points = np.frombuffer(data.tobytes().decode("utf-8").encode("utf-32-le"), dtype=np.uint32)
    used = np.flatnonzero(np.bincount(points))
    table = np.zeros(int(used[-1]) + 1 if used.size else 1, dtype=np.uint8)
    table[used] = [_ascii_for(chr(point)) for point in used]
    written = table[points]
    characters = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])[offsets]  # all but UTF-8 continuation bytes
    begins = np.concatenate([[0], np.cumsum(written != 0)])[characters]
    buffers = [None, pa.py_buffer(begins.astype(np.int64)), pa.py_buffer(written[written != 0])]
    return pa.Array.from_buffers(pa.large_string(), len(chunk), buffers)


def _ascii_for(character: str) -> int:
    """Give the ASCII code that means what the character means in a phone number; 0 for what is invisible."""
    if character.isascii():
        return ord(character) if character.isprintable() or character.isspace() else 0
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return ord("0") + decimal
    category = unicodedata.category(character)
    if category in {"Cf", "Cc", "Mn", "Me"}:
        return 0
    if category.startswith("Z"):
        return ord(" ")
    if category in {"Pd", "Ps", "Pe", "Pi", "Pf"} or character in "·•∙‧‒−":
        return ord("-")
    folded = unicodedata.normalize("NFKD", character)[0].replace("đ", "d").replace("Đ", "D")
    return ord(folded) if folded.isascii() and not folded.isdigit() else ord("?")


def _read_bytes(data: NDArray[np.uint8], starts: Ints, ends: Ints) -> tuple[NDArray[np.int32], Bools]:
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
    found = _national(value, _leading_zeros(digits, last + 16 - count - float_like, count), plus)
    found[lengths == 0] = _CODE[Problem.MISSING]
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


def _national(value: Ints, zeros: Ints, plus: Bools) -> NDArray[np.int32]:
    """Judge numbers by arithmetic: the national number, or the code of the problem.

    `value` holds all digits as one integer, `zeros` how many zeros stood before it, `plus` whether a plus sign did.
    """
    candidate, coded = value, np.zeros(len(value), dtype=bool)
    long = np.flatnonzero(value >= 84 * 10**9)
    if long.size:
        candidate = value.copy()
        for digits in (9, 10, 11):  # after 84: nine digits, or ten of before 2018; each perhaps with a needless zero
            rest = value[long] - 84 * 10**digits
            fits = (rest >= 10 ** (digits - 2)) & (rest < 10**digits)
            candidate[long[fits]] = rest[fits]
            coded[long[fits]] = True
    allowed = np.where(coded, (zeros == 0) | (zeros == 2), ~plus & (zeros < 2))

    old = np.flatnonzero((candidate >= 10**9) & (candidate < 2 * 10**9))
    if old.size:
        prefix = numbering.new_prefixes()[candidate[old] // numbering.OLD_PREFIX]
        renewed = prefix.astype(np.int64) * numbering.OLD_PREFIX + candidate[old] % numbering.OLD_PREFIX
        candidate = np.array(candidate)
        candidate[old] = np.where(prefix > 0, renewed, candidate[old])

    nine = (candidate >= 10**8) & (candidate < 10**9) & allowed
    number = np.where(nine, candidate, 0).astype(np.int32)
    valid = numbering.valid_prefixes()[number // numbering.PREFIX]
    wrong = np.flatnonzero(~valid)
    if wrong.size:
        number[wrong] = _why_not(value[wrong], zeros[wrong], plus[wrong])
    return number


def _why_not(value: Ints, zeros: Ints, plus: Bools) -> NDArray[np.int32]:
    size = _size(value)
    vietnam = value // _POWER[np.maximum(size - 2, 0)] == 84
    international = plus | (zeros == 2)
    coded = vietnam & (international | ((zeros == 0) & (size >= 11) & (size <= 13)))
    national = np.where(coded, value - 84 * _POWER[np.maximum(size - 2, 0)], value)
    size = _size(national)
    first = national // _POWER[np.maximum(size - 1, 0)]
    verdicts = [
        (plus & (zeros == 1), Problem.NOT_A_NUMBER),  # no country's code begins with 0
        (zeros > 2, Problem.UNASSIGNED),
        (international & ~vietnam, Problem.FOREIGN),
        (size < 9, Problem.TOO_SHORT),
        ((first == 2) & (size <= 10), Problem.LANDLINE),
        ((size > 10) | ((size == 10) & (first != 1)), Problem.TOO_LONG),
    ]
    return _first_of(verdicts, otherwise=np.int32(_CODE[Problem.UNASSIGNED]))


def _size(value: Ints) -> Ints:
    return np.searchsorted(_POWER, value, side="right")


def _first_of(verdicts: Sequence[tuple[Bools, Problem]], otherwise: Any) -> NDArray[np.int32]:
    conditions = [condition for condition, _ in verdicts]
    codes = [np.int32(_CODE[problem]) for _, problem in verdicts]
    return np.select(conditions, codes, otherwise).astype(np.int32)


def _second_look(text: Any) -> NDArray[np.int32]:
    """Read rows without what is wrapped around them, in ASCII; what is doubtful even so is looked at by its words."""
    text = _to_ascii(text)
    found, doubtful = _read_bytes(*_spans(pc.ascii_trim(text, characters=_WRAPPING)))
    rows = np.flatnonzero(doubtful)
    if rows.size:
        found[rows] = _by_words(text.take(pa.array(rows)))
    return found


# Words are looked for in lower-case ASCII text, with RE2's regular expressions over the whole column.
_SOFTS = r"""\-.()\[\]{}<>_~'"` \t\r\x0b\x0c"""
_STRONGS = r"/,;|&\\\n"  # what people put between two numbers; also seen inside one: 0901/888/484
_LABEL = (
    r"^[^a-z0-9+]*(?:(?:so )?(?:tel|telephone|phone|mobile|mob|cell|cellphone|handphone|hp|sdt|dt|dtdd|dd|"
    r"dien thoai|di dong|zalo)(?: ?(?:no|number|so))?|[tmp]:)[^a-z0-9+]*"
)
# One whole number: a mobile or landline one, of today or of before 2018.
_CODE_AND_NUMBER = r"(?:\+?(?:00)?840?|0)(?:[1-9][0-9]{8}|[12][0-9]{9})"
_COMPLETE = rf"(?:{_CODE_AND_NUMBER}|[1-9][0-9]{{8}}|[12][0-9]{{9}})"
_RUN_TOGETHER = rf"^(?:{_CODE_AND_NUMBER}){{2,}}$|^(?:[35789][0-9]{{8}}){{2,}}$"


_CALCULATED = (
    r"^-[1-9][0-9]*(?:[.,][0-9]+)?$"  # negative
    r"|^\+?[0-9]+[.,][0-9]{1,2}$"  # fractions
    r"|^[0-9,]+,[0-9]+\.[0-9]{1,2}$|^[0-9.]+\.[0-9]+,[0-9]{1,2}$"  # with signs for thousands
    r"|^[0-9]{1,2}/[0-9]{1,2}/(?:19|20)[0-9]{2}\b"  # dates
)


def _by_words(text: Any) -> NDArray[np.int32]:
    text = pc.ascii_lower(text)
    blank = _matches(text, r"""^[\s'"]*$""")
    text = pc.replace_substring_regex(text, _LABEL, "", max_replacements=1)
    text = pc.replace_substring_regex(text, r"""^[\s='"`]+|[\s'"`]+$""", "")
    scientific = _matches(text, r"^[+-]?[0-9]+(?:[.,][0-9]*)?e[+-]?[0-9]+$")
    text = pc.replace_substring_regex(text, r"^(\+?[0-9]+)[.,]0{1,2}$|^(\+?[0-9]{9,})[.,]0{3,6}$", r"\1\2")
    calculated = _matches(text, _CALCULATED)
    worded = _matches(text, rf"[^0-9+{_SOFTS}{_STRONGS}]")

    parts = pc.replace_substring_regex(text, rf"[^0-9+{_SOFTS}]+", "/")
    parts = pc.replace_substring_regex(parts, rf"[{_SOFTS}]+", "")
    parts = pc.replace_substring_regex(parts, r"([0-9])\+", r"\1/+")
    parts = pc.replace_substring_regex(parts, r"^/*(\+?(?:00)?840?|0)/+", r"\1")
    whole = pc.replace_substring(parts, "/", "")
    parts = pc.replace_substring_regex(pc.replace_substring(parts, "/", "//"), r"^(.*)$", r"/\1/")
    complete = _counts(parts, rf"/(?:{_COMPLETE}|\+[0-9]{{8,15}})/")
    several = complete >= 2
    several |= (complete == 1) & (_counts(parts, "[0-9]/") >= 2) & ~worded
    several |= _matches(whole, _RUN_TOGETHER)
    digits = pc.binary_length(pc.replace_substring(whole, "+", "")).to_numpy(zero_copy_only=False)
    contradictory = _matches(whole, r"[0-9]\+|\+\+")

    verdicts = [
        (blank, Problem.MISSING),
        (scientific, Problem.ROUNDED),
        (several, Problem.SEVERAL),
        (calculated | worded | contradictory | (digits == 0), Problem.NOT_A_NUMBER),
        (digits > 16, Problem.TOO_LONG),
    ]
    return _first_of(verdicts, otherwise=_read_bytes(*_spans(whole))[0])


def _matches(text: Any, pattern: str) -> Bools:
    matched: Bools = pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return matched


def _counts(text: Any, pattern: str) -> Ints:
    counted: Ints = pc.count_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return counted


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
    """Give the text of 00 to 99 and of 0000 to 9999, each as one machine word."""
    pairs = np.array([b"%02d" % n for n in range(100)]).view("<u2")
    fours = np.array([b"%04d" % n for n in range(10_000)]).view("<u4")
    return pairs, fours
