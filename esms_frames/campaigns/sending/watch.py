"""Read the clocks of a run: the journal's, the latest time that it has seen, and the gateway's."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from esms_frames.base import clock
from esms_frames.base.errors import GatewayError
from esms_frames.campaigns.decisions.may_send import Clocks

if TYPE_CHECKING:
    from datetime import timedelta

    from esms_frames.gateway.client import Client
    from esms_frames.journal.batches import BatchStore


class Watch:
    """The clocks of one run; what a run has seen once, it remembers.

    Parameters
    ----------
    journal : BatchStore
        Whose clock and whose latest time it is.
    client : Client
        Whose answers say what time it is at the gateway.
    """

    def __init__(self, journal: BatchStore, client: Client) -> None:
        self._journal = journal
        self._client = client
        self._latest = journal.latest()
        self._stale: timedelta | None = None
        self._heard: timedelta | None = None
        self._lock = threading.Lock()
        self.began = journal.now()
        """When the run began, by the journal's clock."""
        self.last_used = self._latest
        """The latest time that the journal held before this run."""

    def ask(self) -> None:
        """Ask the gateway for the time; where it gives no answer, what it said before is not relied on any more."""
        before = self._client.clock_offset
        with suppress(GatewayError):
            self._client.balance()
        self._stale = before if self._client.clock_offset is before else None

    def ask_once(self) -> None:
        """Ask the gateway for the time, unless an answer has told it or has shown that its answers don't."""
        if self._client.clock_offset is None and not self._client.has_told:
            self.ask()

    def read(self) -> Clocks:
        """Read the clocks."""
        now, offset = self._journal.now(), self._client.clock_offset
        with self._lock:
            latest = self._latest = now if self._latest is None else max(self._latest, now)
            heard = self._heard = self._heard if offset is None else offset - (now - clock.now())
        return Clocks(now, latest, None if offset is None or offset is self._stale else heard, heard)
