"""The exceptions, and the gateway's table of codes.

::

    EsmsError                  everything that this package raises on purpose
    ├── InvalidInput           something handed in can't be used; nothing was sent (also a ValueError)
    │   ├── InvalidMessage     a field of the message
    │   ├── PhoneColumnError   no column, or more than one, that could hold the phone numbers
    │   ├── TooFewRecipients   fewer usable numbers than the gateway takes in one request
    │   ├── InvalidFile        a file that can't be read or written
    │   └── WouldFail          a send that could only fail
    ├── JournalError           the journal can't be relied on
    └── GatewayError           the gateway, or the way to it
        ├── Unreachable        no connection: the request certainly did not arrive
        ├── NoAnswer           the request left and no usable answer came: it may or may not have been taken
        │   └── BadAnswer      something came back that is not the gateway's JSON
        └── Refused            the gateway answered with a code that is not 100

Each text is one sentence: what happened, where, and the way out. None holds a key or a phone number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_NAMED, _LONGEST_NAME = 10, 40  # segments in one sentence, and characters of each


_PLAIN = (str, int, float, date, time, timedelta, type(None))  # datetime is a date
_LONGEST_SHOWN = 60  # characters


def shown(value: object) -> str:
    """Show in a sentence what was handed in: a plain value as it is, of anything else its kind alone.

    A table that was put in the wrong place is not printed into the error, for it holds people's numbers.

    Examples
    --------
    >>> print(shown("2030"), shown(None), shown(["0901888484"]))
    '2030' None a list
    """
    if not isinstance(value, _PLAIN):
        return f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


class EsmsError(Exception):
    """Base of all exceptions that this package raises on purpose."""


class InvalidInput(EsmsError, ValueError):
    """Raised when something handed in can't be used; nothing was sent."""


class InvalidMessage(InvalidInput):
    """Raised when a field of a message is not what the gateway takes.

    Attributes
    ----------
    field : str
        The name of the field.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class PhoneColumnError(InvalidInput):
    """Raised when it is not clear which column holds the phone numbers.

    Attributes
    ----------
    candidates : tuple of str
        The columns that could be meant; all columns where none stands out.
    """

    def __init__(self, sentence: str, candidates: Sequence[str]) -> None:
        super().__init__(sentence)
        self.candidates = tuple(candidates)


class TooFewRecipients(InvalidInput):
    """Raised when fewer usable numbers are left than the gateway takes in one request.

    Attributes
    ----------
    ready, floor : int
        How many there are, and how many there must be.
    counts : mapping of str to int
        Rows by status: ``ready``, ``duplicate``, ``invalid``, ``excluded``.
    segments : mapping of str to int
        The segments that have too few, with how many they have.
    """

    def __init__(self, floor: int, counts: Mapping[str, int], segments: Mapping[str, int] | None = None) -> None:
        self.ready = counts.get("ready", 0)
        self.floor = floor
        self.counts = dict(counts)
        self.segments = dict(segments or {})
        if self.segments:
            named = [f"{segment[:_LONGEST_NAME]!r} {ready:,}" for segment, ready in self.segments.items()]
            more = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
            super().__init__(
                f"A batch needs {floor} recipients and {len(named):,} of the segments have fewer "
                f"({', '.join(named[:_NAMED])}{more}): join them with others, or give them no message, which excludes "
                "their rows."
            )
            return
        others = ", ".join(f"{count:,} {status}" for status, count in counts.items() if status != "ready" and count)
        rows = sum(counts.values())
        super().__init__(
            f"Only {self.ready:,} of {rows:,} rows can be texted{f' ({others})' if others else ''} and a batch needs "
            f"{floor}: add recipients, correct the numbers, or, for customer care only, lower min_batch."
        )


class InvalidFile(InvalidInput):
    """Raised when a file can't be read as a table of customers, or results can't be written to it."""


class WouldFail(InvalidInput):
    """Raised when a send could only fail, or is not what anybody wants, before anything goes out.

    Attributes
    ----------
    problems : tuple of str
        What stands against it, a sentence each; the first is the text of the error.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        more = f" ({len(self.problems) - 1} more: see ef.plan)" if len(self.problems) > 1 else ""
        super().__init__(f"Nothing was sent: {self.problems[0]}{more}")


class JournalError(EsmsError):
    """Raised when the journal can't be relied on; nothing more is sent then."""


class GatewayError(EsmsError):
    """Base of what goes wrong between here and the gateway."""


class Unreachable(GatewayError):
    """Raised when no connection could be made: the request certainly did not arrive."""


class NoAnswer(GatewayError):
    """Raised when a request left and no usable answer came: the gateway may or may not have taken it."""


class BadAnswer(NoAnswer):
    """Raised when what came back is not the gateway's JSON: an error page, a proxy's word, a half answer.

    Attributes
    ----------
    status : int
        The HTTP status.
    excerpt : str
        The beginning of what came, at most 120 characters, without keys and phone numbers.
    """

    def __init__(self, sentence: str, status: int, excerpt: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.excerpt = excerpt


class Kind(StrEnum):
    """What a code means for the rest of a campaign."""

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
        """Tell whether every further batch would be refused too."""
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

_OTHER = Code("refused for a reason that is not in the table of codes", Kind.REFUSED, "ask eSMS what the code means")


def lookup(code: int) -> Code:
    """Find a code in the table; a code that is not there is `Kind.REFUSED`."""
    return CODES.get(code, _OTHER)


class Refused(GatewayError):
    """Raised when the gateway answered with a code that is not 100.

    Attributes
    ----------
    code : int
        The gateway's code.
    kind : Kind
        What it means for the rest of a campaign.
    words : str
        The gateway's own words, at most 120 characters, without keys and phone numbers.
    """

    def __init__(self, code: int, words: str = "") -> None:
        entry = lookup(code)
        said = f" (it says {words!r})" if words else ""
        super().__init__(f"The gateway refused with code {code}, {entry.meaning}{said}: {entry.advice}.")
        self.code = code
        self.kind = entry.kind
        self.words = words
