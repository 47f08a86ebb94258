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
    from collections.abc import Sequence
    from datetime import datetime

    from esms_frames.audience import Audience


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
    """What became of one batch."""

    status: Status
    reason: str | None
    request_id: str | None = None
    sms_id: str | None = None
    code: int | None = None
    attempts: int = 0
    sent_at: datetime | None = None


def results_frame(audience: Audience, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Say of each row of an audience what became of it.

    Parameters
    ----------
    audience : Audience
        Whose rows.
    outcomes : sequence of Outcome
        One for each batch: ``outcomes[0]`` is batch 1's.

    Returns
    -------
    DataFrame
        Indexed like the audience's frame, one row a row:

        - ``phone`` (text), ``network`` (category), ``batch`` (Int32): as in the audience.
        - ``status``: category of `Status`.
        - ``reason``: category, why the row was not accepted; NA where it was.
        - ``request_id``, ``sms_id``: text, our id and the gateway's id of the batch; NA where there is none.
        - ``code``: Int32, the gateway's code; NA where it gave none.
        - ``attempts``: Int32, how often the batch was tried; 0 for rows that are not in a batch.
        - ``sent_at``: when the batch was tried last, in Vietnam time, to the microsecond; NaT where it was not.
    """
    frame = audience.frame
    batch = frame["batch"].to_numpy(dtype=np.int64, na_value=0) - 1
    statuses = list(Status)
    from_audience = np.array(
        [statuses.index(Status(name)) if name in statuses else -1 for name in frame["status"].cat.categories]
    )
    by_batch = np.array([statuses.index(outcome.status) for outcome in outcomes] + [-1])
    status = np.where(batch >= 0, by_batch[batch], from_audience[frame["status"].cat.codes.to_numpy()])

    old_reasons = list(frame["reason"].cat.categories)
    new_reasons = list(
        dict.fromkeys(o.reason for o in outcomes if o.reason is not None and o.reason not in old_reasons)
    )
    reasons = [*old_reasons, *new_reasons]
    reason_by_batch = np.array([-1 if o.reason is None else reasons.index(o.reason) for o in outcomes] + [-1])
    reason = np.where(batch >= 0, reason_by_batch[batch], frame["reason"].cat.codes.to_numpy())

    return pd.DataFrame(
        {
            "phone": frame["phone"].array,
            "network": frame["network"].array,
            "status": columns.category_from_codes(status.astype(np.int8), statuses),
            "reason": columns.category_from_codes(reason, reasons).remove_unused_categories(),
            "batch": frame["batch"].array,
            "request_id": columns.text_from_codes(batch, [outcome.request_id for outcome in outcomes]),
            "sms_id": columns.text_from_codes(batch, [outcome.sms_id for outcome in outcomes]),
            "code": _integers(batch, [outcome.code for outcome in outcomes]),
            "attempts": _integers(batch, [outcome.attempts for outcome in outcomes], instead=0),
            "sent_at": _moments(batch, [outcome.sent_at for outcome in outcomes]),
        },
        index=frame.index,
    )


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
        The columns of both. A column of the results whose name the customers have too gets ``_sms`` after it.

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
    renamed = results.rename(columns={name: f"{name}_sms" for name in results.columns if name in customers.columns})
    return pd.concat([customers, renamed], axis="columns", sort=False)


def _integers(batch: Any, by_batch: Sequence[int | None], *, instead: int | None = None) -> Any:
    values: Any = pd.array([*by_batch, instead], dtype="Int32")
    return values[batch]  # rows in no batch have -1: the last


def _moments(batch: Any, by_batch: Sequence[datetime | None]) -> Any:
    naive = [None if moment is None else moment.astimezone(clock.VIETNAM).replace(tzinfo=None) for moment in by_batch]
    values = np.array([*naive, None], dtype="datetime64[us]")
    return pd.DatetimeIndex(values[batch]).tz_localize(clock.VIETNAM).array
