"""Workbooks that are larger than they look, or hold formulas without values: one sentence each."""

from __future__ import annotations

import zipfile

import pandas as pd
import pytest

import esms_frames as ef
from esms_frames.recipients.files import workbook_bounds, workbooks

PEOPLE = pd.DataFrame({"ten": ["Lan"] * 40, "sdt": [f"09018884{n:02d}" for n in range(40)]})


def changed(path, member, change):
    """Write a workbook anew with one of its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, change(data) if name == member else data)
    return path


@pytest.fixture
def book(tmp_path):
    PEOPLE.to_excel(tmp_path / "c.xlsx", index=False, engine="xlsxwriter")
    return tmp_path / "c.xlsx"


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize("cell", ["XFD1048576", "ZZ1048576", "XFD90000"])
def test_one_cell_far_away_is_one_sentence_and_no_end_of_the_process(book, cell):
    far = f'<row r="1048576"><c r="{cell}"><v>1</v></c></row></sheetData>'.encode()
    changed(book, SHEET, lambda data: data.replace(b"</sheetData>", far))
    with pytest.raises(ef.InvalidFile, match=rf"^c\.xlsx has a cell far away from its table, at {cell} in sheet1: "):
        ef.read_customers(book)


def test_a_sheet_in_another_process_may_end_it(tmp_path, monkeypatch):
    path = tmp_path / "c.ods"
    path.write_bytes(b"x")
    monkeypatch.setattr(workbooks, "_READER", "import os; os.abort()")
    with pytest.raises(ef.InvalidFile, match=r"^c\.ods becomes too large when it is read"):
        ef.read_customers(path)


ODS = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet><table:table table:name="A">{}
</table:table></office:spreadsheet></office:body></office:document-content>"""
CELL = '<table:table-cell office:value-type="string"{}><text:p>{}</text:p></table:table-cell>'


def ods(path, rows):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", '<?xml version="1.0"?><manifest/>')
        archive.writestr("content.xml", ODS.format(rows))
    return path


@pytest.mark.heavy
def test_an_ods_file_is_read(tmp_path):
    rows = [
        f"<table:table-row>{CELL.format('', a)}{CELL.format('', b)}</table:table-row>" for a, b in PEOPLE.to_numpy()
    ]
    head = f"<table:table-row>{CELL.format('', 'ten')}{CELL.format('', 'sdt')}</table:table-row>"
    df = ef.read_customers(ods(tmp_path / "c.ods", head + "".join(rows)))
    assert df["sdt"].tolist() == PEOPLE["sdt"].tolist()
    with pytest.raises(ef.InvalidFile, match="no sheet 'B': choose one of 'A'"):
        ef.read_customers(tmp_path / "c.ods", sheet="B")


@pytest.mark.heavy
def test_a_row_that_is_said_to_repeat_a_million_times_is_one_sentence(tmp_path):
    cell = CELL.format(' table:number-columns-repeated="16384"', "x")
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    with pytest.raises(ef.InvalidFile, match=r"becomes too large when it is read|can't be read"):
        ef.read_customers(ods(tmp_path / "c.ods", row))


@pytest.mark.heavy
def test_a_zip_bomb_is_one_sentence(book):
    changed(book, "xl/sharedStrings.xml", lambda data: data.replace(b"</sst>", b" " * (120 * 2**20) + b"</sst>"))
    with pytest.raises(ef.InvalidFile, match=r"^c\.xlsx unpacks to 0\.1 GB, which no list of customers does: "):
        ef.read_customers(book)


def test_a_lying_length_within_an_archive_is_one_sentence(book):
    data = bytearray(book.read_bytes())
    name = b"xl/worksheets/sheet1.xml"
    central = data.index(b"PK\x01\x02")
    at = data.index(name, central) - 46
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    book.write_bytes(bytes(data))
    with pytest.raises(ef.InvalidFile, match="can't be read as a spreadsheet"):
        ef.read_customers(book)


def test_memory_that_ends_is_one_sentence(book, monkeypatch):
    def no_memory(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(workbooks, "_read", no_memory)
    with pytest.raises(ef.InvalidFile, match="needs more memory"):
        ef.read_customers(book)


def with_formulas(path, column, rows):
    with pd.ExcelWriter(path, engine="xlsxwriter") as writer:
        pd.DataFrame({"n": [1]}).to_excel(writer, sheet_name="Khác", index=False)
        PEOPLE.assign(tong=1).to_excel(writer, sheet_name="Khách", index=False)
        for row in rows:
            writer.sheets["Khách"].write_formula(row, column, '="0"&901888484', None, "")
    return path


@pytest.mark.parametrize("rows", [range(1, 41), range(1, 3)])
def test_phones_that_are_formulas_without_values_are_said_to_be_so(tmp_path, rows):
    path = with_formulas(tmp_path / "c.xlsx", 1, rows)
    with pytest.raises(
        ef.InvalidFile,
        match=rf"has {len(rows)} formulas without stored values in the column 'sdt' of the sheet 'Khách': open it in Excel",
    ):
        ef.read_customers(path)


def test_other_formulas_without_values_are_warned_of(tmp_path):
    path = with_formulas(tmp_path / "c.xlsx", 2, range(1, 41))
    with pytest.warns(UserWarning, match="40 formulas without stored values in the column 'tong'") as warned:
        assert len(ef.read_customers(path, sheet="Khách")) == 40
    assert warned[0].filename == __file__


def test_formulas_with_values_are_read(tmp_path):
    with pd.ExcelWriter(tmp_path / "c.xlsx", engine="xlsxwriter") as writer:
        PEOPLE.to_excel(writer, index=False)
        for row in range(1, 40):
            writer.sheets["Sheet1"].write_formula(row, 1, '="0"&901888484', None, "0901888484")
        writer.sheets["Sheet1"].write_blank(40, 1, None)
    read = ef.read_customers(tmp_path / "c.xlsx")["sdt"]
    assert ef.normalize_phones(read)["phone"].tolist()[:2] == ["0901888484"] * 2


def test_blank_cells_of_a_large_format_are_no_reason_to_refuse(book):
    far = b'<row r="90000"><c r="C90000" s="1"/></row></sheetData>'
    changed(book, SHEET, lambda data: data.replace(b"</sheetData>", far))
    assert len(ef.read_customers(book).dropna(how="all")) == 40


def test_columns_are_numbered_as_in_a_spreadsheet():
    assert [workbook_bounds.column_number(name) for name in (b"A", b"Z", b"AA", b"XFD")] == [1, 26, 27, 16384]
