"""Outcomes by number, and the results that are built of them: of a DataFrame and of a Dask DataFrame they are the same."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import spellings
from support.audiences import computed, counts, many, run, with_dask, with_pandas
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.reporting.frame import Outcome, Status
from esms_frames.reporting.outcomes import Outcomes, Told, build_results

ENDS = [Outcome(status, f"because of {status}") for status in (Status.ACCEPTED, Status.REFUSED, Status.CAPPED)]
SOME = st.lists(st.integers(900_000_000, 900_000_009), max_size=8).map(lambda some: np.array(some, dtype=np.int32))
TOLD = st.lists(st.tuples(st.integers(0, 2), SOME), max_size=6)


@given(TOLD, SOME)
def test_of_what_was_told_of_a_number_the_highest_rank_holds(told, asked):
    outcomes, slowly = Outcomes(), {}
    for rank, numbers in told:
        outcomes.tell(rank, ENDS[rank], numbers)
        slowly |= {number: max(rank, slowly.get(number, 0)) for number in numbers.tolist()}
    assert outcomes.numbers.tolist() == list(slowly)
    ranked = [*outcomes.ranked(), "otherwise"]
    found = [ranked[place] for place in outcomes.finder()(asked)]
    assert found == [ENDS[slowly[number]] if number in slowly else "otherwise" for number in asked.tolist()]


def test_what_the_parts_share_is_the_same_when_it_is_read_again():
    moment = datetime(2030, 1, 31, 1, 0, 0, 123456, tzinfo=UTC)
    whole = Outcome(Status.ACCEPTED, "vì thế", 7, "r", "s", 100, 2, moment, "vip", moment, "f")
    for texts in (None, {None: "f"}, {"vip": "f", "new": "g"}):
        told = Told([whole, Outcome(Status.NOT_SENT, None)], texts, True, ["vì thế"])
        assert Told.from_text(told.to_text()) == told


@pytest.mark.parametrize("prepared", [with_pandas, with_dask])
def test_recipients_of_whom_nothing_was_told_and_other_rows_say_so(prepared):
    df = pd.DataFrame({"sdt": [*many(60)["sdt"], "x", many(1)["sdt"][0]]})
    outcomes = Outcomes()
    outcomes.tell(1, ENDS[0], np.arange(900_000_000, 900_000_040, dtype=np.int32))
    found = build_results(prepared(df), outcomes, Outcome(Status.NOT_SENT, "too late"), stacklevel=1)
    assert counts(found) == {"accepted": 40, "not_sent": 20, "invalid": 1, "duplicate": 1}
    assert computed(found)["reason"].cat.categories.tolist() == [
        "not_a_number",
        "same phone as an earlier row",
        "because of accepted",
        "too late",
    ]


def like_pandas(results):
    """Leave out what two sends can't have in common."""
    return results.drop(columns=["sms_id", "sent_at"])


@pytest.mark.parametrize("by", heavy_after(1, ["seg", None]))
def test_the_results_of_a_send_in_pieces_are_those_of_one_at_once(message, by, at, monkeypatch):
    monkeypatch.setattr(ef.LargeAudience, "_at_once", 300)
    at("2030-01-31 08:00")
    df = pd.DataFrame({"sdt": [*spellings.mixed(2000, seed=5), *many(1500)["sdt"]]})
    df["seg"] = np.array(["vip", "new", None, "old"], dtype=object)[np.arange(len(df)) % 4]
    text = message if by is None else {"vip": message, "new": ef.Message("Chao ban", "Baotrixemay")}
    found = []
    for audience in (with_pandas(df, by=by), with_dask(df, by=by)):
        with ef.Sandbox(balance=10**12) as sandbox:
            journal = ef.Journal(os.environ["ESMS_JOURNAL"] + str(len(found)))
            results = run(audience, text, sandbox.client(), campaign="Tết", journal=journal)
            again = run(audience, text, sandbox.client(), campaign="Tết", journal=journal)
            # Of the rows of a number the first counts; where that is of a segment that got no text, it is told.
            with nullcontext() if by is None else pytest.warns(ef.SentOtherwiseWarning, match="^22 rows are in"):
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


def test_where_no_row_has_a_reason_the_dtypes_are_the_same_too(client, message):
    of_pandas = run(with_pandas(many(60)), message, client, campaign="a")
    of_dask = run(with_dask(many(60)), message, client, campaign="b")
    pd.testing.assert_series_equal(of_dask.compute().dtypes, of_pandas.dtypes)


@pytest.mark.parametrize("prepared", [with_pandas, with_dask])
def test_whoever_is_texted_otherwise_the_warning_names_the_line_of_the_caller(client, message, prepared):
    audience = prepared(many(60))
    run(audience, message, client, campaign="Tết")
    with pytest.warns(ef.SentOtherwiseWarning, match="^60 rows were sent") as caught:
        ef.send(audience, ef.Message("Sua lai", "Baotrixemay"), client, campaign="Tết", progress=False)
    assert caught[0].filename == __file__
    run(prepared(many(60).assign(seg="a"), by="seg"), {"a": message}, client, campaign="by segment")
    with pytest.warns(ef.SentOtherwiseWarning, match="^60 rows are in") as caught:
        ef.results("by segment", prepared(many(60).assign(seg="b"), by="seg"))
    assert caught[0].filename == __file__
