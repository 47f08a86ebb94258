"""What docs/ says is true: it is written anew where it is written by a script, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.documents import script_of_docs

import esms_frames as ef
from esms_frames.base.codes import CODES
from esms_frames.recipients.phones.problems import Problem
from esms_frames.reporting.frame import Status

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", ["make_api", "make_codes"])
def test_a_page_that_is_written_by_a_script_is_up_to_date(name):
    script = script_of_docs(name)
    written = script.TARGET.read_text(encoding="utf-8")
    assert written == script.page(), f"run python docs/{name}.py"


def test_the_reference_has_every_public_name():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == set(ef.__all__) - {"SAMPLE"}


@pytest.mark.parametrize("name", [name for name in ef.__all__ if hasattr(getattr(ef, name), "__mro__")])
def test_what_tab_shows_of_a_class_is_in_the_reference(name):
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    entry = re.search(rf"^## {name}$.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)[0]
    described = re.findall(r"^- \*\*([\w, ]+)\*\*", entry, re.MULTILINE)
    there = {*re.findall(rf"^### {name}\.(\w+)$", entry, re.MULTILINE), *re.findall(r"\w+", " ".join(described))}
    ours = [kind for kind in getattr(ef, name).__mro__ if kind.__module__.startswith("esms_frames.")]
    shown = {member for kind in ours for member in [*vars(kind), *getattr(kind, "__annotations__", ())]}
    assert {member for member in shown if not member.startswith("_") and not member.isupper()} <= there


def test_every_code_has_something_to_do():
    page = (ROOT / "docs" / "codes.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == list(CODES)


@pytest.mark.heavy
def test_the_picture_can_be_drawn_in_both_languages(tmp_path):
    script_of_docs("make_picture").draw(tmp_path)
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert set(drawn) == {path.name for path in (ROOT / "docs").glob("*.png") if path.name.startswith("results.")}
    assert all(len(image) > 10_000 for image in drawn.values())


def columns_named(title):
    page = (ROOT / "docs" / "frames.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(title)}.*?\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)[1]
    table = re.search(r"\| column \|.*?\n\n", section, re.DOTALL)[0]
    return [name for line in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]


def test_the_columns_of_the_frames_are_those_that_come(client, customers, message):
    by = ["a"] * len(customers)
    assert columns_named("`ef.normalize_phones(column)`") == list(ef.normalize_phones(["0901888484"]).columns)
    assert columns_named("`ef.prepare(df).frame`") == list(ef.prepare(customers, by=by).frame.columns)
    results = ef.send(customers, {"a": message}, client, by=by, campaign="docs", progress=False)
    assert sorted(columns_named("`ef.send`")) == sorted(results.columns)
    tracked = ef.track(results, client, progress=False)
    assert columns_named("`ef.track(results, client)`") == [n for n in tracked.columns if n not in results.columns]
    assert sorted(columns_named("`ef.summarize(results, by)`")) == sorted(ef.summarize(tracked).columns)
    page = (ROOT / "docs" / "frames.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page.split("campaigns()`")[1] for name in ef.Journal().campaigns().columns)


@pytest.mark.parametrize("page", ["docs/frames.md", "README.vi.md"])
def test_every_status_and_problem_is_explained(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in [*Status, *Problem])


def test_the_tests_of_the_promises_exist():
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8"))
    there = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert not [name for name in named if f"def {name}(" not in there]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target, _, heading = "".join(link).partition("#")
        if not target:
            assert heading.removesuffix("-1") in headings, heading
        elif not target.startswith("http"):
            assert (page.parent / target).exists(), target
