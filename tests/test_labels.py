from __future__ import annotations

import string
from decimal import Decimal

import pytest

import esms_frames as ef
from esms_frames.widgets.labels import ENGLISH, VIETNAMESE, Words


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_both_languages_have_the_same_labels():
    assert set(VIETNAMESE) == set(ENGLISH)


@pytest.mark.parametrize("key", sorted(VIETNAMESE))
def test_both_languages_say_a_label_with_the_same_placeholders(key):
    assert placeholders(VIETNAMESE[key]) == placeholders(ENGLISH[key])
    assert VIETNAMESE[key].strip() == VIETNAMESE[key] != ""


def test_numbers_are_written_as_the_language_writes_them():
    assert Words("vi")("exclude_count", count=1234567) == "Sẽ bỏ qua 1.234.567 số trong lần gửi này."
    assert Words("en")("exclude_count", count=1234567) == "1,234,567 numbers are left out of this send."
    assert Words("vi").money(Decimal("34000.0000")) == "34.000 đ"
    assert Words("en").money(Decimal("34000.0000")) == "34,000 VND"


def test_an_unknown_language_is_refused_in_one_sentence():
    with pytest.raises(ef.InvalidInput, match="lang is 'fr': choose 'vi' or 'en'"):
        Words("fr")
