"""The message: a text, and how it is sent."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from esms_frames.base import clock
from esms_frames.base.errors import InvalidInput, InvalidMessage
from esms_frames.base.wording import Sentence, shown, strip_accents
from esms_frames.messages.campaign_names import fold_text
from esms_frames.messages.encoding import Encoding, _septets
from esms_frames.messages.limits import _CONTROL, MIN_BATCH, SmsType, _named, check_brandname, check_type
from esms_frames.messages.personalize import fill_in

if TYPE_CHECKING:
    import pandas as pd


PLACEHOLDER = "{token}"
"""Placeholder in a `callback_url` for the campaign's token."""


# XML 1.0 can carry neither these controls nor lone surrogates (section 2.2 of the recommendation).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters, by Unicode's word, that show nothing


class FilledUrl:
    """A callback address that contains a token: debuggers, tracebacks and a message's repr show only that it exists.

    It is not a string, so code that slices or formats it sees nothing of the token.
    """

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def reveal(self) -> str:
        """Return the address."""
        return self._url

    @property
    def token(self) -> str:
        """The token, which is the last part of the path."""
        return self._url.rpartition("/")[2]

    def __repr__(self) -> str:
        return "<hidden>"


@dataclass(frozen=True)
class Message:
    """One text, the same for all its recipients, and how to send it.

    Parameters
    ----------
    content : str
        The text. It is kept in Unicode's composed form (NFC), which costs the fewest characters.
    brandname : str
        The registered sender name, at most 11 characters; case matters.
    sms_type : {"customer_care", "advertising"}
        Customer care by default. Advertising may be sent only at the hours and under the rules of the law.
    send_at : datetime or str, optional
        When the gateway sends the message; by default at once. Without a time zone it is Vietnam time. Write text like
        ``"2030-01-31 08:00"``. It is kept as an aware datetime in Vietnam time, to the second.
    callback_url : str, optional
        Where the gateway reports the final status, with GET calls. An address that ends in ``/{token}``, like
        ``"https://hooks.example.vn/esms/{token}"``, is for `callbacks_app`: `send` puts the campaign's token there. Nobody
        can guess it, which matters because the gateway does not sign its calls.

    Raises
    ------
    InvalidMessage
        When the gateway would not accept a field; the error's ``field`` names it.

    Examples
    --------
    >>> message = Message("Cảm ơn quý khách đã mua hàng!", "Baotrixemay")
    >>> message.encoding, message.characters, message.parts
    (<Encoding.UCS2: 'UCS-2'>, 29, 1)
    >>> message.without_accents().content
    'Cam on quy khach da mua hang!'
    """

    content: str
    brandname: str
    sms_type: SmsType = SmsType.CUSTOMER_CARE
    send_at: datetime | None = None
    callback_url: str | FilledUrl | None = None

    def __post_init__(self) -> None:
        """Check every field, and convert it to the form that the rest of the package relies on."""
        object.__setattr__(self, "content", _check_content(self.content))
        object.__setattr__(self, "brandname", check_brandname(self.brandname))
        object.__setattr__(self, "sms_type", check_type(self.sms_type))
        object.__setattr__(self, "send_at", _check_time(self.send_at))
        object.__setattr__(self, "callback_url", _check_url(self.callback_url))

    @classmethod
    def _restored(
        cls, content: str, brandname: str, sms_type: str, send_at: datetime | None, callback_url: str | FilledUrl | None
    ) -> Message:
        """Build a message that was checked before; its schedule may be in the past by now."""
        message = cls(content, brandname, SmsType(sms_type), callback_url=callback_url)
        object.__setattr__(message, "send_at", send_at)
        return message

    @property
    def _needs_token(self) -> bool:
        """Whether the callback address has a placeholder for the campaign's token."""
        return isinstance(self.callback_url, str) and self.callback_url.endswith(PLACEHOLDER)

    def _with_token(self, token: str) -> Message:
        """Return the same message with a token in its callback address, if the address has a placeholder."""
        if not isinstance(self.callback_url, str) or not self._needs_token:
            return self
        url = FilledUrl(self.callback_url.removesuffix(PLACEHOLDER) + token)
        return Message._restored(self.content, self.brandname, self.sms_type, self.send_at, url)

    @property
    def encoding(self) -> Encoding:
        """The encoding of the text: one character outside the GSM alphabet makes the whole text UCS-2."""
        return Encoding.GSM if all(_septets(character) for character in self.content) else Encoding.UCS2

    @property
    def characters(self) -> int:
        """How many characters the text counts as.

        In the GSM alphabet, square and curly brackets, ``^``, ``~``, ``|``, ``€`` and the backslash count as two each. In
        UCS-2, characters beyond the basic plane, such as emoji, count as two.
        """
        return sum(self._units())

    @property
    def parts(self) -> int:
        """How many SMS parts one recipient's message has, and you pay for.

        It is counted by the standard. Carriers add a label before advertising texts and an opt-out line after them, so
        the first part holds less text there: rely on the gateway's price.
        """
        encoding = self.encoding
        if self.characters <= encoding.single:
            return 1
        parts, room = 1, encoding.multiple
        for units in self._units():
            if units > room:  # a character of two units is not split
                parts, room = parts + 1, encoding.multiple
            room -= units
        return parts

    def without_accents(self) -> Message:
        """Return the same message without accents, so that more text fits into one part.

        A text whose only characters outside the GSM alphabet are Vietnamese letters becomes GSM, and more than twice as
        much fits into a part. Typographic signs and emoji stay, and keep the text UCS-2.

        Returns
        -------
        Message
            The message; everything else is unchanged.
        """
        plain = strip_accents(self.content)
        return Message._restored(plain, self.brandname, self.sms_type, self.send_at, self.callback_url)

    def for_each(
        self, df: pd.DataFrame, *, min_batch: int = MIN_BATCH, small: str = "refuse"
    ) -> tuple[pd.Series[Any], dict[str, Message]]:
        """Fill in the fields of the text from the columns of a DataFrame, and group the rows that get the same text.

        The gateway accepts one text per batch of 30 or more numbers, so at least that many rows must share a personal
        text: use fields like a city, a shop, a month or a kind of customer; rarely a name.

        Parameters
        ----------
        df : DataFrame
            The customers. ``{city}`` in the text stands for the column ``city``; formats are Python's, like
            ``{points:,.0f}`` or ``{expires:%d/%m}``, and ``{{`` is a brace.
        min_batch : int, optional
            How many rows a text needs at least.
        small : {"refuse", "exclude"}
            What to do if texts have fewer rows: raise an error that says which columns split most, or leave out those rows.

        Returns
        -------
        by : Series
            The segment of each row, with the index of `df`: the values that were filled in. NA if a value is missing or
            the text is left out.
        messages : dict of str to Message
            The message of each segment. Pass both to `send`: ``send(df, messages, client, by=by, campaign=…)``.

        Raises
        ------
        InvalidInput
            When a field is not a column, a format does not fit, or texts have too few rows.
        InvalidMessage
            When the gateway would not accept a text once it is filled in.

        Examples
        --------
        >>> import pandas as pd
        >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 80)], "city": ["Huế", "Đà Lạt"] * 35})
        >>> by, messages = Message("Cua hang {city} chao ban!", "Baotrixemay").for_each(customers)
        >>> by.value_counts().to_dict()
        {'Huế': 35, 'Đà Lạt': 35}
        >>> messages["Huế"].content
        'Cua hang Huế chao ban!'
        """
        if not isinstance(small, str) or small not in {"refuse", "exclude"}:
            raise InvalidInput("small is {small}: use 'refuse' or 'exclude'.", small=shown(small))
        if not isinstance(min_batch, int) or isinstance(min_batch, bool) or min_batch < 0:
            raise InvalidInput("min_batch is {min_batch}: give a whole number from 0 up.", min_batch=shown(min_batch))
        by, texts = fill_in(self.content, df, floor=min_batch, small=small)
        return by, {name: replace(self, content=text) for name, text in texts.items()}

    def _units(self) -> list[int]:
        if self.encoding is Encoding.GSM:
            return [_septets(character) for character in self.content]
        return [1 + (ord(character) > 0xFFFF) for character in self.content]


def fingerprint(content: str) -> str:
    r"""Return a short hash that is equal for texts that read the same; blanks and invisible characters don't count.

    Examples
    --------
    >>> fingerprint("Xin  chào\r\n") == fingerprint("Xin chào") != fingerprint("Xin chao")
    True
    """
    return hashlib.sha256(fold_text(content).encode()).hexdigest()[:16]


def check_not_past(message: Message) -> None:
    """Check that the message's schedule is in the future; a message can be created long before it is sent."""
    if message.send_at is not None and message.send_at <= clock.now():
        raise InvalidMessage(
            "send_at",
            "send_at {when} is past (it is {now} in Vietnam): choose a later time, or leave it out to send at once.",
            when=f"{message.send_at:%Y-%m-%d %H:%M:%S}",
            now=f"{clock.now():%Y-%m-%d %H:%M:%S}",
        )


def _check_content(content: object) -> str:
    if not isinstance(content, str):
        raise InvalidMessage(
            "content", "content must be text, not {kind}: write the message.", kind=type(content).__name__
        )
    if control := _NOT_XML.search(content):
        raise InvalidMessage(
            "content", "content holds the control character {sign}: take it out.", sign=_named(control)
        )
    if all(unicodedata.category(sign)[0] in "CZM" or sign in _FILLERS for sign in content):  # nothing that can be seen
        raise InvalidMessage("content", "content is empty: write the text that the recipients are to read.")
    return unicodedata.normalize("NFC", content)


def _check_time(send_at: object) -> datetime | None:
    if send_at is None:
        return None
    way_out = Sentence("write a time like '2030-01-31 08:00' (Vietnam time), or leave it out to send at once.")
    moment = send_at
    if isinstance(send_at, str):
        try:
            moment = datetime.fromisoformat(send_at.strip()) if len(send_at.strip()) > len("2030-01-31") else None
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - NaT is a datetime that is not itself
        raise InvalidMessage(
            "send_at", "send_at {send_at} is not a moment: {way_out_text}", send_at=repr(send_at), way_out_text=way_out
        )
    try:
        moment = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
        moment = datetime.fromtimestamp(int(moment.timestamp()), clock.VIETNAM)  # a plain datetime, to the second
    except (OverflowError, ValueError, OSError):
        raise InvalidMessage(
            "send_at",
            "send_at {send_at} is out of the calendar's range: {way_out_text}",
            send_at=repr(send_at),
            way_out_text=way_out,
        ) from None
    if moment <= clock.now():
        raise InvalidMessage(
            "send_at",
            "send_at {when} (Vietnam time) is past: {way_out_text}",
            when=f"{moment:%Y-%m-%d %H:%M:%S}",
            way_out_text=way_out,
        )
    return moment


def _check_url(url: object) -> str | FilledUrl | None:
    if url is None or isinstance(url, FilledUrl):
        return url
    way_out = Sentence("write an address like 'https://example.com/sms', or leave it out.")
    if not isinstance(url, str) or _CONTROL.search(url) or " " in url:
        raise InvalidMessage(
            "callback_url", "callback_url {url} is no address: {way_out_text}", url=repr(url), way_out_text=way_out
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidMessage(
            "callback_url",
            "callback_url {url} is no http or https address: {way_out_text}",
            url=repr(url),
            way_out_text=way_out,
        )
    if PLACEHOLDER in url and not (
        url.count(PLACEHOLDER) == 1 and parts.path.endswith(f"/{PLACEHOLDER}") and url.endswith(PLACEHOLDER)
    ):
        raise InvalidMessage(
            "callback_url",
            "callback_url {url} has {placeholder} elsewhere than at its end: write it like "
            "'https://example.com/sms/{placeholder}'.",
            url=repr(url),
            placeholder=PLACEHOLDER,
        )
    return url
