"""The thin client: one method for each operation of the gateway, over requests."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError, ProxyError

from esms_frames import wire
from esms_frames.errors import GatewayError, InvalidInput, NoAnswer, Unreachable
from esms_frames.message import MAX_BATCH, MIN_BATCH, Message, SmsType, check_not_past, checked_campaign

if TYPE_CHECKING:
    from decimal import Decimal

LIVE_URL = "https://rest.esms.vn/MainService.svc/json/"

SEND_PATHS: Mapping[SmsType, str] = {
    SmsType.CUSTOMER_CARE: "SendMultipleMessage_V4/",
    SmsType.ADVERTISING: "SendMultipleSMSBrandname",
}
"""Where each type is sent to, by the vendor's pages on the two."""

_LONGEST_REQUEST_ID = 50
_NUMBERS = re.compile(r"(?:0[0-9]{9})*")


class Client:
    """A connection to the eSMS gateway with the keys of one account.

    Connections are kept open and reused, and one client may be used by several threads. It never retries by itself:
    whether a request may be repeated is decided by who knows what became of it.

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
        self._api_key = _Secret(_checked_key("api_key", api_key))
        self._secret_key = _Secret(_checked_key("secret_key", secret_key))
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
    def is_local(self) -> bool:
        """Whether the gateway is on this machine: a sandbox, which delivers nothing."""
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
        if request_id is not None and not 0 < len(request_id) <= _LONGEST_REQUEST_ID:
            raise InvalidInput(
                f"request_id has {len(request_id)} characters and the gateway takes 1 to {_LONGEST_REQUEST_ID}: "
                "choose another, or leave it out."
            )
        if campaign is not None:
            checked_campaign(campaign)

        def body() -> bytes:
            return wire.send_body(
                self._api_key.reveal(),
                self._secret_key.reveal(),
                message,
                batch,
                request_id=request_id,
                campaign=campaign,
            )

        return wire.read_send(self._post(self._send_paths[message.sms_type], wire.CONTENT_TYPE, body))

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

        def body() -> bytes:
            keys = {"ApiKey": self._api_key.reveal(), "SecretKey": self._secret_key.reveal()}
            return json.dumps(keys).encode()

        return wire.read_balance(self._post("GetBalance_json", "application/json", body))

    def close(self) -> None:
        """Close the connections; a closed client opens new ones when it is used again."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client holds keys and is not pickled: make one where it is needed, with Client.from_env().")

    def _post(self, path: str, content_type: str, body: Callable[[], bytes]) -> dict[str, Any]:
        # The frames that hold keys are left before anything is raised, so that no traceback, however verbose, shows
        # them: `_exchange` gives its error back instead of raising it.
        found = self._exchange(path, content_type, body)
        if isinstance(found, GatewayError):
            raise found
        return wire.read_json(*found)

    def _exchange(self, path: str, content_type: str, body: Callable[[], bytes]) -> tuple[int, bytes] | GatewayError:
        where = urlsplit(self.base_url).netloc
        try:
            response = self._session.post(
                self.base_url + path,
                data=_Body(body()),
                headers={"Content-Type": content_type, "Accept": "application/json", "User-Agent": "esms-frames"},
                timeout=self.timeout,
                allow_redirects=False,  # a redirect would carry keys and numbers elsewhere, or send a batch twice
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            if _never_connected(error):
                return Unreachable(
                    f"No connection to {where} ({_cause(error)}), so nothing was sent: check the network and the "
                    "address, then try again."
                )
            waited = " in time" if isinstance(error, requests.Timeout) else ""
            return NoAnswer(
                f"{where} did not answer{waited} ({_cause(error)}): it is uncertain whether it took the request."
            )
        content = response.content
        for secret in (self._api_key, self._secret_key):
            content = content.replace(secret.reveal().encode(), b"...")
        return response.status_code, content


class _Secret:
    """A key that shows itself only where it is asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<secret>"


class _Body(bytes):
    """A request's body, which holds the keys: debuggers and verbose tracebacks see only its length."""

    def __repr__(self) -> str:
        return f"<request body of {len(self):,} bytes>"

    __str__ = __repr__


def _never_connected(error: Exception) -> bool:
    """Tell whether the request certainly stayed here: no connection was made, or the server's certificate was wrong."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    if isinstance(error, requests.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(reason)
    return isinstance(error, requests.exceptions.InvalidURL) or isinstance(
        reason, (NewConnectionError, ConnectTimeoutError, ProxyError)
    )


def _cause(error: Exception) -> str:
    """Name the cause without its text, which holds the whole address and, for some operations, the keys in it."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return type(reason if isinstance(reason, Exception) else error).__name__


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


def _checked_key(name: str, key: object) -> str:
    cleaned = key.strip() if isinstance(key, str) else ""
    if not cleaned or not cleaned.isascii() or not cleaned.isprintable():
        raise InvalidInput(f"{name} is empty or holds unusual characters: copy it again from your eSMS account.")
    return cleaned


def _checked_base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        usable = parts.scheme in {"http", "https"} and host and not parts.query and not parts.fragment
        _ = parts.port
    except (ValueError, AttributeError):
        usable = False
    if not usable:
        raise InvalidInput(f"base_url is no http or https address without a query: the live gateway's is {LIVE_URL}")
    if parts.username or parts.password:
        raise InvalidInput("base_url holds a user name or password: pass the keys as api_key and secret_key instead.")
    if not secure and not _is_loopback(host):
        raise InvalidInput(f"base_url {url!r} would send your keys unencrypted: use https (http is for the sandbox).")
    return url if url.endswith("/") else url + "/"


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
