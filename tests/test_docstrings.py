"""The examples in the docstrings run and show what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest
from conftest import script_of_docs

import esms_frames

make_api = script_of_docs("make_api")

MODULES = [found.name for found in pkgutil.walk_packages(esms_frames.__path__, "esms_frames.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = [t for name in MODULES for t in finder.find(importlib.import_module(name)) if t.examples]
    assert len(examples) >= 10


def public_callables():
    """Give every public function, class and method, by its name, but for errors, which only the package raises."""
    for name in esms_frames.__all__:
        thing = getattr(esms_frames, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing) and not issubclass(thing, Exception):
            yield name, thing
            for member, value in make_api.public_members(thing):
                if not isinstance(value, property):
                    yield f"{name}.{member}", getattr(thing, member)


def parameters(thing):
    if inspect.isclass(thing) and "__init__" not in vars(thing):
        return []
    return [name for name in inspect.signature(thing).parameters if name not in {"self", "cls"}]


@pytest.mark.parametrize(("name", "thing"), list(public_callables()))
def test_every_parameter_and_result_is_documented(name, thing):
    doc = inspect.getdoc(thing)
    documented = re.split(r"^(?:Attributes|Parameters)\n-+\n", doc, maxsplit=1, flags=re.MULTILINE)[-1]
    named = set(re.findall(r"\w+", " ".join(re.findall(r"^[\w*, ]+(?= : |$)", documented, flags=re.MULTILINE))))
    made_by_others = name in {"Audience", "Plan"}  # by prepare and plan; their attributes are what is documented
    if not made_by_others:
        assert {parameter for parameter in parameters(thing) if parameter not in named} == set(), name
    if inspect.isroutine(thing) and thing.__annotations__.get("return") not in {None, "None", "Self"}:
        one_liner = len(doc.splitlines()) == 1 or not parameters(thing)
        assert one_liner or re.search(r"^(Returns|Yields)\n-+\n", doc, flags=re.MULTILINE), name


@pytest.mark.parametrize("name", [name for name, thing in public_callables() if "." not in name])
def test_every_public_name_has_an_example(name):
    assert ">>> " in inspect.getdoc(getattr(esms_frames, name))
