"""Find landlines of before 2017 by how their digits are grouped: an area code that is set apart from the rest.

Until 2017 the area codes of landlines began with other digits than 2, and many of them are the first digits of mobile
numbers today: ``0838100200`` may be ``08 3810 0200``, a landline of Ho Chi Minh City, or ``0838 100 200``, a mobile. Only
the grouping tells which one was meant, so it is judged before separators are dropped. Digits without any
separator stay what they are, a mobile number.

====================  =======================================  ==================================================
area code             set apart before                         example, a landline
====================  =======================================  ==================================================
4, 8                  eight digits, in any groups              ``(08) 3810 0200``, ``+84-8-38300100``, ``8.54330000``
two digits            seven digits, unless they are grouped    ``(077) 3 863 863``, ``056 3822 222``, ``077.3863863``
                      as mobile numbers are (below)
three digits          seven digits, in any groups              ``(0511) 3 822 222``
three digits          six digits, with the code in brackets    ``(0350) 851 234``
====================  =======================================  ==================================================

These groups say mobile, whatever the digits are:

==========================================================  ===================================================
groups                                                      example, a mobile number
==========================================================  ===================================================
the code is not set apart                                   ``0773 863 863``, ``0838.100.200``, ``083 810 0200``
two, three and four digits, with one kind of separator      ``077 386 3863``, ``+84 77 386 3863``
two, three, two and two digits, likewise                    ``077 386 38 63``
the mask that American software lays over any ten digits    ``(077) 386-3863``
every digit by itself                                       ``0 7 7 3 8 6 3 8 6 3``
==========================================================  ===================================================

Sources: the codes are those that Decision 2036/QĐ-BTTTT of 21 November 2016 replaced, as libphonenumber 8.0 of that
year has them in its pattern of fixed lines; with 34, Hà Tây's until 2008. The same edition wrote landlines ``N NNNN NNNN``,
``NN NNNN NNN`` and ``NNN NNNN NNN``, and mobile numbers ``NN NNN NN NN``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ONE = "[48]"
_TWO = "(?:2[025-79]|3[01346-9]|5[2-9]|6[0-46-8]|7[02-79])"
_THREE = "(?:21[0189]|2[348][01]|3[25][01]|5[01][01]|65[01]|7[18][01])"

_COUNTRY = r"(?:\+? ?(?:00 ?)?84 ?)?(?:0 ?)?"
# Of groups with one blank between them.
_BEFORE_2017 = rf"^{_COUNTRY}(?:{_ONE} [0-9](?: ?[0-9]){{7}}|(?:{_TWO}|{_THREE}) [0-9](?: ?[0-9]){{6}})$"
_DIGIT_BY_DIGIT = rf"^{_COUNTRY}[0-9](?: [0-9]){{8}}$"
_IN_BRACKETS = rf"^[^0-9]*(?:\+?(?:00)?84[^0-9]*)?(?:0[^0-9]*)?{_THREE} ?[)\]}}][^0-9]*[0-9](?:[^0-9]*[0-9]){{5}}$"
_AS_MOBILE = (
    r"^(?:\(?\+?(?:00)?84\)?[ .-]?)?(?:\(?0\)?[ .-]?)?[0-9]{2}(?:"
    + "|".join(
        f"{s}[0-9]{{3}}{s}[0-9]{{4}}|{s}[0-9]{{3}}{s}[0-9]{{2}}{s}[0-9]{{2}}" for s in (" ", r"\.", "-", " - ", r"\. ")
    )
    + r")$|^\(0[0-9]{2}\) ?[0-9]{3}-[0-9]{4}$"
)


def is_area_code(number: NDArray[np.signedinteger[Any]], after: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether each national number of nine digits has an area code before its last six, seven or eight digits."""
    found: NDArray[np.bool_] = _table()[np.maximum(number, 0) // 10**6, np.maximum(after - 6, 0)]
    return found


def is_old_landline(text: Any) -> NDArray[np.bool_]:
    """Return which of an Arrow array's texts are landlines of before 2017 by their groups.

    Parameters
    ----------
    text : pyarrow.LargeStringArray
        One number each: digits, ASCII separators, and perhaps a plus.
    """
    spaced = pc.utf8_trim(pc.replace_substring_regex(text, r"\s+", " "), characters=" '\"`")
    groups = pc.utf8_trim(pc.replace_substring_regex(spaced, r"[^0-9+]+", " "), characters=" ")
    old = _matches(groups, _BEFORE_2017) & ~_matches(groups, _DIGIT_BY_DIGIT)
    rows = np.flatnonzero(old)
    old[rows] = ~_matches(spaced.take(rows), _AS_MOBILE)
    return old | _matches(spaced, _IN_BRACKETS)


def _matches(text: Any, pattern: str) -> NDArray[np.bool_]:
    matched: NDArray[np.bool_] = pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return np.array(matched)


@cache
def _table() -> NDArray[np.bool_]:
    """Return for the first three digits of a national number whether three, two or one of them are an area code."""
    table = np.zeros((1000, 3), dtype=bool)
    for first in range(1000):
        table[first] = [
            re.fullmatch(codes, f"{first:03d}"[:size]) is not None
            for codes, size in ((_THREE, 3), (_TWO, 2), (_ONE, 1))
        ]
    return table
