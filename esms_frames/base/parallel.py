"""Work on the pieces of a long column in several threads: numpy, Arrow and pandas' hash tables release Python's lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_Done = TypeVar("_Done")


def map_in_threads(work: Callable[[Any], _Done], pieces: Sequence[Any]) -> list[_Done]:
    """Call `work` on each piece in several threads; return the results in the order of the pieces."""
    if len(pieces) < 2:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        return list(pool.map(work, pieces))
