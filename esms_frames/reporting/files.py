"""Write results to files."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from esms_frames.base import clock
from esms_frames.base.columns import text_dtype
from esms_frames.base.errors import InvalidFile, visible
from esms_frames.base.language.catalogue import translate
from esms_frames.base.language.options import options
from esms_frames.base.wording import shown
from esms_frames.recipients.files.customer_files import _LONGEST_NAME, _harmless, _numbered
from esms_frames.recipients.files.paths import ADDRESS
from esms_frames.recipients.files.private_files import make_beside, sweep
from esms_frames.reporting.joined import held_as

_WRITTEN = (".csv", ".xlsx", ".parquet")
_EXCEL_ROWS = 1_048_576
_EXCEL_CELL = 32_767


def check_writable(path: str | os.PathLike[str], rows: int = 0) -> Path:
    """Check that results of so many rows can be written to a path, before there are any."""
    try:
        text = os.fsdecode(path)
        path = Path(text).expanduser()
    except (TypeError, ValueError, RuntimeError):
        raise InvalidFile("path is {path} and no path: name a file.", path=shown(path)) from None
    name, folder = visible(path.name), visible(path.parent)
    if ADDRESS.match(text):
        raise InvalidFile("{text} is an address on the web: name a file on this machine.", text=visible(text))
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in text) or len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise InvalidFile(
            "'{text}' is no name for a file: choose a shorter one, without control characters.", text=visible(text, 60)
        )
    if path.suffix.lower() not in _WRITTEN:
        raise InvalidFile(
            "'{name}' has no known suffix: results are written as {suffixes}.", name=name, suffixes=", ".join(_WRITTEN)
        )
    try:
        if path.is_dir():
            raise InvalidFile("'{path}' is a folder: name a file.", path=visible(path))
        usable = path.parent.is_dir() and os.access(path.parent, os.W_OK)
    except OSError:
        usable = False
    if not usable:
        raise InvalidFile(
            "The folder {folder} is not there or can't be written to: choose another.", folder=f"'{folder}'"
        )
    if path.suffix.lower() == ".xlsx" and rows >= _EXCEL_ROWS:
        raise InvalidFile("{rows} rows don't fit into an Excel sheet: write a .csv or .parquet file.", rows=rows)
    return path


def write_results(results: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write results, or any frame, to a file that only its owner can read: all of it or, if that fails, nothing.

    Parameters
    ----------
    results : DataFrame
        What to write. An index that is more than row numbers becomes the first column.
    path : str or path-like
        ``.csv`` (UTF-8 with the byte order mark by which Excel knows it), ``.xlsx`` (phones as text, times in Vietnam
        time) or ``.parquet``. A file that is there already is replaced. In a ``.csv``, text that a spreadsheet would run
        as a formula gets an apostrophe in front, which `read_customers` takes away; numbers like +84… and -1.5 stay.

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
    beside: Path | None = None
    try:
        table = _writable(results, keep_index=suffix == ".parquet")
        sweep(target.parent)
        beside = make_beside(target)
        if suffix == ".csv":
            _harmless(table).to_csv(beside, index=False, encoding="utf-8-sig", lineterminator="\r\n")
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
            "{file} can't be written ({cause}): close it in other programs, make room on the disk, or choose "
            "another file.",
            file=visible(path.name),
            cause=cause,
        ) from None
    finally:
        if beside is not None:
            with suppress(OSError):
                beside.unlink()
    return path


def csv_bytes(results: pd.DataFrame) -> bytes:
    """Return the content that `write_results` writes into a ``.csv`` file."""
    table = _harmless(_writable(results, keep_index=False))
    return table.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def _is_row_numbers(index: pd.Index[Any]) -> bool:
    return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1


def _writable(results: pd.DataFrame, *, keep_index: bool) -> pd.DataFrame:
    """Bring a frame into a form that every kind of file can hold: different names, and cells of one type a column."""
    if not keep_index and not _is_row_numbers(results.index):
        names: Any = [name or f"index_{level}" for level, name in enumerate(results.index.names)]
        index = results.index.to_frame(index=False, name=names if len(names) > 1 else names[0])
        results = pd.concat([index, results.reset_index(drop=True)], axis="columns")
    unique: dict[str, int] = {}
    for label in results.columns:
        name = " ".join(map(str, label)) if isinstance(label, tuple) else str(label)
        unique[next(n for n in _numbered(name, unique.get(name, 1)) if n not in unique)] = 1
        unique[name] += 1
    reasons = [held_as(results, name) or name for name in ("reason", "delivery_reason") if options.lang != "en"]
    columns = {
        name: _plain(_translated(column) if label in reasons else column)
        for name, (label, column) in zip(unique, results.items(), strict=True)
    }
    return pd.DataFrame(columns, index=results.index)


def _translated(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of reasons in the language of `ef.options`."""
    texts = column.dropna().unique()
    return column.astype(object).map({text: translate(text) for text in texts}).astype(text_dtype())


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
            "The column {name} holds text of over {most} characters, which an Excel cell can't: write a "
            ".csv or .parquet file.",
            name=repr(column.name),
            most=_EXCEL_CELL,
        )
    return column
