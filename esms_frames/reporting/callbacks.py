"""A callback as a value, and callbacks as a frame."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd

from esms_frames.base import columns
from esms_frames.base.errors import InvalidInput
from esms_frames.recipients.phones import formatting, normalize, numbering_plan
from esms_frames.recipients.phones.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Known = tuple[NDArray[Any], NDArray[np.bool_]]


FINAL = (4, 5)
"""The SendStatus after which nothing changes: rejected, and done."""

COUNTS = {
    "send_status": "SendStatus",
    "delivered": "SendSuccess",
    "failed": "SendFailed",
    "sent": "TotalSent",
    "recipients": "TotalReceiver",
    "type_id": "TypeId",
}
"""The columns of whole numbers, and the gateway's names for them."""

INTEGER = "^[0-9]{1,9}$"
AMOUNT = r"^(?P<whole>[0-9]{1,9})(?:\.(?P<rest>[0-9]{0,4})0*)?$"
"""An amount in VND, as finely as the gateway writes it: to the ten-thousandth.

A send has 5,000 numbers at most, so from a billion on a message would cost 200,000 VND: that is no price.
"""

LONGEST_QUERY = 2000
"""How many characters a callback's query may have; the gateway's have some 250."""

_COLUMNS = [
    "sms_id", "request_id", "phone", "network", "send_status", "delivered", "failed", "sent", "recipients", "price",
    "type_id", "received_at",
]  # fmt: skip
_GATEWAY_IDS = 7
_ID = re.compile("[!-~]{1,100}")  # 31 to 38 characters are seen
_PLAIN = re.compile("[ -~]*")


@dataclass(frozen=True)
class Callback:
    """The content of one callback; None for what it did not say."""

    sms_id: str
    send_status: int
    request_id: str | None = None
    phone: str = field(default="", repr=False)
    """``0`` and nine digits; empty where it is of a whole send."""
    telco_id: int | None = None
    delivered: int | None = None
    failed: int | None = None
    sent: int | None = None
    recipients: int | None = None
    units: int | None = None
    """The price in ten-thousandths of a VND."""
    type_id: int | None = None


def read_callback(query: str) -> Callback:
    """Read the query of one callback, as `callbacks.read_callbacks` reads many, but refusing what can't be read.

    Parameters
    ----------
    query : str
        What follows the question mark, percent-encoded. Names of fields may be in capitals or not; of a field that comes
        twice the first counts, and others than the gateway's are passed over.

    Returns
    -------
    Callback

    Raises
    ------
    InvalidInput
        When there is no SMSID or SendStatus, or a field holds something else than the gateway writes; its text names the
        field and shows nothing of it.

    Examples
    --------
    >>> read_callback("SMSID=d533-1&SendStatus=5&TotalPrice=850.5&phonenumber=84901888484").units
    8505000
    """
    if len(query) > LONGEST_QUERY:
        raise InvalidInput(
            "The query has more than {most} characters: it is no callback of the gateway.",
            most=LONGEST_QUERY,
        )
    given: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        given.setdefault(name.lower(), value)
    integers = {column: _integer(given, name) for column, name in COUNTS.items()}
    send_status = integers.pop("send_status")
    sms_id = _id(given, "SMSID")
    if sms_id is None or send_status is None:
        raise InvalidInput(
            "{name} is missing: it is no callback of the gateway.", name="SMSID" if sms_id is None else "SendStatus"
        )
    number = _text(given, "phonenumber")
    found = normalize.read_one(number) if number else None
    if isinstance(found, Problem):
        raise _unread("phonenumber")
    return Callback(
        sms_id,
        send_status,
        _id(given, "RequestId"),
        "" if found is None else f"0{found:09d}",
        _integer(given, "telcoid"),
        units=_units(given, "TotalPrice"),
        **integers,
    )


def frame_of(
    sms_id: Any,
    request_id: Any,
    numbers: NDArray[np.int32],
    telco: Known,
    counts: Mapping[str, Known],
    price: Known,
    received_at: Any,
) -> pd.DataFrame:
    """Make the frame of `callbacks.read_callbacks` of columns: values, and which of them are known."""
    names, _ = numbering_plan.networks()
    code = np.where(is_network(telco), telco[0] - 1, -1).astype(np.int8)
    return pd.DataFrame(
        {
            "sms_id": sms_id,
            "request_id": request_id,
            "phone": formatting.format_phones(numbers),
            "network": columns.category_from_codes(code, names),
            **{
                column: pd.arrays.IntegerArray(values.astype(np.int32), ~known)  # type: ignore[no-untyped-call, unused-ignore]
                for column, (values, known) in counts.items()
            },
            "price": columns.money_from_units(*price),
            "received_at": received_at,
        }
    )[_COLUMNS]


def is_network(telco: Known) -> NDArray[np.bool_]:
    """Return which of the gateway's ids of networks are known."""
    values, known = telco
    told: NDArray[np.bool_] = known & (values >= 1) & (values <= _GATEWAY_IDS)
    return told


def _text(given: Mapping[str, str], name: str) -> str:
    try:
        text = unquote_plus(given.get(name.lower(), ""), errors="strict")
    except UnicodeDecodeError:
        raise _unread(name) from None
    if not _PLAIN.fullmatch(text):
        raise _unread(name)
    return text.strip()


def _id(given: Mapping[str, str], name: str) -> str | None:
    text = _text(given, name).strip()  # an SMSID was seen with a blank at its end
    if text and not _ID.fullmatch(text):
        raise _unread(name)
    return text or None


def _integer(given: Mapping[str, str], name: str) -> int | None:
    text = _text(given, name)
    if text and not re.fullmatch(INTEGER, text):
        raise _unread(name)
    return int(text) if text else None


def _units(given: Mapping[str, str], name: str) -> int | None:
    text = _text(given, name)
    found = re.fullmatch(AMOUNT, text)
    if text and not found:
        raise _unread(name)
    return int(found["whole"] + (found["rest"] or "").ljust(4, "0")) if found else None


def _unread(name: str) -> InvalidInput:
    return InvalidInput("{name} can't be read: it is no callback of the gateway.", name=name)


def last_states(callbacks: pd.DataFrame) -> pd.DataFrame:
    """Keep one callback for each send and number: the last, of which a final one is never replaced by one that is not."""
    nothing = np.zeros(len(callbacks), dtype=bool)
    return _last_states(callbacks, np.full(len(callbacks), None, dtype=object), nothing)


def _last_states(frame: pd.DataFrame, raw: NDArray[np.object_], unreadable: NDArray[np.bool_]) -> pd.DataFrame:
    place = np.arange(len(frame))
    order = pd.DataFrame(
        {
            "sms_id": frame["sms_id"].to_numpy(dtype=object),
            "phone": frame["phone"].to_numpy(dtype=object, na_value=""),
            "raw": np.where(unreadable, raw, ""),
            "final": frame["send_status"].isin(FINAL).to_numpy(),
            "received_at": frame["received_at"].to_numpy(),
            "place": place,
        }
    ).sort_values(["final", "received_at", "place"], na_position="first")
    last = order.drop_duplicates(["sms_id", "phone", "raw"], keep="last")["place"].to_numpy()
    return frame.iloc[np.sort(last)].reset_index(drop=True)
