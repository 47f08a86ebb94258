"""Processes killed at random moments with a gateway that fails a third of the time: none lost, none doubled."""

from __future__ import annotations

import os
import sys

import pytest
from soak.senders import BAD, NUMBERS, soak
from support.programs import needs_postgres

IN_CI = os.environ.get("CI") == "true"


@pytest.mark.skipif(sys.platform == "win32", reason="forkserver and SIGKILL are POSIX; the claims are tested elsewhere")
@pytest.mark.parametrize("journal", ["sqlite", "postgresql"])
def test_nobody_is_lost_or_texted_twice_however_often_senders_are_killed(capsys, journal):
    server = needs_postgres() if journal == "postgresql" else None
    seconds, rounds = (20, 3) if server else (60, 20)
    counted = soak(
        seconds if IN_CI else 5, int.from_bytes(os.urandom(3)), least_rounds=rounds if IN_CI else 2, server=server
    )
    with capsys.disabled():
        print(f"\n  soak on {journal}: {dict(counted)}")
    assert counted["kills"] > counted["rounds"]
    assert counted["faults"] > counted["rounds"]
    assert counted["split"] > 0
    assert counted["forks"] > 0
    assert counted["midnights"] > 0
    assert counted["accepted"] > counted["rounds"] * len(NUMBERS) / 2
    assert {name: counted[name] for name in BAD} == dict.fromkeys(BAD, 0)
