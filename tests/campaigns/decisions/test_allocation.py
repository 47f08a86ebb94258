"""`allocate`: which batches are replaced and added, so that nobody is lost, in two batches, or texted against a rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.campaigns.decisions.allocation import (
    Allocation,
    BatchFacts,
    Members,
    allocate,
    can_be_split,
    choose_recipients,
    find_barred,
    find_facts,
    find_replaced,
    find_untried,
    halves,
    leave_out_late,
    request_id,
)
from esms_frames.campaigns.decisions.may_send import Clocks
from esms_frames.campaigns.decisions.order import Group
from esms_frames.journal.records import LIVE, SETTLED, UNFINISHED, Batch, BatchStatus, Known, NewBatch
from esms_frames.messages.advertising_rules import Rule
from esms_frames.reporting.frame import Status

CARE, OTHER = ef.Message("A", "Baotrixemay"), ef.Message("B", "Baotrixemay")
ADVERT = ef.Message("QC", "QC_ONLINE", "advertising")
ALL = frozenset(Rule)
BORN = datetime(2030, 1, 31, 8, tzinfo=clock.VIETNAM)
FLOOR = 3


def numbers(*some):
    return np.array(sorted(some), dtype=np.int32)


def batch(place, some, status="planned", message=CARE, *, abandoned=True, segment=None, rules=frozenset(), floor=FLOOR):
    return Batch(
        id=place,
        number=place,
        request_id=f"r{place}",
        status=BatchStatus(status),
        reason=None,
        code=None,
        sms_id=None,
        attempts=0,
        sent_at=None,
        uncertain_since=None,
        settled_by=None,
        created_at=BORN,
        is_abandoned=abandoned and status == "planned",
        message=message,
        floor=floor,
        numbers=numbers(*some),
        segment=segment,
        rules=rules,
    )


def known(batches=(), listed=(), had=()):
    contacted = np.repeat(numbers(*had), 3)
    seconds = np.full(len(contacted), int(clock.now().timestamp()) - 60)
    texted = np.array([n for each in batches if each.status in SETTLED for n in each.numbers], dtype=np.int32)
    return Known(
        [each for each in batches if each.status in UNFINISHED],
        {each.request_id for each in batches},
        lambda: numbers(*listed),
        lambda *_: (contacted, seconds),
        clock.now(),
        lambda some: np.isin(some, texted),
    )


def group(some, message=CARE, segment=None, rules=frozenset()):
    return Group(segment, message, rules, FLOOR, numbers(*some))


def decide(groups, excluded=(), **there):
    return allocate(groups, numbers(*excluded), known(**there), "Tết", 5)


def added(decided):
    return sorted(int(n) for new in decided.added for n in new.numbers)


def left_out(decided):
    return {str(some.outcome.status): some.numbers.tolist() for some in decided.left_out}


def test_numbers_that_the_campaign_has_get_no_second_batch():
    decided = decide([group(range(10))], batches=[batch(1, range(5), "accepted"), batch(2, [5, 6, 7], "unknown")])
    assert added(decided) == []
    assert left_out(decided) == {"not_sent": [8, 9]}


def test_numbers_whose_batch_was_refused_get_a_new_one():
    assert added(decide([group(range(5))], batches=[batch(1, range(5), "refused")])) == list(range(5))


def test_batches_are_as_few_as_can_be_each_of_one_segment():
    decided = decide([group(range(7), segment="a"), group(range(10, 14), OTHER, "b")])
    assert [(new.segment, new.message.content, len(new.numbers)) for new in decided.added] == [
        ("a", "A", 4),
        ("a", "A", 3),
        ("b", "B", 4),
    ]


def test_who_is_on_the_do_not_contact_list_gets_nothing_under_the_rule_and_the_rest_otherwise():
    decided = decide([group(range(6), ADVERT, "a", ALL), group(range(10, 16), CARE, "b")], listed=[0, 10])
    assert added(decided) == [1, 2, 3, 4, 5, *range(10, 16)]
    assert left_out(decided) == {"excluded": [0]}


def test_who_has_had_enough_advertising_is_capped_under_the_rule():
    decided = decide([group(range(6), ADVERT, rules=ALL)], had=[1, 2])
    assert added(decided) == [0, 3, 4, 5]
    assert left_out(decided) == {"capped": [1, 2]}
    assert added(decide([group(range(6), ADVERT, rules=ALL - {Rule.DAILY_CAP})], had=[1, 2])) == list(range(6))


def test_who_is_listed_and_has_had_enough_is_said_to_be_listed():
    decided = decide([group(range(6), ADVERT, rules=ALL)], listed=[1], had=[1, 2])
    assert left_out(decided) == {"excluded": [1], "capped": [2]}


def test_an_abandoned_batch_with_somebody_excluded_is_replaced_for_the_others():
    there = batch(1, range(6))
    decided = decide([group(range(3, 6))], excluded=[0], batches=[there])
    assert decided.withdrawn == [there]
    assert added(decided) == [1, 2, 3, 4, 5]


def test_also_when_nobody_of_it_is_in_the_data_and_under_its_own_message_segment_and_rules():
    there = batch(1, range(6), message=ADVERT, segment="a", rules=ALL)
    decided = decide([], listed=[0], had=[1], batches=[there])
    (new,) = decided.added
    assert (new.message, new.segment, new.rules, new.numbers.tolist()) == (ADVERT, "a", ALL, [2, 3, 4, 5])
    assert left_out(decided) == {"excluded": [0], "capped": [1]}


def test_where_the_others_would_be_too_few_the_batch_stays_and_is_not_tried():
    there = batch(1, range(4))
    decided = decide([], excluded=[0, 1], batches=[there])
    assert (decided.withdrawn, decided.added) == ([], [])
    assert list(decided.held) == [1]


def test_what_others_are_too_few_may_be_enough_together():
    several = [batch(1, [0, 1, 2]), batch(2, [3, 4, 5])]
    decided = decide([], excluded=[0, 3], batches=several)
    assert decided.withdrawn == several
    assert added(decided) == [1, 2, 4, 5]


def test_a_batch_that_has_become_too_small_is_joined_with_others():
    there = batch(1, [0, 1])
    decided = decide([group(range(2, 6))], batches=[there])
    assert decided.withdrawn == [there]
    assert added(decided) == list(range(6))
    assert list(decide([], batches=[there]).held) == [1]


@pytest.mark.parametrize("change", [{"message": OTHER}, {"segment": "b"}, {"rules": frozenset({Rule.SENDING_HOURS})}])
def test_a_batch_all_of_whose_numbers_are_to_get_something_else_now_is_replaced(change):
    there = batch(1, range(4))
    decided = decide([group(range(6), **change)], batches=[there])
    assert decided.withdrawn == [there]
    assert added(decided) == list(range(6))
    unchanged = decide([group(range(1, 6), **change)], batches=[there])  # one of them is not in the data
    assert unchanged.withdrawn == []
    assert left_out(unchanged) == {"not_sent": [4, 5]}


@pytest.mark.parametrize("why", ["listed", "had"])
def test_who_may_not_get_the_advertisement_of_a_replaced_batch_still_gets_a_message_that_no_rule_forbids(why):
    there = batch(1, [0], message=ADVERT, rules=ALL)
    decided = decide([group(range(4))], batches=[there], **{why: [0]})
    assert decided.withdrawn == [there]
    assert added(decided) == [0, 1, 2, 3]
    assert left_out(decided) == {}


@pytest.mark.parametrize(("status", "abandoned"), [("planned", False), ("sending", True), ("unknown", True)])
def test_what_is_under_way_or_may_have_left_is_never_replaced_and_not_tried_with_somebody_excluded(status, abandoned):
    there = batch(1, range(4), status, abandoned=abandoned)
    assert decide([group(range(4), OTHER)], batches=[there]).withdrawn == []
    decided = decide([group(range(4))], excluded=[0], batches=[there])
    assert decided.withdrawn == []
    assert list(decided.held) == [1]


def test_what_may_have_left_is_tried_again_though_its_numbers_have_had_enough_since():
    there = batch(1, range(4), "unknown", ADVERT, rules=ALL)
    assert decide([], batches=[there], had=range(4)).held == {}


def test_many_batches_are_replaced_without_touching_all_numbers_for_each(monkeypatch):
    several = [batch(n, range(30 * n, 30 * n + 30)) for n in range(200)]
    touched, real = [], np.concatenate
    monkeypatch.setattr(np, "concatenate", lambda arrays: touched.append(sum(map(len, arrays))) or real(arrays))
    decided = decide([], excluded=range(0, 6000, 30), batches=several)
    assert len(decided.withdrawn) == 200
    assert len(added(decided)) == 5800
    assert sum(touched) < 10 * 6000


some = st.sets(st.integers(0, 40), max_size=25)
status = st.sampled_from(["planned", "sending", "unknown", "accepted", "already_sent", "refused"])
kinds = st.sampled_from([(CARE, frozenset()), (OTHER, frozenset()), (ADVERT, ALL)])


@st.composite
def situations(draw):
    free, batches = list(range(41)), []
    for place in range(draw(st.integers(0, 4))):
        members = draw(st.sets(st.sampled_from(free), min_size=1, max_size=12)) if free else set()
        if members:
            of, (message, rules) = draw(status), draw(kinds)
            batches.append(batch(place + 1, members, of, message, abandoned=draw(st.booleans()), rules=rules))
            if of != "refused":
                free = [n for n in free if n not in members]
    members = sorted(draw(some))
    cut = draw(st.integers(0, len(members)))
    excluded = draw(some)
    parts = [[n for n in part if n not in excluded] for part in (members[:cut], members[cut:])]
    groups = [
        group(part, message, segment, rules)
        for part, segment, (message, rules) in zip(parts, ("a", "b"), (draw(kinds), draw(kinds)), strict=True)
    ]
    return groups, excluded, batches, draw(some), draw(some)


@given(situations())
def test_nobody_is_lost_nor_in_two_batches_nor_texted_against_a_rule(situation):
    groups, excluded, batches, listed, had = situation
    decided = decide(groups, excluded, batches=batches, listed=listed, had=had)
    gone = {each.id for each in decided.withdrawn}
    assert all(each.is_abandoned for each in decided.withdrawn)
    kept = [n for each in batches if each.status in LIVE and each.id not in gone for n in each.numbers.tolist()]
    new = added(decided)
    assert len(set(kept + new)) == len(kept + new)
    aside = {n for each in decided.left_out for n in each.numbers.tolist()}
    ready = {n for each in groups for n in each.numbers.tolist()}
    assert ready <= set(kept) | set(new) | aside
    assert not aside & set(new)
    assert {n for each in decided.withdrawn for n in each.numbers.tolist()} <= set(new) | aside | set(excluded)
    assert not set(new) & set(excluded)
    for each in decided.added:
        assert FLOOR <= len(each.numbers) <= 5
        if Rule.DO_NOT_CONTACT in each.rules:
            assert not set(each.numbers.tolist()) & listed
        if Rule.DAILY_CAP in each.rules:
            assert not set(each.numbers.tolist()) & had
    tried = [each for each in batches if each.status in UNFINISHED and each.id not in gone | set(decided.held)]
    assert not {n for each in tried for n in each.numbers.tolist()} & set(excluded)
    assert not {n for each in tried if each.rules for n in each.numbers.tolist()} & listed


def test_who_is_left_out_is_told_why_and_under_which_segment():
    decided = decide([group([1, 2], segment="vip")])
    (left,) = decided.left_out
    assert left.outcome.status is Status.NOT_SENT
    assert (
        "Only 2 of the numbers of segment 'vip' are new to the campaign 'Tết' and a batch needs 3"
        in left.outcome.reason
    )


# The steps: who is barred, which batches are replaced, and who gets a new one


def bools(*some):
    return np.array(some, dtype=bool)


@pytest.mark.parametrize(
    ("owner", "excluded", "listed", "capped"),
    [
        (group(range(4)), [0], [], []),
        (group(range(4), rules=ALL), [0], [1], [2]),  # who is listed is not said to be capped
        (group(range(4), rules=ALL - {Rule.DO_NOT_CONTACT}), [0], [], [1, 2]),
        (group(range(4), rules=ALL - {Rule.DAILY_CAP}), [0], [1], []),
        (batch(1, range(4), rules=ALL), [0], [1], [2]),
        (batch(1, range(4), "unknown", rules=ALL), [0], [1], []),  # what is counted may be itself
        (batch(1, range(4), abandoned=False, rules=ALL), [0], [1], []),
    ],
)
def test_who_is_barred_and_why(owner, excluded, listed, capped):
    barred = find_barred(Members.of([owner]), numbers(0), numbers(1), numbers(1, 2))
    assert [np.flatnonzero(some).tolist() for some in (barred.excluded, barred.listed, barred.capped)] == [
        excluded,
        listed,
        capped,
    ]
    assert np.flatnonzero(barred.at_all).tolist() == sorted({*excluded, *listed, *capped})


PAST = ef.Message._restored("A", "Baotrixemay", "customer_care", datetime(2029, 1, 31, 8, tzinfo=clock.VIETNAM), None)


@pytest.mark.parametrize(
    ("held", "to_get", "facts"),
    [
        (batch(1, range(4)), group(range(4)), "abandoned"),
        (batch(1, range(4), "unknown"), group(range(4)), ""),
        (batch(1, range(4), "sending", message=PAST), group(range(4), PAST), ""),
        (batch(1, range(4), message=PAST), group(range(4), PAST), "abandoned expired"),
        (batch(1, range(2)), group(range(4)), "abandoned too_small"),
        (batch(1, range(4)), group(range(3)), "abandoned has_absent"),
        (batch(1, range(4)), group(range(4), OTHER), "abandoned has_changed"),
        (batch(1, range(4)), group(range(4), segment="b"), "abandoned has_changed"),
        (batch(1, range(4)), group(range(3), rules=ALL), "abandoned has_absent has_changed"),
        (batch(1, range(6, 10)), group(range(4)), "abandoned has_barred"),  # 9 is excluded, and not missed
        (batch(1, range(9, 13)), group(range(10, 13)), "abandoned has_barred"),
    ],
)
def test_what_decides_about_a_batch(held, to_get, facts):
    held, ready = Members.of([held]), Members.of([to_get, group(range(6, 9))])
    position = np.array([ready.numbers.tolist().index(n) if n in ready.numbers else -1 for n in held.numbers])
    barred = find_barred(held, numbers(9), numbers(), numbers())
    known_facts = find_facts(held, barred, ready, position, BORN)
    assert " ".join(name for name, values in vars(known_facts).items() if values.any()) == facts


@pytest.mark.parametrize(
    ("facts", "replaced", "untried"),
    [
        ("abandoned", False, False),
        ("abandoned has_barred", True, True),
        ("abandoned too_small", True, True),
        ("abandoned has_changed", True, False),
        ("abandoned has_absent", False, False),
        ("abandoned has_absent has_changed", False, False),  # those who are absent would lose what they were to get
        ("abandoned has_absent has_barred", True, True),
        ("abandoned expired", False, True),
        ("abandoned expired has_barred too_small", False, True),
        ("abandoned expired has_absent has_changed", True, True),
        ("", False, False),  # from here on it may have left, or is another run's
        ("has_barred", False, True),
        ("too_small", False, True),
        ("has_changed", False, False),
    ],
)
def test_which_batches_are_replaced_and_which_are_not_tried(facts, replaced, untried):
    names = "abandoned expired too_small has_barred has_absent has_changed".split()
    of_batch = BatchFacts(**{name: bools(name in facts.split()) for name in names})
    assert find_replaced(of_batch).tolist() == [replaced]
    assert find_untried(of_batch).tolist() == [untried]


@pytest.mark.parametrize(
    ("batches", "remaining", "due", "replaced", "recipients"),
    [
        ([], [], [], [], {"A": [0, 1, 2, 3]}),
        ([batch(1, [0, 1, 8])], [8], [False], [False], {"A": [2, 3]}),
        ([batch(1, [0, 1, 8])], [8], [True], [True], {"A": [0, 1, 2, 3, 8]}),
        ([batch(1, [0, 1, 8], message=OTHER)], [], [True], [True], {"A": [0, 1, 2, 3]}),
        ([batch(1, [7, 8, 9], message=OTHER)], [7, 8, 9], [True], [True], {"A": [0, 1, 2, 3], "B": [7, 8, 9]}),
        ([batch(1, [0, 8, 9], message=OTHER)], [8, 9], [True], [False], {"A": [1, 2, 3]}),  # two are too few
        (
            [batch(1, [7, 8], message=OTHER), batch(2, [9], message=OTHER)],
            [7, 8, 9],
            [True, True],
            [True, True],
            {"A": [0, 1, 2, 3], "B": [7, 8, 9]},
        ),
        ([batch(1, [4, 5])], [], [True], [True], {"A": [0, 1, 2, 3]}),  # 4 is in the groups and may get none
    ],
)
def test_who_gets_a_new_batch(batches, remaining, due, replaced, recipients):
    ready, held = Members.of([group(range(5))]), Members.of(batches)
    position = np.where(held.numbers < 5, held.numbers, -1).astype(np.int64)
    may_get_one, remain = ready.numbers < 4, np.isin(held.numbers, remaining)
    after_all, chosen = choose_recipients(ready, may_get_one, held, position, remain, bools(*due))
    assert after_all.tolist() == replaced
    assert {key.message.content: some.tolist() for key, some in chosen.items()} == recipients


# Halves


@given(st.integers(60, 5000))
def test_halves_hold_everybody_once_and_are_as_equal_as_can_be(n):
    whole = batch(1, range(n), floor=30)
    one, other = halves(whole, 99, "Tết", {"r1"})
    assert np.concatenate([one.numbers, other.numbers]).tolist() == whole.numbers.tolist()
    assert abs(len(one.numbers) - len(other.numbers)) <= 1
    assert one.request_id != other.request_id
    assert (one.message, one.segment, one.rules, one.floor) == (whole.message, None, frozenset(), 30)


@pytest.mark.parametrize("code", [99, 108, 177])
def test_only_what_has_enough_for_two_is_split_and_only_for_the_fault_of_numbers(code):
    assert can_be_split(batch(1, range(60), floor=30), code)
    assert not can_be_split(batch(1, range(59), floor=30), code)
    assert not any(can_be_split(batch(1, range(60), floor=30), other) for other in (107, 120, 163, 146, 103, 4711))


def test_refused_for_a_network_it_is_split_between_networks():
    viettel, mobifone = range(961_000_000, 961_000_040), range(901_000_000, 901_000_040)
    mixed = batch(1, [*viettel, *mobifone], floor=30)
    one, other = halves(mixed, 177, "Tết", ())
    assert sorted([set(one.numbers.tolist()), set(other.numbers.tolist())], key=min) == [set(mobifone), set(viettel)]


def test_the_same_batch_has_the_same_request_id_and_another_has_another():
    some = np.arange(901888410, 901888460, dtype=np.int32)
    first = request_id("a", some)
    assert first == request_id("a", some.copy())
    ids = {first, request_id("b", some), request_id("a", some[1:]), request_id("a", some, [first])}
    assert len(ids) == 4
    assert max(map(len, ids)) <= 50


# A schedule that is past


def test_a_batch_whose_schedule_is_past_is_replaced_for_whoever_is_in_the_data_and_for_nobody_else(at):
    at("2030-01-31 08:00")
    before = ef.Message("A", "Baotrixemay", send_at="2030-01-31 09:00")
    later = ef.Message("A", "Baotrixemay", send_at="2030-02-01 09:00")
    there = batch(1, range(6), message=before)
    at("2030-01-31 10:00")
    decided = decide([group(range(1, 6), later)], batches=[there])
    assert decided.withdrawn == [there]
    assert added(decided) == [1, 2, 3, 4, 5]
    (left,) = decided.left_out
    assert (left.numbers.tolist(), left.outcome.reason.split(":")[0]) == ([0], "Its schedule is past")
    resumed = decide([], batches=[there])
    assert (resumed.withdrawn, resumed.added) == ([], [])
    assert "Its schedule is past" in resumed.held[1]


@pytest.mark.parametrize(
    ("hour", "is_replaced", "withdrawn", "added", "held", "left_out"),
    [
        (12, True, [1], [1, 2, 3, 4, 5, 6], [], []),
        (22, False, [], [4, 5, 6], [], [1, 2, 3]),
        (22, True, [], [], [1], [1, 2, 3, 4, 5, 6]),  # the old batch stays: nobody of it may get a second one
    ],
)
def test_advertising_that_has_become_late_gets_no_batch_and_replaces_none(
    hour, is_replaced, withdrawn, added, held, left_out
):
    offer = NewBatch("a", ADVERT, FLOOR, numbers(1, 2, 3), rules=ALL)
    care = NewBatch("b", CARE, FLOOR, numbers(4, 5, 6))
    decided = Allocation([batch(1, [1, 4])] if is_replaced else [], [offer, care], {}, [])
    decided = leave_out_late(decided, Clocks(datetime(2030, 1, 31, hour, 30, tzinfo=clock.VIETNAM)))
    assert [old.id for old in decided.withdrawn] == withdrawn
    assert [number for new in decided.added for number in new.numbers.tolist()] == added
    assert list(decided.held) == held
    assert [number for out in decided.left_out for number in out.numbers.tolist()] == left_out
    assert {out.outcome.status for out in decided.left_out} <= {Status.NOT_SENT}


def test_nobody_is_no_batch_whatever_the_floor():
    assert allocate([Group(None, CARE, frozenset(), 0, numbers())], numbers(), known(), "Tết", 5).added == []


def test_once_ids_were_forgotten_the_same_numbers_get_another():
    some = np.arange(901888410, 901888460, dtype=np.int32)
    assert request_id("a", some, ["forgotten-1"]) != request_id("a", some)


def test_who_has_it_by_batches_that_are_not_read_gets_no_second_one():
    there = replace(known(), is_texted=lambda some: some < 4)
    decided = allocate([group(range(10))], numbers(), there, "Tết", 5)
    assert added(decided) == [4, 5, 6, 7, 8, 9]


def test_where_batches_end_holds_if_all_get_one_and_else_they_are_equal():
    some = replace(group(range(9)), ends=(4, 9))
    assert [len(new.numbers) for new in allocate([some], numbers(), known(), "Tết", 5).added] == [4, 5]
    there = replace(known(), is_texted=lambda which: which < 1)
    assert [len(new.numbers) for new in allocate([some], numbers(), there, "Tết", 5).added] == [4, 4]


def test_who_is_too_few_is_named_for_a_later_piece():
    decided = decide([group(range(2))])
    assert {key.message: few.tolist() for key, few in decided.stranded.items()} == {CARE: [0, 1]}
