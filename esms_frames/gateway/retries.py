"""When a request that failed is tried again, and when a run gives up."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from esms_frames.base.codes import BUSY, CODES, IN_PROCESS, Kind
from esms_frames.base.errors import BadAnswer, NoAnswer, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MAX_UNANSWERED_IN_A_ROW = 3
"""How many batches or sends in a row may stay without an answer before a run gives up."""

_PASSING_STATUSES = {200, 408, 429}  # besides those of 500 and more: half an answer, too slow, too many

_Result = TypeVar("_Result")

logging.getLogger("stamina").addHandler(logging.NullHandler())  # retries are told in the journal, not on the screen


@dataclass(frozen=True)
class Retries:
    """Which failures of a request are worth another try, how many tries there are, and how long it waits between them.

    Attributes
    ----------
    attempts : int
        How often it is tried at most.
    first_wait, longest_wait : float
        Seconds before the second try, which double from try to try, and the most that they become.
    jitter : float
        How many seconds chance adds at most.
    codes : frozenset of int
        The gateway's codes that may not come again. All other refusals would.
    after_any_page : bool
        Whether it is tried again whatever came instead of the gateway's JSON. Otherwise it is not after an error page which
        would come again, as those do that say the request is forbidden or was sent to the wrong address.
    """

    attempts: int
    first_wait: float
    longest_wait: float
    jitter: float
    codes: frozenset[int]
    after_any_page: bool

    def is_worth_another(self, error: Exception) -> bool:
        """Return whether a request that failed with an error may succeed in a moment."""
        if isinstance(error, Unreachable):
            return not error.is_lasting
        if isinstance(error, BadAnswer) and not self.after_any_page:
            return error.status in _PASSING_STATUSES or error.status >= 500
        if isinstance(error, Refused):
            return error.code in self.codes
        return isinstance(error, NoAnswer)

    def run(self, request: Callable[[], _Result], *, unless: Callable[[Exception], bool] = lambda _: False) -> _Result:
        """Make a request, and again after failures that are worth it, unless `unless` forbids that.

        Return or raise what the last try does.
        """
        import stamina  # noqa: PLC0415 - for those who make requests

        for attempt in stamina.retry_context(
            on=lambda error: self.is_worth_another(error) and not unless(error),
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.first_wait,
            wait_max=self.longest_wait,
            wait_jitter=self.jitter,
        ):
            with attempt:
                return request()
        raise AssertionError("the last attempt has returned or raised")


SENDING = Retries(5, 0.5, 8.0, 0.5, codes=frozenset({BUSY, IN_PROCESS}), after_any_page=False)
"""For a batch, under its request id."""

TRACKING = Retries(3, 0.5, 4.0, 0.5, codes=frozenset({BUSY}), after_any_page=True)
"""For each of the many questions about sends; those of which nothing is known yet are asked about in a later round."""

ASKING = Retries(
    1,
    0.1,
    8.0,
    1.0,
    codes=frozenset(code for code, line in CODES.items() if line.kind is Kind.TRY_LATER),
    after_any_page=True,
)
"""For a question that somebody asks with `Client`, who says how often."""


@dataclass(frozen=True)
class Rounds:
    """How long a run waits before it asks again about what is still pending.

    Attributes
    ----------
    first_wait, longest_wait : float
        Seconds before the second round, and the most that they become.
    growth : float
        By what they are multiplied from round to round.
    """

    first_wait: float
    longest_wait: float
    growth: float

    def waits(self, timeout: float | None) -> Iterator[float]:
        """Return the seconds to wait before each further round, until the next would begin after the time-out.

        The time-out begins now; without one there is no further round.
        """
        return iter(()) if timeout is None else self._waits_until(time.monotonic() + timeout)

    def _waits_until(self, end: float) -> Iterator[float]:
        wait = self.first_wait
        while time.monotonic() + wait <= end:
            yield wait
            wait = min(wait * self.growth, self.longest_wait)


POLLING = Rounds(2.0, 60.0, 1.6)
"""For sends that are not settled yet."""

RECONCILING_ATTEMPTS = 5
"""How often a run asks at most for each page of the gateway's records, before it leaves a batch uncertain."""


class Unanswered:
    """Counts how many batches or sends in a row got no answer, over all threads of a run."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Reset the count, since something was answered."""
        with self._lock:
            self._in_a_row = 0

    def add(self) -> bool:
        """Count one more, and return whether to give up."""
        with self._lock:
            self._in_a_row += 1
            return self._in_a_row >= MAX_UNANSWERED_IN_A_ROW
