"""A local gateway over real HTTP that delivers nothing."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

import pandas as pd

from esms_frames.base.errors import InvalidInput
from esms_frames.gateway.client import Client
from esms_frames.sandbox.account import PRICES, build_registry
from esms_frames.sandbox.callbacks import Caller
from esms_frames.sandbox.gateway import Gateway
from esms_frames.sandbox.http.app import App
from esms_frames.sandbox.http.faults import Faults
from esms_frames.sandbox.http.limit import RateLimit
from esms_frames.sandbox.http.server import Server, read_certificate
from esms_frames.sandbox.records import check_looks
from esms_frames.sandbox.reports import FAILURE_RATES, Outcomes, Send
from esms_frames.sandbox.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esms_frames.messages.templates import Template


__all__ = ["Sandbox"]


class Sandbox:
    """A gateway for trying things out: it checks, charges and reports like the real one, but delivers nothing.

    It listens only on this machine, while the ``with`` block runs (or from `start` to `stop`). Each sandbox is a separate
    account with its own keys. The delivery of each message is drawn from the seed and the ids, so the same campaign gives
    the same results again.

    Parameters
    ----------
    seed : int, optional
        Seed of the random deliveries and faults.
    brandnames : mapping of str to type(s), optional
        The registered names, each with ``"customer_care"``, ``"advertising"`` or a list of both; by default the
        vendor's trial names ``Baotrixemay`` (customer care) and ``QC_ONLINE`` (advertising).
    templates : mapping of str to list, optional
        The registered customer-care templates of each brandname: texts, each registered with every network, or
        `Template` objects. A customer-care text that fits none of its brandname's templates is refused with 146; if a
        brandname has no templates, nothing is refused. By default ``Baotrixemay`` has the templates that the vendor
        publishes, and one with a single long variable, so that any text can be tried.
    blocked : list of str, optional
        Numbers in any spelling; a request that contains one is refused with 99.
    unregistered_networks : mapping of str to list, optional
        Networks, named as in `normalize_phones`, that a brandname is not registered with; a customer-care request that
        contains one of their numbers is refused with 177.
    balance : int, optional
        The account's initial balance, in VND.
    prices : mapping of str to int, optional
        VND per part, by network.
    failure_rates : mapping of str to float, optional
        The share of messages that are not delivered, by network.
    report_delay : float, optional
        Seconds until the last delivery report of a send arrives; the reports are spread evenly until then.
    latency : float, optional
        Seconds that each answer takes.
    callbacks : bool, optional
        Whether to call the ``callback_url`` of messages when their reports arrive: for customer care once per number, for
        advertising once per send. Only addresses on this machine are called.
    callback_wait : float, optional
        Seconds to wait for the answer to a callback, and to wait before a callback that was not answered with 200 is
        repeated, up to five times. The gateway's documentation says this for time-outs, and nothing about other answers.
    customer_care_floor : int, optional
        The fewest numbers that a customer-care request by XML may have. 1 by default, as in the vendor's sample and its
        table of codes, which has 107 for advertising only. Another page says 30 for both: use 30 to rehearse that. The plan
        warns of batches of fewer than 30. The operations for a single number accept one.
    faults : mapping of str to float, or sequence of str or None, optional
        Faults to cause, each with its share of the requests to send: ``cut_before`` and ``cut_after`` (the connection is
        cut before or after the request is accepted), ``plain_after`` (the request is accepted, then plain bytes are written
        outside the TLS), ``slow``, ``unavailable`` (HTTP 503), ``garbage`` (a web page), ``busy`` (160), ``invalid``
        (``{"error": "Invalid request"}``). The seed decides which requests fail. A list gives the fault of the first
        request, the second and so on: ``["busy", "cut_before", None]``.
    slow_seconds : float, optional
        How long a ``slow`` answer takes.
    requests_per_second : int, optional
        How many requests to send are accepted in any second; further ones are refused with 160. By default there is no
        limit, because the vendor states none for sends.
    keeps_refused_ids : bool, optional
        Whether a refused request uses up its request id, so that the next request with that id is refused with 124. The
        documentation leaves this open; False by default.
    same_text_pause : float, optional
        Seconds during which a number gets the same text only once, through the operations for one number. The vendor states
        300 beside its trial text, but no code; here such a request is refused without a code, ``{"error": …}``. With 0, the
        default, there is no such rule.
    records : str or list of str, optional
        How the records of a period (GetSmsSentData_V2) differ from what was sent: ``labelled`` (a label before the text),
        ``cut`` (only 40 characters of the text), ``unaccented``, ``name_in_capitals`` and ``nameless`` (the campaign's
        name), ``masked`` (the phones).
    user_id : int, "own" or None, optional
        The account's ``UserID`` in the answer about the balance: by default its own, which is kept in `state`. With None
        it is left out.
    dated : bool, optional
        Whether answers have a ``Date`` header.
    certificate : (path, path), optional
        Files of a TLS certificate for ``localhost`` and of its key, to serve https.
    state : str or path-like, optional
        A file that keeps the account: its keys and the requests it accepted. A sandbox with the same file is the same
        account, also after a restart; if you pass other keys, it is that account with new keys. Only you can read a new
        file.
    port : int, optional
        The port to listen on; by default any free port.
    api_key, secret_key : str, optional
        The account's keys; by default those in `state`, or random ones.

    Notes
    -----
    The sandbox answers the operations that this package uses, and the other ways of sending SMS on the vendor's pages:
    customer care to one number by JSON, form and GET, and advertising by JSON, also as rehearsals with ``Sandbox`` = 1. It
    answers a request that it does not know (Zalo, Viber, one-time codes, a field of another operation) with HTTP 400 and a
    sentence that says so; the gateway may well accept it.

    A forked process can send to the sandbox with `client`; only the process that started the sandbox knows what it
    accepted.

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
        customer_care_floor: int = 1,
        faults: Mapping[str, float] | Sequence[str | None] | None = None,
        slow_seconds: float = 90.0,
        requests_per_second: int | None = None,
        keeps_refused_ids: bool = False,
        same_text_pause: float = 0.0,
        records: str | Iterable[str] = (),
        user_id: int | Literal["own"] | None = "own",
        dated: bool = True,
        certificate: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
        state: str | os.PathLike[str] | None = None,
        port: int = 0,
        api_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        amounts = [balance, report_delay, latency, slow_seconds, customer_care_floor, *(prices or {}).values()]
        amounts += [callback_wait, same_text_pause]
        is_port = isinstance(port, int) and 0 <= port < 65536
        if not all(isinstance(amount, (int, float)) and amount >= 0 for amount in amounts) or not is_port:
            raise InvalidInput(
                "A setting of the sandbox is no number from 0 up (balance, prices, report_delay, latency, callback_wait, "
                "slow_seconds, customer_care_floor, same_text_pause), or port none to 65535: correct it."
            )
        if requests_per_second is not None and not (isinstance(requests_per_second, int) and requests_per_second > 0):
            raise InvalidInput(
                "requests_per_second is {requests_per_second}: write a whole number from 1 up, or None.",
                requests_per_second=repr(requests_per_second),
            )
        if user_id not in {"own", None} and not isinstance(user_id, int):
            raise InvalidInput(
                "user_id is {user_id}: write a whole number, or None to leave it out.", user_id=repr(user_id)
            )
        fresh = secrets.token_hex(16), secrets.token_hex(16)
        key, secret = api_key or fresh[0], secret_key or fresh[1]
        registry = build_registry(brandnames, templates, blocked, unregistered_networks)
        file = None if state is None else StateFile(state)
        earlier: list[Send] = []
        if file is not None:
            key, secret, earlier = file.load(api_key, secret_key, fresh)
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
            user_id=_user_id(key if file is None else file.first_key) if user_id == "own" else user_id,
            looks=check_looks(records),
            keeps_refused_ids=keeps_refused_ids,
            same_text_pause=same_text_pause,
        )
        for send in earlier:
            self._gateway.take(send)
        self._faults = Faults({} if faults is None else faults, seed)
        self._limit = RateLimit(requests_per_second)
        self._app = App(self._gateway, latency, self._faults, slow_seconds, self._limit)
        self._port = port
        self._tls = read_certificate(certificate)
        self._dated = dated
        self._process = os.getpid()
        self._server: Server | None = None

    def start(self) -> Self:
        """Start to listen; if it already listens, nothing changes.

        Returns
        -------
        Sandbox
            The sandbox itself.
        """
        self._check_process()
        if self._process != os.getpid():  # it was not listening when this process was forked
            for part in (self._caller, self._gateway, self._faults, self._limit):
                part.renew_lock()  # a thread of the parent process may have held it
            self._process = os.getpid()
        if self._server is None:
            self._server = Server(self._app, self._port, self._tls, dated=self._dated)
        return self

    def stop(self) -> None:
        """Stop listening and making callbacks.

        The sandbox still knows what it accepted, and after `start` it continues, except for callbacks. In a forked process
        nothing is stopped, because the sandbox belongs to the process that started it.
        """
        if self._server is not None and self._server.is_here:
            self._caller.stop()
            self._server.stop()
            self._server = None

    def _check_process(self) -> None:
        if self._server is not None and not self._server.is_here:
            raise InvalidInput(
                "This sandbox runs in the process that started it ({process}), which knows what it took: use its "
                "client() here, or make another with ef.Sandbox().",
                process=str(self._server.process),
            )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address to pass to a client as ``base_url``."""
        if self._server is None:
            raise InvalidInput(
                "The sandbox does not listen: use it as `with ef.Sandbox() as sandbox:`, or call start()."
            )
        return self._server.url

    @property
    def api_key(self) -> str:
        """The account's ApiKey, valid for this sandbox only."""
        return self._gateway.api_key

    @property
    def secret_key(self) -> str:
        """The account's SecretKey, valid for this sandbox only."""
        return self._gateway.secret_key

    def client(self, **options: Any) -> Client:
        """Build a client for this sandbox.

        Parameters
        ----------
        **options
            `timeout` and `send_paths`, as for `Client`.

        Returns
        -------
        Client
            A client with the sandbox's address and keys. It sends only to a sandbox, whatever else listens at that address
            later.

        Raises
        ------
        InvalidInput
            When the sandbox does not listen.
        """
        return Client(self.api_key, self.secret_key, base_url=self.url, **options).expect_sandbox()

    @property
    def balance(self) -> int:
        """The balance of the account, in VND."""
        self._check_process()
        return self._gateway.balance

    @property
    def faults_met(self) -> dict[str, int]:
        """How often each of the `faults` has occurred so far."""
        self._check_process()
        return {str(fault): times for fault, times in self._faults.met.items()}

    @property
    def callbacks_made(self) -> dict[str, int]:
        """How many callbacks were made so far, by their answer: an HTTP status, or ``unanswered``."""
        self._check_process()
        return dict(self._caller.made)

    @property
    def sent(self) -> pd.DataFrame:
        """The accepted messages: one row per message, in the order in which they were accepted.

        Columns: ``phone``, ``sms_id``, ``request_id``, ``campaign``, ``brandname``, ``sms_type``, ``content``,
        ``accepted_at`` (Vietnam time).
        """
        self._check_process()
        columns = ["sms_id", "request_id", "campaign", "brandname", "sms_type", "content", "accepted_at"]
        sends = list(self._gateway.sends.values())
        ledger = pd.DataFrame([[getattr(send, name) for name in columns] for send in sends], columns=columns)
        ledger.insert(0, "phone", pd.Series([send.phones for send in sends], dtype=object))
        return ledger.explode("phone", ignore_index=True)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sandbox is a server and is not copied: make another, with ef.Sandbox().")

    def __repr__(self) -> str:
        where = f"at {self.url}" if self._server else "not listening"
        if self._server and not self._server.is_here:
            return f"<Sandbox {where}, of process {self._server.process}>"
        return f"<Sandbox {where}, {len(self._gateway.sends):,} requests taken>"


def _user_id(first_key: str) -> int:
    """Derive the made-up UserID of an account: different for each sandbox, the same for sandboxes with the same state."""
    return int.from_bytes(hashlib.sha256(b"esms_frames sandbox user " + first_key.encode()).digest()[:6], "big") + 1
