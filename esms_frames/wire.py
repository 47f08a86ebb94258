"""The gateway's formats: requests as XML out, answers as JSON in; pure functions, no I/O."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lxml import etree

from esms_frames.errors import BadAnswer, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esms_frames.message import Message

CONTENT_TYPE = "text/plain"
"""The header of the XML operations, as in every sample of the vendor."""

_NO_CONTACTS = b"<CONTACTS/>"
_OPEN, _BETWEEN, _CLOSE = "<CUSTOMER><PHONE>", "</PHONE></CUSTOMER><CUSTOMER><PHONE>", "</PHONE></CUSTOMER>"
_EXCERPT = 120


@dataclass(frozen=True)
class Answer:
    """What the gateway said to a send that it accepted.

    Attributes
    ----------
    code : int
        100.
    sms_id : str or None
        The gateway's id of the send, for asking about delivery later.
    """

    code: int
    sms_id: str | None


def send_body(
    api_key: str,
    secret_key: str,
    message: Message,
    phones: Sequence[str],
    *,
    request_id: str | None = None,
    campaign: str | None = None,
) -> bytes:
    """Write the XML of a POST TEXT request; `phones` are ``0`` and nine digits each, checked by the caller.

    lxml writes the envelope and escapes what people typed. The numbers are digits, so they are joined in as text: a
    hundredth of the time of an element each.
    """
    root = etree.Element("RQST")
    fields = {
        "APIKEY": api_key,
        "SECRETKEY": secret_key,
        "CONTENT": message.content,
        "SMSTYPE": str(message.sms_type.code),
        "BRANDNAME": message.brandname,
        "REQUESTID": request_id,
        "CAMPAIGNID": campaign,
        "SENDDATE": message.send_at and f"{message.send_at:%Y-%m-%d %H:%M:%S}",
        "CALLBACKURL": message.callback_url,
    }
    for name, value in fields.items():
        if value:
            etree.SubElement(root, name).text = value
    etree.SubElement(root, "CONTACTS")
    envelope, end = etree.tostring(root, encoding="utf-8").rsplit(_NO_CONTACTS, 1)
    contacts = f"<CONTACTS>{_OPEN}{_BETWEEN.join(phones)}{_CLOSE}</CONTACTS>"
    return b"".join([envelope, contacts.encode("ascii"), end])


def read_json(status: int, body: bytes) -> dict[str, Any]:
    """Read an answer: a JSON object with HTTP status 200, amounts as decimals; anything else is a `BadAnswer`."""
    found: Any = None
    if status == 200:
        try:
            found = json.loads(body.decode("utf-8-sig"), parse_float=Decimal)
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict):
        excerpt = _excerpt(body)
        raise BadAnswer(
            f"The gateway answered with HTTP {status} and no JSON object ({excerpt!r}): "
            "what became of the request is not known, ask again later.",
            status,
            excerpt,
        )
    return found


def read_code(answer: dict[str, Any]) -> int:
    """Take the code out of an answer: text or integer, in the field ``CodeResult`` or ``CodeResponse``."""
    code = answer.get("CodeResult", answer.get("CodeResponse"))
    text = str(code).strip()
    if isinstance(code, (str, int)) and not isinstance(code, bool) and text.isascii() and text.isdigit():
        return int(text)
    excerpt = _excerpt(json.dumps(answer, default=str).encode())
    raise BadAnswer(
        f"The gateway's answer holds no code ({excerpt!r}): what became of the request is not known, ask again later.",
        200,
        excerpt,
    )


def check_accepted(answer: dict[str, Any]) -> int:
    """Give the code of an answer if it is 100; raise `Refused` with the gateway's words otherwise."""
    code = read_code(answer)
    if code != 100:
        raise Refused(code, _excerpt(str(answer.get("ErrorMessage") or "").encode()))
    return code


def read_send(answer: dict[str, Any]) -> Answer:
    """Read the answer to a send."""
    code = check_accepted(answer)
    sms_id = answer.get("SMSID")
    return Answer(code, str(sms_id) if sms_id else None)


def read_balance(answer: dict[str, Any]) -> Decimal:
    """Read the answer to a question for the balance, in VND."""
    check_accepted(answer)
    balance = answer.get("Balance")
    if isinstance(balance, (int, Decimal)) and not isinstance(balance, bool):
        return Decimal(balance)
    excerpt = _excerpt(json.dumps(answer, default=str).encode())
    raise BadAnswer(f"The gateway's answer holds no balance ({excerpt!r}): ask again later.", 200, excerpt)


def _excerpt(body: bytes) -> str:
    """Show the beginning of an answer on one line, without markup, and with numbers of phones and keys masked."""
    text = body[:4096].decode("utf-8", "replace")
    text = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>", " ", text)
    text = re.sub(r"\d{7,}", "…", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_EXCERPT]
