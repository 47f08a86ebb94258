"""Take the cells of a column of any dtype as Arrow text, integers or floats."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

EXACT_BITS: dict[type, int] = {np.float16: 11, np.float32: 24}
"""How many bits of a whole number those floats hold which are too short for nine digits."""


def to_arrow(column: pd.Series[Any]) -> Any:
    """Take the column as Arrow has it; without a copy where pandas keeps it so."""
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
        return lambda cell: str(int(cell)) if abs(cell) < 2 ** EXACT_BITS[kind] and cell == int(cell) else "9E+08"
    if issubclass(kind, (float, np.floating, Decimal)):
        return lambda cell: str(int(cell)) if abs(cell) < 10**17 and cell == int(cell) else "not whole"
    return str
