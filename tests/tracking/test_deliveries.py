"""Answers matched with rows."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esms_frames.recipients.phones import numbering_plan
from esms_frames.tracking.deliveries import NOT_KNOWN, PENDING, Answer, Rows, judge_not_found, match

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=60)
SENDS = st.fixed_dictionaries(
    {}, optional={n: st.tuples(st.integers(0, 10**9), st.sets(st.integers(0, 12)), st.integers(0, 5)) for n in range(4)}
)


@settings(deadline=None)
@given(ROWS, SENDS, st.randoms())
def test_no_number_has_a_share_of_what_is_asked_for_several_and_the_order_of_rows_changes_nothing(pairs, sends, random):
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
        assert (found.total[here] == units).all()
        if units and len(numbers) > 1:
            assert not found.has_units[here].any()
        assert found.units[here].sum() in {0, units}
        assert (found.state[here] == [0 if number in numbers else -1 for number in rows.number[here]]).all()
    order = list(range(len(pairs)))
    random.shuffle(order)
    other = match(Rows(rows.send[order], rows.number[order], 4), answers)
    assert (other.state == found.state[order]).all()
    assert other.units.sum() == found.units.sum()


def test_a_tariff_prices_the_numbers_that_the_list_has_and_none_else():
    listed = np.array([901888484, 981888484], dtype=np.int64)
    answers = {0: Answer(1, 1_650, 2, listed, np.zeros(2, dtype=int), final=True)}
    rows = Rows(np.zeros(3, dtype=np.int64), np.array([901888484, 981888484, 981888485]), 1)
    names, _ = numbering_plan.networks()
    tariff = np.full(len(names) + 1, -1, dtype=np.int64)
    tariff[[names.index("MobiFone"), names.index("Viettel")]] = 850, 800
    found = match(rows, answers, {0: tariff})
    assert (found.units.tolist(), found.has_units.tolist()) == ([850, 800, 0], [True, True, False])


@pytest.mark.parametrize(
    ("age", "rest", "final"),
    [
        (timedelta(0), PENDING, False),
        (timedelta(minutes=59, seconds=59), PENDING, False),
        (timedelta(hours=1), NOT_KNOWN, True),
        (pd.NaT, NOT_KNOWN, True),
    ],
)
def test_a_send_that_the_gateway_does_not_know_is_pending_within_the_hour_and_forgotten_later(age, rest, final):
    answer = judge_not_found(age)
    assert (answer.rest, answer.final) == (rest, final)
