"""What an audience is, at a glance: its text and HTML for people."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esms_frames.number_list import PLAIN

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

_SHOWN = 12  # segments


@dataclass(frozen=True, eq=False)
class Overview:
    """The counts of an audience that people are shown.

    Attributes
    ----------
    column : label
        The column that the phones were read from.
    rows, ready, batches, smallest, largest : int
        How many rows, how many of them can be texted, in how many batches, and the sizes of these.
    summary : DataFrame
        Rows by ``status`` and ``reason``.
    networks : Series of int
        Recipients by network, the most first.
    segments : Series of int or None
        Recipients by segment, the most first; None without segments.
    """

    column: Hashable
    rows: int
    ready: int
    batches: int
    smallest: int
    largest: int
    summary: pd.DataFrame
    networks: pd.Series[int]
    segments: pd.Series[int] | None

    def text(self, kind: str) -> str:
        """Give it as text of a few lines."""
        lines = [f"<{kind}: {self._headline()}; phones from {self.column!r}>"]
        lines += [
            f"  {rows:>9,}  {share:>6.1%}  {_plain(status, reason)}"
            for status, reason, rows, share in self.summary.itertuples(index=False)
        ]
        return "\n".join(lines + [f"  {line}" for line in self._by_segment()])

    def html(self) -> str:
        """Give it as HTML, whole in itself."""
        rows = [
            (_plain(status, reason), rows, share)
            for status, reason, rows, share in self.summary.itertuples(index=False)
        ]
        total = self.networks.sum()
        column = f"Phone numbers from the column <em>{html.escape(str(self.column))}</em>."
        parts = [
            '<div style="max-width:44em;line-height:1.5">',
            f'<p style="margin:0 0 .6em"><strong>{html.escape(self._headline())}.</strong><br>{column}</p>',
            _html_table("What becomes of the rows", rows),
            _html_table("Recipients by network", [(name, n, n / total) for name, n in self.networks.items()]),
            "</div>",
        ]
        return "\n".join(parts)

    def _by_segment(self) -> list[str]:
        if self.segments is None:
            return []
        shown = [f"{segment} {size:,}" for segment, size in self.segments.head(_SHOWN).items()]
        more = len(self.segments) - _SHOWN
        return [f"ready by segment: {', '.join(shown + ([f'and {more:,} more segments'] if more > 0 else []))}"]

    def _headline(self) -> str:
        if not self.batches:
            return f"none of {self.rows:,} rows can be texted"
        same = self.smallest == self.largest
        size = f"{self.smallest:,}" if same else f"{self.smallest:,} to {self.largest:,}"
        batches = "1 batch" if self.batches == 1 else f"{self.batches:,} batches"
        return f"{self.ready:,} of {self.rows:,} rows can be texted, in {batches} of {size}"


def _plain(status: str, reason: Any) -> str:
    return "ready to send" if status == "ready" else f"{status}: {PLAIN.get(reason, reason)}"


def _html_table(title: str, rows: list[tuple[Any, int, float]]) -> str:
    cell = "padding:.15em .8em .15em 0;text-align:{};border:0;background:none"
    left, right = cell.format("left"), cell.format("right") + ";font-variant-numeric:tabular-nums"
    bar = '<div style="width:{:.1f}%;min-width:1px;height:.7em;background:#1f77b4"></div>'
    body = "".join(
        f"""<tr style="background:none">
        <td style="{left};width:20em">{html.escape(str(name))}</td>
        <td style="{right}">{count:,}</td>
        <td style="{right}">{share:.1%}</td>
        <td style="{left};width:12em">{bar.format(100 * share)}</td>
        </tr>"""
        for name, count, share in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:0 0 .8em;width:100%;table-layout:fixed">'
        f'<caption style="text-align:left;caption-side:top;opacity:.75;padding:0">{title}</caption>{body}</table>'
    )
