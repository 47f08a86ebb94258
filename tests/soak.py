"""Kill senders at random moments, with a gateway that fails a third of the time, and count who was texted how often.

Run: python tests/soak.py [seconds] [seed] [postgresql | URL of a journal]

Each round has a sandbox and a journal of its own. Processes that send the same campaign are started one after the other,
or two at once, and killed (SIGKILL) after a random time; the last is let finish. Then the sandbox's own ledger must hold
each number exactly once. In every other round some numbers are blocked, so that their batches are split in halves; then
each number is in the ledger once or said to be refused, or unknown where an attempt got no answer before the refusal.

With ``postgresql`` the journal is on a server that is started for it, and the processes are of two machines: those of the
other are taken for dead only when their claims have run out. In some rounds the server is stopped as by a power cut while
they send, and started again.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pandas as pd
import postgres_server

import esms_frames as ef
from esms_frames import delivery, runs

FAULTS = {"cut_before": 0.1, "cut_after": 0.1, "slow": 0.03, "unavailable": 0.05, "garbage": 0.04, "busy": 0.03}
assert abs(sum(FAULTS.values()) - 0.35) < 1e-9
CAMPAIGN = "soak"
NUMBERS = [f"09018{n:05d}" for n in range(1200)]
MOST_KILLS = 6
BLOCKED = 3
CUTS = 0.15
BAD = ("lost", "doubled", "unsettled", "misreported")


MACHINES = ("one", "two")


def hurry():
    """Wait for nothing as long as in real life: neither between attempts, nor for the claims of a dead machine."""
    delivery._WAIT_INITIAL, delivery._WAIT_MAX, delivery._WAIT_JITTER = 0.01, 0.05, 0.01
    delivery._CLAIM_MARGIN = 0.3


def sender(url, keys, journal, phones, machine):
    """Send the campaign, as a notebook on some machine would; runs in a process of its own."""
    hurry()
    if "://" in journal:
        runs._boot = lambda: machine
    audience = ef.prepare(pd.DataFrame({"sdt": phones}), max_batch=120)
    message = ef.Message("Cam on quy khach!", "Baotrixemay")
    threading.Thread(target=looking, args=(journal,), daemon=True).start()
    with ef.Client(*keys, base_url=url, timeout=(2.0, 0.4)) as client:
        ef.send(audience, message, client, campaign=CAMPAIGN, journal=journal, concurrency=3, rate=None, progress=False)


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
    context.set_forkserver_preload(["esms_frames.campaign", "esms_frames.sandbox", "soak", "psycopg"])
    total: Counter = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end or total["rounds"] < least_rounds:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            address = journal or (server.address() if server else str(Path(folder) / "journal.sqlite"))
            blocked = rng.sample(NUMBERS, BLOCKED) if total["rounds"] % 2 else []
            total += _round(context, rng, blocked, address, server)
    return total


def _round(context, rng, blocked, journal, server) -> Counter:
    told: Counter = Counter(rounds=1)
    knobs = {"faults": FAULTS, "slow_seconds": 0.6, "seed": rng.randrange(10**6), "latency": 0.01, "blocked": blocked}
    with ef.Sandbox(**knobs) as sandbox:
        keys = (sandbox.api_key, sandbox.secret_key)
        for kill in range(MOST_KILLS + 1):
            # The DataFrame has been shuffled and respelled since the last time.
            phones = [
                number if rng.random() < 0.5 else f"+84 {number[1:]}" for number in rng.sample(NUMBERS, len(NUMBERS))
            ]
            several = [
                context.Process(
                    target=sender, args=(sandbox.url, keys, journal, phones, rng.choice(MACHINES)), daemon=True
                )
                for _ in range(rng.choice([1, 2]))
            ]
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
                    process.kill()
            for process in several:
                process.join()
        # What a sender gave up on is uncertain still; the campaign is resumed until nothing is.
        hurry()
        with sandbox.client(timeout=(2.0, 0.4)) as client:
            for _ in range(10):
                results = ef.resume(CAMPAIGN, client, journal=journal, rate=None, progress=False)
                open_ones = ~results["status"].isin(["accepted", "refused"])
                if not open_ones.any() or (blocked and results["status"][open_ones].eq("unknown").all()):
                    break
        times = sandbox.sent["phone"].value_counts()
        by_status = results.groupby("status", observed=True)["phone"].agg(set)
        refused, unknown = (by_status.get(status, set()) for status in ("refused", "unknown"))
        told["split"] += int(results["batch"].max() > len(NUMBERS) / 120)
        told["refused"] += len(refused)
        told["unknown"] += len(unknown)
        told["unsettled"] += int(open_ones.sum()) - len(unknown if blocked else ())
        told["misreported"] += len(refused & set(times.index)) + len(
            by_status.get("accepted", set()) - set(times.index)
        )
        told["lost"] += len(set(NUMBERS) - set(times.index) - refused - (unknown if blocked else set()))
        told["doubled"] += int((times > 1).sum())
        told["accepted"] += len(times)
        told["faults"] += sum(sandbox.faults_met.values())
    return told


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    where = sys.argv[3] if len(sys.argv) > 3 else ""
    own = postgres_server.server() if where == "postgresql" else None
    counted = soak(seconds, seed, server=own, journal=where if "://" in where else "")
    for name in (*"rounds kills outages faults accepted refused unknown split".split(), *BAD):
        print(f"{name:>11} {counted[name]:,}")
