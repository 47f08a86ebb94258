"""Measure everything in one run, and print one table.

Run: python tests/benchmarks [rows]

It takes some minutes with a million rows. Nothing stays on disk; what is there meanwhile is said in each script.
"""

from __future__ import annotations

from itertools import chain

import bench_import
import bench_large
import bench_phones
import bench_send
from measuring import rows_asked, show

if __name__ == "__main__":
    n = rows_asked()
    show(chain.from_iterable(each.rows(n) for each in (bench_phones, bench_send, bench_large, bench_import)))
