"""Where quotation marks may have joined rows, and where they have not."""

from __future__ import annotations

import pytest

from esms_frames.recipients.files.quotes import find_joined, find_separator

ROWS = ["ten,sdt,tinh", "Lan,0901888410,Huế", "Bé,0901888411,Huế", "Hoa,0901888412,Huế", "Mai,0901888413,Huế"]


def rows(*changed):
    lines = list(ROWS)
    for place, line in changed:
        lines[place] = line
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (rows((1, '"Lan,0901888410,Huế'), (2, 'Bé",0901888411,Huế')), 1),  # a cell of as many as the row should have
        (rows((2, '"Bé,0901888411,Huế'), (4, 'Mai",0901888413,Huế')), 2),
        (rows((1, 'Lan,0901888410,"Huế'), (3, 'Hoa,0901888412,Huế"')), 1),
        (rows((1, 'Lan,"0901888410,Huế'), (3, 'Hoa,0901888412",Huế')), 1),
        (rows((1, '"Lan,0901888410,Huế"')), 1),  # cells, not rows
        (rows((1, '"Lan,0901888410",Huế')), 1),
        (rows((3, '"Hoa,0901888412,Huế')), 3),  # no partner
        (rows((1, '"Lan,0901888410,Huế'), (3, '"Hoa",0901888412,Huế')), 1),  # the partner of another
        (rows((0, '"ten,sdt,tinh'), (2, 'Bé",0901888411,Huế')), 0),
        (rows((1, 'Lan,0901888410,"12 Lê Lợi"\nQuận 1"')), 2),  # ends a cell of two lines too early
        ('sdt\n"0901888410\n0901888411"\n', 1),
    ],
)
def test_a_quotation_mark_that_may_have_joined_is_found_on_its_line(text, line):
    assert find_joined(text, ",") == line


@pytest.mark.parametrize(
    "text",
    [
        rows(),
        rows((1, '"Lan, bà",0901888410,"Huế"')),
        rows((1, '"Lan\nNguyễn",0901888410,Huế')),
        rows((1, 'Lan,0901888410,"12 Lê Lợi, P. 1\nQuận 1, TP HCM\n\n(hẻm, cổng sau)"')),
        rows((1, '"12, Lê Lợi, Q. 1\nHuế",0901888410,Huế')),  # three cells a line, and one phone in its place
        rows((1, 'Nguyễn "Bé" Lan,0901888410,màn hình 24"')),
        rows((1, '"Bé" Lan,0901888410,Huế')),
        rows((1, '"Lan, bà",0901888410')),  # a row that lacks its last cell
        rows((1, '"Lan ""Bé""",0901888410,""')),
    ],
)
def test_what_is_quoted_as_it_should_be_is_left_alone(text):
    assert find_joined(text, ",") is None
    assert find_joined(text.replace("\n", "\r\n"), ",") is None


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_long_cell_hides_no_separator(separator):
    text = rows((1, f'"{"dài " * 50_000}",0901888410,Huế')).replace(",", separator)
    assert find_separator(text) == separator
