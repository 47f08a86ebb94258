"""The faults that a sandbox can cause: drawn at a rate from a seed, or one after another from a list."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from enum import StrEnum

from esms_frames.base.errors import InvalidInput


class Fault(StrEnum):
    """A fault of a request to send."""

    CUT_BEFORE = "cut_before"
    """The connection is cut before the gateway accepts the request: nobody is texted, and the sender can't know."""
    CUT_AFTER = "cut_after"
    """The gateway accepts the request, then the connection is cut: everybody is texted, and the sender can't know."""
    PLAIN_AFTER = "plain_after"
    """The gateway accepts it, then plain bytes (a proxy's 502) are written outside the TLS: everybody is texted."""
    SLOW = "slow"
    """The gateway accepts the request and answers after ``slow_seconds``: make that longer than the client's time-out."""
    UNAVAILABLE = "unavailable"
    """HTTP 503; the request is not accepted."""
    GARBAGE = "garbage"
    """A web page with HTTP 200, as from a broken proxy; the seed decides whether the request is accepted."""
    BUSY = "busy"
    """Code 160, too many requests per second; the request is not accepted."""
    INVALID = "invalid"
    """``{"error": "Invalid request"}`` without a code, as on five of the vendor's pages; the request is not accepted."""


class Faults:
    """Draw what goes wrong with the next request.

    Parameters
    ----------
    faults : mapping of str to float, or sequence of str or None
        The share of requests that get each fault, drawn from the seed; or the fault of the first request, the second and
        so on, None for no fault. After the end of a sequence there are no more faults.
    seed : int
        Seed of the draws.
    """

    def __init__(self, faults: Mapping[str, float] | Sequence[str | None], seed: int) -> None:
        if isinstance(faults, str) or not isinstance(faults, (Mapping, Sequence)):
            raise InvalidInput(
                "faults is neither a dict nor a list: write {'cut_after': 0.1}, each with its share of the requests, or "
                "['busy', None, 'cut_after'], one for each request."
            )
        unknown = [name for name in faults if name is not None and name not in set(Fault)]
        if unknown:
            raise InvalidInput(
                "faults names {unknown}: choose from {known}.", unknown=repr(unknown[0]), known=", ".join(Fault)
            )
        self._rates = _check_rates(faults) if isinstance(faults, Mapping) else {}
        listed = [] if isinstance(faults, Mapping) else faults
        self._listed = deque(None if name is None else Fault(name) for name in listed)
        self._random = random.Random(seed)  # noqa: S311 - a rehearsal must be repeatable, not unpredictable
        self._lock = threading.Lock()
        self.met: Counter[Fault] = Counter()

    def renew_lock(self) -> None:
        """Create a new lock in a fork: a thread of its parent may have held the old one."""
        self._lock = threading.Lock()

    def draw(self) -> tuple[Fault | None, bool]:
        """Draw the fault of the next request, or None, and a coin toss for faults that need one."""
        with self._lock:
            drawn, coin = self._random.random(), self._random.random() < 0.5
            fault = self._listed.popleft() if self._listed else self._at(drawn)
            if fault is not None:
                self.met[fault] += 1
            return fault, coin

    def _at(self, drawn: float) -> Fault | None:
        for fault, rate in self._rates.items():
            if drawn < rate:
                return fault
            drawn -= rate
        return None


def _check_rates(rates: Mapping[str, float]) -> dict[Fault, float]:
    if None in rates or not all(isinstance(rate, (int, float)) for rate in rates.values()):
        raise InvalidInput("faults holds a rate that is no number: give each its share of the requests.")
    if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1:
        raise InvalidInput("faults holds rates below 0 or above 1 in sum: give each its share of the requests.")
    return {Fault(name): rate for name, rate in rates.items()}
