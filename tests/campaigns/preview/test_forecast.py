"""`plan`: what a send would do and cost, and what would make it fail; `send` looks at the same before anything goes out."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pandas as pd
import pytest
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.campaigns.preview import gateway_checks

ADVERT = ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising")


def many(n):
    return pd.DataFrame({"sdt": [f"09{m:08d}" for m in range(n)]})


def send(data, message, client, **options):
    return ef.send(data, message, client, **{"progress": False, "rate": None} | options)


def counts(results):
    return results["status"].value_counts().loc[lambda n: n > 0].to_dict()


def rejected(plan):
    return {(status, reason): rows for status, reason, rows in plan.rejected.itertuples(index=False)}


def test_a_plan_says_what_the_send_then_does(sandbox, client, at):
    at("2030-01-31 08:00")
    ef.Journal().do_not_contact.add(["0900000003"])
    df = pd.concat([many(12_000), pd.DataFrame({"sdt": ["0900000001", "x", None, "0281234567"]})])
    plan = ef.plan(df, ADVERT, client, exclude=["0900000002"])
    before = sandbox.balance
    results = send(df, ADVERT, client, exclude=["0900000002"])
    assert plan.recipients == len(sandbox.sent) == 11_998
    assert plan.batches == results["batch"].nunique() == 3
    assert plan.rows == 12_004
    assert plan.price == before - sandbox.balance
    assert plan.balance == before
    told = results[results["status"] != "accepted"].groupby(["status", "reason"], observed=True).size()
    assert rejected(plan) == told[told > 0].to_dict()
    assert plan.recipients + plan.rejected["rows"].sum() == plan.rows


def test_nothing_is_sent_or_written_by_planning(sandbox, client, customers, message):
    ef.plan(customers, message, client)
    assert sandbox.sent.empty
    assert ef.Journal().campaigns().empty


def test_it_needs_no_client(customers, message):
    plan = ef.plan(customers, message)
    assert (plan.recipients, plan.batches, plan.parts, plan.total_parts, plan.encoding) == (50, 1, 1, 50, "GSM-7")
    assert (plan.price, plan.balance, plan.is_enough, plan.problems) == (None, None, None, ())


def test_what_the_campaign_has_sent_is_not_planned_again(client, message):
    send(many(100), message, client, campaign="Tết")
    plan = ef.plan(many(140), message, client, campaign="Tết")
    assert plan.recipients == 40
    assert rejected(plan) == {("already_sent", "by this campaign, or about to be"): 100}
    done = ef.plan(many(100), message, client, campaign="Tết")
    assert (done.recipients, done.batches, done.total_parts, done.parts) == (0, 0, 0, None)
    assert done.warnings == ("Nobody is left to be texted.",)


def test_too_few_new_numbers_are_told(client, message):
    send(many(100), message, client, campaign="Tết")
    plan = ef.plan(many(110), message, client, campaign="Tết")
    ((_, reason), rows), *_ = [item for item in rejected(plan).items() if item[0][0] == "not_sent"]
    assert rows == 10
    assert "a batch needs 30" in reason


def test_too_few_recipients_are_a_problem_of_the_plan_and_an_error_of_the_send(client, message):
    plan = ef.plan(many(10), message, client)
    assert "Only 10 of 10 rows can be texted" in plan.problems[0]
    with pytest.raises(ef.TooFewRecipients):
        send(many(10), message, client)


def test_what_an_interrupted_run_has_left_is_planned_too(client, message, monkeypatch):
    def dies(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("esms_frames.journal.batches.BatchStore.begin_attempt", dies)
        with pytest.raises(SystemExit):
            send(many(100), message, client, campaign="Tết")
    plan = ef.plan(many(60), message, client, campaign="Tết")
    assert plan.recipients == 100
    assert "40 recipients that an interrupted run has left are not in this data" in plan.warnings[0]


def test_a_batch_that_is_not_tried_is_not_counted(client, message, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", lambda *_, **__: (_ for _ in ()).throw(ef.NoAnswer("cut")))
        send(many(50), message, client, campaign="Tết")
    plan = ef.plan(many(100), message, client, campaign="Tết", exclude=["0900000001"])
    assert plan.recipients == 50
    assert "1 unfinished batch can't be sent as planned: It holds somebody who is not to be texted" in plan.warnings[-1]


# Segments


def test_the_sums_are_told_by_segment(client):
    df = many(100).assign(seg=["vip"] * 40 + ["new"] * 60)
    texts = {"vip": ef.Message("Chao VIP", "Baotrixemay"), "new": ef.Message("Chào bạn " * 9, "Baotrixemay")}
    plan = ef.plan(df, texts, client, by="seg", campaign="Tết")
    table = plan.messages.set_index("segment")
    assert table[["recipients", "batches", "parts", "total_parts"]].T.to_dict("list") == {
        "vip": [40, 1, 1, 40],
        "new": [60, 1, 2, 120],
    }
    assert (plan.encoding, plan.parts, plan.total_parts) == (None, None, 160)
    assert plan.price == 160 * 850
    assert "segments" in repr(plan)


# Warnings


def test_accents_that_double_the_parts_are_told_with_what_it_would_save(customers, client):
    plan = ef.plan(customers, ef.Message("Khuyến mãi đặc biệt cho quý khách " * 3, "Baotrixemay"), client)
    assert plan.parts == 2
    assert "Accents cost 50 of the 100 parts: message.without_accents() would save them, some 50%" in plan.warnings[0]


def test_a_rule_that_is_switched_off_is_told(customers, client):
    plan = ef.plan(customers, ADVERT, client, rules_off=["sending_hours", "daily_cap"])
    assert "Sent with the rules sending_hours and daily_cap switched off." in plan.warnings
    assert plan.window is None


def test_the_window_is_that_of_the_day_on_which_it_goes_out(customers, at):
    at("2030-01-31 23:00")
    start, end = ef.plan(customers, ADVERT).window
    assert (f"{start:%d %H:%M}", f"{end:%d %H:%M}") == ("01 07:00", "01 22:00")
    assert "2030-02-01 07:00" in ef.plan(customers, ADVERT).problems[0]


# What would fail


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (ef.Message("Xin chao", "baotrixemay"), "did you mean 'Baotrixemay'"),
        (ef.Message("Xin chao", "Nobody"), "it has 'Baotrixemay'"),
        (ef.Message("Xin chao", "QC_ONLINE"), "'QC_ONLINE' is not registered for customer care"),
    ],
)
def test_a_brandname_that_is_not_registered_for_the_type(sandbox, client, customers, message, says):
    assert says in ef.plan(customers, message, client).problems[0]
    with pytest.raises(ef.WouldFail, match="Nothing was sent: ") as error:
        send(customers, message, client)
    assert says in str(error.value)
    assert error.value.problems
    assert ef.Journal().campaigns().empty
    assert counts(send(customers, message, client, checks=False)) == {"refused": 50}
    assert sandbox.sent.empty


def test_fields_that_are_not_filled_in(sandbox, client, customers):
    message = ef.Message("Chao {ten}", "Baotrixemay")
    (problem,) = ef.plan(customers, message, client).problems
    assert "{ten}" in problem
    assert "for_each" in problem
    with pytest.raises(ef.WouldFail):
        send(customers, message, client)
    assert sandbox.sent.empty
    assert counts(send(customers, message, client, checks=False)) == {"accepted": 50}


def test_a_balance_that_does_not_cover_the_price(message, customers):
    with ef.Sandbox(balance=42_499, prices={}) as sandbox:
        plan = ef.plan(customers, message, sandbox.client())
        assert plan.is_enough is False
        assert "The price of 42,500 VND is more than the balance of 42,499 VND" in plan.problems[0]
        with pytest.raises(ef.WouldFail):
            send(customers, message, sandbox.client())
        assert sandbox.sent.empty
    with ef.Sandbox(balance=42_500, prices={}) as sandbox:
        assert counts(send(customers, message, sandbox.client())) == {"accepted": 50}


def test_what_has_been_paid_for_does_not_count_against_the_balance(message):
    with ef.Sandbox(balance=130 * 850, prices={}) as sandbox:
        send(many(100), message, sandbox.client(), campaign="Tết")
        assert counts(send(many(130), message, sandbox.client(), campaign="Tết")) == {
            "already_sent": 100,
            "accepted": 30,
        }


def never_answered(client):
    real = client.send

    def send(*arguments, **options):
        with suppress(ef.Refused):
            real(*arguments, **options)
        raise ef.NoAnswer("cut")

    return send


def test_what_may_have_been_paid_for_does_not_count_against_the_balance_either(message, customers, monkeypatch):
    with ef.Sandbox(balance=50 * 850, prices={}) as sandbox:
        client = sandbox.client()
        with monkeypatch.context() as patch:
            patch.setattr(client, "send", never_answered(client))
            assert counts(send(customers, message, client)) == {"unknown": 50}
        assert sandbox.balance == 0
        assert counts(send(customers, message, client)) == {"accepted": 50}


def test_what_is_uncertain_for_too_long_is_not_planned_and_keeps_no_other_from_it(sandbox, client, at, monkeypatch):
    at("2030-01-31 08:00")
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", lambda *_, **__: (_ for _ in ()).throw(ef.NoAnswer("cut")))
        send(many(30), ADVERT, client, campaign="Tết")
    ef.Journal().forget(["0900000000"])  # fewer are left than the gateway would price
    at("2030-02-09 08:00")
    customers = many(100).iloc[1:]
    plan = ef.plan(customers, ADVERT, client, campaign="Tết")
    results = send(customers, ADVERT, client, campaign="Tết")
    assert plan.recipients == counts(results)["accepted"] == 70
    assert {status: rows for status, _, rows in plan.rejected.itertuples(index=False)} == {"unknown": 29}
    assert counts(results)["unknown"] == 29


def test_who_has_had_it_is_told_so_though_a_rule_would_keep_them_from_it_now(client, at):
    at("2030-01-31 08:00")
    for campaign in ("a", "b", "c"):
        send(many(100), ADVERT, client, campaign=campaign)
    ef.Journal().do_not_contact.add(["0900000003"])
    plan = ef.plan(many(100), ADVERT, client, campaign="c")
    assert rejected(plan) == {("already_sent", "by this campaign, or about to be"): 100}
    assert counts(send(many(100), ADVERT, client, campaign="c")) == {"already_sent": 100}


def test_a_text_that_fits_no_template_is_shown_against_the_nearest(customers):
    with ef.Sandbox(templates={"Baotrixemay": ["Cam on {P1,20} da mua hang", "Ma OTP: {P1,6}"]}) as sandbox:
        message = ef.Message("Cam on Lan da mua xe", "Baotrixemay")
        problem = ef.plan(customers, message, sandbox.client()).problems[0]
        assert "'Cam on {P1,20} da mua hang'" in problem
        with pytest.raises(ef.WouldFail, match="fits no registered template"):
            send(customers, message, sandbox.client())
        fits = ef.Message("Cam on Lan da mua hang", "Baotrixemay")
        assert counts(send(customers, fits, sandbox.client())) == {"accepted": 50}


def test_of_many_texts_that_fit_no_template_some_are_told():
    df = many(200).assign(n=[n % 5 for n in range(200)])
    with ef.Sandbox(templates={"Baotrixemay": ["Chao ban"]}) as sandbox:
        by, texts = ef.Message("So {n}", "Baotrixemay").for_each(df)
        problems = ef.plan(df, texts, sandbox.client(), by=by, campaign="Tết").problems
    assert len(problems) == 4
    assert problems[0].startswith("Segment '0': The text fits no registered template")
    assert problems[-1] == "2 more texts fit no template of 'Baotrixemay'."


def test_networks_whose_templates_a_text_does_not_fit_are_a_warning(customers):
    viettel = ef.Template(1, "Viettel", "Xin chao")
    with ef.Sandbox(templates={"Baotrixemay": [viettel]}) as sandbox:
        plan = ef.plan(customers, ef.Message("Xin chao", "Baotrixemay"), sandbox.client())
    assert plan.problems == ()
    assert "MobiFone (50 recipients)" in plan.warnings[0]


def test_wrong_keys_are_a_problem_and_are_not_shown(sandbox, customers, message):
    client = ef.Client("made-up-key", "made-up-secret", base_url=sandbox.url)
    (problem,) = ef.plan(customers, message, client).problems
    assert "code 101" in problem
    with pytest.raises(ef.WouldFail, match="101") as error:
        send(customers, message, client)
    assert "made-up" not in str(error.value)


def test_a_gateway_that_can_not_be_asked_is_a_warning_and_no_verdict(customers, message):
    with ef.Sandbox() as sandbox:
        client = sandbox.client()
    plan = ef.plan(customers, message, client)
    assert plan.problems == ()
    assert "could not be asked" in plan.warnings[-1]
    assert counts(send(customers, message, client)) == {"not_sent": 50}


def test_an_account_without_templates_is_a_warning(customers, message):
    with ef.Sandbox(templates={}) as sandbox:
        plan = ef.plan(customers, message, sandbox.client())
    assert plan.problems == ()
    assert "lists no templates" in plan.warnings[0]


# Price


def test_the_price_of_many_batches_is_scaled_and_says_so(client, at, monkeypatch):
    at("2030-01-31 08:00")
    monkeypatch.setattr(gateway_checks, "_MOST_ESTIMATES", 3)
    plan = ef.plan(many(40_000), ADVERT, client)
    assert plan.price == Decimal(40_000 * 850)
    assert plan.price_basis == "scaled from the gateway's for 3 of 8 batches"


def test_texts_that_cost_the_same_are_asked_about_once(client, at, monkeypatch):
    at("2030-01-31 08:00")
    df = many(400).assign(n=[n % 10 for n in range(400)])
    by, texts = ef.Message("So {n}", "Baotrixemay").for_each(df)
    asked = []
    real = client.estimate
    monkeypatch.setattr(client, "estimate", lambda *arguments: asked.append(1) or real(*arguments))
    assert ef.plan(df, texts, client, by=by, campaign="Tết").price == 400 * 850
    assert len(asked) == 1


# What people see


def test_a_plan_shows_itself_to_people(client, at):
    at("2030-01-31 08:00")
    df = pd.DataFrame({"sdt": [*FIFTY, "x"]})
    plan = ef.plan(df, ef.Message("<b>Xin chào bạn</b> " * 4, "QC_ONLINE", "advertising"), client, campaign="Tết")
    text = repr(plan)
    assert text.startswith("<Plan: 50 of 51 rows would be texted, in 1 batch; ready to send>")
    for line in (
        "campaign    Tết",
        "QC_ONLINE, advertising",
        "2 parts a message, UCS-2; 100 parts in all",
        "85,000 VND",
    ):
        assert line in text
    page = plan._repr_html_()
    assert "&lt;b&gt;Xin chào" in page
    assert "Look at this:" in page
    assert "2030-01-31 07:00 to 22:00" in page


@pytest.mark.parametrize("floor", [1, 30])
def test_a_plan_foresees_that_a_batch_under_30_may_be_refused(floor, message):
    """Of customer care the gateway's pages say two things; plan and sandbox know both."""
    audience = ef.prepare(pd.DataFrame({"sdt": FIFTY[:24]}), min_batch=1)
    with ef.Sandbox(customer_care_floor=floor) as sandbox:
        client = sandbox.client()
        plan = ef.plan(audience, message, client)
        assert not plan.problems
        (warning,) = plan.warnings
        assert warning.startswith("The smallest batch has 24 of the 30 numbers")
        assert "may be refused (code 107)" in warning
        results = ef.send(audience, message, client, progress=False)
    assert results["status"].eq("accepted" if floor == 1 else "refused").all()


def test_a_plan_of_batches_of_30_warns_of_nothing(client, message):
    assert not ef.plan(pd.DataFrame({"sdt": FIFTY[:30]}), message, client).warnings
