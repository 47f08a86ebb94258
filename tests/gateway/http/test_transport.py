"""The exchange with the gateway: keys travel in addresses too, and are shown nowhere."""

from __future__ import annotations

import http.client
import logging
import threading
import time
import traceback
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from support.customers import FIFTY
from support.ports import own_port

import esms_frames as ef
from esms_frames.gateway.http.secrets import Keys

KEY, SECRET = "made/up key&%41+?#", "m@de-up=secret;~"
TESTS = Path(__file__).parents[2]
PHONE = "0901888484"

QUERIES = {
    "estimate": lambda client: client.estimate(ef.Message("Xin chao, 2803", "Shop"), [PHONE]),
    "estimate_batch": lambda client: client.estimate(ef.Message("Xin chao", "Shop", "advertising"), FIFTY),
    "brandnames": lambda client: client.brandnames(),
    "templates": lambda client: client.templates("Shop"),
    "status": lambda client: client.status("some-id"),
    "receivers": lambda client: client.receivers("some-id"),
    "sent_frame": lambda client: client.sent_frame(datetime(2030, 1, 1), datetime(2030, 1, 2), "advertising"),
    "balance": lambda client: client.balance(),
    "rehearse": lambda client: client.rehearse(ef.Message("Xin chao", "Shop"), [PHONE]),
    "rehearse_batch": lambda client: client.rehearse(ef.Message("Xin chao", "Shop", "advertising"), FIFTY),
}


def connect(script, **options):
    return ef.Client(KEY, SECRET, base_url=script.url, **options)


def leaks(text):
    """Tell which of the keys can be read in a text, as they are or percent-encoded in any way."""
    low = text.lower()
    return [
        form
        for key in (KEY, SECRET)
        for form in (key, quote(key), quote(key, safe=""), quote_plus(key), key.replace(" ", "+"), repr(key)[1:-1])
        if form.lower() in low
    ]


def shown(error):
    """Write a traceback out as verbosely as Python can, with the locals of every frame below the tests."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    for one in told.stack:
        if Path(one.filename).is_relative_to(TESTS):
            one.locals = {}
    return "".join(told.format()) + repr(error) + repr(vars(error)) + repr(error.args)


def refuse_connections(script):
    script.url = f"http://127.0.0.1:{own_port()}/"


def echo(script):
    """Answer with the whole request, as a debugging proxy may, as an error page."""

    def answer(connection):
        request = script.requests[-1]
        connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % len(request) + request)

    script.answer = answer


def echo_as_json(script):
    words = (
        f"bad {KEY} {SECRET} {quote(KEY, safe='').lower()} {quote_plus(SECRET)} {quote(quote(KEY, safe=''), safe='')}"
    )
    script.says(b'{"CodeResult":"101","ErrorMessage":"%s","ListBrandName":5}' % words.encode())


def echo_with_100(script):
    script.says(b'{"CodeResult":"100","Echo":"%s"}' % f"{KEY} {SECRET}".encode())


TROUBLES = {
    "refused": refuse_connections,
    "time-out": lambda script: setattr(script, "answer", lambda _: time.sleep(0.3)),
    "redirect": lambda script: script.says(
        b"", "302 Found", f"Location: /x?ApiKey={quote(KEY)}&SecretKey={quote(SECRET)}\r\n"
    ),
    "bad redirect": lambda script: script.says(b"", "302 Found", f"Location: http://[{quote(KEY)}\r\n"),
    "cut": lambda script: setattr(script, "answer", b""),
    "cut inside": lambda script: setattr(script, "answer", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "bad head": lambda script: setattr(script, "answer", b"HTTP/1.1 200 OK\r\n: x\r\nnonsense\r\n\r\n{}"),
    "echo": echo,
    "echo as JSON": echo_as_json,
    "echo with 100": echo_with_100,
}


# An answer with 100 and no id accepts a rehearsal, so that is no trouble.
CASES = [(t, q) for t in TROUBLES for q in QUERIES if not (t == "echo with 100" and q.startswith("rehearse"))]


@pytest.mark.parametrize(("trouble", "query"), CASES)
def test_no_trouble_brings_a_key_into_an_error_a_log_or_a_traceback(script, caplog, query, trouble):
    caplog.set_level(logging.DEBUG)
    TROUBLES[trouble](script)
    with connect(script, timeout=(1, 0.1)) as client, pytest.raises(ef.GatewayError) as caught:
        QUERIES[query](client)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    text = shown(caught.value)
    logged = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert leaks(text) == []
    assert leaks(logged) == []
    assert PHONE not in logged


@pytest.mark.parametrize("query", QUERIES)
def test_pythons_own_http_prints_no_key_when_it_is_told_to_print_all(script, capsys, monkeypatch, query):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    script.says(b"{}")
    with pytest.raises(ef.EsmsError):
        QUERIES[query](connect(script))
    assert script.requests
    assert leaks(capsys.readouterr().out) == []


def test_the_request_line_carries_what_the_page_says_and_the_log_does_not(script, caplog):
    caplog.set_level(logging.DEBUG)
    script.says(b'{"CodeResult":"100","TotalPrice":850,"TotalReceiver":1}')
    message = ef.Message("2803 là mã & 50%", "Shop")
    assert connect(script).estimate(message, [PHONE]).price == 850
    key, secret = quote(KEY, safe=""), quote(SECRET, safe="")
    line = script.requests[0].partition(b"\r\n")[0].decode()
    assert line == (
        f"GET /SummaryMultipleMessage_V4_get?Phone={PHONE}&Content=2803%20l%C3%A0%20m%C3%A3%20%26%2050%25&SmsType=2"
        f"&BrandName=Shop&IsUnicode=1&ApiKey={key}&SecretKey={secret} HTTP/1.1"
    )
    assert '"GET /SummaryMultipleMessage_V4_get HTTP/1.1" 200' in caplog.text
    script.says(b'{"CodeResponse":"100","ListBrandName":[]}')
    assert connect(script).brandnames() == ()
    assert script.requests[1].startswith(f"GET /GetListBrandname/{key}/{secret} HTTP/1.1\r\n".encode())
    assert b"Content-" not in script.requests[1]


@pytest.mark.parametrize("moment", ["putheader", "endheaders", "send", "getresponse", "connect"])
@pytest.mark.parametrize("query", ["status", "brandnames", "balance"])
def test_an_interruption_at_any_moment_goes_on_and_shows_no_key(script, monkeypatch, moment, query):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"http.client.HTTPConnection.{moment}", interrupt)
    if moment in {"connect", "putheader"}:
        monkeypatch.setattr(f"urllib3.connection.HTTPConnection.{moment}", interrupt)
    script.answer = b""
    with pytest.raises(KeyboardInterrupt) as caught:
        QUERIES[query](connect(script))
    assert caught.value.__context__ is None
    assert leaks(shown(caught.value)) == []


def test_two_threads_keep_their_addresses_apart(script):
    script.says(b'{"CodeResponse":"105"}')
    client = connect(script)

    def ask(name):
        with pytest.raises(ef.Refused):
            client.status(name)

    threads = [threading.Thread(target=ask, args=(f"id-{n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = sorted(request.split(b"RefId=")[1].split(b"&")[0] for request in script.requests)
    assert asked == sorted(b"id-%d" % n for n in range(20))


def test_a_post_after_a_query_has_no_tail(script):
    client = connect(script)
    script.says(b'{"CodeResponse":"105"}')
    with pytest.raises(ef.Refused):
        client.status("some-id")
    script.says(b'{"CodeResponse":"100","Balance":1}')
    client.balance()
    assert script.requests[1].startswith(b"POST /GetBalance_json HTTP/1.1\r\n")


def test_keys_are_masked_in_every_spelling():
    keys = Keys("a/b c", "%41")
    for text in ("a/b c", "a%2Fb%20c", "a%2fb+c", "a%252Fb%2520c", "%41", "%2541", "a/b%20c"):
        assert keys.mask(f"<{text}>") == "<…>"
    assert keys.mask("a/b d") == "a/b d"


def test_a_key_that_the_excerpt_would_cut_is_not_shown_in_part(script):
    for before in range(7800, 8300, 7):
        page = b"<script>" + b"x" * before + KEY.encode() + b"</script>" + SECRET.encode() * 100
        script.says(page, "500 Oops")
        with pytest.raises(ef.BadAnswer) as caught:
            connect(script).balance()
        assert KEY[:5] not in caught.value.excerpt
        assert SECRET[:5] not in caught.value.excerpt
