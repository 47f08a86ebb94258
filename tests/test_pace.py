"""The pace at which the gateway is asked, for sending and tracking alike."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

import esms_frames as ef
from esms_frames.pace import checked_pace, in_turns, limiter_of


@pytest.mark.parametrize("concurrency", [0, 65, True, 2.0, "4", None])
def test_a_concurrency_that_can_not_be_is_one_sentence(concurrency):
    with pytest.raises(ef.InvalidInput, match=r"concurrency is .*: give a whole number from 1 to 64"):
        checked_pace(concurrency, 5)


@pytest.mark.parametrize("rate", [0, -1, 1001, float("nan"), "5"])
def test_a_rate_that_can_not_be_is_one_sentence(rate):
    with pytest.raises(ef.InvalidInput, match=r"rate is .*: give requests a second, up to 1000, or None"):
        checked_pace(4, rate)


def test_a_rate_is_by_the_second_and_without_one_nothing_is_held_up():
    assert limiter_of(None) is None
    limiter = limiter_of(0.5)
    assert limiter.try_acquire("esms", blocking=False)
    time.sleep(0.02)
    assert not limiter.try_acquire("esms", blocking=False)


def test_what_is_done_is_given_before_what_takes_longer():
    with ThreadPoolExecutor(2) as pool:
        slow, quick = pool.submit(time.sleep, 0.1), pool.submit(int)
        assert list(chain.from_iterable(in_turns([slow, quick]))) == [quick, slow]
