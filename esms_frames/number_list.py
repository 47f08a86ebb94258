"""Read lists of numbers that are relied on as a whole: nobody on one may be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import phones
from esms_frames.detection import phone_column
from esms_frames.errors import InvalidInput, PhoneColumnError
from esms_frames.problem import Problem
from esms_frames.sets import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = {
    Problem.MISSING: "no number",
    Problem.NOT_A_NUMBER: "not a number",
    Problem.ROUNDED: "rounded by a spreadsheet",
    Problem.SEVERAL: "several numbers in one cell",
    Problem.TOO_SHORT: "too few digits",
    Problem.TOO_LONG: "too many digits",
    Problem.LANDLINE: "landline, can't receive SMS",
    Problem.FOREIGN: "number of another country",
    Problem.UNASSIGNED: "no network has this prefix",
}
"""The problems of cells, in words for people."""

_VAGUE = [Problem.NOT_A_NUMBER, Problem.TOO_LONG]
_NOBODY = [Problem.MISSING, Problem.LANDLINE, Problem.FOREIGN]


def read_list(values: Any, name: str, *, of_record: bool = False) -> NDArray[np.int32]:
    """Read a list of numbers; one that can't be relied on is refused, for somebody on it could be missed.

    Parameters
    ----------
    values : list, set, Series, Index, array or DataFrame
        Numbers in any spelling; of a DataFrame, the phone column is found by its name or content.
    name : str
        What the list is called in an error.
    of_record : bool, optional
        Whether the list is kept, so that what can't be texted today matters too: too few digits, a prefix that is not
        given to a network yet. One number alone is a list then as well.

    Returns
    -------
    array of int32
        The national numbers, each once, sorted.

    Raises
    ------
    InvalidInput
        When an entry may mean somebody and it is not clear whom, or none of the entries is a mobile number.
    """
    if of_record and isinstance(values, (str, int, np.integer)) and not isinstance(values, bool):
        values = [values]
    if isinstance(values, (set, frozenset)):
        values = list(values)
    try:
        column = phones.one_column(values[phone_column(values)] if isinstance(values, pd.DataFrame) else values)
    except PhoneColumnError:
        raise InvalidInput(
            f"{name} is a DataFrame of which it is not clear which column holds the numbers: pass that column alone, "
            "df['…']."
        ) from None
    except InvalidInput as error:
        raise InvalidInput(f"{name} can't be read as a list of numbers; {error}") from None
    found = phones.read(column)
    problems = phones.problem_of(found)
    unclear = _unread(problems) if of_record else _unclear(column, problems)
    if unclear.size:
        raise InvalidInput(
            f"{name} holds {unclear.size:,} entries of which it is not clear whom they mean (the first at position "
            f"{unclear[0]}: {PLAIN[problems[unclear[0]]]}): give each number a row of its own, and nothing beside it."
        )
    if len(found) and not (found >= 0).any():
        raise InvalidInput(f"{name} has {len(found):,} entries and none is a mobile number: is it the right list?")
    return distinct(found[found >= 0])


def _unread(problems: pd.Categorical) -> NDArray[np.int64]:
    """Find the entries that may mean somebody who has, or gets, a mobile number."""
    return np.flatnonzero(problems.notna() & ~problems.isin(_NOBODY))


def _unclear(column: pd.Series[Any], problems: pd.Categorical) -> NDArray[np.int64]:
    """Find the entries that may mean somebody who can be texted today."""
    # Text with as many digits as a number may well hold one; less digits, landlines and foreigners can't be texted.
    vague = np.flatnonzero(problems.isin(_VAGUE))
    digits = np.array([sum(map(str.isdigit, str(cell))) for cell in column.iloc[vague]], dtype=np.int64)
    return np.union1d(vague[digits >= 9], np.flatnonzero(problems.isin([Problem.SEVERAL, Problem.ROUNDED])))
