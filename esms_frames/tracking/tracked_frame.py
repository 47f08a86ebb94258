"""A frame of results that is tracked: the sends of its accepted rows, what was known of them, and what is found; pure."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base import clock, columns
from esms_frames.base.wording import mark
from esms_frames.recipients.phones import normalize
from esms_frames.reporting.frame import Status
from esms_frames.reporting.joined import DELIVERIES, OF_BATCHES, column_of, held_as, is_tracked
from esms_frames.tracking import deliveries
from esms_frames.tracking.deliveries import NOT_KNOWN, PENDING, Answer, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


_YEAR_FIRST = re.compile(r"\s*\d{4}\D")
_NO_ID = mark("the gateway's id of the send is not known")


class Tracked:
    """A frame of results while it is tracked: its sends, their known states, and the new findings.

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
        self.sms_ids: list[str] = [str(ids[position]) for position in used]
        number = normalize.read(phone.iloc[self._places]).astype(np.int64)
        self.rows = Rows(send.astype(np.int64), number, len(self.sms_ids))
        self.sent_at = self._times()
        self._before = self._known("delivery", status)

    def find_unsettled(self) -> list[int]:
        """Return the sends with rows that have no final state yet."""
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
        """Return the time of each send: the latest of its rows; NaT if they have none."""
        if held_as(self._frame, "sent_at") is None:
            return [pd.NaT] * self.rows.sends
        column = column_of(self._frame, "sent_at").iloc[self._places]
        code, different = pd.factorize(column)
        moments = pd.Series([_moment(value) for value in different], dtype="datetime64[us, UTC]")
        of_row = moments.reindex(code).reset_index(drop=True)
        return of_row.groupby(self.rows.send).max().reindex(range(self.rows.sends)).tolist()

    def with_findings(
        self,
        answers: Mapping[int, Answer],
        errors: Mapping[int, str],
        called: Mapping[int, Answer],
        tariffs: Mapping[int, Ints],
    ) -> pd.DataFrame:
        """Build a new frame with the findings; final states from callbacks stay where the gateway does not know better.

        `tariffs` are what a number of each network costs in a send, as for `deliveries.match`.
        """
        found = deliveries.match(self.rows, answers, tariffs)
        if called:
            found = deliveries.complete(found, deliveries.match(self.rows, called, tariffs))
        size, at, send = len(self._frame), self._places, self.rows.send
        answered, failed = (
            np.isin(send, np.fromiter(positions, dtype=np.int64, count=len(positions)))
            for positions in (answers, errors)
        )
        failed &= ~answered
        before = self._before[at]
        open_ = (before == NOT_KNOWN) | (before == PENDING)

        state = self._before.copy()
        state[at] = np.where(open_ & answered, found.state, before)
        delivered, has_delivered = self._counts(size)
        units, has_units = self._amounts("price", size)
        told = answered & found.has_delivered
        delivered[at[told]], has_delivered[at[told]] = found.delivered[told], True
        told = answered & (found.has_units | (found.total >= 0))  # a total that is new makes old prices wrong
        units[at[told]], has_units[at[told]] = found.units[told], found.has_units[told]

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
            "delivery": columns.category_from_codes(state.astype(np.int8), DELIVERIES),
            "delivery_reason": self._reasons(asked, reason, texts),
            "delivered": deliveries.build_counts_column(delivered, has_delivered),
            "price": columns.money_from_units(units, has_units),
            **self._of_batches(answered, found, has_units),
        }
        return self._frame.assign(**{self._label(name): values for name, values in new.items()})

    def _of_batches(self, answered: Bools, found: deliveries.Findings, has_units: Bools) -> dict[str, Any]:
        """Build the columns of the prices of whole sends, for sends with rows that have no own price."""
        size, at = len(self._frame), self._places
        total, known = self._amounts(OF_BATCHES[0], size)
        recipients, _ = self._amounts(OF_BATCHES[1], size)
        was = known.any()
        told = answered & (found.total >= 0)
        total[at[told]], known[at[told]] = found.total[told], True
        recipients[at[told]] = found.recipients[told] * columns.UNIT
        lacking = np.zeros(self.rows.sends, dtype=bool)
        lacking[self.rows.send[~has_units[at]]] = True
        known[at] &= lacking[self.rows.send]
        if not (known.any() or was):
            return {}
        counts = deliveries.build_counts_column(recipients // columns.UNIT, known)
        return dict(zip(OF_BATCHES, (columns.money_from_units(total, known), counts), strict=True))

    def _label(self, name: str) -> str:
        """Choose the name of a column so that no column of the customers is overwritten."""
        if self._was_tracked and (label := held_as(self._frame, name)) is not None:
            return str(label)
        return name if name not in self._frame.columns else f"{name}_sms"

    def _counts(self, size: int) -> tuple[Ints, Bools]:
        if not self._was_tracked:
            return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
        plain = pd.to_numeric(column_of(self._frame, "delivered"), errors="coerce")
        known = plain.notna().to_numpy(dtype=bool)
        return plain.fillna(0).to_numpy(dtype=np.int64).copy(), known.copy()

    def _amounts(self, name: str, size: int) -> tuple[Ints, Bools]:
        if not self._was_tracked or held_as(self._frame, name) is None:
            return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
        units, known = columns.money_units(column_of(self._frame, name))
        return units.copy(), known.copy()

    def _reasons(self, asked: Bools, reason: Ints, texts: Sequence[str]) -> Any:
        """Build the column of reasons: new ones for the rows that were asked about, the old ones for the others."""
        code, olds = np.full(len(asked), -1), list[str]()
        if self._was_tracked and held_as(self._frame, "delivery_reason") is not None:
            code, different = pd.factorize(column_of(self._frame, "delivery_reason").reset_index(drop=True))
            olds = [str(text) for text in different]
        new = {text: position for position, text in enumerate(dict.fromkeys([*texts, *olds]))}
        old_places = np.array([*(new[text] for text in olds), -1])
        new_places = np.array([*(new[text] for text in texts), -1])
        codes = np.where(asked, new_places[reason], old_places[code])
        return columns.category_from_codes(codes, list(new)).remove_unused_categories()


def _moment(value: Any) -> Any:
    """Read a time from a file, as Vietnam time if it has no time zone; NaT if it may be one of two days."""
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
