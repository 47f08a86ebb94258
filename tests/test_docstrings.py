"""The examples in the docstrings run and show what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import esms_frames

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
