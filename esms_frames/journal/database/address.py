"""Read where a journal is, once and for good, and keep the password that an address can hold out of sight."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import sqlalchemy as sa

from esms_frames.base.errors import InvalidInput, JournalError
from esms_frames.base.wording import Sentence, shown
from esms_frames.journal.database import postgres

_VARIABLE = "ESMS_JOURNAL"


class Address:
    """The URL of a journal as it was given, which may hold a password.

    It is no str, and has nothing but a method that returns it: tracebacks that show the values of names show this.
    """

    __slots__ = ("_given",)

    def __init__(self, given: str) -> None:
        self._given = given

    def __repr__(self) -> str:
        return "<the address of a journal>"

    def reveal(self) -> str:
        """Return it as it was given."""
        return self._given


def hide(journal: Any) -> Any:
    """Wrap the address of a journal so that no traceback shows its password.

    Whoever is given the address of a journal puts this in its place first.
    """
    return Address(journal) if isinstance(journal, str) and "://" in journal else journal


@dataclass(frozen=True)
class Place:
    """Where a journal is."""

    where: str
    """What it is called in messages; without a password."""
    file: sa.URL | None
    """Of a SQLite file; None of a server."""
    server: postgres.Server | None
    path: Path | None
    """The file itself, where the address is not one of SQLite's own (``file:…``)."""


def read_place(journal: Any) -> Place:
    """Read where a journal is: at a path, at the address of a database, or in the user's usual place for None.

    Raises
    ------
    InvalidInput
        When it is neither.
    JournalError
        When it is the address of a database that can't be a journal.
    """
    journal = hide(journal)
    if journal is not None and (not isinstance(journal, (str, os.PathLike, Address)) or not str(journal).strip()):
        raise InvalidInput(
            "journal is {journal} and no file: name one, or leave it out for the one of ESMS_JOURNAL or your own.",
            journal=shown(journal),
        )
    if journal is None:
        journal = _read_environment()
    place = _place_at(journal) if isinstance(journal, Address) else _place_of_file(Path(journal).expanduser())
    if isinstance(place, str):
        raise JournalError(place)
    return place


def is_there() -> bool:
    """Return whether the user has a journal: an existing file, or a team's database."""
    usual = _read_environment()
    return isinstance(usual, Address) or usual.exists()


def _read_environment() -> Address | Path:
    given = os.environ.get(_VARIABLE, "").strip()
    if "://" in given:
        return Address(given)
    if not given:
        return platformdirs.user_data_path("esms_frames", appauthor=False) / "journal.sqlite"
    return _make_absolute(given)


@cache
def _make_absolute(given: str) -> Path:
    """Make the path of the environment absolute, once in a process: it stays the same file in whatever folder one is."""
    return Path(given).expanduser().absolute()


def _place_of_file(path: Path) -> Place:
    path = path.absolute()
    return Place(str(path), sa.URL.create("sqlite", database=str(path)), None, path)


def _place_at(address: Address) -> Place | str:
    """Read an address; the sentence that says what is wrong with it, for an error here would hold it among its locals."""
    try:
        url = sa.make_url(address.reveal())
    except (sa.exc.ArgumentError, ValueError):
        return Sentence(
            "The journal's address is no database URL: write it like postgresql+psycopg://user@host/name, or name a "
            "file."
        )
    if postgres.is_meant(url):
        return Place(postgres.mask_url(url), None, postgres.Server(url), None)
    if url.get_backend_name() != "sqlite" or url.host or url.username:
        return Sentence(
            "The journal's address names {driver}, which is not installed or not known here: write it "
            "like postgresql+psycopg://user@host/name, or name a file.",
            driver=repr(url.drivername),
        )
    if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
        return Sentence(
            "The journal's address names no file, and memory forgets what was sent: name a file, like journal.sqlite."
        )
    if not url.database.startswith("file:"):
        path = Path(url.database).expanduser().absolute()
        return Place(str(path), url.set(database=str(path)), None, path)
    name = url.database.removeprefix("file:")
    if not name.startswith("/"):
        name = Path(name).absolute().as_posix()
    return Place(f"file:{name}", url.set(database=f"file:{name}"), None, None)
