"""Kill senders at random moments, with a gateway that fails a third of the time, and count who was texted how often.

Run: PYTHONPATH=tests python -m soak.senders [seconds] [seed] [postgresql | URL of a journal]

Each round has a sandbox and a journal of its own. Processes that send the same campaign are started one after the other,
or two at once, and killed (SIGKILL) after a random time; the last is let finish. Then the sandbox's own ledger must hold
each number exactly once. In every other round some numbers are blocked, so that their batches are split in halves; then
each number is in the ledger once or said to be refused.

In some rounds a sender forks, and parent and child both send with the connections that they had; in some it is half an
hour before midnight at first, and a quarter past it from some kill on, with a gateway that frees its request ids then.

With ``postgresql`` the journal is on a server that is started for it, and the processes are of two machines: those of the
other are taken for dead only when their claims have run out. In some rounds the server is stopped as by a power cut while
they send, and started again.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

import pandas as pd
import psutil
from support import postgres_server

import esms_frames as ef
from esms_frames.base import clock
from esms_frames.campaigns.sending import dispatch
from esms_frames.journal import claims

FAULTS = {"cut_before": 0.1, "cut_after": 0.1, "slow": 0.03, "unavailable": 0.05, "garbage": 0.04, "busy": 0.03}
assert abs(sum(FAULTS.values()) - 0.35) < 1e-9
CAMPAIGN = "soak"
NUMBERS = [f"09018{n:05d}" for n in range(1200)]
MOST_KILLS = 6
BLOCKED = 3
CUTS = 0.15
FORKS = 0.3 if hasattr(os, "fork") else 0.0
MIDNIGHTS = 3  # one round in so many
BAD = ("lost", "doubled", "unsettled", "misreported")


MACHINES = ("one", "two")


def hurry():
    """Wait for nothing as long as in real life: neither between attempts, nor for the claims of a dead machine."""
    dispatch.SENDING = replace(dispatch.SENDING, first_wait=0.01, longest_wait=0.05, jitter=0.01)
    dispatch._CLAIM_MARGIN = 0.3


def shift(by):
    """Go by a clock that is so many seconds ahead of this machine's.

    `clock.seconds` stays: by how much a server's clock is ahead is measured with it, and that server's is not set.
    """
    clock.now = lambda: datetime.fromtimestamp(time.time() + by, clock.VIETNAM)


def sender(url, keys, journal, phones, machine, by, forks):
    """Send the campaign, as a notebook on some machine would; runs in a process of its own."""
    hurry()
    shift(by)
    if "://" in journal:
        claims._boot = cache(lambda: machine)
    audience = ef.prepare(pd.DataFrame({"sdt": phones}), max_batch=120)
    message = ef.Message("Cam on quy khach!", "Baotrixemay")
    threading.Thread(target=looking, args=(journal,), daemon=True).start()
    with ef.Client(*keys, base_url=url, timeout=(2.0, 0.4)) as client:
        book = ef.Journal(journal)
        child = 0
        if forks:
            with suppress(ef.EsmsError):
                client.balance()  # so that there is a connection to inherit
            with suppress(ef.JournalError):
                book.campaigns()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is what is tried
                child = os.fork()
        try:
            ef.send(
                audience, message, client, campaign=CAMPAIGN, journal=book, concurrency=3, rate=None, progress=False
            )
        except BaseException:
            if not forks or child:
                raise
            traceback.print_exc()
            os._exit(1)
        if forks and child == 0:
            os._exit(0)
        if child:
            os.waitpid(child, 0)


def looking(journal):
    """Look at the results again and again beside the sending, as another cell or form would."""
    while True:
        with suppress(ef.EsmsError):
            ef.results(CAMPAIGN, journal=journal)
        time.sleep(0.05)


def soak(seconds: float, seed: int = 0, *, least_rounds: int = 1, server=None, journal: str = "") -> Counter:
    """Play rounds for some time; count rounds, kills, faults, and numbers lost and doubled.

    The journal is a new file, or one of `server`, or the one of which `journal` is the URL.
    """
    rng = random.Random(seed)
    # Spawned from a clean process with everything imported, so that a kill can hit any moment of the sending itself.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["esms_frames.campaigns.send", "esms_frames.sandbox.sandbox", "soak.senders", "psycopg"]
    )
    total: Counter = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end or total["rounds"] < least_rounds:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            address = journal or (server.address() if server else str(Path(folder) / "journal.sqlite"))
            blocked = rng.sample(NUMBERS, BLOCKED) if total["rounds"] % 2 else []
            has_midnight = total["rounds"] % MIDNIGHTS == 1
            total += _round(context, rng, blocked, address, server, has_midnight=has_midnight)
    return total


def _round(context, rng, blocked, journal, server, *, has_midnight) -> Counter:
    told: Counter = Counter(rounds=1)
    by, midnight_at = 0.0, MOST_KILLS + 9
    if has_midnight:
        now = clock.now()
        evening = now.replace(hour=23, minute=30, second=0)
        by, midnight_at = (evening - now).total_seconds(), rng.randrange(1, MOST_KILLS)
        told["midnights"] += 1
    real_now = clock.now
    try:
        shift(by)
        return told + _played(context, rng, blocked, journal, server, by, midnight_at)
    finally:
        clock.now = real_now


def _played(context, rng, blocked, journal, server, by, midnight_at) -> Counter:
    told: Counter = Counter()
    knobs = {"faults": FAULTS, "slow_seconds": 0.6, "seed": rng.randrange(10**6), "latency": 0.01, "blocked": blocked}
    with ef.Sandbox(**knobs) as sandbox:
        keys = (sandbox.api_key, sandbox.secret_key)
        children: list[int] = []
        for kill in range(MOST_KILLS + 1):
            # The DataFrame has been shuffled and respelled since the last time.
            phones = [
                number if rng.random() < 0.5 else f"+84 {number[1:]}" for number in rng.sample(NUMBERS, len(NUMBERS))
            ]
            if kill == midnight_at:
                by += 45 * 60
                shift(by)
                sandbox._gateway._by_request.clear()
            several = []
            for _ in range(rng.choice([1, 2])):
                forks = rng.random() < FORKS or (FORKS > 0 and kill == 1)
                told["forks"] += forks
                arguments = (sandbox.url, keys, journal, phones, rng.choice(MACHINES), by, forks)
                several.append(context.Process(target=sender, args=arguments, daemon=True))
            for process in several:
                process.start()
            if kill < MOST_KILLS:
                time.sleep(rng.uniform(0.0, 0.7))
                if server and rng.random() < CUTS:
                    server.stop("immediate")
                    server.start()
                    told["outages"] += 1
                ef.Journal(journal).close()  # a third process comes and goes
                for process in several:
                    told["kills"] += process.is_alive()
                    with suppress(OSError):
                        os.kill(process.pid, signal.SIGSTOP)  # so that it does not fork between the two
                    children += [child.pid for child in _children(process)]
                    process.kill()
            for process in several:
                process.join()
            for pid in children:  # those that were forked outlive their parents
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            children.clear()
        # What a sender gave up on is uncertain still; the campaign is resumed every two hours until nothing is: by then the
        # gateway's records hold all that it has taken.
        hurry()
        with sandbox.client(timeout=(2.0, 0.4)) as client:
            for hours in range(0, 40, 2):
                shift(by + hours * 3600)
                results = ef.resume(CAMPAIGN, client, journal=journal, rate=None, progress=False)
                open_ones = ~results["status"].isin(["accepted", "refused"])
                if not open_ones.any():
                    break
                time.sleep(0.25)  # a claim of the other machine's dead is respected for three seconds yet
        times = sandbox.sent["phone"].value_counts()
        by_status = results.groupby("status", observed=True)["phone"].agg(set)
        refused, unknown = (by_status.get(status, set()) for status in ("refused", "unknown"))
        told["split"] += int(results["batch"].max() > len(NUMBERS) / 120)
        told["refused"] += len(refused)
        told["unknown"] += len(unknown)
        told["unsettled"] += int(open_ones.sum())
        told["misreported"] += len(refused & set(times.index)) + len(
            by_status.get("accepted", set()) - set(times.index)
        )
        told["lost"] += len(set(NUMBERS) - set(times.index) - refused)
        told["doubled"] += int((times > 1).sum())
        told["accepted"] += len(times)
        told["faults"] += sum(sandbox.faults_met.values())
    return told


def _children(process) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    where = sys.argv[3] if len(sys.argv) > 3 else ""
    own = postgres_server.server() if where == "postgresql" else None
    counted = soak(seconds, seed, server=own, journal=where if "://" in where else "")
    for name in (*"rounds kills outages forks midnights faults accepted refused unknown split".split(), *BAD):
        print(f"{name:>11} {counted[name]:,}")
