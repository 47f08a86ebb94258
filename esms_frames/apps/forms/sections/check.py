"""Section 4 of the form: what a send would do and cost, what stands against it, and a test to one's own number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
import pandas as pd

from esms_frames.apps.forms.controls import fields, html
from esms_frames.apps.forms.state import draft
from esms_frames.apps.forms.state.customers import one_number
from esms_frames.apps.forms.state.draft import Checked, Draft
from esms_frames.base import clock
from esms_frames.campaigns.plan import plan
from esms_frames.campaigns.send import send
from esms_frames.messages.limits import SmsType
from esms_frames.messages.message import Message
from esms_frames.recipients.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from esms_frames.apps.forms.controls.worker import Worker
    from esms_frames.apps.forms.text.labels import Words
    from esms_frames.campaigns.preview.report import Plan
    from esms_frames.journal.journal import Journal


class CheckSection:
    """Check what is to be sent; `checked` is the last plan with the draft that it is of.

    Parameters
    ----------
    words : Words
        The language.
    worker : Worker
        Who asks the gateway.
    told : callable
        Says an error, or a sentence of the package, for people.
    journal : callable
        Gives the journal.
    drafted : callable
        Gives the present draft.
    missing : callable
        Says what the present draft still lacks, a sentence each.
    sms_type : callable
        Gives the chosen type.
    on_change : callable
        Called when there is another check.
    """

    def __init__(
        self,
        words: Words,
        worker: Worker,
        told: Callable[[Exception | str], str],
        journal: Callable[[], Journal],
        drafted: Callable[[], Draft],
        missing: Callable[[], list[str]],
        sms_type: Callable[[], SmsType],
        on_change: Callable[[], object],
    ) -> None:
        self._words, self._worker, self._told, self._journal = words, worker, told, journal
        self._draft, self._missing, self._sms_type, self._on_change = drafted, missing, sms_type, on_change
        self.checked: Checked | None = None
        self.check = fields.button(words("check"), icon="search", style="primary")
        self.status = fields.html(html.hint(words("check_needed")))
        self.plan = fields.html()
        self.number = widgets.Text(
            description=words("test_number"), placeholder=words("test_hint"), continuous_update=False, **fields.layout()
        )
        self.test = fields.button(words("test"), icon="mobile")
        self.test_status = fields.html(html.hint(words("test_note")), below_field=True)
        self.box = fields.section(
            4, words("heading_check"), fields.row(self.check), self.status, self.plan, self.number,
            fields.row(self.test, below_field=True), self.test_status,
        )  # fmt: skip
        self.check.on_click(lambda _: self._check())
        self.test.on_click(lambda _: self._test())

    def update(self) -> None:
        """Follow the present draft."""
        self.check.disabled = self._worker.busy
        is_care = self._sms_type() is SmsType.CUSTOMER_CARE
        self.test.disabled = self._worker.busy or not is_care
        if not is_care:
            self.test_status.value = html.hint(self._words("test_care"))
        elif self._words("test_care") in self.test_status.value:
            self.test_status.value = html.hint(self._words("test_note"))
        if self.checked is not None and self.checked.draft != self._draft():
            self.status.value = html.note("look", self._words("check_changed"))
            self.plan.value = ""
        elif self.checked is not None and not self.plan.value:  # a change was taken back
            self._show(self.checked.plan)

    def forget(self) -> None:
        """Call for another check, after a send."""
        self.checked = None
        self.status.value = html.hint(self._words("check_needed"))
        self.plan.value = ""

    def _check(self) -> None:
        words, wanted = self._words, self._draft()
        self.checked = None
        self.plan.value = ""
        if missing := self._missing():
            self.status.value = html.listed("look", words("missing"), missing)
            self._on_change()
            return
        audience, message, client = wanted.audience, wanted.message, wanted.client
        if audience is None or message is None or client is None:
            return

        def ask() -> Plan:
            return plan(audience, message, client, campaign=wanted.campaign, journal=self._journal())

        def there(found: Plan) -> None:
            self.checked = Checked(wanted, found)
            self._show(found)
            self._on_change()

        def failed(error: Exception) -> None:
            self.status.value = html.listed("bad", words("check_bad"), [self._told(error)])

        self.status.value = html.note("info", words("checking"))
        if not self._worker.start(ask, there, failed):
            self.status.value = html.note("look", words("error_busy"))

    def _show(self, found: Plan) -> None:
        words = self._words
        good = not found.problems and found.recipients
        self.status.value = (
            html.note("good", words("check_good", recipients=found.recipients, batches=found.batches)) if good else ""
        )
        self.plan.value = plan_html(found, words, self._told)

    def _test(self) -> None:
        """Send the text to one number, as a campaign of its own."""
        words, present = self._words, self._draft()
        missing = [*([] if present.client else [words("missing_gateway")]), *self._missing_message(present)]
        if missing:
            self.test_status.value = html.listed("look", words("missing"), missing)
            return
        phone, problem = one_number(self.number.value)
        if phone is None:
            self.test_status.value = html.note("bad", words("test_wrong", problem=words(f"reason_{problem}")))
            return
        client, written = present.client, present.message
        if client is None or written is None:
            return

        def ask() -> pd.DataFrame:
            message = Message(written.content, written.brandname, written.sms_type)
            audience = prepare(pd.DataFrame({"phone": [phone]}), min_batch=1)
            name = draft.test_campaign(present.name, words("test_name"), clock.now())
            return send(audience, message, client, campaign=name, journal=self._journal(), progress=False)

        def there(results: pd.DataFrame) -> None:
            row = results.iloc[0]
            if row["status"] == "accepted":
                key = "test_sandbox" if client.is_sandbox else "test_accepted"
                self.test_status.value = html.note("good", words(key))
            else:
                self.test_status.value = html.note("bad", words("test_refused", problem=self._told(str(row["reason"]))))

        def failed(error: Exception) -> None:
            self.test_status.value = html.note("bad", words("test_refused", problem=self._told(error)))

        self.test_status.value = html.note("info", words("testing"))
        if not self._worker.start(ask, there, failed):
            self.test_status.value = html.note("look", words("error_busy"))

    def _missing_message(self, present: Draft) -> list[str]:
        return (
            [] if present.message else [text for text in self._missing() if text != self._words("missing_recipients")]
        )


def plan_html(found: Plan, words: Words, told: Callable[[Exception | str], str]) -> str:
    """Show a plan in the form's language.

    Parameters
    ----------
    found : Plan
        The plan.
    words : Words
        The language.
    told : callable
        Says a sentence of the package for people.
    """
    shown = [(words("campaign"), found.campaign), (words("recipients"), words.number(found.recipients))]
    shown += [(words("batches"), words.number(found.batches)), (words("total_parts"), words.number(found.total_parts))]
    price = words("price_unknown")
    if found.price is not None:
        basis = words("price_by" if found.price_basis == "by the gateway" else "price_estimated")
        price = f"{words.money(found.price)} ({basis})"
    shown.append((words("price"), price))
    if found.balance is not None:
        enough = {True: words("enough"), False: words("not_enough"), None: ""}[found.is_enough]
        shown.append((words("balance"), words.money(found.balance) + (f" ({enough})" if enough else "")))
    when = found.messages["send_at"].iloc[0] if len(found.messages) else None
    shown.append((words("sending_at"), words("when_now") if pd.isna(when) else f"{when:%d/%m/%Y %H:%M}"))
    hours = words("hours_any")
    if found.window is not None:
        hours = f"{found.window[0]:%H:%M}–{found.window[1]:%H:%M} ({found.window[0]:%d/%m/%Y})"
    shown.append((words("hours"), hours))
    if len(found.rejected):
        left_out = [
            f"{words.number(rows)} {reason_text(status, reason, words, told)}"
            for status, reason, rows in found.rejected.itertuples(index=False)
        ]
        shown.append((words("left_out"), "; ".join(left_out)))
    return (
        html.listed("bad", words("check_bad"), [told(text) for text in found.problems])
        + html.listed("look", words("check_look"), [told(text) for text in found.warnings])
        + html.facts(shown)
    )


def reason_text(status: object, reason: object, words: Words, told: Callable[[Exception | str], str]) -> str:
    """Explain why rows are left out."""
    if f"reason_{reason}" in words:
        return words(f"reason_{reason}")
    return words("status_duplicate") if status == "duplicate" else told(str(reason))
