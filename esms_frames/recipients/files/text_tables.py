"""Read a table from a text file: its encoding, its separator, and no row lost to a stray quotation mark."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base.columns import text_dtype
from esms_frames.base.errors import InvalidFile, visible
from esms_frames.base.wording import Sentence
from esms_frames.recipients.files import formulas
from esms_frames.recipients.files.encodings import Decoded, decode, is_json, is_page, name_kind
from esms_frames.recipients.files.quotes import find_joined, find_separator, read_record

if TYPE_CHECKING:
    from pathlib import Path


MOST_COLUMNS = 16_384
"""How many columns a table may have: as many as a sheet of Excel."""

_LONGEST_LINE = 4 * 2**20  # bytes
_DECLARED = re.compile(r'"?sep=([^\r\n]*?)"?', re.IGNORECASE)  # Excel's own way to name the separator
_INNER_RETURN = "\ue00d"  # stands, while a table is read, for a carriage return within a cell


def read_text_table(path: Path, *, stacklevel: int) -> pd.DataFrame:
    """Read a table whose cells are text, as they stand in the file; empty ones are NA.

    Raises
    ------
    InvalidFile
        When it can't be read, in one sentence.

    Warns
    -----
    UserWarning
        When its encoding is in doubt, or it has no rows.
    """
    name = visible(path.name)
    decoded = _decoded(path, name)
    _warn_of(decoded, name, stacklevel + 1)
    text, first_line = _tidied(decoded.text)
    separator, text, first_line = _separated(text, first_line, name)
    if not text:
        raise InvalidFile("{file} is empty: its first row must hold the names of the columns.", file=name)
    if text.count(separator, 0, _LONGEST_LINE) >= MOST_COLUMNS:  # else it can't have so many
        width = len(read_record(text, 0, separator).cells)
        if width > MOST_COLUMNS:
            raise InvalidFile(
                "{file} has {count} columns and a sheet has {most}: leave out what you don't need.",
                file=name,
                count=width,
                most=MOST_COLUMNS,
            )
    joined = find_joined(text, separator)
    if joined is not None:
        raise InvalidFile(
            "{file} has a quotation mark at line {line} that may join cells or rows: take it out, or write one "
            "around each end of the cell.",
            file=name,
            line=first_line + joined,
        )
    df = _parsed(text, separator, first_line, name)
    if df.empty and len(df.columns):
        warnings.warn(
            Sentence("{file} has names of columns and no row below them: check that it is the right file.", file=name),
            stacklevel=stacklevel + 1,
        )
    return _restored(df) if decoded.is_marked else df


def _decoded(path: Path, name: str) -> Decoded:
    data = path.read_bytes()
    kind = name_kind(data)
    if kind is not None:
        raise InvalidFile(
            "{file} is {kind} under the name of a text file: give it its own suffix, or save the table as 'CSV UTF-8'.",
            file=name,
            kind=kind,
        )
    long = _find_long_line(data)
    if long is not None:
        raise InvalidFile(
            "{file} has a line of over {size} MB, line {line}: leave out what is not about customers.",
            file=name,
            size=_LONGEST_LINE // 2**20,
            line=long,
        )
    decoded = decode(data)
    if decoded is None:
        raise InvalidFile("{file} is no text file: save it as 'CSV UTF-8'.", file=name)
    if is_page(decoded.text):
        raise InvalidFile(
            "{file} is a web page, not a table: sign in where it comes from, and download it again.", file=name
        )
    if is_json(decoded.text):
        raise InvalidFile(
            "{name} is JSON, not a table: read it with pandas, or save the table as 'CSV UTF-8'.", name=name
        )
    return decoded


def _find_long_line(data: bytes) -> int | None:
    """Find the first line, from 1, that is longer than any row of customers."""
    if len(data) <= _LONGEST_LINE:
        return None
    signs = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero((signs == 10) | (signs == 13))
    borders = np.concatenate([[-1], ends, [len(data)]])
    long = np.flatnonzero(np.diff(borders) > _LONGEST_LINE)
    return None if not len(long) else 1 + data.count(b"\n", 0, int(borders[long[0]]) + 1)


def _warn_of(decoded: Decoded, name: str, stacklevel: int) -> None:
    if decoded.is_guessed:
        warnings.warn(
            Sentence(
                "{file} is not UTF-8 and was read as Windows-1258: check the accents, and save it as 'CSV "
                "UTF-8' if they are wrong.",
                file=name,
            ),
            stacklevel=stacklevel + 1,
        )
    if decoded.bad_bytes:
        warnings.warn(
            Sentence(
                "{file} is UTF-8 but at line {line} ({byte}; bad bytes in all: {count}): each is read as {sign}, so "
                "check these cells.",
                file=name,
                line=decoded.bad_line,
                byte=f"0x{decoded.bad_byte:02X}",
                count=decoded.bad_bytes,
                sign="\ufffd",
            ),
            stacklevel=stacklevel + 1,
        )


def _tidied(text: str) -> tuple[str, int]:
    """Bring the ends of lines into one form; return the text, and the number of its first line in the file."""
    alone = len(re.findall(r"\r(?!\n)", text)) if "\r" in text else 0
    if alone and alone > text.count("\n"):  # Excel for Mac's older way
        text = re.sub(r"\r(?!\n)", "\n", text)
    elif alone:  # within a cell
        text = re.sub(r"\r(?!\n)", _INNER_RETURN, text)
    table = text.lstrip("\r\n")
    return table.rstrip("\r\n"), 1 + text.count("\n", 0, len(text) - len(table))


def _separated(text: str, first_line: int, name: str) -> tuple[str, str, int]:
    """Find the separator, in the line by which Excel names it or else by the rows; return the table without that line."""
    first, _, rest = text.partition("\n")
    declared = _DECLARED.fullmatch(first.rstrip("\r"))
    if declared is None:
        return find_separator(text), text, first_line
    separator = declared[1]
    if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in "\"'\\":
        raise InvalidFile(
            "{file} says in line {line} that {sign} separates its cells, which can't be: write sep=; or sep=, "
            "there, or take the line out.",
            file=name,
            line=first_line,
            sign=repr(visible(separator, 20)),
        )
    return separator, rest, first_line + 1


def _parsed(text: str, separator: str, first_line: int, name: str) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            df = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=text_dtype(),
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                skip_blank_lines=False,
            )
    except pd.errors.EmptyDataError:
        raise InvalidFile("{file} is empty: its first row must hold the names of the columns.", file=name) from None
    except pd.errors.ParserWarning:
        raise InvalidFile(
            "{file} has rows with more cells than names of columns: name every column, or take the cells out.",
            file=name,
        ) from None
    except pd.errors.ParserError as error:
        line = re.search(r"(?:line|row) (\d+)", str(error))
        where = f" at line {int(line[1]) + first_line - 1}" if line and line[1] != "0" else ""
        raise InvalidFile(
            "{file} is not a regular table{where}: look for a missing quote or for cells too many there.",
            file=name,
            where=where,
        ) from None
    return _with_returns(df) if _INNER_RETURN in text else df


def _with_returns(df: pd.DataFrame) -> pd.DataFrame:
    columns = {n: df.iloc[:, n].str.replace(_INNER_RETURN, "\r", regex=False) for n in range(df.shape[1])}
    names = [str(label).replace(_INNER_RETURN, "\r") for label in df.columns]
    return pd.DataFrame(columns, index=df.index).set_axis(names, axis="columns")


def _restored(df: pd.DataFrame) -> pd.DataFrame:
    """Take the apostrophes away that `write_results` puts before formulas; a file with bare formulas is not of its kind."""
    text = [n for n in range(df.shape[1]) if isinstance(df.dtypes.iloc[n], pd.StringDtype)]
    if any(formulas.runs(str(label)) for label in df.columns) or any(formulas.column_runs(df.iloc[:, n]) for n in text):
        return df
    columns: dict[int, pd.Series[Any]] = {
        n: formulas.restore_column(df.iloc[:, n]) if n in text else df.iloc[:, n] for n in range(df.shape[1])
    }
    names = [formulas.restore(str(label)) for label in df.columns]
    return pd.DataFrame(columns, index=df.index).set_axis(names, axis="columns")
