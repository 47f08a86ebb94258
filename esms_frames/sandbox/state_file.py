"""Keep a sandbox's account in a file, so that it is the same account after a restart."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esms_frames.base.errors import InvalidFile
from esms_frames.messages.limits import SmsType
from esms_frames.sandbox.reports import Send

if TYPE_CHECKING:
    from collections.abc import Mapping


_FIRST = b'{"api_key": '
_PRIVATE = 0o600  # the file contains keys and numbers


class StateFile:
    """A file of lines: the account's keys, then one line for each accepted request or for new keys.

    Lines are only appended, and the file is never replaced, so a killed process leaves no other files. If it left an
    unfinished last line, that line is removed when the file is read again.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.first_key = ""
        """The account's first ApiKey, once the file is loaded."""

    def load(self, api_key: str | None, secret_key: str | None, fresh: tuple[str, str]) -> tuple[str, str, list[Send]]:
        """Read the keys and the sends of the file.

        Parameters
        ----------
        api_key, secret_key : str, optional
            The account's new keys, if they are to replace those in the file.
        fresh : (str, str)
            The keys for a new file, if no others are passed.

        Returns
        -------
        (str, str, list of Send)
            ApiKey, SecretKey and the requests accepted so far.

        Raises
        ------
        InvalidFile
            When the file is something else, or can't be read and written; the file is not changed.
        """
        try:
            lines, torn = self._lines()
            entries = [json.loads(line) for line in lines]
            known = [(entry["api_key"], entry["secret_key"]) for entry in entries if "api_key" in entry]
            sends = [_send(entry) for entry in entries if "api_key" not in entry]
            if entries and "api_key" not in entries[0]:
                raise KeyError("api_key")  # noqa: TRY301 - as where a key is missing
            with suppress(PermissionError):  # the file belongs to another user
                self._path.chmod(_PRIVATE)
            if torn:
                os.truncate(self._path, sum(map(len, lines)))
            was = known[-1] if known else fresh
            keys = (api_key or was[0], secret_key or was[1])
            self.first_key = known[0][0] if known else keys[0]
            if not known or keys != was:
                self._append({"api_key": keys[0], "secret_key": keys[1]})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InvalidFile(
                "{path} can't be used as the state of a sandbox: name a file that a sandbox wrote, or a new one.",
                path=str(self._path),
            ) from None
        return *keys, sends

    def add(self, send: Send) -> None:
        """Append an accepted request to the file, before it is answered."""
        self._append(asdict(send))

    def _lines(self) -> tuple[list[bytes], bytes]:
        """Read the finished lines, and an unfinished one that a killed process left."""
        if not self._path.exists():
            with open(self._path, "x", encoding="utf-8", opener=_private):
                return [], b""
        lines = self._path.read_bytes().splitlines(keepends=True)
        torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""  # its request was not answered either
        if torn and not lines and not torn.startswith(_FIRST[: len(torn)]):
            raise ValueError("it is no state")
        return lines, torn

    def _append(self, fields: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(fields, default=str, ensure_ascii=False) + "\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _PRIVATE)


def _send(fields: Mapping[str, Any]) -> Send:
    moments = {name: datetime.fromisoformat(fields[name]) for name in ("accepted_at", "send_at")}
    return Send(**{**fields, **moments, "phones": tuple(fields["phones"]), "sms_type": SmsType(fields["sms_type"])})
