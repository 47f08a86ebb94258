"""Sets of numbers: what hash tables say is what plain Python says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.base import sets
from esms_frames.base.sets import distinct, find_positions, find_repeated, is_among

numbers = st.lists(st.integers(0, 20), max_size=30)


@given(numbers, numbers, st.sampled_from([np.int32, np.int64]))
def test_hash_tables_say_what_plain_python_says(some, others, kind):
    there, among = np.array(some, dtype=kind), np.array(others, dtype=kind)
    assert is_among(there, among).tolist() == [number in others for number in some]
    assert distinct(there).tolist() == sorted(set(some))
    assert distinct(there).dtype == kind
    once = list(dict.fromkeys(others))
    expected = [once.index(number) if number in once else -1 for number in some]
    assert find_positions(there, np.array(once, dtype=kind)).tolist() == expected


@given(numbers, st.integers(1, 8))
def test_of_equal_numbers_all_but_the_first_are_repeated_in_however_many_parts_they_are_looked_at(some, cached):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "_CACHED", cached)
        found = find_repeated(np.array(some, dtype=np.int32)).tolist()
    assert found == [number in some[:place] for place, number in enumerate(some)]
