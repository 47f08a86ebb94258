"""The commands about people's data: numbers that never get advertising, and people who are forgotten."""

from __future__ import annotations

import pytest
from support.customers import FIFTY

import esms_frames as ef


def test_the_do_not_contact_list_is_kept_by_files_and_numbers(run, file, tmp_path):
    done = run("do-not-contact", "add", file, "+84 912 888 410", "--reason", "answered STOP")
    assert done.exit_code == 0, done.output
    assert "Put on the list: 51. On it now: 51." in done.output
    assert ef.Journal().do_not_contact.contains("0912888410")
    assert "Put on the list: 0." in run("do-not-contact", "add", FIFTY[0]).output
    shown = run("do-not-contact", "list").output
    assert "answered STOP" in shown
    assert FIFTY[0] in shown
    assert "On the list: 51." in shown
    assert "All 51 numbers" in run("do-not-contact", "list", "--output", "list.csv").output
    assert ef.read_customers(tmp_path / "list.csv")["phone"].tolist() == [*FIFTY, "0912888410"]
    assert "Taken off the list: 50. On it now: 1." in run("do-not-contact", "remove", tmp_path / "customers.csv").output


def test_the_do_not_contact_list_is_that_of_the_journal_named(run, tmp_path):
    run("do-not-contact", "add", FIFTY[0], "--journal", tmp_path / "other.sqlite")
    assert "On the list: 0." in run("do-not-contact", "list").output
    assert "On the list: 1." in run("do-not-contact", "list", "--journal", tmp_path / "other.sqlite").output


@pytest.mark.parametrize("command", [["do-not-contact", "add"], ["do-not-contact", "remove"], ["forget", "--yes"]])
@pytest.mark.parametrize(("what", "why"), [("090188", "too few digits"), ("stop.csv", "stop.csv")])
def test_numbers_that_can_t_be_read_are_an_error_of_one_sentence(run, command, what, why):
    done = run(*command, FIFTY[0], what)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert why in done.output
    assert FIFTY[0] not in done.output


def test_people_are_forgotten_once_that_is_confirmed(run, customers, message, client):
    ef.send(customers, message, client, campaign="Tet", progress=False)
    assert run("forget", FIFTY[0], input="n\n").exit_code == 1
    assert len(ef.results("Tet")) == 50
    done = run("forget", FIFTY[0], "+84 901 888 411", input="y\n")
    assert done.exit_code == 0
    assert "Tet" in done.output
    assert "erased from: 1." in done.output
    assert ef.results("Tet")["phone"].tolist() == FIFTY[2:]
    assert "erased from: 0." in run("forget", "--yes", FIFTY[0]).output


def test_old_campaigns_are_emptied_once_that_is_confirmed(run, customers, message, client, at):
    at("2030-01-01 12:00")
    ef.send(customers, message, client, campaign="Tet", progress=False)
    at("2030-03-01 12:00")
    assert run("prune", "--before", "2030-02-01", input="n\n").exit_code == 1
    assert len(ef.results("Tet")) == 50
    done = run("prune", "--before", "2030-02-01", input="y\n")
    assert done.exit_code == 0
    assert "Tet" in done.output
    assert "emptied: 1." in done.output
    assert len(ef.results("Tet")) == 0
    assert "emptied: 0." in run("prune", "--before", "2030-02-01", "--yes").output
