"""Write one request to a connection, read one answer from it, and record whether anything of the request may have left."""

from __future__ import annotations

import http.client
import io
import time
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import PoolManager

    from esms_frames.gateway.http.secrets import Hidden


LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of a whole answer, with all that comes before it: a page of 500 messages takes a quarter of a MiB, 5000 receivers
take half a MiB."""

_BUFFER = 64 * 1024  # bytes


class Stage(StrEnum):
    """How far an exchange has come."""

    PREPARED = "prepared"
    """There is no connection yet, and nobody was asked for one."""
    CONNECTING = "connecting"
    """A host, or a proxy, is looked up and connected to."""
    TUNNELLING = "tunnelling"
    """A proxy is asked for the way to the gateway."""
    SECURING = "securing"
    """There is a connection, and TLS is being agreed on it."""
    HANDED_OVER = "handed over"
    """The request was handed to the connection: from here on, any part of it may have arrived."""


class HeldBackError(Exception):
    """Raised when a request was held back once its connection was made. Its text says why."""


class Exchange:
    """One request, and how far it has come.

    Attributes
    ----------
    stage : Stage
        Recorded by the connection itself. What is certain is decided by it alone, never by an error's class or text.
    is_reused : bool
        Whether the connection has carried another request before.
    has_surplus : bool
        Whether more came than one answer.
    check : callable or None
        Checks each new connection before anything of the request is handed to it.
    """

    __slots__ = (
        "_answer_timeout",
        "_deadline",
        "_ends",
        "_room",
        "body",
        "check",
        "has_surplus",
        "is_reused",
        "stage",
        "tail",
    )

    def __init__(
        self,
        tail: Hidden[str],
        body: Hidden[bytes],
        timeout: tuple[float, float],
        check: Callable[[Any], None] | None = None,
    ) -> None:
        self.tail, self.body, self.check = tail, body, check
        self.stage = Stage.PREPARED
        self.is_reused = self.has_surplus = False
        self._answer_timeout = timeout[1]
        self._ends = self._deadline = time.monotonic() + sum(timeout)
        self._room = LARGEST_ANSWER

    @property
    def was_handed_over(self) -> bool:
        """Whether anything of the request may have left."""
        return self.stage is Stage.HANDED_OVER

    def enter(self, stage: Stage, seconds: float | None = None) -> None:
        """Record a stage and its time-out, which never exceeds what is left for the whole exchange."""
        self.stage = stage
        self._deadline = self._ends if seconds is None else min(self._ends, time.monotonic() + seconds)

    def hand_over(self) -> None:
        """Record that the request begins to leave; refuse it where the time for the whole exchange is over."""
        if time.monotonic() >= self._ends:
            raise TimeoutError("no connection in time")
        self.has_surplus = False
        self._room = LARGEST_ANSWER
        self.enter(Stage.HANDED_OVER, self._answer_timeout)

    def remaining(self) -> float:
        """Return the seconds that are left; raise `TimeoutError` where there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer does not end in time")
        return left

    def count(self, received: int) -> None:
        """Count bytes that were received; raise `ValueError` where no answer has so many."""
        self._room -= received
        if self._room < 0:
            raise ValueError("the answer does not end")


_current: ContextVar[Exchange] = ContextVar("exchange")
"""This thread's exchange: what a connection is to write, and where it records how far it has come."""

_why_not: ContextVar[Callable[[], str | None]] = ContextVar("why_not", default=lambda: None)
"""Says of this thread's request why it may not leave any more."""


@contextmanager
def current(exchange: Exchange) -> Iterator[None]:
    """Make an exchange the current one of this thread."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def only_while(why_not: Callable[[], str | None]) -> Iterator[None]:
    """Send this thread's requests only if a function finds no objection; it is called once they have a connection.

    A machine can sleep for days while it makes one, and goes on with it when it wakes.
    """
    token = _why_not.set(why_not)
    try:
        yield
    finally:
        _why_not.reset(token)


class _Received(io.RawIOBase):
    """The bytes of one answer as they come, within the time and the size of its exchange."""

    def __init__(self, sock: Any, exchange: Exchange) -> None:
        self._sock, self._exchange = sock, exchange
        self._raw = sock.makefile("rb", buffering=0)
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.is_over:
            return 0
        self._sock.settimeout(self._exchange.remaining())
        received: int | None = self._raw.readinto(buffer)
        self._exchange.count(received or 0)
        return received

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Buffered(io.BufferedReader):
    """The same, buffered; when it is closed at the end of the answer, it checks whether more has come."""

    def __init__(self, received: _Received, exchange: Exchange, connection: _Connection | None) -> None:
        super().__init__(received, _BUFFER)
        self._received, self._exchange, self._connection = received, exchange, connection

    def close(self) -> None:
        if not self.closed:
            self._received.is_over = True
            if self.peek(1):
                self._exchange.has_surplus = True
                if self._connection is not None:
                    self._connection.is_spoilt = True
        super().close()


class _Source:
    """A socket from which Python's HTTP reads an answer."""

    def __init__(self, sock: Any, connection: _Connection | None) -> None:
        self._sock, self._connection = sock, connection

    def makefile(self, *_: Any) -> io.BufferedReader:
        exchange = _current.get()
        return _Buffered(_Received(self._sock, exchange), exchange, self._connection)


class _Answer(http.client.HTTPResponse):
    """An answer all of whose bytes are counted: interim answers (RFC 9110, 15.2), headers, and the body as it is read."""

    def __init__(self, sock: Any, *args: Any, connection: _Connection | None = None, **options: Any) -> None:
        super().__init__(_Source(sock, connection), *args, **options)  # type: ignore[arg-type]

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status not in range(102, 200):
                return version, status, reason
            while self.fp.readline().strip():
                pass


class _Connection(HTTPConnection):
    """A connection that writes the exchange's secrets, which nothing else knows.

    requests and urllib3 know the address without its end and the request without its body, so these are in none of their
    logs, objects and errors. Python's own HTTP would print the whole line where people have set
    `http.client.HTTPConnection.debuglevel`, so that is off here.
    """

    debuglevel = 0
    is_spoilt = False
    """Whether it may not carry another request: who knows what comes on it next."""
    _has_answered = False

    def response_class(self, sock: Any, *args: Any, **options: Any) -> _Answer:  # type: ignore[override]
        return _Answer(sock, *args, connection=self, **options)

    @property
    def is_connected(self) -> bool:
        pending = getattr(self.sock, "pending", int)
        return not self.is_spoilt and super().is_connected and not pending()

    def _new_conn(self) -> Any:
        exchange = _current.get()
        exchange.enter(Stage.CONNECTING)
        self.is_spoilt = self._has_answered = False
        sock = super()._new_conn()
        exchange.enter(Stage.SECURING)
        return sock

    def _tunnel(self) -> None:
        exchange = _current.get()
        exchange.enter(Stage.TUNNELLING, self.timeout)
        super()._tunnel()
        exchange.enter(Stage.SECURING)
        self.sock.settimeout(self.timeout)

    def request(self, method: str, url: str, *args: Any, **options: Any) -> None:
        exchange = _current.get()
        if self.sock is None:
            self.connect()
            if exchange.check:
                try:
                    exchange.check(self.sock)
                except BaseException:
                    self.close()
                    raise
        if why := _why_not.get()():
            self.close()
            raise HeldBackError(why)
        exchange.is_reused = self._has_answered
        exchange.hand_over()
        self.timeout = exchange.remaining()
        try:
            super().request(method, url, *args, **options)
            if exchange.body.reveal():
                self.send(exchange.body.reveal())
        except OSError as error:
            if self._has_answered:  # what can still be read may be anything; urllib3 would take it for the answer
                raise http.client.HTTPException("the connection broke off") from error
            raise

    def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
        super().putrequest(method, url + _current.get().tail.reveal(), *args, **options)

    def getresponse(self) -> Any:
        answer = super().getresponse()
        self._has_answered = True
        self.is_spoilt = self.is_spoilt or answer.status != 200
        return answer


class Adapter(HTTPAdapter):
    """HTTP with such connections, direct and through proxies."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _use_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            _use_connections(manager)
        return manager


def _use_connections(manager: PoolManager) -> None:
    pools: dict[str, Any] = {}
    known: dict[str, Any] = manager.pool_classes_by_scheme
    for scheme, pool in known.items():
        connection: Any = type(pool.ConnectionCls.__name__, (_Connection, pool.ConnectionCls), {})
        pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    manager.pool_classes_by_scheme = pools
