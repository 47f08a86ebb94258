"""What every test, and every example of a docstring, runs in: a journal of its own, no waiting, and never near midnight."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from support.programs import needs_postgres

from esms_frames.base import clock
from esms_frames.campaigns.sending import dispatch
from esms_frames.gateway.retries import POLLING, SENDING, TRACKING
from esms_frames.journal.database import database
from esms_frames.tracking import polling


@pytest.fixture(autouse=True)
def kind(request):
    """What keeps the test's journals: sqlite or postgresql."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def _folders(tmp_path_factory):
    """Names of folders that are not there yet: to make a numbered one for each test would take longer with each."""
    folder = tmp_path_factory.mktemp("journals")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _own_journal(kind, _folders, monkeypatch):
    """Give each test a journal of its own, and never the user's."""
    file = next(_folders) / "journal.sqlite"
    monkeypatch.setenv("ESMS_JOURNAL", needs_postgres().address() if kind == "postgresql" else str(file))


@pytest.fixture(autouse=True)
def _not_near_midnight(request, monkeypatch):
    """Go by another hour while it is about midnight in Vietnam, when nothing uncertain is repeated."""
    now = datetime.now(clock.VIETNAM)
    is_near = (now - timedelta(minutes=20)).date() != (now + timedelta(minutes=25)).date()
    if is_near and not isinstance(request.node, pytest.DoctestItem):  # examples ask the machine's clock
        monkeypatch.setattr(clock, "seconds", lambda: time.time() + 6 * 3600)


def at_once(retries):
    """Return the same tries, without waiting between them."""
    return replace(retries, first_wait=0.0, longest_wait=0.0, jitter=0.0)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Try again at once instead of after seconds."""
    monkeypatch.setattr(dispatch, "SENDING", at_once(SENDING))
    monkeypatch.setattr(polling, "TRACKING", at_once(TRACKING))
    monkeypatch.setattr(polling, "POLLING", replace(POLLING, first_wait=0.0, longest_wait=0.0))
    monkeypatch.setattr(database, "_WAIT_MAX", 0.1)
