"""One job at a time beside the kernel, which stays free meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from esms_frames.campaigns.sending.dispatch import Progress


T = TypeVar("T")

_PACE = 0.25  # seconds between two reports at least, so that a browser is not flooded


class Cancelled(Exception):
    """Raised within a run that somebody has cancelled; it interrupts the run as Ctrl-C does."""


class Worker:
    """Run one job at a time in a thread of its own.

    Parameters
    ----------
    on_change : callable
        Called, from either thread, when a job begins and when it has ended.
    """

    def __init__(self, on_change: Callable[[], object]) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy = False

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._busy

    def start(self, job: Callable[[], T], done: Callable[[T], object], failed: Callable[[Exception], object]) -> bool:
        """Begin a job, if none is under way; what it gives goes to `done`, what it raises to `failed`."""
        with self._lock:
            if self._busy:
                return False
            self._busy = True

        def work() -> None:
            try:
                done(job())
            except Exception as error:  # noqa: BLE001 - whatever it is, the person at the form has to learn of it
                failed(error)
            finally:
                self._busy = False
                self._on_change()

        try:
            self._on_change()
        except BaseException:
            self._busy = False  # it is not under way, and would not end
            raise
        self._thread = threading.Thread(target=work, name="esms-form", daemon=True)
        self._thread.start()
        return True

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the job is over."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)


class Reporter:
    """The progress function of a send: it passes reports on at a pace that a browser bears, and cancels the send.

    Parameters
    ----------
    show : callable
        Gets each `Progress` that is passed on, and the seconds since the first call.
    clock : callable
        Gives seconds, from anywhere on.
    """

    def __init__(self, show: Callable[[Progress, float], object], clock: Callable[[], float]) -> None:
        self._show = show
        self._clock = clock
        self._began = clock()
        self._shown_at = self._began - _PACE
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make the next report interrupt the run."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._began

    def check(self) -> None:
        """Interrupt the run if it was cancelled."""
        if self.cancelled:
            raise Cancelled

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        now = self._clock()
        if now - self._shown_at >= _PACE or progress.done == progress.total:
            self._shown_at = now
            self._show(progress, now - self._began)
        self.check()
