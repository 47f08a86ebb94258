"""Read answers: JSON objects and their fields."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from esms_frames.base import clock
from esms_frames.base.errors import BadAnswer, Refused
from esms_frames.base.wording import Sentence
from esms_frames.messages.message import FilledUrl
from esms_frames.recipients.phones.mask import mask_phones

_EXCERPT, _LOOKED_AT, _HALF_A_KEY = 120, 4096, 1024
_CODE = re.compile("[0-9]{1,9}")
_CODE_FIELDS = ("CodeResult", "CodeResponse", "Code", "Error")
_WHOLE = re.compile(r"[0-9]{1,10}(?:\.0{1,9})?")
_AMOUNT = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ID = (
    200  # the vendor's have some forty characters; what is no id must not keep an accepted send from being noted
)
_USER = re.compile("[0-9]{1,30}")
_TOO_MANY, _TOO_MUCH = 2**31, 10**14

UNCERTAIN = Sentence("it is uncertain whether it took the request.")
ASK_AGAIN = Sentence("ask again later.")
"""How sentences about missing answers end: to a send, and to a question."""

Mask = Callable[[str], str]


@dataclass(frozen=True)
class Answer:
    """The gateway's answer to a send that it accepted.

    Attributes
    ----------
    code : int
        100.
    sms_id : str or None
        The gateway's id of the send, for asking about delivery later.
    """

    code: int
    sms_id: str | None


def _write_out(url: str | FilledUrl | None) -> str | None:
    return url.reveal() if isinstance(url, FilledUrl) else url


def read_json(status: int, body: bytes, mask: Mask = str) -> dict[str, Any]:
    """Read an answer: a JSON object with HTTP status 200, amounts as decimals; anything else is a `BadAnswer`.

    `mask` takes out of a text what must not be shown, here and below.
    """
    found: Any = None
    if status == 200:
        try:
            found = json.loads(body.decode("utf-8-sig"), parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError):
            found = None
    if not isinstance(found, dict):
        excerpt = excerpt_of(body[: 2 * _LOOKED_AT].decode("utf-8", "replace"), mask)
        raise BadAnswer(
            "The gateway answered with HTTP {status} and no JSON object ({excerpt}): {way_out_text}",
            status,
            excerpt,
            status=status,
            excerpt=repr(excerpt),
            way_out_text=ASK_AGAIN,
        )
    return found


def read_code(answer: dict[str, Any], mask: Mask = str) -> int:
    """Read the code of an answer: text or integer, in one of the four fields that the vendor's pages name.

    Raises
    ------
    Refused
        When there is none, and the answer is an ``error`` in words, as on five of these pages.
    BadAnswer
        When there is none otherwise.
    """
    code = next((answer[name] for name in _CODE_FIELDS if answer.get(name) is not None), None)
    words = answer.get("error")
    if code is None and isinstance(words, str) and words.strip():
        raise Refused(None, excerpt_of(words, mask))
    if isinstance(code, (str, int)) and not isinstance(code, bool) and _CODE.fullmatch(str(code).strip()):
        return int(code)
    raise missing_field("code", answer, mask)


def check_accepted(answer: dict[str, Any], mask: Mask = str) -> int:
    """Return the code of an answer if it is 100; raise `Refused` with the gateway's words otherwise."""
    code = read_code(answer, mask)
    if code != 100:
        raise Refused(code, excerpt_of(str(answer.get("ErrorMessage") or ""), mask))
    return code


def read_send(answer: dict[str, Any], mask: Mask = str) -> Answer:
    """Read the answer to a send."""
    code = check_accepted(answer, mask)
    sms_id = read_sms_id(answer.get("SMSID"))
    can_be_one = sms_id.isprintable() and len(sms_id) <= _LONGEST_ID
    return Answer(code, sms_id if sms_id and can_be_one else None)


def read_sms_id(value: object) -> str:
    """Read the gateway's id of a send, without the blanks around it that were seen once; empty if there is none."""
    return replace_surrogates(str(value or "")).strip()


def read_account(answer: dict[str, Any], mask: Mask = str) -> tuple[Decimal, str | None]:
    """Read the balance and the account's UserID from the answer to a question for the balance; None if it is not there."""
    said = answer.get("UserID")
    user = "" if isinstance(said, bool) or said is None else str(said).strip().lstrip("0")
    return read_balance(answer, mask), user if _USER.fullmatch(user) else None


def read_balance(answer: dict[str, Any], mask: Mask = str) -> Decimal:
    """Read the answer to a question for the balance, in VND."""
    check_accepted(answer, mask)
    balance = parse_amount(answer.get("Balance"))
    if balance is None:
        raise missing_field("balance", answer, mask)
    return balance


@dataclass(frozen=True)
class SentMessage:
    """One message that the gateway holds.

    Attributes
    ----------
    phone, content : str
        To whom, and what.
    sms_id : str
        The id of the send that it was part of.
    campaign : str
        The campaign's name that came with it; empty without.
    price : Decimal or None
        In VND.
    send_status, send_result : int or None
        The gateway's SendStatus and SendResult.
    sent_at : datetime or None
        In Vietnam time.
    """

    phone: str
    content: str
    sms_id: str
    campaign: str
    price: Decimal | None
    send_status: int | None
    send_result: int | None
    sent_at: datetime | None


def read_sent(answer: dict[str, Any], mask: Mask = str) -> tuple[int, list[SentMessage]]:
    """Read one page of the messages of a period: the count of all pages, and the messages of this one."""
    check_accepted(answer, mask)
    total, rows = parse_int(answer.get("CountTotal")), read_rows(answer, "SentData", mask)
    if total is None:
        raise missing_field("count of messages", answer, mask)
    return total, [_read_message(row) for row in rows]


def _read_message(row: dict[str, Any]) -> SentMessage:
    return SentMessage(
        phone=replace_surrogates(str(row.get("Phone") or "")),
        content=replace_surrogates(str(row.get("Content") or "")),
        sms_id=read_sms_id(row.get("ReferenceId")),
        campaign=replace_surrogates(str(row.get("Campaign") or "")),
        price=parse_amount(row.get("SellPrice")),
        send_status=parse_int(row.get("SendStatus")),
        send_result=parse_int(row.get("SendResult")),
        sent_at=read_date(str(row.get("SentTime") or "")),
    )


def read_date(text: str) -> datetime | None:
    """Read a time as the gateway writes it: ``/Date(1705484048995+0700)/``, milliseconds since 1970 (UTC)."""
    found = re.fullmatch(r"/Date\((-?\d{1,14})(?:[+-]\d{4})?\)/", text)
    try:
        return (_EPOCH + timedelta(milliseconds=int(found[1]))).astimezone(clock.VIETNAM) if found else None
    except OverflowError:  # beyond the calendar
        return None


def read_rows(answer: dict[str, Any], name: str, mask: Mask) -> list[dict[str, Any]]:
    """Read a list of objects from an answer; null is an empty list."""
    rows = answer.get(name, ...)
    if rows is None:
        return []
    if not isinstance(rows, list) or set(map(type, rows)) - {dict}:
        raise missing_field(f"list {name}", answer, mask)
    return rows


def parse_int(value: object) -> int | None:
    """Read an integer from 0 up, given as a number, or as text as in the vendor's tables; None if it is none."""
    if isinstance(value, str):
        value = Decimal(value.strip()) if _WHOLE.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not 0 <= value < _TOO_MANY:
        return None
    return int(value) if value == int(value) else None


def parse_bool(value: object) -> bool | None:
    """Read true or false, given as such, or as text as in the vendor's tables; None if it is neither."""
    return {"true": True, "false": False}.get(str(value).lower())


def parse_amount(value: object) -> Decimal | None:
    """Read an amount of money, given as a number, or as text as in the vendor's tables; None if it is none."""
    if isinstance(value, str):
        value = Decimal(value.strip()) if _AMOUNT.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not -_TOO_MUCH < value < _TOO_MUCH:
        return None
    return Decimal(value)


def missing_field(what: str, answer: dict[str, Any], mask: Mask) -> BadAnswer:
    """Build the error for an answer with code 100 in which something is missing or of the wrong type."""
    excerpt = excerpt_of(json.dumps(answer, default=str, ensure_ascii=False), mask)
    return BadAnswer(
        "The gateway's answer holds no {what} ({excerpt}): {way_out_text}",
        200,
        excerpt,
        what=what,
        excerpt=repr(excerpt),
        way_out_text=ASK_AGAIN,
    )


def excerpt_of(text: str, mask: Mask) -> str:
    """Return the beginning of an answer on one line, without markup, keys and anything like a phone number."""
    is_cut = len(text) > _LOOKED_AT
    text = mask(html.unescape(replace_surrogates(text[:_LOOKED_AT])))
    if is_cut:
        text = text[:-_HALF_A_KEY]  # of a key at the end, a part may be left
    text = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>", " ", text)
    text = mask(text)  # markup can stand within a key, too
    text = re.sub(r"[+(]?\d(?:[ .()\-]{0,2}\d){6,}", "…", mask_phones(text))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_EXCERPT]


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON can carry and nothing else can."""
    return text.encode("utf-8", "replace").decode()
