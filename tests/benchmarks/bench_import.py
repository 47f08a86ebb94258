"""Import the package, against what it stands on, each time in a new process and in turns.

Run: python tests/benchmarks/bench_import.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from measuring import RUNS, Row, rows_asked, show, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS, THEIRS = "import esms_frames", "import pandas, requests, lxml.etree"


def rows(n: int) -> Iterator[Row]:
    """Measure; with few rows asked for, once."""
    times: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for _ in range(3 * RUNS if n > 10_000 else 1):
        for statement, taken in times.items():
            command = [sys.executable, "-c", statement]
            taken.append(timed(lambda command=command: subprocess.run(command, check=True)))
    ours, theirs = map(statistics.median, times.values())
    yield Row(OURS, THEIRS, ours, theirs, "<= 1.3")


if __name__ == "__main__":
    show(rows(rows_asked()))
