"""Filter rows by the values of columns: the values there are, each with its count, and the rows that have chosen ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.reporting.frame import Status
from esms_frames.reporting.joined import column_of, held_as, is_tracked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray


MOST = 100
"""How many values of a column can be chosen singly; all rarer ones are one choice."""

FACETS = ("status", "network", "segment", "reason", "delivery", "delivery_reason")
"""The columns of the results that can be filtered by, where they are there."""

_ORDERS = {"status": tuple(map(str, Status)), "delivery": ("delivered", "failed", "pending")}


@dataclass(frozen=True)
class Choice:
    """A value that rows can be chosen by.

    Attributes
    ----------
    value : str or None
        As it is written; None for the rows that have none, and for the rarer values together.
    rows : int
        How many rows have it.
    others : int
        How many rarer values it stands for; 0 for a value of its own.
    """

    value: str | None
    rows: int
    others: int = 0


@dataclass(frozen=True, eq=False)
class Facet:
    """The different values of a column, as choices.

    Attributes
    ----------
    choices : tuple of Choice
        Statuses and deliveries in their own order, other values by size, the largest first; then the rows that have
        none, and last the rarer values.
    places : array of int16
        The place of each row's choice.
    """

    choices: tuple[Choice, ...]
    places: NDArray[np.int16]

    @classmethod
    def of(cls, results: pd.DataFrame, name: str) -> Facet:
        """Look at a column of the results."""
        column = column_of(results, name)
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, values = column.cat.codes.to_numpy(), list(column.cat.categories)
        else:
            codes, different = pd.factorize(column.astype(object))
            values = list(different)
        counts: Any = np.bincount(codes.astype(np.int64) + 1, minlength=len(values) + 1)  # those without come first
        there = [code for code in range(len(values)) if counts[code + 1]]
        own = {value: place for place, value in enumerate(_ORDERS.get(name, ()))}
        there.sort(key=lambda code: (own.get(str(values[code]), len(own)), -counts[code + 1], str(values[code])))
        single, rare = there[:MOST], there[MOST:]

        choices = [Choice(str(values[code]), int(counts[code + 1])) for code in single]
        place_of = np.zeros(len(values) + 1, dtype=np.int16)
        place_of[np.array(single, dtype=np.int64) + 1] = np.arange(len(single))
        if counts[0]:
            place_of[0] = len(choices)
            choices.append(Choice(None, int(counts[0])))
        if rare:
            place_of[np.array(rare, dtype=np.int64) + 1] = len(choices)
            choices.append(Choice(None, int(sum(counts[code + 1] for code in rare)), len(rare)))
        return cls(tuple(choices), place_of[codes.astype(np.int64) + 1])


def facets_of(results: pd.DataFrame) -> dict[str, Facet]:
    """Look at every column that can be filtered by.

    Parameters
    ----------
    results : DataFrame
        Results, also joined with customers.

    Returns
    -------
    dict of str to Facet
        By the name of the column in the results; only those that are there.

    Raises
    ------
    InvalidInput
        When there is no column ``status``: these are no results.

    Examples
    --------
    >>> found = facets_of(pd.DataFrame({"status": ["accepted", "refused", "accepted"]}))
    >>> found["status"].choices
    (Choice(value='accepted', rows=2, others=0), Choice(value='refused', rows=1, others=0))
    """
    column_of(results, "status")
    names = [name for name in FACETS if held_as(results, name) is not None]
    if not is_tracked(results):  # a column of that name is the customers' own then
        names = [name for name in names if name not in {"delivery", "delivery_reason"}]
    return {name: Facet.of(results, name) for name in names}


def chosen_rows(facets: Mapping[str, Facet], chosen: Mapping[str, Collection[int]]) -> NDArray[np.int64] | None:
    """Find the rows that have one of the chosen values in every column.

    Parameters
    ----------
    facets : mapping of str to Facet
        What there is to choose.
    chosen : mapping of str to collection of int
        The places of the chosen values, by column; a column without any is not filtered by.

    Returns
    -------
    array of int64 or None
        Their positions, ascending; None where all rows are chosen.
    """
    mask: NDArray[np.bool_] | None = None
    for name, places in chosen.items():
        if places:
            wanted = np.zeros(len(facets[name].choices), dtype=bool)
            wanted[list(places)] = True
            found = wanted[facets[name].places]
            mask = found if mask is None else mask & found
    return None if mask is None else np.flatnonzero(mask)
