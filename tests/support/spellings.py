"""Made-up phone columns as messy as real ones, for tests, benchmarks and the packaged sample.

`SHARES` documents what a mixed column holds. Everything is drawn from a seeded generator, so a seed is a column.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.recipients.phones import numbering_plan

if TYPE_CHECKING:
    from collections.abc import Callable

SHARES = {
    # usable
    "0901888484": 0.36,
    "0901 888 484": 0.08,
    "0901.888.484": 0.06,
    "0901-888-484": 0.03,
    "+84901888484": 0.09,
    "+84 901 888 484": 0.04,
    "84901888484": 0.07,
    "0084901888484": 0.01,
    "+84 (0)901 888 484": 0.01,
    "(090) 188-8484": 0.01,
    "901888484": 0.07,
    "901888484.0": 0.04,
    "'0901888484": 0.01,
    "tel:0901888484": 0.005,
    "0901\N{NO-BREAK SPACE}888\N{NO-BREAK SPACE}484": 0.01,
    "\N{ZERO WIDTH SPACE}0901888484": 0.003,
    "０９０１８８８４８４": 0.002,
    "old 01621234567": 0.02,
    "old 1621234567": 0.01,
    # unusable
    "": 0.02,
    "không có": 0.005,
    "9.02E+08": 0.005,
    "0901888484/0912345678": 0.01,
    "090188848": 0.01,
    "09018884841": 0.005,
    "02838251234": 0.01,
    "+14155552671": 0.003,
    "0401234567": 0.002,
}
assert abs(sum(SHARES.values()) - 1) < 1e-9

_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def phones(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n national numbers of assigned prefixes, nine digits each."""
    prefixes = np.flatnonzero(numbering_plan.valid_prefixes())
    return rng.choice(prefixes[prefixes >= 3000], n) * 100_000 + rng.integers(0, 100_000, n)


NBSP, ZWSP = "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}"

# How a national number d of nine digits is written in each form; e is another number, for cells with two.
_WRITTEN: dict[str, Callable[[str, str], str]] = {
    "0901888484": lambda d, e: f"0{d}",
    "0901 888 484": lambda d, e: f"0{d[:3]} {d[3:6]} {d[6:]}",
    "0901.888.484": lambda d, e: f"0{d[:3]}.{d[3:6]}.{d[6:]}",
    "0901-888-484": lambda d, e: f"0{d[:3]}-{d[3:6]}-{d[6:]}",
    "+84901888484": lambda d, e: f"+84{d}",
    "+84 901 888 484": lambda d, e: f"+84 {d[:3]} {d[3:6]} {d[6:]}",
    "84901888484": lambda d, e: f"84{d}",
    "0084901888484": lambda d, e: f"0084{d}",
    "+84 (0)901 888 484": lambda d, e: f"+84 (0){d[:3]} {d[3:6]} {d[6:]}",
    "(090) 188-8484": lambda d, e: f"(0{d[:2]}) {d[2:5]}-{d[5:]}",
    "901888484": lambda d, e: d,
    "901888484.0": lambda d, e: f"{d}.0",
    "'0901888484": lambda d, e: f"'0{d}",
    "tel:0901888484": lambda d, e: f"tel:0{d}",
    f"0901{NBSP}888{NBSP}484": lambda d, e: f"0{d[:3]}{NBSP}{d[3:6]}{NBSP}{d[6:]}",
    f"{ZWSP}0901888484": lambda d, e: f"{ZWSP}0{d}",
    "０９０１８８８４８４": lambda d, e: f"0{d}".translate(_FULL_WIDTH),
    "old 01621234567": lambda d, e: f"0{_old(d)}",
    "old 1621234567": lambda d, e: _old(d),
    "": lambda d, e: "",
    "không có": lambda d, e: "không có",
    "9.02E+08": lambda d, e: f"{d[0]}.{d[1:3]}E+08",
    "0901888484/0912345678": lambda d, e: f"0{d}/0{e}",
    "090188848": lambda d, e: f"0{d[:8]}",
    "09018884841": lambda d, e: f"0{d}{d[0]}",
    "02838251234": lambda d, e: f"028{d[1:]}",
    "+14155552671": lambda d, e: f"+1415555{d[5:]}",
    "0401234567": lambda d, e: f"04{d[1:]}",
}
assert list(_WRITTEN) == list(SHARES)


def _old(d: str) -> str:
    return f"16{2 + int(d) % 8}{d[2:]}"


def spell(form: str, number: int, other: int) -> str:
    """Write a national number in one of the forms of `SHARES`."""
    return _WRITTEN[form](f"{number:09d}", f"{other:09d}")


def mixed(n: int, seed: int = 0, *, duplicates: float = 0.1) -> list[str]:
    """Draw a column of n cells with the shares above; `duplicates` of them repeat the number of another cell."""
    rng = np.random.default_rng(seed)
    numbers = phones(n, rng)
    again = rng.random(n) < duplicates
    numbers[again] = numbers[rng.integers(0, n, int(again.sum()))]
    forms = rng.choice(list(SHARES), n, p=list(SHARES.values()))
    others = phones(n, rng)
    return [spell(*cell) for cell in zip(forms.tolist(), numbers.tolist(), others.tolist(), strict=True)]


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The area codes of 2016 by province, without their zero, from north to south.
AREA_CODES = {
    1: _codes("4 8"),
    2: _codes(
        "20 22 25 26 27 29 30 31 33 34 36 37 38 39 52 53 54 55 56 57 58 59 60 61 62 63 64 66 67 68 70 72 73 74 75 76 77 79"
    ),
    3: _codes("210 211 218 219 230 231 240 241 280 281 320 321 350 351 500 501 510 511 650 651 710 711 780 781"),
}


_COUNTRY = {"", "0", "84", "840", "0084", "00840"}


def area_code(national: str) -> bool:
    """Tell whether a number begins with what was an area code until 2017."""
    return any(national[:size] in codes for size, codes in AREA_CODES.items())


def is_old_landline(cell: str) -> bool:
    """Tell by its groups whether a cell is a landline of before 2017: the slow, obvious way."""
    runs = re.findall("[0-9]+", cell)
    digits = "".join(runs)
    for size in (9, 10):
        country, national = digits[:-size], digits[-size:]
        with_plus = cell.lstrip(" ([").startswith("+")
        if len(national) < size or country not in ({"84", "840", "0084", "00840"} if with_plus else _COUNTRY):
            continue
        signs = dict(
            zip(
                np.cumsum([len(run) for run in runs])[:-1] - len(country),
                re.findall("[^0-9]+", cell.strip("+([ ")),
                strict=False,
            )
        )
        breaks = {int(place): sign for place, sign in signs.items() if place > 0}
        if size == 10:
            return min(breaks, default=0) == 3 and national[:3] in AREA_CODES[3]
        if set(breaks) == set(range(1, 9)):
            return False
        if 1 in breaks and national[0] in AREA_CODES[1]:
            return True
        if min(breaks, default=0) == 2 and national[:2] in AREA_CODES[2]:
            usual = (
                set(breaks) in ({2, 5}, {2, 5, 7}) and len(set(breaks.values())) == 1 and breaks[2] in {" ", ".", "-"}
            )
            return not usual and not re.fullmatch(r"\(0[0-9]{2}\) ?[0-9]{3}-[0-9]{4}", cell)
        return min(breaks, default=0) == 3 and breaks[3][0] in ")]" and national[:3] in AREA_CODES[3]
    return False
