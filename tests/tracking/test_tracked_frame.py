"""The frame that is tracked: its rows, sends and times however it was kept, and the customers' own columns."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.customers import FIFTY
from support.sandbox_truth import NEW, altered, found_in, nothing, truth
from support.weight import examples, heavy_after

import esms_frames as ef
from esms_frames.reporting.files import write_results
from esms_frames.tracking.tracked_frame import Tracked

SANDBOX = {"report_delay": 0, "failure_rates": {"MobiFone": 0.3}}


def test_the_sends_that_are_open_are_known_from_the_frame_alone():
    rows = {
        "status": ["accepted", "refused", "accepted", "already_sent", "accepted"],
        "sms_id": ["b", "c", " a", "b", ""],
    }
    frame = pd.DataFrame({"phone": FIFTY[:5], **rows})
    assert Tracked(frame).sms_ids == ["b", "a"]
    assert Tracked(frame).sizes().tolist() == [2, 1]
    assert Tracked(frame).find_unsettled() == [0, 1]
    known = frame.assign(delivery=["delivered", None, "pending", "failed", None], delivered=1, price=850)
    assert Tracked(known).find_unsettled() == [1]


def test_rows_are_matched_by_number_in_any_order_and_any_part(sandbox, results, track, monkeypatch):
    altered(monkeypatch, sandbox, "receivers", lambda said: said["ReceiverList"].reverse())
    whole = track(results)
    some = track(results.sample(frac=0.5, random_state=1))
    assert found_in(some) == truth(sandbox, some)
    key = ["phone", "sms_id"]
    merged = some.dropna(subset=key).merge(whole.dropna(subset=key), on=key)
    assert merged["price_x"].tolist() == merged["price_y"].tolist()


@pytest.mark.parametrize("suffix", heavy_after(1, ["csv", "xlsx", "parquet"]))
def test_results_read_back_from_a_file_are_tracked_too(sandbox, results, track, tmp_path, suffix):
    path = write_results(results.reset_index(drop=True), tmp_path / f"results.{suffix}")
    once = track(ef.read_customers(path))
    assert found_in(once) == truth(sandbox, once)
    path = write_results(once, tmp_path / f"tracked.{suffix}")
    again = track(ef.read_customers(path), None, callbacks=nothing())
    assert found_in(again) == found_in(once)
    assert again["price"].sum() == once["price"].sum()
    assert again["delivered"].tolist() == once["delivered"].tolist()


def test_frames_joined_with_customers_keep_the_customers_columns(client, customers, message, track):
    shop = customers.assign(price=5, phone="call me", status="gold")
    results = ef.send(shop, message, client, phone="sdt", progress=False)
    tracked = track(shop.esms.join(results))
    assert tracked["price"].tolist() == [5] * 50
    assert tracked["price_sms"].sum() == 50 * 850
    assert tracked["delivery"].notna().all()
    again = track(tracked)
    pd.testing.assert_frame_equal(again, tracked)


def test_of_two_campaigns_side_by_side_the_last_joined_is_tracked(sandbox, client, customers, message, track):
    first = track(ef.send(customers, message, client, campaign="first", progress=False))
    second = ef.send(customers, message, client, campaign="second", progress=False)
    both = customers.esms.join(first).esms.join(second)
    assert ef.summarize(both)["delivered"].isna().all()
    tracked, alone = track(both), track(second)
    assert tracked["delivery_sms"].tolist() == alone["delivery"].tolist() != first["delivery"].tolist()
    assert tracked["delivery"].tolist() == first["delivery"].tolist()
    pd.testing.assert_frame_equal(ef.summarize(tracked), ef.summarize(alone))
    pd.testing.assert_frame_equal(track(tracked), tracked)
    later = customers.esms.join(second).esms.join(first)
    pd.testing.assert_frame_equal(ef.summarize(later), ef.summarize(first))


def test_the_customers_own_deliveries_are_not_what_became_of_messages(client, customers, message, track):
    parcels = customers.assign(delivery="by courier", delivered=1, price=99)
    results = ef.send(parcels, message, client, progress=False)
    tracked = track(parcels.esms.join(results))
    pd.testing.assert_frame_equal(tracked[parcels.columns], parcels)
    assert tracked["delivery_sms"].tolist() == track(results)["delivery"].tolist()


def test_a_number_with_two_rows_is_paid_once(results, track):
    twice = pd.concat([results, results])
    tracked = track(twice)
    assert tracked["price"].sum() == track(results)["price"].sum()
    assert found_in(tracked.iloc[:72]) == found_in(tracked.iloc[72:])


def test_nothing_accepted_gives_columns_of_na(results, track):
    refused = track(results.assign(status="refused"))
    assert refused[NEW].isna().all(axis=None)
    assert track(refused.iloc[:0]).columns.tolist() == refused.columns.tolist()


def test_a_frame_half_settled_asks_only_for_the_sends_that_are_open(results, track, monkeypatch):
    tracked = track(results)
    first, _ = tracked["sms_id"].dropna().unique()
    tracked.loc[tracked["sms_id"].eq(first).to_numpy(dtype=bool, na_value=False), "delivery"] = "pending"
    asked = []
    real = ef.Client.status
    monkeypatch.setattr(ef.Client, "status", lambda self, sms_id, **k: asked.append(sms_id) or real(self, sms_id, **k))
    again = track(tracked)
    assert asked == [first]
    assert found_in(again) == found_in(track(results))


@pytest.mark.parametrize("written", [lambda t: t, lambda t: t.dt.tz_localize(None), lambda t: t.astype(str)])
def test_the_age_is_known_however_a_file_wrote_the_time(client, customers, message, at, track, written, monkeypatch):
    at("2030-01-31 08:00")
    results = ef.send(customers, message, client, progress=False)
    results["sent_at"] = written(results["sent_at"])
    asked = []
    real = ef.Client.status
    monkeypatch.setattr(ef.Client, "status", lambda self, sms_id, **k: asked.append(sms_id) or real(self, sms_id, **k))
    at("2030-02-07 07:59")
    track(results)
    assert len(asked) == 1
    at("2030-02-07 08:01")
    track(results)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "written",
    heavy_after(3, ["05/11/2030 08:00", "11/05/2030 08:00", "05-11-2030 8:00:00 AM", 47427.33, 5, "9999-12-31"]),
)
def test_where_the_age_may_be_one_of_two_the_gateway_is_asked(
    sandbox, client, customers, message, at, track, written, recwarn
):
    at("2030-11-05 08:00")
    results = ef.send(customers, message, client, progress=False).assign(sent_at=written)
    at("2030-11-06 08:00")
    assert found_in(track(results)) == truth(sandbox, results)
    assert not recwarn.list


def test_an_accepted_row_without_the_gateways_id_says_so(results, track):
    results["sms_id"] = None
    with pytest.warns(UserWarning, match=r"^70 accepted rows have no sms_id.*client\.sent_between"):
        tracked = track(results)
    accepted = tracked["status"] == "accepted"
    assert tracked["delivery"].isna().all()
    assert tracked["delivery_reason"][accepted].eq("the gateway's id of the send is not known").all()
    assert tracked["delivery_reason"][~accepted].isna().all()
    pd.testing.assert_series_equal(tracked["reason"], results["reason"])


def test_what_is_no_results_is_one_sentence(client, customers):
    with pytest.raises(ef.InvalidInput, match="no column 'status'"):
        ef.track(customers, client)
    with pytest.raises(ef.InvalidInput, match="must be a DataFrame"):
        ef.track([1], client)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.lists(st.integers(0, 71), max_size=100))
def test_tracking_never_changes_rows_and_never_says_delivered_of_what_was_not(sandbox, results, track, part):
    some = results.iloc[part]
    tracked = track(some)
    pd.testing.assert_frame_equal(tracked[results.columns], some)
    assert found_in(tracked) == truth(sandbox, tracked)
