"""The durable log of every batch, written before anything is sent: who has been texted what, and what is uncertain."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import sqlalchemy as sa

from esms_frames import callback_store, columns, erasure, schema
from esms_frames.batch import Attempt, Batch, Known, NewBatch, batch_of, row_of
from esms_frames.consent import in_vietnam
from esms_frames.database import Database
from esms_frames.do_not_contact import DoNotContact
from esms_frames.errors import InvalidInput, JournalError, shown
from esms_frames.history import advertised
from esms_frames.message import checked_campaign
from esms_frames.number_list import read_list
from esms_frames.number_set import NumberSet, Settled
from esms_frames.runs import busy, claimable
from esms_frames.schema import (
    SETTLED,
    UNFINISHED,
    Scope,
    attempts,
    batches,
    campaigns,
    moment_of,
    numbers_in,
    phones_of,
    text_of,
)
from esms_frames.transaction import Lock, insert, now, take
from esms_frames.transaction import seconds as seconds_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from esms_frames.callback_store import Received

    Numbers = NDArray[np.int32]

T = TypeVar("T")

_AT_ONCE = 200  # batches whose numbers are in memory, where not all need be
_KEPT = timedelta(days=2)
_UNFINISHED_ONLY = (batches.c.status.in_(UNFINISHED),)


class Journal:
    """The log of campaigns on this machine, or of a team's.

    Everything that is sent is written here first, durably, so that no crash, time-out or second notebook can make a
    phone be texted twice. It holds phone numbers and texts, and no key. A file is readable by its owner only.

    Parameters
    ----------
    path : str or path-like, optional
        A SQLite file, made where it is not there, or the URL of a PostgreSQL database that a team shares, like
        ``postgresql+psycopg://lan@db.example/esms`` (``pip install "esms-frames[team]"``; the password is best kept in
        ``PGPASSWORD`` or ``~/.pgpass``). By default ``ESMS_JOURNAL`` from the environment, or else ``journal.sqlite`` in
        the user's data folder.

    Raises
    ------
    JournalError
        When it can't be relied on: made by a newer version, corrupt, read-only, on a full disk, on a drive that does not
        lock files, or on a server that can't be reached or runs with ``fsync = off``. Nothing is sent then.

    Notes
    -----
    Those who share a PostgreSQL database share campaigns, the daily cap and the do-not-contact list, and can't text the
    same people twice between them. Their machines' clocks don't matter, for all times are the server's. A campaign goes
    on after the server, or the way to it, was away for up to a minute; away for longer, the run ends with a
    `JournalError`, and `resume` finishes it. What a machine had under way when it crashed is left to others when its
    claim has run out, a minute or so later with the client's usual time-outs; what it had planned and not begun may be
    sent at once, and replaced by another plan after an hour. The database needs the encoding UTF8, PostgreSQL 12 or
    later, and to be empty or in a schema of its own (``?options=-csearch_path%3Desms``).

    A standby that takes over without the server's last commits (asynchronous replication) is like an older copy.

    An older copy that is put back does not know of what was sent since. Batches that it holds are safe, for they go out
    under their own request ids; so resume its campaigns first, before you send them to other people or with other texts.

    Examples
    --------
    >>> import tempfile
    >>> journal = Journal(tempfile.mkdtemp() + "/journal.sqlite")
    >>> len(journal.campaigns())
    0
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._database = Database(path)

        def make(connection: sa.Connection) -> None:
            schema.migrate(connection, self._database.where)
            self._database.check(connection)

        self._database.transact(make)
        self._database.protect()

    def __repr__(self) -> str:
        return f"<Journal {self._database.where}>"

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    @property
    def do_not_contact(self) -> DoNotContact:
        """Those who are never to get advertising, on whatever gateway and account."""
        return DoNotContact(self._database)

    def campaigns(self) -> pd.DataFrame:
        """List the campaigns, the latest first.

        Returns
        -------
        DataFrame
            One row a campaign:

            - ``campaign``, ``gateway``, ``account``: text.
            - ``created_at``: when it was begun, in Vietnam time.
            - ``sms_type``: text, ``customer_care``, ``advertising`` or ``both``; NA where nothing was planned.
            - ``numbers``: int, how many were planned, the sum of the next four. One that was refused and planned again
              counts in both.
            - ``accepted``, ``refused``, ``unknown``, ``unfinished``: int, what became of them; whom the gateway has had
              already is accepted, and what never arrived is unfinished.
            - ``forgotten``: int, how many of all of them `forget` or `prune` took out. They go on being counted with
              their batch, whatever becomes of it; those whose batch had not left yet are not counted any more.
            - ``first_sent_at``, ``last_sent_at``: when the first and the last batch that may have arrived went out, or is
              to by its schedule, in Vietnam time; NaT where there is none.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
        >>> with ef.Sandbox() as sandbox:
        ...     message = ef.Message("Cam on quy khach!", "Baotrixemay")
        ...     _ = ef.send(customers, message, sandbox.client(), campaign="Tet", journal=journal, progress=False)
        >>> journal.campaigns()[["campaign", "sms_type", "numbers", "accepted", "forgotten"]]
          campaign       sms_type  numbers  accepted  forgotten
        0      Tet  customer_care       40        40          0
        """
        arrived = batches.c.status.in_(["accepted", "already_sent"])
        uncertain = batches.c.status.in_(["unknown", "sending"])
        in_use = batches.c.status.not_in(["withdrawn", "split"])
        sizes = {
            "numbers": (in_use, batches.c.size),
            "accepted": (arrived, batches.c.size),
            "refused": (batches.c.status == "refused", batches.c.size),
            "unknown": (uncertain, batches.c.size),
            "unfinished": (batches.c.status == "planned", batches.c.size),
            "forgotten": (in_use, batches.c.size - erasure.present(batches)),
        }
        sums = [
            sa.func.coalesce(sa.func.sum(sa.case((condition, size), else_=0)), 0).label(name)
            for name, (condition, size) in sizes.items()
        ]
        sent_at = sa.case((arrived | uncertain, sa.func.coalesce(batches.c.send_at, batches.c.sent_at)))
        query = (
            sa.select(
                campaigns.c.name.label("campaign"),
                campaigns.c.gateway,
                campaigns.c.account,
                campaigns.c.created_at,
                sa.case(
                    (sa.func.min(batches.c.sms_type) < sa.func.max(batches.c.sms_type), "both"),
                    else_=sa.func.min(batches.c.sms_type),
                ).label("sms_type"),
                *sums,
                sa.func.min(sent_at).label("first_sent_at"),
                sa.func.max(sent_at).label("last_sent_at"),
            )
            .join_from(campaigns, batches, isouter=True)
            .group_by(campaigns.c.id)
            .order_by(campaigns.c.id.desc())
        )

        def look(connection: sa.Connection) -> tuple[list[str], Sequence[Any]]:
            found = connection.execute(query)
            return list(found.keys()), found.all()

        names, rows = self._database.transact(look)
        values = {name: [row[place] for row in rows] for place, name in enumerate(names)}
        return pd.DataFrame({name: _column(name, values[name]) for name in names})

    def forget(self, numbers: Any) -> pd.DataFrame:
        """Erase people from the journal, as Vietnam's law on personal data (91/2025/QH15) lets them ask for.

        Their numbers are taken out of all batches of all campaigns, whatever became of these, in one transaction. The
        SQLite file, or the tables on the server, are written anew then, so that no byte of them is left there.

        Parameters
        ----------
        numbers : str, list, set, Series or DataFrame
            In any spelling, as for `do_not_contact`.

        Returns
        -------
        DataFrame
            One row for each campaign that somebody was taken out of, the latest first: ``campaign``, ``gateway``,
            ``account`` (text), ``created_at`` (Vietnam time) and ``numbers`` (int, how many different ones were found).

        Raises
        ------
        InvalidInput
            When an entry can't be read; nothing was changed.
        JournalError
            When a run that is alive works on a batch with one of the numbers; nothing was changed. Also when the file could
            not be written anew, which on a server only the owner of the tables may do; the numbers are out of all tables
            then, and forgetting them again tries it again.

        Notes
        -----
        What is left:

        ==========================  =========================================================================
        of a campaign               its name (give it one, where the text holds somebody's), all counts and times,
                                    and the gateway's ids (SMSID) of its sends
        of a batch                  how many numbers it had, and those that are not forgotten
        its request id              ``forgotten-…``, for it is derived from the numbers; only a batch that may
                                    have arrived keeps it, until that is settled and `forget` or `prune` runs
        its text and segment        as they are; nothing once all its numbers are forgotten, for they can name people
        of attempts                 when, with what outcome; they hold no numbers
        of callbacks                those of whole sends, and those of numbers that are not forgotten
        the do-not-contact list     the number alone, without reason and date, for else nobody could keep to it
        results, files, backups     whatever has been made of the journal elsewhere; a server's logs and replicas, too
        ==========================  =========================================================================

        Whoever is forgotten can't be protected from being texted again, in the same campaign or by the daily cap. Put
        them on the list first, where `forget` leaves them: ``journal.do_not_contact.add(numbers)``. It holds for
        advertising, and for customer care only where that is sent with ``rules_on=["do_not_contact"]``. To leave nothing on
        the list either, take them off it before: ``journal.do_not_contact.remove(numbers)``.

        A batch that never left goes out without them. One that may have arrived does too, if it is tried again: under the
        same request id, so nobody gets it twice.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> journal.do_not_contact.add("0901888484", reason="asked on the phone")
        1
        >>> len(journal.forget("+84 901 888 484")), journal.do_not_contact.contains("0901888484")
        (0, True)
        """
        found = read_list(numbers, "numbers", of_record=True)

        def erase(connection: sa.Connection) -> pd.DataFrame:
            take(connection, Lock.PEOPLE)
            return erasure.forget(connection, found, busy(connection))

        table = self._database.transact(erase, again=False)
        self._database.scrub()
        return table

    def prune(self, before: datetime | date | str) -> pd.DataFrame:
        """Erase everybody from the campaigns that are finished, and of which nothing happened since a time.

        Parameters
        ----------
        before : datetime, date or str
            The time, in Vietnam time where it names no other; text is written like ``"2030-01-31"``. It has to be at least
            two days ago: the gateway's memory of request ids and the daily cap on advertising need as long.

        Returns
        -------
        DataFrame
            The campaigns, as `forget` returns them; ``numbers`` is how many were taken out.

        Raises
        ------
        InvalidInput
            When `before` is no moment, or not two days ago.
        JournalError
            When the file could not be written anew; the numbers are out of all tables then.

        Notes
        -----
        A campaign is finished when none of its batches is unfinished or unknown, and the time counts from when the last of
        them was planned, tried or scheduled. What is left is what `forget` leaves of a campaign all of whose numbers are
        forgotten: a row in `campaigns` with all counts, and batches without numbers, texts and request ids. Its `results`
        have no rows. Sent again under its name, it texts everybody again. The do-not-contact list stays as it is.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> len(journal.prune(before="2025-12-31"))
        0
        """

        def erase(connection: sa.Connection) -> pd.DataFrame:
            take(connection, Lock.PEOPLE)
            return erasure.prune(connection, _checked_limit(before, now(connection)))

        table = self._database.transact(erase, again=False)
        self._database.scrub()
        return table

    def callbacks(self, campaign: str | None = None) -> pd.DataFrame:
        """Read the callbacks that have come for sends of this journal, through `callbacks_app`.

        Parameters
        ----------
        campaign : str, optional
            The name of a campaign, on whatever gateway and account; all of them if left out.

        Returns
        -------
        DataFrame
            The columns of `read_callbacks`: one row for each number of a send, or for the send as a whole, with the last
            state of each. ``attrs`` counts the ``calls``, the ``repeats`` among them, and the ``other_sends``: how many
            rows are left out because their send is none of the campaign that their address was made for.

        Notes
        -----
        `track` uses them by itself.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> len(journal.callbacks())
        0
        """
        name = None if campaign is None else checked_campaign(campaign)
        return self._database.transact(lambda connection: callback_store.read(connection, name))

    def callbacks_of(self, sms_ids: Sequence[str], whose: tuple[str, str] | None = None) -> pd.DataFrame:
        """Read the callbacks of sends, by the gateway's ids of them; of one gateway and account, or whosesoever."""
        frames = []
        for start in range(0, max(len(sms_ids), 1), callback_store.AT_ONCE):
            some = sms_ids[start : start + callback_store.AT_ONCE]
            # A short transaction each, for whoever sends meanwhile waits for it.
            rows = self._database.transact(partial(callback_store.read_sends, sms_ids=some, whose=whose))
            if rows or not start:
                frames.append(callback_store.frame(rows))
        return pd.concat(frames, ignore_index=True)

    def callback_token(self, scope: Scope) -> str:
        """Give the token of a campaign, by which the gateway's callbacks are known to be meant for it."""
        return self._database.transact(lambda connection: callback_store.token_of(connection, scope))

    def callback_tokens(self) -> dict[str, int]:
        """Give the tokens of all campaigns, with the campaigns' ids."""
        return self._database.transact(callback_store.tokens)

    def record_callbacks(self, received: Sequence[Received]) -> None:
        """Write down callbacks, all in one transaction, which is on disk when this returns."""
        with self._database.begin() as connection:
            callback_store.record(connection, received)

    def scope(self, name: str, gateway: str, account: str, *, begin: bool = True) -> Scope:
        """Find a campaign, or begin it; where it is not to be begun, one that is not there has the id 0."""
        key = {"name": name, "gateway": gateway, "account": account}
        ids = sa.select(campaigns.c.id).filter_by(**key)

        def find(connection: sa.Connection) -> Scope:
            there = connection.execute(ids).scalar()
            if there is None and begin:
                row = {**key, "created_at": text_of(now(connection))}
                connection.execute(insert(connection, campaigns).values(row).on_conflict_do_nothing())
                there = connection.execute(ids).scalar()
            return Scope(there or 0, **key)

        return self._database.transact(find)

    def scopes(self, name: str) -> list[Scope]:
        """List the campaigns of a name, on whatever gateway and account, the latest first."""
        query = sa.select(campaigns).where(campaigns.c.name == name).order_by(campaigns.c.id.desc())
        rows = self._database.transact(lambda connection: connection.execute(query).all())
        return [Scope(row.id, row.name, row.gateway, row.account) for row in rows]

    def now(self) -> datetime:
        """Give the present moment by the clock that all times of the journal are of, in Vietnam time."""
        return self._database.now()

    def batches(self, scope: Scope) -> list[Batch]:
        """Read the batches of a campaign in the order of their numbers, those withdrawn or split left out."""
        return self._database.transact(lambda connection: self._read(connection, scope))

    def unfinished(self, scope: Scope) -> list[Batch]:
        """Read the batches of a campaign that may still have to be sent."""
        return self._database.transact(lambda connection: self._read(connection, scope, *_UNFINISHED_ONLY))

    def each_batch(self, scope: Scope) -> Iterator[Batch]:
        """Read what `batches` gives one after the other, some at once.

        What another run adds meanwhile is read too: it may be in the place of a batch that was there and is no more.
        """
        numbers = sa.select(batches.c.number).where(batches.c.campaign_id == scope.id).order_by(batches.c.number)

        def after(last: int) -> Callable[[sa.Connection], tuple[int | None, list[Batch]]]:
            def read(connection: sa.Connection) -> tuple[int | None, list[Batch]]:
                some = connection.execute(numbers.where(batches.c.number > last).limit(_AT_ONCE)).scalars().all()
                if not some:
                    return None, []
                return some[-1], self._read(connection, scope, batches.c.number.between(some[0], some[-1]))

            return read

        last: int | None = -1
        while last is not None:
            last, found = self._database.transact(after(last))
            yield from found

    def consult(
        self, scope: Scope, consider: Callable[[Known], T], settled: Settled | None = None, about: Numbers | None = None
    ) -> T:
        """Let a function consider what the journal knows, and give what it makes of that; nothing is written.

        With `settled`, which is brought up to date, it is what bears on the numbers that it is about, and no more than the
        unfinished batches is in memory.
        """

        def ask(connection: sa.Connection) -> T:
            there = self._bearing(connection, scope, settled)
            return consider(self._known(connection, scope, there, settled, about))

        return self._database.transact(ask)

    def plan(
        self,
        scope: Scope,
        run: str,
        decide: Callable[[Known], tuple[Sequence[Batch], Sequence[NewBatch]]],
        settled: Settled | None = None,
        about: Numbers | None = None,
    ) -> list[Batch]:
        """Let a function decide which batches to withdraw and which to add; write that.

        It knows of the journal what `consult` says. What comes back are the campaign's batches, or with `settled` the
        unfinished ones.

        It is one transaction, and one plan at a time whatever the campaign, so that of two runs the second decides
        knowing what the first has: within a campaign nobody is in two batches, and the daily cap holds over all of them.
        Afterwards batches and numbers are on disk.
        """
        written: list[set[tuple[int, str]]] = []  # what a commit was to write whose answer got lost

        def write(connection: sa.Connection) -> list[Batch]:
            take(connection, Lock.PEOPLE)
            _take_campaign(connection, scope)
            # What may be withdrawn is locked before it is decided: else another run could begin to send it between the
            # decision and its writing. What is being sent by then is seen as such.
            unfinished = sa.select(batches.c.id).where(
                batches.c.campaign_id == scope.id, batches.c.status.in_(UNFINISHED)
            )
            connection.execute(unfinished.order_by(batches.c.id).with_for_update()).all()
            there = self._bearing(connection, scope, settled)
            if written and written[-1] & {(batch.id, batch.request_id) for batch in there}:
                return there
            withdrawn, added = decide(self._known(connection, scope, there, settled, about))
            for batch in withdrawn:
                connection.execute(
                    sa.update(batches)
                    .where(batches.c.id == batch.id, batches.c.status == "planned")
                    .values(status="withdrawn", request_id=f"{batch.request_id}/withdrawn {batch.id}")
                )
            numbers = set(self._add(connection, scope, run, added))
            planned = self._bearing(connection, scope, settled)
            written.append({(batch.id, batch.request_id) for batch in planned if batch.number in numbers})
            return planned

        return self._database.transact(write)

    def _bearing(self, connection: sa.Connection, scope: Scope, settled: Settled | None) -> list[Batch]:
        """Read the batches that a decision is made upon: all, or the unfinished where what is settled is known."""
        return self._read(connection, scope, *(() if settled is None else _UNFINISHED_ONLY))

    def _known(
        self,
        connection: sa.Connection,
        scope: Scope,
        there: list[Batch],
        settled: Settled | None,
        about: Numbers | None,
    ) -> Known:
        known = Known(
            batches=there,
            request_ids=_request_ids(connection, scope),
            do_not_contact=lambda: self.do_not_contact.numbers(connection),
            advertised=lambda since, until, but: advertised(connection, scope, since, until, but),
            now=now(connection),
        )
        if settled is None:
            return known
        _catch_up(connection, scope, settled)

        def told(since: datetime, until: datetime, but: Collection[int]) -> tuple[Numbers, NDArray[np.int64]]:
            among = NumberSet()
            for numbers in (*(() if about is None else (about,)), *(batch.numbers for batch in known.batches)):
                among.add(numbers)
            return advertised(connection, scope, since, until, but, among)

        return replace(known, settled=settled.numbers.holds, advertised=told)

    def _add(
        self,
        connection: sa.Connection,
        scope: Scope,
        run: str,
        added: Sequence[NewBatch],
        split_from: int | None = None,
    ) -> list[int]:
        """Write new batches after those that there are; the numbers that they get."""
        query = sa.select(sa.func.max(batches.c.number)).where(batches.c.campaign_id == scope.id)
        highest = connection.execute(query).scalar() or 0
        numbers = [highest + place for place, _ in enumerate(added, start=1)]
        moment = now(connection)
        rows = [row_of(scope, run, batch, number, moment) for batch, number in zip(added, numbers, strict=True)]
        if rows:
            connection.execute(sa.insert(batches), [{**row, "split_from": split_from} for row in rows])
        return numbers

    def begin_attempt(self, batch: Batch, run: str, seconds: float) -> Attempt | None:
        """Claim a batch for a run and write down that it is tried; None if it is settled, or another run has it.

        `seconds` is how long the claim is good for, if the process lives so long. This is on disk before it returns,
        so that a crash afterwards leaves the batch uncertain and never forgotten.
        """
        begun: list[Attempt] = []  # what a commit was to write whose answer got lost

        def begin(connection: sa.Connection) -> Attempt | None:
            # Of several runs the first gets the row; the others wait for its commit, which is at once, and see its claim.
            # So SKIP LOCKED is not needed, for each asks for one batch by its id.
            held = connection.execute(
                sa.select(
                    batches.c.status,
                    batches.c.holder,
                    batches.c.held_until,
                    batches.c.attempts,
                    batches.c.uncertain_since,
                    batches.c.phones,
                )
                .where(batches.c.id == batch.id)
                .with_for_update()
            ).one()
            if begun and _is_there(connection, begun[-1], run):
                return begun[-1]
            if held.status not in UNFINISHED or not claimable(connection, held.holder, held.held_until, run):
                return None
            if held.phones != phones_of(batch.numbers):  # somebody was forgotten since the batch was read
                return None
            moment = now(connection)
            earlier = set(
                connection.execute(sa.select(attempts.c.outcome).where(attempts.c.batch_id == batch.id)).scalars()
            )
            connection.execute(
                sa.update(batches)
                .where(batches.c.id == batch.id)
                .values(
                    status="sending",
                    holder=run,
                    held_until=seconds_of(connection) + seconds,
                    attempts=held.attempts + 1,
                    sent_at=text_of(moment),
                    uncertain_since=held.uncertain_since or text_of(moment),
                )
            )
            written = connection.execute(
                sa.insert(attempts).values(
                    batch_id=batch.id, number=held.attempts + 1, run=run, started_at=text_of(moment)
                )
            )
            (attempt_id,) = written.inserted_primary_key or (0,)
            begun.append(
                Attempt(
                    id=attempt_id,
                    batch_id=batch.id,
                    number=held.attempts + 1,
                    uncertain_before=moment_of(held.uncertain_since),
                    unanswered_before=bool(earlier & {None, "unanswered"}),
                    refused_before="refused" in earlier,
                    started_at=moment,
                )
            )
            return begun[-1]

        return self._database.transact(begin)

    def end_attempt(
        self,
        attempt: Attempt,
        run: str,
        status: str,
        *,
        outcome: str,
        reason: str | None = None,
        code: int | None = None,
        sms_id: str | None = None,
    ) -> None:
        """Write down what became of an attempt (`outcome`) and what that makes of its batch (`status`).

        Outcomes are ``accepted``, ``refused``, ``unanswered``, ``already there``, ``unreachable`` and ``not tried``. An
        unfinished batch stays with the run.
        """
        self._database.transact(
            lambda connection: _end_attempt(
                connection, attempt, run, status, outcome=outcome, reason=reason, code=code, sms_id=sms_id
            )
        )

    def split(
        self,
        scope: Scope,
        attempt: Attempt,
        run: str,
        divide: Callable[[NDArray[np.int32], set[str]], Sequence[NewBatch]],
        *,
        reason: str,
        code: int,
    ) -> list[Batch]:
        """Write down that an attempt was refused for some of the numbers, and the parts that take the batch's place.

        `divide` is given the numbers that the batch has by now, for somebody may have been forgotten since it was read,
        and the request ids that the campaign has ever used. Both are on disk at once, so that whatever happens next
        nobody is lost and nobody is in two batches.
        """
        present = sa.select(batches.c.status, batches.c.phones).where(batches.c.id == attempt.batch_id)
        parts_of_it = sa.select(batches.c.number, batches.c.planned_by).where(batches.c.split_from == attempt.batch_id)

        def divided(connection: sa.Connection) -> list[Batch]:
            _take_campaign(connection, scope)
            _end_attempt(connection, attempt, run, "split", outcome="refused", reason=reason, code=code)
            row = connection.execute(present).one()
            there = connection.execute(parts_of_it).all()
            if there:  # by another run since, or by this one, whose answer to the commit got lost
                numbers = [part.number for part in there if part.planned_by == run]
            elif row.status != "split" or not row.phones:  # another run has had it since, or nobody is left
                numbers = []
            else:
                parts = divide(numbers_in(row.phones), _request_ids(connection, scope))
                numbers = self._add(connection, scope, run, parts, split_from=attempt.batch_id)
            return self._read(connection, scope, batches.c.number.in_(numbers))

        return self._database.transact(divided)

    def claim(self, batch: Batch, run: str, seconds: float) -> bool:
        """Claim a batch for a run without trying it, if it is as it was read and no other run has it."""
        row = sa.select(batches.c.holder, batches.c.held_until).where(batches.c.id == batch.id, *_unchanged(batch))

        def take_it(connection: sa.Connection) -> bool:
            held = connection.execute(row.with_for_update()).one_or_none()
            if held is None or not claimable(connection, held.holder, held.held_until, run):
                return False
            mine = {"holder": run, "held_until": seconds_of(connection) + seconds}
            connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(**mine))
            return True

        return self._database.transact(take_it)

    def settle(
        self, batch: Batch, run: str, status: str | None, *, reason: str | None, sms_id: str | None = None
    ) -> None:
        """Write down what was found out about a batch without trying it again; the run must have claimed it.

        A batch that turns out to be ``planned`` is as if it were planned now. With status None it stays what it was.
        """
        values: dict[str, Any] = {"status": status, "reason": reason, "sms_id": sms_id}
        values |= {"code": None, "holder": None, "held_until": None}
        if status == "accepted":
            values |= {"uncertain_since": None, "settled_by": run}
        elif status is None:
            values |= {"status": batch.status}
        mine = sa.update(batches).where(batches.c.id == batch.id, batches.c.holder == run, *_unchanged(batch))

        def write(connection: sa.Connection) -> None:
            fresh = {"uncertain_since": None, "created_at": text_of(now(connection)), "planned_by": None}
            connection.execute(mine.values(**values, **(fresh if status == "planned" else {})))

        self._database.transact(write)

    def sms_ids(self, scope: Scope) -> set[str]:
        """Give the gateway's ids of all sends of an account, in whatever campaign."""
        query = (
            sa.select(batches.c.sms_id)
            .join(campaigns)
            .where(campaigns.c.gateway == scope.gateway, campaigns.c.account == scope.account)
        )
        found = self._database.transact(lambda connection: connection.execute(query).scalars().all())
        return {sms_id for sms_id in found if sms_id}

    def state(self, batch: Batch, run: str) -> tuple[str, bool]:
        """Give the present status of a batch, and whether another run that is alive works on it."""
        query = sa.select(batches.c.status, batches.c.holder, batches.c.held_until).where(batches.c.id == batch.id)

        def look(connection: sa.Connection) -> tuple[str, bool]:
            row = connection.execute(query).one()
            held = row.status in UNFINISHED and not claimable(connection, row.holder, row.held_until, run)
            return row.status, held

        return self._database.transact(look)

    def release(self, run: str) -> None:
        """Give up every claim of a run that has ended."""
        its = sa.or_(batches.c.planned_by == run, batches.c.holder == run)

        def let_go(connection: sa.Connection) -> None:
            # In the order in which everybody locks rows, so that nobody waits for whoever waits for them.
            connection.execute(sa.select(batches.c.id).where(its).order_by(batches.c.id).with_for_update()).all()
            connection.execute(sa.update(batches).where(batches.c.planned_by == run).values(planned_by=None))
            connection.execute(sa.update(batches).where(batches.c.holder == run).values(holder=None, held_until=None))

        self._database.transact(let_go)

    def _read(self, connection: sa.Connection, scope: Scope, *which: sa.ColumnElement[bool]) -> list[Batch]:
        query = (
            sa.select(batches)
            .where(
                batches.c.campaign_id == scope.id,
                batches.c.status.not_in(["withdrawn", "split"]),
                batches.c.phones != "",  # all forgotten: there is nobody to say anything of
                *which,
            )
            .order_by(batches.c.number)
        )
        is_busy = busy(connection)
        return [
            batch_of(row, is_abandoned=row.status == "planned" and not is_busy(row))
            for row in connection.execute(query)
        ]


def _catch_up(connection: sa.Connection, scope: Scope, settled: Settled) -> None:
    """Read the numbers of the batches that were settled since it was done last."""
    query = sa.select(batches.c.id).where(batches.c.campaign_id == scope.id, batches.c.status.in_(SETTLED))
    there = set(connection.execute(query).scalars())
    for changed, change in (
        (settled.batches - there, settled.numbers.remove),
        (there - settled.batches, settled.numbers.add),
    ):
        ids = sorted(changed)
        for place in range(0, len(ids), _AT_ONCE):
            some = sa.select(batches.c.phones).where(batches.c.id.in_(ids[place : place + _AT_ONCE]))
            change(numbers_in(" ".join(filter(None, connection.execute(some).scalars()))))
    settled.batches = there


def _take_campaign(connection: sa.Connection, scope: Scope) -> None:
    """Wait until no other transaction adds batches to a campaign, nor takes people out of all of them."""
    connection.execute(sa.select(campaigns.c.id).filter_by(id=scope.id).with_for_update(key_share=True))


def _is_there(connection: sa.Connection, attempt: Attempt, run: str) -> bool:
    query = sa.select(attempts.c.id).filter_by(id=attempt.id, run=run, started_at=text_of(attempt.started_at))
    return connection.execute(query).first() is not None


def _request_ids(connection: sa.Connection, scope: Scope) -> set[str]:
    ids = sa.select(batches.c.request_id).where(batches.c.campaign_id == scope.id)
    return {request_id.split("/")[0] for request_id in connection.execute(ids).scalars()}


def _end_attempt(
    connection: sa.Connection,
    attempt: Attempt,
    run: str,
    status: str,
    *,
    outcome: str,
    reason: str | None,
    code: int | None,
    sms_id: str | None = None,
) -> None:
    settled = status not in UNFINISHED
    uncertain_since = attempt.started_at if attempt.uncertain_before is None else attempt.uncertain_before
    values: dict[str, Any] = {
        "status": status,
        "reason": reason,
        "code": code,
        "sms_id": sms_id,
        "uncertain_since": text_of(uncertain_since if status == "unknown" else attempt.uncertain_before),
    }
    if settled:
        values |= {"settled_by": run, "holder": None, "held_until": None}
    its = (attempts.c.id == attempt.id, attempts.c.run == run, attempts.c.started_at == text_of(attempt.started_at))
    ended = {"ended_at": text_of(now(connection)), "outcome": outcome, "code": code}
    if not connection.execute(sa.update(attempts).where(*its).values(**ended)).rowcount:
        raise JournalError(
            "The journal does not hold any more what this run wrote, as if an older copy had been put in its place: what "
            f"the run sent is not all known there, the last with the outcome {outcome!r}. Resume its campaigns, before you "
            "send them to other people or with other texts."
        )
    # That it was accepted holds whatever else is known. Anything less is for the last attempt alone to say: a run that
    # slept through its claim does not speak for the one that has it now.
    last = [batches.c.attempts == attempt.number, batches.c.status.in_(UNFINISHED)]
    condition = [batches.c.status != "accepted"] if status == "accepted" else last
    connection.execute(sa.update(batches).where(batches.c.id == attempt.batch_id, *condition).values(**values))


def _unchanged(batch: Batch) -> tuple[sa.ColumnElement[bool], ...]:
    return batches.c.status == batch.status, batches.c.attempts == batch.attempts


def _column(name: str, values: list[Any]) -> Any:
    if name.endswith("_at"):
        return columns.moments([moment_of(value) for value in values])
    is_text = name in {"campaign", "gateway", "account", "sms_type"}
    return pd.array(values, dtype=columns.text_dtype()) if is_text else np.array(values, dtype=np.int64)


def _checked_limit(before: object, present: datetime) -> datetime:
    way_out = "write a time like '2030-01-31' (Vietnam time)."
    moment = before
    if isinstance(before, str):
        try:
            moment = datetime.fromisoformat(before.strip())
        except ValueError:
            raise InvalidInput(f"before is {shown(before)} and no moment: {way_out}") from None
    elif isinstance(before, date) and not isinstance(before, datetime):
        moment = datetime.combine(before, datetime.min.time())
    if not isinstance(moment, datetime):
        raise InvalidInput(f"before is {shown(before)} and no moment: {way_out}")
    limit = in_vietnam(moment, "before")
    latest = present - _KEPT
    if limit > latest:
        raise InvalidInput(
            f"before is {limit:%Y-%m-%d %H:%M}, and what was sent since {latest:%Y-%m-%d %H:%M} is still needed for the "
            "daily cap on advertising and to repeat nothing: choose an earlier time."
        )
    return limit
