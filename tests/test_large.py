"""Audiences larger than memory: what Dask prepares is what pandas would, and is streamed without being loaded."""

from __future__ import annotations

import os
from itertools import pairwise

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import spellings
from conftest import FIFTY
from hypothesis import given, settings
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames import large, survey


def split_up(df, cuts):
    """Make a Dask DataFrame with partitions of any sizes, empty ones too."""
    ends = [0, *sorted(cuts), len(df)]
    parts = [df.iloc[a:b] for a, b in pairwise(ends)]
    return dd.from_map(lambda part: part, parts, meta=df.iloc[:0])


def assert_same(large, audience):
    """Check that an audience on disk is one of a DataFrame, by everything that both say."""
    pd.testing.assert_frame_equal(large.frame.compute(), audience.frame)
    pd.testing.assert_frame_equal(large.summary(), audience.summary())
    assert [batch.tolist() for batch in large.batches] == [batch.tolist() for batch in audience.batches]
    assert repr(large).splitlines()[1:] == repr(audience).splitlines()[1:]


CELLS = st.sampled_from([*FIFTY[:20], "+84 901 888 410", "901888411", "0902.888.499", "x", "", "024 3825 1234", None])


@settings(max_examples=25)
@given(st.data())
def test_dask_and_pandas_make_the_same_audience(data):
    cells = data.draw(st.lists(CELLS, max_size=60))
    n = len(cells)
    kind = data.draw(st.sampled_from(["text", "int", "float", "category"]))
    if kind == "text":
        phone = pd.Series(cells, dtype=object if data.draw(st.booleans()) else "str")
    elif kind == "category":
        phone = pd.Series(pd.Categorical(cells))
    else:
        numbers = data.draw(st.lists(st.integers(901888400, 901888420), min_size=n, max_size=n))
        phone = pd.Series(numbers, dtype="int64" if kind == "int" else "float64")
    index = data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    df = pd.DataFrame(
        {"sdt": phone.array}, index=pd.Index(index, dtype="int64", name=data.draw(st.sampled_from([None, "status"])))
    )
    by = data.draw(st.sampled_from([None, "text", "int", "category"]))
    if by is not None:
        names = {"text": ["vip", "new", None], "int": [3, 1, 2], "category": ["vip", "new", None]}[by]
        values = data.draw(st.lists(st.sampled_from(names), min_size=n, max_size=n))
        dtype = {"text": "str", "int": "int64", "category": pd.CategoricalDtype(["vip", "gone", "new"])}[by]
        df["seg"] = pd.Series(values, dtype=dtype).array
    cuts = data.draw(st.lists(st.integers(0, n), max_size=4))
    options = {
        "by": None if by is None else "seg",
        "exclude": data.draw(st.lists(st.sampled_from(FIFTY[:10]), max_size=4)),
        "min_batch": 0,
        "max_batch": data.draw(st.integers(1, 30)),
    }
    with dask.config.set({"scheduler": "sync", "dataframe.convert-string": False}):
        assert_same(ef.prepare(split_up(df, cuts), "sdt", **options), ef.prepare(df, "sdt", **options))


# Sending


def many(n, start=0):
    return pd.DataFrame({"sdt": [f"09{m:08d}" for m in range(start, start + n)]})


def run(data, message, client, **options):
    return ef.send(data, message, client, **{"progress": False, "rate": None, "concurrency": 1} | options)


def counts(results):
    return results["status"].value_counts().loc[lambda n: n > 0].to_dict()


@pytest.fixture
def small_pieces(monkeypatch):
    """Plan and send three batches of a hundred at once, and read five hundred numbers at once."""
    monkeypatch.setattr(survey, "PIECE", 300)
    monkeypatch.setattr(large, "_SOME", 500)


def prepared(df, partitions=4, **options):
    with dask.config.set({"dataframe.convert-string": False}):
        return ef.prepare(dd.from_pandas(df, npartitions=partitions), **{"max_batch": 100} | options)


def like_pandas(results):
    """Leave out what two sends can't have in common."""
    return results.drop(columns=["sms_id", "sent_at"])


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("by", [None, "seg"])
def test_the_results_of_a_streamed_send_are_those_of_pandas(message, by):
    df = pd.DataFrame({"sdt": [*spellings.mixed(2000, seed=5), *many(1500)["sdt"]]})
    df["seg"] = np.array(["vip", "new", None, "old"], dtype=object)[np.arange(len(df)) % 4]
    text = message if by is None else {"vip": message, "new": ef.Message("Chao ban", "Baotrixemay")}
    found = []
    for audience in (ef.prepare(df, by=by, max_batch=100), prepared(df, by=by)):
        with ef.Sandbox(balance=10**12) as sandbox:
            journal = ef.Journal(os.environ["ESMS_JOURNAL"] + str(len(found)))
            results = run(audience, text, sandbox.client(), campaign="Tết", journal=journal)
            again = run(audience, text, sandbox.client(), campaign="Tết", journal=journal)
            rebuilt = ef.results("Tết", audience, journal=journal)
            found.append((results, again, rebuilt, sandbox.sent))
    pandas, dask_ = found
    for one, other in zip(pandas[:3], dask_[:3], strict=True):
        whole = other.compute()
        pd.testing.assert_series_equal(whole.dtypes, other._meta.dtypes)
        pd.testing.assert_frame_equal(like_pandas(one), like_pandas(whole))
        assert (one["sms_id"].isna() == whole["sms_id"].isna()).all()
    assert sorted(pandas[3]["phone"]) == sorted(dask_[3]["phone"])
    assert dask_[3]["phone"].is_unique
