"""Build pandas columns from arrays, in the dtypes that this pandas uses by default."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from esms_frames import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray


MONEY = pd.ArrowDtype(pa.decimal128(18, 4))
"""The dtype of amounts: decimals with four places, as the gateway writes them, whose sums are exact."""

_PLACES = Decimal("0.0001")

UNIT = 10**4
"""How many of the smallest amounts are one VND."""

TOO_MUCH = 10**14 * UNIT
"""The first amount that `MONEY` can't hold, in the smallest amounts."""


@cache
def text_dtype() -> Any:
    """Give the dtype of text: ``str`` on pandas 3, ``string[pyarrow]`` on pandas 2, where ``str`` is ``object``."""
    default = pd.Series(["a"]).dtype
    return default if isinstance(default, pd.StringDtype) else pd.StringDtype("pyarrow")


def text_from_arrow(array: Any) -> Any:
    """Turn an Arrow string array into a pandas text array without a Python object per row."""
    return text_dtype().__from_arrow__(array.cast(pa.large_string()))


def text_from_codes(codes: NDArray[np.signedinteger[Any]], values: Sequence[str | None]) -> Any:
    """Repeat few texts over many rows: row i gets ``values[codes[i]]``, and NA where the code is negative."""
    taken = pa.array(values, pa.large_string()).take(pa.array(codes, mask=codes < 0))
    return text_from_arrow(taken)


def category_from_codes(codes: NDArray[np.signedinteger[Any]], categories: Sequence[str]) -> Any:
    """Build a categorical column: row i is ``categories[codes[i]]``, and NA where the code is negative."""
    labels: Any = list(map(str, categories))  # plain text, also of enums
    return pd.Categorical.from_codes(codes, categories=labels)


def money(values: Sequence[Decimal | int | None]) -> Any:
    """Build a column of amounts in VND, below 10**14 each and rounded to four places; NA for None."""
    rounded = [None if value is None else Decimal(value).quantize(_PLACES) for value in values]
    return pd.array(pa.array(rounded, MONEY.pyarrow_dtype), dtype=MONEY)


def moments(values: Sequence[datetime | None]) -> pd.DatetimeIndex:
    """Build a column of moments in Vietnam time, to the microsecond; NaT for None."""
    naive = [None if value is None else value.astimezone(clock.VIETNAM).replace(tzinfo=None) for value in values]
    return pd.DatetimeIndex(np.array(naive, dtype="datetime64[us]")).tz_localize(clock.VIETNAM)


def money_from_units(units: NDArray[np.int64], known: NDArray[np.bool_]) -> Any:
    """Build a decimal column of amounts in VND from whole ten-thousandths; NA where not known."""
    words = np.empty((len(units), 2), dtype="<i8")  # a decimal is an integer of 128 bits, its lower half first
    words[:, 0] = units
    words[:, 1] = units >> 63
    bitmap = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pd.arrays.ArrowExtensionArray(
        pa.Array.from_buffers(MONEY.pyarrow_dtype, len(units), [bitmap, pa.py_buffer(words)])
    )


def money_units(amounts: pd.Series[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give amounts in VND, of any dtype that files make of them, as whole ten-thousandths; and which are known.

    Amounts of 10**14 and more are not known.
    """
    if isinstance(amounts.dtype, pd.ArrowDtype) and pa.types.is_decimal(amounts.dtype.pyarrow_dtype):
        with suppress(pa.ArrowInvalid):  # larger or finer ones are looked at one by one
            array: Any = pa.array(amounts.array).cast(MONEY.pyarrow_dtype)
            array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
            known = np.asarray(pc.is_valid(array).to_numpy(zero_copy_only=False))
            words = np.frombuffer(array.buffers()[1], dtype="<i8")[2 * array.offset :]
            return np.where(known, words[: 2 * len(array) : 2], 0), known
    plain = pd.to_numeric(amounts.astype(object), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    known = np.abs(plain) < TOO_MUCH // UNIT
    return np.rint(np.where(known, plain, 0) * UNIT).astype(np.int64), known
