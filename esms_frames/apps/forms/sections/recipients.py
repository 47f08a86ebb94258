"""Section 2 of the form: the list of customers, its phone column, a filter, who is left out, and what comes of it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.state import customers
from esms_frames.apps.forms.state.customers import Exclusion, Listing
from esms_frames.base.errors import InvalidInput, PhoneColumnError, visible
from esms_frames.recipients.files.customer_files import SAMPLE, read_customers

if TYPE_CHECKING:
    from collections.abc import Callable

    from esms_frames.apps.forms.text.labels import Words
    from esms_frames.journal.journal import Journal
    from esms_frames.recipients.audience import Audience


_FILES = ".csv,.tsv,.txt,.xlsx,.xlsm,.xlsb,.xls,.ods,.parquet,.pq"
_BLANK = object()
_MOST_UNREAD = 5  # entries that are named


def read_upload(upload: Any) -> tuple[Listing, list[str]] | None:
    """Read a file that was just uploaded, with the warnings about it, and empty the widget that has brought it.

    Raises
    ------
    InvalidFile
        When it can't be read.
    """
    if not upload.value:
        return None
    name, content = Path(upload.value[0]["name"].replace("\\", "/")).name or "file", bytes(upload.value[0]["content"])
    upload.value = ()  # the file would stay in the state of the widget, and in the notebook
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        path = Path(folder) / name
        path.write_bytes(content)
        df = read_customers(path)
    counted = path.suffix.lower() not in {".parquet", ".pq"}  # these keep an index of their own
    return Listing(df, name, f"ef.read_customers({name!r})", from_file=counted), [
        str(warning.message) for warning in caught
    ]


class RecipientsSection:
    """Choose who is texted; `audience` is what it came to.

    Parameters
    ----------
    df : DataFrame or None
        The customers that the form was given.
    words : Words
        The language.
    told : callable
        Says an error for people.
    journal : callable
        Gives the journal.
    on_change : callable
        Called when there is another audience, or none.
    """

    def __init__(
        self,
        df: pd.DataFrame | None,
        words: Words,
        told: Callable[[Exception | str], str],
        journal: Callable[[], Journal],
        on_change: Callable[[], object],
    ) -> None:
        self._words, self._told, self._journal, self._on_change = words, told, journal, on_change
        self.audience: Audience | None = None
        self._shown: Audience | None = None
        self._left_out = 0
        self._found: int | None = None
        self._phone_problem = self._segment_problem = ""
        self._lists: dict[str, Listing | None] = {
            "upload": None,
            "sample": None,
            **({} if df is None else {"given": Listing(df, "df", "df")}),
        }
        self._column: pd.Series[Any] = pd.Series(dtype=object)
        self._exclusion = Exclusion()
        self._exclusion_problem = ""  # of the file: nothing is sent until it can be read, or is given up
        self._page = 0
        self._quiet = False
        self._file_notes: list[tuple[str, str]] = []
        self._build(["given"] if df is not None else [])
        self._listen()
        self._take_list()

    def _build(self, given: list[str]) -> None:
        words = self._words
        sources = [*given, "upload", "sample"]
        self.source = widgets.Dropdown(
            options=[(words(f"source_{name}"), name) for name in sources],
            value=sources[0],
            description=words("source"),
            **fields.layout(),
        )
        self.upload = self._file_field("upload")
        self._upload_row = fields.row(self.upload, fields.html(html.hint(words("upload_hint"))), below_field=True)
        self.file_status = fields.html(below_field=True)
        self.phone = widgets.Dropdown(description=words("phone_column"), **fields.layout())
        self.segment = widgets.Dropdown(description=words("segment_column"), **fields.layout())
        self.values = widgets.SelectMultiple(description=words("segment_values"), rows=5, **fields.layout())
        self._values_hint = fields.html(html.hint(words("segment_hint")), below_field=True)
        self.exclude = widgets.Textarea(
            description=words("exclude"), placeholder=words("exclude_hint"), rows=2, continuous_update=False,
            **fields.layout(),
        )  # fmt: skip
        self.exclude_upload = self._file_field("exclude_upload")
        self.exclude_clear = fields.button(words("exclude_clear"), icon="times", shown=False)
        self.exclude_keep = fields.button(words("exclude_keep"), icon="ban")
        self.exclude_status = fields.html(below_field=True)
        self.status = fields.html()
        self.rejected = fields.button("", icon="list", shown=False)
        self.previous = fields.button(words("previous"), icon="chevron-left")
        self.next = fields.button(words("next"), icon="chevron-right")
        self.rejected_table = fields.html()
        self._rejected_box = widgets.VBox([self.rejected_table, fields.row(self.previous, self.next)])
        self._fields = widgets.VBox(
            [
                self.phone, self.segment, self.values, self._values_hint, self.exclude,
                fields.row(self.exclude_upload, self.exclude_clear, self.exclude_keep, below_field=True),
                self.exclude_status,
                self.status, fields.row(self.rejected), self._rejected_box,
            ]
        )  # fmt: skip
        self.box = fields.section(
            2, words("heading_recipients"), self.source, self._upload_row, self.file_status, self._fields
        )
        fields.show(self._rejected_box, False)

    def _file_field(self, name: str) -> Any:
        words = self._words
        return widgets.FileUpload(
            accept=_FILES,
            multiple=False,
            description=words(name),
            tooltip=words("upload_hint"),
            layout=widgets.Layout(width="auto"),
        )

    def _listen(self) -> None:
        self.source.observe(lambda _: self._take_list(), "value")
        self.upload.observe(lambda _: self._take_upload(), "value")
        self.phone.observe(lambda _: self._choose_phone(), "value")
        self.segment.observe(lambda _: self._choose_segment(), "value")
        self.values.observe(lambda _: self._prepare(), "value")
        self.exclude.observe(lambda _: self._take_exclusion(), "value")
        self.exclude_upload.observe(lambda _: self._take_exclusion_file(), "value")
        self.exclude_clear.on_click(lambda _: self._drop_exclusion_file())
        self.exclude_keep.on_click(lambda _: self._keep())
        self.rejected.on_click(lambda _: self._toggle_rejected())
        self.previous.on_click(lambda _: self._turn(-1))
        self.next.on_click(lambda _: self._turn(1))

    @property
    def listing(self) -> Listing | None:
        """The list that was chosen."""
        return self._lists.get(self.source.value)

    def code(self) -> list[str]:
        """Write what was chosen in Python: ``customers``, ``audience``."""
        chosen = self.listing
        if chosen is None or self.phone.value is None or self.audience is None:
            return []
        lines = [f"customers = {chosen.code}"]
        if self.segment.value is not None:
            values, blank = self._chosen_values()
            lines.append(
                f"customers = {customers.filter_code('customers', chosen.df, self.segment.value, values, blank=blank)}"
            )
        exclude = ""
        if self._exclusion.listing is not None or self._exclusion.pasted:
            lines += self._exclusion_code()
            exclude = ", exclude=exclude"
        return [
            *lines,
            f"audience = ef.prepare({customers.phone_code('customers', chosen.df, self.phone.value)}{exclude})",
        ]

    def _exclusion_code(self) -> list[str]:
        file, pasted = self._exclusion.listing, list(self._exclusion.pasted)
        if file is None:
            return [f"exclude = {pasted!r}"]
        if not pasted:
            return [f"exclude = {file.code}"]
        column = file.df.columns[customers.found_column(file.df)]
        return [f"exclude = [*{file.code}[{column!r}], *{pasted!r}]"]

    def _take_upload(self) -> None:
        if not self.upload.value:
            return
        self._file_notes = []
        try:
            read = read_upload(self.upload)
        except Exception as error:  # noqa: BLE001 - shown to the person at the form
            self._lists["upload"] = None
            self._file_notes = [("bad", self._told(error))]
        else:
            if read is not None:
                self._lists["upload"], told = read
                self._file_notes = [("look", self._told(text)) for text in told]
        self._take_list()

    def _take_list(self) -> None:
        """Take the chosen list, and look for its phone column."""
        words, name = self._words, self.source.value
        if name == "sample" and self._lists["sample"] is None:
            self._lists["sample"] = Listing(
                read_customers(SAMPLE), SAMPLE.name, "ef.read_customers(ef.SAMPLE)", from_file=True
            )
        chosen = self.listing
        fields.show(self._upload_row, name == "upload")
        fields.show(self._fields, chosen is not None)
        notes = list(self._file_notes) if name == "upload" else []
        if chosen is None:
            notes = notes or [("info", words("file_none"))]
        else:
            called = words("source_given") if name == "given" else chosen.name
            notes.append(("good", words("file_read", name=called, rows=len(chosen.df))))
        self.file_status.value = html.notes(notes)
        if chosen is None:
            self._set(None)
            return
        self._phone_problem = ""
        place = None
        try:
            place = customers.found_column(chosen.df)
        except PhoneColumnError as error:
            self._phone_problem = self._told(error)
        except Exception as error:  # noqa: BLE001 - what was handed in is no table
            self._phone_problem = self._told(error)
        self._quiet = True
        names = [(str(label), n) for n, label in enumerate(chosen.df.columns)]
        fields.offer(self.phone, [(f"— {words('phone_choose')} —", None), *names], place)
        self._found = place
        self._quiet = False
        self._choose_phone()

    def _choose_phone(self) -> None:
        """Offer the other columns as filters."""
        chosen = self.listing
        if self._quiet or chosen is None:
            return
        before = self.segment.value
        places = customers.filterable(chosen.df, self.phone.value)
        self._quiet = True
        names = ((str(chosen.df.columns[place]), place) for place in places)
        fields.offer(self.segment, [(self._words("segment_all"), None), *names], before)
        self._quiet = False
        self._choose_segment()

    def _choose_segment(self) -> None:
        """Offer the values of the column that is filtered by, all of them chosen at first."""
        chosen, place = self.listing, self.segment.value
        if self._quiet or chosen is None:
            return
        self._segment_problem = ""
        self._quiet = True
        self.values.options, self.values.value = (), ()
        if place is not None:
            values, blank = customers.values_of(chosen.df, place)
            if len(values) > customers.MOST_VALUES:
                column = str(chosen.df.columns[place])
                self._segment_problem = self._words("segment_many", column=column, count=len(values))
            else:
                options = [(str(value), value) for value in values]
                self.values.options = options + ([(self._words("segment_blank"), _BLANK)] if blank else [])
                self.values.rows = min(8, max(2, len(self.values.options)))
                self.values.value = tuple(value for _, value in self.values.options)
        self._quiet = False
        fields.show(self.values, bool(self.values.options))
        fields.show(self._values_hint, bool(self.values.options))
        self._prepare()

    def _chosen_values(self) -> tuple[list[Any], bool]:
        chosen = list(self.values.value)
        return [value for value in chosen if value is not _BLANK], any(value is _BLANK for value in chosen)

    def _prepare(self) -> None:
        """Find out who is texted."""
        chosen, words = self.listing, self._words
        if self._quiet or chosen is None:
            return
        if self.phone.value is None:
            self._set(None, [("look", self._phone_problem or words("phone_choose"))])
            return
        if self._segment_problem:
            self._set(None, [("bad", self._segment_problem)])
            return
        rows = None
        if self.segment.value is not None:
            values, blank = self._chosen_values()
            if not values and not blank:
                self._set(None, [("bad", words("segment_none"))])
                return
            rows = customers.chosen_rows(chosen.df, self.segment.value, values, blank=blank)
        try:
            excluded = self._excluded()
            self.exclude_status.value = self._exclusion_notes(len(excluded))
        except Exception as error:  # noqa: BLE001 - shown to the person at the form
            problem = words("exclude_wrong", problem=self._exclusion_problem or self._told(error))
            self.exclude_status.value = html.note("bad", problem)
            self._set(None, [("bad", problem)])
            return
        column = chosen.df.iloc[:, self.phone.value]
        self._column = column if rows is None else column[rows]
        try:
            audience = customers.audience_of(chosen.df, self.phone.value, rows, excluded)
        except Exception as error:  # noqa: BLE001 - shown to the person at the form
            self._set(None, [("bad", self._told(error))])
            return
        self._set(audience)

    def _set(self, audience: Audience | None, notes: list[tuple[str, str]] | None = None) -> None:
        """Show what came of the choices."""
        words, chosen = self._words, self.listing
        self._shown = self.audience = audience
        self._page = 0
        fields.show(self._rejected_box, False)
        if audience is None or chosen is None:
            fields.show(self.rejected, False)
            self.status.value = html.notes(notes or [])
            self._on_change()
            return
        counts, name = customers.counts_of(audience), str(chosen.df.columns[self.phone.value])
        shown = ""
        if counts["rows"] and counts["recipients"] + counts["excluded"] == 0:
            shown = html.note("bad", words("phone_wrong", column=name))
            self.audience = None
        elif self.phone.value == self._found:
            shown = html.note("good", words("phone_found", column=name))
        shown += html.tiles((words(key), words.number(count)) for key, count in counts.items())
        if bad := customers.unusable(self._column, audience):
            rows = [
                (words(f"reason_{each.reason}"), words.number(each.rows), self._cells(each.examples)) for each in bad
            ]
            shown += html.table(
                [words("reason"), words("count"), words("examples")], rows, right=(1,), caption=words("unusable_title")
            )
        self.status.value = shown
        self._left_out = counts["rows"] - counts["recipients"]
        self._name_rejected(visible=False)
        fields.show(self.rejected, self._left_out > 0)
        self._on_change()

    def _cells(self, cells: tuple[str, ...]) -> str:
        return ",  ".join(cell or self._words("empty_cell") for cell in cells)

    def _toggle_rejected(self) -> None:
        visible = self._rejected_box.layout.display == "none"
        fields.show(self._rejected_box, visible)
        self._name_rejected(visible=visible)
        if visible:
            self._turn(0)

    def _name_rejected(self, *, visible: bool) -> None:
        hide, count = self._words("hide_rejected"), self._left_out
        self.rejected.description = hide if visible else self._words("show_rejected", count=count)

    def _turn(self, by: int) -> None:
        """Show another page of the rejected rows."""
        words = self._words
        chosen = self.listing
        if self._shown is None or chosen is None:
            return
        page = customers.rejected_page(self._column, self._shown, self._page + by)
        self._page = max(0, page.first - 1) // customers.PAGE
        key = "page" if page.most == page.count else "page_most"
        said = {"first": page.first, "last": page.last, "count": page.count}
        rows = [
            (chosen.place(label), cell or words("empty_cell"), words(f"status_{status}"), self._reason(reason))
            for label, cell, status, reason in page.rows
        ]
        self.rejected_table.value = html.table(
            [words("row_of_file" if chosen.from_file else "row"), words("cell"), words("status"), words("reason")],
            rows,
            caption=words(key, **said, **({} if key == "page" else {"most": page.most})),
        )
        self.previous.disabled = self._page == 0
        self.next.disabled = page.last >= page.most

    def _reason(self, reason: str) -> str:
        key = f"reason_{reason}"
        return self._words(key) if key in self._words else self._told(reason)

    def _take_exclusion(self) -> None:
        self._exclude(replace(self._exclusion, pasted=customers.split_pasted(self.exclude.value)))

    def _take_exclusion_file(self) -> None:
        if not self.exclude_upload.value:
            return
        try:
            read = read_upload(self.exclude_upload)
        except Exception as error:  # noqa: BLE001 - shown to the person at the form
            self._exclusion_problem = self._told(error)
            self._exclude(replace(self._exclusion, listing=None))
            return
        if read is not None:
            self._exclusion_problem = ""
            self._exclude(replace(self._exclusion, listing=read[0]))

    def _drop_exclusion_file(self) -> None:
        self._exclusion_problem = ""
        self._exclude(replace(self._exclusion, listing=None))

    def _excluded(self) -> list[str]:
        if self._exclusion_problem:
            raise InvalidInput(self._exclusion_problem)
        return self._exclusion.numbers()

    def _exclusion_notes(self, count: int) -> str:
        """Show how many numbers are left out, and which entries are none."""
        words, unread = self._words, self._exclusion.unread()
        notes = [("good", words("exclude_count", count=count))] if count else []
        if unread:
            shown = ", ".join(visible(entry, 40) for entry in unread[:_MOST_UNREAD])
            more = "…" if len(unread) > _MOST_UNREAD else ""
            notes.append(("look", words("exclude_unread", count=len(unread), entries=shown + more)))
        return html.notes(notes)

    def _exclude(self, exclusion: Exclusion) -> None:
        self._exclusion = exclusion
        fields.show(self.exclude_clear, exclusion.listing is not None or bool(self._exclusion_problem))
        self.exclude_status.value = ""
        self._prepare()

    def _keep(self) -> None:
        """Put the numbers on the journal's list, for good."""
        words = self._words
        try:
            numbers, entries = self._excluded(), self._exclusion.entries()
            if not entries:
                self.exclude_status.value = html.note("look", words("exclude_nothing"))
                return
            self._journal().do_not_contact.add(entries, reason=words("exclude_reason"))  # all, or none and why
        except Exception as error:  # noqa: BLE001 - shown to the person at the form
            problem = self._exclusion_problem or self._told(error)
            wrong = html.note("bad", words("exclude_wrong", problem=problem))
            self.exclude_status.value = wrong + self._exclusion_notes(0)
            return
        self._prepare()  # what was checked before was not checked against the longer list
        kept = html.note("good", words("exclude_kept", count=len(numbers)))
        self.exclude_status.value = kept + self._exclusion_notes(0)
