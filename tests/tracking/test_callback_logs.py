"""Callbacks: the lines of an access log, or addresses, to one row a callback."""

from __future__ import annotations

import gzip
import warnings
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esms_frames as ef

CARE = (
    "SMSID=d533-1&SendFailed=0&SendStatus=5&SendSuccess=1&TotalPrice=850.0000&TotalReceiver=1&TotalSent=1"
    "&RequestId=r-1&TypeId=2&telcoid=2&phonenumber=0901888484"
)
ADVERTISING = (
    "SMSID=a1&SendFailed=3&SendStatus=5&SendSuccess=2994&TotalPrice=1691300.5&TotalReceiver=2997&TotalSent=2997"
    "&RequestId=&TypeId=1"
)


def logged(query, time="23/Nov/2026:18:20:16 +0000", method="GET"):
    return f'10.0.0.7 - - [{time}] "{method} /sms?{query} HTTP/1.1" 200 2 "-" "gateway"'


def caddy(time="1795458016.5", status=200, uri="/esms/abc?" + CARE):
    """A line as Caddy writes it, JSON; after the time, what somebody put into a header."""
    time, _, header = time.partition(" ")
    uri = uri.replace("&", "\\u0026")
    return (
        f'{{"level":"info","ts":{time},"logger":"http.log.access.log0","msg":"handled request","request":{{"remote_ip":'
        f'"10.0.0.7","proto":"HTTP/1.1","method":"GET","host":"hooks.example.vn","uri":"{uri}","headers":'
        f'{{"User-Agent":["x {header}"]}}}},"bytes_read":0,"duration":0.0001,"size":2,"status":{status}}}'
    )


def alb(time="2026-11-23T18:20:16.500000Z", status=200):
    return (
        f"https {time} app/lb/50dc6c495c0c9188 10.0.0.7:2817 10.0.0.1:80 0.000 0.001 0.000 {status} {status} 34 366 "
        f'"GET https://hooks.example.vn:443/esms/abc?{CARE} HTTP/1.1" "gateway" ECDHE TLSv1.2 arn:aws "Root=1-58" '
    )


def test_each_field_has_its_type():
    callbacks = ef.read_callbacks([logged(CARE), logged(ADVERTISING)])
    care, advertising = callbacks.iloc[0], callbacks.iloc[1]
    assert care.drop("received_at").tolist() == [
        "d533-1", "r-1", "0901888484", "MobiFone", 5, 1, 0, 1, 1, Decimal("850.0000"), 2,
    ]  # fmt: skip
    assert care["received_at"] == pd.Timestamp("2026-11-24 01:20:16+07:00")
    assert advertising[["request_id", "phone", "network"]].isna().all()
    assert advertising[["delivered", "failed", "recipients", "price"]].tolist() == [2994, 3, 2997, Decimal("1691300.5")]
    assert isinstance(callbacks["network"].dtype, pd.CategoricalDtype)
    assert str(callbacks["received_at"].dtype) == "datetime64[us, UTC+07:00]"
    for name in ("send_status", "delivered", "failed", "sent", "recipients", "type_id"):
        assert str(callbacks[name].dtype) == "Int32"
    assert callbacks["price"].sum() == Decimal("1692150.5")


@pytest.mark.parametrize(
    "line",
    [
        CARE,
        "?" + CARE,
        "/sms?" + CARE,
        "https://shop.example.vn/sms?" + CARE + "#top",
        "https://shop.example.vn/sms?" + CARE.replace("&", "&amp;"),
        logged(CARE),
        logged(CARE, time="23/Nov/2026 18:20:16"),
        '{"time": "18:20", "path": "/sms?' + CARE.replace("&", r"\u0026") + '"}',
        "  " + CARE.replace("SMSID", "smsid").replace("SendStatus", "sendstatus").replace("phone", "PHONE") + "\r\n",
        CARE.replace("0901888484", "%2B84901888484"),
        CARE.replace("0901888484", "84901888484"),
    ],
)
def test_a_line_may_be_an_address_a_path_a_query_or_a_log_line(line):
    callback = ef.read_callbacks([line]).iloc[0]
    assert callback[["sms_id", "phone", "send_status", "request_id"]].tolist() == ["d533-1", "0901888484", 5, "r-1"]


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (logged(CARE), "2026-11-24 01:20:16+07:00"),
        (logged(CARE, time="01/Jan/2026:00:00:00 +0700"), "2026-01-01 00:00:00+07:00"),
        ("2026-11-23T18:20:16.5Z GET /sms?" + CARE, "2026-11-24 01:20:16.5+07:00"),
        (logged(CARE, time="23/Nov/2026 18:20:16"), None),  # no time zone: nobody knows when that was
        (logged(CARE, time="99/Nov/2026:18:20:16 +0700"), None),
        (CARE, None),
        ("CADDY 1795458016.5", "2026-11-24 01:20:16.5+07:00"),
        ('CADDY "2026-11-23T18:20:16.500Z"', "2026-11-24 01:20:16.5+07:00"),
        ("ALB 2026-11-23T18:20:16.500000Z", "2026-11-24 01:20:16.5+07:00"),
        (r"CADDY 1795458016.5 \"ts\":1", "2026-11-24 01:20:16.5+07:00"),
    ],
)
def test_the_time_is_vietnams_where_the_source_says_it(line, moment):
    kind, _, time = line.partition(" ")
    line = {"CADDY": caddy, "ALB": alb}[kind](time) if kind in {"CADDY", "ALB"} else line
    received_at = ef.read_callbacks([line])["received_at"].iloc[0]
    assert pd.isna(received_at) if moment is None else received_at == pd.Timestamp(moment)


def test_other_lines_are_left_out_and_counted():
    lines = [
        logged(CARE),
        '10.0.0.7 - - [23/Nov/2026:18:20:16 +0000] "GET / HTTP/1.1" 200 2 "https://x/sms?' + CARE + '" "browser"',
        logged(CARE, method="POST"),
        "/report?SMSID=d533-2",
        "SMSID=&SendStatus=5",
        "",
        None,
    ]
    callbacks = ef.read_callbacks(lines)
    assert callbacks["sms_id"].tolist() == ["d533-1"]
    assert callbacks.attrs == {"lines": 7, "other_lines": 6, "repeats": 0}


def test_repeats_count_once_and_the_last_state_wins():
    sent = CARE.replace("SendStatus=5", "SendStatus=7").replace("SendSuccess=1", "SendSuccess=0")
    other = CARE.replace("0901888484", "0901888485")
    lines = [logged(sent), logged(other), logged(CARE), logged(CARE), logged(CARE)]
    callbacks = ef.read_callbacks(lines)
    assert callbacks["phone"].tolist() == ["0901888485", "0901888484"]
    assert callbacks["delivered"].tolist() == [1, 1]
    assert callbacks.attrs["repeats"] == 3


def test_an_empty_number_is_none_also_in_a_repeat():
    whole = ADVERTISING.replace("SendStatus=5", "SendStatus=7")
    assert len(ef.read_callbacks([whole, ADVERTISING + "&phonenumber="])) == 1


def test_what_is_final_is_never_replaced_by_a_late_repeat_of_what_was_not():
    sent = CARE.replace("SendStatus=5", "SendStatus=7").replace("SendSuccess=1", "SendSuccess=0")
    late = "24/Nov/2026:18:20:16 +0000"
    assert ef.read_callbacks([logged(CARE), logged(sent, time=late)])["send_status"].tolist() == [5]


def test_the_time_goes_before_the_order_of_the_lines():
    first = CARE.replace("SendStatus=5", "SendStatus=2")
    last = CARE.replace("SendStatus=5", "SendStatus=7")
    lines = [logged(last, time="24/Nov/2026:00:00:00 +0700"), logged(first, time="23/Nov/2026:00:00:00 +0700")]
    assert ef.read_callbacks(lines)["send_status"].tolist() == [7]


def test_what_cannot_be_read_is_na_with_a_warning():
    broken = "SMSID=x&SendStatus=five&SendSuccess=-1&TotalPrice=1,5&telcoid=99&phonenumber=nope&TotalReceiver="
    with pytest.warns(UserWarning, match=r"1 callbacks .*phonenumber, telcoid, TotalPrice, SendStatus, SendSuccess"):
        callbacks = ef.read_callbacks([broken])
    assert callbacks.iloc[0].drop("sms_id").isna().all()


def test_a_price_that_no_send_costs_is_na_with_a_warning_and_in_no_sum():
    made_up = [CARE.replace("d533-1", f"s{n}").replace("850.0000", "9999999999999.9") for n in range(1000)]
    with pytest.warns(UserWarning, match=r"1,000 callbacks .*\(TotalPrice\)"):
        callbacks = ef.read_callbacks([CARE, *made_up])
    results = callbacks[["phone", "sms_id", "network"]].assign(status="accepted")
    table = ef.summarize(ef.track(results, callbacks=callbacks))
    assert table["price"].tolist() == [Decimal(850)]


def test_unreadable_numbers_are_not_one_number():
    with pytest.warns(UserWarning, match="2 callbacks"):
        assert len(ef.read_callbacks([CARE.replace("0901888484", "x"), CARE.replace("0901888484", "y")])) == 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_is_read_from_its_file_also_as_gzip(tmp_path, packed):
    path = tmp_path / "access.log"
    data = "\n".join([logged(CARE), "\xff", logged(ADVERTISING)]).encode("latin-1")
    path.write_bytes(gzip.compress(data) if packed else data)
    assert len(ef.read_callbacks(path)) == len(ef.read_callbacks(str(path))) == 2


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ([], "holds no callback"),
        (["GET / HTTP/1.1"], "SMSID=…&SendStatus=…"),
        ([1, 2], "something else than text"),
        (3, "no file and no list"),
        (b"SMSID=1", "no file and no list"),
        (pd.DataFrame({"line": [CARE]}), "no file and no list"),
        ("https://shop.example.vn/sms?" + CARE, "passed as a list"),
        ("no-such.log", "no such file"),
    ],
)
def test_what_holds_no_callback_is_one_sentence(source, says):
    with pytest.raises(ef.InvalidInput, match=says):
        ef.read_callbacks(source)


def test_an_empty_file_is_one_sentence(tmp_path):
    path = tmp_path / "access.log"
    path.write_text("")
    with pytest.raises(ef.InvalidFile, match=r"access\.log holds no callback"):
        ef.read_callbacks(path)
    path.write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(ef.InvalidFile, match="can't be read"):
        ef.read_callbacks(path)


@settings(deadline=None)
@given(st.lists(st.text(max_size=60).map(lambda junk: f"SMSID=a{junk}&SendStatus={junk}&phonenumber={junk}")))
def test_no_line_makes_it_crash_and_every_line_is_counted(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        callbacks = ef.read_callbacks([CARE, *lines])
    counts = callbacks.attrs
    assert counts["lines"] == len(lines) + 1 == len(callbacks) + counts["repeats"] + counts["other_lines"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**13 - 1), min_size=1, unique=True))
def test_prices_add_up_exactly(units):
    lines = [CARE.replace("850.0000", f"{u // 10**4}.{u % 10**4:04}").replace("d533-1", str(u)) for u in units]
    prices = ef.read_callbacks(lines)["price"]
    assert sorted((prices * 10**4).round().astype("int64")) == sorted(units)
    assert prices.sum() == pytest.approx(sum(units) / 10**4, rel=1e-12)


@pytest.mark.parametrize("line", [logged(CARE).replace(" 200 ", " 404 "), caddy(status=404), alb(status=404)])
def test_a_call_that_was_answered_not_found_does_not_count(line):
    taken = CARE.replace("0901888484", "0901888485")
    callbacks = ef.read_callbacks([line, logged(taken)])
    assert callbacks["phone"].tolist() == ["0901888485"]
    assert callbacks.attrs["other_lines"] == 1
    with pytest.raises(
        ef.InvalidInput, match="holds 1 callbacks that were all answered with 404, not found: check the"
    ):
        ef.read_callbacks([line])


@pytest.mark.parametrize("line", [caddy(), alb(), "/esms/abc?" + CARE, "https://hooks.example.vn/esms/abc?" + CARE])
def test_of_a_log_only_the_callbacks_path_counts_where_it_is_given(line):
    other = logged(CARE.replace("0901888484", "0901888485"))
    assert ef.read_callbacks([line, other], path="/esms/")["phone"].tolist() == ["0901888484"]
    assert ef.read_callbacks([line, other], path="/sms")["phone"].tolist() == ["0901888485"]
    assert len(ef.read_callbacks([line, other])) == 2
    with pytest.raises(ef.InvalidInput, match="path is 'esms'"):
        ef.read_callbacks([line], path="esms")


@pytest.mark.heavy
def test_a_small_archive_that_unpacks_to_a_gigabyte_is_one_sentence(tmp_path):
    (tmp_path / "access.log.gz").write_bytes(gzip.compress(bytes(200 * 2**20), 9))
    with pytest.raises(ef.InvalidFile, match=r"^access\.log\.gz unpacks to over \d+ MB, which no log does: [^.]*\.$"):
        ef.read_callbacks(tmp_path / "access.log.gz")
