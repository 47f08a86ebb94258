"""Close what can't be carried into a forked process before the fork, and make it anew in the child."""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


_PATIENCE = 30.0  # seconds for which a fork waits for transactions of other threads


class Forked(Protocol):
    """An object that takes part in forks."""

    def before_fork(self) -> None:
        """Close what must not be open in two processes; no thread uses it now, unless the wait for it took too long."""

    def after_fork(self) -> None:
        """Begin anew in the child, which neither uses nor closes what the parent has."""


class Gate:
    """A gate around what can't be used across a fork: threads enter it, and a fork waits until they have left."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Reset the gate in a child, in which the threads inside and their locks do not exist."""
        self._changed = threading.Condition()
        self._inside: dict[object, int] = {}
        self._closed_by: int | None = None  # the thread that forks

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the gate; wait while another thread forks, unless this thread is inside already."""
        me, changed, pid, thread = object(), self._changed, os.getpid(), threading.get_ident()
        try:
            with changed:
                while self._closed_by not in (None, thread) and thread not in self._inside.values():
                    changed.wait()
                self._inside[me] = thread
            yield
        finally:
            if os.getpid() == pid:
                with changed:
                    self._inside.pop(me, None)
                    changed.notify_all()

    def close(self, seconds: float) -> None:
        """Close the gate to new threads, and wait for some time until all other threads have left."""
        end = time.monotonic() + seconds
        with self._changed:
            self._closed_by = threading.get_ident()
            while set(self._inside.values()) - {threading.get_ident()} and time.monotonic() < end:
                self._changed.wait(0.1)

    def open(self) -> None:
        """Open the gate again."""
        with self._changed:
            self._closed_by = None
            self._changed.notify_all()


GATE = Gate()
_registered: weakref.WeakSet[Forked] = weakref.WeakSet()


def register(each: Forked) -> None:
    """Add an object whose methods are called at each fork, as long as it lives."""
    with GATE.entered():
        _registered.add(each)


def _before() -> None:
    GATE.close(_PATIENCE)
    for each in list(_registered):
        each.before_fork()


def _in_child() -> None:
    GATE.begin_anew()
    for each in list(_registered):
        each.after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(before=_before, after_in_parent=GATE.open, after_in_child=_in_child)
