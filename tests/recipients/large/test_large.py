"""Audiences larger than memory: what Dask prepares is what pandas would, and its rows are never all in memory."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import dask
import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import spellings
from support.audiences import counts, many, run, with_dask
from support.customers import FIFTY
from support.weight import examples

import esms_frames as ef


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


@settings(max_examples=examples(25))
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


def test_batches_are_numbered_and_equal_over_the_whole():
    df = pd.DataFrame({"sdt": spellings.mixed(3000, seed=8), "seg": ["vip", "new", "old"] * 1000})
    for by in (None, "seg"):
        large, small = with_dask(df, by=by, partitions=7), ef.prepare(df, by=by, max_batch=100)
        assert_same(large, small)
        assert repr(large).splitlines()[0].removeprefix("<Large") == repr(small).splitlines()[0].removeprefix("<")
        assert "".join(large._repr_html_().split()) == "".join(small._repr_html_().split())
        pd.testing.assert_frame_equal(large.ready.compute(), small.ready)


def test_nothing_is_written_outside_the_folder_that_is_named(tmp_path, monkeypatch):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "audience"
    elsewhere.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    audience = with_dask(pd.DataFrame({"sdt": spellings.mixed(2000, seed=5)}), folder=folder)
    assert list(elsewhere.iterdir()) == []
    assert not list(audience.folder.rglob("*.partd"))


def test_the_results_hold_no_key_and_need_neither_journal_nor_gateway(sandbox, message, tmp_path):
    journal = ef.Journal(tmp_path / "journal.sqlite")
    client = sandbox.client()
    results = run(with_dask(many(300)), message, client, campaign="Tết", journal=journal)
    journal.close()
    (tmp_path / "journal.sqlite").unlink()
    written = pickle.dumps(results)
    assert not [key for key in (sandbox.api_key, sandbox.secret_key) if key.encode() in written]
    assert counts(pickle.loads(written)) == {"accepted": 300}


# What else is promised


def test_known_divisions_stay_so_that_customers_join_their_results(client, message):
    customers = dd.from_pandas(many(400), npartitions=4)
    results = run(ef.prepare(customers), message, client)
    assert results.divisions == customers.divisions
    joined = customers.join(results).compute()
    assert (joined["sdt"] == joined["phone"]).all()


def test_an_audience_is_where_it_was_asked_for_and_nothing_else_is_left(client, message, tmp_path):
    for _ in range(2):
        audience = with_dask(many(300), folder=tmp_path / "there")
        assert audience.folder.parent == tmp_path / "there"
        run(audience, message, client)
        assert sorted(path.name[:7] for path in audience.folder.iterdir()) == ["frame", "results"]
    files = sorted((audience.folder / "frame").glob("*.parquet"))
    assert pd.concat(map(pd.read_parquet, files))["phone"].tolist() == many(300)["sdt"].tolist()


def test_what_some_segments_of_an_audience_are_sent_is_in_its_folder_too(client, message, tmp_path, monkeypatch):
    audience = with_dask(many(200).assign(seg=["a", "b"] * 100), by="seg", folder=tmp_path / "there")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    results = run(audience, {"a": message}, client, campaign="Tết")
    assert counts(results) == {"accepted": 100, "excluded": 100}
    assert not list((tmp_path / "elsewhere").glob("esms-*"))


def test_of_an_audience_that_fails_nothing_is_left(tmp_path):
    with pytest.raises(ef.TooFewRecipients):
        with_dask(many(100), folder=tmp_path, min_batch=200, max_batch=5000)
    with dask.config.set({"dataframe.convert-string": False}):
        mixed = split_up(many(100).assign(seg=pd.Series([1, "a"] * 50, dtype=object)), [50])
        with pytest.raises(ef.InvalidInput, match="several kinds"):
            ef.prepare(mixed, by="seg", folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.heavy
def test_a_temporary_audience_goes_with_the_process():
    code = (
        "import dask.dataframe as dd, pandas as pd, esms_frames as ef;"
        "df = pd.DataFrame({'sdt': [f'09{n:08d}' for n in range(50)]});"
        "print(ef.prepare(dd.from_pandas(df, npartitions=2)).folder)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(shown.stdout.strip()).exists()


def test_the_phone_column_is_found_by_its_content_in_some_partitions():
    df = pd.DataFrame({"a": range(100), "b": [None] * 50 + FIFTY, "c": "x"})
    assert with_dask(df, partitions=2).column == "b"
    with pytest.raises(ef.PhoneColumnError, match="looks like phone numbers"):
        with_dask(df.drop(columns="b"))


def test_segments_of_a_dask_series_and_one_text_for_all_segments(sandbox, client, message):
    df = many(200).assign(seg=["a", "b"] * 100)
    customers = dd.from_pandas(df, npartitions=3)
    audience = ef.prepare(customers[["sdt"]], by=customers["seg"])
    assert dict(audience.by_segment()) == {"a": 100, "b": 100}
    results = run(audience, message, client)
    assert results.compute()["batch"].tolist() == [1] * 200
    assert sandbox.sent["phone"].tolist() == df["sdt"].tolist()


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask reads divisions with it
def test_partitions_stay_those_of_the_customers_whatever_dask_would_put_together(client, message, tmp_path):
    others = pd.DataFrame(np.ones((400, 40)), columns=[f"x{n}" for n in range(40)])
    wide = pd.concat([many(400).assign(seg=["a", "b"] * 200), others], axis="columns")
    dd.from_pandas(wide, npartitions=8).to_parquet(tmp_path / "wide")
    customers = dd.read_parquet(tmp_path / "wide", calculate_divisions=True)
    customers = customers[customers["x7"] == 1]
    for by in (None, "seg", customers["seg"]):
        audience = ef.prepare(customers, by=by)
        assert (audience.partitions, audience.divisions) == (8, customers.divisions)
    results = run(audience, message, client)
    for number in (0, 7):
        part = results.partitions[number].compute()
        assert part["phone"].tolist() == customers.partitions[number].compute()["sdt"].tolist()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"phone": "nope"}, "no column 'nope'"),
        ({"by": "nope"}, "no such column"),
        ({"by": ["a"] * 100}, "by is a list"),
        ({"exclude": "itself"}, r"exclude\.compute"),
        ({"by": "itself"}, "by is a Dask collection of 1 partitions"),
        ({"folder": __file__}, "folder .* can't be written to"),
        ({"folder": 7}, "folder 7 can't be written to"),
        ({"min_batch": 200, "max_batch": 5000}, "Only 100 of 100 rows"),
        ({"min_batch": 50, "max_batch": 60}, "raise max_batch"),
    ],
)
def test_bad_input_is_one_sentence(options, says):
    customers = dd.from_pandas(many(100), npartitions=2)
    itself = dd.from_pandas(many(100)["sdt"], npartitions=1)
    given_ = {name: itself if value == "itself" else value for name, value in options.items()}
    with pytest.raises(ef.InvalidInput, match=says) as error:
        ef.prepare(customers, **given_)
    assert "\n" not in str(error.value)


def test_what_is_for_one_kind_of_data_only_is_said_so(client, message, monkeypatch):
    with pytest.raises(ef.InvalidInput, match="folder is for a Dask DataFrame"):
        ef.prepare(many(100), folder="there")
    with pytest.raises(ef.InvalidInput, match=r"give them to ef\.prepare"):
        run(with_dask(many(100)), message, client, exclude=["0900000000"])
    results = run(with_dask(many(100)), message, client)
    with pytest.raises(ef.InvalidInput, match=r"results\.partitions\[0\]"):
        ef.track(results, client)
    monkeypatch.setitem(sys.modules, "esms_frames.recipients.large.prepare", None)
    monkeypatch.delattr("esms_frames.recipients.large.prepare", raising=False)
    with pytest.raises(ef.InvalidInput, match=r'pip install "esms-frames\[dask\]"'):
        with_dask(many(100))


@pytest.mark.heavy
def test_pandas_users_do_not_load_dask():
    code = (
        "import sys, pandas as pd, esms_frames as ef; ef.prepare(pd.DataFrame({'sdt': ['0901888484']}), min_batch=1);"
    )
    code += "ef.send, ef.LargeAudience; print('dask' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.heavy
def test_the_workers_of_a_cluster_do_the_work(client, message, tmp_path):
    df = pd.DataFrame({"sdt": spellings.mixed(3000, seed=9), "seg": ["a", "b", "c"] * 1000})
    with (
        dask.config.set({"dataframe.convert-string": False}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        audience = with_dask(df, by="seg", partitions=5, folder=tmp_path)
        assert_same(audience, ef.prepare(df, by="seg", max_batch=100))
        results = run(audience, message, client)
        assert counts(results)["accepted"] == audience.counts["ready"]
