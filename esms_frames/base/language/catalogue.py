"""Translate sentences by the catalogues in ``locale``, which gettext reads."""

from __future__ import annotations

import gettext
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from esms_frames.base.language.options import options
from esms_frames.base.wording import Sentence, fill, recall

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "esms_frames"
"""The name of the catalogues' files, ``.po`` as written by people and ``.mo`` as compiled for gettext."""


def phrase(template: str, /, **values: object) -> str:
    """Write a text for people in the language of `ef.options`.

    Examples
    --------
    >>> phrase("{count} characters", count=1200)
    '1,200 characters'
    """
    return _write(template, values, options.lang, None)


def translate(text: object, language: str | None = None, surface: str | None = None) -> str:
    """Return a sentence in a language; in English, as it stands, where its catalogue has no translation.

    Parameters
    ----------
    text : object
        A `Sentence`, an error of this package, or the text of a sentence that this process has written or read.
    language : {"en", "vi"}, optional
        The language; that of `ef.options` by default.
    surface : str, optional
        Where it is shown, as in `find_translation`.
    """
    return find_translation(text, language or options.lang, surface) or str(text)


def find_translation(text: object, language: str, surface: str | None = None) -> str | None:
    """Return a sentence in a language, or None where its catalogue has no translation.

    Parameters
    ----------
    text : object
        As in `translate`.
    language : {"en", "vi"}
        The language.
    surface : str, optional
        Where the sentence is shown, ``"form"`` or ``"cli"``: the context of translations that hold there only. Without one
        for it, the translation for all surfaces is taken.
    """
    sentence = recall(getattr(text, "_sentence", None) or (text if isinstance(text, str) else str(text)))
    translated = _look_up(sentence.template, language, surface)
    if translated is None and not any(isinstance(value, Sentence) for value in sentence.values.values()):
        return None
    return _write(sentence.template, sentence.values, language, surface)


def _write(template: str, values: Mapping[str, object], language: str, surface: str | None) -> str:
    """Write values into the translation of a template; what is a sentence among them is translated as well."""

    def write(name: str, value: object) -> object:
        is_sentence = isinstance(value, Sentence) or name.endswith("_text")
        return (find_translation(value, language, surface) or value) if is_sentence else value

    return fill(_look_up(template, language, surface) or template, values, language, write)


def find_label(key: str, label: str, language: str) -> str:
    """Return a label of a form in a language, by its key; in English where its catalogue has none."""
    return _catalogue(language).pgettext(f"label {key}", label)


def _look_up(template: str, language: str, surface: str | None) -> str | None:
    catalogue = _catalogue(language)
    texts = [catalogue.pgettext(surface, template)] if surface else []
    return next((text for text in (*texts, catalogue.gettext(template)) if text != template), None)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    file = files(__package__) / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
    try:
        with file.open("rb") as stream:
            return gettext.GNUTranslations(stream)
    except FileNotFoundError:  # sources that were never built speak English
        return gettext.NullTranslations()
