"""Every row comes back with one status, and a reason where it was not accepted; no row of a file is swallowed."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import spellings
from support.customers import sent_singly
from support.files import written
from support.judging import Judge
from support.weight import examples

import esms_frames as ef


@pytest.mark.both_journals
def test_a_dirty_dataframe_comes_back_with_a_status_for_every_row(sandbox, client, message):
    customers = pd.DataFrame({"name": "x", "sdt": spellings.mixed(12_000, seed=11)})
    results = sent_singly(customers, message, client)
    assert results.index.equals(customers.index)
    assert results["status"].notna().all()
    assert (results["reason"].isna() == (results["status"] == "accepted")).all()
    assert sorted(sandbox.sent["phone"]) == sorted(results.loc[results["status"] == "accepted", "phone"])
    assert sandbox.sent["phone"].is_unique
    assert sandbox.sent["sms_id"].nunique() == 3
    by_phone = sandbox.sent.set_index("phone")["sms_id"]
    accepted = results[results["status"] == "accepted"]
    assert accepted["sms_id"].tolist() == by_phone[accepted["phone"]].tolist()


@pytest.mark.both_journals
@pytest.mark.sqlite
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 11),
        st.lists(
            st.sampled_from([None, 99, 103, 104, 107, 124, 160, 199, 9999, "cut", "unreachable"]),
            min_size=1,
            max_size=4,
        ),
    ),
    st.integers(1, 8),
)
def test_under_any_mix_of_answers_every_row_is_accounted_for_and_accepted_ones_are_in_the_ledger(mix, concurrency):
    made = {None: None, "cut": ef.NoAnswer("cut"), "unreachable": ef.Unreachable("no way")}
    with ef.Sandbox(balance=10**12) as sandbox, pytest.MonkeyPatch.context() as patch:
        client = sandbox.client()
        judge = Judge(client, patch, size=100)
        judge.verdicts = {
            batch: [made[v] if v in made else ef.Refused(v) for v in verdicts] for batch, verdicts in mix.items()
        }
        df = pd.DataFrame({"sdt": [*[f"09{m:08d}" for m in range(1200)], "x", "0900000000"]})
        audience = ef.prepare(df, max_batch=100)
        results = sent_singly(audience, ef.Message("Xin chao", "Baotrixemay"), client, concurrency=concurrency)
        assert results.index.equals(df.index)
        assert results["status"].notna().all()
        assert (results["reason"].isna() == (results["status"] == "accepted")).all()
        taken = set(sandbox.sent["phone"])
        accepted = set(results.loc[results["status"] == "accepted", "phone"])
        # 124 after a cut attempt says that it was taken; here it is the judge who says so.
        told = {f"09{n:08d}" for b, vs in mix.items() if 124 in vs for n in range(b * 100, b * 100 + 100)}
        assert accepted - told <= taken <= accepted | set(results.loc[results["status"] == "unknown", "phone"])
        assert sandbox.sent["phone"].is_unique


ALPHABET = "ab 0,;\"'\n=+-@Đ\u1ec5\u0301"


PEOPLE_TEXT = st.text(ALPHABET, max_size=12)


def as_csv(rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["ten", "sdt", "ghi chú"], *rows])
    return text.getvalue()


CUSTOMERS = st.lists(
    st.tuples(PEOPLE_TEXT, st.integers(900000000, 999999999), PEOPLE_TEXT), min_size=2, max_size=12
).map(lambda rows: [[f"x{name}", f"0{number}", note and f"y{note}"] for name, number, note in rows])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(CUSTOMERS)
def test_every_row_of_a_csv_comes_back(tmp_path, rows):
    rows = [["x", "0901888484", "a"], *rows]  # without a word, a column of short numbers is one of numbers
    df = ef.read_customers(written(tmp_path / "c.csv", as_csv(rows)))
    assert df.astype(object).fillna("").to_numpy().tolist() == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(300))
@given(CUSTOMERS, st.lists(st.floats(0, 1), min_size=1, max_size=2))
def test_with_stray_quotation_marks_no_customer_is_lost_in_silence(tmp_path, rows, places):
    text = as_csv(rows)
    head = text.index("\n") + 1
    for place in sorted((head + int(place * (len(text) - head)) for place in places), reverse=True):
        text = text[:place] + '"' + text[place:]
    try:
        df = ef.read_customers(written(tmp_path / "c.csv", text))
    except ef.InvalidFile:
        return
    cells = iter(df["sdt"].fillna("").str.replace('"', ""))
    assert all(any(phone == cell for cell in cells) for _, phone, _ in rows)  # in the same order
