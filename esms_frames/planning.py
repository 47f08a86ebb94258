"""Plan a send: what it would do and cost, and what would make it fail, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from esms_frames.allocation import LIVE, LeftOut, allocate
from esms_frames.audience import check_floor
from esms_frames.client import SANDBOX
from esms_frames.consent import FIRST_HOUR, LAST_HOUR, Rule, next_allowed_time, outside_hours, switched_off
from esms_frames.delivery import may_be_sent
from esms_frames.errors import InvalidInput, TooFewRecipients, WouldFail
from esms_frames.order import some_of
from esms_frames.personal import fields_of
from esms_frames.plan import MESSAGE_COLUMNS, Plan
from esms_frames.preflight import Answers, ask, parcels_of
from esms_frames.results import Outcome, Status
from esms_frames.schema import UNFINISHED, Scope
from esms_frames.sets import is_among

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.allocation import Allocation
    from esms_frames.batch import Batch, Known, NewBatch
    from esms_frames.client import Client
    from esms_frames.ledger import Ledger
    from esms_frames.order import Group, Order
    from esms_frames.preflight import Parcel

_NOBODY = np.empty(0, dtype=np.int32)
DONE = Outcome(Status.ALREADY_SENT, "by this campaign, or about to be")
_ASKED_ABOUT = Outcome(Status.UNKNOWN, "it may have been sent: the gateway is asked about it before anything else")


def check_hours(added: Sequence[NewBatch], now: datetime) -> None:
    """Refuse new batches of advertising at a time at which it may not go out."""
    for batch in added:
        if (why := out_of_hours(batch, now)) is not None:
            raise InvalidInput(why)


def out_of_hours(batch: NewBatch, now: datetime) -> str | None:
    """Say why a new batch may not go out at its time; None where it may."""
    if Rule.SENDING_HOURS not in batch.rules:
        return None
    return outside_hours(batch.message.send_at or now)


def refuse_what_would_fail(order: Order, client: Client, journal: Ledger) -> None:
    """Raise `WouldFail` when something stands against an order."""
    found = plan_order(order, client, journal)
    if found.problems:
        raise WouldFail(found.problems)


@dataclass(frozen=True)
class Outlook:
    """What a send would do, as far as the journal and the audience tell."""

    rows: int
    parcels: list[Parcel]
    """All that would be sent."""
    certain: list[Parcel]
    """What of it was certainly not taken yet, so that the gateway is asked about it."""
    added: Sequence[NewBatch]
    """The new batches, or one of each kind."""
    absent: int
    """How many recipients an interrupted run has left who are not in the data."""
    held: Mapping[int, str]
    """The unfinished batches that would not be tried, with the reason."""
    rejected: pd.DataFrame
    now: datetime
    """The present moment by the journal's clock."""


def plan_order(order: Order, client: Client | None, journal: Ledger) -> Plan:
    """Plan what an order would do, given what the journal has."""
    scope = scope_of(order.campaign, client, journal)

    def consider(known: Known) -> tuple[Allocation, list[Batch], list[LeftOut]]:
        decided = allocate(order.groups, order.excluded, known, order.campaign, order.audience.max_batch)
        return (decided, *to_be_tried(known, decided))

    decided, unfinished, aside = journal.consult(scope, consider)
    parcels = parcels_of([*unfinished, *decided.added])
    elsewhere = np.concatenate([_NOBODY, *(batch.numbers for batch in unfinished)])
    there = np.concatenate([_NOBODY, *(group.numbers for group in order.groups)])
    outlook = Outlook(
        rows=len(order.audience.frame),
        parcels=parcels,
        certain=parcels_of([*(batch for batch in unfinished if batch.uncertain_since is None), *decided.added]),
        added=decided.added,
        absent=int((~is_among(elsewhere, there)).sum()),
        held=decided.held,
        rejected=_rejected(order, [*aside, *decided.left_out], parcels),
        now=journal.now(),
    )
    return foretold(order.campaign, order.groups, order.idle, outlook, lambda: check_floor(order.audience), client)


def to_be_tried(known: Known, decided: Allocation) -> tuple[list[Batch], list[LeftOut]]:
    """Give the batches of the campaign that would be tried, and the numbers of those that would not, with the reason."""
    withdrawn = {batch.id for batch in decided.withdrawn}
    there = [batch for batch in known.batches if batch.status in LIVE and batch.id not in withdrawn]
    whys = [(batch, _why_not_tried(batch, decided, known.now)) for batch in there]
    aside = [LeftOut(batch.numbers, why) for batch, why in whys if why is not None]
    return [batch for batch, why in whys if why is None], aside


def foretold(
    campaign: str,
    groups: Sequence[Group],
    idle: Sequence[str],
    outlook: Outlook,
    check_enough: Callable[[], None],
    client: Client | None,
) -> Plan:
    """Ask the gateway about what a send would do, and put it all together."""
    # What may have been taken may have been paid for, so the gateway is asked about the rest.
    parcels, certain = outlook.parcels, outlook.certain
    answers = ask(client, certain) if client is not None and certain else Answers()
    if answers.price is not None and len(certain) < len(parcels):
        answers.price_basis += ", without what may have been sent already"
    return Plan(
        campaign=campaign,
        rows=outlook.rows,
        recipients=sum(len(parcel.numbers) for parcel in parcels),
        rejected=outlook.rejected,
        messages=_messages(parcels),
        price=answers.price,
        price_basis=answers.price_basis,
        balance=answers.balance,
        window=_window(groups, outlook.now),
        warnings=(*_warnings(groups, idle, outlook), *answers.warnings),
        problems=(*_problems(groups, outlook, check_enough), *answers.problems),
    )


def scope_of(campaign: str, client: Client | None, journal: Ledger) -> Scope:
    """Find the campaign that is meant, or one with the id 0 where it is not begun."""
    if client is not None:
        return journal.scope(campaign, client.gateway, client.account, begin=False)
    live = [scope for scope in journal.scopes(campaign) if scope.gateway != SANDBOX]
    return live[0] if len(live) == 1 else Scope(0, campaign, "", "")


def _problems(groups: Sequence[Group], outlook: Outlook, check_enough: Callable[[], None]) -> list[str]:
    problems = []
    try:
        check_enough()
    except TooFewRecipients as error:
        problems.append(str(error))
    try:
        check_hours(outlook.added, outlook.now)
    except InvalidInput as error:
        problems.append(str(error))
    if names := [name for group in groups for name in fields_of(group.message.content)]:
        problems.append(
            f"The text holds {{{names[0]}}} as it stands: fill it in with message.for_each(df), or send it so with "
            "checks=False."
        )
    return problems


def _warnings(groups: Sequence[Group], idle: Sequence[str], outlook: Outlook) -> list[str]:
    warnings = []
    if not outlook.parcels:
        warnings.append("Nobody is left to be texted.")
    saved = sum((p.message.parts - p.message.without_accents().parts) * len(p.numbers) for p in outlook.parcels)
    if saved:
        total = sum(parcel.message.parts * len(parcel.numbers) for parcel in outlook.parcels)
        warnings.append(
            f"Accents cost {saved:,} of the {total:,} parts: message.without_accents() would save them, some "
            f"{saved / total:.0%} of the price."
        )
    if idle:
        warnings.append(f"Segment {some_of(idle)} has a message and no row.")
    if outlook.absent:
        warnings.append(
            f"{outlook.absent:,} recipients that an interrupted run has left are not in this data, and are texted too."
        )
    if outlook.held:
        (why, *_), count = outlook.held.values(), len(outlook.held)
        warnings.append(f"{count:,} unfinished batch{'es' if count > 1 else ''} can't be sent as planned: {why}")
    off = {switched_off(group.rules, group.message.sms_type) for group in groups} - {None}
    return warnings + sorted(filter(None, off))


def _why_not_tried(batch: Batch, decided: Allocation, now: datetime) -> Outcome | None:
    """Say why a batch of the campaign would not be sent; None where it would."""
    if batch.status not in UNFINISHED:
        return DONE
    if batch.id in decided.held:
        return Outcome(Status.NOT_SENT if batch.status == "planned" else Status.UNKNOWN, decided.held[batch.id])
    if batch.uncertain_since is not None and not may_be_sent(batch, batch.uncertain_since, now):
        return _ASKED_ABOUT
    return None


def _rejected(order: Order, left_out: Sequence[LeftOut], parcels: Sequence[Parcel]) -> pd.DataFrame:
    audience = order.audience.summary()
    rows = [
        tuple(row)
        for row in audience.loc[audience["status"] != "ready", ["status", "reason", "rows"]].itertuples(index=False)
    ]
    rest = np.concatenate([_NOBODY, *(group.numbers for group in order.groups)])
    rest = rest[~is_among(rest, np.concatenate([_NOBODY, *(parcel.numbers for parcel in parcels)]))]
    alike: dict[Outcome, list[NDArray[np.int32]]] = {}
    for some in left_out:
        alike.setdefault(some.outcome, []).append(some.numbers)
    for outcome, several in alike.items():
        is_left = is_among(rest, np.concatenate(several))
        rows.append((str(outcome.status), outcome.reason, int(is_left.sum())))
        rest = rest[~is_left]
    return rejected_frame(rows)


def rejected_frame(rows: Sequence[tuple[str, str | None, int]]) -> pd.DataFrame:
    """Make the table of who would not be texted, out of status, reason and how many rows."""
    table = pd.DataFrame([row for row in rows if row[2]], columns=["status", "reason", "rows"])
    return table.sort_values("rows", ascending=False, kind="stable", ignore_index=True)


def _messages(parcels: Sequence[Parcel]) -> pd.DataFrame:
    rows = [
        {
            "segment": parcel.segment,
            "content": parcel.message.content,
            "brandname": parcel.message.brandname,
            "sms_type": str(parcel.message.sms_type),
            "send_at": parcel.message.send_at,
            "recipients": len(parcel.numbers),
            "batches": parcel.batches,
            "encoding": parcel.message.encoding,
            "characters": parcel.message.characters,
            "parts": parcel.message.parts,
            "total_parts": parcel.message.parts * len(parcel.numbers),
        }
        for parcel in parcels
    ]
    return pd.DataFrame(rows, columns=list(MESSAGE_COLUMNS))


def _window(groups: Sequence[Group], now: datetime) -> tuple[datetime, datetime] | None:
    bound = [group for group in groups if Rule.SENDING_HOURS in group.rules]
    if not bound:
        return None
    start = next_allowed_time(max(group.message.send_at or now for group in bound))
    return start.replace(hour=FIRST_HOUR, minute=0, second=0), start.replace(hour=LAST_HOUR, minute=0, second=0)
