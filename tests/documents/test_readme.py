"""What README says is true, in both languages: its examples run and show what they show, its commands exist."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

from esms_frames.apps.cli.main import main
from esms_frames.recipients.files.customer_files import SAMPLE

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
READMES = [README, ROOT / "README.vi.md"]
in_both_languages = pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)


def blocks(readme, language):
    return re.findall(rf"```{language}\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def in_a_folder_with_customers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLE, "customers.csv")


@in_both_languages
def test_the_examples_show_what_they_show(readme):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(readme), module_relative=False, optionflags=flags, encoding="utf-8")
    assert tried > 10
    assert failed == 0


@in_both_languages
def test_the_ten_lines_do_the_job(readme, in_a_folder_with_customers):
    (block,) = blocks(readme, "python")
    lines = [line for line in block.splitlines() if line.strip()]
    assert len(lines) <= 10
    names = {}
    exec(compile("\n".join(lines), "README", "exec"), names)
    assert len(names["results"]) == len(names["customers"]) == 1000


def test_the_commands_it_names_exist():
    named = set(re.findall(r"esms-frames ([a-z-]+)", README.read_text(encoding="utf-8")))
    assert named == set(main.commands)


@in_both_languages
def test_the_first_two_shell_commands_are_one_line_each(readme):
    assert [block.count("\n") for block in blocks(readme, "sh")[:2]] == [1, 1]
    assert "demo" in blocks(readme, "sh")[0]
    assert "pytest" in blocks(readme, "sh")[1]


def test_both_languages_have_the_same_commands():
    assert blocks(READMES[0], "sh") == blocks(READMES[1], "sh")
