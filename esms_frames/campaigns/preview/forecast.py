"""Forecast what a send would do: who is texted, what stands against it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from esms_frames.base import clock
from esms_frames.base.addresses import SANDBOX
from esms_frames.base.errors import InvalidInput, TooFewRecipients, WouldFail
from esms_frames.base.sets import is_among
from esms_frames.base.wording import Sentence, mark
from esms_frames.campaigns.decisions.allocation import LeftOut, allocate
from esms_frames.campaigns.decisions.may_send import Clocks, check_hours, find_objection
from esms_frames.campaigns.decisions.order import some_of
from esms_frames.campaigns.preview.gateway_checks import Answers, ask, parcels_of
from esms_frames.campaigns.preview.report import MESSAGE_COLUMNS, Plan
from esms_frames.journal import identity
from esms_frames.journal.records import BatchStatus, Scope
from esms_frames.messages.advertising_rules import FIRST_HOUR, LAST_HOUR, Rule, describe_switched_off, next_allowed_time
from esms_frames.messages.limits import MIN_BATCH, SmsType
from esms_frames.messages.personalize import fields_of
from esms_frames.reporting.frame import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.campaigns.decisions.allocation import Allocation
    from esms_frames.campaigns.decisions.order import Group, Order
    from esms_frames.campaigns.pending import Pending
    from esms_frames.campaigns.preview.gateway_checks import Parcel
    from esms_frames.gateway.client import Client
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Batch, Known, NewBatch


_NOBODY = np.empty(0, dtype=np.int32)
DONE = Outcome(Status.ALREADY_SENT, mark("by this campaign, or about to be"))
_ASKED_ABOUT = Outcome(
    Status.UNKNOWN, mark("it may have been sent: the gateway is asked about it before anything else")
)


def refuse_what_would_fail(order: Order, pending: Pending, scope: Scope, client: Client, journal: BatchStore) -> None:
    """Raise `WouldFail` when something stands against an order."""
    if problems := plan_order(order, pending, scope, client, journal).problems:
        raise WouldFail(problems)


def plan_order(order: Order, pending: Pending, scope: Scope, client: Client | None, journal: BatchStore) -> Plan:
    """Plan what an order would do, given what the journal has, who is still to get it, and what the gateway says."""
    looked_at = [*pending.first, *pending.too_few]
    numbers = np.concatenate([_NOBODY, *(group.numbers for group in looked_at)])

    def consider(known: Known) -> tuple[Allocation, list[Batch], list[LeftOut]]:
        decided = allocate(looked_at, pending.excluded, known, order.campaign, pending.max_batch)
        return (decided, *to_be_tried(known, decided, numbers))

    decided, unfinished, aside = journal.consult(scope, consider, pending.texted)
    parcels = parcels_of([*unfinished, *decided.added], pending.enough, pending.max_batch)
    # What may have been taken may have been paid for, so the gateway is asked about the rest.
    certain = [batch for batch in unfinished if batch.uncertain_since is None]
    asked = parcels_of([*certain, *decided.added], pending.enough, pending.max_batch)
    answers = ask(client, asked) if client is not None and asked else Answers()
    if answers.price is not None and len(asked) < len(parcels):
        answers.price_basis = Sentence(
            "{basis_text}, without what may have been sent already", basis_text=answers.price_basis
        )
    elsewhere = np.concatenate([_NOBODY, *(batch.numbers for batch in unfinished)])
    absent = int((~is_among(elsewhere, numbers)).sum())
    now = journal.now()
    return Plan(
        campaign=order.campaign,
        rows=sum(order.audience.counts.values()),
        recipients=sum(len(parcel.numbers) for parcel in parcels),
        rejected=_rejected(order, pending, numbers, [*unfinished, *decided.added], [*aside, *decided.left_out]),
        messages=_messages(parcels),
        price=answers.price,
        price_basis=answers.price_basis,
        balance=answers.balance,
        window=_window(order.groups, now),
        warnings=(*_warnings(order, parcels, absent, decided.held), *answers.warnings),
        problems=(*_problems(order, [*decided.added, *pending.enough], now, client), *answers.problems),
    )


def to_be_tried(known: Known, decided: Allocation, numbers: NDArray[np.int32]) -> tuple[list[Batch], list[LeftOut]]:
    """Return the batches of the campaign that would be tried, and who of some numbers has it or is in another, with why."""
    withdrawn = {batch.id for batch in decided.withdrawn}
    there = [batch for batch in known.batches if batch.id not in withdrawn]
    whys = [(batch, _why_not_tried(batch, decided, known.now)) for batch in there]
    aside = [LeftOut(batch.numbers, why) for batch, why in whys if why is not None]
    return [batch for batch, why in whys if why is None], [LeftOut(numbers[known.is_texted(numbers)], DONE), *aside]


def scope_of(campaign: str, client: Client | None, journal: BatchStore) -> Scope:
    """Find the campaign that is meant, or one with the id 0 where it is not begun."""
    if client is not None:
        return identity.scope_of(campaign, client, journal, begin=False)
    live = [scope for scope in journal.scopes(campaign) if scope.gateway != SANDBOX]
    return live[0] if len(live) == 1 else Scope(0, campaign, "", "")


def _problems(order: Order, added: Sequence[NewBatch | Group], now: datetime, client: Client | None) -> list[str]:
    """List what would make a send fail; `now` is by the journal's clock, the client's offset by this machine's."""
    problems: list[str] = []
    try:
        order.audience._check_enough()
    except TooFewRecipients as error:
        problems.append(error._sentence)
    try:
        ahead = now - clock.now()
        offset = None if client is None or client.clock_offset is None else client.clock_offset - ahead
        check_hours(added, Clocks(now, offset=offset))
    except InvalidInput as error:
        problems.append(error._sentence)
    if names := [name for group in order.groups for name in fields_of(group.message.content)]:
        problems.append(
            Sentence(
                "The text holds {{{field}}} as it stands: fill it in with message.for_each(df), or send it "
                "so with checks=False.",
                field=names[0],
            )
        )
    return problems


def _warnings(order: Order, parcels: Sequence[Parcel], absent: int, held: Mapping[int, str]) -> list[str]:
    """List what is worth a look; `absent` are recipients of an interrupted run, `held` its batches that can't be sent."""
    warnings = []
    if not parcels:
        warnings.append(Sentence("Nobody is left to be texted."))
    saved = sum((p.message.parts - p.message.without_accents().parts) * len(p.numbers) for p in parcels)
    if saved:
        total = sum(parcel.message.parts * len(parcel.numbers) for parcel in parcels)
        warnings.append(
            Sentence(
                "Accents cost {saved} of the {total} parts: message.without_accents() would save them, some "
                "{share} of the price.",
                saved=saved,
                total=total,
                share=f"{saved / total:.0%}",
            )
        )
    if order.idle:
        warnings.append(Sentence("Segment {segment} has a message and no row.", segment=some_of(order.idle)))
    if absent:
        warnings.append(
            Sentence(
                "{count} recipients that an interrupted run has left are not in this data, and are texted too.",
                count=absent,
            )
        )
    if held:
        (why, *_), count = held.values(), len(held)
        warnings.append(
            Sentence(
                "{count} unfinished {batches} can't be sent as planned: {why_text}",
                count=count,
                batches="batches" if count > 1 else "batch",
                why_text=why,
            )
        )
    care = [parcel.smallest for parcel in parcels if parcel.message.sms_type is SmsType.CUSTOMER_CARE]
    if (smallest := min(care, default=MIN_BATCH)) < MIN_BATCH:
        warnings.append(
            Sentence(
                "The smallest batch has {few} of the {least} numbers that one page of the gateway's asks "
                "for, and may be refused (code 107): its table of codes says so of advertising only.",
                few=smallest,
                least=MIN_BATCH,
            )
        )
    off = {describe_switched_off(group.rules, group.message.sms_type) for group in order.groups} - {None}
    return warnings + sorted(filter(None, off))


def _why_not_tried(batch: Batch, decided: Allocation, now: datetime) -> Outcome | None:
    """Find why a batch of the campaign would not be sent; None where it would."""
    if batch.id in decided.held:
        return Outcome(
            Status.NOT_SENT if batch.status == BatchStatus.PLANNED else Status.UNKNOWN, decided.held[batch.id]
        )
    if batch.uncertain_since is not None and _is_asked_about(batch, now):
        return _ASKED_ABOUT
    return None


def _is_asked_about(batch: Batch, now: datetime) -> bool:
    clocks = Clocks(now, offset=timedelta(0))  # what the gateway's clock says is known once it is asked
    send_at = batch.message.send_at
    return find_objection(batch.created_at, batch.uncertain_since, send_at, clocks, code=batch.code) is not None


def _rejected(
    order: Order,
    pending: Pending,
    looked_at: NDArray[np.int32],
    batches: Sequence[Batch | NewBatch],
    left_out: Sequence[LeftOut],
) -> pd.DataFrame:
    """Count who would not be texted: rows by the audience, then numbers, each of those looked at for its first reason."""
    summary = order.audience.summary()
    audience = summary.loc[summary["status"] != "ready", ["status", "reason", "rows"]].itertuples(
        index=False, name=None
    )
    rows = Counter({(status, reason): count for status, reason, count in audience})
    rows[str(DONE.status), DONE.reason] += pending.already
    for some in pending.left_out:
        rows[str(some.outcome.status), some.outcome.reason] += len(some.numbers)
    rest = looked_at[~is_among(looked_at, np.concatenate([_NOBODY, *(batch.numbers for batch in batches)]))]
    alike: dict[Outcome, list[NDArray[np.int32]]] = {}
    for some in left_out:
        alike.setdefault(some.outcome, []).append(some.numbers)
    for outcome, several in alike.items():
        is_left = is_among(rest, np.concatenate(several))
        rows[str(outcome.status), outcome.reason] += int(is_left.sum())
        rest = rest[~is_left]
    found = [(*why, count) for why, count in rows.items() if count]
    table = pd.DataFrame(found, columns=["status", "reason", "rows"])
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
