"""Read customer files into DataFrames."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from esms_frames.base.columns import text_dtype
from esms_frames.base.errors import InvalidFile, visible
from esms_frames.recipients.files import formulas
from esms_frames.recipients.files.paths import existing_file
from esms_frames.recipients.files.text_tables import read_text_table
from esms_frames.recipients.files.workbooks import listed, read_sheets
from esms_frames.recipients.find_column import candidate_columns, named_as_phone
from esms_frames.recipients.phones.normalize import normalize_phones

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator


SAMPLE = Path(__file__).with_name("customers.csv")
"""A packaged file of 1,000 made-up customers, as messy as real ones."""

_TEXT = {".csv", ".tsv", ".txt"}
_EXCEL = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_PARQUET = {".parquet", ".pq"}


_LONGEST_NAME = 255  # bytes, of a file on most systems

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

        - ``.csv``, ``.tsv``, ``.txt`` as Excel writes them: UTF-8 with or without a byte order mark, UTF-16, UTF-32, or,
          with a warning, Windows-1258; separated by comma, semicolon, tab or ``|``. Bytes of a UTF-8 file that are none
          become ``�``, with a warning that names the first line. Apostrophes before formulas, as `write_results` writes
          them, are taken away again.
        - ``.xlsx`` and Excel's other formats, ``.ods``.
        - ``.parquet``, whose columns keep the types that they have there.
    sheet : str, optional
        The sheet of an Excel file. Left out, it is the only sheet, or the only one with phone numbers.

    Returns
    -------
    DataFrame
        One row for each row of the file; what may have joined rows, as a stray quotation mark does, is refused. Columns
        that hold only short numbers (up to 8 digits before the point, no zero in front or at the end, no 1.234 that could
        be a thousand) become numbers, Excel's dates become datetimes, and everything else, phones and other long numbers
        first of all, is text as it stands in the file; empty cells are NA.

    Raises
    ------
    InvalidFile
        When the file can't be read, in one sentence; of several sheets with phones, it lists them.

    Warns
    -----
    UserWarning
        When the file had to be read as Windows-1258, for accents may be wrong then; when bytes of it can't be read; when
        it has no rows; when a column holds formulas without values.

    Examples
    --------
    >>> customers = read_customers(SAMPLE)
    >>> customers.shape
    (1000, 7)
    """
    path = existing_file(path)
    name = visible(path.name)
    suffix = path.suffix.lower()
    if sheet is not None and suffix not in _EXCEL:
        raise InvalidFile("{name} has no sheets: leave sheet out.", name=name)
    try:
        if suffix in _TEXT:
            df = _each_column(read_text_table(path, stacklevel=2), _typed_text)
        elif suffix in _EXCEL:
            df = _read_excel(path, sheet)
        elif suffix in _PARQUET:
            df = _read_parquet(path)
        else:
            raise InvalidFile("{file} is of no known kind: use a .csv, .xlsx or .parquet file.", file=name)
    except PermissionError:
        raise InvalidFile(
            "{name} can't be opened: close it in other programs, or check its permissions.", name=name
        ) from None
    except MemoryError:
        raise InvalidFile(
            "{file} needs more memory than this machine has free: close other programs, or split the file.", file=name
        ) from None
    unnamed = normalize_phones([str(name) for name in df.columns])["phone"].notna()
    if unnamed.any():
        raise InvalidFile(
            "The first row of {file} holds a phone number instead of the names of the columns: put a row of "
            "names above it.",
            file=name,
        )
    return df


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    """Keep spreadsheets from running cells or names of columns as formulas."""
    columns = [_harmless_column(table.iloc[:, place]) for place in range(table.shape[1])]
    names = [formulas.neutralize(str(label)) for label in table.columns]
    return pd.DataFrame(dict(enumerate(columns)), index=table.index).set_axis(names, axis="columns")


def _harmless_column(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        if any(formulas.runs(str(name)) for name in column.cat.categories):
            return formulas.neutralize_column(column.astype(text_dtype()))
        return column
    return formulas.neutralize_column(column) if isinstance(column.dtype, pd.StringDtype) else column


def _read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    name = visible(path.name)
    sheets = read_sheets(path, sheet, stacklevel=3)
    tables = {title: _each_column(table, _typed_cells) for title, table in sheets.items() if len(table.columns)}
    if not tables:
        raise InvalidFile("{file} is empty: its first row must hold the names of the columns.", file=name)
    if len(tables) > 1:
        tables = {title: table for title, table in tables.items() if candidate_columns(table)} or tables
    if len(tables) > 1:
        raise InvalidFile(
            "{file} has several sheets that could be meant: name one of {sheets}.",
            file=name,
            sheets=listed(list(tables)),
        )
    return next(iter(tables.values()))


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise InvalidFile(
            "{file} can't be read as Parquet: write it anew where it comes from.", file=visible(path.name)
        ) from None


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


def _numbered(name: str, first: int) -> Iterator[str]:
    """List a name, unless it is known to be taken, and the same with numbers behind it."""
    if first == 1:
        yield name
    for number in count(max(2, first)):
        yield f"{name}_{number}"
