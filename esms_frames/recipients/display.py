"""Show an audience at a glance: its text and HTML for people."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esms_frames.base.language.catalogue import phrase, translate
from esms_frames.base.language.options import options
from esms_frames.base.wording import write_number
from esms_frames.recipients.number_lists import PLAIN

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
        """Return it as text of a few lines."""
        origin = phrase("phones from {column}", column=repr(self.column))
        lines = [f"<{kind}: {self._headline()}; {origin}>"]
        lines += [
            f"  {write_number(rows, options.lang):>9}  {_percent(share):>6}  {_plain(status, reason)}"
            for status, reason, rows, share in self.summary.itertuples(index=False)
        ]
        return "\n".join(lines + [f"  {line}" for line in self._by_segment()])

    def html(self) -> str:
        """Return it as HTML, whole in itself."""
        rows = [
            (_plain(status, reason), rows, share)
            for status, reason, rows, share in self.summary.itertuples(index=False)
        ]
        total = self.networks.sum()
        column = phrase("Phone numbers from the column {column}.", column=f"<em>{html.escape(str(self.column))}</em>")
        parts = [
            '<div style="max-width:44em;line-height:1.5">',
            f'<p style="margin:0 0 .6em"><strong>{html.escape(self._headline())}.</strong><br>{column}</p>',
            _html_table(phrase("What becomes of the rows"), rows),
            _html_table(phrase("Recipients by network"), [(name, n, n / total) for name, n in self.networks.items()]),
            "</div>",
        ]
        return "\n".join(parts)

    def _by_segment(self) -> list[str]:
        if self.segments is None:
            return []
        shown = [f"{name} {write_number(size, options.lang)}" for name, size in self.segments.head(_SHOWN).items()]
        more = len(self.segments) - _SHOWN
        shown += [phrase("and {count} more segments", count=more)] if more > 0 else []
        return [phrase("ready by segment: {segments}", segments=", ".join(shown))]

    def _headline(self) -> str:
        if not self.batches:
            return phrase("none of {rows} rows can be texted", rows=self.rows)
        counts = {"ready": self.ready, "rows": self.rows, "batches": self.batches, "smallest": self.smallest}
        if self.batches == 1:
            return phrase("{ready} of {rows} rows can be texted, in 1 batch of {smallest}", **counts)
        if self.smallest == self.largest:
            return phrase("{ready} of {rows} rows can be texted, in {batches} batches of {smallest}", **counts)
        return phrase(
            "{ready} of {rows} rows can be texted, in {batches} batches of {smallest} to {largest}",
            largest=self.largest,
            **counts,
        )


def _plain(status: str, reason: Any) -> str:
    if status == "ready":
        return phrase("ready to send")
    return f"{translate(status)}: {translate(PLAIN.get(reason, reason))}"


def _percent(share: float) -> str:
    return f"{share:.1%}".replace(".", "," if options.lang == "vi" else ".")


def _html_table(title: str, rows: list[tuple[Any, int, float]]) -> str:
    cell = "padding:.15em .8em .15em 0;text-align:{};border:0;background:none"
    left, right = cell.format("left"), cell.format("right") + ";font-variant-numeric:tabular-nums"
    bar = '<div style="width:{:.1f}%;min-width:1px;height:.7em;background:#1f77b4"></div>'
    body = "".join(
        f"""<tr style="background:none">
        <td style="{left};width:20em">{html.escape(str(name))}</td>
        <td style="{right}">{write_number(count, options.lang)}</td>
        <td style="{right}">{_percent(share)}</td>
        <td style="{left};width:12em">{bar.format(100 * share)}</td>
        </tr>"""
        for name, count, share in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:0 0 .8em;width:100%;table-layout:fixed">'
        f'<caption style="text-align:left;caption-side:top;opacity:.75;padding:0">{title}</caption>{body}</table>'
    )
