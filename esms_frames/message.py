"""What is sent: the text and how long it is, under whose name, of which type, when."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gsm0338 import Codec

from esms_frames import clock
from esms_frames.errors import InvalidInput, InvalidMessage, shown
from esms_frames.personal import fill_in

if TYPE_CHECKING:
    import pandas as pd

MIN_BATCH = 30
MAX_BATCH = 5000
"""How many different numbers the gateway takes in one request, by its page on POST TEXT."""

PLACEHOLDER = "{token}"
"""What stands in a `callback_url` for the token of a campaign."""

_LONGEST_BRANDNAME = 11
_LONGEST_CAMPAIGN = 254

# XML 1.0 can carry neither these controls nor lone surrogates (section 2.2 of the recommendation).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class SmsType(StrEnum):
    """The two types of brandname messages."""

    CUSTOMER_CARE = "customer_care"
    ADVERTISING = "advertising"

    @property
    def code(self) -> int:
        """Give the gateway's SMSTYPE: 2 for customer care, 1 for advertising."""
        return 2 if self is SmsType.CUSTOMER_CARE else 1


class Encoding(StrEnum):
    """How the characters of a text travel, which decides how many fit into one part."""

    GSM = "GSM-7"
    """3GPP TS 23.038 (GSM 03.38), 7 bits a character: 160 in a single message, 153 in each part of a longer one."""
    UCS2 = "UCS-2"
    """16 bits a character, for everything else, Vietnamese accents too: 70 in a single message, 67 a part."""

    @property
    def single(self) -> int:
        """Give how many characters fit into a message of one part."""
        return 160 if self is Encoding.GSM else 70

    @property
    def multiple(self) -> int:
        """Give how many characters fit into each part of a longer message."""
        return 153 if self is Encoding.GSM else 67


class FilledUrl(str):
    """A callback address with a token in it: debuggers, tracebacks and a message's repr see only that there is one."""

    __slots__ = ()

    @property
    def token(self) -> str:
        """The token, which is the last part of the path."""
        return self.rpartition("/")[2]

    def __repr__(self) -> str:
        return "<hidden>"


@dataclass(frozen=True)
class Message:
    """One text, the same for all its recipients.

    Parameters
    ----------
    content : str
        The text. It is kept in Unicode's composed form (NFC), which costs the fewest characters.
    brandname : str
        The registered sender name, at most 11 characters; case matters.
    sms_type : {"customer_care", "advertising"}
        Customer care by default. Advertising may carry a text only at the hours and under the rules of the law.
    send_at : datetime or str, optional
        When the gateway is to send it, at once by default. Without a time zone it is Vietnam time. Text is written like
        ``"2030-01-31 08:00"``. Kept as an aware datetime in Vietnam time, to the second.
    callback_url : str, optional
        Where the gateway reports the final status, by its own GET calls. An address that ends in ``/{token}``, like
        ``"https://hooks.example.vn/esms/{token}"``, is for `callbacks_app`: `send` puts a token of the campaign there,
        which nobody can guess, for the gateway does not sign its calls.

    Raises
    ------
    InvalidMessage
        When a field is not what the gateway takes, in one sentence; its ``field`` names it.

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
    callback_url: str | None = None

    def __post_init__(self) -> None:
        """Check every field, and bring each into the one form that the rest of the package relies on."""
        object.__setattr__(self, "content", _checked_content(self.content))
        object.__setattr__(self, "brandname", checked_brandname(self.brandname))
        object.__setattr__(self, "sms_type", checked_type(self.sms_type))
        object.__setattr__(self, "send_at", _checked_time(self.send_at))
        object.__setattr__(self, "callback_url", _checked_url(self.callback_url))

    @classmethod
    def restored(
        cls, content: str, brandname: str, sms_type: str, send_at: datetime | None, callback_url: str | None
    ) -> Message:
        """Make a message again that was checked before, whose schedule may be past by now."""
        message = cls(content, brandname, SmsType(sms_type), callback_url=callback_url)
        object.__setattr__(message, "send_at", send_at)
        return message

    @property
    def needs_token(self) -> bool:
        """Whether the token of a campaign is to be put into the callback address."""
        return self.callback_url is not None and self.callback_url.endswith(PLACEHOLDER)

    def with_token(self, token: str) -> Message:
        """Give the same message with a token in the callback address, where one is to be."""
        if self.callback_url is None or not self.needs_token:
            return self
        url = FilledUrl(self.callback_url.removesuffix(PLACEHOLDER) + token)
        return Message.restored(self.content, self.brandname, self.sms_type, self.send_at, url)

    @property
    def encoding(self) -> Encoding:
        """How the text travels: one character outside the GSM alphabet makes the whole text UCS-2."""
        return Encoding.GSM if all(_septets(character) for character in self.content) else Encoding.UCS2

    @property
    def characters(self) -> int:
        """How many characters count.

        Of the GSM alphabet, square and curly brackets, ``^``, ``~``, ``|``, ``€`` and the backslash are two each; in
        UCS-2, characters beyond the basic plane are, as emoji.
        """
        return sum(self._units())

    @property
    def parts(self) -> int:
        """How many SMS one recipient's message is made of, and paid for.

        By the standard. Carriers put a label before advertising texts and an opt-out line after them, so the first part
        holds less there: the gateway's price has the last word.
        """
        encoding = self.encoding
        if self.characters <= encoding.single:
            return 1
        parts, room = 1, encoding.multiple
        for units in self._units():
            if units > room:  # a character of two units is not torn apart
                parts, room = parts + 1, encoding.multiple
            room -= units
        return parts

    def without_accents(self) -> Message:
        """Give the same message with its accents stripped, so that more fits into one part.

        A text whose only characters outside the GSM alphabet are Vietnamese letters becomes GSM, of which more than
        twice as much fits. Typographic signs and emoji stay, and keep a text UCS-2.
        """
        plain = strip_accents(self.content)
        return Message.restored(plain, self.brandname, self.sms_type, self.send_at, self.callback_url)

    def for_each(
        self, df: pd.DataFrame, *, min_batch: int = MIN_BATCH, small: str = "refuse"
    ) -> tuple[pd.Series[Any], dict[str, Message]]:
        """Fill the fields of the text in from the columns of a DataFrame, and group the rows whose texts are equal.

        The gateway takes one text for a batch of 30 or more, so a personal text is one that at least so many share: a
        city, a shop, a month, a kind of customer; seldom a name.

        Parameters
        ----------
        df : DataFrame
            The customers. ``{city}`` in the text stands for the column ``city``; formats are Python's, like
            ``{points:,.0f}`` or ``{expires:%d/%m}``, and ``{{`` is a brace.
        min_batch : int, optional
            How many rows a text must be for.
        small : {"refuse", "exclude"}
            What to do with texts for fewer: refuse them all, saying which columns split most, or leave out their rows.

        Returns
        -------
        by : Series
            The segment of each row, with the index of `df`: the values that were filled in. NA where a value is missing,
            or the text is left out.
        messages : dict of str to Message
            The message of each segment. Both go to `send`: ``send(df, messages, client, by=by, campaign=…)``.

        Raises
        ------
        InvalidInput
            When a field is no column, a format does not fit, or texts are for too few rows.
        InvalidMessage
            When a text is not what the gateway takes once it is filled in.

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
            raise InvalidInput(f"small is {shown(small)}: use 'refuse' or 'exclude'.")
        if not isinstance(min_batch, int) or isinstance(min_batch, bool) or min_batch < 0:
            raise InvalidInput(f"min_batch is {shown(min_batch)}: give a whole number from 0 up.")
        by, texts = fill_in(self.content, df, floor=min_batch, small=small)
        return by, {name: replace(self, content=text) for name, text in texts.items()}

    def _units(self) -> list[int]:
        if self.encoding is Encoding.GSM:
            return [_septets(character) for character in self.content]
        return [1 + (ord(character) > 0xFFFF) for character in self.content]


def strip_accents(text: str) -> str:
    """Write Vietnamese without its accents: ``Đặng Thị Thuỳ`` becomes ``Dang Thi Thuy``.

    Parameters
    ----------
    text : str
        Any text; letters of other scripts keep their form but lose their accents.

    Returns
    -------
    str
        The text without combining marks, and with ``đ`` and ``Đ`` as ``d`` and ``D``.

    Examples
    --------
    >>> strip_accents("Khuyến mãi đặc biệt")
    'Khuyen mai dac biet'
    """
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c) != "Mn"))


def checked_campaign(name: object) -> str:
    """Check a campaign's name, which the gateway keeps with the messages (CAMPAIGNID), and give its one spelling.

    The same name in another form of Unicode or with blanks around it is the same campaign.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(
            f"campaign is {shown(name)}: give it a name of 1 to {_LONGEST_CAMPAIGN} characters, or none."
        )
    name = unicodedata.normalize("NFC", re.sub(r" +", " ", name.strip()))
    if len(name) > _LONGEST_CAMPAIGN:
        raise InvalidInput(
            f"campaign has {len(name)} characters and the gateway takes {_LONGEST_CAMPAIGN}: shorten it."
        )
    if control := _CONTROL.search(name):
        raise InvalidInput(f"campaign holds the control character {_named(control)}: take it out.")
    return name


def check_not_past(message: Message) -> None:
    """Check that a schedule is still to come; a message may be made long before it is sent."""
    if message.send_at is not None and message.send_at <= clock.now():
        raise InvalidMessage(
            "send_at",
            f"send_at {message.send_at:%Y-%m-%d %H:%M:%S} is past (it is {clock.now():%Y-%m-%d %H:%M:%S} in Vietnam): "
            "choose a later time, or leave it out to send at once.",
        )


@cache
def _codec() -> Codec:
    return Codec()


@cache
def _septets(character: str) -> int:
    """Count the septets of a character in the GSM alphabet; 0 for one that is not in it."""
    try:
        return len(_codec().encode(character)[0])
    except UnicodeEncodeError:
        return 0


def _named(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X} at position {found.start() + 1}"


def _checked_content(content: object) -> str:
    if not isinstance(content, str):
        raise InvalidMessage("content", f"content must be text, not {type(content).__name__}: write the message.")
    if not content.strip():
        raise InvalidMessage("content", "content is empty: write the text that the recipients are to read.")
    if control := _NOT_XML.search(content):
        raise InvalidMessage("content", f"content holds the control character {_named(control)}: take it out.")
    return unicodedata.normalize("NFC", content)


def checked_brandname(brandname: object) -> str:
    """Check the name of a sender."""
    way_out = "write the sender name as it is registered with eSMS."
    if not isinstance(brandname, str):
        raise InvalidMessage("brandname", f"brandname must be text, not {type(brandname).__name__}: {way_out}")
    if not brandname.strip():
        raise InvalidMessage("brandname", f"brandname is empty: {way_out}")
    if brandname != brandname.strip():
        raise InvalidMessage("brandname", f"brandname {brandname!r} begins or ends with a blank: {way_out}")
    if control := _CONTROL.search(brandname):
        raise InvalidMessage("brandname", f"brandname holds the control character {_named(control)}: {way_out}")
    if len(brandname) > _LONGEST_BRANDNAME:
        raise InvalidMessage(
            "brandname",
            f"brandname {brandname!r} has {len(brandname)} characters, carriers take {_LONGEST_BRANDNAME}: {way_out}",
        )
    return brandname


def checked_type(sms_type: object) -> SmsType:
    """Check the name of a type."""
    try:
        return SmsType(sms_type)  # type: ignore[arg-type]
    except ValueError:
        known = " or ".join(repr(str(known)) for known in SmsType)
        raise InvalidMessage("sms_type", f"sms_type {sms_type!r} is not known: use {known}.") from None


def _checked_time(send_at: object) -> datetime | None:
    if send_at is None:
        return None
    way_out = "write a time like '2030-01-31 08:00' (Vietnam time), or leave it out to send at once."
    moment = send_at
    if isinstance(send_at, str):
        try:
            moment = datetime.fromisoformat(send_at.strip()) if len(send_at.strip()) > len("2030-01-31") else None
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - NaT is a datetime that is not itself
        raise InvalidMessage("send_at", f"send_at {send_at!r} is not a moment: {way_out}")
    try:
        moment = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
        moment = datetime.fromtimestamp(int(moment.timestamp()), clock.VIETNAM)  # a plain datetime, to the second
    except (OverflowError, ValueError, OSError):
        raise InvalidMessage("send_at", f"send_at {send_at!r} is out of the calendar's range: {way_out}") from None
    if moment <= clock.now():
        raise InvalidMessage("send_at", f"send_at {moment:%Y-%m-%d %H:%M:%S} (Vietnam time) is past: {way_out}")
    return moment


def _checked_url(url: object) -> str | None:
    if url is None:
        return None
    way_out = "write an address like 'https://example.com/sms', or leave it out."
    if not isinstance(url, str) or _CONTROL.search(url) or " " in url:
        raise InvalidMessage("callback_url", f"callback_url {url!r} is no address: {way_out}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidMessage("callback_url", f"callback_url {url!r} is no http or https address: {way_out}")
    if PLACEHOLDER in url and not (
        url.count(PLACEHOLDER) == 1 and parts.path.endswith(f"/{PLACEHOLDER}") and url.endswith(PLACEHOLDER)
    ):
        raise InvalidMessage(
            "callback_url",
            f"callback_url {url!r} has {PLACEHOLDER} elsewhere than at its end: write it like 'https://example.com/sms/{PLACEHOLDER}'.",
        )
    return url
