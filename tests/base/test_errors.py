"""The exception tree and the table of codes."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

import esms_frames as ef
from esms_frames.base import errors
from esms_frames.base.codes import CODES, Kind
from esms_frames.base.wording import Sentence

KINDS = {  # the gateway's table, as this project's page on it gives it
    Kind.OK: {100},
    Kind.ALREADY_THERE: {124},
    Kind.BATCH: {99, 107, 108, 120, 163, 177},
    Kind.MESSAGE: {146, 201, 104, 118, 300},
    Kind.ACCOUNT: {101, 102, 103, 140, 143},
    Kind.TRY_LATER: {160, 199, 105},
}


def test_the_table_of_codes_is_the_gateways():
    assert {kind: {code for code, entry in CODES.items() if entry.kind is kind} for kind in KINDS} == KINDS
    assert len(CODES) == sum(map(len, KINDS.values()))


@pytest.mark.parametrize("code", [106, 110, 115, 171, 204, 210, 301, 687, 789, 799, 854, 0, 9999])
def test_codes_of_other_services_and_unlisted_ones_are_refusals_with_their_number(code):
    refusal = ef.Refused(code, "its words")
    assert refusal.kind is Kind.REFUSED
    assert str(code) in str(refusal)
    assert "its words" in str(refusal)


def test_only_message_and_account_refusals_stop_a_campaign():
    assert {kind for kind in Kind if kind.stops_campaign} == {Kind.MESSAGE, Kind.ACCOUNT}


def test_the_tree_in_the_docstring_is_the_tree_of_the_code():
    drawn = re.findall(r"([A-Z]\w+)  +\w", errors.__doc__.partition("::")[2])
    defined = [name for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ef.EsmsError)]
    assert sorted(drawn) == sorted(defined)


def test_every_exception_is_public():
    defined = [name for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ef.EsmsError)]
    assert set(defined) <= set(ef.__all__)


def test_invalid_input_is_a_value_error_too():
    assert issubclass(ef.InvalidInput, ValueError)


RAISED = [
    ef.EsmsError("{count} rows of {{x}}", count=1200),
    ef.InvalidMessage("content", "content holds {sign}: take it out.", sign="U+0007"),
    ef.PhoneColumnError("Several columns: {columns}.", ["a", "b"], columns="'a', 'b'"),
    ef.TooFewRecipients(30, {"ready": 3, "invalid": 1}),
    ef.TooFewRecipients(30, {"ready": 3}, {"Hà Nội": 3}),
    ef.WouldFail(["Nobody is left.", "No money is left."]),
    ef.Unreachable("No way to {where}.", is_lasting=True, where="x"),
    ef.BadAnswer("HTTP {status}: {excerpt}", 404, '{"a": 1}', status=404, excerpt='{"a": 1}'),
    ef.Refused(101, "{words}"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_is_copied_and_pickled_with_all_it_holds(error):
    error.add_note("in row 3")
    for other in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert other.__dict__ == error.__dict__


def test_an_error_carries_its_template_and_values():
    error = ef.InvalidInput("{count} rows are {{left}}.", count=1200)
    assert str(error) == "1,200 rows are {left}."
    assert (error.template, error.values) == ("{count} rows are {{left}}.", {"count": 1200})


def test_an_error_without_values_says_its_text_literally():
    assert str(ef.InvalidInput("write {phone} or {}")) == "write {phone} or {}"


def test_an_error_made_of_a_sentence_takes_over_its_values():
    error = ef.InvalidInput(Sentence("{count} rows", count=2))
    assert (str(error), error.template, error.values) == ("2 rows", "{count} rows", {"count": 2})
