"""The notebooks run from the first cell to the last, and show what they have stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))

# Tables look otherwise in pandas 2 (dtypes, missing values), so outputs are compared where the latest pandas is, which
# is the first environment of .ci/run; with pandas 2 the same cells must run without an error.
COMPARED = int(pd.__version__.split(".")[0]) >= 3


def run(notebook, *, compared=True):
    """Run a notebook by nbval, in a kernel of this very environment.

    Of a figure, nbval compares what it is (its size, its axes) and leaves the image out: pixels differ with the fonts and
    the version of matplotlib. The tables beside it are compared to the last digit.
    """
    if find_spec("ipykernel") is None and os.environ.get("CI") != "true":
        pytest.skip("needs ipykernel")
    options = [
        *("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--rootdir", str(notebook.parent)),
        *("-c", os.devnull, "--nbval" if compared else "--nbval-lax", "--nbval-current-env"),
        *("--nbval-sanitize-with", str(Path(__file__).with_name("nbval_sanitize.cfg")), "--nbval-cell-timeout", "300"),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    command = [sys.executable, "-m", "pytest", *options, str(notebook)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_it_has_stored(notebook):
    ended = run(notebook, compared=COMPARED)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]


def test_a_wrong_output_is_found(tmp_path):
    wrong = tmp_path / "wrong.ipynb"
    output = {"output_type": "stream", "name": "stdout", "text": "4\n"}
    cell = {"cell_type": "code", "id": "a", "execution_count": 1, "metadata": {}, "source": "print(2 + 3)"}
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{**cell, "outputs": [output]}]}
    wrong.write_text(json.dumps(document), encoding="utf-8")
    assert "Cell outputs differ" in run(wrong).stdout
    output["text"] = "5\n"
    wrong.write_text(json.dumps(document), encoding="utf-8")
    assert run(wrong).returncode == 0


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_is_a_whole_run_and_nothing_of_the_machine(notebook):
    text = notebook.read_text(encoding="utf-8")
    document = json.loads(text)
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(cell["metadata"] for cell in document["cells"])
    assert set(document["metadata"]) == {"kernelspec", "language_info"}
    assert not {output["output_type"] for cell in cells for output in cell["outputs"]} & {"error"}
    for trace in ("/home/", "/tmp/", "/root/", "C:\\\\", "stderr", "application/vnd.jupyter.widget"):
        assert trace not in text


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_on_the_sandbox_with_a_journal_of_its_own(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["cell_type"] == "markdown"
    assert "live" in "".join(cells[0]["source"])
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert "# live: " in code[0]
    if any("Sandbox(" in source for source in code):
        assert 'os.environ["ESMS_JOURNAL"] = os.path.join(folder.name, ' in code[0]


def test_a_cell_that_is_not_compared_says_why():
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if "NBVAL" in source:
                assert source.startswith("# NBVAL_IGNORE_OUTPUT - "), notebook.name
