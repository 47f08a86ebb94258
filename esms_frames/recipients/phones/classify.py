"""Judge the digits of cells by arithmetic on whole columns: the national number, or why it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames.recipients.phones import numbering_plan
from esms_frames.recipients.phones.problems import CODE, Problem, choose_first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.signedinteger[Any]]
    Bools = NDArray[np.bool_]


_POWER = 10 ** np.arange(19, dtype=np.int64)


def classify_numbers(value: Ints, zeros: Ints, plus: Bools) -> NDArray[np.int32]:
    """Judge numbers by arithmetic: the national number, or the code of the problem.

    `value` holds all digits as one integer, `zeros` how many zeros stood before it, `plus` whether a plus sign did.
    """
    candidate, coded = value, np.zeros(len(value), dtype=bool)
    long = np.flatnonzero(value >= 84 * 10**9)
    if long.size:
        candidate, written = value.copy(), value[long]
        for digits in (9, 10, 11):  # after 84: nine digits, or ten of before 2018; each perhaps with a needless zero
            rest = written - 84 * 10**digits
            fits = (rest >= 10 ** (digits - 2)) & (rest < 10**digits)
            candidate[long[fits]] = rest[fits]
            coded[long[fits]] = True
            long, written = long[~fits], written[~fits]
    allowed = np.where(coded, (zeros == 0) | (zeros == 2), ~plus & (zeros < 2))

    old = np.flatnonzero((candidate >= 10**9) & (candidate < 2 * 10**9))
    if old.size:
        prefix = numbering_plan.new_prefixes()[candidate[old] // numbering_plan.OLD_PREFIX]
        renewed = prefix.astype(np.int64) * numbering_plan.OLD_PREFIX + candidate[old] % numbering_plan.OLD_PREFIX
        candidate = np.array(candidate)
        candidate[old] = np.where(prefix > 0, renewed, candidate[old])

    nine = (candidate >= 10**8) & (candidate < 10**9) & allowed
    number = np.where(nine, candidate, 0).astype(np.int32)
    valid = numbering_plan.valid_prefixes()[number // numbering_plan.PREFIX]
    wrong = np.flatnonzero(~valid)
    if wrong.size:
        number[wrong] = _find_problem(value[wrong], zeros[wrong], plus[wrong])
    return number


def _find_problem(value: Ints, zeros: Ints, plus: Bools) -> NDArray[np.int32]:
    size = _count_digits(value)
    vietnam = value // _POWER[np.maximum(size - 2, 0)] == 84
    international = plus | (zeros == 2)
    coded = vietnam & (international | ((zeros == 0) & (size >= 11) & (size <= 13)))
    national = np.where(coded, value - 84 * _POWER[np.maximum(size - 2, 0)], value)
    size = _count_digits(national)
    first = national // _POWER[np.maximum(size - 1, 0)]
    verdicts = [
        (plus & (zeros == 1), Problem.NOT_A_NUMBER),  # no country's code begins with 0
        (zeros > 2, Problem.UNASSIGNED),
        (international & ~vietnam, Problem.FOREIGN),
        (size < 9, Problem.TOO_SHORT),
        ((first == 2) & (size <= 10), Problem.LANDLINE),
        ((size > 10) | ((size == 10) & (first != 1)), Problem.TOO_LONG),
    ]
    return choose_first(verdicts, otherwise=np.int32(CODE[Problem.UNASSIGNED]))


def _count_digits(value: Ints) -> Ints:
    return np.searchsorted(_POWER, value, side="right")
