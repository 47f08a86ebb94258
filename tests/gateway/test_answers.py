"""What the gateway says of the account and of sent messages: every shape of it, read into values and frames."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.base import clock, columns
from esms_frames.gateway import answers, decode
from esms_frames.messages.limits import SmsType


def said(**fields):
    return {"CodeResult": "100", **fields}


# Prices


@pytest.mark.parametrize(
    ("body", "price", "recipients"),
    [
        (
            b'{"CodeResult":"100","ErrorMessage":"success","TotalPrice":1691300.0000,"TotalReceiver":2997}',
            1691300,
            2997,
        ),
        (b'{"CodeResult":100,"TotalPrice":850,"TotalReceiver":1}', 850, 1),
        (b'{"CodeResult":"100","TotalPrice":"850.5000","TotalReceiver":"1"}', Decimal("850.5"), 1),
        (b'{"CodeResponse":"100","TotalPrice":1.6913E+6,"TotalReceiver":2997.0}', 1691300, 2997),
    ],
)
def test_an_estimate_is_exact_whether_numbers_come_as_such_or_as_text(body, price, recipients):
    assert answers.read_estimate(decode.read_json(200, body)) == answers.Estimate(Decimal(price), recipients)


@pytest.mark.parametrize("price", ["null", "true", "NaN", "Infinity", '"much"', '""', "1e30", "[]", '"1e5"', '"NaN"'])
def test_a_price_that_is_none_is_a_bad_answer(price):
    answer = decode.read_json(200, b'{"CodeResult":"100","TotalReceiver":1,"TotalPrice":%s}' % price.encode())
    with pytest.raises(ef.BadAnswer, match="no price"):
        answers.read_estimate(answer)


@pytest.mark.parametrize("count", [None, True, -1, "many", "1.5", 2**40, [], "²"])
def test_a_count_that_is_none_is_a_bad_answer(count):
    with pytest.raises(ef.BadAnswer, match="no price"):
        answers.read_estimate(said(TotalPrice=Decimal(850), TotalReceiver=count))


def test_numbers_are_grouped_by_network_in_any_order():
    batch = ["0321888410", "0901888484", "0321888411", "0901888485", "0901888486", "0100000000"]
    assert sorted(answers.count_by_network(batch)) == [("0100000000", 1), ("0321888410", 2), ("0901888484", 3)]


# Brandnames and templates


def test_brandnames_have_their_types():
    rows = [{"Brandname": "Shop", "Type": 2}, {"Brandname": "QC", "Type": "1"}, {"Brandname": "V", "Type": 23}]
    care, advertising, viber = answers.read_brandnames(said(ListBrandName=rows))
    assert (care.sms_type, advertising.sms_type, viber.sms_type) == (SmsType.CUSTOMER_CARE, SmsType.ADVERTISING, None)
    assert viber == answers.Brandname("V", 23)
    assert answers.read_brandnames(said(ListBrandName=None)) == ()


def test_templates_name_networks_as_the_phone_column_does():
    rows = [{"NetworkID": n, "TempContent": "{P1,20}", "TempId": 401 + at} for at, n in enumerate([*range(1, 9), None])]
    found = answers.read_templates(said(BrandnameTemplates=rows))
    assert [one.network for one in found] == [
        "Viettel", "MobiFone", "VinaPhone", "Vietnamobile", "Gmobile", "iTel", "Reddi", None, None,
    ]  # fmt: skip
    assert found[0] == ef.Template(401, "Viettel", "{P1,20}")
    phones = ["0321888410", "0901888484", "0918238965", "0921888484", "0591888484", "0871888484"]
    assert [one.network for one in found[:6]] == ef.normalize_phones(phones)["network"].tolist()


@pytest.mark.parametrize(
    ("read", "name", "row"),
    [
        (answers.read_brandnames, "ListBrandName", {"Brandname": "Shop", "Type": 2}),
        (answers.read_templates, "BrandnameTemplates", {"NetworkID": 1, "TempContent": "x", "TempId": 1}),
    ],
)
def test_a_list_of_something_else_is_a_bad_answer(read, name, row):
    assert len(read(said(**{name: [row]}))) == 1
    for rows in (
        5,
        {},
        "x",
        [5],
        [None],
        [[row]],
        [row, {}],
        *([{**row, key: []}] for key in row if key != "NetworkID"),
    ):
        with pytest.raises(ef.BadAnswer, match="holds no list"):
            read(said(**{name: rows}))
    with pytest.raises(ef.BadAnswer, match="holds no list"):
        read(said())


# One send

STATUS = {"SendFailed": 0, "SendStatus": 5, "SendSuccess": 1, "TotalPrice": Decimal("850.0"), "TotalReceiver": 1}


def test_a_status_holds_its_counts():
    status = answers.read_status("id", {"CodeResponse": "100", "SMSID": "id", "TotalSent": 1, **STATUS})
    assert status == answers.SendStatus("id", 5, 1, 1, 1, 0, Decimal(850))
    unknown = answers.read_status("id", said(TotalSent="1", **{**STATUS, "SendStatus": None}))
    assert (unknown.send_status, unknown.sent) == (None, 1)


@pytest.mark.parametrize("missing", ["TotalSent", "TotalReceiver", "SendSuccess", "SendFailed", "TotalPrice"])
def test_a_status_without_a_count_is_a_bad_answer_and_no_guess(missing):
    answer = said(TotalSent=1, **STATUS)
    for odd in (None, [], "x", -1 if missing != "TotalPrice" else "x"):
        with pytest.raises(ef.BadAnswer, match="counts and price"):
            answers.read_status("id", {**answer, missing: odd})


def test_too_soon_or_unknown_is_to_be_tried_later():
    with pytest.raises(ef.Refused) as error:
        answers.read_status("id", {"CodeResponse": "105"})
    assert error.value.kind == "try later"


def test_receivers_become_typed_columns_whatever_the_spelling():
    rows = [
        {"IsSent": True, "NetworkName": "Viettel", "Phone": "0321888484", "Retry": 0, "SentResult": True},
        {"IsSent": "true", "NetworkName": "Vinaphone", "Phone": "84918238965", "Retry": "2", "SentResult": "False"},
        {"IsSent": 5, "NetworkName": "", "Phone": 901888484, "Retry": None, "SentResult": None},
        {"IsSent": [], "NetworkName": 5, "Phone": {"a": 1}, "Retry": 2**40},
        {},
    ]
    found = answers.read_receivers(said(ReceiverList=rows))
    assert found.columns.tolist() == ["phone", "network", "is_sent", "delivered", "retries"]
    assert found["phone"].fillna("").tolist() == ["0321888484", "0918238965", "0901888484", "", ""]
    assert found["network"].fillna("").tolist() == ["Viettel", "Vinaphone", "", "", ""]
    assert found["is_sent"].tolist() == [True, True, pd.NA, pd.NA, pd.NA]
    assert found["delivered"].tolist() == [True, False, pd.NA, pd.NA, pd.NA]
    assert found["retries"].tolist() == [0, 2, pd.NA, pd.NA, pd.NA]
    assert str(found.dtypes["is_sent"]) == str(found.dtypes["delivered"]) == "boolean"
    assert str(found.dtypes["retries"]) == "Int32"
    assert found.dtypes["phone"] == found.dtypes["network"] == columns.text_dtype()


def test_no_receivers_are_a_frame_of_the_same_types():
    some = answers.read_receivers(said(ReceiverList=[{"Phone": "0901888484"}]))
    none = answers.read_receivers(said(ReceiverList=[]))
    assert len(none) == 0
    assert none.dtypes.equals(some.dtypes)
    with pytest.raises(ef.BadAnswer):
        answers.read_receivers(said(ReceiverList=["0901888484"]))


scalars = st.none() | st.booleans() | st.integers(-1, 2) | st.just(2**40) | st.decimals(0, 2, places=1)
words = st.sampled_from(
    ["true", "False", "TRUE", "1", "1.0", " 2 ", "007", "-1", "1.5", "", "Viettel", "0901888484", "84901888484"]
)
told = scalars | words | st.lists(scalars, max_size=1) | st.dictionaries(words, scalars, max_size=1)
names = st.sampled_from(["Phone", "IsSent", "NetworkName", "Retry", "SentResult"])


@given(st.lists(st.dictionaries(names, told), min_size=1, max_size=6))
def test_receivers_are_read_as_each_would_be_by_itself(rows):
    together = answers.read_receivers(said(ReceiverList=rows))
    one_by_one = [answers.read_receivers(said(ReceiverList=[row])) for row in rows]
    pd.testing.assert_frame_equal(together, pd.concat(one_by_one, ignore_index=True))


# Messages of a period


def message(**told):
    base = {"phone": "0901888484", "content": "Xin chao", "sms_id": "abc", "campaign": "Tết", "price": Decimal("345.0")}
    base |= {"send_status": 5, "send_result": 1, "sent_at": datetime(2030, 1, 31, 8, 0, 0, 995000, clock.VIETNAM)}
    return decode.SentMessage(**{**base, **told})


def test_sent_messages_become_typed_columns():
    blank = {"price": None, "send_status": None, "send_result": None, "sent_at": None}
    found = answers.build_sent_frame(iter([message(), message(phone="84901888485", content="x", **blank)]))
    assert found.columns.tolist() == [
        "phone", "content", "sms_id", "campaign", "price", "send_status", "send_result", "sent_at",
    ]  # fmt: skip
    assert found["phone"].tolist() == ["0901888484", "0901888485"]
    assert found["content"].tolist() == ["Xin chao", "x"]
    assert found["price"].dtype == "float64"
    assert found["sent_at"].iloc[0] == pd.Timestamp("2030-01-31 08:00:00.995+07:00")
    assert str(found.dtypes["sent_at"]) == "datetime64[us, UTC+07:00]"
    assert (str(found.dtypes["send_status"]), str(found.dtypes["send_result"])) == ("Int32", "Int32")
    assert found.iloc[1][["price", "send_status", "send_result", "sent_at"]].isna().all()
    assert answers.build_sent_frame([]).dtypes.equals(found.dtypes)


def test_sums_of_money_are_right_to_the_ten_thousandth_of_a_dong():
    found = answers.build_sent_frame([message(price=Decimal("345.1"))] * 10)
    assert found["price"].sum() == pytest.approx(3451, abs=1e-9)
    by_status = found.groupby("send_status")["price"].sum()
    assert by_status.tolist() == pytest.approx([3451], abs=1e-9)
    amounts = columns.money([Decimal("0.00004"), 10**11, Decimal("0.1"), None])
    units, known = columns.money_units(pd.Series(amounts))
    assert (units.tolist(), known.tolist()) == ([0, 10**15, 1000, 0], [True, True, True, False])
    assert columns.money([]).dtype == "float64"
