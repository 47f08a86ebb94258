"""Decide what the bytes of a text file most likely are, and decode them; pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_KINDS = {
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "a workbook or ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"{\\rtf": "a document of a word processor",
}
_PAGE = re.compile(
    r"(?:\s|<!--.*?-->)*<(?:!doctype\b|\?xml\b|(?:html|head|meta|title|link|script|style|body|div|form|h[1-6]|p|table)[\s>/])",
    re.IGNORECASE | re.DOTALL,
)
_JSON = re.compile(r"\s*(?:\{\s*(?:\}|\"[^\"\n]*\"\s*:)|\[\s*\{)")
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1f\x7f\ufffd]")
_HEAD = 4000
_MARGIN = 3  # letters of UTF-8 for each byte that is none


@dataclass(frozen=True)
class Decoded:
    """The text of a file, and how it came about.

    Attributes
    ----------
    text : str
        The text, without a byte order mark.
    is_marked : bool
        Whether it began with the mark by which Excel knows UTF-8.
    is_guessed : bool
        Whether it is read as Windows-1258 for want of a better reading.
    bad_bytes : int
        How many bytes of a UTF-8 file are none; each is a ``�`` in the text.
    bad_line : int
        The line of the first of them, from 1.
    bad_byte : int
        The first of them.
    """

    text: str
    is_marked: bool = False
    is_guessed: bool = False
    bad_bytes: int = 0
    bad_line: int = 0
    bad_byte: int = 0


def name_kind(data: bytes) -> str | None:
    """Return what a file is if it is no text; None for text.

    Examples
    --------
    >>> name_kind(b"%PDF-1.7"), name_kind(b"ten,sdt")
    ('a PDF document', None)
    """
    return next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)


def is_page(text: str) -> bool:
    """Return whether a text is a web page."""
    return _PAGE.match(text[:_HEAD]) is not None


def is_json(text: str) -> bool:
    """Return whether a text is JSON, as a web service answers where it has no table."""
    return _JSON.match(text[:_HEAD]) is not None


def decode(data: bytes) -> Decoded | None:
    """Decode a text file by what it most likely is; None where it is no text.

    A byte order mark decides; then zero bytes, which UTF-16 and UTF-32 have between letters; then whether letters are
    written as UTF-8 writes them. Where nearly all are, the few others are damaged. Windows-1258 is the last resort.

    Examples
    --------
    >>> decode("Huế".encode()).text, decode("Huế".encode("utf-32")).text
    ('Huế', 'Huế')
    """
    encoding = _wide_encoding(data)
    if encoding is not None:
        try:
            return _if_text(Decoded(data.decode(encoding)))
        except UnicodeDecodeError:
            return None
    marked = data.startswith(b"\xef\xbb\xbf")
    data = data[3:] if marked else data
    try:
        return _if_text(Decoded(data.decode("utf-8"), marked))
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "surrogateescape")
    bad = re.findall("[\udc80-\udcff]", text)
    letters = len(re.findall("[^\x00-\x7f\udc80-\udcff]", text))
    if marked or letters >= _MARGIN * len(bad):
        first = text.index(bad[0])
        line = 1 + len(re.findall(r"\r\n|\r|\n", text[:first]))
        whole = re.sub("[\udc80-\udcff]", "\ufffd", text)
        return Decoded(whole, marked, bad_bytes=len(bad), bad_line=line, bad_byte=ord(bad[0]) - 0xDC00)
    return _if_text(Decoded(unicodedata.normalize("NFC", data.decode("cp1258", "replace")), is_guessed=True))


def _wide_encoding(data: bytes) -> str | None:
    """Find out whether a text is UTF-16 or UTF-32, by its mark or the zero bytes between its letters."""
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = data[:2000]
    zeros = head.count(0)
    if zeros > 0.55 * len(head):
        return "utf-32-le" if data[3:4] == b"\x00" else "utf-32-be"
    if zeros > len(head) // 4:
        return "utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"
    return None


def _if_text(decoded: Decoded) -> Decoded | None:
    head = decoded.text[:_HEAD]
    return None if len(_CONTROLS.findall(head)) > len(head) // 10 else decoded
