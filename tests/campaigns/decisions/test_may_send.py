"""Whether a batch may be sent, and what a refusal proves: the tables."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.base.clock import VIETNAM
from esms_frames.campaigns.decisions.may_send import (
    ASK_FIRST,
    CLOCK_SET_BACK,
    CLOCK_UNKNOWN,
    CLOCKS_DIFFER,
    DAY_ENDED,
    TOO_LATE,
    Clocks,
    find_hours_objection,
    find_objection,
    judge_failure,
    judge_refusal,
    may_have_arrived,
)
from esms_frames.gateway.http.connection import HeldBackError
from esms_frames.journal.records import Attempt, AttemptOutcome, BatchStatus
from esms_frames.messages.advertising_rules import Rule

NOTHING = timedelta(0)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2030-01-{text}").replace(tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("since", "now", "objection"),
    [
        ("31 08:00", "31 08:01", None),
        ("31 00:15", "31 23:14:59", None),
        ("31 00:15", "31 23:15", TOO_LATE),
        ("31 00:14:59", "31 12:00", DAY_ENDED),  # the gateway's clock may have been before midnight
        ("31 12:00", "31 23:44:59", None),
        ("31 12:00", "31 23:45", DAY_ENDED),  # it may arrive after midnight
        ("30 23:59:59", "31 00:00:01", DAY_ENDED),
        ("30 12:00", "31 08:00", DAY_ENDED),
        ("31 08:00", "31 07:54:59", CLOCK_SET_BACK),
    ],
)
def test_what_is_uncertain_is_repeated_within_one_vietnam_day_and_23_hours(since, now, objection):
    clocks = Clocks(moment(now), offset=NOTHING)
    assert find_objection(moment("01 00:00"), moment(since), None, clocks) == objection


@pytest.mark.parametrize(
    ("offset", "latest", "objection"),
    [
        (NOTHING, None, None),
        (9 * MINUTE, None, None),
        (-9 * MINUTE, "31 12:04", None),
        (None, None, CLOCK_UNKNOWN),
        (10 * MINUTE, None, CLOCKS_DIFFER),
        (-5 * HOUR, None, CLOCKS_DIFFER),
        (NOTHING, "31 12:06", CLOCK_SET_BACK),
        (None, "31 20:00", CLOCK_SET_BACK),
    ],
)
def test_what_is_uncertain_is_repeated_only_by_clocks_that_agree_and_were_not_set_back(offset, latest, objection):
    clocks = Clocks(moment("31 12:00"), None if latest is None else moment(latest), offset)
    assert find_objection(moment("31 08:00"), moment("31 08:00"), None, clocks) == objection
    assert find_objection(moment("31 08:00"), None, None, clocks) is None  # what never left is not uncertain


@pytest.mark.parametrize(
    ("created", "began", "now", "objection"),
    [
        ("31 08:00", None, "31 12:00", None),
        ("30 23:50", None, "31 00:10", DAY_ENDED),  # an older copy may not know that it was sent
        ("30 23:50", "30 23:40", "31 00:10", None),  # planned by this very run
        ("30 08:00", "30 07:00", "31 07:00", TOO_LATE),
    ],
)
def test_what_another_run_planned_is_sent_on_the_day_of_its_plan_without_asking(created, began, now, objection):
    clocks = Clocks(moment(now), offset=NOTHING)
    since = None if began is None else moment(began)
    assert find_objection(moment(created), None, None, clocks, planned_since=since) == objection


@pytest.mark.parametrize(
    ("code", "objection"),
    [(None, None), (124, ASK_FIRST), (99, ASK_FIRST), (177, ASK_FIRST), (103, None), (160, None), (199, None)],
)
def test_what_would_be_answered_as_before_is_asked_about_instead_of_repeated(code, objection):
    clocks = Clocks(moment("31 12:00"), offset=NOTHING)
    assert find_objection(moment("31 08:00"), moment("31 08:00"), None, clocks, code=code) == objection


def test_what_is_uncertain_is_not_repeated_after_its_schedule():
    clocks = Clocks(moment("31 12:00"), offset=NOTHING)
    send_at = moment("31 12:00")
    assert find_objection(moment("31 08:00"), moment("31 08:00"), send_at, clocks) == TOO_LATE
    assert find_objection(moment("31 08:00"), moment("31 08:00"), send_at + MINUTE, clocks) is None


@given(
    st.datetimes(datetime(2030, 1, 1), datetime(2030, 1, 4)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.timedeltas(-timedelta(minutes=10), timedelta(minutes=10)),
    st.timedeltas(timedelta(0), timedelta(minutes=4)),
)
def test_whatever_the_gateways_clock_a_repetition_arrives_while_the_id_is_kept(since, waited, offset, on_the_way):
    since = since.replace(tzinfo=VIETNAM)
    now = since + waited
    if find_objection(since, since, None, Clocks(now, offset=offset)) is None:
        taken, again = since + offset, now + offset + on_the_way
        assert taken.date() == again.date()
        assert again - taken < timedelta(hours=24)


@pytest.mark.parametrize(
    ("now", "offset", "is_allowed"),
    [
        ("31 21:59", None, True),
        ("31 22:00", None, False),
        ("31 21:59", 2 * MINUTE, False),  # the gateway's clock is the law's
        ("31 22:01", -2 * MINUTE, True),
        ("31 06:59", 2 * MINUTE, True),
        ("31 12:30", 11 * HOUR, False),  # 23:30 at the gateway
        ("31 23:30", -11 * HOUR, False),  # and here, if it is the gateway's that is wrong
        ("31 12:30", 2 * HOUR, True),
    ],
)
def test_hours_are_those_of_the_gateways_clock_and_of_both_where_they_differ(now, offset, is_allowed):
    why = find_hours_objection({Rule.SENDING_HOURS}, None, Clocks(moment(now), offset=offset))
    assert (why is None) is is_allowed
    assert find_hours_objection(set(), None, Clocks(moment(now), offset=offset)) is None


@pytest.mark.parametrize(
    ("send_at", "offset", "is_allowed"),
    [("31 21:00", 11 * HOUR, False), ("31 21:00", 2 * HOUR, True), ("31 22:30", NOTHING, False)],
)
def test_a_schedule_that_is_past_by_the_gateways_clock_goes_out_at_once(send_at, offset, is_allowed):
    why = find_hours_objection({Rule.SENDING_HOURS}, moment(send_at), Clocks(moment("31 12:30"), offset=offset))
    assert (why is None) is is_allowed


def attempt(outcomes: str) -> Attempt:
    """Make an attempt after others: u(nanswered), r(efused), a (gateway that could not be reached: nothing is known)."""
    since = moment("31 08:00") if "u" in outcomes else None
    return Attempt(
        1, 1, len(outcomes) + 1, since, "u" in outcomes, "r" in outcomes, moment("31 08:05"), moment("31 08:05")
    )


@pytest.mark.parametrize(
    ("before", "code", "status"),
    [
        ("", 124, BatchStatus.UNKNOWN),  # somebody else's, or a proxy's
        ("a", 124, BatchStatus.UNKNOWN),
        ("u", 124, BatchStatus.ACCEPTED),
        ("uau", 124, BatchStatus.ACCEPTED),
        ("r", 124, BatchStatus.UNKNOWN),  # it may keep the ids of what it refuses
        ("ru", 124, BatchStatus.UNKNOWN),
        ("ur", 124, BatchStatus.UNKNOWN),
        ("", 199, BatchStatus.UNKNOWN),
        ("u", 199, BatchStatus.UNKNOWN),
        ("", 160, BatchStatus.PLANNED),
        ("u", 160, BatchStatus.UNKNOWN),
        ("", 103, BatchStatus.PLANNED),
        ("u", 103, BatchStatus.UNKNOWN),
        ("", 99, BatchStatus.REFUSED),
        ("r", 99, BatchStatus.REFUSED),
        ("u", 99, BatchStatus.UNKNOWN),
        ("", 4711, BatchStatus.REFUSED),
    ],
)
def test_what_a_refusal_proves_depends_on_the_attempts_before(before, code, status):
    verdict = judge_refusal(ef.Refused(code), attempt(before))
    assert verdict.status is status
    assert (verdict.reason is None) == (status is BatchStatus.ACCEPTED)


@pytest.mark.parametrize(
    ("before", "code", "outcome"),
    [
        ("", 124, AttemptOutcome.ALREADY_THERE),
        ("u", 124, AttemptOutcome.ALREADY_THERE),
        ("r", 124, AttemptOutcome.ALREADY_THERE),
        ("", 199, AttemptOutcome.UNANSWERED),
        ("u", 160, AttemptOutcome.REFUSED),
        ("", 103, AttemptOutcome.REFUSED),
        ("", 99, AttemptOutcome.REFUSED),
        ("u", 99, AttemptOutcome.REFUSED),
    ],
)
def test_an_attempt_is_refused_unless_its_code_says_that_the_gateway_has_the_request(before, code, outcome):
    assert judge_refusal(ef.Refused(code), attempt(before)).outcome is outcome


@pytest.mark.parametrize(
    ("before", "error", "status", "outcome"),
    [
        ("", ef.NoAnswer("silence"), BatchStatus.UNKNOWN, AttemptOutcome.UNANSWERED),
        ("", ef.BadAnswer("a page", 503, "<html>"), BatchStatus.UNKNOWN, AttemptOutcome.UNANSWERED),
        ("", ef.Unreachable("no connection"), BatchStatus.PLANNED, AttemptOutcome.UNREACHABLE),
        ("u", ef.Unreachable("no connection"), BatchStatus.UNKNOWN, AttemptOutcome.UNREACHABLE),
        ("a", ef.Unreachable("no connection"), BatchStatus.PLANNED, AttemptOutcome.UNREACHABLE),
        ("", HeldBackError("too late"), BatchStatus.PLANNED, AttemptOutcome.NOT_TRIED),
        ("u", HeldBackError("too late"), BatchStatus.UNKNOWN, AttemptOutcome.NOT_TRIED),
        ("", ef.InvalidInput("past"), BatchStatus.PLANNED, AttemptOutcome.NOT_TRIED),
        ("r", ef.InvalidInput("past"), BatchStatus.PLANNED, AttemptOutcome.NOT_TRIED),
    ],
)
def test_what_an_attempt_without_an_answer_proves(before, error, status, outcome):
    verdict = judge_failure(error, attempt(before))
    assert (verdict.status, verdict.outcome, verdict.reason) == (status, outcome, str(error))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ef.NoAnswer("silence"), True),
        (ef.BadAnswer("a page", 200, ""), True),
        (ef.Refused(199), True),  # in process
        (ef.Refused(160), False),
        (ef.Refused(124), False),
        (ef.Unreachable("no connection"), False),
        (HeldBackError("too late"), False),
    ],
)
def test_what_may_have_arrived(error, expected):
    assert may_have_arrived(error) is expected


@pytest.mark.parametrize(
    ("offset", "earliest"),
    [(NOTHING, "31 00:20"), (-9 * MINUTE, "31 00:20"), (-40 * MINUTE, "30 23:40"), (HOUR, "31 00:20")],
)
def test_an_attempt_is_dated_by_the_earlier_clock_so_that_it_holds_once_this_machines_is_set_right(offset, earliest):
    assert Clocks(moment("31 00:20"), offset=offset).earliest == moment(earliest)


def test_an_attempt_while_the_gateways_clock_is_not_known_is_never_repeated():
    since = Clocks(moment("31 12:00")).earliest
    assert find_objection(since, since, None, Clocks(moment("31 12:01"), offset=NOTHING)) is not None
