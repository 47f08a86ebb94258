"""Filtering rows by the values of columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef
from esms_frames.apps.forms.state import filters
from esms_frames.apps.forms.state.filters import Choice, Facet, chosen_rows, facets_of
from esms_frames.reporting.frame import Status

WORDS = st.sampled_from(["accepted", "refused", "invalid"])
REASONS = st.none() | st.sampled_from("abc")
ROWS = st.lists(st.tuples(WORDS, REASONS), max_size=40)


def frame_of(rows, dtype=None):
    return pd.DataFrame(rows, columns=["status", "reason"], dtype=dtype)


@given(ROWS, st.sets(WORDS), st.sets(REASONS), st.booleans())
def test_the_rows_are_those_that_a_plain_comparison_finds(rows, statuses, reasons, categorical):
    frame = frame_of(rows, "category" if categorical else object)
    found = facets_of(frame)
    chosen = {
        name: {n for n, choice in enumerate(found[name].choices) if choice.value in wanted}
        for name, wanted in (("status", statuses), ("reason", reasons))
    }
    expected = [
        n
        for n, (status, reason) in enumerate(rows)
        if (status in statuses or not chosen["status"]) and (reason in reasons or not chosen["reason"])
    ]
    places = chosen_rows(found, chosen)
    assert (list(range(len(rows))) if places is None else places.tolist()) == expected


@given(ROWS)
def test_the_counts_of_the_choices_add_up_to_all_rows(rows):
    for facet in facets_of(frame_of(rows)).values():
        assert sum(choice.rows for choice in facet.choices) == len(rows)
        counts = np.bincount(facet.places, minlength=len(facet.choices))
        assert counts.tolist() == [choice.rows for choice in facet.choices]


def test_statuses_come_in_their_own_order_and_other_values_by_size():
    frame = frame_of([("excluded", "x"), ("excluded", "y"), ("accepted", "y"), ("accepted", None)])
    found = facets_of(frame)
    assert [choice.value for choice in found["status"].choices] == ["accepted", "excluded"]
    assert found["reason"].choices == (Choice("y", 2), Choice("x", 1), Choice(None, 1))


def test_categories_that_no_row_has_are_no_choices():
    frame = pd.DataFrame({"status": pd.Categorical(["refused"], categories=list(map(str, Status)))})
    assert facets_of(frame)["status"].choices == (Choice("refused", 1),)


def test_rare_values_are_one_choice(monkeypatch):
    monkeypatch.setattr(filters, "MOST", 2)
    frame = frame_of([("accepted", reason) for reason in ["a", "a", "b", "b", "c", "d", None]])
    facet = Facet.of(frame, "reason")
    assert facet.choices == (Choice("a", 2), Choice("b", 2), Choice(None, 1), Choice(None, 2, others=2))
    assert chosen_rows({"reason": facet}, {"reason": {3}}).tolist() == [4, 5]


def test_only_the_columns_that_are_there_are_filtered_by():
    assert list(facets_of(pd.DataFrame({"status": ["accepted"]}))) == ["status"]


def test_a_column_of_the_customers_is_not_taken_for_what_tracking_found():
    joined = pd.DataFrame({"status": ["accepted"], "delivery": ["by courier"]})
    assert "delivery" not in facets_of(joined)


def test_the_results_column_is_filtered_by_where_the_customers_have_one_of_that_name():
    joined = pd.DataFrame({"status": ["gold", "silver"], "status_sms": ["accepted", "refused"]})
    assert [choice.value for choice in facets_of(joined)["status"].choices] == ["accepted", "refused"]


def test_frames_that_are_no_results_are_refused():
    with pytest.raises(ef.InvalidInput, match="no column 'status'"):
        facets_of(pd.DataFrame({"a": [1]}))
