"""Build the results DataFrame."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base import clock, columns
from esms_frames.base.wording import Sentence, mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray


class Status(StrEnum):
    """The outcome of a row."""

    ACCEPTED = "accepted"
    """The gateway took the message; whether it was delivered is asked for later."""
    REFUSED = "refused"
    """The gateway refused the batch, with a code."""
    UNKNOWN = "unknown"
    """The request left and no usable answer came: it may or may not have been taken."""
    NOT_SENT = "not_sent"
    """It was not tried, or certainly did not arrive."""
    ALREADY_SENT = "already_sent"
    """The number has this message from an earlier run."""
    CAPPED = "capped"
    """The number has had as much advertising as the law allows."""
    INVALID = "invalid"
    """The row holds no number that can be texted."""
    DUPLICATE = "duplicate"
    """An earlier row has the same number."""
    EXCLUDED = "excluded"
    """The number was to be left out."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one batch, or of numbers that are in none."""

    status: Status
    reason: str | None
    batch: int | None = None
    request_id: str | None = None
    sms_id: str | None = None
    code: int | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    segment: str | None = None
    scheduled_for: datetime | None = None
    text: str | None = None
    """The `message.fingerprint` of the text of its batch; None where it is not known."""

    @property
    def has_gone_out(self) -> bool:
        """Whether its text has gone out, or may have."""
        return self.status in {Status.ACCEPTED, Status.ALREADY_SENT, Status.UNKNOWN}

    def reason_with_another_text(self) -> str:
        """Return the reason of rows that are to get another text by now than their batch has."""
        if self.reason is None:
            return mark("Sent as an earlier run had planned it, with another text.")
        if self.status is Status.ALREADY_SENT:
            return Sentence("{reason_text}, with another text.", reason_text=self.reason.removesuffix("."))
        if self.status is Status.UNKNOWN:
            return Sentence("{reason_text} If it was sent, it was with another text.", reason_text=self.reason)
        return Sentence("{reason_text} It was sent with another text.", reason_text=self.reason)


_ANOTHER_TEXT = "with another text"  # stands in each of them


class SentOtherwiseWarning(UserWarning):
    """Warn that a campaign has sent rows something else than the data and the message now say."""


def results_frame(
    frame: pd.DataFrame,
    owner: NDArray[np.int64],
    outcomes: Sequence[Outcome],
    texts: Mapping[str | None, str] | None = None,
    *,
    compared: bool | None = None,
) -> pd.DataFrame:
    """Build the results of an audience's rows from what became of its batches.

    Parameters
    ----------
    frame : DataFrame
        `Audience.frame`.
    owner : array of int, one for each row
        The position in `outcomes` of what became of the row; -1 where its status in the audience says it.
    outcomes : sequence of Outcome
        What became of the batches.
    texts : mapping of str or None to str, optional
        The fingerprint of the text that each segment is to get by now, or under None the one for all rows. Rows whose
        batch has another text say so in their reason.
    compared : bool, optional
        Whether to add ``segment_in_data``; by default where a row is of another segment than its batch.

    Returns
    -------
    DataFrame
        Indexed like `frame`, one row a row:

        - ``phone`` (text), ``network`` (category): as in the audience.
        - ``status``: category of `Status`.
        - ``reason``: category, why the row was not accepted; NA where it was, but for those that were sent with a rule of
          advertising switched off or with another text than is handed in now, which is said.
        - ``batch``: Int32, the number of its batch in the campaign; NA where it is in none.
        - ``request_id``, ``sms_id``: text, our id and the gateway's id of the batch; NA where there is none.
        - ``code``: Int32, the gateway's code; NA where it gave none.
        - ``attempts``: Int32, how often the batch was tried; 0 for rows that are in no batch.
        - ``sent_at``: when the batch was tried last, in Vietnam time, to the microsecond; NaT where it was not.
        - ``scheduled_for``: when the message goes out by its schedule, likewise; NaT where it goes out at once.
        - ``segment``: category, only where there are segments: the segment that the batch was sent under; of rows in no
          batch, and of campaigns that were sent without segments, that of the audience.
        - ``segment_in_data``: category, the audience's segment, only where it differs from ``segment`` in some row.
    """
    statuses = list(Status)
    from_audience = np.array(
        [statuses.index(Status(name)) if name in statuses else -1 for name in frame["status"].cat.categories]
    )
    by_outcome = np.array([statuses.index(outcome.status) for outcome in outcomes] + [-1])
    status = np.where(owner >= 0, by_outcome[owner], from_audience[frame["status"].cat.codes.to_numpy()])
    return pd.DataFrame(
        {
            "phone": frame["phone"].array,
            "network": frame["network"].array,
            "status": columns.category_from_codes(status.astype(np.int8), statuses),
            "reason": _reasons(frame, owner, outcomes, texts),
            "batch": _integers(owner, [outcome.batch for outcome in outcomes]),
            "request_id": columns.text_from_codes(owner, [outcome.request_id for outcome in outcomes]),
            "sms_id": columns.text_from_codes(owner, [outcome.sms_id for outcome in outcomes]),
            "code": _integers(owner, [outcome.code for outcome in outcomes]),
            "attempts": _integers(owner, [outcome.attempts for outcome in outcomes], instead=0),
            "sent_at": _moments(owner, [outcome.sent_at for outcome in outcomes]),
            "scheduled_for": _moments(owner, [outcome.scheduled_for for outcome in outcomes]),
            **_segments(frame, owner, outcomes, is_segmented(outcomes, texts), compared),
        },
        index=frame.index,
    )


def is_segmented(outcomes: Iterable[Outcome], texts: Mapping[str | None, str] | None) -> bool:
    """Return whether a campaign is, or is to be, sent by segments."""
    return any(outcome.segment is not None for outcome in outcomes) or (texts is not None and None not in texts)


def is_of_another_segment(outcome: Outcome, segment: object) -> bool:
    """Return whether a row's batch was sent under another segment than the data says, in a campaign that has segments."""
    return outcome.batch is not None and outcome.segment != (None if segment is None else str(segment))


def has_another_text(outcome: Outcome, segment: object, texts: Mapping[str | None, str] | None) -> bool:
    """Return whether a row's batch has another text than the row is to get by now."""
    if texts is None or outcome.text is None or not outcome.has_gone_out:
        return False
    wanted = texts.get(None if None in texts or segment is None else str(segment))
    return wanted is not None and wanted != outcome.text


def _reasons(
    frame: pd.DataFrame,
    owner: NDArray[np.int64],
    outcomes: Sequence[Outcome],
    texts: Mapping[str | None, str] | None,
) -> Any:
    others = _with_another_text(frame, owner, outcomes, texts)
    new = [outcome.reason_with_another_text() if others.any() else None for outcome in outcomes]
    was = frame["reason"].cat
    told = dict.fromkeys(
        [*was.categories, *(reason for each in zip(outcomes, new, strict=True) for reason in (each[0].reason, each[1]))]
    )
    reasons = [reason for reason in told if reason is not None]
    places = {reason: place for place, reason in enumerate(reasons)} | {None: -1}
    by_outcome = np.array([places[outcome.reason] for outcome in outcomes] + [-1])
    with_another = np.array([places[reason] for reason in new] + [-1])
    codes = np.where(owner >= 0, by_outcome[owner], was.codes.to_numpy())
    codes = np.where(others, with_another[owner], codes)
    return columns.category_from_codes(codes, reasons).remove_unused_categories()


def _with_another_text(
    frame: pd.DataFrame,
    owner: NDArray[np.int64],
    outcomes: Sequence[Outcome],
    texts: Mapping[str | None, str] | None,
) -> NDArray[np.bool_]:
    if texts is None:
        return np.zeros(len(frame), dtype=bool)
    place = {text: n for n, text in enumerate(dict.fromkeys([*texts.values(), *(each.text for each in outcomes)]))}
    sent = np.array([place[each.text] if each.has_gone_out and each.text else -1 for each in outcomes] + [-1])[owner]
    if None in texts:
        wanted = np.full(len(frame), place[texts[None]])
    elif "segment" in frame:
        segment = frame["segment"].cat
        wanted = np.array([place[texts[str(name)]] if str(name) in texts else -1 for name in segment.categories] + [-1])
        wanted = wanted[segment.codes.to_numpy()]
    else:
        return np.zeros(len(frame), dtype=bool)
    found: NDArray[np.bool_] = (sent >= 0) & (wanted >= 0) & (sent != wanted)
    return found


def _segments(
    frame: pd.DataFrame,
    owner: NDArray[np.int64],
    outcomes: Sequence[Outcome],
    segmented: bool,
    compared: bool | None,
) -> dict[str, Any]:
    """Build the columns of segments: what the batches were sent under, and what the data says where that differs."""
    sent = [outcome.segment for outcome in outcomes]
    names = [name for name in dict.fromkeys(sent) if name is not None]
    if "segment" not in frame:
        place: dict[str | None, int] = {name: n for n, name in enumerate(names)} | {None: -1}
        by_outcome = np.array([place[name] for name in sent] + [-1])
        return {"segment": columns.category_from_codes(by_outcome[owner], names)} if names else {}
    data = frame["segment"]
    if not segmented:
        return {"segment": data.array} | ({"segment_in_data": data.array} if compared else {})
    known = data.cat.categories.map(str).tolist()
    place = {name: n for n, name in enumerate(dict.fromkeys([*known, *names]))} | {None: -1}
    of_data = np.array([place[name] for name in known] + [-1])[data.cat.codes.to_numpy()]
    by_outcome = np.array([place[name] for name in sent] + [-1])
    is_in_batch = np.array([outcome.batch is not None for outcome in outcomes] + [False])[owner]
    codes = np.where(is_in_batch, by_outcome[owner], of_data)
    if len(place) == len(known) + 1:
        dtype: Any = data.dtype
        found: Any = pd.Categorical.from_codes(codes, dtype=dtype)
    else:
        found = columns.category_from_codes(codes, [name for name in place if name is not None])
    differs = compared if compared is not None else bool((codes != of_data).any())
    return {"segment": found} | ({"segment_in_data": data.array} if differs else {})


def count_differences(results: pd.DataFrame) -> tuple[int, int]:
    """Count the rows of results that were sent under another segment, and those sent with another text, than is now so."""
    segments = 0
    if "segment_in_data" in results:
        place: dict[str, int] = {}
        sent, data = (
            np.array([*(place.setdefault(str(one), len(place)) for one in column.categories), -1])[column.codes]
            for column in (results[name].cat for name in ("segment", "segment_in_data"))
        )
        segments = int((sent != data).sum())
    reason = results["reason"].cat
    others = np.array([_ANOTHER_TEXT in name for name in reason.categories] + [False])
    return segments, int(others[reason.codes.to_numpy()].sum())


def warn_of_differences(segments: int, texts: int, *, stacklevel: int) -> None:
    """Warn, a sentence each, of rows that were sent under another segment or with another text than is now so."""
    if segments:
        warnings.warn(
            Sentence(
                "{segments} rows are in the campaign under another segment than the data has now: segment "
                "says under which they were sent, and segment_in_data what the data says.",
                segments=segments,
            ),
            SentOtherwiseWarning,
            stacklevel=stacklevel + 1,
        )
    if texts:
        warnings.warn(
            Sentence(
                "{texts} rows were sent by the campaign with another text than the message has now, and "
                "nobody is texted twice in a campaign: reason says which rows.",
                texts=texts,
            ),
            SentOtherwiseWarning,
            stacklevel=stacklevel + 1,
        )


def _integers(owner: Any, by_outcome: Sequence[int | None], *, instead: int | None = None) -> Any:
    values: Any = pd.array([*by_outcome, instead], dtype="Int32")
    return values[owner]  # rows without an outcome have -1: the last


def _moments(owner: Any, by_outcome: Sequence[datetime | None]) -> Any:
    naive = [None if moment is None else moment.astimezone(clock.VIETNAM).replace(tzinfo=None) for moment in by_outcome]
    values = np.array([*naive, None], dtype="datetime64[us]")
    return pd.DatetimeIndex(values[owner]).tz_localize(clock.VIETNAM).array
