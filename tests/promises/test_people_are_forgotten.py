"""People can be forgotten: their numbers, and their texts, which may hold their names."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.customers import FIFTY, sent
from support.erasing import COUNTS, HOA, LAN, SETTLED, files, is_written, opened
from support.journals import rows, write_batch
from support.weight import examples, heavy_after

import esms_frames as ef
from esms_frames.journal.claims import run_name

pytestmark = pytest.mark.both_journals


DAY = timedelta(days=1)


@pytest.mark.parametrize("status", heavy_after(4, [*SETTLED, "planned", "unknown", "sending"]))
def test_no_byte_of_them_is_left_in_the_journal_nor_in_the_files_beside_it(address, journal, status):
    write_batch(journal, status, phones=FIFTY)
    write_batch(journal, status, phones=[LAN], campaign="of one", content="Chao chi Lan!", segment="Lan, Hue")
    journal.do_not_contact.add([LAN, HOA], reason="chi Lan goi dien")
    assert is_written(address, LAN)
    table = journal.forget([LAN, HOA])
    assert table[["campaign", "numbers"]].values.tolist() == [["of one", 1], ["Tet", 2]]
    left = files(address)
    for words in ("Chao chi Lan", "Lan, Hue", "chi Lan goi dien"):
        assert words.encode() not in left
    journal.do_not_contact.remove([LAN, HOA])
    assert is_written(address, FIFTY[2])
    journal.forget(FIFTY[3])  # writes the file anew
    assert not is_written(address, LAN)
    assert not is_written(address, HOA)


def test_what_was_really_sent_is_forgotten_with_all_that_happened_to_it(address, journal, customers, message, client):
    sent(customers, message, client, campaign="Tet", journal=journal)
    sent(customers, ef.Message("Xin chao", "Nobody"), client, campaign="wrong", journal=journal, checks=False)
    assert is_written(address, LAN)
    assert journal.forget(" +84 901 888 410 ")["numbers"].tolist() == [1, 1]
    assert not is_written(address, LAN)
    table = journal.campaigns()[[*COUNTS, "forgotten"]]
    assert table.values.tolist() == [[49, 0, 0, 0, 49, 0], [50, 50, 0, 0, 0, 1]]  # the first never left
    journal.close()
    assert not is_written(address, LAN)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([*SETTLED, "unknown"]), st.sets(st.sampled_from(FIFTY[:12]), min_size=1)), max_size=6
    ),
    st.lists(st.sets(st.sampled_from(FIFTY[:14]), min_size=1), min_size=1, max_size=3),
)
def test_exactly_those_are_taken_out_and_nothing_else_is_lost(new_address, batches, wanted):
    address = new_address()
    journal = opened(address)
    for number, (status, phones) in enumerate(batches):
        write_batch(journal, status, phones=sorted(phones), request_id=f"r{number}")
    before = journal.campaigns()[COUNTS].values.tolist()
    for some in wanted:
        journal.forget(some)
    gone = set().union(*wanted)
    found = rows(address, "SELECT status, phones, size FROM batches ORDER BY id")
    expected = [(status, " ".join(sorted(phones - gone)), len(phones)) for status, phones in batches]
    assert found == expected
    assert journal.campaigns()[COUNTS].values.tolist() == before
    left = files(address)
    assert all(phone[1:].encode() not in left for phone in gone)
    journal.close()


def test_results_have_no_row_for_whoever_is_forgotten(journal, customers, message, client):
    sent(customers, message, client, campaign="Tet", journal=journal)
    journal.forget([LAN, HOA])
    results = ef.results("Tet", journal=journal)
    assert results["phone"].tolist() == FIFTY[2:]
    assert (results["status"] == "accepted").all()
    with_customers = ef.results("Tet", customers, journal=journal)
    assert with_customers["status"].value_counts()[["accepted", "not_sent"]].tolist() == [48, 2]
    journal.forget(FIFTY)
    assert ef.results("Tet", journal=journal).empty
    assert ef.resume("Tet", client, journal=journal, progress=False).empty
    assert (ef.results("Tet", customers, journal=journal)["status"] == "not_sent").all()


def test_sent_again_the_others_are_still_not_texted_twice(journal, customers, message, client, sandbox):
    sent(customers, message, client, campaign="Tet", journal=journal)
    journal.forget([LAN, HOA])
    again = sent(customers[2:], message, client, campaign="Tet", journal=journal)
    assert (again["status"] == "already_sent").all()
    assert len(sandbox.sent) == 50


def test_a_run_that_read_a_batch_before_does_not_text_whoever_is_forgotten(journal, message, client, sandbox):
    write_batch(journal, "planned", whose=("sandbox", client.account), sms_type="customer_care", rules="")
    [scope] = journal._batches.scopes("Tet")
    [batch] = journal._batches.batches(scope)
    journal.forget(LAN)
    assert journal._batches.begin_attempt(batch, run_name(), 60) is None
    [smaller] = journal._batches.batches(scope)
    assert journal._batches.begin_attempt(smaller, run_name(), 60) is not None


def test_finished_campaigns_of_a_time_lose_all_numbers_and_keep_their_counts(address, journal, at):
    now = at("2030-01-31 12:00")
    old, new = now - 40 * DAY, now - 3 * DAY
    for number, status in enumerate(SETTLED):
        times = {"created_at": old, "sent_at": old}
        write_batch(journal, status, campaign="old", phones=FIFTY[number * 9 :][:9], content="Chao Lan", times=times)
    write_batch(journal, "accepted", campaign="new", phones=["0912888410"], times={"created_at": new, "sent_at": new})
    before = journal.campaigns()
    table = journal.prune(before="2030-01-01")
    assert table[["campaign", "numbers"]].values.tolist() == [["old", 27]]
    after = journal.campaigns()
    pd.testing.assert_frame_equal(after.drop(columns="forgotten"), before.drop(columns="forgotten"))
    assert after["forgotten"].tolist() == [0, 27]
    left = files(address)
    assert b"090188" not in left
    assert b"Chao Lan" not in left
    assert b"0912888410" in left
    assert ef.results("old", journal=journal).empty
    assert journal.prune(before="2030-01-01").empty
