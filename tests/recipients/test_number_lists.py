"""Lists of numbers that are relied on as a whole."""

from __future__ import annotations

import pytest

import esms_frames as ef
from esms_frames.recipients.number_lists import read_list


class Unwritable:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("odd", [10**5000, Unwritable()], ids=["an integer of 5,000 digits", "an object without text"])
def test_an_entry_that_can_not_be_written_as_text_is_refused_or_passed_over_in_words(odd):
    try:
        assert read_list(["0901888484", odd], "exclude").tolist() == [901888484]
    except ef.InvalidInput as error:
        assert "exclude" in str(error)


def test_an_old_landline_is_nobody_who_can_be_texted():
    assert read_list(["(08) 3810 0200", "0901888484 / 0901 888 484"], "exclude").tolist() == [901888484]
