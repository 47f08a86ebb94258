"""A view of results for a notebook or page: filter them, sum them up, look at them page by page, track them."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.controls.download import offer_csv
from esms_frames.apps.forms.controls.worker import Worker
from esms_frames.apps.forms.state.filters import chosen_rows, facets_of
from esms_frames.apps.forms.text.catalogue import told
from esms_frames.apps.forms.text.labels import Words
from esms_frames.apps.forms.text.results_labels import RESULTS_LABELS, reason_in, size_in, value_in
from esms_frames.apps.forms.text.tracking_note import tracking_note
from esms_frames.base import clock
from esms_frames.base.columns import category_from_codes
from esms_frames.base.errors import EsmsError, InvalidInput
from esms_frames.gateway.client import Client
from esms_frames.reporting.frame import Status
from esms_frames.reporting.joined import OF_BATCHES, TRACKED, held_as, is_tracked
from esms_frames.reporting.plot import plot
from esms_frames.reporting.summary import summarize
from esms_frames.tracking.track import track

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


PAGE = 50
"""How many rows a page has."""

_ALL = -1
_SHOWN = ("phone", "network", "segment", "status", "reason", "delivery", "delivery_reason", "price", "sent_at")
_GROUPS = 30  # of a summary
_ALWAYS = ("rows", "recipients", "accepted")  # are summed up; the others where there are any
_DOTS = 120  # an inch of the chart
_REST = 0.15  # seconds without another change, after which the chart is drawn anew
_PACE = 0.25  # seconds between two reports of progress at least
_OPTIONS = (  # one label over each box, and boxes side by side as far as there is room
    "<style>.esms-facet{flex-flow:column!important;align-items:stretch!important;height:auto!important}"
    ".esms-facet>label.widget-label{text-align:left;width:auto;height:auto}"
    ".esms-facet>select{width:100%!important;flex:0 0 auto!important;box-sizing:border-box}</style>"
)


class ResultsView(widgets.VBox):  # type: ignore[misc]
    """Look at results: filter, summary, chart, and the rows page by page.

    Parameters
    ----------
    results : DataFrame
        What `send`, `resume`, `results` or `track` returned, also filtered, read back from a file, or joined with the
        customers. It is not changed.
    client : Client, optional
        The gateway and account that the messages were sent with, to find out what was delivered.
    lang : {"vi", "en"}, optional
        The language of the labels.

    Attributes
    ----------
    frame : DataFrame
        The rows that pass the filter.
    results : DataFrame
        All rows; once they were tracked here, with what that found.

    Raises
    ------
    InvalidInput
        When something handed in can't be used.

    Notes
    -----
    It is a widget that shows itself as the last line of a cell, and a page under Voila. Whatever the number of rows, a
    browser gets only the page that is shown, the summary, the chart, and on demand a CSV file of up to 3 MB; larger ones
    are written into the current folder. Tracking runs beside the kernel.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> results = pd.DataFrame({
    ...     "phone": ["0901888410", "0901888411", None],
    ...     "network": ["MobiFone", "MobiFone", None],
    ...     "status": ["accepted", "refused", "invalid"],
    ...     "reason": [None, "Refused by the gateway (103): balance too low", "missing"],
    ... })
    >>> view = ef.ResultsView(results, lang="en")
    >>> view
    <ResultsView: 3 of 3 rows>
    >>> view.choose("status", ["refused", "invalid"])
    >>> view.frame["reason"].tolist()
    ['Refused by the gateway (103): balance too low', 'missing']
    """

    def __init__(self, results: pd.DataFrame, client: Client | None = None, *, lang: str = "vi") -> None:
        words = Words(lang, RESULTS_LABELS)
        if client is not None and not isinstance(client, Client):
            raise InvalidInput(
                "client must be a Client, not {kind}: make one with ef.Client.from_env().", kind=type(client).__name__
            )
        facets = facets_of(results)
        if {choice.value for choice in facets["status"].choices} - set(Status):
            raise InvalidInput(
                "The column 'status' holds something else than a status: pass results as ef.send returned them."
            )
        super().__init__(layout=widgets.Layout(width="auto", max_width="100%", overflow="hidden"))
        self._words = words
        self._client = client
        self._results = results.copy(deep=False)
        self._facets = facets
        self._positions: Any = None
        self._quiet = False
        self._drawing: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker = Worker(lambda: None)
        self._make_fields()
        self._offer_filters({})
        self._show_rows()

    @property
    def results(self) -> pd.DataFrame:
        """All rows; once they were tracked here, with what that found."""
        return self._results.copy()

    @property
    def frame(self) -> pd.DataFrame:
        """The rows that pass the filter, as a new DataFrame."""
        return self._results.copy() if self._positions is None else self._results.iloc[self._positions]

    def choose(self, column: str, values: list[str | None] | None = None) -> None:
        """Filter by values of a column, as in the form.

        Parameters
        ----------
        column : {"status", "network", "segment", "reason", "delivery"}
            Which of those that the results have.
        values : list of str or None, optional
            What a row may hold there, None for nothing; left out, the column is not filtered by.

        Raises
        ------
        InvalidInput
            When there is no such column, or no such value to choose.
        """
        if column not in self._facets:
            raise InvalidInput(
                "There is no filter {column}: choose from {known}.",
                column=repr(column),
                known=", ".join(self._facets),
            )
        known = {choice.value: n for n, choice in enumerate(self._facets[column].choices) if not choice.others}
        unknown = [value for value in values or () if value not in known]
        if unknown:
            raise InvalidInput(
                "No row can be chosen by {column} {value}: look at its values in the filter.",
                column=column,
                value=repr(unknown[0]),
            )
        self._filters[column].value = tuple(known[value] for value in values or ()) or (_ALL,)

    def __repr__(self) -> str:
        return f"<ResultsView: {self._rows():,} of {len(self._results):,} rows>"

    # What it is made of

    def _make_fields(self) -> None:
        words = self._words
        self._filters: dict[str, Any] = {}
        self._filter_box = widgets.GridBox(
            layout=widgets.Layout(
                grid_template_columns="repeat(auto-fit, minmax(190px, 1fr))", grid_gap="6px 14px", width="100%"
            )
        )
        self._reason_box = widgets.VBox(layout=widgets.Layout(width="auto", max_width="100%"))
        self._clear = fields.button(words("clear"), icon="times")
        self._clear.on_click(lambda _: self._unfilter())
        self._shown = fields.html()
        self._by = widgets.Dropdown(
            description=words("by"), style={"description_width": "initial"}, layout=widgets.Layout(width="auto")
        )
        self._by.observe(lambda _: self._sum_up(), "value")
        self._summary = fields.html()
        self._with_chart = widgets.Checkbox(
            True, description=words("show_chart"), indent=False, layout=widgets.Layout(width="auto")
        )
        self._with_chart.observe(lambda _: self._draw(), "value")
        self._chart = fields.html()
        self._table = fields.html()
        self._back = fields.button(words("previous"), icon="chevron-left")
        self._forth = fields.button(words("next"), icon="chevron-right")
        self._back.on_click(lambda _: self._turn(-1))
        self._forth.on_click(lambda _: self._turn(1))
        self._page = widgets.BoundedIntText(
            1, min=1, max=1, description=words("page_number"), style={"description_width": "initial"},
            layout=widgets.Layout(width="10em"),
        )  # fmt: skip
        self._page.observe(lambda _: self._show_page(), "value")
        self._page_rows = fields.html()
        self._columns = self._box(words("columns"), self._other_columns(), 4)
        self._columns.observe(lambda _: self._show_page(), "value")
        self._make_csv = fields.button("", icon="file-text-o")
        self._make_csv.on_click(lambda _: self._offer_csv())
        self._csv = fields.html()
        self._track = fields.button(words("track"), icon="refresh")
        self._track.on_click(lambda _: self._start_tracking())
        self._progress = widgets.IntProgress(0, layout=widgets.Layout(width="12em", display="none"))
        self._tracking = fields.html()
        self._offer_tracking()
        self.children = [
            fields.html(_OPTIONS + _heading(words("view"))),
            fields.html(html.hint(words("filter_hint"))),
            self._filter_box,
            self._reason_box,
            fields.row(self._clear, self._shown),
            fields.row(self._make_csv, self._track, self._progress),
            self._csv,
            self._tracking,
            fields.html(_heading(words("summary"))),
            self._by,
            self._summary,
            self._with_chart,
            self._chart,
            fields.html(_heading(words("result_table"))),
            self._columns,
            fields.row(self._back, self._page, self._page_rows, self._forth),
            self._table,
        ]

    def _box(self, label: str, options: list[tuple[str, int]], rows: int) -> Any:
        box = widgets.SelectMultiple(
            options=options, description=label, rows=rows, layout=widgets.Layout(width="auto", max_width="100%")
        )
        return box.add_class("esms-facet")

    def _offer_filters(self, chosen: dict[str, set[str | None]]) -> None:
        """Make the boxes anew, with the chosen values that there still are."""
        words, self._filters = self._words, {}
        for name, facet in self._facets.items():
            options = [(words("all", rows=len(self._results)), _ALL)]
            for place, choice in enumerate(facet.choices):
                if choice.others:
                    value = words("rarer", others=choice.others)
                else:
                    value = words("segment_blank") if choice.value is None else value_in(words, name, choice.value)
                options.append((words("choice", value=_one_line(value), rows=choice.rows), place))
            box = self._box(words(name), options, min(len(options), 6))
            places = [n for n, c in enumerate(facet.choices) if not c.others and c.value in chosen.get(name, ())]
            box.value = tuple(places) or (_ALL,)
            box.observe(self._chosen, "value")
            self._filters[name] = box
        self._filter_box.children = [box for name, box in self._filters.items() if name != "reason"]
        self._reason_box.children = [box for name, box in self._filters.items() if name == "reason"]
        self._quiet = True
        groups = [(words("by_none"), ""), *((words(name), name) for name in self._facets)]
        kept = self._by.value
        self._by.options = groups
        default = "network" if "network" in self._facets else ""
        self._by.value = kept if kept is not None and kept in self._facets else default
        self._quiet = False

    def _other_columns(self) -> list[tuple[str, int]]:
        shown = set(self._held(_SHOWN).values())
        return [(str(label), place) for place, label in enumerate(self._results.columns) if label not in shown]

    def _held(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return the labels of those columns of the results that the frame has."""
        if not is_tracked(self._results):  # columns of these names are the customers' own then
            names = tuple(name for name in names if name not in {*TRACKED, *OF_BATCHES})
        found = {name: held_as(self._results, name) for name in names}
        return {name: label for name, label in found.items() if label is not None}

    # Filtering

    def _chosen(self, change: Any) -> None:
        new, old = set(change["new"]), set(change["old"])
        wanted = change["new"]
        if not new or (_ALL in new and _ALL not in old):
            wanted = (_ALL,)
        elif _ALL in new and len(new) > 1:
            wanted = tuple(place for place in wanted if place != _ALL)
        if wanted != change["new"]:
            change["owner"].value = wanted
        elif not self._quiet:
            self._show_rows()

    def _unfilter(self) -> None:
        self._quiet = True
        for box in self._filters.values():
            box.value = (_ALL,)
        self._quiet = False
        self._show_rows()

    def _rows(self) -> int:
        return len(self._results) if self._positions is None else len(self._positions)

    def _show_rows(self) -> None:
        """Show what passes the filter, what is quick first."""
        chosen = {name: set(box.value) - {_ALL} for name, box in self._filters.items()}
        self._positions = chosen_rows(self._facets, chosen)
        words, rows, size = self._words, self._rows(), len(self._results)
        if rows:
            text = words("shown_all", rows=rows) if rows == size else words("shown", rows=rows, all=size)
        else:
            text = words("shown_none") if size else words("empty")
        self._shown.value = f'<div role="status">{escape(text)}</div>'
        self._clear.disabled = not any(chosen.values())
        self._make_csv.description = words("make_csv", rows=rows)
        self._make_csv.disabled = not rows
        self._csv.value = ""
        self._quiet = True
        self._page.max = max(1, -(-rows // PAGE))
        self._page.value = 1
        self._quiet = False
        self._show_page()
        self._sum_up()
        self._draw_soon()

    # Summary and chart

    def _part(self, names: tuple[str, ...]) -> pd.DataFrame:
        """Return only these columns of the rows that pass: texts of a million rows take time."""
        labels = list(dict.fromkeys([*self._held(names).values(), *(n for n in names if n in self._results.columns)]))
        part = self._results[labels]
        return part if self._positions is None else part.iloc[self._positions]

    def _sum_up(self) -> None:
        if self._quiet:
            return
        words, by = self._words, self._by.value
        part = self._part(("status", *self._of_tracking(), *([by] if by else ())))
        total = summarize(part, None)
        names = [name for name in total.columns if name in _ALWAYS or (total[name].notna() & (total[name] != 0)).any()]
        tables = [(words("by_none"), total)]
        left = 0
        if by and len(part):
            groups = summarize(part, held_as(part, by))
            left = max(0, len(groups) - _GROUPS)
            tables = [("", groups.iloc[:_GROUPS]), *tables]
        rows = []
        for title, table in tables:
            for label, line in zip(table.index, table[names].itertuples(index=False), strict=True):
                name = title or (words("segment_blank") if pd.isna(label) else value_in(words, by, str(label)))
                rows.append([name, *map(self._summed, names, line)])
        head = [words(by) if by else "", *(words(f"column_{name}") for name in names)]
        more = html.hint(words("more_groups", groups=left)) if left else ""
        self._summary.value = html.table(head, rows, right=range(1, len(head)), wrap=True) + more

    def _summed(self, name: str, value: Any) -> str:
        if pd.isna(value):
            return "–"
        if name == "delivery_rate":
            text = f"{value:.1%}"
            return text.replace(".", ",") if self._words.lang == "vi" else text
        return self._words.number(value)

    def _draw_soon(self) -> None:
        """Draw the chart when nothing has changed for a moment; at once where nothing else can happen meanwhile."""
        if self._drawing is not None:
            self._drawing.cancel()
        loop = _running_loop()
        if loop is None:
            self._draw()
        else:
            self._drawing = loop.call_later(_REST, self._draw)

    def _draw(self) -> None:
        words, rows = self._words, self._rows()
        if not (rows and self._with_chart.value):
            self._chart.value = ""
            return
        try:
            figure = plot(
                self._told_part(("status", "reason", "network", "segment", *self._of_tracking())), lang=words.lang
            )
        except InvalidInput as error:
            self._chart.value = html.note("look", told(error, words))
            return
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=_DOTS)
        self._chart.value = (
            f'<img alt="{escape(words("chart_described", rows=rows))}" style="max-width:100%;width:720px;height:auto" '
            f'src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode("ascii")}">'
        )

    def _of_tracking(self) -> tuple[str, ...]:
        """Name the columns of tracking that are summed up; prices of whole sends are told apart by send and number."""
        return (*TRACKED, *OF_BATCHES, "phone", "sms_id") if self._held(OF_BATCHES) else TRACKED

    def _told_part(self, names: tuple[str, ...]) -> pd.DataFrame:
        """Return a part of the rows, whose reasons are in the language of the view."""
        part = self._part(names)
        new = {}
        for label in self._held(tuple(name for name in ("reason", "delivery_reason") if name in names)).values():
            reason = part[label].astype("category").cat.remove_unused_categories()
            told_ones = [reason_in(self._words, str(value)) for value in reason.cat.categories]
            new[label] = category_from_codes(*_merged(reason.cat.codes.to_numpy(), told_ones))
        return part.assign(**new)

    # Pages

    def _turn(self, pages: int) -> None:
        self._page.value = min(max(1, self._page.value + pages), self._page.max)

    def _show_page(self) -> None:
        if self._quiet:
            return
        words, page, rows = self._words, self._page.value, self._rows()
        start, end = (page - 1) * PAGE, min(page * PAGE, rows)
        places = slice(start, end) if self._positions is None else self._positions[start:end]
        part = self._results.iloc[places]
        shown = self._held(_SHOWN)
        held = list(self._results.columns)
        columns = [(name, part.iloc[:, held.index(label)]) for name, label in shown.items()]
        columns += [("", part.iloc[:, place]) for place in self._columns.value]
        cells = [[self._written(name, value) for value in column.astype(object)] for name, column in columns]
        labels = [self._label(label) for label in part.index]
        head = [
            words("row_label"),
            *(words(name) for name in shown),
            *(str(column.name) for _, column in columns[len(shown) :]),
        ]
        right = [n for n, (name, _) in enumerate(columns, 1) if name == "price"]
        self._table.value = html.table(head, zip(labels, *cells, strict=True), right=right) if rows else ""
        self._page_rows.value = escape(
            words("page_rows", pages=self._page.max, first=start + 1 if rows else 0, last=end)
        )
        self._back.disabled = page <= 1
        self._forth.disabled = page >= self._page.max

    def _label(self, label: Any) -> str:
        return " · ".join(map(str, label)) if isinstance(label, tuple) else str(label)

    def _written(self, name: str, value: Any) -> str:
        if pd.api.types.is_scalar(value) and pd.isna(value):
            return ""
        if name == "price" and isinstance(value, (int, float, Decimal)):
            return self._words.number(value)
        if name == "sent_at" and isinstance(value, pd.Timestamp):
            return value.strftime(self._words("moment"))
        return value_in(self._words, name, str(value))

    # Handing out

    def _offer_csv(self) -> None:
        words = self._words
        try:
            offered = offer_csv(self.frame, "esms-results")
        except EsmsError as error:
            self._csv.value = html.note("bad", told(error, words))
            return
        size = size_in(words, offered.size)
        if offered.path is None:
            self._csv.value = offered.link(words("csv", name=offered.name, size=size))
        else:
            self._csv.value = html.note("good", words("csv_saved", rows=offered.rows, size=size, path=offered.path))

    # Tracking

    def _offer_tracking(self) -> None:
        words = self._words
        accepted = {choice.value for choice in self._facets["status"].choices} & {Status.ACCEPTED, Status.ALREADY_SENT}
        why = "" if accepted else words("none_accepted")
        why = why if self._client is not None else words("no_client")
        self._track.disabled = bool(why)
        self._tracking.value = html.hint(why) if why else ""

    def _start_tracking(self) -> None:
        self._loop = _running_loop()
        client, results = self._client, self._results
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            now = clock.now().timestamp()
            if now - last >= _PACE or done == total:
                last = now
                self._in_kernel(self._tell, done, total)

        if self._worker.start(
            lambda: track(results, client, progress=report),
            lambda found: self._in_kernel(self._tracked, found),
            lambda error: self._in_kernel(self._not_tracked, error),
        ):
            self._track.disabled = True
            self._progress.value = 0
            self._progress.layout.display = None
            self._tracking.value = escape(self._words("tracking"))

    def _tell(self, done: int, total: int) -> None:
        self._progress.max = max(1, total)
        self._progress.value = done
        self._tracking.value = escape(self._words("asked", done=done, total=total))

    def _tracked(self, found: pd.DataFrame) -> None:
        chosen = {
            name: {self._facets[name].choices[place].value for place in set(box.value) - {_ALL}}
            for name, box in self._filters.items()
        }
        self._results = found
        self._facets = facets_of(found)
        self._end_tracking()
        self._columns.value = ()
        self._columns.options = self._other_columns()
        self._offer_filters(chosen)
        self._show_rows()
        self._tracking.value = tracking_note(found, self._words)

    def _not_tracked(self, error: Exception) -> None:
        self._end_tracking()
        self._tracking.value = html.note("bad", told(error, self._words))

    def _end_tracking(self) -> None:
        self._progress.layout.display = "none"
        self._track.disabled = False

    def _in_kernel(self, do: Callable[..., object], *values: object) -> None:
        """Run a function in the kernel's own thread, if that can be asked from another one."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(do, *values)
        else:
            do(*values)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _merged(codes: NDArray[Any], names: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Return rows whose values have one name one code."""
    different = list(dict.fromkeys(names))
    place = np.array([*map(different.index, names), -1], dtype=np.int64)
    return place[codes], different


def _heading(text: str) -> str:
    return (
        '<div role="heading" aria-level="3" style="font-size:1.15em;font-weight:600;line-height:1.8">'
        f"{escape(text)}</div>"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
