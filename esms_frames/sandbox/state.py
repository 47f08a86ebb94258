"""Keep a sandbox's account in a file, so that it can be stopped and found again as it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esms_frames.errors import InvalidFile
from esms_frames.message import SmsType
from esms_frames.sandbox.gateway import Send

if TYPE_CHECKING:
    import os


class StateFile:
    """A file of lines: first the account's keys, then one line for each request that was taken."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self, api_key: str, secret_key: str) -> tuple[str, str, list[Send]]:
        """Give the keys and the sends of the file; a new file begins with the keys that are handed in."""
        try:
            lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
            if not lines:
                self._append({"api_key": api_key, "secret_key": secret_key})
                return api_key, secret_key, []
            if not lines[-1].endswith(b"\n"):  # cut short by a crash, so it was not answered either
                lines.pop()
                self._path.write_bytes(b"".join(lines))
            keys, *rest = map(json.loads, lines)
            sends = [_send(fields) for fields in rest]
            return keys["api_key"], keys["secret_key"], sends
        except (OSError, ValueError, KeyError, TypeError):
            raise InvalidFile(
                f"{self._path} can't be used as the state of a sandbox: name a file that a sandbox wrote, or a new one."
            ) from None

    def add(self, send: Send) -> None:
        """Write down a request that was taken, before it is answered."""
        self._append(asdict(send))

    def _append(self, fields: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields, default=str, ensure_ascii=False) + "\n")


def _send(fields: dict[str, Any]) -> Send:
    moments = {name: datetime.fromisoformat(fields[name]) for name in ("accepted_at", "send_at")}
    return Send(**{**fields, **moments, "phones": tuple(fields["phones"]), "sms_type": SmsType(fields["sms_type"])})
