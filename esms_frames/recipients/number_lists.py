"""Read lists of numbers that are relied on as a whole: nobody on one may be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base.errors import InvalidInput, PhoneColumnError
from esms_frames.base.sets import distinct
from esms_frames.base.wording import mark
from esms_frames.recipients.find_column import phone_column
from esms_frames.recipients.phones import normalize
from esms_frames.recipients.phones.normalize import write_cell
from esms_frames.recipients.phones.problems import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray


PLAIN = {
    Problem.MISSING: "no number",
    Problem.NOT_A_NUMBER: "not a number",
    Problem.ROUNDED: mark("rounded by a spreadsheet"),
    Problem.SEVERAL: mark("several numbers in one cell"),
    Problem.TOO_SHORT: mark("too few digits"),
    Problem.TOO_LONG: mark("too many digits"),
    Problem.LANDLINE: mark("landline, can't receive SMS"),
    Problem.FOREIGN: mark("number of another country"),
    Problem.UNASSIGNED: mark("no network has this prefix"),
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
        column = normalize.pick_column(values[phone_column(values)] if isinstance(values, pd.DataFrame) else values)
    except PhoneColumnError:
        raise InvalidInput(
            "{list} is a DataFrame of which it is not clear which column holds the numbers: pass that column "
            "alone, df['…'].",
            list=name,
        ) from None
    except InvalidInput as error:
        raise InvalidInput("{list} can't be read as a list of numbers; {why_text}", list=name, why_text=error) from None
    found = normalize.read(column)
    problems = normalize.problem_of(found)
    unclear = _unread(problems) if of_record else _unclear(column, problems)
    if unclear.size:
        raise InvalidInput(
            "{list} holds {count} entries of which it is not clear whom they mean (the first at position "
            "{place}: {problem_text}): give each number a row of its own, and nothing beside it.",
            list=name,
            count=int(unclear.size),
            place=int(unclear[0]),
            problem_text=PLAIN[problems[unclear[0]]],
        )
    if len(found) and not (found >= 0).any():
        raise InvalidInput(
            "{list} has {count} entries and none is a mobile number: is it the right list?", list=name, count=len(found)
        )
    return distinct(found[found >= 0])


def _unread(problems: pd.Categorical) -> NDArray[np.int64]:
    """Find the entries that may mean somebody who has, or gets, a mobile number."""
    return np.flatnonzero(problems.notna() & ~problems.isin(_NOBODY))


def _unclear(column: pd.Series[Any], problems: pd.Categorical) -> NDArray[np.int64]:
    """Find the entries that may mean somebody who can be texted today."""
    # Text with as many digits as a number may well hold one; less digits, landlines and foreigners can't be texted.
    vague = np.flatnonzero(problems.isin(_VAGUE))
    digits = np.array([sum(map(str.isdigit, write_cell(cell))) for cell in column.iloc[vague]], dtype=np.int64)
    return np.union1d(vague[digits >= 9], np.flatnonzero(problems.isin([Problem.SEVERAL, Problem.ROUNDED])))
