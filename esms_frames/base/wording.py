"""How values are written in messages for people."""

from __future__ import annotations

import json
import unicodedata
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PLAIN = (str, int, float, date, time, timedelta, type(None))  # datetime is a date
_LONGEST_SHOWN = 60  # characters
_REMEMBERED_AT_LEAST = 10_000  # sentences
_VIETNAMESE_SEPARATORS = str.maketrans(",.", ".,")


def shown(value: object) -> str:
    """Show in a sentence what was handed in: a plain value as it is, of anything else its kind alone.

    A table that was put in the wrong place is not printed into the error, for it holds people's numbers.

    Examples
    --------
    >>> print(shown("2030"), shown(None), shown(["0901888484"]))
    '2030' None a list
    """
    if not isinstance(value, _PLAIN):
        return f"a {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def mark(text: str) -> str:
    """Mark a constant text, or a template, as one that the catalogues translate; it is returned as it is."""
    return text


class Sentence(str):
    """English text for people that keeps the template and the values it was written from, to be written anew.

    Sentences are remembered by their text, the last some thousands of a process, for cells of frames hold text alone:
    `recall` finds one again.

    Parameters
    ----------
    template : str
        The sentence in English, with ``{names}`` where values stand. A text without values is taken literally.
    **values : object
        What the names stand for: numbers, text, another `Sentence`, or an error, of which its sentence is kept.

    Examples
    --------
    >>> left = Sentence("{count} of {rows} rows are left.", count=1200, rows=2000)
    >>> left, left.values["count"]
    ('1,200 of 2,000 rows are left.', 1200)
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Write the sentence in English."""
        kept = {name: _kept(value) for name, value in values.items()}
        sentence = super().__new__(cls, fill(template, kept))
        sentence.template, sentence.values = str(template), kept
        if kept:
            _remember(sentence)
        return sentence

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        """Return what the sentence is made from, for copies and pickles."""
        return (self.template,), dict(self.values)


_remembered: list[dict[str, Sentence]] = [{}, {}]
"""The latest sentences, and those before them."""


def _remember(sentence: Sentence) -> None:
    """Keep a sentence for `recall`, without a lock: one that Ctrl-C left taken would stop all that is said afterwards."""
    latest = _remembered[0]
    latest[str(sentence)] = sentence
    if len(latest) >= _REMEMBERED_AT_LEAST and latest is _remembered[0]:
        _remembered[:] = [{}, latest]


def recall(text: str) -> Sentence:
    """Find the sentence that this process has written as a text; of any other, the text is its own template."""
    if isinstance(text, Sentence):
        return text
    latest, earlier = _remembered
    return latest.get(text) or earlier.get(text) or Sentence(text)


def _kept(value: object) -> object:
    """Return a value as plain as it can be kept: a number, a sentence or text."""
    if isinstance(value, Sentence) or value is None:
        return value
    if isinstance(value, Exception):
        sentence = getattr(value, "_sentence", None)
        return sentence if isinstance(sentence, Sentence) else str(value)
    if isinstance(value, bool) or not isinstance(value, (Integral, Real, Decimal)):
        return str(value)
    return int(value) if isinstance(value, Integral) else float(value)


def write_sentence(sentence: Sentence) -> str:
    """Write a sentence to be kept: one without values as its text, any other as JSON that `read_sentence` reads.

    Examples
    --------
    >>> write_sentence(Sentence("Sent by another run, on {when}.", when="2030-01-31"))
    '{"template": "Sent by another run, on {when}.", "values": {"when": "2030-01-31"}}'
    """
    return json.dumps(_in_json(sentence), ensure_ascii=False) if sentence.values else str(sentence)


def _in_json(value: object) -> object:
    if not isinstance(value, Sentence):
        return value
    values = {name: _in_json(each) for name, each in value.values.items()}
    return {"template": value.template, "values": values}


def read_sentence(text: str) -> Sentence:
    """Read what `write_sentence` wrote; of any other text, the text is its own template.

    Examples
    --------
    >>> read_sentence('{"template": "{count} characters", "values": {"count": 1200}}')
    '1,200 characters'
    """
    if not text.startswith('{"template": '):
        return Sentence(text)
    try:
        sentence = _out_of_json(json.loads(text))
    except (ValueError, LookupError, TypeError):
        return Sentence(text)
    return sentence if isinstance(sentence, Sentence) else Sentence(text)


def _out_of_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    template, values = value["template"], value["values"]
    return Sentence(template, **{name: _out_of_json(each) for name, each in values.items()})


def fill(
    template: str, values: Mapping[str, Any], language: str = "en", write: Callable[[str, Any], Any] | None = None
) -> str:
    """Write values into a template; without values, the template is taken literally, braces included.

    Parameters
    ----------
    template : str
        Text with ``{names}``; a literal brace is doubled.
    values : mapping of str to object
        What the names stand for. Numbers are written as the language writes them.
    language : {"en", "vi"}, optional
        The language of the template.
    write : callable, optional
        Given the name and the value of each, returns what is to be written for it.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> fill("{count} recipients, {share} %", {"count": 1234, "share": 2.5})
    '1,234 recipients, 2.5 %'
    >>> fill("{count} người nhận, {share} %", {"count": 1234, "share": 2.5}, "vi")
    '1.234 người nhận, 2,5 %'
    """
    if not values:
        return template
    written = values if write is None else {name: write(name, value) for name, value in values.items()}
    return template.format_map({name: write_number(value, language) for name, value in written.items()})


def write_number(value: object, language: str) -> str:
    """Write a number with the separators of a language, and anything else as it is.

    Examples
    --------
    >>> write_number(1234.5, "en"), write_number(1234.5, "vi"), write_number("1,234", "vi")
    ('1,234.5', '1.234,5', '1,234')
    """
    if isinstance(value, bool) or not isinstance(value, (Integral, Real, Decimal)):
        return str(value)
    text = f"{value:,}"
    return text.translate(_VIETNAMESE_SEPARATORS) if language == "vi" else text


def strip_accents(text: str) -> str:
    """Write Vietnamese without its accents: ``Đặng Thị Thuỳ`` becomes ``Dang Thi Thuy``.

    Parameters
    ----------
    text : str
        Any text; letters of other scripts keep their form but lose their accents.

    Returns
    -------
    str
        The text without combining marks, and with ``đ`` and ``Đ`` as ``d`` and ``D``.

    Examples
    --------
    >>> strip_accents("Khuyến mãi đặc biệt")
    'Khuyen mai dac biet'
    """
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c) != "Mn"))
