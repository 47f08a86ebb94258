"""Write the package's sentences in the language of a form, and in the words of one who sees no code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.base.errors import EsmsError
from esms_frames.base.language.catalogue import find_translation

if TYPE_CHECKING:
    from esms_frames.apps.forms.text.labels import Words


def told(found: Exception | str, words: Words) -> str:
    """Write an error or a sentence for people in one sentence of the form's language.

    Examples
    --------
    >>> from esms_frames.apps.forms.text.labels import Words
    >>> told("on the do-not-contact list", Words("vi"))
    'nằm trong danh sách không liên hệ'
    """
    if isinstance(found, Exception) and not isinstance(found, (EsmsError, Warning)):
        return words("error_unexpected", kind=type(found).__name__)
    translated = find_translation(found, words.lang, "form")
    if translated is not None:
        return translated
    text = str(found)
    return words("error_detail", problem=text) if words.lang != "en" and text.endswith(".") else text
