"""Say the package's own sentences in the language of a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.errors import EsmsError

if TYPE_CHECKING:
    from esms_frames.widgets.labels import Words


def told(found: Exception | str, words: Words) -> str:
    """Say an error or a sentence for people."""
    if isinstance(found, Exception) and not isinstance(found, EsmsError):
        return words("error_unexpected", kind=type(found).__name__)
    return str(found)
