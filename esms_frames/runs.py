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

from esms_frames import transaction
from esms_frames.schema import attempts, batches, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CLOCK_SET = 30.0  # seconds
_IDLE = timedelta(hours=1)


def run_name() -> str:
    """Name a run after its process, so that others can tell when it has died."""
    process = psutil.Process()
    return f"{place()}:{process.pid}:{process.create_time():.2f}:{os.urandom(6).hex()}"


def place() -> str:
    """Name where processes are told apart by their numbers: the machine, since when it runs, and the container."""
    return f"{platform.node()}/{_boot()}"


@cache
def _boot() -> str:
    """Name this start of the machine, and the container within it; empty where the system names neither."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}".replace(":", "")
    return ""


def claimable(connection: sa.Connection, holder: str | None, held_until: float | None, run: str) -> bool:
    """Tell whether a run may claim a batch: no other run that is alive has it."""
    if holder == run or held_until is None or held_until < transaction.seconds(connection):
        return True
    return is_over(holder, is_shared=transaction.is_shared(connection))


def is_over(run: str | None, *, is_shared: bool) -> bool:
    """Tell whether a run has certainly ended: it said so, or its process on this machine is no more.

    Two machines or containers that share a journal may have one name. There a process tells something only where it is
    certainly of this machine and container; of all others the time of their claims does.
    """
    if run is None:
        return True
    there, pid, created, _ = run.rsplit(":", 3)
    is_here = there == place() and bool(_boot()) if is_shared else there.split("/")[0] == platform.node()
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
    """Give what tells of a batch's row whether a run that is alive works on it."""
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
