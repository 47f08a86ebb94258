"""Return the time in Vietnam; the one place that asks the machine's clock, so that tests can set it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7), "UTC+07:00")
"""Vietnam's time zone: UTC+7 all year since 1975, so no time zone database is needed."""


def now() -> datetime:
    """Return the present moment as an aware datetime in Vietnam time."""
    return datetime.fromtimestamp(seconds(), VIETNAM)


def seconds() -> float:
    """Return the present moment in seconds since 1970 (UTC)."""
    return time.time()
