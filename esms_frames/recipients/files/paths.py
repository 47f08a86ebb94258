"""Check that what is handed in as a file is one of this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from esms_frames.base.errors import InvalidFile, visible
from esms_frames.base.wording import shown

ADDRESS = re.compile(r"[a-z][a-z0-9+.\-]+:/", re.IGNORECASE)
"""What an address on the web begins with; a drive of Windows has one letter."""


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Check that a path names a file of this machine; ``~`` stands for the user's folder.

    Raises
    ------
    InvalidFile
        When it does not, in one sentence.
    """
    try:
        text = os.fsdecode(path)
    except (TypeError, ValueError):
        raise InvalidFile("path is {path} and no path: name a file.", path=shown(path)) from None
    if ADDRESS.match(text):
        raise InvalidFile(
            "{text} is an address on the web: download the file, and name it on this machine.", text=visible(text)
        )
    try:
        found = Path(text).expanduser()
        is_there = found.is_file()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have
        is_there = False
    if not is_there:
        raise InvalidFile("There is no file '{text}': check the path.", text=visible(text))
    return found
