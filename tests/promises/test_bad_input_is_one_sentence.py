"""What is of another type than it should be gets one sentence, which holds nobody's number."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from support.customers import FIFTY

import esms_frames as ef

TABLE = pd.DataFrame({"sdt": FIFTY})
LISTS = pd.DataFrame({"sdt": FIFTY, "x": [["a"]] * 50})
RESULTS = pd.DataFrame({"network": ["Viettel"] * 2, "status": "accepted", "reason": None, "x": [["a"]] * 2})
TEXT = ef.Message("Cam on!", "Baotrixemay")
FIELD = ef.Message("Cam on {x}!", "Baotrixemay")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ef.plan(TABLE, TEXT, "client"), "client must be a Client, not str"),
        (lambda: ef.results("Tet", client="client"), "client must be a Client, not str"),
        (lambda: ef.results("Tet", FIFTY), "data must be a DataFrame or an Audience, not list"),
        (lambda: ef.results(TABLE), "campaign is a DataFrame"),
        (lambda: ef.plan(TABLE, TEXT, campaign=TABLE), "campaign is a DataFrame"),
        (lambda: ef.prepare(TABLE, by=TABLE), "by is a DataFrame, which does not give one value a row"),
        (lambda: ef.prepare(TABLE, by=tuple(FIFTY)), "by names a tuple"),
        (lambda: ef.prepare(LISTS, by="x"), "by holds lists"),
        (lambda: ef.prepare(TABLE, exclude=pd.DataFrame({"x": ["a"]})), "pass that column alone"),
        (lambda: ef.summarize(RESULTS, TABLE), "by names a DataFrame"),
        (lambda: ef.summarize(RESULTS, "x"), "by holds lists"),
        (lambda: ef.plot(RESULTS, lang=["en"]), "lang is a list"),
        (lambda: FIELD.for_each(FIFTY), "df is a list and no DataFrame"),
        (lambda: FIELD.for_each(LISTS), "column 'x' of the text's field holds lists"),
        (lambda: FIELD.for_each(LISTS, small=["refuse"]), "small is a list"),
        (lambda: FIELD.for_each(LISTS, min_batch="30"), "min_batch is '30'"),
        (lambda: FIELD.for_each(LISTS, min_batch=-1), "min_batch is -1"),
        (lambda: ef.next_allowed_time(TABLE), "now is a DataFrame and no moment"),
        (lambda: ef.Journal().prune(before=TABLE), "before is a DataFrame and no moment"),
        (lambda: ef.Journal().do_not_contact.add(FIFTY, reason=TABLE), "reason is a DataFrame"),
        (lambda: ef.Sandbox(faults="cut_after"), "faults is neither a dict nor a list"),
        (lambda: ef.Sandbox(faults={"cut_after": "1"}), "faults holds a rate that is no number"),
        (lambda: ef.Sandbox(brandnames=["Baotrixemay"]), "brandnames is no dict"),
        (lambda: ef.Sandbox(templates=["Cam on"]), "templates is no dict"),
        (lambda: ef.Sandbox(port="80"), "or port none to 65535"),
    ],
)
def test_it_is_one_sentence_without_numbers(call, says):
    with pytest.raises(ef.InvalidInput, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert "09018884" not in str(caught.value)


def test_a_journal_is_pruned_before_a_date():
    assert ef.Journal().prune(before=date(2025, 12, 31)).empty


def test_concurrency_is_no_truth(customers, message, client):
    with pytest.raises(ef.InvalidInput, match="concurrency is True"):
        ef.send(customers, message, client, concurrency=True)
