"""The benchmarks run; what they measure is printed and never judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted(Path(__file__).parent.glob("bench_*.py"))


@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_prints_a_ratio(script):
    shown = subprocess.run([sys.executable, script, "2000"], capture_output=True, text=True, check=True).stdout
    assert "ratio" in shown
