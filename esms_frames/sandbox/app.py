"""The sandbox's HTTP: requests in the gateway's formats to the decisions of `gateway`, and their answers as JSON."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import (
    HTTPException,
    LengthRequired,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from werkzeug.wrappers import Request, Response

from esms_frames.message import SmsType
from esms_frames.sandbox.faults import Fault, Faults
from esms_frames.sandbox.gateway import Gateway, refusal
from esms_frames.sandbox.reading import BadRequest, read_json, read_many, read_single, read_xml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

BASE_PATH = "/MainService.svc/json/"
_LARGEST_BODY = 4 * 1024 * 1024  # 5000 numbers take a quarter of a MiB
_XML_TYPES = {"text/plain", "application/text/plain"}  # the page writes both


Asked = tuple[dict[str, str], list[str]]
"""The fields of a request to send, named as in the XML, and its numbers."""


class App:
    """A WSGI application that answers as the gateway does, for one account."""

    def __init__(self, gateway: Gateway, latency: float, faults: Faults, slow_seconds: float) -> None:
        self._gateway = gateway
        self._latency = latency
        self._faults = faults
        self._slow_seconds = slow_seconds
        care, advertising = SmsType.CUSTOMER_CARE, SmsType.ADVERTISING
        self._operations: dict[tuple[str, str], Callable[[Request], dict[str, Any]]] = {
            ("POST", "SendMultipleMessage_V4"): lambda request: self._send(care, request, _xml),
            ("POST", "SendMultipleMessage_V4_post_json"): lambda request: self._send(
                care, request, _single_json, is_single=True
            ),
            ("POST", "SendMultipleMessage_V4_post"): lambda request: self._send(care, request, _form, is_single=True),
            ("GET", "SendMultipleMessage_V4_get"): lambda request: self._send(care, request, _address, is_single=True),
            ("POST", "SendMultipleSMSBrandname"): lambda request: self._send(advertising, request, _xml),
            ("POST", "SendMultipleSMSBrandname_json"): lambda request: self._send(advertising, request, _many_json),
            ("POST", "SummaryMultipleSMSBrandname"): lambda request: gateway.estimate(advertising, *_xml(request)),
            ("GET", "SummaryMultipleMessage_V4_get"): lambda request: gateway.estimate(care, *_address(request)),
            ("GET", "GetListBrandname"): lambda request: gateway.list_brandnames(_split(request)[1]),
            ("POST", "GetTemplate"): lambda request: gateway.list_templates(read_json(request.get_data())),
            ("POST", "GetBalance_json"): lambda request: gateway.get_balance(*_keys(read_json(request.get_data()))),
            ("POST", "GetSmsSentData_V2"): lambda request: gateway.sent_data(read_json(request.get_data())),
            ("GET", "GetSendStatus"): lambda request: gateway.status(*_query(request)),
            ("GET", "GetSmsReceiverStatus_get"): lambda request: gateway.receivers(*_query(request)),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = time.monotonic()
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        try:
            if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
                raise LengthRequired  # its end could be cut off unseen
            operation = self._operation(request)
            response = Response(json.dumps(operation(request)), mimetype="application/json")
            time.sleep(max(0.0, self._latency - (time.monotonic() - began)))
        except BadRequest as error:
            response = Response(f"The sandbox can't read this request: {error}.\n", status=400, mimetype="text/plain")
        except HTTPException as error:
            response = Response(f"{error.code} {error.name}\n", status=error.code, mimetype="text/plain")
        return response(environ, start_response)

    def _operation(self, request: Request) -> Callable[[Request], dict[str, Any]]:
        name, rest = _split(request)
        if rest and name != "GetListBrandname":
            raise NotFound
        methods = [method for method, known in self._operations if known == name]
        if not methods:
            raise NotFound
        if request.method not in methods:
            raise MethodNotAllowed(methods)
        return self._operations[request.method, name]

    def _send(
        self, path_type: SmsType, request: Request, read: Callable[[Request], Asked], *, is_single: bool = False
    ) -> dict[str, Any]:
        fields, phones = read(request)
        fault, coin = self._faults.draw()
        if fault is Fault.UNAVAILABLE:
            raise ServiceUnavailable
        if fault is Fault.BUSY:
            return refusal(160)
        taken = fault in {None, Fault.CUT_AFTER, Fault.SLOW} or (fault is Fault.GARBAGE and coin)
        answer = self._gateway.send(path_type, fields, phones, is_single=is_single) if taken else {}
        if fault is Fault.SLOW:
            time.sleep(self._slow_seconds)
        if fault is Fault.GARBAGE:
            raise _WebPage
        if fault in {Fault.CUT_BEFORE, Fault.CUT_AFTER}:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer


class _WebPage(HTTPException):
    code = 200
    name = "<html><body><h1>It works!</h1></body></html>"


def _split(request: Request) -> tuple[str, str]:
    """Take an address apart: the name of the operation, and what follows it."""
    path = request.path.removeprefix(BASE_PATH) if request.path.startswith(BASE_PATH) else ""
    name, _, rest = path.partition("/")
    return name, rest


def _keys(asked: dict[str, Any]) -> tuple[str, str]:
    return str(asked.get("ApiKey", "")), str(asked.get("SecretKey", ""))


def _query(request: Request) -> tuple[str, str, str]:
    return (
        request.args.get("ApiKey", ""),
        request.args.get("SecretKey", ""),
        request.args.get("RefId", ""),
    )


def _xml(request: Request) -> Asked:
    _check_type(request, _XML_TYPES)
    return read_xml(request.get_data())


def _single_json(request: Request) -> Asked:
    _check_type(request, {"application/json"})
    return read_single(read_json(request.get_data()).items())


def _many_json(request: Request) -> Asked:
    _check_type(request, {"application/json"})
    return read_many(read_json(request.get_data()).items())


def _form(request: Request) -> Asked:
    _check_type(request, {"application/x-www-form-urlencoded"})
    return read_single(request.form.items())


def _address(request: Request) -> Asked:
    return read_single(request.args.items())


def _check_type(request: Request, types: set[str]) -> None:
    if request.mimetype not in types:
        raise UnsupportedMediaType
