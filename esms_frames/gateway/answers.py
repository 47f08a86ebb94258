"""Read the gateway's answers into values and frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from esms_frames.base import clock, columns
from esms_frames.gateway.decode import (
    Mask,
    check_accepted,
    missing_field,
    parse_amount,
    parse_bool,
    parse_int,
    read_rows,
    replace_surrogates,
)
from esms_frames.messages.limits import SmsType
from esms_frames.messages.templates import Template
from esms_frames.recipients.phones import formatting, normalize, numbering_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from numpy.typing import NDArray

    from esms_frames.gateway.decode import SentMessage


_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Estimate:
    """The price of a send.

    Attributes
    ----------
    price : Decimal
        For all recipients together, in VND.
    recipients : int
        How many numbers the gateway counted.
    """

    price: Decimal
    recipients: int


@dataclass(frozen=True)
class Brandname:
    """A sender name that is active for the account.

    Attributes
    ----------
    name : str
        As it is registered; case matters.
    type_code : int
        The gateway's Type: 1 advertising, 2 customer care, 23 Viber.
    """

    name: str
    type_code: int

    @property
    def sms_type(self) -> SmsType | None:
        """The type of SMS that may be sent under the name; None where it is for another service."""
        return next((kind for kind in SmsType if kind.code == self.type_code), None)


@dataclass(frozen=True)
class SendStatus:
    """How far a send has come.

    Attributes
    ----------
    sms_id : str
        The gateway's id of the send.
    send_status : int or None
        The gateway's SendStatus: 0 draft, 1 awaiting approval, 2 waiting to send, 4 rejected, 5 done, 7 sent and
        awaiting reports.
    recipients, sent, delivered, failed : int
        How many numbers it has, to how many it went out, and how many reports of either kind have come.
    price : Decimal
        Of the whole send, in VND.
    """

    sms_id: str
    send_status: int | None
    recipients: int
    sent: int
    delivered: int
    failed: int
    price: Decimal


def count_by_network(batch: Sequence[str]) -> list[tuple[str, int]]:
    """Return the first number of each network in a list (``0`` and nine digits each), and count the network's numbers.

    Numbers of no known network are a group too.
    """
    _, table = numbering_plan.networks()
    networks = table[np.array(batch, dtype="U10").astype(np.int64) // numbering_plan.PREFIX]
    _, first, count = np.unique(networks, return_index=True, return_counts=True)
    return [(batch[position], many) for position, many in zip(first.tolist(), count.tolist(), strict=True)]


def read_estimate(answer: dict[str, Any], mask: Mask = str) -> Estimate:
    """Read the answer to a question for a price."""
    check_accepted(answer, mask)
    price, recipients = parse_amount(answer.get("TotalPrice")), parse_int(answer.get("TotalReceiver"))
    if price is None or recipients is None:
        raise missing_field("price", answer, mask)
    return Estimate(price, recipients)


def read_brandnames(answer: dict[str, Any], mask: Mask = str) -> tuple[Brandname, ...]:
    """Read the list of brandnames."""
    check_accepted(answer, mask)
    rows = read_rows(answer, "ListBrandName", mask)
    found = [(row.get("Brandname"), parse_int(row.get("Type"))) for row in rows]
    if not all(isinstance(name, str) and code is not None for name, code in found):
        raise missing_field("list of brandnames", answer, mask)
    return tuple(Brandname(replace_surrogates(str(name)), code or 0) for name, code in found)


def read_templates(answer: dict[str, Any], mask: Mask = str) -> tuple[Template, ...]:
    """Read the list of templates of a brandname."""
    check_accepted(answer, mask)
    rows = read_rows(answer, "BrandnameTemplates", mask)
    found = [(parse_int(row.get("TempId")), row.get("TempContent"), parse_int(row.get("NetworkID"))) for row in rows]
    if not all(number is not None and isinstance(content, str) for number, content, _ in found):
        raise missing_field("list of templates", answer, mask)
    return tuple(
        Template(number or 0, numbering_plan.GATEWAY_NETWORKS.get(network or 0), replace_surrogates(str(content)))
        for number, content, network in found
    )


def read_status(sms_id: str, answer: dict[str, Any], mask: Mask = str) -> SendStatus:
    """Read the status of a send."""
    check_accepted(answer, mask)
    names = ("TotalReceiver", "TotalSent", "SendSuccess", "SendFailed")
    counts = [count for name in names if (count := parse_int(answer.get(name))) is not None]
    price = parse_amount(answer.get("TotalPrice"))
    if len(counts) < len(names) or price is None:
        raise missing_field("counts and price of the send", answer, mask)
    recipients, sent, delivered, failed = counts
    return SendStatus(sms_id, parse_int(answer.get("SendStatus")), recipients, sent, delivered, failed, price)


def read_receivers(answer: dict[str, Any], mask: Mask = str) -> pd.DataFrame:
    """Read the status of each number of a send; the columns are described at `Client.receivers`."""
    check_accepted(answer, mask)
    rows = read_rows(answer, "ReceiverList", mask)
    networks = [row.get("NetworkName") for row in rows]
    return pd.DataFrame(
        {
            "phone": _phones([row.get("Phone") for row in rows]),
            "network": _texts([name if isinstance(name, str) and name else None for name in networks]),
            "is_sent": _build_booleans(_read_each(parse_bool, [row.get("IsSent") for row in rows])),
            "delivered": _build_booleans(_read_each(parse_bool, [row.get("SentResult") for row in rows])),
            "retries": _build_integers(_read_each(parse_int, [row.get("Retry") for row in rows])),
        }
    )


def build_sent_frame(messages: Iterable[SentMessage]) -> pd.DataFrame:
    """Build the frame of the messages that the gateway holds; the columns are described at `Client.sent_frame`."""
    held = list(messages)
    return pd.DataFrame(
        {
            "phone": _phones([one.phone for one in held]),
            "content": _texts([one.content for one in held]),
            "sms_id": _texts([one.sms_id for one in held]),
            "campaign": _texts([one.campaign for one in held]),
            "price": columns.money([one.price for one in held]),
            "send_status": _build_integers([one.send_status for one in held]),
            "send_result": _build_integers([one.send_result for one in held]),
            "sent_at": _moments([one.sent_at for one in held]),
        }
    )


def _phones(values: list[Any]) -> Any:
    return formatting.format_phones(normalize.read(pd.Series(values, dtype=object)))


def _texts(values: list[str | None]) -> Any:
    # Few different texts are repeated over many rows, so each is checked and stored once.
    codes, different = pd.factorize(np.array(values, dtype=object))
    return columns.text_from_codes(codes, [replace_surrogates(text) for text in different])


def _read_each(read: Callable[[object], _Found], values: list[Any]) -> list[_Found]:
    """Read values, each different one only once: there are few among thousands."""
    try:
        return list(map(lru_cache(maxsize=1024, typed=True)(read), values))
    except TypeError:  # lists and objects, which can't be looked up
        return list(map(read, values))


def _build_booleans(values: list[bool | None]) -> Any:
    return _nullable(values, pa.bool_(), pd.BooleanDtype())


def _build_integers(values: list[int | None]) -> Any:
    return _nullable(values, pa.int32(), pd.Int32Dtype())


def _nullable(values: list[Any], kind: pa.DataType, dtype: Any) -> Any:
    return pd.array(pa.array(values, kind).to_pandas(types_mapper={kind: dtype}.get))


def _moments(values: list[datetime | None]) -> pd.DatetimeIndex:
    naive = [None if one is None else one.astimezone(clock.VIETNAM).replace(tzinfo=None) for one in values]
    moments: NDArray[np.datetime64] = np.array(naive, dtype="datetime64[us]")
    return pd.DatetimeIndex(moments).tz_localize(clock.VIETNAM)
