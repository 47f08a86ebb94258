"""The pace at which the gateway is asked: how many requests are under way at once, and how many leave in a second."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from pyrate_limiter import Limiter, Rate

from esms_frames.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TURN = 0.01
"""Seconds between tries to be let through by the rate."""

_MOST_AT_ONCE = 64
_FASTEST = 1000  # requests a second; beyond that a limit is none
_LOOK_UP = 0.2  # seconds between looks at what is under way

_Found = TypeVar("_Found")


def checked_pace(concurrency: object, rate: object) -> dict[str, Any]:
    """Check how many requests may be under way at once and how many may leave in a second; None for no limit."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= _MOST_AT_ONCE:
        raise InvalidInput(f"concurrency is {concurrency!r}: give a whole number from 1 to {_MOST_AT_ONCE}.")
    if rate is not None and not (isinstance(rate, (int, float)) and 0 < rate <= _FASTEST):
        raise InvalidInput(f"rate is {rate!r}: give requests a second, up to {_FASTEST}, or None for no limit.")
    return {"concurrency": concurrency, "rate": rate}


def limiter_of(rate: float | None) -> Limiter | None:
    """Make what lets through one request after the other, evenly, at a rate a second; None without one."""
    return None if rate is None else Limiter(Rate(1, max(1, round(1000 / rate))))


def in_turns(under_way: Collection[Future[_Found]]) -> Iterator[Collection[Future[_Found]]]:
    """Give the futures as they finish, looking up often enough for Ctrl-C to be noticed on Windows too."""
    waiting: Collection[Future[_Found]] = under_way
    while waiting:
        done, waiting = wait(waiting, timeout=_LOOK_UP, return_when=FIRST_COMPLETED)
        yield done
