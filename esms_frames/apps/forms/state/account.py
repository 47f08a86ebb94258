"""Where a form's gateway and keys come from, and what its account holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from esms_frames.base.addresses import LIVE_URL
from esms_frames.base.errors import EsmsError, GatewayError
from esms_frames.gateway.client import Client

if TYPE_CHECKING:
    from decimal import Decimal

    from esms_frames.gateway.answers import Brandname
    from esms_frames.messages.limits import SmsType


SERVICE = "esms_frames"
"""The name of the service under which a keyring holds ``api_key`` and ``secret_key``."""


def is_page() -> bool:
    """Return whether this kernel serves a visitor of a page, by what Voila tells it."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")


class Way(StrEnum):
    """Ways to a gateway; the label of each is ``gateway_…``."""

    GIVEN = "given"
    SANDBOX = "sandbox"
    ENV = "env"
    KEYRING = "keyring"
    TYPED = "typed"


class KeyringError(EsmsError):
    """Raised when a keyring gives no keys; its text is the key of a label."""

    def __init__(self, label: str, cause: str = "") -> None:
        super().__init__(label)
        self.label = label
        self.cause = cause


@dataclass(frozen=True)
class Account:
    """A client, and what its gateway says of the account.

    Attributes
    ----------
    client : Client
        Of which the gateway has answered.
    balance : Decimal
        In VND.
    brandnames : tuple of Brandname or None
        None where they could not be fetched.
    """

    client: Client
    balance: Decimal
    brandnames: tuple[Brandname, ...] | None

    def names(self, sms_type: SmsType) -> list[str] | None:
        """Return the names that are registered for a type; None where it is not known."""
        if self.brandnames is None:
            return None
        return list(dict.fromkeys(each.name for each in self.brandnames if each.sms_type is sms_type))


def ways(client: Client | None) -> list[Way]:
    """List the ways that there are on this machine, the one to begin with first."""
    there = [Way.SANDBOX]
    if client is not None:
        there.insert(0, Way.GIVEN)
    if all(os.environ.get(name, "").strip() for name in ("ESMS_API_KEY", "ESMS_SECRET_KEY")):
        there.append(Way.ENV)
    if find_spec("keyring") is not None:
        there.append(Way.KEYRING)
    return [*there, Way.TYPED]


def asked(client: Client) -> Account:
    """Ask a gateway about the account.

    Raises
    ------
    GatewayError
        When it can't be reached or refuses the account.
    """
    balance = client.balance()
    try:
        return Account(client, balance, client.brandnames())
    except GatewayError:
        return Account(client, balance, None)


def from_keyring() -> Client:
    """Make a client with the keys of this machine's keyring.

    Raises
    ------
    KeyringError
        When it can't be opened, or has no keys for us.
    """
    keyring = import_module("keyring")
    try:
        found = [keyring.get_password(SERVICE, name) for name in ("api_key", "secret_key")]
    except Exception as error:  # noqa: BLE001 - each backend has errors of its own
        raise KeyringError("keyring_locked", type(error).__name__) from None
    if not all(found):
        raise KeyringError("keyring_empty")
    return Client(*found)


def code(way: Way, client: Client | None) -> str:
    """Write in Python how to come by the client, without keys."""
    if way is Way.SANDBOX or client is None:
        return "client = ef.Sandbox().start().client()  # delivers nothing"
    where = "" if client.base_url.rstrip("/") == LIVE_URL.rstrip("/") else f"base_url={client.base_url!r}"
    return f"client = ef.Client.from_env({where})  # ESMS_API_KEY and ESMS_SECRET_KEY"
