"""The sandbox answers other people's clients: what they write, byte by byte, and how they look for the answer."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlencode

import pytest
from support.customers import FIFTY

import esms_frames as ef

if TYPE_CHECKING:
    from collections.abc import Callable

OTP = "2803 la ma xac minh dang ky Baotrixemay cua ban"
ACCENTS = "Cảm ơn quý khách đã mua hàng/dịch vụ, giảm 20%!"
PHONE = "0901888484"
PATH = "/MainService.svc/json/"
SANDBOX = {"customer_care_floor": 1, "report_delay": 0, "failure_rates": {"MobiFone": 0}}
KEYS = {"api_key": "a1B2/c3", "secret_key": "x9/Y8+z7=&"}


@pytest.fixture
def sandbox():
    """An account with a key that has to be encoded, and with the floor of the vendor's one-number XML sample."""
    with ef.Sandbox(**SANDBOX, **KEYS) as running:
        yield running


# What clients look for


def has_text(answer):
    """Search the text, as eight public clients do."""
    return '"CodeResult":"100"' in answer


def has_pattern(answer):
    return re.search(r'"CodeResult":"(\d+)"', answer)[1] == "100"


def has_field(answer):
    return json.loads(answer)["CodeResult"] == "100"


def has_number(answer):
    """Compare loosely, as PHP's == does."""
    return int(json.loads(answer)["CodeResult"]) == 100


def has_struct(answer):
    """Decode into declared fields, as Go and C# do: all of them are there, with their types."""
    found = json.loads(answer)
    return (found["CodeResult"], found["CountRegenerate"], type(found["SMSID"])) == ("100", 0, str)


# What clients write


def get(path, query, *headers, version="1.1", encode=quote):
    target = PATH + path + ("?" + urlencode(query, quote_via=encode) if query else "")
    return "\r\n".join([f"GET {target} HTTP/{version}", "Host: 127.0.0.1", *headers, "", ""]).encode()


def post(path, body, *headers, sized=True, version="1.1"):
    lines = [f"POST {PATH}{path} HTTP/{version}", "Host: 127.0.0.1", *headers]
    lines += [f"Content-Length: {len(body)}"] if sized else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(path, body, *headers, sizes=(1, 40, 10_000), ends="0\r\n\r\n"):
    lines = [f"POST {PATH}{path} HTTP/1.1", "Host: 127.0.0.1", *headers, "Transfer-Encoding: chunked", "", ""]
    chunks, rest = b"", body
    for size in sizes:
        chunks += b"%X\r\n%s\r\n" % (len(rest[:size]), rest[:size]) if rest[:size] else b""
        rest = rest[size:]
    return "\r\n".join(lines).encode() + chunks + ends.encode()


def fields(content=OTP, **changed):
    asked = {"ApiKey": KEYS["api_key"], "SecretKey": KEYS["secret_key"], "Content": content, "Phone": PHONE}
    return {**asked, "Brandname": "Baotrixemay", "SmsType": "2", **changed}


def renamed(names, content=OTP, **changed):
    """Write the names as some client does."""
    return {names.get(name, name): value for name, value in fields(content, **changed).items()}


LOWER = {name: name.lower() for name in fields()}
APIKEY = {"ApiKey": "APIKey"}
APIKEY_2 = {"ApiKey": "Apikey"}


def compact(asked, *, ascii_only=True):
    return json.dumps(asked, separators=(",", ":"), ensure_ascii=ascii_only).encode()


def php_json(asked):
    """Write JSON as PHP's json_encode does: slashes are escaped."""
    return compact(asked).replace(b"/", b"\\/")


def xml(content=OTP, phones=(PHONE,), declaration="", sep="\n", **changed):
    of = {"APIKEY": KEYS["api_key"], "SECRETKEY": KEYS["secret_key"].replace("&", "&amp;"), "CONTENT": content}
    of |= {"SMSTYPE": "2", "BRANDNAME": "Baotrixemay", **changed}
    inner = [f"<{name}>{value}</{name}>" for name, value in of.items()]
    numbers = [f"<CUSTOMER><PHONE>{phone}</PHONE></CUSTOMER>" for phone in phones]
    return (declaration + sep.join(["<RQST>", *inner, "<CONTACTS>", *numbers, "</CONTACTS>", "</RQST>"])).encode()


PERIOD = {"From": "2000-01-01 00:00:00", "To": "2100-01-01 00:00:00", "Page": 1, "PageSize": "50"}
JSON, FORM = "SendMultipleMessage_V4_post_json/", "SendMultipleMessage_V4_post/"
GET, XML, ADS = "SendMultipleMessage_V4_get", "SendMultipleMessage_V4/", "SendMultipleSMSBrandname_json/"


@dataclass(frozen=True)
class Shape:
    """A client's request, and how it finds that it was accepted."""

    name: str
    request: bytes
    is_accepted: Callable[[str], bool]
    content: str = OTP

    def __str__(self):
        return self.name


CURL = ("Accept: */*",)
SHAPES = [
    Shape(
        "PHP curl, JSON",
        post(JSON, php_json(fields(ACCENTS)), *CURL, "Content-Type: application/json"),
        has_number,
        ACCENTS,
    ),
    Shape(
        "PHP curl, XML without a content type is sent as a form",
        post(XML, xml(ACCENTS), *CURL, "Content-Type: application/x-www-form-urlencoded"),
        has_text,
        ACCENTS,
    ),
    Shape("PHP curl, XML as text/xml", post(XML, xml(), *CURL, "Content-Type: text/xml; charset=UTF8"), has_text),
    Shape(
        "PHP curl, form by http_build_query",
        post(
            FORM,
            urlencode(renamed(APIKEY_2, ACCENTS), quote_via=quote_plus).encode(),
            *CURL,
            "Content-Type: application/x-www-form-urlencoded",
        ),
        has_text,
        ACCENTS,
    ),
    Shape(
        "PHP file_get_contents", get(GET, fields(), "Connection: close", version="1.0", encode=quote_plus), has_number
    ),
    Shape(
        "PHP file_get_contents with a context",
        post(JSON, php_json(fields()), "Connection: close", "Content-Type: application/json", version="1.0"),
        has_text,
    ),
    Shape(
        "PHP Guzzle, json",
        post(JSON, php_json(renamed(LOWER, ACCENTS)), "User-Agent: GuzzleHttp/7", "Content-Type: application/json"),
        has_number,
        ACCENTS,
    ),
    Shape(
        "Python requests, json=",
        post(
            JSON,
            json.dumps(fields(ACCENTS)).encode(),
            "User-Agent: python-requests/2.32.3",
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
            "Content-Type: application/json",
        ),
        has_field,
        ACCENTS,
    ),
    Shape(
        "Python requests, data=json.dumps() has no content type",
        post(JSON, json.dumps(fields()).encode(), "Accept: */*", "Connection: keep-alive"),
        has_field,
    ),
    Shape(
        "Python urllib, form",
        post(
            FORM,
            urlencode(renamed(APIKEY)).encode(),
            "Accept-Encoding: identity",
            "Content-Type: application/x-www-form-urlencoded",
            "User-Agent: Python-urllib/3.12",
            "Connection: close",
        ),
        has_text,
    ),
    Shape(
        "Python httpx, json=",
        post(
            JSON,
            compact(renamed(LOWER, ACCENTS), ascii_only=False),
            "Accept: */*",
            "Accept-Encoding: gzip, deflate, br, zstd",
            "Connection: keep-alive",
            "User-Agent: python-httpx/0.28",
            "Content-Type: application/json",
        ),
        has_field,
        ACCENTS,
    ),
    Shape(
        "Python aiohttp, params=",
        get(
            GET,
            renamed(APIKEY, ACCENTS, IsUnicode=1),
            "Accept: */*",
            "Accept-Encoding: gzip, deflate",
            encode=quote_plus,
        ),
        has_field,
        ACCENTS,
    ),
    Shape(
        "Node http, JSON.stringify without a length",
        chunked(
            JSON, compact(fields(ACCENTS), ascii_only=False), "Content-Type: application/json", "Connection: keep-alive"
        ),
        has_field,
        ACCENTS,
    ),
    Shape(
        "Node axios",
        post(
            JSON,
            compact(fields(ACCENTS), ascii_only=False),
            "Accept: application/json, text/plain, */*",
            "Content-Type: application/json",
            "User-Agent: axios/1.7.9",
            "Accept-Encoding: gzip, compress, deflate, br",
            "Connection: keep-alive",
        ),
        has_field,
        ACCENTS,
    ),
    Shape(
        "Node fetch, a text as the body",
        post(
            JSON,
            compact(fields()),
            "connection: keep-alive",
            "content-type: text/plain;charset=UTF-8",
            "accept: */*",
            "accept-language: *",
            "sec-fetch-mode: cors",
            "user-agent: node",
        ),
        has_field,
    ),
    Shape(
        "TypeScript got, searchParams",
        get(GET, {**fields(), "SandBox": "0", "RequestId": "96accf59"}, "accept: application/json"),
        has_pattern,
    ),
    Shape(
        "Go net/http, json.Marshal",
        post(
            JSON,
            compact({**fields(), "IsUnicode": 0, "Sandbox": "0", "campaignid": "", "RequestId": "", "CallbackUrl": ""}),
            "User-Agent: Go-http-client/1.1",
            "Content-Type: application/json",
            "Accept-Encoding: gzip",
        ),
        has_struct,
    ),
    Shape(
        "Go net/http, a reader of unknown length",
        chunked(
            XML,
            xml(),
            "User-Agent: Go-http-client/1.1",
            "Content-Type: application/text/plain",
            "Accept-Encoding: gzip",
        ),
        has_struct,
    ),
    Shape(
        "Java HttpURLConnection, XML",
        post(
            XML,
            xml(ACCENTS, declaration='<?xml version="1.0" encoding="UTF-8"?>', sep=""),
            "User-Agent: Java/17.0.9",
            "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "Connection: keep-alive",
            "Content-type: application/x-www-form-urlencoded",
        ),
        has_text,
        ACCENTS,
    ),
    Shape(
        "Java OkHttp",
        post(
            JSON,
            compact(fields(ACCENTS), ascii_only=False),
            "Content-Type: application/json; charset=utf-8",
            "Connection: Keep-Alive",
            "Accept-Encoding: gzip",
            "User-Agent: okhttp/4.12.0",
        ),
        has_field,
        ACCENTS,
    ),
    Shape(
        "C# HttpClient, JsonContent",
        chunked(
            JSON,
            compact(renamed({"ApiKey": "apiKey", "SecretKey": "secretKey"})),
            "Content-Type: application/json; charset=utf-8",
        ),
        has_struct,
    ),
    Shape(
        "C# HttpClient, StringContent with a byte order mark",
        post(JSON, b"\xef\xbb\xbf" + compact(fields(ACCENTS)), "Content-Type: text/json"),
        has_struct,
        ACCENTS,
    ),
    Shape("C# WebClient.UploadString names no content type", post(XML, xml(), "Connection: Keep-Alive"), has_text),
    Shape(
        "C# WebClient.DownloadString",
        get(
            GET, renamed({"ApiKey": "Apikey", "Brandname": "brandname", "SmsType": "smstype"}), "Connection: Keep-Alive"
        ),
        has_text,
    ),
    Shape(
        "C# XML with a byte order mark",
        post(XML, b"\xef\xbb\xbf" + xml(ACCENTS), "Content-Type: application/xml"),
        has_text,
        ACCENTS,
    ),
    Shape(
        "Ruby Net::HTTP, body=",
        post(
            XML,
            xml(),
            "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
            "Accept: */*",
            "User-Agent: Ruby",
            "Content-Type: application/x-www-form-urlencoded",
        ),
        has_field,
    ),
    Shape(
        "Ruby Net::HTTP, get_response",
        get(
            GET, fields(), "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "Accept: */*", "User-Agent: Ruby"
        ),
        has_field,
    ),
    Shape(
        "Postman's curl, the vendor's one-number XML sample",
        post(XML, xml(SENDDATE="", CALLBACKURL=""), "Accept: */*", "Content-Type: text/plain", "Postman-Token: 5c2b6a"),
        has_text,
    ),
    Shape(
        "Postman's curl, --data-urlencode encodes the whole XML",
        post(XML, quote_plus(xml(ACCENTS)).encode(), "Accept: */*", "Content-Type: application/x-www-form-urlencoded"),
        has_text,
        ACCENTS,
    ),
    Shape(
        "Postman, x-www-form-urlencoded",
        post(FORM, urlencode(renamed(APIKEY_2)).encode(), "Content-Type: application/x-www-form-urlencoded"),
        has_text,
    ),
]


def exchange(sandbox, request, *, hold_back=False, hang_up=False):
    """Write a request and read until the server closes; the status, the headers and the body."""
    port = int(sandbox.url.split(":")[2].split("/")[0])
    head, _, body = request.partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head + b"\r\n\r\n")
        if hold_back:
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    lines, _, text = answer.partition(b"\r\n\r\n")
    status, *headers = lines.decode().split("\r\n")
    named = {name.lower(): value for name, value in (line.split(": ", 1) for line in headers)}
    assert int(named["content-length"]) == len(text)
    return int(status.split()[1]), named, text.decode()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_client_finds_its_accepted_message(sandbox, shape):
    status, headers, answer = exchange(sandbox, shape.request)
    assert (status, headers["content-type"]) == (200, "application/json"), answer
    assert shape.is_accepted(answer)
    assert sandbox.sent[["phone", "content"]].to_numpy().tolist() == [[PHONE, shape.content]]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_client_with_a_wrong_key_finds_its_refusal(sandbox, shape):
    wrong = shape.request.replace(b"c3", b"c4")
    _, _, answer = exchange(sandbox, wrong)
    assert answer == '{"CodeResult":"101","CountRegenerate":0,"ErrorMessage":"Authorize Failed"}'
    assert sandbox.sent.empty


def test_no_answer_has_blanks_between_its_parts(sandbox):
    _, _, sent = exchange(sandbox, SHAPES[0].request)
    sms_id = json.loads(sent)["SMSID"]
    asked = {"ApiKey": KEYS["api_key"], "SecretKey": KEYS["secret_key"]}
    keys = "/".join(quote(key, safe="") for key in KEYS.values())
    for request in (
        post("GetBalance_json", compact(asked)),
        post("GetTemplate/", compact({**asked, "SmsType": "2", "Brandname": "Baotrixemay"})),
        post("GetSmsSentData_V2", compact({**asked, "SmsType": "2", **PERIOD})),
        get(f"GetListBrandname/{keys}", {}),
        get("GetSendStatus", {**asked, "RefId": sms_id}),
        get("GetSmsReceiverStatus_get", {**asked, "RefId": sms_id}),
        get("SummaryMultipleMessage_V4_get", {**fields(), "BrandName": "Baotrixemay"}),
    ):
        _, _, answer = exchange(sandbox, request)
        found = json.loads(answer)
        assert "100" in (found.get("CodeResult"), found.get("CodeResponse")), answer
        assert answer == json.dumps(found, separators=(",", ":"))


@pytest.mark.parametrize("send", [post, chunked])
def test_a_client_that_holds_its_body_back_is_asked_for_it_once_and_at_once(sandbox, send):
    """PHP's curl above 1 kB, and .NET's WebClient always, send Expect: 100-continue."""
    request = send(XML, xml(phones=FIFTY), "Expect: 100-continue", "Content-Type: text/plain")
    status, _, answer = exchange(sandbox, request, hold_back=True)
    assert (status, has_text(answer)) == (200, True)
    assert len(sandbox.sent) == 50


# Questions


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_questions_are_read_whatever_the_case_of_their_names(sandbox, spelling):
    exchange(sandbox, SHAPES[0].request)
    sms_id = sandbox.sent["sms_id"].iloc[0]

    def spelled(**asked):
        asked = {"ApiKey": KEYS["api_key"], "SecretKey": KEYS["secret_key"], **asked}
        return {spelling(name): value for name, value in asked.items()}

    for request in (
        post("GetBalance_json", compact(spelled())),
        post("GetTemplate/", compact(spelled(SmsType="2", Brandname="Baotrixemay"))),
        post("GetSmsSentData_V2", compact(spelled(SmsType="2", **PERIOD))),
        get("GetSendStatus", spelled(RefId=sms_id)),
        get("GetSmsReceiverStatus_get", spelled(RefId=sms_id)),
        get("SummaryMultipleMessage_V4_get", spelled(Phone=PHONE, Content=OTP, SmsType="2", BrandName="Baotrixemay")),
    ):
        _, _, answer = exchange(sandbox, request)
        assert re.search('"Code(Result|Response)":"100"', answer), answer


def test_the_old_spelling_of_the_balance_is_answered(sandbox):
    keys = "/".join(quote(key, safe="") for key in KEYS.values())
    for tail in ("", "/"):
        _, _, answer = exchange(sandbox, get(f"GetBalance/{keys}{tail}", {}))
        assert json.loads(answer) == {"Balance": 100_000_000, "CodeResponse": "100", "UserID": sandbox._gateway.user_id}
    _, _, answer = exchange(sandbox, get("GetBalance/a/b", {}))
    assert json.loads(answer)["CodeResponse"] == "101"


# Bodies without a length


@pytest.mark.parametrize(
    ("sizes", "ends"),
    [
        ((10_000,), "0\r\n\r\n"),
        ((1,) * 400, "0\r\n\r\n"),
        ((100, 10_000), "000;name=value\r\nTrailer: x\r\nOther: y\r\n\r\n"),
    ],
)
def test_a_chunked_body_is_read_to_its_end(sandbox, sizes, ends):
    status, _, answer = exchange(sandbox, chunked(JSON, compact(fields()), sizes=sizes, ends=ends))
    assert (status, has_text(answer)) == (200, True)


@pytest.mark.parametrize(
    "ends",
    [
        "",
        "0\r\n",
        "0\r\nTrailer: x\r\n",
        "5\r\nabc",
        "5\r\nabcdeXX\r\n0\r\n\r\n",
        "-5\r\n",
        "x\r\n\r\n",
        "FFFFFFFFF\r\n",
        "1" * 2000,
    ],
)
def test_a_chunked_body_that_is_cut_off_or_malformed_is_not_taken(sandbox, ends):
    status, _, answer = exchange(sandbox, chunked(JSON, compact(fields()), ends=ends), hang_up=True)
    assert status == 400
    assert answer.startswith("The sandbox can't read this request: its chunked body is cut off")
    assert sandbox.sent.empty


def test_a_request_that_is_refused_before_its_end_ends(sandbox):
    """Also where the client waits for the server to close, as PHP's file_get_contents does."""
    for request in (
        post(XML, b"<RQST>" + b" " * 5_000_000),
        chunked(JSON, compact(fields()), ends="x\r\n" + "more" * 1000),
        post("GetSendStatus", b"abc"),
    ):
        status, _, _ = exchange(sandbox, request)
        assert status in {400, 405, 413}


def test_a_chunked_body_has_a_largest_size(sandbox):
    for ends in ("7FFFFFFF\r\n", "0\r\n" + "Trailer: x\r\n" * 400_000):
        status, _, answer = exchange(sandbox, chunked(JSON, compact(fields()), ends=ends), hang_up=True)
        assert (status, "4,194,304 bytes" in answer) == (413, True)
    assert sandbox.sent.empty


# What the sandbox does not know

UNKNOWN = {
    "Zalo, V6": (post("SendZaloMessage_V6/", compact(fields(OAID="1", TempID="2", TempData={}))), "Zalo"),
    "Zalo, in bulk": (post("Send_zns_bulk_v4_post_json/", compact(fields(Data=[]))), "Zalo"),
    "Zalo, quota": (post("ZNS/GetQuota/", compact(fields(OAID="1"))), "Zalo"),
    "Zalo, full text": (post(JSON, compact(fields(SmsType="25", OAID="1"))), "SmsType 25 (Zalo)"),
    "Zalo, full text as a form": (post(FORM, urlencode(fields(Smstype="24", SmsType="24")).encode()), "SmsType 24 (Zalo)"),
    "Zalo, templates": (post("GetTemplate/", compact(fields(SmsType="24", OAId="1"))), "templates of another SmsType"),
    "Zalo, journey": (post("SendZaloMessage_V4_post_json/", compact(fields(IsJourney=True))), "Zalo"),
    "several channels": (post("MultiChannelMessage/", compact(fields(Channels=["zalo", "sms"]))), "several channels"),
    "Viber": (post("Send_Multiple_Sms_OTT/", compact(fields(SmsType="23"))), "Viber"),
    "Viber, GET": (get(GET, fields(SmsType="23", OTTUrl="https://example.com")), "SmsType 23 (Viber)"),
    "SmsType 8": (post(JSON, compact(fields(SmsType="8"))), "SmsType 8"),
    "SmsType 8, a number": (post(JSON, compact(fields(SmsType=8))), "SmsType 8"),
    "SmsType 8, XML": (post(XML, xml(SMSTYPE="8")), "SmsType 8"),
    "messages of Viber": (post("GetSmsSentData_V2", compact({**fields(SmsType="23"), **PERIOD})), "another SmsType"),
    "one-time codes": (get("SendMessageAutoGenCode_V4_get", fields()), "one-time codes"),
    "one-time codes, two channels": (post("SendMessageAutoGenCode_V5", compact(fields())), "one-time codes"),
    "one-time codes, check": (get("CheckCodeGen_V4_get", fields(Code="1")), "one-time codes"),
    "an old address": (post("../xml/SendMultipleMessage_V4/", xml()), "under /MainService.svc/xml/"),
    "another address": (get("../../", {}), "under /MainService.svc/json/"),
    "an operation of no page": (get("SendEverything", fields()), "an operation SendEverything"),
    "keys after an operation": (get(f"GetSendStatus/{KEYS['api_key']}/b", {}), "what follows GetSendStatus"),
    "a field": (post(JSON, compact(fields(TrackCode="1"))), "the field 'TRACKCODE'"),
    "an element": (post(XML, xml(TRACKCODE="1")), "the field 'TRACKCODE'"),
    "JSON as a form": (post(FORM, compact(fields())), "a field"),
    "a form of several parts": (
        post(FORM, b"--x\r\n", "Content-Type: multipart/form-data; boundary=x"),
        "application/x-www-form-urlencoded",
    ),
    "a rehearsal by XML": (post(XML, xml(SANDBOX="1")), "rehearsals by XML"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_the_sandbox_does_not_know_it_says_so_and_puts_no_code_in_the_gateways_mouth(sandbox, name):
    request, words = UNKNOWN[name]
    request = re.sub(rb"[^ /]*/\.\./", b"", re.sub(rb"json/\.\./", b"", request))
    status, headers, answer = exchange(sandbox, request)
    assert (status, headers["content-type"].split(";")[0]) == (400, "text/plain")
    assert answer.startswith("The sandbox does not know ")
    assert words.removeprefix("a field") in answer
    assert answer.endswith(".\n")
    assert answer.count(".\n") == answer.count("\n") == 1
    assert not [key for key in KEYS.values() if key in answer]
    assert "Code" not in answer.replace("AutoGenCode", "").replace("CheckCodeGen", "")
    assert sandbox.sent.empty
