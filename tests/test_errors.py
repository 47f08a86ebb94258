"""The exception tree and the table of codes."""

from __future__ import annotations

import inspect
import re

import pytest

import esms_frames as ef
from esms_frames import errors
from esms_frames.errors import CODES, Kind

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
