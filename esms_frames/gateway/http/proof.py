"""How a server proves to be a sandbox: the question, its answer, and whether it is right; pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

CHALLENGE = "Esms-Frames-Challenge"
"""The header of a question: a random text that was never asked before."""

PROOF = "Esms-Frames-Proof"
"""The header of an answer."""

_DOMAIN = b"esms_frames: this is a sandbox, which delivers nothing\n"
_CAN_BE_ONE = re.compile("[0-9a-f]{32}")


def make_challenge() -> str:
    """Build a new question, which no cache can answer."""
    return secrets.token_hex(16)


def answer_challenge(challenge: str) -> str | None:
    """Return a sandbox's answer to a question; None if it is not such a question.

    >>> answer_challenge("0" * 32)[:8], answer_challenge("<script>")
    ('91eb7533', None)
    """
    return hashlib.sha256(_DOMAIN + challenge.encode()).hexdigest() if _CAN_BE_ONE.fullmatch(challenge) else None


def is_proven(challenge: str, answer: str | None) -> bool:
    """Return whether an answer proves that a sandbox gave it."""
    right = answer_challenge(challenge)
    return right is not None and hmac.compare_digest(right.encode(), (answer or "").strip().encode())
