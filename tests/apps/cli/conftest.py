"""The fixtures of the command line: what runs a command, a file of customers, and a gateway."""

from __future__ import annotations

import pandas as pd
import pytest
from support.command_line import run  # noqa: F401 - a fixture of this folder's tests
from support.customers import FIFTY

import esms_frames as ef


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
