"""Exchange one request with the gateway, and never show the keys that go with it."""

from __future__ import annotations

import ipaddress
import json
import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from esms_frames import clock, wire
from esms_frames.errors import GatewayError, InvalidInput, NoAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta

    from urllib3 import PoolManager

    from esms_frames.wire import Mask

_Found = TypeVar("_Found")
Read: TypeAlias = "Callable[[dict[str, Any], Mask], _Found]"
"""How an answer is read; texts that go into an error are masked first."""

LIVE_URL = "https://rest.esms.vn/MainService.svc/json/"

SANDBOX_SERVER = "esms-frames-sandbox"
"""How the answers of a sandbox name their server, by which it is told from a tunnel to a live gateway."""

_LARGEST_ANSWER = 4 * 1024 * 1024  # a page of 500 messages takes a quarter of a MiB, 5000 receivers take half a MiB
_AT_ONCE = 1024 * 1024  # bytes of an answer in one read

# What OpenSSL says when two sides don't come to speak TLS at all, before anything else is sent.
_HANDSHAKE_FAILURES = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "HANDSHAKE_FAILURE", "UNRECOGNIZED_NAME")


class Keys:
    """ApiKey and SecretKey of an account, which show themselves only where they are asked to."""

    __slots__ = ("_api_key", "_secret_key")

    def __init__(self, api_key: object, secret_key: object) -> None:
        self._api_key = api_key.strip() if isinstance(api_key, str) else ""
        self._secret_key = secret_key.strip() if isinstance(secret_key, str) else ""

    def check(self) -> None:
        """Check that both can be keys."""
        for name, key in zip(("api_key", "secret_key"), map(Hidden, self.reveal()), strict=True):
            if not (key and key.isascii() and key.isprintable()):
                raise InvalidInput(
                    f"{name} is empty or holds unusual characters: copy it again from your eSMS account."
                )

    def reveal(self) -> tuple[str, str]:
        """Give ApiKey and SecretKey."""
        return self._api_key, self._secret_key

    def mask(self, text: str) -> str:
        """Take the keys out of a text that is to be shown, also where they are percent-encoded."""
        for key in self.reveal():
            text = _without(key, text)
        return text

    def __repr__(self) -> str:
        return "<keys>"


def _without(secret: str, text: str) -> str:
    return re.sub("".join(map(_any_spelling, secret)), "…", text)


def _any_spelling(character: str) -> str:
    """Match a character as it is, or percent-encoded (RFC 3986, section 2.1) once or more, a blank also as a plus."""
    encoded = rf"%(?:25)*(?i:{ord(character):02x})"
    return rf"(?:{re.escape(character)}|{encoded}{'|[+]' if character == ' ' else ''})"


class Transport:
    """The way to one gateway with the keys of one account, for several threads.

    Connections are kept open and reused. Nothing is ever sent again from here.
    """

    def __init__(self, keys: Keys, base_url: str, timeout: object) -> None:
        self.keys = keys
        self.base_url = _checked_base_url(base_url)
        self.timeout = _checked_timeout(timeout)
        self.clock_offset: timedelta | None = None
        self.was_sandbox = False
        self._session = requests.Session()
        self._session.trust_env = not self.is_local  # a proxy from the environment has no way to this machine
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_maxsize=64, max_retries=0))

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    def post(
        self, path: str, content_type: str, body: Callable[[], bytes], read: Read[_Found], *, token: str = ""
    ) -> _Found:
        """Post a body, which may hold the keys and a token, and read the answer."""
        return self._ask("POST", path, {"Content-Type": content_type}, body, str, read, token)

    def post_json(self, path: str, fields: Mapping[str, object], read: Read[_Found], *, token: str = "") -> _Found:
        """Post a JSON object with the keys, and perhaps a token, in it, and read the answer."""

        def body() -> bytes:
            return json.dumps(
                {**dict(zip(("ApiKey", "SecretKey"), self.keys.reveal(), strict=True)), **fields}
            ).encode()

        return self.post(path, "application/json", body, read, token=token)

    def get(self, path: str, query: Mapping[str, str], read: Read[_Found]) -> _Found:
        """Ask with the keys in the query, and read the answer."""

        def tail() -> str:
            api_key, secret_key = self.keys.reveal()
            return "?" + urlencode({**query, "ApiKey": api_key, "SecretKey": secret_key}, quote_via=quote, safe="")

        return self._ask("GET", path, {}, bytes, tail, read)

    def get_by_path(self, path: str, read: Read[_Found]) -> _Found:
        """Ask with the keys as the last two parts of the path, and read the answer."""

        def tail() -> str:
            return "".join(f"/{quote(key, safe='')}" for key in self.keys.reveal())

        return self._ask("GET", path, {}, bytes, tail, read)

    def close(self) -> None:
        """Close the connections; new ones are opened when it is used again."""
        self._session.close()

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Callable[[], bytes],
        tail: Callable[[], str],
        read: Read[_Found],
        token: str = "",
    ) -> _Found:
        # The frames that hold keys, or an answer that may repeat them, are left before anything is raised, so that no
        # traceback, however verbose, shows them: these two give their errors back instead of raising them.
        answer = self._exchange(method, path, headers, body, tail)
        if isinstance(answer, BaseException):
            raise answer
        found = self._understood(answer, read, token)
        if isinstance(found, GatewayError):
            raise found
        return found

    def _understood(self, answer: tuple[int, bytes], read: Read[_Found], token: str) -> _Found | GatewayError:
        def mask(text: str) -> str:
            text = self.keys.mask(text)
            return _without(token, text) if token else text

        try:
            return read(wire.read_json(*answer, mask), mask)
        except GatewayError as error:
            return error.with_traceback(None)

    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: Callable[[], bytes], tail: Callable[[], str]
    ) -> tuple[int, bytes] | BaseException:
        where = urlsplit(self.base_url).netloc
        written = _tail.set(Hidden(tail()))
        try:
            with self._session.request(
                method,
                self.base_url + path,
                data=_Body(body()),
                headers={**headers, "Accept": "application/json", "User-Agent": "esms-frames"},
                timeout=self.timeout,
                allow_redirects=False,  # a redirect would carry keys and numbers elsewhere, or send a batch twice
                stream=True,
            ) as response:
                self.clock_offset = _offset(response.headers.get("Date"))
                self.was_sandbox = response.headers.get("Server", "").startswith(SANDBOX_SERVER)
                return response.status_code, _Body(_read(response, time.monotonic() + self.timeout[1]))
        except HeldBackError as error:
            return error.with_traceback(None)
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
        except BaseException as interruption:  # noqa: BLE001 - Ctrl-C and the like go on, without the frames
            interruption.__context__ = None
            return interruption.with_traceback(None)
        finally:
            _tail.reset(written)


class Hidden(str):
    """A text that may hold the keys: debuggers and verbose tracebacks see only that there is one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class _Body(bytes):
    """A body, which may hold the keys: debuggers and verbose tracebacks see only its length."""

    def __repr__(self) -> str:
        return f"<body of {len(self):,} bytes>"

    __str__ = __repr__


_tail: ContextVar[str] = ContextVar("tail", default="")
"""The end of this thread's request line that holds keys, and perhaps a number or a text."""

_why_not: ContextVar[Callable[[], str | None]] = ContextVar("why_not", default=lambda: None)
"""Says of this thread's request why it may not leave any more."""


class HeldBackError(Exception):
    """A request did not leave, for by the time that a connection was made it was not to any more; says why."""


@contextmanager
def only_while(why_not: Callable[[], str | None]) -> Iterator[None]:
    """Let this thread's requests leave only while nothing is said against it, asked once they have a connection.

    A machine can sleep for days while it makes one, and goes on with it when it wakes.
    """
    asked = _why_not.set(why_not)
    try:
        yield
    finally:
        _why_not.reset(asked)


class _LateTail(HTTPConnection):
    """A connection that writes the end of the address into the request line and nowhere else.

    requests and urllib3 know the address without it, so it is in none of their logs, objects and errors. Python's own
    HTTP would print the whole line where people have set `http.client.HTTPConnection.debuglevel`, so that is off here.
    """

    debuglevel = 0

    def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
        super().putrequest(method, url + _tail.get(), *args, **options)

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        if why := _why_not.get()():
            self.close()  # what has left of the request by now is none
            raise HeldBackError(why)
        super().send(data)


class _Adapter(HTTPAdapter):
    """HTTP with such connections, direct and through proxies."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _write_tails(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            _write_tails(manager)
        return manager


def _write_tails(manager: PoolManager) -> None:
    pools: dict[str, Any] = {}
    known: dict[str, Any] = manager.pool_classes_by_scheme
    for scheme, pool in known.items():
        connection: Any = type(pool.ConnectionCls.__name__, (_LateTail, pool.ConnectionCls), {})
        pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    manager.pool_classes_by_scheme = pools


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read an answer, up to a size and a time that no answer of the gateway's comes near."""
    parts: list[bytes] = []
    while part := response.raw.read1(_AT_ONCE, decode_content=True):
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
    if not secure and not is_loopback(host):
        raise InvalidInput(f"base_url {url!r} would send your keys unencrypted: use https (http is for the sandbox).")
    return url if url.endswith("/") else url + "/"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _checked_timeout(timeout: object) -> tuple[float, float]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if len(pair) != 2 or not all(isinstance(t, (int, float)) and 0 < t < float("inf") for t in pair):
        raise InvalidInput(f"timeout is {timeout!r}: give seconds above 0, one number or (to connect, to answer).")
    return float(pair[0]), float(pair[1])
