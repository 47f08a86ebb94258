"""Journals from which people are taken out, and a look at every byte that is left of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from support.customers import FIFTY
from support.journals import change, rows
from support.programs import needs_postgres

import esms_frames as ef

LAN, HOA = FIFTY[:2]


SETTLED = ["accepted", "already_sent", "refused", "split", "withdrawn"]


COUNTS = ["numbers", "accepted", "refused", "unknown", "unfinished"]


@pytest.fixture
def new_address(kind, tmp_path_factory):
    """Give addresses of new journals; a file has a folder of its own."""
    if kind == "postgresql":
        return needs_postgres().address
    return lambda: str(tmp_path_factory.mktemp("journal") / "journal.sqlite")


@pytest.fixture
def address(new_address):
    return new_address()


def opened(address):
    """Open a journal whose SQLite does not overwrite by itself what is deleted; some builds do, most don't."""
    book = ef.Journal(address)
    engine = book._database._engine
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA secure_delete = OFF"))
        engine.dispose()
    return book


@pytest.fixture
def journal(address):
    book = opened(address)
    yield book
    book.close()


def files(address):
    """Give all bytes of a journal: of its file and those of SQLite beside it, or of its tables and indexes on a server."""
    if "://" not in address:
        return b"".join(file.read_bytes() for file in sorted(Path(address).parent.iterdir()))
    change(address, "CHECKPOINT")
    own = (
        "SELECT oid, reltoastrelid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    )
    several = rows(
        address,
        f"WITH own AS ({own}) SELECT pg_relation_filepath(oid) FROM pg_class WHERE oid IN (SELECT oid FROM own) OR oid IN "
        "(SELECT reltoastrelid FROM own) OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN "
        "(SELECT oid FROM own UNION SELECT reltoastrelid FROM own))",
    )
    assert len(several) > 5
    return b"".join((needs_postgres().data / name).read_bytes() for (name,) in several)


def is_written(address, phone):
    """Whether a number is anywhere in the files, in national or international form."""
    return phone[1:].encode() in files(address)
