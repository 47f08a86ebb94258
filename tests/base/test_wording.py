"""Templates, their values, and how numbers are written in them."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.base import wording
from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import Sentence, fill, read_sentence, recall, write_number, write_sentence


@given(st.text())
def test_a_text_without_values_is_taken_literally(text):
    assert fill(text, {}) == text
    assert Sentence(text) == text


@given(st.text())
def test_braces_in_a_value_stay_as_they_are(text):
    assert fill("<{value}>", {"value": text}) == f"<{text}>"


@pytest.mark.parametrize(
    ("value", "english", "vietnamese"),
    [
        (1234567, "1,234,567", "1.234.567"),
        (np.int64(1234), "1,234", "1.234"),
        (0.5, "0.5", "0,5"),
        (Decimal("1234.5"), "1,234.5", "1.234,5"),
        (True, "True", "True"),
        ("1,234.5", "1,234.5", "1,234.5"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(value, english, vietnamese):
    assert write_number(value, "en") == english
    assert write_number(value, "vi") == vietnamese


def test_a_sentence_is_its_english_text_and_keeps_what_it_is_made_from():
    inner = Sentence("{rows} rows", rows=2000)
    sentence = Sentence("There are {what}.", what=inner)
    assert sentence == "There are 2,000 rows."
    for other in (copy.copy(sentence), copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert (other, other.template, other.values) == (sentence, sentence.template, sentence.values)
        assert other.values["what"].values == {"rows": 2000}


def test_a_value_may_be_written_otherwise():
    assert fill("{a} {b}", {"a": 1, "b": 2}, write=lambda name, value: name if value == 1 else value) == "a 2"


def test_sentences_are_kept_and_read_again_with_what_is_inside():
    inner = Sentence("The gateway refused without a code: {advice_text}.", advice_text=Sentence("ask eSMS"))
    sentence = Sentence("{count} batches in a row got no answer, the last: {error_text}", count=3, error_text=inner)
    again = read_sentence(write_sentence(sentence))
    assert (str(again), again.template, again.values) == (str(sentence), sentence.template, sentence.values)
    assert again.values["error_text"].values == inner.values


@pytest.mark.parametrize(
    "text", ["plain", "{count} braces", '{"template": broken', '{"template": "{x}", "values": {}}', "{}"]
)
def test_any_other_text_is_its_own_template(text):
    sentence = read_sentence(text)
    assert isinstance(sentence, Sentence)
    assert not sentence.values


def test_an_error_among_the_values_is_kept_as_its_sentence_without_its_traceback():
    sentence = Sentence("it could not be asked for: {error_text}", error_text=InvalidInput("{count} rows", count=1200))
    assert sentence == "it could not be asked for: 1,200 rows"
    assert type(sentence.values["error_text"]) is Sentence


def test_the_latest_sentences_are_remembered_and_no_more_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(wording, "_REMEMBERED_AT_LEAST", 3)
    monkeypatch.setattr(wording, "_remembered", [{}, {}])
    first, *_ = [Sentence("sentence number {n}", n=str(n)) for n in range(10)]
    assert sum(map(len, wording._remembered)) <= 6
    for n in (7, 8, 9):
        assert recall(f"sentence number {n}").values == {"n": str(n)}
    assert recall("sentence number 0").values == {}
    assert first.values == {"n": "0"}
