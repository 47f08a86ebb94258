"""Read phone columns, and prepare an audience, against libphonenumber row by row and against a mere copy.

Run: python tests/benchmarks/bench_phones.py [rows]
"""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import row_by_row
from measuring import RUNS, Row, median, rows_asked, show, timed

import esms_frames as ef

if TYPE_CHECKING:
    from collections.abc import Iterator

from support import spellings


def rows(n: int) -> Iterator[Row]:
    """Measure with n rows."""
    column = pd.Series(spellings.mixed(n))
    ef.normalize_phones(column[:1000])  # compiles the tables
    # libphonenumber reads the column once, in as many parts as there are runs: their median stands for each.
    parts = [column[part] for part in np.array_split(np.arange(n), RUNS)]
    theirs = RUNS * statistics.median(
        timed(partial(lambda part: [row_by_row.phone(cell) for cell in part], part)) for part in parts
    )
    ours = median(lambda: ef.normalize_phones(column))
    against = "libphonenumber row by row"
    yield Row(f"normalize_phones, {n:,} mixed spellings", against, ours, theirs, ">= 100 faster", is_faster=True)

    customers = pd.DataFrame({"sdt": column})
    ours = median(lambda: ef.prepare(customers))
    yield Row(f"prepare, {n:,} mixed spellings", f"{against} alone", ours, theirs, ">= 60 faster", is_faster=True)

    clean = pd.Series([f"0{number}" for number in spellings.phones(n, np.random.default_rng(0)).tolist()])
    array, everything = pa.array(clean), pa.array(np.arange(n))
    ours = median(lambda: ef.normalize_phones(clean), 3 * RUNS)
    theirs = median(lambda: pc.take(array, everything), 3 * RUNS)
    yield Row(f"normalize_phones, {n:,} clean numbers", "a copy by pyarrow.compute.take", ours, theirs, "<= 8")


if __name__ == "__main__":
    show(rows(rows_asked()))
