"""What a spreadsheet would run is text afterwards, and comes back as it was."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from esms_frames.recipients.files.formulas import neutralize, neutralize_column, restore, restore_column, runs

CELLS = st.text("=+-@＝＋－＠'\t\r\n,;|\" \u00a01a8.", max_size=12)


@given(CELLS)
def test_no_text_runs_and_every_text_comes_back(cell):
    safe = neutralize(cell)
    assert not runs(safe)
    assert restore(safe) == cell


@given(st.lists(st.none() | CELLS, min_size=1))
def test_a_column_is_changed_as_its_cells_are(cells):
    column = pd.Series(cells, dtype=object)
    safe = neutralize_column(column)
    assert safe.tolist() == [cell if cell is None else neutralize(cell) for cell in cells]
    assert restore_column(safe).tolist() == cells
