"""How much of a test the essential suite runs: the rest is marked heavy, or drawn by another profile of Hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import settings


def heavy_after(essential, values):
    """Return a table's cases, those after the first ones marked heavy: they show the same at another place.

    A tuple is a case of several arguments.
    """
    cases = list(values)
    return cases[:essential] + [
        pytest.param(*case if isinstance(case, tuple) else (case,), marks=pytest.mark.heavy)
        for case in cases[essential:]
    ]


def examples(usual):
    """Return how many examples the present profile draws of a law, of which the usual profile draws so many."""
    return max(2, usual * settings().max_examples // 100)
