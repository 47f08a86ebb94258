"""Read, change and write a journal's tables as a person does with any SQL tool."""

from __future__ import annotations

import sqlalchemy as sa
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.journal import tables as schema


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


def write_batch(
    journal, status, *, phones=FIFTY, size=None, campaign="Tet", whose=("rest.esms.vn", "a"), times=None, **values
):
    """Write a batch into the journal as a run left it; times are moments, and its id is what is given back."""
    scope = journal._batches.scope(campaign, *whose)
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


def batches_of(campaign):
    """Read the batches of a campaign."""
    book = ef.Journal()
    return book._batches.batches(book._batches.scopes(campaign)[0])
