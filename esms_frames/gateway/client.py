"""The thin client: one method for each operation of the gateway, over requests."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from esms_frames.base.addresses import LIVE_GATEWAY, LIVE_URL, SANDBOX
from esms_frames.base.errors import InvalidInput, NoAnswer
from esms_frames.gateway import answers, decode, encode
from esms_frames.gateway.arguments import (
    check_batch,
    check_message,
    check_paths,
    check_request_id,
    check_sms_id,
    in_vietnam,
)
from esms_frames.gateway.http.secrets import Hidden, Keys, shield
from esms_frames.gateway.http.transport import Read, Transport
from esms_frames.gateway.retries import ASKING
from esms_frames.messages.limits import MIN_BATCH, SmsType, check_brandname, check_campaign, check_type
from esms_frames.messages.message import PLACEHOLDER, FilledUrl, Message, check_not_past

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    import pandas as pd

    from esms_frames.messages.templates import Template


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
        try:  # what is raised below this statement shows these names to verbose tracebacks
            keys, api_key, secret_key = shield(lambda: Keys(api_key, secret_key)), "", ""
        except BaseException:
            api_key = secret_key = ""
            raise
        self._open(keys, base_url, timeout, send_paths)

    def _open(
        self,
        keys: Keys,
        base_url: str = LIVE_URL,
        timeout: float | tuple[float, float] = (5.0, 60.0),
        send_paths: Mapping[str, str] | None = None,
    ) -> None:
        keys.check()
        self._transport = Transport(keys, base_url, timeout)
        self._user: str | None = None
        self._send_paths = {**SEND_PATHS, **check_paths(send_paths or {})}

    @classmethod
    def from_env(cls, **options: Any) -> Client:
        """Build a client from the environment: ESMS_API_KEY, ESMS_SECRET_KEY and, if set, ESMS_BASE_URL.

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
        keys = Keys.from_env()
        missing = [f"ESMS_{name.upper()}" for name in keys.missing]
        if missing:
            raise InvalidInput(
                "{missing} {is_or_are} not set in the environment: set them to the keys of your eSMS account, or try "
                "without an account on the sandbox.",
                missing=" and ".join(missing),
                is_or_are="is" if len(missing) == 1 else "are",
            )
        if url := shield(_read_base_url):
            options.setdefault("base_url", url)
        client = cls.__new__(cls)
        client._open(keys, **options)  # the keys are never out of what hides them
        return client

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
        """Which gateway it is: ``sandbox`` where one has proved to be at the address, else ``live``."""
        return SANDBOX if self.is_sandbox else LIVE_GATEWAY

    @property
    def account(self) -> str:
        """Whose account it is: a short fingerprint of the gateway's UserID, the same whatever the account's keys are.

        Before `balance` was asked, and where the gateway tells no UserID, it is `key_fingerprint`.
        """
        return self.user_fingerprint or self.key_fingerprint

    @property
    def key_fingerprint(self) -> str:
        """A short fingerprint of the ApiKey, from which the key can't be had."""
        return hashlib.sha256(b"esms_frames account " + self._transport.keys.reveal()[0].encode()).hexdigest()[:12]

    @property
    def user_fingerprint(self) -> str | None:
        """A short fingerprint of the UserID that the gateway told with the balance; None where it has told none."""
        if not self._user:
            return None
        return hashlib.sha256(f"esms_frames user {self._user}".encode()).hexdigest()[:12]

    @property
    def has_told(self) -> bool:
        """Whether the gateway has answered `balance`, and so told the account's UserID if it ever does."""
        return self._user is not None

    @property
    def is_sandbox(self) -> bool:
        """Whether a sandbox, which delivers nothing, has proved to be at the address.

        A server on this machine is asked for the proof, without keys; anything else is no sandbox. Once one has proved it,
        requests leave only over connections at whose other end it was proved again, so what is meant for a sandbox never
        gets to a live gateway that has taken its place.
        """
        return self._transport.is_sandbox()

    def expect_sandbox(self) -> Self:
        """Send requests only to a server that proves to be a sandbox; `Sandbox.client` makes such clients.

        Returns
        -------
        Client
            This one. Where no sandbox is at its address, what it asks raises `Unreachable` and nothing is sent.

        Examples
        --------
        >>> import esms_frames as ef
        >>> ef.Client("key", "secret", base_url="http://127.0.0.1:9/").expect_sandbox().is_sandbox
        True
        """
        self._transport.expect_sandbox()
        return self

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
    ) -> decode.Answer:
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
        check_not_past(check_message(message))
        if message._needs_token:
            raise InvalidInput(
                "callback_url ends in {placeholder}, which ef.send fills in for a campaign: write the address out.",
                placeholder=PLACEHOLDER,
            )
        batch = check_batch(phones, message, floor)
        ids = {
            "request_id": None if request_id is None else check_request_id(request_id),
            "campaign": None if campaign is None else check_campaign(campaign),
        }
        return self._post_xml(self._send_paths[message.sms_type], message, batch, decode.read_send, is_send=True, **ids)

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
        balance, user = self._transport.post_json("GetBalance_json", {}, decode.read_account)
        self._user = user or self._user or ""
        return balance

    def estimate(self, message: Message, phones: Iterable[str]) -> answers.Estimate:
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
        message = check_message(message)
        message = Message._restored(message.content, message.brandname, message.sms_type, None, None)
        if message.sms_type is SmsType.ADVERTISING:
            batch = check_batch(phones, message, MIN_BATCH)
            return self._post_xml("SummaryMultipleSMSBrandname/", message, batch, answers.read_estimate)
        price, recipients = Decimal(0), 0
        for first, count in answers.count_by_network(check_batch(phones, message, 1, most=None)):
            asked = {
                "Phone": first,
                "Content": message.content,
                "SmsType": "2",
                "BrandName": message.brandname,
                **encode.build_unicode_field(message),
            }
            single = self._transport.get("SummaryMultipleMessage_V4_get", asked, answers.read_estimate)
            price, recipients = price + single.price * count, recipients + single.recipients * count
        return answers.Estimate(price, recipients)

    def rehearse(self, message: Message, phones: Iterable[str]) -> decode.Answer:
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
        check_not_past(check_message(message))
        if message.sms_type is SmsType.ADVERTISING:
            path, batch = "SendMultipleSMSBrandname_json/", check_batch(phones, message, MIN_BATCH)
        else:
            path, batch = "SendMultipleMessage_V4_post_json/", check_batch(phones, message, 1, most=1)
        message = message._with_token(secrets.token_urlsafe())  # in the form of a real one, and of no use to anybody
        fields = encode.build_rehearsal_fields(message, batch)
        return self._transport.post_json(path, fields, decode.read_send, token=_token(message))

    def brandnames(self, *, attempts: int = 1) -> tuple[answers.Brandname, ...]:
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
        return _ask_patiently(
            attempts, partial(self._transport.get_by_path, "GetListBrandname", answers.read_brandnames)
        )

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
            In the gateway's order.

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
        asked = {"SmsType": str(SmsType.CUSTOMER_CARE.code), "Brandname": check_brandname(brandname)}
        return _ask_patiently(
            attempts, partial(self._transport.post_json, "GetTemplate/", asked, answers.read_templates)
        )

    def status(self, sms_id: str, *, attempts: int = 1) -> answers.SendStatus:
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
            Its counts, and what it cost, as far as the gateway says.

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
        asked = {"RefId": check_sms_id(sms_id)}
        read = partial(answers.read_status, sms_id)
        return _ask_patiently(attempts, partial(self._transport.get, "GetSendStatus", asked, read))

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
        asked = {"RefId": check_sms_id(sms_id)}
        ask = partial(self._transport.get, "GetSmsReceiverStatus_get", asked, answers.read_receivers)
        return _ask_patiently(attempts, ask)

    def sent_between(
        self, start: datetime, end: datetime, sms_type: str, *, attempts: int = 1
    ) -> Iterator[decode.SentMessage]:
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
            "SmsType": str(check_type(sms_type).code),
            "From": in_vietnam(start),
            "To": in_vietnam(end),
            "PageSize": _PAGE_SIZE,
        }
        come, total, page = 0, 1, 1
        while come < total:
            ask = partial(self._transport.post_json, "GetSmsSentData_V2", {**period, "Page": page}, decode.read_sent)
            total, messages = _ask_patiently(attempts, ask)
            if not messages and come < total:
                raise NoAnswer(
                    "The gateway gave {count} of {total} messages of the period: ask again later.",
                    count=come,
                    total=total,
                )
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
            - ``price``: float64, in VND, as the gateway tells it for each number.
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
        ...     float(client.sent_frame(now - hour, now + hour, "customer_care")["price"].sum())
        25500.0
        """
        return answers.build_sent_frame(self.sent_between(start, end, sms_type, attempts=attempts))

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

    def _post_xml(
        self,
        path: str,
        message: Message,
        batch: list[str],
        read: Read[_Found],
        *,
        is_send: bool = False,
        **ids: str | None,
    ) -> _Found:
        def body() -> bytes:
            return encode.build_send_body(self._transport.keys.reveal, message, batch, **ids)

        return self._transport.post(path, encode.CONTENT_TYPE, body, read, token=_token(message), is_send=is_send)


def _read_base_url() -> str:
    return os.environ.get("ESMS_BASE_URL", "").strip()


def check_client(client: object) -> None:
    """Check that the argument `client` is a client."""
    if not isinstance(client, Client):
        raise InvalidInput(
            "client must be a Client, not {kind}: make one with ef.Client.from_env(), or with sandbox.client().",
            kind=type(client).__name__,
        )


def _ask_patiently(attempts: int, ask: Callable[[], _Found]) -> _Found:
    """Ask a question, which changes nothing, and again if that may help."""
    if not isinstance(attempts, int) or attempts < 1:
        raise InvalidInput("attempts is {attempts}: give a whole number from 1 up.", attempts=repr(attempts))
    return replace(ASKING, attempts=attempts).run(ask)


def _token(message: Message) -> Hidden[str] | None:
    return Hidden(message.callback_url.token) if isinstance(message.callback_url, FilledUrl) else None
