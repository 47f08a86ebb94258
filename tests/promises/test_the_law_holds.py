"""The law's rules for advertising hold by default, and are switched off only by name."""

from __future__ import annotations

import threading

import pytest
from support.customers import FIFTY, many, sent_singly
from support.dying import counts

import esms_frames as ef

pytestmark = pytest.mark.both_journals


ADVERT = ef.Message("QC: giam gia 20%", "QC_ONLINE", "advertising")


def test_advertising_at_night_is_refused_with_the_next_allowed_time_and_nothing_goes_out(
    sandbox, client, customers, at
):
    at("2030-01-31 22:00")
    for checks in (True, False):
        with pytest.raises(ef.InvalidInput, match="2030-02-01 07:00"):
            sent_singly(customers, ADVERT, client, checks=checks)
    for hour in ("2030-01-31 06:59", "2030-02-01 23:30"):
        late = ef.Message("QC", "QC_ONLINE", "advertising", send_at="2030-02-01 23:00")
        at(hour)
        with pytest.raises(ef.EsmsError):
            sent_singly(customers, late, client)
    assert sandbox.sent.empty
    assert counts(sent_singly(customers, ef.Message("Xin chao", "Baotrixemay"), client)) == {"accepted": 50}


@pytest.mark.parametrize("hour", ["06:00", "07:00", "12:00", "21:59", "22:30"])
def test_the_next_allowed_time_works_at_any_hour(client, customers, at, hour):
    at(f"2030-01-31 {hour}")
    advert = ef.Message("QC", "QC_ONLINE", "advertising", send_at=ef.next_allowed_time())
    assert counts(sent_singly(customers, advert, client)) == {"accepted": 50}


def test_what_is_not_sent_by_22_waits_for_the_morning(sandbox, client, at, monkeypatch):
    at("2030-01-31 21:59")
    real, calls = client.send, []

    def slowly(*arguments, **options):
        calls.append(1)
        answer = real(*arguments, **options)
        if len(calls) == 2:
            at("2030-01-31 22:00")
        return answer

    monkeypatch.setattr(client, "send", slowly)
    results = sent_singly(many(20_000), ADVERT, client, campaign="Tết", concurrency=1)
    assert counts(results) == {"accepted": 10_000, "not_sent": 10_000}
    assert results.loc[results["status"] == "not_sent", "reason"].str.contains("2030-02-01 07:00").all()
    assert counts(ef.resume("Tết", client, progress=False)) == {"accepted": 10_000, "not_sent": 10_000}
    at("2030-02-01 07:00")
    assert counts(ef.resume("Tết", client, progress=False, rate=None)) == {"accepted": 20_000}
    assert sandbox.sent["phone"].is_unique


def test_what_got_no_answer_is_not_repeated_at_night(sandbox, client, customers, at, monkeypatch):
    at("2030-01-31 21:59")

    def cut(*_, **__):
        at("2030-01-31 22:00")
        raise ef.NoAnswer("cut")

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", cut)
        results = sent_singly(customers, ADVERT, client, campaign="Tết")
    assert counts(results) == {"unknown": 50}
    assert results["attempts"].tolist() == [1] * 50
    assert sandbox.sent.empty


def test_a_fourth_advertisement_in_24_hours_is_capped_whatever_the_campaign(sandbox, client, customers, at):
    for n, moment in enumerate(["2030-01-31 08:00", "2030-01-31 12:00", "2030-01-31 20:00"]):
        at(moment)
        assert counts(sent_singly(customers, ef.Message(f"QC {n}", "QC_ONLINE", "advertising"), client)) == {
            "accepted": 50
        }
    at("2030-02-01 07:59")
    fourth = sent_singly(customers, ADVERT, client)
    assert counts(fourth) == {"capped": 50}
    assert "more than 3" in fourth["reason"].iloc[0]
    assert counts(sent_singly(customers, ef.Message("Xin chao", "Baotrixemay"), client)) == {"accepted": 50}
    at("2030-02-01 08:00")
    assert counts(sent_singly(customers, ADVERT, client)) == {"accepted": 50}


def test_of_two_campaigns_at_once_one_takes_the_last_place_of_a_day(sandbox, client, customers, at):
    at("2030-01-31 08:00")
    for n in range(2):
        sent_singly(customers, ef.Message(f"QC {n}", "QC_ONLINE", "advertising"), client)
    start, found = threading.Barrier(2), [None, None]

    def send(place):
        start.wait()
        found[place] = sent_singly(customers, ef.Message(f"last {place}", "QC_ONLINE", "advertising"), sandbox.client())

    threads = [threading.Thread(target=send, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, map(counts, found))) == ["{'accepted': 50}", "{'capped': 50}"]
    assert sandbox.sent.groupby("phone").size().tolist() == [3] * 50


def test_who_is_on_the_do_not_contact_list_gets_no_advertising_and_care_unless_asked(sandbox, client, customers, at):
    at("2030-01-31 08:00")
    ef.Journal().do_not_contact.add(["+84 901 888 410"], reason="answered STOP")
    results = sent_singly(customers, ADVERT, client)
    assert counts(results) == {"accepted": 49, "excluded": 1}
    assert results["reason"].iloc[0] == "on the do-not-contact list"
    care = ef.Message("Xin chao", "Baotrixemay")
    assert counts(sent_singly(customers, care, client)) == {"accepted": 50}
    asked = sent_singly(customers, care, client, campaign="other", rules_on=["do_not_contact"])
    assert counts(asked) == {"accepted": 49, "excluded": 1}


def test_each_rule_is_switched_off_by_its_name_only_and_the_results_say_so(client, customers, at):
    at("2030-01-31 23:00")
    ef.Journal().do_not_contact.add(FIFTY)
    for off in (["daily_cap", "do_not_contact"], ["sending_hours"]):
        try:
            assert counts(sent_singly(customers, ADVERT, client, rules_off=off)) == {"excluded": 50}
        except ef.InvalidInput as error:
            assert "sending_hours" not in off, error
    results = sent_singly(customers, ADVERT, client, campaign="Tết", rules_off=["sending_hours", "do_not_contact"])
    assert counts(results) == {"accepted": 50}
    assert set(results["reason"]) == {"Sent with the rules sending_hours and do_not_contact switched off."}
    assert set(ef.results("Tết")["reason"]) == set(results["reason"])


def test_somebody_put_on_the_list_after_a_crash_is_not_texted_by_the_resumption(
    sandbox, client, customers, at, monkeypatch
):
    at("2030-01-31 08:00")

    def dies(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(client, "send", dies)
        patch.setattr("esms_frames.journal.batches.BatchStore.begin_attempt", dies)
        with pytest.raises(SystemExit):
            sent_singly(customers, ADVERT, client, campaign="Tết")
    ef.Journal().do_not_contact.add(FIFTY[:3])
    results = ef.resume("Tết", client, progress=False)
    assert counts(results) == {"accepted": 47, "excluded": 3}
    assert not set(FIFTY[:3]) & set(sandbox.sent["phone"])


def test_a_campaign_that_is_all_sent_can_be_looked_at_again_at_night(client, customers, at):
    at("2030-01-31 21:00")
    sent_singly(customers, ADVERT, client, campaign="Tết")
    at("2030-01-31 23:00")
    assert counts(sent_singly(customers, ADVERT, client, campaign="Tết")) == {"already_sent": 50}


def test_a_segment_without_anybody_keeps_no_other_from_being_sent_at_night(client, at):
    at("2030-01-31 23:00")
    df = many(40).assign(seg="care")
    df.loc[len(df)] = ["x", "advert"]
    texts = {"care": ef.Message("Xin chao", "Baotrixemay"), "advert": ADVERT}
    assert counts(sent_singly(df, texts, client, by="seg", campaign="Tết")) == {"accepted": 40, "invalid": 1}
