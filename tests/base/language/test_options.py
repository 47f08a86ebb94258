"""`ef.options`: one setting for the language of all that is shown."""

from __future__ import annotations

import os
import subprocess
import sys

import pandas as pd
import pytest
from support.customers import FIFTY, sent

import esms_frames as ef
from esms_frames.reporting.files import csv_bytes


@pytest.fixture
def in_vietnamese(monkeypatch):
    monkeypatch.setattr(ef.options, "_lang", "vi")


def shown_by(lang):
    code = "import esms_frames as ef; print(ef.options.lang)"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(lang))


def environment(lang):
    others = {name: value for name, value in os.environ.items() if name != "ESMS_LANG"}
    return others if lang is None else others | {"ESMS_LANG": lang}


@pytest.mark.parametrize(("lang", "said"), [(None, "en"), ("", "en"), ("en", "en"), ("vi", "vi")])
def test_the_environment_says_the_language_where_nobody_else_does(lang, said):
    assert shown_by(lang).stdout.strip() == said


def test_another_language_in_the_environment_is_one_sentence():
    assert shown_by("fr").stderr.strip().endswith("InvalidInput: ESMS_LANG is 'fr': choose 'en' or 'vi'.")


@pytest.mark.parametrize("lang", ["fr", "VI", "", None, 1])
def test_another_language_is_one_sentence(lang):
    before = ef.options.lang
    with pytest.raises(ef.InvalidInput, match=r"^lang is .*: choose 'en' or 'vi'\.$"):
        ef.options.lang = lang
    assert ef.options.lang == before


def test_what_is_set_holds(in_vietnamese):
    assert repr(ef.options) == "<Options: lang='vi'>"
    ef.options.lang = "en"
    assert ef.options.lang == "en"


def test_an_audience_shows_itself_in_the_language(in_vietnamese):
    audience = ef.prepare(pd.DataFrame({"sdt": [*FIFTY, FIFTY[0], "x"]}))
    assert repr(audience).startswith("<Audience: Nhắn tin được cho 50 trong 52 dòng, trong 1 lô gồm 50 số; ")
    assert "sẵn sàng gửi" in repr(audience)
    assert "không phải số điện thoại" in audience._repr_html_()
    assert "Người nhận theo nhà mạng" in audience._repr_html_()


def test_a_plan_shows_itself_in_the_language(in_vietnamese):
    plan = ef.plan(pd.DataFrame({"sdt": FIFTY}), ef.Message("Chào {ten}", "Baotrixemay"), campaign="Tết")
    assert "chiến dịch" in repr(plan)
    assert "Nội dung còn {ten} chưa được điền" in repr(plan)
    assert "như hiện tại sẽ không gửi được" in plan._repr_html_()


def test_exported_reasons_are_in_the_language_and_those_of_the_frame_stay_english(
    customers, message, client, journal, at
):
    results = sent(customers, message, client, journal=journal, checks=False)
    again = sent(customers, message, client, journal=journal, checks=False)
    reason = again["reason"].iloc[0]
    assert reason.startswith("Sent by another run, on ")
    assert reason in csv_bytes(again).decode("utf-8-sig")
    before, ef.options.lang = ef.options.lang, "vi"
    try:
        written = csv_bytes(again).decode("utf-8-sig")
    finally:
        ef.options.lang = before
    assert "Đã gửi trước đó, ngày " in written
    assert "Sent by another run" not in written
    assert "accepted" in csv_bytes(results).decode()
