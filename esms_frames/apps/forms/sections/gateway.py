"""Section 1 of the form: which gateway, with whose keys, and what the account holds."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.state.account import Account, KeyringError, Way, asked, from_keyring, ways
from esms_frames.base.errors import GatewayError
from esms_frames.gateway.client import Client
from esms_frames.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from esms_frames.apps.forms.controls.worker import Worker
    from esms_frames.apps.forms.text.labels import Words


class GatewaySection:
    """Choose a gateway; `account` is what it came to.

    Parameters
    ----------
    client : Client or None
        The client that the form was given.
    words : Words
        The language.
    worker : Worker
        Who asks a live gateway.
    told : callable
        Says an error for people.
    on_change : callable
        Called when there is another account, or none.
    """

    def __init__(
        self,
        client: Client | None,
        words: Words,
        worker: Worker,
        told: Callable[[Exception], str],
        on_change: Callable[[], object],
    ) -> None:
        self._given = client
        self._words, self._worker, self._told, self._on_change = words, worker, told, on_change
        self._typed: dict[str, str] = {}
        self._wanted = 0
        self.account: Account | None = None
        self.sandbox: Sandbox | None = None
        there = ways(client)
        self.way = widgets.Dropdown(
            options=[(words(f"gateway_{way}"), way) for way in there],
            value=there[0],
            description=words("gateway"),
            **fields.layout(),
        )
        self.keys = {
            name: fields.Secret(description=words(name), placeholder=words("key_hint"), **fields.layout())
            for name in ("api_key", "secret_key")
        }
        self.again = fields.button(words("reconnect"), icon="refresh", shown=False)
        self.status = fields.html(below_field=True)
        self._key_box = widgets.VBox([*self.keys.values(), fields.html(html.hint(words("key_note")), below_field=True)])
        self.box = fields.section(
            1, words("heading_gateway"), self.way, self._key_box, self.status, fields.row(self.again, below_field=True)
        )
        for name, box in self.keys.items():
            box.observe(self._taker(name), "value")
        self.way.observe(lambda _: self.connect(), "value")
        self.again.on_click(lambda _: self.connect())

    def connect(self) -> None:
        """Make the client of the chosen way, and ask its gateway about the account."""
        way = self.way.value
        self._wanted += 1
        if way is not Way.TYPED:
            self._typed.clear()
        self.account = None
        fields.show(self._key_box, way is Way.TYPED)
        fields.show(self.again, False)
        self._on_change()
        if way is Way.TYPED and len(self._typed) < 2:
            self.status.value = html.note("info", self._words("key_both"))
            return
        self.status.value = html.note("info", self._words("connecting"))
        try:
            client = self._client(way)
        except Exception as error:  # noqa: BLE001 - shown to the person at the form
            self._failed(error)
            return
        wanted = self._wanted

        def there(account: Account) -> None:
            if wanted == self._wanted:
                self._connected(account)

        def failed(error: Exception) -> None:
            if wanted == self._wanted:
                self._failed(error)

        if way is Way.SANDBOX:  # on this machine, so it answers at once
            try:
                there(asked(client))
            except Exception as error:  # noqa: BLE001 - shown to the person at the form
                failed(error)
        elif not self._worker.start(lambda: asked(client), there, failed):
            self.status.value = html.note("look", self._words("error_busy"))
            fields.show(self.again, True)

    def refresh(self) -> None:
        """Ask for the balance again, after a send; what can't be had stays as it was. Called beside the kernel."""
        before = self.account
        if before is not None:
            with suppress(GatewayError):
                balance = before.client.balance()
                if self.account is before:  # nobody has chosen another gateway meanwhile
                    self.account = Account(before.client, balance, before.brandnames)
                    self._show(self.account)

    def close(self) -> None:
        """Forget keys, and stop the sandbox."""
        self._typed.clear()
        if self.sandbox is not None:
            self.sandbox.stop()

    def _taker(self, name: str) -> Callable[[Any], None]:
        """Take a key out of its box before anything else happens."""

        def take(change: Any) -> None:
            if not change["new"]:
                return
            self._typed[name] = change["new"]
            box = self.keys[name]
            box.value = ""
            box.placeholder = self._words("key_taken")
            if self.way.value is Way.TYPED:
                self.connect()

        return take

    def _client(self, way: Way) -> Client:
        if way is Way.GIVEN and self._given is not None:
            return self._given
        if way is Way.ENV:
            return Client.from_env()
        if way is Way.KEYRING:
            return from_keyring()
        if way is Way.TYPED:
            typed, self._typed = self._typed, {}
            return Client(typed["api_key"], typed["secret_key"])
        if self.sandbox is None:
            self.sandbox = Sandbox(customer_care_floor=1).start()
            weakref.finalize(self, self.sandbox.stop)
        return self.sandbox.client()

    def _connected(self, account: Account) -> None:
        self.account = account
        self._show(account)
        fields.show(self.again, False)
        self._on_change()

    def _show(self, account: Account) -> None:
        words = self._words
        names = words("brandnames_unknown")
        if account.brandnames is not None:
            kinds: dict[str, list[str]] = {}
            for each in account.brandnames:
                if each.sms_type is not None:  # others are of other services
                    kinds.setdefault(each.name, []).append(words(str(each.sms_type)))
            listed = [f"{name} ({', '.join(dict.fromkeys(kinds[name]))})" for name in kinds]
            names = "; ".join(listed[:8]) + ("…" if len(listed) > 8 else "") if listed else words("no_brandnames")
        said = ("info", "connected_sandbox") if account.client.is_sandbox else ("look", "connected_live")
        self.status.value = html.note(said[0], words(said[1])) + html.facts(
            [(words("balance"), words.money(account.balance)), (words("brandnames"), names)]
        )

    def _failed(self, error: Exception) -> None:
        problem = self._told(error)
        if isinstance(error, KeyringError):
            problem = self._words(error.label, **({"cause": error.cause} if error.cause else {}))
        self.account = None
        self.status.value = html.note("bad", f"{self._words('not_connected')} {problem}")
        fields.show(self.again, True)
        for box in self.keys.values():
            box.placeholder = self._words("key_hint")
        self._on_change()
