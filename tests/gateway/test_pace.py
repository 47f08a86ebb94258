"""The pace at which the gateway is asked, for sending and tracking alike."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

import esms_frames as ef
from esms_frames.gateway.pace import as_completed_interruptibly, check_pace, limit_rate


@pytest.mark.parametrize("concurrency", [0, 65, True, 2.0, "4", None])
def test_a_concurrency_that_can_not_be_is_one_sentence(concurrency):
    with pytest.raises(ef.InvalidInput, match=r"concurrency is .*: give a whole number from 1 to 64"):
        check_pace(concurrency, 5)


@pytest.mark.parametrize("rate", [0, -1, 1001, float("nan"), "5"])
def test_a_rate_that_can_not_be_is_one_sentence(rate):
    with pytest.raises(ef.InvalidInput, match=r"rate is .*: give requests a second, up to 1,000, or None"):
        check_pace(4, rate)


def test_a_rate_is_by_the_second_and_without_one_nothing_is_held_up():
    with limit_rate(None) as limiter:
        assert limiter is None
    with limit_rate(0.5) as limiter:
        assert limiter.try_acquire("esms", blocking=False)
        time.sleep(0.02)
        assert not limiter.try_acquire("esms", blocking=False)


@pytest.mark.slow
def test_a_send_and_a_look_at_what_came_of_it_leave_no_thread(client, customers, message):
    before = set(threading.enumerate())
    results = ef.send(customers, message, client, rate=1000, progress=False)
    ef.track(results, client, rate=1000, progress=False)
    for _ in range(1500):  # it looks up every ten seconds
        if not (left := [t for t in threading.enumerate() if t not in before and "Leaker" in t.name]):
            break
        time.sleep(0.01)
    assert left == []


def test_what_is_done_is_given_before_what_takes_longer():
    with ThreadPoolExecutor(2) as pool:
        slow, quick = pool.submit(time.sleep, 0.1), pool.submit(int)
        assert list(chain.from_iterable(as_completed_interruptibly([slow, quick]))) == [quick, slow]
