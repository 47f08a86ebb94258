"""Exchange one request with the gateway."""

from __future__ import annotations

import json
import os
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from esms_frames.base import clock
from esms_frames.base.addresses import LIVE_URL, SANDBOX_SERVER, is_loopback
from esms_frames.base.errors import BadAnswer, InvalidInput, NoAnswer, Unreachable
from esms_frames.base.wording import mark
from esms_frames.gateway import decode
from esms_frames.gateway.http import challenge
from esms_frames.gateway.http.connection import Adapter, Exchange, HeldBackError, current
from esms_frames.gateway.http.secrets import Hidden, remove_secret, shield
from esms_frames.gateway.http.trouble import Route, judge_redirect, judge_silence, judge_unreachable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from esms_frames.gateway.decode import Mask
    from esms_frames.gateway.http.secrets import Keys


_Found = TypeVar("_Found")
Read: TypeAlias = "Callable[[dict[str, Any], Mask], _Found]"
"""How an answer is read; texts that go into an error are masked first."""


_NO_SANDBOX = mark(
    "{where} does not prove to be a sandbox, as it has to here, so nothing was sent: start the "
    "sandbox again, or make a new client if the gateway there is meant."
)
_TAKEN_OVER = mark(
    "A sandbox answered at {where} where there was a gateway before, so it is uncertain who took "
    "the request: stop the sandbox, or make a new client for it."
)

_AT_ONCE = 1024 * 1024  # bytes of an answer in one read

_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that name certificates to be trusted, as requests and curl know them."""

_REDIRECTS = {300, 301, 302, 303, 307, 308}

_inherited: list[Adapter] = []
"""The connections of processes that this one was forked from: never used, nor closed, for other threads of theirs may have
held their locks at that moment."""


class Transport:
    """The way to one gateway with the keys of one account, for several threads, and for processes after a fork.

    Connections are kept open and reused. Nothing is ever sent again from here.
    """

    def __init__(self, keys: Keys, base_url: str, timeout: object) -> None:
        self.keys = keys
        self.base_url = _check_base_url(base_url)
        self.timeout = _check_timeout(timeout)
        self.clock_offset: timedelta | None = None
        self._is_sandbox = False if _is_secure(self.base_url) else None
        self._opened = os.getpid(), _new_adapter()

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    def is_sandbox(self) -> bool:
        """Return whether a sandbox has proved to be at the address; ask it if that is not known yet.

        Once it has, every connection has to prove it again before a request leaves. Only an http address is asked, which
        is on this machine.
        """
        if self._is_sandbox is None:
            self._is_sandbox = challenge.ask(self.base_url)
            self.close()  # what was opened before has proved nothing
        return bool(self._is_sandbox)

    def expect_sandbox(self) -> None:
        """Send requests only once a sandbox has proved to be at the other end of the connection."""
        self._is_sandbox = True

    def _check_sandbox(self, connection: socket.socket) -> None:
        challenge.check(connection, self.base_url)

    def post(
        self,
        path: str,
        content_type: str,
        body: Callable[[], bytes],
        read: Read[_Found],
        *,
        token: Hidden[str] | None = None,
        is_send: bool = False,
    ) -> _Found:
        """Post a body, which may hold the keys and a token, and read the answer.

        `is_send` says that the request changes something, so that a missing answer is more than a missing answer.
        """
        headers = {"Content-Type": content_type}
        return shield(lambda: self._ask("POST", path, headers, body, str, read, token, is_send=is_send))

    def post_json(
        self, path: str, fields: Mapping[str, object], read: Read[_Found], *, token: Hidden[str] | None = None
    ) -> _Found:
        """Post a JSON object with the keys, and perhaps a token, in it, and read the answer."""

        def body() -> bytes:
            keys = dict(zip(("ApiKey", "SecretKey"), self.keys.reveal(), strict=True))
            return json.dumps({**keys, **fields}).encode()

        return self.post(path, "application/json", body, read, token=token)

    def get(self, path: str, query: Mapping[str, str], read: Read[_Found]) -> _Found:
        """Ask with the keys in the query, and read the answer."""

        def tail() -> str:
            api_key, secret_key = self.keys.reveal()
            return "?" + urlencode({**query, "ApiKey": api_key, "SecretKey": secret_key}, quote_via=quote, safe="")

        return shield(lambda: self._ask("GET", path, {}, bytes, tail, read))

    def get_by_path(self, path: str, read: Read[_Found]) -> _Found:
        """Ask with the keys as the last two parts of the path, and read the answer."""

        def tail() -> str:
            return "".join(f"/{quote(key, safe='')}" for key in self.keys.reveal())

        return shield(lambda: self._ask("GET", path, {}, bytes, tail, read))

    def close(self) -> None:
        """Close the connections; new ones are opened when it is used again."""
        process, adapter = self._opened
        if process == os.getpid():
            adapter.close()

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Callable[[], bytes],
        tail: Callable[[], str],
        read: Read[_Found],
        token: Hidden[str] | None = None,
        *,
        is_send: bool = False,
    ) -> _Found:
        # Called within a shield only, for frames from here on hold keys, or an answer that may repeat them. While the
        # request is made, when libraries write to the log, what holds them is hidden in the exchange.
        def mask(text: str) -> str:
            text = self.keys.mask(text)
            return remove_secret(token.reveal(), text) if token else text

        check = self._check_sandbox if self._is_sandbox else None
        exchange = Exchange(Hidden(tail()), Hidden(body()), self.timeout, check)
        status, answer = self._exchange(method, path, headers, exchange, mask, is_send=is_send)
        try:
            return read(decode.read_json(status, answer, mask), mask)
        except BadAnswer as error:
            if not is_send:
                raise
            values = {**error.values, "way_out_text": decode.UNCERTAIN}
            raise BadAnswer(error.template, error.status, error.excerpt, **values) from None

    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], exchange: Exchange, mask: Mask, *, is_send: bool
    ) -> tuple[int, bytes]:
        """Send the request and read the answer: its status and body."""
        route = self._route()
        length = {"Content-Length": str(len(exchange.body.reveal()))} if method == "POST" else {}
        asked = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "esms-frames"}
        try:
            request = requests.Request(method, self.base_url + path, headers={**headers, **length, **asked}).prepare()
            with current(exchange), self._send(request, route) as response:
                self.clock_offset = _measure_offset(response.headers.get("Date"))
                self._check_not_taken_over(response, route)
                target = response.headers.get("Location") if response.status_code in _REDIRECTS else None
                if target is None:
                    return response.status_code, _read(response, exchange)
        except (HeldBackError, NoAnswer):
            raise
        except challenge.NoSandboxError:
            raise Unreachable(_NO_SANDBOX, where=route.where) from None
        except Exception as error:  # noqa: BLE001 - what it means is decided by how far the exchange had come
            if exchange.was_handed_over:
                raise judge_silence(route, error, is_send=is_send) from None
            raise judge_unreachable(route, exchange.stage, error) from None
        raise judge_redirect(route, response.status_code, target, mask)

    def _check_not_taken_over(self, response: requests.Response, route: Route) -> None:
        server = response.headers.get("Server", "")
        if self._is_sandbox is False and not _is_secure(self.base_url) and server.startswith(SANDBOX_SERVER):
            raise NoAnswer(_TAKEN_OVER, where=route.where)

    def _send(self, request: requests.PreparedRequest, route: Route) -> requests.Response:
        # The adapter without its session, which would read the bodies of redirects, add what a .netrc file holds for the
        # host, and send cookies back.
        return self._adapter().send(
            request, stream=True, timeout=self.timeout, verify=route.ca_bundle or True, proxies=dict(route.proxies)
        )

    def _adapter(self) -> Adapter:
        """Return this process's connections: one that was forked has none of its parent's."""
        process, adapter = self._opened
        if process != os.getpid():
            _inherited.append(adapter)
            adapter = _new_adapter()
            self._opened = os.getpid(), adapter
        return adapter

    def _route(self) -> Route:
        """Find the proxies and certificates of the environment; a proxy has no way to this machine."""
        proxies = {} if self.is_local else get_environ_proxies(self.base_url)
        proxy = select_proxy(self.base_url, proxies)
        variable = next(filter(os.environ.get, _CA_BUNDLES), _CA_BUNDLES[0])
        return Route(urlsplit(self.base_url).netloc, proxies, proxy, os.environ.get(variable), variable)


def _new_adapter() -> Adapter:
    return Adapter(pool_maxsize=64, max_retries=0)


def _read(response: requests.Response, exchange: Exchange) -> bytes:
    """Read the body of an answer; its connection limits the time and the size."""
    parts: list[bytes] = []
    while part := response.raw.read1(_AT_ONCE, decode_content=False):
        parts.append(part)
    if exchange.has_surplus and exchange.is_reused:  # one of them may belong to the request before
        raise ValueError("more than one answer came")
    return b"".join(parts)


def _measure_offset(date: str | None) -> timedelta | None:
    """Compare the Date of an answer (RFC 9110) with this machine's clock."""
    try:
        return parsedate_to_datetime(date or "").astimezone(clock.VIETNAM) - clock.now()
    except (ValueError, OverflowError):
        return None


def _is_secure(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _check_base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        usable = parts.scheme in {"http", "https"} and host and not {"?", "#"} & set(url)
        _ = parts.port, host.encode("idna")
    except (ValueError, AttributeError):
        usable = False
    if not usable:
        raise InvalidInput(
            "base_url is no http or https address without a query: the live gateway's is {live_url}", live_url=LIVE_URL
        )
    if parts.username or parts.password:
        raise InvalidInput("base_url holds a user name or password: pass the keys as api_key and secret_key instead.")
    if not secure and not is_loopback(host):
        raise InvalidInput(
            "base_url {url} would send your keys unencrypted: use https (http is for the sandbox).", url=repr(url)
        )
    return url if url.endswith("/") else url + "/"


def _check_timeout(timeout: object) -> tuple[float, float]:
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if len(pair) != 2 or not all(isinstance(t, (int, float)) and 0 < t < float("inf") for t in pair):
        raise InvalidInput(
            "timeout is {timeout}: give seconds above 0, one number or (to connect, to answer).", timeout=repr(timeout)
        )
    return float(pair[0]), float(pair[1])
