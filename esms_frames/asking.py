"""Ask the gateway what became of sends: several at once, patiently, and again until they are settled."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import stamina
from tqdm.auto import tqdm

from esms_frames import deliveries
from esms_frames.deliveries import NOT_KNOWN, PENDING, Answer
from esms_frames.errors import GatewayError, InvalidInput, Kind, NoAnswer, Refused, Unreachable
from esms_frames.pace import TURN, in_turns, limiter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from esms_frames.client import Client

_ATTEMPTS = 3
_WAIT_INITIAL, _WAIT_MAX, _WAIT_JITTER = 0.5, 4.0, 0.5  # seconds between attempts, doubling
_ROUND_FIRST, _ROUND_MOST, _ROUND_GROWTH = 2.0, 60.0, 1.6  # seconds between rounds of asking
_HOPELESS = 3  # sends in a row without an answer, after which a round ends

_SOON = timedelta(hours=1)  # after sending, within which the gateway may not know the send yet
_NOT_FOUND, _BUSY = 105, 160

_NOT_YET = "the gateway does not know the send yet (code 105)"
_LOST = "the gateway does not know the send (code 105): it forgets after 7 days"


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
        self._limiter = limiter_of(rate)
        self._ended = threading.Event()
        self._unanswered_in_a_row = 0
        self._why = ""
        self._lock = threading.Lock()

    def ask(self, due: Sequence[int], *, timeout: float | None, progress: bool | Callable[[int, int], object]) -> None:
        """Ask once about each of some sends; with a time-out, in seconds, again until nothing is pending."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _ROUND_FIRST
        shown, report = progress is True, progress if callable(progress) else None
        total, done = int(self._sizes[list(due)].sum()), 0
        with tqdm(total=total, desc="Tracking", unit=" numbers", disable=not (shown and due)) as bar:
            while due:
                with closing(self._round(due)) as answered:  # so that nothing more is asked once a report raises
                    for place in answered:
                        if deadline is None or self._is_final(place):
                            done += int(self._sizes[place])
                            bar.update(int(self._sizes[place]))
                        if report is not None:
                            report(done, total)
                due = [place for place in due if not self._is_final(place)]
                if deadline is None or not due or time.monotonic() + pause > deadline:
                    break
                bar.set_postfix({"asking again in seconds": round(pause)})
                time.sleep(pause)
                pause = min(pause * _ROUND_GROWTH, _ROUND_MOST)

    def _is_final(self, place: int) -> bool:
        return place in self.answers and self.answers[place].final

    def _round(self, due: Sequence[int]) -> Generator[int]:
        """Ask about each send once; give them as their answers come."""
        self._ended.clear()
        self._unanswered_in_a_row = 0
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="esms-track") as pool:
            under_way = {pool.submit(self._answer_or_why_not, place): place for place in due}
            try:
                for future in chain.from_iterable(in_turns(under_way)):
                    place, found = under_way[future], future.result()
                    if isinstance(found, Answer):
                        self.answers[place] = found
                        self.errors.pop(place, None)
                    elif place not in self.answers:
                        self.errors[place] = found
                    yield place
            except BaseException:
                self._ended.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _answer_or_why_not(self, place: int) -> Answer | str:
        """Ask about one send; why that could not be where it could not."""
        if self._ended.is_set():
            return self._why
        try:
            found = self._answer(place)
        except Refused as refusal:
            if refusal.kind is Kind.ACCOUNT:
                raise
            if refusal.code == _NOT_FOUND and place not in self.answers:
                return self._not_found(place)
            return f"it could not be asked for: {refusal}"
        except (GatewayError, InvalidInput) as error:
            self._no_answer(error)
            return f"it could not be asked for: {error}"
        with self._lock:
            self._unanswered_in_a_row = 0
        return found

    def _answer(self, place: int) -> Answer:
        sms_id = self._sms_ids[place]
        status = self._patiently(lambda: self._client.status(sms_id))
        known = deliveries.waiting(status)
        if known is not None:
            return known
        return deliveries.listed(status, self._patiently(lambda: self._client.receivers(sms_id)))

    def _patiently(self, ask: Any) -> Any:
        for attempt in stamina.retry_context(
            on=_is_worth_another,
            attempts=_ATTEMPTS,
            timeout=None,
            wait_initial=_WAIT_INITIAL,
            wait_max=_WAIT_MAX,
            wait_jitter=_WAIT_JITTER,
        ):
            with attempt:
                while self._limiter is not None and not self._limiter.try_acquire("esms", blocking=False):
                    self._ended.wait(TURN)
                return ask()
        raise AssertionError("the last attempt has returned or raised")

    def _not_found(self, place: int) -> Answer:
        if self._age[place] < _SOON:
            return Answer(rest=PENDING, reason=_NOT_YET)
        return Answer(rest=NOT_KNOWN, reason=_LOST, final=True)

    def _no_answer(self, error: Exception) -> None:
        with self._lock:
            self._unanswered_in_a_row += 1
            if self._unanswered_in_a_row >= _HOPELESS:
                self._why = f"it was not asked for, since {_HOPELESS} sends in a row got no answer: {error}"
                self._ended.set()


def _is_worth_another(error: Exception) -> bool:
    return isinstance(error, (NoAnswer, Unreachable)) or (isinstance(error, Refused) and error.code == _BUSY)
