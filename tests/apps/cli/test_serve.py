"""`esms-frames callbacks`, as an operator meets it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest
import requests
from click.testing import CliRunner
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.apps.cli.main import main
from esms_frames.base import clock
from esms_frames.journal.callbacks import Received
from esms_frames.reporting.callbacks import Callback

PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from esms_frames.apps.cli.main import main; main()"
)


def test_it_says_what_to_do_and_what_it_has_counted_and_track_needs_no_keys_then(tmp_path, client, customers):
    """The receiver in a process of its own, before the journal is there; then send, callbacks, Ctrl-C and track."""
    path = tmp_path / "journal.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "callbacks", "--journal", path, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = "".join(process.stdout.readline() for _ in range(5))
    url = re.search(r'callback_url="(.*/\{token\})"', said)[1]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\{token\}", url)
    assert "Ctrl-C" in said
    message = ef.Message("Chao", "Baotrixemay", callback_url=url)
    results = ef.send(customers, message, client, campaign="Tet", journal=path, progress=False)
    journal = ef.Journal(path)
    token = journal._batches.callback_token(journal._batches.scope("Tet", client.gateway, client.account))
    sms_id = results["sms_id"].iloc[0]
    for phone in FIFTY:
        fields = {"SMSID": sms_id, "SendStatus": 5, "SendSuccess": 1, "TotalReceiver": 1, "phonenumber": phone}
        assert requests.get(url.replace("{token}", token), params=fields, timeout=5).status_code == 200
    assert requests.get(url.replace("{token}", "x" * 32), timeout=5).status_code == 404
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert re.search(r"Stopped\. Answered: \d+ with 200, 1 with 404; commits: \d+\.", out)
    assert err == ""
    assert token not in said + out + err
    assert journal.callbacks("Tet").attrs["calls"] >= 50
    journal.close()
    assert set(ef.track(results, journal=path, progress=False)["delivery"]) == {"delivered"}


@pytest.fixture
def sandbox():
    with ef.Sandbox(callbacks=False) as running:
        yield running


def test_a_file_is_sent_with_an_address_and_tracked_by_what_came_to_it(
    tmp_path, client, customers, sandbox, monkeypatch
):
    """All by the command line; the gateway is asked nothing, for all that it took has arrived."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"API_KEY": sandbox.api_key, "SECRET_KEY": sandbox.secret_key, "BASE_URL": sandbox.url}.items():
        monkeypatch.setenv(f"ESMS_{name}", value)
    customers.to_csv("customers.csv", index=False)
    text = ["--content", "Chao", "--brandname", "Baotrixemay", "--campaign", "Tet"]
    sent = CliRunner().invoke(main, ["send", "customers.csv", *text, "--callback-url", "http://127.0.0.1:9/{token}"])
    assert sent.exit_code == 0, sent.output
    (send,) = sandbox._gateway.sends.values()
    with closing(ef.Journal()) as journal:
        ((token, campaign_id),) = journal._batches.callback_tokens().items()
        assert send.callback_url == f"http://127.0.0.1:9/{token}"
        said = [Callback(send.sms_id, 5, phone=phone, delivered=1, recipients=1) for phone in FIFTY]
        journal._batches.record_callbacks([Received(campaign_id, one, clock.now()) for one in said])
    monkeypatch.setattr(ef.Client, "status", lambda *_a, **_k: pytest.fail("asked"))
    tracked = CliRunner().invoke(main, ["track", "Tet", "--output", "tracked.parquet"])
    assert tracked.exit_code == 0, tracked.output
    assert set(pd.read_parquet("tracked.parquet")["delivery"]) == {"delivered"}
    assert token not in sent.output + tracked.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--public-url", "hooks.example.vn"], "--public-url is no http or https address"),
        (["--public-url", "https://hooks.example.vn/{token}"], "--public-url is no http or https address"),
        (["--public-url", "https://hooks.example.vn/?a=1"], "--public-url is no http or https address"),
        (["--public-url", "https://[bad"], "--public-url is no http or https address"),
        (["--host", "no such host"], "can't be listened for on port 8645 of no such host"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(options, says):
    done = CliRunner().invoke(main, ["callbacks", *options])
    assert done.exit_code == 1
    assert says in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("options", "url", "warned"),
    [
        (["--public-url", "https://hooks.example.vn/esms/"], "https://hooks.example.vn/esms/{token}", False),
        (["--host", "0.0.0.0"], "http://0.0.0.0:", True),
        (["--host", "localhost"], "http://localhost:", False),
    ],
)
def test_it_warns_when_it_is_open_to_the_network(monkeypatch, options, url, warned):
    monkeypatch.setattr("waitress.server.BaseWSGIServer.run", lambda self: self.task_dispatcher.shutdown())
    done = CliRunner().invoke(main, ["callbacks", "--port", "0", *options])
    assert done.exit_code == 0, done.output
    assert f'callback_url="{url}' in done.output
    assert ("not encrypted" in done.output) == warned
    assert "Answered: nothing" in done.output
