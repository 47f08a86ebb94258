"""Ctrl-C once, twice and three times, at any line: the run stays true, and Python ends without a word of threads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from support.customers import sent
from support.dying import counts, resumed
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.campaigns.sending import dispatch, run
from esms_frames.gateway import workers

PHONES = [f"09{n:08d}" for n in range(600)]
SENDER = """
    import sys, pandas as pd, esms_frames as ef
    client = ef.Client(*sys.argv[1:3], base_url=sys.argv[3])
    audience = ef.prepare(pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(600)]}), max_batch=60)
    print("ready", flush=True)
    ef.send(audience, ef.Message("Xin chao", "Baotrixemay"), client, campaign="C", concurrency=2, progress=False, rate=None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to another process is POSIX")
@pytest.mark.parametrize("times", heavy_after(1, [3, 1, 2, 4]))
def test_ctrl_c_again_and_again_leaves_a_true_journal_and_no_traceback_of_threads(times):
    with ef.Sandbox(latency=3.0) as sandbox:  # a run long enough to be interrupted by a slow machine, too
        command = [sys.executable, "-c", textwrap.dedent(SENDER), sandbox.api_key, sandbox.secret_key, sandbox.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with process:
            assert process.stdout.readline() == "ready\n"
            deadline = time.monotonic() + 30
            while sandbox.sent.empty and time.monotonic() < deadline:
                time.sleep(0.02)
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                time.sleep(0.15)
            _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        assert errors.count("KeyboardInterrupt") >= 1
        for word in ("Exception ignored", "_python_exit", "threading._shutdown", "atexit"):
            assert word not in errors, errors
        taken = set(sandbox.sent["phone"])
        assert 0 < len(taken) < 600
        sandbox._app._latency = 0.0
        there = ef.results("C")
        assert taken <= set(there.loc[there["status"].isin(["accepted", "unknown"]), "phone"])
        assert counts(resumed("C", sandbox.client(), concurrency=8)) == {"accepted": 600}
        assert sandbox.sent["phone"].is_unique


FILES = {module.__file__ for module in (dispatch, run, workers)}


class Interrupts:
    """Raise KeyboardInterrupt in the main thread at some lines of the modules that send."""

    def __init__(self, at):
        self._at = sorted(at)
        self.lines = 0

    def __call__(self, frame, event, _):
        if event == "call":
            return self if frame.f_code.co_filename in FILES else None
        if event == "line":
            self.lines += 1
            if self._at and self.lines >= self._at[0]:
                self._at.pop(0)
                raise KeyboardInterrupt
        return self

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)


@pytest.mark.parametrize("runs", heavy_after(1, [3, 24]))
def test_an_interrupt_at_any_line_of_a_run_leaves_a_true_journal(tmp_path, monkeypatch, runs):
    monkeypatch.setattr(
        dispatch, "_CLAIM_MARGIN", 0.2
    )  # for as long a run that could not give up its claims is waited for
    rng = random.Random(int.from_bytes(os.urandom(4)))
    message = ef.Message("Xin chao", "Baotrixemay")
    audience = ef.prepare(pd.DataFrame({"sdt": PHONES[:240]}), max_batch=60)
    with ef.Sandbox(balance=10**12) as sandbox, Interrupts([]) as counted:
        sent(audience, message, sandbox.client(timeout=0.5), journal=tmp_path / "counted.sqlite", concurrency=2)
    assert counted.lines > 50
    for number in range(runs):
        first = rng.randrange(1, counted.lines)
        at = [first + rng.randrange(0, 8) * n for n in range(1 + number % 3)]
        book = tmp_path / f"{number}.sqlite"
        with ef.Sandbox(balance=10**12) as sandbox:
            with suppress(KeyboardInterrupt), Interrupts(at):
                sent(audience, message, sandbox.client(timeout=0.5), campaign="C", journal=book, concurrency=2)
            deadline = time.monotonic() + 3
            while not all(each.are_idle for each in workers._at_work) and time.monotonic() < deadline:
                time.sleep(0.01)
            taken = set(sandbox.sent["phone"])
            with suppress(ef.InvalidInput):  # it was interrupted before there was a campaign
                there = ef.results("C", journal=book)
                maybe = there.loc[there["status"].isin(["accepted", "unknown"]), "phone"]
                assert taken <= set(maybe), at
            finished = sent(audience, message, sandbox.client(timeout=0.5), campaign="C", journal=book)
            assert finished["status"].isin(["accepted", "already_sent"]).all(), (at, counts(finished))
            assert sorted(sandbox.sent["phone"]) == PHONES[:240], at


def test_what_no_thread_has_begun_with_is_dropped_when_it_is_interrupted():
    done, go = [], threading.Event()

    def work():
        go.wait(10)
        done.append(1)

    with pytest.raises(KeyboardInterrupt), workers.Workers(1, "test") as some:  # noqa: PT012 - what is raised in the block
        for _ in range(5):
            some.submit(work)
        time.sleep(0.05)
        threading.Timer(0.1, go.set).start()
        raise KeyboardInterrupt
    assert done == [1]
    assert some.are_idle


def test_workers_hold_up_nothing_as_python_ends(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from esms_frames.gateway.workers import Workers\nimport time\nsome = Workers(2, 'w')\n"
        "some.submit(lambda: (time.sleep(0.3), print('done', flush=True)))\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == ("done\n", "")
    assert Path(script).exists()
