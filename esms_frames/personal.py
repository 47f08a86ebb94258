"""Texts with fields in braces, filled in from the columns of a DataFrame, once for each different text."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.errors import InvalidInput, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED, _LONGEST = 5, 40  # texts in one sentence, and characters of each


def fields_of(text: str) -> list[str]:
    """Find the fields in braces of a text, each once; a text whose braces don't match has none."""
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
        raise InvalidInput(f"df is {shown(df)} and no DataFrame: hand in your customers.")
    names = _checked_fields(text, df)
    columns = [_column(df, name) for name in names]
    codes = np.column_stack([column.codes for column in columns]).astype(np.int64)
    complete = (codes >= 0).all(axis=1)
    different, place = np.unique(codes[complete], axis=0, return_inverse=True)
    rows = [[column.categories[code] for column, code in zip(columns, row, strict=True)] for row in different.tolist()]
    rendered = [_filled(text, names, row) for row in rows]
    # Different values can give the same text, say when a format rounds them.
    group, texts = pd.factorize(np.array(rendered, dtype=object))
    labels = _labels(names, rows, group, list(texts))
    of_row = np.full(len(df), -1, dtype=np.int64)
    of_row[complete] = group[place.reshape(-1)]
    sizes = np.bincount(of_row[of_row >= 0], minlength=len(texts))
    few = sizes < floor
    if few.any() and small != "exclude":
        raise InvalidInput(_too_few_rows(names, columns, labels, sizes, floor))
    of_row[np.append(few, True)[of_row]] = -1  # rows without a text look at the last
    kept = np.flatnonzero(~few)
    by = pd.Categorical.from_codes(of_row, categories=pd.Index(labels, dtype=object)).remove_unused_categories()
    return pd.Series(by, index=df.index, name="segment"), {labels[place]: str(texts[place]) for place in kept}


def _checked_fields(text: str, df: pd.DataFrame) -> list[str]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise InvalidInput(
            f"The text's braces can't be read ({error}): write a field as {{column}}, a brace as {{{{."
        ) from None
    names = list(dict.fromkeys(names))
    if not names:
        raise InvalidInput("The text has no field in braces, so it is the same for each: send it as it is.")
    unknown = [name for name in names if list(df.columns).count(name) != 1]
    if unknown:
        raise InvalidInput(
            f"The text's field {{{unknown[0]}}} is no column, or several: the data has {', '.join(map(str, df.columns))}."
        )
    return names


def _column(df: pd.DataFrame, name: str) -> pd.Categorical:
    try:
        return pd.Categorical(df[name])
    except TypeError:
        raise InvalidInput(
            f"The column {name!r} of the text's field holds lists or the like: make it text or numbers first."
        ) from None


def _filled(text: str, names: Sequence[str], values: Sequence[Any]) -> str:
    try:
        return text.format(**dict(zip(names, values, strict=True)))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InvalidInput(
            f"The text's fields can't be filled in with what {', '.join(names)} hold ({error}): correct their formats."
        ) from None


def _labels(names: Sequence[str], rows: list[list[Any]], group: Any, texts: list[str]) -> list[str]:
    """Name each text by the values of its first row, if that tells them apart, and by itself otherwise."""
    labels: dict[int, str] = {}
    for place, row in zip(group.tolist(), rows, strict=True):
        labels.setdefault(place, ", ".join(map(str, row)))
    named = [labels[place] for place in range(len(texts))]
    return named if len(names) and len(set(named)) == len(named) and all(named) else texts


def _too_few_rows(
    names: Sequence[str], columns: Sequence[pd.Categorical], labels: Sequence[str], sizes: Any, floor: int
) -> str:
    few = np.flatnonzero(sizes < floor)
    named = ", ".join(f"{labels[place][:_LONGEST]!r} {sizes[place]:,}" for place in few[:_NAMED])
    more = f" and {len(few) - _NAMED:,} more" if len(few) > _NAMED else ""
    kinds = sorted(((len(column.categories), name) for name, column in zip(names, columns, strict=True)), reverse=True)
    split = ", ".join(f"{{{name}}} with {count:,}" for count, name in kinds[:_NAMED])
    return (
        f"{len(few):,} of the {len(sizes):,} different texts are for fewer than {floor} rows ({named}{more}; the columns "
        f"that split them, by different values: {split}): leave out what splits most, write it in fewer ways, or exclude "
        f"these {sizes[few].sum():,} rows with small='exclude'."
    )
