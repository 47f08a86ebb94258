"""Registered customer-care templates: whether a text fits one, and where it stops fitting."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING

from esms_frames.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE = re.compile(r"\{P[0-9]{1,9},([0-9]{1,9})\}")
_SHOWN = 20


@dataclass(frozen=True)
class Template:
    """A registered text, of which some parts may vary.

    Attributes
    ----------
    template_id : int
        The network's number of it.
    network : str or None
        The network that it is registered with, named as in `normalize_phones`; None where the gateway names another.
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
    """Whether a text fits a registered template, and if not, where it stops fitting the nearest one.

    True in a condition where it fits.

    Attributes
    ----------
    fits : bool
        Whether the whole text is a filling of the template.
    template : Template or None
        The template that fits, or the nearest; None where there are no templates.
    position : int or None
        Where the text stops fitting: how many of its first characters (in Unicode's composed form, as `Message` keeps
        them) some filling of the template begins with. None where it fits, and where there is no template.
    expected, found : str
        A few characters of the template and of the text from there on; empty at their ends.
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
        """What to tell people, in one sentence."""
        if self.template is None:
            return "There is no registered template that the text could fit: register one with eSMS."
        if self.fits:
            return f"The text fits the registered template {self.template.content!r}."
        after = f"{self.position} character{'' if self.position == 1 else 's'}"
        expected = repr(self.expected) if self.expected else "the end of the text"
        found = f"the text has {self.found!r}" if self.found else "the text ends"
        return (
            f"The text fits no registered template: the nearest, {self.template.content!r}, has {expected} after {after}, "
            f"where {found}."
        )


def fits(content: str, templates: Iterable[Template]) -> Fit:
    """Look for the registered template that a customer-care text fits, or for the nearest one.

    Letters are compared in Unicode's composed form (NFC), exactly, with case and accents. A variable may be filled
    with any characters, line breaks too, and may be empty: the gateway's documentation says no more of it than how
    many characters it may have at most, so the gateway has the last word, by its code 146. What stands in braces and
    is no variable is text.

    Parameters
    ----------
    content : str
        The text of a message.
    templates : iterable of Template
        The templates of its brandname, as `Client.templates` gives them.

    Returns
    -------
    Fit
        True where the text fits; otherwise it says where the text stops fitting the nearest template. That is the one
        with which the text begins for the longest, and among equals the one with the most words in common.

    Raises
    ------
    InvalidInput
        When `content` is no text, or `templates` are none.

    Notes
    -----
    The time grows with the product of the two lengths at most, however many variables there are.

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
        raise InvalidInput(f"content must be text, not {type(content).__name__}: pass message.content.")
    registered = list(templates) if isinstance(templates, Iterable) else [None]
    if not all(isinstance(template, Template) for template in registered):
        raise InvalidInput("templates is no list of Templates: pass what client.templates(brandname) gives.")
    content = unicodedata.normalize("NFC", content)

    @cache
    def places(character: str) -> int:
        return int("".join("1" if other == character else "0" for other in reversed(content)) or "0", 2)

    nearest: tuple[int, float] = (-1, -1.0)
    best = Fit(fits=False)
    for template in filter(None, registered):
        position, expected = _scan(template.content, places, len(content))
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


def _scan(template: str, places: Callable[[str], int], length: int) -> tuple[int | None, str]:
    """Tell how far a text fits a template (None: to the end of both), and what the template has there.

    Shift-and matching (Baeza-Yates and Gonnet, 1992): bit i of `reached` says that the part of the template read so
    far can be filled to be the first i characters of the text; `places` gives a bit for each place of a character.
    """
    text = unicodedata.normalize("NFC", template)
    reached, furthest, rest = 1, 0, 0
    for start, end, room in _pieces(text):
        reached = _step(reached, places(text[start])) if room is None else _spread(reached, min(room, length), length)
        if not reached:
            break
        if (far := reached.bit_length() - 1) >= furthest:
            furthest, rest = far, end
    else:
        if reached >> length & 1:
            return None, ""
    return furthest, text[rest : rest + _SHOWN]


def _pieces(text: str) -> Iterable[tuple[int, int, int | None]]:
    """Take a template apart into characters and variables: from where to where each is, and a variable's room."""
    place = 0
    for variable in _VARIABLE.finditer(text):
        yield from ((at, at + 1, None) for at in range(place, variable.start()))
        yield variable.start(), variable.end(), int(variable[1])
        place = variable.end()
    yield from ((at, at + 1, None) for at in range(place, len(text)))


def _step(bits: int, places: int) -> int:
    """Go past one character, from where it stands."""
    return (bits & places) << 1


def _spread(bits: int, room: int, length: int) -> int:
    """Go past up to `room` characters, whatever they are, and not past the end of the text."""
    done = 0
    while done < room:
        step = min(done + 1, room - done)
        bits |= bits << step
        done += step
    return bits & (1 << length + 1) - 1


def _likeness(template: str, content: str) -> float:
    return SequenceMatcher(None, template.split(), content.split(), autojunk=False).ratio()
