"""Section 5 of the form: confirm, send, watch, cancel, and resume what was left unfinished."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.controls.worker import Cancelled, Reporter
from esms_frames.apps.forms.state import draft
from esms_frames.base.errors import EsmsError, InvalidInput
from esms_frames.campaigns.past_results import results
from esms_frames.campaigns.send import resume, send
from esms_frames.journal.identity import accounts_of
from esms_frames.reporting.frame import Status
from esms_frames.reporting.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from esms_frames.apps.forms.controls.worker import Worker
    from esms_frames.apps.forms.state.draft import Checked, Draft
    from esms_frames.apps.forms.text.labels import Words
    from esms_frames.campaigns.sending.dispatch import Progress
    from esms_frames.gateway.client import Client
    from esms_frames.journal.journal import Journal
    from esms_frames.recipients.audience import Audience


@dataclass(frozen=True)
class Sent:
    """The end of a run: its campaign and gateway, its results, and whether it was cancelled."""

    campaign: str
    client: Client
    results: pd.DataFrame | None
    cancelled: bool = False
    error: Exception | None = None


class SendSection:
    """Send what was checked.

    Parameters
    ----------
    words : Words
        The language.
    worker : Worker
        Who sends.
    told : callable
        Says an error for people.
    journal : callable
        Gives the journal.
    drafted, checked : callable
        Give the present draft and the last check.
    on_sent : callable
        Gets what a run came to, beside the kernel.
    offers_all : bool
        Whether unfinished campaigns of the whole journal are offered, or only those that were begun here.
    """

    def __init__(
        self,
        words: Words,
        worker: Worker,
        told: Callable[[Exception | str], str],
        journal: Callable[[], Journal],
        drafted: Callable[[], Draft],
        checked: Callable[[], Checked | None],
        on_sent: Callable[[Sent], object],
        *,
        offers_all: bool = True,
    ) -> None:
        self._words, self._worker, self._told, self._journal = words, worker, told, journal
        self._draft, self._checked, self._on_sent = drafted, checked, on_sent
        self._offers_all, self._begun = offers_all, set[str]()
        self._reporter: Reporter | None = None
        self.why = fields.html()
        self.confirm_note = fields.html()
        self.confirm = widgets.Text(description=words("confirm"), **fields.layout())
        self.send = fields.button(words("send"), icon="paper-plane", style="primary")
        self.cancel = fields.button(words("cancel"), icon="stop", style="warning", shown=False)
        self.bar = widgets.IntProgress(description=words("sending"), min=0, max=1, **fields.layout(display="none"))
        self.status = fields.html()
        self.unfinished = widgets.Dropdown(description=words("resume_which"), **fields.layout())
        self.resume = fields.button(words("resume"), icon="play")
        self._unfinished_box = widgets.VBox(
            [
                fields.html(html.note("look", words("unfinished"))), self.unfinished,
                fields.row(self.resume, below_field=True),
                fields.html(html.hint(words("resume_note")), below_field=True),
            ],
            layout=widgets.Layout(display="none"),
        )  # fmt: skip
        self.box = fields.section(
            5, words("heading_send"), self._unfinished_box, self.why, self.confirm_note, self.confirm,
            fields.row(self.send, self.cancel), self.bar, self.status,
        )  # fmt: skip
        self.send.on_click(lambda _: self._send())
        self.resume.on_click(lambda _: self._resume())
        self.cancel.on_click(lambda _: self._cancel())
        self.confirm.observe(lambda _: self.update(), "value")

    def update(self) -> None:
        """Follow the present draft and the last check."""
        words, present, checked = self._words, self._draft(), self._checked()
        gate = draft.gate(present, checked, self.confirm.value, busy=self._worker.busy)
        holds = gate.open or gate.why == "send_confirm"
        count = checked.plan.recipients if checked is not None and holds else 0
        asks = holds and draft.is_live(present)
        self.send.disabled = not gate.open
        self.send.description = words("send_count", count=count) if holds else words("send")
        fields.show(self.confirm, asks)
        fields.show(self.confirm_note, asks)
        if asks:
            self.confirm.placeholder = words("confirm_hint", count=count)
            self.confirm_note.value = html.note("look", words("confirm_note", count=count))
        self.why.value = html.note("good" if gate.open else "info", words(gate.why))
        fields.show(self.why, self._reporter is None)
        fields.show(self.cancel, self._reporter is not None)
        self.resume.disabled = self._worker.busy

    def offer(self, client: Client | None) -> None:
        """Offer the unfinished campaigns of a gateway and account for resuming; on a page for several, one's own."""
        options = []
        if client is not None:
            try:
                journal = self._journal()
                there, whose = journal.campaigns(), accounts_of(client, journal._batches)
            except EsmsError as error:
                self.status.value = html.note("bad", self._told(error))
                there = None
            if there is not None:
                pairs = zip(there["gateway"], there["account"], strict=True)
                mine = there[np.array([pair in whose for pair in pairs], dtype=bool)]
                for row in mine[(mine["unfinished"] > 0) | (mine["unknown"] > 0)].itertuples():
                    if not self._offers_all and row.campaign not in self._begun:
                        continue
                    said = {"campaign": row.campaign, "unfinished": row.unfinished, "unknown": row.unknown}
                    options.append((self._words("unfinished_one", **said), row.campaign))
        fields.offer(self.unfinished, options, self.unfinished.value)
        fields.show(self._unfinished_box, bool(options))

    def _send(self) -> None:
        present, checked = self._draft(), self._checked()
        if not draft.gate(present, checked, self.confirm.value, busy=self._worker.busy).open:
            return
        audience, message, client = present.audience, present.message, present.client
        if audience is None or message is None or client is None:
            return
        self.confirm.value = ""
        name = present.name

        def run(report: Reporter) -> pd.DataFrame:
            return send(audience, message, client, campaign=name, journal=self._journal(), progress=report)

        self._run(name, client, run, audience)

    def _resume(self) -> None:
        name, client = self.unfinished.value, self._draft().client
        if name is None or client is None:
            return

        def run(report: Reporter) -> pd.DataFrame:
            return resume(name, client, journal=self._journal(), progress=report)

        self._run(name, client, run, None)

    def _run(
        self, name: str, client: Client, run: Callable[[Reporter], pd.DataFrame], audience: Audience | None
    ) -> None:
        """Send beside the kernel, and tell what it came to, however it ends."""
        words = self._words
        reporter = Reporter(self._report, time.monotonic)

        def work() -> Sent:
            try:
                reporter.check()
                return Sent(name, client, run(reporter))
            except Cancelled:
                return Sent(name, client, self._so_far(name, client, audience), cancelled=True)
            except Exception as error:  # noqa: BLE001 - shown to the person at the form, with what was sent
                return Sent(name, client, self._so_far(name, client, audience), error=error)

        def over(sent: Sent) -> None:
            self._reporter = None
            self._tell(sent, reporter.elapsed)
            self.offer(self._draft().client)
            self._on_sent(sent)

        def failed(error: Exception) -> None:
            self._reporter = None
            self.status.value = html.note("bad", words("failed", problem=self._told(error)))

        if self._worker.busy:
            self.status.value = html.note("look", words("error_busy"))
            return
        self._reporter = reporter
        self._begun.add(name)
        self.bar.value, self.bar.max, self.bar.bar_style = 0, 1, ""
        fields.show(self.bar, True)
        self.cancel.disabled = False
        self.status.value = html.note("info", words("starting"))
        if not self._worker.start(work, over, failed):
            self._reporter = None

    def _so_far(self, name: str, client: Client, audience: Audience | None) -> pd.DataFrame | None:
        """Return the results of what was sent; nothing where the campaign has not begun."""
        with suppress(InvalidInput):
            return results(name, audience, journal=self._journal(), client=client)
        return None

    def _report(self, progress: Progress, elapsed: float) -> None:
        words = self._words
        self.bar.max = max(1, progress.total)
        self.bar.value = progress.done
        if self._reporter is not None and self._reporter.cancelled:
            return
        said = [words("progress", done=progress.done, total=progress.total), *self._counted(progress)]
        left = draft.remaining(progress, elapsed)
        if left is not None:
            said.append(words("remaining", time=self._span(left)))
        self.status.value = html.note("info", " · ".join(said))

    def _counted(self, progress: Progress) -> list[str]:
        kinds = {"accepted": "accepted", "already_sent": "accepted", "refused": "refused", "unknown": "unknown"}
        counts: Counter[str] = Counter({"accepted": 0, "refused": 0, "unknown": 0})
        for status, count in progress.counts.items():
            counts[kinds.get(status, "others")] += count
        signs = {"accepted": "✓", "refused": "✗", "unknown": "?", "others": "…"}
        return [f"{signs[kind]} {self._words.number(count)} {self._words(kind)}" for kind, count in counts.items()]

    def _span(self, seconds: float) -> str:
        unit, n = draft.span(seconds)
        return self._words(unit, n=n)

    def _cancel(self) -> None:
        if self._reporter is not None:
            self._reporter.cancel()
            self.cancel.disabled = True
            self.status.value = html.note("look", self._words("cancelling"))

    def _tell(self, sent: Sent, elapsed: float) -> None:
        words = self._words
        if sent.error is not None:
            self.bar.bar_style = "danger"
            self.status.value = html.note("bad", words("failed", problem=self._told(sent.error)))
        elif sent.cancelled:
            self.bar.bar_style = "warning"
            key = "cancelled" if sent.results is not None else "cancelled_early"
            self.status.value = html.note("look", words(key))
        else:
            self.bar.value = self.bar.max
            time, what = self._span(elapsed), self._what_became(sent.results)
            self.bar.bar_style = "warning" if what else "success"
            self.status.value = (
                html.note("look", words("done_partly", time=time, what=what))
                if what
                else html.note("good", words("done", time=time))
            )

    def _what_became(self, found: pd.DataFrame | None) -> str:
        """Count what was accepted, refused, not sent and is unknown, each apart; nothing where all was accepted."""
        if found is None:
            return ""
        total = summarize(found, None).iloc[0]
        counts = {name: int(total[name]) for name in ("accepted", "refused", "not_sent", "unknown")}
        counts["not_sent"] -= int((found["status"] == Status.CAPPED).sum())  # that is the law's, and as it has to be
        if not any(count for name, count in counts.items() if name != "accepted"):
            return ""
        return " · ".join(self._words(f"done_{name}", count=count) for name, count in counts.items() if count)
