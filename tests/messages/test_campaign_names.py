"""`campaign_key` and `fold_text`: names and texts that look alike are one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.messages.campaign_names import campaign_key, default_name, fold_text, old_default_name

NAME = "Tết 2030 Khuyến mãi"
UNSEEN = ["\u200b", "\u200c", "\u200d", "\u2060", "\u00ad", "\ufeff", "\u202e", "\u2066", "\ufe0f", "\u034f"]
BLANKS = ["\u00a0", "\u2003", "\u202f", "\u3000", "  ", "\t", "\r\n"]


@pytest.mark.parametrize("character", UNSEEN)
def test_what_shows_nothing_makes_no_other_name(character):
    for place in range(len(NAME) + 1):
        assert campaign_key(NAME[:place] + character + NAME[place:]) == campaign_key(NAME)


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_is_a_blank(blank):
    assert campaign_key(blank + NAME.replace(" ", blank) + blank) == campaign_key(NAME)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_any_form_of_unicode_and_any_case_is_the_same_name(form):
    for name in (NAME, NAME.upper(), NAME.lower(), NAME.title(), NAME.replace("2030", "２０３０")):
        assert campaign_key(unicodedata.normalize(form, name)) == campaign_key(NAME)


@pytest.mark.parametrize("other", ["Tet 2030 Khuyen mai", "Tết 2031 Khuyến mãi", "Tết2030 Khuyến mãi", "Tết 2030"])
def test_what_reads_differently_is_another_name(other):
    assert campaign_key(other) != campaign_key(NAME)


@given(st.text())
def test_a_key_is_its_own_key(name):
    assert campaign_key(campaign_key(name)) == campaign_key(name)
    assert fold_text(fold_text(name)) == fold_text(name)


def test_a_text_that_was_written_plainly_keeps_the_name_that_older_versions_gave_it():
    assert default_name("Cảm ơn quý khách!") == old_default_name("Cảm ơn quý khách!")
    assert default_name("Cảm ơn") != default_name("Cám ơn")
    assert default_name("\u200b") == default_name("\ufeff")
