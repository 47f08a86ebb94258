"""Read the sheets of a workbook as they are, within bounds."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import pandas as pd
from python_calamine import CalamineError

from esms_frames.base.errors import InvalidFile, visible
from esms_frames.base.wording import Sentence
from esms_frames.recipients.files.workbook_bounds import check_bounds, count_valueless
from esms_frames.recipients.find_column import named_as_phone

if TYPE_CHECKING:
    from collections.abc import Sequence


_LOOKED_INTO = {".xlsx", ".xlsm"}  # XML, which is measured before it is read
_OF_THEIR_OWN = {
    ".xlsb",
    ".ods",
}  # whose reader ends the process where memory ends
_MOST_MEMORY = 8 * 2**30
_LONGEST = 300  # seconds
_READER = f"import sys; from {__name__} import serve; serve(sys.argv[1], sys.argv[2:])"


def read_sheets(path: Path, sheet: str | None, *, stacklevel: int) -> dict[str, pd.DataFrame]:
    """Read a sheet of a workbook, or all, with cells of the types that they have there; empty cells are NaN.

    Raises
    ------
    InvalidFile
        When it can't be read, in one sentence.
    """
    name = visible(path.name)
    suffix = path.suffix.lower()
    try:
        if suffix in _LOOKED_INTO:
            check_bounds(path)
        if suffix in _OF_THEIR_OWN:
            names, tables = _in_another_process(path, [] if sheet is None else [sheet])
        else:
            names, tables = _read(path, [] if sheet is None else [sheet])
    except (CalamineError, BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        if isinstance(error, (InvalidFile, PermissionError)):
            raise
        raise InvalidFile(
            "{file} can't be read as a spreadsheet: open it in Excel and save it anew, without a password.", file=name
        ) from None
    if sheet is not None and sheet not in names:
        raise InvalidFile(
            "{name} has no sheet {sheet}: choose one of {names}.",
            name=name,
            sheet=repr(visible(sheet)),
            names=listed(names),
        )
    if suffix in _LOOKED_INTO:
        for title, table in tables.items():
            _check_formulas(path, title, names.index(title), table, stacklevel + 1)
    return tables


def listed(names: Sequence[str]) -> str:
    """List names in a sentence."""
    return ", ".join(map(repr, names))


def serve(path: str, wanted: list[str]) -> None:
    """Read sheets in a process of its own, and write them to its standard output."""
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource  # noqa: PLC0415 - is not on every system

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, resource.RLIM_INFINITY))
    try:
        found: Any = _read(Path(path), wanted)
    except Exception as error:  # noqa: BLE001 - is raised again by who has started this
        found = type(error).__name__
    sys.stdout.buffer.write(pickle.dumps(found))


def _read(path: Path, wanted: list[str]) -> tuple[list[str], dict[str, pd.DataFrame]]:
    with pd.ExcelFile(path, engine="calamine") as book:
        names = [str(name) for name in book.sheet_names]
        chosen = [name for name in wanted or names if name in names]
        options: dict[str, Any] = {"dtype": object, "keep_default_na": False, "na_values": [""]}
        return names, {name: pd.read_excel(book, sheet_name=name, **options) for name in chosen}


def _in_another_process(path: Path, wanted: list[str]) -> tuple[list[str], dict[str, pd.DataFrame]]:
    """Read sheets in a process that may die of them."""
    with path.open("rb"):  # whoever may not open it learns that here
        pass
    # -P: nothing that lies in the current folder is imported, only this package, from where it is.
    command = [sys.executable, "-P", "-c", _READER, str(path), *wanted]
    places = [str(Path(__file__).parents[__name__.count(".")]), os.environ.get("PYTHONPATH", "")]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    try:
        done = subprocess.run(  # noqa: S603 - our own reader
            command, capture_output=True, check=False, timeout=_LONGEST, env=own
        )
    except subprocess.TimeoutExpired:
        raise _too_large(path) from None
    if done.returncode:
        raise _too_large(path)
    found = pickle.loads(done.stdout)  # noqa: S301 - of the process started above
    if isinstance(found, str):
        if found == "MemoryError":
            raise _too_large(path)
        raise CalamineError(found)
    names, tables = found
    return names, tables


def _too_large(path: Path) -> InvalidFile:
    return InvalidFile(
        "{file} becomes too large when it is read, perhaps by a cell far away from its table: copy the table "
        "to a new file, and save it as .xlsx.",
        file=visible(path.name),
    )


def _check_formulas(path: Path, title: str, place: int, table: pd.DataFrame, stacklevel: int) -> None:
    """Check that the phones of a sheet are not formulas whose values were never stored; warn of other columns of them."""
    blank = [n for n in range(table.shape[1]) if len(table) and table.iloc[:, n].isna().all()]
    phones = [n for n in range(table.shape[1]) if named_as_phone(table.columns[n]) and table.iloc[:, n].isna().any()]
    if not blank and not phones:
        return
    counts = count_valueless(path, place)
    for n in sorted({*blank, *phones}):
        if not counts.get(n + 1):
            continue
        sentence = Sentence(
            "{file} has {count} formulas without stored values in the column {column} of the sheet {sheet}: open it in "
            "Excel, save it, and read it again.",
            file=visible(path.name),
            count=counts[n + 1],
            column=repr(visible(table.columns[n], 40)),
            sheet=repr(visible(title, 40)),
        )
        if n in phones:
            raise InvalidFile(sentence)
        warnings.warn(sentence, stacklevel=stacklevel + 1)
