"""Receive the gateway's callbacks: a WSGI application that answers a callback once it is in the journal."""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from esms_frames.base import clock
from esms_frames.base.errors import InvalidInput, JournalError
from esms_frames.journal.callbacks import Received
from esms_frames.journal.database.address import hide
from esms_frames.journal.journal import Journal
from esms_frames.reporting.callbacks import LONGEST_QUERY, read_callback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from esms_frames.journal.batches import BatchStore


_LOG = logging.getLogger(__name__)

_TOKEN = re.compile("[A-Za-z0-9_-]{16,64}")
_REREAD = 1.0  # seconds between two reads of the campaigns' tokens, however many requests ask
_MOST_PAUSING = 32  # requests that may wait for the next read
_MOST_WAITING = 1000  # callbacks that may wait for their commit
_LARGEST_GROUP = 500  # callbacks in one commit
_PATIENCE = 20.0  # seconds that a request waits for its commit
_COME_AGAIN = "5"  # seconds
_QUIET = 60.0  # seconds between warnings, however many errors occur


def callbacks_app(journal: Journal | str | os.PathLike[str] | None = None) -> Receiver:
    """Build the WSGI application that receives the gateway's callbacks and writes them to the journal.

    If a message's ``callback_url`` ends in ``/{token}``, `send` puts the campaign's token there. The application looks
    only at the last part of the path, so you can mount it anywhere.

    Parameters
    ----------
    journal : Journal, str or path-like, optional
        The journal that `send` uses; by default the user's.

    Returns
    -------
    Receiver
        A WSGI application for any server; run it in one process with several threads. ``counts`` says how often each HTTP
        status was answered, ``commits`` says how many transactions were needed, and ``close()`` ends its own thread.

    Raises
    ------
    JournalError
        When the journal can't be relied on.

    Notes
    -----
    It answers 200 once the callback is on disk; callbacks that arrive at the same time share one transaction, and a repeat
    counts once. It answers 404 to a token that belongs to no campaign, without reading the journal; 405 to anything but
    GET; 414 and 400 to a query that is too long, or that the gateway would not write; 503 while too many callbacks wait, or
    the journal can't be written to. The gateway's documentation mentions up to five tries after a time-out, and does not
    say what the gateway does after other answers. `track` asks for whatever never arrived.

    Requests are not logged, because their addresses contain the token and a number. Make sure that the web server in front
    doesn't log them either.

    Examples
    --------
    >>> import tempfile
    >>> import esms_frames as ef
    >>> from werkzeug.test import Client as Browser
    >>> app = ef.callbacks_app(tempfile.mkdtemp() + "/journal.sqlite")
    >>> Browser(app).get("/esms/a-token-of-no-campaign?SMSID=d533-1&SendStatus=5").status_code
    404
    >>> app.counts
    {404: 1}
    """
    journal = hide(journal)
    return Receiver(journal if isinstance(journal, Journal) else Journal(journal))


class Receiver:
    """A WSGI application that receives callbacks; built by `callbacks_app`."""

    def __init__(self, journal: Journal) -> None:
        self._warnings = _Warnings()
        self._tokens = _Tokens(journal._batches, self._warnings)
        self._writer = _Writer(journal._batches, self._warnings)
        self._counts: Counter[int] = Counter()
        self._lock = threading.Lock()

    @property
    def counts(self) -> dict[int, int]:
        """How often each HTTP status was answered."""
        return dict(sorted(self._counts.items()))

    @property
    def commits(self) -> int:
        """How many transactions it took to write the callbacks that were answered with 200."""
        return self._writer.commits

    def close(self) -> None:
        """Write the waiting callbacks, and end the thread that writes them; a later request starts another."""
        self._writer.close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, words = self._answer(environ)
        except Exception as error:  # noqa: BLE001 - a server's traceback must not show the address
            self._warnings.warn(error)
            status, words = 500, "Internal error."
        with self._lock:
            self._counts[status] += 1
        headers = {"Cache-Control": "no-store"}
        headers |= {"Allow": "GET"} if status == 405 else {"Retry-After": _COME_AGAIN} if status == 503 else {}
        return Response(f"{words}\n", status, headers, mimetype="text/plain")(environ, start_response)

    def _answer(self, environ: Mapping[str, Any]) -> tuple[int, str]:
        if environ["REQUEST_METHOD"] != "GET":
            return 405, "Only GET."
        try:
            campaign_id = self._tokens.campaign_of(str(environ.get("PATH_INFO", "")).rpartition("/")[2])
        except _BusyError:
            return 503, "Try again later."
        if campaign_id is None:
            return 404, "Not found."
        query = environ.get("QUERY_STRING", "")
        if len(query) > LONGEST_QUERY:
            return 414, "The query is too long."
        try:
            callback = read_callback(query)
        except InvalidInput as error:
            return 400, str(error)
        if not self._writer.wrote(Received(campaign_id, callback, clock.now())):
            return 503, "Try again later."
        return 200, "OK"


class _Warnings:
    """Warn the operator, at most once a minute, of errors that prevent callbacks from being written."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def warn(self, error: Exception) -> None:
        """Log the error; for an error from outside this package only its type, because its text could show an address."""
        if time.monotonic() - self._last < _QUIET:
            return
        self._last = time.monotonic()
        _LOG.warning("%s", error if isinstance(error, JournalError) else f"Callbacks fail ({type(error).__name__}).")


class _BusyError(Exception):
    """Raised when it can't be checked now whether a token belongs to a campaign."""


class _Tokens:
    """The tokens of all campaigns, kept in memory so that wrong tokens cause no reads of the journal."""

    def __init__(self, batches: BatchStore, warnings: _Warnings) -> None:
        self._batches, self._warnings = batches, warnings
        self._key = os.urandom(32)
        self._campaigns: dict[bytes, int] = {}
        self._looked_at, self._has_failed = float("-inf"), False
        self._lock = threading.Lock()
        self._pausing = threading.BoundedSemaphore(_MOST_PAUSING)

    def campaign_of(self, token: str) -> int | None:
        """Return the id of the campaign with a token; the time it takes reveals nothing about near misses."""
        if not _TOKEN.fullmatch(token):
            return None
        digest = self._digest(token)
        if digest not in self._campaigns:
            self._look_again(digest, time.monotonic())
        return self._campaigns.get(digest)

    def _look_again(self, digest: bytes, came: float) -> None:
        """Look for campaigns newer than a request, at most once a second however many requests ask."""
        if not self._pausing.acquire(blocking=False):  # reading can also take long, because the journal can be locked
            raise _BusyError
        try:
            with self._lock:
                if digest in self._campaigns:  # another request has found it in the meantime
                    return
                pause = self._looked_at + _REREAD - came
                if pause <= 0 or self._looked_at >= came:
                    self._look(came)
                    return
            time.sleep(pause)
            with self._lock:
                self._look(came)
        finally:
            self._pausing.release()

    def _look(self, came: float) -> None:
        if self._looked_at >= came:  # another request has looked in the meantime
            if self._has_failed:
                raise _BusyError
            return
        self._looked_at, self._has_failed = time.monotonic(), True
        try:
            found = self._batches.callback_tokens()
        except JournalError as error:
            self._warnings.warn(error)
            raise _BusyError from None
        self._campaigns = {self._digest(token): campaign_id for token, campaign_id in found.items()}
        self._has_failed = False

    def _digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), key=self._key, digest_size=16).digest()


@dataclass
class _Waiting:
    """A callback that waits for its commit."""

    received: Received
    done: threading.Event = field(default_factory=threading.Event)
    written: bool = False


class _Writer:
    """Write callbacks in groups: those that arrive while one group is being written form the next group."""

    def __init__(self, batches: BatchStore, warnings: _Warnings) -> None:
        self.commits = 0
        self._batches, self._warnings = batches, warnings
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._process = 0
        self._lock = threading.Lock()

    def wrote(self, received: Received) -> bool:
        """Pass a callback to the writer's thread, and return whether it is on disk."""
        self._start()
        waiting = _Waiting(received)
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            return False
        waiting.done.wait(_PATIENCE)
        return waiting.written

    def close(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and self._process == os.getpid():
            self._queue.put(None)
            thread.join()

    def _start(self) -> None:
        """Start the thread in the process that receives the requests: servers may fork after building the application."""
        with self._lock:
            if self._thread is None or self._process != os.getpid():
                self._process = os.getpid()
                self._thread = threading.Thread(target=self._run, name="esms-callbacks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < _LARGEST_GROUP and not self._queue.empty():
                if (other := self._queue.get()) is None:
                    self._queue.put(None)
                    break
                group.append(other)
            written = self._write([waiting.received for waiting in group])
            for waiting in group:
                waiting.written = written
                waiting.done.set()

    def _write(self, group: list[Received]) -> bool:
        try:
            self._batches.record_callbacks(group)
        except Exception as error:  # noqa: BLE001 - the thread must go on, and the gateway calls again
            self._warnings.warn(error)
            return False
        self.commits += 1
        return True
