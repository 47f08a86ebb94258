"""The sandbox's HTTP: pass requests in the gateway's formats to `gateway`, and send its answers as JSON."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge, ServiceUnavailable
from werkzeug.wrappers import Request, Response

from esms_frames.messages.limits import SmsType
from esms_frames.sandbox.http.faults import Fault, Faults
from esms_frames.sandbox.http.operations import name_operation, why_unknown
from esms_frames.sandbox.parsing import (
    BadRequest,
    TooLarge,
    UnknownRequest,
    fold_names,
    read_chunks,
    read_form,
    read_json,
    read_many,
    read_single,
    read_xml,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from esms_frames.sandbox.gateway import Gateway
    from esms_frames.sandbox.http.limit import RateLimit


RAW_STREAM = "esms_frames.stream"
"""The key in the WSGI environment of the connection's byte stream, for bodies without a length."""

_BODY = "esms_frames.body"
_LARGEST_BODY = 4 * 1024 * 1024  # 5000 numbers take a quarter of a MiB
_PATIENCE = 1.0  # seconds to wait for the rest of a request that was answered before its end
_PROXY_ERROR = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Asked = tuple[dict[str, str], list[str]]
"""The fields of a request to send, named as in the XML, and its numbers."""


class App:
    """A WSGI application that answers as the gateway does, for one account."""

    def __init__(self, gateway: Gateway, latency: float, faults: Faults, slow_seconds: float, limit: RateLimit) -> None:
        self._gateway = gateway
        self._latency = latency
        self._faults = faults
        self._slow_seconds = slow_seconds
        self._limit = limit
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
            ("GET", "GetListBrandname"): lambda request: gateway.list_brandnames(*self._keys_of_path(request)),
            ("POST", "GetTemplate"): lambda request: gateway.list_templates(_json(request)),
            ("POST", "GetBalance_json"): lambda request: gateway.get_balance(*_keys(_json(request))),
            ("GET", "GetBalance"): lambda request: gateway.get_balance(*self._keys_of_path(request)),
            ("POST", "GetSmsSentData_V2"): lambda request: gateway.sent_data(_json(request)),
            ("GET", "GetSendStatus"): lambda request: gateway.status(*_query(request)),
            ("GET", "GetSmsReceiverStatus_get"): lambda request: gateway.receivers(*_query(request)),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = time.monotonic()
        request = Request(environ)
        request.max_content_length = _LARGEST_BODY
        try:
            # Read the body of every request: a client may write all of it before it reads the answer.
            environ[_BODY] = _read_body(request)
            answer = self._operation(request)(request)
            response = Response(json.dumps(answer, separators=(",", ":")), mimetype="application/json")
            time.sleep(max(0.0, self._latency - (time.monotonic() - began)))
        except BadRequest as error:
            environ["werkzeug.socket"].settimeout(_PATIENCE)
            response = _sentence(f"The sandbox can't read this request: {error}.", 400)
        except UnknownRequest as error:
            response = _sentence(f"The sandbox does not know {error}.", 400)
        except TooLarge:
            environ["werkzeug.socket"].settimeout(_PATIENCE)
            response = _sentence(f"The sandbox reads bodies of at most {_LARGEST_BODY:,} bytes.", 413)
        except MethodNotAllowed as error:
            methods = ", ".join(error.valid_methods or ())
            response = _sentence(f"The sandbox answers this operation by {methods} only.", 405)
            response.headers["Allow"] = methods
        except HTTPException as error:
            response = _sentence(f"{error.code} {error.name}", error.code)
        return response(environ, start_response)

    def _operation(self, request: Request) -> Callable[[Request], dict[str, Any]]:
        name, rest = name_operation(request.path)
        methods = [method for method, known in self._operations if known == name]
        if not methods or (rest and name not in {"GetListBrandname", "GetBalance"}):
            raise UnknownRequest(why_unknown(request.path, is_known=bool(methods)))
        if request.method not in methods:
            raise MethodNotAllowed(methods)
        return self._operations[request.method, name]

    def _keys_of_path(self, request: Request) -> tuple[str, str]:
        """Return the keys in an address; they are compared as a whole, because a key may contain a slash."""
        keys, rest = (self._gateway.api_key, self._gateway.secret_key), name_operation(request.path)[1]
        return keys if "/".join(keys) in {rest, rest.removesuffix("/")} else ("", "")

    def _send(
        self, path_type: SmsType, request: Request, read: Callable[[Request], Asked], *, is_single: bool = False
    ) -> dict[str, Any]:
        fields, phones = read(request)
        if not self._limit.admits():
            return self._gateway.refuse(fields, 160)
        fault, coin = self._faults.draw()
        if fault is Fault.UNAVAILABLE:
            raise ServiceUnavailable
        if fault is Fault.BUSY:
            return self._gateway.refuse(fields, 160)
        if fault is Fault.INVALID:
            return self._gateway.refuse(fields, None)
        taken = fault in {None, Fault.CUT_AFTER, Fault.PLAIN_AFTER, Fault.SLOW} or (fault is Fault.GARBAGE and coin)
        answer = self._gateway.send(path_type, fields, phones, is_single=is_single) if taken else {}
        if fault is Fault.SLOW:
            time.sleep(self._slow_seconds)
        if fault is Fault.GARBAGE:
            raise _WebPage
        if fault in {Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.PLAIN_AFTER}:
            _cut(request.environ["werkzeug.socket"], _PROXY_ERROR if fault is Fault.PLAIN_AFTER else b"")
        return answer


class _WebPage(HTTPException):
    code = 200
    name = "<html><body><h1>It works!</h1></body></html>"


def _sentence(text: str, status: int | None) -> Response:
    return Response(f"{text}\n", status=status, mimetype="text/plain")


def _cut(connection: socket.socket, last_words: bytes) -> None:
    """Close a connection below its TLS, if it has any, after writing some plain bytes."""
    with socket.fromfd(connection.fileno(), connection.family, connection.type) as plain:
        if last_words:
            plain.sendall(last_words)
        plain.shutdown(socket.SHUT_RDWR)


def _read_body(request: Request) -> bytes:
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        return read_chunks(request.environ[RAW_STREAM], _LARGEST_BODY)
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        raise TooLarge from None


def _body(request: Request) -> bytes:
    """Return the body, whatever its content type: the vendor's own samples have several types, or none."""
    body: bytes = request.environ[_BODY]
    return body


def _json(request: Request) -> dict[str, Any]:
    return read_json(_body(request))


def _keys(asked: dict[str, Any]) -> tuple[str, str]:
    return str(asked.get("APIKEY", "")), str(asked.get("SECRETKEY", ""))


def _query(request: Request) -> tuple[str, str, str]:
    asked = fold_names(request.args.items())
    return (*_keys(asked), str(asked.get("REFID", "")))


def _xml(request: Request) -> Asked:
    return read_xml(_body(request))


def _single_json(request: Request) -> Asked:
    return read_single(_json(request))


def _many_json(request: Request) -> Asked:
    return read_many(_json(request))


def _form(request: Request) -> Asked:
    if request.mimetype == "multipart/form-data":
        raise UnknownRequest("this operation as multipart/form-data: send application/x-www-form-urlencoded")
    return read_single(read_form(_body(request)))


def _address(request: Request) -> Asked:
    return read_single(fold_names(request.args.items()))
