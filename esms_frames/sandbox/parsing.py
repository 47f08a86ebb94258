"""Read the requests to the gateway's operations: XML, JSON, forms and addresses, as leniently as documented."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qsl, unquote_to_bytes

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_KNOWN = set("APIKEY SECRETKEY CONTENT SMSTYPE BRANDNAME REQUESTID CAMPAIGNID SENDDATE CALLBACKURL".split())
_SWITCHES = set("ISUNICODE UNICODE SANDBOX".split())
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # characters that XML can't contain
# The vendor's help page for the GET operation also names these, but does not explain them.
_UNEXPLAINED = set("EMAIL ISFLASH PRIORITY TRACKLINK GETNETWORK CALLBACKSHORTEN OTTURL OTTIMGURL OTTLABEL TAG".split())
_OTHER_TYPES = {
    "8": "SmsType 8 (a fixed cheap number, or a spoken code)",
    "23": "SmsType 23 (Viber)",
    "24": "SmsType 24 (Zalo)",
    "25": "SmsType 25 (Zalo)",
    "26": "SmsType 26 (Zalo)",
    "27": "SmsType 27 (Zalo)",
}
"""Types that the vendor documents but the sandbox does not support; it must not refuse them as the gateway would."""

_NAME = re.compile(r"\w{1,40}", re.ASCII)
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_LINE = 1024  # bytes of a line between chunks


class BadRequest(Exception):
    """Raised for a request that can't be read; the answer is HTTP 400."""


class UnknownRequest(Exception):
    """Raised for a request that the gateway may accept but the sandbox does not support; the answer is HTTP 400."""


class TooLarge(Exception):
    """Raised for a body that is larger than any request to the gateway; the answer is HTTP 413."""


def read_chunks(stream: BinaryIO, largest: int) -> bytes:
    """Read a chunked body (RFC 9112, section 7.1) to its end; a body that is cut off is refused."""
    parts: list[bytes] = []
    left = largest
    while size := _chunk_size(stream):
        if size > left:
            raise TooLarge
        part = stream.read(size)
        if stream.readline(3).rstrip(b"\r\n"):
            raise BadRequest("its chunked body is cut off")
        parts.append(part)
        left -= size
    while (line := stream.readline(_LINE)).strip():  # trailers
        left -= len(line)
        if left < 0:
            raise TooLarge
    if not line:
        raise BadRequest("its chunked body is cut off")
    return b"".join(parts)


def _chunk_size(stream: BinaryIO) -> int:
    line = stream.readline(_LINE)
    size = line.partition(b";")[0].strip()  # after the semicolon come extensions
    if not line.endswith(b"\n") or not _CHUNK_SIZE.fullmatch(size):
        raise BadRequest("its chunked body is cut off or malformed")
    return int(size, 16)


def read_xml(body: bytes) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the numbers of a POST TEXT request.

    Document types are refused, and with them entities, so that a request can't read files, use the network or exhaust
    memory. A body that is percent-encoded as a whole, like a form, is decoded first.
    """
    if body.lstrip()[:3].upper() == b"%3C":
        body = unquote_to_bytes(body.replace(b"+", b" "))
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
    phones = [(element.text or "").strip() for element in root.iterfind("CONTACTS/CUSTOMER/PHONE")]
    found = _send_fields(fields)
    if found.pop("SANDBOX", "0") == "1":
        raise UnknownRequest("rehearsals by XML: only the JSON, form and GET operations are documented to rehearse")
    return found, phones


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object; its names become those of the XML."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise BadRequest("the body is no JSON object")
    return fold_names(asked.items())


def read_form(body: bytes) -> dict[str, Any]:
    """Read the fields of a form; their names become those of the XML."""
    try:
        pairs = parse_qsl(body.decode("utf-8").strip(), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise BadRequest("the body is no form of percent-encoded UTF-8") from None
    return fold_names(pairs)


def read_single(fields: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the one number of a send by JSON, form or address."""
    others = {name: value for name, value in fields.items() if name != "PHONE"}
    return _send_fields(others), [_text("Phone", fields.get("PHONE", ""))]


def read_many(fields: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the numbers of a send by JSON with a list of numbers."""
    others = {name: value for name, value in fields.items() if name != "PHONES"}
    phones = fields.get("PHONES", [])
    if not isinstance(phones, list) or not all(isinstance(phone, str) for phone in phones):
        raise BadRequest("Phones is no list of texts")
    return _send_fields(others), [phone.strip() for phone in phones]


def fold_names(pairs: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Convert the names of fields to those of the XML.

    The vendor's tables and samples differ in case (ApiKey and Apikey, Sandbox and SandBox, Brandname and BrandName), and
    so do people's clients, so case is ignored.
    """
    return {name.upper(): value for name, value in pairs if value is not None}


def _send_fields(fields: Mapping[str, object]) -> dict[str, str]:
    sms_type = str(fields.get("SMSTYPE", "")).strip()
    if sms_type in _OTHER_TYPES:
        raise UnknownRequest(f"{_OTHER_TYPES[sms_type]} yet: it takes 1, advertising, and 2, customer care")
    unknown = [name for name in fields if name not in _KNOWN | _SWITCHES | _UNEXPLAINED]
    if unknown:  # show it only if it looks like a name: in a body that was read wrongly it may contain the keys
        name = repr(unknown[0]) if _NAME.fullmatch(unknown[0]) else "with an unusual name"
        raise UnknownRequest(f"the field {name}: compare its spelling with the vendor's page")
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
