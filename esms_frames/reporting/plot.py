"""Plot results: what became of the messages, by network, by segment and by reason."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure

from esms_frames.base.errors import InvalidInput
from esms_frames.base.language.catalogue import translate
from esms_frames.base.language.options import checked_language, options
from esms_frames.base.wording import mark
from esms_frames.reporting.frame import Status
from esms_frames.reporting.joined import column_of, held_as, is_tracked, one_of
from esms_frames.reporting.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from matplotlib.axes import Axes


_MOST = 12
"""How many bars a panel has at most; all further groups are one, the last."""

_WIDTH = 9.5  # inches: the width of a notebook's cell
_NARROWEST = 0.06  # of the whole, below which a count has no room inside its bar
_DOTS = 144  # an inch, in a notebook: twice what it shows, for sharp letters

# The colours are Okabe and Ito's, which people of any colour vision tell apart; the hatches do it in grey, too.
_LOOKS = {
    "delivered": ("#009E73", ""),
    "accepted": ("#009E73", ""),
    "pending": ("#56B4E9", ".."),
    "failed": ("#D55E00", "//"),
    "refused": ("#CC79A7", "\\\\"),
    "unknown": ("#F0E442", "xx"),
    "not_known": ("#E69F00", "++"),
    "not_accepted": ("#999999", "--"),
    "not_sent": ("#999999", "--"),
    "left_out": ("#DDDDDD", ""),
}

_WORDS = {
    "delivered": mark("delivered"),
    "accepted": mark("accepted"),
    "pending": mark("pending"),
    "failed": mark("failed"),
    "refused": mark("refused"),
    "unknown": mark("unknown"),
    "not_known": mark("not known"),
    "not_accepted": mark("not accepted"),
    "not_sent": mark("not sent"),
    "left_out": mark("left out"),
    "invalid": mark("invalid"),
    "duplicate": mark("duplicate"),
    "excluded": mark("excluded"),
    "capped": mark("capped"),
    "no_reason": mark("no reason given"),
    "none": mark("(none)"),
    "other": mark("{n} others"),
    "delivery": mark("Delivery by {what}"),
    "acceptance": mark("Acceptance by {what}"),
    "network": mark("network"),
    "segment": mark("segment"),
    "reasons": mark("Not delivered, by reason"),
    "reasons_untracked": mark("Not accepted, by reason"),
    "note": mark("recipients · accepted"),
    "note_tracked": mark("recipients · delivered of settled"),
    "title": mark("{rows} rows, {recipients} recipients, {accepted} accepted"),
    "title_tracked": mark(", {delivered} delivered ({rate} of those settled)"),
    "cost": mark(", {price} VND"),
    "cost_known": mark(", {price} VND as far as known"),
}

_TRACKED = ("delivered", "pending", "failed", "not_known", "not_accepted")
_UNTRACKED = ("accepted", "refused", "unknown", "not_sent")
_ACCEPTED = (Status.ACCEPTED, Status.ALREADY_SENT)
_LOOKS_OF_STATUS = {
    Status.REFUSED: "refused",
    Status.UNKNOWN: "unknown",
    Status.NOT_SENT: "not_sent",
    Status.CAPPED: "not_sent",
}


@dataclass(frozen=True)
class _Bars:
    """One panel: a bar for each label, of the counts of each outcome."""

    title: str
    labels: list[str]
    counts: pd.DataFrame
    """One row a bar, one column an outcome."""
    notes: list[str]
    """What stands at the end of each bar."""
    shares: bool
    """Whether a bar shows shares of itself, or counts."""
    heading: str = ""
    """What the notes say."""

    @property
    def height(self) -> float:
        lines = sum(max(1.25, 0.65 + 0.6 * (label.count("\n") + 1)) for label in self.labels)
        return 0.95 + 0.3 * lines


class _Shown(Figure):
    """A figure that a notebook shows, though pyplot knows nothing of it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        data = io.BytesIO()
        self.savefig(data, format="png", dpi=_DOTS)
        width, height = self.get_size_inches() * 100
        return data.getvalue(), {"width": round(width), "height": round(height)}


def plot(results: pd.DataFrame, *, lang: str | None = None) -> Figure:
    """Plot what became of the messages.

    Parameters
    ----------
    results : DataFrame
        What `track` returned: delivery by network, by segment if there is a column ``segment``, and what was not
        delivered by reason. Results that were not tracked: the same of what the gateway accepted. It is not changed.
    lang : {"en", "vi"}, optional
        The language of the labels.

    Returns
    -------
    matplotlib.figure.Figure
        9.5 inches wide, one panel below the other. A notebook shows it when it is the last line of a cell;
        ``figure.savefig("results.png", dpi=200)`` keeps it. It is not registered with pyplot, so nothing is left open.
        Beyond 12 bars a panel sums up the smaller groups in one. Outcomes differ in colour, hatch and label.

    Raises
    ------
    InvalidInput
        When there are no rows, `results` are none, or `lang` is not known.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> results = pd.DataFrame({"network": "Viettel", "status": ["accepted"] * 9 + ["refused"], "reason": None})
    >>> figure = ef.plot(results)
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Acceptance by network', 'Not accepted, by reason']
    """
    lang = options.lang if lang is None else checked_language(lang, "lang")
    words = {name: translate(text, lang, "plot") for name, text in _WORDS.items()}
    words |= {"lang": lang, "separators": ".," if lang == "vi" else ",."}
    total = summarize(results, None)
    if results.empty:
        raise InvalidInput("The results have no rows, so there is nothing to plot: pass those of a send.")
    panels = _panels(results, words)
    with style.context("default"):
        figure = _Shown(figsize=(_WIDTH, 0.5 + sum(panel.height for panel in panels)), layout="constrained")
        figure.suptitle(_title(total.iloc[0], words), x=0.01, ha="left", fontsize=11)
        axes = figure.subplots(len(panels), squeeze=False, height_ratios=[panel.height for panel in panels])[:, 0]
        for panel, place in zip(panels, axes, strict=True):
            _draw(place, panel, words)
    return figure


def _panels(results: pd.DataFrame, words: dict[str, str]) -> list[_Bars]:
    groups = [name for name in ("network", "segment") if name in results.columns]
    panels = [_by(results, name, words) for name in groups]
    panels = [panel for panel in panels if panel.labels]
    reasons = _by_reason(results, words)
    return [*panels, reasons] if reasons.labels or not panels else panels


def _by(results: pd.DataFrame, name: str, words: dict[str, str]) -> _Bars:
    """Show the shares of the outcomes among the recipients of each group."""
    tracked = is_tracked(results)
    table = summarize(results, pd.Series(_text(one_of(results, name), words["none"]), index=results.index))
    table = table[(table["recipients"] > 0).to_numpy()].sort_values("recipients", ascending=False, kind="stable")
    counts = table[["recipients", *_UNTRACKED]].astype(np.int64)
    if tracked:
        counts = counts.assign(**{name: table[name].astype(np.int64) for name in ("delivered", "pending", "failed")})
        counts["not_known"] = counts["accepted"] - counts[["delivered", "pending", "failed"]].sum(axis="columns")
        counts["not_accepted"] = counts["recipients"] - counts["accepted"]
    counts = _topped(counts, words)
    settled = (counts["delivered"] + counts["failed"]) if tracked else counts["recipients"]
    good = counts["delivered"] if tracked else counts["accepted"]
    rates = [_percent(*pair, words) for pair in zip(good.tolist(), settled.tolist(), strict=True)]
    sizes = [_number(rows, words) for rows in counts["recipients"]]
    notes = [f"{rows} · {rate}" if rate else rows for rows, rate in zip(sizes, rates, strict=True)]
    outcomes = [outcome for outcome in (_TRACKED if tracked else _UNTRACKED) if counts[outcome].any()]
    title = words["delivery" if tracked else "acceptance"].format(what=words[name])
    return _Bars(
        title,
        [_wrapped(label, 22) for label in counts.index],
        counts[outcomes],
        notes,
        shares=True,
        heading=words["note_tracked" if tracked else "note"],
    )


def _by_reason(results: pd.DataFrame, words: dict[str, str]) -> _Bars:
    """Count the rows that were not accepted, or are known not to be delivered, by reason."""
    tracked = is_tracked(results)
    of_delivery = tracked and held_as(results, "delivery_reason") is not None
    names = ["status", "reason", *(["delivery"] if tracked else []), *(["delivery_reason"] if of_delivery else [])]
    kinds = _different(results, names)
    status, reason = kinds["status"], kinds["reason"]
    accepted = status.isin(_ACCEPTED)
    kind = status.map({name: str(name) for name in Status})
    look = status.map(_LOOKS_OF_STATUS).fillna("left_out")
    shown = ~accepted
    if tracked:
        delivery = kinds["delivery"]
        failed, lost = accepted & delivery.isin(["failed"]), accepted & delivery.isna()
        kind = kind.mask(failed, "failed").mask(lost, "not_known")
        look = look.mask(failed, "failed").mask(lost, "not_known")
        reason = reason.mask(accepted, kinds["delivery_reason"] if of_delivery else None)
        shown = shown | failed | lost
    reason = reason.map(lambda text: translate(str(text), words["lang"]), na_action="ignore")
    label = kind.map(words) + ": " + pd.Series(_text(reason, words["no_reason"]))
    found = pd.DataFrame({"label": label, "look": look, "rows": kinds["rows"]})[shown.to_numpy()]
    counts = found.pivot_table(index="label", columns="look", values="rows", aggfunc="sum", fill_value=0)
    counts = counts.loc[counts.sum(axis="columns").sort_values(ascending=False, kind="stable").index]
    counts = _topped(counts, words)
    notes = [_number(rows, words) for rows in counts.sum(axis="columns")]
    title = words["reasons" if tracked else "reasons_untracked"]
    return _Bars(title, [_wrapped(label, 44) for label in counts.index], counts, notes, shares=False)


def _different(results: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Count the rows of each combination of cells: few, whatever the number of rows."""
    cells = {name: column_of(results, name).astype("category").reset_index(drop=True) for name in names}
    found = pd.DataFrame(cells).groupby(names, observed=True, dropna=False, sort=False).size()
    return found.reset_index(name="rows").astype(dict.fromkeys(names, object))


def _text(column: pd.Series[Any], missing: str) -> Any:
    """Write a column of any dtype as text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = [*column.cat.categories.astype(str), missing]
        codes = column.cat.codes.to_numpy()
        return np.array(names, dtype=object)[np.where(codes < 0, len(names) - 1, codes)]
    cells = column.astype(object)
    return cells.where(cells.notna(), missing).astype(str).to_numpy(dtype=object)


def _topped(counts: pd.DataFrame, words: dict[str, str]) -> pd.DataFrame:
    if len(counts) <= _MOST + 1:
        return counts
    rest = counts.iloc[_MOST:].sum().to_frame(words["other"].format(n=_number(len(counts) - _MOST, words))).T
    return pd.concat([counts.iloc[:_MOST], rest])


def _number(value: float | Decimal, words: dict[str, str]) -> str:
    """Write a number rounded to a whole one, with the separators of the language."""
    return _separated(f"{value:,.0f}", words)


def _percent(part: int, whole: int, words: dict[str, str]) -> str:
    return _separated(f"{part / whole:.1%}", words) if whole else ""


def _separated(text: str, words: dict[str, str]) -> str:
    return text.translate(str.maketrans(",.", words["separators"]))


def _title(total: pd.Series[Any], words: dict[str, str]) -> str:
    title = words["title"].format(**{name: _number(total[name], words) for name in ("rows", "recipients", "accepted")})
    if not pd.isna(total["delivery_rate"]):
        rate = _separated(f"{total['delivery_rate']:.1%}", words)
        title += words["title_tracked"].format(delivered=_number(total["delivered"], words), rate=rate)
    if pd.isna(total["price"]):
        return title
    cost = words["cost_known" if total["unpriced"] else "cost"]
    return title + cost.format(price=_number(total["price"], words))


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(" ".join(text.split()), width, max_lines=3, placeholder=" …")) or "–"


def _draw(axes: Axes, panel: _Bars, words: dict[str, str]) -> None:
    places = np.arange(len(panel.labels))
    whole = panel.counts.sum(axis="columns").to_numpy(dtype=float)
    scale = np.maximum(whole, 1) if panel.shares else np.full(len(whole), max(whole.max(initial=1), 1))
    start = np.zeros(len(whole))
    for outcome in panel.counts.columns:
        counts = panel.counts[outcome].to_numpy()
        lengths = counts / scale
        colour, hatch = _LOOKS[outcome]
        axes.barh(
            places, lengths, left=start, height=0.62, color=colour, hatch=hatch, edgecolor="#333333", linewidth=0.6,
            label=words[outcome],
        )  # fmt: skip
        if panel.shares:
            _label(axes, counts.tolist(), start.tolist(), lengths.tolist(), words)
        start = start + lengths
    for place, (end, note) in enumerate(zip(start.tolist(), panel.notes, strict=True)):
        axes.text(end + 0.012, place, note, va="center", fontsize=9.5, parse_math=False)
    axes.set_yticks(places)
    axes.set_yticklabels(panel.labels, fontsize=9.5, parse_math=False)
    axes.set_ylim(len(places) - 0.45, -0.55)
    axes.set_xlim(0, 1.22 if panel.shares else 1.12)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([])
    axes.set_title(panel.title, loc="left", fontsize=11, fontweight="bold", pad=22)
    axes.set_title(panel.heading, loc="right", fontsize=9, pad=22)
    if panel.labels:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(panel.counts.columns), frameon=False, fontsize=9,
            borderaxespad=0.2, handlelength=1.8, columnspacing=1.4,
        )  # fmt: skip


def _label(
    axes: Axes, counts: Sequence[int], start: Sequence[float], lengths: Sequence[float], words: dict[str, str]
) -> None:
    """Write the counts into the parts of the bars that have room for them."""
    for place, (count, begin, length) in enumerate(zip(counts, start, lengths, strict=True)):
        if length < _NARROWEST:
            continue
        axes.text(
            begin + length / 2, place, _number(count, words), ha="center", va="center", fontsize=9,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )  # fmt: skip
