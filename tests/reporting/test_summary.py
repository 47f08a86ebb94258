"""Summaries: how many were texted, how many got it, and what it cost, by group."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.base import columns
from esms_frames.reporting.frame import Status

COUNTS = "rows recipients accepted refused unknown not_sent delivered failed pending".split()


def tracked(**more):
    """Make eight rows of two networks, one of them not known, of which three are delivered."""
    statuses = "accepted accepted accepted accepted already_sent refused invalid not_sent".split()
    fates = ["delivered", "delivered", "failed", "pending", "delivered", None, None, None]
    units = np.array([8505000, 8505001, 8505000, 0, 8000000, 0, 0, 0])
    return pd.DataFrame(
        {
            "network": ["Viettel", "MobiFone", "Viettel", "Viettel", "Viettel", "MobiFone", None, "Viettel"],
            "status": pd.Categorical(statuses, categories=list(map(str, Status))),
            "delivery": pd.Categorical(fates, categories=["delivered", "failed", "pending"]),
            "delivered": 3,
            "price": columns.money_from_units(units, units > 0),
            **more,
        },
        index=["k"] * 8,
    )


def test_each_group_is_summed_up():
    table = ef.summarize(tracked())
    assert table.index.astype(object).where(table.index.notna(), None).tolist() == ["Viettel", "MobiFone", None]
    assert table[COUNTS].to_numpy().tolist() == [
        [5, 5, 4, 0, 0, 1, 2, 1, 1],
        [2, 2, 1, 1, 0, 0, 1, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert table["delivery_rate"].iloc[:2].tolist() == [2 / 3, 1.0]
    assert table["price"].iloc[:2].tolist() == [2501.0, 850.5001]
    assert table["price_per_delivered"].iloc[:2].tolist() == [1250.5, 850.5001]
    assert table.iloc[2][["delivery_rate", "price", "price_per_delivered"]].isna().all()
    assert table["unpriced"].tolist() == [1, 0, 0]
    assert table.dtypes[COUNTS].eq("Int64").all()
    assert table.dtypes[["price", "price_per_delivered"]].eq("float64").all()


def test_untracked_results_have_counts_but_no_deliveries_and_never_the_customers_price():
    untracked = tracked().drop(columns=["delivery", "delivered"])
    table = ef.summarize(untracked)
    assert table["accepted"].tolist() == [4, 1, 0]
    assert table[["delivered", "failed", "pending", "delivery_rate", "price"]].isna().all(axis=None)


def test_the_price_per_delivered_is_rounded_to_the_nearest():
    units = np.array([5, 0, 0, 0, 0, 0, 0, 0])
    row = ef.summarize(tracked().assign(price=columns.money_from_units(units, units >= 0)), None).iloc[0]
    assert (row["delivered"], row["price_per_delivered"]) == (3, 0.0002)


def test_capped_counts_as_not_sent_and_left_out_rows_as_no_recipients():
    results = pd.DataFrame({"network": "Viettel", "status": list(map(str, Status))})
    row = ef.summarize(results).iloc[0]
    assert (row["rows"], row["recipients"], row["accepted"], row["not_sent"]) == (9, 6, 2, 2)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("segment", ["new", "vip"]),
        (["segment", "network"], None),
        ("age", [20, 30]),
        ("band", ["young", "old"]),
        (None, ["all"]),
    ],
)
def test_by_is_any_column_several_or_none(by, groups):
    results = tracked(
        segment=["new"] * 5 + ["vip"] * 3,
        age=[30] * 5 + [20] * 3,
        band=pd.Categorical(["old"] * 5 + ["young"] * 3, categories=["young", "old"], ordered=True),
    )
    table = ef.summarize(results, by)
    assert table["rows"].sum() == 8
    if groups:
        assert table.index.tolist() == groups
    else:
        assert table.index.names == by


def test_of_several_columns_too_those_without_a_group_are_last():
    results = tracked(segment=[None] * 5 + ["vip"] * 3, city=["Hue"] * 5 + ["Hue", "Vinh", None])
    found = ef.summarize(results, ["segment", "city"]).reset_index()[["segment", "city"]]
    assert found.fillna("-").to_numpy().tolist() == [["vip", "Hue"], ["vip", "Vinh"], ["-", "Hue"], ["vip", "-"]]


def test_by_that_is_a_table_is_refused_without_its_rows():
    results = tracked()
    for by in (results[["network"]], results["network"].to_numpy(), pd.Grouper(key="network")):
        with pytest.raises(ef.InvalidInput, match=r"by names a .*, which is no column") as caught:
            ef.summarize(results, by)
        assert "Viettel" not in str(caught.value)


def test_by_is_an_aligned_series_or_a_function_of_the_index():
    results = tracked()
    hours = pd.Series([8, 9] * 4, index=results.index, name="hour")
    assert ef.summarize(results, hours).index.tolist() == [8, 9]
    assert ef.summarize(results, [hours, "network"]).index.names == ["hour", "network"]
    assert ef.summarize(results, str.upper).index.tolist() == ["K"]


def test_frames_joined_with_customers_count_the_results_own_columns():
    customers = pd.DataFrame({"status": "gold", "price": 1, "network": "home"}, index=tracked().index)
    joined = customers.esms.join(tracked())
    by_name = ef.summarize(joined, "network_sms").rename_axis(index="network")
    pd.testing.assert_frame_equal(by_name, ef.summarize(tracked()))


def test_no_rows_make_no_groups_or_one_of_zeros():
    none = tracked().iloc[:0]
    assert ef.summarize(none).empty
    assert ef.summarize(none, None)["recipients"].tolist() == [0]


@pytest.mark.parametrize(
    ("by", "says"),
    [
        ("nettwork", "'nettwork', which is no column"),
        (["network", "x"], "'x', which is no column"),
        ({}, "which is no column"),
        ([], "no column"),
        (pd.Series([1, 2]), "another index"),
        (lambda _: [1], "make no groups"),
    ],
)
def test_what_by_cannot_be_is_one_sentence(by, says):
    with pytest.raises(ef.InvalidInput, match=says):
        ef.summarize(tracked(), by)


def test_what_are_no_results_is_one_sentence():
    with pytest.raises(ef.InvalidInput, match="no column 'status'"):
        ef.summarize(pd.DataFrame({"network": ["Viettel"]}))
    with pytest.raises(ef.InvalidInput, match="something else than a status"):
        ef.summarize(pd.DataFrame({"network": ["Viettel"], "status": ["gold"]}))
    with pytest.raises(ef.InvalidInput, match="must be a DataFrame"):
        ef.summarize(["Viettel"])
    doubled = pd.concat([tracked(), tracked()], axis="columns")
    with pytest.raises(ef.InvalidInput, match="2 columns 'status'"):
        ef.summarize(doubled)


MONEY = pd.ArrowDtype(pa.decimal128(18, 4))
WIDE = pd.ArrowDtype(pa.decimal128(38, 5))


@pytest.mark.parametrize(
    ("prices", "total"),
    [
        (pd.array([Decimal(10**14 - 1)] * 100, dtype=MONEY), None),
        (pd.array([Decimal(-(10**14) + 1)] * 100, dtype=MONEY), None),
        (pd.array([Decimal(10**14 - 1), Decimal(1)], dtype=MONEY), None),
        (pd.array([Decimal(10**14 - 2), Decimal(1)], dtype=MONEY), Decimal(10**14 - 1)),
        (pd.array([Decimal(10**20), Decimal("0.00005"), Decimal(850)], dtype=WIDE), Decimal(850)),
        ([1e15, np.inf, 850.5], Decimal("850.5")),
        ([1e15], None),
        (["99999999999999999999999", "850"], Decimal(850)),
    ],
    ids=str,
)
def test_no_sum_is_wrong_however_large_the_prices_are(prices, total):
    rows = pd.DataFrame({"network": "Viettel", "status": "accepted", "delivery": "delivered", "price": prices})
    row = ef.summarize(rows.assign(delivered=1)).iloc[0]
    assert row["price"] == float(total) if total else pd.isna(row["price"]) and pd.isna(row["price_per_delivered"])


GROUPS = st.sampled_from(["a", "b", "c", None])
FATES = st.sampled_from(["delivered", "failed", "pending", None])


@settings(deadline=None)
@given(st.lists(st.tuples(GROUPS, st.sampled_from(list(map(str, Status))), FATES, st.integers(0, 10**12))))
def test_groups_add_up_to_the_total_and_money_is_exact(rows):
    group, status, fate, units = zip(*rows, strict=True) if rows else ([], [], [], [])
    amounts = np.array(units, dtype=np.int64)
    results = pd.DataFrame(
        {
            "group": pd.Series(group, dtype=object),
            "status": pd.Series(status, dtype=object),
            "delivery": pd.Series(fate, dtype=object),
            "delivered": 0,
            "price": columns.money_from_units(amounts, np.ones(len(amounts), dtype=bool)),
        }
    )
    parts, total = ef.summarize(results, "group"), ef.summarize(results, None).iloc[0]
    for name in COUNTS:
        assert parts[name].sum() == total[name]
    assert total["recipients"] == total[["accepted", "refused", "unknown", "not_sent"]].sum()
    assert round(parts["price"].sum() * 10**4) == sum(units)
    named = parts.index.notna()
    assert parts["recipients"][named].is_monotonic_decreasing
    assert not named[:-1].any() or named[: named.sum()].all()
