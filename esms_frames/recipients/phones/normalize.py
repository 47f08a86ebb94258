"""Read whole columns of phone numbers in any spelling.

How a column is read
--------------------
Text is looked at as one buffer of bytes, 32,768 rows at a time so that the work stays in the processor's cache, and by
several threads, for numpy and Arrow let go of Python's lock. The fast path (`parse_digits`) turns the digits of each row
into one integer; what they mean is then arithmetic on whole columns (`classify`). Rows that hold anything but digits and
harmless separators, or too many digits for one number, are gathered from the whole column and take a second, slower way
(`parse_freeform`), which knows other scripts, labels, scientific notation and cells with two numbers; gathered, because its
many regular expressions cost as much to compile as to match a few thousand rows. Both ways end in the same arithmetic,
and columns of integers and floats go straight to it.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from esms_frames.base import columns
from esms_frames.base.errors import InvalidInput
from esms_frames.base.parallel import map_in_threads
from esms_frames.recipients.phones import numbering_plan
from esms_frames.recipients.phones.formatting import _DOUBTFUL_ROWS, _ROWS, _parts, format_phones
from esms_frames.recipients.phones.parse_digits import EXACT_BITS, parse_digits
from esms_frames.recipients.phones.parse_freeform import parse_freeform
from esms_frames.recipients.phones.problems import CODE, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


_PLAIN = re.compile(
    r"(?:\+84|(?:00)?84|0)?([35789][0-9]{8})|(?:\+84[ .-]?|0)([35789][0-9]{2})([ .-])([0-9]{3})\3([0-9]{3})"
)


def normalize_phones(values: Any) -> pd.DataFrame:
    """Read a column of phone numbers in any spelling.

    Understood are the forms that CRM exports and spreadsheets produce: ``0901888484``, ``+84 901 888 484``,
    ``84901888484``, ``0084…``, ``+84 (0)901…``, a lost leading zero, a float's ``.0``, separators and brackets of any
    kind, invisible and full-width characters, a leading apostrophe or ``="…"``, labels such as ``tel:`` or ``SĐT Zalo:``,
    a sign, a country's name or HTML around one number, scientific notation with every digit, and the eleven-digit
    numbers of before 2018 with or without their zero, which become today's. The same number twice in a cell is one, and
    a mobile beside a landline is that mobile. Nothing is guessed: what can be read in two ways, or carries a note, is a
    `Problem`; so are landlines of before 2017, known by their groups: ``(08) 3810 0200`` is one, ``0838 100 200`` is a
    mobile number.

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
    column = pick_column(values)
    found = read(column)
    return pd.DataFrame(
        {"phone": format_phones(found), "network": network_of(found), "problem": problem_of(found)},
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
    first = map_in_threads(parse_digits, _pieces(to_arrow(column), _ROWS))
    found = np.concatenate([np.empty(0, dtype=np.int32), *(numbers for numbers, _, _ in first)])
    if any(len(rows) for _, rows, _ in first):
        starts = np.cumsum([0, *(len(numbers) for numbers, _, _ in first)])
        again = np.concatenate([rows + start for (_, rows, _), start in zip(first, starts, strict=False)])
        texts = pa.concat_arrays([text for _, _, text in first if text is not None])
        found[again] = np.concatenate(map_in_threads(parse_freeform, _pieces(texts, _DOUBTFUL_ROWS)))
    return found


def read_one(cell: Any) -> int | Problem:
    """Read one cell as `read` reads a column of them, some fifty times faster where it is plain digits.

    Parameters
    ----------
    cell : object
        A cell of any type.

    Returns
    -------
    int or Problem
        The national number, or why there is none.

    Examples
    --------
    >>> read_one("+84901888484")
    901888484
    >>> read_one("(08) 3810 0200")
    <Problem.LANDLINE: 'landline'>
    """
    if type(cell) is str and (plain := _PLAIN.fullmatch(cell)):
        number = int(plain[1] or plain[2] + plain[4] + plain[5])
        if numbering_plan.valid_prefixes()[number // numbering_plan.PREFIX]:
            return number
    found = int(read(pd.Series([cell], dtype=object))[0])
    return found if found >= 0 else list(Problem)[-1 - found]


def network_of(found: NDArray[np.int32]) -> Any:
    """Return the network that each national number's prefix was given to; NA if unknown or no number."""
    names, table = numbering_plan.networks()
    codes = np.empty(len(found), dtype=np.int8)

    def write(part: slice) -> None:
        subset = found[part]
        codes[part] = np.where(subset >= 0, table[np.maximum(subset, 0) // numbering_plan.PREFIX], np.int8(-1))

    map_in_threads(write, _parts(len(found)))
    return columns.category_from_codes(codes, names)


def problem_of(found: NDArray[np.int32]) -> Any:
    """Return the problem of each row that has no number; NA for the others."""
    return columns.category_from_codes(np.maximum(-1 - found, -1).astype(np.int8), list(Problem))


def pick_column(values: Any) -> pd.Series[Any]:
    """Return the argument as one column, or raise an error that says why it is none."""
    if isinstance(values, pd.Series):
        return values
    if isinstance(values, pd.DataFrame):
        raise InvalidInput(
            "normalize_phones reads one column and was given a DataFrame of {count}: pass df[column].",
            count=values.shape[1],
        )
    if isinstance(values, pd.MultiIndex):
        raise InvalidInput("normalize_phones reads one column and was given a MultiIndex: pass one of its levels.")
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise InvalidInput(
            "normalize_phones reads a column and was given a single {kind}: pass a list, [value].",
            kind=type(values).__name__,
        )
    if isinstance(values, pd.Index):
        return values.to_series()
    if getattr(values, "ndim", 1) != 1:
        raise InvalidInput(
            "normalize_phones reads one column and was given an array of {count} dimensions.", count=values.ndim
        )
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return pd.Series(values.to_pandas(types_mapper=pd.ArrowDtype))
    if isinstance(values, (set, frozenset, dict)):
        raise InvalidInput("a {kind} has no order to give back: pass list(values).", kind=type(values).__name__)
    return pd.Series(values, dtype=None if hasattr(values, "dtype") else object)


def _pieces(array: Any, rows: int) -> list[Any]:
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    return [chunk.slice(start, rows) for chunk in chunks for start in range(0, len(chunk), rows)]


def to_arrow(column: pd.Series[Any]) -> Any:
    """Convert a column to an Arrow array, without a copy if pandas stores it so."""
    try:
        array = pa.array(column, from_pandas=True)
    except Exception:  # noqa: BLE001 - an object column of mixed types, among them decimals like Infinity, or of any class
        array = None
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
    missing = _are_missing(column, cells)
    written = {kind: _writer(kind) for kind in set(map(type, cells))}
    texts = ["" if is_missing else written[type(cell)](cell) for cell, is_missing in zip(cells, missing, strict=True)]
    return pa.array(texts, type=pa.large_string(), mask=missing)


def _are_missing(column: pd.Series[Any], cells: list[Any]) -> NDArray[np.bool_]:
    try:
        return column.isna().to_numpy(dtype=bool, na_value=True)
    except InvalidOperation:  # a signalling NaN can't be compared, which is how pandas looks for others
        quiet = [None if isinstance(cell, Decimal) and cell.is_snan() else cell for cell in cells]
        return pd.Series(quiet, dtype=object).isna().to_numpy(dtype=bool)


def write_cell(cell: Any) -> str:
    """Return a cell as text, or words for a cell that can't be written as text."""
    try:
        return str(cell)
    except Exception:  # noqa: BLE001 - of a class that anybody may have written; or an integer of thousands of digits
        return f"({type(cell).__name__})"


def _writer(kind: type) -> Callable[[Any], str]:
    """Return a function that writes cells of a type as text, for columns of mixed and unusual types."""
    if issubclass(kind, str):
        return lambda cell: _replace_surrogates(str.__str__(cell))
    if kind in EXACT_BITS:
        exact = 2 ** EXACT_BITS[kind]
        return lambda cell: str(int(cell)) if abs(cell) < exact and cell == int(cell) else "9E+08"
    if issubclass(kind, (float, np.floating)):
        return lambda cell: _write_integer(cell) if np.isfinite(cell) else "infinite"
    if issubclass(kind, Decimal):
        return lambda cell: _write_integer(cell) if cell.is_finite() else "infinite"
    if issubclass(kind, int) and not issubclass(kind, bool):
        return lambda cell: _write_integer(int.__int__(cell))
    return lambda cell: _replace_surrogates(write_cell(cell))


def _write_integer(number: float | Decimal) -> str:
    """Write a finite number; of one with too many digits for a phone number, which may have millions, write only nines."""
    if not -(10**17) < number < 10**17:
        return "9" * 17 if number > 0 else "-1"
    return str(int(number)) if number == int(number) else "not whole"


def _replace_surrogates(text: str) -> str:
    """Return text without lone surrogates, which can't be encoded."""
    return text.encode("utf-8", "replace").decode("utf-8")
