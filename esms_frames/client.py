"""The thin client: one method for each operation of the gateway, over requests."""

from __future__ import annotations

import hashlib
import os
import secrets
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from esms_frames import reports, wire
from esms_frames.checks import (
    checked_batch,
    checked_message,
    checked_paths,
    checked_request_id,
    checked_sms_id,
    in_vietnam,
)
from esms_frames.errors import InvalidInput, Kind, NoAnswer, Unreachable
from esms_frames.message import (
    MIN_BATCH,
    PLACEHOLDER,
    FilledUrl,
    Message,
    SmsType,
    check_not_past,
    checked_brandname,
    checked_campaign,
    checked_type,
)
from esms_frames.transport import LIVE_URL, Hidden, Keys, Read, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    import pandas as pd

    from esms_frames.templates import Template

SANDBOX = "sandbox"
"""What a gateway on this machine is called, wherever it listens."""

SEND_PATHS: Mapping[SmsType, str] = {
    SmsType.CUSTOMER_CARE: "SendMultipleMessage_V4/",
    SmsType.ADVERTISING: "SendMultipleSMSBrandname",
}
"""Where each type is sent to, by the vendor's pages on the two."""

_PAGE_SIZE = 500  # the most that the gateway gives at once

_Found = TypeVar("_Found")


class Client:
    """A connection to the eSMS gateway with the keys of one account.

    Connections are kept open and reused, and one client may be used by several threads. It never sends
    anything again by itself: whether that may be is decided by who knows what became of the first time.

    Parameters
    ----------
    api_key, secret_key : str
        The account's keys. They are shown nowhere: not in the repr, nor in errors or logs.
    base_url : str, optional
        Where the gateway is; plain http is taken only on this machine (the sandbox).
    timeout : float or (float, float), optional
        Seconds to wait for a connection and for an answer; one number stands for both. A time-out while waiting for
        an answer leaves it uncertain whether the gateway took the request, so be generous.
    send_paths : mapping of str to str, optional
        Other paths than `SEND_PATHS` for the types ``"customer_care"`` and ``"advertising"``.

    Raises
    ------
    InvalidInput
        When a key is empty, the address is not usable, or a time-out is not positive.

    Examples
    --------
    >>> import esms_frames as ef
    >>> with ef.Sandbox() as sandbox:
    ...     client = sandbox.client()
    ...     client.balance()
    Decimal('100000000')
    """

    def __init__(
        self,
        api_key: str,
        secret_key: str,
        *,
        base_url: str = LIVE_URL,
        timeout: float | tuple[float, float] = (5.0, 60.0),
        send_paths: Mapping[str, str] | None = None,
    ) -> None:
        keys = Keys(api_key, secret_key)
        del api_key, secret_key  # what is raised below shows these names to verbose tracebacks
        keys.check()
        self._transport = Transport(keys, base_url, timeout)
        self._send_paths = {**SEND_PATHS, **checked_paths(send_paths or {})}

    @classmethod
    def from_env(cls, **options: Any) -> Client:
        """Make a client from the environment: ESMS_API_KEY, ESMS_SECRET_KEY and, if set, ESMS_BASE_URL.

        Parameters
        ----------
        **options
            `timeout` and `send_paths`, as for the class; `base_url` goes before the environment's.

        Returns
        -------
        Client
            Nothing has been asked yet: wrong keys show with the first request.

        Raises
        ------
        InvalidInput
            When a key is not set.
        """
        missing = [name for name in ("ESMS_API_KEY", "ESMS_SECRET_KEY") if not os.environ.get(name, "").strip()]
        if missing:
            raise InvalidInput(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set in the environment: set them "
                "to the keys of your eSMS account, or try without an account on the sandbox."
            )
        if url := os.environ.get("ESMS_BASE_URL", "").strip():
            options.setdefault("base_url", url)
        return cls(os.environ["ESMS_API_KEY"], os.environ["ESMS_SECRET_KEY"], **options)

    @property
    def base_url(self) -> str:
        """Where the gateway is, with a slash at the end."""
        return self._transport.base_url

    @property
    def timeout(self) -> tuple[float, float]:
        """Seconds to wait for a connection and for an answer."""
        return self._transport.timeout

    @property
    def clock_offset(self) -> timedelta | None:
        """By how much the gateway's clock was ahead of this machine's at the last answer; None where it did not say."""
        return self._transport.clock_offset

    @property
    def gateway(self) -> str:
        """Which gateway it is: its host, or ``sandbox`` on this machine, wherever it listens."""
        parts = urlsplit(self.base_url)
        port = "" if parts.port in {None, 443} else f":{parts.port}"
        return SANDBOX if self.is_local else f"{(parts.hostname or '').rstrip('.')}{port}"

    @property
    def account(self) -> str:
        """Whose account it is: a short fingerprint of the ApiKey, from which the key can't be had.

        After a change of the ApiKey it is another, and campaigns begin anew under it.
        """
        return hashlib.sha256(b"esms_frames account " + self._transport.keys.reveal()[0].encode()).hexdigest()[:12]

    @property
    def is_sandbox(self) -> bool:
        """Whether the last answer came from a sandbox on this machine, which delivers nothing; False before the first."""
        return self.is_local and self._transport.was_sandbox

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine; usually a sandbox, but it may be a tunnel to a live gateway."""
        return self._transport.is_local

    def send(
        self,
        message: Message,
        phones: Iterable[str],
        *,
        request_id: str | None = None,
        campaign: str | None = None,
        floor: int = MIN_BATCH,
    ) -> wire.Answer:
        """Send one text to one batch of numbers.

        Parameters
        ----------
        message : Message
            The text and how it is sent; its type chooses the path.
        phones : list, Series or other iterable of str
            30 to 5000 different numbers, ``0`` and nine digits each (`normalize_phones` writes them so).
        request_id : str, optional
            At most 50 characters; within 24 hours the gateway takes each id once, and refuses repetitions with 124.
        campaign : str, optional
            The campaign's name that the gateway keeps with the messages, at most 254 characters.
        floor : int, optional
            How few numbers may be sent; can be lowered for customer care only.

        Returns
        -------
        Answer
            That the gateway accepted the batch, and its ``sms_id``. Accepted is not delivered.

        Raises
        ------
        InvalidInput
            When a number, their count or the id is not what the gateway takes; nothing was sent.
        Refused
            When the gateway refused: ``code`` and ``kind`` say why and whether other batches may pass.
        Unreachable
            When no connection could be made; nothing was sent.
        NoAnswer
            When it is uncertain whether the gateway took the batch; only the same `request_id` may be tried again.
        """
        check_not_past(checked_message(message))
        if message.needs_token:
            raise InvalidInput(
                f"callback_url ends in {PLACEHOLDER}, which ef.send fills in for a campaign: write the address out."
            )
        batch = checked_batch(phones, message, floor)
        ids = {
            "request_id": None if request_id is None else checked_request_id(request_id),
            "campaign": None if campaign is None else checked_campaign(campaign),
        }
        return self._post_xml(self._send_paths[message.sms_type], message, batch, wire.read_send, **ids)

    def balance(self) -> Decimal:
        """Ask how much money the account has.

        Returns
        -------
        Decimal
            The balance in VND.

        Raises
        ------
        Refused, Unreachable, NoAnswer
            As for `send`.
        """
        return self._transport.post_json("GetBalance_json", {}, wire.read_balance)

    def estimate(self, message: Message, phones: Iterable[str]) -> reports.Estimate:
        """Ask what a send would cost; nothing is sent.

        It is an estimate, and what the gateway charges in the end has the last word. Advertising is priced by the gateway
        as one batch. For customer care the gateway prices one number at a time, so the first number of each network is
        asked for and its price multiplied by how many numbers the network has: a handful of requests for any count.

        Parameters
        ----------
        message : Message
            The text and how it is to be sent.
        phones : list, Series or other iterable of str
            Different numbers, ``0`` and nine digits each: 30 to 5000 for advertising, any count for customer care.

        Returns
        -------
        Estimate
            Its ``price`` in VND for all ``recipients`` together.

        Raises
        ------
        InvalidInput
            When a number or their count is not what the gateway takes.
        Refused, Unreachable, NoAnswer
            As for `send`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> with ef.Sandbox() as sandbox:
        ...     sandbox.client().estimate(ef.Message("Cam on quy khach!", "Baotrixemay"), ["0901888484", "0918238965"])
        Estimate(price=Decimal('1680'), recipients=2)
        """
        message = checked_message(message)
        message = Message.restored(message.content, message.brandname, message.sms_type, None, None)
        if message.sms_type is SmsType.ADVERTISING:
            batch = checked_batch(phones, message, MIN_BATCH)
            return self._post_xml("SummaryMultipleSMSBrandname/", message, batch, reports.read_estimate)
        price, recipients = Decimal(0), 0
        for first, count in reports.by_network(checked_batch(phones, message, 1, most=None)):
            asked = {
                "Phone": first,
                "Content": message.content,
                "SmsType": "2",
                "BrandName": message.brandname,
                **wire.unicode_field(message),
            }
            single = self._transport.get("SummaryMultipleMessage_V4_get", asked, reports.read_estimate)
            price, recipients = price + single.price * count, recipients + single.recipients * count
        return reports.Estimate(price, recipients)

    def rehearse(self, message: Message, phones: Iterable[str]) -> wire.Answer:
        """Send to the real gateway without delivery: it checks the request, and stores, charges and delivers nothing.

        It goes by the vendor's JSON operations with ``Sandbox`` = 1, not by the operations of `send`, and it is made with
        the keys of a real account where the client is one's. For trying without an account there is `ef.Sandbox`.

        Parameters
        ----------
        message : Message
            The text and how it is sent.
        phones : list, Series or other iterable of str
            ``0`` and nine digits each: 30 to 5000 different numbers for advertising, exactly one for customer care.

        Returns
        -------
        Answer
            That the gateway would take it; the ``sms_id`` is of nothing that could be asked for later.

        Raises
        ------
        InvalidInput
            When a number or their count is not what the operation takes.
        Refused, Unreachable, NoAnswer
            As for `send`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> message = ef.Message("2803 la ma xac minh dang ky Baotrixemay cua ban", "Baotrixemay")
        >>> with ef.Sandbox() as sandbox:
        ...     sandbox.client().rehearse(message, ["0901888484"]).code, len(sandbox.sent)
        (100, 0)
        """
        check_not_past(checked_message(message))
        if message.sms_type is SmsType.ADVERTISING:
            path, batch = "SendMultipleSMSBrandname_json/", checked_batch(phones, message, MIN_BATCH)
        else:
            path, batch = "SendMultipleMessage_V4_post_json/", checked_batch(phones, message, 1, most=1)
        message = message.with_token(secrets.token_urlsafe())  # in the form of a real one, and of no use to anybody
        fields = wire.rehearsal_fields(message, batch)
        return self._transport.post_json(path, fields, wire.read_send, token=_token(message))

    def brandnames(self, *, attempts: int = 1) -> tuple[reports.Brandname, ...]:
        """Ask for the sender names that are active for the account.

        Parameters
        ----------
        attempts : int, optional
            How often to ask before giving up; asking again changes nothing.

        Returns
        -------
        tuple of Brandname
            A name that is registered for several types is there for each.

        Raises
        ------
        Refused, Unreachable, NoAnswer
            As for `send`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> with ef.Sandbox() as sandbox:
        ...     [(one.name, str(one.sms_type)) for one in sandbox.client().brandnames()]
        [('Baotrixemay', 'customer_care'), ('QC_ONLINE', 'advertising')]
        """
        return _patiently(attempts, partial(self._transport.get_by_path, "GetListBrandname", reports.read_brandnames))

    def templates(self, brandname: str, *, attempts: int = 1) -> tuple[Template, ...]:
        """Ask for the registered customer-care templates of a brandname; `ef.fits` compares a text with them.

        Parameters
        ----------
        brandname : str
            The registered name; case matters.
        attempts : int, optional
            How often to ask before giving up; asking again changes nothing.

        Returns
        -------
        tuple of Template

        Raises
        ------
        InvalidInput
            When `brandname` can be none.
        Refused, Unreachable, NoAnswer
            As for `send`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> with ef.Sandbox() as sandbox:
        ...     sandbox.client().templates("Baotrixemay")[0].content
        '{P1,20} la ma xac minh dang ky Baotrixemay cua ban'
        """
        asked = {"SmsType": str(SmsType.CUSTOMER_CARE.code), "Brandname": checked_brandname(brandname)}
        return _patiently(attempts, partial(self._transport.post_json, "GetTemplate/", asked, reports.read_templates))

    def status(self, sms_id: str, *, attempts: int = 1) -> reports.SendStatus:
        """Ask how far a send has come; the gateway knows the sends of the last 7 days.

        Parameters
        ----------
        sms_id : str
            The gateway's id of the send, from the answer to it.
        attempts : int, optional
            How often to ask before giving up; asking again changes nothing.

        Returns
        -------
        SendStatus

        Raises
        ------
        InvalidInput
            When `sms_id` can be none.
        Refused
            Also with code 105, to be tried later, when the gateway does not know the send, or does not know it yet.
        Unreachable, NoAnswer
            As for `send`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> with ef.Sandbox(report_delay=0) as sandbox:
        ...     client, numbers = sandbox.client(), [f"09018884{n}" for n in range(10, 40)]
        ...     answer = client.send(ef.Message("Cam on quy khach!", "Baotrixemay"), numbers, request_id="r-1")
        ...     status = client.status(answer.sms_id)
        >>> status.send_status, status.recipients, status.delivered + status.failed, status.price
        (5, 30, 30, Decimal('25500.0'))
        """
        asked = {"RefId": checked_sms_id(sms_id)}
        read = partial(reports.read_status, sms_id)
        return _patiently(attempts, partial(self._transport.get, "GetSendStatus", asked, read))

    def receivers(self, sms_id: str, *, attempts: int = 1) -> pd.DataFrame:
        """Ask what became of each number of a send; the gateway knows the sends of the last 7 days.

        Parameters
        ----------
        sms_id : str
            The gateway's id of the send, from the answer to it.
        attempts : int, optional
            How often to ask before giving up; asking again changes nothing.

        Returns
        -------
        DataFrame
            One row a number, in the gateway's order:

            - ``phone``: text, ``0`` and nine digits, whatever the gateway's spelling; NA where it can't be read.
            - ``network``: text, as the gateway says it; NA where it says none.
            - ``is_sent``: boolean, whether the message went out.
            - ``delivered``: boolean, the gateway's SentResult. False is also said of what has no report yet, so look at
              `status` to learn whether all reports have come.
            - ``retries``: Int32, how often the gateway sent it again.

            What the gateway does not say is NA.

        Raises
        ------
        InvalidInput
            When `sms_id` can be none.
        Refused
            Also with code 105, to be tried later, when the gateway does not know the send, or does not know it yet.
        Unreachable, NoAnswer
            As for `send`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> with ef.Sandbox(report_delay=0) as sandbox:
        ...     client, numbers = sandbox.client(), [f"09018884{n}" for n in range(10, 40)]
        ...     answer = client.send(ef.Message("Cam on quy khach!", "Baotrixemay"), numbers, request_id="r-1")
        ...     client.receivers(answer.sms_id).head(2)
                phone   network  is_sent  delivered  retries
        0  0901888410  Mobifone     True       True        0
        1  0901888411  Mobifone     True       True        0
        """
        asked = {"RefId": checked_sms_id(sms_id)}
        ask = partial(self._transport.get, "GetSmsReceiverStatus_get", asked, reports.read_receivers)
        return _patiently(attempts, ask)

    def sent_between(
        self, start: datetime, end: datetime, sms_type: str, *, attempts: int = 1
    ) -> Iterator[wire.SentMessage]:
        """Ask for the messages of a period, page by page.

        Parameters
        ----------
        start, end : datetime
            The period, by the times at which the gateway made the messages (its page says so; a scheduled one goes out
            later), to the second; without a time zone, Vietnam time.
        sms_type : {"customer_care", "advertising"}
            Which messages.
        attempts : int, optional
            How often a page is asked for before giving up; asking again changes nothing.

        Yields
        ------
        SentMessage
            One for each number, until as many have come as the gateway says there are.

        Raises
        ------
        Refused, Unreachable, NoAnswer
            As for `send`; also when the pages end before all messages have come.
        InvalidInput
            When `sms_type` is not known.
        """
        period = {
            "SmsType": str(checked_type(sms_type).code),
            "From": in_vietnam(start),
            "To": in_vietnam(end),
            "PageSize": _PAGE_SIZE,
        }
        come, total, page = 0, 1, 1
        while come < total:
            ask = partial(self._transport.post_json, "GetSmsSentData_V2", {**period, "Page": page}, wire.read_sent)
            total, messages = _patiently(attempts, ask)
            if not messages and come < total:
                raise NoAnswer(f"The gateway gave {come:,} of {total:,} messages of the period: ask again later.")
            yield from messages
            come, page = come + len(messages), page + 1

    def sent_frame(self, start: datetime, end: datetime, sms_type: str, *, attempts: int = 1) -> pd.DataFrame:
        """Ask for the messages of a period, all pages of them, as a frame.

        Parameters
        ----------
        start, end, sms_type, attempts
            As for `sent_between`, which gives them one by one.

        Returns
        -------
        DataFrame
            One row a message, in the gateway's order:

            - ``phone``: text, ``0`` and nine digits, whatever the gateway's spelling; NA where it can't be read.
            - ``content``, ``sms_id``, ``campaign``: text; empty where the gateway says none.
            - ``price``: decimal, in VND; sums are exact.
            - ``send_status``, ``send_result``: Int32, the gateway's SendStatus (5 done, 7 sent and awaiting a report) and
              SendResult (1 delivered, 0 failed, 2 unknown).
            - ``sent_at``: datetime in Vietnam time.

            What the gateway does not say is NA.

        Raises
        ------
        Refused, Unreachable, NoAnswer, InvalidInput
            As for `sent_between`.

        Examples
        --------
        >>> import esms_frames as ef
        >>> from datetime import datetime, timedelta
        >>> with ef.Sandbox() as sandbox:
        ...     client, now = sandbox.client(), datetime.now().astimezone()
        ...     numbers = [f"09018884{n}" for n in range(10, 40)]
        ...     answer = client.send(ef.Message("Cam on quy khach!", "Baotrixemay"), numbers)
        ...     hour = timedelta(hours=1)
        ...     client.sent_frame(now - hour, now + hour, "customer_care")["price"].sum()
        Decimal('25500.0000')
        """
        return reports.sent_frame(self.sent_between(start, end, sms_type, attempts=attempts))

    def close(self) -> None:
        """Close the connections; a closed client opens new ones when it is used again."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.base_url if hasattr(self, '_transport') else 'no gateway yet'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client holds keys and is not pickled: make one where it is needed, with Client.from_env().")

    def _post_xml(self, path: str, message: Message, batch: list[str], read: Read[_Found], **ids: str | None) -> _Found:
        def body() -> bytes:
            return wire.send_body(self._transport.keys.reveal, message, batch, **ids)

        return self._transport.post(path, wire.CONTENT_TYPE, body, read, token=_token(message))


def check_client(client: object) -> None:
    """Check that what was handed in as a client is one."""
    if not isinstance(client, Client):
        raise InvalidInput(
            f"client must be a Client, not {type(client).__name__}: make one with ef.Client.from_env(), or with "
            "sandbox.client()."
        )


def _patiently(attempts: int, ask: Callable[[], _Found]) -> _Found:
    """Ask what changes nothing, again where that may help."""
    import stamina  # noqa: PLC0415 - for those who ask

    if not isinstance(attempts, int) or attempts < 1:
        raise InvalidInput(f"attempts is {attempts!r}: give a whole number from 1 up.")

    def is_worth_another(error: Exception) -> bool:
        return isinstance(error, (NoAnswer, Unreachable)) or getattr(error, "kind", None) is Kind.TRY_LATER

    for attempt in stamina.retry_context(on=is_worth_another, attempts=attempts, timeout=None, wait_max=8.0):
        with attempt:
            return ask()
    raise AssertionError("the last attempt has returned or raised")


def _token(message: Message) -> str:
    return Hidden(message.callback_url.token if isinstance(message.callback_url, FilledUrl) else "")
