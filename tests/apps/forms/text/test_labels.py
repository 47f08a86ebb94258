from __future__ import annotations

from decimal import Decimal

import pytest

import esms_frames as ef
from esms_frames.apps.forms.text.labels import LABELS, Words


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_language_has_all_labels(lang):
    words = Words(lang)
    assert all(key in words for key in LABELS)
    assert words("heading_send") == {"vi": "Gửi", "en": "Send"}[lang]


def test_numbers_are_written_as_the_language_writes_them():
    assert Words("vi")("exclude_count", count=1234567) == "Sẽ bỏ qua 1.234.567 số trong lần gửi này."
    assert Words("en")("exclude_count", count=1234567) == "1,234,567 numbers are left out of this send."
    assert Words("vi").money(Decimal("34000.0000")) == "34.000 đ"
    assert Words("en").money(Decimal("34000.0000")) == "34,000 VND"


def test_an_unknown_language_is_refused_in_one_sentence():
    with pytest.raises(ef.InvalidInput, match="lang is 'fr': choose 'en' or 'vi'"):
        Words("fr")
