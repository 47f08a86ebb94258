"""The results frame: its columns, its dtypes, and joining it with the customers."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from support.customers import FIFTY
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.reporting.frame import Outcome, Status, results_frame
from esms_frames.reporting.joined import join_customers

COLUMNS = "phone network status reason batch request_id sms_id code attempts sent_at scheduled_for".split()
WHEN = datetime(2030, 1, 31, 1, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def audience():
    phones = [f"09018884{n:02d}" for n in range(90)]
    df = pd.DataFrame({"sdt": [*phones, "x", phones[0]]}, index=[f"k{n % 7}" for n in range(92)])
    return ef.prepare(df, max_batch=59, exclude=phones[-1:])


def owner(audience):
    return audience.frame["batch"].to_numpy(dtype=int, na_value=0) - 1


def test_each_row_gets_its_batchs_outcome_or_its_own_status(audience):
    outcomes = [
        Outcome(Status.ACCEPTED, None, 1, "r1", "s1", 100, 1, WHEN),
        Outcome(Status.REFUSED, "because", 2, "r2", None, 99, 2, WHEN),
    ]
    results = results_frame(audience.frame, owner(audience), outcomes)
    assert results.columns.tolist() == COLUMNS
    assert results.index.equals(audience.frame.index)
    assert results["status"].value_counts().loc[lambda n: n > 0].to_dict() == {
        "accepted": 45, "refused": 44, "invalid": 1, "duplicate": 1, "excluded": 1,
    }  # fmt: skip
    first, last = results.iloc[0], results.iloc[88]
    assert (first["request_id"], first["sms_id"], first["code"], first["attempts"]) == ("r1", "s1", 100, 1)
    assert first["sent_at"] == pd.Timestamp("2030-01-31 08:00:00.123456+07:00")
    assert (last["reason"], last["code"], last["attempts"]) == ("because", 99, 2)
    assert pd.isna(last["sms_id"])
    rest = results.iloc[89:]
    assert rest["reason"].tolist() == ["on the exclude list", "not_a_number", "same phone as an earlier row"]
    assert rest[["batch", "request_id", "sms_id", "code", "sent_at"]].isna().all(axis=None)
    assert (rest["attempts"] == 0).all()


def test_the_dtypes_are_those_of_the_contract(audience):
    results = results_frame(audience.frame, owner(audience), [Outcome(Status.NOT_SENT, "stopped")] * 2)
    dtypes = results.dtypes
    for name in ("phone", "request_id", "sms_id"):
        assert isinstance(dtypes[name], pd.StringDtype)
    for name in ("network", "status", "reason"):
        assert isinstance(dtypes[name], pd.CategoricalDtype)
    assert results["status"].cat.categories.tolist() == list(Status)
    assert {type(name) for name in results["status"].cat.categories} == {str}
    assert dtypes[["batch", "code", "attempts"]].astype(str).tolist() == ["Int32"] * 3
    assert dtypes[["sent_at", "scheduled_for"]].astype(str).tolist() == ["datetime64[us, UTC+07:00]"] * 2


@pytest.fixture
def sent(client, message):
    def send(df):
        return ef.send(df, message, client, progress=False)

    return send


INDEXES = [
    pd.RangeIndex(50),
    pd.Index([f"KH{n}" for n in range(50)], name="ma_kh"),
    pd.Index(range(49, -1, -1)),
    pd.date_range("2024-01-01", periods=50),
    pd.MultiIndex.from_product([range(5), range(10)], names=["a", "b"]),
]


@pytest.mark.parametrize("index", heavy_after(2, INDEXES))
def test_df_join_results_just_works(sent, customers, index):
    df = customers.set_axis(index)
    joined = df.join(sent(df))
    assert joined.index.equals(index)
    assert joined["phone"].tolist() == FIFTY
    assert joined.columns.tolist() == [*df.columns, *COLUMNS]


@pytest.mark.parametrize("index", heavy_after(3, [*INDEXES, pd.Index([1] * 50), pd.Index(["a", None] * 25)]))
def test_esms_join_works_with_repeated_labels_and_names_too(sent, customers, index):
    df = customers.set_axis(index).rename(columns={"sdt": "phone"})
    joined = df.esms.join(sent(df))
    assert joined.index.equals(index)
    assert joined["phone"].tolist() == joined["phone_sms"].tolist() == FIFTY
    assert "status" in joined


def test_results_can_be_joined_with_what_was_joined_before(sent, customers):
    once = customers.esms.join(sent(customers))
    twice = once.esms.join(
        ef.send(once, ef.Message("Xin chao", "Baotrixemay"), ef.Sandbox().start().client(), phone="sdt")
    )
    thrice = twice.esms.join(sent(customers))
    assert thrice.columns.is_unique
    assert {"status", "status_sms", "status_sms2"} <= set(thrice.columns)


def test_results_of_other_customers_are_not_joined(sent, customers):
    with pytest.raises(ef.InvalidInput, match="50 rows"):
        join_customers(customers.iloc[:40], sent(customers))
