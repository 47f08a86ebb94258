"""Hand a frame out of a notebook or page as a CSV file: a link that holds it, or for a large one a file on disk."""

from __future__ import annotations

import base64
import html
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from esms_frames.base import clock
from esms_frames.base.errors import InvalidFile, visible
from esms_frames.recipients.files.private_files import own_folder
from esms_frames.reporting.files import csv_bytes, write_results

if TYPE_CHECKING:
    import os

    import pandas as pd


LINKED_BYTES = 3 * 2**20
"""The largest file that a link holds: browsers and saved notebooks carry it without trouble."""

_LINKED_ROWS = LINKED_BYTES // 20  # a row of results is longer than that, so more of them need not be tried


@dataclass(frozen=True)
class Download:
    """A CSV file to hand out.

    Attributes
    ----------
    name : str
        Its name, with the time of making (Vietnam's) in it, and a part that no other file has.
    rows, size : int
        How many rows and bytes it has.
    path : Path or None
        Where it was written, if it was too large for a link.
    """

    name: str
    rows: int
    size: int
    path: Path | None
    content: bytes | None = field(repr=False)

    def link(self, text: str) -> str:
        """Write the link that holds the file, as HTML."""
        data = base64.b64encode(self.content or b"").decode("ascii")
        return (
            f'<a download="{html.escape(self.name)}" href="data:text/csv;charset=utf-8;base64,{data}" '
            f'style="text-decoration:underline">⤓ {html.escape(text)}</a>'
        )


def offer_csv(frame: pd.DataFrame, stem: str, *, folder: str | os.PathLike[str] | None = None) -> Download:
    """Make a frame a CSV file as `write_results` writes it, to be handed out.

    Parameters
    ----------
    frame : DataFrame
        What is handed out.
    stem : str
        What the name of the file begins with.
    folder : str or path-like, optional
        Where a file over `LINKED_BYTES` is written; by default a folder within the current one, which a notebook shows,
        that is this process' own and only its owner can look into.

    Returns
    -------
    Download
        With `path` set where it was written to disk.

    Raises
    ------
    InvalidFile
        When it can't be written there.

    Examples
    --------
    >>> import pandas as pd
    >>> offered = offer_csv(pd.DataFrame({"status": ["accepted"]}), "results")
    >>> offered.rows, offered.path
    (1, None)
    """
    if len(frame) <= _LINKED_ROWS:
        linked = linked_csv(frame, stem)
        if linked.size <= LINKED_BYTES:
            return linked
    return written_csv(frame, stem, folder=folder)


def linked_csv(frame: pd.DataFrame, stem: str) -> Download:
    """Make a frame a CSV file that a link holds, whatever its size."""
    content = csv_bytes(frame)
    return Download(_named(stem), len(frame), len(content), None, content)


def written_csv(frame: pd.DataFrame, stem: str, *, folder: str | os.PathLike[str] | None = None) -> Download:
    """Write a frame as a CSV file to disk, by default into a folder of this process within the current one."""
    name = _named(stem)
    path = write_results(frame, Path(folder or _folder()) / name)
    return Download(name, len(frame), path.stat().st_size, path, None)


def _folder() -> Path:
    """Return the folder of this process' downloads."""
    parent = Path.cwd()
    try:
        return own_folder(parent)
    except OSError:
        raise InvalidFile(
            "The folder {folder} is not there or can't be written to: choose another.", folder=f"'{visible(parent)}'"
        ) from None


def _named(stem: str) -> str:
    return f"{stem}-{clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}.csv"
