"""Answers matched with rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from esms_frames.deliveries import Answer, Rows, match

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=60)
SENDS = st.fixed_dictionaries(
    {}, optional={n: st.tuples(st.integers(0, 10**9), st.sets(st.integers(0, 12)), st.integers(0, 5)) for n in range(4)}
)


@settings(deadline=None)
@given(ROWS, SENDS, st.randoms())
def test_prices_add_up_and_the_order_of_rows_changes_nothing(pairs, sends, random):
    answers = {
        send: Answer(
            1, units, len(numbers), np.array(sorted(numbers), dtype=np.int64), np.zeros(len(numbers), dtype=int)
        )
        for send, (units, numbers, _) in sends.items()
    }
    rows = Rows(*(np.array(side, dtype=np.int64) for side in (zip(*pairs, strict=True) if pairs else ([], []))), 4)
    found = match(rows, answers)
    for send, (units, numbers, _) in sends.items():
        here = rows.send == send
        ours = set(rows.number[here].tolist())
        total = found.units[here].sum()
        assert total <= units
        if here.any() and (not numbers or numbers <= ours):
            assert total == units
        assert (found.state[here] == [0 if number in numbers else -1 for number in rows.number[here]]).all()
    order = list(range(len(pairs)))
    random.shuffle(order)
    other = match(Rows(rows.send[order], rows.number[order], 4), answers)
    assert (other.state == found.state[order]).all()
    assert other.units.sum() == found.units.sum()
