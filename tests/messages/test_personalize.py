"""`Message.for_each`: personal texts are few texts, each for many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.messages.personalize import fields_of


def customers(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"sdt": [f"09{m:08d}" for m in range(n)], **columns}, index=[f"k{m % 5}" for m in range(n)])


def message(text):
    return ef.Message(text, "Baotrixemay")


def test_rows_with_equal_texts_are_one_segment():
    df = customers(city=["Huế", "Đà Lạt"] * 40, points=[10.0, 20.0] * 40)
    by, messages = message("{city}: {points:,.0f} diem").for_each(df)
    assert by.index.equals(df.index)
    assert {name: m.content for name, m in messages.items()} == {
        "Huế, 10.0": "Huế: 10 diem",
        "Đà Lạt, 20.0": "Đà Lạt: 20 diem",
    }
    assert by.tolist() == ["Huế, 10.0", "Đà Lạt, 20.0"] * 40


def test_different_values_that_give_the_same_text_are_one_segment():
    df = customers(points=[9.6, 10.2] * 20)
    by, messages = message("{points:.0f} diem").for_each(df)
    assert [m.content for m in messages.values()] == ["10 diem"]
    assert set(by) == {"9.6"}


def test_everything_but_the_text_is_the_messages():
    advert = ef.Message("{city}", "QC_ONLINE", "advertising", send_at="2099-01-01 08:00", callback_url="https://x.vn/")
    _, messages = advert.for_each(customers(city=["Huế"] * 40))
    made = messages["Huế"]
    assert (made.brandname, made.sms_type, made.send_at, made.callback_url) == (
        advert.brandname,
        advert.sms_type,
        advert.send_at,
        advert.callback_url,
    )


def test_a_row_without_a_value_gets_no_text_instead_of_a_wrong_one():
    df = customers(city=["Huế"] * 40 + [None, np.nan])
    by, messages = message("Chao {city}").for_each(df)
    assert by.isna().tolist() == [False] * 40 + [True] * 2
    assert list(messages) == ["Huế"]


def test_texts_for_too_few_are_named_with_what_splits_them():
    df = customers(ten=[f"Khách {n}" for n in range(60)], city=["Huế", "Vinh"] * 30)
    with pytest.raises(
        ef.InvalidInput, match=r"60 of the 60 different texts .*'Khách 0, Huế' 1.*\{ten\} with 60, \{city\}"
    ):
        message("{ten}, {city}").for_each(df)


def test_texts_for_too_few_can_be_left_out():
    df = customers(city=["Huế"] * 40 + ["Vinh"] * 5)
    by, messages = message("Chao {city}").for_each(df, small="exclude")
    assert list(messages) == ["Huế"]
    assert by.isna().sum() == 5


def test_values_that_read_the_same_when_joined_are_told_apart():
    df = customers(a=["x, y"] * 30 + ["x"] * 30, b=["z"] * 30 + ["y, z"] * 30)
    by, messages = message("{a}|{b}").for_each(df)
    assert set(messages) == {"x, y|z", "x|y, z"}
    assert by.value_counts().tolist() == [30, 30]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Chao ban", "no field in braces"),
        ("Chao {tenn}", "tenn"),
        ("Chao {", "braces can't be read"),
        ("Chao {}", "no column"),
        ("Chao {city.__class__}", "no column"),
        ("Chao {city[0]}", "no column"),
        ("Chao {city:d}", "filled in"),
        ("Chao {city:{sdt}}", "filled in"),
    ],
)
def test_a_text_that_can_not_be_filled_in_is_one_sentence_without_any_value(text, says):
    with pytest.raises(ef.InvalidInput, match=says) as error:
        message(text).for_each(customers(city=["Huế"] * 40))
    assert "0900000000" not in str(error.value)


def test_an_unknown_way_with_small_groups_is_named():
    with pytest.raises(ef.InvalidInput, match="'refuse' or 'exclude'"):
        message("{city}").for_each(customers(city=["Huế"] * 40), small="drop")


def test_braces_can_be_written():
    _, messages = message("{{{city}}}").for_each(customers(city=["Huế"] * 40))
    assert messages["Huế"].content == "{Huế}"


def test_the_fields_of_a_text_are_found():
    assert fields_of("{a} {b:.2f} {a} {{c}}") == ["a", "b"]
    assert fields_of("no {brace") == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2, None])), min_size=1, max_size=200))
def test_each_row_gets_the_text_that_filling_it_in_alone_gives(rows):
    df = customers(x=[x for x, _ in rows], y=pd.array([y for _, y in rows], dtype="Int64"))
    by, messages = message("{x}-{y}").for_each(df, min_batch=1)
    for (x, y), name in zip(rows, by, strict=True):
        assert (messages[name].content == f"{x}-{y}") if y is not None else pd.isna(name)


@pytest.mark.parametrize(
    "text", ["{city:>3000000000}", "{city:{width}}", "{n:.3000000000f}", "{n:0,.99999999999999999999f}"]
)
def test_a_width_that_fills_the_memory_is_one_sentence(text):
    df = pd.DataFrame({"city": ["Huế"] * 40, "n": 1.5, "width": ">3000000000"})
    with pytest.raises(ef.InvalidInput, match="width") as caught:
        ef.Message(text, "Baotrixemay").for_each(df)
    assert "\n" not in str(caught.value)


def test_values_that_differ_by_their_form_only_make_one_text():
    df = pd.DataFrame({"tha\u0300nh": ["Huế", "Hue\u0302\u0301 "] * 20})
    by, messages = ef.Message("Chao {thành}", "Baotrixemay").for_each(df)
    assert list(messages) == ["Huế"]
    assert by.tolist() == ["Huế"] * 40
