"""Prepare ten times as many rows, each time in a process of its own: time, and peak memory over the input's size.

Run: python tests/benchmarks/bench_large.py [rows]

The columns go to those processes as Parquet files in a temporary folder, 0.2 GB for 10,000,000 rows, which is removed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psutil
import pyarrow as pa
from measuring import Row, median, rows_asked, show

import esms_frames as ef

if TYPE_CHECKING:
    from collections.abc import Iterator

from support import spellings

MB = 2**20


def prepare(path: str) -> None:
    """Prepare the customers of a file; print the size of the column, the peak of what was taken beyond, and the time."""
    ef.prepare(pd.DataFrame({"sdt": spellings.mixed(1000)}))  # compiles the tables
    customers = pd.read_parquet(path)
    pa.default_memory_pool().release_unused()
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    ef.prepare(customers)
    done.set()
    watcher.join()
    size = pa.array(customers["sdt"]).nbytes
    seconds = median(lambda: ef.prepare(customers))
    print(json.dumps({"input": size, "peak": peak - before, "seconds": seconds}))


def rows(n: int) -> Iterator[Row]:
    """Measure with n rows and with ten times as many."""
    found = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for count in (n, 10 * n):
            path = str(Path(folder) / f"{count}.parquet")
            pd.DataFrame({"sdt": spellings.mixed(count)}).to_parquet(path)
            command = [sys.executable, __file__, "--prepare", path]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[count] = json.loads(shown)
    one, ten = found.values()
    yield Row(f"prepare, {10 * n:,} rows", f"{n:,} rows", ten["seconds"], one["seconds"], "<= 12")
    for count, each in found.items():
        taken = (each["input"] + each["peak"]) / MB
        yield Row(
            f"memory of prepare, {count:,} rows", "the column itself", taken, each["input"] / MB, "<= 6", unit="MB"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--prepare"]:
        prepare(sys.argv[2])
    else:
        show(rows(rows_asked()))
