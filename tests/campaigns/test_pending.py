"""Piece by piece: whatever the audience, nobody is texted twice, and batches are as they would be in one piece."""

from __future__ import annotations

import os
import subprocess
import sys

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from support import spellings
from support.audiences import computed, counts, many, run, with_dask, with_pandas
from support.dying import Die, dying
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.campaigns import pending
from esms_frames.campaigns.decisions.order import take_order
from esms_frames.campaigns.pending import Pending, find_pending
from esms_frames.campaigns.sending import run as sending
from esms_frames.journal.records import Scope
from esms_frames.reporting.outcomes import Outcomes

KINDS = {"pandas": with_pandas, "dask": with_dask}


@pytest.fixture(params=KINDS)
def prepared(request):
    """Prepare audiences of a DataFrame, or of a Dask DataFrame."""
    return KINDS[request.param]


@pytest.fixture
def small_pieces(monkeypatch):
    """Plan and send three batches of a hundred at once."""
    for kind in (ef.Audience, ef.LargeAudience):
        monkeypatch.setattr(kind, "_at_once", 300)


def test_few_enough_are_one_piece_and_of_a_dataframe_all_are(message):
    assert ef.Audience._at_once is None
    order = sending_order(with_dask(many(250)), message)
    found = find_pending(order, ef.Journal()._batches, nowhere())
    assert (found.first, found.later, found.total) == (list(order.groups), [], 0)
    assert list(found.pieces()) == [found.first]
    assert list(Pending().pieces()) == [[]]


def test_pieces_are_of_whole_batches_that_are_equal_over_the_whole(message, prepared, small_pieces):
    df = many(1950).assign(seg=["a"] * 1010 + ["b"] * 940)
    texts = {"a": message, "b": ef.Message("Chao ban", "Baotrixemay")}
    found = find_pending(sending_order(prepared(df, by="seg"), texts), ef.Journal()._batches, nowhere())
    pieces = list(found.pieces())
    assert found.total == 1950
    assert all(sum(len(group.numbers) for group in piece) <= 300 for piece in pieces)
    sizes = [size for piece in pieces for group in piece for size in np.diff([0, *group.ends]).tolist()]
    assert sorted(sizes) == [91] * 2 + [92] * 9 + [94] * 10
    assert np.concatenate([group.numbers for piece in pieces for group in piece]).tolist() == [
        int(phone) for phone in df["sdt"]
    ]


def test_a_plan_in_pieces_says_what_one_in_one_piece_would(client, message, prepared, monkeypatch):
    df = pd.DataFrame({"sdt": [*spellings.mixed(1000, seed=6), *many(700)["sdt"]]})
    run(many(150), message, client, campaign="Tết")
    audience, few = prepared(df, max_batch=5000), prepared(many(160))
    in_one = ef.plan(df, message, client, campaign="Tết")
    for kind in (ef.Audience, ef.LargeAudience):
        monkeypatch.setattr(kind, "_at_once", 150)
    in_pieces = ef.plan(audience, message, client, campaign="Tết")
    assert (repr(in_pieces), in_pieces.batches) == (repr(in_one), in_one.batches)
    pd.testing.assert_frame_equal(in_pieces.messages, in_one.messages)
    too_few = ef.plan(few, message, client, campaign="Tết")
    assert too_few.recipients == 0
    assert any("Only 10 of the numbers" in str(reason) for reason in too_few.rejected["reason"])


def test_a_plan_counts_whom_an_interrupted_run_has_left_in_the_data_or_not(client, message, prepared, small_pieces):
    with dying(client, 0, after=False), pytest.raises(Die):
        run(many(400), message, client, campaign="Tết", checks=False)
    plan = ef.plan(prepared(many(1000, start=100)), message, client, campaign="Tết")
    assert plan.recipients == 1100
    assert any(warning.startswith("100 recipients") for warning in plan.warnings)


def test_customers_may_be_planned_sent_and_looked_up_as_they_are(sandbox, client, message, prepared):
    customers = many(120).assign(name="x")
    if prepared is with_dask:
        customers = dd.from_pandas(customers, npartitions=2)
    assert ef.plan(customers, message, client, exclude=["0900000001"]).recipients == 119
    results = run(customers, message, client, campaign="Tết", phone="sdt", exclude=["0900000001"])
    assert counts(results) == {"accepted": 119, "excluded": 1}
    assert counts(ef.results("Tết", customers)) == {"accepted": 119, "not_sent": 1}
    assert len(sandbox.sent) == 119


def test_what_a_run_that_ended_did_not_come_to_is_not_sent_and_the_next_goes_on(message, prepared, small_pieces):
    with ef.Sandbox(balance=450 * 850, prices={}) as sandbox:
        results = computed(run(prepared(many(1200)), message, sandbox.client(), campaign="Tết", checks=False))
        assert counts(results) == {"accepted": 400, "refused": 100, "not_sent": 700}
        left = results[results["status"] == "not_sent"]
        assert left["reason"].str.contains("code 103").all()
        assert left["batch"].isna().sum() == 600  # of the pieces that were not begun
        assert len(sandbox.sent) == 400


def test_who_is_new_is_put_together_over_all_pieces(sandbox, client, message, prepared, small_pieces):
    df = many(3000)
    run(df[np.arange(3000) % 20 > 0], message, client, campaign="Tết")
    results = run(prepared(df), message, client, campaign="Tết")
    assert counts(results) == {"accepted": 150, "already_sent": 2850}
    assert sandbox.sent["phone"].is_unique


def test_whom_another_run_leaves_too_few_of_in_a_piece_are_sent_with_a_later_one(
    sandbox, client, message, prepared, small_pieces
):
    df = many(1500)
    taken = []

    def take_most_of_the_second_piece(_progress):
        if not taken:
            taken.append(run(df[300:590], message, sandbox.client(), campaign="Tết"))

    results = run(prepared(df), message, client, campaign="Tết", progress=take_most_of_the_second_piece)
    assert counts(results) == {"accepted": 1210, "already_sent": 290}
    assert sandbox.sent["phone"].is_unique


@pytest.mark.filterwarnings("ignore::esms_frames.SentOtherwiseWarning")  # some keep the text of before
def test_a_text_that_was_corrected_after_a_crash_goes_to_all_of_a_batch_wherever_they_are(
    sandbox, client, message, prepared, small_pieces
):
    df = many(1200)
    with dying(client, 0, after=False), pytest.raises(Die):
        run(prepared(df), message, client, campaign="Tết", checks=False)
    mixed = df.sample(frac=1, random_state=2, ignore_index=True)
    results = run(prepared(mixed), ef.Message("Sua lai", "Baotrixemay"), client, campaign="Tết")
    assert counts(results) == {"accepted": 1200}
    assert sandbox.sent["phone"].is_unique
    # What was under way when it died may have left: it is finished as it was.
    assert sandbox.sent["content"].value_counts().to_dict() == {"Sua lai": 1100, message.content: 100}


def test_an_exclude_list_that_has_grown_since_a_crash_is_respected(sandbox, client, message, prepared, small_pieces):
    df = many(1200)
    with dying(client, 0, after=False), pytest.raises(Die):
        run(prepared(df), message, client, campaign="Tết", checks=False)
    results = run(prepared(df, exclude=["0900000150", "0900000900"]), message, client, campaign="Tết")
    assert counts(results) == {"accepted": 1198, "excluded": 2}
    assert len(sandbox.sent) == 1198
    assert sandbox.sent["phone"].is_unique


KILLED = """
import os, sys
import pandas as pd
from support.audiences import with_dask, with_pandas
import esms_frames as ef

ef.Audience._at_once = ef.LargeAudience._at_once = 300
real, calls = ef.Client.send, []

def send(self, *arguments, **options):
    calls.append(1)
    if len(calls) == 5 and sys.argv[2] == "before":
        os._exit(9)
    answer = real(self, *arguments, **options)
    if len(calls) == 5:
        os._exit(9)
    return answer

ef.Client.send = send
customers = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(1200)]})
audience = globals()[sys.argv[1]](customers)
message = ef.Message("Cam on quy khach da mua hang!", "Baotrixemay")
ef.send(audience, message, ef.Client.from_env(), campaign="big", checks=False, progress=False, rate=None, concurrency=1)
"""


@pytest.mark.parametrize("when", heavy_after(1, ["after", "before"]))
def test_a_send_in_pieces_that_is_killed_and_run_again_texts_everybody_once(message, prepared, small_pieces, when):
    with ef.Sandbox(balance=10**12) as sandbox:
        keys = {"ESMS_API_KEY": sandbox.api_key, "ESMS_SECRET_KEY": sandbox.secret_key, "ESMS_BASE_URL": sandbox.url}
        command = [sys.executable, "-c", KILLED, prepared.__name__, when]
        paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
        killed = subprocess.run(command, env=os.environ | keys | paths, check=False)
        assert killed.returncode == 9
        assert len(sandbox.sent) == (400 if when == "before" else 500)
        planned = ef.Journal().campaigns()["numbers"].item()
        assert planned == 600  # two pieces of three batches, and no more
        grown = many(1500).sample(frac=1, random_state=1, ignore_index=True)
        results = run(prepared(grown), message, sandbox.client(), campaign="big")
        assert counts(results) == {"accepted": 1100, "already_sent": 400}
        assert sorted(sandbox.sent["phone"]) == many(1500)["sdt"].tolist()


@pytest.mark.heavy
def test_no_more_than_a_piece_is_decided_upon_at_once(client, message, prepared, small_pieces, monkeypatch):
    sizes = []

    def spied(groups, excluded, known, *others):
        sizes.append(sum(len(some.numbers) for some in [*groups, *known.batches]))
        return real(groups, excluded, known, *others)

    real, real_look = sending.allocate, pending._look
    monkeypatch.setattr(sending, "allocate", spied)
    monkeypatch.setattr(
        pending, "_look", lambda group, known: sizes.append(len(group.numbers)) or real_look(group, known)
    )
    audience = prepared(many(4000))
    results = run(audience, message, client, campaign="Tết")
    again = run(audience, message, client, campaign="Tết")
    assert counts(results) == {"accepted": 4000}
    assert counts(again) == {"already_sent": 4000}
    assert max(sizes) <= 300


def test_advertising_keeps_its_rules(client, at, prepared, small_pieces):
    at("2030-01-31 12:00")
    text = ef.Message("Giam gia", "QC_ONLINE", "advertising")
    for n in range(3):
        run(many(60), text, client, campaign=f"earlier {n}")
    journal = ef.Journal()
    journal.do_not_contact.add(many(10, start=100)["sdt"])
    in_one, in_pieces = (
        computed(run(data, text, client, campaign=f"now {n}"))
        for n, data in enumerate((many(200), prepared(many(400))))
    )
    assert counts(in_pieces) == {"accepted": 330, "capped": 60, "excluded": 10}
    columns = ["status", "reason"]
    pd.testing.assert_frame_equal(in_pieces[:200][columns], in_one[columns])
    at("2030-01-31 23:00")
    with pytest.raises(ef.WouldFail, match="from 07:00"):
        run(prepared(many(400, start=5000)), text, client, campaign="at night")


@pytest.mark.filterwarnings("ignore::esms_frames.SentOtherwiseWarning")  # some keep the text of before
def test_results_that_are_read_while_another_run_replaces_batches_miss_nobody(
    sandbox, client, message, prepared, monkeypatch
):
    monkeypatch.setattr("esms_frames.journal.batches._AT_ONCE", 2)
    df = many(600)
    with dying(client, 2, after=False), pytest.raises(Die):
        run(ef.prepare(df, max_batch=100), message, client, campaign="Tết", checks=False)
    audience, others = prepared(df), []

    def tell(self, rank, outcome, numbers):
        if not others:
            others.append("begun")
            others.append(run(df, ef.Message("Sua lai", "Baotrixemay"), client, campaign="Tết"))
        real(self, rank, outcome, numbers)

    real = Outcomes.tell
    monkeypatch.setattr(Outcomes, "tell", tell)
    found = counts(ef.results("Tết", audience))
    assert len(sandbox.sent) == 600
    assert "not_sent" not in found


def test_when_the_hours_of_advertising_end_in_mid_stream_the_rest_is_not_sent(
    sandbox, client, at, prepared, small_pieces
):
    at("2030-01-31 21:59")
    text = ef.Message("Giam gia", "QC_ONLINE", "advertising")
    results = computed(run(prepared(many(1200)), text, client, progress=lambda _: at("2030-01-31 22:00")))
    assert counts(results) == {"accepted": len(sandbox.sent), "not_sent": 1200 - len(sandbox.sent)}
    assert 0 < len(sandbox.sent) <= 300
    assert results.loc[results["status"] == "not_sent", "reason"].str.contains("from 07:00").all()
    at("2030-02-01 07:00")
    run(prepared(many(1200)), text, client)
    assert sorted(sandbox.sent["phone"]) == many(1200)["sdt"].tolist()


def sending_order(audience, message):
    """Take the order to send to an audience."""
    options = {"phone": None, "by": None, "exclude": None, "rules_off": (), "rules_on": ()}
    return take_order(audience, message, campaign="Tết", **options)


def nowhere():
    """Name a campaign that is not begun."""
    return Scope(0, "Tết", "sandbox", "a")
