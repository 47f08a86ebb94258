"""Landlines of before 2017 are known by their groups, and mobile numbers by theirs."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import spellings

import esms_frames as ef
from esms_frames.recipients.phones import area_codes
from esms_frames.recipients.phones.area_codes import is_area_code, is_old_landline
from esms_frames.recipients.phones.numbering_plan import valid_prefixes


def test_the_examples_of_the_table_are_what_it_calls_them():
    landlines, mobiles = area_codes.__doc__.split("These groups say mobile")
    landlines = landlines[landlines.index("====") :]
    found = ef.normalize_phones(re.findall("``(.*?)``", landlines))
    assert found["problem"].astype(object).tolist() == ["landline"] * len(found)
    assert len(found) == 8
    found = ef.normalize_phones(re.findall("``(.*?)``", mobiles[: mobiles.index("Sources")]))
    assert found["phone"].notna().all()
    assert len(found) == 8


def test_the_codes_are_those_that_were_replaced():
    for size, codes in spellings.AREA_CODES.items():
        numbers = np.arange(10**size) * 10 ** (9 - size)
        found = np.flatnonzero(is_area_code(numbers, np.full(len(numbers), 9 - size)))
        assert {f"{code:0{size}d}" for code in found.tolist()} == codes


groups = st.lists(st.integers(1, 8), unique=True, max_size=4).map(sorted)
countries = st.sampled_from(["0", "", "+84", "84", "0084", "+84 ", "+84 0", "84-", "+84-", "(84) ", "+84 (0)", "0 "])
signs = st.sampled_from([" ", ".", "-"])
mobiles = st.tuples(st.sampled_from(np.flatnonzero(valid_prefixes()[3000:]).tolist()), st.integers(0, 99_999)).map(
    lambda pair: f"{pair[0] + 3000}{pair[1]:05d}"
)


@given(mobiles, groups, countries, st.lists(signs, min_size=4, max_size=4), st.booleans())
def test_any_groups_are_read_as_one_reads_them_cell_by_cell(national, breaks, country, between, alike):
    places = [0, *breaks, 9]
    pieces = [national[begin:end] for begin, end in pairwise(places)]
    between = between[:1] * 4 if alike else between
    cell = country + "".join(piece + sign for piece, sign in zip(pieces, [*between[: len(breaks)], ""], strict=True))
    row = ef.normalize_phones([cell]).iloc[0]
    if spellings.is_old_landline(cell):
        assert row["problem"] == "landline"
    elif cell.count(".") == 1 and row["problem"] in {"not_a_number", "too_short"}:
        pass  # a decimal point
    else:
        assert row["phone"] == f"0{national}"


@pytest.mark.parametrize(
    "number", ["0838100200", "+84838100200", "84773863863", "0563822222", "0350851234", "838100200"]
)
def test_digits_without_groups_are_no_landline(number):
    assert not is_old_landline(pa.array([number], pa.large_string()))[0]
    assert ef.normalize_phones([number])["phone"].notna().all()


def test_a_column_of_mobile_numbers_in_usual_groups_needs_no_second_look(monkeypatch):
    from esms_frames.recipients.phones import normalize

    monkeypatch.setattr(normalize, "parse_freeform", None)
    cells = [
        "077 386 3863",
        "+84 77 386 3863",
        "(077) 386-3863",
        "(077)386-3863",
        "077-386-3863",
        "0773 863 863",
        "083 810 0200",
    ]
    assert ef.normalize_phones(cells)["phone"].tolist() == ["0773863863"] * 6 + ["0838100200"]
