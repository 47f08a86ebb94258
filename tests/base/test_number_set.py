"""Sets of numbers by bits: what was put in is in, what was taken out is not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.base.sets import NumberSet

NUMBERS = st.sets(st.integers(901888400, 901888420) | st.integers(200_000_000, 999_999_999), max_size=30)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_it_is_a_set(added, removed, sought):
    numbers = NumberSet()
    added, removed, sought = (np.array(sorted(some), dtype=np.int32) for some in (added, removed, sought))
    numbers.add(added)
    numbers.remove(removed)
    assert numbers.holds(sought).tolist() == [n in added and n not in removed for n in sought]
    assert (numbers.holds(added) == ~np.isin(added, removed)).all()


@given(st.lists(st.lists(st.integers(900000000, 900000040), max_size=30), max_size=5))
def test_what_is_new_in_several_arrays_is_what_is_the_first_of_its_kind_in_all_of_them_in_a_row(several):
    seen, new = NumberSet(), []
    for some in several:
        new += seen.add_new(np.array(some, dtype=np.int32)).tolist()
    row = [number for some in several for number in some]
    assert new == [number not in row[:place] for place, number in enumerate(row)]
