"""The SMS alphabets, and how many parts a text takes in them."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from gsm0338 import Codec


class Encoding(StrEnum):
    """The encoding of a text, which decides how many characters fit into one part."""

    GSM = "GSM-7"
    """3GPP TS 23.038 (GSM 03.38), 7 bits per character: 160 in a single message, 153 in each part of a longer one."""
    UCS2 = "UCS-2"
    """16 bits per character, for all other texts, including Vietnamese accents: 70 in a single message, 67 in each part."""

    @property
    def single(self) -> int:
        """Return how many characters fit into a message of one part."""
        return 160 if self is Encoding.GSM else 70

    @property
    def multiple(self) -> int:
        """Return how many characters fit into each part of a longer message."""
        return 153 if self is Encoding.GSM else 67


@cache
def _codec() -> Codec:
    return Codec()


@cache
def _septets(character: str) -> int:
    """Count the septets of a character in the GSM alphabet; 0 if it is not in it."""
    try:
        return len(_codec().encode(character)[0])
    except UnicodeEncodeError:
        return 0
