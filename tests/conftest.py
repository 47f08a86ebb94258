from __future__ import annotations

import os
import shutil
import socket
import threading
from datetime import datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pandas as pd
import postgres_server
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

import esms_frames as ef
from esms_frames import asking, clock, database, delivery, schema

# A busy machine breaks no law. CI draws the same examples each time, so that a change is judged by what it changes;
# elsewhere they are new each time, and `--hypothesis-profile=thorough` draws many; `few` is for what was tested before.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_usual = settings(_unhurried, derandomize=os.environ.get("CI") == "true")
settings.register_profile("usual", _usual)
settings.register_profile("few", _usual, max_examples=20)
settings.register_profile("thorough", _unhurried, max_examples=3000)
settings.load_profile("usual")


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


ON_BOTH = (
    "test_journal test_ledger test_resume test_history test_do_not_contact test_erasure test_campaign "
    "test_callback_store"
).split()
"""The modules whose tests run with a journal in SQLite, and again with one in PostgreSQL."""


MANY_PROCESSES = ("browser", "test_notebooks.py", "test_soak.py")
"""The tests that start browsers, servers and kernels, or kill processes: of these, one runs at a time."""


def pytest_collection_modifyitems(config, items):
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if any(name in item.path.parts for name in MANY_PROCESSES):
                item.add_marker(pytest.mark.xdist_group("many processes"))


def pytest_generate_tests(metafunc):
    if metafunc.module.__name__ in ON_BOTH and not metafunc.definition.get_closest_marker("sqlite"):
        metafunc.parametrize("kind", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def kind(request):
    """What keeps the test's journals: sqlite or postgresql."""
    return getattr(request, "param", "sqlite")


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


def tables(address):
    """Open the tables of a journal as a person does with any SQL tool."""
    address = str(address)
    return sa.create_engine(address if "://" in address else f"sqlite:///{address}", poolclass=sa.NullPool)


def rows(address, query):
    """Read a journal's tables with SQL."""
    with tables(address).connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def change(address, *statements):
    """Change a journal's tables with SQL."""
    with tables(address).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def script_of_docs(name):
    """Load one of the scripts that write docs/."""
    spec = spec_from_file_location(name, Path(__file__).parents[1] / "docs" / f"{name}.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def sent(data, message, client, **options):
    """Send at once and quietly; the results."""
    return ef.send(data, message, client, **{"progress": False, "rate": None} | options)


FIFTY = [f"09018884{n}" for n in range(10, 60)]


def write_batch(
    journal, status, *, phones=FIFTY, size=None, campaign="Tet", whose=("rest.esms.vn", "a"), times=None, **values
):
    """Write a batch into the journal as a run left it; times are moments, and its id is what is given back."""
    scope = journal.scope(campaign, *whose)
    times = {"created_at": clock.now(), **(times or {})}
    with journal._database.begin() as connection:
        number = connection.execute(sa.select(sa.func.count()).select_from(schema.batches)).scalar_one()
        row = {
            "campaign_id": scope.id,
            "number": number,
            "request_id": f"id {number}",
            "status": status,
            "attempts": 1,
            "content": "Khuyen mai",
            "brandname": "QC_ONLINE",
            "sms_type": "advertising",
            "floor": 30,
            "size": len(phones) if size is None else size,
            "phones": " ".join(phones),
            **{name: schema.text_of(moment) for name, moment in times.items()},
            **values,
        }
        return connection.execute(sa.insert(schema.batches).values(row)).inserted_primary_key[0]


@pytest.fixture(autouse=True)
def _own_journal(kind, tmp_path_factory, monkeypatch):
    """Give each test a journal of its own, and never the user's."""
    file = tmp_path_factory.mktemp("journal") / "journal.sqlite"
    monkeypatch.setenv("ESMS_JOURNAL", needs_postgres().address() if kind == "postgresql" else str(file))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Try again at once instead of after seconds."""
    monkeypatch.setattr(delivery, "_WAIT_INITIAL", 0.0)
    monkeypatch.setattr(delivery, "_WAIT_MAX", 0.0)
    monkeypatch.setattr(delivery, "_WAIT_JITTER", 0.0)
    for name in ("_WAIT_INITIAL", "_WAIT_MAX", "_WAIT_JITTER", "_ROUND_FIRST", "_ROUND_MOST"):
        monkeypatch.setattr(asking, name, 0.0)
    monkeypatch.setattr(database, "_WAIT_MAX", 0.1)


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


class Script:
    """A raw HTTP server that does to each connection what it is told: bytes are sent back, callables get the socket."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer: bytes | object = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def says(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        self.answer = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n".encode() + body
        )

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(self._read(connection))
                if isinstance(self.answer, bytes):
                    connection.sendall(self.answer)
                else:
                    self.answer(connection)

    @staticmethod
    def _read(connection) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


@pytest.fixture
def script():
    server = Script()
    yield server
    server.close()
