"""Campaigns of older journals are carried over, and those of one account come together, with what both have sent."""

from __future__ import annotations

import pandas as pd
import pytest
from support.customers import FIFTY, sent
from support.journals import rows
from support.live_gateway import LiveGateway
from support.old_journal import CONTENT, OldJournal, fingerprint

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.journal import claims
from esms_frames.journal.tables import _MIGRATIONS, text_of
from esms_frames.messages.campaign_names import old_default_name

pytestmark = pytest.mark.both_journals

HUNDRED = [f"09018884{n}" for n in range(10, 99)] + [f"09018885{n}" for n in range(10, 41)]


@pytest.fixture
def old(address):
    return OldJournal(address)


@pytest.fixture
def live():
    with LiveGateway(api_key="made-up-1", secret_key="made-up") as gateway:
        yield gateway


def statuses(results):
    return {status: count for status, count in results["status"].value_counts().items() if count}


KEY = fingerprint("made-up-1")
NEW = fingerprint("made-up-2")


@pytest.mark.parametrize("host", ["rest.esms.vn", "proxy.example:8443", "sandbox"])
def test_a_campaign_of_a_key_is_found_by_the_account_that_its_user_id_tells(
    host, old, address, live, customers, message
):
    """`sandbox` was any address on this machine, a tunnel to the live gateway, too."""
    old.batch(old.campaign("Tết", host, KEY), sms_id="sms-1")
    book = ef.Journal(address)
    again = sent(customers, message, live.client(), campaign="Tết", journal=book)
    assert statuses(again) == {"already_sent": 50}
    new = live.rotate()
    assert statuses(sent(customers, message, new, campaign="TẾT", journal=book)) == {"already_sent": 50}
    assert not live.texted
    table = book.campaigns()
    assert table[["campaign", "gateway", "account"]].values.tolist() == [["Tết", "live", new.account]]
    assert ef.results("tết", journal=book)["sms_id"].unique().tolist() == ["sms-1"]
    assert rows(address, "SELECT old_gateway, version FROM campaigns, journal") == [(host, len(_MIGRATIONS) + 1)]
    book.close()


def test_a_rehearsal_of_an_older_journal_stays_the_sandboxs(old, address, customers, message, live):
    old.batch(old.campaign("Tết", "sandbox", fingerprint("made-up-sandbox")))
    book = ef.Journal(address)
    with ef.Sandbox(api_key="made-up-sandbox", secret_key="made-up") as sandbox:
        again = sent(customers, message, sandbox.client(), campaign="Tết", journal=book)
        assert statuses(again) == {"already_sent": 50}
    assert statuses(sent(customers, message, live.client(), campaign="Tết", journal=book)) == {"accepted": 50}
    assert sorted(book.campaigns()["gateway"]) == ["live", "sandbox"]
    book.close()


def test_a_key_that_was_changed_before_the_upgrade_is_refused_until_somebody_says_that_it_is_one_account(
    old, address, live, customers, message
):
    old.batch(old.campaign("Tết", "rest.esms.vn", fingerprint("made-up-0")))
    book = ef.Journal(address)
    with pytest.raises(ef.InvalidInput, match="not known whether") as caught:
        sent(customers, message, live.client(), campaign="Tết", journal=book)
    assert fingerprint("made-up-0") in str(caught.value)
    assert not live.texted
    book.same_account(fingerprint("made-up-0"), live.client())
    assert statuses(sent(customers, message, live.client(), campaign="Tết", journal=book)) == {"already_sent": 50}
    assert len(set(book.campaigns()["account"])) == 1
    book.close()


@pytest.fixture
def two(old):
    """Tết under two keys: fifty people were texted under both, ten under the second alone."""
    first, second = (
        old.campaign("Tết", host, key, token)
        for host, key, token in [("rest.esms.vn", KEY, "token-1"), ("rest.esms.vn", NEW, "token-2")]
    )
    old.batch(first, request_id="same")
    old.batch(second, request_id="same")
    old.batch(second, phones=HUNDRED[50:90], request_id="more", number=2)
    return first, second


def open_with_both(address, live):
    book = ef.Journal(address)
    for key in ("made-up-1", "made-up-2"):
        live.gateway.api_key = key
        tell(book, live.client())
    return book


def tell(book, client):
    """Let the gateway tell whose account a key is; nobody is texted."""
    data, message = pd.DataFrame({"sdt": FIFTY}), ef.Message(CONTENT, "Baotrixemay")
    ef.plan(data, message, client, campaign="unrelated", journal=book)


def test_two_campaigns_of_one_account_become_one_with_what_both_have_sent(two, address, live, message):
    book = open_with_both(address, live)
    data = pd.DataFrame({"sdt": HUNDRED})
    results = sent(data, message, live.client(), campaign="Tết", journal=book)
    assert statuses(results) == {"already_sent": 90, "accepted": 30}
    assert sorted(live.texted) == sorted(HUNDRED[90:])
    [campaign] = book.campaigns().to_dict("records")
    assert campaign["accepted"] == 50 + 50 + 40 + 30
    [scope] = book._batches.scopes("Tết")
    batches = book._batches.batches(scope)
    assert len({batch.number for batch in batches}) == len(batches) == 4
    assert [batch.request_id for batch in batches][:3] == ["same", "same", "more"]
    assert book._batches.callback_tokens() == {"token-1": scope.id, "token-2": scope.id}
    book.close()


def test_the_name_of_two_campaigns_is_not_used_until_it_is_known_whether_they_are_one(two, address, live, message):
    book = ef.Journal(address)
    client, data = live.client(), pd.DataFrame({"sdt": HUNDRED})
    for do in (
        lambda: sent(data, message, client, campaign="Tết", journal=book),
        lambda: ef.resume("Tết", client, journal=book, progress=False),
    ):
        with pytest.raises(ef.InvalidInput, match=f"of the account {NEW}, and it is not known"):
            do()
    assert not live.texted
    book.close()


def test_callbacks_of_both_are_those_of_the_one(two, address, live, old):
    with old._engine.begin() as connection:
        for campaign_id, sms_id in zip(two, ("sms-1-1", "sms-2-1"), strict=True):
            connection.exec_driver_sql(
                "INSERT INTO callbacks (campaign_id, sms_id, phone, send_status, received_at, times) "
                f"VALUES ({campaign_id}, '{sms_id}', '0901888410', 5, '2030-01-31T10:00:00+07:00', 1)"
            )
    book = open_with_both(address, live)
    assert len(book.callbacks("tết")) == 2
    client = live.client()
    client.balance()
    assert len(ef.track(ef.results("Tết", journal=book), client, journal=book, progress=False, rate=None)) == 90
    book.close()


def test_what_one_has_sent_the_other_does_not_finish(old, address, live, message):
    """The second key sent to everybody again while a batch of the first had not left and another was uncertain."""
    first, second = (old.campaign("Tết", "rest.esms.vn", key) for key in (KEY, NEW))
    old.batch(first, "planned", phones=HUNDRED[:60], request_id="planned", number=1)
    old.batch(first, "unknown", phones=HUNDRED[60:120], request_id="unknown", number=2)
    old.batch(second, phones=HUNDRED[:30], request_id="a", number=1)
    old.batch(second, phones=HUNDRED[60:90], request_id="b", number=2)
    book = open_with_both(address, live)
    results = ef.resume("Tết", live.client(), journal=book, progress=False)
    assert len(results) == 120
    assert sorted(live.texted) == sorted(HUNDRED[30:60] + HUNDRED[90:])
    sends = live.sandbox.sent.groupby("request_id")["phone"].apply(sorted)
    assert sends["unknown"] == sorted(HUNDRED[90:])  # under its own id, for it may have arrived
    assert "planned" not in sends.index  # it is another batch now
    assert statuses(results) == {"accepted": 120}
    book.close()


def test_what_may_have_arrived_twice_counts_twice_towards_the_daily_cap(old, address, live, at):
    at("2030-01-31 10:00")
    first, second = (old.campaign("ad", "rest.esms.vn", key) for key in (KEY, NEW))
    advertising = {"sms_type": "advertising", "brandname": "QC_ONLINE", "content": "Khuyen mai"}
    old.batch(first, "unknown", request_id="same", **advertising)
    old.batch(second, request_id="same", **advertising)
    old.batch(old.campaign("another", "rest.esms.vn", NEW), **advertising)
    book = ef.Journal(address)
    ad, data = ef.Message("Khuyen mai", "QC_ONLINE", "advertising"), pd.DataFrame({"sdt": FIFTY})
    for key in ("made-up-1", "made-up-2"):
        live.gateway.api_key = key
        tell(book, live.client())
    assert statuses(sent(data, ad, live.client(), campaign="fourth", journal=book)) == {"capped": 50}
    assert not live.texted
    assert statuses(ef.results("ad", journal=book)) == {"accepted": 50}
    book.close()


def test_a_run_that_is_under_way_keeps_two_campaigns_apart(old, address, live, customers, message):
    first, second = (old.campaign("Tết", "rest.esms.vn", key) for key in (KEY, NEW))
    old.batch(first, "planned", planned_by=claims.run_name(), created_at=text_of(clock.now()))
    old.batch(second)
    book = ef.Journal(address)
    live.gateway.api_key = "made-up-2"
    tell(book, live.client())
    live.gateway.api_key = "made-up-1"
    with pytest.raises(ef.JournalError, match="A run works on the campaign 'Tết'"):
        sent(customers, message, live.client(), campaign="Tết", journal=book)
    assert not live.texted
    book.close()


def test_names_of_older_journals_that_look_alike_are_one_campaign(old, address, live, message):
    for number, name in enumerate(["Tết 2030", "TẾT\u00a0２０３０", "tết 2030\u200b"]):
        old.batch(old.campaign(name, "rest.esms.vn", KEY), phones=HUNDRED[40 * number :][:40])
    book = ef.Journal(address)
    assert book.campaigns()[["campaign", "accepted"]].values.tolist() == [["Tết 2030", 120]]
    again = sent(pd.DataFrame({"sdt": HUNDRED}), message, live.client(), campaign="tết 2030", journal=book)
    assert statuses(again) == {"already_sent": 120}
    book.close()
    assert len(ef.Journal(address).campaigns()) == 1


@pytest.mark.parametrize("text", [f"{CONTENT} ", CONTENT.replace(" ", "\u00a0"), CONTENT])
def test_a_campaign_that_an_older_version_named_after_its_text_is_found(text, old, address, live, customers):
    old.batch(old.campaign(old_default_name(text), "rest.esms.vn", KEY), content=text)
    book = ef.Journal(address)
    for other in (text, f"\u200b{CONTENT}\r\n"):
        results = sent(customers, ef.Message(other, "Baotrixemay"), live.client(), journal=book)
        assert statuses(results) == {"already_sent": 50}
    assert book.campaigns()["campaign"].tolist() == [old_default_name(text)]
    assert statuses(ef.results(old_default_name(text), journal=book)) == {"accepted": 50}
    book.close()


def test_campaigns_that_older_versions_named_after_one_text_become_one(old, address, live):
    for text, phones in ((f"{CONTENT} ", HUNDRED[:60]), (CONTENT, HUNDRED[60:])):
        old.batch(old.campaign(old_default_name(text), "rest.esms.vn", KEY), content=text, phones=phones)
    book = ef.Journal(address)
    again = sent(pd.DataFrame({"sdt": HUNDRED}), ef.Message(CONTENT, "Baotrixemay"), live.client(), journal=book)
    assert statuses(again) == {"already_sent": 120}
    assert len(book.campaigns()) == 1
    for text in (f"{CONTENT} ", CONTENT):
        assert len(ef.results(old_default_name(text), journal=book)) == 120
    book.close()


def test_the_tables_of_an_older_journal_become_those_of_a_new_one(old, address, another_address, kind):
    ef.Journal(address).close()
    ef.Journal(another_address).close()
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        if kind == "postgresql"
        else "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY 1, 2"
    )
    assert rows(address, query) == rows(another_address, query)
    indexes = (
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        if kind == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY 1"
    )
    assert rows(address, indexes) == rows(another_address, indexes)


def test_forgetting_and_pruning_know_a_campaign_that_became_another(two, address, live):
    book = open_with_both(address, live)
    assert book.forget(FIFTY[:1])[["campaign", "numbers"]].values.tolist() == [["Tết", 1]]
    assert len(ef.results("Tết", journal=book)) == 89
    book.close()


def test_what_a_person_said_holds_until_the_gateway_tells_the_account(old, address, live, customers, message):
    """Two keys of before the upgrade are one account by a person's word; then the gateway tells which."""
    live.tells = False
    old.batch(old.campaign("Tết", "rest.esms.vn", fingerprint("made-up-0")))
    book = ef.Journal(address)
    book.same_account(fingerprint("made-up-0"), live.client())
    assert statuses(sent(customers, message, live.client(), campaign="Tết", journal=book)) == {"already_sent": 50}
    new = live.rotate()
    with pytest.raises(ef.InvalidInput, match="not known whether"):
        sent(customers, message, new, campaign="Tết", journal=book)
    book.same_account(KEY, new)
    live.tells = True
    for key in ("made-up-0", "made-up-1", new._transport.keys.reveal()[0]):
        live.gateway.api_key = key
        assert statuses(sent(customers, message, live.client(), campaign="Tết", journal=book)) == {"already_sent": 50}
        tell(book, client := live.client())
    client.balance()
    assert book.campaigns()["account"].tolist() == [client.account]
    assert not live.texted
    book.close()
