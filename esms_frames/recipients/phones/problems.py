"""Why a cell holds no number that can be texted, and the codes that stand for it among numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Problem(StrEnum):
    """Why a cell holds no number that can be texted."""

    MISSING = "missing"
    """Nothing there: NA, only blanks, or a word for that such as NULL, #N/A or a dash."""
    NOT_A_NUMBER = "not_a_number"
    """Text, a negative or fractional number, a number with a note beside it."""
    ROUNDED = "rounded"
    """Scientific notation without all digits, as in a spreadsheet's 9.12E+08: those that are gone can't be known."""
    SEVERAL = "several"
    """Two or more numbers in one cell, unless exactly one of them is a mobile number and the others are landlines."""
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LANDLINE = "landline"
    """02…, or an area code of before 2017 that is set apart, as in (08) 3810 0200: cannot receive an SMS."""
    FOREIGN = "foreign"
    """An international number of another country."""
    UNASSIGNED = "unassigned"
    """The right length, but no network has been given the prefix."""


CODE = {problem: -1 - position for position, problem in enumerate(Problem)}
"""What stands for a problem where a national number would: -1 for the first, and so on."""


def choose_first(verdicts: Sequence[tuple[NDArray[np.bool_], Problem]], otherwise: Any) -> NDArray[np.int32]:
    """Return the code of the first problem of each row, or `otherwise`."""
    conditions = [condition for condition, _ in verdicts]
    codes = [np.int32(CODE[problem]) for _, problem in verdicts]
    return np.select(conditions, codes, otherwise).astype(np.int32)
