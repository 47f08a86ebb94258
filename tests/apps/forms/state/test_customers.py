"""What the form says of lists and of single numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from esms_frames.apps.forms.state.customers import one_number, written
from esms_frames.recipients.phones import normalize


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("0901 888 484", ("0901888484", "")),
        ("ĐTDĐ: 0901888484", ("0901888484", "")),
        ("(08) 3810 0200", (None, "landline")),
        ("0901888484/0912345678", (None, "several")),
        ("", (None, "missing")),
        ("không có", (None, "not_a_number")),
    ],
)
def test_one_number_is_read_as_in_a_column(text, right):
    assert one_number(text) == right


def test_one_plain_number_needs_no_frame(monkeypatch):
    monkeypatch.setattr(normalize, "read", None)
    assert one_number("0901888484") == ("0901888484", "")


class Unwritable:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (pd.NA, ""), (np.nan, ""), (5, "5"), ([1], "[1]"), (Unwritable(), "(Unwritable)")]
)
def test_a_cell_is_shown_whatever_it_is(cell, text):
    assert written(cell) == text
