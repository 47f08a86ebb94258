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
    """Nothing there: NA, or only blanks."""
    NOT_A_NUMBER = "not_a_number"
    """Text, a negative or fractional number, a number with a note beside it."""
    ROUNDED = "rounded"
    """Scientific notation, as in a spreadsheet's 9.12E+08: nobody can tell which digits were rounded away."""
    SEVERAL = "several"
    """Two or more numbers in one cell."""
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LANDLINE = "landline"
    """02…: cannot receive an SMS."""
    FOREIGN = "foreign"
    """An international number of another country."""
    UNASSIGNED = "unassigned"
    """The right length, but no network has been given the prefix."""


CODE = {problem: -1 - position for position, problem in enumerate(Problem)}
"""What stands for a problem where a national number would: -1 for the first, and so on."""


def first_of(verdicts: Sequence[tuple[NDArray[np.bool_], Problem]], otherwise: Any) -> NDArray[np.int32]:
    """Give the code of the first problem that is there in each row, or what is given `otherwise`."""
    conditions = [condition for condition, _ in verdicts]
    codes = [np.int32(CODE[problem]) for _, problem in verdicts]
    return np.select(conditions, codes, otherwise).astype(np.int32)
