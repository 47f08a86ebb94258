"""The exceptions, each of which is one sentence: what, where, way out.

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

import re
from typing import TYPE_CHECKING

from esms_frames.base.codes import Code, Kind, lookup
from esms_frames.base.wording import Sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_NAMED, _LONGEST_NAME = 10, 40  # segments in one sentence, and characters of each


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def visible(text: object, most: int = 200, *, lines: bool = False) -> str:
    r"""Return text of others as it may be printed: terminal controls and invisible characters are written as escapes.

    Parameters
    ----------
    text : object
        A file's name, a cell, or the like.
    most : int, optional
        How many characters are shown.
    lines : bool, optional
        Whether line feeds stay; for whole pages of text, which are not cut.

    Examples
    --------
    >>> print(visible("khach\x1b[31m.csv"))
    khach\x1b[31m.csv
    """
    written = str(text)
    if not lines and len(written) > most:
        written = f"{written[:most]}…"
    return _UNSEEN.sub(lambda sign: sign[0] if lines and sign[0] == "\n" else ascii(sign[0])[1:-1], written)


class EsmsError(Exception):
    """Base of all exceptions that this package raises on purpose.

    Attributes
    ----------
    template : str
        The text of the error in English, with ``{names}`` where values stand: what a translation is found by.
    values : mapping of str to object
        The values. Without any, the template is the text itself.
    """

    def __init__(self, template: str, /, **values: object) -> None:
        if isinstance(template, Sentence) and not values:
            values, template = dict(template.values), template.template
        sentence = Sentence(template, **values)
        super().__init__(str(sentence))
        self.template = sentence.template
        self.values = sentence.values

    @property
    def _sentence(self) -> Sentence:
        """The text, with the template and the values that it was written from."""
        return Sentence(self.template, **self.values)

    def __reduce__(self) -> tuple[Callable[..., EsmsError], tuple[object, ...]]:
        """Return how a copy is made: from the text and the attributes, whatever the error was raised with."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[EsmsError], args: tuple[object, ...], attributes: Mapping[str, object]) -> EsmsError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class InvalidInput(EsmsError, ValueError):
    """Raised when something handed in can't be used; nothing was sent."""


class InvalidMessage(InvalidInput):
    """Raised when a field of a message is not what the gateway takes.

    Attributes
    ----------
    field : str
        The name of the field.
    """

    def __init__(self, field: str, template: str, /, **values: object) -> None:
        super().__init__(template, **values)
        self.field = field


class PhoneColumnError(InvalidInput):
    """Raised when it is not clear which column holds the phone numbers.

    Attributes
    ----------
    candidates : tuple of str
        The columns that could be meant; all columns where none stands out.
    """

    def __init__(self, template: str, candidates: Sequence[str], /, **values: object) -> None:
        super().__init__(template, **values)
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
                Sentence(
                    "A batch needs {floor} recipients and {count} of the segments have fewer ({segments}): join them with "
                    "others, or give them no message, which excludes their rows.",
                    floor=floor,
                    count=len(named),
                    segments=", ".join(named[:_NAMED]) + more,
                )
            )
            return
        others = ", ".join(f"{count:,} {status}" for status, count in counts.items() if status != "ready" and count)
        super().__init__(
            Sentence(
                "Only {ready} of {rows} rows can be texted{others} and a batch needs {floor}: add recipients, correct the "
                "numbers, or, for customer care only, lower min_batch.",
                ready=self.ready,
                rows=sum(counts.values()),
                others=f" ({others})" if others else "",
                floor=floor,
            )
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
        if len(self.problems) == 1:
            super().__init__(Sentence("Nothing was sent: {problem_text}", problem_text=self.problems[0]))
            return
        super().__init__(
            Sentence(
                "Nothing was sent: {problem_text} ({more} more: see ef.plan)",
                problem_text=self.problems[0],
                more=len(self.problems) - 1,
            )
        )


class JournalError(EsmsError):
    """Raised when the journal can't be relied on; nothing more is sent then."""


class GatewayError(EsmsError):
    """Base of what goes wrong between here and the gateway."""


class Unreachable(GatewayError):
    """Raised when no connection could be made: the request certainly did not arrive.

    Attributes
    ----------
    is_lasting : bool
        Whether the cause stays until somebody changes something, as with an expired certificate: trying again in a moment
        can't help.
    """

    def __init__(self, template: str, /, *, is_lasting: bool = False, **values: object) -> None:
        super().__init__(template, **values)
        self.is_lasting = is_lasting


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

    def __init__(self, template: str, status: int, excerpt: str, /, **values: object) -> None:
        super().__init__(template, **values)
        self.status = status
        self.excerpt = excerpt


_WITHOUT_CODE = Code("refused without a code", Kind.REFUSED, "ask eSMS what its words mean")
_REFUSED = {
    (False, False): "The gateway refused without a code: {advice_text}.",
    (False, True): "The gateway refused without a code (it says {words}): {advice_text}.",
    (True, False): "The gateway refused with code {code}, {meaning_text}: {advice_text}.",
    (True, True): "The gateway refused with code {code}, {meaning_text} (it says {words}): {advice_text}.",
}
"""By whether there is a code, and whether there are words of the gateway."""


class Refused(GatewayError):
    """Raised when the gateway answered with a code that is not 100, or with an error without a code.

    Attributes
    ----------
    code : int or None
        The gateway's code; None where it gives none.
    kind : Kind
        What it means for the rest of a campaign.
    words : str
        The gateway's own words, at most 120 characters, without keys and phone numbers.
    """

    def __init__(self, code: int | None, words: str = "") -> None:
        entry = _WITHOUT_CODE if code is None else lookup(code)
        template = _REFUSED[code is not None, bool(words)]
        meaning, advice = Sentence(entry.meaning), Sentence(entry.advice)
        super().__init__(template, code=str(code), meaning_text=meaning, words=repr(words), advice_text=advice)
        self.code = code
        self.kind = entry.kind
        self.words = words
