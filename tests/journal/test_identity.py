"""Whose campaign it is: the account's, by whatever address and key the gateway is reached."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time

import pandas as pd
import pytest
from support.customers import FIFTY, sent
from support.journals import rows
from support.live_gateway import LiveGateway
from support.ports import own_port
from support.programs import needs
from support.weight import heavy_after

import esms_frames as ef

pytestmark = pytest.mark.both_journals

ADVERTISING = ef.Message("Khuyen mai", "QC_ONLINE", "advertising")


@pytest.fixture
def live():
    with LiveGateway() as gateway:
        yield gateway


@pytest.fixture
def silent():
    """A gateway that does not tell the account's UserID."""
    with LiveGateway(tells=False) as gateway:
        yield gateway


@pytest.fixture
def direct(tmp_path, monkeypatch):
    """The same account as `live`, at a name that is not this machine's, over TLS."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [needs("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=direct"]
    made += ["-addext", "subjectAltName=DNS:gateway.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    real = socket.getaddrinfo
    names = {"gateway.example": "127.0.0.1"}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **more: real(names.get(host, host), *args, **more))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with LiveGateway(tls=context) as gateway:
        gateway.connect = lambda: gateway.client("gateway.example")
        yield gateway


def one_account(*gateways):
    """Make several doors lead to one account: the same keys, the same sends."""
    first, *others = gateways
    for other in others:
        for name in ("api_key", "secret_key", "sends", "_by_request"):
            setattr(other.gateway, name, getattr(first.gateway, name))


def statuses(results):
    return {status: count for status, count in results["status"].value_counts().items() if count}


# The same gateway by another door


def test_a_tunnel_to_the_live_gateway_is_no_rehearsal(live, direct, customers, message, journal):
    one_account(live, direct)
    assert statuses(sent(customers, message, live.client(), campaign="Tet", journal=journal)) == {"accepted": 50}
    again = sent(customers, message, direct.connect(), campaign="Tet", journal=journal)
    assert statuses(again) == {"already_sent": 50}
    assert sorted(live.texted) == FIFTY
    assert journal.campaigns()["gateway"].tolist() == ["live"]


def test_advertising_through_a_tunnel_counts_towards_the_daily_cap(live, direct, customers, journal, at):
    at("2030-01-31 10:00")
    one_account(live, direct)
    for n in range(3):
        sent(customers, ADVERTISING, live.client(), campaign=f"ad {n}", journal=journal)
    fourth = sent(customers, ADVERTISING, direct.connect(), campaign="ad 4", journal=journal)
    assert statuses(fourth) == {"capped": 50}
    assert len(live.texted) == 150


def test_a_sandbox_by_its_address_alone_proves_to_be_one(sandbox, customers, message, journal):
    client = ef.Client(sandbox.api_key, sandbox.secret_key, base_url=sandbox.url)
    sent(customers, message, client, journal=journal)
    assert client.is_sandbox
    assert journal.campaigns()["gateway"].tolist() == ["sandbox"]


def test_a_server_that_only_calls_itself_a_sandbox_is_the_live_gateway(script):
    script.says(b'{"Balance": 1, "CodeResponse": "100"}', headers="Server: esms-frames-sandbox/1\r\n")
    client = ef.Client("key", "secret", base_url=script.url)
    assert client.gateway == "live"
    assert not client.is_sandbox


def test_a_tunnel_that_takes_over_a_sandboxs_port_gets_not_a_byte_of_a_send(customers, message, journal):
    many = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(1_000_000, 1_000_600)]})
    port = own_port()
    sandbox = ef.Sandbox(port=port, balance=10**12).start()
    client = sandbox.client()
    taken_over = []

    def progress(said):
        if said.done and not taken_over:
            sandbox.stop()
            taken_over.append(
                LiveGateway(port=port, api_key=sandbox.api_key, secret_key=sandbox.secret_key).__enter__()
            )

    try:
        audience = ef.prepare(many, max_batch=59)
        results = ef.send(audience, message, client, journal=journal, progress=progress, rate=20, concurrency=1)
        [live] = taken_over
        assert not live.texted
        assert set(live.paths) == {"/MainService.svc/json/"}  # the question alone
    finally:
        for gateway in taken_over:
            gateway.__exit__()
    assert set(statuses(results)) == {"accepted", "not_sent"}
    assert results["reason"].str.contains("does not prove to be a sandbox").any()


def test_a_sandbox_that_takes_over_the_gateways_port_makes_nothing_certain(live, customers, message, journal):
    client = live.client()
    assert client.gateway == "live"
    live.__exit__()
    time.sleep(0.05)
    with ef.Sandbox(port=live.port, api_key=live.gateway.api_key, secret_key=live.gateway.secret_key):
        results = sent(customers, message, client, journal=journal, checks=False)
        live._port = 0
    live.__enter__()
    assert statuses(results) == {"unknown": 50}
    assert results["reason"].str.contains("A sandbox answered").all()


def test_a_sandboxs_client_sends_nothing_where_something_else_listens(live, message):
    client = live.client().expect_sandbox()
    with pytest.raises(ef.Unreachable, match="does not prove to be a sandbox"):
        client.send(message, FIFTY)
    assert not live.texted


def test_the_question_whether_it_is_a_sandbox_holds_no_key(script):
    heads = []
    script.answer = b""
    read = script._read
    script._read = lambda connection: heads.append(read(connection)) or heads[-1]
    assert not ef.Client("made-up-key", "made-up-secret", base_url=script.url).is_sandbox
    [head] = heads
    assert b"made-up" not in head


# A new key is not a new account


def test_a_rotated_key_goes_on_with_the_campaigns_of_its_account(live, customers, message, journal):
    sent(customers, message, live.client(), campaign="Tet", journal=journal)
    new = live.rotate()
    again = sent(customers, message, new, campaign="Tet", journal=journal)
    assert statuses(again) == {"already_sent": 50}
    assert sorted(live.texted) == FIFTY
    assert statuses(ef.results("Tet", journal=journal, client=new)) == {"accepted": 50}
    assert statuses(ef.resume("Tet", live.rotate(), journal=journal, progress=False)) == {"accepted": 50}
    assert ef.plan(customers, message, new, campaign="Tet", journal=journal).recipients == 0


def test_a_send_without_checks_asks_one_question_for_the_account_and_the_time(live, customers, message, journal):
    sent(customers, message, live.client(), campaign="one", journal=journal, checks=False)
    assert live.asked == 1
    client = live.client()
    sent(customers, message, client, campaign="two", journal=journal, checks=False)
    assert live.asked == 2  # whose the key is, the journal knows by now
    sent(customers, message, client, campaign="three", journal=journal, checks=False)
    assert live.asked == 2
    new = live.rotate()
    again = sent(customers, message, new, campaign="one", journal=journal, checks=False)
    assert live.asked == 3
    assert statuses(again) == {"already_sent": 50}


def test_another_account_begins_a_campaign_of_its_own(live, customers, message, journal):
    sent(customers, message, live.client(), campaign="Tet", journal=journal)
    with LiveGateway(user_id=8888) as other:
        assert statuses(sent(customers, message, other.client(), campaign="Tet", journal=journal)) == {"accepted": 50}
    with pytest.raises(ef.InvalidInput, match="Several accounts have a campaign 'Tet'"):
        ef.results("Tet", journal=journal)


@pytest.mark.parametrize("checks", [True, False])
def test_an_unknown_key_under_anothers_name_is_refused_where_the_gateway_tells_no_account(
    silent, customers, message, journal, checks
):
    old = silent.client()
    assert statuses(sent(customers, message, old, campaign="Tet", journal=journal)) == {"accepted": 50}
    assert statuses(sent(customers, message, old, campaign="Tet", journal=journal)) == {"already_sent": 50}
    new = silent.rotate()
    with pytest.raises(ef.InvalidInput, match=rf"same_account\('{old.account}', client\)") as caught:
        sent(customers, message, new, campaign="TET", journal=journal, checks=checks)
    assert "\n" not in str(caught.value)
    with pytest.raises(ef.InvalidInput, match="not known whether"):
        ef.resume("Tet", new, journal=journal, progress=False)
    with pytest.raises(ef.InvalidInput, match="not known whether"):
        ef.plan(customers, message, new, campaign="Tet", journal=journal)
    assert len(silent.texted) == 50
    assert statuses(sent(customers, message, new, campaign="other", journal=journal)) == {"accepted": 50}
    journal.same_account(old.account, new)
    assert statuses(sent(customers, message, new, campaign="Tet", journal=journal)) == {"already_sent": 50}
    assert len(silent.texted) == 100


def test_a_gateway_that_does_not_answer_tells_no_account(live, customers, message, journal):
    sent(customers, message, live.client(), campaign="Tet", journal=journal)
    new = live.rotate()
    live.__exit__()
    with pytest.raises(ef.InvalidInput, match="not known whether"):
        sent(customers, message, new, campaign="Tet", journal=journal, checks=False)
    lost = sent(customers, message, new, campaign="new", journal=journal, checks=False)
    assert statuses(lost) == {"not_sent": 50}
    live._port = live.port
    live.__enter__()
    assert statuses(ef.resume("new", new, journal=journal, progress=False)) == {"accepted": 50}
    assert len(set(journal.campaigns()["account"])) == 1


def test_a_key_whose_account_is_told_later_joins_it_with_what_it_sent(silent, customers, message, journal):
    client = silent.client()
    sent(customers, message, client, campaign="Tet", journal=journal)
    assert journal.campaigns()["account"].tolist() == [client.key_fingerprint]
    silent.tells = True
    assert statuses(sent(customers, message, silent.client(), campaign="Tet", journal=journal)) == {"already_sent": 50}
    new = silent.rotate()
    assert statuses(sent(customers, message, new, campaign="Tet", journal=journal)) == {"already_sent": 50}
    assert journal.campaigns()["account"].tolist() == [new.account]


def test_a_key_that_changes_its_account_is_refused(live, customers, message, journal):
    sent(customers, message, live.client(), campaign="Tet", journal=journal)
    live.user_id = 8888
    with pytest.raises(ef.InvalidInput, match="ask eSMS which it is"):
        sent(customers, message, live.client(), campaign="other", journal=journal)
    assert len(live.texted) == 50


def test_accounts_that_the_gateway_tells_apart_are_not_made_one(live, customers, message, journal):
    sent(customers, message, live.client(), campaign="Tet", journal=journal)
    [account] = journal.campaigns()["account"]
    with LiveGateway(user_id=8888) as other:
        sent(customers, message, other.client(), campaign="other", journal=journal)
        with pytest.raises(ef.InvalidInput, match="two accounts"):
            journal.same_account(account, other.client())
    with pytest.raises(ef.InvalidInput, match="no campaign of a live account"):
        journal.same_account("nobody", live.client())


def test_the_journal_holds_neither_key_nor_user_id(live, customers, message, journal, address, monkeypatch):
    live.user_id = 123456789012
    sent(customers, message, live.client(), campaign="Tet", journal=journal)
    found = str(rows(address, "SELECT * FROM account_keys") + rows(address, "SELECT * FROM campaigns"))
    assert "123456789012" not in found
    assert live.gateway.api_key not in found


def test_each_sandbox_is_an_account_of_its_own_and_the_same_with_its_state(tmp_path, customers, message, journal):
    with ef.Sandbox(state=tmp_path / "state") as first, ef.Sandbox() as second:
        one, other = first.client(), second.client()
        assert statuses(sent(customers, message, one, campaign="Tet", journal=journal)) == {"accepted": 50}
        assert statuses(sent(customers, message, other, campaign="Tet", journal=journal)) == {"accepted": 50}
    with ef.Sandbox(state=tmp_path / "state") as first:
        again = first.client()
        assert statuses(sent(customers, message, again, campaign="Tet", journal=journal)) == {"already_sent": 50}
        again.balance()
    assert one.account == again.account != other.account


def test_a_sandbox_that_is_down_and_up_again_is_the_same_account(customers, message, journal):
    sandbox = ef.Sandbox().start()
    client = sandbox.client()
    sandbox.stop()
    assert statuses(sent(customers, message, client, campaign="Tet", journal=journal, checks=False)) == {"not_sent": 50}
    with sandbox:
        results = ef.resume("Tet", sandbox.client(), journal=journal, progress=False)
    assert statuses(results) == {"accepted": 50}


# Names


LIKE = ["TẾT 2030", "Tết\u00a02030", "Tết  ２０３０ ", "T\u200bết 2030", "\ufeffTết 2030", "Tê\u00ad\u0301t 2030"]


@pytest.mark.parametrize("name", heavy_after(3, LIKE))
def test_a_name_that_looks_like_another_is_the_same_campaign(name, client, sandbox, customers, message, journal):
    sent(customers, message, client, campaign="Tết 2030", journal=journal)
    again = sent(customers, message, client, campaign=name, journal=journal)
    assert statuses(again) == {"already_sent": 50}
    assert len(sandbox.sent) == 50
    assert journal.campaigns()["campaign"].tolist() == ["Tết 2030"]
    assert statuses(ef.results(name, journal=journal)) == {"accepted": 50}
    assert statuses(ef.resume(name, client, journal=journal, progress=False)) == {"accepted": 50}


@pytest.mark.parametrize(
    "text",
    ["Cam on quy khach da mua hang! ", "Cam on\u00a0quy khach da mua hang!", "\u200bCam on quy khach da mua\r\nhang!"],
)
def test_blanks_and_what_shows_nothing_make_no_other_campaign_of_a_text(text, client, sandbox, customers, message):
    sent(customers, message, client)
    again = sent(customers, ef.Message(text, "Baotrixemay"), client)
    assert statuses(again) == {"already_sent": 50}
    assert len(sandbox.sent) == 50


def test_the_gateways_records_are_known_by_a_name_that_was_written_in_another_way():
    from esms_frames.campaigns.sending import reconcile

    assert reconcile.campaign_key("TẾT\u00a02030") == reconcile.campaign_key("Tết 2030")


def test_a_name_that_shows_nothing_is_none(client, customers, message):
    with pytest.raises(ef.InvalidInput, match="campaign is"):
        sent(customers, message, client, campaign="\u200b \ufeff")


def test_connections_from_before_the_proof_are_not_used_for_what_a_sandbox_is_sent(sandbox):
    client = ef.Client(sandbox.api_key, sandbox.secret_key, base_url=sandbox.url)
    client.balance()
    assert client.is_sandbox
    pools = client._transport._adapter().poolmanager.pools
    assert len(pools) == 0
