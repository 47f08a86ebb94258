"""``df.esms`` and ``series.esms`` do what the functions do."""

from __future__ import annotations

import pandas as pd

import esms_frames as ef


def test_prepare_is_prepare(customers):
    ours, theirs = customers.esms.prepare("sdt", exclude=["0901888410"]), ef.prepare(customers, exclude=["0901888410"])
    pd.testing.assert_frame_equal(ours.frame, theirs.frame)


def test_send_is_send(sandbox, client, message, customers):
    results = customers.esms.send(message, client, campaign="Tết", progress=False)
    assert results["status"].eq("accepted").all()
    assert set(sandbox.sent["campaign"]) == {"Tết"}


def test_normalize_is_normalize_phones(customers):
    pd.testing.assert_frame_equal(customers["sdt"].esms.normalize(), ef.normalize_phones(customers["sdt"]))
