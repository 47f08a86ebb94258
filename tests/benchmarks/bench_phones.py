"""Compare `normalize_phones` with libphonenumber row by row, on a mixed column (shares: tests/spellings.py).

Run: python tests/benchmarks/bench_phones.py [rows]
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import pandas as pd
import phonenumbers

sys.path.insert(0, str(Path(__file__).parents[1]))
import spellings

import esms_frames as ef


def row_by_row(column: pd.Series) -> list[str | None]:
    """Do what one writes with phonenumbers alone: parse, check, format; None for what is no Vietnamese mobile."""

    def one(cell: str) -> str | None:
        try:
            number = phonenumbers.parse(cell, "VN")
        except phonenumbers.NumberParseException:
            return None
        mobile = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
        return f"0{number.national_number}" if number.country_code == 84 and mobile else None

    return [one(cell) for cell in column]


def seconds(work, repeat: int) -> float:
    """Give the median time of `repeat` runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    column = pd.Series(spellings.mixed(rows))
    ef.normalize_phones(column[:1000])  # compiles the tables
    ours = seconds(lambda: ef.normalize_phones(column), 5)
    theirs = seconds(lambda: row_by_row(column), 1)
    print(f"{rows:,} mixed spellings, dtype {column.dtype}, pandas {pd.__version__}")
    print(f"  normalize_phones          {ours:8.3f} s  (median of 5)")
    print(f"  libphonenumber row by row {theirs:8.3f} s  (1 run)")
    print(f"  ratio                     {theirs / ours:8.1f} x")


if __name__ == "__main__":
    main()
