"""Tracking: what became of every accepted message, number by number, and what it cost."""

from __future__ import annotations

from contextlib import closing

import pandas as pd
import pytest
from support.sandbox_truth import NEW, altered, found_in, nothing, reports_take, truth
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.journal.callbacks import Received
from esms_frames.reporting.callbacks import read_callback
from esms_frames.reporting.joined import DELIVERIES

SANDBOX = {"report_delay": 0, "failure_rates": {"MobiFone": 0.3}}


def test_each_row_learns_what_became_of_its_number(sandbox, results, track):
    before = results.copy(deep=True)
    tracked = track(results)
    assert tracked.columns.tolist() == [*results.columns, *NEW]
    assert tracked.index.equals(results.index)
    assert found_in(tracked) == truth(sandbox, tracked)
    assert {"delivered", "failed"} < set(found_in(tracked))
    assert tracked.loc[tracked["status"] != "accepted", NEW].isna().all(axis=None)
    counts = tracked["delivery"].eq("delivered").groupby(tracked["sms_id"].to_numpy()).transform("sum")
    accepted = (tracked["status"] == "accepted").to_numpy()
    assert tracked["delivered"][accepted].tolist() == counts[accepted].tolist()
    pd.testing.assert_frame_equal(results, before)
    assert tracked["delivery"].cat.categories.tolist() == list(DELIVERIES)
    assert str(tracked["delivered"].dtype) == "Int32"


def test_what_earlier_runs_sent_is_tracked_as_well(sandbox, client, customers, message, track):
    ef.send(customers, message, client, progress=False)
    again = ef.send(customers, message, client, progress=False)
    assert set(again["status"]) == {"already_sent"}
    tracked = track(again)
    assert found_in(tracked) == truth(sandbox, tracked)
    assert tracked["reason"].tolist() == again["reason"].tolist()


@pytest.mark.parametrize("send_status", heavy_after(3, [0, 1, 2, 7, 3, None]))
def test_without_a_final_report_nobody_has_failed(sandbox, results, track, monkeypatch, send_status):
    altered(monkeypatch, sandbox, "status", lambda said: said.update(SendStatus=send_status))
    tracked = track(results).query("status == 'accepted'")
    assert "failed" not in found_in(tracked)
    listed = send_status not in {0, 1, 2}
    assert set(found_in(tracked)) == ({"delivered", "pending"} if listed else {"pending"})


@pytest.mark.parametrize("send_status", [4, 5])
def test_what_a_finished_send_does_not_count_as_failed_has_not_failed(
    sandbox, results, track, monkeypatch, send_status
):
    altered(monkeypatch, sandbox, "status", lambda said: said.update(SendStatus=send_status, SendFailed=0))
    tracked = track(results)
    delivered = [
        "delivered" if was == "delivered" else None if was is None else "pending" for was in truth(sandbox, tracked)
    ]
    assert found_in(tracked) == delivered


def test_a_rejected_send_has_failed_with_the_reason(sandbox, results, track, monkeypatch):
    rejected = {"SendStatus": 4, "SendSuccess": 0, "TotalPrice": 0.0}
    altered(monkeypatch, sandbox, "status", lambda said: said.update(rejected))
    tracked = track(results).query("status == 'accepted'")
    assert set(found_in(tracked)) == {"failed"}
    assert set(tracked["delivery_reason"]) == {"the gateway rejected the send (SendStatus 4)"}
    assert tracked["price"].eq(0).all()


@pytest.mark.parametrize(("send_status", "becomes"), heavy_after(1, [(5, None), (7, "pending")]))
def test_a_number_that_the_list_does_not_hold_is_never_guessed(
    sandbox, results, track, monkeypatch, send_status, becomes
):
    altered(monkeypatch, sandbox, "receivers", lambda said: said["ReceiverList"].pop())
    altered(monkeypatch, sandbox, "status", lambda said: said.update(SendStatus=send_status))
    tracked = track(results)
    reason = tracked["delivery_reason"].astype(object)
    lost = tracked[reason.str.contains("does not hold the number", na=False).to_numpy()]
    assert found_in(lost) == [becomes] * 2
    prices = {send.sms_id: send.price for send in sandbox._gateway.sends.values()}
    assert tracked["price"].sum() == sum(prices.values())


def test_a_number_that_is_listed_twice_was_delivered_if_once(sandbox, results, track, monkeypatch):
    twice = lambda said: said["ReceiverList"].extend([{**row, "SentResult": True} for row in said["ReceiverList"]])  # noqa: E731
    altered(monkeypatch, sandbox, "receivers", twice)
    tracked = track(results)
    assert set(found_in(tracked)) == {"delivered", None}
    assert tracked["price"].sum() == sum(send.price for send in sandbox._gateway.sends.values())


def test_what_is_settled_is_not_asked_for_again(results, track, monkeypatch):
    tracked = track(results)
    monkeypatch.setattr(ef.Client, "status", lambda *_a, **_k: pytest.fail("asked again"))
    pd.testing.assert_frame_equal(track(tracked), tracked)


def test_sends_older_than_seven_days_are_not_asked_for(client, customers, message, at, sandbox, track, monkeypatch):
    at("2030-01-31 08:00")
    results = ef.send(customers, message, client, progress=False)
    half = track(results)
    half.loc[half.index[:10], "delivery"] = "pending"
    at("2030-02-07 08:01")
    monkeypatch.setattr(ef.Client, "status", lambda *_a, **_k: pytest.fail("asked"))
    tracked = track(results)
    assert tracked["delivery"].isna().all()
    assert tracked["delivery_reason"].str.contains("older than the 7 days").all()
    later = track(half)
    assert found_in(later) == [None] * 10 + found_in(half)[10:]
    assert later["price"].tolist() == half["price"].tolist()


def called(results, **changes):
    """The query of each row's customer-care callback, all delivered but as `changes` say."""
    fields = {
        "SendFailed": 0, "SendStatus": 5, "SendSuccess": 1, "TotalPrice": "850.5", "TotalReceiver": 1, "TotalSent": 1,
        "TypeId": 2, "telcoid": 2,
    } | changes  # fmt: skip
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    rows = results[results["status"] == "accepted"]
    return [f"SMSID={i}&phonenumber={p}&{query}" for i, p in zip(rows["sms_id"], rows["phone"], strict=True)]


def test_customer_care_callbacks_tell_number_by_number_and_nobody_is_asked(results):
    lines = called(results)
    lines[:3] = called(results, SendSuccess=0, SendFailed=1)[:3]
    lines[3] = called(results, SendSuccess=0, SendStatus=7)[3]
    del lines[4]
    tracked = ef.track(results.sample(frac=1, random_state=2), callbacks=ef.read_callbacks(lines)).sort_values("phone")
    accepted = tracked[tracked["status"] == "accepted"]
    assert found_in(accepted) == ["failed"] * 3 + ["pending"] * 2 + ["delivered"] * 65
    assert accepted["price"].sum() == 69 * 850.5
    assert "no callback has come for this number" in accepted["delivery_reason"].iloc[4]


def sent_callback(results, **counts):
    sms_id = results["sms_id"].dropna().iloc[0]
    fields = {"SendFailed": 0, "SendStatus": 5, "SendSuccess": 50, "TotalPrice": 1000, "TotalReceiver": 50} | counts
    return ef.read_callbacks([f"SMSID={sms_id}&" + "&".join(f"{name}={value}" for name, value in fields.items())])


@pytest.mark.parametrize(
    ("counts", "becomes", "says"),
    heavy_after(
        3,
        [
            ({}, "delivered", None),
            ({"SendSuccess": 0, "SendFailed": 50}, "failed", None),
            ({"SendSuccess": 0, "SendFailed": 0, "SendStatus": 4}, "failed", "rejected"),
            ({"SendSuccess": 30, "SendFailed": 20, "SendStatus": 4}, None, "30 of 50 delivered and don't say which"),
            ({"SendSuccess": 30, "SendFailed": 20}, None, "30 of 50 delivered and don't say which"),
            ({"SendSuccess": 30, "SendStatus": 7}, "pending", "30 of 50 delivered and don't say which"),
            ({"SendSuccess": 1, "TotalReceiver": 1}, "pending", "other recipients"),
        ],
    ),
)
def test_advertising_callbacks_tell_of_numbers_only_if_all_fared_the_same(
    client, customers, message, counts, becomes, says
):
    results = ef.send(customers, message, client, progress=False)
    tracked = ef.track(results, callbacks=sent_callback(results, **counts))
    assert set(found_in(tracked)) == {becomes}
    reason = tracked["delivery_reason"]
    assert reason.isna().all() if says is None else reason.str.contains(says).all()
    if "TotalReceiver" not in counts:
        assert tracked["price"].isna().all()
        assert ef.summarize(tracked, None)["price"].tolist() == [1000]
        assert set(tracked["delivered"]) == {counts.get("SendSuccess", 50)}


def test_a_client_is_asked_for_what_callbacks_leave_open(sandbox, client, customers, message, track, monkeypatch):
    results = ef.send(customers, message, client, progress=False)
    open_ = track(results, callbacks=sent_callback(results, SendSuccess=30, SendFailed=20))
    assert found_in(open_) == truth(sandbox, open_)
    monkeypatch.setattr(ef.Client, "status", lambda *_a, **_k: pytest.fail("asked"))
    assert set(found_in(track(results, callbacks=sent_callback(results)))) == {"delivered"}


@pytest.mark.parametrize("gateway", ["has no reports yet", "has forgotten the send"])
def test_what_callbacks_settled_stays_where_the_gateway_cannot_tell(sandbox, results, track, at, gateway):
    reports_take(sandbox, 10**9)
    callbacks = ef.read_callbacks([*called(results)[:5], *called(results, SendSuccess=0, SendFailed=1)[5:10]])
    if gateway == "has forgotten the send":
        sandbox._gateway.sends.clear()
        at(f"{results['sent_at'].max() + pd.Timedelta(days=6):%Y-%m-%d %H:%M:%S}")
    tracked = track(results, callbacks=callbacks)
    accepted = tracked[tracked["status"] == "accepted"]
    others = "pending" if gateway == "has no reports yet" else None
    assert found_in(accepted) == ["delivered"] * 5 + ["failed"] * 5 + [others] * 60
    assert accepted["delivery_reason"].iloc[:10].isna().all()
    assert set(accepted["delivered"].iloc[:10]) == {5}
    if others is None:
        assert accepted["price"].tolist()[:10] == [850.5] * 10


def test_logs_of_several_days_may_be_put_together(results):
    first = ef.read_callbacks(called(results, SendStatus=7, SendSuccess=0))
    last = ef.read_callbacks(called(results))
    for logs in ([first, last], [last, first]):
        tracked = ef.track(results, callbacks=pd.concat(logs))
        assert set(found_in(tracked)) == {"delivered", None}


# Callbacks that came into the journal


def arrive(journal, scope, lines):
    journal._batches.record_callbacks([Received(scope.id, read_callback(line), clock.now()) for line in lines])


@pytest.fixture
def arrived(results, client):
    """The journal of `send`, with a callback for each of its numbers; all are delivered."""
    with closing(ef.Journal()) as journal:
        (name,) = journal.campaigns()["campaign"]
        arrive(journal, journal._batches.scope(name, client.gateway, client.account), called(results))
        yield journal


@pytest.mark.parametrize("journal", [False, True])
@pytest.mark.parametrize("has_client", [False, True])
def test_what_has_arrived_is_used_before_the_gateway_is_asked(
    results, client, arrived, monkeypatch, journal, has_client
):
    """Without an argument that of the user is looked into, as `send` writes into it without one."""
    monkeypatch.setattr(ef.Client, "status", lambda *_a, **_k: pytest.fail("asked"))
    options = {"journal": arrived} if journal or not has_client else {}
    tracked = ef.track(results, client if has_client else None, progress=False, **options)
    accepted = tracked[tracked["status"] == "accepted"]
    assert set(found_in(accepted)) == {"delivered"}
    assert accepted["price"].sum() == 70 * 850.5


def test_callbacks_of_one_campaign_say_nothing_of_anothers_sends(results, client):
    """Whoever knows the token of one can't change what is said of the other."""
    sms_ids = results["sms_id"].dropna().unique()
    whole = [f"SMSID={one}&SendStatus=4&SendSuccess=0&SendFailed=70&TotalReceiver=70" for one in sms_ids]
    with closing(ef.Journal()) as journal:
        arrive(
            journal,
            journal._batches.scope("another", client.gateway, client.account),
            [*called(results, SendSuccess=0, SendFailed=1), *whole],
        )
        assert journal.callbacks().attrs == {"calls": 0, "repeats": 0, "other_sends": 0}
        assert journal._batches.callbacks_of(results["sms_id"].dropna().unique().tolist()).empty
        tracked = ef.track(results, journal=journal)
    accepted = tracked[tracked["status"] == "accepted"]
    assert set(found_in(accepted)) == {"pending"}
    assert accepted["delivery_reason"].str.contains("no callback has come for this send").all()


def test_callbacks_of_an_earlier_sandbox_say_nothing_of_the_next_ones_sends(customers, message):
    """The same campaign to the same people has the same ids there, for what a sandbox does is to be repeatable."""
    sent = []
    for _ in range(2):
        with ef.Sandbox(report_delay=3600) as sandbox, closing(ef.Journal()) as journal:
            client = sandbox.client()
            results = ef.send(customers, message, client, campaign="Tet", progress=False)
            sent.append(results)
            if len(sent) == 1:
                arrive(journal, journal._batches.scope("Tet", client.gateway, client.account), called(results))
                assert set(found_in(ef.track(results, client, progress=False).query("status == 'accepted'"))) == {
                    "delivered"
                }
            else:
                tracked = ef.track(results, client, progress=False)
    assert sent[0]["sms_id"].equals(sent[1]["sms_id"])
    assert "delivered" not in set(found_in(tracked))


def test_numbers_that_were_not_called_back_are_asked_for(sandbox, results, client, arrived, track):
    with arrived._database.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM callbacks WHERE phone > '{results['phone'].dropna().min()}'")
    assert found_in(track(results)) == truth(sandbox, results)


@pytest.mark.parametrize("falling", [False, True])
def test_of_callbacks_that_name_numbers_but_count_the_send_the_last_to_come_counts(client, customers, message, falling):
    """Whatever the order of the numbers, in which the journal has them."""
    results = ef.send(customers, message, client, campaign="Tet", progress=False)
    (sms_id,) = results["sms_id"].dropna().unique()
    numbers = sorted(results["phone"].dropna(), reverse=falling)
    begin = clock.now()
    with closing(ef.Journal()) as journal:
        scope = journal._batches.scope("Tet", client.gateway, client.account)
        for n, number in enumerate(numbers, start=1):
            status = 5 if n == len(numbers) else 7
            line = f"SMSID={sms_id}&SendStatus={status}&SendSuccess={n}&SendFailed=0&TotalReceiver={len(numbers)}"
            said = read_callback(f"{line}&phonenumber={number}")
            journal._batches.record_callbacks([Received(scope.id, said, begin + pd.Timedelta(seconds=n))])
        tracked = ef.track(results, journal=journal)
    accepted = tracked[tracked["status"] == "accepted"]
    assert set(found_in(accepted)) == {"delivered"}
    assert set(accepted["delivered"]) == {len(numbers)}


def test_rows_are_settled_by_callbacks_to_their_own_numbers_alone(results, client, monkeypatch):
    """As many callbacks as there are rows, but to others of the same send: the gateway is asked."""
    asked = []
    monkeypatch.setattr(ef.Client, "status", lambda self, sms_id, **_: asked.append(sms_id) or stop())
    others = ef.read_callbacks(called(results)[:20])
    some = results[results["status"] == "accepted"].iloc[20:30]
    with pytest.warns(UserWarning, match="could not be asked"):
        ef.track(some, client, callbacks=others, progress=False)
    assert asked


def stop():
    raise ef.InvalidInput("enough")


def test_counts_that_can_not_be_settle_nothing(client, customers, message):
    results = ef.send(customers, message, client, progress=False)
    tracked = ef.track(results, callbacks=sent_callback(results, SendSuccess=10, SendFailed=50))
    assert set(found_in(tracked)) == {"pending"}
    assert tracked["delivery_reason"].str.contains("other recipients").all()


def test_a_log_and_the_journal_go_together(results, arrived):
    last = results["phone"].dropna().max()
    with arrived._database.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM callbacks WHERE phone = '{last}'")
    log = ef.read_callbacks([line for line in called(results) if last in line])
    tracked = ef.track(results, callbacks=log, journal=arrived)
    assert set(found_in(tracked[tracked["status"] == "accepted"])) == {"delivered"}


def test_no_journal_is_made_for_looking_into_it(results, tmp_path, monkeypatch, track):
    monkeypatch.setenv("ESMS_JOURNAL", str(tmp_path / "none.sqlite"))
    assert track(results)["delivery"].notna().sum() == 70
    assert not (tmp_path / "none.sqlite").exists()


def test_a_journal_of_the_users_that_fails_is_a_warning_and_one_that_is_named_an_error(
    results, tmp_path, monkeypatch, track
):
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no journal at all" * 100)
    monkeypatch.setenv("ESMS_JOURNAL", str(broken))
    with pytest.warns(UserWarning, match="not looked whether callbacks have come: The journal .*broken"):
        assert track(results)["delivery"].notna().sum() == 70
    with pytest.raises(ef.JournalError, match="broken"):
        track(results, journal=broken)


@pytest.mark.parametrize(
    ("options", "says"),
    heavy_after(
        4,
        [
            ({"client": None}, "nobody to ask"),
            ({"client": "gateway"}, "must be a Client"),
            ({"callbacks": ["SMSID=1"]}, r"ef\.read_callbacks"),
            ({"until": "tomorrow"}, "'settled'"),
            ({"client": None, "callbacks": "nothing", "until": "settled"}, "pass a client"),
            ({"timeout": -1}, "timeout is -1"),
            ({"concurrency": 0}, "concurrency is 0"),
            ({"rate": 0}, "rate is 0"),
        ],
    ),
)
def test_what_cannot_be_used_is_one_sentence(client, results, options, says):
    options = {"client": client} | options
    if options.get("callbacks") == "nothing":
        options["callbacks"] = nothing()
    with pytest.raises(ef.InvalidInput, match=says):
        ef.track(results, options.pop("client"), **options)
