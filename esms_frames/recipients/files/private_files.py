"""Make files and folders that only their owner can read, and remove those that a killed run has left."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

_LEFT = re.compile(r"\.esms-[0-9a-f]{16}\.(?:csv|xlsx|parquet)")
_OLD = 3600.0  # seconds; nothing takes so long to be written
_folders: dict[tuple[int, Path], Path] = {}


def make_beside(target: Path) -> Path:
    """Make an empty file beside another, which only its owner can read.

    Raises
    ------
    OSError
        When it can't be made there.
    """
    beside = target.with_name(f".esms-{secrets.token_hex(8)}{target.suffix.lower()}")
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return beside


def sweep(folder: Path) -> None:
    """Remove the files of `make_beside` that have been in a folder for over an hour: their run was killed."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _LEFT.fullmatch(entry.name):
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > _OLD:
                        Path(entry.path).unlink()


def own_folder(parent: Path) -> Path:
    """Return a folder within another that only this process' owner can look into, the same for the whole process.

    Raises
    ------
    OSError
        When it can't be made there.
    """
    key = (os.getpid(), parent.resolve())
    if key not in _folders or not _folders[key].is_dir():
        _folders[key] = Path(mkdtemp(prefix="esms-downloads-", dir=key[1]))
    return _folders[key]
