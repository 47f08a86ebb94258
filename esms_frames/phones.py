"""Read phone numbers in any spelling, whole columns at once: the number that the gateway takes, or why there is none.

How a column is read
--------------------
Text is looked at as one buffer of bytes, 32,768 rows at a time so that the work stays in the processor's cache, and by
several threads, for numpy and Arrow let go of Python's lock. The first look (`first_look`) turns the digits of each row
into one integer; what they mean is then arithmetic on whole columns (`national`). Rows that hold anything but digits and
harmless separators, or too many digits for one number, are gathered from the whole column and take a second, slower way
(`second_look`), which knows other scripts, labels, scientific notation and cells with two numbers; gathered, because its
many regular expressions cost as much to compile as to match a few thousand rows. Both ways end in the same arithmetic,
and columns of integers and floats go straight to it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from esms_frames import columns, numbering
from esms_frames.cells import to_arrow
from esms_frames.errors import InvalidInput
from esms_frames.first_look import first_look
from esms_frames.problem import CODE, Problem
from esms_frames.second_look import second_look
from esms_frames.threads import in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS, _DOUBTFUL_ROWS = 32_768, 8_192
_TEN_DIGITS = [("first", "<u2"), ("middle", "<u4"), ("last", "<u4")]


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
        missing = np.int32(CODE[Problem.MISSING])
        return np.where(codes >= 0, np.append(found, missing)[codes], missing)
    first = in_threads(first_look, _pieces(to_arrow(column), _ROWS))
    found = np.concatenate([np.empty(0, dtype=np.int32), *(numbers for numbers, _, _ in first)])
    if any(len(rows) for _, rows, _ in first):
        starts = np.cumsum([0, *(len(numbers) for numbers, _, _ in first)])
        again = np.concatenate([rows + start for (_, rows, _), start in zip(first, starts, strict=False)])
        texts = pa.concat_arrays([text for _, _, text in first if text is not None])
        found[again] = np.concatenate(in_threads(second_look, _pieces(texts, _DOUBTFUL_ROWS)))
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
    return columns.category_from_codes(np.maximum(-1 - found, -1).astype(np.int8), list(Problem))


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


def _pieces(array: Any, rows: int) -> list[Any]:
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return [chunk.slice(start, rows) for chunk in chunks for start in range(0, len(chunk), rows)]


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
