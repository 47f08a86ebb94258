"""Audiences of a DataFrame and of a Dask DataFrame, and what is sent to them."""

from __future__ import annotations

import dask
import dask.dataframe as dd
import pandas as pd

import esms_frames as ef


def many(n, start=0):
    """Make customers with different numbers."""
    return pd.DataFrame({"sdt": [f"09{m:08d}" for m in range(start, start + n)]})


def with_dask(df, partitions=4, **options):
    """Prepare the audience of a Dask DataFrame, in batches of up to a hundred."""
    with dask.config.set({"dataframe.convert-string": False}):
        return ef.prepare(dd.from_pandas(df, npartitions=partitions), **{"max_batch": 100} | options)


def with_pandas(df, **options):
    """Prepare the audience of a DataFrame, in batches of up to a hundred."""
    return ef.prepare(df, **{"max_batch": 100} | options)


def run(data, message, client, **options):
    """Send quietly, one batch after the other; the results."""
    return ef.send(data, message, client, **{"progress": False, "rate": None, "concurrency": 1} | options)


def computed(results):
    """Return results as a DataFrame, if they are Dask's."""
    return results if isinstance(results, pd.DataFrame) else results.compute()


def counts(results):
    """Count the rows of results by their status."""
    return computed(results)["status"].value_counts().loc[lambda n: n > 0].to_dict()
