"""Which batches a campaign needs, given those that it has: pure decisions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Self, cast

import numpy as np

from esms_frames.base.sets import find_positions, is_among
from esms_frames.base.wording import Sentence, mark
from esms_frames.campaigns.decisions.may_send import find_hours_objection
from esms_frames.journal.records import FORGOTTEN, Batch, BatchStatus, NewBatch
from esms_frames.messages.advertising_rules import REASON_CAPPED, REASON_DO_NOT_CONTACT, Rule, find_over_cap
from esms_frames.recipients.batching import batch_borders
from esms_frames.recipients.phones import numbering_plan
from esms_frames.reporting.frame import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.campaigns.decisions.may_send import Clocks
    from esms_frames.campaigns.decisions.order import Group
    from esms_frames.journal.records import Known
    from esms_frames.messages.message import Message


_DAY = timedelta(days=1)
_NOBODY: NDArray[np.int32] = np.empty(0, dtype=np.int32)
_UNREGISTERED_NETWORK = 177
_FAULT_OF_NUMBERS = {99, 108, _UNREGISTERED_NETWORK}
HELD = mark("It holds somebody who is not to be texted now, and it can't be replaced by a batch of the others.")
_TOO_SMALL = mark(
    "Only {count} of its numbers are left since the others were forgotten, and a request takes "
    "{floor} or more: send them with more recipients under the same campaign."
)
_TOO_SMALL_TO_REPEAT = mark(
    "It may have been taken, and only {count} of its numbers are left since the others were "
    "forgotten, while a request takes {floor} or more: resume the campaign a day after it was "
    "sent, when the gateway is asked."
)


LISTED = Outcome(Status.EXCLUDED, REASON_DO_NOT_CONTACT)
_PAST = mark("Its schedule is past: send to it with a later one, or with none.")
_EXPIRED = Outcome(Status.NOT_SENT, _PAST)
CAPPED = Outcome(Status.CAPPED, REASON_CAPPED)


class Key(NamedTuple):
    """The properties that all numbers of one batch share."""

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
    """The changes to a campaign's batches.

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


@dataclass(frozen=True)
class Members:
    """The numbers of several groups or batches in one row.

    Attributes
    ----------
    owners : sequence of Group or Batch
        The groups or batches.
    numbers : array of int32, shape (n,)
        Their numbers, those of one owner after those of another.
    owner : array of int64, shape (n,)
        The position of each number's owner.
    """

    owners: Sequence[Group | Batch]
    numbers: NDArray[np.int32]
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, owners: Sequence[Group | Batch]) -> Self:
        """Build it from the numbers of groups or batches."""
        sizes = [len(each.numbers) for each in owners]
        numbers = np.concatenate([_NOBODY, *(each.numbers for each in owners)])
        return cls(owners, numbers, np.repeat(np.arange(len(owners)), sizes))

    def under(self, rule: Rule) -> NDArray[np.bool_]:
        """Return for each number whether its owner is under a rule."""
        return np.array([rule in each.rules for each in self.owners], dtype=bool)[self.owner]

    def any_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each owner whether any of its numbers is chosen."""
        return np.bincount(self.owner[chosen], minlength=len(self.owners)) > 0

    def chosen_by_owner(self, chosen: NDArray[np.bool_], of: Sequence[int]) -> list[NDArray[np.int32]]:
        """Return the chosen numbers of each of some owners, named by their positions."""
        borders = np.searchsorted(self.owner, np.arange(len(self.owners) + 1))
        return [self.numbers[borders[n] : borders[n + 1]][chosen[borders[n] : borders[n + 1]]] for n in of]


@dataclass(frozen=True)
class Barred:
    """Which numbers may not be texted now, and why; arrays of bool with one entry a number.

    Attributes
    ----------
    excluded
        The caller excludes them; some of these may be listed or capped too.
    listed
        They are on the do-not-contact list, and the rule holds for their message.
    capped
        They have had enough advertising, the rule holds for their message, and they are not listed.
    """

    excluded: NDArray[np.bool_]
    listed: NDArray[np.bool_]
    capped: NDArray[np.bool_]

    @property
    def at_all(self) -> NDArray[np.bool_]:
        """For whatever reason."""
        return self.excluded | self.listed | self.capped


@dataclass(frozen=True)
class BatchFacts:
    """The facts that decide whether unfinished batches are tried, held or replaced; bool arrays with one entry a batch.

    Attributes
    ----------
    abandoned
        It never left, and the run that planned it has ended.
    expired
        It is abandoned, and its schedule is past.
    too_small
        It has fewer numbers than a request takes.
    has_barred
        Somebody of it may not be texted now.
    has_absent
        Somebody of it, who is not excluded, is in no group.
    has_changed
        Somebody of it is in a group with another message, segment or rules.
    """

    abandoned: NDArray[np.bool_]
    expired: NDArray[np.bool_]
    too_small: NDArray[np.bool_]
    has_barred: NDArray[np.bool_]
    has_absent: NDArray[np.bool_]
    has_changed: NDArray[np.bool_]


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
    unfinished = known.batches
    ready, held = Members.of(groups), Members.of(unfinished)

    listed, capped = find_unwanted([*groups, *unfinished], known)
    ready_barred = find_barred(ready, _NOBODY, listed, capped)
    held_barred = find_barred(held, excluded, listed, capped)

    position = find_positions(held.numbers, ready.numbers)
    facts = find_facts(held, held_barred, ready, position, known.now)
    eligible = ~known.is_texted(ready.numbers) & ~ready_barred.at_all
    remaining = (position < 0) & ~held_barred.at_all & ~facts.expired[held.owner]
    replaced, recipients = choose_recipients(ready, eligible, held, position, remaining, find_replaced(facts))

    removed = (position < 0) & replaced[held.owner]
    left_out = [
        LeftOut(ready.numbers[ready_barred.listed], LISTED),
        LeftOut(ready.numbers[ready_barred.capped], CAPPED),
        LeftOut(held.numbers[removed & held_barred.listed], LISTED),
        LeftOut(held.numbers[removed & held_barred.capped], CAPPED),
        LeftOut(held.numbers[removed & ~held_barred.at_all & facts.expired[held.owner]], _EXPIRED),
    ]
    added: list[NewBatch] = []
    stranded = {key: numbers for key, numbers in recipients.items() if len(numbers) < max(key.floor, 1)}
    ends = {_key(group): group.ends for group in groups}
    for key, numbers in recipients.items():
        if key in stranded:
            left_out.append(LeftOut(numbers, Outcome(Status.NOT_SENT, _too_few(key, len(numbers), campaign))))
        else:
            added += _batches(campaign, key, numbers, known.request_ids, max_batch, ends.get(key, ()))
    return Allocation(
        withdrawn=[unfinished[n] for n in np.flatnonzero(replaced)],
        added=added,
        held={
            unfinished[n].id: _why_held(unfinished[n], is_expired=facts.expired[n], is_too_small=facts.too_small[n])
            for n in np.flatnonzero(find_untried(facts) & ~replaced)
        },
        left_out=[part for part in left_out if len(part.numbers)],
        stranded=stranded,
    )


def find_unwanted(owners: Sequence[Group | Batch], known: Known) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find who is on the do-not-contact list, and who has had enough advertising, as far as the rules of any owner ask."""
    return _listed(owners, known), _capped(owners, known)


def find_barred(
    members: Members, excluded: NDArray[np.int32], listed: NDArray[np.int32], capped: NDArray[np.int32]
) -> Barred:
    """Decide which numbers of groups or batches may not be texted now.

    Parameters
    ----------
    members : Members
        The numbers.
    excluded, listed, capped : array of int
        Who is excluded by the caller, on the do-not-contact list, and has had enough advertising.

    Returns
    -------
    Barred
        The list and the cap bar from what is under their rule only, and the cap does not bar from a batch that may have
        left: it is repeated under its request id, and brings nobody a message more.
    """
    is_listed = members.under(Rule.DO_NOT_CONTACT) & is_among(members.numbers, listed)
    unsent = np.array([_is_unsent(owner) for owner in members.owners], dtype=bool)[members.owner]
    is_capped = unsent & members.under(Rule.DAILY_CAP) & is_among(members.numbers, capped)
    return Barred(is_among(members.numbers, excluded), is_listed, is_capped & ~is_listed)


def find_facts(held: Members, barred: Barred, ready: Members, position: NDArray[np.int64], now: datetime) -> BatchFacts:
    """Find what decides about each unfinished batch.

    Parameters
    ----------
    held, barred : Members, Barred
        The numbers of the unfinished batches, and which of them may not be texted.
    ready, position : Members, array of int
        The numbers of the groups, and where among them each number of a batch is, -1 for nowhere.
    now : datetime
        The present moment.
    """
    batches = cast("Sequence[Batch]", held.owners)
    abandoned = np.array([batch.is_abandoned for batch in batches], dtype=bool)
    is_past = np.array([(batch.message.send_at or now) < now for batch in batches], dtype=bool)

    kinds: dict[tuple[object, ...], int] = {}
    ready_kinds, held_kinds = (
        np.array([kinds.setdefault(_key(owner)[:3], len(kinds)) for owner in members.owners], dtype=np.int64)
        for members in (ready, held)
    )
    is_present = position >= 0
    changed = np.zeros(len(position), dtype=bool)
    changed[is_present] = ready_kinds[ready.owner[position[is_present]]] != held_kinds[held.owner[is_present]]
    return BatchFacts(
        abandoned=abandoned,
        expired=abandoned & is_past,
        too_small=np.array([len(batch.numbers) < batch.floor for batch in batches], dtype=bool),
        has_barred=held.any_of(barred.at_all),
        has_absent=held.any_of(~is_present & ~barred.excluded),
        has_changed=held.any_of(changed),
    )


def find_replaced(facts: BatchFacts) -> NDArray[np.bool_]:
    """Decide which unfinished batches are to be replaced, if the others of each are enough for a batch."""
    corrected = facts.has_changed & ~facts.has_absent
    due = facts.abandoned & (facts.has_barred | facts.too_small | corrected)
    return np.where(facts.expired, facts.has_changed, due)


def find_untried(facts: BatchFacts) -> NDArray[np.bool_]:
    """Decide which unfinished batches are not to be tried as they are."""
    return facts.has_barred | facts.too_small | facts.expired


def choose_recipients(
    ready: Members,
    eligible: NDArray[np.bool_],
    held: Members,
    position: NDArray[np.int64],
    remaining: NDArray[np.bool_],
    replaced: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], dict[Key, NDArray[np.int32]]]:
    """Decide who gets a new batch, and which batches are replaced after all.

    Parameters
    ----------
    ready, eligible : Members, array of bool
        The numbers of the groups, and which of them may get a batch if no unfinished one has them.
    held, position : Members, array of int
        The numbers of the unfinished batches, and where among the groups' each is, -1 for nowhere.
    remaining : array of bool
        Which numbers of the unfinished batches are in no group, and still get what they were to get.
    replaced : array of bool
        Which batches are to be replaced.

    Returns
    -------
    replaced : array of bool
        Without the batches of which too few remain, even together with all others who get the same.
    recipients : dict of Key to array of int
        Who gets a new batch, by what it is to be like.
    """
    replaced, has_remaining = replaced.copy(), held.any_of(remaining)
    while True:
        kept = position[(position >= 0) & ~replaced[held.owner]]
        free = eligible.copy()
        free[kept] = False
        continued = np.flatnonzero(replaced & has_remaining).tolist()
        numbers_by_key: dict[Key, list[NDArray[np.int32]]] = {}
        for members, chosen, of in ((ready, free, range(len(ready.owners))), (held, remaining, continued)):
            for n, numbers in zip(of, members.chosen_by_owner(chosen, of), strict=True):
                numbers_by_key.setdefault(_key(members.owners[n]), []).append(numbers)
        recipients = {key: np.concatenate(several) for key, several in numbers_by_key.items()}
        too_few = [n for n in continued if len(recipients[_key(held.owners[n])]) < held.owners[n].floor]
        if not too_few:
            return replaced, recipients
        replaced[too_few] = False


def leave_out_late(decided: Allocation, clocks: Clocks) -> Allocation:
    """Leave out the new batches of advertising that may not go out by now; then none is replaced by them either."""
    late = [
        (batch, why)
        for batch in decided.added
        if (why := find_hours_objection(batch.rules, batch.message.send_at, clocks)) is not None
    ]
    if not late:
        return decided
    if decided.withdrawn:
        late = [(batch, late[0][1]) for batch in decided.added]
    left_out = [LeftOut(batch.numbers, Outcome(Status.NOT_SENT, why)) for batch, why in late]
    out = {batch.request_id for batch, _ in late}
    return replace(
        decided,
        withdrawn=[],
        added=[batch for batch in decided.added if batch.request_id not in out],
        held=decided.held | {batch.id: late[0][1] for batch in decided.withdrawn},
        left_out=[*decided.left_out, *left_out],
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


def can_be_split(batch: Batch, code: int | None) -> bool:
    """Return whether a batch was refused for some of its numbers only, and has enough for two."""
    return code in _FAULT_OF_NUMBERS and len(batch.numbers) >= 2 * max(batch.floor, 1)


def halves(batch: Batch, code: int | None, campaign: str, taken: Collection[str]) -> list[NewBatch]:
    """Return the two halves of a batch that was refused for some of its numbers.

    Refused for a network, it is split between networks, so that few requests separate those of one from all others.
    """
    numbers = batch.numbers
    if code == _UNREGISTERED_NETWORK:
        _, network = numbering_plan.networks()
        numbers = numbers[np.argsort(network[numbers // numbering_plan.PREFIX], kind="stable")]
    return _batches(campaign, _key(batch), numbers, taken, -(-len(numbers) // 2))


def remake(batch: Batch, numbers: NDArray[np.int32], campaign: str, taken: Collection[str]) -> list[NewBatch]:
    """Make the batch that takes another's place, with some of its numbers."""
    return _batches(campaign, _key(batch), numbers, taken, len(numbers))


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


def _key(owner: Group | Batch) -> Key:
    return Key(owner.segment, owner.message, owner.rules, owner.floor)


def _is_unsent(owner: Group | Batch) -> bool:
    """Check whether what is to be sent certainly has not left yet."""
    return not isinstance(owner, Batch) or owner.is_abandoned


def _listed(owners: Sequence[Group | Batch], known: Known) -> NDArray[np.int32]:
    """Return the do-not-contact list, where its rule holds for anything."""
    return known.do_not_contact() if any(Rule.DO_NOT_CONTACT in owner.rules for owner in owners) else _NOBODY


def _capped(owners: Sequence[Group | Batch], known: Known) -> NDArray[np.int32]:
    """Find the numbers that have had, or are about to have, as much advertising as a day may bring."""
    now = known.now
    unsent = [owner for owner in owners if _is_unsent(owner)]
    by_time: dict[datetime, list[NDArray[np.int32]]] = {}
    for owner in unsent:
        if Rule.DAILY_CAP in owner.rules and len(owner.numbers):
            by_time.setdefault(owner.message.send_at or now, []).append(owner.numbers)
    if not by_time:
        return _NOBODY
    not_counted = [owner.id for owner in unsent if isinstance(owner, Batch)]
    people = np.concatenate([numbers for several in by_time.values() for numbers in several])
    contacted, seconds = known.advertised(min(by_time) - _DAY, max(by_time) + _DAY, not_counted, people)
    capped = [_NOBODY]
    for moment, several in by_time.items():
        numbers = np.concatenate(several)
        capped.append(numbers[find_over_cap(numbers, contacted, seconds, moment)])
    return np.concatenate(capped)


def _why_held(batch: Batch, *, is_expired: bool, is_too_small: bool) -> str:
    if is_expired:
        return _PAST
    if not is_too_small:
        return HELD
    template = _TOO_SMALL if batch.status == BatchStatus.PLANNED else _TOO_SMALL_TO_REPEAT
    return Sentence(template, count=len(batch.numbers), floor=batch.floor)


def _too_few(key: Key, count: int, campaign: str) -> str:
    if key.segment is None:
        return Sentence(
            "Only {count} of the numbers are new to the campaign {campaign} and a batch needs {floor}: send them with "
            "more recipients, or under another campaign.",
            count=count,
            campaign=repr(campaign),
            floor=key.floor,
        )
    return Sentence(
        "Only {count} of the numbers of segment {segment} are new to the campaign {campaign} and a batch needs {floor}: "
        "send them with more recipients, or under another campaign.",
        count=count,
        segment=repr(key.segment),
        campaign=repr(campaign),
        floor=key.floor,
    )
