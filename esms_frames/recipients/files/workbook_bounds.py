"""Look into a workbook before it is read: how large it would become, and which formulas have no stored values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zipfile import ZipFile

from esms_frames.base.errors import InvalidFile, visible

if TYPE_CHECKING:
    from pathlib import Path


_MOST_BYTES = 4 * 2**30
_BOMB_BYTES, _BOMB_RATIO = 100 * 2**20, 150
_MOST_CELLS = 30_000_000
_SPARSE = 4  # places in the table for each cell that is written
_CHUNK, _LONGEST_TAG = 2**20, 2**12
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_REFERENCE = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_FORMULA_CELL = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="(?P<column>[A-Z]{1,3})[0-9]+"[^>]*>\s*<(?:\w+:)?f\b(?P<rest>(?:(?!</(?:\w+:)?c>).)*)</(?:\w+:)?c>',
    re.DOTALL,
)
_VALUE = re.compile(rb"<(?:\w+:)?v>[^<]")


@dataclass
class _Extent:
    cells: int = 0
    last_row: int = 0
    columns: set[bytes] = field(default_factory=set)

    @property
    def area(self) -> int:
        return self.last_row * max(map(column_number, self.columns), default=0)

    @property
    def corner(self) -> str:
        last = max(self.columns, key=column_number, default=b"A")
        return f"{last.decode()}{self.last_row}"


def column_number(letters: bytes) -> int:
    """Return the number of a spreadsheet's column, from 1.

    Examples
    --------
    >>> column_number(b"A"), column_number(b"XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def check_bounds(path: Path) -> None:
    """Check that a workbook (.xlsx, .xlsm) unpacks, and opens out, to what a machine can hold.

    Readers make room for every cell up to the last row and column, so that one value in the last cell of a sheet asks for
    17 billion of them.

    Raises
    ------
    InvalidFile
        When it is too large, in one sentence.
    zipfile.BadZipFile
        When it is no archive, or its contents are not as long as it says.
    """
    name = visible(path.name)
    with ZipFile(path) as archive:
        members = archive.infolist()
        size, packed = sum(each.file_size for each in members), sum(each.compress_size for each in members)
        if size > _MOST_BYTES or (size > _BOMB_BYTES and size > _BOMB_RATIO * max(packed, 1)):
            raise InvalidFile(
                "{file} unpacks to {size} GB, which no list of customers does: open it in Excel, and copy the table "
                "to a new file.",
                file=name,
                size=round(size / 2**30, 1),
            )
        for member in members:
            extent = _Extent()
            with archive.open(member) as stream:
                rest = b""
                while chunk := stream.read(_CHUNK):  # to the end, for what a member's length claims is checked there
                    if _SHEET.fullmatch(member.filename):
                        rest = _measure(rest + chunk, extent)
            if extent.area > max(_MOST_CELLS, _SPARSE * extent.cells):
                raise InvalidFile(
                    "{file} has a cell far away from its table, at {cell} in {sheet}: copy the table to a new file.",
                    file=name,
                    cell=extent.corner,
                    sheet=_title(member.filename),
                )


def _measure(data: bytes, extent: _Extent) -> bytes:
    """Add what a piece of a sheet holds; return its end, where a tag may be cut."""
    cut = max(data.rfind(b"<"), len(data) - _LONGEST_TAG)
    found = _REFERENCE.findall(data, 0, cut)
    if found:
        columns, rows = zip(*found, strict=True)
        extent.cells += len(found)
        extent.columns.update(columns)
        extent.last_row = max(extent.last_row, *map(int, set(rows)))
    return data[cut:]


def _title(member: str) -> str:
    return visible(member.rpartition("/")[2].removesuffix(".xml"))


def count_valueless(path: Path, sheet: int) -> dict[int, int]:
    """Count the formulas of a workbook's sheet that have no stored value, by the number of their column, from 1.

    Parameters
    ----------
    path : Path
        A .xlsx or .xlsm file.
    sheet : int
        Which of its sheets, from 0.
    """
    counts: dict[int, int] = {}
    with ZipFile(path) as archive:
        members = _sheet_members(archive)
        if sheet >= len(members):
            return counts
        data = archive.read(members[sheet])
    for cell in _FORMULA_CELL.finditer(data):
        if not _VALUE.search(cell["rest"]):
            number = column_number(cell["column"])
            counts[number] = counts.get(number, 0) + 1
    return counts


def _sheet_members(archive: ZipFile) -> list[str]:
    """List the members that hold the sheets, in the order of the workbook."""
    names = {name.lower(): name for name in archive.namelist()}
    try:
        book = archive.read("xl/workbook.xml")
        relations = archive.read("xl/_rels/workbook.xml.rels")
    except KeyError:
        return []
    targets: dict[bytes, str] = {}
    for tag in re.findall(rb"<(?:\w+:)?Relationship\b[^>]*>", relations):
        key, target = re.search(rb'\bId="([^"]*)"', tag), re.search(rb'\bTarget="([^"]*)"', tag)
        if key and target:
            place = target[1].decode("utf-8", "replace").lstrip("/")
            targets[key[1]] = place if place.startswith("xl/") else f"xl/{place}"
    found = []
    for tag in re.findall(rb"<(?:\w+:)?sheet\b[^>]*>", book):
        key = re.search(rb'\b\w+:id="([^"]*)"', tag)
        found.append(names.get(targets.get(key[1] if key else b"", "").lower(), ""))
    return [] if "" in found else found
