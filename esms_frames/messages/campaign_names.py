"""Compare campaign names as a person would, and derive a campaign's name from its text."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

from esms_frames.base.wording import strip_accents


@lru_cache(maxsize=4096)
def campaign_key(name: str) -> str:
    r"""Return the key that all spellings of a campaign's name have in common.

    The key is the compatibility form (NFKC: full-width digits, ligatures and no-break blanks become plain ones), without
    case, with several blanks as one, and without invisible characters (Unicode's category Cf and variation selectors:
    zero-width blanks and joiners, soft hyphens, byte order marks, direction marks).

    >>> campaign_key(" TẾT\u00a0２０３０\u200b ") == campaign_key("tết 2030")
    True
    """
    return unicodedata.normalize("NFKC", fold_text(name).casefold())


def fold_text(text: str) -> str:
    r"""Return a text in the form used for comparison: compatibility form, single blanks, no invisible characters.

    >>> fold_text("Cam on\r\nquy khach! ")
    'Cam on quy khach!'
    """
    plain = unicodedata.normalize("NFKC", text)
    # A letter and its accent can become neighbours when the character between them is removed, so normalize again.
    plain = unicodedata.normalize("NFKC", "".join(character for character in plain if not _is_unseen(character)))
    return " ".join(plain.split())


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" or character == "\u034f"


def default_name(content: str) -> str:
    r"""Derive a campaign's name from its text; blanks, line ends and invisible characters make no difference.

    >>> default_name("Xin chao!") == default_name(" Xin\u00a0chao!\u200b\r\n")
    True
    """
    return old_default_name(fold_text(content))


def old_default_name(content: str) -> str:
    """Derive a campaign's name from its text exactly as it is written, as older versions did."""
    words = re.sub(r"[^a-z0-9]+", "-", strip_accents(content).lower()).strip("-")[:32].strip("-")
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f"{words}-{digest}" if words else digest
