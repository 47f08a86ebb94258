"""The texts of the view of results, besides the form's own, in English; other languages are in the catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.apps.forms.text.catalogue import told
from esms_frames.apps.forms.text.labels import LABELS, Words

if TYPE_CHECKING:
    from collections.abc import Mapping


_OWN: Mapping[str, str] = {
    "view": "Results of a send",
    "filters": "Filter",
    "filter_hint": "Hold Ctrl (or Shift) to choose several values in a box.",
    "all": "All ({rows})",
    "choice": "{value} ({rows})",
    "rarer": "{others} other values",
    "clear": "Clear filter",
    "shown": "Showing {rows} of {all} rows.",
    "shown_all": "Showing all {rows} rows.",
    "shown_none": "No row fits the filter: take a condition away.",
    "empty": "The results have no rows.",
    "summary": "Summary",
    "by": "By",
    "by_none": "all",
    "more_groups": "{groups} smaller groups are left: see them with ef.summarize(view.frame, by=…).",
    "show_chart": "Show the chart",
    "chart_described": "Chart of the results of {rows} rows; its numbers are in the summary.",
    "columns": "Show more columns",
    "page_number": "Page",
    "page_rows": "of {pages}: rows {first}–{last}",
    "make_csv": "Make a CSV file ({rows} rows)",
    "csv": "Download {name} ({size})",
    "csv_saved": "Wrote {rows} rows ({size}) to the file {path}",
    "no_client": "There is no connection to ask: open it as ef.ResultsView(results, client), with the client that sent.",
    "none_accepted": "No message was accepted, so there is nothing to ask about.",
    "asked": "Asked about {done} / {total} numbers",
    "row_label": "Row",
    "segment": "Segment",
    "sent_at": "Sent at",
    "column_rows": "Rows",
    "column_recipients": "Recipients",
    "column_accepted": "Accepted",
    "column_refused": "Refused",
    "column_unknown": "Unknown",
    "column_not_sent": "Not sent",
    "column_delivered": "Delivered",
    "column_failed": "Failed",
    "column_pending": "Pending",
    "column_delivery_rate": "Delivery rate",
    "column_price": "Price (VND)",
    "column_price_per_delivered": "VND per delivered",
    "column_unpriced": "Price not known",
    "moment": "%Y-%m-%d %H:%M",
}

RESULTS_LABELS: Mapping[str, str] = {**LABELS, **_OWN}
"""What a view says: the form's words and its own."""


def value_in(words: Words, column: str, value: str) -> str:
    """Translate a value of a column of the results in the language of the words, as far as it has them."""
    if column in {"reason", "delivery_reason"}:
        return reason_in(words, value)
    key = f"{column}_{value}"
    return words(key) if column in {"status", "delivery"} and key in words else value


def reason_in(words: Words, reason: str) -> str:
    """Return a reason of the results in the language of the words.

    Examples
    --------
    >>> reason_in(Words("vi"), "no callback has come for this send")
    'chưa có callback cho đợt gửi này'
    """
    if f"reason_{reason}" in words:
        return words(f"reason_{reason}")
    return told(reason, words)


def size_in(words: Words, size: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> size_in(Words("vi"), 1_600_000)
    '1,5 MB'
    """
    text = f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{max(1, round(size / 2**10))} KB"
    return text.replace(".", ",") if words.lang == "vi" else text
