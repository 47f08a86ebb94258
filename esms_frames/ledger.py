"""The durable log of every batch, written before anything is sent: who has been texted what, and what is uncertain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from esms_frames import callback_store
from esms_frames.batch import Attempt, Batch, Known, NewBatch, batch_of, row_of
from esms_frames.do_not_contact import DoNotContact
from esms_frames.errors import JournalError
from esms_frames.history import advertised
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
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from esms_frames.database import Database

    Numbers = NDArray[np.int32]

T = TypeVar("T")

_AT_ONCE = 200  # batches whose numbers are in memory, where not all need be
_UNFINISHED_ONLY = (batches.c.status.in_(UNFINISHED),)


class Ledger:
    """The batches of all campaigns, for the runs that send them; `journal.Journal` is a ledger with what people ask of it.

    Each decision is one transaction. What a run plans, and that it begins an attempt, is on disk when the method returns.

    Parameters
    ----------
    database : Database
        Whose tables are made, and up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def callback_token(self, scope: Scope) -> str:
        """Give the token of a campaign, by which the gateway's callbacks are known to be meant for it."""
        return self._database.transact(lambda connection: callback_store.token_of(connection, scope))

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
            do_not_contact=lambda: DoNotContact(self._database).numbers(connection),
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

    def release(self, run: str, *, wait: bool = True) -> None:
        """Give up every claim of a run that has ended; without waiting for a server that is away, if that is said."""
        its = sa.or_(batches.c.planned_by == run, batches.c.holder == run)

        def let_go(connection: sa.Connection) -> None:
            # In the order in which everybody locks rows, so that nobody waits for whoever waits for them.
            connection.execute(sa.select(batches.c.id).where(its).order_by(batches.c.id).with_for_update()).all()
            connection.execute(sa.update(batches).where(batches.c.planned_by == run).values(planned_by=None))
            connection.execute(sa.update(batches).where(batches.c.holder == run).values(holder=None, held_until=None))

        self._database.transact(let_go, wait=wait)

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
