"""One callback: what may stand in it, and that it means what the same line of a log means."""

from __future__ import annotations

import warnings
from urllib.parse import quote, quote_plus

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from support.journals import write_batch
from support.weight import examples

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.journal.callbacks import Received
from esms_frames.reporting.callbacks import LONGEST_QUERY, read_callback

CARE = (
    "SMSID=d533-1&SendFailed=0&SendStatus=5&SendSuccess=1&TotalPrice=850.0000&TotalReceiver=1&TotalSent=1"
    "&RequestId=r-1&TypeId=2&telcoid=2&phonenumber=0901888484"
)


def test_each_field_has_its_place():
    found = read_callback(CARE)
    assert (found.sms_id, found.request_id, found.phone, found.telco_id) == ("d533-1", "r-1", "0901888484", 2)
    assert (found.send_status, found.delivered, found.failed, found.sent, found.recipients) == (5, 1, 0, 1, 1)
    assert (found.units, found.type_id) == (8_500_000, 2)


def test_what_is_not_said_is_none_and_a_whole_send_has_no_number():
    found = read_callback("SMSID=a&SendStatus=7&RequestId=&TotalPrice=&telcoid=")
    assert (found.request_id, found.phone, found.units, found.telco_id, found.delivered) == (None, "", None, None, None)


@pytest.mark.parametrize("phone", ["0901888484", "84901888484", "%2B84901888484", "+84901888484", "0901.888.484"])
def test_a_number_may_be_spelt_in_any_way(phone):
    assert read_callback(CARE.replace("0901888484", phone)).phone == "0901888484"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "SMSID"),
        ("SendStatus=5", "SMSID"),
        ("SMSID=+&SendStatus=5", "SMSID"),
        ("SMSID=a", "SendStatus"),
        ("SMSID=a&SendStatus=", "SendStatus"),
        ("SMSID=a&SendStatus=-5", "SendStatus"),
        ("SMSID=a&SendStatus=5.0", "SendStatus"),
        ("SMSID=a&SendStatus=%D9%A5", "SendStatus"),  # an Arabic five
        ("SMSID=a&SendStatus=1234567890", "SendStatus"),
        (f"SMSID={'a' * 101}&SendStatus=5", "SMSID"),
        ("SMSID=a%00b&SendStatus=5", "SMSID"),
        ("SMSID=a%0Ab&SendStatus=5", "SMSID"),
        ("SMSID=a%20b&SendStatus=5", "SMSID"),
        ("SMSID=%FF&SendStatus=5", "SMSID"),
        ("SMSID=\xff&SendStatus=5", "SMSID"),
        ("SMSID=%C3%A0&SendStatus=5", "SMSID"),
        ("SMSID=a&SendStatus=5&RequestId=%7f", "RequestId"),
        ("SMSID=a&SendStatus=5&phonenumber=0901", "phonenumber"),
        ("SMSID=a&SendStatus=5&phonenumber=0901888484,0901888485", "phonenumber"),
        ("SMSID=a&SendStatus=5&telcoid=two", "telcoid"),
        ("SMSID=a&SendStatus=5&SendSuccess=NaN", "SendSuccess"),
        ("SMSID=a&SendStatus=5&TotalPrice=1e9", "TotalPrice"),
        ("SMSID=a&SendStatus=5&TotalPrice=-1", "TotalPrice"),
        ("SMSID=a&SendStatus=5&TotalPrice=0.00001", "TotalPrice"),
        ("SMSID=a&SendStatus=5&TotalPrice=1000000000", "TotalPrice"),
        (f"SMSID=a&SendStatus=5&x={'x' * LONGEST_QUERY}", "The query"),
    ],
)
def test_what_the_gateway_would_not_write_is_refused_by_the_name_of_the_field_alone(query, names):
    with pytest.raises(ef.InvalidInput, match=rf"^{names} .*no callback of the gateway\.$") as caught:
        read_callback(query)
    assert "0901" not in str(caught.value)


def test_a_number_is_in_no_repr():
    assert "901888484" not in repr(read_callback(CARE))


PHONES = [f"09018884{n}" for n in range(84, 88)]
SPELT = [str.lower, str.upper, str]
VALUES = {
    "SMSID": st.text("abc-09", min_size=1, max_size=5),
    "SendStatus": st.integers(0, 9),
    "SendSuccess": st.integers(0, 10**9 - 1) | st.just(""),
    "SendFailed": st.integers(0, 5000) | st.just(" 7 "),
    "TotalSent": st.integers(0, 5000),
    "TotalReceiver": st.integers(0, 5000),
    "TypeId": st.integers(0, 30),
    "telcoid": st.integers(0, 12),
    "TotalPrice": st.decimals(0, 10**9 - 1, places=4) | st.integers(0, 10**9 - 1) | st.just("850.50000"),
    "RequestId": st.text("xyz/+=&%#? ", max_size=0) | st.text("xyz/+=&%#?", max_size=8),
    "phonenumber": st.sampled_from(["0901888484", "84901888485", "+84 901 888 486", "0901.888.487", ""]),
    "other": st.text(max_size=10),
}


@st.composite
def queries(draw):
    names = draw(st.permutations(["SMSID", "SendStatus", *draw(st.sets(st.sampled_from(sorted(VALUES)[1:])))]))
    encode = draw(st.sampled_from([quote, quote_plus]))
    return "&".join(
        f"{draw(st.sampled_from(SPELT))(name)}={encode(str(draw(VALUES[name])), safe='')}" for name in names
    )


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    book = ef.Journal(tmp_path_factory.mktemp("law") / "journal.sqlite")
    yield book
    book.close()


@settings(max_examples=examples(40))
@given(st.lists(queries(), min_size=1, max_size=8))
@example(["SMSID=a&SendStatus=5", "SMSID=a&SendStatus=5&phonenumber="])
def test_the_receiver_and_a_log_say_the_same_of_the_same_calls(journal, lines):
    """One by one into a journal, or all at once out of a log whose lines have a time: the same frame."""
    campaign = f"law {len(journal.campaigns())}"
    scope = journal._batches.scope(campaign, "sandbox", "a")
    moments = [clock.now().replace(microsecond=0) + pd.Timedelta(seconds=n) for n in range(len(lines))]
    received = [Received(scope.id, read_callback(q), moment) for q, moment in zip(lines, moments, strict=True)]
    for sms_id in {each.callback.sms_id for each in received}:
        write_batch(journal, "accepted", campaign=campaign, whose=("sandbox", "a"), sms_id=sms_id, phones=PHONES)
    journal._batches.record_callbacks(received[: len(lines) // 2])
    journal._batches.record_callbacks(received[len(lines) // 2 :])
    logged = [
        f'- - - [{at:%d/%b/%Y:%H:%M:%S %z}] "GET /x?{q} HTTP/1.1" 200' for q, at in zip(lines, moments, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # telcoid 0 or above 7
        expected = ef.read_callbacks(logged)
    found = journal.callbacks(campaign)
    key = ["sms_id", "phone"]
    assert_frame_equal(found, expected.sort_values(key, na_position="first", ignore_index=True))
    assert found.attrs == {"calls": len(lines), "repeats": expected.attrs["repeats"], "other_sends": 0}


def test_a_blank_after_the_sms_id_is_none_of_it():
    assert read_callback("SMSID=d533-1%20&SendStatus=5").sms_id == "d533-1"
    log = ["GET /sms?SMSID=d533-1%20&SendStatus=5&phonenumber=0901888484&RequestId=r"]
    assert ef.read_callbacks(log)["sms_id"].tolist() == ["d533-1"]
