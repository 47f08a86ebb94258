"""Files of customers that tests write."""

from __future__ import annotations


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path
