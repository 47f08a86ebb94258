"""The commands about campaigns, as a person at a terminal meets them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
from support.command_line import PROGRAM, TEXT
from support.customers import FIFTY
from support.sandbox_truth import altered

import esms_frames as ef


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


def test_one_number_can_be_texted_for_a_test(run, tmp_path):
    (tmp_path / "me.csv").write_text("sdt\n0901888484\n")
    assert "--min-batch" not in run("send", "me.csv", *TEXT, "--sandbox", "--min-batch", "1").output
    assert run("send", "me.csv", *TEXT, "--sandbox").exit_code == 1


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


def test_another_text_under_the_same_name_is_told_with_the_count(run, live, file):
    run("send", file, *TEXT, "--campaign", "Tết", "--yes")
    other = ["--content", "Cam on quy khach da mua hang lan nua!", *TEXT[2:]]
    again = run("send", file, *other, "--campaign", "Tết", "--yes", "--output", "again.csv")
    assert "Warning: 50 rows were sent by the campaign with another text" in again.output
    assert "already_sent: Sent by another run, on" in again.output


def test_what_a_network_cost_is_not_made_up_and_the_sum_is_told(run, live, file, monkeypatch):
    pd.DataFrame({"sdt": [*FIFTY, *(f"098{n:07d}" for n in range(40))]}).to_csv(file, index=False)
    run("send", file, *TEXT, "--campaign", "Tết", "--yes")
    altered(monkeypatch, live, "status", lambda said: said.update(TotalPrice=41_999.75))
    told = run("track", "Tết", "--output", "tracked.csv").output
    assert "42,500" not in told
    assert "In all it cost 42,000 VND; the gateway does not say which network what." in told


def test_a_campaign_can_be_tracked(run, live, file, tmp_path, monkeypatch):
    live._gateway.outcomes = replace(live._gateway.outcomes, report_delay=0)
    run("send", file, *TEXT, "--campaign", "Tết", "--yes")
    done = run("track", "Tết", "--output", "tracked.csv")
    assert done.exit_code == 0
    assert re.search(r"MobiFone +50 +50 +\d+ +\d+ +0 +\d+\.\d% +42,500 ", done.output)
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


@pytest.mark.heavy
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


def test_wrong_keys_are_an_error_before_anything_is_sent(run, live, file, monkeypatch):
    monkeypatch.setenv("ESMS_API_KEY", "wrong")
    done = run("send", file, *TEXT, "--yes")
    assert done.exit_code == 1
    assert "101" in done.output
    assert live.sent.empty


def test_a_send_that_the_daily_cap_stopped_is_not_done(run, file, sandbox, monkeypatch, at):
    at("2030-01-31 09:00")
    for name, value in (("API_KEY", sandbox.api_key), ("SECRET_KEY", sandbox.secret_key), ("BASE_URL", sandbox.url)):
        monkeypatch.setenv(f"ESMS_{name}", value)
    offers = [
        ("send", file, "--brandname", "QC_ONLINE", "--type", "advertising", "--content", f"KM {n}") for n in range(4)
    ]
    assert [run(*offer, "--yes").exit_code for offer in offers] == [0, 0, 0, 3]
