"""The words of the forms in English; those of other languages are in the catalogues."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames.base.language.catalogue import find_label
from esms_frames.base.language.options import checked_language

if TYPE_CHECKING:
    from collections.abc import Mapping


LABELS: Mapping[str, str] = {
    "heading_gateway": "Gateway",
    "heading_recipients": "Recipients",
    "heading_message": "Message",
    "heading_check": "Check",
    "heading_send": "Send",
    "heading_result": "Result",
    # Gateway
    "gateway": "Send through",
    "gateway_given": "The connection given in the notebook",
    "gateway_sandbox": "Sandbox: nothing is delivered, nothing is charged",
    "gateway_env": "Live, with the keys of the environment",
    "gateway_keyring": "Live, with the keys kept on this machine (keyring)",
    "gateway_typed": "Live, with keys of your eSMS account that you type",
    "api_key": "ApiKey",
    "secret_key": "SecretKey",
    "key_hint": "Paste the key and press Enter",
    "key_taken": "✓ Taken. Paste again to change it",
    "key_note": "A key is taken as soon as you press Enter, and is not kept in the notebook.",
    "key_both": "Enter both ApiKey and SecretKey.",
    "connecting": "Connecting…",
    "connected_sandbox": "This is a sandbox. No message is really sent.",
    "connected_live": "Connected to a live account. What is sent reaches customers and is charged.",
    "not_connected": "Not connected.",
    "balance": "Balance",
    "brandnames": "Brandnames",
    "no_brandnames": "none is registered",
    "brandnames_unknown": "could not be fetched",
    "vnd": "{amount} VND",
    "keyring_missing": (
        "keyring is not installed on this machine: pip install 'esms-frames[keyring]', or type the keys."
    ),
    "keyring_locked": "The keyring of this machine can't be opened ({cause}): unlock it and try again, or type the keys.",
    "keyring_empty": (
        "The keyring of this machine has no api_key and secret_key of the service esms_frames: put them there, or type the "
        "keys."
    ),
    "reconnect": "Connect again",
    # Recipients
    "source": "List",
    "source_given": "The DataFrame of the notebook",
    "source_upload": "Upload a file",
    "source_sample": "Sample file: 1,000 made-up customers",
    "upload": "Choose file",
    "upload_hint": "CSV, Excel or Parquet, up to 10 MB. The first row holds the names of the columns.",
    "sheet": "Sheet",
    "file_read": "Read {name}: {rows} rows.",
    "file_none": "There is no list yet: upload a file, or take the sample file to try.",
    "phone_column": "Phone column",
    "phone_choose": "Choose a column",
    "phone_found": "The phone column was found by itself: {column}.",
    "phone_wrong": "The column {column} has no number that can be texted: is it the phone column? Choose another.",
    "segment_column": "Filter by",
    "segment_all": "No filter, send to all",
    "segment_values": "Send only to",
    "segment_hint": "Hold Ctrl (or Shift) to choose several values.",
    "segment_many": "The column {column} has {count} different values, too many for a filter: choose another column.",
    "segment_none": "No value is chosen: choose at least one, or take the filter away.",
    "segment_blank": "(blank)",
    "exclude": "Do not contact",
    "exclude_title": "Don't send to these numbers",
    "exclude_hint": "Paste numbers here, one a line, or upload a file",
    "exclude_upload": "Upload",
    "exclude_clear": "Drop the list of the file",
    "exclude_count": "{count} numbers are left out of this send.",
    "exclude_unread": "{count} entries are no number that can be texted, so they leave nobody out: {entries}",
    "exclude_keep": "Never send them advertising again",
    "exclude_kept": "{count} numbers were added to the do-not-contact list. Advertising will never reach them.",
    "exclude_reason": "entered in the send form",
    "exclude_nothing": "There is no number to add yet: paste some, or upload a file.",
    "exclude_wrong": "Do-not-contact list: {problem}",
    "rows": "Rows",
    "recipients": "Recipients",
    "duplicates": "Duplicates",
    "unusable": "Unusable",
    "excluded": "Left out",
    "batches": "Batches",
    "unusable_title": "Unusable numbers",
    "reason": "Reason",
    "count": "Rows",
    "examples": "Examples (as written in the file)",
    "empty_cell": "(empty)",
    "show_rejected": "Show rejected rows ({count})",
    "hide_rejected": "Hide rejected rows",
    "previous": "Previous",
    "next": "Next",
    "page": "Rows {first}–{last} of {count}",
    "page_most": "Rows {first}–{last}; the first {most} of {count} can be seen",
    "row": "Index",
    "row_of_file": "Row of the file",
    "cell": "In the list",
    "status": "Status",
    # Message
    "sms_type": "Type",
    "customer_care": "Customer care",
    "advertising": "Advertising",
    "brandname": "Brandname",
    "brandname_none": "The account has no brandname for this type: choose the other type, or register one with eSMS.",
    "brandname_hint": "The registered sender name",
    "content": "Text",
    "content_hint": "What the customers are to read",
    "counter": "{characters} characters, {encoding}, {parts} part(s) a recipient ({left} characters left)",
    "counter_empty": "0 characters",
    "encoding_GSM-7": "no accents (GSM-7)",
    "encoding_UCS-2": "accents or special characters (UCS-2)",
    "accents_cost": (
        "With accents: {parts} parts a recipient. Without, only {plain}: {saved} parts fewer for the whole list."
    ),
    "accents_free": "With accents, and still {parts} part(s) a recipient: stripping them saves nothing.",
    "strip": "Strip accents",
    "strip_tip": "Write the text without accents",
    "first_part": "Carriers add a label [QC] and an opt-out line to advertising, so the first part holds less.",
    "preview": "On a phone",
    "preview_empty": "The text is shown here",
    "preview_alt": "The message as customers see it",
    "when": "Send",
    "when_now": "At once",
    "when_later": "At a time",
    "date": "Date",
    "time": "Vietnam time",
    "when_missing": "Choose both date and time of the schedule, or send at once.",
    "window": "Advertising may go out from 07:00 to 22:00 only, Vietnam time.",
    "window_closed": "It is outside these hours now. The next allowed time is {next}: schedule it.",
    "window_any": "Customer care may go out at any time.",
    "window_use": "Schedule for {next}",
    "campaign": "Campaign",
    "campaign_hint": "Named after the text if left empty",
    "campaign_note": "Within a campaign nobody is texted twice, even if you send again.",
    # Check
    "check": "Check and price",
    "checking": "Checking…",
    "check_needed": "Shows the price and what is worth a look. Nothing is sent.",
    "check_changed": "Something was changed since the last check: check again.",
    "check_good": "Ready: {recipients} recipients in {batches} batch(es).",
    "check_bad": "It can't be sent yet:",
    "check_look": "Look at this:",
    "missing": "Still missing:",
    "missing_gateway": "a connection",
    "missing_recipients": "recipients",
    "missing_message": "the message: {problem}",
    "missing_campaign": "the campaign: {problem}",
    "total_parts": "Parts in all",
    "price": "Price",
    "price_unknown": "not known",
    "price_by": "by the gateway",
    "price_estimated": "estimated from some of the batches",
    "enough": "enough",
    "not_enough": "not enough",
    "sending_at": "When",
    "hours": "Hours",
    "hours_any": "at any time",
    "left_out": "Left out",
    "test_number": "Your number",
    "test_hint": "0901 888 484",
    "test": "Send me a test",
    "test_note": "Sends one message to your own number, under a campaign of its own.",
    "test_care": "A test can be sent as customer care only, for a batch of advertising needs 30 numbers.",
    "test_name": "test",
    "test_wrong": "This number can't be texted ({problem}): enter a Vietnamese mobile number.",
    "testing": "Sending the test…",
    "test_accepted": "The test was accepted. Look at your phone in a few minutes.",
    "test_sandbox": "The test was accepted (this is a sandbox, no message is really sent).",
    "test_refused": "The test was not accepted: {problem}",
    # Send
    "confirm": "Recipients",
    "confirm_hint": "Type {count} to confirm",
    "confirm_note": "This is a live send to {count} people. Type the number of recipients to confirm.",
    "send": "Send",
    "send_count": "Send to {count} people",
    "send_check": "Check it before you send (step 4).",
    "send_again": "Something was changed since the check: check again (step 4).",
    "send_problems": "Something stands against it, see step 4.",
    "send_nobody": "Nobody is left to be texted.",
    "send_confirm": "Type the right number of recipients to enable the button.",
    "send_ready": "Everything is ready.",
    "send_busy": "Busy with something else, wait a moment.",
    "cancel": "Cancel",
    "cancelling": "Stopping: waiting for the batches under way, so that nothing is left uncertain…",
    "starting": "Getting ready…",
    "sending": "Progress",
    "progress": "{done} / {total} numbers",
    "remaining": "about {time} left",
    "seconds": "{n} s",
    "minutes": "{n} min",
    "hours_n": "{n} h",
    "accepted": "accepted",
    "refused": "refused",
    "unknown": "unknown",
    "others": "other",
    "done": "Done in {time}.",
    "done_partly": "Finished in {time}: {what}. Step 6 says why, number by number.",
    "done_accepted": "{count} accepted",
    "done_refused": "{count} refused",
    "done_not_sent": "{count} not sent",
    "done_unknown": "{count} unknown, may have been sent: press Resume",
    "sent_otherwise_segment": "{count} numbers are in the campaign under another segment than in the list now: segment is "
    "the campaign's, segment_in_data the list's.",
    "sent_otherwise_text": "{count} numbers were sent another text by this campaign than the present one: see the reasons.",
    "cancelled": "Cancelled. Below is what was sent; the rest can be resumed.",
    "cancelled_early": "Cancelled before anything was sent.",
    "failed": "It could not go on: {problem}",
    "unfinished": "There are unfinished campaigns:",
    "unfinished_one": "{campaign}: {unfinished} not sent yet, {unknown} unknown",
    "resume": "Resume",
    "resume_which": "Campaign",
    "resume_note": "Resuming never texts anybody again who has had it.",
    # Result
    "result_none": "The results are shown here after sending.",
    "result_summary": "Campaign {campaign}",
    "result_first": "The first {shown} of {count} rows",
    "result_all": "{count} rows",
    "result_table": "Row by row",
    "result_chart": "Chart",
    "chart_alt": "Chart of the results: {accepted} of {recipients} recipients accepted",
    "download": "Download the results (CSV, {size})",
    "download_saved": "The results have {rows} rows and were written to a file: {path}",
    "save": "Write the results to a CSV file",
    "saving": "Writing the file…",
    "track": "See what was delivered",
    "tracking": "Asking what became of each number…",
    "tracked": "As of {time}: {delivered} delivered, {failed} failed, {pending} pending.",
    "tracked_not_known": "{count} more are not known: their reasons say why.",
    "code": "Show the same in Python",
    "code_hide": "Hide the Python code",
    "phone": "Phone",
    "network": "Network",
    "delivery": "Delivery",
    "delivery_reason": "Why not delivered",
    "scheduled_for": "Scheduled for",
    # Statuses and reasons
    "status_accepted": "accepted",
    "status_refused": "refused",
    "status_unknown": "unknown",
    "status_not_sent": "not sent",
    "status_already_sent": "already sent",
    "status_capped": "had 3 in 24 hours",
    "status_invalid": "unusable number",
    "status_duplicate": "duplicate",
    "status_excluded": "left out",
    "status_ready": "ready",
    "delivery_delivered": "delivered",
    "delivery_failed": "failed",
    "delivery_pending": "pending",
    "reason_missing": "no number",
    "reason_not_a_number": "not a number",
    "reason_rounded": "rounded by a spreadsheet",
    "reason_several": "several numbers in one cell",
    "reason_too_short": "too few digits",
    "reason_too_long": "too many digits",
    "reason_landline": "landline, can't receive SMS",
    "reason_foreign": "number of another country",
    "reason_unassigned": "no network has this prefix",
    # Errors of the form itself
    "error_unexpected": "Something unexpected happened ({kind}): try again, and report this name if it stays.",
    "error_busy": "The form is busy with something else: wait until it is done, and try again.",
    "error_detail": "{problem}",
}


class Words:
    """Labels of one language; numbers are written as that language writes them.

    Parameters
    ----------
    lang : {"vi", "en"}
        The language.
    labels : mapping of str to str, optional
        The labels in English, by their keys; by default those of the form.

    Raises
    ------
    InvalidInput
        When there is no such language.

    Examples
    --------
    >>> Words("vi")("file_read", name="a.csv", rows=1234)
    'Đã đọc a.csv: 1.234 dòng.'
    """

    def __init__(self, lang: str, labels: Mapping[str, str] = LABELS) -> None:
        self.lang = checked_language(lang, "lang")
        self._labels = {key: find_label(key, label, lang) for key, label in labels.items()}

    def __call__(self, key: str, **fields: Any) -> str:
        """Write a sentence; integers and amounts among the fields are written with the language's separators."""
        return self._labels[key].format(**{name: self._written(value) for name, value in fields.items()})

    def __contains__(self, key: str) -> bool:
        return key in self._labels

    def number(self, value: float | Decimal) -> str:
        """Write a number rounded to a whole one: 1.234 in Vietnamese, 1,234 in English."""
        text = f"{value:,.0f}"
        return text.replace(",", ".") if self.lang == "vi" else text

    def money(self, amount: float | Decimal) -> str:
        """Write an amount of VND."""
        return self("vnd", amount=self.number(amount))

    def _written(self, value: Any) -> str:
        is_number = isinstance(value, (int, np.integer, Decimal)) and not isinstance(value, bool)
        return self.number(value) if is_number else str(value)
