"""Plan, send and look up campaigns of audiences larger than memory, a piece at a time."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames.account import outcome_of
from esms_frames.allocation import LIVE, Key, allocate
from esms_frames.audience import check_counts
from esms_frames.batch import NewBatch
from esms_frames.delivery import Delivery
from esms_frames.errors import InvalidInput, WouldFail
from esms_frames.large import LargeAudience
from esms_frames.message import Message
from esms_frames.order import Group, check_least, check_segments, take_terms
from esms_frames.outcomes import Outcomes
from esms_frames.pieces import run_pieces
from esms_frames.planning import DONE, Outlook, foretold, rejected_frame, scope_of, to_be_tried
from esms_frames.preflight import Parcel, parcels_of
from esms_frames.preparation import drafted_large, is_dask
from esms_frames.results import Outcome, Status
from esms_frames.sets import is_among
from esms_frames.survey import LargeOrder, Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from esms_frames.allocation import Allocation, LeftOut
    from esms_frames.batch import Batch, Known
    from esms_frames.client import Client
    from esms_frames.delivery import Progress
    from esms_frames.ledger import Ledger
    from esms_frames.plan import Plan
    from esms_frames.schema import Scope

_NOBODY: NDArray[np.int32] = np.empty(0, dtype=np.int32)
_LIVE_RANK = 1 << 30  # above all batches that were refused
_NOT_PLANNED = "It was in no batch yet when the run ended."


def is_large(data: object) -> bool:
    """Tell whether something is an audience larger than memory, or a Dask DataFrame to make one of."""
    return isinstance(data, LargeAudience) or is_dask(data)


def large_audience(data: Any, **options: Any) -> LargeAudience:
    """Take an audience, or prepare that of a Dask DataFrame, whether there are enough recipients or not."""
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(data, LargeAudience):
        return drafted_large(data, **given)
    if given:
        raise InvalidInput(
            "phone, by and exclude are for a DataFrame, and this is an audience: give them to ef.prepare."
        )
    return data


def take_large_order(
    data: Any,
    message: Message | Mapping[Any, Message],
    *,
    campaign: str | None,
    rules_off: Collection[str],
    rules_on: Collection[str],
    **options: Any,
) -> LargeOrder:
    """Do what `order.take_order` does, with an audience larger than memory."""
    messages, name, rules = take_terms(message, campaign, rules_off, rules_on)
    audience = large_audience(data, **options)
    check_least(audience.min_batch, messages)
    floor = audience.min_batch
    if isinstance(message, Message):
        group = Group(None, message, rules[message.sms_type], floor, _NOBODY)
        return LargeOrder(name, audience, (group,), (0 if audience.segments is None else None,))
    there = check_segments(audience.segments, messages)
    if any(segment not in messages for segment in there):
        from esms_frames.shuffle import only_large_segments  # noqa: PLC0415 - loads Dask, for those who have it

        audience = only_large_segments(audience, messages)
    codes = [code for code, segment in enumerate(there) if segment in messages]
    of_segment = {code: messages[there[code]] for code in codes}
    groups = [Group(str(there[code]), each, rules[each.sms_type], floor, _NOBODY) for code, each in of_segment.items()]
    idle = tuple(str(key) for key in messages if key not in set(there))
    return LargeOrder(name, audience, tuple(groups), tuple(codes), idle)


def plan_large(order: LargeOrder, client: Client | None, journal: Ledger) -> Plan:
    """Do what `planning.plan_order` does, with an audience larger than memory."""
    scope = scope_of(order.campaign, client, journal)
    with _surveyed(order, journal, scope) as survey:
        return _plan(order, survey, client, journal, scope)


def send_large(
    order: LargeOrder,
    client: Client,
    book: Ledger,
    *,
    checks: bool,
    progress: bool | Callable[[Progress], object],
    **delivers: Any,
) -> Any:
    """Do what `campaign.send` does, with an audience larger than memory: the results, as a Dask DataFrame."""
    audience = order.audience
    check_counts(audience.min_batch, audience.counts, audience.by_segment())
    with _surveyed(order, book, scope_of(order.campaign, client, book)) as survey:
        if checks and (problems := _plan(order, survey, client, book, scope_of(order.campaign, client, book)).problems):
            raise WouldFail(problems)
        scope = book.scope(order.campaign, client.gateway, client.account)
        strays: dict[Key, NDArray[np.int32]] = {}
        with Delivery(book, scope, client, **delivers) as delivery:
            left_out = run_pieces(
                delivery,
                book,
                scope,
                client,
                survey.pieces(strays),
                audience.excluded,
                audience.max_batch,
                progress=progress,
                settled=survey.settled,
                total=survey.total + survey.unfinished,
                strays=strays,
            )
        for some in left_out:
            survey.leave_out(some)
        otherwise = Outcome(Status.NOT_SENT, delivery.why_ended or _NOT_PLANNED)
        return _account(order.audience, book, scope, otherwise, survey, delivery)


def results_large(audience: LargeAudience, book: Ledger, scope: Scope) -> Any:
    """Do what `campaign.results` does, with an audience larger than memory: the results, as a Dask DataFrame."""
    otherwise = Outcome(Status.NOT_SENT, f"The number is not in the campaign {scope.name!r}.")
    return _account(audience, book, scope, otherwise)


def _account(
    audience: LargeAudience,
    book: Ledger,
    scope: Scope,
    otherwise: Outcome,
    survey: Survey | None = None,
    delivery: Delivery | None = None,
) -> Any:
    outcomes = Outcomes(audience)
    rank = 0
    for rank, (outcome, _, stretches) in enumerate(survey.left_out() if survey is not None else (), start=1):
        for numbers in stretches:
            outcomes.tell(rank, outcome, numbers)
    for batch in book.each_batch(scope):
        is_live = batch.status in LIVE
        if is_live or delivery is None or batch.id in delivery.driven:
            run = None if delivery is None else delivery.run
            told = outcome_of(batch, delivery, run)
            outcomes.tell(batch.number + (_LIVE_RANK if is_live else rank), told, batch.numbers)
    return outcomes.results(otherwise)


def _plan(order: LargeOrder, survey: Survey, client: Client | None, journal: Ledger, scope: Scope) -> Plan:
    places = range(len(order.groups))
    small = [place for place in places if survey.is_small(place)]
    first = [*survey.first, *(_with(order.groups[place], survey.rest(place)) for place in small)]

    def consider(known: Known) -> tuple[Allocation, list[Batch], list[LeftOut]]:
        decided = allocate(first, order.audience.excluded, known, order.campaign, order.audience.max_batch)
        return (decided, *to_be_tried(known, decided))

    about = np.concatenate([np.empty(0, np.int32), *(group.numbers for group in first)])
    decided, unfinished, aside = journal.consult(scope, consider, survey.settled, about)
    most = order.audience.max_batch
    later = {place: survey.rest(place) for place in places if place not in small and len(survey.rest(place))}
    new = [_parcel(order.groups[place], numbers, most) for place, numbers in later.items()]
    certain = [batch for batch in unfinished if batch.uncertain_since is None]
    sent = parcels_of([*unfinished, *decided.added])
    # Whether the rules let a text go out now is the same for all its batches.
    kinds = [order.groups[place] for place in later]
    outlook = Outlook(
        rows=int(order.audience.rows.sum()),
        parcels=_together([*sent, *new]),
        certain=_together([*parcels_of([*certain, *decided.added]), *new]),
        added=[*decided.added, *(NewBatch("", some.message, some.floor, _NOBODY, None, some.rules) for some in kinds)],
        absent=_absent(unfinished, survey),
        held=decided.held,
        rejected=_rejected(order, survey, [*aside, *decided.left_out], about, sent),
        now=journal.now(),
    )

    def check_enough() -> None:
        check_counts(order.audience.min_batch, order.audience.counts, order.audience.by_segment())

    return foretold(order.campaign, order.groups, order.idle, outlook, check_enough, client)


def _with(group: Group, numbers: NDArray[np.int32]) -> Group:
    return replace(group, numbers=np.array(numbers))


def _parcel(group: Group, numbers: NDArray[np.int32], max_batch: int) -> Parcel:
    return Parcel(group.segment, group.message, numbers, -(-len(numbers) // max_batch))


def _together(parcels: Sequence[Parcel]) -> list[Parcel]:
    """Put the parcels of one segment and text together."""
    alike: dict[tuple[str | None, Message], list[Parcel]] = {}
    for parcel in parcels:
        alike.setdefault((parcel.segment, parcel.message), []).append(parcel)
    return [
        some[0]
        if len(some) == 1
        else Parcel(*kind, np.concatenate([each.numbers for each in some]), sum(each.batches for each in some))
        for kind, some in alike.items()
    ]


def _absent(unfinished: Sequence[Batch], survey: Survey) -> int:
    """Count the numbers of batches that are not in the audience."""
    there = np.concatenate([_NOBODY, *survey.held])
    return int((~is_among(np.concatenate([_NOBODY, *(batch.numbers for batch in unfinished)]), there)).sum())


def _rejected(
    order: LargeOrder, survey: Survey, left_out: Sequence[LeftOut], about: NDArray[np.int32], sent: Sequence[Parcel]
) -> pd.DataFrame:
    """Count the rows that would not be texted; `about` are those that the first piece is about."""
    summary = order.audience.summary()
    counted = summary.loc[summary["status"] != "ready", ["status", "reason", "rows"]].itertuples(index=False)
    rows: list[tuple[str, str | None, int]] = [tuple(row) for row in counted]
    rows.append((str(DONE.status), DONE.reason, survey.already))
    rows += [(str(outcome.status), outcome.reason, size) for outcome, size, _ in survey.left_out()]
    rest = about[~is_among(about, np.concatenate([_NOBODY, *(parcel.numbers for parcel in sent)]))]
    for some in left_out:
        is_left = is_among(rest, some.numbers)
        rows.append((str(some.outcome.status), some.outcome.reason, int(is_left.sum())))
        rest = rest[~is_left]
    table = rejected_frame(rows)
    summed = table.groupby(["status", "reason"], sort=False, as_index=False, dropna=False)["rows"].sum()
    return rejected_frame(list(summed.itertuples(index=False, name=None)))


@contextmanager
def _surveyed(order: LargeOrder, journal: Ledger, scope: Scope) -> Iterator[Survey]:
    """Survey an audience, in a folder within its own that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="survey-", dir=order.audience.folder))
    try:
        yield Survey(order, journal, scope, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
