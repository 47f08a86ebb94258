"""What README says is true: its examples run and show what they show, its commands exist."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

from esms_frames.cli import main
from esms_frames.files import SAMPLE

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def in_a_folder_with_customers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLE, "customers.csv")


def test_the_examples_show_what_they_show():
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(README), module_relative=False, optionflags=flags, encoding="utf-8")
    assert tried > 10
    assert failed == 0


def test_the_ten_lines_do_the_job(in_a_folder_with_customers):
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in block.splitlines() if line.strip()]
    assert len(lines) <= 10
    names = {}
    exec(compile("\n".join(lines), "README", "exec"), names)
    assert len(names["results"]) == len(names["customers"]) == 1000


def test_the_commands_it_names_exist():
    named = set(re.findall(r"esms-frames ([a-z-]+)", README.read_text(encoding="utf-8")))
    assert named == set(main.commands)


def test_the_first_two_shell_commands_are_one_line_each():
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert [block.count("\n") for block in blocks[:2]] == [1, 1]
    assert "demo" in blocks[0]
    assert "pytest" in blocks[1]
