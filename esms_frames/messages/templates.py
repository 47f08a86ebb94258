"""Check whether a text fits a registered customer-care template, and find where it stops fitting."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING

from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import Sentence

if TYPE_CHECKING:
    from collections.abc import Callable


_VARIABLE = re.compile(r"\{P[0-9]{1,9},([0-9]{1,9})\}")
_SHOWN = 20


@dataclass(frozen=True)
class Template:
    """A registered text in which some parts may vary.

    Attributes
    ----------
    template_id : int
        The network's number for the template.
    network : str or None
        The network it is registered with, named as in `normalize_phones`; None if the gateway names another network.
    content : str
        The text; ``{P1,20}`` stands for at most 20 characters of any kind.

    Examples
    --------
    >>> template = Template(458, "iTel", "{P1,20} la ma xac minh cua ban")
    >>> bool(fits("2803 la ma xac minh cua ban", [template]))
    True
    """

    template_id: int
    network: str | None
    content: str


@dataclass(frozen=True)
class Fit:
    """The result of `fits`: whether a text fits a registered template and, if not, where it stops fitting the nearest one.

    It is true in a condition if the text fits.

    Attributes
    ----------
    fits : bool
        Whether the whole text fits the template.
    template : Template or None
        The template that fits, or the nearest one; None if there are no templates.
    position : int or None
        Where the text stops fitting: how many of its first characters (in Unicode's composed form, as `Message` keeps
        them) fit the template. None if the whole text fits or there is no template.
    expected, found : str
        A few characters of the template and of the text from that position on; empty at their ends.
    """

    fits: bool
    template: Template | None = None
    position: int | None = None
    expected: str = ""
    found: str = ""

    def __bool__(self) -> bool:
        return self.fits

    @property
    def sentence(self) -> str:
        """The result for people, in one sentence."""
        if self.template is None:
            return Sentence("There is no registered template that the text could fit: register one with eSMS.")
        if self.fits:
            return Sentence("The text fits the registered template {template}.", template=repr(self.template.content))
        one = self.position == 1
        place = Sentence("1 character") if one else Sentence("{count} characters", count=self.position)
        nearest = {"template": repr(self.template.content), "place_text": place}
        if not self.expected:
            return Sentence(
                "The text fits no registered template: the nearest, {template}, has the end of the text after "
                "{place_text}, where the text has {found}.",
                found=repr(self.found),
                **nearest,
            )
        if self.found:
            return Sentence(
                "The text fits no registered template: the nearest, {template}, has {expected} after {place_text}, where "
                "the text has {found}.",
                expected=repr(self.expected),
                found=repr(self.found),
                **nearest,
            )
        return Sentence(
            "The text fits no registered template: the nearest, {template}, has {expected} after {place_text}, where the "
            "text ends.",
            expected=repr(self.expected),
            **nearest,
        )


def fits(content: str, templates: Iterable[Template]) -> Fit:
    """Find the registered template that a customer-care text fits, or the nearest one.

    Letters are compared exactly, with case and accents, in Unicode's composed form (NFC). A variable may contain any
    characters, including line breaks, and may be empty. The gateway's documentation says only how many characters a
    variable may have at most, so the gateway decides in the end, with its code 146. Braces that are not a variable are
    plain text.

    Parameters
    ----------
    content : str
        The text of a message.
    templates : iterable of Template
        The templates of its brandname, as returned by `Client.templates`.

    Returns
    -------
    Fit
        True if the text fits; otherwise it says where the text stops fitting the nearest template. The nearest template
        is the one that fits the longest beginning of the text; among equals it has the most words in common.

    Raises
    ------
    InvalidInput
        When `content` is not text, or `templates` are not templates.

    Notes
    -----
    The time grows at most with the product of the two lengths, however many variables there are.

    Examples
    --------
    >>> template = Template(458, "iTel", "{P1,20} la ma xac minh dang ky Baotrixemay cua ban")
    >>> bool(fits("2803 la ma xac minh dang ky Baotrixemay cua ban", [template]))
    True
    >>> fit = fits("2803 la ma xac minh dang nhap Baotrixemay cua ban", [template])
    >>> fit.position, fit.expected, fit.found
    (25, 'ky Baotrixemay cua b', 'nhap Baotrixemay cua')
    """
    if not isinstance(content, str):
        raise InvalidInput("content must be text, not {kind}: pass message.content.", kind=type(content).__name__)
    registered = list(templates) if isinstance(templates, Iterable) else [None]
    if not all(isinstance(template, Template) for template in registered):
        raise InvalidInput("templates is no list of Templates: pass what client.templates(brandname) gives.")
    content = unicodedata.normalize("NFC", content)

    @cache
    def positions(character: str) -> int:
        return int("".join("1" if other == character else "0" for other in reversed(content)) or "0", 2)

    nearest: tuple[int, float] = (-1, -1.0)
    best = Fit(fits=False)
    for template in filter(None, registered):
        position, expected = _scan(template.content, positions, len(content))
        if position is None:
            return Fit(fits=True, template=template)
        if position < nearest[0]:
            continue
        rank = position, _likeness(template.content, content)
        if rank > nearest:
            nearest = rank
            found = content[position : position + _SHOWN]
            best = Fit(fits=False, template=template, position=position, expected=expected, found=found)
    return best


def _scan(template: str, positions: Callable[[str], int], length: int) -> tuple[int | None, str]:
    """Return how far a text fits a template (None: to the end of both), and what the template has there.

    Shift-and matching (Baeza-Yates and Gonnet, 1992): bit i of `reached` is set if the part of the template read so far
    can match the first i characters of the text. `positions` returns one bit for each position of a character.
    """
    text = unicodedata.normalize("NFC", template)
    reached, furthest, rest = 1, 0, 0
    for start, end, room in _pieces(text):
        reached = (
            _step(reached, positions(text[start])) if room is None else _spread(reached, min(room, length), length)
        )
        if not reached:
            break
        if (far := reached.bit_length() - 1) >= furthest:
            furthest, rest = far, end
    else:
        if reached >> length & 1:
            return None, ""
    return furthest, text[rest : rest + _SHOWN]


def _pieces(text: str) -> Iterable[tuple[int, int, int | None]]:
    """Split a template into characters and variables: the start and end of each, and a variable's room."""
    position = 0
    for variable in _VARIABLE.finditer(text):
        yield from ((at, at + 1, None) for at in range(position, variable.start()))
        yield variable.start(), variable.end(), int(variable[1])
        position = variable.end()
    yield from ((at, at + 1, None) for at in range(position, len(text)))


def _step(bits: int, positions: int) -> int:
    """Return the positions after one character."""
    return (bits & positions) << 1


def _spread(bits: int, room: int, length: int) -> int:
    """Return the positions after up to `room` characters of any kind, up to the end of the text."""
    done = 0
    while done < room:
        step = min(done + 1, room - done)
        bits |= bits << step
        done += step
    return bits & (1 << length + 1) - 1


def _likeness(template: str, content: str) -> float:
    return SequenceMatcher(None, template.split(), content.split(), autojunk=False).ratio()
