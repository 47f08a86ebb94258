"""The sandbox's HTTP: requests in the gateway's formats to the decisions of `gateway`, and their answers as JSON."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

from lxml import etree
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
from esms_frames.sandbox.gateway import BadRequest, Gateway, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

BASE_PATH = "/MainService.svc/json/"
_LARGEST_BODY = 4 * 1024 * 1024  # 5000 numbers take a quarter of a MiB
_XML_TYPES = {"text/plain", "application/text/plain"}  # the page writes both


class App:
    """A WSGI application that answers as the gateway does, for one account."""

    def __init__(self, gateway: Gateway, latency: float, faults: Faults, slow_seconds: float) -> None:
        self._gateway = gateway
        self._latency = latency
        self._faults = faults
        self._slow_seconds = slow_seconds
        self._operations: dict[tuple[str, str], Callable[[Request], dict[str, Any]]] = {
            ("POST", "SendMultipleMessage_V4"): lambda request: self._send(SmsType.CUSTOMER_CARE, request),
            ("POST", "SendMultipleSMSBrandname"): lambda request: self._send(SmsType.ADVERTISING, request),
            ("POST", "GetBalance_json"): lambda request: gateway.get_balance(*_keys(_read_json(request))),
            ("POST", "GetSmsSentData_V2"): lambda request: gateway.sent_data(_read_json(request)),
            ("GET", "GetSendStatus"): lambda request: gateway.status(*_query(request)),
            ("GET", "GetSmsReceiverStatus_get"): lambda request: gateway.receivers(*_query(request)),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        try:
            if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
                raise LengthRequired  # its end could be cut off unseen
            operation = self._operation(request)
            if self._latency:
                time.sleep(self._latency)
            response = Response(json.dumps(operation(request)), mimetype="application/json")
        except BadRequest as error:
            response = Response(f"The sandbox can't read this request: {error}.\n", status=400, mimetype="text/plain")
        except HTTPException as error:
            response = Response(f"{error.code} {error.name}\n", status=error.code, mimetype="text/plain")
        return response(environ, start_response)

    def _operation(self, request: Request) -> Callable[[Request], dict[str, Any]]:
        name = request.path.removeprefix(BASE_PATH).strip("/") if request.path.startswith(BASE_PATH) else ""
        methods = [method for method, known in self._operations if known == name]
        if not methods:
            raise NotFound
        if request.method not in methods:
            raise MethodNotAllowed(methods)
        return self._operations[request.method, name]

    def _send(self, path_type: SmsType, request: Request) -> dict[str, Any]:
        if request.mimetype not in _XML_TYPES:
            raise UnsupportedMediaType
        fields, phones = read_xml(request.get_data())
        fault, coin = self._faults.draw()
        if fault is Fault.UNAVAILABLE:
            raise ServiceUnavailable
        if fault is Fault.BUSY:
            return refusal(160)
        taken = fault in {None, Fault.CUT_AFTER, Fault.SLOW} or (fault is Fault.GARBAGE and coin)
        answer = self._gateway.send(path_type, fields, phones) if taken else {}
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


def read_xml(body: bytes) -> tuple[dict[str, str], list[str]]:
    """Read the fields and the numbers of a POST TEXT request.

    No document type is let in, and so no entity: neither files, nor the network, nor the memory of this machine can
    be had by what is sent.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    if "<!doctype" in text.lower() or "<!entity" in text.lower():
        raise BadRequest("the XML holds a document type")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise BadRequest("the body is not well-formed XML") from None
    if root.tag != "RQST":
        raise BadRequest("the root element is not RQST")
    fields = {element.tag: element.text or "" for element in root if element.tag != "CONTACTS"}
    fields = {name: value if name == "CONTENT" else value.strip() for name, value in fields.items()}
    phones = [(element.text or "").strip() for element in root.iterfind("CONTACTS/CUSTOMER/PHONE")]
    return {name: value for name, value in fields.items() if value}, phones


def _read_json(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(request.get_data())
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise BadRequest("the body is no JSON object")
    return asked


def _keys(asked: dict[str, Any]) -> tuple[str, str]:
    return str(asked.get("ApiKey", "")), str(asked.get("SecretKey", ""))


def _query(request: Request) -> tuple[str, str, str]:
    return (
        request.args.get("ApiKey", ""),
        request.args.get("SecretKey", ""),
        request.args.get("RefId", ""),
    )
