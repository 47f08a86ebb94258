"""Keep spreadsheets from running text of a CSV file as formulas, and take that back when it is read; pure.

OWASP ("CSV Injection") asks for an apostrophe before what begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end,
also where a separator or quotation mark within the cell would let a spreadsheet begin a new one there. Numbers keep their
sign: ``+84 901 888 484`` and ``-1.5`` run nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


_SIGNS = "=+\\-@＝＋－＠"
_NUMBER = r"[+\-]\(?[0-9][0-9 .()/\-]*(?=[,;|\t\r\n\"]|$)"
_START = r"""(?P<before>(?:^|[,;|\t\r\n"])[ \u00a0]*)"""
_RUN = re.compile(rf"{_START}(?P<marks>'*)(?!{_NUMBER})(?P<sign>[{_SIGNS}])")
_EDGE = re.compile(r"^('*)(?=[\t\r\n])")
_RESTORE = re.compile(rf"{_START}'(?P<marks>'*)(?!{_NUMBER})(?P<sign>[{_SIGNS}])")
_RESTORE_EDGE = re.compile(r"^'('*)(?=[\t\r\n])")

# The same, coarser, in the language of Arrow's expressions: which cells are worth a look.
_MAYBE = rf"""(?:^|[,;|\t\r\n"])[ \x{{00a0}}]*'*[{_SIGNS}]|^'*[\t\r\n]"""
_SURELY_NOT = r"^[+\-]?\(?[0-9][0-9 .()/\-]*$"


def neutralize(text: str) -> str:
    """Put an apostrophe before whatever a spreadsheet would take for a formula.

    Examples
    --------
    >>> neutralize("=1+2"), neutralize("+84 901 888 484"), neutralize("-1.5"), neutralize("x;@SUM(1)")
    ("'=1+2", '+84 901 888 484', '-1.5', "x;'@SUM(1)")
    """
    return _EDGE.sub(r"'\1", _RUN.sub(r"\g<before>'\g<marks>\g<sign>", text))


def restore(text: str) -> str:
    """Take the apostrophes of `neutralize` away.

    Examples
    --------
    >>> restore("'=1+2"), restore("x;'@SUM(1)"), restore("'0901888484")
    ('=1+2', 'x;@SUM(1)', "'0901888484")
    """
    return _RESTORE.sub(r"\g<before>\g<marks>\g<sign>", _RESTORE_EDGE.sub(r"\1", text))


def runs(text: str) -> bool:
    """Return whether a spreadsheet would take a text, or a piece of it, for a formula."""
    return re.search(rf"{_START}(?!{_NUMBER})[{_SIGNS}]", text) is not None


def neutralize_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Neutralize the cells of a text column."""
    return _changed(column, neutralize)


def restore_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Take the apostrophes of `neutralize_column` away."""
    return _changed(column, restore)


def column_runs(column: pd.Series[Any]) -> bool:
    """Return whether a spreadsheet would take some cell of a text column for a formula."""
    return any(runs(column.iloc[place]) for place in _worth_a_look(column))


def _changed(column: pd.Series[Any], change: Any) -> pd.Series[Any]:
    places = _worth_a_look(column)
    if not len(places):
        return column
    column = column.copy()
    column.iloc[places] = [change(cell) for cell in column.iloc[places]]
    return column


def _worth_a_look(column: pd.Series[Any]) -> NDArray[np.int64]:
    try:
        cells = pa.array(column, type=pa.large_string(), from_pandas=True)
    except UnicodeEncodeError:  # half of a pair of surrogates
        return np.flatnonzero(column.notna().to_numpy())
    found = pc.and_not(pc.match_substring_regex(cells, _MAYBE), pc.match_substring_regex(cells, _SURELY_NOT))
    return np.flatnonzero(pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False))
