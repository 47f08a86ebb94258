"""Runs that die at a chosen moment, and what is left of them."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

import pandas as pd
import pytest
from support.customers import sent

import esms_frames as ef
from esms_frames.campaigns.sending import dispatch
from esms_frames.journal.batches import BatchStore
from esms_frames.journal.claims import name_machine


def frame(phones):
    return pd.DataFrame({"sdt": phones})


def resumed(campaign, client, **options):
    return ef.resume(campaign, client, **{"progress": False, "rate": None} | options)


def counts(results):
    return results["status"].value_counts().loc[lambda n: n > 0].to_dict()


class Die(BaseException):
    """The process is killed here."""


@contextmanager
def dying(client, call, *, after):
    """Let a process die at a request, before or after the gateway takes it: nothing is tidied up, and it is gone."""
    real_send, real_begin = client.send, BatchStore.begin_attempt
    calls, dead = iter(range(10**6)), threading.Event()

    def send(text, phones, **options):
        dies = next(calls) == call
        if dies and not after:
            dead.set()
            raise Die
        answer = real_send(text, phones, **options)
        if dies:
            dead.set()
            raise Die
        return answer

    def begin(*arguments, **options):
        if dead.is_set():
            raise Die
        return real_begin(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", send)
        patch.setattr(BatchStore, "begin_attempt", begin)
        patch.setattr(BatchStore, "release", lambda *_, **__: None)
        patch.setattr(dispatch, "run_name", lambda: f"{name_machine()}:999999999:1.0:{os.urandom(3).hex()}")
        yield


@pytest.fixture
def died(client):
    """Run a send that dies at a request."""

    def run(data, message, call, *, after, **options):
        with dying(client, call, after=after), pytest.raises(Die):
            sent(data, message, client, concurrency=1, **options)

    return run
