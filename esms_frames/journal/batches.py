"""The batches of all campaigns, for the runs that send them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import sqlalchemy as sa

from esms_frames.base.errors import JournalError
from esms_frames.base.sets import is_among
from esms_frames.journal import callbacks as callback_store
from esms_frames.journal import ownership
from esms_frames.journal.claims import busy, check_own, claimable, is_inherited, note_end
from esms_frames.journal.database.transaction import Lock, now, take
from esms_frames.journal.database.transaction import seconds as seconds_of
from esms_frames.journal.people.advertising_history import find_advertised
from esms_frames.journal.people.do_not_contact import DoNotContact
from esms_frames.journal.records import (
    LIVE,
    REPLACED,
    SETTLED,
    UNFINISHED,
    Attempt,
    AttemptOutcome,
    Batch,
    BatchStatus,
    FoundSend,
    Known,
    NewBatch,
    Scope,
    TextedNumbers,
    numbers_in,
    phones_of,
)
from esms_frames.journal.tables import (
    attempts,
    batch_of,
    batches,
    callbacks,
    campaigns,
    do_not_contact,
    moment_of,
    row_of,
    text_of,
)
from esms_frames.messages.advertising_rules import Rule
from esms_frames.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.journal.callbacks import Received
    from esms_frames.journal.database.database import Database
    from esms_frames.journal.ownership import Identity

    Numbers = NDArray[np.int32]


T = TypeVar("T")

_AT_ONCE = 200  # batches whose numbers are in memory, where not all need be
_LOOKED_UP = 500  # numbers in one query
_TIMES = (
    *(batches.c.created_at, batches.c.sent_at, attempts.c.started_at, attempts.c.ended_at),
    *(do_not_contact.c.added_at, callbacks.c.received_at),
)
"""The times of what was sent, planned, listed or received. When a campaign was begun is none of them: a new one would hide
how long ago the journal was used."""
_UNFINISHED_ONLY = (batches.c.status.in_(UNFINISHED),)


def _rows(connection: sa.Connection, query: Any) -> Sequence[Any]:
    return connection.execute(query).all()


class ListedError(Exception):
    """Raised when a batch must not be tried because some of its numbers are on the do-not-contact list by now."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__("some of its numbers are on the do-not-contact list")
        self.numbers = numbers


class BatchStore:
    """The batches of all campaigns and what comes back for them, for the runs that send them; a `Journal` owns one.

    Each decision is one transaction. What a run plans, and that it begins an attempt, is on disk when the method returns.

    Parameters
    ----------
    database : Database
        Whose tables are made, and up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def scope(self, name: str, gateway: str, account: str, *, begin: bool = True) -> Scope:
        """Find a campaign, or begin it. If it is not to be begun, a campaign that does not exist has the id 0."""

        def find(connection: sa.Connection) -> Scope:
            if begin:
                return ownership.begin(connection, name, gateway, account)
            return ownership.find(connection, name, gateway, account) or Scope(0, name, gateway, account)

        return self._database.transact(find)

    def scope_for(self, name: str, who: Identity, *, begin: bool = True) -> Scope:
        """Find the campaign of a client, or begin it. If it is not to be begun, one that does not exist has the id 0.

        Raises
        ------
        InvalidInput
            When another account has a campaign of the name, and the client's may be the same.
        """

        def find(connection: sa.Connection) -> Scope:
            account = ownership.settle_account(connection, who)
            ownership.check_apart(connection, name, who, account, self._database.where)
            if begin:
                return ownership.begin(connection, name, who.gateway, account)
            existing = ownership.find(connection, name, who.gateway, account)
            return existing or Scope(0, name, who.gateway, account)

        return self._database.transact(find)

    def account_of(self, gateway: str, key: str) -> str | None:
        """Return the account that a key is known to belong to."""
        return self._database.transact(lambda connection: ownership.find_account(connection, gateway, key))

    def accounts_of(self, gateways: Collection[str], key: str, user: str | None) -> set[tuple[str, str]]:
        """Return the gateways and accounts that the campaigns of a client may be stored under; nothing is written."""
        return self._database.transact(lambda connection: ownership.accounts_of(connection, gateways, key, user))

    def scopes(self, name: str) -> list[Scope]:
        """List the campaigns of a name, on whatever gateway and account, the latest first."""
        return self._database.transact(lambda connection: ownership.list_scopes(connection, name))

    def now(self) -> datetime:
        """Return the present moment in Vietnam time, by the clock that the journal's times come from."""
        return self._database.now()

    def latest(self) -> datetime | None:
        """Find the latest time that the journal has seen, in Vietnam time; None for an empty journal.

        A present before it means that a clock was set back. It takes as long as reading the tables' times once.
        """
        query = sa.select(*(sa.select(sa.func.max(column)).scalar_subquery() for column in _TIMES))
        found = self._database.transact(lambda connection: connection.execute(query).one())
        return moment_of(max((text for text in found if text is not None), default=None))

    def last_tried(self, scope: Scope) -> datetime | None:
        """Find when a batch of a campaign was tried last."""
        query = sa.select(sa.func.max(batches.c.sent_at)).where(batches.c.campaign_id == scope.id)
        return self._database.transact(lambda connection: moment_of(connection.execute(query).scalar()))

    def callback_token(self, scope: Scope) -> str:
        """Return the token that marks the gateway's callbacks as a campaign's."""
        return self._database.transact(lambda connection: callback_store.token_of(connection, scope))

    def callback_tokens(self) -> dict[str, int]:
        """Return the tokens of all campaigns, with the campaigns' ids."""
        return self._database.transact(callback_store.tokens)

    def callbacks_of(self, sms_ids: Sequence[str], whose: Collection[tuple[str, str]] | None = None) -> pd.DataFrame:
        """Read the callbacks of sends by the gateway's ids; of some gateways and accounts only, or of all."""
        frames = []
        for start in range(0, max(len(sms_ids), 1), callback_store.AT_ONCE):
            chunk = sms_ids[start : start + callback_store.AT_ONCE]
            # A short transaction each, for whoever sends meanwhile waits for it.
            rows = self._database.transact(partial(callback_store.read_sends, sms_ids=chunk, whose=whose))
            if rows or not start:
                frames.append(callback_store.build_frame(rows))
        return pd.concat(frames, ignore_index=True)

    def record_callbacks(self, received: Sequence[Received]) -> None:
        """Write callbacks in one transaction, which is on disk when this returns."""
        with self._database.begin() as connection:
            callback_store.record(connection, received)

    def batches(self, scope: Scope) -> list[Batch]:
        """Read the batches of a campaign, but for withdrawn and split ones, in the order of their numbers."""
        return self._database.transact(lambda connection: self._read(connection, scope))

    def unfinished(self, scope: Scope) -> list[Batch]:
        """Read the batches of a campaign that may still have to be sent."""
        return self._database.transact(lambda connection: self._read(connection, scope, *_UNFINISHED_ONLY))

    def each_batch(self, scope: Scope) -> Iterator[Batch]:
        """Read the same batches as `batches`, several at a time, and yield them one by one.

        What another run adds meanwhile is read too: it may be in the place of a batch that was there and is no more.
        """
        numbers = sa.select(batches.c.number).where(batches.c.campaign_id == scope.id).order_by(batches.c.number)

        def after(last: int) -> Callable[[sa.Connection], tuple[int | None, list[Batch]]]:
            def read(connection: sa.Connection) -> tuple[int | None, list[Batch]]:
                chunk = connection.execute(numbers.where(batches.c.number > last).limit(_AT_ONCE)).scalars().all()
                if not chunk:
                    return None, []
                return chunk[-1], self._read(connection, scope, batches.c.number.between(chunk[0], chunk[-1]))

            return read

        last: int | None = -1
        while last is not None:
            last, found = self._database.transact(after(last))
            yield from found

    def messages_of(self, sms_ids: Sequence[str], whose: Collection[tuple[str, str]]) -> dict[str, Message]:
        """Read the messages of sends by the gateway's ids, as far as they are kept, of some gateways and accounts."""
        mine = sa.select(campaigns.c.id).where(sa.tuple_(campaigns.c.gateway, campaigns.c.account).in_(sorted(whose)))
        names = ("sms_id", "content", "brandname", "sms_type")
        query = sa.select(*(batches.c[name] for name in names)).where(
            batches.c.campaign_id.in_(mine), batches.c.content != ""
        )
        found = {}
        for start in range(0, len(sms_ids), _AT_ONCE):
            chunk = query.where(batches.c.sms_id.in_(sms_ids[start : start + _AT_ONCE]))
            for row in self._database.transact(partial(_rows, query=chunk)):
                found[row.sms_id] = Message._restored(row.content, row.brandname, row.sms_type, None, None)
        return found

    def consult(self, scope: Scope, consider: Callable[[Known], T], texted: TextedNumbers) -> T:
        """Call a function with a read-only snapshot of the journal, and return its result.

        `texted` is what is kept of the campaign from one call to the next, empty at first.
        """

        def ask(connection: sa.Connection) -> T:
            unfinished = self._read(connection, scope, *_UNFINISHED_ONLY)
            return consider(self._build_known(connection, scope, unfinished, texted))

        return self._database.transact(ask)

    def plan(
        self,
        scope: Scope,
        run: str,
        decide: Callable[[Known], tuple[Sequence[Batch], Sequence[NewBatch]]],
        texted: TextedNumbers,
    ) -> list[Batch]:
        """Call a function that decides which batches to withdraw and add; write that, and return the unfinished ones.

        It knows of the journal what `consult` says.

        It is one transaction, and one plan at a time whatever the campaign, so that of two runs the second decides
        knowing what the first has: within a campaign nobody is in two batches, and the daily cap holds over all of them.
        Afterwards batches and numbers are on disk.
        """
        check_own(run)
        written: list[set[tuple[int, str]]] = []  # what a commit was to write whose answer got lost

        def write(connection: sa.Connection) -> list[Batch]:
            take(connection, Lock.PEOPLE)
            _take_campaign(connection, scope)
            # What may be withdrawn is locked before it is decided: else another run could begin to send it between the
            # decision and its writing. What is being sent by then is seen as such.
            locked = sa.select(batches.c.id).where(batches.c.campaign_id == scope.id, *_UNFINISHED_ONLY)
            connection.execute(locked.order_by(batches.c.id).with_for_update()).all()
            unfinished = self._read(connection, scope, *_UNFINISHED_ONLY)
            if written and written[-1] & {(batch.id, batch.request_id) for batch in unfinished}:
                return unfinished
            withdrawn, added = decide(self._build_known(connection, scope, unfinished, texted))
            for batch in withdrawn:
                connection.execute(
                    sa.update(batches)
                    .where(batches.c.id == batch.id, batches.c.status == BatchStatus.PLANNED)
                    .values(status=BatchStatus.WITHDRAWN, request_id=f"{batch.request_id}/withdrawn {batch.id}")
                )
            numbers = set(self._add(connection, scope, run, added))
            planned = self._read(connection, scope, *_UNFINISHED_ONLY)
            written.append({(batch.id, batch.request_id) for batch in planned if batch.number in numbers})
            return planned

        return self._database.transact(write)

    def _build_known(
        self, connection: sa.Connection, scope: Scope, unfinished: list[Batch], texted: TextedNumbers
    ) -> Known:
        def is_texted(numbers: Numbers) -> NDArray[np.bool_]:
            if len(numbers):  # nobody is asked of by who finishes what is there
                _catch_up(connection, scope, texted)
            return texted.numbers.holds(numbers)

        return Known(
            batches=unfinished,
            request_ids=_request_ids(connection, scope),
            do_not_contact=lambda: DoNotContact(self._database).numbers(connection),
            advertised=partial(find_advertised, connection, scope),
            now=now(connection),
            is_texted=is_texted,
        )

    def _add(
        self,
        connection: sa.Connection,
        scope: Scope,
        run: str,
        added: Sequence[NewBatch],
        split_from: int | None = None,
    ) -> list[int]:
        """Write new batches after the existing ones; return their numbers."""
        query = sa.select(sa.func.max(batches.c.number)).where(batches.c.campaign_id == scope.id)
        highest = connection.execute(query).scalar() or 0
        numbers = [highest + position for position, _ in enumerate(added, start=1)]
        moment = now(connection)
        rows = [row_of(scope, run, batch, number, moment) for batch, number in zip(added, numbers, strict=True)]
        if rows:
            connection.execute(sa.insert(batches), [{**row, "split_from": split_from} for row in rows])
        return numbers

    def begin_attempt(
        self, batch: Batch, run: str, seconds: float, *, earliest: datetime | None = None
    ) -> Attempt | None:
        """Claim a batch for a run and record the attempt; return None if it is settled or another run has it.

        `seconds` is how long the claim is good for, if the process lives so long, and `earliest` the earliest moment that
        it may be by the gateway's clock. This is on disk before it returns, so that a crash afterwards leaves the batch
        uncertain and never forgotten.

        Raises
        ------
        ListedError
            When it holds numbers that have come onto the do-not-contact list; nothing was written.
        """
        check_own(run)
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
            if Rule.DO_NOT_CONTACT in batch.rules and len(listed := _find_listed(connection, batch.numbers)):
                raise ListedError(listed)
            moment = now(connection)
            earlier = set(
                connection.execute(sa.select(attempts.c.outcome).where(attempts.c.batch_id == batch.id)).scalars()
            )
            connection.execute(
                sa.update(batches)
                .where(batches.c.id == batch.id)
                .values(
                    status=BatchStatus.SENDING,
                    holder=run,
                    held_until=seconds_of(connection) + seconds,
                    attempts=held.attempts + 1,
                    sent_at=text_of(moment),
                    uncertain_since=held.uncertain_since or text_of(min(moment, earliest or moment)),
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
                    unanswered_before=bool(earlier & {None, AttemptOutcome.UNANSWERED}),
                    refused_before=AttemptOutcome.REFUSED in earlier,
                    started_at=moment,
                    earliest=min(moment, earliest or moment),
                )
            )
            return begun[-1]

        return self._database.transact(begin)

    def end_attempt(
        self,
        attempt: Attempt,
        run: str,
        status: BatchStatus,
        *,
        outcome: AttemptOutcome,
        reason: str | None = None,
        code: int | None = None,
        sms_id: str | None = None,
    ) -> None:
        """Record the outcome of an attempt, and the status that its batch has by it.

        An unfinished batch stays with the run. An acceptance is written with `accept`.
        """
        check_own(run)
        self._database.transact(
            lambda connection: _end_attempt(
                connection, attempt, run, status, outcome=outcome, reason=reason, code=code, sms_id=sms_id
            ),
            carry=False,  # without it the attempt is one that may have arrived
        )

    def accept(
        self, scope: Scope, attempt: Attempt, run: str, *, code: int, sms_id: str | None, otherwise: str
    ) -> bool:
        """Record that an attempt was accepted; return whether that holds.

        It does not where the account has the SMSID for another batch: then the answer was meant for that one, and the
        attempt is as uncertain as one without an answer, with the reason `otherwise`.
        """
        check_own(run)
        others = (
            sa.select(batches.c.id)
            .join(campaigns)
            .where(
                batches.c.sms_id == sms_id,  # none is where there is none
                batches.c.id != attempt.batch_id,
                campaigns.c.gateway == scope.gateway,
                campaigns.c.account == scope.account,
            )
        )

        def write(connection: sa.Connection) -> bool:
            _take_campaign(connection, scope)  # of two answers with one SMSID, the second sees the first
            holds = connection.execute(others.limit(1)).first() is None
            if holds:
                _end_attempt(
                    connection,
                    attempt,
                    run,
                    BatchStatus.ACCEPTED,
                    outcome=AttemptOutcome.ACCEPTED,
                    reason=None,
                    code=code,
                    sms_id=sms_id,
                )
            else:
                _end_attempt(
                    connection,
                    attempt,
                    run,
                    BatchStatus.UNKNOWN,
                    outcome=AttemptOutcome.UNANSWERED,
                    reason=otherwise,
                    code=None,
                )
            return holds

        return self._database.transact(write)

    def replace(
        self,
        scope: Scope,
        batch: Batch,
        run: str,
        divide: Callable[[set[str]], Sequence[NewBatch]],
    ) -> list[Batch] | None:
        """Replace a batch that certainly did not leave by others; return None if it is settled or taken.

        `divide` is given the request ids that the campaign has ever used.
        """
        check_own(run)
        row = sa.select(batches.c.holder, batches.c.held_until).where(
            batches.c.id == batch.id, batches.c.status == BatchStatus.PLANNED, batches.c.uncertain_since.is_(None)
        )

        def write(connection: sa.Connection) -> list[Batch] | None:
            _take_campaign(connection, scope)
            parts = sa.select(batches.c.number).where(batches.c.split_from == batch.id, batches.c.planned_by == run)
            numbers = list(connection.execute(parts).scalars())  # by this run, whose answer to the commit got lost
            if not numbers:
                held = connection.execute(row.with_for_update()).one_or_none()
                if held is None or not claimable(connection, held.holder, held.held_until, run):
                    return None
                gone = {"status": BatchStatus.WITHDRAWN, "request_id": f"{batch.request_id}/withdrawn {batch.id}"}
                connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(**gone))
                added = divide(_request_ids(connection, scope))
                numbers = self._add(connection, scope, run, added, split_from=batch.id)
            return self._read(connection, scope, batches.c.number.in_(numbers))

        return self._database.transact(write)

    def add_found(self, scope: Scope, found: Sequence[FoundSend], reason: str) -> int:
        """Record sends of a campaign that the gateway knows and this journal does not; return how many numbers they have.

        Numbers that the campaign has in a batch which was sent, or may still be, are left to that one.
        """
        live = sa.select(batches.c.phones).where(batches.c.campaign_id == scope.id, batches.c.status.in_(LIVE))

        def write(connection: sa.Connection) -> int:
            take(connection, Lock.PEOPLE)
            _take_campaign(connection, scope)
            moment = text_of(now(connection))
            busy_ones = numbers_in(" ".join(filter(None, connection.execute(live).scalars())))
            count = 0
            for send in found:
                new = send.numbers[~is_among(send.numbers, busy_ones)]
                if not len(new):
                    continue
                batch = NewBatch(f"found {send.sms_id} {moment}", send.message, 1, new)
                (number,) = self._add(connection, scope, "", [batch])
                values = {
                    "status": BatchStatus.ALREADY_SENT,
                    "reason": reason,
                    "sms_id": send.sms_id or None,
                    "sent_at": text_of(send.sent_at),
                    "planned_by": None,
                }
                mine = (batches.c.campaign_id == scope.id, batches.c.number == number)
                connection.execute(sa.update(batches).where(*mine).values(**values))
                busy_ones = np.concatenate([busy_ones, new])
                count += len(new)
            return count

        return self._database.transact(write)

    def split(
        self,
        scope: Scope,
        attempt: Attempt,
        run: str,
        divide: Callable[[NDArray[np.int32], set[str]], Sequence[NewBatch]],
        *,
        reason: str,
        code: int | None,
    ) -> list[Batch]:
        """Record that an attempt was refused for some of its numbers, and the parts that replace the batch.

        `divide` is given the numbers that the batch has by now, for somebody may have been forgotten since it was read,
        and the request ids that the campaign has ever used. Both are on disk at once, so that whatever happens next
        nobody is lost and nobody is in two batches.
        """
        check_own(run)
        present = sa.select(batches.c.status, batches.c.phones).where(batches.c.id == attempt.batch_id)
        parts_of_it = sa.select(batches.c.number, batches.c.planned_by).where(batches.c.split_from == attempt.batch_id)

        def divided(connection: sa.Connection) -> list[Batch]:
            _take_campaign(connection, scope)
            _end_attempt(
                connection, attempt, run, BatchStatus.SPLIT, outcome=AttemptOutcome.REFUSED, reason=reason, code=code
            )
            row = connection.execute(present).one()
            existing = connection.execute(parts_of_it).all()
            if existing:  # by another run since, or by this one, whose answer to the commit got lost
                numbers = [part.number for part in existing if part.planned_by == run]
            elif row.status != BatchStatus.SPLIT or not row.phones:  # another run has had it since, or nobody is left
                numbers = []
            else:
                parts = divide(numbers_in(row.phones), _request_ids(connection, scope))
                numbers = self._add(connection, scope, run, parts, split_from=attempt.batch_id)
            return self._read(connection, scope, batches.c.number.in_(numbers))

        return self._database.transact(divided)

    def claim(self, batch: Batch, run: str, seconds: float) -> bool:
        """Claim a batch for a run without trying it, if it has not changed since it was read and no other run has it."""
        check_own(run)
        row = sa.select(batches.c.holder, batches.c.held_until).where(batches.c.id == batch.id, *_is_unchanged(batch))

        def take_it(connection: sa.Connection) -> bool:
            held = connection.execute(row.with_for_update()).one_or_none()
            if held is None or not claimable(connection, held.holder, held.held_until, run):
                return False
            mine = {"holder": run, "held_until": seconds_of(connection) + seconds}
            connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(**mine))
            return True

        return self._database.transact(take_it)

    def settle(
        self, batch: Batch, run: str, status: BatchStatus | None, *, reason: str | None, sms_id: str | None = None
    ) -> None:
        """Record what was found out about a batch without another attempt; the run must have claimed it.

        A batch that turns out to be ``planned`` is as if it were planned now. With status None it stays what it was.
        """
        check_own(run)
        values: dict[str, Any] = {"status": status, "reason": reason, "sms_id": sms_id}
        values |= {"code": batch.code if status in {None, BatchStatus.UNKNOWN, BatchStatus.ALREADY_SENT} else None}
        values |= {"holder": None, "held_until": None}
        if status in SETTLED:
            values |= {"uncertain_since": None, "settled_by": run}
        elif status is None:
            values |= {"status": batch.status}
        mine = sa.update(batches).where(batches.c.id == batch.id, batches.c.holder == run, *_is_unchanged(batch))

        def write(connection: sa.Connection) -> None:
            fresh = {"uncertain_since": None, "created_at": text_of(now(connection)), "planned_by": None}
            connection.execute(mine.values(**values, **(fresh if status == BatchStatus.PLANNED else {})))

        self._database.transact(write)

    def sms_ids(self, scope: Scope) -> set[str]:
        """Return the gateway's ids of all sends of an account, in whatever campaign."""
        query = (
            sa.select(batches.c.sms_id)
            .join(campaigns)
            .where(campaigns.c.gateway == scope.gateway, campaigns.c.account == scope.account)
        )
        found = self._database.transact(lambda connection: connection.execute(query).scalars().all())
        return {sms_id for sms_id in found if sms_id}

    def state(self, batch: Batch, run: str) -> tuple[BatchStatus, bool]:
        """Return the batch's status, and whether another live run holds it."""
        query = sa.select(batches.c.status, batches.c.holder, batches.c.held_until).where(batches.c.id == batch.id)

        def look(connection: sa.Connection) -> tuple[BatchStatus, bool]:
            row = connection.execute(query).one()
            held = row.status in UNFINISHED and not claimable(connection, row.holder, row.held_until, run)
            return row.status, held

        return self._database.transact(look)

    def release(self, run: str, *, wait: bool = True) -> None:
        """Release every claim of a run that has ended, with or without waiting for a server that is away."""
        if is_inherited(run):  # it goes on in the process that was forked
            return
        its = sa.or_(batches.c.planned_by == run, batches.c.holder == run)

        def let_go(connection: sa.Connection) -> None:
            # In the order in which everybody locks rows, so that nobody waits for whoever waits for them.
            connection.execute(sa.select(batches.c.id).where(its).order_by(batches.c.id).with_for_update()).all()
            connection.execute(sa.update(batches).where(batches.c.planned_by == run).values(planned_by=None))
            connection.execute(sa.update(batches).where(batches.c.holder == run).values(holder=None, held_until=None))

        try:
            self._database.transact(let_go, wait=wait)
        except JournalError:
            note_end(run)
            raise

    def _read(self, connection: sa.Connection, scope: Scope, *which: sa.ColumnElement[bool]) -> list[Batch]:
        query = (
            sa.select(batches)
            .where(
                batches.c.campaign_id == scope.id,
                batches.c.status.not_in(REPLACED),
                batches.c.phones != "",  # all forgotten: there is nobody to say anything of
                *which,
            )
            .order_by(batches.c.number)
        )
        is_busy = busy(connection)
        return [
            batch_of(row, is_abandoned=row.status == BatchStatus.PLANNED and not is_busy(row))
            for row in connection.execute(query)
        ]


def _catch_up(connection: sa.Connection, scope: Scope, texted: TextedNumbers) -> None:
    """Read the numbers of the batches that were settled since the last call."""
    query = sa.select(batches.c.id).where(batches.c.campaign_id == scope.id, batches.c.status.in_(SETTLED))
    current = set(connection.execute(query).scalars())
    for changed, change in (
        (texted.batches - current, texted.numbers.remove),
        (current - texted.batches, texted.numbers.add),
    ):
        ids = sorted(changed)
        for position in range(0, len(ids), _AT_ONCE):
            chunk = sa.select(batches.c.phones).where(batches.c.id.in_(ids[position : position + _AT_ONCE]))
            change(numbers_in(" ".join(filter(None, connection.execute(chunk).scalars()))))
    texted.batches = current


def _find_listed(connection: sa.Connection, numbers: Numbers) -> Numbers:
    """Find which numbers are on the do-not-contact list."""
    if connection.execute(sa.select(do_not_contact.c.phone).limit(1)).first() is None:
        return numbers[:0]
    found: list[str] = []
    for start in range(0, len(numbers), _LOOKED_UP):
        chunk = phones_of(numbers[start : start + _LOOKED_UP]).split()
        query = sa.select(do_not_contact.c.phone).where(do_not_contact.c.phone.in_(chunk))
        found += connection.execute(query).scalars()
    return numbers_in(" ".join(found))


def _take_campaign(connection: sa.Connection, scope: Scope) -> None:
    """Wait until no other transaction adds batches to a campaign or erases people from all of them."""
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
    status: BatchStatus,
    *,
    outcome: AttemptOutcome,
    reason: str | None,
    code: int | None,
    sms_id: str | None = None,
) -> None:
    settled = status not in UNFINISHED
    uncertain_since = attempt.earliest if attempt.uncertain_before is None else attempt.uncertain_before
    values: dict[str, Any] = {
        "status": status,
        "reason": reason,
        "code": code,
        "sms_id": sms_id,
        "uncertain_since": text_of(uncertain_since if status == BatchStatus.UNKNOWN else attempt.uncertain_before),
    }
    if settled:
        values |= {"settled_by": run, "holder": None, "held_until": None}
    its = (attempts.c.id == attempt.id, attempts.c.run == run, attempts.c.started_at == text_of(attempt.started_at))
    ended = {"ended_at": text_of(now(connection)), "outcome": outcome, "code": code}
    if not connection.execute(sa.update(attempts).where(*its).values(**ended)).rowcount:
        raise JournalError(
            "The journal does not hold any more what this run wrote, as if an older copy had been put in its "
            "place: what the run sent is not all known there, the last with the outcome {outcome}. Resume its "
            "campaigns, before you send them to other people or with other texts.",
            outcome=repr(str(outcome)),
        )
    # That it was accepted holds whatever else is known. Anything less is for the last attempt alone to say: a run that
    # slept through its claim does not speak for the one that has it now.
    last = [batches.c.attempts == attempt.number, batches.c.status.in_(UNFINISHED)]
    condition = [batches.c.status != BatchStatus.ACCEPTED] if status == BatchStatus.ACCEPTED else last
    connection.execute(sa.update(batches).where(batches.c.id == attempt.batch_id, *condition).values(**values))


def _is_unchanged(batch: Batch) -> tuple[sa.ColumnElement[bool], ...]:
    return batches.c.status == batch.status, batches.c.attempts == batch.attempts
