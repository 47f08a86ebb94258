"""The rules of advertising: hours, the daily cap, and which of them hold."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.messages.advertising_rules import describe_switched_off, explain_hours, find_over_cap, rules_for
from esms_frames.messages.limits import SmsType

ADVERTISING, CARE = SmsType.ADVERTISING, SmsType.CUSTOMER_CARE
DAY = 86_400


def vietnam(text):
    return datetime.fromisoformat(text).replace(tzinfo=clock.VIETNAM)


# Which rules hold


def test_all_rules_hold_for_advertising_and_none_for_customer_care():
    assert rules_for(ADVERTISING) == frozenset(ef.Rule)
    assert rules_for(CARE) == frozenset()


@pytest.mark.parametrize("rule", list(ef.Rule))
@pytest.mark.parametrize(
    "given_as", [lambda r: r, str, lambda r: [r], lambda r: {str(r)}, lambda r: (r, r), lambda r: {r: 1}]
)
def test_a_rule_is_switched_by_its_name_and_no_other_is(rule, given_as):
    assert rules_for(ADVERTISING, off=given_as(rule)) == frozenset(ef.Rule) - {rule}
    assert rules_for(CARE, on=given_as(rule)) == {rule}


def test_switching_what_is_so_anyway_changes_nothing():
    assert rules_for(CARE, off="sending_hours") == frozenset()
    assert rules_for(ADVERTISING, on=["do_not_contact"]) == frozenset(ef.Rule)


@pytest.mark.parametrize(
    "names", ["all", "", "hours", ["sending_hours", "cap"], True, None, 3, [None], ["Sending_Hours"]]
)
@pytest.mark.parametrize("way", ["off", "on"])
def test_an_unknown_rule_is_refused_with_the_names_of_those_that_there_are(names, way):
    with pytest.raises(ef.InvalidInput, match="the rules are sending_hours, daily_cap, do_not_contact"):
        rules_for(ADVERTISING, **{way: names})


@pytest.mark.parametrize("sms_type", list(SmsType))
def test_a_rule_is_not_both_off_and_on(sms_type):
    with pytest.raises(ef.InvalidInput, match="daily_cap is to be both off and on"):
        rules_for(sms_type, off=["daily_cap", "sending_hours"], on="daily_cap")


def test_people_are_told_which_rules_were_switched_off():
    assert describe_switched_off(rules_for(ADVERTISING), ADVERTISING) is None
    assert describe_switched_off(rules_for(CARE), CARE) is None
    assert describe_switched_off(rules_for(CARE, on="do_not_contact"), CARE) is None
    one, two, three = (rules_for(ADVERTISING, off=list(ef.Rule)[:n]) for n in (1, 2, 3))
    assert describe_switched_off(one, ADVERTISING) == "Sent with the rule sending_hours switched off."
    assert describe_switched_off(two, ADVERTISING) == "Sent with the rules sending_hours and daily_cap switched off."
    assert describe_switched_off(three, ADVERTISING) == (
        "Sent with the rules sending_hours, daily_cap and do_not_contact switched off."
    )
    assert describe_switched_off(["daily_cap", "do_not_contact"], ADVERTISING) == describe_switched_off(
        one, ADVERTISING
    )  # as journaled


# Hours


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        ("2030-01-31 00:00:00", "2030-01-31 07:00:00"),
        ("2030-01-31 06:59:59", "2030-01-31 07:00:00"),
        ("2030-01-31 06:59:59.000001", "2030-01-31 07:00:00"),
        ("2030-01-31 07:00:00", "2030-01-31 07:00:00"),
        ("2030-01-31 12:34:56", "2030-01-31 12:34:56"),
        ("2030-01-31 12:34:56.000001", "2030-01-31 12:34:57"),
        ("2030-01-31 21:59:59", "2030-01-31 21:59:59"),
        ("2030-01-31 21:59:59.5", "2030-02-01 07:00:00"),
        ("2030-01-31 22:00:00", "2030-02-01 07:00:00"),
        ("2030-12-31 23:59:59.999999", "2031-01-01 07:00:00"),
    ],
)
def test_advertising_goes_out_from_seven_until_before_ten_at_night(moment, allowed):
    assert ef.next_allowed_time(vietnam(moment)) == vietnam(allowed)
    assert ef.next_allowed_time(datetime.fromisoformat(moment)) == vietnam(allowed)  # naive is Vietnam time
    assert ef.next_allowed_time(vietnam(moment).astimezone(UTC)) == vietnam(allowed)
    assert ef.next_allowed_time(pd.Timestamp(moment)) == vietnam(allowed)
    assert ef.next_allowed_time(pd.Timestamp(moment, tz="Asia/Ho_Chi_Minh")) == vietnam(allowed)
    found = ef.next_allowed_time(pd.Timestamp(vietnam(moment)).tz_convert("America/New_York"))
    assert type(found) is datetime
    assert found == vietnam(allowed)
    assert found.utcoffset() == timedelta(hours=7)


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)), st.integers(-14, 14))
def test_the_next_allowed_time_is_allowed_and_the_first_that_is(moment, offset):
    moment = moment.replace(tzinfo=timezone(timedelta(hours=offset)))
    found = ef.next_allowed_time(moment)
    assert found >= moment
    assert explain_hours(found) is None
    assert ef.next_allowed_time(found) == found
    assert found - moment < timedelta(hours=9, seconds=1)
    if explain_hours(moment) is None and explain_hours(moment + timedelta(seconds=1)) is None:
        assert found - moment < timedelta(seconds=1)
    if found - moment >= timedelta(seconds=1):
        assert (found.hour, found.minute, found.second) == (7, 0, 0)


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("minute", ["00:00", "00:00.000001", "49:59.5", "50:00", "50:01", "59:59.999999"])
def test_it_can_be_the_schedule_of_a_message_at_any_hour(hour, minute, at):
    now = at(f"2030-01-31 {hour:02}:{minute}")
    message = ef.Message("Khuyen mai", "QC_ONLINE", "advertising", send_at=ef.next_allowed_time())
    assert explain_hours(message.send_at) is None
    assert message.send_at >= now + timedelta(minutes=10)  # the last batch leaves before it, too
    assert message.send_at < now + timedelta(hours=9, minutes=11)


@pytest.mark.heavy
def test_it_is_the_same_on_machines_in_other_time_zones():
    code = (
        "import esms_frames as ef; from datetime import datetime, UTC; "
        "print(ef.next_allowed_time(datetime(2030, 1, 31, 23)), "
        "ef.next_allowed_time(datetime(2030, 1, 31, 14, tzinfo=UTC)))"
    )
    for zone in ("America/Los_Angeles", "Asia/Tokyo", "UTC"):
        shown = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True
        )
        assert shown.stdout.strip() == "2030-02-01 07:00:00+07:00 2030-01-31 21:00:00+07:00"


@pytest.mark.parametrize("moment", ["2030-01-31", 12, pd.NaT, True, datetime(9999, 12, 31, 23)])
def test_what_is_no_moment_is_refused(moment):
    with pytest.raises(ef.InvalidInput, match="now is"):
        ef.next_allowed_time(moment)


def test_outside_the_hours_a_sentence_names_the_next_time_and_the_way_out():
    assert explain_hours(vietnam("2030-01-31 07:00")) is None
    sentence = explain_hours(datetime(2030, 1, 31, 15, 30, tzinfo=UTC))
    assert "2030-01-31 22:30 is not" in sentence
    assert "send_at='2030-02-01 07:00'" in sentence
    assert "send_at=ef.next_allowed_time()" in sentence
    assert "91/2020" in sentence


# The daily cap

NOON = vietnam("2030-01-31 12:00:00")
NOW = int(NOON.timestamp())


def capped(*times):
    """Whether a number that is texted at these times, in hours from now, may not be texted now."""
    contacted = np.full(len(times), 901888410, dtype=np.int32)
    seconds = np.array([NOW + round(hours * 3600) for hours in times], dtype=np.int64)
    return find_over_cap(np.array([901888410], dtype=np.int32), contacted, seconds, NOON).item()


@pytest.mark.parametrize(
    ("times", "over"),
    [
        ([], False),
        ([-1, -2], False),
        ([-1, -2, -3], True),
        ([0, 0], False),
        ([0, 0, 0], True),
        ([-1, -2, -24], False),  # 24 hours are over
        ([-1, -2, -24 + 1 / 3600], True),
        ([-1, -2, -25, -26, -27], False),
        ([1, 2, 3], True),  # scheduled for later
        ([1, 2, 24], False),
        ([1, 2, 24 - 1 / 3600], True),
        ([-12, -11, 11], True),
        ([-12, -11, 12], False),  # from the first to the last are 24 hours
        ([-12, 11, 11.5], True),
        ([-12, 12, 13], False),
        ([-23, 23, -22, 22], False),
        ([-23, -22, -21, 22], True),
    ],
)
def test_a_fourth_message_in_any_24_hours_is_over_the_cap(times, over):
    assert capped(*times) is over


def test_numbers_don_t_count_for_their_neighbours():
    numbers = np.array([999999999, 901888411, 901888409, 901888411], dtype=np.int32)
    contacted = np.array([901888410] * 3 + [901888411] * 2 + [999999999] * 3, dtype=np.int32)
    seconds = np.full(len(contacted), NOW - 60, dtype=np.int64)
    assert find_over_cap(numbers, contacted, seconds, NOON).tolist() == [True, False, False, False]
    nobody = np.empty(0, dtype=np.int32)
    assert find_over_cap(nobody, contacted, seconds, NOON).tolist() == []
    assert find_over_cap(numbers, nobody, np.empty(0, dtype=np.int64), NOON).tolist() == [False] * 4


def slowly(number, contacted, seconds, moment):
    times = [moment] + [t for n, t in zip(contacted, seconds, strict=True) if n == number]
    windows = [[t for t in times if begin <= t < begin + DAY] for begin in times]
    return any(moment in window and len(window) > 3 for window in windows)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([901888410, 901888411, 999999999]),
            st.one_of(
                st.integers(-2 * DAY, 2 * DAY),
                st.sampled_from([0, -1, 1, DAY, -DAY, DAY - 1, 1 - DAY, DAY // 2, -DAY // 2, DAY // 2 - 1]),
            ),
        ),
        max_size=12,
    )
)
def test_the_cap_is_exact_over_all_windows(contacts):
    numbers = np.array([999999999, 901888410, 901888412, 901888411], dtype=np.int32)
    contacted = np.array([number for number, _ in contacts], dtype=np.int32)
    seconds = np.array([NOW + offset for _, offset in contacts], dtype=np.int64)
    expected = [slowly(number, contacted.tolist(), seconds.tolist(), NOW) for number in numbers.tolist()]
    assert find_over_cap(numbers, contacted, seconds, NOON).tolist() == expected


@pytest.mark.heavy
def test_a_million_numbers_and_three_million_messages_take_seconds():
    generator = np.random.default_rng(1)
    numbers = generator.permutation(np.arange(901_000_000, 902_000_000, dtype=np.int32))
    contacted = generator.choice(numbers, 3_000_000)
    seconds = NOW + generator.integers(-DAY, DAY, 3_000_000)
    begin = time.perf_counter()
    over = find_over_cap(numbers, contacted, seconds, NOON)
    took = time.perf_counter() - begin
    print(f"{took:.2f} s, {over.mean():.1%} capped")
    assert 0.1 < over.mean() < 0.9
    assert took < 10
