"""Show people what a send would do and cost, and what would make it fail."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esms_frames.base.language.catalogue import phrase, translate
from esms_frames.base.language.options import options
from esms_frames.base.wording import mark, write_number

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    import pandas as pd

    from esms_frames.messages.encoding import Encoding


MESSAGE_COLUMNS = (
    *("segment", "content", "brandname", "sms_type", "send_at"),
    *("recipients", "batches", "encoding", "characters", "parts", "total_parts"),
)


@dataclass(frozen=True, repr=False, eq=False)
class Plan:
    """The plan of a send: what it would do and cost. Made by `plan`; shows itself to people.

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
    price_basis: str = mark("no client was given to ask")
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
        rejected = ((translate(status) + ":", text) for status, text in self._rejected())
        notes = [(phrase("problem:"), translate(text)) for text in self.problems]
        notes += [(phrase("warning:"), translate(text)) for text in self.warnings]
        facts = self._facts()
        width = max([11, *(len(name) for name, _ in facts)])
        lines = (f"  {name:<{width}} {text}" for name, text in (*facts, *rejected, *notes))
        return "\n".join([f"<Plan: {self._headline()}>", *lines])

    def _repr_html_(self) -> str:
        facts = [*self._facts(), *((translate(status), text) for status, text in self._rejected())]
        cell = "padding:.15em 1em .15em 0;border:0;background:none;text-align:left;vertical-align:top"
        body = "".join(
            f'<tr style="background:none"><td style="{cell};opacity:.75;white-space:nowrap">{html.escape(name)}</td>'
            f'<td style="{cell}">{html.escape(value)}</td></tr>'
            for name, value in facts
        )
        notes = "".join(
            f'<li style="margin:.2em 0"><strong>{kind}</strong> {html.escape(translate(text))}</li>'
            for kind, texts in ((phrase("Would fail:"), self.problems), (phrase("Look at this:"), self.warnings))
            for text in texts
        )
        return (
            '<div style="max-width:50em;line-height:1.5">'
            f'<p style="margin:0 0 .5em"><strong>{html.escape(self._headline())}.</strong></p>'
            f'<table style="border-collapse:collapse">{body}</table>'
            f'<ul style="margin:.6em 0 0;padding-left:1.2em">{notes}</ul></div>'
        )

    def _headline(self) -> str:
        verdict = phrase("would fail as it is") if self.problems else phrase("ready to send")
        counts = {"recipients": self.recipients, "rows": self.rows, "verdict": verdict}
        if self.batches == 1:
            return phrase("{recipients} of {rows} rows would be texted, in 1 batch; {verdict}", **counts)
        return phrase(
            "{recipients} of {rows} rows would be texted, in {batches} batches; {verdict}",
            batches=self.batches,
            **counts,
        )

    def _facts(self) -> list[tuple[str, str]]:
        facts = [(phrase("campaign"), self.campaign)]
        if len(self.messages) == 1:
            message: Any = self.messages.iloc[0]
            when = phrase("at once")
            if message.send_at:
                when = phrase("{when}, Vietnam time", when=f"{message.send_at:%Y-%m-%d %H:%M:%S}")
            sms_type = translate(str(message.sms_type).replace("_", " "))
            facts += [
                (phrase("text"), message.content),
                (phrase("from"), f"{message.brandname}, {sms_type}"),
                (phrase("when"), when),
            ]
        if len(self.messages):
            facts.append((phrase("length"), self._length()))
        if len(self.messages) > 1:
            first = self.messages.head(8).itertuples()
            shown = [f"{row.segment} {write_number(row.recipients, options.lang)}" for row in first]
            more = len(self.messages) - len(shown)
            listed = ", ".join(shown)
            facts.append(
                (phrase("segments"), phrase("{names} and {count} more", names=listed, count=more) if more else listed)
            )
        price = phrase("not known") if self.price is None else phrase("{price} VND", price=round(self.price))
        facts.append((phrase("price"), f"{price} ({translate(self.price_basis)})"))
        if self.balance is not None:
            facts.append((phrase("balance"), self._balance(round(self.balance))))
        window = phrase("at any time")
        if self.window is not None:
            start, end = self.window
            window = phrase("{start} to {end}, Vietnam time", start=f"{start:%Y-%m-%d %H:%M}", end=f"{end:%H:%M}")
        return [*facts, (phrase("window"), window)]

    def _length(self) -> str:
        low, high = int(self.messages["parts"].min()), int(self.messages["parts"].max())
        if high == 1:
            each = phrase("1 part a message")
        elif low == high:
            each = phrase("{count} parts a message", count=high)
        else:
            each = phrase("{low} to {high} parts a message", low=low, high=high)
        encodings = phrase(" and ").join(map(str, self.messages["encoding"].unique()))
        return phrase(
            "{each}, {encodings}; {total} parts in all", each=each, encodings=encodings, total=self.total_parts
        )

    def _balance(self, balance: int) -> str:
        if self.is_enough is None:
            return phrase("{price} VND", price=balance)
        if self.is_enough:
            return phrase("{balance} VND, which is enough", balance=balance)
        return phrase("{balance} VND, which is not enough", balance=balance)

    def _rejected(self) -> list[tuple[str, str]]:
        return [
            (status, f"{write_number(rows, options.lang)} {translate(reason).replace('_', ' ')}")
            for status, reason, rows in self.rejected.itertuples(index=False)
        ]


def _the_one(values: pd.Series[Any]) -> Any:
    different = values.unique().tolist()
    return different[0] if len(different) == 1 else None
