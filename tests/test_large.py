"""Audiences larger than memory: what Dask prepares is what pandas would, and is streamed without being loaded."""

from __future__ import annotations

import os
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
import spellings
from conftest import FIFTY
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resume import Die, dying

import esms_frames as ef
from esms_frames import large, outcomes, phones, pieces, survey


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


def test_batches_are_numbered_and_equal_over_the_whole():
    df = pd.DataFrame({"sdt": spellings.mixed(3000, seed=8), "seg": ["vip", "new", "old"] * 1000})
    for by in (None, "seg"):
        large, small = prepared(df, by=by, partitions=7), ef.prepare(df, by=by, max_batch=100)
        assert_same(large, small)
        assert repr(large).splitlines()[0].removeprefix("<Large") == repr(small).splitlines()[0].removeprefix("<")
        assert "".join(large._repr_html_().split()) == "".join(small._repr_html_().split())
        pd.testing.assert_frame_equal(large.ready.compute(), small.ready)


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


def test_nothing_is_written_outside_the_folder_that_is_named(tmp_path, monkeypatch):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "audience"
    elsewhere.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    audience = prepared(pd.DataFrame({"sdt": spellings.mixed(2000, seed=5)}), folder=folder)
    assert list(elsewhere.iterdir()) == []
    assert not list(audience.folder.rglob("*.partd"))


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("by", [None, "seg"])
def test_the_results_of_a_streamed_send_are_those_of_pandas(message, by, at):
    at("2030-01-31 08:00")
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


def test_where_no_row_has_a_reason_the_dtypes_are_those_of_pandas_too(client, message):
    with_pandas = run(many(60), message, client, campaign="a")
    with_dask = run(prepared(many(60)), message, client, campaign="b")
    pd.testing.assert_series_equal(with_dask.compute().dtypes, with_pandas.dtypes)


def test_a_plan_says_what_pandas_would(client, message, small_pieces):
    df = pd.DataFrame({"sdt": [*spellings.mixed(1000, seed=6), *many(700)["sdt"]]})
    run(many(150), message, client, campaign="Tết")
    with_pandas = ef.plan(df, message, client, campaign="Tết")
    with_dask = ef.plan(prepared(df, max_batch=5000), message, client, campaign="Tết")
    assert (repr(with_dask), with_dask.batches) == (repr(with_pandas), with_pandas.batches)
    pd.testing.assert_frame_equal(with_dask.messages, with_pandas.messages)
    few = ef.plan(prepared(many(160)), message, client, campaign="Tết")
    assert few.recipients == 0
    assert any("Only 10 of the numbers" in str(reason) for reason in few.rejected["reason"])


def test_a_dask_dataframe_may_be_planned_sent_and_looked_up_as_it_is(sandbox, client, message):
    customers = dd.from_pandas(many(120).assign(name="x"), npartitions=2)
    assert ef.plan(customers, message, client, exclude=["0900000001"]).recipients == 119
    results = run(customers, message, client, campaign="Tết", phone="sdt", exclude=["0900000001"])
    assert counts(results.compute()) == {"accepted": 119, "excluded": 1}
    assert counts(ef.results("Tết", customers).compute()) == {"accepted": 119, "not_sent": 1}
    assert len(sandbox.sent) == 119


def test_what_a_run_that_ended_did_not_come_to_is_not_sent_and_the_next_goes_on(message, small_pieces):
    with ef.Sandbox(balance=450 * 850, prices={}) as sandbox:
        results = run(prepared(many(1200)), message, sandbox.client(), campaign="Tết", checks=False).compute()
        assert counts(results) == {"accepted": 400, "refused": 100, "not_sent": 700}
        left = results[results["status"] == "not_sent"]
        assert left["reason"].str.contains("code 103").all()
        assert left["batch"].isna().sum() == 600  # of the pieces that were not begun
        assert len(sandbox.sent) == 400


def test_who_is_new_is_put_together_over_all_pieces(sandbox, client, message, small_pieces):
    df = many(3000)
    run(df[np.arange(3000) % 20 > 0], message, client, campaign="Tết")
    results = run(prepared(df), message, client, campaign="Tết")
    assert counts(results.compute()) == {"accepted": 150, "already_sent": 2850}
    assert sandbox.sent["phone"].is_unique


def test_whom_another_run_leaves_too_few_of_in_a_piece_are_sent_with_a_later_one(
    sandbox, client, message, small_pieces
):
    df = many(1500)
    taken = []

    def take_most_of_the_second_piece(_progress):
        if not taken:
            taken.append(run(df[300:590], message, sandbox.client(), campaign="Tết"))

    results = run(prepared(df), message, client, campaign="Tết", progress=take_most_of_the_second_piece).compute()
    assert counts(results) == {"accepted": 1210, "already_sent": 290}
    assert sandbox.sent["phone"].is_unique


def test_a_text_that_was_corrected_after_a_crash_goes_to_all_of_a_batch_wherever_they_are(
    sandbox, client, message, small_pieces
):
    df = many(1200)
    with dying(client, 0, after=False), pytest.raises(Die):
        run(prepared(df), message, client, campaign="Tết", checks=False)
    mixed = df.sample(frac=1, random_state=2, ignore_index=True)
    results = run(prepared(mixed), ef.Message("Sua lai", "Baotrixemay"), client, campaign="Tết").compute()
    assert counts(results) == {"accepted": 1200}
    assert sandbox.sent["phone"].is_unique
    # What was under way when it died may have left: it is finished as it was.
    assert sandbox.sent["content"].value_counts().to_dict() == {"Sua lai": 1100, message.content: 100}


def test_an_exclude_list_that_has_grown_since_a_crash_is_respected(sandbox, client, message, small_pieces):
    df = many(1200)
    with dying(client, 0, after=False), pytest.raises(Die):
        run(prepared(df), message, client, campaign="Tết", checks=False)
    results = run(prepared(df, exclude=["0900000150", "0900000900"]), message, client, campaign="Tết").compute()
    assert counts(results) == {"accepted": 1198, "excluded": 2}
    assert len(sandbox.sent) == 1198
    assert sandbox.sent["phone"].is_unique


KILLED = """
import os, sys
import dask.dataframe as dd
import pandas as pd
import esms_frames as ef
from esms_frames import survey

survey.PIECE = 300
real, calls = ef.Client.send, []

def send(self, *arguments, **options):
    calls.append(1)
    if len(calls) == 5 and sys.argv[1] == "before":
        os._exit(9)
    answer = real(self, *arguments, **options)
    if len(calls) == 5:
        os._exit(9)
    return answer

ef.Client.send = send
customers = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(1200)]})
audience = ef.prepare(dd.from_pandas(customers, npartitions=3), max_batch=100)
message = ef.Message("Cam on quy khach da mua hang!", "Baotrixemay")
ef.send(audience, message, ef.Client.from_env(), campaign="big", checks=False, progress=False, rate=None, concurrency=1)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_streamed_send_that_is_killed_and_run_again_texts_everybody_once(message, small_pieces, when):
    with ef.Sandbox(balance=10**12) as sandbox:
        keys = {"ESMS_API_KEY": sandbox.api_key, "ESMS_SECRET_KEY": sandbox.secret_key, "ESMS_BASE_URL": sandbox.url}
        killed = subprocess.run([sys.executable, "-c", KILLED, when], env=os.environ | keys, check=False)
        assert killed.returncode == 9
        assert len(sandbox.sent) == (400 if when == "before" else 500)
        planned = ef.Journal().campaigns()["numbers"].item()
        assert planned == 600  # two pieces of three batches, and no more
        grown = many(1500).sample(frac=1, random_state=1, ignore_index=True)
        results = run(prepared(grown), message, sandbox.client(), campaign="big").compute()
        assert counts(results) == {"accepted": 1100, "already_sent": 400}
        assert sorted(sandbox.sent["phone"]) == many(1500)["sdt"].tolist()


def test_no_more_than_a_piece_is_in_memory(sandbox, client, message, small_pieces, monkeypatch):
    sizes = []

    def spied(groups, excluded, known, *others):
        sizes.append(sum(len(some.numbers) for some in [*groups, *known.batches]))
        return real(groups, excluded, known, *others)

    real = pieces.allocate
    monkeypatch.setattr(pieces, "allocate", spied)
    read = []
    real_read = phones.read
    monkeypatch.setattr(phones, "read", lambda column: read.append(len(column)) or real_read(column))
    audience = prepared(many(4000), partitions=8)
    results = run(audience, message, client, campaign="Tết")
    again = run(audience, message, client, campaign="Tết")
    assert counts(results.compute()) == {"accepted": 4000}
    assert counts(again.compute()) == {"already_sent": 4000}
    assert max(sizes) <= 300
    assert max(read) <= 500
    assert max(len(batch) for batch in audience.batches) == 100


def test_the_results_hold_no_key_and_need_neither_journal_nor_gateway(sandbox, message, tmp_path):
    journal = ef.Journal(tmp_path / "journal.sqlite")
    client = sandbox.client()
    results = run(prepared(many(300)), message, client, campaign="Tết", journal=journal)
    journal.close()
    (tmp_path / "journal.sqlite").unlink()
    written = pickle.dumps(results)
    assert not [key for key in (sandbox.api_key, sandbox.secret_key) if key.encode() in written]
    assert counts(pickle.loads(written).compute()) == {"accepted": 300}


# What else is promised


def test_known_divisions_stay_so_that_customers_join_their_results(client, message):
    customers = dd.from_pandas(many(400), npartitions=4)
    results = run(ef.prepare(customers), message, client)
    assert results.divisions == customers.divisions
    joined = customers.join(results).compute()
    assert (joined["sdt"] == joined["phone"]).all()


def test_an_audience_is_where_it_was_asked_for_and_nothing_else_is_left(client, message, tmp_path):
    for _ in range(2):
        audience = prepared(many(300), folder=tmp_path / "there")
        assert audience.folder.parent == tmp_path / "there"
        run(audience, message, client)
        assert sorted(path.name[:7] for path in audience.folder.iterdir()) == ["frame", "numbers", "results"]
    files = sorted((audience.folder / "frame").glob("*.parquet"))
    assert pd.concat(map(pd.read_parquet, files))["phone"].tolist() == many(300)["sdt"].tolist()


def test_what_some_segments_of_an_audience_are_sent_is_in_its_folder_too(client, message, tmp_path, monkeypatch):
    audience = prepared(many(200).assign(seg=["a", "b"] * 100), by="seg", folder=tmp_path / "there")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    results = run(audience, {"a": message}, client, campaign="Tết")
    assert counts(results.compute()) == {"accepted": 100, "excluded": 100}
    assert not list((tmp_path / "elsewhere").glob("esms-*"))


def test_of_an_audience_that_fails_nothing_is_left(tmp_path):
    with pytest.raises(ef.TooFewRecipients):
        prepared(many(100), folder=tmp_path, min_batch=200, max_batch=5000)
    with dask.config.set({"dataframe.convert-string": False}):
        mixed = split_up(many(100).assign(seg=pd.Series([1, "a"] * 50, dtype=object)), [50])
        with pytest.raises(ef.InvalidInput, match="several kinds"):
            ef.prepare(mixed, by="seg", folder=tmp_path)
    assert not list(tmp_path.iterdir())


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
    assert prepared(df, partitions=2).column == "b"
    with pytest.raises(ef.PhoneColumnError, match="looks like phone numbers"):
        prepared(df.drop(columns="b"))


def test_segments_of_a_dask_series_and_one_text_for_all_segments(sandbox, client, message):
    df = many(200).assign(seg=["a", "b"] * 100)
    customers = dd.from_pandas(df, npartitions=3)
    audience = ef.prepare(customers[["sdt"]], by=customers["seg"])
    assert dict(audience.by_segment()) == {"a": 100, "b": 100}
    results = run(audience, message, client)
    assert results.compute()["batch"].tolist() == [1] * 200
    assert sandbox.sent["phone"].tolist() == df["sdt"].tolist()


def test_advertising_keeps_its_rules(sandbox, client, at):
    at("2030-01-31 12:00")
    text = ef.Message("Giam gia", "QC_ONLINE", "advertising")
    for n in range(3):
        run(many(60), text, client, campaign=f"earlier {n}")
    journal = ef.Journal()
    journal.do_not_contact.add(many(10, start=100)["sdt"])
    found = [run(data, text, client, campaign=f"now {n}") for n, data in enumerate((many(200), prepared(many(200))))]
    assert counts(found[1].compute()) == {"accepted": 130, "capped": 60, "excluded": 10}
    columns = ["status", "reason"]
    pd.testing.assert_frame_equal(found[1].compute()[columns], found[0][columns])
    at("2030-01-31 23:00")
    with pytest.raises(ef.WouldFail, match="from 07:00"):
        run(prepared(many(200, start=5000)), text, client, campaign="at night")


def test_results_that_are_read_while_another_run_replaces_batches_miss_nobody(sandbox, client, message, monkeypatch):
    monkeypatch.setattr("esms_frames.ledger._AT_ONCE", 2)
    df = many(600)
    with dying(client, 2, after=False), pytest.raises(Die):
        run(ef.prepare(df, max_batch=100), message, client, campaign="Tết", checks=False)
    audience, others = prepared(df), []

    def tell(self, rank, outcome, numbers):
        if not others:
            others.append(run(df, ef.Message("Sua lai", "Baotrixemay"), client, campaign="Tết"))
        real(self, rank, outcome, numbers)

    real = outcomes.Outcomes.tell
    monkeypatch.setattr(outcomes.Outcomes, "tell", tell)
    found = counts(ef.results("Tết", audience).compute())
    assert len(sandbox.sent) == 600
    assert "not_sent" not in found


def test_when_the_hours_of_advertising_end_in_mid_stream_the_rest_is_not_sent(sandbox, client, at, small_pieces):
    at("2030-01-31 21:59")
    text = ef.Message("Giam gia", "QC_ONLINE", "advertising")
    results = run(prepared(many(1200)), text, client, progress=lambda _: at("2030-01-31 22:00")).compute()
    assert counts(results) == {"accepted": len(sandbox.sent), "not_sent": 1200 - len(sandbox.sent)}
    assert 0 < len(sandbox.sent) <= 300
    assert results.loc[results["status"] == "not_sent", "reason"].str.contains("from 07:00").all()
    at("2030-02-01 07:00")
    run(prepared(many(1200)), text, client)
    assert sorted(sandbox.sent["phone"]) == many(1200)["sdt"].tolist()


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
        run(prepared(many(100)), message, client, exclude=["0900000000"])
    results = run(prepared(many(100)), message, client)
    with pytest.raises(ef.InvalidInput, match=r"results\.partitions\[0\]"):
        ef.track(results, client)
    monkeypatch.setitem(sys.modules, "esms_frames.shuffle", None)
    monkeypatch.delattr(ef, "shuffle", raising=False)
    with pytest.raises(ef.InvalidInput, match=r'pip install "esms-frames\[dask\]"'):
        prepared(many(100))


def test_pandas_users_do_not_load_dask():
    code = (
        "import sys, pandas as pd, esms_frames as ef; ef.prepare(pd.DataFrame({'sdt': ['0901888484']}), min_batch=1);"
    )
    code += "ef.send, ef.LargeAudience; print('dask' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_the_workers_of_a_cluster_do_the_work(client, message, tmp_path):
    df = pd.DataFrame({"sdt": spellings.mixed(3000, seed=9), "seg": ["a", "b", "c"] * 1000})
    with (
        dask.config.set({"dataframe.convert-string": False}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        audience = prepared(df, by="seg", partitions=5, folder=tmp_path)
        assert_same(audience, ef.prepare(df, by="seg", max_batch=100))
        results = run(audience, message, client)
        assert counts(results.compute())["accepted"] == audience.counts["ready"]
