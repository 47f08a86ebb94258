"""Find where quotation marks that don't belong there have joined rows of a CSV text; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


SEPARATORS = ";\t|,"
"""What separates cells; of equals the first, for an amount may hold a comma."""

_QUOTED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_QUOTED_ON_A_LINE = re.compile(r'"[^"\n]*+(?:""[^"\n]*+)*+"')
_PHONE = re.compile(r"[^\d,;|\t]{0,3}(?:\d[ .()/\-]{0,2}){8,15}[^\d,;|\t]{0,2}")
_SAMPLE = 200  # lines
_OFTEN = 0.5
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


@dataclass
class Record:
    """One row of a CSV text, as readers of CSV take it.

    Attributes
    ----------
    start, end : int
        Where it begins, and where the next one does.
    cells : list of str
        Its cells, as they are written.
    quoted : list of str
        Those of them that stand in quotation marks.
    is_closed : bool
        Whether the last quotation mark has its partner.
    is_clean : bool
        Whether quotation marks stand only around cells, and doubled within them.
    """

    start: int
    end: int = 0
    cells: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)
    is_closed: bool = True
    is_clean: bool = True

    @property
    def is_long(self) -> bool:
        """Whether a cell goes on over the end of a line."""
        return any("\n" in cell for cell in self.quoted)


@cache
def _plain(separator: str) -> re.Pattern[str]:
    return re.compile(rf"[^{re.escape(separator)}\n]*+")


def read_record(text: str, start: int, separator: str) -> Record:
    """Read the row of a CSV text that begins at a place; a line feed ends it."""
    record, at = Record(start), start
    plain = _plain(separator)
    while True:
        begun = at
        if text.startswith('"', at):
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                record.is_closed = False
                record.cells.append(text[at:])
                record.end = len(text)
                return record
            at = quoted.end()
            record.quoted.append(quoted[0])
            rest = plain.match(text, at)
        else:
            rest = plain.match(text, at)
        following = rest[0].rstrip("\r") if rest else ""
        if (following and begun < at) or '"' in following:
            record.is_clean = False
        at = rest.end() if rest else at
        record.cells.append(text[begun:at])
        if at >= len(text) or text[at] == "\n":
            record.end = min(at + 1, len(text))
            return record
        at += 1


def read_records(text: str, separator: str) -> Iterator[Record]:
    """Read the rows of a CSV text one after the other."""
    at = 0
    while at < len(text):
        record = read_record(text, at, separator)
        yield record
        at = record.end


def find_separator(text: str) -> str:
    """Find the separator by which the first rows have as many cells as the names of the columns, and most of them."""

    def fit(separator: str) -> tuple[float, int]:
        widths = [
            len(row.cells) for row in islice(read_records(text, separator), 50) if row.cells not in ([""], ["\r"])
        ]
        if not widths or widths[0] == 1:
            return 0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(SEPARATORS, key=fit)


def find_joined(text: str, separator: str) -> int | None:
    r"""Find the first line, from 0, at which a quotation mark may have swallowed cells or rows.

    A cell in quotation marks may hold separators and line ends, as in an address of several lines. It is taken for rows
    that were joined where each of its lines would be a row of its own; where its end does not stand at the end of a cell;
    and where its row lacks cells that may be within it.

    Parameters
    ----------
    text : str
        The table; a line feed, or a carriage return and a line feed, ends a row.
    separator : str
        What separates its cells.

    Returns
    -------
    int or None
        None where each row is beyond doubt.

    Examples
    --------
    >>> find_joined('ten,sdt\n"Lan,0901888484\nBé",0901888485\n', ",")
    1
    >>> find_joined('ten,sdt\n"Lan\nNguyễn, bà",0901888485\n', ",") is None
    True
    """
    if '"' not in text:
        return None
    header = read_record(text, 0, separator)
    width = len(header.cells)
    if not header.is_closed or (header.is_long and (not header.is_clean or _lines_are_rows(text, header))):
        return 0
    if _is_beyond_doubt(text.encode("utf-8", "replace"), ord(separator), width):
        return None
    phones = _phone_places(text, separator, width)
    line = counted = at = 0
    while (quote := text.find('"', at)) >= 0:
        start = max(text.rfind("\n", at, quote) + 1, at)
        line += text.count("\n", counted, start)
        counted = start
        record = read_record(text, start, separator)
        if _is_doubtful(text, record, separator, width, phones):
            return line
        at = record.end
    return None


def _is_doubtful(text: str, record: Record, separator: str, width: int, phones: list[int]) -> bool:
    if not record.is_closed or (record.is_long and not record.is_clean):
        return True
    short = width - len(record.cells)
    if short and not record.is_clean:
        return True
    if record.is_long and _would_be_rows(text, record, separator, width, phones):
        return True
    hidden = sum(cell.count(separator) for cell in record.quoted)
    may_lack = 0 < short <= hidden or (hidden > 0 and not record.is_clean)
    return may_lack and not _has_phone(record.cells, phones)


def _would_be_rows(text: str, record: Record, separator: str, width: int, phones: list[int]) -> bool:
    """Return whether the lines of a row may be rows of their own.

    They may where several have a phone that the row has not, and where each has all cells, unless the row has one phone and
    it is in its place.
    """
    lines = text[record.start : record.end].rstrip("\r\n").split("\n")
    rows = [_cells_of_line(line, separator) for line in lines]
    numbered = sum(any(map(_is_phone, row)) for row in rows)
    if numbered > max(1, sum(map(_is_phone, record.cells))):  # a phone of another line is a cell by itself
        return True
    if any(len(row) != width for row in rows):
        return False
    is_whole = len(record.cells) == width and _has_phone(record.cells, phones)
    return not is_whole or sum(_has_phone(row, phones) for row in rows) > 1


def _lines_are_rows(text: str, header: Record) -> bool:
    """Return whether the lines of a first row have as many cells as each other, by some separator."""
    lines = text[header.start : header.end].rstrip("\r\n").split("\n")
    widths = [{len(_cells_of_line(line, separator)) for line in lines} for separator in SEPARATORS]
    return any(len(each) == 1 and each != {1} for each in widths)


def _cells_of_line(line: str, separator: str) -> list[str]:
    """Split a line into cells; a quotation mark counts only where its partner is on the line, at the end of a cell."""
    cells, at, plain = [], 0, _plain(separator)
    while True:
        quoted = _QUOTED_ON_A_LINE.match(line, at)
        end = quoted.end() if quoted else at
        if quoted is None or not (end == len(line) or line[end] in f"{separator}\r"):
            rest = plain.match(line, at)
            end = rest.end() if rest else at
        cells.append(line[at:end])
        if end >= len(line) or line[end] != separator:
            return cells
        at = end + 1


def _phone_places(text: str, separator: str, width: int) -> list[int]:
    """Find the columns in which most of the first lines have what looks like a phone."""
    lines = islice((match[0] for match in re.finditer(r"[^\n]+", text)), 1, _SAMPLE + 1)
    rows = [row for row in (_cells_of_line(line, separator) for line in lines) if len(row) == width]
    return [
        place for place in range(width) if sum(map(_is_phone, (r[place] for r in rows))) >= max(1, _OFTEN * len(rows))
    ]


def _is_phone(cell: str) -> bool:
    return _PHONE.fullmatch(cell.strip('"\r ')) is not None


def _has_phone(cells: list[str], places: list[int]) -> bool:
    return any(place < len(cells) and _is_phone(cells[place]) for place in places)


def _is_beyond_doubt(data: bytes, separator: int, width: int) -> bool:
    """Return whether no quotation mark can have joined anything.

    They stand only around cells, no cell spans lines, and no row that has a separator within a cell lacks cells.
    """
    signs = np.frombuffer(data, dtype=np.uint8)
    is_quote = signs == _QUOTE
    places = np.flatnonzero(is_quote)
    if len(places) % 2:
        return False
    padded: NDArray[np.uint8] = np.concatenate([np.array([_NEWLINE], np.uint8), signs, np.array([_NEWLINE], np.uint8)])
    before, after = padded[places[0::2]], padded[places[1::2] + 2]
    if not np.isin(before, (separator, _NEWLINE, _QUOTE)).all():
        return False
    if not np.isin(after, (separator, _NEWLINE, _RETURN, _QUOTE)).all():
        return False
    inside = np.bitwise_xor.accumulate(is_quote.view(np.uint8)).view(bool)
    ends = np.flatnonzero(signs == _NEWLINE)
    if inside[ends].any():
        return False
    separators = np.flatnonzero(signs == separator)
    hidden = separators[inside[separators]]
    if not len(hidden):
        return True
    line = np.searchsorted(ends, separators)
    shown = np.bincount(line[~inside[separators]], minlength=len(ends) + 1)
    return not (shown[np.searchsorted(ends, hidden)] + 1 < width).any()
