"""Work on the pieces of a long column in several threads: numpy, Arrow and pandas' hash tables let go of Python's lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Done = TypeVar("_Done")


def in_threads(work: Callable[[Any], _Done], pieces: Sequence[Any]) -> list[_Done]:
    """Do the work on each piece, and give what comes of it in the order of the pieces."""
    if len(pieces) < 2:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        return list(pool.map(work, pieces))
