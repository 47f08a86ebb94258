"""Keys are in no repr, copy, log, error or traceback, however verbose."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import time
import traceback
from pathlib import Path

import pytest
from support.connecting import KEY, SECRET, connect
from support.customers import FIFTY

import esms_frames as ef

TESTS = Path(__file__).parents[1]


def test_keys_are_in_no_repr_and_no_copy():
    connected = ef.Client(KEY, SECRET)
    way = connected._transport
    shown = f"{connected!r} {connected} {vars(connected)} {vars(way)} {vars(way._adapter())} {way.keys}"
    assert KEY not in shown
    assert SECRET not in shown
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="from_env"):
            take(connected)


def failures(script, message):
    yield lambda: ef.Client(KEY, SECRET, base_url="http://gateway.example/")
    yield lambda: ef.Client(KEY, SECRET, timeout=0)
    yield lambda: ef.Client(KEY, SECRET, send_paths={"promo": ""})
    yield lambda: ef.Client(KEY, "")
    yield lambda: connect(script).send(message, FIFTY, request_id="a\x00b")
    yield lambda: connect(script).send(message, FIFTY, campaign="a\x00b")
    yield lambda: ef.Client(KEY, SECRET, base_url="http://127.0.0.1:9/").send(message, FIFTY)
    yield lambda: connect(script, timeout=(1, 0.1)).send(message, FIFTY)
    yield lambda: connect(script, timeout=(1, 0.1)).balance()


def test_keys_are_in_no_log_error_or_traceback_however_verbose(script, message, caplog):
    caplog.set_level(logging.DEBUG)
    shown = io.StringIO()

    def echo(connection):
        time.sleep(0.3)

    script.answer = echo
    for fail in failures(script, message):
        try:
            fail()
        except ef.EsmsError as error:
            assert error.__cause__ is None
            assert error.__context__ is None
            shown.write("".join(traceback.format_exception(error)))
            frame = error.__traceback__
            while frame is not None:  # what a debugger or %xmode Verbose would show
                if not Path(frame.tb_frame.f_code.co_filename).is_relative_to(TESTS):
                    shown.write(repr({name: repr(value) for name, value in frame.tb_frame.f_locals.items()}))
                frame = frame.tb_next
        else:
            pytest.fail("no error")
    shown.write(caplog.text)
    assert KEY not in shown.getvalue()
    assert SECRET not in shown.getvalue()


def test_keys_that_the_server_echoes_are_not_in_the_excerpt(script, message):
    script.says(f"<h1>Bad request: {KEY} {SECRET}</h1>".encode(), "400 Bad Request")
    with pytest.raises(ef.BadAnswer) as error:
        connect(script).send(message, FIFTY)
    assert KEY not in str(error.value)
    assert SECRET not in error.value.excerpt


def test_an_interrupted_request_shows_no_key(script, message, monkeypatch):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("http.client.HTTPConnection.getresponse", interrupt)
    script.answer = lambda _: None
    with pytest.raises(KeyboardInterrupt) as caught:
        connect(script).send(message, FIFTY)
    frames = [entry.frame for entry in caught.traceback if not entry.path.is_relative_to(TESTS)]
    assert frames
    for frame in frames:
        shown = repr({name: repr(value) for name, value in frame.f_locals.items()})
        assert KEY not in shown
        assert SECRET not in shown
