"""What a send would do and cost, and what would make it fail: how it is shown to people."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    import pandas as pd

    from esms_frames.message import Encoding


MESSAGE_COLUMNS = (
    *("segment", "content", "brandname", "sms_type", "send_at"),
    *("recipients", "batches", "encoding", "characters", "parts", "total_parts"),
)


@dataclass(frozen=True, repr=False, eq=False)
class Plan:
    """What a send would do and cost. Made by `plan`; shows itself to people.

    Attributes
    ----------
    campaign : str
        The name of the campaign.
    rows : int
        How many rows the data has.
    recipients : int
        How many numbers would be texted, those of an interrupted run that would be finished with it included.
    rejected : DataFrame
        The rows that would not be texted: ``status``, ``reason`` and how many ``rows``, the most first.
    messages : DataFrame
        One row for each text that somebody is to get: ``segment``, ``content``, ``brandname``, ``sms_type``, ``send_at``
        (None: at once), ``recipients``, ``batches``, ``encoding``, ``characters``, ``parts`` and ``total_parts``.
    price : Decimal or None
        In VND, by the gateway; None without a client, and where it could not be asked.
    price_basis : str
        What the price rests on.
    balance : Decimal or None
        What the account has, in VND.
    window : (datetime, datetime) or None
        The next hours within which it may go out, by the rules of advertising; None where it may at any time.
    warnings : tuple of str
        What is worth a look before sending, a sentence each.
    problems : tuple of str
        What would make the send fail, a sentence each; `send` refuses then.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> plan = ef.plan(customers, ef.Message("Cảm ơn quý khách!", "Baotrixemay"))
    >>> plan.recipients, plan.batches, str(plan.encoding), plan.total_parts
    (40, 1, 'UCS-2', 40)
    """

    campaign: str
    rows: int
    recipients: int
    rejected: pd.DataFrame
    messages: pd.DataFrame
    price: Decimal | None = None
    price_basis: str = "no client was given to ask"
    balance: Decimal | None = None
    window: tuple[datetime, datetime] | None = None
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def batches(self) -> int:
        """How many requests it takes, without retries."""
        return int(self.messages["batches"].sum())

    @property
    def total_parts(self) -> int:
        """How many parts of messages in all."""
        return int(self.messages["total_parts"].sum())

    @property
    def parts(self) -> int | None:
        """How many parts each message has; None where they differ."""
        parts: int | None = _the_one(self.messages["parts"])
        return parts

    @property
    def encoding(self) -> Encoding | None:
        """How the text travels; None where texts differ."""
        encoding: Encoding | None = _the_one(self.messages["encoding"])
        return encoding

    @property
    def is_enough(self) -> bool | None:
        """Whether the balance covers the price; None where one of them is not known."""
        return None if self.price is None or self.balance is None else self.balance >= self.price

    def __repr__(self) -> str:
        lines = [f"<Plan: {self._headline()}>", *(f"  {name:<11} {value}" for name, value in self._facts())]
        lines += [f"  {status + ':':<11} {rows:,} {reason}" for status, reason, rows in self._rejected()]
        lines += [f"  problem:    {text}" for text in self.problems] + [
            f"  warning:    {text}" for text in self.warnings
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        facts = [*self._facts(), *((status, f"{rows:,} {reason}") for status, reason, rows in self._rejected())]
        cell = "padding:.15em 1em .15em 0;border:0;background:none;text-align:left;vertical-align:top"
        body = "".join(
            f'<tr style="background:none"><td style="{cell};opacity:.75;white-space:nowrap">{html.escape(name)}</td>'
            f'<td style="{cell}">{html.escape(value)}</td></tr>'
            for name, value in facts
        )
        notes = "".join(
            f'<li style="margin:.2em 0"><strong>{kind}:</strong> {html.escape(text)}</li>'
            for kind, texts in (("Would fail", self.problems), ("Look at this", self.warnings))
            for text in texts
        )
        return (
            '<div style="max-width:50em;line-height:1.5">'
            f'<p style="margin:0 0 .5em"><strong>{html.escape(self._headline())}.</strong></p>'
            f'<table style="border-collapse:collapse">{body}</table>'
            f'<ul style="margin:.6em 0 0;padding-left:1.2em">{notes}</ul></div>'
        )

    def _headline(self) -> str:
        batches = "1 batch" if self.batches == 1 else f"{self.batches:,} batches"
        verdict = "would fail as it is" if self.problems else "nothing stands against it"
        return f"{self.recipients:,} of {self.rows:,} rows would be texted, in {batches}; {verdict}"

    def _facts(self) -> list[tuple[str, str]]:
        facts = [("campaign", self.campaign)]
        if len(self.messages) == 1:
            message: Any = self.messages.iloc[0]
            when = f"{message.send_at:%Y-%m-%d %H:%M:%S}, Vietnam time" if message.send_at else "at once"
            sms_type = str(message.sms_type).replace("_", " ")
            facts += [("text", message.content), ("from", f"{message.brandname}, {sms_type}"), ("when", when)]
        if len(self.messages):
            parts = self.messages["parts"]
            low, high = parts.min(), parts.max()
            each = f"{high} part{'s' if high > 1 else ''}" if low == high else f"{low} to {high} parts"
            encodings = " and ".join(map(str, self.messages["encoding"].unique()))
            length = f"{each} a message, {encodings}; {self.total_parts:,} parts in all"
            facts.append(("length", length))
        if len(self.messages) > 1:
            shown = [f"{row.segment} {row.recipients:,}" for row in self.messages.head(8).itertuples()]
            more = len(self.messages) - len(shown)
            facts.append(("segments", ", ".join(shown) + (f" and {more:,} more" if more else "")))
        price = "not known" if self.price is None else f"{self.price:,.0f} VND"
        facts.append(("price", f"{price} ({self.price_basis})"))
        if self.balance is not None:
            enough = {True: ", which is enough", False: ", which is not enough", None: ""}[self.is_enough]
            facts.append(("balance", f"{self.balance:,.0f} VND{enough}"))
        window = "at any time"
        if self.window is not None:
            start, end = self.window
            window = f"{start:%Y-%m-%d %H:%M} to {end:%H:%M}, Vietnam time"
        return [*facts, ("window", window)]

    def _rejected(self) -> list[tuple[str, str, int]]:
        return [
            (status, str(reason).replace("_", " "), rows)
            for status, reason, rows in self.rejected.itertuples(index=False)
        ]


def _the_one(values: pd.Series[Any]) -> Any:
    different = values.unique().tolist()
    return different[0] if len(different) == 1 else None
