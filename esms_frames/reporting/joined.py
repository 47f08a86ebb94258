"""Find the results' columns in a frame that customers' columns were joined to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from esms_frames.base.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Hashable


TRACKED = ("delivery", "delivery_reason", "delivered", "price")
"""The columns that tracking adds."""

NEEDED = ("delivery", "delivered", "price")
"""Those of them by which results are known to be tracked."""

OF_BATCHES = ("batch_price", "batch_recipients")
"""The columns that tracking adds where the gateway tells no price of single numbers."""

DELIVERIES = ("delivered", "failed", "pending")
"""What the column ``delivery`` holds."""


def held_as(frame: pd.DataFrame, name: str) -> str | None:
    """Find a column of the results in a frame that may be joined with customers who have one of that name too."""
    return next((label for label in (f"{name}_sms", name) if label in frame.columns), None)


def is_tracked(frame: pd.DataFrame) -> bool:
    """Return whether a frame holds what tracking adds; such columns may be the customers' own, or of an earlier campaign.

    Where results are joined to a frame that holds results already, what was joined last stands last.
    """
    labels = [label for name in NEEDED if (label := held_as(frame, name)) is not None]
    if len(labels) < len(NEEDED):
        return False
    if {"sms_id", "sms_id_sms"} <= set(frame.columns):
        names = list(frame.columns)
        if min(map(names.index, labels)) < names.index("sms_id_sms"):
            return False
    delivery = one_of(frame, labels[0])
    return bool((delivery.isna() | delivery.astype(object).isin(DELIVERIES)).all())


def column_of(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column of the results out of a frame, or say what is missing."""
    if not isinstance(frame, pd.DataFrame) and type(frame).__module__.partition(".")[0].startswith("dask"):
        raise InvalidInput(
            "These results are a Dask DataFrame, and pandas' are needed: take a part of them that fits into memory, like "
            "results.partitions[0].compute(), or the columns that are needed."
        )
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInput(
            "results must be a DataFrame, not {kind}: pass what ef.send returned.", kind=type(frame).__name__
        )
    label = held_as(frame, name)
    if label is None:
        raise InvalidInput(
            "The frame has no column {name}: pass the results that ef.send or ef.results returned.", name=repr(name)
        )
    return one_of(frame, label)


def one_of(frame: pd.DataFrame, label: Hashable) -> pd.Series[Any]:
    """Return a column by its label, which only one column may have."""
    found: Any = frame[label]
    if isinstance(found, pd.DataFrame):
        raise InvalidInput(
            "The frame has {count} columns {label}: rename all but the one that is meant.",
            count=found.shape[1],
            label=repr(label),
        )
    return found  # type: ignore[no-any-return]


def join_customers(customers: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Put results beside the customers that they are of, row by row.

    ``customers.join(results)`` does the same where no label of the index repeats (pandas multiplies such rows) and no
    name of a column is in both (pandas refuses that).

    Parameters
    ----------
    customers, results : DataFrame
        With the same index; it may hold the same label several times.

    Returns
    -------
    DataFrame
        The columns of both. A column of the results whose name the customers have too gets ``_sms`` after it, or
        ``_sms2`` and so on where that is taken as well.

    Raises
    ------
    InvalidInput
        When the two don't have the same index.
    """
    if not customers.index.equals(results.index):
        raise InvalidInput(
            "The customers ({customers} rows) and the results ({results} rows) have different indexes: join the "
            "results with the DataFrame that was sent.",
            customers=len(customers),
            results=len(results),
        )
    names = set(customers.columns)
    endings = ["", "_sms", *(f"_sms{n}" for n in range(2, len(names) + 3))]
    free = {name: next(name + end for end in endings if name + end not in names) for name in results.columns}
    return pd.concat([customers, results.rename(columns=free)], axis="columns", sort=False)
