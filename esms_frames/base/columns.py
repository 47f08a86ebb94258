"""Build pandas columns from arrays, in the dtypes that this pandas uses by default."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from esms_frames.base import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from numpy.typing import NDArray


UNIT = 10**4
"""How many of the smallest amounts are one VND: the gateway writes four decimal places."""

TOO_MUCH = 10**14 * UNIT
"""The first amount that nobody pays, in the smallest amounts."""


@cache
def text_dtype() -> Any:
    """Return the dtype of text: ``str`` on pandas 3, ``string[pyarrow]`` on pandas 2, where ``str`` is ``object``."""
    default = pd.Series(["a"]).dtype
    return default if isinstance(default, pd.StringDtype) else pd.StringDtype("pyarrow")


def text_from_arrow(array: Any) -> Any:
    """Convert an Arrow string array to a pandas text array without a Python object per row."""
    return text_dtype().__from_arrow__(array.cast(pa.large_string()))


def text_from_codes(codes: NDArray[np.signedinteger[Any]], values: Sequence[str | None]) -> Any:
    """Build a text column from few texts: row i is ``values[codes[i]]``, and NA if the code is negative."""
    taken = pa.array(values, pa.large_string()).take(pa.array(codes, mask=codes < 0))
    return text_from_arrow(taken)


def category_from_codes(codes: NDArray[np.signedinteger[Any]], categories: Sequence[str]) -> Any:
    """Build a categorical column: row i is ``categories[codes[i]]``, and NA if the code is negative."""
    labels: Any = list(map(str, categories))  # plain text, also of enums
    return pd.Categorical.from_codes(codes, categories=labels)


def money(values: Sequence[Decimal | int | None]) -> NDArray[np.float64]:
    """Build a float64 column of amounts in VND, rounded to four places; NaN for None."""
    return np.array([np.nan if value is None else round(float(value), 4) for value in values], dtype=float)


def moments(values: Sequence[datetime | None]) -> pd.DatetimeIndex:
    """Build a column of moments in Vietnam time, to the microsecond; NaT for None."""
    naive = [None if value is None else value.astimezone(clock.VIETNAM).replace(tzinfo=None) for value in values]
    return pd.DatetimeIndex(np.array(naive, dtype="datetime64[us]")).tz_localize(clock.VIETNAM)


def money_from_units(units: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Build a float64 column of amounts in VND from whole ten-thousandths; NaN where not known.

    Every amount below 9 * 10**11 VND is read back by `money_units` as the same number of ten-thousandths.
    """
    return np.where(known, units / UNIT, np.nan)


def money_units(amounts: pd.Series[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return amounts in VND, of any dtype that files make of them, as whole ten-thousandths; and which are known.

    Amounts of 10**14 and more are not known.
    """
    numbers = amounts if amounts.dtype == np.float64 else pd.to_numeric(amounts.astype(object), errors="coerce")
    plain = numbers.to_numpy(dtype=float, na_value=np.nan)
    known = np.abs(plain) < TOO_MUCH // UNIT
    return np.rint(np.where(known, plain, 0) * UNIT).astype(np.int64), known
