"""A gateway that is none of the package's sandboxes: it answers like one, and proves nothing."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC
from email.utils import format_datetime
from functools import partial

from werkzeug.serving import WSGIRequestHandler, make_server

import esms_frames as ef
from esms_frames.base import clock


class _Quiet(WSGIRequestHandler):
    wbufsize = -1

    def log_request(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        """Date the answers by the clock that all else goes by."""
        return format_datetime(clock.now().astimezone(UTC), usegmt=True)


def _listener(port):
    """Listen on a port, which another server may just have left."""
    for _ in range(50):
        with suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
        time.sleep(0.05)
    return socket.create_server(("127.0.0.1", port))


class LiveGateway:
    """A live gateway on this machine, or the near end of a tunnel to one, as a context manager.

    Parameters
    ----------
    tells : bool
        Whether it tells the account's UserID.
    user_id : int
        Of the account, whatever its keys are.
    tls : SSLContext, optional
        With it, it speaks https.
    """

    def __init__(self, *, tells=True, user_id=9999, tls=None, port=0, **options):
        self.sandbox = ef.Sandbox(balance=10**12, **options)
        self.gateway = self.sandbox._gateway
        self.user_id, self.tells, self._tls, self._port = user_id, tells, tls, port
        self.asked = 0
        self.paths = []
        self._real_balance = self.gateway.get_balance
        self.gateway.get_balance = self._balance

    def _balance(self, *keys):
        self.asked += 1
        said = self._real_balance(*keys)
        said.pop("UserID", None)
        return said | ({"UserID": self.user_id} if self.tells and said["CodeResponse"] == "100" else {})

    def _app(self, environ, start_response):
        self.paths.append(environ["PATH_INFO"])
        return self.sandbox._app(environ, start_response)

    def __enter__(self):
        with _listener(self._port) as listener:
            self._server = make_server(
                "127.0.0.1",
                self._port,
                self._app,
                threaded=True,
                request_handler=_Quiet,
                ssl_context=self._tls,
                fd=listener.fileno(),
            )
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=partial(self._server.serve_forever, poll_interval=0.02), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def url(self, host="127.0.0.1"):
        return f"http{'s' if self._tls else ''}://{host}:{self.port}/MainService.svc/json/"

    def client(self, host="127.0.0.1", **options):
        return ef.Client(self.gateway.api_key, self.gateway.secret_key, base_url=self.url(host), **options)

    def rotate(self):
        """Give the account another ApiKey; a client with it."""
        self.gateway.api_key = secrets.token_hex(16)
        return self.client()

    @property
    def texted(self):
        """The numbers, as often as each was texted."""
        return self.sandbox.sent["phone"].tolist()
