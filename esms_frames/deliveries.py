"""What the gateway's answers and callbacks say of the numbers of a send, and of the rows of a frame; pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import columns, phones
from esms_frames.callback import FINAL
from esms_frames.callbacks import last_states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from esms_frames.reports import SendStatus

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

DELIVERED, FAILED, PENDING, NOT_KNOWN = 0, 1, 2, -1
"""Positions in `results.DELIVERIES`; -1 where it can't be known."""

REJECTED, DONE, SENT = 4, 5, 7
"""The gateway's SendStatus; 0, 1 and 2 come before it sends."""

_BEFORE_SENDING = {
    0: "the send is a draft at the gateway (SendStatus 0)",
    1: "the send awaits approval at the gateway (SendStatus 1)",
    2: "the send waits for its time at the gateway (SendStatus 2)",
}
_REJECTED = "the gateway rejected the send (SendStatus 4)"
_NOT_LISTED = "the gateway's list of this send does not hold the number"
_NOT_CALLED = "no callback has come for this number"
_COUNTS_ONLY = "the callbacks count {delivered:,} of {recipients:,} delivered and don't say which"
_MISFIT = "the callbacks count other recipients than there are rows"

_SPAN = 10**10  # more than any number of ten digits


def _none() -> Ints:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Answer:
    """What is known of one send."""

    delivered: int | None = None
    """How many of its numbers have got it."""
    units: int | None = None
    """Its price in ten-thousandths of a VND; None where it is not known, or known by number."""
    recipients: int = 0
    """How many numbers the price is of, where `numbers` does not say it."""
    numbers: Ints = field(default_factory=_none)
    """National numbers that are known one by one."""
    states: Ints = field(default_factory=_none)
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

    def _keys(self) -> Ints:
        return np.unique(self.send * _SPAN + np.maximum(self.number, 0))


@dataclass(frozen=True)
class Findings:
    """What is known of each of the rows."""

    state: Ints
    reason: Ints
    """A position in `reasons`; -1 for none."""
    reasons: list[str]
    delivered: Ints
    has_delivered: Bools
    units: Ints
    has_units: Bools


def waiting(status: SendStatus) -> Answer | None:
    """Say what a send's status means for all its numbers; None where their list has to be asked for."""
    delivered, price = status.delivered, _units(status.price)
    if status.send_status == REJECTED and not delivered:
        return Answer(delivered, price, status.recipients, rest=FAILED, reason=_REJECTED, final=True)
    if status.send_status in _BEFORE_SENDING:
        why = _BEFORE_SENDING[status.send_status]
        return Answer(delivered, price, status.recipients, rest=PENDING, reason=why)
    return None


def listed(status: SendStatus, receivers: pd.DataFrame) -> Answer:
    """Say what a send's status and the list of its receivers mean.

    What is not delivered has failed only where the send is done and every number is counted as delivered or failed, for
    the list says the same of what has no report.
    """
    done = status.send_status in {DONE, REJECTED}
    counted = status.delivered + status.failed >= status.recipients
    number = phones.read(receivers["phone"]).astype(np.int64)
    delivered = receivers["delivered"]
    reached = delivered.to_numpy(dtype=bool, na_value=False)
    not_reached = ~delivered.to_numpy(dtype=bool, na_value=True)
    states = np.where(reached, DELIVERED, np.where(not_reached & done & counted, FAILED, PENDING))
    there = number >= 0
    complete = done or int(there.sum()) >= status.recipients
    return Answer(
        status.delivered,
        _units(status.price),
        status.recipients,
        number[there],
        states[there],
        rest=NOT_KNOWN if done else PENDING,
        reason=_NOT_LISTED,
        final=complete and not (states == PENDING).any(),
    )


def from_callbacks(callbacks: pd.DataFrame, sms_ids: Sequence[str], rows: Rows) -> dict[int, Answer]:
    """Say what callbacks mean for sends, by their positions in `sms_ids`, of which these rows are asked about.

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
    number = phones.read(found["phone"]).astype(np.int64)
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
    for place in np.unique(send).tolist():
        here = slice(*np.searchsorted(send, [place, place + 1]).tolist())
        some = of_number[here]
        if some.any():
            state = states[here][some]
            answers[place] = Answer(
                delivered=int((state == DELIVERED).sum()),
                numbers=number[here][some],
                states=state,
                prices=units[here][some],
                rest=PENDING,
                reason=_NOT_CALLED,
                final=bool(covered[place] == distinct[place] and not (state == PENDING).any()),
            )
        else:
            last = here.stop - 1
            answers[place] = _of_send(
                {name: int(values[last]) for name, values in counts.items()}, int(units[last]), int(distinct[place])
            )
    return answers


def _of_send(counts: Mapping[str, int], units: int, numbers: int) -> Answer:
    """Say what a callback of a whole send means."""
    delivered, failed, recipients = counts["delivered"], counts["failed"], counts["recipients"]
    if recipients < max(numbers, 2, max(delivered, 0) + max(failed, 0)):
        return Answer(rest=PENDING, reason=_MISFIT)
    rest, reason, final = PENDING, _COUNTS_ONLY.format(delivered=max(delivered, 0), recipients=recipients), False
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


def match(rows: Rows, answers: Mapping[int, Answer]) -> Findings:
    """Find what the answers say of each row, by its number within its send.

    The price of a send is spread evenly over its numbers; what doesn't divide goes, a ten-thousandth of a VND each, to
    the smallest numbers. So the rows of a send add up to its price. A number that has several rows has its price once.
    """
    number = np.maximum(rows.number, 0)
    key = rows.send * _SPAN + number
    order = np.argsort(key, kind="stable")
    fresh = np.ones(len(key), dtype=bool)
    fresh[1:] = np.diff(key[order]) != 0
    first = np.empty(len(key), dtype=bool)
    first[order] = fresh
    distinct = np.bincount(rows.send[first], minlength=rows.sends)
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.cumsum(fresh) - 1
    rank -= np.concatenate([[0], np.cumsum(distinct)[:-1]])[rows.send] if len(key) else 0

    known, state, price, position, length = _lists(rows.sends, answers)
    place = np.searchsorted(known, key)
    place[place == len(known)] = 0
    found = known[place] == key if len(known) else np.zeros(len(key), dtype=bool)
    found &= rows.number >= 0

    given = [answers.get(send, _NOTHING) for send in range(rows.sends)]
    rest = np.array([answer.rest for answer in given], dtype=np.int64)
    reasons = list(dict.fromkeys(answer.reason for answer in given if answer.reason is not None))
    places = {reason: at for at, reason in enumerate(reasons)}
    reason_of = np.array([-1 if answer.reason is None else places[answer.reason] for answer in given], dtype=np.int64)
    total = np.array([-1 if answer.units is None else answer.units for answer in given], dtype=np.int64)
    counts = np.array([-1 if answer.delivered is None else answer.delivered for answer in given], dtype=np.int64)
    recipients = np.array([answer.recipients for answer in given], dtype=np.int64)

    over = np.where(length > 0, length, np.maximum(np.maximum(recipients, distinct), 1))
    turn = np.where(found, position[place] if len(known) else 0, rank)
    share = total[rows.send] // over[rows.send] + (turn < total[rows.send] % over[rows.send])
    has_share = (total[rows.send] >= 0) & (found | (length[rows.send] == 0))
    if len(known):
        own = found & (price[place] >= 0)
        share, has_share = np.where(own, price[place], share), has_share | own
    return Findings(
        state=np.where(found, state[place] if len(known) else 0, rest[rows.send]),
        reason=np.where(found, -1, reason_of[rows.send]),
        reasons=reasons,
        delivered=np.maximum(counts[rows.send], 0),
        has_delivered=counts[rows.send] >= 0,
        units=np.where(has_share & first, share, 0),
        has_units=has_share,
    )


def completed(found: Findings, said: Findings) -> Findings:
    """Put what is settled by other findings in the place of what is not."""
    better = (found.state != DELIVERED) & (found.state != FAILED) & ((said.state == DELIVERED) | (said.state == FAILED))
    reason = np.where(said.reason < 0, -1, said.reason + len(found.reasons))
    priced = better & ~found.has_units & said.has_units
    counted = said.has_delivered & (~found.has_delivered | (said.delivered > found.delivered))
    return Findings(
        state=np.where(better, said.state, found.state),
        reason=np.where(better, reason, found.reason),
        reasons=[*found.reasons, *said.reasons],
        delivered=np.where(counted, said.delivered, found.delivered),
        has_delivered=found.has_delivered | counted,
        units=np.where(priced, said.units, found.units),
        has_units=found.has_units | priced,
    )


_NOTHING = Answer()


def _lists(sends: int, answers: Mapping[int, Answer]) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Put the numbers of all answers together: their keys in order, state, price, position in the send; its length."""
    ones = [(place, answer) for place, answer in sorted(answers.items()) if len(answer.numbers)]
    length = np.zeros(sends, dtype=np.int64)
    if not ones:
        return _none(), _none(), _none(), _none(), length
    key = np.concatenate([place * _SPAN + answer.numbers for place, answer in ones])
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
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    return key, state, price, np.arange(len(key)) - start[key // _SPAN], length


def _index(texts: Any) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(np.array(list(texts), dtype=object))
    return index


def _units(price: Decimal) -> int:
    return round(price * columns.UNIT)


def counts_column(values: Ints, known: Bools) -> Any:
    """Build a column of counts, NA where not known."""
    return pd.arrays.IntegerArray(values.astype(np.int32), ~known)  # type: ignore[no-untyped-call, unused-ignore]
