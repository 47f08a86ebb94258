"""Options that several commands have, and what they do about files and tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esms_frames.errors import InvalidFile
from esms_frames.files import check_writable

if TYPE_CHECKING:
    import pandas as pd

phone_option = click.option(
    "--phone", metavar="COLUMN", help="The column of phone numbers; found by itself if left out."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the output file if it is there already.")


def _there(context: click.Context, option: click.Parameter, journal: str | None) -> str | None:  # noqa: ARG001 - click's
    """Check that a journal which is only looked into is there; a new one would say of anything that there is nothing."""
    if journal is not None and "://" not in journal and not Path(journal).expanduser().exists():
        raise InvalidFile(f"There is no journal {journal}: check the path.")
    return journal


journal_option = click.option(
    "--journal",
    metavar="FILE",
    help="The journal, a file or the URL of a database; by default ESMS_JOURNAL, or your own.",
)
old_journal_option = click.option(
    "--journal",
    metavar="FILE",
    callback=_there,
    help="The journal, a file or the URL of a database; by default ESMS_JOURNAL, or your own.",
)


def chosen(output: str | None, overwrite: bool, source: Path | None = None) -> Path:
    """Choose the file to write to, which is never the one that was read, nor one that is there unless that is asked."""
    if output is None:
        names = ("results.csv", *(f"results-{n}.csv" for n in range(2, 10_000)))
        return check_writable(next(name for name in names if not Path(name).exists()))
    path = check_writable(output)
    if source is not None and path.exists() and path.samefile(source):
        raise InvalidFile(f"{output} is the file that is read: name another --output.")
    if path.exists() and not overwrite:
        raise InvalidFile(f"{output} is there already: name another --output, or add --overwrite.")
    return path


def show(frame: pd.DataFrame) -> None:
    click.echo(frame.to_string(index=False, max_colwidth=24, na_rep="", line_width=10_000))
