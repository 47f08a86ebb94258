"""A local stand-in for the gateway: a real HTTP server on this machine that answers as the gateway does."""

from __future__ import annotations

import secrets
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self

import pandas as pd
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from esms_frames import clock
from esms_frames.client import Client
from esms_frames.errors import InvalidInput
from esms_frames.message import MIN_BATCH
from esms_frames.sandbox.app import BASE_PATH, App
from esms_frames.sandbox.caller import Caller
from esms_frames.sandbox.faults import Faults
from esms_frames.sandbox.gateway import Gateway, Send
from esms_frames.sandbox.outcomes import FAILURE_RATES, Outcomes
from esms_frames.sandbox.registry import registered
from esms_frames.sandbox.state import StateFile
from esms_frames.sandbox.tariff import PRICES
from esms_frames.transport import SANDBOX_SERVER

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from esms_frames.templates import Template

__all__ = ["Sandbox"]

_HOST = "127.0.0.1"


class Sandbox:
    """A gateway to try with: it checks, charges and reports like the real one, and delivers nothing.

    It listens on this machine only, from entering to leaving the ``with`` block (or from `start` to `stop`). Each
    sandbox is an account of its own, with keys of its own. What becomes of a message is drawn from the seed and the
    ids, so the same campaign gives the same results again.

    Parameters
    ----------
    seed : int, optional
        Another seed, other deliveries.
    brandnames : mapping of str to type(s), optional
        The registered names, each with ``"customer_care"``, ``"advertising"`` or a list of both; by default the
        vendor's trial names ``Baotrixemay`` (customer care) and ``QC_ONLINE`` (advertising).
    templates : mapping of str to list, optional
        The registered customer-care templates of each brandname: texts, each registered with every network, or
        `Template` objects. A customer-care text that fits none of its brandname's is refused with 146; where a brandname
        has none here, nothing is refused. By default ``Baotrixemay`` has those that the vendor publishes, and one of a
        single long variable, so that any text can be tried.
    blocked : list of str, optional
        Numbers in any spelling; a request that holds one is refused with 99.
    unregistered_networks : mapping of str to list, optional
        Networks, named as in `normalize_phones`, that a brandname is not registered with; a customer-care request that
        holds one of their numbers is refused with 177.
    balance : int, optional
        What the account has at first, in VND.
    prices : mapping of str to int, optional
        VND a part, by network.
    failure_rates : mapping of str to float, optional
        The share of messages that are not delivered, by network.
    report_delay : float, optional
        Seconds after which the last delivery report of a send has come; the reports spread evenly until then.
    latency : float, optional
        Seconds that each answer takes.
    callbacks : bool, optional
        Whether to call the ``callback_url`` of messages when their reports come: for customer care once a number, for
        advertising once a send. Only addresses on this machine are called.
    callback_wait : float, optional
        Seconds after which a callback without an answer is given up, and after which one that was not answered with 200
        is made again, up to five times. (The gateway's documentation says so of time-outs, and of other answers nothing.)
    customer_care_floor : int, optional
        How few numbers a customer-care request by XML may have. 30 by default, as for advertising: the vendor's pages
        disagree, and what passes here is to pass there. The operations for a single number take one.
    faults : mapping of str to float, optional
        What goes wrong, each with the share of requests to send that it befalls: ``cut_before``, ``cut_after``,
        ``slow``, ``unavailable``, ``garbage``, ``busy``; see `faults.Fault`. Which request is drawn from the seed.
    slow_seconds : float, optional
        How long a ``slow`` answer takes.
    state : str or path-like, optional
        A file in which the account lives on: its keys and what it took. A sandbox with the same file is the same
        account, also after a restart.
    port : int, optional
        Where to listen; by default any free port.
    api_key, secret_key : str, optional
        The account's keys; by default random ones.

    Notes
    -----
    Answered are the operations that this package uses, and the other forms of sending on the vendor's pages: customer care
    to one number by JSON, form and GET, and advertising by JSON, also as rehearsals with ``Sandbox`` = 1. A request of
    which these pages say nothing is answered with HTTP 400 and a sentence.

    Examples
    --------
    >>> import esms_frames as ef
    >>> with ef.Sandbox() as sandbox:
    ...     answer = sandbox.client().send(
    ...         ef.Message("Cam on quy khach!", "Baotrixemay"), [f"09018884{n}" for n in range(10, 40)]
    ...     )
    ...     len(sandbox.sent)
    30
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        brandnames: Mapping[str, str | Iterable[str]] | None = None,
        templates: Mapping[str, Iterable[str | Template]] | None = None,
        blocked: Iterable[str] = (),
        unregistered_networks: Mapping[str, Iterable[str]] | None = None,
        balance: int = 100_000_000,
        prices: Mapping[str, int] | None = None,
        failure_rates: Mapping[str, float] | None = None,
        report_delay: float = 5.0,
        latency: float = 0.0,
        callbacks: bool = True,
        callback_wait: float = 5.0,
        customer_care_floor: int = MIN_BATCH,
        faults: Mapping[str, float] | None = None,
        slow_seconds: float = 90.0,
        state: str | os.PathLike[str] | None = None,
        port: int = 0,
        api_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        amounts = [balance, report_delay, latency, slow_seconds, customer_care_floor, *(prices or {}).values()]
        amounts.append(callback_wait)
        is_port = isinstance(port, int) and 0 <= port < 65536
        if not all(isinstance(amount, (int, float)) and amount >= 0 for amount in amounts) or not is_port:
            raise InvalidInput(
                "A setting of the sandbox is no number from 0 up (balance, prices, report_delay, latency, callback_wait, "
                "slow_seconds, customer_care_floor), or port none to 65535: correct it."
            )
        key, secret = api_key or secrets.token_hex(16), secret_key or secrets.token_hex(16)
        registry = registered(brandnames, templates, blocked, unregistered_networks)
        file = None if state is None else StateFile(state)
        earlier: list[Send] = []
        if file is not None:
            key, secret, earlier = file.load(key, secret)
        outcomes = Outcomes(FAILURE_RATES if failure_rates is None else failure_rates, report_delay, seed)
        tariff = PRICES if prices is None else prices
        self._caller = Caller(outcomes, tariff, callback_wait)
        self._gateway = Gateway(
            api_key=key,
            secret_key=secret,
            registry=registry,
            outcomes=outcomes,
            balance=balance,
            prices=tariff,
            customer_care_floor=customer_care_floor,
            save=None if file is None else file.add,
            report=self._caller.report if callbacks else None,
        )
        for send in earlier:
            self._gateway.take(send)
        self._faults = Faults(faults or {}, seed)
        self._app = App(self._gateway, latency, self._faults, slow_seconds)
        self._port = port
        self._server: BaseWSGIServer | None = None

    def start(self) -> Self:
        """Begin to listen; a sandbox that listens already stays as it is."""
        if self._server is None:
            try:
                with socket.create_server((_HOST, self._port)) as listener:
                    self._server = make_server(
                        _HOST, self._port, self._app, threaded=True, request_handler=_Handler, fd=listener.fileno()
                    )
            except OSError:
                raise InvalidInput(
                    f"The sandbox can't listen on port {self._port} of {_HOST}: choose another, or 0 for a free one."
                ) from None
            serve = partial(self._server.serve_forever, poll_interval=0.02)
            threading.Thread(target=serve, name="esms-sandbox", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and calling; what was taken stays known, and `start` goes on with it, but for callbacks."""
        self._caller.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address to give a client as ``base_url``."""
        if self._server is None:
            raise InvalidInput(
                "The sandbox does not listen: use it as `with ef.Sandbox() as sandbox:`, or call start()."
            )
        return f"http://{_HOST}:{self._server.socket.getsockname()[1]}{BASE_PATH}"

    @property
    def api_key(self) -> str:
        """The account's ApiKey, good for this sandbox only."""
        return self._gateway.api_key

    @property
    def secret_key(self) -> str:
        """The account's SecretKey, good for this sandbox only."""
        return self._gateway.secret_key

    def client(self, **options: Any) -> Client:
        """Make a client of this sandbox.

        Parameters
        ----------
        **options
            `timeout` and `send_paths`, as for `Client`.

        Returns
        -------
        Client
            With the sandbox's address and keys.

        Raises
        ------
        InvalidInput
            When the sandbox does not listen.
        """
        return Client(self.api_key, self.secret_key, base_url=self.url, **options)

    @property
    def balance(self) -> int:
        """What the account has left, in VND."""
        return self._gateway.balance

    @property
    def faults_met(self) -> dict[str, int]:
        """How often each of the `faults` has befallen a request so far."""
        return {str(fault): times for fault, times in self._faults.met.items()}

    @property
    def callbacks_made(self) -> dict[str, int]:
        """How many callbacks were made so far, by what they got: an HTTP status, or ``unanswered``."""
        return dict(self._caller.made)

    @property
    def sent(self) -> pd.DataFrame:
        """The ledger: one row for each message that was taken, in the order of taking.

        Columns: ``phone``, ``sms_id``, ``request_id``, ``campaign``, ``brandname``, ``sms_type``, ``content``,
        ``accepted_at`` (Vietnam time).
        """
        columns = ["sms_id", "request_id", "campaign", "brandname", "sms_type", "content", "accepted_at"]
        sends = list(self._gateway.sends.values())
        ledger = pd.DataFrame([[getattr(send, name) for name in columns] for send in sends], columns=columns)
        ledger.insert(0, "phone", pd.Series([send.phones for send in sends], dtype=object))
        return ledger.explode("phone", ignore_index=True)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sandbox is a server and is not copied: make another, with ef.Sandbox().")

    def __repr__(self) -> str:
        where = f"at {self.url}" if self._server else "not listening"
        return f"<Sandbox {where}, {len(self._gateway.sends):,} requests taken>"


class _Handler(WSGIRequestHandler):
    server_version, sys_version = f"{SANDBOX_SERVER}/1", ""
    wbufsize = -1  # one packet an answer: two would wait for each other (Nagle's algorithm, delayed ACK)
    disable_nagle_algorithm = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Date the answers by the clock that all else goes by."""
        moment = clock.now() if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
        return format_datetime(moment.astimezone(UTC), usegmt=True)

    def finish(self) -> None:
        """Close both directions, also when the client has hung up before everything was written."""
        for stream in (self.wfile, self.rfile):
            with suppress(OSError):
                stream.close()

    def log_request(self, *_: object) -> None:
        """Write no log: the address holds the keys in some operations."""

    def log_error(self, *_: object) -> None:
        """Write no log: a client that hangs up is no error here."""
