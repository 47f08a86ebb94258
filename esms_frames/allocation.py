"""Which batches a campaign needs, given those that it has: pure decisions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from esms_frames import numbering
from esms_frames.audience import batch_borders
from esms_frames.batch import NewBatch
from esms_frames.consent import REASON_CAPPED, REASON_DO_NOT_CONTACT, Rule, over_cap
from esms_frames.results import Outcome, Status
from esms_frames.schema import FORGOTTEN, UNFINISHED
from esms_frames.sets import is_among, places

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.batch import Batch, Known
    from esms_frames.message import Message
    from esms_frames.order import Group

LIVE = (*UNFINISHED, "accepted", "already_sent")
"""The statuses of batches whose numbers are not for another batch."""

_DAY = timedelta(days=1)
_NOBODY: NDArray[np.int32] = np.empty(0, dtype=np.int32)
_UNREGISTERED_NETWORK = 177
_FAULT_OF_NUMBERS = {99, 108, _UNREGISTERED_NETWORK}
_HELD = "It holds somebody who is not to be texted now, and it can't be replaced by a batch of the others."
_TOO_SMALL = (
    "Only {} of its numbers are left since the others were forgotten, and a request takes {} or more: send them with more "
    "recipients under the same campaign."
)
_TOO_SMALL_TO_REPEAT = (
    "It may have been taken, and only {} of its numbers are left since the others were forgotten, while a request takes {} "
    "or more: resume the campaign a day after it was sent, when the gateway is asked."
)


_DO_NOT_CONTACT = Outcome(Status.EXCLUDED, REASON_DO_NOT_CONTACT)
_PAST = "Its schedule is past: send to it with a later one, or with none."
_EXPIRED = Outcome(Status.NOT_SENT, _PAST)
_CAPPED = Outcome(Status.CAPPED, REASON_CAPPED)


class Key(NamedTuple):
    """What the numbers of one batch have in common."""

    segment: str | None
    message: Message
    rules: frozenset[Rule]
    floor: int


class LeftOut(NamedTuple):
    """Numbers that get no batch, with what is to be said of them."""

    numbers: NDArray[np.int32]
    outcome: Outcome


@dataclass(frozen=True)
class Allocation:
    """What is to be done with a campaign's batches.

    Attributes
    ----------
    withdrawn : list of Batch
        Those that never left and are replaced.
    added : list of NewBatch
        Those to be written and sent.
    held : dict of int to str
        The unfinished batches that are not to be tried, by their id, with the reason.
    left_out : list of LeftOut
        Who gets no batch.
    stranded : dict of Key to array of int
        Those of them who are too few for a batch, and could be in one with others of their kind.
    """

    withdrawn: list[Batch]
    added: list[NewBatch]
    held: dict[int, str]
    left_out: list[LeftOut]
    stranded: dict[Key, NDArray[np.int32]] = field(default_factory=dict)


def allocate(
    groups: Sequence[Group], excluded: NDArray[np.int32], known: Known, campaign: str, max_batch: int
) -> Allocation:
    """Decide which of a campaign's batches to replace, and which to add.

    Parameters
    ----------
    groups : sequence of Group
        Who is to get which message; no number is in two.
    excluded : array of int
        The numbers that the caller excludes.
    known : Known
        What the journal knows.
    campaign : str
        The campaign's name.
    max_batch : int
        How many numbers a batch may have.

    Notes
    -----
    Unfinished batches stay as they are, whoever is in the groups. But one that never left, and whose run has ended, is
    replaced when it holds somebody who is not to be texted now, when it has become too small, or when all its numbers are
    in the groups and some of them with another message or under other rules. The others of a replaced batch still get what
    they were to get. Where they are too few for a batch of their own, it is not replaced, and not tried either. One whose
    schedule is past can't leave any more: it is replaced as soon as anybody of it is in the groups with another message,
    and nobody else of it gets anything.
    """
    unfinished = [batch for batch in known.batches if batch.status in UNFINISHED]
    abandoned = np.array([batch.is_abandoned for batch in unfinished], dtype=bool)
    now = known.now
    expired = np.array([(batch.message.send_at or now) < now for batch in unfinished], dtype=bool) & abandoned
    too_small = np.array([len(batch.numbers) < batch.floor for batch in unfinished], dtype=bool)
    ready, group_of = _joined(groups)
    held, batch_of = _joined(unfinished)

    both: list[Group | Batch] = [*groups, *unfinished]
    listed = known.do_not_contact() if any(Rule.DO_NOT_CONTACT in each.rules for each in both) else _NOBODY
    capped = _capped(groups, [batch for batch in unfinished if batch.is_abandoned], known)
    ready_listed = _under(Rule.DO_NOT_CONTACT, groups)[group_of] & is_among(ready, listed)
    ready_capped = _under(Rule.DAILY_CAP, groups)[group_of] & is_among(ready, capped) & ~ready_listed
    held_excluded = is_among(held, excluded)
    held_listed = _under(Rule.DO_NOT_CONTACT, unfinished)[batch_of] & is_among(held, listed)
    held_capped = (abandoned & _under(Rule.DAILY_CAP, unfinished))[batch_of] & is_among(held, capped) & ~held_listed
    out = held_excluded | held_listed | held_capped

    # Where the numbers of unfinished batches are among those that are ready, and whether they are to get something else.
    kinds: dict[tuple[object, ...], int] = {}
    kind_of_group, kind_of_batch = (
        [kinds.setdefault(_key(each)[:3], len(kinds)) for each in some] for some in (groups, unfinished)
    )
    place = places(held, ready)
    other_kind = np.zeros(len(held), dtype=bool)
    there = place >= 0
    other_kind[there] = np.array(kind_of_group)[group_of[place[there]]] != np.array(kind_of_batch)[batch_of[there]]
    absent, others = ~there & ~held_excluded, ~there & ~out & ~expired[batch_of]

    def count(numbers: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(batch_of[numbers], minlength=len(unfinished))

    start = np.searchsorted(batch_of, np.arange(len(unfinished) + 1))
    settled = known.settled(ready)
    corrected = (count(absent) == 0) & (count(other_kind) > 0)
    replaced = abandoned & ((count(out) > 0) | too_small | corrected)
    replaced = np.where(expired, count(other_kind) > 0, replaced)
    while True:
        gone = {unfinished[n].id for n in np.flatnonzero(replaced)}
        busy, _ = _joined([batch for batch in known.batches if batch.status in LIVE and batch.id not in gone])
        free = ~settled & ~is_among(ready, busy) & ~ready_listed & ~ready_capped
        wanted = {
            _key(group): some[is_free]
            for group, some, is_free in zip(groups, *_apart(groups, ready, free), strict=True)
        }
        more: dict[Key, list[NDArray[np.int32]]] = {}
        for n in np.flatnonzero(replaced & (count(others) > 0)):
            here = slice(start[n], start[n + 1])
            more.setdefault(_key(unfinished[n]), []).append(held[here][others[here]])
        wanted |= {key: np.concatenate([wanted.get(key, _NOBODY), *some]) for key, some in more.items()}
        alone = [
            n
            for n in np.flatnonzero(replaced & (count(others) > 0))
            if len(wanted[_key(unfinished[n])]) < unfinished[n].floor
        ]
        if not alone:
            break
        replaced[alone] = False

    added: list[NewBatch] = []
    left_out = [
        LeftOut(ready[ready_listed], _DO_NOT_CONTACT),
        LeftOut(ready[ready_capped], _CAPPED),
        LeftOut(held[~there & held_listed & replaced[batch_of]], _DO_NOT_CONTACT),
        LeftOut(held[~there & held_capped & replaced[batch_of]], _CAPPED),
        LeftOut(held[~there & ~out & (expired & replaced)[batch_of]], _EXPIRED),
    ]
    stranded = {key: numbers for key, numbers in wanted.items() if len(numbers) < max(key.floor, 1)}
    ends = {_key(group): group.ends for group in groups}
    for key, numbers in wanted.items():
        if key in stranded:
            left_out.append(LeftOut(numbers, Outcome(Status.NOT_SENT, _too_few(key, len(numbers), campaign))))
        else:
            added += _batches(campaign, key, numbers, known.request_ids, max_batch, ends.get(key, ()))
    not_tried = (count(held_excluded | held_listed) > 0) | (abandoned & (count(out) > 0)) | too_small | expired
    return Allocation(
        withdrawn=[unfinished[n] for n in np.flatnonzero(replaced)],
        added=added,
        held={
            unfinished[n].id: _why_held(unfinished[n], is_expired=expired[n], is_too_small=too_small[n])
            for n in np.flatnonzero(not_tried & ~replaced)
        },
        left_out=[some for some in left_out if len(some.numbers)],
        stranded=stranded,
    )


def request_id(campaign: str, numbers: NDArray[np.int32], taken: Collection[str] = ()) -> str:
    """Derive a batch's request id from the campaign and the numbers, in 40 characters or some more.

    The same batch always has the same. Numbers whose batch was refused for certain are a new batch when they are sent
    again: `taken` are the ids that the campaign has used, and the new one is another. Once some of these were forgotten
    with their numbers, all new ones differ from what they may have been.
    """
    forgotten = " ".join(sorted(name for name in taken if name.startswith(FORGOTTEN)))
    digest = hashlib.sha256(f"{campaign}\n{forgotten}".encode() + numbers.astype("<i4").tobytes()).hexdigest()[:40]
    names = (digest if n == 1 else f"{digest}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def can_be_split(batch: Batch, code: int) -> bool:
    """Tell whether a batch was refused for some of its numbers only, and has enough for two."""
    return code in _FAULT_OF_NUMBERS and len(batch.numbers) >= 2 * max(batch.floor, 1)


def halves(batch: Batch, code: int, campaign: str, taken: Collection[str]) -> list[NewBatch]:
    """Give the two halves of a batch that was refused for some of its numbers.

    Refused for a network, it is split between networks, so that few requests separate those of one from all others.
    """
    numbers = batch.numbers
    if code == _UNREGISTERED_NETWORK:
        _, network = numbering.networks()
        numbers = numbers[np.argsort(network[numbers // numbering.PREFIX], kind="stable")]
    return _batches(campaign, _key(batch), numbers, taken, -(-len(numbers) // 2))


def _batches(
    campaign: str,
    key: Key,
    numbers: NDArray[np.int32],
    taken: Collection[str],
    max_batch: int,
    ends: tuple[int, ...] = (),
) -> list[NewBatch]:
    if not ends or ends[-1] != len(numbers):
        ends = tuple(end for _, end in batch_borders(len(numbers), max_batch))
    parts = np.split(numbers, ends[:-1])
    return [
        NewBatch(request_id(campaign, part, taken), key.message, key.floor, part, key.segment, key.rules)
        for part in parts
    ]


def _key(some: Group | Batch) -> Key:
    return Key(some.segment, some.message, some.rules, some.floor)


def _joined(several: Sequence[Group | Batch]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Put the numbers of several groups or batches in a row, and say of each number which it is from."""
    sizes = [len(each.numbers) for each in several]
    return np.concatenate([_NOBODY, *(each.numbers for each in several)]), np.repeat(np.arange(len(several)), sizes)


def _apart(groups: Sequence[Group], *several: NDArray[Any]) -> list[list[NDArray[Any]]]:
    """Take arrays over all groups' numbers apart again."""
    ends = np.cumsum([len(group.numbers) for group in groups])[:-1]
    return [np.split(each, ends) if groups else [] for each in several]


def _under(rule: Rule, several: Sequence[Group | Batch]) -> NDArray[np.bool_]:
    return np.array([rule in each.rules for each in several], dtype=bool)


def _capped(groups: Sequence[Group], abandoned: Sequence[Batch], known: Known) -> NDArray[np.int32]:
    """Find the numbers that have had, or are about to have, as much advertising as a day may bring."""
    now = known.now
    by_time: dict[datetime, list[NDArray[np.int32]]] = {}
    both: list[Group | Batch] = [*groups, *abandoned]
    for each in both:
        if Rule.DAILY_CAP in each.rules and len(each.numbers):
            by_time.setdefault(each.message.send_at or now, []).append(each.numbers)
    if not by_time:
        return _NOBODY
    contacted, seconds = known.advertised(min(by_time) - _DAY, max(by_time) + _DAY, [batch.id for batch in abandoned])
    found = [_NOBODY]
    for moment, some in by_time.items():
        numbers = np.concatenate(some)
        found.append(numbers[over_cap(numbers, contacted, seconds, moment)])
    return np.concatenate(found)


def _why_held(batch: Batch, *, is_expired: bool, is_too_small: bool) -> str:
    if is_expired:
        return _PAST
    if not is_too_small:
        return _HELD
    return (_TOO_SMALL if batch.status == "planned" else _TOO_SMALL_TO_REPEAT).format(len(batch.numbers), batch.floor)


def _too_few(key: Key, count: int, campaign: str) -> str:
    whose = f"of segment {key.segment!r} " if key.segment is not None else ""
    return (
        f"Only {count} of the numbers {whose}are new to the campaign {campaign!r} and a batch needs {key.floor}: send them "
        "with more recipients, or under another campaign."
    )
