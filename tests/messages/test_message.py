"""`Message`: what may be sent, and how long it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import timezone as tz

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.messages.encoding import Encoding
from esms_frames.messages.limits import SmsType, check_campaign
from esms_frames.messages.message import check_not_past


def message(content="Xin chao", **fields):
    return ef.Message(content, fields.pop("brandname", "Baotrixemay"), **fields)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("content", "", "empty"),
        ("content", " \n", "empty"),
        ("content", None, "NoneType"),
        ("content", "a\x00b", "U\\+0000 at position 2"),
        ("content", "a\x1b", "U\\+001B"),
        ("content", "\ud800", "U\\+D800"),
        ("content", "\ufffe", "U\\+FFFE"),
        ("brandname", "", "empty"),
        ("brandname", "  ", "empty"),
        ("brandname", "Twelve chars", "12 characters"),
        ("brandname", " Shop", "blank"),
        ("brandname", "Shop\n1", "U\\+000A"),
        ("brandname", 7, "int"),
        ("sms_type", "promo", "customer_care"),
        ("sms_type", 2, "customer_care"),
        ("send_at", "tomorrow", "2030-01-31 08:00"),
        ("send_at", "2030-01-31", "2030-01-31 08:00"),
        ("send_at", "2030-02-30 08:00", "not a moment"),
        ("send_at", date(2030, 1, 31), "not a moment"),
        ("send_at", pd.NaT, "not a moment"),
        ("send_at", datetime(1, 1, 1), "calendar"),
        ("send_at", datetime(9999, 12, 31, 23, tzinfo=tz(timedelta(hours=-12))), "calendar"),
        ("send_at", 1893456000, "not a moment"),
        ("send_at", "2020-01-31 08:00", "past"),
        ("send_at", datetime(2020, 1, 31, 8), "past"),
        ("callback_url", "example.com/sms", "https://"),
        ("callback_url", "ftp://example.com", "http"),
        ("callback_url", "https://exa mple.com", "no address"),
        ("callback_url", "https://[bad", "http"),
        ("callback_url", "https://{token}.example.com/sms", "elsewhere than at its end"),
        ("callback_url", "https://example.com/{token}/sms", "elsewhere than at its end"),
        ("callback_url", "https://example.com/a{token}", "elsewhere than at its end"),
        ("callback_url", "https://example.com/{token}?a=1", "elsewhere than at its end"),
        ("callback_url", "https://example.com/sms?a=/{token}", "elsewhere than at its end"),
        ("callback_url", "https://example.com/sms#/{token}", "elsewhere than at its end"),
        ("callback_url", "https://example.com/{token}/{token}", "elsewhere than at its end"),
        ("callback_url", 5, "no address"),
    ],
)
def test_a_field_that_the_gateway_would_not_take_is_refused_in_one_sentence(field, value, says):
    fields = {"content": "Xin chao", "brandname": "Shop", field: value}
    with pytest.raises(ef.InvalidMessage, match=says) as error:
        ef.Message(**fields)
    assert error.value.field == field
    assert "\n" not in str(error.value)


def test_tabs_and_line_breaks_are_text():
    assert message("Chao\n\tban\r\n").content == "Chao\n\tban\r\n"


def test_a_brandname_keeps_its_case_and_its_eleven_characters():
    assert message(brandname="BaoTriXeMay").brandname == "BaoTriXeMay"


@pytest.mark.parametrize(
    ("given_time", "kept"),
    [
        ("2030-01-31 08:00", "2030-01-31T08:00:00+07:00"),
        ("2030-01-31T08:00:59", "2030-01-31T08:00:59+07:00"),
        ("2030-01-31 08:00+00:00", "2030-01-31T15:00:00+07:00"),
        ("2030-01-31T01:00:00Z", "2030-01-31T08:00:00+07:00"),
        (datetime(2030, 1, 31, 8), "2030-01-31T08:00:00+07:00"),
        (datetime(2030, 1, 31, 8, 0, 0, 999999), "2030-01-31T08:00:00+07:00"),
        (datetime(2030, 1, 31, 1, tzinfo=UTC), "2030-01-31T08:00:00+07:00"),
        (pd.Timestamp("2030-01-31 08:00"), "2030-01-31T08:00:00+07:00"),
        (pd.Timestamp("2030-01-30 17:00", tz="America/Los_Angeles"), "2030-01-31T08:00:00+07:00"),
    ],
)
def test_a_schedule_is_kept_in_vietnam_time_and_naive_means_vietnam(given_time, kept):
    assert message(send_at=given_time).send_at.isoformat() == kept
    assert type(message(send_at=given_time).send_at) is datetime


def test_a_schedule_is_past_from_its_own_second_on(at):
    at("2030-01-31 08:00:00")
    with pytest.raises(ef.InvalidMessage, match="past"):
        message(send_at="2030-01-31 08:00:00")
    soon = message(send_at="2030-01-31 08:00:01")
    at("2030-01-31 08:00:02")
    with pytest.raises(ef.InvalidMessage, match="past"):
        check_not_past(soon)


GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"


def test_the_gsm_alphabet_counts_one_each_and_its_extension_two():
    assert message(GSM).encoding is Encoding.GSM
    assert message(GSM).characters == len(GSM)
    assert message("^{}\\[~]|€").characters == 18


@pytest.mark.parametrize("text", ["ệ", "`", "ç", "“quotes”", "…", "–", "🙂", "a\N{NO-BREAK SPACE}b", "₫"])
def test_one_other_character_makes_the_whole_text_ucs2(text):
    assert message(f"Xin chao {text}").encoding is Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "characters", "parts"),
    [
        ("a" * 160, 160, 1),
        ("a" * 161, 161, 2),
        ("a" * 306, 306, 2),
        ("a" * 307, 307, 3),
        ("a" * 459, 459, 3),
        ("a" * 460, 460, 4),
        ("a" * 158 + "€", 160, 1),
        ("a" * 159 + "€", 161, 2),
        ("a" * 152 + "€" + "a" * 152, 306, 3),  # the euro sign is not torn apart: 152 + 153 + 1
        ("ệ" * 70, 70, 1),
        ("ệ" * 71, 71, 2),
        ("ệ" * 134, 134, 2),
        ("ệ" * 135, 135, 3),
        ("ệ" * 201, 201, 3),
        ("🙂" * 35, 70, 1),
        ("🙂" * 36, 72, 2),
        ("🙂" * 67, 134, 3),  # 33 emoji a part, none torn apart
    ],
)
def test_parts_are_counted_by_the_standard(text, characters, parts):
    assert (message(text).characters, message(text).parts) == (characters, parts)


def test_decomposed_accents_are_composed_before_they_are_counted():
    assert message("Viê\u0323t").content == "Việt"
    assert message("e\u0301").encoding is Encoding.GSM


def test_without_accents_a_vietnamese_text_fits_twice_as_much():
    accented = message("Cảm ơn quý khách đã sử dụng dịch vụ của chúng tôi. " * 3)
    plain = accented.without_accents()
    assert (accented.parts, plain.parts) == (3, 1)
    assert plain.brandname == accented.brandname


def test_accents_can_be_stripped_from_a_message_whose_time_is_past(at):
    at("2030-01-31 08:00")
    late = message("Chào bạn", send_at="2030-01-31 09:00")
    at("2030-01-31 10:00")
    assert late.without_accents().send_at == late.send_at


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Đặng Thị Thuỳ đi Đồng Đăng", "Dang Thi Thuy di Dong Dang"),
        (
            "ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴ",
            "A" * 17 + "E" * 11 + "I" * 5 + "O" * 17 + "U" * 11 + "Y" * 5,
        ),
        ("tie\u0302\u0301ng", "tieng"),
        ("giảm 50% — 100.000₫ 🙂", "giam 50% — 100.000₫ 🙂"),
        ("", ""),
    ],
)
def test_accents_are_stripped_and_nothing_else(text, plain):
    assert ef.strip_accents(text) == plain


@given(st.text())
def test_stripping_accents_is_idempotent(text):
    assert ef.strip_accents(ef.strip_accents(text)) == ef.strip_accents(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip))
def test_parts_are_enough_and_no_more_than_needed(text):
    try:
        sent = message(text)
    except ef.InvalidMessage:
        return
    room = sent.encoding.single if sent.parts == 1 else sent.encoding.multiple * sent.parts
    assert sent.characters <= room
    # Each part but the last holds at most one character less than fits, where one of two units would be torn apart.
    assert sent.parts == 1 or sent.characters > (sent.encoding.multiple - 1) * (sent.parts - 1)


def test_a_message_is_a_value():
    assert message() == message()
    assert hash(message()) == hash(message())
    with pytest.raises(AttributeError):
        message().content = "other"


def test_types_have_the_gateways_numbers():
    assert (SmsType.CUSTOMER_CARE.code, SmsType.ADVERTISING.code) == (2, 1)


@pytest.mark.parametrize("name", ["", "  ", "x" * 255, "a\nb", None, 5])
def test_a_campaign_name_that_the_gateway_would_not_take_is_refused(name):
    with pytest.raises(ef.InvalidInput, match="campaign"):
        check_campaign(name)


def test_a_campaign_name_of_254_characters_passes():
    assert check_campaign("ễ" * 254) == "ễ" * 254


def test_the_clock_gives_vietnam_time():
    assert clock.now().utcoffset() == timedelta(hours=7)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


# The token in the callback address


def test_a_token_is_put_into_the_callback_address_and_shows_itself_nowhere():
    message = ef.Message("Chao {ten}", "Any", callback_url="https://example.com:8443/a/{token}")
    filled = message._with_token("made-up")
    assert filled.callback_url.reveal() == "https://example.com:8443/a/made-up"
    assert filled.callback_url.token == "made-up"
    assert "made-up" not in repr(filled)
    assert (message._needs_token, filled._needs_token) == (True, False)
    assert filled.content == "Chao {ten}"


@pytest.mark.parametrize("url", [None, "https://example.com/sms?a={b}"])
def test_an_address_without_a_place_for_a_token_stays_as_it_is(url):
    message = ef.Message("Chao", "Any", callback_url=url)
    assert message._with_token("made-up") is message


def test_a_schedule_that_has_passed_meanwhile_is_no_matter_for_the_token(at):
    at("2030-01-31 08:00")
    message = ef.Message("Chao", "Any", send_at="2030-01-31 09:00", callback_url="https://example.com/{token}")
    at("2030-01-31 10:00")
    assert message._with_token("x").send_at == message.send_at


@pytest.mark.parametrize(
    "content", ["\u200b", "\u200b \u200d\ufeff\u00ad", "\u2060\u00a0", "\u3164\u2800", "\u0301", "\u202e"]
)
def test_a_text_of_signs_that_show_nothing_is_no_text(content):
    with pytest.raises(ef.InvalidMessage, match="content is empty"):
        ef.Message(content, "Baotrixemay")
