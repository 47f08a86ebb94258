"""Ask the gateway what became of sends: several at once, patiently, and again until they are settled."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm.auto import tqdm

from esms_frames.base.codes import NOT_FOUND, Kind
from esms_frames.base.errors import GatewayError, InvalidInput, Refused
from esms_frames.base.wording import Sentence
from esms_frames.gateway.pace import TURN, as_completed_interruptibly, limit_rate
from esms_frames.gateway.retries import MAX_UNANSWERED_IN_A_ROW, POLLING, TRACKING, Unanswered
from esms_frames.gateway.workers import Workers
from esms_frames.tracking import deliveries
from esms_frames.tracking.deliveries import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pyrate_limiter import Limiter

    from esms_frames.gateway.client import Client


_Found = TypeVar("_Found")


class Asking:
    """Ask the gateway about sends, several at once, and again until they are settled.

    A send is known by its position in `sms_ids`; `sizes` says how many rows each has, and `age` how long ago it was sent.

    Attributes
    ----------
    answers : dict of int to Answer
        What is known of sends by now.
    errors : dict of int to str
        Why sends could not be asked about that have no answer.
    """

    def __init__(
        self,
        client: Client,
        sms_ids: Sequence[str],
        sizes: NDArray[np.int64],
        age: Sequence[Any],
        *,
        concurrency: int,
        rate: float | None,
    ) -> None:
        self.answers: dict[int, Answer] = {}
        self.errors: dict[int, str] = {}
        self._client = client
        self._sms_ids = sms_ids
        self._sizes = sizes
        self._age = age
        self._concurrency = concurrency
        self._rate = rate
        self._limiter: Limiter | None = None
        self._ended = threading.Event()
        self._unanswered = Unanswered()
        self._why = ""

    def ask(self, due: Sequence[int], *, timeout: float | None, progress: bool | Callable[[int, int], object]) -> None:
        """Ask once about each of some sends; with a time-out in seconds, ask again until nothing is pending."""
        waits = POLLING.waits(timeout)
        shown, report = progress is True, progress if callable(progress) else None
        total, done = int(self._sizes[list(due)].sum()), 0
        bar = tqdm(total=total, desc="Tracking", unit=" numbers", disable=not (shown and due))
        with bar, limit_rate(self._rate) as self._limiter:
            while due:
                with closing(self._round(due)) as answered:  # so that nothing more is asked once a report raises
                    for position in answered:
                        if timeout is None or self._is_final(position):
                            done += int(self._sizes[position])
                            bar.update(int(self._sizes[position]))
                        if report is not None:
                            report(done, total)
                due = [position for position in due if not self._is_final(position)]
                wait = next(waits, None) if due else None
                if wait is None:
                    break
                bar.set_postfix({"asking again in seconds": round(wait)})
                time.sleep(wait)

    def _is_final(self, position: int) -> bool:
        return position in self.answers and self.answers[position].final

    def _round(self, due: Sequence[int]) -> Generator[int]:
        """Ask about each send once; yield each as its answer comes."""
        self._ended.clear()
        self._unanswered.reset()
        with Workers(self._concurrency, "esms-track") as workers:
            under_way = {workers.submit(partial(self._answer_or_why_not, position)): position for position in due}
            try:
                for future in chain.from_iterable(as_completed_interruptibly(under_way)):
                    position, found = under_way[future], future.result()
                    if isinstance(found, Answer):
                        self.answers[position] = found
                        self.errors.pop(position, None)
                    elif position not in self.answers:
                        self.errors[position] = found
                    yield position
            except BaseException:
                self._ended.set()
                raise

    def _answer_or_why_not(self, position: int) -> Answer | str:
        """Ask about one send; return its answer, or why there is none."""
        if self._ended.is_set():
            return self._why
        try:
            found = self._answer(position)
        except Refused as refusal:
            if refusal.kind is Kind.ACCOUNT:
                raise
            if refusal.code == NOT_FOUND and position not in self.answers:
                return deliveries.judge_not_found(self._age[position])
            return Sentence("it could not be asked for: {error_text}", error_text=refusal)
        except (GatewayError, InvalidInput) as error:
            self._count_unanswered(error)
            return Sentence("it could not be asked for: {error_text}", error_text=error)
        self._unanswered.reset()
        return found

    def _answer(self, position: int) -> Answer:
        sms_id = self._sms_ids[position]
        status = self._ask_patiently(lambda: self._client.status(sms_id))
        known = deliveries.judge_status(status)
        if known is not None:
            return known
        return deliveries.judge_receivers(status, self._ask_patiently(lambda: self._client.receivers(sms_id)))

    def _ask_patiently(self, ask: Callable[[], _Found]) -> _Found:
        def ask_in_turn() -> _Found:
            while self._limiter is not None and not self._limiter.try_acquire("esms", blocking=False):
                self._ended.wait(TURN)
            return ask()

        return TRACKING.run(ask_in_turn)

    def _count_unanswered(self, error: Exception) -> None:
        if self._unanswered.add():
            self._why = Sentence(
                "it was not asked for, since {count} sends in a row got no answer: {error_text}",
                count=MAX_UNANSWERED_IN_A_ROW,
                error_text=error,
            )
            self._ended.set()
