"""`normalize_phones`: any spelling, any dtype; what can be texted, and why the rest can't."""

from __future__ import annotations

import decimal
import re

import numpy as np
import pandas as pd
import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import phone_cells, spellings

import esms_frames as ef
from esms_frames.recipients.phones import formatting, normalize, numbering_plan
from esms_frames.recipients.phones.numbering_plan import valid_prefixes

NBSP, ZERO_WIDTH, BOM = "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", "\N{ZERO WIDTH NO-BREAK SPACE}"

SPELLINGS_OF_0901888484 = [
    "0901888484",
    "901888484",
    "84901888484",
    "+84901888484",
    "0084901888484",
    "+84 901 888 484",
    "+84 (0)901 888 484",
    "(+84) 0901 888 484",
    "+840901888484",
    "0084 0901 888 484",
    "840901888484",
    "84-901-888-484",
    "84 / 901888484",
    "0901 888 484",
    "0901.888.484",
    "0901-888-484",
    "0901/888/484",
    "0901,888,484",
    "0901_888_484",
    "(0901) 888484",
    "[0901] 888 484",
    "{090}1888484",
    "901,888,484",
    "901.888.484",
    "0901888484.",
    "0901888484,",
    "0901888484;",
    "- 0901888484",
    "• 0901888484",
    "  0901888484  ",
    "\t0901888484\n",
    f"0901{NBSP}888{NBSP}484",
    f"{ZERO_WIDTH}0901888484{ZERO_WIDTH}",
    f"{BOM}0901888484",
    "\u202a0901888484\u202c",
    "0901\u2009888\u2009484",
    "0901–888—484",
    "0901‑888‑484",
    "0901·888·484",
    "０９０１８８８４８４",
    "＋８４９０１８８８４８４",
    "（０９０１）８８８－４８４",
    "٠٩٠١٨٨٨٤٨٤",
    "'0901888484",
    "‘0901888484",
    "’0901888484",
    '"0901888484"',
    '="0901888484"',
    "=0901888484",
    "901888484.0",
    "84901888484.0",
    "0901888484.00",
    "901888484.000",
    "901888484.0 ",
    "'901888484.0",
    "901888484.0\xa0",
    "\x000901888484",
    "0901888484\x7f",
    "901888484,0",
    "tel:0901888484",
    "tel:+84-901-888-484",
    "TEL: 0901888484",
    "Phone: 0901888484",
    "Mobile number: 0901888484",
    "SĐT: 0901888484",
    "sdt 0901888484",
    "ĐT 0901.888.484",
    "Điện thoại: 0901888484",
    "Số điện thoại: 0901888484",
    "đi\u00ea\u0323n thoa\u0323i: 0901888484",
    "Di động: 0901888484",
    "M: +84 901 888 484",
]

PROBLEMS = {
    "missing": ["", "   ", NBSP, ZERO_WIDTH, "\t\n", "''"],
    "not_a_number": [
        "abc",
        "không có",
        "N/A",
        "?",
        "0901888484 (Zalo)",
        "0901888484 sai số",
        "chị Lan 0901888484",
        "0901888484x12",
        "0901888xxx",
        "*101#",
        "-901888484",
        "90188848.4",
        "90188848,4",
        "2024-01-15 10:30:00",
        "12/05/1990",
        "08/12/2024 15",
        "90188848.4 ",
        '"90188848.4"',
        "9,018,884.84",
        "3.456.789,12",
        "0901888484\ud83d",
        "84+901888484",
        "++84901888484",
        "+0901888484",
        "🙂",
        "lan@example.com",
    ],
    "rounded": ["9.12E+08", "9,12E+08", "9.12e8", "8.49E+10", "+9.12E+08", " 9.12E+08 ", "9.0188848E+08", "9E+08"],
    "several": [
        "0901888484/0912345678",
        "0901888484 / 0912345678",
        "0901888484, 0912345678",
        "0901888484; 0912345678",
        "0901888484\n0912345678",
        "0901888484 - 0912345678",
        "0901888484 0912345678",
        "0901 888 484 0912 345 678",
        "09018884840912345678",
        "901888484 912345678",
        "0901888484 hoặc 0912345678",
        "0901888484 (mẹ), 0912345678 (bố)",
        "+84901888484+84912345678",
        "0901888484/85",
        "0901888484 | +1 415 555 2671",
        "0901888484/0901888485/0901888484",
    ],
    "too_short": ["0", "113", "0901888", "090188848", "+84 1234567", "19001234", "90188848.0", "90188848.0 "],
    "too_long": [
        "09018884841",
        "9018884841",
        "090188848412",
        "084901888484",
        "+849018884841",
        "14155552671",
        "1" * 17,
        "9" * 40,
    ],
    "landline": ["024 3825 1234", "02438251234", "2438251234", "+84 24 3825 1234", "842438251234", "0243825123"],
    "foreign": ["+1 415 555 2671", "0014155552671", "+901888484", "00901888484", "+44 20 7946 0958", "+66812345678"],
    "unassigned": ["0401234567", "401234567", "+84401234567", "0501234567", "01701234567", "1701234567", "0000000000"],
}


def one(cell):
    return ef.normalize_phones([cell]).iloc[0]


@pytest.mark.parametrize("spelling", SPELLINGS_OF_0901888484)
def test_a_spelling_is_read(spelling):
    assert one(spelling).tolist() == ["0901888484", "MobiFone", pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize(
    ("problem", "cell"), [(problem, cell) for problem, cells in PROBLEMS.items() for cell in cells]
)
def test_an_unusable_cell_gets_its_problem_and_no_phone(problem, cell):
    row = one(cell)
    assert row["problem"] == problem
    assert pd.isna(row["phone"])
    assert pd.isna(row["network"])


@pytest.mark.parametrize(("cell", "right", "_why"), phone_cells.CELLS)
def test_a_cell_is_read_as_a_careful_reader_would(cell, right, _why):
    row = one(cell)
    assert (row["phone"] if isinstance(row["phone"], str) else row["problem"]) == right


def test_every_problem_has_a_case():
    assert set(PROBLEMS) == set(normalize.Problem)


@pytest.mark.parametrize(
    ("old", "new", "network"),
    [
        ("162", "32", "Viettel"),
        ("163", "33", "Viettel"),
        ("164", "34", "Viettel"),
        ("165", "35", "Viettel"),
        ("166", "36", "Viettel"),
        ("167", "37", "Viettel"),
        ("168", "38", "Viettel"),
        ("169", "39", "Viettel"),
        ("120", "70", "MobiFone"),
        ("121", "79", "MobiFone"),
        ("122", "77", "MobiFone"),
        ("126", "76", "MobiFone"),
        ("128", "78", "MobiFone"),
        ("123", "83", "VinaPhone"),
        ("124", "84", "VinaPhone"),
        ("125", "85", "VinaPhone"),
        ("127", "81", "VinaPhone"),
        ("129", "82", "VinaPhone"),
        ("186", "56", "Vietnamobile"),
        ("188", "58", "Vietnamobile"),
        ("199", "59", "Gmobile"),
    ],
)
def test_an_eleven_digit_number_of_before_2018_is_converted(old, new, network):
    forms = [f"0{old}1234567", f"{old}1234567", f"+84{old}1234567", f"84 0{old} 123 4567", f"0{old}.123.4567"]
    table = ef.normalize_phones(forms)
    assert table["phone"].tolist() == [f"0{new}1234567"] * len(forms)
    assert set(table["network"]) == {network}


@pytest.mark.parametrize(
    ("phone", "network"),
    [
        ("0321234567", "Viettel"),
        ("0861234567", "Viettel"),
        ("0961234567", "Viettel"),
        ("0701234567", "MobiFone"),
        ("0896123456", "MobiFone"),
        ("0901234567", "MobiFone"),
        ("0811234567", "VinaPhone"),
        ("0911234567", "VinaPhone"),
        ("0522123456", "Vietnamobile"),
        ("0921234567", "Vietnamobile"),
        ("0591234567", "Gmobile"),
        ("0993123456", "Gmobile"),
        ("0871234567", "iTel"),
        ("0998123456", "iTel"),
        ("0559123456", "Reddi"),
    ],
)
def test_the_network_is_that_of_the_prefix(phone, network):
    assert one(phone)["network"] == network


def series_of_every_dtype():
    texts = ["0901888484", None, "024 3825 1234"]
    yield "python list", texts
    yield "object", pd.Series(texts, dtype=object)
    yield "object with NaN", pd.Series(["0901888484", np.nan, "024 3825 1234"], dtype=object)
    yield "object, mixed", pd.Series(["0901888484", None, 2438251234], dtype=object)
    yield "object of ints", pd.Series([901888484, None, 2438251234], dtype=object)
    yield "object of floats", pd.Series([901888484.0, np.nan, 2438251234.0], dtype=object)
    yield "object of decimals", pd.Series([decimal.Decimal(901888484), None, decimal.Decimal(2438251234)], dtype=object)
    yield "object, all kinds", pd.Series(["+84 901 888 484", pd.NaT, 2438251234.0], dtype=object)
    yield "string[python]", pd.Series(texts, dtype="string[python]")
    yield "string[pyarrow]", pd.Series(texts, dtype="string[pyarrow]")
    yield "default text", pd.Series(texts)
    yield "category", pd.Series(texts, dtype="category")
    yield "category of ints", pd.Series([901888484, None, 2438251234], dtype="Int64").astype("category")
    yield "float64", pd.Series([901888484, np.nan, 2438251234], dtype="float64")
    yield "Int64", pd.Series([901888484, pd.NA, 2438251234], dtype="Int64")
    yield "UInt64", pd.Series([901888484, pd.NA, 2438251234], dtype="UInt64")
    yield "Float64", pd.Series([901888484, pd.NA, 2438251234], dtype="Float64")
    yield "Arrow string", pd.Series(texts, dtype=pd.ArrowDtype(pa.string()))
    yield "Arrow large_string", pd.Series(texts, dtype=pd.ArrowDtype(pa.large_string()))
    yield "Arrow int64", pd.Series([901888484, None, 2438251234], dtype=pd.ArrowDtype(pa.int64()))
    yield "Arrow double", pd.Series([901888484, None, 2438251234], dtype=pd.ArrowDtype(pa.float64()))
    yield (
        "Arrow decimal",
        pd.Series(
            [decimal.Decimal(901888484), None, decimal.Decimal(2438251234)], dtype=pd.ArrowDtype(pa.decimal128(12, 0))
        ),
    )
    yield "Arrow dictionary", pd.Series(pa.array(texts).dictionary_encode().to_pandas())
    yield "numpy object", np.array(texts, dtype=object)
    yield "pyarrow array", pa.array(texts)
    yield "pyarrow chunked", pa.chunked_array([texts[:1], texts[1:]])
    yield "sliced Arrow", pd.Series(["x", *texts, "y"], dtype="string[pyarrow]").iloc[1:4].reset_index(drop=True)


@pytest.mark.parametrize(("_name", "column"), list(series_of_every_dtype()))
def test_a_column_of_any_dtype_is_read(_name, column):
    table = ef.normalize_phones(column)
    assert table["phone"].fillna("").tolist() == ["0901888484", "", ""]
    assert table["problem"].astype(object).fillna("").tolist() == ["", "missing", "landline"]


@pytest.mark.parametrize("kind", ["int32", "uint32", "int64", "uint64", "Int32", "UInt32"])
def test_integers_of_any_width_are_read(kind):
    column = pd.Series([901888484, 162123, 1621234567], dtype=kind)
    assert ef.normalize_phones(column)["phone"].fillna("").tolist() == ["0901888484", "", "0321234567"]


@pytest.mark.parametrize("kind", ["float32", "Float32", object])
def test_a_float_too_short_for_nine_digits_is_rounded(kind):
    column = pd.Series([np.float32(901888484), np.float32(12)], dtype=kind)
    assert ef.normalize_phones(column)["problem"].tolist() == ["rounded", "too_short"]


def test_a_fraction_is_no_number_in_a_column_of_mixed_types_either():
    cells = [90188.8484, decimal.Decimal("901888.4840"), float("inf"), decimal.Decimal("901888484.000"), "x"]
    problems = ef.normalize_phones(pd.Series(cells, dtype=object))["problem"].astype(object).fillna("")
    assert problems.tolist() == ["not_a_number"] * 3 + ["", "not_a_number"]


class Unwritable:
    def __str__(self):
        raise RuntimeError


class Surrogate:
    def __str__(self):
        return "\ud83d"


ODD_CELLS = [
    (decimal.Decimal("NaN"), "missing"),
    (decimal.Decimal("sNaN"), "missing"),
    (decimal.Decimal("Infinity"), "not_a_number"),
    (decimal.Decimal("-Infinity"), "not_a_number"),
    (decimal.Decimal("1E+1000000"), "too_long"),
    (decimal.Decimal("9.01888484E+8"), "0901888484"),
    (10**5000, "too_long"),
    (-(10**5000), "not_a_number"),
    (1e300, "too_long"),
    (-1e19, "not_a_number"),
    (Unwritable(), "not_a_number"),
    (Surrogate(), "not_a_number"),
    ([], "not_a_number"),
]


@pytest.mark.parametrize(("cell", "right"), ODD_CELLS, ids=range(len(ODD_CELLS)))
@pytest.mark.parametrize("others", [[], ["0901888484"], [901888484], [decimal.Decimal(901888484)]])
def test_a_cell_that_can_not_be_written_as_text_has_a_problem_and_its_neighbours_none(cell, right, others):
    table = ef.normalize_phones(pd.Series([cell, *others], dtype=object))
    found = table["phone"].astype(object).fillna(table["problem"].astype(object))
    assert found.tolist() == [right, *["0901888484"] * len(others)]


def test_integers_and_floats_that_are_no_number_are_named():
    integers = ef.normalize_phones(pd.Series([901888484, -901888484, 0, 10**17, 2**62]))
    assert integers["problem"].astype(object).fillna("").tolist() == [
        "",
        "not_a_number",
        "too_short",
        *["too_long"] * 2,
    ]
    floats = ef.normalize_phones(pd.Series([901888484.0, 901888484.5, np.inf, -np.inf, -1e19, 1e300, np.nan]))
    assert floats["problem"].astype(object).fillna("").tolist() == ["", *["not_a_number"] * 4, "too_long", "missing"]
    unsigned = ef.normalize_phones(pd.Series([2**64 - 1], dtype="uint64"))
    assert unsigned["problem"].tolist() == ["too_long"]


@pytest.mark.parametrize("column", [pd.Series([True]), pd.Series(pd.to_datetime(["2024-01-15"])), pd.Series([b"0901"])])
def test_columns_of_other_things_hold_no_numbers(column):
    assert ef.normalize_phones(column)["problem"].tolist() == ["not_a_number"]


@pytest.mark.parametrize("empty", [[], pd.Series([], dtype=object), pd.Series([], dtype="int64"), np.array([])])
def test_an_empty_column_gives_an_empty_table_with_the_same_columns(empty):
    table = ef.normalize_phones(empty)
    assert table.empty
    assert table.columns.tolist() == ["phone", "network", "problem"]
    assert table.dtypes.astype(str).tolist() == ef.normalize_phones(["0901888484"]).dtypes.astype(str).tolist()


def test_a_column_of_nothing_but_na_is_missing_throughout():
    for column in (pd.Series([None, None]), pd.Series([np.nan, np.nan]), pd.Series([pd.NA, pd.NA], dtype="Int64")):
        assert ef.normalize_phones(column)["problem"].tolist() == ["missing", "missing"]


def test_the_index_is_kept_whatever_it_is():
    for index in ([7, 7, 7], ["a", None, "a"], pd.MultiIndex.from_tuples([(1, 2), (1, 2), (3, 4)])):
        column = pd.Series(["0901888484", "x", ""], index=index)
        assert ef.normalize_phones(column).index.equals(column.index)
    index = pd.Index(["0901888484", "x"])
    assert ef.normalize_phones(index).index.equals(index)


def test_the_dtypes_are_text_and_categories():
    table = ef.normalize_phones(["0901888484", "x"])
    assert isinstance(table["phone"].dtype, pd.StringDtype)
    assert isinstance(table["network"].dtype, pd.CategoricalDtype)
    assert table["problem"].cat.categories.tolist() == list(normalize.Problem)


@pytest.mark.parametrize(
    "wrong",
    [
        pd.DataFrame({"a": ["0901888484"]}),
        "0901888484",
        901888484,
        np.zeros((2, 2)),
        {"a": 1},
        {"0901888484"},
        None,
        pd.MultiIndex.from_tuples([(1, 2)]),
    ],
)
def test_what_is_not_one_column_is_refused_in_one_sentence(wrong):
    with pytest.raises(ef.InvalidInput) as error:
        ef.normalize_phones(wrong)
    assert "\n" not in str(error.value)
    assert "normalize_phones" in str(error.value) or "list(values)" in str(error.value)


def test_the_column_is_not_changed():
    column = pd.Series(["+84 901 888 484", "x", None])
    before = column.copy(deep=True)
    ef.normalize_phones(column)
    pd.testing.assert_series_equal(column, before)


def test_neighbours_do_not_leak_into_each_other_across_chunks(monkeypatch):
    cells = [*spellings.mixed(3000, seed=5), ".", "5.", "+", "", ".0", "1.0", "+1.0"]
    whole = ef.normalize_phones(cells)
    monkeypatch.setattr(formatting, "_ROWS", 7)
    monkeypatch.setattr(formatting, "_DOUBTFUL_ROWS", 2)
    pd.testing.assert_frame_equal(ef.normalize_phones(cells), whole)


@pytest.mark.parametrize("after", ["-5", "-0901888484", "(-)", "."])
def test_a_missing_cell_before_an_odd_one_is_missing(after):
    together = ef.normalize_phones([None, after, None])["problem"].tolist()
    assert together == ["missing", *ef.normalize_phones([after])["problem"], "missing"]


def test_each_row_is_read_as_if_it_were_alone():
    cells = spellings.mixed(400, seed=9)
    together = ef.normalize_phones(cells)
    alone = pd.concat([ef.normalize_phones([cell]) for cell in cells], ignore_index=True)
    assert together.astype(object).fillna("").equals(alone.astype(object).fillna(""))


# Laws

nationals = st.tuples(st.sampled_from(np.flatnonzero(valid_prefixes()).tolist()), st.integers(0, 99_999)).map(
    lambda pair: f"{pair[0]}{pair[1]:05d}"
)
forms = st.sampled_from(["0{}", "84{}", "+84{}", "0084{}", "+84 (0){}", "tel:0{}", "'0{}", "０{}", "{}.0", "840{}"])
separators = st.text(" .-()/_" + NBSP + ZERO_WIDTH, max_size=2)


@given(nationals, forms)
def test_every_assigned_number_is_read_in_every_form(national, form):
    assert one(form.format(national))["phone"] == f"0{national}"


@given(nationals, st.lists(separators, min_size=9, max_size=9))
def test_separators_anywhere_change_nothing(national, between):
    cell = "0" + "".join(separator + digit for separator, digit in zip(between, national, strict=True))
    # A point before the last digits, alone, is a decimal point: then it is no number, and never another one. Nor is it
    # one where the separators set an area code apart that was a landline's until 2017.
    row = one(cell).fillna("")
    visible = cell.replace(ZERO_WIDTH, "")
    code_apart = any(re.search(rf"^0[^0-9]*{'[^0-9]*'.join(national[:n])}[^0-9]", visible) for n in (1, 2, 3))
    assert (
        row["phone"] == f"0{national}"
        or (cell.count(".") == 1 and row["problem"] in {"not_a_number", "too_short"})
        or (code_apart and spellings.area_code(national) and row["problem"] == "landline")
    )


@given(st.lists(st.text("0123456789+-. ()/,;eE:xđ\u200b\u00a0９", max_size=24), max_size=30))
def test_reading_is_idempotent_and_gives_a_phone_or_a_problem(cells):
    table = ef.normalize_phones(cells)
    assert (table["phone"].notna() ^ table["problem"].notna()).all()
    usable = table["phone"].dropna()
    assert usable.str.fullmatch("0[0-9]{9}").all()
    assert ef.normalize_phones(usable)["phone"].tolist() == usable.tolist()


@given(st.lists(st.text(st.characters(exclude_categories=[]), max_size=30), max_size=20))
def test_any_text_at_all_is_survived_and_neighbours_change_nothing(cells):
    together = ef.normalize_phones(cells)
    assert len(together) == len(cells)
    for cell, problem in zip(cells, together["problem"].astype(object).fillna(""), strict=True):
        assert ef.normalize_phones([cell])["problem"].astype(object).fillna("").tolist() == [problem]


@given(st.from_regex(r"(\+84|0|84)[0-9]{8,10}", fullmatch=True))
def test_what_is_read_is_what_libphonenumber_reads(cell):
    """Where the package accepts a spelling, we read the same; old numbers and lost zeros are ours alone."""
    try:
        theirs = phonenumbers.parse(cell, "VN")
    except phonenumbers.NumberParseException:
        theirs = phonenumbers.PhoneNumber()
    mobile = phonenumbers.number_type(theirs) == phonenumbers.PhoneNumberType.MOBILE
    ours = one(cell)["phone"]
    if mobile and theirs.country_code == 84:
        assert ours == f"0{theirs.national_number}"
    elif not pd.isna(ours):
        digits = cell.lstrip("+").removeprefix("84").lstrip("0")
        assert (len(digits) == 10 and digits.startswith("1")) or len(cell) == 9


@given(st.lists(st.text("0123456789", min_size=10, max_size=10), min_size=1, max_size=50))
def test_a_column_of_ten_digits_a_row_is_read_as_any_other(cells):
    beside_another = ef.normalize_phones([*cells, "+84 901 888 484"]).iloc[:-1]
    pd.testing.assert_frame_equal(ef.normalize_phones(cells), beside_another)
    written = [phone for phone in beside_another["phone"] if isinstance(phone, str)]
    assert ef.normalize_phones(written)["phone"].tolist() == written


cells_of_any_kind = st.one_of(
    st.text("0123456789+-. ()/,;eE:xđ\u200b\u00a0９", max_size=24),
    st.sampled_from([cell for cell, _, _ in phone_cells.CELLS]),
    st.builds(lambda form, national: form.format(national), forms, nationals),
    st.builds(lambda n, s: f"0{n[:3]}{s}{n[3:6]}{s}{n[6:]}", nationals, st.sampled_from([" ", ".", "-", ""])),
    st.from_regex(r"(\+84|0|84|0084|)[ .-]?[0-9]{3}[ .-]?[0-9]{3}[ .-]?[0-9]{3}", fullmatch=True),
    st.integers(-10, 10**12),
    st.floats(),
    st.none(),
)


@given(cells_of_any_kind)
def test_one_cell_alone_is_read_as_in_a_column(cell):
    found = normalize.read_one(cell)
    in_column = one(cell)
    if isinstance(found, normalize.Problem):
        assert in_column["problem"] == found
    else:
        assert in_column["phone"] == f"0{found:09d}"


@pytest.mark.parametrize(
    "cell", ["0901888484", "901888484", "84901888484", "+84901888484", "0901 888 484", "+84 901 888 484"]
)
def test_a_plain_number_alone_is_read_without_a_column(cell, monkeypatch):
    monkeypatch.setattr(normalize, "read", None)
    assert normalize.read_one(cell) == 901888484


def plainly(plus, digits):
    """Read digits one cell at a time, by their text: the slow, obvious version of the arithmetic on columns."""
    rest = digits.lstrip("0")
    zeros = min(len(digits) - len(rest), 3)
    coded = re.fullmatch("84(0?[1-9][0-9]{8,9})", rest)
    national = coded[1].lstrip("0") if coded else rest
    if re.fullmatch("1[0-9]{9}", national):
        old, new = national[:3], int(numbering_plan.new_prefixes()[int(national[:3])])
        national = national.replace(old, str(new), 1) if new else national
    allowed = zeros in {0, 2} if coded else not plus and zeros < 2
    number = phonenumbers.PhoneNumber(country_code=84, national_number=int(national or "0"))
    if allowed and len(national) == 9 and phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE:
        return f"0{national}"

    international = plus or zeros == 2
    vietnam = rest.startswith("84")
    if vietnam and (international or (zeros == 0 and 11 <= len(rest) <= 13)):
        rest = rest[2:].lstrip("0")
    if plus and zeros == 1:
        return "not_a_number"
    if zeros == 3:
        return "unassigned"
    if international and not vietnam:
        return "foreign"
    if len(rest) < 9:
        return "too_short"
    if rest.startswith("2") and len(rest) <= 10:
        return "landline"
    if len(rest) > 10 or (len(rest) == 10 and not rest.startswith("1")):
        return "too_long"
    return "unassigned"


spelled = st.builds(
    "{}{}".format,
    st.sampled_from(["", "0", "84", "840", "0084", "00840", "00", "000", "086", "1", "0016"]),
    st.one_of(nationals, st.from_regex("1[0-9]{9}", fullmatch=True), st.text("0123456789", min_size=1, max_size=10)),
).map(lambda digits: digits[:16])


@given(st.lists(st.tuples(st.sampled_from(["", "+"]), spelled, st.sampled_from(["", " ", "-", ")"])), max_size=20))
def test_whole_columns_are_read_as_one_reads_cell_by_cell(cells):
    written = [plus + separator.join([digits[:4], digits[4:7], digits[7:]]) for plus, digits, separator in cells]
    table = ef.normalize_phones([cell.strip(" -") for cell in written])
    found = table["phone"].astype(object).fillna(table["problem"].astype(object))
    assert found.tolist() == [
        "landline" if spellings.is_old_landline(cell.strip(" -")) else plainly(plus, digits)
        for cell, (plus, digits, _) in zip(written, cells, strict=True)
    ]


@given(st.lists(st.one_of(st.integers(-9, -1), st.integers(0, 10**9 - 1)), max_size=50))
def test_numbers_are_written_as_one_writes_them_one_by_one(numbers):
    written = pd.Series(formatting.format_phones(np.array(numbers, dtype=np.int32)))
    assert written.astype(object).where(written.notna(), None).tolist() == [
        f"0{number:09d}" if number >= 0 else None for number in numbers
    ]


@given(st.lists(st.integers(0, 10**9 - 1), max_size=50))
def test_joined_with_blanks_too(numbers):
    joined = formatting.join_phones(np.array(numbers, dtype=np.int32))
    assert joined == " ".join(f"0{number:09d}" for number in numbers)


def test_many_numbers_are_written_in_their_order(monkeypatch):
    numbers = np.arange(900_000_000, 900_020_000, dtype=np.int32)
    monkeypatch.setattr(formatting, "_ROWS", 1_000)
    assert list(formatting.format_phones(numbers)) == [f"0{number}" for number in numbers.tolist()]


def test_chunks_that_are_read_side_by_side_keep_their_order(monkeypatch):
    column = pd.Series(spellings.mixed(20_000, seed=5))
    whole = ef.normalize_phones(column)
    monkeypatch.setattr(formatting, "_ROWS", 1_000)
    monkeypatch.setattr(formatting, "_DOUBTFUL_ROWS", 100)
    pd.testing.assert_frame_equal(ef.normalize_phones(column), whole)
