"""What a caller hands in, checked: messages by segment, the campaign's name, the rules."""

from __future__ import annotations

import pandas as pd
import pytest
from support.customers import FIFTY
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.campaigns.decisions.order import default_campaign, take_order
from esms_frames.messages.advertising_rules import Rule

A, B = ef.Message("A", "Baotrixemay"), ef.Message("B", "Baotrixemay")
ADVERT = ef.Message("QC", "QC_ONLINE", "advertising")
CUSTOMERS = pd.DataFrame({"sdt": FIFTY + [f"09128884{n}" for n in range(10, 60)], "seg": [1] * 50 + [2] * 50})


def order(data, message, **options):
    usual = {"campaign": "Tết", "phone": None, "by": None, "exclude": None, "rules_off": (), "rules_on": ()}
    return take_order(data, message, **{**usual, **options})


def test_one_message_is_one_group_of_all():
    (group,) = order(CUSTOMERS, A).groups
    assert (group.segment, group.message, len(group.numbers)) == (None, A, 100)


def test_each_message_goes_to_its_segment_whatever_the_type_of_the_names():
    taken = order(CUSTOMERS, {2: B, 1: A}, by="seg")
    assert [(group.segment, group.message.content, len(group.numbers)) for group in taken.groups] == [
        ("1", "A", 50),
        ("2", "B", 50),
    ]
    assert taken.groups[0].numbers.tolist() == [int(phone) for phone in FIFTY]


def test_an_audience_with_segments_does_as_well():
    audience = ef.prepare(CUSTOMERS, by="seg")
    assert len(order(audience, {1: A}).groups) == 1
    assert order(audience, {1: A}).audience.frame["status"].value_counts()["excluded"] == 50


def test_many_segments_are_compared_once_each():
    looks = []

    class Name:
        def __hash__(self):
            looks.append(self)
            return super().__hash__()

    names = [Name() for _ in range(300)]
    df = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(9000)]})
    by = pd.Series([name for name in names for _ in range(30)], dtype=object)
    assert len(order(df, dict.fromkeys(names, A), by=by).groups) == 300
    assert len(looks) < 50_000


def test_whom_the_caller_excludes_are_not_those_whose_segment_has_no_message():
    taken = order(CUSTOMERS, {1: A}, by="seg", exclude=FIFTY[:2])
    assert taken.excluded.tolist() == [int(phone) for phone in FIFTY[:2]]
    assert taken.audience.frame["status"].value_counts()["excluded"] == 52


def test_a_segment_that_has_a_message_and_no_row_is_told():
    assert order(CUSTOMERS, {1: A, "x": B}, by="seg").idle == ("x",)


@pytest.mark.parametrize(
    ("message", "options", "says"),
    [
        ("Xin chao", {}, "message must be a Message"),
        ({}, {}, "message must be a Message"),
        ({1: "Xin chao"}, {"by": "seg"}, "The message of segment 1 must be a Message"),
        ({1: A, 2: B}, {}, "the data has none: name the column"),
        ({"vip": A}, {"by": "seg"}, r"No message is for a segment of the data, which has 1, 2 \(int\)"),
        ({1: A, "1": B}, {"by": "seg"}, "written the same way"),
        ({1: A, 2: B}, {"by": "seg", "campaign": None}, "only under a name"),
        (A, {"campaign": ""}, "campaign"),
        (A, {"rules_off": ["hours"]}, "sending_hours"),
    ],
)
def test_what_can_not_be_taken_is_one_sentence(message, options, says):
    with pytest.raises(ef.InvalidInput, match=says):
        order(CUSTOMERS, message, **options)


def test_an_audience_is_taken_as_it_was_prepared():
    audience = ef.prepare(CUSTOMERS)
    for option in ({"phone": "sdt"}, {"by": "seg"}, {"exclude": FIFTY[:1]}):
        with pytest.raises(ef.InvalidInput, match=r"give them to ef\.prepare"):
            order(audience, A, **option)
    with pytest.raises(ef.InvalidInput, match="not list"):
        order(FIFTY, A)


def test_advertising_takes_no_lowered_floor_in_any_segment():
    audience = ef.prepare(CUSTOMERS, by="seg", min_batch=1)
    with pytest.raises(ef.InvalidInput, match="at least 30"):
        order(audience, {1: A, 2: ADVERT})


def test_the_rules_follow_from_each_messages_type():
    taken = order(CUSTOMERS, {1: A, 2: ADVERT}, by="seg", rules_off="daily_cap", rules_on=["do_not_contact"])
    assert [set(group.rules) for group in taken.groups] == [
        {Rule.DO_NOT_CONTACT},
        {Rule.SENDING_HOURS, Rule.DO_NOT_CONTACT},
    ]


def test_without_a_name_the_campaign_follows_from_the_text():
    other = ef.Message("Chúc mừng năm mới!", "Baotrixemay")
    assert default_campaign(A) == default_campaign(ef.Message("A", "Shop", send_at="2099-01-01 08:00"))
    assert default_campaign(other).startswith("chuc-mung-nam-moi-")
    assert default_campaign(other) != default_campaign(A)
    assert default_campaign(ef.Message("🙂" * 200, "Shop")).isalnum()


@pytest.mark.parametrize("key", heavy_after(1, ["Huế", "Hue\u0302\u0301", " Huế\u00a0"]))
def test_a_message_reaches_its_segment_however_its_key_is_written(key, customers, client):
    customers["city"] = ["Huế", "Hue\u0302\u0301"] * 25
    results = ef.send(customers, {key: A}, client, by="city", campaign="a", progress=False)
    assert (results["status"] == "accepted").all()


@pytest.mark.parametrize(
    ("values", "key", "says"),
    [
        (1, "1", r"has 1 \(int\), while the messages are for '1' \(str\): write"),
        ("1", 1, r"has '1' \(str\), while the messages are for 1 \(int\): write"),
        (1.0, "1", r"has 1\.0 \(float\), while the messages are for '1' \(str\): write"),
        ("1.0", 1.0, r"has '1\.0' \(str\), while the messages are for 1\.0 \(float\): write"),
    ],
)
def test_keys_that_do_not_meet_are_said_with_their_types(values, key, says, customers):
    customers["city"] = values
    with pytest.raises(ef.InvalidInput, match=says):
        ef.plan(customers, {key: A}, by="city", campaign="a")


def test_whole_numbers_meet_whatever_their_type(customers, client):
    customers["city"] = 1.0
    assert ef.send(customers, {1: A}, client, by="city", campaign="a", progress=False)["status"].eq("accepted").all()


def test_two_keys_that_are_one_segment_are_refused(customers):
    with pytest.raises(ef.InvalidInput, match="written the same way"):
        ef.plan(customers, {"vip": A, "vip ": A}, by="ten", campaign="a")
