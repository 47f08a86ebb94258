"""Customer files to DataFrames, and results to files, by the file's suffix."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
import unicodedata
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import pandas as pd
import pyarrow as pa
from python_calamine import CalamineError

from esms_frames.columns import text_dtype
from esms_frames.detection import candidate_columns, named_as_phone
from esms_frames.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = Path(__file__).with_name("data") / "customers.csv"
"""A packaged file of 1,000 made-up customers, as messy as real ones."""

_TEXT = {".csv", ".tsv", ".txt"}
_EXCEL = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_PARQUET = {".parquet", ".pq"}
_WRITTEN = (".csv", ".xlsx", ".parquet")
_EXCEL_ROWS = 1_048_576
_DELIMITERS = ",;\t|"

# Up to eight digits before the point and no zero in front: longer numbers are phones, ids and accounts, not amounts.
_SHORT_NUMBER = r"-?(?:0|[1-9][0-9]{0,7})(?:\.[0-9]+)?"
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
        leading zero) become numbers, Excel's dates become datetimes, and everything else, phones and other long numbers
        first of all, is text as it stands in the file; empty cells are NA.

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
    if not path.is_file():
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
    return df


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Check that results can be written to a path, before there are any."""
    path = Path(path)
    if path.suffix.lower() not in _WRITTEN:
        raise InvalidFile(f"{path.name!r} has no known suffix: results are written as {', '.join(_WRITTEN)}.")
    if path.is_dir():
        raise InvalidFile(f"{str(path)!r} is a folder: name a file.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InvalidFile(f"The folder {str(path.parent)!r} is not there or can't be written to: choose another.")
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
    path = check_writable(path)
    suffix = path.suffix.lower()
    if suffix != ".parquet" and not _is_row_numbers(results.index):
        results = results.reset_index()
    if suffix == ".xlsx" and len(results) >= _EXCEL_ROWS:
        raise InvalidFile(f"{len(results):,} rows don't fit into an Excel sheet: write a .csv or .parquet file.")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".esms-", suffix=suffix)
    os.close(handle)
    try:
        if suffix == ".csv":
            results.to_csv(name, index=False, encoding="utf-8-sig")
        elif suffix == ".xlsx":
            _write_excel(results, name)
        else:
            results.to_parquet(name)
        Path(name).replace(path)
    except OSError as error:
        raise InvalidFile(
            f"{path.name} can't be written ({error.strerror or type(error).__name__}): close it in other programs, "
            "make room on the disk, or choose another file."
        ) from None
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    return path


def _read_text(path: Path) -> pd.DataFrame:
    text = _decoded(path)
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
                skipinitialspace=False,
            )
    except pd.errors.EmptyDataError:
        raise InvalidFile(f"{path.name} is empty: its first row must hold the names of the columns.") from None
    except pd.errors.ParserWarning:
        raise InvalidFile(
            f"{path.name} has rows with more cells than names of columns: name every column, or take the cells out."
        ) from None
    except pd.errors.ParserError as error:
        line = re.search(r"(?:line|row) (\d+)", str(error))
        where = f" at line {line[1]}" if line else ""
        raise InvalidFile(
            f"{path.name} is not a regular table{where}: look for a missing quote or for cells too many there."
        ) from None
    return _each_column(df, _typed_text)


def _decoded(path: Path) -> str:
    """Decode a text file as Excel and others write it."""
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in data[:2000]:  # UTF-16 without its mark
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
    """Find the separator that splits the names of the columns into the most cells."""
    header = text[:100_000]
    return max(_DELIMITERS, key=lambda d: len(next(csv.reader(io.StringIO(header), delimiter=d), [])))


def _read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            if sheet is not None and sheet not in names:
                raise InvalidFile(f"{path.name} has no sheet {sheet!r}: choose one of {_listed(names)}.")
            wanted = names if sheet is None else [sheet]
            tables = {name: _each_column(_read_sheet(book, name), _typed_cells) for name in wanted}
    except (CalamineError, BadZipFile, ValueError, OSError) as error:
        if isinstance(error, (InvalidFile, PermissionError)):
            raise
        raise InvalidFile(
            f"{path.name} can't be read as a spreadsheet: open it in Excel and save it anew, without a password."
        ) from None
    tables = {name: table for name, table in tables.items() if len(table.columns)} or tables
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
    if named_as_phone(column.name) or column.isna().all() or not column.dropna().str.fullmatch(_SHORT_NUMBER).all():
        return column
    return pd.to_numeric(column.astype(object))


def _typed_cells(column: pd.Series[Any]) -> pd.Series[Any]:
    """Type a spreadsheet's column by its cells: dates, short numbers or truth values where all are; else text."""
    cells = column.dropna()
    kinds = set(map(type, cells))
    if kinds and kinds <= {datetime, pd.Timestamp}:
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


def _write_excel(results: pd.DataFrame, name: str) -> None:
    zoned = results.select_dtypes("datetimetz").columns
    plain = results.assign(**{str(column): results[column].dt.tz_localize(None) for column in zoned})
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with pd.ExcelWriter(name, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        plain.to_excel(writer, sheet_name="results", index=False, freeze_panes=(1, 0))
        writer.sheets["results"].autofit()
