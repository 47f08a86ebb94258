"""Draw the delivery reports of the messages that the sandbox accepted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.base import clock
from esms_frames.sandbox.account import networks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from esms_frames.messages.limits import SmsType


FAILURE_RATES: Mapping[str, float] = {"Viettel": 0.02, "MobiFone": 0.03, "VinaPhone": 0.03}
"""The share of messages that are not delivered, by network. Made up."""

OTHER_FAILURE_RATE = 0.08

NO_REPORT = 2
"""SendResult of a message without a report yet."""


@dataclass
class Outcomes:
    """The random deliveries of all messages."""

    failure_rates: Mapping[str, float]
    report_delay: float
    seed: int
    _drawn: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]] = field(default_factory=dict)
    """The draws for each send, by its id, because they are needed again and again."""

    def reports(self, send: Send) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return for each number whether its report has arrived by now, and whether the report says delivered."""
        seconds, delivered = self.read_draws(send)
        return seconds <= (clock.now() - send.send_at).total_seconds(), delivered

    def read_draws(self, send: Send) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return for each number after how many seconds its report arrives, and whether it says delivered."""
        if send.sms_id not in self._drawn:
            self._drawn[send.sms_id] = self._draw(send)
        return self._drawn[send.sms_id]

    def _draw(self, send: Send) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        names, codes = networks(send.phones)
        digests = b"".join(
            hashlib.blake2b(f"{self.seed}:{send.sms_id}:{phone}".encode(), digest_size=8).digest()
            for phone in send.phones
        )
        draws = np.frombuffer(digests, dtype="<u4").reshape(-1, 2) / 2**32
        rates = np.array([self.failure_rates.get(name, OTHER_FAILURE_RATE) for name in names] + [OTHER_FAILURE_RATE])
        return draws[:, 0] * self.report_delay, draws[:, 1] >= rates[codes]

    def results(self, send: Send) -> list[int]:
        """Return the SendResult of each number: 1 delivered, 0 failed, 2 not known yet."""
        reported, delivered = self.reports(send)
        results: list[int] = np.where(reported, delivered.astype(int), NO_REPORT).tolist()
        return results


@dataclass(frozen=True)
class Send:
    """One accepted request."""

    sms_id: str
    request_id: str | None
    campaign: str | None
    brandname: str
    sms_type: SmsType
    content: str
    phones: tuple[str, ...]
    price: int
    accepted_at: datetime
    send_at: datetime
    callback_url: str | None = None
