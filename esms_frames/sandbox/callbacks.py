"""Make the sandbox's callbacks: report deliveries to the callback address of each message, as the gateway does."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import numpy as np

from esms_frames.base import clock
from esms_frames.messages.limits import SmsType
from esms_frames.recipients.phones import numbering_plan
from esms_frames.sandbox import account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from urllib.parse import SplitResult

    from numpy.typing import NDArray

    from esms_frames.sandbox.reports import Outcomes, Send


TRIES = 5
"""How often the gateway calls at most, if nothing answers in time."""

_AT_ONCE = 8  # calls
_POLL = 0.02  # seconds between checks for reports that are due
_DONE = 5
_TELCO_IDS = {name: number for number, name in numbering_plan.GATEWAY_NETWORKS.items()}


@dataclass
class _Open:
    """A send that is not completely reported yet."""

    send: Send
    calls: list[dict[str, Any]] = field(default_factory=list)
    """The fields of each call, in the order of their reports."""
    due: NDArray[np.float64] | None = None
    """When each call is due, in seconds after the send's time; None until it is computed."""
    made: int = 0


@dataclass
class Caller:
    """Make the callbacks of a sandbox in its own threads, until it is stopped; safe to use from several threads."""

    outcomes: Outcomes
    prices: Mapping[str, int]
    wait: float
    """Seconds to wait for the answer to a call, and to wait before the call is repeated."""
    made: Counter[str] = field(default_factory=Counter)
    _open: list[_Open] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def renew_lock(self) -> None:
        """Create a new lock in a fork: a thread of its parent may have held the old one, and still calls there."""
        self._lock, self._stopped, self._thread, self._open = threading.Lock(), threading.Event(), None, []

    def report(self, send: Send) -> None:
        """Report a send at its time, if its callback address is on this machine."""
        if not _is_here(send.callback_url):
            return
        with self._lock:
            self._open.append(_Open(send))
            if self._thread is None:
                self._stopped.clear()
                self._thread = threading.Thread(target=self._run, name="esms-sandbox-callbacks", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop; reports that were not made by now are never made."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._open.clear()
            self._stopped.set()
        if thread is not None:
            thread.join()

    def _calls(self, send: Send) -> tuple[list[dict[str, Any]], NDArray[np.float64]]:
        due, delivered = self.outcomes.read_draws(send)
        if send.sms_type is SmsType.ADVERTISING:
            got = int(delivered.sum())
            return [_fields(send, len(delivered), got, send.price)], due.max(keepdims=True)
        names, codes = account.networks(send.phones)
        of_each = dict(zip(codes.tolist(), send.phones, strict=True))  # one number of each network
        prices = {code: account.price(send.content, (phone,), self.prices) for code, phone in of_each.items()}
        calls = []
        for position in np.argsort(due, kind="stable").tolist():
            code = int(codes[position])
            said = _fields(send, 1, int(delivered[position]), prices[code])
            telco = "" if code < 0 else _TELCO_IDS.get(names[code], "")
            calls.append(said | {"telcoid": telco, "phonenumber": send.phones[position]})
        return calls, np.sort(due)

    def _run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="esms-sandbox-call") as pool:
            while not self._stopped.wait(_POLL):
                with self._lock:
                    open_sends = list(self._open)
                for each in open_sends:
                    if each.due is None:
                        each.calls, each.due = self._calls(each.send)
                    elapsed = (clock.now() - each.send.send_at).total_seconds()
                    ready = int(np.searchsorted(each.due, elapsed, side="right"))
                    for said in each.calls[each.made : ready]:
                        pool.submit(self._call, str(each.send.callback_url), said)
                    each.made = max(each.made, ready)
                with self._lock:
                    self._open[:] = [each for each in self._open if each.due is None or each.made < len(each.calls)]

    def _call(self, url: str, said: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}{'&' if parts.query else ''}{urlencode(said)}"
        for _ in range(TRIES):
            if self._stopped.is_set():
                return
            got = _answer(parts, target, self.wait)
            with self._lock:
                self.made[got] += 1
            if got == "200":
                return
            self._stopped.wait(self.wait)


def _answer(parts: SplitResult, target: str, wait: float) -> str:
    """Make one call; without requests, because urllib3 logs addresses at DEBUG, and these contain a token and a number."""
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=wait)
    connection.set_debuglevel(0)
    try:
        connection.request("GET", target)
        return str(connection.getresponse().status)
    except (OSError, HTTPException):
        return "unanswered"
    finally:
        connection.close()


def _fields(send: Send, recipients: int, delivered: int, price: int) -> dict[str, Any]:
    return {
        "SMSID": send.sms_id,
        "SendFailed": recipients - delivered,
        "SendStatus": _DONE,
        "SendSuccess": delivered,
        "TotalPrice": f"{price}.0000",
        "TotalReceiver": recipients,
        "TotalSent": recipients,
        "RequestId": send.request_id or "",
        "TypeId": send.sms_type.code,
    }


def _is_here(url: str | None) -> bool:
    """Return whether an address is on this machine; a sandbox calls no other addresses."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
    except ValueError:
        return False
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host.lower() == "localhost"
    return local and parts.scheme in {"http", "https"}
