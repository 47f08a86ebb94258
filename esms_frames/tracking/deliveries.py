"""Match the gateway's answers and callbacks with the numbers of a send and the rows of a frame; pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base import columns
from esms_frames.base.wording import Sentence, mark
from esms_frames.recipients.phones import normalize
from esms_frames.reporting.callbacks import FINAL, last_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from esms_frames.gateway.answers import SendStatus

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


DELIVERED, FAILED, PENDING, NOT_KNOWN = 0, 1, 2, -1
"""Positions in `results.DELIVERIES`; -1 where it can't be known."""

REJECTED, DONE, SENT = 4, 5, 7
"""The gateway's SendStatus; 0, 1 and 2 come before it sends."""

_BEFORE_SENDING = {
    0: mark("the send is a draft at the gateway (SendStatus 0)"),
    1: mark("the send awaits approval at the gateway (SendStatus 1)"),
    2: mark("the send waits for its time at the gateway (SendStatus 2)"),
}
_NOT_FOUND_YET = mark("the gateway does not know the send yet (code 105)")
_NOT_FOUND = mark("the gateway does not know the send (code 105): it forgets after 7 days")
_REJECTED = mark("the gateway rejected the send (SendStatus 4)")
_NOT_LISTED = mark("the gateway's list of this send does not hold the number")
_NOT_CALLED = mark("no callback has come for this number")
_COUNTS_ONLY = mark("the callbacks count {delivered} of {recipients} delivered and don't say which")
_MISFIT = mark("the callbacks count other recipients than there are rows")

_SOON = timedelta(hours=1)  # after sending, within which the gateway may not know the send yet
_SPAN = 10**10  # more than any number of ten digits


def _no_numbers() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Answer:
    """The state of one send, as far as it is known."""

    delivered: int | None = None
    """How many of its numbers have got it."""
    units: int | None = None
    """Its price in ten-thousandths of a VND; None where it is not known, or known by number."""
    recipients: int = 0
    """How many numbers the price is of, where `numbers` does not say it."""
    numbers: Ints = field(default_factory=_no_numbers)
    """National numbers that are known one by one."""
    states: Ints = field(default_factory=_no_numbers)
    """What became of each."""
    prices: Ints | None = None
    """The price of each, where that is known; below zero where not."""
    rest: int = NOT_KNOWN
    """What became of the numbers that are not among them."""
    reason: str | None = None
    """Why that is so."""
    final: bool = False
    """Whether there is nothing left to ask."""


@dataclass(frozen=True)
class Rows:
    """The rows of a frame that are looked at: the send of each, as a position, and its national number."""

    send: Ints
    number: Ints
    sends: int

    def distinct(self) -> Ints:
        """Count the different numbers of each send."""
        return np.bincount(self._keys() // _SPAN, minlength=self.sends)

    def among(self, keys: Ints) -> Ints:
        """Count those of them that are among others."""
        mine = self._keys()
        return np.bincount(mine[np.isin(mine, keys)] // _SPAN, minlength=self.sends)

    def numbers_of(self, sends: Sequence[int]) -> dict[int, Ints]:
        """Return the different numbers of some sends, by send."""
        keys = self._keys()
        start, end = (np.searchsorted(keys, (np.array(sends, dtype=np.int64) + n) * _SPAN) for n in (0, 1))
        return {
            send: keys[first:last] - send * _SPAN
            for send, first, last in zip(sends, start.tolist(), end.tolist(), strict=True)
        }

    def _keys(self) -> Ints:
        return np.unique(self.send * _SPAN + np.maximum(self.number, 0))


@dataclass(frozen=True)
class Findings:
    """The state of each row, as far as it is known."""

    state: Ints
    reason: Ints
    """A position in `reasons`; -1 for none."""
    reasons: list[str]
    delivered: Ints
    has_delivered: Bools
    units: Ints
    has_units: Bools
    total: Ints
    """The price of the whole send, in ten-thousandths of a VND; -1 where it is not known."""
    recipients: Ints
    """How many numbers the send has by the gateway."""


def judge_status(status: SendStatus) -> Answer | None:
    """Return what a send's status means for all its numbers; None if their list has to be asked for."""
    delivered, price = status.delivered, _units(status.price)
    if status.send_status == REJECTED and not delivered:
        return Answer(delivered, price, status.recipients, rest=FAILED, reason=_REJECTED, final=True)
    if status.send_status in _BEFORE_SENDING:
        why = _BEFORE_SENDING[status.send_status]
        return Answer(delivered, price, status.recipients, rest=PENDING, reason=why)
    return None


def judge_not_found(age: timedelta) -> Answer:
    """Return what it means for a send of some age that the gateway does not know it; an age of NaT is any."""
    if age < _SOON:
        return Answer(rest=PENDING, reason=_NOT_FOUND_YET)
    return Answer(rest=NOT_KNOWN, reason=_NOT_FOUND, final=True)


def judge_receivers(status: SendStatus, receivers: pd.DataFrame) -> Answer:
    """Return what a send's status and the list of its receivers mean.

    What is not delivered has failed only where the send is done and every number is counted as delivered or failed, for
    the list says the same of what has no report.
    """
    done = status.send_status in {DONE, REJECTED}
    counted = status.delivered + status.failed >= status.recipients
    number = normalize.read(receivers["phone"]).astype(np.int64)
    delivered = receivers["delivered"]
    reached = delivered.to_numpy(dtype=bool, na_value=False)
    not_reached = ~delivered.to_numpy(dtype=bool, na_value=True)
    states = np.where(reached, DELIVERED, np.where(not_reached & done & counted, FAILED, PENDING))
    is_valid = number >= 0
    complete = done or int(is_valid.sum()) >= status.recipients
    return Answer(
        status.delivered,
        _units(status.price),
        status.recipients,
        number[is_valid],
        states[is_valid],
        rest=NOT_KNOWN if done else PENDING,
        reason=_NOT_LISTED,
        final=complete and not (states == PENDING).any(),
    )


def judge_callbacks(callbacks: pd.DataFrame, sms_ids: Sequence[str], rows: Rows) -> dict[int, Answer]:
    """Return what callbacks mean for sends, by their positions in `sms_ids`, of which these rows are asked about.

    A callback that names a number and counts one recipient is of that number. Any other is of the whole send: it says
    what became of each number only if all fared the same.
    """
    found = last_states(callbacks)
    found = found.assign(send=_index(sms_ids).get_indexer(_index(found["sms_id"])))
    found = found[(found["send"] >= 0).to_numpy()]
    # Of several numbers' callbacks that count the whole send, the last is what counts: the journal has them by number.
    found = found.assign(final=found["send_status"].isin(FINAL).to_numpy())
    found = found.sort_values(["send", "final", "received_at"], kind="stable", na_position="first")
    counts = {
        name: found[name].to_numpy(dtype=np.int64, na_value=-1)
        for name in ("send_status", "delivered", "failed", "recipients")
    }
    number = normalize.read(found["phone"]).astype(np.int64)
    one = np.where(counts["recipients"] >= 0, counts["recipients"], counts["delivered"] + counts["failed"]) == 1
    of_number = (number >= 0) & one
    units, priced = columns.money_units(found["price"])
    units = np.where(priced, units, -1)
    done, lost = counts["send_status"] == DONE, counts["send_status"] == REJECTED
    states = np.where(
        counts["delivered"] > 0, DELIVERED, np.where((done & (counts["failed"] > 0)) | lost, FAILED, PENDING)
    )
    answers = {}
    send = found["send"].to_numpy()
    distinct, covered = rows.distinct(), rows.among(send[of_number] * _SPAN + number[of_number])
    for position in np.unique(send).tolist():
        here = slice(*np.searchsorted(send, [position, position + 1]).tolist())
        subset = of_number[here]
        if subset.any():
            state = states[here][subset]
            answers[position] = Answer(
                delivered=int((state == DELIVERED).sum()),
                numbers=number[here][subset],
                states=state,
                prices=units[here][subset],
                rest=PENDING,
                reason=_NOT_CALLED,
                final=bool(covered[position] == distinct[position] and not (state == PENDING).any()),
            )
        else:
            last = here.stop - 1
            answers[position] = _judge_send_callback(
                {name: int(values[last]) for name, values in counts.items()}, int(units[last]), int(distinct[position])
            )
    return answers


def _judge_send_callback(counts: Mapping[str, int], units: int, numbers: int) -> Answer:
    """Return what a callback of a whole send means."""
    delivered, failed, recipients = counts["delivered"], counts["failed"], counts["recipients"]
    if recipients < max(numbers, 2, max(delivered, 0) + max(failed, 0)):
        return Answer(rest=PENDING, reason=_MISFIT)
    reason: str = Sentence(_COUNTS_ONLY, delivered=max(delivered, 0), recipients=recipients)
    rest, final = PENDING, False
    if counts["send_status"] == REJECTED and delivered <= 0:
        rest, reason, final = FAILED, _REJECTED, True
    elif delivered == recipients:
        rest, final = DELIVERED, True
    elif counts["send_status"] in {DONE, REJECTED}:
        rest, final = (FAILED if failed == recipients else NOT_KNOWN), failed == recipients
    told = reason if rest in {PENDING, NOT_KNOWN} or reason == _REJECTED else None
    return Answer(
        delivered if delivered >= 0 else None,
        units if units >= 0 else None,
        recipients,
        rest=rest,
        reason=told,
        final=final,
    )


def match(rows: Rows, answers: Mapping[int, Answer], tariffs: Mapping[int, Ints] | None = None) -> Findings:
    """Find what the answers say of each row, by its number within its send.

    A row has a price where the gateway tells it by number, where `tariffs` have what the numbers of each network cost in
    its send (in the order of `numbering.networks`), or where the send has one number or cost nothing. Nothing else is
    known of a single number. A number that has several rows has its price once.
    """
    number = np.maximum(rows.number, 0)
    key = rows.send * _SPAN + number
    order = np.argsort(key, kind="stable")
    fresh = np.ones(len(key), dtype=bool)
    fresh[1:] = np.diff(key[order]) != 0
    first = np.empty(len(key), dtype=bool)
    first[order] = fresh
    distinct = np.bincount(rows.send[first], minlength=rows.sends)
    known, state, price, length = _join_lists(rows.sends, answers)
    position = np.searchsorted(known, key)
    position[position == len(known)] = 0
    found = known[position] == key if len(known) else np.zeros(len(key), dtype=bool)
    found &= rows.number >= 0

    given = [answers.get(send, _NOTHING) for send in range(rows.sends)]
    rest = np.array([answer.rest for answer in given], dtype=np.int64)
    reasons = list(dict.fromkeys(answer.reason for answer in given if answer.reason is not None))
    positions = {reason: at for at, reason in enumerate(reasons)}
    reason_of = np.array(
        [-1 if answer.reason is None else positions[answer.reason] for answer in given], dtype=np.int64
    )
    total = np.array([-1 if answer.units is None else answer.units for answer in given], dtype=np.int64)
    counts = np.array([-1 if answer.delivered is None else answer.delivered for answer in given], dtype=np.int64)
    recipients = np.array([answer.recipients for answer in given], dtype=np.int64)

    is_one = (recipients == 1) & (distinct == 1) & (length <= 1)
    has_share = ((total == 0) | ((total > 0) & is_one))[rows.send] & (found | (length[rows.send] == 0))
    share = np.where(has_share, total[rows.send], 0)
    if tariffs:
        by_send = np.full((rows.sends, len(next(iter(tariffs.values())))), -1, dtype=np.int64)
        by_send[list(tariffs)] = list(tariffs.values())
        asked = by_send[rows.send, normalize.network_of(rows.number.astype(np.int32)).codes]  # -1, of none, is the last
        counted = found | (length != recipients)[rows.send]  # else the list has all numbers, and this is none of them
        by_tariff = (asked >= 0) & (rows.number >= 0) & counted
        share, has_share = np.where(by_tariff, asked, share), has_share | by_tariff
    if len(known):
        own = found & (price[position] >= 0)
        share, has_share = np.where(own, price[position], share), has_share | own
    return Findings(
        state=np.where(found, state[position] if len(known) else 0, rest[rows.send]),
        reason=np.where(found, -1, reason_of[rows.send]),
        reasons=reasons,
        delivered=np.maximum(counts[rows.send], 0),
        has_delivered=counts[rows.send] >= 0,
        units=np.where(has_share & first, share, 0),
        has_units=has_share,
        total=total[rows.send],
        recipients=np.maximum(recipients, length)[rows.send],
    )


def complete(found: Findings, said: Findings) -> Findings:
    """Replace findings that are not final by other findings that are."""
    better = (found.state != DELIVERED) & (found.state != FAILED) & ((said.state == DELIVERED) | (said.state == FAILED))
    reason = np.where(said.reason < 0, -1, said.reason + len(found.reasons))
    priced = ~found.has_units & said.has_units
    counted = said.has_delivered & (~found.has_delivered | (said.delivered > found.delivered))
    return Findings(
        state=np.where(better, said.state, found.state),
        reason=np.where(better, reason, found.reason),
        reasons=[*found.reasons, *said.reasons],
        delivered=np.where(counted, said.delivered, found.delivered),
        has_delivered=found.has_delivered | counted,
        units=np.where(priced, said.units, found.units),
        has_units=found.has_units | priced,
        total=np.where(found.total < 0, said.total, found.total),
        recipients=np.where(found.total < 0, said.recipients, found.recipients),
    )


_NOTHING = Answer()


def _join_lists(sends: int, answers: Mapping[int, Answer]) -> tuple[Ints, Ints, Ints, Ints]:
    """Join the numbers of all answers: their sorted keys, states and prices, and the count of each send."""
    ones = [(position, answer) for position, answer in sorted(answers.items()) if len(answer.numbers)]
    length = np.zeros(sends, dtype=np.int64)
    if not ones:
        return _no_numbers(), _no_numbers(), _no_numbers(), length
    key = np.concatenate([position * _SPAN + answer.numbers for position, answer in ones])
    state = np.concatenate([answer.states for _, answer in ones])
    price = np.concatenate(
        [np.full(len(answer.numbers), -1) if answer.prices is None else answer.prices for _, answer in ones]
    )
    order = np.lexsort((state, key))  # of a number that is listed twice, what became of the better one
    key, state, price = key[order], state[order], price[order]
    first = np.ones(len(key), dtype=bool)
    first[1:] = np.diff(key) != 0
    key, state, price = key[first], state[first], price[first]
    length += np.bincount(key // _SPAN, minlength=sends)
    return key, state, price, length


def _index(texts: Any) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(np.array(list(texts), dtype=object))
    return index


def _units(price: Decimal) -> int:
    return round(price * columns.UNIT)


def build_counts_column(values: Ints, known: Bools) -> Any:
    """Build a column of counts; NA if not known."""
    return pd.arrays.IntegerArray(values.astype(np.int32), ~known)  # type: ignore[no-untyped-call, unused-ignore]
