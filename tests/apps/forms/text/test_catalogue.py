from __future__ import annotations

import warnings
from datetime import datetime, timedelta

import pandas as pd
import pytest
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.apps.forms.text.catalogue import told
from esms_frames.apps.forms.text.labels import Words
from esms_frames.apps.forms.text.results_labels import reason_in
from esms_frames.base.clock import VIETNAM
from esms_frames.base.codes import CODES
from esms_frames.base.wording import Sentence
from esms_frames.campaigns.decisions.may_send import Clocks, find_hours_objection
from esms_frames.journal.database import postgres
from esms_frames.messages.advertising_rules import explain_hours
from esms_frames.recipients.number_lists import PLAIN
from esms_frames.tracking.deliveries import _BEFORE_SENDING, _COUNTS_ONLY, _MISFIT, _NOT_CALLED, _NOT_LISTED, _REJECTED

VI, EN = Words("vi"), Words("en")


def test_every_code_and_every_problem_of_a_number_is_said_in_vietnamese():
    refusals = [entry for code, entry in CODES.items() if code != 100]
    assert all(told(text, VI) != text for entry in refusals for text in (entry.meaning, entry.advice))
    assert all(told(plain, VI) != plain for plain in PLAIN.values())


def error_of(do):
    with pytest.raises(ef.EsmsError) as caught:
        do()
    return caught.value


FEW = pd.DataFrame({"sdt": FIFTY[:3]})
PROVOKED = {
    "too few": (lambda: ef.prepare(FEW), "Chỉ có 3 trong 3 dòng nhắn tin được"),
    "no phone column": (lambda: ef.prepare(pd.DataFrame({"ten": ["An"]})), "Không cột nào có vẻ là số điện thoại"),
    "two phone columns": (
        lambda: ef.prepare(pd.DataFrame({"sdt": FIFTY, "phone": FIFTY})),
        "Có nhiều cột có thể là số điện thoại, 'sdt', 'phone'",
    ),
    "unclear list": (
        lambda: ef.prepare(FEW, exclude=["0901888410/0901888411"]),
        "exclude: có 1 mục không rõ là số nào (mục đầu tiên ở vị trí 0: nhiều số trong một ô)",
    ),
    "unclear column of a list": (
        lambda: ef.prepare(FEW, exclude=pd.DataFrame({"a": [1], "b": [2]})),
        "exclude: không rõ cột nào là số điện thoại",
    ),
    "journal without a folder": (
        lambda: ef.Journal("/proc/nowhere/journal.sqlite").campaigns(),
        "Không mở được sổ gửi tin /proc/nowhere/journal.sqlite để ghi",
    ),
    "no numbers": (lambda: ef.prepare(FEW, exclude=["x"]), "không mục nào là số di động"),
    "empty text": (lambda: ef.Message("", "a"), "hãy viết nội dung tin."),
    "control character": (lambda: ef.Message("a\x07", "a"), "nội dung có ký tự điều khiển U+0007"),
    "empty brandname": (lambda: ef.Message("a", ""), "hãy chọn hoặc nhập brandname"),
    "long brandname": (lambda: ef.Message("a", "a" * 12), "dài 12 ký tự, nhà mạng chỉ nhận 11"),
    "past schedule": (lambda: ef.Message("a", "a", send_at="2020-01-01 08:00"), "giờ hẹn 2020-01-01 08:00:00 đã qua"),
    "empty key": (lambda: ef.Client("", "b"), "api_key trống hoặc có ký tự lạ"),
    "wrong keys": (lambda: raise_(ef.Refused(101, "Authorize Failed")), "mã 101, sai ApiKey hoặc SecretKey"),
    "no code": (
        lambda: raise_(ef.Refused(None, "Invalid request")),
        "từ chối mà không kèm mã, chỉ ghi 'Invalid request': hãy hỏi eSMS",
    ),
    "unknown code": (lambda: raise_(ef.Refused(999)), "mã 999"),
    "would fail": (
        lambda: raise_(ef.WouldFail(["Nobody is left to be texted."] * 2)),
        "Chưa gửi gì: Không còn ai để gửi. Hãy kiểm tra lại (bước 4).",
    ),
}


def test_hours_by_two_clocks_are_said_in_vietnamese():
    clocks = Clocks(datetime(2030, 1, 31, 12, 30, tzinfo=VIETNAM), offset=timedelta(hours=11))
    text = find_hours_objection({ef.Rule.SENDING_HOURS}, None, clocks)
    assert "lúc 2030-01-31 23:30, ngoài 07:00 đến 22:00" in told(text, VI)


def raise_(error):
    raise error


@pytest.mark.parametrize(("do", "said"), PROVOKED.values(), ids=PROVOKED)
def test_errors_are_said_in_vietnamese(do, said):
    assert said in told(error_of(do), VI)


def test_sentences_of_a_plan_are_said_in_vietnamese_and_english_without_code(customers, sandbox):
    with sandbox.client() as client:
        message = ef.Message("Chào {ten}, " + "ả" * 70, "baotrixemay")
        plan = ef.plan(customers, message, client)
    said = [told(text, VI) for text in (*plan.problems, *plan.warnings)]
    name = (
        "Brandname 'baotrixemay' chưa đăng ký cho loại chăm sóc khách hàng trong tài khoản này: có phải ý bạn là "
        "'Baotrixemay'?"
    )
    assert sorted(said) == [
        name,
        "Dấu tiếng Việt chiếm 50 trong 100 tin: bấm Bỏ dấu ở bước 3 sẽ bớt được chừng 50% giá tiền.",
        "Nội dung còn {ten} chưa được điền: khách hàng sẽ thấy đúng như vậy, hãy sửa lại.",
    ]
    assert not any("message." in told(text, EN) for text in (*plan.problems, *plan.warnings))


def test_what_a_servers_errors_mean_for_a_journal_is_said_in_vietnamese():
    for meaning in postgres._MEANINGS.values():
        error = ef.JournalError("The journal {where} {meaning_text}.", where="db/sms", meaning_text=meaning)
        assert told(error, VI).startswith("Sổ gửi tin db/sms ")
        assert meaning not in told(error, VI)


def test_what_callbacks_and_the_status_of_a_send_say_is_said_in_vietnamese():
    counted = Sentence(_COUNTS_ONLY, delivered=2994, recipients=3000)
    assert told(counted, VI) == "callback báo 2.994 trong 3.000 số đã nhận, chưa rõ là những số nào"
    for reason in (*_BEFORE_SENDING.values(), _REJECTED, _NOT_LISTED, _NOT_CALLED, _MISFIT):
        assert reason_in(VI, reason) != reason


def test_numbers_are_written_as_the_language_writes_them():
    template = (
        "Accents cost {saved} of the {total} parts: message.without_accents() would save them, some {share} of the "
        "price."
    )
    text = Sentence(template, saved=1861, total=21722, share="50%")
    assert "1.861 trong 21.722 tin" in told(text, VI)
    assert "1,861 of the 21,722 parts" in told(text, EN)


def test_the_hours_are_said_without_code(at):
    text = explain_hours(at("2030-01-31 06:30"))
    assert "sớm nhất là 2030-01-31 07:00, hãy hẹn giờ ở bước 3." in told(text, VI)
    assert "ef." not in told(text, EN)


def test_what_has_no_translation_is_passed_on_as_the_systems_word():
    assert told("Something new happened.", VI) == "Hệ thống báo: Something new happened."
    assert told("Something new happened.", EN) == "Something new happened."


def test_an_error_that_is_not_ours_shows_its_name_and_not_its_text():
    assert "secret" not in told(ValueError("secret"), VI)
    assert "ValueError" in told(ValueError("secret"), VI)


def read_of(tmp_path, content, name="c.csv"):
    (tmp_path / name).write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ef.read_customers(tmp_path / name)
        except ef.InvalidFile as error:
            return str(error)
    return str(caught[0].message)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'ten,sdt\n"Lan,0901888484\nBe",0901888485\n', "có dấu ngoặc kép ở dòng 2 có thể làm dính"),
        (
            "tên,sdt\nĐặng,0901888484\n".encode() + b"Caf\xe9,0901888485\n",
            "có 1 byte không phải UTF-8, byte đầu tiên ở dòng 3",
        ),
        (b"<html>", "là một trang web"),
        (b"%PDF-1.7", "mang đuôi tệp văn bản nhưng là loại tệp khác"),
        (b"ten,sdt\n", "chỉ có hàng tên cột"),
        ("sep=é\nten,sdt\n".encode(), "các ô cách nhau bằng 'é', không dùng được"),
        (b"," * 20_000, "có 20.001 cột, mà một trang tính chỉ có 16.384"),
        (b"sdt\n" + b"1" * 5_000_000, "có một dòng dài hơn 4 MB (dòng 2)"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_vietnamese(tmp_path, content, says):
    assert says in told(read_of(tmp_path, content), VI)
