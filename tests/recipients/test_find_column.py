"""Finding the phone column: by name, by content, and never by a guess."""

from __future__ import annotations

import pandas as pd
import pytest
from support import spellings

import esms_frames as ef
from esms_frames.recipients.find_column import phone_column

PHONES = spellings.mixed(60, seed=1)


NAMES = """
sdt|SĐT|so_dien_thoai|Số điện thoại|điện thoại|Dien Thoai|Số ĐT|Di động|so\u0302\u0301 dt
phone|Phone Number|phoneNumber|mobile|Mobile No.|tel|Telephone|cell|msisdn
"""


@pytest.mark.parametrize("name", NAMES.strip().replace("\n", "|").split("|"))
def test_a_column_is_found_by_its_name(name):
    assert phone_column(pd.DataFrame({"ten": ["Lan"], name: ["x"], "city": ["Huế"]})) == name


@pytest.mark.parametrize("name", ["customer_phone", "sdt_khach_hang", "SĐT KH", "MobilePhone1", "điện thoại liên hệ"])
def test_a_longer_name_is_taken_when_the_content_agrees(name):
    assert phone_column(pd.DataFrame({"ten": ["Lan"] * 60, name: PHONES})) == name


@pytest.mark.parametrize("name", ["phone_verified", "phone_brand"])
def test_a_longer_name_is_not_taken_when_the_content_disagrees(name):
    assert phone_column(pd.DataFrame({name: ["yes"] * 60, "liên hệ": PHONES})) == "liên hệ"


def test_a_column_of_another_name_is_found_by_its_content():
    assert phone_column(pd.DataFrame({"ten": ["Lan"] * 60, "liên hệ": PHONES, "spend": range(60)})) == "liên hệ"


def test_the_exact_name_goes_before_the_longer_one():
    assert phone_column(pd.DataFrame({"phone": PHONES, "phone of a friend": PHONES})) == "phone"


def test_an_empty_column_of_the_right_name_gives_way_to_a_filled_one():
    assert phone_column(pd.DataFrame({"phone": [None] * 60, "mobile": PHONES})) == "mobile"


@pytest.mark.parametrize("names", [("phone", "mobile"), ("lien_he", "lien_he_2"), ("sdt 1", "sdt 2")])
def test_two_that_could_be_meant_are_both_named(names):
    with pytest.raises(ef.PhoneColumnError, match=r"phone='…'") as error:
        phone_column(pd.DataFrame(dict.fromkeys(names, PHONES)))
    assert error.value.candidates == names


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(range(900_000_000, 900_000_060)),  # ids
        pd.Series(["0312345678"] * 60, name="mã số thuế"),
        pd.Series(["lan@example.com"] * 60),
        pd.Series([None] * 60),
    ],
)
def test_other_numbers_are_not_taken_for_phones(column):
    df = column.to_frame(column.name or "x").assign(city="Huế")
    with pytest.raises(ef.PhoneColumnError) as error:
        phone_column(df)
    assert error.value.candidates == tuple(df.columns)


def test_a_column_that_is_named_is_taken_whatever_it_holds():
    assert phone_column(pd.DataFrame({"phone": PHONES, "x": 1}), "x") == "x"
    assert phone_column(pd.DataFrame({7: PHONES}), 7) == 7


@pytest.mark.parametrize("name", ["Số tài khoản", "Số thẻ", "order_number", "Số fax", "Người giới thiệu"])
def test_numbers_of_other_things_are_not_taken_by_their_content(name):
    with pytest.raises(ef.PhoneColumnError):
        phone_column(pd.DataFrame({"ten": ["Lan"] * 60, name: [f"09018884{n}" for n in range(60)]}))


def test_a_column_and_not_its_values_is_named():
    df = pd.DataFrame({"sdt": PHONES, pd.NA: "x"})
    with pytest.raises(ef.InvalidInput, match="name of the column"):
        phone_column(df, df["sdt"])
    assert phone_column(df, "sdt") == "sdt"


def test_a_wrong_name_lists_near_ones():
    with pytest.raises(ef.PhoneColumnError, match="'so_dien_thoai'"):
        phone_column(pd.DataFrame({"so_dien_thoai": PHONES}), "so_dien_thoi")


def test_phones_in_the_index_are_told_how_to_be_a_column():
    df = pd.DataFrame({"name": ["An", "Binh"]}, index=PHONES[:2])
    with pytest.raises(ef.PhoneColumnError, match=r"pass df.reset_index\(\) if it is the index"):
        phone_column(df)
    with pytest.raises(ef.PhoneColumnError, match=r"there are none.*name it with phone='…'\.$"):
        phone_column(pd.DataFrame())


def test_repeated_names_are_refused():
    df = pd.DataFrame([["0901888484", "0912345678"]], columns=["sdt", "sdt"])
    for phone in (None, "sdt"):
        with pytest.raises(ef.PhoneColumnError):
            phone_column(df, phone)


@pytest.mark.parametrize("wrong", [["0901888484"], pd.Series(["0901888484"]), None, "customers.csv"])
def test_what_is_not_a_dataframe_is_refused(wrong):
    with pytest.raises(ef.InvalidInput, match="DataFrame"):
        phone_column(wrong)
