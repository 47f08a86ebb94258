"""`prepare`: every row gets a status, every number is ready once, batches are equal."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import spellings
from support.customers import FIFTY

import esms_frames as ef
from esms_frames.recipients.batching import batch_borders, equal_batches
from esms_frames.recipients.prepare import only_segments


def frame(phones, **columns):
    return pd.DataFrame({"sdt": phones, **columns})


def test_every_row_has_one_status_and_a_reason_where_it_is_not_ready():
    df = frame(spellings.mixed(5000, seed=3))
    audience = ef.prepare(df)
    assert audience.frame.index.equals(df.index)
    assert audience.frame["status"].notna().all()
    assert (audience.frame["reason"].isna() == (audience.frame["status"] == "ready")).all()
    assert (audience.frame["batch"].isna() == (audience.frame["status"] != "ready")).all()
    assert len(audience.ready) + len(audience.rejected) == len(df)


def test_the_columns_are_those_of_the_contract():
    audience = ef.prepare(frame(FIFTY))
    assert audience.frame.columns.tolist() == ["phone", "network", "status", "reason", "batch"]
    assert audience.frame["status"].cat.categories.tolist() == ["ready", "duplicate", "invalid", "excluded"]
    assert audience.column == "sdt"


def test_duplicates_are_found_across_spellings_and_the_first_stays():
    again = ["+84 901 888 410", "901888410.0", "84901888410", "０９０１８８８４１０"]
    audience = ef.prepare(frame([*again, *FIFTY]))
    of_one = audience.frame[audience.frame["phone"] == "0901888410"]
    assert of_one["status"].tolist() == ["ready"] + ["duplicate"] * 4
    assert audience.ready["phone"].is_unique
    assert set(of_one["reason"].iloc[1:]) == {"same phone as an earlier row"}


def test_an_invalid_row_says_its_problem():
    audience = ef.prepare(frame([*FIFTY, "024 3825 1234", None, "9.12E+08"]))
    assert audience.rejected["reason"].tolist() == ["landline", "missing", "rounded"]


@pytest.mark.parametrize(
    "exclude",
    [
        ["+84 901 888 410", "901888411"],
        ("0901888410", "0901888411"),
        {"0901888410", "0901888411"},
        pd.Series(["84901888410", "0901.888.411"]),
        pd.Series([901888410, 901888411]),
        pd.DataFrame({"Số điện thoại": ["0901888410", "0901888411", None]}),
        np.array(["0901888410", "0901888411"]),
        ["0901888410", "0901888411", "024 3825 1234", "không có", None],
    ],
)
def test_excluded_numbers_are_left_out_in_any_spelling(exclude):
    audience = ef.prepare(frame([*FIFTY, "0901888410"]), exclude=exclude)
    left_out = audience.frame[audience.frame["status"] == "excluded"]
    assert left_out["phone"].tolist() == ["0901888410", "0901888411", "0901888410"]
    assert set(left_out["reason"]) == {"on the exclude list"}


@pytest.mark.parametrize("nothing", [None, [], pd.Series([], dtype=object)])
def test_an_empty_exclude_list_excludes_nobody(nothing):
    assert len(ef.prepare(frame(FIFTY), exclude=nothing).ready) == 50


@pytest.mark.parametrize(
    ("exclude", "says"),
    [
        (["0901888410", "0901888411 / 0901888412"], "position 1"),
        (["9.02E+08"], "rounded"),
        (["0901888410 (khách phàn nàn)", "0901888411"], "not a number"),
        (["0901888410 0", "0901888411"], "too many digits"),
        (["lan@example.com", "Lan"], "right list"),
        ("0901888410", "exclude.*single str"),
        (pd.DataFrame({"a": ["x"]}), "exclude.*that column alone"),
    ],
)
def test_an_exclude_list_that_cannot_be_relied_on_is_refused(exclude, says):
    with pytest.raises(ef.InvalidInput, match=says):
        ef.prepare(frame(FIFTY), exclude=exclude)


def test_too_few_recipients_are_named_with_counts():
    df = frame([*FIFTY[:20], *FIFTY[:5], "x", "x"])
    with pytest.raises(ef.TooFewRecipients, match="Only 19 of 27 rows") as error:
        ef.prepare(df, exclude=FIFTY[:1])
    assert error.value.counts == {"ready": 19, "duplicate": 4, "invalid": 2, "excluded": 2}
    assert (error.value.ready, error.value.floor) == (19, 30)
    with pytest.raises(ef.TooFewRecipients, match="0 of 0 rows"):
        ef.prepare(df.iloc[:0])


def test_a_floor_of_zero_lets_one_look_at_a_file_without_numbers():
    audience = ef.prepare(frame(["x", ""]), min_batch=0)
    assert audience.batches == ()
    assert "none of 2 rows" in repr(audience)
    assert "none of 2 rows" in audience._repr_html_()


def test_the_floor_can_be_lowered():
    assert len(ef.prepare(frame(FIFTY[:1]), min_batch=1).batches) == 1


@pytest.mark.parametrize("limits", [(0, 0), (30, 5001), (100, 50), (30, 40), (-1, 10), ("30", 5000), (30.0, 5000)])
def test_limits_that_cannot_hold_are_refused(limits):
    with pytest.raises(ef.InvalidInput, match="batch"):
        ef.prepare(frame(FIFTY), min_batch=limits[0], max_batch=limits[1])


@given(st.integers(30, 40_000))
def test_batches_are_as_few_as_can_be_and_of_equal_size(n):
    sizes = np.bincount(equal_batches(np.zeros(n, dtype=np.int64), 5000))[1:]
    assert len(sizes) == -(-n // 5000)
    assert sizes.sum() == n
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= 30
    assert sizes.max() <= 5000


@given(st.lists(st.integers(0, 3), max_size=400), st.integers(1, 60))
def test_batches_are_those_that_one_makes_segment_by_segment(codes, high):
    expected, batch = [0] * len(codes), 0
    for code in range(4):
        rows = [row for row, each in enumerate(codes) if each == code]
        count = math.ceil(len(rows) / high)
        for place, row in enumerate(rows):
            expected[row] = batch + place * count // len(rows) + 1
        batch += count
    assert equal_batches(np.array(codes, dtype=np.int64), high).tolist() == expected


@given(st.lists(st.integers(0, 3), max_size=400), st.integers(1, 60), st.lists(st.integers(0, 400), max_size=5))
def test_parts_of_the_recipients_get_the_batches_that_they_have_in_the_whole(codes, high, cuts):
    codes = np.array(codes, dtype=np.int64)
    sizes, before, batches = np.bincount(codes, minlength=4), np.zeros(4, dtype=np.int64), []
    for part in np.split(codes, sorted(min(cut, len(codes)) for cut in cuts)):
        batches += equal_batches(part, high, before, sizes).tolist()
        before = before + np.bincount(part, minlength=4)
    assert batches == equal_batches(codes, high).tolist()


@given(st.integers(0, 3000), st.integers(1, 60))
def test_the_borders_of_batches_are_where_their_numbers_change(size, high):
    batches = equal_batches(np.zeros(size, dtype=np.int64), high)
    assert [
        number for number, (a, b) in enumerate(batch_borders(size, high), 1) for _ in range(a, b)
    ] == batches.tolist()


@given(st.integers(1, 60), st.integers(0, 100), st.integers(0, 3000))
def test_no_batch_leaves_any_limits_that_are_taken(low, more, n):
    high = 2 * low - 1 + more
    if n >= low:
        sizes = np.bincount(equal_batches(np.zeros(n, dtype=np.int64), high))[1:]
        assert low <= sizes.min() <= sizes.max() <= high


def test_batches_hold_the_ready_numbers_in_the_order_of_the_rows():
    df = frame(spellings.mixed(1000, seed=4))
    audience = ef.prepare(df, max_batch=100)
    assert [len(batch) for batch in audience.batches] == audience.frame["batch"].value_counts(
        sort=False
    ).sort_index().tolist()
    assert pd.concat(audience.batches).tolist() == audience.ready["phone"].tolist()
    assert audience.frame["batch"].dropna().is_monotonic_increasing


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5] * 50),
        pd.Index(["a", None] * 25),
        pd.MultiIndex.from_product([range(5), range(10)]),
        pd.date_range("2024-01-01", periods=50, tz="Asia/Ho_Chi_Minh"),
        pd.Index(range(50), name="sdt"),
        pd.Index(range(50), name="status"),
        pd.Index(range(50), name="reason"),
    ],
)
def test_any_index_works_and_comes_back(index):
    df = frame(FIFTY).set_axis(index)
    audience = ef.prepare(df)
    assert audience.frame.index.equals(index)
    assert "50 of 50 rows" in repr(audience)
    assert "50 of 50 rows" in audience._repr_html_()


def test_the_callers_dataframe_is_not_changed():
    df = frame([*spellings.mixed(100), *FIFTY], city="Huế")
    before = df.copy(deep=True)
    audience = ef.prepare(df)
    audience.frame["phone"] = "changed"
    pd.testing.assert_frame_equal(df, before)


def test_the_summary_adds_up():
    df = frame(spellings.mixed(5000, seed=6))
    table = ef.prepare(df).summary()
    assert table.columns.tolist() == ["status", "reason", "rows", "share"]
    assert table["rows"].sum() == len(df)
    assert table["share"].sum() == pytest.approx(1)
    assert table["status"].iloc[0] == "ready"


def test_the_reprs_say_what_a_manager_asks():
    audience = ef.prepare(frame([*FIFTY, *FIFTY[:3], "024 3825 1234"]).rename(columns={"sdt": "sdt <b>"}), "sdt <b>")
    assert "50 of 54 rows can be texted, in 1 batch of 50" in repr(audience)
    page = audience._repr_html_()
    for words in ("50 of 54 rows", "landline", "duplicate", "MobiFone", "sdt &lt;b&gt;"):
        assert words in page
    assert "<b>" not in page


@given(
    st.lists(st.sampled_from([*FIFTY, "+84 901 888 410", "901888411", "x", ""]), max_size=60),
    st.lists(st.sampled_from(FIFTY), max_size=5),
)
def test_each_number_is_ready_exactly_once_or_excluded(cells, exclude):
    audience = ef.prepare(frame([*FIFTY[:40], *cells]), exclude=exclude, min_batch=1)
    usable = set(ef.normalize_phones(audience.frame["phone"].dropna().tolist())["phone"])
    assert set(audience.ready["phone"]) == usable - set(exclude)
    assert audience.ready["phone"].is_unique


# Segments


def segmented(sizes, **columns):
    df = frame([f"09{n:08d}" for n in range(sum(sizes.values()))])
    return df.assign(seg=[name for name, size in sizes.items() for _ in range(size)], **columns)


def test_each_batch_holds_one_segment_and_each_segment_has_equal_batches():
    df = segmented({"vip": 70, "new": 250}).sample(frac=1, random_state=1)
    audience = ef.prepare(df, by="seg", max_batch=100)
    assert audience.frame["segment"].tolist() == df["seg"].tolist()
    sizes = audience.frame.groupby(["segment", "batch"], observed=True).size()
    assert sizes.groupby("segment", observed=True).apply(sorted).to_dict() == {"vip": [70], "new": [83, 83, 84]}
    assert [len(batch) for batch in audience.batches] == audience.frame["batch"].value_counts(
        sort=False
    ).sort_index().tolist()
    assert "ready by segment: new 250, vip 70" in repr(audience)


@given(st.lists(st.integers(0, 3), max_size=400), st.integers(1, 60))
def test_segments_are_batched_as_each_would_be_alone(codes, high):
    codes = np.array(codes, dtype=np.int64)
    batches = equal_batches(codes, high)
    first = 1
    for code in range(codes.max(initial=-1) + 1):
        n = int((codes == code).sum())
        alone = equal_batches(np.zeros(n, dtype=np.int64), high)
        assert batches[codes == code].tolist() == (alone + first - 1).tolist()
        first += -(-n // high)


@pytest.mark.parametrize("form", [list, np.array, pd.array, pd.Categorical, pd.Index])
def test_segments_may_be_as_many_values_as_there_are_rows(form):
    df = segmented({"vip": 40, "new": 40})
    assert ef.prepare(df, by=form(df["seg"].tolist())).frame["segment"].tolist() == df["seg"].tolist()
    assert ef.prepare(df, by=df["seg"]).frame["segment"].tolist() == df["seg"].tolist()


def test_segments_that_do_not_go_with_the_rows_are_refused():
    df = segmented({"vip": 40})
    for by in (df["seg"].iloc[:39], df["seg"].set_axis(range(5, 45)), ["vip"], "segg", ("a", "b")):
        with pytest.raises(ef.InvalidInput, match="by "):
            ef.prepare(df, by=by)


def test_rows_in_no_segment_are_excluded_with_the_reason():
    df = segmented({"vip": 40, "x": 3})
    audience = ef.prepare(df, by=df["seg"].where(df["seg"] == "vip"))
    assert audience.rejected["reason"].tolist() == ["in no segment"] * 3
    assert (audience.rejected["status"] == "excluded").all()


def test_a_segment_under_the_floor_is_named():
    with pytest.raises(ef.TooFewRecipients, match=r"2 of the segments have fewer \('new' 12, 'old' 3\)") as error:
        ef.prepare(segmented({"vip": 40, "new": 12, "old": 3}), by="seg")
    assert error.value.segments == {"new": 12, "old": 3}


def test_a_number_of_two_segments_is_ready_in_the_first_that_counts():
    df = frame([*FIFTY, *FIFTY], seg=["a"] * 50 + ["b"] * 50)
    audience = ef.prepare(df, by="seg")
    assert audience.frame["status"].tolist() == ["ready"] * 50 + ["duplicate"] * 50
    only = only_segments(audience, ["b"])
    assert only.frame["status"].tolist() == ["excluded"] * 50 + ["ready"] * 50
    assert set(only.frame["reason"].iloc[:50]) == {"no message for its segment"}
    assert set(audience.frame["status"].iloc[50:]) == {"duplicate"}  # the first audience is as it was


@pytest.mark.parametrize(
    "by",
    [
        dict.fromkeys(range(40), "vip"),  # groupby would look labels of the index up in it
        set(range(40)),
        iter(["vip"] * 40),
        pd.DataFrame({"seg": ["vip"] * 40}),
        np.array([["vip"]] * 40),
        [["vip"]] * 40,
        pd.NA,
    ],
)
def test_what_gives_no_segment_row_by_row_is_refused_in_a_sentence(by):
    df = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    with pytest.raises(ef.InvalidInput, match=r"^by "):
        ef.prepare(df, by=by)


FORMS = ["Huế", "Hu\u00ea\u0301", "Hue\u0302\u0301", " Huế ", "Huế\u00a0", "Hu\u1ebf\u200b"]
"""One word, as keyboards, phones and spreadsheets write it."""


def test_segments_that_differ_by_their_form_only_are_one_segment():
    df = pd.DataFrame({"sdt": FIFTY, "city": [*(FORMS * 8), "  ", None]})
    frame = ef.prepare(df, by="city").frame
    assert frame["segment"].cat.categories.tolist() == ["Huế"]
    assert frame["segment"].isna().tolist() == [False] * 48 + [True] * 2
    ordered = pd.CategoricalDtype(["vip ", "a", "vip"], ordered=True)
    by = pd.Categorical(["vip ", "vip", "a"] * 16 + ["a", "a"], dtype=ordered)
    assert ef.prepare(df, by=by, min_batch=1).frame["segment"].dtype == pd.CategoricalDtype(["vip", "a"], ordered=True)


@pytest.mark.parametrize("form", FORMS)
def test_columns_are_found_however_their_names_are_written(form):
    df = pd.DataFrame({"Huế": FIFTY, "x": "a"})
    assert ef.prepare(df, form).column == "Huế"
    assert ef.prepare(df.rename(columns={"Huế": form, "x": "sdt"}).assign(sdt=FIFTY), "sdt", by="Huế", min_batch=1)
