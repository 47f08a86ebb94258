"""Read the requests of the gateway's operations: XML, JSON, forms and addresses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KNOWN = set("APIKEY SECRETKEY CONTENT SMSTYPE BRANDNAME REQUESTID CAMPAIGNID SENDDATE CALLBACKURL".split())
_SWITCHES = set("ISUNICODE UNICODE SANDBOX".split())
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # what XML could not carry
# The vendor's help page of the GET operation names these too, and says nothing of what they do.
_UNEXPLAINED = set("EMAIL ISFLASH PRIORITY TRACKLINK GETNETWORK CALLBACKSHORTEN OTTURL OTTIMGURL OTTLABEL TAG".split())


class BadRequest(Exception):
    """Raised for a request of which the gateway's documentation says nothing: it is answered with HTTP 400."""


def read_xml(body: bytes) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the numbers of a POST TEXT request.

    No document type is let in, and so no entity: neither files, nor the network, nor the memory of this machine can
    be had by what is sent.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    if "<!doctype" in text.lower() or "<!entity" in text.lower():
        raise BadRequest("the XML holds a document type")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise BadRequest("the body is not well-formed XML") from None
    if root.tag != "RQST":
        raise BadRequest("the root element is not RQST")
    fields = {element.tag: element.text or "" for element in root if element.tag != "CONTACTS"}
    fields = {name: value if name == "CONTENT" else value.strip() for name, value in fields.items()}
    phones = [(element.text or "").strip() for element in root.iterfind("CONTACTS/CUSTOMER/PHONE")]
    # Only the JSON, form and GET operations are documented to rehearse.
    return {name: value for name, value in fields.items() if value and name != "SANDBOX"}, phones


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise BadRequest("the body is no JSON object")
    return asked


def read_single(pairs: Iterable[tuple[str, object]]) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the one number of a send by JSON, form or address."""
    fields = _upper(pairs)
    phone = fields.pop("PHONE", "")
    return _send_fields(fields), [_text("Phone", phone)]


def read_many(pairs: Iterable[tuple[str, object]]) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the numbers of a send by JSON that takes a list of numbers."""
    fields = _upper(pairs)
    phones = fields.pop("PHONES", [])
    if not isinstance(phones, list) or not all(isinstance(phone, str) for phone in phones):
        raise BadRequest("Phones is no list of texts")
    return _send_fields(fields), [phone.strip() for phone in phones]


def _upper(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Name the fields as the XML does.

    The vendor's tables and samples differ in case (ApiKey and Apikey, Sandbox and SandBox, Brandname and BrandName),
    so case is not looked at.
    """
    return {name.upper(): value for name, value in pairs if value is not None}


def _send_fields(fields: Mapping[str, object]) -> dict[str, str]:
    unknown = [name for name in fields if name not in _KNOWN | _SWITCHES | _UNEXPLAINED]
    if unknown:
        raise BadRequest(f"the field {unknown[0][:40]!r} is on no page of the documentation")
    texts = {name: _text(name, value) for name, value in fields.items() if name not in _UNEXPLAINED}
    if any(texts.get(name, "") not in {"", "0", "1"} for name in _SWITCHES):
        raise BadRequest("IsUnicode or Sandbox is neither 0 nor 1")
    return {name: value for name, value in texts.items() if value}


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise BadRequest(f"the field {name[:40]!r} is no text")
    text = str(value)
    if _CONTROL.search(text):
        raise BadRequest(f"the field {name[:40]!r} holds a control character")
    return text if name == "CONTENT" else text.strip()
