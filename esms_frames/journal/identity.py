"""Find out which account a client's campaigns belong to, asking the gateway where the journal does not know."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from esms_frames.base.addresses import LIVE_GATEWAY, SANDBOX
from esms_frames.base.errors import GatewayError, InvalidInput
from esms_frames.journal.ownership import Identity

if TYPE_CHECKING:
    from esms_frames.journal.batches import BatchStore
    from esms_frames.journal.records import Scope


class GatewayAccount(Protocol):
    """A client of the gateway, as far as the journal needs to know it; `Client` is one."""

    @property
    def gateway(self) -> str:
        """``live`` or ``sandbox``."""

    @property
    def key_fingerprint(self) -> str:
        """A fingerprint of the ApiKey."""

    @property
    def user_fingerprint(self) -> str | None:
        """A fingerprint of the UserID that the gateway told, if it told one."""

    @property
    def has_told(self) -> bool:
        """Whether the gateway has answered `balance`."""

    @property
    def is_local(self) -> bool:
        """Whether the gateway's address is on this machine."""

    @property
    def is_sandbox(self) -> bool:
        """Whether the gateway has proved to be a sandbox."""

    def balance(self) -> object:
        """Ask how much money the account has, which tells whose it is."""


def check_account(client: object) -> None:
    """Check that the argument `client` is a client that knows its account."""
    if not hasattr(type(client), "user_fingerprint"):
        raise InvalidInput(
            "client must be a Client, not {kind}: make one with ef.Client.from_env(), or with sandbox.client().",
            kind=type(client).__name__,
        )


def identify(client: GatewayAccount, batches: BatchStore) -> Identity:
    """Return who a client is; its gateway is asked unless it, or the journal, has told the account of the key before."""
    gateway, key = client.gateway, client.key_fingerprint
    if not client.has_told and batches.account_of(gateway, key) is None:
        with suppress(GatewayError):  # what keeps it from answering shows when it is to send
            client.balance()
    return Identity(gateway, key, client.user_fingerprint)


def scope_of(name: str, client: GatewayAccount, batches: BatchStore, *, begin: bool = True) -> Scope:
    """Find a client's campaign, or begin it. If it is not to be begun, a campaign that does not exist has the id 0.

    Raises
    ------
    InvalidInput
        When it is not known whether another account that has a campaign of the name is the same.
    """
    return batches.scope_for(name, identify(client, batches), begin=begin)


def accounts_of(client: GatewayAccount, batches: BatchStore) -> set[tuple[str, str]]:
    """Return the gateways and accounts that a client's campaigns may be stored under; nothing is asked or written."""
    gateways = [LIVE_GATEWAY, SANDBOX] if client.is_local else [LIVE_GATEWAY]
    return batches.accounts_of(gateways, client.key_fingerprint, client.user_fingerprint)
