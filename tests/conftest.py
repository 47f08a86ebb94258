from __future__ import annotations

import os
import runpy
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from support.customers import FIFTY
from support.programs import needs_postgres
from support.raw_server import Script

import esms_frames as ef
from esms_frames.base import clock

pytest_plugins = ["support.surroundings"]  # fixtures for the examples in esms_frames/ as well

# A busy machine breaks no law. CI draws the same examples each time, so that a change is judged by what it changes;
# elsewhere they are new each time. The essential suite draws few; `--hypothesis-profile=usual` is for the run of all laws
# beside the heavy tests, and `thorough` draws many.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_usual = settings(_unhurried, derandomize=os.environ.get("CI") == "true")
settings.register_profile("usual", _usual)
settings.register_profile("few", _usual, max_examples=20)
settings.register_profile("thorough", _unhurried, max_examples=3000)
settings.load_profile("few")


MANY_PROCESSES = ("browser", "test_notebooks.py", "soak")
"""The tests that start browsers, servers and kernels, or kill processes: of these, one runs at a time."""

SLOW = (*MANY_PROCESSES, "benchmarks", "test_team.py", "test_packaging.py")
"""Where the slow tests stand; besides, all that need PostgreSQL are slow, and those that are marked so themselves."""


collect_ignore_glob = [
    "support/*",
    "benchmarks/bench_*.py",
    "benchmarks/measuring.py",
    "benchmarks/row_by_row.py",
    "*/screenshots.py",
]
"""What holds no tests, and no examples that could be collected as such."""


def pytest_configure():
    """Speak English, and compile the catalogues of translations that were edited since the package was installed."""
    os.environ.pop("ESMS_LANG", None)  # what the tests read is English
    root = Path(__file__).parents[1]
    if find_spec("hatchling") and find_spec("babel"):
        runpy.run_path(str(root / "hatch_build.py"))["compile_catalogues"](root)


def pytest_collection_modifyitems(config, items):
    for item in items:
        parts = item.nodeid.partition("::")[0].split("/")
        if any(name in parts for name in SLOW) or "postgresql" in item.name:
            item.add_marker(pytest.mark.slow)
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.law)
        if config.pluginmanager.hasplugin("xdist") and any(name in parts for name in MANY_PROCESSES):
            item.add_marker(pytest.mark.xdist_group("many processes"))


def pytest_generate_tests(metafunc):
    """Run a module that is marked both_journals with a journal in SQLite, and again with one in PostgreSQL."""
    both, one = map(metafunc.definition.get_closest_marker, ("both_journals", "sqlite"))
    if both and not one:
        metafunc.parametrize("kind", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def address(kind, tmp_path):
    """Where a journal can be made: a path, or the URL of an empty database."""
    return needs_postgres().address() if kind == "postgresql" else str(tmp_path / "journal.sqlite")


@pytest.fixture
def another_address(kind, tmp_path):
    """Where another journal can be made."""
    return needs_postgres().address() if kind == "postgresql" else str(tmp_path / "another.sqlite")


@pytest.fixture
def journal(address):
    """An open journal."""
    book = ef.Journal(address)
    yield book
    book.close()


@pytest.fixture
def sandbox(request):
    """A sandbox; the options that a module's tests want are its SANDBOX."""
    options = {"balance": 10**12} | getattr(request.module, "SANDBOX", {})
    with ef.Sandbox(**options) as running:
        yield running


@pytest.fixture
def client(sandbox):
    with sandbox.client() as connected:
        yield connected


@pytest.fixture
def message():
    return ef.Message("Cam on quy khach da mua hang!", "Baotrixemay")


@pytest.fixture
def customers():
    """Fifty customers, all of whom can be texted."""
    return pd.DataFrame({"ten": [f"Khách {n}" for n in range(50)], "sdt": FIFTY})


@pytest.fixture
def results(client, message, customers):
    """Two batches, with a row that is no number and one that is a duplicate."""
    phones = [f"09{n:08d}" for n in range(1_000_000, 1_000_070)]
    df = pd.DataFrame({"sdt": [*phones, "n/a", phones[0]]}, index=[f"k{n % 9}" for n in range(72)])
    return ef.send(ef.prepare(df, max_batch=59), message, client, progress=False)


@pytest.fixture
def track(client):
    def ask(results, asked=client, **options):
        return ef.track(results, asked, progress=False, rate=None, **options)

    return ask


@pytest.fixture
def at(monkeypatch):
    """Set the clock: ``at("2030-01-31 08:00")``, Vietnam time."""

    def set_clock(text: str) -> datetime:
        moment = datetime.fromisoformat(text).replace(tzinfo=clock.VIETNAM)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    return set_clock


@pytest.fixture
def script():
    server = Script()
    yield server
    server.close()
