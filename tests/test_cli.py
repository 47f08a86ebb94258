"""The command line, as a person at a terminal meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import FIFTY

import esms_frames as ef
from esms_frames import cli
from esms_frames.cli import main

# Shells start programs in the background deaf to Ctrl-C, and their children inherit that.
LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
PROGRAM = [sys.executable, "-c", LISTENING + "from esms_frames.cli import main; main()"]
TEXT = ["--content", "Cam on quy khach!", "--brandname", "Baotrixemay"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ESMS_API_KEY", "ESMS_SECRET_KEY", "ESMS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments, **options):
        return CliRunner().invoke(main, list(map(str, arguments)), **options)

    return invoke


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "customers.csv"
    pd.DataFrame({"ten": "Lan", "sdt": [*FIFTY, "024 3825 1234", FIFTY[0]]}).to_csv(path, index=False)
    return path


@pytest.fixture
def live(sandbox, monkeypatch):
    """Settings of a gateway that is not on this machine, as far as the command line can tell."""
    monkeypatch.setenv("ESMS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("ESMS_SECRET_KEY", sandbox.secret_key)
    monkeypatch.setenv("ESMS_BASE_URL", sandbox.url)
    monkeypatch.setattr(ef.Client, "is_sandbox", False)
    return sandbox


def test_the_demo_shows_the_whole_job_and_accounts_for_every_row(run, tmp_path):
    done = run("demo")
    assert done.exit_code == 0
    for words in ("1,000 made-up customers", "can be texted", "delivers nothing", "accepted", "duplicate", "landline"):
        assert words in done.output
    assert "esms-frames check" in done.output
    results = ef.read_customers(tmp_path / "results.csv")
    assert len(results) == 1000
    assert results["status"].notna().all()
    assert (results["reason"].isna() == (results["status"] == "accepted")).all()


def test_the_demo_gives_the_same_every_time(run):
    assert run("demo").output == run("demo", "--output", "results.csv", "--overwrite").output


def test_check_counts_and_writes_the_rejected_rows(run, file, tmp_path):
    done = run("check", file, "--rejected", "rejected.xlsx")
    assert done.exit_code == 0
    assert "50 of 52 rows can be texted" in done.output
    rejected = ef.read_customers(tmp_path / "rejected.xlsx")
    assert rejected["reason"].tolist() == ["landline", "same phone as an earlier row"]
    assert rejected["sdt"].tolist() == ["024 3825 1234", FIFTY[0]]


def test_check_reports_a_file_of_few_numbers_too(run, tmp_path):
    (tmp_path / "c.csv").write_text("sdt\n0901888484\nx\n")
    done = run("check", tmp_path / "c.csv")
    assert done.exit_code == 0
    assert "1 of 2 rows can be texted" in done.output


def test_exclude_takes_a_file(run, file, tmp_path):
    (tmp_path / "stop.csv").write_text("phone\n+84 901 888 410\n")
    assert "excluded" in run("check", file, "--exclude", tmp_path / "stop.csv").output


def test_two_phone_columns_are_told_apart_by_an_option_of_the_command(run, tmp_path):
    pd.DataFrame({"Điện thoại 1": FIFTY, "Điện thoại 2": FIFTY}).to_csv(tmp_path / "two.csv", index=False)
    done = run("check", tmp_path / "two.csv")
    assert done.exit_code == 1
    assert done.output.endswith("'Điện thoại 1', 'Điện thoại 2': name one with --phone COLUMN.\n")


def test_an_excluded_file_with_two_phone_columns_is_said_by_its_name(run, file, tmp_path):
    pd.DataFrame({"Điện thoại 1": FIFTY, "Điện thoại 2": FIFTY}).to_csv(tmp_path / "stop.csv", index=False)
    done = run("check", file, "--exclude", "stop.csv")
    assert done.exit_code == 1
    assert done.output.startswith(
        "Error: It is not clear which column of stop.csv holds the numbers to leave out (Điện "
    )
    assert "df[" not in done.output


def test_send_to_a_sandbox_needs_no_account_and_no_question(run, file, tmp_path):
    done = run("send", file, *TEXT, "--sandbox", "--output", "out.parquet")
    assert done.exit_code == 0
    for words in ("50 of 52 rows", "a sandbox: nothing is delivered", "1 part a message", "50  accepted"):
        assert words in done.output
    assert pd.read_parquet(tmp_path / "out.parquet")["status"].value_counts()["accepted"] == 50


def test_send_for_real_shows_what_it_does_and_asks_first(run, live, file):
    done = run("send", file, *TEXT, "--campaign", "Tết", input="n\n")
    assert done.exit_code == 1
    for words in ("Cam on quy khach!", "Baotrixemay", "Tết", live.url, "balance", "Text 50 people now? [y/N]"):
        assert words in done.output
    assert live.sent.empty
    assert run("send", file, *TEXT, input="").exit_code == 1
    assert live.sent.empty
    assert run("send", file, *TEXT, input="y\n").exit_code == 0
    assert len(live.sent) == 50


def test_a_sandbox_in_another_process_is_known_and_not_asked_about(run, sandbox, file, monkeypatch):
    monkeypatch.setenv("ESMS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("ESMS_SECRET_KEY", sandbox.secret_key)
    monkeypatch.setenv("ESMS_BASE_URL", sandbox.url)
    done = run("send", file, *TEXT)
    assert done.exit_code == 0
    assert "nothing is delivered" in done.output


def test_a_tunnel_on_this_machine_is_not_taken_for_a_sandbox(run, script, file, monkeypatch):
    monkeypatch.setenv("ESMS_API_KEY", "made-up")
    monkeypatch.setenv("ESMS_SECRET_KEY", "made-up")
    monkeypatch.setenv("ESMS_BASE_URL", script.url)
    script.says(b'{"Balance": 1, "CodeResponse": "100"}')
    done = run("send", file, *TEXT, input="n\n")
    assert "Text 50 people now?" in done.output
    assert b"CONTACTS" not in b"".join(script.requests)


def test_an_output_that_is_there_is_not_replaced_unless_asked(run, file, tmp_path):
    (tmp_path / "results.csv").write_text("precious")
    (tmp_path / "out.csv").write_text("precious")
    assert "results-2.csv" in run("demo").output
    refused = run("send", file, *TEXT, "--sandbox", "--output", "out.csv")
    assert refused.exit_code == 1
    assert "--overwrite" in refused.output
    itself = run("send", file, *TEXT, "--sandbox", "--output", "customers.csv", "--overwrite")
    assert itself.exit_code == 1
    assert "is the file that is read" in itself.output
    assert (tmp_path / "results.csv").read_text() == (tmp_path / "out.csv").read_text() == "precious"
    assert run("send", file, *TEXT, "--sandbox", "--output", "out.csv", "--overwrite").exit_code == 0


def test_a_folder_that_cannot_be_written_to_is_known_before_anything_is_sent(run, live, file, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **options: mode != os.W_OK and real(path, mode, **options))
    for output in ([], ["--output", "out.csv"]):
        refused = run("send", file, *TEXT, "--yes", *output)
        assert refused.exit_code == 1
        assert "can't be written to" in refused.output
    assert live.sent.empty


def test_results_that_cannot_be_written_once_all_is_sent_are_kept_elsewhere(run, live, file, tmp_path, monkeypatch):
    real = cli.write_results

    def failing(table, path):
        if Path(path).name == "out.csv":
            raise ef.InvalidFile("out.csv can't be written (No space left on device).")
        return real(table, path)

    monkeypatch.setattr(cli, "write_results", failing)
    done = run("send", file, *TEXT, "--yes", "--output", "out.csv")
    assert done.exit_code == 0
    assert "No space left" in done.output
    spare = re.search(r"rows are in (\S+results\.csv)\.", done.output)[1]
    assert (ef.read_customers(spare)["status"] == "accepted").sum() == 50


def test_one_number_can_be_texted_for_a_test(run, tmp_path):
    (tmp_path / "me.csv").write_text("sdt\n0901888484\n")
    assert "--min-batch" not in run("send", "me.csv", *TEXT, "--sandbox", "--min-batch", "1").output
    assert run("send", "me.csv", *TEXT, "--sandbox").exit_code == 1


def test_a_warning_is_one_line(run, tmp_path):
    (tmp_path / "c.csv").write_bytes("ten;sdt\nĐ\u0103\u0323ng;0901888484\n".encode("cp1258"))
    done = run("check", "c.csv")
    assert "Warning: c.csv is not UTF-8" in done.output
    assert "UserWarning" not in done.output


def test_a_campaign_can_be_resumed_and_its_results_had_again(run, live, file, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ef.Client, "send", lambda *_a, **_k: (_ for _ in ()).throw(ef.Unreachable("no way")))
        unsent = run("send", file, *TEXT, "--campaign", "Tết", "--yes")
    assert unsent.exit_code == 3
    assert "50  not_sent: no way" in unsent.output
    assert live.sent.empty
    listed = run("results").output
    assert "Tết" in listed
    assert live.api_key not in listed
    resumed = run("resume", "Tết")
    assert resumed.exit_code == 0
    assert "50  accepted" in resumed.output
    assert len(live.sent) == 50
    pd.read_csv(file, dtype=str).assign(status="old customer").to_csv(tmp_path / "old.csv", index=False)
    assert "50  accepted" in run("results", "Tết", "--customers", "old.csv").output
    again = run("results", "Tết", "--customers", file, "--output", "again.csv")
    assert again.exit_code == 0
    assert ef.read_customers(tmp_path / "again.csv")["status"].value_counts().to_dict() == {
        "accepted": 50, "invalid": 1, "duplicate": 1,
    }  # fmt: skip
    assert run("results", "nothing of the sort").exit_code == 1
    assert run("resume", "nothing of the sort").exit_code == 1


def test_a_campaign_can_be_tracked(run, live, file, tmp_path, monkeypatch):
    live._gateway.outcomes = replace(live._gateway.outcomes, report_delay=0)
    run("send", file, *TEXT, "--campaign", "Tết", "--yes")
    done = run("track", "Tết", "--output", "tracked.csv")
    assert done.exit_code == 0
    assert re.search(r"MobiFone +50 +50 +\d+ +\d+ +0 +\d+\.\d% +42500\.0000", done.output)
    assert "All 50 rows are in tracked.csv" in done.output
    tracked = ef.read_customers(tmp_path / "tracked.csv")
    assert set(tracked["delivery"]) <= {"delivered", "failed"}
    assert pd.to_numeric(tracked["price"]).sum() == 42_500
    done = run("track", "Tết", "--customers", file, "--until-settled", "--timeout", "5", "--output", "both.xlsx")
    assert done.exit_code == 0
    both = ef.read_customers(tmp_path / "both.xlsx")
    assert both["ten"].eq("Lan").all()
    assert both["delivery"].notna().sum() == 50
    assert run("track", "Tết", "--output", "both.xlsx").exit_code == 1
    assert run("track", "nothing of the sort").exit_code == 1


def test_a_log_of_callbacks_needs_no_keys(run, live, file, tmp_path, monkeypatch):
    run("send", file, *TEXT, "--campaign", "Tết", "--yes")
    query = "SendFailed=0&SendStatus=5&SendSuccess=1&TotalPrice=850&TotalReceiver=1&TotalSent=1&TypeId=2&telcoid=2"
    sms_id = live.sent["sms_id"].iloc[0]
    lines = [f'1 - - [-] "GET /?SMSID={sms_id}&phonenumber={phone}&{query} HTTP/1.1" 200 0' for phone in FIFTY]
    (tmp_path / "access.log").write_text("\n".join(lines))
    monkeypatch.delenv("ESMS_API_KEY")
    done = run("track", "Tết", "--callbacks", "access.log", "--output", "tracked.parquet")
    assert done.exit_code == 0
    assert set(pd.read_parquet(tmp_path / "tracked.parquet")["delivery"]) == {"delivered"}
    assert "ESMS_API_KEY is not set" in run("track", "Tết").output
    (tmp_path / "access.log").write_text("nothing")
    none = run("track", "Tết", "--callbacks", "access.log")
    assert none.exit_code == 1
    assert "holds no callback" in none.output


def test_an_interrupted_send_says_how_to_go_on(run, live, file, monkeypatch):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(ef.Client, "send", interrupt)
    done = run("send", file, *TEXT, "--campaign", "Tết 2027", "--yes")
    assert done.exit_code == 130
    assert "esms-frames resume 'Tết 2027'" in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_in_the_middle_leaves_nothing_uncertain_and_resume_finishes(run, tmp_path, monkeypatch):
    pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(60_000)]}).to_csv(tmp_path / "many.csv", index=False)
    with ef.Sandbox(latency=0.2, balance=10**12) as sandbox:
        monkeypatch.setenv("ESMS_API_KEY", sandbox.api_key)
        monkeypatch.setenv("ESMS_SECRET_KEY", sandbox.secret_key)
        monkeypatch.setenv("ESMS_BASE_URL", sandbox.url)
        command = [*PROGRAM, "send", "many.csv", *TEXT]
        with subprocess.Popen(
            [*command, "--campaign", "Tết"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as sender:
            try:
                while sandbox.sent.empty and sender.poll() is None:
                    time.sleep(0.05)
                sender.send_signal(signal.SIGINT)
                _, told = sender.communicate(timeout=60)
            finally:
                sender.kill()
        assert sender.returncode == 130, told
        assert "esms-frames resume Tết" in told.decode().replace("'", "")
        there = ef.results("Tết")["status"].value_counts()
        assert 0 < there["accepted"] == len(sandbox.sent) < 60_000
        assert there["unknown"] == 0
        assert run("resume", "Tết").exit_code == 0
        assert len(sandbox.sent) == 60_000
        assert sandbox.sent["phone"].is_unique


def test_yes_does_not_ask(run, live, file):
    done = run("send", file, *TEXT, "--yes")
    assert done.exit_code == 0
    assert "?" not in done.output
    assert len(live.sent) == 50


def test_no_key_is_shown(run, live, file):
    shown = run("send", file, *TEXT, "--yes").output
    assert live.api_key not in shown
    assert live.secret_key not in shown


def test_an_incomplete_send_has_its_own_exit_code(run, file, tmp_path):
    done = run("send", file, "--content", "Xin chao", "--brandname", "Nobody", "--sandbox", "--no-checks")
    assert done.exit_code == 3
    assert "104" in done.output
    assert set(ef.read_customers(tmp_path / "results.csv")["status"]) == {"refused", "invalid", "duplicate"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["send", "FILE", *TEXT], "ESMS_API_KEY and ESMS_SECRET_KEY are not set"),
        (["send", "FILE", "--content", "", "--brandname", "Shop", "--sandbox"], "content is empty"),
        (["send", "FILE", *TEXT, "--sandbox", "--send-at", "soon"], "send_at"),
        (["send", "FILE", *TEXT, "--sandbox", "--output", "out.doc"], "suffix"),
        (["send", "FILE", *TEXT, "--sandbox", "--campaign", "x" * 300], "254"),
        (["send", "FILE", *TEXT, "--sandbox", "--phone", "sdtt"], "'sdt'"),
        (["check", "FILE", "--phone", "nope"], "no column 'nope'"),
        (["check", "FILE", "--sheet", "x"], "no sheets"),
        (["check", "README.docx"], "does not exist"),
        (["demo", "--output", "no/such/results.csv"], "folder"),
        (["send", "FILE", *TEXT, "--sandbox", "--journal", "customers.csv"], "no journal"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_sent(run, file, arguments, says):
    done = run(*[file if argument == "FILE" else argument for argument in arguments])
    assert done.exit_code in {1, 2}
    assert says in done.output
    assert "Traceback" not in done.output
    assert not (file.parent / "results.csv").exists()


def test_wrong_keys_are_an_error_before_anything_is_sent(run, live, file, monkeypatch):
    monkeypatch.setenv("ESMS_API_KEY", "wrong")
    done = run("send", file, *TEXT, "--yes")
    assert done.exit_code == 1
    assert "101" in done.output
    assert live.sent.empty


@pytest.mark.parametrize("arguments", [["-h"], ["demo", "-h"], ["check", "-h"], ["send", "--help"], ["sandbox", "-h"]])
def test_every_command_has_help(run, arguments):
    assert run(*arguments).exit_code == 0


def test_the_version_is_told(run):
    assert re.search(r"\d+\.\d+", run("--version").output)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
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


def test_the_do_not_contact_list_is_kept_by_files_and_numbers(run, file, tmp_path):
    done = run("do-not-contact", "add", file, "+84 912 888 410", "--reason", "answered STOP")
    assert done.exit_code == 0, done.output
    assert "Put on the list: 51. On it now: 51." in done.output
    assert ef.Journal().do_not_contact.contains("0912888410")
    assert "Put on the list: 0." in run("do-not-contact", "add", FIFTY[0]).output
    shown = run("do-not-contact", "list").output
    assert "answered STOP" in shown
    assert FIFTY[0] in shown
    assert "On the list: 51." in shown
    assert "All 51 numbers" in run("do-not-contact", "list", "--output", "list.csv").output
    assert ef.read_customers(tmp_path / "list.csv")["phone"].tolist() == [*FIFTY, "0912888410"]
    assert "Taken off the list: 50. On it now: 1." in run("do-not-contact", "remove", tmp_path / "customers.csv").output


def test_the_do_not_contact_list_is_that_of_the_journal_named(run, tmp_path):
    run("do-not-contact", "add", FIFTY[0], "--journal", tmp_path / "other.sqlite")
    assert "On the list: 0." in run("do-not-contact", "list").output
    assert "On the list: 1." in run("do-not-contact", "list", "--journal", tmp_path / "other.sqlite").output


@pytest.mark.parametrize("command", [["do-not-contact", "add"], ["do-not-contact", "remove"], ["forget", "--yes"]])
@pytest.mark.parametrize(("what", "why"), [("090188", "too few digits"), ("stop.csv", "stop.csv")])
def test_numbers_that_can_t_be_read_are_an_error_of_one_sentence(run, command, what, why):
    done = run(*command, FIFTY[0], what)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert why in done.output
    assert FIFTY[0] not in done.output


def test_people_are_forgotten_once_that_is_confirmed(run, customers, message, client):
    ef.send(customers, message, client, campaign="Tet", progress=False)
    assert run("forget", FIFTY[0], input="n\n").exit_code == 1
    assert len(ef.results("Tet")) == 50
    done = run("forget", FIFTY[0], "+84 901 888 411", input="y\n")
    assert done.exit_code == 0
    assert "Tet" in done.output
    assert "erased from: 1." in done.output
    assert ef.results("Tet")["phone"].tolist() == FIFTY[2:]
    assert "erased from: 0." in run("forget", "--yes", FIFTY[0]).output


def test_old_campaigns_are_emptied_once_that_is_confirmed(run, customers, message, client, at):
    at("2030-01-01 12:00")
    ef.send(customers, message, client, campaign="Tet", progress=False)
    at("2030-03-01 12:00")
    assert run("prune", "--before", "2030-02-01", input="n\n").exit_code == 1
    assert len(ef.results("Tet")) == 50
    done = run("prune", "--before", "2030-02-01", input="y\n")
    assert done.exit_code == 0
    assert "Tet" in done.output
    assert "emptied: 1." in done.output
    assert len(ef.results("Tet")) == 0
    assert "emptied: 0." in run("prune", "--before", "2030-02-01", "--yes").output


def test_errors_name_options_and_no_arguments_of_python(run, tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("sdt\n0901888410\n", encoding="utf-8")
    done = run("send", file, "--content", "a", "--brandname", "b", "--sandbox")
    assert "lower --min-batch" in done.output


@pytest.mark.parametrize(
    "command",
    [
        ["forget", "--yes", FIFTY[0]],
        ["prune", "--yes", "--before", "2030-01-01"],
        ["do-not-contact", "remove", FIFTY[0]],
        ["do-not-contact", "list"],
        ["results"],
        ["resume", "Tet"],
        ["track", "Tet"],
    ],
)
def test_a_journal_that_is_not_there_is_no_empty_one(run, tmp_path, command):
    done = run(*command, "--journal", "jurnal.sqlite")
    assert done.exit_code == 1
    assert "There is no journal jurnal.sqlite" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_send_that_the_daily_cap_stopped_is_not_done(run, file, sandbox, monkeypatch, at):
    at("2030-01-31 09:00")
    for name, value in (("API_KEY", sandbox.api_key), ("SECRET_KEY", sandbox.secret_key), ("BASE_URL", sandbox.url)):
        monkeypatch.setenv(f"ESMS_{name}", value)
    offers = [
        ("send", file, "--brandname", "QC_ONLINE", "--type", "advertising", "--content", f"KM {n}") for n in range(4)
    ]
    assert [run(*offer, "--yes").exit_code for offer in offers] == [0, 0, 0, 3]
