"""The list of those who are never to get advertising, kept in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from esms_frames.base import columns
from esms_frames.base.errors import InvalidInput, JournalError
from esms_frames.base.sets import is_among
from esms_frames.base.wording import shown
from esms_frames.journal.database.transaction import Lock, insert, is_shared, now, take
from esms_frames.journal.records import numbers_in, phones_of
from esms_frames.journal.tables import do_not_contact as table
from esms_frames.journal.tables import moment_of, text_of
from esms_frames.recipients.find_column import phone_column
from esms_frames.recipients.number_lists import read_list
from esms_frames.recipients.phones import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from esms_frames.journal.database.database import Database


_AT_ONCE = 10_000  # rows in one statement


class DoNotContact:
    """The list of those who never get advertising; `Journal.do_not_contact` of a journal.

    It holds for all gateways and accounts of the journal. Decree 91/2020/ND-CP forbids advertising to them. Numbers are
    given in any spelling: one alone, or a list, set, Series or DataFrame of them (the phone column is found as in
    `prepare`). A list with an entry that can't be read is refused as a whole, with its position, for somebody on it could
    be missed; blank cells, landlines and numbers of other countries are passed over, for no SMS reaches them.

    Examples
    --------
    >>> import tempfile
    >>> import esms_frames as ef
    >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
    >>> journal.do_not_contact.add(["+84 901 888 484", "0901.888.484", "0901888485"], reason="answered STOP")
    2
    >>> journal.do_not_contact.contains("84901888484")
    True
    >>> journal.do_not_contact.remove("0901888484"), len(journal.do_not_contact)
    (1, 1)
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __repr__(self) -> str:
        try:
            count = f"{self._database.transact(_count, wait=False):,} on the list"
        except JournalError:  # a traceback that shows it is about that
            count = "could not be read"
        return f"<DoNotContact: {count}, in the journal {self._database.where}>"

    def __len__(self) -> int:
        return self._database.transact(_count)

    def add(self, numbers: Any, reason: str | None = None) -> int:
        """Add numbers to the list.

        Parameters
        ----------
        numbers : str, list, set, Series or DataFrame
            In any spelling.
        reason : str, optional
            Why, for people. Those who are on the list already keep the date since which they are; their reason is
            replaced if one is given.

        Returns
        -------
        int
            How many were not on the list yet.

        Raises
        ------
        InvalidInput
            When an entry can't be read; nothing was changed.
        """
        if reason is not None and (not isinstance(reason, str) or not reason.strip()):
            raise InvalidInput("reason is {reason}: give some words, or leave it out.", reason=shown(reason))
        found = read_list(numbers, "numbers", of_record=True)

        def write(connection: sa.Connection) -> int:
            take(connection, Lock.PEOPLE)
            before, moment = _count(connection), text_of(now(connection))
            for chunk in _pieces(found):
                _write(connection, chunk, reason, moment)
            return _count(connection) - before

        return self._database.transact(write, again=False)

    def remove(self, numbers: Any) -> int:
        """Remove numbers from the list, so that they may get advertising again.

        Parameters
        ----------
        numbers : str, list, set, Series or DataFrame
            In any spelling.

        Returns
        -------
        int
            How many were on it.

        Raises
        ------
        InvalidInput
            When an entry can't be read; nothing was changed.
        """
        found = read_list(numbers, "numbers", of_record=True)

        def write(connection: sa.Connection) -> int:
            take(connection, Lock.PEOPLE)
            before = _count(connection)
            for chunk in _pieces(found):
                connection.execute(sa.delete(table).where(table.c.phone.in_(chunk)))
            return before - _count(connection)

        return self._database.transact(write, again=False)

    def contains(self, numbers: Any) -> Any:
        """Return which numbers are on the list.

        Parameters
        ----------
        numbers : str, list, set, Series or DataFrame
            In any spelling; what is no number is on no list.

        Returns
        -------
        bool or Series of bool
            A bool for one number; else a value for each, with the index of `numbers`.
        """
        if isinstance(numbers, (str, int, np.integer)):
            return bool(self.contains([numbers]).iloc[0])
        if isinstance(numbers, (set, frozenset)):
            numbers = list(numbers)
        column = normalize.pick_column(numbers[phone_column(numbers)] if isinstance(numbers, pd.DataFrame) else numbers)
        found = is_among(normalize.read(column), self.numbers())
        return pd.Series(found, index=column.index, name=column.name)

    def frame(self) -> pd.DataFrame:
        """List the numbers on it.

        Returns
        -------
        DataFrame
            One row a number, sorted: ``phone`` (text), ``reason`` (text, NA without one) and ``added_at`` (Vietnam time;
            NaT, like the reason, of those whom `Journal.forget` has forgotten).
        """
        query = sa.select(table).order_by(table.c.phone)
        rows = self._database.transact(lambda connection: connection.execute(query).all())
        text = columns.text_dtype()
        return pd.DataFrame(
            {
                "phone": pd.array([row.phone for row in rows], dtype=text),
                "reason": pd.array([row.reason for row in rows], dtype=text),
                "added_at": columns.moments([moment_of(row.added_at) for row in rows]),
            }
        )

    def numbers(self, connection: sa.Connection | None = None) -> NDArray[np.int32]:
        """Return the national numbers on the list, sorted; within the transaction of a connection, if there is one."""

        def read(connection: sa.Connection) -> NDArray[np.int32]:
            return np.sort(numbers_in(" ".join(connection.execute(sa.select(table.c.phone)).scalars())))

        return self._database.transact(read) if connection is None else read(connection)


def _write(connection: sa.Connection, chunk: list[str], reason: str | None, moment: str | None) -> None:
    new = insert(connection, table)
    if reason is None:
        new = new.on_conflict_do_nothing()
    else:
        new = new.on_conflict_do_update(index_elements=[table.c.phone], set_={"reason": new.excluded.reason})
    if not is_shared(connection):
        connection.execute(new, [{"phone": phone, "reason": reason, "added_at": moment} for phone in chunk])
        return
    # Sent over a network, many rows are one statement with an array.
    several = sa.func.unnest(sa.cast(chunk, postgresql.ARRAY(sa.Text)))
    values = [sa.cast(sa.literal(text), sa.Text) if text is not None else sa.null() for text in (reason, moment)]
    connection.execute(new.from_select(["phone", "reason", "added_at"], sa.select(several, *values)))


def _count(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _pieces(found: NDArray[np.int32]) -> Iterator[list[str]]:
    for start in range(0, len(found), _AT_ONCE):
        yield phones_of(found[start : start + _AT_ONCE]).split()
