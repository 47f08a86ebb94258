"""The disasters that a sandbox can rehearse, at a rate and a seed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from esms_frames.errors import InvalidInput


class Fault(StrEnum):
    """What can go wrong with a request to send."""

    CUT_BEFORE = "cut_before"
    """The connection is cut before the gateway takes the request: nobody is texted, and the sender can't know."""
    CUT_AFTER = "cut_after"
    """The gateway takes the request, then the connection is cut: everybody is texted, and the sender can't know."""
    SLOW = "slow"
    """The gateway takes the request and answers after ``slow_seconds``: choose them beyond the client's time-out."""
    UNAVAILABLE = "unavailable"
    """HTTP 503; the request is not taken."""
    GARBAGE = "garbage"
    """A web page with HTTP 200, as a broken proxy gives; the request is taken, or not, by turns of the seed."""
    BUSY = "busy"
    """Code 160, too many requests per second; the request is not taken."""


class Faults:
    """Draw what goes wrong with the next request."""

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        if not isinstance(rates, Mapping):
            raise InvalidInput("faults is no dict: write {'cut_after': 0.1}, each with its share of the requests.")
        unknown = [name for name in rates if name not in set(Fault)]
        if unknown:
            raise InvalidInput(f"faults names {unknown[0]!r}: choose from {', '.join(Fault)}.")
        if not all(isinstance(rate, (int, float)) for rate in rates.values()):
            raise InvalidInput("faults holds a rate that is no number: give each its share of the requests.")
        if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1:
            raise InvalidInput("faults holds rates below 0 or above 1 in sum: give each its share of the requests.")
        self._rates = {Fault(name): rate for name, rate in rates.items()}
        self._random = random.Random(seed)  # noqa: S311 - a rehearsal is to be repeatable, not unpredictable
        self._lock = threading.Lock()
        self.met: Counter[Fault] = Counter()

    def draw(self) -> tuple[Fault | None, bool]:
        """Give the fault of the next request, or None, and a coin for those that need one."""
        with self._lock:
            place, coin = self._random.random(), self._random.random() < 0.5
            for fault, rate in self._rates.items():
                if place < rate:
                    self.met[fault] += 1
                    return fault, coin
                place -= rate
            return None, coin
