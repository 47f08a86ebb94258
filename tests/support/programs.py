"""The programs that some tests need."""

from __future__ import annotations

import os
import shutil

import pytest
from support import postgres_server


def needs(program: str) -> str:
    """Give the path of a program; skip the test on a laptop without it, and fail it in CI."""
    found = shutil.which(program)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{program} is missing: .ci/run must install it")
    return found or pytest.skip(f"needs {program}")


def needs_postgres():
    """Give a running PostgreSQL server; skip the test on a laptop without it, and fail it in CI."""
    if postgres_server.binaries() is None and os.environ.get("CI") == "true":
        pytest.fail("PostgreSQL is missing: .ci/run must install it")
    return postgres_server.server() or pytest.skip("needs PostgreSQL")
