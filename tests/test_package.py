"""The package as a whole: its public names, its layers, and what importing it costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from support.weight import heavy_after

import esms_frames as ef

ROOT = Path(ef.__file__).parent


def test_public_names_are_there_and_documented():
    assert len(set(ef.__all__)) == len(ef.__all__)
    for name in ef.__all__:
        found = getattr(ef, name)
        assert inspect.getdoc(found), name
        if inspect.isclass(found):
            for attribute, member in vars(found).items():
                if not attribute.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
                    assert inspect.getdoc(getattr(found, attribute)), f"{name}.{attribute}"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="nope"):
        _ = ef.nope
    assert "Sandbox" in dir(ef)


@pytest.mark.parametrize(
    "first",
    heavy_after(
        1,
        [
            "ef.send",
            "ef.results",
            "ef.plan",
            "ef.Plan",
            "ef.Sandbox",
            "ef.prepare",
            "from esms_frames.apps.cli.main import main",
        ],
    ),
)
def test_results_is_the_function_whatever_was_loaded_first(first):
    code = f"import esms_frames as ef; {first}; print(callable(ef.results), callable(ef.plan))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "True True"


def test_importing_brings_no_web_server_no_widgets_and_no_plots_along():
    heavy = set("werkzeug waitress sqlalchemy tqdm stamina ipywidgets matplotlib phonenumbers click xlsxwriter".split())
    code = f"import sys, esms_frames; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


FIRST_WORDS_THAT_HIDE_THE_VERB = {
    *("Be", "Deal", "Do", "Does", "Give", "Gives", "Have", "Let", "Say", "Says", "Tell", "Tells"),
    *("As", "Of", "That", "Those", "What", "Who", "Whom"),
}


def test_docstrings_begin_with_a_plain_verb_or_noun():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                first = text.split(maxsplit=1)[0].strip(",;:.")
                assert first not in FIRST_WORDS_THAT_HIDE_THE_VERB, (path, text.splitlines()[0])


def test_the_package_is_typed():
    assert (ROOT / "py.typed").exists()
