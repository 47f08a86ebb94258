"""The thin client: one method for each operation of the gateway, over requests."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from esms_frames import clock, wire
from esms_frames.errors import GatewayError, InvalidInput, Kind, NoAnswer, Unreachable
from esms_frames.message import (
    MAX_BATCH,
    MIN_BATCH,
    Message,
    SmsType,
    check_not_past,
    checked_campaign,
    checked_type,
)

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from decimal import Decimal

LIVE_URL = "https://rest.esms.vn/MainService.svc/json/"

SANDBOX = "sandbox"
"""What a gateway on this machine is called, wherever it listens."""

SANDBOX_SERVER = "esms-frames-sandbox"
"""How the answers of a sandbox name their server, by which it is told from a tunnel to a live gateway."""

_LARGEST_ANSWER = 4 * 1024 * 1024  # a page of 500 messages takes a quarter of a MiB

# What OpenSSL says when two sides don't come to speak TLS at all, before anything else is sent.
_HANDSHAKE_FAILURES = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "HANDSHAKE_FAILURE", "UNRECOGNIZED_NAME")

SEND_PATHS: Mapping[SmsType, str] = {
    SmsType.CUSTOMER_CARE: "SendMultipleMessage_V4/",
    SmsType.ADVERTISING: "SendMultipleSMSBrandname",
}
"""Where each type is sent to, by the vendor's pages on the two."""

_REQUEST_ID = re.compile(r"[!-~]{1,50}")
_PAGE_SIZE = 500  # the most that the gateway gives at once
_NUMBERS = re.compile(r"(?:0[0-9]{9})*")


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
        self._api_key, self._secret_key = _Secret(api_key), _Secret(secret_key)
        del api_key, secret_key  # what is raised below shows these names to verbose tracebacks
        for name, key in (("api_key", self._api_key), ("secret_key", self._secret_key)):
            if not key.is_usable():
                raise InvalidInput(
                    f"{name} is empty or holds unusual characters: copy it again from your eSMS account."
                )
        self._is_sandbox = False
        self.clock_offset: timedelta | None = None
        """By how much the gateway's clock was ahead of this machine's at the last answer; None where it did not say."""
        self.base_url = _checked_base_url(base_url)
        self.timeout = _checked_timeout(timeout)
        self._send_paths = _checked_paths(send_paths or {})
        self._session = requests.Session()
        self._session.trust_env = not self.is_local  # a proxy from the environment has no way to this machine
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=64, max_retries=0))

    @classmethod
    def from_env(cls, **options: Any) -> Client:
        """Make a client from the environment: ESMS_API_KEY, ESMS_SECRET_KEY and, if set, ESMS_BASE_URL.

        Parameters
        ----------
        **options
            `timeout` and `send_paths`, as for the class; `base_url` goes before the environment's.

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
        return hashlib.sha256(b"esms_frames account " + self._api_key.reveal().encode()).hexdigest()[:12]

    @property
    def is_sandbox(self) -> bool:
        """Whether the last answer came from a sandbox on this machine, which delivers nothing; False before the first."""
        return self.is_local and self._is_sandbox

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine; usually a sandbox, but it may be a tunnel to a live gateway."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")

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
        if not isinstance(message, Message):
            raise InvalidInput(f"message must be a Message, not {type(message).__name__}: make one with ef.Message(…).")
        check_not_past(message)
        batch = _checked_batch(phones, message, floor)
        if request_id is not None and not (isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id)):
            raise InvalidInput("request_id is not 1 to 50 plain characters: choose another, or leave it out.")
        if campaign is not None:
            campaign = checked_campaign(campaign)

        def body() -> bytes:
            return wire.send_body(self._keys, message, batch, request_id=request_id, campaign=campaign)

        path = self._send_paths[message.sms_type]
        return wire.read_send(self._post(path, wire.CONTENT_TYPE, body), self._mask)

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
        return wire.read_balance(self._post_json("GetBalance_json", {}), self._mask)

    def sent_between(
        self, start: datetime, end: datetime, sms_type: str, *, attempts: int = 1
    ) -> Iterator[wire.SentMessage]:
        """Ask for the messages of a period, page by page.

        Parameters
        ----------
        start, end : datetime
            The period, by the times at which the messages were sent, to the second; without a time zone, Vietnam time.
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
            "From": _in_vietnam(start),
            "To": _in_vietnam(end),
            "PageSize": _PAGE_SIZE,
        }
        come, total, page = 0, 1, 1
        while come < total:
            total, messages = self._sent_page({**period, "Page": page}, attempts)
            if not messages and come < total:
                raise NoAnswer(f"The gateway gave {come:,} of {total:,} messages of the period: ask again later.")
            yield from messages
            come, page = come + len(messages), page + 1

    def _sent_page(self, asked: Mapping[str, object], attempts: int) -> tuple[int, list[wire.SentMessage]]:
        import stamina  # noqa: PLC0415 - for those who ask

        def is_worth_another(error: Exception) -> bool:
            return isinstance(error, (NoAnswer, Unreachable)) or getattr(error, "kind", None) is Kind.TRY_LATER

        for attempt in stamina.retry_context(on=is_worth_another, attempts=attempts, timeout=None, wait_max=8.0):
            with attempt:
                return wire.read_sent(self._post_json("GetSmsSentData_V2", asked), self._mask)
        raise AssertionError("the last attempt has returned or raised")

    def close(self) -> None:
        """Close the connections; a closed client opens new ones when it is used again."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {getattr(self, 'base_url', 'no gateway yet')}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client holds keys and is not pickled: make one where it is needed, with Client.from_env().")

    def _post_json(self, path: str, fields: Mapping[str, object]) -> dict[str, Any]:
        def body() -> bytes:
            return json.dumps({**dict(zip(("ApiKey", "SecretKey"), self._keys(), strict=True)), **fields}).encode()

        return self._post(path, "application/json", body)

    def _post(self, path: str, content_type: str, body: Callable[[], bytes]) -> dict[str, Any]:
        # The frames that hold keys are left before anything is raised, so that no traceback, however verbose, shows
        # them: `_exchange` gives its error back instead of raising it.
        found = self._exchange(path, content_type, body)
        if isinstance(found, GatewayError):
            raise found
        return wire.read_json(*found, self._mask)

    def _keys(self) -> tuple[str, str]:
        return self._api_key.reveal(), self._secret_key.reveal()

    def _mask(self, text: str) -> str:
        """Take the keys out of a text that is to be shown."""
        for key in self._keys():
            text = text.replace(key, "…")
        return text

    def _exchange(self, path: str, content_type: str, body: Callable[[], bytes]) -> tuple[int, bytes] | GatewayError:
        where = urlsplit(self.base_url).netloc
        data = _Body(body())
        try:
            with self._session.post(
                self.base_url + path,
                data=data,
                headers={"Content-Type": content_type, "Accept": "application/json", "User-Agent": "esms-frames"},
                timeout=self.timeout,
                allow_redirects=False,  # a redirect would carry keys and numbers elsewhere, or send a batch twice
                stream=True,
            ) as response:
                self.clock_offset = _offset(response.headers.get("Date"))
                self._is_sandbox = response.headers.get("Server", "").startswith(SANDBOX_SERVER)
                return response.status_code, _Body(_read(response, time.monotonic() + self.timeout[1]))
        except Exception as error:  # noqa: BLE001 - whatever went wrong once the request may have left is uncertain
            if _never_connected(error):
                return Unreachable(
                    f"No connection to {where} ({_cause(error)}), so nothing was sent: check the network and the "
                    "address, then try again."
                )
            waited = " in time" if isinstance(error, (requests.Timeout, TimeoutError)) else ""
            return NoAnswer(
                f"{where} did not answer{waited} ({_cause(error)}): it is uncertain whether it took the request."
            )


class _Secret:
    """A key that shows itself only where it is asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value.strip() if isinstance(value, str) else ""

    def is_usable(self) -> bool:
        return bool(self._value) and self._value.isascii() and self._value.isprintable()

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<secret>"


class _Body(bytes):
    """A body, which may hold the keys: debuggers and verbose tracebacks see only its length."""

    def __repr__(self) -> str:
        return f"<body of {len(self):,} bytes>"

    __str__ = __repr__


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read an answer, up to a size and a time that no answer of the gateway's comes near."""
    parts: list[bytes] = []
    while part := response.raw.read1(65_536, decode_content=True):
        parts.append(part)
        if sum(map(len, parts)) > _LARGEST_ANSWER:
            raise ValueError("the answer does not end")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer does not end in time")
    return b"".join(parts)


def _offset(date: str | None) -> timedelta | None:
    """Compare the Date of an answer (RFC 9110) with this machine's clock."""
    try:
        return parsedate_to_datetime(date or "").astimezone(clock.VIETNAM) - clock.now()
    except (ValueError, OverflowError):
        return None


def _never_connected(error: Exception) -> bool:
    """Tell whether the request certainly stayed here: no connection was made, to the gateway or to a proxy."""
    reason = _reason(error)
    if isinstance(reason, ProxyError):  # also what becomes of a connection through a proxy that is cut later
        reason = reason.original_error
        if isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed"):
            return True
    if isinstance(reason, SSLError):
        return any(words in str(reason) for words in _HANDSHAKE_FAILURES)
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError, LocationParseError))


def _cause(error: Exception) -> str:
    """Name the cause without its text, which holds the whole address and, for some operations, the keys in it."""
    return type(_reason(error)).__name__


def _reason(error: Exception) -> Exception:
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return reason if isinstance(reason, Exception) else error


def _checked_batch(phones: Iterable[str], message: Message, floor: int) -> list[str]:
    if isinstance(phones, (str, bytes)) or not isinstance(phones, Iterable):
        raise InvalidInput(f"phones must be a list of numbers, not {type(phones).__name__}: pass [number, …].")
    if floor < MIN_BATCH and message.sms_type is SmsType.ADVERTISING:
        raise InvalidInput(f"Advertising goes to at least {MIN_BATCH} numbers at once: leave the floor as it is.")
    batch = list(phones)
    ten_long = all(isinstance(phone, str) and len(phone) == 10 for phone in batch)
    if not ten_long or not _NUMBERS.fullmatch("".join(batch)):
        raise InvalidInput("phones holds something else than 0 and nine digits: clean it with ef.normalize_phones.")
    different = len(set(batch))
    if different < len(batch):
        raise InvalidInput(f"phones holds {len(batch) - different:,} duplicates: nobody is to be texted twice.")
    if not max(floor, 1) <= different <= MAX_BATCH:
        raise InvalidInput(
            f"phones holds {different:,} numbers and a request takes {max(floor, 1)} to {MAX_BATCH:,}: "
            "make batches with ef.prepare."
        )
    return batch


def _checked_base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        usable = parts.scheme in {"http", "https"} and host and not parts.query and not parts.fragment
        _ = parts.port, host.encode("idna")
    except (ValueError, AttributeError):
        usable = False
    if not usable:
        raise InvalidInput(f"base_url is no http or https address without a query: the live gateway's is {LIVE_URL}")
    if parts.username or parts.password:
        raise InvalidInput("base_url holds a user name or password: pass the keys as api_key and secret_key instead.")
    if not secure and not _is_loopback(host):
        raise InvalidInput(f"base_url {url!r} would send your keys unencrypted: use https (http is for the sandbox).")
    return url if url.endswith("/") else url + "/"


def _in_vietnam(moment: datetime) -> str:
    aware = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
    return f"{aware:%Y-%m-%d %H:%M:%S}"


def _checked_paths(paths: Mapping[str, str]) -> dict[SmsType, str]:
    unknown = [kind for kind in paths if kind not in set(SmsType)]
    if unknown:
        raise InvalidInput(
            f"send_paths names {unknown[0]!r}: its keys are {' and '.join(map(repr, map(str, SmsType)))}."
        )
    return {**SEND_PATHS, **{SmsType(kind): path for kind, path in paths.items()}}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _checked_timeout(timeout: object) -> tuple[float, float]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if len(pair) != 2 or not all(isinstance(t, (int, float)) and 0 < t < float("inf") for t in pair):
        raise InvalidInput(f"timeout is {timeout!r}: give seconds above 0, one number or (to connect, to answer).")
    return float(pair[0]), float(pair[1])
