"""Section 5 of the form: confirm, send, watch, cancel, and resume what was left unfinished."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets as widgets

from esms_frames.campaign import results, resume, send
from esms_frames.errors import EsmsError, InvalidInput
from esms_frames.results import Status
from esms_frames.widgets import draft, fields, markup
from esms_frames.widgets.background import Cancelled, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from esms_frames.audience import Audience
    from esms_frames.client import Client
    from esms_frames.delivery import Progress
    from esms_frames.journal import Journal
    from esms_frames.widgets.background import Worker
    from esms_frames.widgets.draft import Checked, Draft
    from esms_frames.widgets.labels import Words


@dataclass(frozen=True)
class Sent:
    """What a run came to: its campaign and gateway, its results, and whether it was cancelled."""

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
    ) -> None:
        self._words, self._worker, self._told, self._journal = words, worker, told, journal
        self._draft, self._checked, self._on_sent = drafted, checked, on_sent
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
                fields.html(markup.note("look", words("unfinished"))), self.unfinished,
                fields.row(self.resume, below_field=True),
                fields.html(markup.hint(words("resume_note")), below_field=True),
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
            self.confirm_note.value = markup.note("look", words("confirm_note", count=count))
        self.why.value = markup.note("good" if gate.open else "info", words(gate.why))
        fields.show(self.why, self._reporter is None)
        fields.show(self.cancel, self._reporter is not None)
        self.resume.disabled = self._worker.busy

    def offer(self, client: Client | None) -> None:
        """Offer the unfinished campaigns of a gateway and account for resuming."""
        options = []
        if client is not None:
            try:
                there = self._journal().campaigns()
            except EsmsError as error:
                self.status.value = markup.note("bad", self._told(error))
                there = None
            if there is not None:
                mine = there[(there["gateway"] == client.gateway) & (there["account"] == client.account)]
                for row in mine[(mine["unfinished"] > 0) | (mine["unknown"] > 0)].itertuples():
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
            self.status.value = markup.note("bad", words("failed", problem=self._told(error)))

        if self._worker.busy:
            self.status.value = markup.note("look", words("error_busy"))
            return
        self._reporter = reporter
        self.bar.value, self.bar.max, self.bar.bar_style = 0, 1, ""
        fields.show(self.bar, True)
        self.cancel.disabled = False
        self.status.value = markup.note("info", words("starting"))
        if not self._worker.start(work, over, failed):
            self._reporter = None

    def _so_far(self, name: str, client: Client, audience: Audience | None) -> pd.DataFrame | None:
        """Give the results of what was sent; nothing where the campaign has not begun."""
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
        self.status.value = markup.note("info", " · ".join(said))

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
            self.status.value = markup.note("look", self._words("cancelling"))

    def _tell(self, sent: Sent, elapsed: float) -> None:
        words = self._words
        if sent.error is not None:
            self.bar.bar_style = "danger"
            self.status.value = markup.note("bad", words("failed", problem=self._told(sent.error)))
        elif sent.cancelled:
            self.bar.bar_style = "warning"
            key = "cancelled" if sent.results is not None else "cancelled_early"
            self.status.value = markup.note("look", words(key))
        else:
            self.bar.value = self.bar.max
            time, left = self._span(elapsed), _not_taken(sent.results)
            self.bar.bar_style = "warning" if left else "success"
            self.status.value = (
                markup.note("look", words("done_partly", time=time, count=left))
                if left
                else markup.note("good", words("done", time=time))
            )


def _not_taken(found: pd.DataFrame | None) -> int:
    """Count the numbers that were to be texted, and of which the gateway has not said that it takes them."""
    return 0 if found is None else int(found["status"].isin([Status.REFUSED, Status.UNKNOWN, Status.NOT_SENT]).sum())
