"""`Journal.do_not_contact`: those who are never to get advertising, in any spelling, and nobody on it missed."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pytest
from support.customers import FIFTY
from support.journals import rows

import esms_frames as ef

pytestmark = pytest.mark.both_journals


@pytest.fixture
def listed(address):
    book = ef.Journal(address)
    yield book.do_not_contact
    book.close()


@pytest.mark.parametrize(
    "numbers",
    [
        "+84 901 888 410",
        901888410,
        np.int64(901888410),
        ["0901.888.410", "84901888410", 901888410.0],
        {"0901888410"},
        ("0901888410", None, "", "024 3825 1234", "+1 650 253 0000"),  # no SMS reaches the others
        pd.Series(["0901888410"], index=[7]),
        pd.DataFrame({"Họ tên": ["Lan"], "Số điện thoại": ["0901888410"]}),
        pd.Index(["0901888410"]),
        np.array([901888410]),
    ],
)
def test_numbers_are_taken_in_any_spelling_and_form(listed, numbers):
    assert listed.add(numbers) == 1
    assert listed.add(numbers) == 0
    assert len(listed) == 1
    assert listed.frame()["phone"].tolist() == ["0901888410"]
    assert listed.numbers().tolist() == [901888410]
    assert listed.contains("+84901888410") is True
    assert listed.remove(numbers) == 1
    assert listed.remove(numbers) == 0
    assert listed.contains("+84901888410") is False


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("090188841", "too few digits"),
        ("09018884100", "too many digits"),
        ("9.12E+08", "rounded by a spreadsheet"),
        ("0901888410 / 0901888411", "several numbers in one cell"),
        ("Lan 0901888410", "not a number"),
        ("n/a", "not a number"),
        ("0101888410", "no network has this prefix"),
    ],
)
@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_list_with_an_entry_that_can_t_be_read_is_refused_whole(listed, entry, why, change):
    listed.add(FIFTY[0])
    with pytest.raises(ef.InvalidInput, match=f"at position 2: {why}") as caught:
        getattr(listed, change)([FIFTY[0], FIFTY[1], entry])
    assert "0901888" not in str(caught.value)
    assert listed.frame()["phone"].tolist() == [FIFTY[0]]


@pytest.mark.parametrize(
    "numbers", [None, True, 3.5, b"0901888410", {"a": 1}, pd.DataFrame({"ten": ["Lan"]}), "", ["", None]]
)
def test_what_is_no_list_of_numbers_is_refused(listed, numbers):
    for change in (listed.add, listed.remove):
        with pytest.raises(ef.InvalidInput, match="numbers"):
            change(numbers)


def test_nobody_is_nobody(listed):
    assert listed.add([]) == listed.remove([]) == 0
    assert listed.contains([]).tolist() == []
    assert listed.frame().empty
    assert listed.frame().columns.tolist() == ["phone", "reason", "added_at"]
    assert str(listed.frame()["added_at"].dtype) == "datetime64[us, UTC+07:00]"
    assert listed.numbers().dtype == np.int32


def test_the_first_date_stays_and_the_reason_is_replaced_only_by_another(listed, at):
    first = at("2030-01-31 08:00")
    assert listed.add(FIFTY[:2], reason="answered STOP") == 2
    at("2030-02-01 09:00")
    assert listed.add(FIFTY[1:3]) == 1
    later = at("2030-02-02 10:00")
    assert listed.add([FIFTY[0], FIFTY[3]], reason="asked on the phone") == 1
    table = listed.frame().set_index("phone")
    assert table["reason"].fillna("").tolist() == ["asked on the phone", "answered STOP", "", "asked on the phone"]
    assert table["added_at"].iloc[0] == first
    assert table["added_at"].iloc[3] == later


@pytest.mark.parametrize("reason", ["", " ", 3, ["x"]])
def test_a_reason_is_some_words(listed, reason):
    with pytest.raises(ef.InvalidInput, match="reason is"):
        listed.add(FIFTY, reason=reason)
    assert len(listed) == 0


def test_who_is_on_it_is_told_for_each_and_the_index_stays(listed):
    listed.add(FIFTY[:2])
    asked = pd.Series([FIFTY[5], "+84 901 888 411", None, "x", FIFTY[0]], index=["a", "b", "b", None, "e"], name="sdt")
    expected = pd.Series([False, True, False, False, True], index=asked.index, name="sdt")
    pd.testing.assert_series_equal(listed.contains(asked), expected)
    pd.testing.assert_series_equal(listed.contains(pd.DataFrame({"ten": "x", "sdt": asked})), expected)
    assert listed.contains(asked.tolist()).tolist() == expected.tolist()
    assert sum(listed.contains(set(FIFTY))) == 2


def test_it_is_one_list_for_the_whole_journal_and_a_person_can_read_it(address, listed, at):
    at("2030-01-31 08:00")
    listed.add(FIFTY[0], reason="gọi điện từ chối")
    other = ef.Journal(address)
    assert other.do_not_contact.contains(FIFTY[0])
    other.close()
    held = rows(address, "SELECT phone, reason, added_at FROM do_not_contact")
    assert held == [(FIFTY[0], "gọi điện từ chối", "2030-01-31T08:00:00.000000+07:00")]
    assert "1 on the list" in repr(listed)
    assert FIFTY[0] not in repr(listed)


def test_several_may_add_at_once(address, listed):
    counts = []

    def add(numbers):
        book = ef.Journal(address)
        counts.append(book.do_not_contact.add(numbers, reason="STOP"))
        book.close()

    threads = [threading.Thread(target=add, args=(FIFTY[n * 5 :],)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(listed) == 50


def test_within_a_transaction_it_is_read_without_another(listed):
    with listed._database.begin() as connection:
        assert listed.numbers(connection).tolist() == []


@pytest.mark.heavy
def test_many_numbers_are_added_in_seconds(listed):
    numbers = pd.Series(np.arange(901_000_000, 901_200_000)).sample(frac=1, random_state=1)
    begin = time.perf_counter()
    assert listed.add(numbers, reason="STOP") == 200_000
    added = time.perf_counter()
    assert listed.contains(numbers).all()
    assert listed.remove(numbers) == 200_000
    print(f"add {added - begin:.1f} s, ask and remove {time.perf_counter() - added:.1f} s")
    assert time.perf_counter() - begin < 30
