"""Find the operation that an address asks for, and explain why the sandbox does not know an address."""

from __future__ import annotations

import re

BASE_PATH = "/MainService.svc/json/"

_XML_PATH = "/MainService.svc/xml/"
_NAME = re.compile(r"\w{1,60}", re.ASCII)
_OTHER_CHANNELS = {
    "Send_Multiple_Sms_OTT": "Viber",
    "MultiChannelMessage": "messages by several channels",
    "SendMessageAutoGenCode_V4_get": "one-time codes",
    "SendMessageAutoGenCode_V5": "one-time codes",
    "CheckCodeGen_V4_get": "one-time codes",
    "MakeCallTemplate_V2": "calls",
    "MakeCallRecord_V2": "calls",
    "SubServicePreviewJson": "registrations of templates",
    "RegisZNSTemplateJson": "registrations of templates",
    "RegisOAPackageJson": "registrations of packages",
}
_ZALO = re.compile(
    "SendZalo.*|Send_zns_bulk_v4_post_json|ZNS|SummaryZaloMessage_V4_post_json|GetZnsTemplateInfo|QueryListUID"
    "|QueryZnsStatus|GetZaloMessageStatus"
)


def name_operation(path: str) -> tuple[str, str]:
    """Return the name of the operation that an address asks for, and the rest of the address; empty for other addresses.

    Examples
    --------
    >>> name_operation("/MainService.svc/json/GetBalance/a/b")
    ('GetBalance', 'a/b')
    """
    name, _, rest = path.removeprefix(BASE_PATH).partition("/") if path.startswith(BASE_PATH) else ("", "", "")
    return name, rest


def why_unknown(path: str, *, is_known: bool) -> str:
    """Return what the sandbox does not know about an address, and what to do; no key in the address is repeated.

    Examples
    --------
    >>> why_unknown("/MainService.svc/json/Send_Multiple_Sms_OTT/", is_known=False)
    'Viber (Send_Multiple_Sms_OTT) yet: it answers customer care and advertising by SMS'
    """
    name, _ = name_operation(path)
    shown = name if _NAME.fullmatch(name) else "of this name"
    channel = _OTHER_CHANNELS.get(name) or ("Zalo" if _ZALO.fullmatch(name) else None)
    if path.startswith(_XML_PATH):
        return f"the operations under {_XML_PATH}: use those under {BASE_PATH}"
    if not name:
        return f"this address: all its operations are under {BASE_PATH}"
    if is_known:
        return f"what follows {shown} in this address: leave it out"
    if channel:
        return f"{channel} ({shown}) yet: it answers customer care and advertising by SMS"
    return f"an operation {shown}: compare the address with the vendor's page"
