"""``df.esms`` and ``series.esms``: thin doors to the functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from esms_frames.recipients.phones.normalize import normalize_phones
from esms_frames.recipients.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Hashable

    from esms_frames.gateway.client import Client
    from esms_frames.messages.message import Message
    from esms_frames.recipients.audience import Audience


@pd.api.extensions.register_dataframe_accessor("esms")
class FrameAccessor:
    """The functions of the package as methods of a DataFrame of customers.

    Examples
    --------
    >>> import esms_frames
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> len(customers.esms.prepare().ready)
    40
    """

    def __init__(self, df: pd.DataFrame) -> None:
        self._df = df

    def prepare(self, phone: Hashable | None = None, **options: Any) -> Audience:
        """Find out who can be texted; see `esms_frames.prepare`."""
        audience: Audience = prepare(self._df, phone, **options)
        return audience

    def send(self, message: Message, client: Client, **options: Any) -> pd.DataFrame:
        """Send one text to everyone; see `esms_frames.send`."""
        from esms_frames.campaigns.send import send  # noqa: PLC0415 - brings a database along, for those who send
        from esms_frames.journal.database.address import hide  # noqa: PLC0415 - see below

        options = {name: hide(value) if name == "journal" else value for name, value in options.items()}
        return send(self._df, message, client, **options)

    def join(self, results: pd.DataFrame) -> pd.DataFrame:
        """Put results beside these customers, whatever the index; see `reporting.joined.join_customers`."""
        from esms_frames.reporting.joined import join_customers  # noqa: PLC0415 - see above

        return join_customers(self._df, results)


@pd.api.extensions.register_series_accessor("esms")
class SeriesAccessor:
    """The functions of the package as methods of a column of phone numbers.

    Examples
    --------
    >>> import esms_frames
    >>> pd.Series(["+84 901 888 484"], name="sdt").esms.normalize()["phone"].tolist()
    ['0901888484']
    """

    def __init__(self, column: pd.Series[Any]) -> None:
        self._column = column

    def normalize(self) -> pd.DataFrame:
        """Read the phone numbers; see `esms_frames.normalize_phones`."""
        return normalize_phones(self._column)
