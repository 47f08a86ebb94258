"""Find phone numbers in other people's texts, however they are written; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


HIDDEN = "…"

# Digits with at most three characters between two of them, none of which is a letter or a sign that ends a clause.
_RUN = re.compile(r"[+(]{0,2}\d(?:[^\d\w;:!?\n]|_){0,3}(?:\d(?:[^\d\w;:!?\n]|_){0,3})*\d")
_BEFORE = ("00840", "0084", "840", "84", "0")
_PHONE = re.compile("(?:00840?|840?|0)[35789][0-9]{8}")
_NATIONAL = 9  # digits of a mobile number without its 0


def mask_phones(text: str) -> str:
    """Hide everything that could be a Vietnamese phone number.

    Examples
    --------
    >>> mask_phones("Number 0901/888/484 and +84-901,888_485 blocked, 12 left, since 31/01/2030")
    'Number … and … blocked, 12 left, since 31/01/2030'
    """
    return _RUN.sub(
        lambda run: _mask_spans(run[0], lambda digits: (each.span() for each in _PHONE.finditer(digits))), text
    )


def mask_numbers(text: str, wanted: frozenset[str]) -> str:
    """Hide some national numbers (nine digits, without 0), with whatever stands for the country before them, if anything.

    Examples
    --------
    >>> mask_numbers("0901 888 484, 84.901.888.485: wrong", frozenset({"901888484"}))
    '…, 84.901.888.485: wrong'
    """

    def spans(digits: str) -> Iterator[tuple[int, int]]:
        done = 0
        for first in range(len(digits) - _NATIONAL + 1):
            if first >= done and digits[first : first + _NATIONAL] in wanted:
                before = next((len(prefix) for prefix in _BEFORE if digits[done:first].endswith(prefix)), 0)
                done = first + _NATIONAL
                yield first - before, done

    return _RUN.sub(lambda run: _mask_spans(run[0], spans), text)


def _mask_spans(run: str, spans: Callable[[str], Iterator[tuple[int, int]]]) -> str:
    """Hide spans of the digits of a text, with the characters between them and the signs before."""
    positions = [position for position, character in enumerate(run) if character.isdecimal()]
    digits = "".join(str(int(run[position])) for position in positions)
    shown, done = [], 0
    for first, end in spans(digits):
        start = positions[first]
        while start > done and run[start - 1] in "+(":
            start -= 1
        shown += [run[done:start], HIDDEN]
        done = positions[end - 1] + 1
    return "".join([*shown, run[done:]])
