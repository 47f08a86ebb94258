"""Which failures are worth another try, how often, and when a run gives up: the tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.surroundings import at_once

import esms_frames as ef
from esms_frames.gateway.retries import ASKING, SENDING, TRACKING, Rounds, Unanswered

AWAY, AWAY_FOR_LONG = ef.Unreachable("no connection"), ef.Unreachable("its certificate is old", is_lasting=True)


def page(status):
    return ef.BadAnswer("a page", status, "<html>")


@pytest.mark.parametrize(
    ("error", "sending", "tracking", "asking"),
    [
        (AWAY, True, True, True),
        (AWAY_FOR_LONG, False, False, False),
        (ef.NoAnswer("silence"), True, True, True),
        (page(200), True, True, True),
        (page(408), True, True, True),
        (page(429), True, True, True),
        (page(500), True, True, True),
        (page(503), True, True, True),
        (page(302), False, True, True),
        (page(403), False, True, True),
        (page(404), False, True, True),
        (ef.Refused(160), True, True, True),  # too many requests
        (ef.Refused(199), True, False, True),  # in process
        (ef.Refused(105), False, False, True),  # not found, or not yet
        (ef.Refused(124), False, False, False),
        (ef.Refused(101), False, False, False),
        (ef.Refused(99), False, False, False),
        (ef.Refused(None), False, False, False),
        (ef.InvalidInput("wrong"), False, False, False),
        (ValueError("a bug"), False, False, False),
    ],
)
def test_which_failures_are_worth_another_try(error, sending, tracking, asking):
    assert [kind.is_worth_another(error) for kind in (SENDING, TRACKING, ASKING)] == [sending, tracking, asking]


@pytest.mark.parametrize(
    ("failures", "attempts", "tries", "ends_with"),
    [
        ([], 3, 1, "done"),
        ([AWAY], 3, 2, "done"),
        ([AWAY, ef.Refused(160)], 3, 3, "done"),
        ([AWAY] * 3, 3, 3, AWAY),
        ([AWAY] * 3, 1, 1, AWAY),
        ([AWAY, AWAY_FOR_LONG], 3, 2, AWAY_FOR_LONG),
    ],
)
def test_it_is_tried_until_it_goes_well_or_is_not_worth_it_or_was_tried_often_enough(
    failures, attempts, tries, ends_with
):
    left, made = list(failures), []

    def request():
        made.append(1)
        if left:
            raise left.pop(0)
        return "done"

    retries = at_once(replace(TRACKING, attempts=attempts))
    if ends_with == "done":
        assert retries.run(request) == "done"
    else:
        with pytest.raises(type(ends_with)) as raised:
            retries.run(request)
        assert raised.value is ends_with
    assert len(made) == tries


def test_what_speaks_against_another_try_is_heard():
    made = []

    def request():
        made.append(1)
        raise AWAY

    with pytest.raises(ef.Unreachable):
        SENDING.run(request, unless=lambda error: error is AWAY)
    assert len(made) == 1


@pytest.mark.parametrize(
    ("answers", "given_up_after"),
    [("", None), ("--", None), ("---", 3), ("--+--", None), ("--+---", 6), ("+-+-+---", 8)],
)
def test_a_run_gives_up_after_three_in_a_row_without_an_answer(answers, given_up_after):
    unanswered, given_up = Unanswered(), None
    for n, answer in enumerate(answers, start=1):
        if answer == "+":
            unanswered.reset()
        elif unanswered.add():
            given_up = n
            break
    assert given_up == given_up_after


@pytest.mark.parametrize(
    ("timeout", "waits"),
    [(None, []), (0, []), (1.9, []), (2, [2]), (5.1, [2]), (5.2, [2, 3.2]), (20, [2, 3.2, 4, 4, 4])],
)
def test_rounds_come_at_longer_and_longer_intervals_and_none_begins_after_the_time_out(monkeypatch, timeout, waits):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    waited = []
    for wait in Rounds(first_wait=2.0, longest_wait=4.0, growth=1.6).waits(timeout):
        waited.append(wait)
        now[0] += wait
    assert waited == pytest.approx(waits)
