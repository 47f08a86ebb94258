"""Find the column that holds the phone numbers."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base.errors import InvalidInput, PhoneColumnError
from esms_frames.base.labels import find_label, list_names, text_of
from esms_frames.base.wording import shown, strip_accents
from esms_frames.recipients.phones import normalize

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


# Names are compared without accents, case, blanks and signs: "Số điện thoại" is "sodienthoai".
_NAMES = frozenset(
    "sdt sodt sodienthoai dienthoai dienthoaididong didong sodidong dtdd sodtdd sodienthoaididong "
    "phone phones phoneno phonenumber phonenumbers mobile mobileno mobilenumber mobilephone mobilephonenumber "
    "cell cellphone cellphonenumber handphone tel telno telephone telephonenumber msisdn".split()
)
_WORDS = frozenset("sdt dtdd phone phones mobile tel telephone cell cellphone msisdn".split())
# Names of numbers that can look like phones: tax codes begin with 03, ids and amounts have nine or ten digits too.
_OTHER_NUMBERS = frozenset(
    "mst thue tax cccd cmnd passport id ma code account stk khoan the card order don hd fax price amount total spend tien "
    "thieu referrer".split()
)
_SAMPLE = 1000
_LONGEST = 100  # characters of a name that are compared
_CLEAR_SHARE = 0.8
_LIKELY_SHARE = 0.5


def phone_column(df: pd.DataFrame, phone: Hashable | None = None) -> Hashable:
    """Find the label of the one column that holds the phone numbers, by its name or, if none is named so, its content.

    Raises
    ------
    PhoneColumnError
        When `phone` is not a column, or when none or several could be meant; the error lists them.
    """
    if not isinstance(df, pd.DataFrame):
        raise InvalidInput(
            "The customers must be a DataFrame, not {kind}: pass a list as pd.DataFrame({{'phone': …}}).",
            kind=type(df).__name__,
        )
    labels = list(df.columns)
    if phone is not None:
        return _given(labels, phone)
    candidates = candidate_columns(df)
    if len(candidates) == 1:
        return _given(labels, candidates[0])
    if not candidates:
        in_index = "" if isinstance(df.index, pd.RangeIndex) else ", or pass df.reset_index() if it is the index"
        raise PhoneColumnError(
            "No column of the DataFrame looks like phone numbers (there are {columns}): name it with "
            "phone='…'{or_index}.",
            [text_of(label) for label in labels],
            columns=list_names(labels) if labels else "none",
            or_index=in_index,
        )
    raise PhoneColumnError(
        "Several columns could hold the phone numbers, {columns}: name one with phone='…'.",
        [text_of(label) for label in candidates],
        columns=list_names(candidates),
    )


def candidate_columns(df: pd.DataFrame) -> list[Hashable]:
    """List the columns that could hold the phone numbers: one where name or content leaves no doubt."""
    labels: list[Hashable] = list(df.columns)
    return [labels[place] for place in _candidate_places(df, labels)]


def _candidate_places(df: pd.DataFrame, labels: list[Hashable]) -> list[int]:
    places = range(len(labels))
    named = [place for place in places if named_as_phone(labels[place])]
    if len(named) > 1:
        named = [place for place in named if _usable_share(df, place) > 0] or named
    if named:
        return named
    likely = [n for n in places if _named_likely(labels[n]) and _usable_share(df, n) >= _LIKELY_SHARE]
    if likely:
        return likely
    return [n for n in places if not _words(labels[n]) & _OTHER_NUMBERS and _written_as_phones(df, n)]


def named_as_phone(label: Hashable) -> bool:
    """Return whether a column's whole name says that it holds phone numbers."""
    return _folded(label) in _NAMES


def _given(labels: Sequence[Hashable], phone: Hashable) -> Hashable:
    if not pd.api.types.is_hashable(phone):
        raise InvalidInput(
            "phone is a {kind}: give the name of the column of phone numbers.", kind=type(phone).__name__
        )
    places = find_label(labels, phone)
    if len(places) == 1:
        return labels[places[0]]
    if places:
        raise PhoneColumnError(
            "{count} columns are named {name}: rename all but one.",
            [text_of(phone)],
            count=len(places),
            name=shown(phone),
        )
    written = [text_of(label) for label in labels]
    near = get_close_matches(text_of(phone)[:_LONGEST], [label[:_LONGEST] for label in written], n=3) or written
    raise PhoneColumnError(
        "There is no column {phone}: choose one of {columns}.", near, phone=shown(phone), columns=list_names(near)
    )


def _words(label: Hashable) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", strip_accents(text_of(label)))
    return set(re.findall(r"[a-z]+", spaced.lower()))


def _folded(label: Hashable) -> str:
    return re.sub(r"[^a-z]", "", strip_accents(text_of(label)).lower())


def _named_likely(label: Hashable) -> bool:
    folded = _folded(label)
    return bool(_words(label) & _WORDS) or "dienthoai" in folded or folded.startswith("sdt")


def _sample(df: pd.DataFrame, place: int) -> pd.Series[Any]:
    column: Any = df.iloc[:, place]
    present = np.flatnonzero(column.notna().to_numpy())
    chosen: pd.Series[Any] = column.iloc[present[:: max(1, len(present) // _SAMPLE)][:_SAMPLE]]
    return chosen


def _usable_share(df: pd.DataFrame, place: int) -> float:
    sample = _sample(df, place)
    return float((normalize.read(sample) >= 0).mean()) if len(sample) else 0.0


def _written_as_phones(df: pd.DataFrame, place: int) -> bool:
    """Return whether a column of another name is clearly phone numbers: usable, and written with 0 or 84 in front."""
    sample = _sample(df, place)
    if not len(sample) or not (pd.api.types.is_object_dtype(sample) or pd.api.types.is_string_dtype(sample)):
        return False
    usable = normalize.read(sample) >= 0
    written = np.array([re.match(r"\D*(?:0|84)", text_of(cell)) is not None for cell in sample])
    return float((usable & written).mean()) >= _CLEAR_SHARE
