"""A frame of results that is tracked: the sends of its accepted rows, what was known of them, and what is found; pure."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import clock, columns, deliveries, phones
from esms_frames.deliveries import NOT_KNOWN, PENDING, Answer, Rows
from esms_frames.results import DELIVERIES, DELIVERY, TRACKED, Status, column_of, held_as, is_tracked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_YEAR_FIRST = re.compile(r"\s*\d{4}\D")
_NO_ID = "the gateway's id of the send is not known"


class Tracked:
    """A frame of results whose accepted rows are looked into.

    Attributes
    ----------
    sms_ids : list of str
        The sends that its accepted rows are of; a send is known by its position here.
    rows : Rows
        Those rows: the send and the number of each.
    nameless : array of bool
        Which rows of the frame are accepted, and of a send whose id is not known.
    sent_at : list of (Timestamp or NaT)
        When each send was sent, in UTC.
    """

    def __init__(self, results: pd.DataFrame) -> None:
        status, phone, sms_id = (column_of(results, name) for name in ("status", "phone", "sms_id"))
        self._frame = results
        self._was_tracked = is_tracked(results)
        accepted = status.astype(object).isin([Status.ACCEPTED, Status.ALREADY_SENT]).to_numpy()
        code, written = pd.factorize(sms_id)
        name, ids = pd.factorize(np.array([str(value).strip() for value in written], dtype=object))
        named = np.append(ids[name] != "", False)[code]  # the code of what is missing is -1
        has_id = accepted & named
        self.nameless: Bools = accepted & ~has_id
        self._places = np.flatnonzero(has_id)
        used, send = np.unique(name[code[self._places]], return_inverse=True)
        self.sms_ids: list[str] = [str(ids[place]) for place in used]
        number = phones.read(phone.iloc[self._places]).astype(np.int64)
        self.rows = Rows(send.astype(np.int64), number, len(self.sms_ids))
        self.sent_at = self._times()
        self._before = self._known("delivery", status)

    def unsettled(self) -> list[int]:
        """Give the sends that have rows of which it is not known for good what became of them."""
        open_ = self._before[self._places] >= PENDING
        open_ |= self._before[self._places] == NOT_KNOWN
        found: list[int] = np.unique(self.rows.send[open_]).tolist()
        return found

    def sizes(self) -> Ints:
        return np.bincount(self.rows.send, minlength=self.rows.sends)

    def _known(self, name: str, like: pd.Series[Any]) -> Ints:
        if not self._was_tracked:
            return np.full(len(like), NOT_KNOWN)
        return np.asarray(
            pd.Categorical(column_of(self._frame, name).astype(object), categories=list(DELIVERIES)).codes
        ).astype(np.int64)

    def _times(self) -> list[Any]:
        """Give the time of each send: the latest that its rows hold; NaT where they hold none."""
        if held_as(self._frame, "sent_at") is None:
            return [pd.NaT] * self.rows.sends
        column = column_of(self._frame, "sent_at").iloc[self._places]
        code, different = pd.factorize(column)
        moments = pd.Series([_moment(value) for value in different], dtype="datetime64[us, UTC]")
        of_row = moments.reindex(code).reset_index(drop=True)
        return of_row.groupby(self.rows.send).max().reindex(range(self.rows.sends)).tolist()

    def with_findings(
        self, answers: Mapping[int, Answer], errors: Mapping[int, str], called: Mapping[int, Answer]
    ) -> pd.DataFrame:
        """Write what was found into a new frame; what callbacks said for good stands where the gateway can't tell."""
        found = deliveries.match(self.rows, answers)
        if called:
            found = deliveries.completed(found, deliveries.match(self.rows, called))
        size, at, send = len(self._frame), self._places, self.rows.send
        answered, failed = (
            np.isin(send, np.fromiter(places, dtype=np.int64, count=len(places))) for places in (answers, errors)
        )
        failed &= ~answered
        before = self._before[at]
        open_ = (before == NOT_KNOWN) | (before == PENDING)

        state = self._before.copy()
        state[at] = np.where(open_ & answered, found.state, before)
        delivered, has_delivered = self._counts(size)
        units, has_units = self._prices(size)
        told = answered & found.has_delivered
        delivered[at[told]], has_delivered[at[told]] = found.delivered[told], True
        told = answered & found.has_units
        units[at[told]], has_units[at[told]] = found.units[told], True

        texts = [*found.reasons, *errors.values(), _NO_ID]
        error_of = np.full(self.rows.sends, -1)
        error_of[list(errors)] = len(found.reasons) + np.arange(len(errors))
        reason = np.full(size, -1)
        reason[at] = np.where(answered, found.reason, np.where(failed, error_of[send], -1))
        reason[self.nameless] = len(texts) - 1
        asked = np.zeros(size, dtype=bool)
        asked[at] = open_ & (answered | failed)
        asked |= self.nameless
        new = {
            "reason": self._reasons(asked, reason, texts),
            "delivery": columns.category_from_codes(state.astype(np.int8), DELIVERIES),
            "delivered": deliveries.counts_column(delivered, has_delivered),
            "price": columns.money_from_units(units, has_units),
        }
        return self._frame.assign(**{self._label(name): values for name, values in new.items()})

    def _label(self, name: str) -> str:
        """Name a column so that none of the customers' is lost."""
        if name not in TRACKED or self._was_tracked:
            return held_as(self._frame, name) or name
        return name if name not in self._frame.columns else f"{name}_sms"

    def _counts(self, size: int) -> tuple[Ints, Bools]:
        if not self._was_tracked:
            return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
        plain = pd.to_numeric(column_of(self._frame, "delivered"), errors="coerce")
        known = plain.notna().to_numpy(dtype=bool)
        return plain.fillna(0).to_numpy(dtype=np.int64).copy(), known.copy()

    def _prices(self, size: int) -> tuple[Ints, Bools]:
        if not self._was_tracked:
            return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
        units, known = columns.money_units(column_of(self._frame, "price"))
        return units.copy(), known.copy()

    def _reasons(self, asked: Bools, reason: Ints, texts: Sequence[str]) -> Any:
        """Put the new reasons behind those that were there, in place of what tracking said before."""
        label = held_as(self._frame, "reason")
        old = pd.Series([None] * len(asked), dtype=object) if label is None else column_of(self._frame, "reason")
        code, different = pd.factorize(old.reset_index(drop=True))
        olds = [str(text) for text in different]
        bare = [text.partition(DELIVERY)[0].strip() for text in olds]
        span = len(texts) + 2
        which, pairs = pd.factorize((code + 1) * span + np.where(asked, reason, -2) + 2)
        said: list[str | None] = []
        for was, now in zip(
            (pairs // span - 1).tolist(), (pairs % span - 2).tolist(), strict=True
        ):  # a few different ones
            before = "" if was < 0 else (olds if now == -2 else bare)[was]
            after = "" if now < 0 else f"{DELIVERY}{texts[now]}"
            said.append(" ".join(part for part in (before, after) if part) or None)
        codes, categories = pd.factorize(np.array(said, dtype=object))
        return columns.category_from_codes(codes[which], list(categories))


def _moment(value: Any) -> Any:
    """Read a time as files give it back, without a time zone as Vietnam's; NaT where it may be one of two days."""
    if isinstance(value, (int, float)):
        return pd.NaT
    if isinstance(value, str) and not _YEAR_FIRST.match(value):  # 05/11 as a spreadsheet writes it here, or in the US
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            moment, other = (pd.to_datetime(value, errors="coerce", dayfirst=first) for first in (True, False))
        moment = moment if moment == other else pd.NaT
    else:
        moment = pd.to_datetime(value, errors="coerce")
    if pd.isna(moment):
        return pd.NaT
    return (moment.tz_localize(clock.VIETNAM) if moment.tzinfo is None else moment).tz_convert("UTC")
