"""`disentangle`: after two campaigns became one, nobody is in two batches that may be sent, and nobody is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.journal.merging import Side, Unfinished, disentangle

PEOPLE = range(900_000_000, 900_000_012)


def numbers(several):
    return np.array(sorted(several), dtype=np.int32)


@st.composite
def sides(draw):
    """Two campaigns, each of which has put each number into no batch or one."""
    made = []
    for side in range(2):
        place = draw(st.lists(st.integers(-1, 3), min_size=len(PEOPLE), max_size=len(PEOPLE)))
        held = [{person for person, at in zip(PEOPLE, place, strict=True) if at == batch} for batch in range(4)]
        made.append(
            Side(
                numbers(held[0]),
                [Unfinished(10 * side + batch, batch == 1, numbers(held[batch])) for batch in (1, 2, 3) if held[batch]],
            )
        )
    return made


@given(sides())
def test_nobody_is_in_two_batches_that_may_be_sent_and_nobody_is_lost(both):
    first, second = both
    changes = {change.id: change for change in disentangle(first, second)}
    batches = [*first.unfinished, *second.unfinished]
    left = {b.id: set((changes[b.id].left if b.id in changes else b.numbers).tolist()) for b in batches}
    may_be_sent = [person for people in left.values() for person in people]
    assert len(set(may_be_sent)) == len(may_be_sent)
    texted = {*first.texted.tolist(), *second.texted.tolist()}
    for mine, other in ((first, second), (second, first)):
        for batch in mine.unfinished:
            assert not left[batch.id] & set(other.texted.tolist())
    before = {person for batch in batches for person in batch.numbers.tolist()}
    assert set(may_be_sent) | texted == before | texted
    for batch in batches:
        if batch.id in changes:
            assert set(changes[batch.id].texted.tolist()) == set(batch.numbers.tolist()) & (
                set((second if batch.id < 10 else first).texted.tolist())
            )


def test_whom_both_may_text_stays_where_a_repetition_is_refused():
    one = Side(numbers([]), [Unfinished(1, False, numbers(PEOPLE[:4]))])
    other = Side(numbers([]), [Unfinished(11, True, numbers(PEOPLE[:2]))])
    [change] = disentangle(one, other)
    assert (change.id, change.left.tolist(), change.texted.tolist()) == (1, list(PEOPLE[2:4]), [])
