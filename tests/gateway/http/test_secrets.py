"""Keys are in nothing that is shown: whatever looks into frames, slices values, or comes at a bad moment."""

from __future__ import annotations

import dataclasses
import html
import logging
import sys
import traceback
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from support.customers import FIFTY
from support.peers import Peer, answer

import esms_frames as ef
from esms_frames.gateway.http.secrets import Hidden, Keys, remove_secret, shield

KEY, SECRET = "made-up/key&%41+?#", "m@de-up=secret;~"
TESTS = str(Path(__file__).parents[2])
MESSAGE = ef.Message("Cam on quy khach!", "Baotrixemay", callback_url="https://hooks.example.vn/made-up/{token}")


def connect(script, **options):
    return ef.Client(KEY, SECRET, base_url=script.url, **options)


def parts_of(value):
    """List what a value consists of, for what looks into containers and dataclasses."""
    if isinstance(value, Mapping):
        return [one for pair in list(value.items()) for one in pair]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if dataclasses.is_dataclass(value):
        return [getattr(value, one.name) for one in dataclasses.fields(value)]
    return []


def texts_in(value, depth=0):
    """List every text that a debugger, a log handler or a verbose traceback can have of a value, sliced ones too."""
    texts = []
    if isinstance(value, Future):  # whose lock an interrupt can leave taken: its text, which needs it, never comes
        return texts
    with suppress(Exception):  # objects that are half made
        if isinstance(value, str):
            texts.append(value[:])
        elif isinstance(value, (bytes, bytearray, memoryview)):
            texts.append(bytes(value[:]).decode("utf-8", "replace"))
        elif depth < 6:
            texts += [text for one in parts_of(value) for text in texts_in(one, depth + 1)]
    for show in (repr, str):
        with suppress(Exception):
            texts.append(show(value))
    return texts


def leaks(frames, tokens=()):
    """List where secrets stand among the locals of frames that are not a test's."""
    secrets = [form for secret in (KEY, SECRET, *tokens) for form in (secret, quote(secret, safe=""))]
    return [
        (frame.f_code.co_filename, frame.f_lineno, name)
        for frame in frames
        if not frame.f_code.co_filename.startswith(TESTS)
        for name, value in list(frame.f_locals.items())
        if any(secret in text for text in texts_in(value) for secret in secrets)
    ]


def frames_of(error):
    """Find all frames that an error leads to, by its causes and contexts too."""
    seen = []
    while error is not None:
        seen += [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return seen


class Looking(logging.Handler):
    """A handler that takes the stack with every record, as error trackers do."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.found, self.records = [], 0

    def emit(self, record):
        self.records += 1
        self.found += leaks(frame for frame, _ in traceback.walk_stack(sys._getframe()))


DOINGS = {
    "send": lambda client: client.send(MESSAGE._with_token("made-up-token"), FIFTY),
    "balance": lambda client: client.balance(),
    "status": lambda client: client.status("some-id"),
    "brandnames": lambda client: client.brandnames(),
    "rehearse": lambda client: client.rehearse(ef.Message("Xin chao", "Shop"), FIFTY[:1]),
}


@pytest.mark.parametrize("doing", DOINGS)
def test_what_takes_the_stack_with_a_log_record_sees_no_key_even_sliced(script, doing):
    script.says(f'{{"CodeResult":"101","ErrorMessage":"{KEY} {SECRET}"}}'.encode())
    looking, root = Looking(), logging.getLogger()
    level = root.level
    root.addHandler(looking)
    root.setLevel(logging.DEBUG)
    try:
        with pytest.raises(ef.Refused) as caught:
            DOINGS[doing](connect(script))
    finally:
        root.removeHandler(looking)
        root.setLevel(level)
    assert looking.records
    assert looking.found == []
    assert leaks(frames_of(caught.value)) == []


def interrupted(do, count, only=""):
    """Press Ctrl-C at the n-th line of a call below the tests, at 0 at none: how many lines there were, and the error."""
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        file = frame.f_code.co_filename
        if "weakref" in file:  # what is raised there goes nowhere
            return None
        if event == "line" and file.startswith(only) and not file.startswith((TESTS, "<frozen")):
            lines += 1
            if lines == count:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    def run():
        sys.settrace(trace)
        try:
            do()
        except (KeyboardInterrupt, ef.EsmsError) as error:
            return error
        finally:
            sys.settrace(None)
        return None

    with ThreadPoolExecutor(1) as thread:  # whose state of exceptions ends with it, however it was left
        error = thread.submit(run).result()
    return lines, error


@pytest.fixture
def echoing():
    """A server that refuses with the keys in its words, so that they are masked."""

    def refuse(talk):
        while talk.request():
            talk.say(answer(f'{{"CodeResult":"101","ErrorMessage":"{KEY} {SECRET}"}}'.encode()))

    with Peer(refuse) as peer:
        yield peer


def interrupted_anew(peer, do, count, only=""):
    """Interrupt a call of a client that has connections of its own, for an interrupt can leave a library's lock taken.

    So it is not closed either.
    """
    client = ef.Client(KEY, SECRET, base_url=peer.url(), timeout=0.5)
    return interrupted(lambda: do(client), count, only)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("doing", ["send", "status", "brandnames"])
def test_ctrl_c_at_any_line_of_a_request_shows_no_key(echoing, doing):
    lines, _ = interrupted_anew(echoing, DOINGS[doing], 0)
    assert lines > 500
    for count in range(1, lines, max(1, lines // 80)):
        _, error = interrupted_anew(echoing, DOINGS[doing], count)
        assert leaks(frames_of(error)) == [], f"at line {count}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_line_of_this_packages_own_shows_no_key(echoing):
    package = str(Path(ef.__file__).parent)
    lines, _ = interrupted_anew(echoing, DOINGS["status"], 0, package)
    for count in range(1, lines + 1):
        _, error = interrupted_anew(echoing, DOINGS["status"], count, package)
        assert leaks(frames_of(error)) == [], f"at line {count} of {lines}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_a_client_is_made_shows_no_key(monkeypatch):
    monkeypatch.setenv("ESMS_API_KEY", KEY)
    monkeypatch.setenv("ESMS_SECRET_KEY", SECRET)
    for make, first in ((lambda: ef.Client(KEY, SECRET), 3), (ef.Client.from_env, 1)):
        lines, _ = interrupted(make, 0)
        for count in range(first, lines):  # the first line has been given the keys, as the line that called it has
            _, error = interrupted(make, count)
            assert leaks(frames_of(error)) == [], f"at line {count}"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ef.Client(f"ApiKey:\n{KEY}", SECRET),
        lambda: ef.Client(KEY, f"{SECRET}\nApiKey: {KEY}"),
        lambda: ef.Client(KEY, SECRET + "é"),
        lambda: ef.Client(KEY, SECRET, timeout="60"),
        lambda: ef.Client(KEY, SECRET, base_url="http://gateway.example/"),
        lambda: ef.Client(KEY, SECRET, send_paths={"promo": ""}),
    ],
)
def test_a_client_that_cannot_be_made_shows_no_key(make):
    with pytest.raises(ef.InvalidInput) as caught:
        make()
    assert leaks(frames_of(caught.value)) == []


@pytest.mark.parametrize("wrong", [{"ESMS_BASE_URL": "ftp://x"}, {"ESMS_SECRET_KEY": ""}, {"timeout": "60"}])
def test_a_notebooks_verbose_traceback_does_not_show_the_environment(monkeypatch, wrong):
    from IPython.core.ultratb import VerboseTB

    monkeypatch.setenv("ESMS_API_KEY", KEY)
    monkeypatch.setenv("ESMS_SECRET_KEY", SECRET)
    for name, value in wrong.items():
        if name.isupper():
            monkeypatch.setenv(name, value)
    try:
        ef.Client.from_env(**{name: value for name, value in wrong.items() if name.islower()})
    except ef.InvalidInput:
        shown = VerboseTB(include_vars=True).text(*sys.exc_info())
    assert "from_env" in shown
    assert KEY not in shown
    assert SECRET not in shown


SPELLINGS = {
    "as it is": KEY,
    "in capitals": KEY.upper(),
    "percent-encoded": quote(KEY, safe=""),
    "twice": quote(quote(KEY, safe=""), safe=""),
    "escaped as in JSON": KEY.replace("/", "\\/").replace("&", "\\u0026"),
    "with soft hyphens": "\u00ad".join(KEY),
    "with zero-width blanks": "\u200b".join(KEY),
    "with joiners and marks": "\u200d\u2060".join(KEY) + "\ufeff",
    "as entities": "&shy;".join(html.escape(character) for character in KEY),
    "wrapped": f"{KEY[:7]}\r\n  {KEY[7:]}",
    "with markup in it": f"{KEY[:4]}<wbr>{KEY[4:9]}<b>{KEY[9:]}</b>",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_that_is_echoed_in_another_spelling_is_masked(script, spelling):
    for page, status in ((f"<p>Bad request: {spelling} .</p>", "400 Bad Request"), (spelling, "500 Oops")):
        script.says(page.encode(), status)
        with pytest.raises(ef.BadAnswer) as caught:
            connect(script).balance()
        plain = "".join(character for character in str(caught.value) if character.isprintable() and character != " ")
        assert "made" not in plain.lower()
        assert "key" not in plain.lower()


def test_what_is_hidden_is_no_text():
    hidden = Hidden("made-up")
    for show in (repr, str, "{}".format, lambda value: f"{value!r:>20}"):
        assert "made-up" not in show(hidden)
    with pytest.raises(TypeError):
        hidden[:3]
    assert hidden.reveal() == "made-up"
    assert "made-up" not in "".join(
        texts_in([hidden, Keys("made-up", "made-up"), MESSAGE._with_token("made-up-x")])
    ).replace("hooks.example.vn/made-up", "")


def test_the_error_goes_on_and_its_frames_do_not():
    def fail():
        secret = {KEY: 1}
        try:
            secret[SECRET]
        except KeyError as error:
            raise ValueError("no") from error

    with pytest.raises(ValueError, match="no") as caught:
        shield(fail)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "fail" not in {frame.f_code.co_name for frame in frames_of(caught.value)}
    assert shield(lambda: 5) == 5


def test_an_empty_secret_masks_nothing():
    assert remove_secret("", "text") == "text"
