"""Time work, and print what was measured as rows of a table."""

from __future__ import annotations

import platform
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

sys.path.insert(0, str(Path(__file__).parents[1]))  # where spellings.py is

ROWS = 1_000_000
RUNS = 5


@dataclass(frozen=True)
class Row:
    """What was measured: our seconds (or bytes, where `unit` says so) beside those of something else."""

    work: str
    against: str
    ours: float
    theirs: float | None
    reach: str
    unit: str = "s"
    is_faster: bool = False
    """Whether the ratio is how many times faster ours is; else how many times as much it takes."""

    def __str__(self) -> str:
        beside, ratio = f"{'':11}", "no ratio"
        if self.theirs is not None:
            beside = f"{self.theirs:9.3f} {self.unit:<2}"[:12]
            faster = self.theirs / self.ours
            ratio = f"{faster:.1f} x faster" if self.is_faster else f"{1 / faster:.2f} x"
        return f"{self.work:<52} {self.ours:9.3f} {self.unit:<2} {beside}  {ratio:>15}  {self.reach:<14} {self.against}"


def median(work: Callable[[], object], runs: int = RUNS) -> float:
    """Give the median time of some runs, in seconds."""
    return statistics.median(timed(work) for _ in range(runs))


def timed(work: Callable[[], object]) -> float:
    """Give the time of one run, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(rows: Iterable[Row]) -> None:
    """Print rows as they come, under what they were measured with."""
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (pd, np, pa))
    print(f"Python {platform.python_version()}, {versions}; {psutil.cpu_count()} processors; medians of {RUNS} runs")
    print(f"{'work':<52} {'ours':>9}    {'theirs':>9}     {'ratio':>15}  {'to reach':<14} against")
    for row in rows:
        print(row, flush=True)


def rows_asked() -> int:
    """Give the number of rows that the command line asks for, a million by default."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
