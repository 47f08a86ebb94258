"""Run the command line as a user does."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from esms_frames.apps.cli.main import main

LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


PROGRAM = [sys.executable, "-c", LISTENING + "from esms_frames.apps.cli.main import main; main()"]

TEXT = ["--content", "Cam on quy khach!", "--brandname", "Baotrixemay"]
"""The text and the brandname of what the tests send."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ESMS_API_KEY", "ESMS_SECRET_KEY", "ESMS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments, **options):
        return CliRunner().invoke(main, list(map(str, arguments)), **options)

    return invoke
