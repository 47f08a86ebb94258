"""Runs, each within a process: their names, and which of them are still alive."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import sqlalchemy as sa

from esms_frames.base.errors import JournalError
from esms_frames.journal.database import transaction
from esms_frames.journal.tables import attempts, batches, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_ancestors: set[int] = set()
"""The processes that this one was forked from, as far as they had loaded this module."""

_ended: set[str] = set()
"""The runs of this process that ended without being able to say so in the journal."""

_CLOCK_SET = 30.0  # seconds
_IDLE = timedelta(hours=1)


def run_name() -> str:
    """Return the name of a run, by which other processes can see that its process has died."""
    process = psutil.Process()
    return f"{name_machine()}:{process.pid}:{process.create_time():.2f}:{os.urandom(6).hex()}"


def name_machine() -> str:
    """Return a name for the machine, its start and the container, within which process numbers are unique."""
    return f"{platform.node()}/{_boot()}"


def note_end(run: str) -> None:
    """Record in memory that a run has ended, if the journal can't be reached: its claims block nobody in this process."""
    _ended.add(run)


def is_inherited(run: str) -> bool:
    """Return whether a run belongs to a process that this one was forked from."""
    machine, pid, *_ = run.rsplit(":", 3)
    return int(pid) in _ancestors and machine == name_machine()


def check_own(run: str) -> None:
    """Check that a run does not belong to a process that this one was forked from: both would act for it."""
    if is_inherited(run):
        raise JournalError(
            "A run does not go on in a process that is forked while it sends: send within that process, or resume there."
        )


@cache
def _boot() -> str:
    """Return a name for this start of the machine and for the container; empty if the system names neither."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}".replace(":", "")
    return ""


def claimable(connection: sa.Connection, holder: str | None, held_until: float | None, run: str) -> bool:
    """Return whether a run may claim a batch: no other live run holds it."""
    if holder == run or held_until is None or held_until < transaction.seconds(connection):
        return True
    return is_over(holder, is_shared=transaction.is_shared(connection))


def is_over(run: str | None, *, is_shared: bool) -> bool:
    """Return whether a run has certainly ended: it recorded its end, or its process on this machine is gone.

    Two machines or containers that share a journal may have one name. There a process tells something only where it is
    certainly of this machine and container; of all others the time of their claims does.
    """
    if run is None or run in _ended:
        return True
    machine, pid, created, _ = run.rsplit(":", 3)
    is_here = machine == name_machine() and bool(_boot()) if is_shared else machine.split("/")[0] == platform.node()
    if not is_here:
        return False
    try:
        # The two readings of one beginning differ by what the clock was set in between.
        return abs(psutil.Process(int(pid)).create_time() - float(created)) > _CLOCK_SET
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def busy(connection: sa.Connection) -> Callable[[Any], bool]:
    """Return a function that checks whether a live run holds the batch of a row."""
    planners = sa.select(batches.c.planned_by).where(batches.c.planned_by.is_not(None))
    tried = sa.select(attempts.c.run, sa.func.max(attempts.c.started_at)).where(attempts.c.run.in_(planners))
    last_seen = {run: str(moment) for run, moment in connection.execute(tried.group_by(attempts.c.run))}
    return lambda row: _is_busy(connection, row, last_seen)


def _is_busy(connection: sa.Connection, row: Any, last_seen: Mapping[str, str]) -> bool:
    # A planner of which nothing was seen for so long is gone, though its machine may have another name by now.
    idle = text_of(transaction.now(connection) - _IDLE) or ""
    planner_gone = max(last_seen.get(row.planned_by, ""), row.created_at) < idle or is_over(
        row.planned_by, is_shared=transaction.is_shared(connection)
    )
    return not (planner_gone and claimable(connection, row.holder, row.held_until, run=""))


def _after_fork() -> None:
    _boot.cache_clear()
    _ancestors.add(os.getppid())
    _ancestors.discard(os.getpid())  # an ancestor that is gone can have had the same number


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_after_fork)
