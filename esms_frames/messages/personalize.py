"""Fill fields in braces in from the columns of a DataFrame, once for each different text."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base.errors import InvalidInput, visible
from esms_frames.base.labels import find_label, list_names, tidy_categories
from esms_frames.base.wording import Sentence, shown

if TYPE_CHECKING:
    from collections.abc import Sequence


_WIDEST = 1000  # characters, more than any field of a text
_NAMED, _LONGEST = 5, 40  # texts in one sentence, and characters of each


class _Formatter(string.Formatter):
    """Format as `str.format` does, but refuse widths that fill the memory, be they written or a column's."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if any(len(digits) > 9 or int(digits) > _WIDEST for digits in re.findall("[0-9]+", format_spec)):
            raise ValueError(f"a width of over {_WIDEST:,} characters")
        return str(super().format_field(value, format_spec))


def fields_of(text: str) -> list[str]:
    """Find the different fields in braces of a text; a text whose braces don't match has none."""
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:
        return []
    return list(dict.fromkeys(found))


def fill_in(text: str, df: pd.DataFrame, *, floor: int, small: str) -> tuple[pd.Series[Any], dict[str, str]]:
    """Fill a text in for each row of a DataFrame; see `Message.for_each`.

    Returns
    -------
    by : Series
        The name of each row's text; NA where a value is missing, or the text is for too few.
    texts : dict of str to str
        The text of each name.
    """
    if not isinstance(df, pd.DataFrame):
        raise InvalidInput("df is {df} and no DataFrame: hand in your customers.", df=shown(df))
    df = pd.DataFrame(df)  # without attrs, which pandas copies with every column
    names = _read_fields(text, df)
    columns = [_read_column(df, name) for name in names]
    codes = np.column_stack([column.codes for column in columns]).astype(np.int64)
    complete = (codes >= 0).all(axis=1)
    different, position = np.unique(codes[complete], axis=0, return_inverse=True)
    rows = [[column.categories[code] for column, code in zip(columns, row, strict=True)] for row in different.tolist()]
    rendered = [_fill(text, names, row) for row in rows]
    # Different values can give the same text, say when a format rounds them.
    group, texts = pd.factorize(np.array(rendered, dtype=object))
    labels = _choose_labels(names, rows, group, list(texts))
    of_row = np.full(len(df), -1, dtype=np.int64)
    of_row[complete] = group[position.reshape(-1)]
    sizes = np.bincount(of_row[of_row >= 0], minlength=len(texts))
    few = sizes < floor
    if few.any() and small != "exclude":
        raise InvalidInput(_explain_too_few(names, columns, labels, sizes, floor))
    of_row[np.append(few, True)[of_row]] = -1  # rows without a text look at the last
    kept = np.flatnonzero(~few)
    by = pd.Categorical.from_codes(of_row, categories=pd.Index(labels, dtype=object)).remove_unused_categories()
    return pd.Series(by, index=df.index, name="segment"), {labels[position]: str(texts[position]) for position in kept}


def _read_fields(text: str, df: pd.DataFrame) -> list[str]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise InvalidInput(
            "The text's braces can't be read ({error}): write a field as {{column}}, a brace as {{{{.", error=str(error)
        ) from None
    names = list(dict.fromkeys(names))
    if not names:
        raise InvalidInput("The text has no field in braces, so it is the same for each: send it as it is.")
    unknown = [name for name in names if len(find_label(df.columns, name)) != 1]
    if unknown:
        raise InvalidInput(
            "The text's field {{{field}}} is no column, or several: the data has {columns}.",
            field=unknown[0],
            columns=list_names(list(df.columns)),
        )
    return names


def _read_column(df: pd.DataFrame, name: str) -> pd.Categorical:
    try:
        return tidy_categories(pd.Categorical(df.iloc[:, find_label(df.columns, name)[0]]))
    except Exception:  # noqa: BLE001 - cells of any kind
        raise InvalidInput(
            "The column {name} of the text's field holds lists or the like: make it text or numbers first.",
            name=repr(name),
        ) from None


def _fill(text: str, names: Sequence[str], values: Sequence[Any]) -> str:
    try:
        return _Formatter().vformat(text, (), dict(zip(names, values, strict=True)))
    except Exception as error:  # noqa: BLE001 - formats of values of any kind
        raise InvalidInput(
            "The text's fields can't be filled in with what {names} hold ({error}): correct their formats.",
            names=", ".join(names),
            error=visible(error),
        ) from None


def _choose_labels(names: Sequence[str], rows: list[list[Any]], group: Any, texts: list[str]) -> list[str]:
    """Choose a label for each text: the values of its first row if these are different, otherwise the text itself."""
    labels: dict[int, str] = {}
    for position, row in zip(group.tolist(), rows, strict=True):
        labels.setdefault(position, ", ".join(map(str, row)))
    named = [labels[position] for position in range(len(texts))]
    return named if len(names) and len(set(named)) == len(named) and all(named) else texts


def _explain_too_few(
    names: Sequence[str], columns: Sequence[pd.Categorical], labels: Sequence[str], sizes: Any, floor: int
) -> str:
    few = np.flatnonzero(sizes < floor)
    named = ", ".join(f"{labels[position][:_LONGEST]!r} {sizes[position]:,}" for position in few[:_NAMED])
    more = f" and {len(few) - _NAMED:,} more" if len(few) > _NAMED else ""
    kinds = sorted(((len(column.categories), name) for name, column in zip(names, columns, strict=True)), reverse=True)
    split = ", ".join(f"{{{name}}} with {count:,}" for count, name in kinds[:_NAMED])
    return Sentence(
        "{few} of the {total} different texts are for fewer than {floor} rows ({named}{more}; the "
        "columns that split them, by different values: {split}): leave out what splits most, write "
        "it in fewer ways, or exclude these {rows} rows with small='exclude'.",
        few=len(few),
        total=len(sizes),
        floor=floor,
        named=named,
        more=more,
        split=split,
        rows=int(sizes[few].sum()),
    )
