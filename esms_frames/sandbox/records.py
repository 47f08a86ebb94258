"""Build the records of GetSmsSentData_V2, which may differ from what was sent."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import strip_accents
from esms_frames.sandbox.reports import NO_REPORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esms_frames.sandbox.reports import Send

_CUT = 40  # characters


class Look(StrEnum):
    """How a record may differ from what was sent. None of this is documented, but a client must cope with all of it."""

    LABELLED = "labelled"
    """A label comes before the text, like the one that carriers add to advertising."""
    CUT = "cut"
    """The text ends after 40 characters."""
    UNACCENTED = "unaccented"
    """The text has no accents."""
    NAME_IN_CAPITALS = "name_in_capitals"
    """The campaign's name is in capitals."""
    NAMELESS = "nameless"
    """The campaign's name is empty."""
    MASKED = "masked"
    """The middle digits of the phones are hidden."""


def check_looks(looks: Iterable[str]) -> frozenset[Look]:
    """Check the names of the ways in which records differ."""
    names = [looks] if isinstance(looks, str) else list(looks)
    unknown = [name for name in names if name not in set(Look)]
    if unknown:
        raise InvalidInput(
            "records names {unknown}: choose from {known}.", unknown=repr(unknown[0]), known=", ".join(Look)
        )
    return frozenset(map(Look, names))


def build_record(
    send: Send, phone: str, result: int, price: int, number: int, looks: frozenset[Look]
) -> dict[str, Any]:
    """Build the record of one message."""
    campaign, content = send.campaign or "", send.content
    if Look.UNACCENTED in looks:
        content = strip_accents(content)
    if Look.LABELLED in looks:
        content = f"[QC] {content}"
    if Look.CUT in looks:
        content = content[:_CUT]
    if Look.NAME_IN_CAPITALS in looks:
        campaign = campaign.upper()
    return {
        "Campaign": "" if Look.NAMELESS in looks else campaign,
        "Content": content,
        "Phone": f"{phone[:4]}***{phone[-3:]}" if Look.MASKED in looks else phone,
        "ReferenceId": send.sms_id,
        "SellPrice": float(price),
        "SendResult": result,
        "SendStatus": 7 if result == NO_REPORT else 5,
        "SentTime": f"/Date({int(send.send_at.timestamp() * 1000)}+0700)/",
        "SmsId": number,
        "SmsType": send.sms_type.code,
    }
