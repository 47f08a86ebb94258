"""The limits of the gateway and the carriers: lengths, batch sizes and names."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from esms_frames.base.errors import InvalidInput, InvalidMessage
from esms_frames.base.wording import Sentence, shown
from esms_frames.messages.campaign_names import campaign_key

MIN_BATCH = 30
MAX_BATCH = 5000
"""How many different numbers the gateway accepts in one request, according to its page on POST TEXT."""


_LONGEST_BRANDNAME = 11
_LONGEST_CAMPAIGN = 254


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class SmsType(StrEnum):
    """The two types of brandname messages."""

    CUSTOMER_CARE = "customer_care"
    ADVERTISING = "advertising"

    @property
    def code(self) -> int:
        """Return the gateway's SMSTYPE: 2 for customer care, 1 for advertising."""
        return 2 if self is SmsType.CUSTOMER_CARE else 1


def check_campaign(name: object) -> str:
    """Check a campaign's name, which the gateway stores with the messages (CAMPAIGNID), and return its standard spelling.

    Two names can be spelled differently and still mean the same campaign: see `campaign_names.campaign_key`.
    """
    if not isinstance(name, str) or not campaign_key(name):
        raise InvalidInput(
            "campaign is {name}: give it a name of 1 to {most} characters, or none.",
            name=shown(name),
            most=_LONGEST_CAMPAIGN,
        )
    name = unicodedata.normalize("NFC", re.sub(r" +", " ", name.strip()))
    if len(name) > _LONGEST_CAMPAIGN:
        raise InvalidInput(
            "campaign has {count} characters and the gateway takes {most}: shorten it.",
            count=len(name),
            most=_LONGEST_CAMPAIGN,
        )
    if control := _CONTROL.search(name):
        raise InvalidInput("campaign holds the control character {sign}: take it out.", sign=_named(control))
    return name


def _named(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X} at position {found.start() + 1}"


def check_brandname(brandname: object) -> str:
    """Check a sender name, and return it."""
    way_out = Sentence("write the sender name as it is registered with eSMS.")
    if not isinstance(brandname, str):
        raise InvalidMessage(
            "brandname",
            "brandname must be text, not {kind}: {way_out_text}",
            kind=type(brandname).__name__,
            way_out_text=way_out,
        )
    if not brandname.strip():
        raise InvalidMessage("brandname", "brandname is empty: {way_out_text}", way_out_text=way_out)
    if brandname != brandname.strip():
        raise InvalidMessage(
            "brandname",
            "brandname {name} begins or ends with a blank: {way_out_text}",
            name=repr(brandname),
            way_out_text=way_out,
        )
    if control := _CONTROL.search(brandname):
        raise InvalidMessage(
            "brandname",
            "brandname holds the control character {sign}: {way_out_text}",
            sign=_named(control),
            way_out_text=way_out,
        )
    if len(brandname) > _LONGEST_BRANDNAME:
        raise InvalidMessage(
            "brandname",
            "brandname {name} has {count} characters, carriers take {most}: {way_out_text}",
            name=repr(brandname),
            count=len(brandname),
            most=_LONGEST_BRANDNAME,
            way_out_text=way_out,
        )
    return brandname


def check_type(sms_type: object) -> SmsType:
    """Check the name of a message type, and return the type."""
    try:
        return SmsType(sms_type)  # type: ignore[arg-type]
    except ValueError:
        known = " or ".join(repr(str(known)) for known in SmsType)
        raise InvalidMessage(
            "sms_type", "sms_type {sms_type} is not known: use {known}.", sms_type=repr(sms_type), known=known
        ) from None
