"""Prices by number: only as the gateway tells them, and never a send's price divided."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY
from support.sandbox_truth import altered

import esms_frames as ef
from esms_frames.recipients.phones import numbering_plan
from esms_frames.tracking import pricing
from esms_frames.tracking.pricing import Unpriced

SANDBOX = {"report_delay": 0}
PRICES = {"Viettel": 800, "MobiFone": 850, "VinaPhone": 830, "Vietnamobile": 780}
PREFIXES = ("098", "090", "091", "092")


def mixed(size=120):
    phones = [f"{PREFIXES[n % 4]}{n:07d}" for n in range(size)]
    return pd.DataFrame({"sdt": phones, "half": ["first", "second"] * (size // 2)})


@pytest.fixture(params=["customer_care", "advertising"])
def send(request, client, at):
    at("2030-01-31 10:00")
    brandname = "Baotrixemay" if request.param == "customer_care" else "QC_ONLINE"

    def send(df, content="Cam on quy khach!", **options):
        return ef.send(df, ef.Message(content, brandname, request.param), client, progress=False, **options)

    return send


def test_each_network_costs_what_the_gateway_asks_for_it(send, track, sandbox):
    before = sandbox.balance
    tracked = track(send(mixed()))
    by_network = tracked.groupby("network", observed=True)["price"].agg(["min", "max"])
    assert by_network["min"].to_dict() == by_network["max"].to_dict() == PRICES
    assert tracked["price"].sum() == before - sandbox.balance
    table = ef.summarize(tracked)
    assert (table["price"] / table["recipients"]).to_dict() == PRICES
    assert table["unpriced"].eq(0).all()
    assert "batch_price" not in tracked


def test_texts_of_more_parts_cost_more(client, track):
    df = mixed()
    texts = {"first": ef.Message("Xin chao", "Baotrixemay"), "second": ef.Message("Xin chao " * 30, "Baotrixemay")}
    tracked = track(ef.send(df, texts, client, campaign="parts", by="half", progress=False))
    assert tracked.loc[tracked["segment"] == "first", "price"].isin([800, 830, 850, 780]).all()
    assert tracked.loc[tracked["segment"] == "second", "price"].isin([1600, 1660, 1700, 1560]).all()


def test_a_network_with_few_numbers_is_priced_in_advertising_too(send, track):
    df = pd.DataFrame({"sdt": [*(f"098{n:07d}" for n in range(50)), "0920000001", "0920000002"]})
    assert track(send(df)).groupby("network", observed=True)["price"].mean().to_dict() == {
        "Viettel": 800, "Vietnamobile": 780,
    }  # fmt: skip


def other_total(monkeypatch, sandbox, total=81_500.5):
    altered(monkeypatch, sandbox, "status", lambda said: said.update(TotalPrice=total))


def test_where_the_prices_do_not_add_up_no_row_has_one_and_the_sum_is_the_gateways(send, track, sandbox, monkeypatch):
    other_total(monkeypatch, sandbox)
    tracked = track(send(mixed()))
    assert tracked["price"].isna().all()
    assert tracked["batch_price"].tolist() == [81_500.5] * 120
    assert tracked["batch_recipients"].tolist() == [120] * 120
    assert ef.summarize(tracked, None)[["price", "unpriced"]].to_numpy().tolist() == [[81_500.5, 0]]
    by_network = ef.summarize(tracked)
    assert by_network["price"].isna().all()
    assert by_network["unpriced"].tolist() == [30] * 4
    assert "81,500 VND" in ef.plot(tracked).get_suptitle()


def test_a_part_of_a_send_has_no_price_made_up_for_it(client, track, sandbox, monkeypatch):
    other_total(monkeypatch, sandbox)
    texts = {name: ef.Message(f"Xin chao {name}", "Baotrixemay") for name in ("first", "second")}
    tracked = track(ef.send(mixed(), texts, client, campaign="parts", by="half", progress=False))
    by_segment = ef.summarize(tracked, "segment")
    assert by_segment["price"].tolist() == [81_500.5] * 2
    assert by_segment["price_per_delivered"].notna().all()
    first = tracked[(tracked["segment"] == "first").to_numpy()]
    assert ef.summarize(first, None)["price"].tolist() == [81_500.5]
    both = pd.concat([first, tracked[(tracked["segment"] == "second").to_numpy()].iloc[:10]])
    total = ef.summarize(both, None).iloc[0]
    assert (total["price"], total["unpriced"]) == (81_500.5, 10)
    assert pd.isna(total["price_per_delivered"])
    assert "81,500 VND as far as known" in ef.plot(both).get_suptitle()
    twice = pd.concat([tracked, tracked])
    assert ef.summarize(twice, None)["price"].tolist() == [163_001.0]


def test_the_gateways_sum_survives_a_file_a_join_and_another_look(send, track, sandbox, monkeypatch):
    other_total(monkeypatch, sandbox)
    df = mixed()
    tracked = track(send(df))
    text = tracked.to_csv(index=False)
    back = pd.read_csv(io.StringIO(text), dtype={"phone": str})
    assert ef.summarize(back, None)["price"].tolist() == [81_500.5]
    joined = df.assign(price=1, batch_price=2, delivery_reason="by lift").esms.join(tracked)
    assert ef.summarize(joined, None)["price"].tolist() == [81_500.5]
    assert joined["batch_price"].eq(2).all()
    other_total(monkeypatch, sandbox, 30.0 * sum(PRICES.values()))
    again = track(tracked.assign(delivery=None))
    assert again["price"].sum() == 30 * sum(PRICES.values())
    assert again["batch_price"].isna().all()
    assert ef.summarize(again, None)["price"].tolist() == [30.0 * sum(PRICES.values())]


def test_without_the_journal_there_is_only_the_sum(send, track, monkeypatch, tmp_path):
    results = send(mixed())
    monkeypatch.setenv("ESMS_JOURNAL", str(tmp_path / "another.sqlite"))
    tracked = track(results)
    assert tracked["price"].isna().all()
    assert ef.summarize(tracked, None)["price"].tolist() == [30.0 * sum(PRICES.values())]


def test_a_single_number_has_the_price_of_its_send(client, track, monkeypatch, tmp_path):
    results = ef.send(
        ef.prepare(pd.DataFrame({"sdt": FIFTY[:1]}), min_batch=1), ef.Message("Xin chao", "Baotrixemay"), client,
        progress=False,
    )  # fmt: skip
    monkeypatch.setenv("ESMS_JOURNAL", str(tmp_path / "another.sqlite"))
    assert track(results)["price"].tolist() == [850]


def test_a_gateway_that_tells_no_price_beforehand_leaves_the_sum(send, track, monkeypatch):
    results = send(mixed())

    def refusing(*_, **__):
        raise ef.Refused(102)

    monkeypatch.setattr(ef.Client, "estimate", refusing)
    tracked = track(results)
    assert tracked["price"].isna().all()
    assert ef.summarize(tracked, None)["price"].tolist() == [30.0 * sum(PRICES.values())]


def test_prices_go_where_analysts_take_them(send, track, tmp_path):
    tracked = track(send(mixed())).reset_index(drop=True)
    price = tracked["price"]
    assert price.dtype == "float64"
    assert price.describe()["mean"] == sum(PRICES.values()) / 4
    assert price.cumsum().iloc[-1] == price.sum()
    plain = tracked.astype({name: str for name in ("sent_at", "scheduled_for")})  # noqa: C420
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as connection:
        plain.to_sql("results", connection, index=False)
        assert pd.read_sql("SELECT sum(price) AS s FROM results", connection)["s"].tolist() == [price.sum()]
    plain.to_excel(tmp_path / "a.xlsx", index=False)
    assert pd.read_excel(tmp_path / "a.xlsx", engine="calamine")["price"].sum() == price.sum()
    tracked.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "a.parquet")["price"], price)


def test_prices_add_up_to_the_last_ten_thousandth_or_not_at_all():
    names, _ = numbering_plan.networks()
    tariff = np.full(len(names) + 1, -1, dtype=np.int64)
    tariff[names.index("MobiFone")] = 3_450_001
    numbers = np.array([901888484, 901888485], dtype=np.int64)
    assert pricing.adds_up(Unpriced(0, numbers, 6_900_002), tariff)
    assert not pricing.adds_up(Unpriced(0, numbers, 6_900_001), tariff)
    assert not pricing.adds_up(Unpriced(0, np.array([901888484, 981888484]), 3_450_001), tariff)


def test_what_the_gateway_holds_tells_the_same_prices(send, track, client):
    tracked = track(send(mixed()))
    now, hour = pd.Timestamp("2030-01-31 10:00", tz="Asia/Ho_Chi_Minh"), pd.Timedelta(hours=1)
    held = [client.sent_frame(now - hour, now + hour, kind) for kind in ("customer_care", "advertising")]
    of_phone = pd.concat([frame for frame in held if len(frame)]).set_index("phone")["price"]
    assert tracked.set_index("phone")["price"].sort_index().tolist() == of_phone.sort_index().tolist()
