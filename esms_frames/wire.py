"""The gateway's formats: requests as XML out, answers as JSON in; pure functions, no I/O."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from lxml import etree

from esms_frames import clock
from esms_frames.errors import BadAnswer, Refused
from esms_frames.message import SmsType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esms_frames.message import Message

CONTENT_TYPE = "text/plain"
"""The header of the XML operations, as in every sample of the vendor."""

_NO_CONTACTS = b"<CONTACTS/>"
_OPEN, _BETWEEN, _CLOSE = "<CUSTOMER><PHONE>", "</PHONE></CUSTOMER><CUSTOMER><PHONE>", "</PHONE></CUSTOMER>"
_EXCERPT, _LOOKED_AT, _HALF_A_KEY = 120, 4096, 1024
_CODE = re.compile("[0-9]{1,9}")
_WHOLE = re.compile(r"[0-9]{1,10}(?:\.0{1,9})?")
_AMOUNT = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ID = (
    200  # the vendor's have some forty characters; what is no id must not keep an accepted send from being noted
)
_TOO_MANY, _TOO_MUCH = 2**31, 10**14

Mask = Callable[[str], str]


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
    keys: Callable[[], tuple[str, str]],
    message: Message,
    phones: Sequence[str],
    *,
    request_id: str | None = None,
    campaign: str | None = None,
) -> bytes:
    """Write the XML of a POST TEXT request; `phones` are ``0`` and nine digits each, checked by the caller.

    `keys` gives ApiKey and SecretKey; it is called last, so that no error of what goes before can show them.

    lxml writes the envelope and escapes what people typed. The numbers are digits, so they are joined in as text: a
    hundredth of the time of an element each.
    """
    root = etree.Element("RQST")
    fields = {
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
    contacts = f"<CONTACTS>{_OPEN}{_BETWEEN.join(phones)}{_CLOSE}</CONTACTS>".encode("ascii")
    account = "<RQST><APIKEY>{}</APIKEY><SECRETKEY>{}</SECRETKEY>"
    return b"".join([account.format(*map(escape, keys())).encode(), envelope.removeprefix(b"<RQST>"), contacts, end])


def unicode_field(message: Message) -> dict[str, str]:
    """Give the field IsUnicode of customer care by JSON and by GET: 1 for a text with accents, by the vendor's pages."""
    return {} if message.content.isascii() else {"IsUnicode": "1"}


def rehearsal_fields(message: Message, phones: Sequence[str]) -> dict[str, object]:
    """Give the fields, but for the keys, of a rehearsal by JSON: a list of numbers for advertising, else one number.

    Names and values are those of the vendor's pages on the two operations and on its test environment; IsUnicode is
    shown for customer care only, for texts with accents.
    """
    is_single = message.sms_type is SmsType.CUSTOMER_CARE
    fields: dict[str, object] = {
        "Content": message.content,
        **({"Phone": phones[0]} if is_single else {"Phones": list(phones)}),
        "Brandname": message.brandname,
        "SmsType": str(message.sms_type.code),
    }
    if is_single:
        fields |= unicode_field(message)
    if message.send_at:
        fields["SendDate"] = f"{message.send_at:%Y-%m-%d %H:%M:%S}"
    if message.callback_url:
        fields["CallbackUrl"] = message.callback_url
    return {**fields, "Sandbox": "1"}


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
        excerpt = _excerpt(body[: 2 * _LOOKED_AT].decode("utf-8", "replace"), mask)
        raise BadAnswer(
            f"The gateway answered with HTTP {status} and no JSON object ({excerpt!r}): "
            "what became of the request is not known, ask again later.",
            status,
            excerpt,
        )
    return found


def read_code(answer: dict[str, Any], mask: Mask = str) -> int:
    """Take the code out of an answer: text or integer, in the field ``CodeResult`` or ``CodeResponse``."""
    code = next((answer[name] for name in ("CodeResult", "CodeResponse") if answer.get(name) is not None), None)
    if isinstance(code, (str, int)) and not isinstance(code, bool) and _CODE.fullmatch(str(code).strip()):
        return int(code)
    raise lacking("code", answer, mask)


def check_accepted(answer: dict[str, Any], mask: Mask = str) -> int:
    """Give the code of an answer if it is 100; raise `Refused` with the gateway's words otherwise."""
    code = read_code(answer, mask)
    if code != 100:
        raise Refused(code, _excerpt(str(answer.get("ErrorMessage") or ""), mask))
    return code


def read_send(answer: dict[str, Any], mask: Mask = str) -> Answer:
    """Read the answer to a send."""
    code = check_accepted(answer, mask)
    sms_id = encodable(str(answer.get("SMSID") or ""))
    can_be_one = sms_id.isprintable() and len(sms_id) <= _LONGEST_ID
    return Answer(code, sms_id if sms_id and can_be_one else None)


def read_balance(answer: dict[str, Any], mask: Mask = str) -> Decimal:
    """Read the answer to a question for the balance, in VND."""
    check_accepted(answer, mask)
    balance = amount(answer.get("Balance"))
    if balance is None:
        raise lacking("balance", answer, mask)
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
    """Read one page of the messages of a period: how many there are in all, and those of the page."""
    check_accepted(answer, mask)
    total, rows = whole(answer.get("CountTotal")), rows_of(answer, "SentData", mask)
    if total is None:
        raise lacking("count of messages", answer, mask)
    return total, [_sent(row) for row in rows]


def _sent(row: dict[str, Any]) -> SentMessage:
    return SentMessage(
        phone=encodable(str(row.get("Phone") or "")),
        content=encodable(str(row.get("Content") or "")),
        sms_id=encodable(str(row.get("ReferenceId") or "")),
        campaign=encodable(str(row.get("Campaign") or "")),
        price=amount(row.get("SellPrice")),
        send_status=whole(row.get("SendStatus")),
        send_result=whole(row.get("SendResult")),
        sent_at=read_date(str(row.get("SentTime") or "")),
    )


def read_date(text: str) -> datetime | None:
    """Read a time as the gateway writes it: ``/Date(1705484048995+0700)/``, milliseconds since 1970 (UTC)."""
    found = re.fullmatch(r"/Date\((-?\d{1,14})(?:[+-]\d{4})?\)/", text)
    try:
        return (_EPOCH + timedelta(milliseconds=int(found[1]))).astimezone(clock.VIETNAM) if found else None
    except OverflowError:  # beyond the calendar
        return None


def rows_of(answer: dict[str, Any], name: str, mask: Mask) -> list[dict[str, Any]]:
    """Take a list of objects out of an answer; one that is null is empty."""
    rows = answer.get(name, ...)
    if rows is None:
        return []
    if not isinstance(rows, list) or set(map(type, rows)) - {dict}:
        raise lacking(f"list {name}", answer, mask)
    return rows


def whole(value: object) -> int | None:
    """Read a whole number from 0 up, which comes as a number, and as text by the vendor's tables; None if it is none."""
    if isinstance(value, str):
        value = Decimal(value.strip()) if _WHOLE.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not 0 <= value < _TOO_MANY:
        return None
    return int(value) if value == int(value) else None


def truth(value: object) -> bool | None:
    """Read a truth, which comes as such, and as text by the vendor's tables; None if it is none."""
    return {"true": True, "false": False}.get(str(value).lower())


def amount(value: object) -> Decimal | None:
    """Read an amount of money, which comes as a number, and as text by the vendor's tables; None if it is none."""
    if isinstance(value, str):
        value = Decimal(value.strip()) if _AMOUNT.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not -_TOO_MUCH < value < _TOO_MUCH:
        return None
    return Decimal(value)


def lacking(what: str, answer: dict[str, Any], mask: Mask) -> BadAnswer:
    """Make the error for an answer with code 100 in which something is missing, or of another kind."""
    excerpt = _excerpt(json.dumps(answer, default=str, ensure_ascii=False), mask)
    return BadAnswer(
        f"The gateway's answer holds no {what} ({excerpt!r}): what became of the request is not known, ask again later.",
        200,
        excerpt,
    )


def _excerpt(text: str, mask: Mask) -> str:
    """Show the beginning of an answer on one line, without markup, keys and numbers as long as phones'."""
    is_cut = len(text) > _LOOKED_AT
    text = mask(html.unescape(encodable(text[:_LOOKED_AT])))
    if is_cut:
        text = text[:-_HALF_A_KEY]  # of a key at the end, a part may be left
    text = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>", " ", text)
    text = re.sub(r"[+(]?\d(?:[ .()\-]{0,2}\d){6,}", "…", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_EXCERPT]


def encodable(text: str) -> str:
    """Replace halves of characters, which JSON can carry and nothing else can."""
    return text.encode("utf-8", "replace").decode()
