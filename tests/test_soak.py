"""Processes killed at random moments with a gateway that fails a third of the time: none lost, none doubled."""

from __future__ import annotations

import os
import sys

import pytest
from soak import BAD, NUMBERS, soak


@pytest.mark.skipif(sys.platform == "win32", reason="forkserver and SIGKILL are POSIX; the claims are tested elsewhere")
def test_nobody_is_lost_or_texted_twice_however_often_senders_are_killed(capsys):
    in_ci = os.environ.get("CI") == "true"
    counted = soak(60 if in_ci else 5, seed=int.from_bytes(os.urandom(3)), least_rounds=20 if in_ci else 2)
    with capsys.disabled():
        print(f"\n  soak: {dict(counted)}")
    assert counted["kills"] > counted["rounds"]
    assert counted["faults"] > counted["rounds"]
    assert counted["split"] > 0
    assert counted["accepted"] > counted["rounds"] * len(NUMBERS) / 2
    assert {name: counted[name] for name in BAD} == dict.fromkeys(BAD, 0)
