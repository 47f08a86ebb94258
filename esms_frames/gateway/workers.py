"""Threads for requests, which an interrupted program does not stumble over as it ends."""

from __future__ import annotations

import atexit
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


_LOOK_UP = 0.2  # seconds between looks for Ctrl-C, which Windows does not see while it waits

_Done = TypeVar("_Done")


class Workers:
    """Threads that run submitted work in its order.

    Those of the standard library are joined as Python ends, and Ctrl-C shows a traceback of that. These are waited for, so
    that requests under way settle, and Ctrl-C ends the waiting without a word: the journal says that they are uncertain.

    Parameters
    ----------
    count : int
        How many at once.
    name : str
        How the threads' names begin.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unsettled: set[Future[Any]] = set()

    def submit(self, work: Callable[[], _Done]) -> Future[_Done]:
        """Run some work in one of the threads, once one is free."""
        future: Future[_Done] = Future()
        self._unsettled.add(future)  # first, so that what may be done is never taken for done with
        self._queue.put((future, work))
        if len(self._threads) < self._count:
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
            _at_work.append(self)
        return future

    @property
    def are_idle(self) -> bool:
        """Whether nothing is under way, and nothing waits."""
        return not self._unsettled

    def drop(self) -> None:
        """Drop the work that no thread has begun."""
        while True:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return
            if waiting is not None:
                waiting[0].cancel()
                self._unsettled.discard(waiting[0])

    def wait(self) -> None:
        """Wait until all threads have ended, which Ctrl-C interrupts."""
        for _ in range(self._count):
            self._queue.put(None)
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_LOOK_UP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.drop()
        self.wait()
        _at_work[:] = [workers for workers in _at_work if workers is not self]

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            future, do = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(do())
                except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
                    future.set_exception(error)
            self._unsettled.discard(future)


_at_work: list[Workers] = []


def _settle() -> None:
    """Wait, at the end of the program, for the work that an interruption left under way."""
    try:
        while _at_work:
            _at_work[-1].drop()
            _at_work[-1].wait()
            _at_work.pop()
    except KeyboardInterrupt:
        pass


atexit.register(_settle)
