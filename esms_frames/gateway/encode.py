"""Write requests: XML and JSON bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lxml import etree

from esms_frames.gateway.decode import _write_out
from esms_frames.messages.limits import SmsType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from esms_frames.messages.message import Message


CONTENT_TYPE = "text/plain"
"""The header of the XML operations, as in every sample of the vendor."""

_NO_CONTACTS = b"<CONTACTS/>"
_OPEN, _BETWEEN, _CLOSE = "<CUSTOMER><PHONE>", "</PHONE></CUSTOMER><CUSTOMER><PHONE>", "</PHONE></CUSTOMER>"


def build_send_body(
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
        "CALLBACKURL": _write_out(message.callback_url),
    }
    for name, value in fields.items():
        if value:
            etree.SubElement(root, name).text = value
    etree.SubElement(root, "CONTACTS")
    envelope, end = etree.tostring(root, encoding="utf-8").rsplit(_NO_CONTACTS, 1)
    contacts = f"<CONTACTS>{_OPEN}{_BETWEEN.join(phones)}{_CLOSE}</CONTACTS>".encode("ascii")
    account = "<RQST><APIKEY>{}</APIKEY><SECRETKEY>{}</SECRETKEY>"
    return b"".join([account.format(*map(escape, keys())).encode(), envelope.removeprefix(b"<RQST>"), contacts, end])


def build_unicode_field(message: Message) -> dict[str, str]:
    """Return the field IsUnicode of customer care by JSON and by GET: 1 for a text with accents, by the vendor's pages."""
    return {} if message.content.isascii() else {"IsUnicode": "1"}


def build_rehearsal_fields(message: Message, phones: Sequence[str]) -> dict[str, object]:
    """Return the fields, but for the keys, of a rehearsal by JSON: a list of numbers for advertising, else one number.

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
        fields |= build_unicode_field(message)
    if message.send_at:
        fields["SendDate"] = f"{message.send_at:%Y-%m-%d %H:%M:%S}"
    if message.callback_url:
        fields["CallbackUrl"] = _write_out(message.callback_url)
    return {**fields, "Sandbox": "1"}
