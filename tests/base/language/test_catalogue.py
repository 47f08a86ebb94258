"""The catalogues of translations, and how a sentence is found in them."""

from __future__ import annotations

import ast
import runpy
import string
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import esms_frames as ef
from esms_frames.base.language.catalogue import DOMAIN, find_translation, phrase, translate
from esms_frames.base.wording import Sentence

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "docs" / "make_catalogues.py"))
ENGLISH_IN_FORMS = "Several columns could hold the phone numbers, {columns}: name one with phone='…'."


def messages(language):
    file = files("esms_frames.base.language") / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with file.open("rb") as stream:
        return [message for message in read_po(stream, abort_invalid=True) if message.id]


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_translation_holds_no_value_that_its_template_has_not(language):
    for message in messages(language):
        assert message.string, message.id
        assert not message.fuzzy, message.id
        assert placeholders(message.string) <= placeholders(message.id), message.id
        if (message.context or "").startswith("label "):
            assert placeholders(message.string) == placeholders(message.id), message.id
            assert message.string.strip() == message.string, message.id


def test_forms_in_english_and_in_vietnamese_say_the_same_sentences_in_words_of_their_own():
    there = {language: {m.id for m in messages(language) if m.context == "form"} for language in ("en", "vi")}
    assert there["en"] == there["vi"]


def test_numbers_are_written_as_the_language_writes_them():
    error = ef.TooFewRecipients(3000, {"ready": 1200, "invalid": 1})
    said = "Chỉ có 1.200 trong 1.201 dòng nhắn tin được, mà mỗi lô cần ít nhất 3.000 số: "
    assert find_translation(error, "vi", "form").startswith(said)


def test_a_sentence_within_a_sentence_is_translated_too():
    sentence = Sentence("An earlier attempt got no answer, and then: {error_text}", error_text=ef.Refused(103))
    said = "Nhà cung cấp từ chối với mã 103, số dư không đủ: hãy nạp thêm tiền."
    assert find_translation(sentence, "vi", "form") == f"Lần thử trước không có trả lời, rồi: {said}"


def test_a_value_is_never_taken_for_a_sentence():
    sentence = Sentence("{count} columns are named {name}: rename all but one.", count=2, name="no number")
    assert "no number" in find_translation(sentence, "vi", "form")


def test_a_surface_has_words_of_its_own():
    error = ef.PhoneColumnError(ENGLISH_IN_FORMS, ["a", "b"], columns="a, b")
    assert (
        find_translation(error, "en", "form") == "Several columns could hold the phone numbers, a, b: choose one above."
    )
    assert find_translation(error, "en", "other") is None


def test_what_has_no_translation_is_none():
    assert find_translation(ef.InvalidInput("Something new happened."), "vi", "form") is None


def test_every_text_that_is_shown_has_a_vietnamese_translation():
    assert SCRIPT["missing_of"]("vi", SCRIPT["extract"]()) == []


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_catalogue_holds_nothing_that_is_not_shown_any_more(language):
    assert SCRIPT["unused_of"](language, SCRIPT["extract"]()) == []


def test_every_error_and_sentence_is_raised_with_a_template_that_is_found_in_the_sources():
    lost = []
    for path in Path(ef.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in SCRIPT["KEYWORDS"]:
                lost += [f"{path.name}:{node.lineno}" for each in node.args if isinstance(each, ast.JoinedStr)]
    assert lost == []


def test_a_text_of_an_earlier_sentence_is_known_again():
    text = str(Sentence("{count} columns are named {name}: rename all but one.", count=2, name="'a'"))
    assert find_translation(text, "vi") == "Có 2 cột cùng tên 'a': hãy đổi tên để chỉ còn một."


def test_a_phrase_is_in_the_language_of_the_options(monkeypatch):
    monkeypatch.setattr(ef.options, "_lang", "vi")
    assert phrase("{price} VND", price=1_234_500) == "1.234.500 đ"
    assert translate(ef.InvalidInput("Something new happened.")) == "Something new happened."
