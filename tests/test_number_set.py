"""Sets of numbers by bits: what was put in is in, what was taken out is not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.number_set import NumberSet

NUMBERS = st.sets(st.integers(901888400, 901888420) | st.integers(200_000_000, 999_999_999), max_size=30)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_it_is_a_set(added, removed, sought):
    numbers = NumberSet()
    added, removed, sought = (np.array(sorted(some), dtype=np.int32) for some in (added, removed, sought))
    numbers.add(added)
    numbers.remove(removed)
    assert numbers.holds(sought).tolist() == [n in added and n not in removed for n in sought]
    assert (numbers.holds(added) == ~np.isin(added, removed)).all()
