"""A real PostgreSQL server for tests: in a temporary folder, on a free port, with schemas as cheap as files."""

from __future__ import annotations

import atexit
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url, text
from support.ports import own_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USER, PASSWORD = "colleague", "a made-up password"
_MEMORY = Path("/dev/shm")


def binaries() -> Path | None:
    """Find the folder of PostgreSQL's programs, which Debian keeps off the PATH."""
    there = shutil.which("initdb")
    if there:
        return Path(there).resolve().parent
    several = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return several[-1].parent if several else None


class Server:
    """One server; `address` gives the URL of an empty database."""

    def __init__(self, folder_of_programs: Path) -> None:
        self._programs = folder_of_programs
        # In memory where there is some, for then fsync, which the journal asks for, costs nothing.
        fits = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 2**30
        self.folder = Path(tempfile.mkdtemp(prefix="esms-pg-", dir=_MEMORY if fits else None))
        self._as = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # which PostgreSQL refuses to run as
            nobody = import_module("pwd").getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            shutil.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.port = own_port()
        word = self.folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        self.data = self.folder / "data"
        atexit.register(self.remove)
        self._run("initdb", "-D", self.data, "-U", USER, "--pwfile", word, "-A", "scram-sha-256", "-E", "UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip
        self.start()
        self._names = count()

    def _run(self, program, *arguments, **options):
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False, **self._as, **options,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self, **settings) -> None:
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "max_connections": 200}
        given = " ".join(f"-c {name}={value}" for name, value in (options | settings).items())
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "log", "-o", f"-p {self.port} {given}")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; "immediate" is as a power cut: what was not committed is gone, and connections break."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", self.data)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop all its processes as they are: it hangs, and its connections stay open."""
        several = [int((self.data / "postmaster.pid").read_text().split()[0])]
        several += [pid for (pid,) in self.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
        self._tell(several, signal.SIGSTOP)
        try:
            yield
        finally:
            self._tell(reversed(several), signal.SIGCONT)

    @staticmethod
    def _tell(processes: Iterable[int], what: signal.Signals) -> None:
        for process in processes:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(process, what)

    def remove(self) -> None:
        subprocess.run(
            [str(self._programs / "pg_ctl"), "stop", "-m", "immediate", "-D", str(self.data)],
            cwd="/", capture_output=True, check=False, **self._as,
        )  # fmt: skip
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, *, port: int | None = None, schema: str = "", user: str = USER, word: str = PASSWORD) -> str:
        query = {"options": f"-csearch_path={schema}"} if schema else {}
        url = make_url("postgresql+psycopg://127.0.0.1/postgres")
        return url.set(username=user, password=word, port=port or self.port, query=query).render_as_string(
            hide_password=False
        )

    def address(self) -> str:
        """Give the URL of an empty schema, which is a database of its own for whoever opens it."""
        schema = f"journal_{next(self._names)}_{os.getpid()}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(schema=schema)

    def execute(self, statement: str) -> list:
        """Run a statement as whoever keeps the server."""
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                done = connection.execute(text(statement))
                return done.fetchall() if done.returns_rows else []
        finally:
            engine.dispose()


@cache
def server() -> Server | None:
    """Start the one server of a test session when it is first asked for; None where PostgreSQL is not installed."""
    there = binaries()
    return None if there is None else Server(there)


class Wire:
    """What is between a client and the server, on a port of its own; it can be cut at the moment of a commit."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.losses = 0
        self._cut = ""
        self._every, self._commits = 0, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, what: str) -> None:
        """Lose the next commit: the "request", the "answer", or the client is cut off and the request arrives "late".

        Or the server says nothing more after it, and the connection stays open: "silence".
        """
        self._cut = what

    def lose_every(self, n: int) -> None:
        """Lose every n-th commit, in all three ways by turns."""
        self._every = n

    def close(self) -> None:
        self._listener.close()

    def _is_lost(self) -> bool:
        self._commits += 1
        if self._every and self._commits % self._every == 0:
            self._cut = ("request", "answer", "late")[self.losses % 3]
        return bool(self._cut)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._server)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client and b"COMMIT\0" in data and self._is_lost():
                        self._lose(client, server, data)
                        return
                    (server if source is client else client).sendall(data)

    def _lose(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        what, self._cut = self._cut, ""
        self.losses += 1
        if what == "late":
            client.close()
            time.sleep(0.3)
        if what in {"answer", "late", "silence"}:
            server.sendall(data)
            server.recv(65536)
        if what == "silence":
            client.recv(65536)  # until the client hangs up
