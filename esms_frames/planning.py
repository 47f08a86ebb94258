"""Plan a send: what it would do and cost, and what would make it fail, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.allocation import LIVE, LeftOut, allocate
from esms_frames.audience import check_floor
from esms_frames.client import SANDBOX, check_client
from esms_frames.consent import FIRST_HOUR, LAST_HOUR, Rule, next_allowed_time, outside_hours, switched_off
from esms_frames.delivery import may_be_sent
from esms_frames.errors import InvalidInput, TooFewRecipients, WouldFail
from esms_frames.journal import Journal
from esms_frames.order import some_of, take_order
from esms_frames.personal import fields_of
from esms_frames.plan import MESSAGE_COLUMNS, Plan
from esms_frames.preflight import Answers, ask, parcels_of
from esms_frames.results import Outcome, Status
from esms_frames.schema import UNFINISHED, Scope
from esms_frames.sets import is_among

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Hashable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.allocation import Allocation
    from esms_frames.audience import Audience
    from esms_frames.batch import Batch, Known, NewBatch
    from esms_frames.client import Client
    from esms_frames.message import Message
    from esms_frames.order import Order
    from esms_frames.preflight import Parcel

_NOBODY = np.empty(0, dtype=np.int32)
_DONE = Outcome(Status.ALREADY_SENT, "by this campaign, or about to be")
_ASKED_ABOUT = Outcome(Status.UNKNOWN, "it may have been sent: the gateway is asked about it before anything else")


def plan(
    data: pd.DataFrame | Audience,
    message: Message | Mapping[Any, Message],
    client: Client | None = None,
    *,
    campaign: str | None = None,
    phone: Hashable | None = None,
    by: Any = None,
    exclude: Any = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    rules_off: Collection[str] = (),
    rules_on: Collection[str] = (),
) -> Plan:
    """Say what `send` would do with the same arguments, what it would cost, and what would make it fail.

    Nothing is sent, and nothing written but an empty journal where there is none.

    Parameters
    ----------
    data, message, campaign, phone, by, exclude, journal, rules_off, rules_on
        As for `send`.
    client : Client, optional
        The gateway that is asked for price, balance, registered brandnames and templates. Without one, these are not
        known, and what the campaign has sent is that of its one live account.

    Returns
    -------
    Plan
        ``rows``, ``recipients``, ``rejected``, ``batches``, ``encoding``, ``parts``, ``total_parts``, ``price``,
        ``balance``, ``window``, ``warnings``, ``problems`` and ``messages``.

    Raises
    ------
    InvalidInput, JournalError
        As for `send`, when something handed in can't be used. Too few recipients are one of the plan's ``problems``.

    Notes
    -----
    The price is the gateway's: of customer care, its price for one number of each network times how many there are; of
    advertising, the sum over the batches, or over 20 of them if there are more, scaled. It has the last word when it sends.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> message = ef.Message("Cảm ơn quý khách đã mua hàng!", "Baotrixemay")
    >>> with ef.Sandbox() as sandbox:
    ...     plan = ef.plan(customers, message, sandbox.client())
    >>> plan.recipients, plan.parts, plan.price, plan.is_enough, plan.problems
    (40, 1, Decimal('34000.0000'), True, ())
    """
    order = take_order(
        data, message, campaign=campaign, phone=phone, by=by, exclude=exclude, rules_off=rules_off, rules_on=rules_on
    )
    if client is not None:
        check_client(client)
    return plan_order(order, client, journal if isinstance(journal, Journal) else Journal(journal))


def check_hours(added: Sequence[NewBatch], now: datetime) -> None:
    """Refuse new batches of advertising at a time at which it may not go out."""
    for batch in added:
        if Rule.SENDING_HOURS in batch.rules and (why := outside_hours(batch.message.send_at or now)):
            raise InvalidInput(why)


def refuse_what_would_fail(order: Order, client: Client, journal: Journal) -> None:
    """Raise `WouldFail` when something stands against an order."""
    found = plan_order(order, client, journal)
    if found.problems:
        raise WouldFail(found.problems)


def plan_order(order: Order, client: Client | None, journal: Journal) -> Plan:
    """Plan what an order would do, given what the journal has."""
    scope = _scope(order, client, journal)

    def consider(known: Known) -> tuple[Allocation, list[Batch], list[LeftOut]]:
        decided = allocate(order.groups, order.excluded, known, order.campaign, order.audience.max_batch)
        withdrawn = {batch.id for batch in decided.withdrawn}
        there = [batch for batch in known.batches if batch.status in LIVE and batch.id not in withdrawn]
        whys = [(batch, _why_not_tried(batch, decided, known.now)) for batch in there]
        aside = [LeftOut(batch.numbers, why) for batch, why in whys if why is not None]
        return decided, [batch for batch, why in whys if why is None], aside

    decided, unfinished, aside = journal.consult(scope, consider)
    parcels = parcels_of([*unfinished, *decided.added])
    # What may have been taken may have been paid for, so the gateway is asked about the rest.
    certain = parcels_of([*(batch for batch in unfinished if batch.uncertain_since is None), *decided.added])
    answers = ask(client, certain) if client is not None and certain else Answers()
    if answers.price is not None and len(certain) < len(parcels):
        answers.price_basis += ", without what may have been sent already"
    problems, warnings = _problems(order, decided, journal.now()), _warnings(order, decided, unfinished, parcels)
    return Plan(
        campaign=order.campaign,
        rows=len(order.audience.frame),
        recipients=sum(len(parcel.numbers) for parcel in parcels),
        rejected=_rejected(order, [*aside, *decided.left_out], parcels),
        messages=_messages(parcels),
        price=answers.price,
        price_basis=answers.price_basis,
        balance=answers.balance,
        window=_window(order, journal.now()),
        warnings=(*warnings, *answers.warnings),
        problems=(*problems, *answers.problems),
    )


def _scope(order: Order, client: Client | None, journal: Journal) -> Scope:
    if client is not None:
        return journal.scope(order.campaign, client.gateway, client.account, begin=False)
    live = [scope for scope in journal.scopes(order.campaign) if scope.gateway != SANDBOX]
    return live[0] if len(live) == 1 else Scope(0, order.campaign, "", "")


def _problems(order: Order, decided: Allocation, now: datetime) -> list[str]:
    problems = []
    try:
        check_floor(order.audience)
    except TooFewRecipients as error:
        problems.append(str(error))
    try:
        check_hours(decided.added, now)
    except InvalidInput as error:
        problems.append(str(error))
    if names := [name for group in order.groups for name in fields_of(group.message.content)]:
        problems.append(
            f"The text holds {{{names[0]}}} as it stands: fill it in with message.for_each(df), or send it so with "
            "checks=False."
        )
    return problems


def _warnings(order: Order, decided: Allocation, unfinished: Sequence[Batch], parcels: Sequence[Parcel]) -> list[str]:
    warnings = []
    if not parcels:
        warnings.append("Nobody is left to be texted.")
    saved = sum((p.message.parts - p.message.without_accents().parts) * len(p.numbers) for p in parcels)
    if saved:
        total = sum(parcel.message.parts * len(parcel.numbers) for parcel in parcels)
        warnings.append(
            f"Accents cost {saved:,} of the {total:,} parts: message.without_accents() would save them, some "
            f"{saved / total:.0%} of the price."
        )
    if order.idle:
        warnings.append(f"Segment {some_of(order.idle)} has a message and no row.")
    elsewhere = np.concatenate([_NOBODY, *(batch.numbers for batch in unfinished)])
    there = np.concatenate([_NOBODY, *(group.numbers for group in order.groups)])
    if more := int((~is_among(elsewhere, there)).sum()):
        warnings.append(
            f"{more:,} recipients that an interrupted run has left are not in this data, and are texted too."
        )
    if decided.held:
        (why, *_), count = decided.held.values(), len(decided.held)
        warnings.append(f"{count:,} unfinished batch{'es' if count > 1 else ''} can't be sent as planned: {why}")
    off = {switched_off(group.rules, group.message.sms_type) for group in order.groups} - {None}
    return warnings + sorted(filter(None, off))


def _why_not_tried(batch: Batch, decided: Allocation, now: datetime) -> Outcome | None:
    """Say why a batch of the campaign would not be sent; None where it would."""
    if batch.status not in UNFINISHED:
        return _DONE
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


def _window(order: Order, now: datetime) -> tuple[datetime, datetime] | None:
    bound = [group for group in order.groups if Rule.SENDING_HOURS in group.rules]
    if not bound:
        return None
    start = next_allowed_time(max(group.message.send_at or now for group in bound))
    return start.replace(hour=FIRST_HOUR, minute=0, second=0), start.replace(hour=LAST_HOUR, minute=0, second=0)
