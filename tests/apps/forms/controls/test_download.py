"""Handing a frame out of a notebook: a link that holds it, or a file."""

from __future__ import annotations

import base64
import re
import subprocess
import sys

import pandas as pd
import pytest

from esms_frames import InvalidFile
from esms_frames.apps.forms.controls import download
from esms_frames.apps.forms.controls.download import offer_csv
from esms_frames.reporting.files import csv_bytes, write_results

FRAME = pd.DataFrame({"phone": ["0901888410", None], "reason": ["từ chối", "a;\n<b>"]}, index=["x", "y"])


def test_a_link_holds_the_bytes_that_a_file_would(tmp_path):
    offered = offer_csv(FRAME, "results", folder=tmp_path)
    data = re.search(r'href="data:text/csv;charset=utf-8;base64,([^"]*)"', offered.link("Tải <về>"))[1]
    written = write_results(FRAME, tmp_path / "file.csv").read_bytes()
    assert base64.b64decode(data) == written
    assert offered.size == len(written)
    assert offered.rows == 2
    assert offered.path is None


def test_its_text_and_name_are_escaped():
    link = offer_csv(FRAME, 'a"b').link("Tải <về>")
    assert "Tải &lt;về&gt;</a>" in link
    assert 'download="a&quot;b-' in link


def test_its_name_says_when_it_was_made_in_vietnam(at):
    at("2030-01-31 08:05:09")
    assert re.fullmatch(r"results-20300131-080509-[0-9a-f]{8}\.csv", offer_csv(FRAME, "results").name)


@pytest.mark.parametrize("limit", ["LINKED_BYTES", "_LINKED_ROWS"])
def test_what_is_too_large_for_a_link_is_written_into_the_folder(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(download, limit, 1)
    monkeypatch.chdir(tmp_path)
    offered = offer_csv(FRAME, "results")
    assert offered.path.parent.parent == tmp_path
    assert offered.path.read_bytes() == csv_bytes(FRAME)
    assert offered.size == offered.path.stat().st_size


def test_a_folder_that_can_not_be_written_to_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LINKED_BYTES", 1)
    with pytest.raises(InvalidFile, match="not there"):
        offer_csv(FRAME, "results", folder=tmp_path / "missing")


def test_the_phones_are_in_no_repr():
    assert "0901888410" not in repr(offer_csv(FRAME, "results"))


def test_two_visitors_in_the_same_second_get_files_of_their_own(tmp_path, monkeypatch, at):
    at("2030-01-31 08:05:09")
    monkeypatch.setattr(download, "LINKED_BYTES", 1)
    monkeypatch.chdir(tmp_path)
    a, b = offer_csv(FRAME, "results"), offer_csv(FRAME.head(1), "results")
    assert a.path != b.path
    assert (len(a.path.read_bytes()), len(b.path.read_bytes())) == (a.size, b.size)


@pytest.mark.heavy
def test_another_process_has_a_folder_of_its_own(tmp_path):
    code = (
        "import pandas as pd; from esms_frames.apps.forms.controls import download; download.LINKED_BYTES = 1; "
        "print(download.offer_csv(pd.DataFrame({'a': [1]}), 'r').path.parent)"
    )
    run = [sys.executable, "-c", code]
    folders = {subprocess.run(run, cwd=tmp_path, capture_output=True, check=True, text=True).stdout for _ in range(2)}
    assert len(folders) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
def test_what_is_written_for_a_visitor_is_for_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LINKED_BYTES", 1)
    monkeypatch.chdir(tmp_path)
    path = offer_csv(FRAME, "results").path
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_download_runs_no_formula():
    offered = offer_csv(pd.DataFrame({"=1": ["=HYPERLINK(1)"]}), "results")
    assert offered.content.decode("utf-8-sig").splitlines() == ["'=1", "'=HYPERLINK(1)"]
