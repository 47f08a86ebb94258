"""Results are printed and written, and never lost once all is sent."""

from __future__ import annotations

import re
from pathlib import Path

from support.command_line import TEXT

import esms_frames as ef
from esms_frames.apps.cli import outcomes


def test_results_that_cannot_be_written_once_all_is_sent_are_kept_elsewhere(run, live, file, tmp_path, monkeypatch):
    real = outcomes.write_results

    def failing(table, path):
        if Path(path).name == "out.csv":
            raise ef.InvalidFile("out.csv can't be written (No space left on device).")
        return real(table, path)

    monkeypatch.setattr(outcomes, "write_results", failing)
    done = run("send", file, *TEXT, "--yes", "--output", "out.csv")
    assert done.exit_code == 0
    assert "No space left" in done.output
    spare = re.search(r"rows are in (\S+results\.csv)\.", done.output)[1]
    assert (ef.read_customers(spare)["status"] == "accepted").sum() == 50
