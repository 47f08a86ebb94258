"""Customers, and how most tests send to them."""

from __future__ import annotations

import pandas as pd

import esms_frames as ef

FIFTY = [f"09018884{n}" for n in range(10, 60)]
MORE = [f"09128884{n}" for n in range(10, 60)]


def sent(data, message, client, **options):
    """Send at once and quietly; the results."""
    return ef.send(data, message, client, **{"progress": False, "rate": None} | options)


def sent_singly(data, message, client, **options):
    """Send one batch after the other, quietly; the results."""
    return sent(data, message, client, **{"concurrency": 1} | options)


def many(n):
    """A frame of as many customers, all of whom can be texted."""
    return pd.DataFrame({"sdt": [f"09{m:08d}" for m in range(n)]})


def respelled(phones):
    """The same numbers in other spellings."""
    return [
        form.format(phone[1:])
        for phone, form in zip(phones, ["+84 {}", "84{}", "{}", "0{}", "{}.0"] * 99, strict=False)
    ]
