"""Drive a campaign's unfinished batches through the client: attempts, retries, rate, several at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Self

from tqdm.auto import tqdm

from esms_frames.base.codes import DUPLICATE, IN_PROCESS
from esms_frames.base.errors import InvalidInput, JournalError, NoAnswer, Refused, Unreachable
from esms_frames.base.sets import is_among
from esms_frames.base.wording import Sentence, mark
from esms_frames.campaigns.decisions.allocation import HELD, LISTED, LeftOut, can_be_split, halves, remake
from esms_frames.campaigns.decisions.may_send import (
    find_hours_objection,
    find_objection,
    judge_failure,
    judge_refusal,
    may_have_arrived,
)
from esms_frames.campaigns.sending.watch import Watch
from esms_frames.gateway.http.connection import HeldBackError, only_while
from esms_frames.gateway.pace import TURN, as_completed_interruptibly, limit_rate
from esms_frames.gateway.retries import MAX_UNANSWERED_IN_A_ROW, SENDING, Unanswered
from esms_frames.gateway.workers import Workers
from esms_frames.journal.batches import ListedError
from esms_frames.journal.claims import run_name
from esms_frames.journal.records import UNFINISHED, BatchStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray
    from pyrate_limiter import Limiter

    from esms_frames.gateway.client import Client
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Attempt, Batch, NewBatch, Scope


_CLAIM_MARGIN = 30.0  # seconds beyond the client's time-outs and the waits that a claim is good for
_POLL = 0.2  # seconds between looks at batches that another run has

_ANSWER_OF_ANOTHER = mark(
    "The gateway's answer holds the SMSID of another batch, as when something on the way mixes "
    "answers up, so it is uncertain whether this one was taken."
)


class _EndedError(Exception):
    """The run has ended before this attempt."""


class _NotOursError(Exception):
    """The batch is settled by now, or another run has it."""


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


class Dispatcher:
    """One run over the batches of a campaign."""

    def __init__(
        self,
        journal: BatchStore,
        scope: Scope,
        client: Client,
        *,
        concurrency: int,
        rate: float | None,
        split: bool,
    ) -> None:
        self.watch = Watch(journal, client)
        self.run = run_name()
        self.why_ended = ""
        self.driven: set[int] = set()
        """The batches that this run has worked on, or waited for."""
        self.held_back: dict[int, str] = {}
        """Why a batch was not tried in this run."""
        self.said_to_be_there: set[int] = set()
        """The batches that the gateway says it has, while the journal does not know why."""
        self.left_out: list[LeftOut] = []
        """Who was taken out of a batch before it left."""
        self._journal = journal
        self._scope = scope
        self._client = client
        self._concurrency = concurrency
        self._split = split
        self._parts: list[Batch] = []
        self._pace = limit_rate(rate)
        self._limiter: Limiter | None = None
        self._claim_seconds = sum(client.timeout) + SENDING.longest_wait + _CLAIM_MARGIN
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._unanswered = Unanswered()
        self._workers: Workers | None = None
        self._callback_token = cache(partial(journal.callback_token, scope))

    def __enter__(self) -> Self:
        self._limiter = self._pace.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Release the run's claims; after Ctrl-C twice requests are still under way, and claims end with their time.

        A run that could not reach the journal has waited for it already.
        """
        gave_up = kind is not None and issubclass(kind, JournalError)
        if self._workers is None or self._workers.are_idle:
            self._pace.__exit__(None, None, None)
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
            Workers(self._concurrency, "esms-send") as workers,
        ):
            self._workers = workers
            try:
                while True:
                    while due:
                        elsewhere = []
                        under_way: dict[Future[BatchStatus | None], Batch] = {
                            workers.submit(partial(self._deliver, batch)): batch for batch in due
                        }
                        for done in as_completed_interruptibly(under_way):
                            for future in done:
                                batch, status = under_way[future], future.result()
                                if status is None and not self._ended.is_set():
                                    elsewhere.append(batch)
                                elif status != BatchStatus.SPLIT:
                                    counts["elsewhere" if status is None else str(status)] += len(batch.numbers)
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
                self._end(mark("the run was interrupted"))
                if shown:
                    bar.write("Stopping: waiting for the requests under way, so that nothing is left uncertain.")
                raise

    def _due(self, batches: Sequence[Batch]) -> list[Batch]:
        """Return those of the batches that are to be sent and have not been driven yet; they are from now on."""
        due = [
            batch
            for batch in batches
            if batch.status in UNFINISHED and batch.id not in self.held_back and batch.id not in self.driven
        ]
        self.driven |= {batch.id for batch in due}
        return due

    def _deliver(self, batch: Batch) -> BatchStatus | None:
        """Send a batch; return its status, or None while another run has it."""
        try:
            return self._tried(batch)
        except JournalError as error:
            self._end(str(error))  # from here, for this thread is given the next batch at once
            raise

    def _tried(self, batch: Batch) -> BatchStatus | None:
        """Try a batch until it is settled or hopeless; return its status, or None while another run has it."""
        if self._ended.is_set():
            return batch.status
        if why := self._objection(batch, batch.uncertain_since):
            self.held_back[batch.id] = batch.reason or why
            return batch.status
        try:
            status = SENDING.run(partial(self._try, batch), unless=partial(self._is_over, batch))
        except _EndedError:
            return batch.status
        except _NotOursError:
            status, held = self._journal.state(batch, self.run)
            return None if held else status
        except ListedError as listed:
            return self._without(batch, listed.numbers)
        except Unreachable as error:
            self._end(Sentence("the gateway could not be reached: {error_text}", error_text=error))
            return BatchStatus.PLANNED
        except Refused as refusal:  # still in process, or too busy
            return BatchStatus.UNKNOWN if refusal.code == IN_PROCESS else BatchStatus.REFUSED
        except NoAnswer as error:
            self._no_answer(error)
            return BatchStatus.UNKNOWN
        self._unanswered.reset()
        return status

    def _try(self, batch: Batch) -> BatchStatus:
        """Make one attempt, on disk before and after; return its status, or raise the error that calls for another."""
        while self._limiter is not None and not self._limiter.try_acquire("esms", blocking=False):
            if self._ended.wait(TURN):
                break
        if self._ended.is_set():
            raise _EndedError
        if why := find_hours_objection(batch.rules, batch.message.send_at, self.watch.read()):
            self.held_back[batch.id] = why
            raise _EndedError
        message = batch.message._with_token(self._callback_token()) if batch.message._needs_token else batch.message
        attempt = self._journal.begin_attempt(batch, self.run, self._claim_seconds, earliest=self.watch.read().earliest)
        if attempt is None:
            raise _NotOursError

        def why_not() -> str | None:
            # Much time may have passed, in this run or in another's, and this machine may have slept since it was begun.
            if (objection := self._objection(batch, attempt.uncertain_before)) is not None:
                return objection
            return find_hours_objection(batch.rules, batch.message.send_at, self.watch.read())

        if why := why_not():
            return self._failed(attempt, HeldBackError(why))
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
        except (NoAnswer, Unreachable) as error:
            self._failed(attempt, error)
            raise
        except (HeldBackError, InvalidInput) as error:  # a schedule can become past while the batches go out, too
            return self._failed(attempt, error)
        if not self._journal.accept(
            self._scope, attempt, self.run, code=answer.code, sms_id=answer.sms_id, otherwise=_ANSWER_OF_ANOTHER
        ):
            self._client.close()  # what is still to come on these connections is not for us either
            raise NoAnswer(_ANSWER_OF_ANOTHER)
        return BatchStatus.ACCEPTED

    def _objection(self, batch: Batch, uncertain_since: datetime | None) -> str | None:
        return find_objection(
            batch.created_at,
            uncertain_since,
            batch.message.send_at,
            self.watch.read(),
            code=batch.code,
            planned_since=self.watch.began,
        )

    def _without(self, batch: Batch, listed: NDArray[np.int32]) -> BatchStatus | None:
        """Send a batch without the numbers that have come onto the do-not-contact list, if that can be done."""
        rest = batch.numbers[~is_among(batch.numbers, listed)]
        if batch.uncertain_since is not None or len(rest) < max(batch.floor, 1):
            self.held_back[batch.id] = HELD
            return batch.status
        written = self._journal.replace(
            self._scope, batch, self.run, lambda taken: remake(batch, rest, self._scope.name, taken)
        )
        if written is None:
            status, held = self._journal.state(batch, self.run)
            return None if held else status
        with self._lock:
            self._parts += written
            self.left_out.append(LeftOut(listed, LISTED))
        return BatchStatus.SPLIT

    def _failed(self, attempt: Attempt, error: Exception) -> BatchStatus:
        verdict = judge_failure(error, attempt)
        self._journal.end_attempt(attempt, self.run, verdict.status, outcome=verdict.outcome, reason=verdict.reason)
        return verdict.status

    def _refused(self, batch: Batch, attempt: Attempt, refusal: Refused) -> BatchStatus:
        verdict = judge_refusal(refusal, attempt)
        if verdict.status is BatchStatus.REFUSED and self._split and self._in_halves(batch, attempt, refusal):
            return BatchStatus.SPLIT
        self._journal.end_attempt(
            attempt, self.run, verdict.status, outcome=verdict.outcome, reason=verdict.reason, code=refusal.code
        )
        if refusal.code == DUPLICATE and verdict.status is BatchStatus.UNKNOWN:
            self.said_to_be_there.add(batch.id)
        if refusal.kind.stops_campaign:
            self._end(
                Sentence(
                    "batch {number} was refused for a reason that holds for all: {error_text}",
                    number=str(batch.number),
                    error_text=refusal,
                )
            )
        if SENDING.is_worth_another(refusal):
            raise refusal
        return verdict.status

    def _in_halves(self, batch: Batch, attempt: Attempt, refusal: Refused) -> bool:
        """Replace a batch that was refused for some of its numbers by two halves, if it has enough."""
        if not can_be_split(batch, refusal.code):
            return False

        def divide(numbers: NDArray[np.int32], taken: set[str]) -> list[NewBatch]:
            return halves(replace(batch, numbers=numbers), refusal.code, self._scope.name, taken)

        written = self._journal.split(
            self._scope, attempt, self.run, divide, reason=refusal._sentence, code=refusal.code
        )
        with self._lock:
            self._parts += written
        return True

    def _is_over(self, batch: Batch, error: Exception) -> bool:
        """Check whether a batch is not to be tried again after an error, whatever it is: the run or the time is over."""
        if self._ended.is_set():
            return True
        return may_have_arrived(error) and self._objection(batch, self._journal.now()) is not None

    def _no_answer(self, error: NoAnswer) -> None:
        if self._unanswered.add():
            self._end(
                Sentence(
                    "{count} batches in a row got no answer, the last: {error_text}",
                    count=MAX_UNANSWERED_IN_A_ROW,
                    error_text=error,
                )
            )

    def _end(self, why: str) -> None:
        with self._lock:
            if not self._ended.is_set():
                self.why_ended = why
                self._ended.set()


def _numbers(batches: Sequence[Batch]) -> int:
    return sum(len(batch.numbers) for batch in batches)
