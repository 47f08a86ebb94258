"""The formats: exactly the gateway's XML out, every shape of its JSON in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from conftest import FIFTY
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import esms_frames as ef
from esms_frames import wire


def test_a_request_is_written_exactly_as_the_page_shows(at):
    at("2030-01-01 00:00")
    message = ef.Message(
        'Giảm 50% <hôm nay> & "mai"',
        "Baotrixemay",
        send_at="2030-01-31 08:00",
        callback_url="https://example.com/?a=1&b=2",
    )
    body = wire.send_body("key", "secret", message, FIFTY[:2], request_id="r-1", campaign="Tết & xuân")
    assert body.decode() == (
        "<RQST><APIKEY>key</APIKEY><SECRETKEY>secret</SECRETKEY>"
        '<CONTENT>Giảm 50% &lt;hôm nay&gt; &amp; "mai"</CONTENT><SMSTYPE>2</SMSTYPE><BRANDNAME>Baotrixemay</BRANDNAME>'
        "<REQUESTID>r-1</REQUESTID><CAMPAIGNID>Tết &amp; xuân</CAMPAIGNID><SENDDATE>2030-01-31 08:00:00</SENDDATE>"
        "<CALLBACKURL>https://example.com/?a=1&amp;b=2</CALLBACKURL>"
        "<CONTACTS><CUSTOMER><PHONE>0901888410</PHONE></CUSTOMER><CUSTOMER><PHONE>0901888411</PHONE></CUSTOMER></CONTACTS>"
        "</RQST>"
    )


def test_empty_optional_elements_are_left_out():
    body = wire.send_body("key", "secret", ef.Message("Xin chao", "QC_ONLINE", "advertising"), FIFTY[:1])
    assert [element.tag for element in etree.fromstring(body)] == [
        "APIKEY",
        "SECRETKEY",
        "CONTENT",
        "SMSTYPE",
        "BRANDNAME",
        "CONTACTS",
    ]
    assert b"<SMSTYPE>1</SMSTYPE>" in body


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip))
def test_what_people_type_arrives_as_they_typed_it(text):
    try:
        message = ef.Message(text + "<CONTACTS/>", "Shop")
    except ef.InvalidMessage:
        return
    root = etree.fromstring(wire.send_body("k", "s", message, FIFTY))
    assert root.findtext("CONTENT") == message.content
    assert [phone.text for phone in root.iterfind("CONTACTS/CUSTOMER/PHONE")] == FIFTY


@pytest.mark.parametrize(
    ("body", "sms_id"),
    [
        (
            b'{"CodeResult": "100", "CountRegenerate": 0, "SMSID": "d533459ee42b2b9525ba9eabf6a8156"}',
            "d533459ee42b2b9525ba9eabf6a8156",
        ),
        (
            b'{"CodeResult": 100, "SMSID": "d533459e-e42b-2b95-25ba-9eabf6a8156a1"}',
            "d533459e-e42b-2b95-25ba-9eabf6a8156a1",
        ),
        (b'\xef\xbb\xbf{"CodeResponse": "100", "SMSID": 123}', "123"),
        (b'{"CodeResult": " 100 "}', None),
    ],
)
def test_an_acceptance_is_read_in_every_shape(body, sms_id):
    assert wire.read_send(wire.read_json(200, body)) == wire.Answer(100, sms_id)


@pytest.mark.parametrize(
    ("body", "code", "kind"),
    [
        (b'{"CodeResult":"101","CountRegenerate":0,"ErrorMessage":"Authorize Failed"}', 101, "account"),
        (b'{"CodeResult":"104","CountRegenerate":0,"ErrorMessage":"Brand name code is not exist"}', 104, "message"),
        (b'{"CodeResult":107,"ErrorMessage":"Each request has at least 30 numbers to be approved"}', 107, "batch"),
        (b'{"CodeResult":"124","CountRegenerate":0,"ErrorMessage":"Request exist 1"}', 124, "already there"),
        (b'{"CodeResult":"160"}', 160, "try later"),
        (b'{"CodeResult":"789","ErrorMessage":null}', 789, "refused"),
        (b'{"CodeResult":"4711","ErrorMessage":"Something new"}', 4711, "refused"),
    ],
)
def test_a_refusal_carries_code_kind_and_the_gateways_words(body, code, kind):
    with pytest.raises(ef.Refused, match=f"code {code}") as error:
        wire.read_send(wire.read_json(200, body))
    assert (error.value.code, error.value.kind) == (code, kind)
    assert error.value.words in body.decode()
    assert error.value.words in str(error.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html><body>It works</body></html>"),
        (200, b"[1]"),
        (200, b'"100"'),
        (200, b"null"),
        (200, b"\xff\xfe\x00"),
        (200, b"[" * 100_000),
        (500, b'{"CodeResult":"100"}'),
        (302, b""),
        (404, b"not found"),
        (503, b"<title>Service Unavailable</title>"),
    ],
)
def test_what_is_not_the_gateways_json_is_a_bad_answer_with_status_and_excerpt(status, body):
    with pytest.raises(ef.BadAnswer, match=f"HTTP {status}") as error:
        wire.read_json(status, body)
    assert error.value.status == status
    assert len(error.value.excerpt) <= 120
    assert isinstance(error.value, ef.NoAnswer)


@pytest.mark.parametrize("body", [b"{}", b'{"CodeResult":null}', b'{"CodeResult":"yes"}', b'{"CodeResult":true}'])
def test_an_answer_without_a_code_is_uncertain(body):
    with pytest.raises(ef.BadAnswer, match="no code"):
        wire.read_send(wire.read_json(200, body))


def test_an_excerpt_is_one_line_without_markup_and_numbers():
    page = b"<html><script>alert(1)</script><h1>Bad\x00\n gateway</h1> for 0901888484 " + b"x" * 500
    with pytest.raises(ef.BadAnswer) as error:
        wire.read_json(502, page)
    assert error.value.excerpt.startswith("Bad gateway for … xxx")
    assert len(error.value.excerpt) == 120


@pytest.mark.parametrize(
    ("body", "balance"),
    [
        (b'{"Balance": 36693, "CodeResponse": "100", "UserID": 9999}', Decimal(36693)),
        (b'{"Balance": 36693.10, "CodeResult": 100}', Decimal("36693.10")),
    ],
)
def test_a_balance_is_a_decimal(body, balance):
    assert wire.read_balance(wire.read_json(200, body)) == balance


@pytest.mark.parametrize("body", [b'{"CodeResponse":"100"}', b'{"CodeResponse":"100","Balance":"much"}'])
def test_an_answer_without_a_balance_is_said_so(body):
    with pytest.raises(ef.BadAnswer, match="no balance"):
        wire.read_balance(wire.read_json(200, body))
