"""Customer files to DataFrames, and results to files, by the file's suffix."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import unicodedata
import warnings
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import pandas as pd
import pyarrow as pa
from python_calamine import CalamineError

from esms_frames import clock
from esms_frames.columns import text_dtype
from esms_frames.detection import candidate_columns, named_as_phone
from esms_frames.errors import InvalidFile
from esms_frames.phones import normalize_phones

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = Path(__file__).with_name("data") / "customers.csv"
"""A packaged file of 1,000 made-up customers, as messy as real ones."""

_TEXT = {".csv", ".tsv", ".txt"}
_EXCEL = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_PARQUET = {".parquet", ".pq"}
_WRITTEN = (".csv", ".xlsx", ".parquet")
_EXCEL_ROWS = 1_048_576
_EXCEL_CELL = 32_767
_DELIMITERS = ";\t|,"  # of equals the first: an amount may hold a comma

# Up to eight digits before the point, no zero in front and none at the end: such a number is written back as it was.
# Longer ones are phones, ids and accounts, not amounts, and 1.234 is more than a thousand in Vietnam.
_SHORT_NUMBER = r"-?(?:0|[1-9][0-9]{0,7})(?:\.[0-9]*[1-9])?"
_THOUSANDS = r"-?[1-9][0-9]{0,2}\.[0-9]{3}"
_LONG = 10**8


def read_customers(path: str | os.PathLike[str], *, sheet: str | None = None) -> pd.DataFrame:
    """Read a customer file with its phone numbers as they were written: no zero is lost, nothing is rounded.

    Parameters
    ----------
    path : str or path-like
        A file whose first row holds the names of the columns:

        - ``.csv``, ``.tsv``, ``.txt`` as Excel writes them: UTF-8 with or without a byte order mark, UTF-16, or, with a
          warning, Windows-1258; separated by comma, semicolon, tab or ``|``.
        - ``.xlsx`` and Excel's other formats, ``.ods``.
        - ``.parquet``, whose columns keep the types that they have there.
    sheet : str, optional
        The sheet of an Excel file. Left out, it is the only sheet, or the only one with phone numbers.

    Returns
    -------
    DataFrame
        One row for each row of the file. Columns that hold only short numbers (up to 8 digits before the point, no
        zero in front or at the end, no 1.234 that could be a thousand) become numbers, Excel's dates become datetimes,
        and everything else, phones and other long numbers first of all, is text as it stands in the file; empty cells
        are NA.

    Raises
    ------
    InvalidFile
        When the file can't be read, in one sentence; of several sheets with phones, it lists them.

    Warns
    -----
    UserWarning
        When the file had to be read as Windows-1258, for accents may be wrong then.

    Examples
    --------
    >>> customers = read_customers(SAMPLE)
    >>> customers.shape
    (1000, 7)
    """
    path = Path(path)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise InvalidFile(f"There is no file {str(path)!r}: check the path.")
    suffix = path.suffix.lower()
    if sheet is not None and suffix not in _EXCEL:
        raise InvalidFile(f"{path.name} has no sheets: leave sheet out.")
    try:
        if suffix in _TEXT:
            df = _read_text(path)
        elif suffix in _EXCEL:
            df = _read_excel(path, sheet)
        elif suffix in _PARQUET:
            df = _read_parquet(path)
        else:
            raise InvalidFile(f"{path.name} is of no known kind: use a .csv, .xlsx or .parquet file.")
    except PermissionError:
        raise InvalidFile(
            f"{path.name} can't be opened: close it in other programs, or check its permissions."
        ) from None
    unnamed = normalize_phones([str(name) for name in df.columns])["phone"].notna()
    if unnamed.any():
        raise InvalidFile(
            f"The first row of {path.name} holds a phone number instead of the names of the columns: put a row of names "
            "above it."
        )
    return df


def check_writable(path: str | os.PathLike[str], rows: int = 0) -> Path:
    """Check that results of so many rows can be written to a path, before there are any."""
    path = Path(path)
    if path.suffix.lower() not in _WRITTEN:
        raise InvalidFile(f"{path.name!r} has no known suffix: results are written as {', '.join(_WRITTEN)}.")
    if path.is_dir():
        raise InvalidFile(f"{str(path)!r} is a folder: name a file.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InvalidFile(f"The folder {str(path.parent)!r} is not there or can't be written to: choose another.")
    if path.suffix.lower() == ".xlsx" and rows >= _EXCEL_ROWS:
        raise InvalidFile(f"{rows:,} rows don't fit into an Excel sheet: write a .csv or .parquet file.")
    return path


def write_results(results: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write results, or any frame, to a file: all of it or, if that fails, nothing.

    Parameters
    ----------
    results : DataFrame
        What to write. An index that is more than row numbers becomes the first column.
    path : str or path-like
        ``.csv`` (UTF-8 with the byte order mark by which Excel knows it), ``.xlsx`` (phones as text, times in Vietnam
        time) or ``.parquet``. A file that is there already is replaced.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InvalidFile
        When it can't be written there, in one sentence.
    """
    path = check_writable(path, len(results))
    target = path.resolve()  # a link stays, and what it leads to is replaced
    suffix = path.suffix.lower()
    table = _writable(results, keep_index=suffix == ".parquet")
    beside = target.with_name(f".esms-{secrets.token_hex(8)}{suffix}")
    try:
        if suffix == ".csv":
            table.to_csv(beside, index=False, encoding="utf-8-sig")
        elif suffix == ".xlsx":
            _write_excel(table, beside)
        else:
            table.to_parquet(beside)
        beside.replace(target)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        if isinstance(error, InvalidFile):
            raise
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise InvalidFile(
            f"{path.name} can't be written ({cause}): close it in other programs, make room on the disk, or choose "
            "another file."
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink()
    return path


def csv_bytes(results: pd.DataFrame) -> bytes:
    """Give the content that `write_results` writes into a ``.csv`` file."""
    return _writable(results, keep_index=False).to_csv(index=False).encode("utf-8-sig")


def _read_text(path: Path) -> pd.DataFrame:
    text = _decoded(path)
    if "\n" not in text:  # Excel for Mac's older way
        text = text.replace("\r", "\n")
    text = text.strip("\r\n")
    first = text.split("\n", 1)[0].rstrip("\r")
    declared = re.fullmatch(r'"?sep=(.)"?', first, re.IGNORECASE)  # Excel's own way to name the separator
    if declared:
        text = text.partition("\n")[2]
    delimiter = declared[1] if declared else _delimiter(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            df = pd.read_csv(
                io.StringIO(text),
                sep=delimiter,
                dtype=text_dtype(),
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                skip_blank_lines=False,
            )
    except pd.errors.EmptyDataError:
        raise InvalidFile(f"{path.name} is empty: its first row must hold the names of the columns.") from None
    except pd.errors.ParserWarning:
        raise InvalidFile(
            f"{path.name} has rows with more cells than names of columns: name every column, or take the cells out."
        ) from None
    except pd.errors.ParserError as error:
        line = re.search(r"(?:line|row) (\d+)", str(error))
        where = f" at line {line[1]}" if line and line[1] != "0" else ""
        raise InvalidFile(
            f"{path.name} is not a regular table{where}: look for a missing quote or for cells too many there."
        ) from None
    return _each_column(df, _typed_text)


def _decoded(path: Path) -> str:
    """Decode a text file as Excel and others write it."""
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data[:2000].count(0) > len(data[:2000]) // 4:  # UTF-16 without its mark
        encoding = "utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise InvalidFile(f"{path.name} is no text file: save it as 'CSV UTF-8'.") from None
    warnings.warn(
        f"{path.name} is not UTF-8 and was read as Windows-1258: check the accents, and save it as 'CSV UTF-8' if they "
        "are wrong.",
        stacklevel=4,
    )
    return unicodedata.normalize("NFC", data.decode("cp1258", "replace"))


def _delimiter(text: str) -> str:
    """Find the separator by which the first rows have as many cells as the names of the columns, and most of them."""

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in islice(csv.reader(io.StringIO(text), delimiter=delimiter), 50) if row]
        except csv.Error:
            return 0, 0
        if not widths or widths[0] == 1:
            return 0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(_DELIMITERS, key=fit)


def _read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            if sheet is not None and sheet not in names:
                raise InvalidFile(f"{path.name} has no sheet {sheet!r}: choose one of {_listed(names)}.")
            wanted = names if sheet is None else [sheet]
            sheets = {name: _read_sheet(book, name) for name in wanted}
    except (CalamineError, BadZipFile, ValueError, OSError) as error:
        if isinstance(error, (InvalidFile, PermissionError)):
            raise
        raise InvalidFile(
            f"{path.name} can't be read as a spreadsheet: open it in Excel and save it anew, without a password."
        ) from None
    tables = {name: _each_column(table, _typed_cells) for name, table in sheets.items() if len(table.columns)}
    if not tables:
        raise InvalidFile(f"{path.name} is empty: its first row must hold the names of the columns.")
    if len(tables) > 1:
        tables = {name: table for name, table in tables.items() if candidate_columns(table)} or tables
    if len(tables) > 1:
        raise InvalidFile(f"{path.name} has several sheets that could be meant: name one of {_listed(list(tables))}.")
    return next(iter(tables.values()))


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise InvalidFile(f"{path.name} can't be read as Parquet: write it anew where it comes from.") from None


def _read_sheet(book: pd.ExcelFile, name: str) -> pd.DataFrame:
    return pd.read_excel(book, sheet_name=name, dtype=object, keep_default_na=False, na_values=[""])


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _each_column(df: pd.DataFrame, typed: Callable[[pd.Series[Any]], pd.Series[Any]]) -> pd.DataFrame:
    """Tidy the names of the columns, which may repeat, and type each column."""
    names = [unicodedata.normalize("NFC", str(name)).strip() for name in df.columns]
    columns = {place: typed(df.iloc[:, place].rename(name)) for place, name in enumerate(names)}
    return pd.DataFrame(columns, index=df.index).set_axis(names, axis="columns")


def _typed_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Turn a text column into numbers if it holds only short ones."""
    cells = column.dropna()
    if named_as_phone(column.name) or cells.empty or not cells.str.fullmatch(_SHORT_NUMBER).all():
        return column
    if cells.str.fullmatch(_THOUSANDS).any():
        return column
    return pd.to_numeric(column.astype(object))


def _typed_cells(column: pd.Series[Any]) -> pd.Series[Any]:
    """Type a spreadsheet's column by its cells: dates, short numbers or truth values where all are; else text."""
    cells = column.dropna()
    kinds = set(map(type, cells))
    if kinds and kinds <= {datetime, pd.Timestamp}:
        with suppress(ValueError, OverflowError):  # pandas 2 ends in 2262; then they are text
            return pd.to_datetime(column)
    if kinds == {bool}:
        return column.astype("boolean")
    if kinds and kinds <= {int, float} and not named_as_phone(column.name) and cells.abs().max() < _LONG:
        return pd.to_numeric(column)
    return column.map(_cell_text, na_action="ignore").astype(text_dtype())


def _cell_text(cell: Any) -> str:
    """Write a cell as it was typed: Excel keeps 901888484 as 901888484.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _is_row_numbers(index: pd.Index[Any]) -> bool:
    return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1


def _writable(results: pd.DataFrame, *, keep_index: bool) -> pd.DataFrame:
    """Bring a frame into a form that every kind of file can hold: different names, and cells of one type a column."""
    if not keep_index and not _is_row_numbers(results.index):
        names: Any = [name or f"index_{level}" for level, name in enumerate(results.index.names)]
        index = results.index.to_frame(index=False, name=names if len(names) > 1 else names[0])
        results = pd.concat([index, results.reset_index(drop=True)], axis="columns")
    unique: list[str] = []
    for label in results.columns:
        name = " ".join(map(str, label)) if isinstance(label, tuple) else str(label)
        unique.append(next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(unique) + 3))) if n not in unique))
    columns = {name: _plain(results.iloc[:, place]) for place, name in enumerate(unique)}
    return pd.DataFrame(columns, index=results.index)


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype) and pd.api.types.is_string_dtype(column.cat.categories.dtype):
        return column
    if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
        return column
    return column.map(lambda cell: str(cell).encode("utf-8", "replace").decode(), na_action="ignore").astype(
        text_dtype()
    )


def _write_excel(table: pd.DataFrame, path: Path) -> None:
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        fitting = pd.DataFrame({name: _fitting_excel(column) for name, column in table.items()})
        fitting.to_excel(writer, sheet_name="results", index=False, freeze_panes=(1, 0))
        writer.sheets["results"].autofit()


def _fitting_excel(column: pd.Series[Any]) -> pd.Series[Any]:
    """Write as text what Excel's cells can't hold: integers of over 15 digits, days before 1900; zones it has none."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(clock.VIETNAM).dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(column) and (column < pd.Timestamp("1900-03-01")).any():
        return column.astype(text_dtype())
    if pd.api.types.is_integer_dtype(column) and (column.abs() >= 10**15).any():
        return column.astype(text_dtype())
    if isinstance(column.dtype, pd.StringDtype) and (column.str.len() > _EXCEL_CELL).any():
        raise InvalidFile(
            f"The column {column.name!r} holds text of over {_EXCEL_CELL:,} characters, which an Excel cell can't: write "
            "a .csv or .parquet file."
        )
    return column
