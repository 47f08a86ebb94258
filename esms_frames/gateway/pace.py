"""The pace at which the gateway is asked: how many requests are under way at once, and how many leave in a second."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pyrate_limiter import Limiter, Rate

from esms_frames.base.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


TURN = 0.01
"""Seconds between tries to be let through by the rate."""

_MOST_AT_ONCE = 64
_FASTEST = 1000  # requests a second; beyond that a limit is none
_LOOK_UP = 0.2  # seconds between looks at what is under way

_Found = TypeVar("_Found")


def check_pace(concurrency: object, rate: object) -> dict[str, Any]:
    """Check how many requests may be under way at once and how many may leave in a second; None for no limit."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= _MOST_AT_ONCE:
        raise InvalidInput(
            "concurrency is {concurrency}: give a whole number from 1 to {most}.",
            concurrency=repr(concurrency),
            most=_MOST_AT_ONCE,
        )
    if rate is not None and not (isinstance(rate, (int, float)) and 0 < rate <= _FASTEST):
        raise InvalidInput(
            "rate is {rate}: give requests a second, up to {most}, or None for no limit.",
            rate=repr(rate),
            most=_FASTEST,
        )
    return {"concurrency": concurrency, "rate": rate}


@contextmanager
def limit_rate(rate: float | None) -> Iterator[Limiter | None]:
    """Return a limiter that spaces requests evenly, at a rate a second, and end its thread; None without a rate."""
    if rate is None:
        yield None
        return
    with Limiter(Rate(1, max(1, round(1000 / rate)))) as limiter:
        yield limiter


def as_completed_interruptibly(under_way: Collection[Future[_Found]]) -> Iterator[Collection[Future[_Found]]]:
    """Return the futures as they finish, looking up often enough for Ctrl-C to be noticed on Windows too."""
    waiting: Collection[Future[_Found]] = under_way
    while waiting:
        done, waiting = wait(waiting, timeout=_LOOK_UP, return_when=FIRST_COMPLETED)
        yield done
