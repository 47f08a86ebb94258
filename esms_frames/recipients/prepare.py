"""Prepare an audience of customers in a DataFrame, pandas' or Dask's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from esms_frames.base.errors import InvalidInput, TooFewRecipients
from esms_frames.base.wording import mark
from esms_frames.messages.limits import MAX_BATCH, MIN_BATCH
from esms_frames.recipients.audience import Audience, draft_audience, leave_out_segments
from esms_frames.recipients.large.audience import LargeAudience

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Hashable


_NO_CUSTOMERS = mark("data must be a DataFrame or an Audience, not {kind}: hand in your customers.")
_NO_CUSTOMERS_NOR_NOTHING = mark(
    "data must be a DataFrame or an Audience, not {kind}: hand in your customers, or nothing."
)


@overload
def prepare(
    df: pd.DataFrame,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
) -> Audience: ...
@overload
def prepare(
    df: Any,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
    folder: str | os.PathLike[str] | None = None,
) -> LargeAudience: ...
def prepare(
    df: Any,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
    folder: str | os.PathLike[str] | None = None,
) -> Audience | LargeAudience:
    """Find out who can be texted, once each, and put them into batches.

    Parameters
    ----------
    df : DataFrame or Dask DataFrame
        The customers, one row each, with any index. It is not changed. A Dask DataFrame may have more rows than memory
        holds: its partitions are cleaned one by one, on this machine's cores or on the workers of a `distributed.Client`.
    phone : label, optional
        The column of phone numbers, in any spelling. Left out, it is found by its name (``sdt``, ``Số điện thoại``,
        ``phone``, ``mobile``, …) or its content where that leaves no doubt.
    by : label, Series or array, optional
        The segment of each row: a column, or as many values as there are rows, as in ``groupby``. A batch then holds
        numbers of one segment, and each segment needs as many as a batch. Rows without a segment are ``excluded``.
    exclude : list, Series or DataFrame, optional
        Numbers that are not to be texted, in any spelling; of a DataFrame, the phone column is found in the same way.
    min_batch, max_batch : int, optional
        How many numbers a batch may have: 30 to 5000, the gateway's limits. `min_batch` may be lowered for customer
        care, say for a test message to one's own phone; `send` refuses advertising with less than 30. With 0 there may
        be nobody to text, for looking at what a file holds.

    folder : str or path-like, optional
        Of a Dask DataFrame: where the audience is written, in a new folder within it, which is yours to delete. It holds
        phone numbers, and has to be on a drive that all workers share. Left out, it is a temporary folder that is removed
        when Python ends.

    Returns
    -------
    Audience or LargeAudience
        Of a Dask DataFrame a `LargeAudience`, which is the same on disk. With a frame that has a row for each row of
        `df`. Of several rows with the same number, in whatever spelling, the first is ready and the others are
        ``duplicate``. n numbers make ceil(n / max_batch) batches of equal size (±1), in the order of the rows; with `by`,
        those of each segment do.

    Raises
    ------
    PhoneColumnError
        When it is not clear which column is meant; the error lists the candidates.
    TooFewRecipients
        When fewer than `min_batch` rows are ready, or ready in some segment, with the counts.
    InvalidInput
        When `exclude` can't be relied on, `by` does not fit the rows, or the limits contradict each other.

    Notes
    -----
    Of a Dask DataFrame, `by` is a column or a Dask Series with the same partitions, and `exclude` fits into memory. A
    phone column that only the content tells of is looked for in about 5,000 rows of up to five partitions, where a
    DataFrame is looked through in 1,000 rows all over it. Everything else is as of a DataFrame with the rows of all
    partitions one after the other: of several rows with the same number the first of them all is ready.

    Examples
    --------
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)] + ["+84 901 888 410", "n/a"]})
    >>> prepare(customers)
    <Audience: 40 of 42 rows can be texted, in 1 batch of 40; phones from 'sdt'>
             40   95.2%  ready to send
              1    2.4%  duplicate: same phone as an earlier row
              1    2.4%  invalid: not a number
    """
    audience = draft(df, phone, by=by, exclude=exclude, min_batch=min_batch, max_batch=max_batch, folder=folder)
    try:
        audience._check_enough()
    except TooFewRecipients:
        if isinstance(audience, LargeAudience):
            shutil.rmtree(audience.folder, ignore_errors=True)
        raise
    return audience


def draft(
    data: Any,
    phone: Hashable | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Audience | LargeAudience:
    """Build the audience, whether there are enough recipients or not."""
    if not is_dask(data):
        if folder is not None:
            raise InvalidInput("folder is for a Dask DataFrame, whose audience is written to disk: leave it out.")
        return draft_audience(data, phone, **options)
    try:
        from esms_frames.recipients.large.prepare import draft_large_audience  # noqa: PLC0415 - loads Dask, for those who have it
    except ImportError:
        raise InvalidInput(
            'A Dask DataFrame needs all of Dask, in a recent version: pip install "esms-frames[dask]".'
        ) from None
    return draft_large_audience(data, phone, folder=folder, **options)


def take_audience(data: Any, *, or_nothing: bool = False, **options: Any) -> Audience | LargeAudience:
    """Return an audience as it is, or draft that of customers; `options` are those of `prepare`.

    With `or_nothing`, the caller may hand in nothing as well, and is told so.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(data, (Audience, LargeAudience)):
        if given:
            raise InvalidInput(
                "phone, by and exclude are for a DataFrame, and this is an Audience: give them to ef.prepare."
            )
        return data
    if not isinstance(data, pd.DataFrame) and not is_dask(data):
        raise InvalidInput(_NO_CUSTOMERS_NOR_NOTHING if or_nothing else _NO_CUSTOMERS, kind=type(data).__name__)
    return draft(data, **given)


def only_segments(audience: Audience | LargeAudience, wanted: Collection[Any]) -> Audience | LargeAudience:
    """Leave out the rows of all other segments; a number that was in one of these too is texted there."""
    if audience.segments is None or all(segment in wanted for segment in audience.segments):
        return audience
    if isinstance(audience, Audience):
        return leave_out_segments(audience, wanted)
    from esms_frames.recipients.large.prepare import leave_out_large_segments  # noqa: PLC0415 - loads Dask, for those who have it

    return leave_out_large_segments(audience, wanted)


def is_dask(data: object) -> bool:
    """Return whether something is a Dask DataFrame, without loading Dask."""
    kind = type(data)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] in {"dask", "dask_expr"}
