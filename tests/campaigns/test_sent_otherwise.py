"""What the journal knows to have been sent to a number is what its row says, whatever the data says by now."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.reporting.frame import Outcome, Status, count_differences, results_frame

TEXTS = {name: ef.Message(f"Xin chao nhom {name}", "Baotrixemay") for name in ("A", "B", "C")}
AB = {name: TEXTS[name] for name in ("A", "B")}


def drawn(seed, size=400):
    phones = [f"09{n:08d}" for n in range(1_000_000, 1_000_000 + size)]
    lot = np.random.default_rng(seed).permutation(["A", "B"] * (size // 2))
    return pd.DataFrame({"sdt": phones, "lot": lot})


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ef.SentOtherwiseWarning)
        return function(*args, **options)


@pytest.fixture
def send(client):
    def send(df, texts=AB, **options):
        return ef.send(df, texts, client, **{"campaign": "ab", "by": "lot", "progress": False} | options)

    return send


@pytest.fixture(params=["pandas", "dask"])
def as_data(request):
    """The customers as pandas' or Dask's; and results as pandas' again."""
    if request.param == "pandas":
        return lambda df: df, lambda results: results
    dd = pytest.importorskip("dask.dataframe")
    return lambda df: dd.from_pandas(df, npartitions=3), lambda results: results.compute()


def test_a_new_draw_changes_nothing_of_who_was_sent_what(send, as_data, sandbox):
    data, pandas = as_data
    first, again = drawn(1), drawn(2)
    send(first)
    assert not first["lot"].equals(again["lot"])
    with pytest.warns(ef.SentOtherwiseWarning) as told:
        results = pandas(send(data(again)))
    others = int((first["lot"] != again["lot"]).sum())
    assert results["segment"].tolist() == first["lot"].tolist()
    assert results["segment_in_data"].tolist() == again["lot"].tolist()
    got = sandbox.sent.set_index("phone")["content"].str[-1]
    assert results["segment"].tolist() == got.loc[results["phone"]].tolist()
    assert results["reason"].str.contains("with another text").sum() == others
    assert [str(one.message).partition(" rows")[0] for one in told] == [f"{others}"] * 2
    assert all(one.filename == __file__ for one in told)
    assert ef.summarize(results, "segment")["accepted"].tolist() == [200, 200]
    assert ef.summarize(results[first["lot"].eq("A").to_numpy()], "segment").index.tolist() == ["A"]
    assert count_differences(results) == (others, others)


def test_results_that_are_rebuilt_say_what_was_sent_too(send, as_data):
    data, pandas = as_data
    send(drawn(1))
    with pytest.warns(ef.SentOtherwiseWarning, match="under another segment than the data has now"):
        results = pandas(ef.results("ab", data(drawn(2)), by="lot"))
    assert results["segment"].tolist() == drawn(1)["lot"].tolist()
    assert results["segment_in_data"].tolist() == drawn(2)["lot"].tolist()
    assert results["reason"].isna().all()


def test_where_nothing_differs_nothing_is_added_or_told(send, as_data, recwarn):
    data, pandas = as_data
    send(drawn(1))
    again = pandas(send(data(drawn(1))))
    assert "segment_in_data" not in again
    assert not again["reason"].str.contains("text").any()
    assert not [one for one in recwarn if issubclass(one.category, ef.SentOtherwiseWarning)]


def test_segments_that_the_data_no_longer_has_keep_their_names(send, as_data):
    data, pandas = as_data
    send(drawn(1))
    results = quietly(lambda: pandas(send(data(drawn(1).assign(lot="C")), {"C": TEXTS["C"]})))
    assert results["segment"].tolist() == drawn(1)["lot"].tolist()
    assert results["segment_in_data"].eq("C").all()


def test_segments_that_are_numbers_and_in_an_order_stay_so_where_they_can(client):
    ages = pd.Series(pd.Categorical([30, 40] * 25, categories=[30, 40], ordered=True))
    df = pd.DataFrame({"sdt": FIFTY, "age": ages})
    texts = {age: ef.Message(f"Xin chao {age}", "Baotrixemay") for age in (30, 40)}
    ef.send(ef.prepare(df, by="age", min_batch=1), texts, client, campaign="ages", progress=False)
    swapped = df.assign(age=ages.cat.rename_categories({30: 40, 40: 30}).cat.reorder_categories([30, 40]))
    results = quietly(ef.results, "ages", swapped, by="age")
    assert results["segment"].tolist() == [30, 40] * 25
    assert results["segment"].cat.ordered
    other = quietly(ef.results, "ages", df.assign(age=50), by="age")
    assert other["segment"].tolist() == ["30", "40"] * 25
    assert other["segment_in_data"].tolist() == [50] * 50


def test_rows_that_are_in_no_batch_have_the_segment_of_the_data(send):
    df = drawn(1)
    more = pd.concat([df, pd.DataFrame({"sdt": ["n/a", df["sdt"][0]], "lot": ["A", "B"]})], ignore_index=True)
    results = send(more)
    assert results["segment"].tolist() == more["lot"].tolist()


def test_refused_and_unknown_rows_say_the_segment_of_their_batch():
    frame = ef.prepare(drawn(1, 60), by="lot", min_batch=1).frame
    outcomes = [
        Outcome(Status.REFUSED, "because", batch=1, segment="A"),
        Outcome(Status.UNKNOWN, "no answer", batch=2, segment="B"),
    ]
    owner = np.arange(60) % 2
    found = results_frame(frame, owner, outcomes)
    assert found["segment"].tolist() == ["A", "B"] * 30


def test_of_one_text_for_all_the_segment_is_that_of_the_data(client, recwarn):
    """Nothing was sent by segment then: a column to group by, as of any customer."""
    ef.send(drawn(1), TEXTS["A"], client, by="lot", progress=False)
    results = ef.send(drawn(2), TEXTS["A"], client, by="lot", progress=False)
    assert results["segment"].tolist() == drawn(2)["lot"].tolist()
    assert "segment_in_data" not in results
    assert not recwarn.list


def test_whoever_had_the_one_text_for_all_is_in_no_segment(client, send):
    ef.send(drawn(1), TEXTS["C"], client, campaign="ab", progress=False)
    results = quietly(send, drawn(1))
    assert results["segment"].isna().all()
    assert results["segment_in_data"].tolist() == drawn(1)["lot"].tolist()
    assert results["reason"].str.contains("with another text").all()


def test_a_corrected_text_is_told_of_those_who_had_the_wrong_one(client, customers, as_data):
    data, pandas = as_data
    wrong, right = (ef.Message(f"Cam on quy khach, ma {n}", "Baotrixemay") for n in (1, 2))
    ef.send(customers, wrong, client, campaign="Tet", progress=False)
    more = [f"09{n:08d}" for n in range(1_000_000, 1_000_040)]
    both = pd.concat([customers, pd.DataFrame({"sdt": more})], ignore_index=True)
    with pytest.warns(ef.SentOtherwiseWarning, match="^50 rows were sent by the campaign with another text than"):
        results = pandas(ef.send(data(both), right, client, campaign="Tet", progress=False))
    assert results["status"].tolist() == ["already_sent"] * 50 + ["accepted"] * 40
    assert results["reason"][:50].str.fullmatch(r"Sent by another run, on \d{4}-\d\d-\d\d, with another text\.").all()
    assert results["reason"][50:].isna().all()


def test_a_text_that_differs_in_what_nobody_sees_is_the_same(client, customers, recwarn):
    ef.send(customers, ef.Message("Cam on quy khach", "Baotrixemay"), client, campaign="Tet", progress=False)
    for same in ("Cam on quy khach ", "Cam  on quy\u00a0khach", "Cam on\u200b quy khach"):
        again = ef.send(customers, ef.Message(same, "Baotrixemay"), client, campaign="Tet", progress=False)
        assert not again["reason"].str.contains("another text").any()
    assert not recwarn.list


def test_what_an_interrupted_run_had_planned_goes_out_as_planned_and_says_so(customers, sandbox):
    """A batch that holds somebody who is not in the data is sent as it is."""
    client = sandbox.client()
    first, second = (ef.Message(f"Cam on quy khach, ma {n}", "Baotrixemay") for n in (1, 2))
    sandbox.stop()
    ef.send(customers, first, client, campaign="Tet", checks=False, progress=False)
    sandbox.start()
    with pytest.warns(ef.SentOtherwiseWarning, match="^40 rows were sent"):
        results = ef.send(customers[:40], second, sandbox.client(), campaign="Tet", progress=False)
    assert results["status"].eq("accepted").all()
    assert results["reason"].eq("Sent as an earlier run had planned it, with another text.").all()


def test_a_row_says_when_its_message_goes_out(client, customers, at, as_data):
    data, pandas = as_data
    now = at("2030-01-31 09:00")
    later = ef.Message("Cam on quy khach", "Baotrixemay", send_at="2030-02-02 08:30")
    df = pd.concat([customers, pd.DataFrame({"sdt": ["n/a"]})], ignore_index=True)
    results = pandas(ef.send(data(df), later, client, campaign="later", progress=False))
    assert results["sent_at"].dropna().unique().tolist() == [pd.Timestamp(now)]
    assert results["scheduled_for"][:50].eq(pd.Timestamp("2030-02-02 08:30", tz=now.tzinfo)).all()
    assert pd.isna(results["scheduled_for"].iloc[50])
    assert str(results["scheduled_for"].dtype) == "datetime64[us, UTC+07:00]"
    again = pandas(ef.results("later", data(df)))
    assert again["scheduled_for"].equals(results["scheduled_for"])
    assert ef.send(customers, AB["A"], client, campaign="now", progress=False)["scheduled_for"].isna().all()
