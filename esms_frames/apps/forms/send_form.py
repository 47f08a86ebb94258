"""The form that sends: its six sections, wired to each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from esms_frames.apps.forms.controls import fields
from esms_frames.apps.forms.controls.worker import Worker
from esms_frames.apps.forms.sections.check import CheckSection
from esms_frames.apps.forms.sections.gateway import GatewaySection
from esms_frames.apps.forms.sections.message import MessageSection
from esms_frames.apps.forms.sections.recipients import RecipientsSection
from esms_frames.apps.forms.sections.results import ResultSection
from esms_frames.apps.forms.sections.send import SendSection
from esms_frames.apps.forms.state import account as connection
from esms_frames.apps.forms.state.draft import Draft
from esms_frames.apps.forms.text.catalogue import told
from esms_frames.apps.forms.text.labels import Words
from esms_frames.base.errors import InvalidInput
from esms_frames.gateway.client import check_client
from esms_frames.journal.database.address import Address, hide
from esms_frames.journal.journal import Journal

if TYPE_CHECKING:
    import os

    from esms_frames.apps.forms.sections.send import Sent
    from esms_frames.gateway.client import Client


class SendForm(widgets.VBox):  # type: ignore[misc]
    """A form to send with, for a notebook or a page: the same as `read_customers`, `prepare`, `plan` and `send`.

    From top to bottom: the gateway, the recipients, the message, a check with the price, sending, and the results. Nothing
    is sent before the check has passed for exactly what the form holds, and a live send asks for the number of recipients.
    Sending runs beside the kernel, which stays free. Make it the last line of a cell to show it.

    Parameters
    ----------
    df : DataFrame, optional
        The customers. Without them, a file can be uploaded, or the packaged sample be tried. It is not changed.
    client : Client, optional
        The gateway. Without one, a sandbox of the form's own is chosen at first, which delivers nothing; keys of a live
        account come from the environment (see `Client.from_env`), from the machine's keyring (service ``esms_frames``,
        names ``api_key`` and ``secret_key``; install ``esms-frames[keyring]``), or are typed. A typed key goes into the
        client at once, and never stays in a widget.
    lang : {"vi", "en"}, optional
        The language.
    journal : Journal, str or path-like, optional
        As for `send`. A page that Voila serves to several people gets one for each: the campaigns of a journal that is
        given are offered to whoever sees the form, those of the usual one only to whom has begun them. Where a proxy
        signs people in, Voila hands its header over: ``voila --VoilaConfiguration.http_header_envs=X-Forwarded-User``
        makes it ``os.environ["HTTP_X_FORWARDED_USER"]``, of which a path can be made.

    Attributes
    ----------
    results : DataFrame or None
        What `send`, `resume` or `track` returned last; None before. After **Cancel**, the results of what was sent.

    Raises
    ------
    InvalidInput
        When `lang` is not known, or `df` or `client` are something else.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> form = ef.SendForm(customers, lang="en")
    >>> form.results is None
    True
    >>> form.close()
    """

    _ready = False  # until all sections are there

    def __init__(
        self,
        df: pd.DataFrame | None = None,
        client: Client | None = None,
        *,
        lang: str = "vi",
        journal: Journal | str | os.PathLike[str] | None = None,
    ) -> None:
        words, journal = Words(lang), hide(journal)
        if df is not None and not isinstance(df, pd.DataFrame):
            raise InvalidInput(
                "The customers must be a DataFrame, not {kind}: pass a list as pd.DataFrame({{'phone': …}}).",
                kind=type(df).__name__,
            )
        if client is not None:
            check_client(client)
        say = partial(told, words=words)
        self._words, self._say = words, say
        self._given_journal, self._opened = journal, journal if isinstance(journal, Journal) else None
        self._worker = Worker(self._update)
        self._message = MessageSection(words, say, self._update)
        self._recipients = RecipientsSection(df, words, say, self._journal, self._update)
        self._gateway = GatewaySection(client, words, self._worker, say, self._on_account)
        self._check = CheckSection(
            words, self._worker, say, self._journal, self._draft, self._missing,
            lambda: self._message.sms_type.value, self._update,
        )  # fmt: skip
        self._sending = SendSection(
            words, self._worker, say, self._journal, self._draft, lambda: self._check.checked, self._on_sent,
            offers_all=journal is not None or not connection.is_page(),
        )  # fmt: skip
        self._result = ResultSection(words, self._worker, say, self._journal, self.code)
        sections: list[Any] = [
            self._gateway, self._recipients, self._message, self._check, self._sending, self._result,
        ]  # fmt: skip
        super().__init__(
            [section.box for section in sections],
            layout=widgets.Layout(width="auto", max_width="900px", overflow="hidden"),
        )
        self._ready = True
        self._gateway.connect()
        self._update()

    @property
    def results(self) -> pd.DataFrame | None:
        """The results of what was sent last; None before."""
        return self._result.results

    def code(self) -> str:
        """Return the Python that does what the form would do with what it holds now, without keys.

        Returns
        -------
        str
            A program; of what is not chosen yet, it says so in comments. A DataFrame, and a Journal or the URL of a
            database, that the form was given are ``df`` and ``journal``.
        """
        client = self._gateway.account.client if self._gateway.account else None
        lines = ["import esms_frames as ef", "", connection.code(self._gateway.way.value, client)]
        recipients, message = self._recipients.code(), self._message.code()
        lines += recipients or ["# audience: choose recipients first"]
        lines += message or ["# message: write it first"]
        if recipients and message and not self._message.campaign_problem:
            given = f", campaign={self._draft().name!r}"
            if self._given_journal is not None:
                given += f", journal={self._journal_code()}"
            lines += [
                f"print(ef.plan(audience, message, client{given}))",
                f"results = ef.send(audience, message, client{given})",
                "print(ef.summarize(results))",
            ]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Close the form with all that is in it: its sandbox stops, and keys are forgotten."""
        if self._ready:
            self._gateway.close()
        for child in self.children:
            fields.close(child)
        super().close()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until what is under way beside the kernel is over: a connection, a check, a send.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which to stop waiting.
        """
        self._worker.wait(timeout)

    def __repr__(self) -> str:
        rows = "no list" if self._recipients.listing is None else f"{len(self._recipients.listing.df):,} rows"
        return f"<SendForm: {rows}, {'no results' if self.results is None else f'{len(self.results):,} results'}>"

    def _journal(self) -> Journal:
        if self._opened is None:
            given: Any = self._given_journal
            self._opened = Journal(given)
        return self._opened

    def _journal_code(self) -> str:
        given = self._given_journal
        is_path = not isinstance(given, (Journal, Address))  # the URL of a database holds a password
        return repr(str(given)) if is_path else "journal"

    def _draft(self) -> Draft:
        account = self._gateway.account
        return Draft(
            None if account is None else account.client,
            self._recipients.audience,
            self._message.message,
            self._message.campaign_typed,
        )

    def _missing(self) -> list[str]:
        """List what the present draft still lacks."""
        words, present = self._words, self._draft()
        missing = [] if present.client else [words("missing_gateway")]
        missing += [] if present.audience else [words("missing_recipients")]
        missing += [words("missing_message", problem=self._message.problem)] if self._message.problem else []
        problem = self._message.campaign_problem
        return missing + ([words("missing_campaign", problem=problem)] if problem else [])

    def _on_account(self) -> None:
        if not self._ready:
            return
        account = self._gateway.account
        self._message.registered(lambda kind: None if account is None else account.names(kind))
        self._sending.offer(None if account is None else account.client)
        self._update()

    def _on_sent(self, sent: Sent) -> None:
        self._result.show(sent)
        self._check.forget()
        self._gateway.refresh()

    def _update(self) -> None:
        """Update each section by the state of the others."""
        if not self._ready:
            return
        audience = self._recipients.audience
        self._message.for_recipients(0 if audience is None else len(audience.ready))
        self._check.update()
        self._sending.update()
        self._result.update()
