"""Prepare more rows than memory holds: time and memory of Dask against pandas (shares of spellings: tests/spellings.py).

Run: python tests/benchmarks/bench_dask.py [rows] [folder]

The rows are made of a million cells whose digits are changed from one partition to the next, so that a tenth of the numbers
repeat others of their partition, and a hundredth of the rows those of the first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import spellings

import esms_frames as ef

LIMIT = 4 * 2**30  # bytes
PART = 1_000_000  # rows
AGAIN = 100  # one of so many rows is as in the first partition


def write_customers(folder: Path, rows: int) -> None:
    """Write customers as Parquet, one file a partition."""
    cells = pa.array(spellings.mixed(min(rows, PART)), pa.large_string())
    offsets = np.frombuffer(cells.buffers()[1], dtype=np.int64)
    data = np.frombuffer(cells.buffers()[2], dtype=np.uint8).copy()
    # The last two digits of a cell and the one before stand for the partition: the network stays, the number changes.
    ends = offsets[1:][np.diff(offsets) >= 9]
    ends = ends[(np.arange(len(ends)) % AGAIN) > 0]
    places = [ends[(data[ends - back] >= 48) & (data[ends - back] < 58)] - back for back in (2, 3, 4)]
    original = data.copy()
    for part in range(-(-rows // PART)):
        for place, power in zip(places, (1, 10, 100), strict=True):
            data[place] = 48 + (original[place] - 48 + part // power) % 10
        text = pa.LargeStringArray.from_buffers(len(cells), cells.buffers()[1], pa.py_buffer(data.tobytes()))
        there = min(PART, rows - part * PART)
        pq.write_table(pa.table({"sdt": text[:there]}), folder / f"part-{part:04}.parquet")


class Memory:
    """The most memory that this process and its children have had since this began."""

    def __enter__(self):
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc: object):
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            me, total = psutil.Process(), 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)


def prepare_large(source: str, target: str, workers: int) -> None:
    """Prepare in a process of its own, and print seconds, rows that are ready and the most memory."""
    customers = dd.read_parquet(source)
    with Memory() as memory, dask.config.set(scheduler="threads", num_workers=workers):
        start = time.perf_counter()
        audience = ef.prepare(customers, "sdt", folder=target)
        seconds = time.perf_counter() - start
    print(seconds, audience.counts["ready"], memory.peak)


def main() -> None:
    if sys.argv[1:2] == ["prepare"]:
        prepare_large(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000_000
    folder = Path(tempfile.mkdtemp(prefix="bench-dask-", dir=sys.argv[2] if len(sys.argv) > 2 else None))
    try:
        (folder / "customers").mkdir()
        write_customers(folder / "customers", rows)
        first = pd.read_parquet(folder / "customers" / "part-0000.parquet")
        ef.prepare(first[:1000], "sdt", min_batch=0)  # compiles the tables
        start = time.perf_counter()
        ef.prepare(first, "sdt")
        pandas = (time.perf_counter() - start) / len(first) * 1e6
        print(f"{rows:,} rows in {-(-rows // PART)} partitions; pandas {pd.__version__}, dask {dask.__version__}")
        print(f"  pandas, {len(first):,} rows      {pandas:8.3f} s per million")
        for workers in (1, 2):
            target = folder / f"audience-{workers}"
            run = [sys.executable, __file__, "prepare", str(folder / "customers"), str(target), str(workers)]
            shown = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
            seconds, ready, peak = float(shown[0]), int(shown[1]), int(shown[2])
            each = seconds / rows * 1e6
            size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
            print(
                f"  Dask, {workers} worker{'s' if workers > 1 else ' '}  {each:8.3f} s per million, {seconds:.0f} s in all,"
                f" ratio {each / pandas:.2f}; {ready:,} ready; most memory {peak / 2**30:.2f} GiB"
                f" ({'within' if peak <= LIMIT else 'OVER'} {LIMIT / 2**30:.0f}); {size / 2**30:.2f} GiB on disk"
            )
            shutil.rmtree(target)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
