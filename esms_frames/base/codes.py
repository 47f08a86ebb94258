"""The gateway's table of codes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """The kind of a code: what it means for the rest of a campaign."""

    OK = "ok"
    ALREADY_THERE = "already there"
    BATCH = "batch"
    """This batch is refused; others may pass."""
    MESSAGE = "message"
    """Every batch with this message would be refused."""
    ACCOUNT = "account"
    """Every batch of this account would be refused."""
    TRY_LATER = "try later"
    REFUSED = "refused"
    """Codes of other services, and codes that are not in the table."""

    @property
    def stops_campaign(self) -> bool:
        """Return whether every further batch would be refused too."""
        return self in {Kind.MESSAGE, Kind.ACCOUNT}


@dataclass(frozen=True)
class Code:
    """One line of the gateway's table: what a code means, of what kind it is, and what to do."""

    meaning: str
    kind: Kind
    advice: str


CODES: Mapping[int, Code] = {
    100: Code("accepted", Kind.OK, "nothing: delivery is asked for later"),
    124: Code("this request id was already taken within 24 hours", Kind.ALREADY_THERE, "do not send it again"),
    99: Code("a number is blocked in the system", Kind.BATCH, "ask eSMS which number, and exclude it"),
    107: Code("fewer than 30 different numbers", Kind.BATCH, "send to at least 30 numbers at once"),
    108: Code("a number has the wrong format", Kind.BATCH, "prepare the numbers with esms_frames.prepare"),
    120: Code("more numbers than allowed", Kind.BATCH, "send at most 5000 numbers at once"),
    163: Code("more than one number for a single-number type", Kind.BATCH, "ask eSMS about the type of your account"),
    177: Code(
        "a network is not registered for this brandname", Kind.BATCH, "register the network, or exclude its numbers"
    ),
    146: Code(
        "the text fits no registered customer-care template", Kind.MESSAGE, "use or register a template for this text"
    ),
    201: Code("the text contains a blocked keyword", Kind.MESSAGE, "reword the text"),
    104: Code(
        "the brandname does not exist or is not active", Kind.MESSAGE, "check its spelling (case matters) with eSMS"
    ),
    118: Code("unsupported message type", Kind.MESSAGE, "use customer_care or advertising"),
    300: Code("message type missing", Kind.MESSAGE, "use customer_care or advertising"),
    101: Code("wrong ApiKey or SecretKey", Kind.ACCOUNT, "copy both keys again from your eSMS account"),
    102: Code("the account has no price list", Kind.ACCOUNT, "ask eSMS to set one"),
    103: Code("the balance is too low", Kind.ACCOUNT, "top up the account"),
    140: Code("this machine's IP is not whitelisted", Kind.ACCOUNT, "add it in your eSMS account"),
    143: Code("the account is inactive or locked", Kind.ACCOUNT, "ask eSMS to unlock it"),
    160: Code("too many requests per second", Kind.TRY_LATER, "send again more slowly"),
    199: Code("this request exists and is being processed", Kind.TRY_LATER, "ask again in a minute"),
    105: Code("the SMSID is not found, or not yet", Kind.TRY_LATER, "ask again in a minute"),
}
"""The codes of the sending services. All others are refused, with their number and the gateway's own words."""

DUPLICATE, IN_PROCESS, BUSY, NOT_FOUND = 124, 199, 160, 105
"""The codes that say something of an earlier request, of the pace, or of a send that is asked about."""

_OTHER = Code("refused for a reason that is not in the table of codes", Kind.REFUSED, "ask eSMS what the code means")


def lookup(code: int) -> Code:
    """Find a code in the table; an unknown code is `Kind.REFUSED`."""
    return CODES.get(code, _OTHER)
