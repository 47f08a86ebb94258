"""Runs, each within a process: their names, and which of them are still alive."""

from __future__ import annotations

import os
import platform
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psutil
import sqlalchemy as sa

from esms_frames import clock
from esms_frames.schema import attempts, batches, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CLOCK_SET = 30.0  # seconds
_IDLE = timedelta(hours=1)


def run_name() -> str:
    """Name a run after its process, so that others can tell when it has died."""
    process = psutil.Process()
    return f"{platform.node()}:{process.pid}:{process.create_time():.2f}:{os.urandom(6).hex()}"


def claimable(holder: str | None, held_until: float | None, run: str) -> bool:
    """Tell whether a run may claim a batch: no other run that is alive has it."""
    return holder == run or held_until is None or held_until < time.time() or is_over(holder)


def is_over(run: str | None) -> bool:
    """Tell whether a run has certainly ended: it said so, or its process on this machine is no more."""
    if run is None:
        return True
    host, pid, created, _ = run.rsplit(":", 3)
    if host != platform.node():
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
    idle = text_of(clock.now() - _IDLE) or ""
    return lambda row: _is_busy(row, last_seen, idle)


def _is_busy(row: Any, last_seen: Mapping[str, str], idle: str) -> bool:
    # A planner of which nothing was seen for so long is gone, though its machine may have another name by now.
    planner_gone = is_over(row.planned_by) or max(last_seen.get(row.planned_by, ""), row.created_at) < idle
    unheld = row.held_until is None or row.held_until < time.time() or is_over(row.holder)
    return not (planner_gone and unheld)
