"""Section 6 of the form: what became of it: summary, table, chart, a file to take along, and the same in Python."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.controls.download import linked_csv, written_csv
from esms_frames.apps.forms.text.results_labels import reason_in
from esms_frames.apps.forms.text.tracking_note import tracking_note
from esms_frames.reporting.frame import count_differences
from esms_frames.reporting.joined import is_tracked
from esms_frames.reporting.plot import plot
from esms_frames.reporting.summary import summarize
from esms_frames.tracking.track import track

if TYPE_CHECKING:
    from collections.abc import Callable

    from esms_frames.apps.forms.controls.download import Download
    from esms_frames.apps.forms.controls.worker import Worker
    from esms_frames.apps.forms.sections.send import Sent
    from esms_frames.apps.forms.text.labels import Words
    from esms_frames.gateway.client import Client
    from esms_frames.journal.journal import Journal


_ROWS = 50
_MOST_ROWS = 20_000  # that are handed to the browser within the page, some 2 MB; more are written to a file
_SUMMED = ("rows", "recipients", "accepted", "refused", "unknown", "not_sent")
_COLUMNS = ("phone", "network", "status", "reason", "sent_at", "scheduled_for", "delivery", "delivery_reason")


class ResultSection:
    """Show results; `results` is their frame.

    Parameters
    ----------
    words : Words
        The language.
    worker : Worker
        Who asks what was delivered, and writes large files.
    told : callable
        Says an error for people.
    journal : callable
        Gives the journal.
    code : callable
        Gives the Python that does the same.
    """

    def __init__(
        self,
        words: Words,
        worker: Worker,
        told: Callable[[Exception], str],
        journal: Callable[[], Journal],
        code: Callable[[], str],
    ) -> None:
        self._words, self._worker, self._told, self._journal, self._code = words, worker, told, journal, code
        self.results: pd.DataFrame | None = None
        self.campaign = ""
        self._client: Client | None = None  # who has sent them
        self.summary = fields.html(html.hint(words("result_none")))
        self.chart = fields.html()
        self.table = fields.html()
        self.download = fields.html()
        self.save = fields.button(words("save"), icon="download")
        self.track = fields.button(words("track"), icon="refresh")
        self.status = fields.html()
        self.show_code = fields.button(words("code"), icon="code")
        self.code = fields.html()
        self._box = widgets.VBox(
            [
                fields.row(self.download, self.save, self.track), self.status, self.chart, self.table,
            ],
            layout=widgets.Layout(display="none"),
        )  # fmt: skip
        self.box = fields.section(
            6, words("heading_result"), self.summary, self._box, fields.row(self.show_code), self.code
        )
        fields.show(self.code, False)
        self.track.on_click(lambda _: self._track())
        self.save.on_click(lambda _: self._save())
        self.show_code.on_click(lambda _: self._toggle_code())

    def show(self, sent: Sent) -> None:
        """Show what a run came to."""
        if sent.results is None:
            return
        self.campaign, self._client = sent.campaign, sent.client
        self._take(sent.results)
        self.status.value = ""

    def update(self) -> None:
        """Follow what is under way, and the code what is in the fields."""
        self.track.disabled = self.save.disabled = self._worker.busy
        if self.code.layout.display != "none":
            self.code.value = html.code(self._code())

    def _take(self, results: pd.DataFrame) -> None:
        words = self._words
        self.results = results
        total = summarize(results, None).iloc[0]
        names = [*_SUMMED, *(["delivered", "failed", "pending"] if is_tracked(results) else [])]
        said = {"delivered": "delivery_delivered", "failed": "delivery_failed", "pending": "delivery_pending"}
        said |= {"rows": "rows", "recipients": "recipients"}
        tiles = [(words(said.get(name, f"status_{name}")), words.number(int(total[name]))) for name in names]
        if not pd.isna(total["price"]):
            tiles.append((words("price"), words.money(total["price"])))
        self.summary.value = (
            f'<div style="font-weight:600;overflow-wrap:anywhere">'
            f"{escape(words('result_summary', campaign=self.campaign))}</div>{html.tiles(tiles)}"
            f"{self._sent_otherwise(results)}"
        )
        self.chart.value = self._chart(results, int(total["accepted"]), int(total["recipients"]))
        self.table.value = self._table(results)
        small = len(results) <= _MOST_ROWS
        self.download.value = self._link(results) if small else ""
        fields.show(self.download, small)
        fields.show(self.save, not small)
        fields.show(self._box, True)

    def _sent_otherwise(self, results: pd.DataFrame) -> str:
        """Show how many rows were sent otherwise than they would be now."""
        counts = zip(("segment", "text"), count_differences(results), strict=True)
        return "".join(
            html.note("look", self._words(f"sent_otherwise_{name}", count=count)) for name, count in counts if count
        )

    def _chart(self, results: pd.DataFrame, accepted: int, recipients: int) -> str:
        if results.empty:
            return ""
        picture = io.BytesIO()
        plot(self._said(results), lang=self._words.lang).savefig(picture, format="png", dpi=120)
        label = self._words("chart_alt", accepted=accepted, recipients=recipients)
        return (
            f'<img alt="{escape(label)}" style="max-width:100%;height:auto;width:820px;background:#fff;border-radius:6px" '
            f'src="data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}">'
        )

    def _said(self, results: pd.DataFrame) -> pd.DataFrame:
        """Return the results with reasons in the form's language."""
        new = {}
        for name in ("reason", "delivery_reason"):
            if name in results.columns:
                reason = results[name].astype(object)
                said = {each: self._cell(name, each) for each in reason.dropna().unique()}
                new[name] = reason.map(said, na_action="ignore")
        return results.assign(**new)

    def _table(self, results: pd.DataFrame) -> str:
        words = self._words
        names = [name for name in _COLUMNS if name in results.columns]
        if results["scheduled_for"].isna().all():
            names.remove("scheduled_for")
        rows = [
            [str(label), *(self._cell(name, value) for name, value in zip(names, row, strict=True))]
            for label, row in zip(
                results.index[:_ROWS], results[names].head(_ROWS).itertuples(index=False, name=None), strict=True
            )
        ]
        shown, count = min(_ROWS, len(results)), len(results)
        said = words("result_all", count=count) if shown == count else words("result_first", shown=shown, count=count)
        heads = [words("row"), *(words("sending_at" if name == "sent_at" else name) for name in names)]
        return html.table(heads, rows, caption=f"{words('result_table')}: {said}")

    def _cell(self, name: str, value: Any) -> str:
        words = self._words
        if pd.isna(value):
            return ""
        if name in {"status", "delivery"} and f"{name}_{value}" in words:
            return words(f"{name}_{value}")
        if name in {"reason", "delivery_reason"}:
            return reason_in(words, str(value))
        return f"{value:%d/%m/%Y %H:%M:%S}" if name in {"sent_at", "scheduled_for"} else str(value)

    def _link(self, results: pd.DataFrame) -> str:
        offered = linked_csv(results, self._stem())
        size = f"{offered.size / 1e6:.1f} MB" if offered.size >= 1e6 else f"{max(1, offered.size // 1000)} kB"
        return offered.link(self._words("download", size=size))

    def _stem(self) -> str:
        """Return what the name of the file begins with."""
        kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in self.campaign).strip("-")[:40]
        return f"esms-{kept or 'results'}"

    def _save(self) -> None:
        results, words = self.results, self._words
        if results is None:
            return
        stem = self._stem()

        def there(written: Download) -> None:
            self.status.value = html.note("good", words("download_saved", rows=written.rows, path=written.path))

        def failed(error: Exception) -> None:
            self.status.value = html.note("bad", self._told(error))

        self.status.value = html.note("info", words("saving"))
        if not self._worker.start(lambda: written_csv(results, stem), there, failed):
            self.status.value = html.note("look", words("error_busy"))

    def _track(self) -> None:
        results, client, words = self.results, self._client, self._words
        if results is None or client is None:
            self.status.value = html.note("look", words("not_connected"))
            return

        def there(tracked: pd.DataFrame) -> None:
            self._take(tracked)
            self.status.value = tracking_note(tracked, words)

        def failed(error: Exception) -> None:
            self.status.value = html.note("bad", self._told(error))

        self.status.value = html.note("info", words("tracking"))
        if not self._worker.start(
            lambda: track(results, client, journal=self._journal(), progress=False), there, failed
        ):
            self.status.value = html.note("look", words("error_busy"))

    def _toggle_code(self) -> None:
        visible = self.code.layout.display == "none"
        fields.show(self.code, visible)
        self.show_code.description = self._words("code_hide" if visible else "code")
        self.code.value = html.code(self._code()) if visible else ""
