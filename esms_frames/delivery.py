"""Drive a campaign's unfinished batches through the client: attempts, retries, rate, several at once."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Self

import stamina
from tqdm.auto import tqdm

from esms_frames import clock
from esms_frames.allocation import can_be_split, halves
from esms_frames.consent import Rule, outside_hours
from esms_frames.errors import BadAnswer, InvalidInput, JournalError, NoAnswer, Refused, Unreachable
from esms_frames.pace import TURN, in_turns, limiter_of
from esms_frames.runs import run_name
from esms_frames.schema import UNFINISHED
from esms_frames.transport import HeldBackError, only_while

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from esms_frames.batch import Attempt, Batch, NewBatch
    from esms_frames.client import Client
    from esms_frames.ledger import Ledger
    from esms_frames.schema import Scope

logging.getLogger("stamina").addHandler(logging.NullHandler())  # retries are told in the journal, not on the screen

ATTEMPTS = 5
"""How often a batch is tried in one run, at most."""

_WAIT_INITIAL, _WAIT_MAX, _WAIT_JITTER = 0.5, 8.0, 0.5  # seconds between attempts, doubling

_SAME_ID_IS_SAFE = timedelta(hours=23)  # the gateway refuses a repeated request id for 24 hours
_CLOCK_SLACK = timedelta(minutes=5)  # by which clocks are set without anybody noticing

_HOPELESS = 3
"""How many batches in a row may stay without an answer before the run ends."""

_CLAIM_MARGIN = 30.0  # seconds beyond the client's time-outs and the waits that a claim is good for
_POLL = 0.2  # seconds between looks at batches that another run has

_BUSY, _IN_PROCESS, _ALREADY_THERE = 160, 199, 124

_TOO_LONG = "Too much time has passed for it to be sent without asking the gateway first: resume the campaign."


class _EndedError(Exception):
    """The run has ended before this attempt."""


class _NotOursError(Exception):
    """The batch is settled by now, or another run has it."""


def may_be_sent(batch: Batch, uncertain_since: datetime | None, now: datetime) -> bool:
    """Tell whether a batch may be sent under its request id without anybody being texted twice, as far as we know.

    The present moment is to be that of the journal's clock, as all its times are.
    One that may have arrived, since a time, may be while the gateway still refuses repetitions, and not after its
    schedule, for the gateway could send it at once then. One that was planned longer ago than that may not either: if
    this journal is an older copy, the one that was lost may have sent it. A time that is still to come means that a clock
    was set, and then nothing is known.
    """
    send_at = batch.message.send_at
    if uncertain_since is None:
        return now - batch.created_at < _SAME_ID_IS_SAFE
    fresh = -_CLOCK_SLACK < now - uncertain_since < _SAME_ID_IS_SAFE
    return fresh and (send_at is None or now < send_at)


def clock_agrees(client: Client, journal: Ledger) -> bool:
    """Tell whether the gateway's clock, as its last answer gave it, does not contradict the journal's."""
    if client.clock_offset is None:
        return True
    return abs(client.clock_offset - (journal.now() - clock.now())) < 2 * _CLOCK_SLACK


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    total : int
        The numbers that it is to send to.
    counts : mapping of str to int
        How many of them are done with, by the status of their batch: ``accepted``, ``refused``, ``unknown``, ….
    """

    total: int
    counts: Mapping[str, int]

    @property
    def done(self) -> int:
        """How many numbers are done with."""
        return sum(self.counts.values())


class Delivery:
    """One run over the batches of a campaign."""

    def __init__(
        self,
        journal: Ledger,
        scope: Scope,
        client: Client,
        *,
        concurrency: int,
        rate: float | None,
        split: bool,
    ) -> None:
        self.run = run_name()
        self.why_ended = ""
        self.driven: set[int] = set()
        """The batches that this run has worked on, or waited for."""
        self.held_back: dict[int, str] = {}
        """Why a batch was not tried in this run."""
        self._journal = journal
        self._scope = scope
        self._client = client
        self._concurrency = concurrency
        self._split = split
        self._parts: list[Batch] = []
        self._limiter = limiter_of(rate)
        self._claim_seconds = sum(client.timeout) + _WAIT_MAX + _CLAIM_MARGIN
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._unanswered_in_a_row = 0
        self._under_way: dict[Future[str | None], Batch] = {}
        self._callback_token = cache(partial(journal.callback_token, scope))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give up the run's claims; after Ctrl-C twice requests are still under way, and claims end with their time.

        A run that could not reach the journal has waited for it already.
        """
        gave_up = kind is not None and issubclass(kind, JournalError)
        if all(future.done() for future in self._under_way):
            with suppress(JournalError) if gave_up else nullcontext():
                self._journal.release(self.run, wait=not gave_up)

    def drive(
        self,
        pieces: Iterable[Sequence[Batch]],
        *,
        progress: bool | Callable[[Progress], object],
        total: int | None = None,
    ) -> None:
        """Send the unfinished ones of the batches, and wait for those that another run has.

        They come in pieces, each of which is asked for once the one before is done with, and none after the run has ended;
        `total` is how many numbers they have, where more than one piece comes.
        """
        shown = progress is True
        report = progress if callable(progress) else None
        all_pieces = iter(pieces)
        due = self._due(next(all_pieces, ()))
        counts: Counter[str] = Counter()
        expected = max(total or 0, _numbers(due))
        with (
            tqdm(total=expected, desc="Sending", unit=" numbers", disable=not (shown and expected)) as bar,
            ThreadPoolExecutor(self._concurrency, thread_name_prefix="esms-send") as pool,
        ):
            try:
                while True:
                    while due:
                        elsewhere = []
                        self._under_way = {pool.submit(self._deliver, batch): batch for batch in due}
                        for done in in_turns(self._under_way):
                            for future in done:
                                batch, status = self._under_way[future], future.result()
                                if status is None and not self._ended.is_set():
                                    elsewhere.append(batch)
                                elif status != "split":
                                    counts[status or "elsewhere"] += len(batch.numbers)
                                    bar.set_postfix(counts, refresh=False)
                                    bar.update(len(batch.numbers))
                            if report is not None:
                                report(Progress(expected, dict(counts)))
                        if elsewhere and not self._parts:
                            time.sleep(_POLL)
                        due, self._parts = [*elsewhere, *self._parts], []
                        self.driven |= {batch.id for batch in due}
                    piece = None if self._ended.is_set() else next(all_pieces, None)
                    if piece is None:
                        break
                    due = self._due(piece)
                    expected = max(expected, sum(counts.values()) + _numbers(due))
            except BaseException:  # Ctrl-C too: what is under way settles, nothing more leaves
                self._end("the run was interrupted")
                if shown:
                    bar.write("Stopping: waiting for the requests under way, so that nothing is left uncertain.")
                raise

    def _due(self, batches: Sequence[Batch]) -> list[Batch]:
        """Give those of the batches that are to be sent and have not been driven yet; they are from now on."""
        due = [
            batch
            for batch in batches
            if batch.status in UNFINISHED and batch.id not in self.held_back and batch.id not in self.driven
        ]
        self.driven |= {batch.id for batch in due}
        return due

    def _deliver(self, batch: Batch) -> str | None:
        """Deal with a batch; its status, or None while another run has it."""
        try:
            return self._tried(batch)
        except JournalError as error:
            self._end(str(error))  # from here, for this thread is given the next batch at once
            raise

    def _tried(self, batch: Batch) -> str | None:
        """Try a batch until it is settled or hopeless; its status, or None while another run has it."""
        if self._ended.is_set():
            return batch.status
        if not may_be_sent(batch, batch.uncertain_since, self._journal.now()):
            self.held_back[batch.id] = batch.reason or _TOO_LONG
            return batch.status
        if batch.uncertain_since is not None and not clock_agrees(self._client, self._journal):
            self.held_back[batch.id] = (
                "This machine's clock is not the gateway's, so nothing is repeated: set it right."
            )
            return batch.status
        try:
            for attempt in stamina.retry_context(
                on=self._is_worth_another,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=_WAIT_INITIAL,
                wait_max=_WAIT_MAX,
                wait_jitter=_WAIT_JITTER,
            ):
                with attempt:
                    status = self._try(batch)
        except _EndedError:
            return batch.status
        except _NotOursError:
            status, held = self._journal.state(batch, self.run)
            return None if held else status
        except Unreachable as error:
            self._end(f"the gateway could not be reached: {error}")
            return "planned"
        except Refused as refusal:  # still in process, or too busy
            return "unknown" if refusal.code == _IN_PROCESS else "refused"
        except NoAnswer as error:
            self._no_answer(error)
            return "unknown"
        with self._lock:
            self._unanswered_in_a_row = 0
        return status

    def _try(self, batch: Batch) -> str:
        """Make one attempt, on disk before and after; the status it gave, or the error that calls for another."""
        while self._limiter is not None and not self._limiter.try_acquire("esms", blocking=False):
            if self._ended.wait(TURN):
                break
        if self._ended.is_set():
            raise _EndedError
        if why := self._outside_hours(batch):
            self.held_back[batch.id] = why
            raise _EndedError
        message = batch.message.with_token(self._callback_token()) if batch.message.needs_token else batch.message
        attempt = self._journal.begin_attempt(batch, self.run, self._claim_seconds)
        if attempt is None:
            raise _NotOursError
        unsettled = "planned" if attempt.uncertain_before is None else "unknown"

        def why_not() -> str | None:
            # Much time may have passed, in this run or in another's, and this machine may have slept since it was begun.
            if not may_be_sent(batch, attempt.uncertain_before, self._journal.now()):
                return _TOO_LONG
            return self._outside_hours(batch)

        if why := why_not():
            self._journal.end_attempt(attempt, self.run, unsettled, outcome="not tried", reason=why)
            return unsettled
        try:
            with only_while(why_not):
                answer = self._client.send(
                    message,
                    batch.phones,
                    request_id=batch.request_id,
                    campaign=self._scope.name,
                    floor=batch.floor,
                )
        except Refused as refusal:
            return self._refused(batch, attempt, refusal)
        except NoAnswer as error:
            self._journal.end_attempt(attempt, self.run, "unknown", outcome="unanswered", reason=str(error))
            raise
        except Unreachable as error:
            self._journal.end_attempt(attempt, self.run, unsettled, outcome="unreachable", reason=str(error))
            raise
        except (HeldBackError, InvalidInput) as error:  # a schedule can become past while the batches go out, too
            self._journal.end_attempt(attempt, self.run, unsettled, outcome="not tried", reason=str(error))
            return unsettled
        self._journal.end_attempt(
            attempt, self.run, "accepted", outcome="accepted", code=answer.code, sms_id=answer.sms_id
        )
        return "accepted"

    def _outside_hours(self, batch: Batch) -> str | None:
        """Say why a batch may not go out at this hour; one whose schedule is past would go out at once."""
        if Rule.SENDING_HOURS not in batch.rules:
            return None
        now = self._journal.now()
        return outside_hours(max(batch.message.send_at or now, now))

    def _refused(self, batch: Batch, attempt: Attempt, refusal: Refused) -> str:
        status, reason, again = _meaning(attempt, refusal)
        if status == "refused" and self._split and self._in_halves(batch, attempt, refusal):
            return "split"
        outcome = {_IN_PROCESS: "unanswered", _ALREADY_THERE: "already there"}.get(refusal.code, "refused")
        self._journal.end_attempt(attempt, self.run, status, outcome=outcome, reason=reason, code=refusal.code)
        if refusal.kind.stops_campaign:
            self._end(f"batch {batch.number} was refused for a reason that holds for all: {refusal}")
        if again:
            raise refusal
        return status

    def _in_halves(self, batch: Batch, attempt: Attempt, refusal: Refused) -> bool:
        """Put two halves in the place of a batch that was refused for some of its numbers, if it has enough."""
        if not can_be_split(batch, refusal.code):
            return False

        def divide(numbers: NDArray[np.int32], taken: set[str]) -> list[NewBatch]:
            return halves(replace(batch, numbers=numbers), refusal.code, self._scope.name, taken)

        written = self._journal.split(self._scope, attempt, self.run, divide, reason=str(refusal), code=refusal.code)
        with self._lock:
            self._parts += written
        return True

    def _is_worth_another(self, error: Exception) -> bool:
        if self._ended.is_set():
            return False
        if isinstance(error, BadAnswer):
            return error.status in {200, 408, 429} or error.status >= 500
        return isinstance(error, (NoAnswer, Unreachable, Refused))

    def _no_answer(self, error: NoAnswer) -> None:
        with self._lock:
            self._unanswered_in_a_row += 1
            hopeless = self._unanswered_in_a_row >= _HOPELESS
        if hopeless:
            self._end(f"{_HOPELESS} batches in a row got no answer, the last: {error}")

    def _end(self, why: str) -> None:
        with self._lock:
            if not self._ended.is_set():
                self.why_ended = why
                self._ended.set()


def _numbers(batches: Sequence[Batch]) -> int:
    return sum(len(batch.numbers) for batch in batches)


def _meaning(attempt: Attempt, refusal: Refused) -> tuple[str, str | None, bool]:
    """Say what a refusal makes of a batch: its status, the reason, and whether to try once more.

    What an earlier attempt left unanswered, only 124 settles: any other refusal speaks of this attempt alone. And 124
    settles nothing where an earlier attempt was refused and none unanswered, for the gateway may keep the ids of what it
    refuses.
    """
    if refusal.code == _ALREADY_THERE:
        if attempt.unanswered_before:
            return "accepted", None, False
        if attempt.refused_before or attempt.uncertain_before is not None:
            return "unknown", f"It was refused before, and now the gateway says that it has it: {refusal}", False
        return (
            "already_sent",
            f"The gateway had this batch from a run that this journal does not know: {refusal}",
            False,
        )
    if refusal.code == _IN_PROCESS:
        return "unknown", str(refusal), True
    again = refusal.code == _BUSY
    if attempt.uncertain_before is not None:
        return "unknown", f"An earlier attempt got no answer, and then: {refusal}", again
    may_pass_later = again or refusal.kind.stops_campaign
    return ("planned" if may_pass_later else "refused"), str(refusal), again
