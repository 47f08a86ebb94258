"""The formats: exactly the gateway's XML out, every shape of its JSON in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.gateway import decode, encode


def test_a_request_is_written_exactly_as_the_page_shows(at):
    at("2030-01-01 00:00")
    message = ef.Message(
        'Giảm 50% <hôm nay> & "mai"',
        "Baotrixemay",
        send_at="2030-01-31 08:00",
        callback_url="https://example.com/?a=1&b=2",
    )
    body = encode.build_send_body(
        lambda: ("key", "secret&"), message, FIFTY[:2], request_id="r-1", campaign="Tết & xuân"
    )
    assert body.decode() == (
        "<RQST><APIKEY>key</APIKEY><SECRETKEY>secret&amp;</SECRETKEY>"
        '<CONTENT>Giảm 50% &lt;hôm nay&gt; &amp; "mai"</CONTENT><SMSTYPE>2</SMSTYPE><BRANDNAME>Baotrixemay</BRANDNAME>'
        "<REQUESTID>r-1</REQUESTID><CAMPAIGNID>Tết &amp; xuân</CAMPAIGNID><SENDDATE>2030-01-31 08:00:00</SENDDATE>"
        "<CALLBACKURL>https://example.com/?a=1&amp;b=2</CALLBACKURL>"
        "<CONTACTS><CUSTOMER><PHONE>0901888410</PHONE></CUSTOMER><CUSTOMER><PHONE>0901888411</PHONE></CUSTOMER></CONTACTS>"
        "</RQST>"
    )


def test_empty_optional_elements_are_left_out():
    body = encode.build_send_body(
        lambda: ("key", "secret&"), ef.Message("Xin chao", "QC_ONLINE", "advertising"), FIFTY[:1]
    )
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
    root = etree.fromstring(encode.build_send_body(lambda: ("k", "s"), message, FIFTY))
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
        (
            b'{"CodeResult": "100", "SMSID": "d533459e-e42b-2b95-25ba-9eabf6a8156a1 "}',
            "d533459e-e42b-2b95-25ba-9eabf6a8156a1",
        ),
        (b'{"CodeResult": "100", "SMSID": " "}', None),
        (b'{"Code": "100", "SMSID": "s"}', "s"),
        (b'{"Error": 100, "SMSID": "s"}', "s"),
        (b'{"CodeResult": " 100 "}', None),
        (b'{"CodeResult": "100", "SMSID": "a\\u0000b"}', None),
        (b'{"CodeResult": "100", "SMSID": "' + b"a" * 201 + b'"}', None),
        (b'{"CodeResult": null, "CodeResponse": "100", "SMSID": "a\\ud83d"}', "a?"),
    ],
)
def test_an_acceptance_is_read_in_every_shape(body, sms_id):
    assert decode.read_send(decode.read_json(200, body)) == decode.Answer(100, sms_id)


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
        (
            b'{"CodeResult":"146","ErrorMessage":"Sai template","SMSID":"d533459ee42b2b"}',
            146,
            "message",
        ),
        (b'{"Code":"101","ErrorMessage":"Authorize Failed"}', 101, "account"),
        (b'{"Error":"103","ErrorMessage":"Balance"}', 103, "account"),
        (b'{"CodeResult":"104","error":"Invalid request"}', 104, "message"),
    ],
)
def test_a_refusal_carries_code_kind_and_the_gateways_words(body, code, kind):
    with pytest.raises(ef.Refused, match=f"code {code}") as error:
        decode.read_send(decode.read_json(200, body))
    assert (error.value.code, error.value.kind) == (code, kind)
    assert error.value.words in body.decode()
    assert error.value.words in str(error.value)


@pytest.mark.parametrize("read", [decode.read_send, decode.read_balance, decode.read_sent])
def test_an_error_in_words_without_a_code_is_a_refusal_with_these_words(read):
    with pytest.raises(ef.Refused, match=r"refused without a code \(it says 'Invalid request'\): ask") as error:
        read(decode.read_json(200, b'{"error": "Invalid request"}'))
    assert (error.value.code, error.value.kind, error.value.words) == (None, "refused", "Invalid request")


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
        (200, b'{"CodeResult": ' + b"1" * 5000 + b"}"),
        (200, b'{"CodeResult": "100", "Price": 1e99999999999999999999}'),
        (500, b'{"CodeResult":"100"}'),
        (302, b""),
        (404, b"not found"),
        (503, b"<title>Service Unavailable</title>"),
    ],
)
def test_what_is_not_the_gateways_json_is_a_bad_answer_with_status_and_excerpt(status, body):
    with pytest.raises(ef.BadAnswer, match=f"HTTP {status}") as error:
        decode.read_json(status, body)
    assert error.value.status == status
    assert len(error.value.excerpt) <= 120
    assert isinstance(error.value, ef.NoAnswer)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"CodeResult":null}',
        b'{"error": ""}',
        b'{"error": {"code": 1}}',
        b'{"Error":"Invalid request"}',
        b'{"CodeResult":"yes"}',
        b'{"CodeResult":true}',
        b'{"CodeResult":"9999999999"}',
    ],
)
def test_an_answer_without_a_code_is_uncertain(body):
    with pytest.raises(ef.BadAnswer, match="no code"):
        decode.read_send(decode.read_json(200, body))


def test_half_a_character_in_the_gateways_words_is_survived():
    with pytest.raises(ef.Refused, match="104"):
        decode.read_send(decode.read_json(200, b'{"CodeResult":"104","ErrorMessage":"bad \\ud83d"}'))


@pytest.mark.parametrize(
    "phone",
    [
        "0901888484",
        "0901.888.484",
        "+84 901 888 484",
        "(090) 188-8484",
        "0901/888/484",
        "0901,888,484",
        "84_901_888_484",
        "0901\u00a0888\u00a0484",
    ],
)
def test_the_gateways_words_are_shown_without_phone_numbers(phone):
    answer = {"CodeResult": "99", "ErrorMessage": f"Number {phone} blocked"}
    with pytest.raises(ef.Refused) as error:
        decode.read_send(answer)
    assert error.value.words == "Number … blocked"


def test_what_is_masked_is_not_shown_in_whatever_form_it_comes():
    for words in (r"Bad key made\/up\u0026key", "Bad key made/up&amp;key"):
        answer = decode.read_json(200, b'{"CodeResult":"101","ErrorMessage":"' + words.encode() + b'"}')
        with pytest.raises(ef.Refused) as error:
            decode.read_send(answer, lambda text: text.replace("made/up&key", "…"))
        assert error.value.words == "Bad key …"


def test_an_excerpt_is_one_line_without_markup_and_numbers():
    page = b"<html><script>alert(1)</script><h1>Bad\x00\n gateway</h1> for 0901888484 " + b"x" * 500
    with pytest.raises(ef.BadAnswer) as error:
        decode.read_json(502, page)
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
    assert decode.read_balance(decode.read_json(200, body)) == balance


@pytest.mark.parametrize("body", [b'{"CodeResponse":"100"}', b'{"CodeResponse":"100","Balance":"much"}'])
def test_an_answer_without_a_balance_is_said_so(body):
    with pytest.raises(ef.BadAnswer, match="no balance"):
        decode.read_balance(decode.read_json(200, body))


def test_a_page_of_messages_is_read():
    answer = decode.read_json(
        200,
        b'{"CodeResult":"100","CountTotal":2,"SentData":[{"Campaign":"T","Content":"Xin chao","Phone":"0901888484",'
        b'"ReferenceId":"abc","SellPrice":345.0,"SendResult":0,"SendStatus":5,"SentTime":"/Date(1705484048995+0700)/",'
        b'"SmsId":29028845,"SmsType":2},{}]}',
    )
    total, (first, empty) = decode.read_sent(answer)
    assert total == 2
    assert (first.phone, first.sms_id, first.campaign, first.price) == ("0901888484", "abc", "T", Decimal("345.0"))
    assert (first.send_status, first.send_result) == (5, 0)
    assert first.sent_at.isoformat() == "2024-01-17T16:34:08.995000+07:00"
    assert (empty.phone, empty.price, empty.sent_at, empty.send_result) == ("", None, None, None)


@pytest.mark.parametrize("body", [b'{"CodeResult":"100"}', b'{"CodeResult":"100","CountTotal":1,"SentData":[5]}'])
def test_an_answer_without_messages_is_said_so(body):
    with pytest.raises(ef.BadAnswer, match="no list"):
        decode.read_sent(decode.read_json(200, body))


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("/Date(1705484048995+0700)/", "2024-01-17T16:34:08.995000+07:00"),
        ("/Date(0)/", "1970-01-01T07:00:00+07:00"),
        ("/Date(-1000+0700)/", "1970-01-01T06:59:59+07:00"),
        ("/Date(-99999999999999)/", None),
        ("/Date(999999999999999)/", None),
        ("1705484048995", None),
        ("", None),
    ],
)
def test_a_time_is_read_as_the_gateway_writes_it(text, iso):
    moment = decode.read_date(text)
    assert (moment and moment.isoformat()) == iso
