"""Print what became of the rows, and write it to a file."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pandas as pd

from esms_frames.apps.cli.options import echo, show
from esms_frames.base.errors import InvalidFile
from esms_frames.base.language.catalogue import phrase, translate
from esms_frames.base.language.options import options
from esms_frames.base.wording import write_number
from esms_frames.reporting.files import write_results
from esms_frames.reporting.joined import join_customers

if TYPE_CHECKING:
    from esms_frames.recipients.audience import Audience


def show_results(customers: pd.DataFrame, audience: Audience, results: pd.DataFrame) -> None:
    """Show one row of each kind, and count the rows of each."""
    kinds = results.reset_index(drop=True).groupby(["status", "reason"], observed=True, dropna=False, sort=False)
    shown = (kinds.cumcount() < (1 if kinds.ngroups > 3 else 3)).to_numpy()
    names = dict.fromkeys([*customers.columns[:2], audience.column])
    show(
        join_customers(customers.loc[shown, list(names)], results.loc[shown, ["phone", "network", "status", "reason"]])
    )
    echo()
    show_counts(results)


def show_counts(results: pd.DataFrame) -> None:
    counted = results.groupby(["status", "reason"], observed=True, dropna=False).size().sort_values(ascending=False)
    for status, reason, rows in counted[counted > 0].reset_index().itertuples(index=False):
        what = translate(status) if pd.isna(reason) else f"{translate(status)}: {translate(reason)}"
        echo(f"  {write_number(rows, options.lang):>9}  {what}")


def write_or_keep(table: pd.DataFrame, path: Path) -> Path:
    """Write results; if that fails once all has been sent, keep them in the folder for temporary files."""
    try:
        return write_results(table, path)
    except InvalidFile as error:
        spare = Path(mkdtemp(prefix="esms-frames-")) / "results.csv"
        echo(phrase("Warning: {text}", text=translate(error, surface="cli")), err=True)
        return write_results(table, spare)


def is_on_a_terminal() -> bool:
    return sys.stderr.isatty()
