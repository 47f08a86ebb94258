"""Limit how many requests to send a sandbox accepts in a second."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

_SECOND = 1.0


@dataclass
class RateLimit:
    """Count the requests of the last second; safe to use from several threads.

    Requests above the limit are not counted, so that a sender who retries at once is not blocked for good. The time is the
    machine's, even if a test sets the package's clock.
    """

    requests_per_second: int | None
    _admitted: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew_lock(self) -> None:
        """Create a new lock in a fork: a thread of its parent may have held the old one."""
        self._lock = threading.Lock()

    def admits(self) -> bool:
        """Return whether one more request is within the limit, and count it."""
        if self.requests_per_second is None:
            return True
        with self._lock:
            now = time.monotonic()
            while self._admitted and now - self._admitted[0] >= _SECOND:
                self._admitted.popleft()
            if len(self._admitted) >= self.requests_per_second:
                return False
            self._admitted.append(now)
            return True
