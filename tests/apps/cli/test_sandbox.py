"""`esms-frames sandbox`: a gateway for clients in any language, with the settings of `Sandbox`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest
import requests
from support.command_line import PROGRAM
from support.customers import FIFTY

import esms_frames as ef

KEYS = {"ESMS_SANDBOX_API_KEY": "my-key", "ESMS_SANDBOX_SECRET_KEY": "my-secret"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")


@contextmanager
def listening(*arguments, **environment):
    """Run the command; the settings that it shows, and its process. It ends by Ctrl-C, and well."""
    command = [*PROGRAM, "sandbox", *map(str, arguments)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ESMS_")}
    env |= {"PYTHONUNBUFFERED": "1"} | environment
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as server:
        settings = {}
        try:
            while len(settings) < 3:
                line = server.stdout.readline()
                assert line, server.stderr.read()
                if found := re.match(r"(?:export|set) (\w+)=(\S+)", line):
                    settings[found[1]] = found[2]
            yield settings, server
            server.send_signal(signal.SIGINT)
            assert "Stopped" in server.communicate(timeout=30)[0]
            assert server.returncode == 0
        finally:
            server.kill()


def client_of(settings, *keys):
    return ef.Client(
        *(keys or (settings["ESMS_API_KEY"], settings["ESMS_SECRET_KEY"])), base_url=settings["ESMS_BASE_URL"]
    )


def one_number(settings, content="Xin chao", brandname="Baotrixemay"):
    """Post the vendor's sample with a single number; the answer's code."""
    body = (
        f"<RQST><APIKEY>{settings['ESMS_API_KEY']}</APIKEY><SECRETKEY>{settings['ESMS_SECRET_KEY']}</SECRETKEY>"
        f"<CONTENT>{content}</CONTENT><SMSTYPE>2</SMSTYPE><BRANDNAME>{brandname}</BRANDNAME>"
        f"<CONTACTS><CUSTOMER><PHONE>{FIFTY[0]}</PHONE></CUSTOMER></CONTACTS></RQST>"
    )
    return requests.post(settings["ESMS_BASE_URL"] + "SendMultipleMessage_V4/", data=body, timeout=10).json()[
        "CodeResult"
    ]


def test_keys_come_from_the_environment_and_are_in_no_process_list_and_on_no_screen():
    with listening(**KEYS) as (settings, server):
        assert settings["ESMS_API_KEY"] == '"$ESMS_SANDBOX_API_KEY"'
        assert settings["ESMS_SECRET_KEY"] == '"$ESMS_SANDBOX_SECRET_KEY"'
        assert client_of(settings, "my-key", "my-secret").balance() == 100_000_000
        assert not [word for word in psutil.Process(server.pid).cmdline() if "my-" in word]


@pytest.mark.slow
def test_the_keys_of_a_live_account_are_not_taken_for_a_sandboxs():
    with listening(ESMS_API_KEY="live", ESMS_SECRET_KEY="live") as (settings, _):
        assert settings["ESMS_API_KEY"] != "live"


@pytest.mark.heavy
def test_two_starts_with_a_state_are_one_account(tmp_path, message):
    with listening("--state", tmp_path / "state.jsonl", "--balance", 12_345_678) as (first, _):
        client_of(first).send(message, FIFTY, request_id="r-1")
    with listening("--state", tmp_path / "state.jsonl", "--balance", 12_345_678) as (second, _):
        assert second["ESMS_API_KEY"] == first["ESMS_API_KEY"]
        assert client_of(second).balance() == 12_345_678 - 50 * 850
        with pytest.raises(ef.Refused, match="124"):
            client_of(second).send(message, FIFTY, request_id="r-1")


@pytest.mark.heavy
def test_the_vendors_one_number_sample_passes_where_the_floor_is_lowered():
    with listening() as (settings, _):
        assert one_number(settings) == "107"
    with listening("--customer-care-floor", 1) as (settings, _):
        assert one_number(settings) == "100"


@pytest.mark.heavy
def test_names_and_templates_are_registered():
    names = [
        "--brandname",
        "Shop",
        "--brandname",
        "Shop=advertising",
        "--brandname",
        "A=B",
        "--brandname",
        "QC=advertising",
    ]
    templates = ["--template", "Shop=Ma cua ban la {P1,4}", "--template", "Shop=a=b"]
    with listening(*names, *templates, "--customer-care-floor", 1) as (settings, _):
        listed = [(one.name, str(one.sms_type)) for one in client_of(settings).brandnames()]
        assert sorted(listed) == [
            ("A=B", "customer_care"), ("QC", "advertising"), ("Shop", "advertising"), ("Shop", "customer_care"),
        ]  # fmt: skip
        assert one_number(settings, "Ma cua ban la 1234", "Shop") == "100"
        assert one_number(settings, "a=b", "Shop") == "100"
        assert one_number(settings, "Xin chao", "Shop") == "146"
        assert one_number(settings, "Xin chao", "A=B") == "100"
        assert one_number(settings) == "104"


@pytest.mark.heavy
def test_disasters_and_limits_are_asked_for(message):
    odd = ["--blocked", FIFTY[0], "--keeps-refused-ids", "--latency", 0.1]
    with listening("--fault", "busy=1", *odd) as (settings, _), pytest.raises(ef.Refused, match="160"):
        client_of(settings).send(message, FIFTY)
    with listening("--requests-per-second", 1, "--same-text-pause", 300, "--seed", 3) as (settings, _):
        codes = {one_number(settings) for _ in range(20)}
        assert "160" in codes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "busy"], "--fault 'busy' holds no value"),
        (["--fault", "busy=often"], "no share"),
        (["--fault", "earthquake=0.1"], "choose from"),
        (["--template", "Shop"], "--template 'Shop' holds no value"),
        (["--template", "Shop=Xin chao"], "add --brandname 'Shop'"),
        (["--blocked", "12"], "no mobile number"),
    ],
)
def test_a_setting_that_is_none_is_one_sentence(run, arguments, words):
    done = run("sandbox", *arguments)
    assert done.exit_code == 1
    assert words in done.output
    assert done.output.count("\n") == 1


def test_the_sandbox_runs_until_ctrl_c_and_clients_find_it_by_its_settings():
    command = [*PROGRAM, "sandbox", "--balance", "12345"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as server:
        settings = {}
        try:
            while len(settings) < 3:
                line = server.stdout.readline()
                assert line, "the server ended"
                if found := re.match(r"(?:export|set) (\w+)=(\S+)", line):
                    settings[found[1]] = found[2]
            keys = settings["ESMS_API_KEY"], settings["ESMS_SECRET_KEY"]
            assert ef.Client(*keys, base_url=settings["ESMS_BASE_URL"]).balance() == 12345
            server.send_signal(signal.SIGINT)
            assert "Stopped; 0 messages" in server.communicate(timeout=30)[0]
        finally:
            server.kill()
        assert server.returncode == 0
