"""Frames and arguments as nobody should write them: an error of the package, or a frame with the same index."""

from __future__ import annotations

import threading
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY
from support.weight import heavy_after

import esms_frames as ef

MESSAGE = ef.Message("Cam on!", "Baotrixemay")


class Silent:
    """Something that can't be shown."""

    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __repr__


class Unequal:
    """Something that can't be compared."""

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __hash__(self):
        return 7


class Many:
    """Something whose comparison is no truth."""

    def __eq__(self, other):
        return np.array([True, False])

    def __hash__(self):
        return 7


def frame(**columns):
    return pd.DataFrame({"sdt": FIFTY, **columns})


def labelled(label):
    return pd.DataFrame([[phone, "x"] for phone in FIFTY], columns=pd.Index(["sdt", label], dtype=object))


def with_attrs(value):
    df = frame()
    df.attrs["x"] = value
    return df


FRAMES = {
    "a label whose repr raises": lambda: labelled(Silent()),
    "a label that can't be compared": lambda: labelled(Unequal()),
    "a label whose comparison is an array": lambda: labelled(Many()),
    "a label of NA": lambda: labelled(pd.NA),
    "a label of NaN": lambda: labelled(float("nan")),
    "a label of NaT": lambda: labelled(pd.NaT),
    "a label of None": lambda: labelled(None),
    "a label of bytes": lambda: labelled(b"x"),
    "a label that is a tuple": lambda: labelled(("a", 1)),
    "a label with a lone surrogate": lambda: labelled("\ud800"),
    "a label of 100,000 characters": lambda: labelled("x" * 100_000),
    "only labels whose repr raises": lambda: pd.DataFrame(
        [[1, 2]], columns=pd.Index([Silent(), Silent()], dtype=object)
    ),
    "labels twice": lambda: pd.DataFrame([[1, 2]], columns=["sdt", "sdt"]),
    "labels of two levels": lambda: pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "sdt"), ("b", 1)])),
    "no columns": lambda: pd.DataFrame(index=range(3)),
    "nothing": pd.DataFrame,
    "attrs that can't be copied": lambda: with_attrs(threading.Lock()),
    "attrs whose repr raises": lambda: with_attrs(Silent()),
    "attrs that can't be compared": lambda: with_attrs(Unequal()),
    "attrs that are a frame": lambda: with_attrs(frame()),
    "cells whose str raises": lambda: frame().assign(sdt=[Silent()] * 50),
    "some cells whose str raises": lambda: frame().assign(sdt=[*FIFTY[:-1], Silent()]),
    "cells that are lists": lambda: frame().assign(sdt=[[phone] for phone in FIFTY]),
    "cells that are dicts": lambda: frame().assign(sdt=[{"phone": phone} for phone in FIFTY]),
    "cells that are frames": lambda: frame().assign(sdt=[frame()] * 50),
    "cells that are arrays": lambda: frame().assign(sdt=[np.arange(3)] * 50),
    "cells that are bytes": lambda: frame().assign(sdt=[phone.encode() for phone in FIFTY]),
    "cells that are complex": lambda: frame().assign(sdt=[1j] * 50),
    "cells that are infinite": lambda: frame().assign(sdt=[float("inf")] * 50),
    "cells of Decimal NaN": lambda: frame().assign(sdt=[Decimal("NaN")] * 50),
    "cells of Decimal infinity": lambda: frame().assign(sdt=[Decimal("Infinity")] * 50),
    "a cell of 5,000 digits": lambda: frame().assign(sdt=pd.Series([10**5000, *FIFTY[1:]], dtype=object)),
    "cells of lone surrogates": lambda: frame().assign(sdt=pd.Series(["\ud800"] * 50, dtype=object)),
    "cells that can't be compared": lambda: frame().assign(sdt=[Unequal()] * 50),
    "cells whose comparison is an array": lambda: frame().assign(sdt=[Many()] * 50),
    "cells of periods": lambda: frame().assign(sdt=pd.period_range("2026", periods=50)),
    "cells of intervals": lambda: frame().assign(sdt=pd.interval_range(0, 50)),
    "cells of times": lambda: frame().assign(sdt=pd.date_range("2026", periods=50)),
    "cells of spans": lambda: frame().assign(sdt=pd.timedelta_range("1s", periods=50)),
    "cells of truth": lambda: frame().assign(sdt=[True] * 50),
    "a category of lists of numbers": lambda: frame().assign(sdt=pd.Categorical(FIFTY)),
    "sparse cells": lambda: frame().assign(sdt=pd.arrays.SparseArray([901888484] * 50)),
    "an index whose repr raises": lambda: frame().set_index(pd.Index([Silent()] * 50, dtype=object)),
    "an index of NA": lambda: frame().set_index(pd.Index([pd.NA] * 50, dtype=object)),
    "an index of lists": lambda: frame().set_index(pd.Index([(1, 2)] * 50, tupleize_cols=False)),
    "an index named like a column": lambda: frame().set_index(pd.Index(range(50), name="phone")),
    "an index whose name can't be compared": lambda: frame().set_index(pd.Index(range(50), name=Unequal())),
    "an index of times twice": lambda: frame().set_index(pd.DatetimeIndex(["2026"] * 50)),
}

OPTIONS = {
    "by: a list in a list": {"by": [["sdt"]]},
    "by: lists": {"by": [["a"]] * 50},
    "by: dicts": {"by": [{"a": 1}] * 50},
    "by: arrays": {"by": [np.arange(2)] * 50},
    "by: a set": {"by": {"sdt"}},
    "by: a dict": {"by": {"sdt": 1}},
    "by: what can't be shown": {"by": Silent()},
    "by: what can't be compared": {"by": Unequal()},
    "by: cells that can't be shown": {"by": [Silent()] * 50},
    "by: cells that can't be compared": {"by": [Unequal()] * 50},
    "by: mixed cells": {"by": [1, "a", None, 2.5, pd.NaT] * 10},
    "by: a generator": {"by": (n for n in range(50))},
    "by: two dimensions": {"by": np.zeros((50, 2))},
    "by: too few": {"by": ["a"]},
    "by: a function": {"by": len},
    "by: NA": {"by": pd.NA},
    "by: an index of two levels": {"by": pd.MultiIndex.from_product([range(50), ["a"]])},
    "exclude: a function": {"exclude": len},
    "exclude: a number": {"exclude": 5},
    "exclude: one number": {"exclude": "0901888484"},
    "exclude: bytes": {"exclude": b"0901888484"},
    "exclude: a dict": {"exclude": {"0901888484": 1}},
    "exclude: a generator": {"exclude": (phone for phone in FIFTY[:2])},
    "exclude: nested lists": {"exclude": [["0901888484"]]},
    "exclude: what can't be shown": {"exclude": [Silent()]},
    "exclude: what can't be hashed": {"exclude": [{}]},
    "exclude: a frame without columns": {"exclude": pd.DataFrame()},
    "exclude: two dimensions": {"exclude": np.zeros((2, 2))},
    "exclude: truth": {"exclude": True},
    "phone: a list": {"phone": ["sdt"]},
    "phone: a list of lists": {"phone": [["sdt"]]},
    "phone: a dict": {"phone": {"sdt": 1}},
    "phone: an array": {"phone": np.array(["sdt"])},
    "phone: a Series": {"phone": pd.Series(["sdt"])},
    "phone: NA": {"phone": pd.NA},
    "phone: NaN": {"phone": float("nan")},
    "phone: what can't be shown": {"phone": Silent()},
    "phone: what can't be compared": {"phone": Unequal()},
    "phone: whose comparison is an array": {"phone": Many()},
    "phone: an int of 5,000 digits": {"phone": 10**5000},
    "phone: a function": {"phone": len},
    "phone: a tuple of what can't be shown": {"phone": (Silent(),)},
}


def kept(index, do):
    """Do it, and check that it is an error of the package, or has the same index."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = do()
        except ef.EsmsError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 2000
            return
    found = found.frame if isinstance(found, ef.Audience) else found
    assert found.index is index or len(found) == len(index)


@pytest.mark.parametrize("name", heavy_after(16, FRAMES))
def test_a_hostile_frame(name, client):
    df = FRAMES[name]()
    kept(df.index, lambda: ef.prepare(df, min_batch=0))
    kept(df.index, lambda: ef.prepare(df, "sdt", min_batch=0))
    kept(df.index, lambda: ef.send(df, MESSAGE, client, progress=False))
    kept(df.index, lambda: ef.results("campaign", df))
    for place in range(df.shape[1]):
        kept(df.index, lambda place=place: ef.normalize_phones(pd.DataFrame(df).iloc[:, place]))
    for call in (
        lambda: ef.plan(df, MESSAGE),
        lambda: ef.summarize(df),
        lambda: ef.summarize(df, df.columns[-1] if df.shape[1] else None),
        lambda: ef.Message("Chao {ten}", "Baotrixemay").for_each(df),
    ):
        try:
            call()
        except ef.EsmsError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", OPTIONS)
def test_hostile_arguments(name, client):
    df = frame()
    options = OPTIONS[name]
    kept(df.index, lambda: ef.prepare(df, min_batch=0, **options))
    if "by" not in options:
        kept(df.index, lambda: ef.send(df, MESSAGE, client, progress=False, **options))
    else:
        kept(df.index, lambda: ef.send(df, {"a": MESSAGE}, client, campaign="a", progress=False, **options))
    try:
        ef.plan(df, MESSAGE, **options)
        ef.summarize(ef.send(df, MESSAGE, client, progress=False), options.get("by", "network"))
    except ef.EsmsError as error:
        assert "\n" not in str(error)
