from __future__ import annotations

import ast
import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import FIFTY

import esms_frames as ef
from esms_frames import postgres
from esms_frames.consent import outside_hours
from esms_frames.deliveries import _BEFORE_SENDING, _COUNTS_ONLY, _MISFIT, _NOT_CALLED, _NOT_LISTED, _REJECTED
from esms_frames.errors import CODES
from esms_frames.number_list import PLAIN
from esms_frames.widgets.labels import Words
from esms_frames.widgets.results_labels import reason_in
from esms_frames.widgets.sentences import CODES_VI, SENTENCES, pattern_of, told

VI, EN = Words("vi"), Words("en")


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def of_the_package():
    """Give all text of the package's source but the form's, with a mark where values stand."""
    for path in Path(ef.__file__).parent.rglob("*.py"):
        if path.parent.name != "widgets":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


SOURCE = "\n".join(of_the_package())


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.said[:40])
def test_what_is_translated_is_still_what_the_package_says(sentence):
    pieces = [text.split() for text, *_ in string.Formatter().parse(sentence.said)]
    threes = [" ".join(words[n : n + 3]) for words in pieces for n in range(len(words) - 2)]
    there = [three in SOURCE for three in threes]  # some are put together of several pieces
    assert not threes or np.mean(there) > 0.5, [three for three in threes if three not in SOURCE]


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.said[:40])
def test_a_translation_holds_no_value_that_the_sentence_has_not(sentence):
    assert placeholders(sentence.vi) <= placeholders(sentence.said)
    assert placeholders(sentence.en) <= placeholders(sentence.said)
    values = dict.fromkeys(placeholders(sentence.said), "x")
    assert pattern_of(sentence.said).fullmatch(sentence.said.format(**values))


def test_every_code_and_every_problem_of_a_number_is_said_in_vietnamese():
    assert set(CODES_VI) == set(CODES) - {100}
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
    "unknown code": (lambda: raise_(ef.Refused(999)), "mã 999"),
    "would fail": (
        lambda: raise_(ef.WouldFail(["Nobody is left to be texted."] * 2)),
        "Chưa gửi gì: Không còn ai để gửi. Hãy kiểm tra lại (bước 4).",
    ),
}


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
        assert (
            told(f"The journal postgresql+psycopg://db/sms {meaning}.", VI).count(
                "ổ gửi tin postgresql+psycopg://db/sms"
            )
            == 1
        )


def test_what_callbacks_and_the_status_of_a_send_say_is_said_in_vietnamese():
    counted = _COUNTS_ONLY.format(delivered=2994, recipients=3000)
    assert told(counted, VI) == "callback báo 2.994 trong 3.000 số đã nhận, chưa rõ là những số nào"
    for reason in (*_BEFORE_SENDING.values(), _REJECTED, _NOT_LISTED, _NOT_CALLED, _MISFIT):
        assert reason_in(VI, f"Delivery: {reason}") != reason


def test_numbers_are_written_as_the_language_writes_them():
    text = "Accents cost 1,861 of the 21,722 parts: message.without_accents() would save them, some 50% of the price."
    assert "1.861 trong 21.722 tin" in told(text, VI)
    assert "1,861 of the 21,722 parts" in told(text, EN)


def test_the_hours_are_said_without_code(at):
    text = outside_hours(at("2030-01-31 06:30"))
    assert "sớm nhất là 2030-01-31 07:00, hãy hẹn giờ ở bước 3." in told(text, VI)
    assert "ef." not in told(text, EN)


def test_what_has_no_translation_is_passed_on_as_the_systems_word():
    assert told("Something new happened.", VI) == "Hệ thống báo: Something new happened."
    assert told("Something new happened.", EN) == "Something new happened."


def test_an_error_that_is_not_ours_shows_its_name_and_not_its_text():
    assert "secret" not in told(ValueError("secret"), VI)
    assert "ValueError" in told(ValueError("secret"), VI)
