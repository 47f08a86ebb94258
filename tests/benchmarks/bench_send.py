"""Send, look up and track campaigns, with the gateway in a process of its own and the journal on disk.

Run: python tests/benchmarks/bench_send.py [rows]

The gateway is a `Sandbox`; it takes some ten milliseconds of its own for 5000 numbers. A folder beside this machine's other
temporary files holds the journals while it runs, a megabyte for 100,000 numbers.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import row_by_row
from measuring import Row, median, rows_asked, show

import esms_frames as ef

if TYPE_CHECKING:
    from collections.abc import Iterator

from support import spellings

LATENCY, CONCURRENCY = 0.2, 4
MESSAGE = ef.Message("Cam on quy khach!", "Baotrixemay")
_names = count()


def serve(latency: float, ready: Any) -> None:
    """Be a gateway until told otherwise."""
    with ef.Sandbox(latency=latency, report_delay=0, balance=10**12) as sandbox:
        ready.send((sandbox.url, sandbox.api_key, sandbox.secret_key))
        ready.recv()


@contextmanager
def gateway(latency: float = 0.0) -> Iterator[tuple[str, tuple[str, str]]]:
    """Run a gateway in another process; its address and keys."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(latency, there))
    process.start()
    url, *keys = here.recv()
    try:
        yield url, tuple(keys)
    finally:
        here.send("stop")
        process.join()


def rows(n: int) -> Iterator[Row]:
    """Measure with n rows, and the first with a fifth of them."""
    customers = pd.DataFrame({"sdt": spellings.mixed(n)})
    few = customers.iloc[: max(n // 5, 100)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        def send(client: ef.Client, some: pd.DataFrame) -> pd.DataFrame:
            name = f"campaign {next(_names)}"
            journal = ef.Journal(Path(folder) / f"{name}.sqlite")
            try:
                options = {"concurrency": CONCURRENCY, "rate": None, "progress": False}
                return ef.send(some, MESSAGE, client, campaign=name, journal=journal, **options)
            finally:
                journal.close()

        with gateway() as (url, keys), ef.Client(*keys, base_url=url) as client:
            ours = median(lambda: send(client, few))
            theirs = median(lambda: row_by_row.send(few, url, keys, str(next(_names))))
            yield Row(
                f"send, {len(few):,} rows, gateway without latency",
                "libphonenumber, drop_duplicates, ElementTree, requests.post",
                ours,
                theirs,
                ">= 4 faster",
                is_faster=True,
            )
            results = send(client, customers)
            name = f"campaign {next(_names) - 1}"
            journal = Path(folder) / f"{name}.sqlite"
            tracked = ef.track(results, client, rate=None, progress=False)
            work = {
                "send again, all of them sent before": lambda: ef.send(
                    customers, MESSAGE, client, campaign=name, journal=journal, rate=None, progress=False
                ),
                "results, from the journal": lambda: ef.results(name, journal=journal),
                "results, of the customers": lambda: ef.results(name, customers, journal=journal),
                "track, gateway without latency": lambda: ef.track(results, client, rate=None, progress=False),
                "summarize": lambda: ef.summarize(tracked),
            }
            for what, step in work.items():
                yield Row(f"{what}, {n:,} rows", "", median(step), None, "<= 5 s")
        with gateway(LATENCY) as (url, keys), ef.Client(*keys, base_url=url) as client:
            requests = results["batch"].max()
            ours = median(lambda: send(client, customers))
            yield Row(
                f"send, {n:,} rows, gateway that takes 200 ms",
                f"{requests} requests x 200 ms / {CONCURRENCY}",
                ours,
                requests * LATENCY / CONCURRENCY,
                "<= 1.3",
            )


if __name__ == "__main__":
    show(rows(rows_asked()))
