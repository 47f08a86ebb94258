"""Prepare an audience of customers in a DataFrame, pandas' or Dask's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, overload

from esms_frames.audience import Audience, check_counts, check_floor, drafted
from esms_frames.errors import InvalidInput, TooFewRecipients
from esms_frames.message import MAX_BATCH, MIN_BATCH

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable

    import pandas as pd

    from esms_frames.large import LargeAudience


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
    options: dict[str, Any] = {"by": by, "exclude": exclude, "min_batch": min_batch, "max_batch": max_batch}
    if is_dask(df):
        large = drafted_large(df, phone, folder=folder, **options)
        try:
            check_counts(min_batch, large.counts, large.by_segment())
        except TooFewRecipients:
            shutil.rmtree(large.folder, ignore_errors=True)
            raise
        return large
    if folder is not None:
        raise InvalidInput("folder is for a Dask DataFrame, whose audience is written to disk: leave it out.")
    audience = drafted(df, phone, **options)
    check_floor(audience)
    return audience


def is_dask(data: object) -> bool:
    """Tell whether something is a Dask DataFrame, without loading Dask."""
    kind = type(data)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] in {"dask", "dask_expr"}


def drafted_large(ddf: Any, phone: Hashable | None = None, **options: Any) -> LargeAudience:
    """Do what `prepare` does with a Dask DataFrame, whether there are enough recipients or not."""
    try:
        from esms_frames import shuffle  # noqa: PLC0415 - loads Dask, for those who have it
    except ImportError:
        raise InvalidInput(
            'A Dask DataFrame needs all of Dask, in a recent version: pip install "esms-frames[dask]".'
        ) from None
    limits = {"min_batch": MIN_BATCH, "max_batch": MAX_BATCH}
    return shuffle.drafted_large(ddf, phone, **(limits | options))
