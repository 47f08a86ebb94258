"""Build pandas columns from arrays, in the dtypes that this pandas uses by default."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from esms_frames import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray


MONEY = pd.ArrowDtype(pa.decimal128(18, 4))
"""The dtype of amounts: decimals with four places, as the gateway writes them, whose sums are exact."""

_PLACES = Decimal("0.0001")


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
