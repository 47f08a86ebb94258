"""`number_mask`: a phone number is found in other people's words however it is written, and other digits stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.recipients.phones.mask import mask_numbers, mask_phones

WRITTEN = [
    "0901888484", "0901/888/484", "0901,888,484", "0901_888_484", "0901\u00a0888\u00a0484", "0901\u202f888\u202f484",
    "84901888484", "+84 901 888 484", "(+84) 901-888-484", "+84(0)901888484", "0084.901.888.484", "84/901/888/484",
    "0 9 0 1 8 8 8 4 8 4", "０９０１８８８４８４", "0901\u2013888\u2013484", "84-0901 888 484",
]  # fmt: skip
LAN = frozenset({"901888484"})


@pytest.mark.parametrize("written", WRITTEN)
def test_a_number_is_hidden_however_it_is_written(written):
    for hide in (mask_phones, lambda text: mask_numbers(text, LAN)):
        assert hide(f"Number {written} is blocked") == "Number … is blocked"


@pytest.mark.parametrize("between", ",;/|_ \u00a0\n")
def test_of_several_numbers_those_that_are_wanted_are_hidden(between):
    text = f"0901888483{between}84901888484{between}0901888485"
    assert mask_numbers(text, LAN) == f"0901888483{between}…{between}0901888485"
    assert mask_numbers("901888484", LAN) == "…"


@pytest.mark.parametrize(
    "text", ["since 31/01/2030 12:00", "code 108, 5000 left", "12.000.000 VND", "d533-1234", "", "0901"]
)
def test_other_digits_stay(text):
    assert mask_phones(text) == text
    assert mask_numbers(text, LAN) == text


@given(st.text(alphabet="0123456789 .,/_+()-a\u00a0", max_size=60))
def test_nothing_of_a_wanted_number_is_left(text):
    digits = "".join(c for c in mask_numbers(text + "0901.888/484", LAN) if c.isdigit())
    assert "901888484" not in digits or "901888484" in "".join(c for c in text if c.isdigit())
