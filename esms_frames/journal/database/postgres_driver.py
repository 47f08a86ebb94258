"""A connection to a PostgreSQL server that waits for its answers, but not for ever."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Generator


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is treated as cut when nothing comes or goes on it for too long.

    A server that hangs says nothing more and keeps its connections open, and the system that it runs on goes on
    acknowledging what comes. What became of a commit is not known then, as with a cable that is cut.
    """

    silence = 300.0
    """After how many seconds; locks, which are the longest that the journal's statements wait for, take a fifth of it."""

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Wait for the server, as every method of a connection and its cursors does."""
        return super().wait(self._watch(gen), *args, **options)

    def _watch(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Yield what psycopg waits for, which it reports ten times a second; give up once nothing comes for too long."""
        end = time.monotonic() + self.silence
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    end = time.monotonic() + self.silence
                elif time.monotonic() > end:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value
