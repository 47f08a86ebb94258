"""`fits`: a text against registered templates, exactly, and in bounded time."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import esms_frames as ef


def fit(content, *templates):
    return ef.fits(content, [ef.Template(n, None, text) for n, text in enumerate(templates)])


PUBLISHED = [  # by the vendor, on its page on templates; the last is shortened
    "{P1,20} la ma xac minh dang ky Baotrixemay cua ban",
    "Baotrixemay da nhan duoc so tien thanh toan {P2,20} VND luc {P2,20} cho don hang {P1,20}. Cam on quy khach!",
    "Cam on quy khach da su dung dich vu cua chung toi. Chuc quy khach mot ngay tot lanh!",
    "Chuc mung sinh nhat {P2,50}. Nhan dip sinh nhat xin gui den {P2,50} coupon {P2,20}. Tran trong.",
]


@pytest.mark.parametrize(
    ("content", "fitting"),
    [
        ("2803 la ma xac minh dang ky Baotrixemay cua ban", 0),
        (
            "Baotrixemay da nhan duoc so tien thanh toan 100,000 VND luc 08:00 1/2 cho don hang A-1. Cam on quy khach!",
            1,
        ),
        ("Cam on quy khach da su dung dich vu cua chung toi. Chuc quy khach mot ngay tot lanh!", 2),
        ("Chuc mung sinh nhat chi Lan. Nhan dip sinh nhat xin gui den chi coupon TET50. Tran trong.", 3),
    ],
)
def test_the_vendors_templates_take_their_fillings(content, fitting):
    found = fit(content, *PUBLISHED)
    assert found
    assert (found.template.template_id, found.position, found.expected, found.found) == (fitting, None, "", "")
    assert PUBLISHED[fitting] in found.sentence


@pytest.mark.parametrize(
    ("template", "content", "does"),
    [
        ("{P1,3}", "abc", True),
        ("{P1,3}", "abcd", False),
        ("{P1,3}", "", True),  # nothing says that a variable may not be empty
        ("{P1,0}x", "x", True),
        ("a{P1,3}", "a", True),
        ("a{P1,3}b", "ab", True),
        ("{P1,2}{P2,3}", "abcde", True),  # two side by side
        ("{P1,2}{P2,3}", "abcdef", False),
        ("{P1,20}a{P1,20}a", "aaa", True),
        ("{P1,9} x {P1,9}", "a x x b", True),
        ("{P1,9}\n{P1,9}", "a\n\nb", True),  # line breaks, in the text and in a variable
        ("a\r\nb", "a\nb", False),
        (r"a.*(b)[c]+\d$^|?{P1,2}", r"a.*(b)[c]+\d$^|?", True),
        (r"a.*b", "axxb", False),
        ("{P1,20", "{P1,20", True),  # braces that are no variable
        ("{P1,20", "x", False),
        ("{p1,20} {P1, 20} {P,20} {P1} {}", "{p1,20} {P1, 20} {P,20} {P1} {}", True),
        ("{{P1,2}}", "{ab}", True),
        ("{P1,999999999}", "x" * 3000, True),
        ("{P1," + "9" * 5000 + "}", "x", False),
        ("Đặng", unicodedata.normalize("NFD", "Đặng"), True),
        (unicodedata.normalize("NFD", "{P1,4}!"), unicodedata.normalize("NFD", "Đặng!"), True),
        ("Dang", "Đặng", False),  # accents and case count
        ("dang", "Dang", False),
        ("a  b", "a b", False),
        ("", "", True),
        ("", "a", False),
        ("😀{P1,1}", "😀😀", True),
    ],
)
def test_what_fits_and_what_does_not(template, content, does):
    assert bool(fit(content, template)) is does


@pytest.mark.parametrize(
    ("template", "content", "position", "expected", "found"),
    [
        ("Cam on quy khach!", "Cam on quy vi!", 11, "khach!", "vi!"),
        ("Cam on {P1,3}!", "Cam on Lan, chi khoe?", 10, "!", ", chi khoe?"),
        ("Cam on {P1,9}!", "Cam on Lan", 10, "!", ""),
        ("Cam on", "Cam on Lan", 6, "", " Lan"),
        ("{P1,2}abc", "xabx", 3, "c", "x"),
        ("{P1,5}abc", "xxxxxxxx", 5, "abc", "xxx"),
        ("abc", "xyz", 0, "abc", "xyz"),
        ("a" * 50, "b" * 50, 0, "a" * 20, "b" * 20),
        ("{P1,3}b", "", 0, "b", ""),
    ],
)
def test_where_it_stops_fitting_is_the_longest_beginning_that_some_filling_has(
    template, content, position, expected, found
):
    stop = fit(content, template)
    assert not stop
    assert (stop.position, stop.expected, stop.found) == (position, expected, found)
    assert f"after {position} character" in stop.sentence
    assert (repr(found) if found else "the text ends") in stop.sentence
    assert (repr(expected) if expected else "the end of the text") in stop.sentence


def test_the_nearest_is_the_one_that_fits_for_the_longest_then_the_likest():
    content = "Cam on quy khach da mua hang!"
    assert fit(content, "Cam on quy vi", "Cam on quy khach {P1,2}", "Cam on").template.template_id == 1
    assert fit(content, "x y z", "- quy khach da mua hang!", "- quy khach").template.template_id == 1
    assert fit(content, "abc", "abc").template.template_id == 0


def test_without_templates_nothing_fits_and_it_is_said_so():
    none = fit("Xin chao")
    assert not none
    assert (none.template, none.position) == (None, None)
    assert "no registered template" in none.sentence


@pytest.mark.parametrize(
    ("content", "templates", "says"),
    [
        (None, [], "text"),
        (b"x", [], "text"),
        ("x", ["x"], "client.templates"),
        ("x", None, "client.templates"),
        ("x", [None], "client.templates"),
        ("x", ef.Template(1, None, "x"), "client.templates"),
    ],
)
def test_what_is_no_text_or_template_is_refused(content, templates, says):
    with pytest.raises(ef.InvalidInput, match=says):
        ef.fits(content, templates)


LETTERS = st.text("ab{}P1,2\n", max_size=12)
VARIABLES = st.integers(0, 4).map(lambda room: f"{{P1,{room}}}")
TEMPLATES = st.lists(st.one_of(LETTERS, VARIABLES), max_size=6).map("".join)


def pattern_of(template):
    """Give a regular expression for each beginning of the template; the last is for the whole."""
    pattern, beginnings = "", [""]
    for n, piece in enumerate(re.split(r"(\{P[0-9]{1,9},[0-9]{1,9}\})", template)):
        for part in [f"(?s:.{{0,{piece[4:-1]}}})"] if n % 2 else map(re.escape, piece):
            pattern += part
            beginnings.append(pattern)
    return beginnings


@given(TEMPLATES, st.text("ab{}P1,2\n", max_size=16))
def test_it_judges_as_regular_expressions_would(template, content):
    found, beginnings = fit(content, template), pattern_of(template)
    assert bool(found) is (re.fullmatch(beginnings[-1], content) is not None)
    longest = max(n for n in range(len(content) + 1) if any(re.fullmatch(b, content[:n]) for b in beginnings))
    assert found.position == (None if found else longest)


@given(st.data(), st.lists(st.one_of(st.text("abc ", max_size=6), st.integers(0, 5)), max_size=8))
def test_every_filling_fits_and_every_beginning_of_one_fits_to_its_end(data, pieces):
    template = "".join(piece if isinstance(piece, str) else f"{{P1,{piece}}}" for piece in pieces)
    content = "".join(p if isinstance(p, str) else data.draw(st.text("abc é", max_size=p)) for p in pieces)
    assert fit(content, template)
    part = content[: data.draw(st.integers(0, len(content)))]
    found = fit(part, template)
    assert found or found.position == len(part)


def test_hostile_templates_take_no_time():
    content = "a" * 2000
    start = time.monotonic()
    for template in ("{P1,9}a" * 500 + "b", "{P1,2000}" * 200 + "b", "{P1,1}" * 1999, "a{P1,2000}a" * 300 + "b"):
        assert not fit(content, template)
    assert time.monotonic() - start < 2
