"""Docstrings are numpydoc's, and say all that is passed and returned. Their examples run as doctests, by pytest itself."""

from __future__ import annotations

import inspect

import pytest
from numpydoc.validate import ERROR_MSGS, validate
from support.documents import script_of_docs

import esms_frames as ef

make_api = script_of_docs("make_api")

LEFT_OUT = {
    "GL01": "ruff checks how they are laid out",
    "GL02": "ruff checks how they are laid out",
    "ES01": "one sentence can be all there is to say",
    "PR04": "parameters that are as another function's have the types that stand there",
    "SA01": "what belongs together is named in the text, where it is needed",
}
OF_NAMES_ONLY = {"EX01": "an example shows a class at work, its members with it"}
OF_WHAT_IS_PASSED_IN = {"PR01": "values and errors that the package itself makes describe their attributes"}

MADE_HERE = {"Audience", "LargeAudience", "Plan", "Rule", "Template"}


def public_things():
    """Return every public function, class and member, by its name."""
    for name in ef.__all__:
        thing = getattr(ef, name)
        if callable(thing):
            yield name, thing
            yield from ((f"{name}.{member}", value) for member, value in make_api.public_members(thing))


def checks_of(name, thing):
    """Return the checks that are made of a name: all of numpydoc's but those left out above."""
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    checks = set(ERROR_MSGS) - set(LEFT_OUT)
    if "." in name or is_error:
        checks -= set(OF_NAMES_ONLY)
    if name in MADE_HERE or is_error:
        checks -= set(OF_WHAT_IS_PASSED_IN)
    return checks


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")  # numpydoc looks at all that ipywidgets has
@pytest.mark.parametrize(("name", "thing"), list(public_things()))
def test_the_docstring_of_every_public_name_is_numpydocs(name, thing):
    checks = checks_of(name, thing)
    assert [words for code, words in validate(f"esms_frames.{name}")["errors"] if code in checks] == []
