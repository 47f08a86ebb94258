"""Customer files as Excel and others write them, and results to files: nothing lost, nothing rounded."""

from __future__ import annotations

import csv
import os
import sys
import zipfile
from datetime import datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import spellings
from support.customers import FIFTY
from support.files import written

import esms_frames as ef
from esms_frames.recipients.files.customer_files import SAMPLE
from esms_frames.reporting import files
from esms_frames.reporting.files import check_writable, csv_bytes, write_results

HEADER, ROW = "tên{0}số điện thoại{0}chi tiêu", "Đặng Thị Thuỳ{0}0901888484{0}1500000"


def test_a_stray_zero_byte_makes_no_other_encoding_of_a_file(tmp_path):
    file = tmp_path / "customers.csv"
    file.write_bytes("họ tên,sđt\nĐặng Ánh\x00,0901888484\n".encode())
    found = ef.read_customers(file)
    assert found.columns.tolist() == ["họ tên", "sđt"]
    assert found["sđt"].tolist() == ["0901888484"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_csv_is_read_however_it_was_written(tmp_path, encoding, separator, newline):
    text = newline.join([HEADER, ROW, ""]).format(separator)
    df = ef.read_customers(written(tmp_path / "c.csv", text, encoding))
    assert df.to_dict("records") == [{"tên": "Đặng Thị Thuỳ", "số điện thoại": "0901888484", "chi tiêu": 1500000}]


def test_windows_1258_is_the_last_resort_and_said_so(tmp_path):
    text = "ten;sdt\nĐ\u0103\u0323ng Thu\u0300y;0901888484\n"
    path = written(tmp_path / "c.csv", text, "cp1258")
    with pytest.warns(UserWarning, match=r"c\.csv is not UTF-8 and was read as Windows-1258") as warned:
        df = ef.read_customers(path)
    assert df["ten"].tolist() == ["Đặng Thùy"]
    assert warned[0].filename == __file__


def test_excels_own_separator_line_is_obeyed(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", "sep=;\r\nten,ho;sdt\r\nLan,Le;0901888484\r\n", "utf-8-sig"))
    assert df.columns.tolist() == ["ten,ho", "sdt"]


def test_quoted_cells_may_hold_separators_and_line_breaks(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", 'ten;"sdt;di động"\n"Lan; ""Bé""\nNguyễn";0901888484\n'))
    assert df.columns.tolist() == ["ten", "sdt;di động"]
    assert df["ten"].tolist() == ['Lan; "Bé"\nNguyễn']


def test_an_older_mac_ends_its_lines_otherwise(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", "ten,sdt\rLan,0901888484\rBé,0912345678\r"))
    assert df["sdt"].tolist() == ["0901888484", "0912345678"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Họ, tên;Số điện thoại\nLan;0901888484\n", ["Họ, tên", "Số điện thoại"]),
        ("a,b;c,d;sdt\n1,5;2,5;0901888484\n", ["a,b", "c,d", "sdt"]),
        ("\n\nten;sdt\nLan;0901888484\n", ["ten", "sdt"]),
        ("sdt\n0901888484\n", ["sdt"]),
    ],
)
def test_the_separator_is_the_one_that_fits_the_rows(tmp_path, text, names):
    df = ef.read_customers(written(tmp_path / "c.csv", text))
    assert df.columns.tolist() == names
    assert df.iloc[0, -1] == "0901888484"


@pytest.mark.parametrize("name", ["c.csv", "c.xlsx", "c.parquet"])
def test_a_file_without_names_of_columns_is_refused_for_its_first_row_would_be_lost(tmp_path, name):
    frame = pd.DataFrame({"0901888410": ["0901888411"], "Lan": ["Bé"]})
    write = {"c.csv": frame.to_csv, "c.xlsx": frame.to_excel, "c.parquet": frame.to_parquet}[name]
    write(tmp_path / name, index=False)
    with pytest.raises(ef.InvalidFile, match="names of the columns"):
        ef.read_customers(tmp_path / name)


def test_a_blank_line_in_a_file_of_one_column_is_a_row(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", "sdt\n0901888484\n\n0912345678\n\n"))
    assert df["sdt"].fillna("").tolist() == ["0901888484", "", "0912345678"]


@pytest.mark.parametrize(
    "cells",
    [
        ["150.000", "99.500"],
        ["1.10", "2.5"],
        ["1.234", "20"],
        ["0901888484", "0000000001"],
        ["901888484", "912345678"],
        ["84901888484", "84912345678"],
        ["9.12E+08", "9.13E+08"],
        ["901888484.0", "912345678.0"],
        ["007", "012"],
        ["1234567890123456789", "9876543210987654321"],
        ["NA", "null"],
        ["1,5", "2,5"],
        ["1e5", "2e5"],
        ["+1", "+2"],
        [" 1", "2 "],
        ["1", "x"],
    ],
)
def test_phones_and_other_long_numbers_stay_text_as_written(tmp_path, cells):
    df = ef.read_customers(written(tmp_path / "c.csv", "\n".join(["so;ten", *[f"{cell};x" for cell in cells]])))
    assert df["so"].tolist() == cells


def test_a_phone_column_of_short_numbers_stays_text(tmp_path):
    assert ef.read_customers(written(tmp_path / "c.csv", "sdt;n\n113;1\n;2\n"))["sdt"].dropna().tolist() == ["113"]


def test_short_numbers_become_numbers_and_empty_cells_na(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", "n;x;none;t\n1;-1.5;;a\n;0;;\n20000000;0.25;;b\n"))
    assert df["n"].tolist()[::2] == [1, 20000000]
    assert df["x"].tolist() == [-1.5, 0, 0.25]
    assert df.isna().sum().to_dict() == {"n": 1, "x": 0, "none": 3, "t": 1}


def test_rows_with_missing_cells_at_the_end_are_kept(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", "a,sdt,b\nx,0901888484\ny,,\n"))
    assert df["sdt"].fillna("").tolist() == ["0901888484", ""]


def test_names_of_columns_are_tidied(tmp_path):
    df = ef.read_customers(written(tmp_path / "c.csv", " tên ;sô\u0301 ĐT;;sdt\na;b;c;d\n"))
    assert df.columns.tolist() == ["tên", "số ĐT", "Unnamed: 2", "sdt"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("c.csv", b"", "empty"),
        ("c.csv", b"a;b\n1;2;3\n", "regular table|more cells"),
        ("c.csv", b"a;b\n1;2\n1;2;3;4\n", "line 3"),
        ("c.csv", b'a;b\n"1;2\n', "quotation mark at line 2"),
        ("c.csv", b"\xff\xfea", "no text file"),
        ("c.xlsx", b"not a spreadsheet", "spreadsheet"),
        ("c.xlsx", b"PK\x03\x04", "spreadsheet"),
        ("c.parquet", b"not parquet", "Parquet"),
        ("c.docx", b"x", "known kind"),
        ("c", b"x", "known kind"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ef.InvalidFile, match=says) as error:
        ef.read_customers(tmp_path / name)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    for path in (tmp_path / "no.csv", tmp_path, str(tmp_path / "no.xlsx")):
        with pytest.raises(ef.InvalidFile, match="no file"):
            ef.read_customers(path)


# Spreadsheets


def workbook(path, **sheets):
    with pd.ExcelWriter(path, engine="xlsxwriter") as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return path


def test_numbers_typed_into_excel_come_back_digit_by_digit(tmp_path):
    typed = pd.DataFrame(
        {
            "sdt": [901888484, 84901888484, "0901888484", "'0901888484", None, 901888484.0],
            "tax": [123456789012, 1, None, 2, 3, 4],
            "spend": [1500000, 2.5, None, 0, 1, 2],
            "when": [datetime(2026, 1, 31)] * 6,
            "mixed": [1, "a", 2.5, None, "0", 3.0],
            "yes": [True, False, None, True, False, True],
        }
    )
    df = ef.read_customers(workbook(tmp_path / "c.xlsx", Sheet1=typed))
    assert df["sdt"].fillna("").tolist() == ["901888484", "84901888484", "0901888484", "'0901888484", "", "901888484"]
    assert df["tax"].fillna("").tolist() == ["123456789012", "1", "", "2", "3", "4"]
    assert df["spend"].tolist()[:2] == [1500000, 2.5]
    assert df["when"].tolist() == [pd.Timestamp("2026-01-31")] * 6
    assert df["mixed"].fillna("").tolist() == ["1", "a", "2.5", "", "0", "3"]
    assert df["yes"].tolist()[:2] == [True, False]


PEOPLE = pd.DataFrame({"ten": ["Lan"] * 2, "sdt": ["0901888484", "0912345678"]})
NOTES = pd.DataFrame({"note": ["hello"]})


def test_a_day_beyond_pandas_calendar_leaves_the_file_readable(tmp_path):
    path = tmp_path / "c.xlsx"
    pd.DataFrame({"sdt": ["0901888484"], "until": [datetime(9999, 12, 31)]}, dtype=object).to_excel(path, index=False)
    assert "9999-12-31" in str(ef.read_customers(path)["until"].iloc[0])


def test_a_book_of_empty_sheets_is_empty(tmp_path):
    with pytest.raises(ef.InvalidFile, match="is empty"):
        ef.read_customers(workbook(tmp_path / "c.xlsx", A=pd.DataFrame(), B=pd.DataFrame()))


def test_the_only_sheet_with_phones_is_taken(tmp_path):
    path = workbook(tmp_path / "c.xlsx", Notes=NOTES, Khách=PEOPLE, Empty=pd.DataFrame())
    assert ef.read_customers(path)["sdt"].tolist() == ["0901888484", "0912345678"]
    assert ef.read_customers(path, sheet="Notes")["note"].tolist() == ["hello"]


def test_several_sheets_with_phones_must_be_named(tmp_path):
    path = workbook(tmp_path / "c.xlsx", Hanoi=PEOPLE, Hue=PEOPLE, Notes=NOTES)
    with pytest.raises(ef.InvalidFile, match=r"'Hanoi', 'Hue'\."):
        ef.read_customers(path)
    assert len(ef.read_customers(path, sheet="Hue")) == 2
    with pytest.raises(ef.InvalidFile, match="'Saigon'"):
        ef.read_customers(path, sheet="Saigon")


def test_a_sheet_is_only_for_spreadsheets():
    with pytest.raises(ef.InvalidFile, match="no sheets"):
        ef.read_customers(SAMPLE, sheet="Sheet1")


def test_parquet_keeps_its_types(tmp_path):
    frame = PEOPLE.assign(spend=[1.5, 2.5], ids=[10**15, 2])
    frame.to_parquet(tmp_path / "c.parquet")
    pd.testing.assert_frame_equal(ef.read_customers(tmp_path / "c.parquet"), frame)


def test_the_sample_is_what_its_script_writes():
    from support import make_sample

    assert SAMPLE.read_bytes() == make_sample.sample().encode("utf-8-sig")


# Results


@pytest.fixture
def results(client, message):
    df = pd.DataFrame({"ten": "Đặng Thùy", "sdt": [*FIFTY, "x", "=1+1"]})
    return df.esms.join(ef.send(df, message, client, progress=False))


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".CSV"])
def test_results_survive_the_way_through_a_file(tmp_path, results, suffix):
    back = ef.read_customers(write_results(results, tmp_path / f"r{suffix}"))
    assert back.columns.tolist() == results.columns.tolist()
    for name in ("ten", "sdt", "phone", "network", "status", "reason", "request_id", "sms_id"):
        assert back[name].astype(object).fillna("").tolist() == results[name].astype(object).fillna("").tolist()
    for name in ("batch", "code", "attempts"):
        assert back[name].fillna(-1).astype(int).tolist() == results[name].fillna(-1).astype(int).tolist()
    apart = pd.to_datetime(back["sent_at"]).dt.tz_localize(None) - results["sent_at"].dt.tz_localize(None)
    assert apart.isna().equals(results["sent_at"].isna())
    assert apart.abs().max() <= pd.Timedelta("1ms")
    assert [path.name for path in tmp_path.iterdir()] == [f"r{suffix}"]


def test_a_csv_is_marked_so_that_excel_reads_its_accents(tmp_path, results):
    data = write_results(results, tmp_path / "r.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert "Đặng Thùy".encode() in data


def test_in_a_spreadsheet_phones_are_text_and_nothing_is_a_formula(tmp_path, results):
    path = write_results(results, tmp_path / "r.xlsx")
    cells = pd.read_excel(path, engine="calamine", dtype=object)
    assert cells["phone"].iloc[0] == "0901888410"
    assert cells["sdt"].iloc[-1] == "=1+1"
    assert isinstance(cells["sent_at"].iloc[0], datetime)
    assert b"<f>" not in zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")


def test_an_index_that_says_something_is_written_too(tmp_path, results):
    keyed = results.set_axis(pd.Index([f"KH{n}" for n in range(len(results))], name="ma_kh"))
    for suffix in (".csv", ".xlsx"):
        assert ef.read_customers(write_results(keyed, tmp_path / f"r{suffix}"))["ma_kh"].iloc[0] == "KH0"
    assert pd.read_parquet(write_results(keyed, tmp_path / "r.parquet")).index.name == "ma_kh"


AWKWARD = [
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    pd.DataFrame({"phone": ["x"]}, index=pd.Index(["k"], name="phone")),
    pd.DataFrame({"phone": ["x"]}, index=pd.MultiIndex.from_tuples([(1, "a")], names=["phone", None])),
    pd.DataFrame({"mixed": [1, "a", None, 2.5]}, dtype=object),
    pd.DataFrame({0: pd.to_datetime(["2026-01-01T00:00Z"])}),
    pd.DataFrame({"half": ["a\ud83d"]}, dtype=object),
    pd.DataFrame({"none": [None]}),
    pd.DataFrame(),
]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("frame", AWKWARD, ids=range(len(AWKWARD)))
def test_any_frame_can_be_written(tmp_path, frame, suffix):
    before = frame.copy(deep=True)
    assert write_results(frame, tmp_path / f"r{suffix}").stat().st_size > 0
    pd.testing.assert_frame_equal(frame, before)


def test_excel_gets_vietnam_time_and_every_digit(tmp_path):
    frame = pd.DataFrame(
        {"at": pd.to_datetime(["2026-01-01T00:00Z"]), "id": [2**60 + 1], "born": [datetime(1880, 1, 1)]}
    )
    back = ef.read_customers(write_results(frame, tmp_path / "r.xlsx"))
    assert back["at"].iloc[0] == pd.Timestamp("2026-01-01 07:00")
    assert back["id"].iloc[0] == str(2**60 + 1)
    assert back["born"].iloc[0].startswith("1880-01-01")


def test_text_too_long_for_excel_is_said_so_and_not_cut(tmp_path):
    with pytest.raises(ef.InvalidFile, match="32,767"):
        write_results(pd.DataFrame({"note": ["x" * 40_000]}), tmp_path / "r.xlsx")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and links are others there")
@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_only_their_owner_can_read_results_and_a_link_stays(tmp_path, suffix):
    real, link = tmp_path / f"real{suffix}", tmp_path / f"link{suffix}"
    real.touch(mode=0o666)
    link.symlink_to(real.name)
    write_results(pd.DataFrame({"a": [1]}), link)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, results, monkeypatch):
    path = tmp_path / "r.csv"
    path.write_text("old")
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *_a, **_k: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ef.InvalidFile, match="No space left"):
        write_results(results, path)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_names_that_no_file_can_have_are_said_to_be_none():
    for name in ("a" * 5000 + ".csv", "a\x00.csv"):
        with pytest.raises(ef.InvalidFile, match="no file"):
            ef.read_customers(name)


@pytest.mark.parametrize("name", ["r.docx", "r", "no/such/folder/r.csv", "."])
def test_a_place_where_nothing_can_be_written_is_known_beforehand(tmp_path, name):
    with pytest.raises(ef.InvalidFile):
        check_writable(tmp_path / name)


def test_more_rows_than_excel_has_are_refused(tmp_path, results, monkeypatch):
    monkeypatch.setattr(files, "_EXCEL_ROWS", 10)
    with pytest.raises(ef.InvalidFile, match="52 rows"):
        write_results(results, tmp_path / "r.xlsx")
    with pytest.raises(ef.InvalidFile, match="52 rows"):
        check_writable(tmp_path / "r.xlsx", 52)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text("0123456789 +-.aĐệ;,\t\"'", max_size=12), min_size=1, max_size=20))
def test_every_cell_of_a_csv_comes_back_as_it_was(tmp_path, cells):
    frame = pd.DataFrame({"sdt": cells, "end": "x"})
    frame.to_csv(tmp_path / "c.csv", index=False)
    assert ef.read_customers(tmp_path / "c.csv")["sdt"].fillna("").tolist() == cells


def test_messy_columns_read_from_a_file_are_read_as_from_memory(tmp_path):
    cells = spellings.mixed(500, seed=8)
    pd.DataFrame({"sdt": cells}).to_csv(tmp_path / "c.csv", index=False)
    read = ef.normalize_phones(ef.read_customers(tmp_path / "c.csv")["sdt"])
    assert read["phone"].fillna("").tolist() == ef.normalize_phones(cells)["phone"].fillna("").tolist()


# Files as people have them


def sixty(**columns):
    frame = pd.DataFrame(
        {"Họ tên": [f"Nguyễn Văn {n}" for n in range(60)], "SĐT": [f"09018884{n:02d}" for n in range(60)]}
    )
    return frame.assign(**{"Thành phố": ["Huế", "Đà Nẵng"] * 30, **columns})


def test_a_pair_of_stray_quotation_marks_is_said_with_its_line(tmp_path):
    lines = sixty().to_csv(index=False).splitlines()
    lines[11], lines[31] = lines[11].replace("Nguyễn", '"Nguyễn'), lines[31] + '"'
    with pytest.raises(
        ef.InvalidFile, match=r"^c\.csv has a quotation mark at line 12 that may join cells or rows: [^.]*\.$"
    ):
        ef.read_customers(written(tmp_path / "c.csv", "\n".join(lines)))
    with pytest.raises(ef.InvalidFile, match="at line 14 that may join"):
        ef.read_customers(written(tmp_path / "c.csv", "\r\n".join(["", "sep=,", *lines])))


def test_addresses_of_several_lines_are_read(tmp_path):
    frame = sixty(địa_chỉ="12 Lê Lợi, P. Bến Nghé\nQuận 1, TP HCM\n\n(hẻm, cổng sau)")
    frame.to_csv(tmp_path / "c.csv", index=False)
    pd.testing.assert_frame_equal(ef.read_customers(tmp_path / "c.csv").astype(object), frame.astype(object))


def test_a_file_of_inch_marks_and_nicknames_is_read_as_it_stands(tmp_path):
    rows = ["ten,sdt,hang", 'Nguyễn "Bé" Lan,0901888484,màn hình 24"', '"Bé" Lan,0901888485,"Ghế, bàn"']
    df = ef.read_customers(written(tmp_path / "c.csv", "\n".join(rows)))
    assert df["sdt"].tolist() == ["0901888484", "0901888485"]
    assert df["hang"].tolist() == ['màn hình 24"', "Ghế, bàn"]


def test_one_byte_that_is_not_utf8_leaves_the_names_intact_and_is_said_with_its_line(tmp_path):
    data = sixty().to_csv(index=False).replace("Nguyễn Văn 7,", "Caf\udce9 7,").encode("utf-8", "surrogateescape")
    (tmp_path / "c.csv").write_bytes(data)
    with pytest.warns(UserWarning, match=r"^c\.csv is UTF-8 but at line 9 \(0xE9; bad bytes in all: 1\)") as warned:
        df = ef.read_customers(tmp_path / "c.csv")
    assert df.columns.tolist() == ["Họ tên", "SĐT", "Thành phố"]
    assert df["Họ tên"].tolist()[6:9] == ["Nguyễn Văn 6", "Caf\ufffd 7", "Nguyễn Văn 8"]
    assert warned[0].filename == __file__


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf32_is_read(tmp_path, encoding):
    frame = sixty()
    df = ef.read_customers(written(tmp_path / "c.csv", frame.to_csv(index=False), encoding))
    assert df.astype(object).equals(frame.astype(object))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>", "a web page"),
        (b"\n\n  <HTML><table></table></HTML>", "a web page"),
        (b"\xef\xbb\xbf\n<!-- proxy --><!DOCTYPE html><html></html>", "a web page"),
        (b"<div>Please sign in</div>\n<p>again</p>", "a web page"),
        (b'{"error": "unauthorized"}', "JSON"),
        (b'[\n  {"ten": "An", "sdt": "0901888484"}]', "JSON"),
        (b"%PDF-1.7\n1 0 obj", "a PDF document under the name of a text file"),
        (b"PK\x03\x04\x14", "a workbook or ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Office file"),
        (bytes(range(1, 256)) * 40, "no text file"),
    ],
)
def test_what_is_no_table_is_said_to_be_what_it_is(tmp_path, content, says):
    (tmp_path / "c.csv").write_bytes(content)
    with pytest.raises(ef.InvalidFile, match=rf"^c\.csv is {says}[^.]*\.$"):
        ef.read_customers(tmp_path / "c.csv")


def test_a_file_of_names_alone_is_said_to_have_no_row(tmp_path):
    with pytest.warns(UserWarning, match=r"c\.csv has names of columns and no row below them"):
        assert ef.read_customers(written(tmp_path / "c.csv", "ten,sdt\n")).empty


@pytest.mark.parametrize("row", ["Lan\rBé,0901888484,a", '"Lan\rBé",0901888484,a'])
def test_a_carriage_return_within_a_cell_is_no_end_of_a_row(tmp_path, row):
    df = ef.read_customers(written(tmp_path / "c.csv", f"ten,sdt,x\n{row}\nBé,0901888485,b\n"))
    assert df["ten"].tolist() == ["Lan\rBé", "Bé"]
    assert df["sdt"].tolist() == ["0901888484", "0901888485"]


def test_a_long_cell_leaves_the_separator_alone(tmp_path):
    note = "dài " * 50_000
    df = ef.read_customers(
        written(tmp_path / "c.csv", f'ten|sdt|note\nLan|0901888484|"{note}"\nBé|0901888485|x, y; z\n')
    )
    assert df.columns.tolist() == ["ten", "sdt", "note"]
    assert df["note"].tolist() == [note, "x, y; z"]


@pytest.mark.parametrize("sign", ["é", ";;", "", "a", '"'])
def test_a_separator_that_can_not_be_one_is_named(tmp_path, sign):
    with pytest.raises(ef.InvalidFile, match=r"in line 1 that '.*' separates its cells, which can't be"):
        ef.read_customers(written(tmp_path / "c.csv", f"sep={sign}\nten,sdt\nLan,0901888484\n"))


def test_a_cell_of_megabytes_is_one_sentence_before_it_is_read(tmp_path):
    (tmp_path / "c.csv").write_bytes(b"ten,sdt\nLan,0901888484\n" + b"x" * (5 * 2**20) + b",0901888485\n")
    with pytest.raises(ef.InvalidFile, match="a line of over 4 MB, line 3"):
        ef.read_customers(tmp_path / "c.csv")


@pytest.mark.heavy
def test_a_hundred_thousand_columns_are_one_sentence(tmp_path):
    names = ",".join(f"c{n}" for n in range(100_000))
    with pytest.raises(ef.InvalidFile, match="100,000 columns"):
        ef.read_customers(written(tmp_path / "c.csv", f"{names}\n{names}\n"))


@pytest.mark.heavy
def test_a_wide_frame_is_written_in_time(tmp_path):
    frame = pd.DataFrame([range(12_000)], columns=["a"] * 12_000)
    back = pd.read_csv(write_results(frame, tmp_path / "r.csv"), nrows=1)
    assert back.columns[-1] == "a_12000"
    assert back.columns.is_unique


# Paths


def test_a_path_may_begin_with_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    written(tmp_path / "c.csv", "sdt\n0901888484\n")
    assert len(ef.read_customers("~/c.csv")) == 1
    assert write_results(PEOPLE, "~/r.csv") == tmp_path / "r.csv"


@pytest.mark.parametrize("use", [ef.read_customers, check_writable])
def test_an_address_on_the_web_is_shown_as_it_is(use):
    with pytest.raises(
        ef.InvalidFile, match=r"^https://shop\.example\.vn/khach\.csv is an address on the web: [^.]*\.$"
    ):
        use("https://shop.example.vn/khach.csv")


@pytest.mark.parametrize("name", ["a\nb.csv", "a\x1b[31m.csv", "a\x00.csv", "x" * 300 + ".csv", "a\u202e.csv"])
@pytest.mark.parametrize("use", [ef.read_customers, check_writable])
def test_signs_of_a_name_that_steer_a_terminal_are_shown_and_not_obeyed(tmp_path, use, name):
    if use is check_writable and name == "a\u202e.csv":
        pytest.skip("can be written")
    with pytest.raises(ef.InvalidFile) as caught:
        use(tmp_path / name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", [None, 7, ["a.csv"], PEOPLE])
@pytest.mark.parametrize("use", [ef.read_customers, check_writable])
def test_what_is_no_path_is_one_sentence(use, path):
    with pytest.raises(ef.InvalidFile, match="and no path"):
        use(path)


# Formulas


RUNNING = [
    '=HYPERLINK("http://evil.example","x")',
    "+SUM(1)",
    "@x",
    "-1+cmd|' /C calc'!A0",
    "\t=1",
    "＝1+2",
    "x;=1+1",
    'x",=1+1',
]


def test_no_cell_of_a_csv_is_run_by_a_spreadsheet_and_all_come_back(tmp_path, results):
    frame = sixty(**{"=1+2": RUNNING[0]})
    frame.loc[: len(RUNNING) - 1, "Họ tên"] = RUNNING
    frame["Thành phố"] = pd.Categorical(["=1", "Huế"] * 30)
    path = write_results(frame, tmp_path / "r.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][-1] == "'=1+2"
    assert [row[0] for row in rows[1 : len(RUNNING) + 1]] == [
        "'" + RUNNING[0], "'+SUM(1)", "'@x", "'" + RUNNING[3], "'\t'=1", "'＝1+2", "x;'=1+1", "x\",'=1+1",
    ]  # fmt: skip
    back = ef.read_customers(path)
    assert back.columns.tolist() == frame.columns.tolist()
    assert back.astype(object).to_numpy().tolist() == frame.astype(object).to_numpy().tolist()
    assert csv_bytes(frame) == path.read_bytes()


def test_phones_and_negative_numbers_are_written_as_they_are(tmp_path):
    cells = ["+84 901 888 484", "+84-901-888-484", "+84901888484", "-1.5", "-150.000", "(+84) 90", "'0901888484"]
    path = write_results(pd.DataFrame({"x": cells, "n": -1.5}), tmp_path / "r.csv")
    assert path.read_text("utf-8-sig").splitlines()[1:] == [f"{cell},-1.5" for cell in cells]


def test_names_of_columns_are_text_in_a_spreadsheet(tmp_path):
    path = write_results(
        pd.DataFrame({"=1+2": ["https://x.vn"], "http://y.vn": ["mailto:a@x.vn"]}), tmp_path / "r.xlsx"
    )
    sheet = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet
    assert ef.read_customers(path).columns.tolist() == ["=1+2", "http://y.vn"]


def test_apostrophes_of_another_programs_file_stay(tmp_path):
    text = "ten,sdt\n'=x,0901888484\n"
    assert ef.read_customers(written(tmp_path / "c.csv", text))["ten"].tolist() == ["'=x"]
    text += "=y,0901888485\n"
    assert ef.read_customers(written(tmp_path / "c.csv", text, "utf-8-sig"))["ten"].tolist() == ["'=x", "=y"]


# What a killed run leaves


def test_files_that_a_killed_run_has_left_are_swept(tmp_path):
    left, new, other = (
        tmp_path / f".esms-{'a' * 16}.csv",
        tmp_path / f".esms-{'b' * 16}.csv",
        tmp_path / ".esms-mine.csv",
    )
    for path in (left, new, other):
        path.write_text("0901888484")
        if path is not new:
            os.utime(path, (0, 0))
    write_results(PEOPLE, tmp_path / "r.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([new.name, other.name, "r.csv"])
