"""Sum up results by group: how many were texted, how many got it, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base import columns
from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import shown
from esms_frames.reporting.frame import Status
from esms_frames.reporting.joined import DELIVERIES, OF_BATCHES, column_of, held_as, is_tracked, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray


_STATUSES = {
    "accepted": (Status.ACCEPTED, Status.ALREADY_SENT),
    "refused": (Status.REFUSED,),
    "unknown": (Status.UNKNOWN,),
    "not_sent": (Status.NOT_SENT, Status.CAPPED),
}


def summarize(
    results: pd.DataFrame,
    by: Hashable | list[Any] | pd.Series[Any] | Callable[[Any], Any] | None = "network",
) -> pd.DataFrame:
    """Sum up results by group.

    Parameters
    ----------
    results : DataFrame
        What `send`, `resume`, `results` or `track` returned, also filtered, read back from a file, or joined with the
        customers. It is not changed.
    by : label, Series, callable, list of these or None, optional
        What makes a group, as in `DataFrame.groupby`: any column, an aligned Series such as
        ``results["sent_at"].dt.hour``, a function of the labels of the index, or several. None for one row of all.

    Returns
    -------
    DataFrame
        One row a group, those that have none last, as NA. Numbers, times and ordered categories come in their own
        order, all others by size, the largest first. Counts are Int64:

        - ``rows``: all rows of the group.
        - ``recipients``: the rows that were to be texted: all but those invalid, duplicate and excluded. It is the sum
          of ``accepted`` (by the gateway, from this run or an earlier one), ``refused``, ``unknown`` and ``not_sent``
          (capped ones too).
        - ``delivered``, ``failed``, ``pending``: what became of the accepted ones; those of which it can't be known
          are in none of them. NA where the results were not tracked.
        - ``delivery_rate``: Float64, delivered ÷ (delivered + failed); NA where nothing is settled.
        - ``price``: float64, the sum in VND, to the ten-thousandth; NaN where none is known, and from 10**14 on, which
          nobody pays. A price in `results` that is so large is not known either. What the gateway charges for a whole
          send is counted once, in a group that holds all its numbers.
        - ``price_per_delivered``: float64, price ÷ delivered, rounded to a ten-thousandth; NaN where none is delivered, or
          where the price holds not all that were delivered or failed.
        - ``unpriced``: the accepted rows that ``price`` does not hold, because the gateway tells the price of their send
          only, and the send is not all in the group, or because nothing is known; NA where the results were not tracked.

    Raises
    ------
    InvalidInput
        When `results` are none, or `by` is no column of theirs nor fits their rows.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> results = pd.DataFrame({
    ...     "network": ["Viettel", "Viettel", "MobiFone"],
    ...     "status": ["accepted", "accepted", "refused"],
    ...     "delivery": ["delivered", "failed", None],
    ...     "delivered": [1, 1, None],
    ...     "price": [800.5, 800.5, None],
    ... })
    >>> table = ef.summarize(results)
    >>> table[["accepted", "delivered", "price"]].loc["Viettel"].tolist()
    [2.0, 1.0, 1601.0]
    """
    facts = _facts(results)
    keys = _keys(results, by)
    try:
        groups = facts.groupby(keys, observed=True, dropna=False, sort=False)
        if "units" in facts:
            facts = _priced(facts, results, groups.ngroup().to_numpy())
            groups = facts.groupby(keys, observed=True, dropna=False, sort=False)
        summed = groups.sum()
    except TypeError:
        raise InvalidInput(
            "by holds lists or the like, which make no groups: make them text or numbers first."
        ) from None
    if by is None and facts.empty:
        summed = pd.DataFrame(0, index=["all"], columns=facts.columns)
    return _in_order(_presented(summed, tracked=is_tracked(results)), keys)


def _facts(results: pd.DataFrame) -> pd.DataFrame:
    """Turn each row into integers that can be summed."""
    status = _comparable(column_of(results, "status"))
    if not status.isin(list(Status)).all():
        raise InvalidInput(
            "The column 'status' holds something else than a status: pass results as ef.send returned them."
        )
    counted = {name: status.isin(kinds).to_numpy() for name, kinds in _STATUSES.items()}
    facts = {"rows": np.ones(len(status)), "recipients": np.logical_or.reduce(list(counted.values())), **counted}
    if is_tracked(results):
        delivery = _comparable(column_of(results, "delivery"))
        facts |= {name: delivery.isin([name]).to_numpy() for name in DELIVERIES}
        facts["units"], facts["priced"] = columns.money_units(column_of(results, "price"))
    return pd.DataFrame({name: values.astype(np.int64) for name, values in facts.items()})


def _priced(facts: pd.DataFrame, results: pd.DataFrame, group: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Put the price of each whole send in the place of its rows' in a group that holds all its numbers.

    Beside the sum of integers, which is right unless it is too large, stands one that says whether it is.
    """
    units, priced = facts["units"].to_numpy().copy(), facts["priced"].to_numpy().astype(bool)
    if all(held_as(results, name) is not None for name in (*OF_BATCHES, "sms_id", "phone")):
        total, known = columns.money_units(column_of(results, "batch_price"))
        sizes = pd.to_numeric(column_of(results, "batch_recipients"), errors="coerce").to_numpy(float, na_value=np.nan)
        at = np.flatnonzero(known & (sizes > 0) & facts["accepted"].to_numpy().astype(bool))
        rows = pd.DataFrame(
            {
                "group": group[at],
                "send": pd.factorize(column_of(results, "sms_id").iloc[at])[0],
                "number": pd.factorize(column_of(results, "phone").iloc[at])[0],
            }
        )
        held = rows.groupby(["group", "send"])["number"].transform("nunique").to_numpy() >= sizes[at]
        units[at[held]] = 0
        priced[at[held]] = True
        first = at[held & ~rows.duplicated(["group", "send"]).to_numpy()]
        units[first] = total[first]
    settled = facts["delivered"].to_numpy() + facts["failed"].to_numpy() > 0
    return facts.assign(
        units=units,
        priced=priced.astype(np.int64),
        unpriced=(facts["accepted"].to_numpy().astype(bool) & ~priced).astype(np.int64),
        unpaid=(settled & ~priced).astype(np.int64),
        about=units.astype(float),
    )


def _comparable(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column whose cells can be compared with text: categories as they are, a cell by cell comparison is slow."""
    return column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype(object)


def _keys(results: pd.DataFrame, by: Any) -> list[pd.Series[Any]]:
    """Return the columns that make the groups, row by row, whatever labels the rows have."""
    if by is None:
        return [pd.Series(["all"] * len(results), dtype=object)]
    keys = [_key(results, key) for key in (by if isinstance(by, list) else [by])]
    if not keys:
        raise InvalidInput("by names no column: name one, or pass None for one row of all.")
    return keys


def _is_column(results: pd.DataFrame, key: Any) -> bool:
    try:
        return key in results.columns
    except TypeError:
        return False


def _key(results: pd.DataFrame, key: Any) -> pd.Series[Any]:
    if isinstance(key, pd.Series):
        if not key.index.equals(results.index):
            raise InvalidInput("by is a Series with another index than the results: make it of the same rows.")
        return key.reset_index(drop=True)
    if callable(key):
        return pd.Series(results.index.map(key), name=results.index.name)
    if _is_column(results, key):
        return one_of(results, key).reset_index(drop=True)
    names = ", ".join(map(str, results.columns[:20]))
    raise InvalidInput(
        "by names {name}, which is no column of the results: choose from {names}.", name=shown(key), names=names
    )


def _presented(summed: pd.DataFrame, *, tracked: bool) -> pd.DataFrame:
    counts = {name: summed[name].astype("Int64") for name in ("rows", "recipients", *_STATUSES)}
    nothing: NDArray[np.int64] = np.zeros(len(summed), dtype=np.int64)
    delivered, failed, units, priced, about, unpaid = (
        summed[name].to_numpy() if name in summed else nothing
        for name in ("delivered", "failed", "units", "priced", "about", "unpaid")
    )
    is_held = (priced > 0) & (np.maximum(np.abs(about), np.abs(units)) < columns.TOO_MUCH)
    units = np.where(is_held, units, 0)
    found = {
        name: summed[name].astype("Int64") if tracked else pd.Series(pd.NA, summed.index, dtype="Int64")
        for name in (*DELIVERIES, "unpriced")
    }
    counts |= {name: found[name] for name in DELIVERIES}
    settled = delivered + failed
    rate = pd.arrays.FloatingArray(delivered / np.maximum(settled, 1), settled == 0)
    share = np.maximum(delivered, 1)
    rounded = (2 * units + share) // (2 * share)
    return pd.DataFrame(
        {
            **counts,
            "delivery_rate": rate,
            "price": columns.money_from_units(units, is_held),
            "price_per_delivered": columns.money_from_units(rounded, is_held & (delivered > 0) & (unpaid == 0)),
            "unpriced": found["unpriced"],
        },
        index=summed.index,
    )


def _in_order(table: pd.DataFrame, keys: list[pd.Series[Any]]) -> pd.DataFrame:
    if all(map(_has_order, keys)):
        return table.sort_index(na_position="last")
    missing = table.index.to_frame(index=False, name=range(table.index.nlevels)).isna().sum(axis="columns").to_numpy()
    order = np.lexsort((np.arange(len(table)), -table["recipients"].to_numpy(dtype=np.int64), missing))
    return table.iloc[order]


def _has_order(key: pd.Series[Any]) -> bool:
    if isinstance(key.dtype, pd.CategoricalDtype):
        return bool(key.cat.ordered)
    return pd.api.types.is_numeric_dtype(key) or pd.api.types.is_datetime64_any_dtype(key)
