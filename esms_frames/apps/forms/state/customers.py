"""Choose the recipients of a list of customers by the form's column, filter and exclusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.recipients.audience import draft_audience
from esms_frames.recipients.find_column import phone_column
from esms_frames.recipients.number_lists import read_list
from esms_frames.recipients.phones.normalize import read, read_one, write_cell
from esms_frames.recipients.phones.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from esms_frames.recipients.audience import Audience


MOST_VALUES = 50
"""How many different values a column may have that is filtered by."""

MOST_REJECTED = 100
"""How many of the rejected rows can be looked at in the form."""

PAGE = 20
_EXAMPLES = 3
_SAMPLE = 1000


@dataclass(frozen=True, eq=False)
class Listing:
    """A list of customers, and how it was come by.

    Attributes
    ----------
    df : DataFrame
        The customers.
    name : str
        What it is called.
    code : str
        Python that gives it.
    from_file : bool
        Whether its rows are those of a file, which people count from 1, the row of names included.
    """

    df: pd.DataFrame
    name: str
    code: str
    from_file: bool = False

    def place(self, label: Any) -> str:
        """Return where a row is: its row in the file, or its label."""
        return str(label + 2) if self.from_file else str(label)


@dataclass(frozen=True, eq=False)
class Exclusion:
    """Numbers that are not to be texted: of a file, and pasted."""

    listing: Listing | None = None
    pasted: tuple[str, ...] = ()

    def numbers(self) -> list[str]:
        """Return them as text, each once; a list that can't be relied on is refused.

        Raises
        ------
        InvalidInput
            When it is not clear whom an entry means.
        """
        found = [np.empty(0, dtype=np.int32)]
        if self.listing is not None:
            found.append(read_list(self.listing.df, self.listing.name))
        if self.pasted:
            found.append(read_list(list(self.pasted), "exclude"))
        return [f"0{number:09d}" for number in np.unique(np.concatenate(found)).tolist()]

    def entries(self) -> list[Any]:
        """Return what stands in the lists, as it is written."""
        file = [] if self.listing is None else self.listing.df.iloc[:, found_column(self.listing.df)].tolist()
        return [*file, *self.pasted]

    def unread(self) -> list[str]:
        """Return the entries that are no number that can be texted, as they are written; blank ones say nothing."""
        entries = pd.Series(self.entries(), dtype=object)
        return list(filter(None, (written(entry).strip() for entry in entries[read(entries) < 0])))


def split_pasted(text: str) -> tuple[str, ...]:
    """Split what was pasted at line ends, commas, semicolons and tabs."""
    for separator in ",;\t":
        text = text.replace(separator, "\n")
    return tuple(filter(None, (line.strip() for line in text.splitlines())))


def found_column(df: pd.DataFrame) -> int:
    """Find the place of the phone column.

    Raises
    ------
    PhoneColumnError
        When it is not clear which it is.
    """
    label = phone_column(df)
    return next(place for place, name in enumerate(df.columns) if name == label)


def filterable(df: pd.DataFrame, phone: int | None) -> list[int]:
    """List the places of the columns whose values are so few that people can choose among them, by a sample."""
    rows = np.unique(np.linspace(0, max(0, len(df) - 1), min(len(df), _SAMPLE)).astype(int))
    places = []
    for place in range(df.shape[1]):
        values = df.iloc[rows, place]
        try:
            different = values.nunique()
        except TypeError:  # lists and the like
            continue
        if place != phone and 1 <= different <= MOST_VALUES and (different < len(values) or len(values) <= 3):
            places.append(place)
    return places


def values_of(df: pd.DataFrame, place: int) -> tuple[list[Any], bool]:
    """Return the different values of a column, sorted, and whether some rows have none."""
    column = df.iloc[:, place]
    values = column.dropna().unique().tolist()
    if not all(isinstance(value, (str, int, float, bool)) for value in values):
        values = column.astype(str)[column.notna()].unique().tolist()
    return sorted(values, key=lambda value: (isinstance(value, str), value)), bool(column.isna().any())


def chosen_rows(df: pd.DataFrame, place: int, values: Sequence[Any], *, blank: bool) -> NDArray[np.bool_]:
    """Return which rows have one of the values, or none where `blank` is chosen."""
    column = df.iloc[:, place]
    compared = column if _is_plain(column) else column.astype(str)
    chosen: NDArray[np.bool_] = compared.isin(list(values)).to_numpy(dtype=bool)
    missing = column.isna().to_numpy(dtype=bool)
    return (chosen & ~missing) | (missing & blank)


def column_code(name: str, df: pd.DataFrame, place: int) -> str:
    """Write a column in Python: by its label, or by its place where that is no plain one or not the only one."""
    return f"{name}[{df.columns[place]!r}]" if _can_be_named(df, place) else f"{name}.iloc[:, {place}]"


def phone_code(name: str, df: pd.DataFrame, place: int) -> str:
    """Write in Python what `prepare` needs to know of customers and their phone column."""
    if _can_be_named(df, place):
        return f"{name}, {df.columns[place]!r}"
    return f"{name}.iloc[:, [{place}]].set_axis(['phone'], axis='columns')"


def filter_code(name: str, df: pd.DataFrame, place: int, values: Sequence[Any], *, blank: bool) -> str:
    """Write what `chosen_rows` does in Python."""
    column = column_code(name, df, place)
    compared = column if _is_plain(df.iloc[:, place]) else f"{column}.astype(str)"
    condition = f"{compared}.isin({list(values)!r})"
    return f"{name}[{condition} | {column}.isna()]" if blank else f"{name}[{condition}]"


def audience_of(
    df: pd.DataFrame, phone: int, rows: NDArray[np.bool_] | None, exclude: Sequence[str] | None
) -> Audience:
    """Prepare the chosen rows; whether there are enough is for the plan to say."""
    customers = df.iloc[:, [phone]] if rows is None else df.iloc[np.flatnonzero(rows), [phone]]
    return draft_audience(customers, df.columns[phone], exclude=list(exclude) if exclude else None)


@dataclass(frozen=True)
class Unusable:
    """Rows whose number can't be used for one reason, with examples of their cells as they were written."""

    reason: str
    rows: int
    examples: tuple[str, ...]


def unusable(column: pd.Series[Any], audience: Audience) -> list[Unusable]:
    """List the reasons for which rows can't be used, the most frequent first.

    Parameters
    ----------
    column : Series
        The cells that the audience was prepared from.
    audience : Audience
        What came of them.
    """
    codes = audience.frame["reason"].cat.codes.to_numpy()
    invalid = (audience.frame["status"] == "invalid").to_numpy()
    names = audience.frame["reason"].cat.categories
    counts = np.bincount(codes[invalid], minlength=len(names)) if invalid.any() else np.zeros(len(names), dtype=int)
    found = []
    for code in np.argsort(-counts, kind="stable").tolist():
        if not counts[code]:
            break
        places = np.flatnonzero(invalid & (codes == code))
        cells = column.iloc[places[:1000]].drop_duplicates().head(_EXAMPLES)
        found.append(Unusable(str(names[code]), int(counts[code]), tuple(written(cell) for cell in cells)))
    return found


def written(cell: Any) -> str:
    """Return a cell as it is written; nothing for an empty one."""
    return "" if pd.api.types.is_scalar(cell) and pd.isna(cell) else write_cell(cell)


@dataclass(frozen=True)
class Page:
    """Some of the rejected rows: index label, cell, status and reason of each."""

    rows: list[tuple[Any, str, str, str]]
    first: int
    last: int
    count: int
    """How many there are in all."""
    most: int
    """How many of them can be looked at."""


def rejected_page(column: pd.Series[Any], audience: Audience, page: int) -> Page:
    """Return a page of the rejected rows, from 0; of many, only the first can be looked at."""
    places = np.flatnonzero((audience.frame["status"] != "ready").to_numpy())
    most = min(len(places), MOST_REJECTED)
    start = min(page * PAGE, max(0, (most - 1) // PAGE * PAGE))
    chosen = places[start : min(start + PAGE, most)]
    frame = audience.frame.iloc[chosen]
    rows = [
        (label, written(cell), str(status), str(reason))
        for label, cell, status, reason in zip(
            frame.index, column.iloc[chosen], frame["status"], frame["reason"], strict=True
        )
    ]
    return Page(rows, start + 1 if rows else 0, start + len(rows), len(places), most)


def counts_of(audience: Audience) -> dict[str, int]:
    """Count rows, those of each status, and batches."""
    sizes = audience.frame["status"].value_counts()
    batches = audience.frame["batch"].max()
    return {
        "rows": len(audience.frame),
        "recipients": int(sizes["ready"]),
        "duplicates": int(sizes["duplicate"]),
        "unusable": int(sizes["invalid"]),
        "excluded": int(sizes["excluded"]),
        "batches": 0 if batches is pd.NA or batches is None else int(batches),
    }


def one_number(text: str) -> tuple[str | None, str]:
    """Read one number: as it is sent, or None with the problem."""
    found = read_one(text)
    return (None, str(found)) if isinstance(found, Problem) else (f"0{found:09d}", "")


def _can_be_named(df: pd.DataFrame, place: int) -> bool:
    label = df.columns[place]
    return type(label) in {str, int} and list(df.columns).count(label) == 1


def _is_plain(column: pd.Series[Any]) -> bool:
    values = column.dropna().unique().tolist()
    return all(isinstance(value, (str, int, float, bool)) for value in values)
