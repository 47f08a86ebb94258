"""What all audiences have in common, wherever their rows are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.audiences import many, with_dask, with_pandas

import esms_frames as ef
from esms_frames.reporting.outcomes import Told


@pytest.fixture(params=[with_pandas, with_dask])
def audience(request):
    df = many(150).assign(seg=["a"] * 100 + ["b"] * 50)
    spoilt = pd.DataFrame({"sdt": ["x", "0900000000", "0900000149", "0900000700"], "seg": ["a", "b", "b", None]})
    return request.param(pd.concat([df, spoilt], ignore_index=True), by="seg", exclude=["0900000149"])


def test_rows_and_recipients_are_counted(audience):
    assert audience.counts == {"ready": 149, "duplicate": 1, "invalid": 1, "excluded": 3}
    assert audience.segments.tolist() == ["a", "b"]
    assert audience.sizes.tolist() == [100, 49]
    assert audience.by_segment().to_dict() == {"a": 100, "b": 49}
    assert audience.summary()["rows"].sum() == 154


def test_numbers_and_codes_are_in_memory(audience):
    numbers, codes = audience._read_recipients()
    assert numbers.tolist() == [900_000_000 + n for n in range(149)]
    assert codes.tolist() == [0] * 100 + [1] * 49
    assert [some.tolist() for some in audience._numbers_by_segment()] == [
        numbers[:100].tolist(),
        numbers[100:].tolist(),
    ]
    assert audience._read_excluded().tolist() == [900_000_149] * len(audience._read_excluded())


def test_a_frame_is_built_of_the_rows_of_each_part_and_a_code_for_each_recipient(audience):
    told = Told([], None, False, ["a"])
    codes = audience._encode(lambda numbers, _: (numbers % 7).astype(np.int32))
    built = audience._build(build, codes, told)
    frame = built if isinstance(audience, ef.Audience) else built.compute()
    phones = frame.loc[frame["code"] >= 0, "phone"]
    assert (phones.astype("int64") % 7 == frame.loc[phones.index, "code"]).all()
    assert (len(frame), len(phones)) == (154, 149)
    assert frame["reasons"].tolist() == [1] * 154


def build(frame, codes, told):
    """Build a frame of phones and codes; -1 for rows that are not texted."""
    code = np.full(len(frame), -1)
    code[(frame["status"] == "ready").to_numpy(dtype=bool)] = codes
    return pd.DataFrame({"phone": frame["phone"], "code": code, "reasons": len(told.reasons)})


def test_too_few_are_refused_by_segment(audience):
    object.__setattr__(audience, "min_batch", 60)
    with pytest.raises(ef.TooFewRecipients) as caught:
        audience._check_enough()
    assert caught.value.segments == {"b": 49}
