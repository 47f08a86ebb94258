"""The results DataFrame: what became of every row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import clock, columns
from esms_frames.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray


class Status(StrEnum):
    """What became of a row."""

    ACCEPTED = "accepted"
    """The gateway took the message; whether it was delivered is asked for later."""
    REFUSED = "refused"
    """The gateway refused the batch, with a code."""
    UNKNOWN = "unknown"
    """The request left and no usable answer came: it may or may not have been taken."""
    NOT_SENT = "not_sent"
    """It was not tried, or certainly did not arrive."""
    ALREADY_SENT = "already_sent"
    """The number has this message from an earlier run."""
    CAPPED = "capped"
    """The number has had as much advertising as the law allows."""
    INVALID = "invalid"
    """The row holds no number that can be texted."""
    DUPLICATE = "duplicate"
    """An earlier row has the same number."""
    EXCLUDED = "excluded"
    """The number was to be left out."""


@dataclass(frozen=True)
class Outcome:
    """What became of one batch, or of numbers that are in none."""

    status: Status
    reason: str | None
    batch: int | None = None
    request_id: str | None = None
    sms_id: str | None = None
    code: int | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    segment: str | None = None


def results_frame(frame: pd.DataFrame, owner: NDArray[np.int64], outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Say of each row of an audience's frame what became of it.

    Parameters
    ----------
    frame : DataFrame
        `Audience.frame`.
    owner : array of int, one for each row
        The position in `outcomes` of what became of the row; -1 where its status in the audience says it.
    outcomes : sequence of Outcome
        What became of the batches.

    Returns
    -------
    DataFrame
        Indexed like `frame`, one row a row:

        - ``phone`` (text), ``network`` (category): as in the audience.
        - ``status``: category of `Status`.
        - ``reason``: category, why the row was not accepted; NA where it was, but for those that were sent with a rule of
          advertising switched off, which is said.
        - ``batch``: Int32, the number of its batch in the campaign; NA where it is in none.
        - ``request_id``, ``sms_id``: text, our id and the gateway's id of the batch; NA where there is none.
        - ``code``: Int32, the gateway's code; NA where it gave none.
        - ``attempts``: Int32, how often the batch was tried; 0 for rows that are in no batch.
        - ``sent_at``: when the batch was tried last, in Vietnam time, to the microsecond; NaT where it was not.
        - ``segment``: category, only where there are segments: as in the audience, or as the batches say.
    """
    statuses = list(Status)
    from_audience = np.array(
        [statuses.index(Status(name)) if name in statuses else -1 for name in frame["status"].cat.categories]
    )
    by_outcome = np.array([statuses.index(outcome.status) for outcome in outcomes] + [-1])
    status = np.where(owner >= 0, by_outcome[owner], from_audience[frame["status"].cat.codes.to_numpy()])

    old = list(frame["reason"].cat.categories)
    reasons = list(dict.fromkeys([*old, *(outcome.reason for outcome in outcomes if outcome.reason is not None)]))
    places = {reason: place for place, reason in enumerate(reasons)}
    reason_of = np.array([-1 if outcome.reason is None else places[outcome.reason] for outcome in outcomes] + [-1])
    reason = np.where(owner >= 0, reason_of[owner], frame["reason"].cat.codes.to_numpy())

    if "segment" in frame:
        segment = {"segment": frame["segment"].array}
    elif any(outcome.segment is not None for outcome in outcomes):
        names = list(dict.fromkeys(outcome.segment for outcome in outcomes if outcome.segment is not None))
        place = {name: n for n, name in enumerate(names)}
        of_outcome = np.array([-1 if each.segment is None else place[each.segment] for each in outcomes] + [-1])
        segment = {"segment": columns.category_from_codes(of_outcome[owner], names)}
    else:
        segment = {}
    return pd.DataFrame(
        {
            "phone": frame["phone"].array,
            "network": frame["network"].array,
            "status": columns.category_from_codes(status.astype(np.int8), statuses),
            "reason": columns.category_from_codes(reason, reasons).remove_unused_categories(),
            "batch": _integers(owner, [outcome.batch for outcome in outcomes]),
            "request_id": columns.text_from_codes(owner, [outcome.request_id for outcome in outcomes]),
            "sms_id": columns.text_from_codes(owner, [outcome.sms_id for outcome in outcomes]),
            "code": _integers(owner, [outcome.code for outcome in outcomes]),
            "attempts": _integers(owner, [outcome.attempts for outcome in outcomes], instead=0),
            "sent_at": _moments(owner, [outcome.sent_at for outcome in outcomes]),
            **segment,
        },
        index=frame.index,
    )


TRACKED = ("delivery", "delivered", "price")
"""The columns that tracking adds."""

DELIVERIES = ("delivered", "failed", "pending")
"""What the column ``delivery`` holds."""

DELIVERY = "Delivery: "
"""What a reason that tracking gives begins with; it may stand after another."""


def held_as(frame: pd.DataFrame, name: str) -> str | None:
    """Find a column of the results in a frame that may be joined with customers who have one of that name too."""
    return next((label for label in (f"{name}_sms", name) if label in frame.columns), None)


def is_tracked(frame: pd.DataFrame) -> bool:
    """Tell whether a frame holds what tracking adds; such columns may be the customers' own, or of an earlier campaign.

    Where results are joined to a frame that holds results already, what was joined last stands last.
    """
    labels = [label for name in TRACKED if (label := held_as(frame, name)) is not None]
    if len(labels) < len(TRACKED):
        return False
    if {"sms_id", "sms_id_sms"} <= set(frame.columns):
        names = list(frame.columns)
        if min(map(names.index, labels)) < names.index("sms_id_sms"):
            return False
    delivery = one_of(frame, labels[0])
    return bool((delivery.isna() | delivery.astype(object).isin(DELIVERIES)).all())


def column_of(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Give a column of the results out of a frame, or say what is missing."""
    if not isinstance(frame, pd.DataFrame) and type(frame).__module__.partition(".")[0].startswith("dask"):
        raise InvalidInput(
            "These results are a Dask DataFrame, and pandas' are needed: take a part of them that fits into memory, like "
            "results.partitions[0].compute(), or the columns that are needed."
        )
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInput(f"results must be a DataFrame, not {type(frame).__name__}: pass what ef.send returned.")
    label = held_as(frame, name)
    if label is None:
        raise InvalidInput(f"The frame has no column {name!r}: pass the results that ef.send or ef.results returned.")
    return one_of(frame, label)


def one_of(frame: pd.DataFrame, label: Hashable) -> pd.Series[Any]:
    """Give a column by its label, which only one column may have."""
    found: Any = frame[label]
    if isinstance(found, pd.DataFrame):
        raise InvalidInput(f"The frame has {found.shape[1]} columns {label!r}: rename all but the one that is meant.")
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
            f"The customers ({len(customers):,} rows) and the results ({len(results):,} rows) have different indexes: "
            "join the results with the DataFrame that was sent."
        )
    names = set(customers.columns)
    endings = ["", "_sms", *(f"_sms{n}" for n in range(2, len(names) + 3))]
    free = {name: next(name + end for end in endings if name + end not in names) for name in results.columns}
    return pd.concat([customers, results.rename(columns=free)], axis="columns", sort=False)


def _integers(owner: Any, by_outcome: Sequence[int | None], *, instead: int | None = None) -> Any:
    values: Any = pd.array([*by_outcome, instead], dtype="Int32")
    return values[owner]  # rows without an outcome have -1: the last


def _moments(owner: Any, by_outcome: Sequence[datetime | None]) -> Any:
    naive = [None if moment is None else moment.astimezone(clock.VIETNAM).replace(tzinfo=None) for moment in by_outcome]
    values = np.array([*naive, None], dtype="datetime64[us]")
    return pd.DatetimeIndex(values[owner]).tz_localize(clock.VIETNAM).array
