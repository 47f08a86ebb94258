"""Section 3 of the form: what is sent, under whose name, when, and in which campaign."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.state import draft
from esms_frames.base import clock
from esms_frames.base.errors import InvalidMessage
from esms_frames.base.wording import strip_accents
from esms_frames.campaigns.decisions.order import default_campaign
from esms_frames.messages.limits import SmsType, check_campaign
from esms_frames.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from esms_frames.apps.forms.text.labels import Words


class MessageSection:
    """Write the message; `message` is what it came to, `problem` what is missing.

    Parameters
    ----------
    words : Words
        The language.
    told : callable
        Says an error for people.
    on_change : callable
        Called when there is another message or campaign.
    """

    def __init__(self, words: Words, told: Callable[[Exception | str], str], on_change: Callable[[], object]) -> None:
        self._words, self._told, self._on_change = words, told, on_change
        self.message: Message | None = None
        self.problem = self.campaign_problem = ""
        self._names: Callable[[SmsType], list[str] | None] = lambda _: None
        self._recipients = 0
        self._quiet = False
        self._build()
        self._listen()
        self.registered(self._names)

    def _build(self) -> None:
        words = self._words
        self.sms_type = widgets.Dropdown(
            options=[(words(str(kind)), kind) for kind in SmsType], description=words("sms_type"), **fields.layout()
        )
        self.brandname = widgets.Dropdown(description=words("brandname"), **fields.layout())
        self.brandname_typed = widgets.Text(
            description=words("brandname"), placeholder=words("brandname_hint"), **fields.layout()
        )
        self.brandname_status = fields.html(below_field=True)
        self.content = widgets.Textarea(
            description=words("content"), placeholder=words("content_hint"), rows=5, **fields.layout()
        )
        self.counter = fields.html(below_field=True)
        self.strip = fields.button(words("strip"), icon="eraser", tooltip=words("strip_tip"), shown=False)
        self.when = widgets.Dropdown(
            options=[(words("when_now"), "now"), (words("when_later"), "later")],
            description=words("when"),
            **fields.layout(),
        )
        self.date = widgets.DatePicker(description=words("date"), **fields.layout())
        self.time = widgets.TimePicker(description=words("time"), step=60, **fields.layout())
        self.window = fields.html(below_field=True)
        self.window_use = fields.button("", icon="clock-o", shown=False)
        self.campaign = widgets.Text(description=words("campaign"), **fields.layout())
        self.campaign_status = fields.html(below_field=True)
        self.preview = fields.html()
        column = widgets.Layout(flex="1 1 400px", min_width="0", max_width="660px")
        left = widgets.VBox(
            [
                self.sms_type, self.brandname, self.brandname_typed, self.brandname_status, self.content, self.counter,
                fields.row(self.strip, below_field=True), self.when, self.date, self.time, self.window,
                fields.row(self.window_use, below_field=True), self.campaign, self.campaign_status,
            ],
            layout=column,
        )  # fmt: skip
        right = widgets.VBox(
            [fields.html(html.hint(words("preview"))), self.preview], layout=widgets.Layout(flex="0 1 17em")
        )
        self.box = fields.section(
            3,
            words("heading_message"),
            widgets.HBox([left, right], layout=widgets.Layout(flex_flow="row wrap", grid_gap="8px 20px")),
        )

    def _listen(self) -> None:
        self.sms_type.observe(lambda _: self._offer_names(), "value")
        for widget in (
            self.brandname, self.brandname_typed, self.content, self.when, self.date, self.time, self.campaign
        ):  # fmt: skip
            widget.observe(lambda _: self._write(), "value")
        self.strip.on_click(lambda _: self._strip())
        self.window_use.on_click(lambda _: self._use_window())

    @property
    def sender(self) -> str:
        """The brandname that was chosen or typed."""
        name = self.brandname.value if self._has_names else self.brandname_typed.value.strip()
        return name or ""

    def registered(self, names: Callable[[SmsType], list[str] | None]) -> None:
        """Offer the brandnames of an account: for each type, or None where they are not known."""
        self._names = names
        self._offer_names()

    def for_recipients(self, count: int) -> None:
        """Count for so many recipients."""
        if count != self._recipients:
            self._recipients = count
            self._show_count()

    def code(self) -> list[str]:
        """Write the message in Python."""
        if self.message is None:
            return []
        message = self.message
        given = [repr(message.content), repr(message.brandname), repr(str(message.sms_type))]
        if message.send_at is not None:
            given.append(f"send_at={message.send_at:'%Y-%m-%d %H:%M:%S'}")
        return [f"message = ef.Message({', '.join(given)})"]

    @property
    def campaign_typed(self) -> str | None:
        """The name of the campaign as typed; None for one derived from the text."""
        return self.campaign.value.strip() or None

    @property
    def _has_names(self) -> bool:
        return self._names(self.sms_type.value) is not None

    def _offer_names(self) -> None:
        names, before = self._names(self.sms_type.value), self.sender
        self._quiet = True
        if names is not None:
            self.brandname.options = names
            self.brandname.value = before if before in names else (names[0] if names else None)
        self._quiet = False
        fields.show(self.brandname, names is not None)
        fields.show(self.brandname_typed, names is None)
        self.brandname_status.value = html.note("look", self._words("brandname_none")) if names == [] else ""
        self._write()

    def _write(self) -> None:
        """Make the message of what is in the fields."""
        if self._quiet:
            return
        self.message, self.problem, self.campaign_problem = None, "", ""
        try:
            self.message = Message(self.content.value, self.sender, self.sms_type.value, self._send_at())
        except InvalidMessage as error:
            self.problem = self._words("when_missing") if error.field == "when" else self._told(error)
        try:
            if self.campaign_typed is not None:
                check_campaign(self.campaign_typed)
        except ValueError as error:
            self.campaign_problem = self._told(error)
        self._show_count()
        self._show_window()
        self._show_campaign()
        self.preview.value = html.phone_bubble(
            self.sender, self.content.value, empty=self._words("preview_empty"), label=self._words("preview_alt")
        )
        self._on_change()

    def _send_at(self) -> datetime | None:
        if self.when.value == "now":
            return None
        if self.date.value is None or self.time.value is None:
            raise InvalidMessage("when", "The schedule has no date or no time: choose both, or send at once.")
        return datetime.combine(self.date.value, self.time.value.replace(tzinfo=None), clock.VIETNAM)

    def _show_count(self) -> None:
        words = self._words
        try:
            count = draft.count(self.content.value)
        except InvalidMessage as error:
            self.counter.value = html.note("bad", self._told(error))
            return
        if count is None:
            self.counter.value = html.hint(words("counter_empty"))
            fields.show(self.strip, False)
            return
        encoding = words(f"encoding_{count.encoding}")
        said = words("counter", characters=count.characters, encoding=encoding, parts=count.parts, left=count.left)
        shown = html.hint(said)
        fields.show(self.strip, count.accented)
        if count.accented:
            saved = (count.parts - count.plain_parts) * max(1, self._recipients)
            if saved:
                shown += html.note(
                    "look", words("accents_cost", parts=count.parts, plain=count.plain_parts, saved=saved)
                )
            else:
                shown += html.hint(words("accents_free", parts=count.parts))
        if self.sms_type.value is SmsType.ADVERTISING:
            shown += html.hint(words("first_part"))
        self.counter.value = shown

    def _show_window(self) -> None:
        words, later = self._words, self.when.value == "later"
        fields.show(self.date, later)
        fields.show(self.time, later)
        hours = draft.hours(self.sms_type.value, clock.now(), at_once=not later)
        said = {} if hours.next is None else {"next": f"{hours.next:%d/%m/%Y %H:%M}"}
        shown = html.note("look", words(hours.why, **said)) if said else html.hint(words(hours.why))
        if later and self.problem and self.message is None and not self._complete():
            shown += html.note("look", words("when_missing"))
        self.window.value = shown
        self._next = hours.next
        if said:
            self.window_use.description = words("window_use", **said)
        fields.show(self.window_use, bool(said))

    def _complete(self) -> bool:
        return self.date.value is not None and self.time.value is not None

    def _show_campaign(self) -> None:
        words = self._words
        self.campaign.placeholder = words("campaign_hint")
        if self.message is not None:
            self.campaign.placeholder = default_campaign(self.message)
        self.campaign_status.value = (
            html.note("bad", self.campaign_problem) if self.campaign_problem else html.hint(words("campaign_note"))
        )

    def _strip(self) -> None:
        self.content.value = strip_accents(self.content.value)

    def _use_window(self) -> None:
        """Schedule for the next allowed time."""
        moment: Any = self._next
        if moment is None:
            return
        self._quiet = True
        self.when.value, self.date.value, self.time.value = "later", moment.date(), moment.time()
        self._quiet = False
        self._write()
