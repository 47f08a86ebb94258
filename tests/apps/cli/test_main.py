"""The command line as a whole: the demo, help, errors and warnings of one sentence."""

from __future__ import annotations

import re
import sys

import pandas as pd
import pytest
from support.command_line import TEXT
from support.customers import FIFTY

import esms_frames as ef


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


@pytest.mark.heavy
def test_the_demo_gives_the_same_every_time(run):
    assert run("demo").output == run("demo", "--output", "results.csv", "--overwrite").output


def test_a_warning_is_one_line(run, tmp_path):
    (tmp_path / "c.csv").write_bytes("ten;sdt\nĐ\u0103\u0323ng;0901888484\n".encode("cp1258"))
    done = run("check", "c.csv")
    assert "Warning: c.csv is not UTF-8" in done.output
    assert "UserWarning" not in done.output


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
        (["check", "README.docx"], "There is no file 'README.docx'"),
        (["check", "https://shop.vn/k.csv"], "https://shop.vn/k.csv is an address on the web"),
        (["send", "FILE", *TEXT, "--sandbox", "--output", "x" * 300 + ".csv"], "is no name for a file"),
        (["send", "FILE", *TEXT, "--sandbox", "--output", "a\nb.csv"], "is no name for a file"),
        (["do-not-contact", "add", "0" * 300], "1 entries"),
        (["do-not-contact", "list", "--journal", "j" * 300], "no journal"),
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


@pytest.mark.parametrize("arguments", [["-h"], ["demo", "-h"], ["check", "-h"], ["send", "--help"], ["sandbox", "-h"]])
def test_every_command_has_help(run, arguments):
    assert run(*arguments).exit_code == 0


def test_the_version_is_told(run):
    assert re.search(r"\d+\.\d+", run("--version").output)


def test_errors_name_options_and_no_arguments_of_python(run, tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("sdt\n0901888410\n", encoding="utf-8")
    done = run("send", file, "--content", "a", "--brandname", "b", "--sandbox")
    assert "lower --min-batch" in done.output


ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "BAD"],
        ["check", "BAD", "--phone", ESCAPE],
        ["check", "FILE", "--exclude", "BAD"],
        ["check", f"{ESCAPE}.csv"],
        ["check", "FILE", "--rejected", f"{ESCAPE}.csv"],
        ["send", "BAD", *TEXT, "--sandbox"],
        ["send", "BAD", "--content", f"a {ESCAPE}", "--brandname", "Shop", "--sandbox"],
        ["send", "BAD", *TEXT, "--sandbox", "--campaign", ESCAPE],
        ["results", ESCAPE],
        ["do-not-contact", "add", "BAD", "--reason", ESCAPE],
        ["do-not-contact", "list"],
    ],
    ids=lambda arguments: " ".join(arguments)[:20],
)
def test_nothing_in_a_name_or_a_cell_steers_the_terminal(run, file, tmp_path, arguments):
    bad = tmp_path / f"khach{ESCAPE}.csv"
    pd.DataFrame({f"ten{ESCAPE}": f"Lan{ESCAPE}", "sdt": [*FIFTY, ESCAPE]}).to_csv(bad, index=False)
    ef.Journal().do_not_contact.add(["0901888484"], reason=ESCAPE)
    done = run(*[{"FILE": file, "BAD": bad}.get(argument, argument) for argument in arguments])
    assert not {sign for sign in done.output if not sign.isprintable()} - {"\n"}
