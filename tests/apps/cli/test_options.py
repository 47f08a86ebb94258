"""Options that several commands have: which file is written, and which journal is read."""

from __future__ import annotations

import os
import sys

import pytest
from support.command_line import TEXT
from support.customers import FIFTY


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


@pytest.mark.skipif(sys.platform == "win32", reason="links are others there")
def test_a_planted_link_that_leads_nowhere_is_not_followed(run, file, tmp_path):
    (tmp_path / "results.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert run("send", file, *TEXT, "--sandbox").output.endswith("rows are in results-2.csv.\n")
    done = run("send", file, *TEXT, "--sandbox", "--output", "results.csv")
    assert "results.csv is there already" in done.output
    assert not (tmp_path / "elsewhere.csv").exists()


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
