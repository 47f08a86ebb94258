"""The settings of a process: the language of all that is shown."""

from __future__ import annotations

import os

from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import shown

LANGUAGES = ("en", "vi")
_VARIABLE = "ESMS_LANG"


class Options:
    """Settings of this process: ``ef.options.lang`` is the language of all that is shown, ``"en"`` or ``"vi"``.

    It holds for the reprs of audiences and plans, for plots, for the command line and for the reasons in exported files;
    without it, the environment variable ``ESMS_LANG`` does, and else they are English. The forms have a ``lang`` of their
    own. Columns, statuses and the reasons in frames are data, and English in any language.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> ef.options.lang = "vi"
    >>> ef.prepare(pd.DataFrame({"phone": ["0901888484"] * 2}), min_batch=0)
    <Audience: Nhắn tin được cho 1 trong 2 dòng, trong 1 lô gồm 1 số; số lấy từ cột 'phone'>
      ...
    >>> ef.options.lang = "en"
    """

    def __init__(self) -> None:
        self._lang: str | None = None

    @property
    def lang(self) -> str:
        """The language, ``"en"`` or ``"vi"``; InvalidInput where ``ESMS_LANG`` names another."""
        if self._lang is None:
            self._lang = checked_language(os.environ.get(_VARIABLE) or "en", _VARIABLE)
        return self._lang

    @lang.setter
    def lang(self, lang: str) -> None:
        self._lang = checked_language(lang, "lang")

    def __repr__(self) -> str:
        return f"<Options: lang={self.lang!r}>"


def checked_language(lang: object, name: str) -> str:
    """Check that there is a language of a name."""
    if not isinstance(lang, str) or lang not in LANGUAGES:
        raise InvalidInput("{name} is {lang}: choose 'en' or 'vi'.", name=name, lang=shown(lang))
    return lang


options = Options()
