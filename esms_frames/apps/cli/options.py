"""Options that several commands have, and what they do about files and tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esms_frames.base.errors import InvalidFile, visible
from esms_frames.base.language.catalogue import translate
from esms_frames.journal.database.address import hide
from esms_frames.recipients.files.paths import existing_file
from esms_frames.reporting.files import check_writable

if TYPE_CHECKING:
    import pandas as pd

    _Kind = click.ParamType[Path]
else:
    _Kind = click.ParamType


def is_path(text: str) -> bool:
    """Return whether a file or folder is at a path; False for a path that can't exist."""
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


class CustomerFile(_Kind):
    """A file of this machine; anything else is an error of one sentence."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            return existing_file(value)
        except InvalidFile as error:
            self.fail(translate(error, surface="cli"), param, ctx)


phone_option = click.option(
    "--phone", metavar="COLUMN", help="The column of phone numbers; found by itself if left out."
)
output_option = click.option(
    "--output",
    metavar="FILE",
    help="Where to write the results, .csv, .xlsx or .parquet; results.csv if left out, or results-2.csv and so on.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the output file if it is there already.")


def _read_address(context: click.Context, option: click.Parameter, journal: str | None) -> Any:  # noqa: ARG001 - click's
    """Read the journal's address, and hide its password from tracebacks."""
    return hide(journal)


def _check_journal(context: click.Context, option: click.Parameter, journal: str | None) -> Any:  # noqa: ARG001 - click's
    """Check that a journal which is only read exists: a new one would be empty, and look like an answer."""
    if journal is not None and "://" not in journal and not is_path(journal):
        raise InvalidFile("There is no journal {journal}: check the path.", journal=visible(journal))
    return hide(journal)


journal_option = click.option(
    "--journal",
    metavar="FILE",
    callback=_read_address,
    help="The journal, a file or the URL of a database; by default ESMS_JOURNAL, or your own.",
)
old_journal_option = click.option(
    "--journal",
    metavar="FILE",
    callback=_check_journal,
    help="The journal, a file or the URL of a database; by default ESMS_JOURNAL, or your own.",
)


def choose_output(output: str | None, overwrite: bool, source: Path | None = None) -> Path:
    """Choose the file to write to: never the one that was read, and an existing one only with --overwrite."""
    if output is None:
        names = ("results.csv", *(f"results-{n}.csv" for n in range(2, 10_000)))
        return check_writable(next(name for name in names if not os.path.lexists(name)))
    path = check_writable(output)
    if source is not None and path.exists() and path.samefile(source):
        raise InvalidFile("{output} is the file that is read: name another --output.", output=visible(output))
    if os.path.lexists(path) and not overwrite:  # a link that leads nowhere is there too
        raise InvalidFile(
            "{output} is there already: name another --output, or add --overwrite.", output=visible(output)
        )
    return path


def echo(text: object = "", *, err: bool = False) -> None:
    """Print text that may hold text of others, with terminal escapes made visible."""
    click.echo(visible(text, lines=True), err=err)


def show(frame: pd.DataFrame) -> None:
    echo(frame.to_string(index=False, max_colwidth=24, na_rep="", line_width=10_000))
