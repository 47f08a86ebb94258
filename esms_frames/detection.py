"""Find the column that holds the phone numbers."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames import phones
from esms_frames.errors import InvalidInput, PhoneColumnError
from esms_frames.message import strip_accents

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
            f"The customers must be a DataFrame, not {type(df).__name__}: pass a list as pd.DataFrame({{'phone': …}})."
        )
    labels = list(df.columns)
    if phone is not None:
        return _given(labels, phone)
    candidates = candidate_columns(df)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        in_index = "" if isinstance(df.index, pd.RangeIndex) else ", or pass df.reset_index() if it is the index"
        raise PhoneColumnError(
            f"No column of the DataFrame looks like phone numbers (there are {_listed(labels) if labels else 'none'}): "
            f"name it with phone='…'{in_index}.",
            [str(label) for label in labels],
        )
    raise PhoneColumnError(
        f"Several columns could hold the phone numbers, {_listed(candidates)}: name one with phone='…'.",
        [str(label) for label in candidates],
    )


def candidate_columns(df: pd.DataFrame) -> list[Hashable]:
    """List the columns that could hold the phone numbers: one where name or content leaves no doubt."""
    labels: list[Hashable] = list(df.columns)
    named = [label for label in labels if named_as_phone(label)]
    if len(named) > 1:
        named = [label for label in named if _usable_share(df, label) > 0] or named
    if named:
        return named
    likely = [label for label in labels if _named_likely(label) and _usable_share(df, label) >= _LIKELY_SHARE]
    if likely:
        return likely
    return [label for label in labels if not _words(label) & _OTHER_NUMBERS and _written_as_phones(df, label)]


def named_as_phone(label: Hashable) -> bool:
    """Tell whether a column's whole name says that it holds phone numbers."""
    return _folded(label) in _NAMES


def _given(labels: Sequence[Hashable], phone: Hashable) -> Hashable:
    if not pd.api.types.is_hashable(phone):
        raise InvalidInput(f"phone is a {type(phone).__name__}: give the name of the column of phone numbers.")
    count = sum(label is phone or (label is not pd.NA and bool(label == phone)) for label in labels)
    if count == 1:
        return phone
    if count:
        raise PhoneColumnError(f"{count} columns are named {phone!r}: rename all but one.", [str(phone)])
    near = get_close_matches(str(phone), [str(label) for label in labels], n=3) or [str(label) for label in labels]
    raise PhoneColumnError(f"There is no column {phone!r}: choose one of {_listed(near)}.", near)


def _words(label: Hashable) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", strip_accents(str(label)))
    return set(re.findall(r"[a-z]+", spaced.lower()))


def _folded(label: Hashable) -> str:
    return re.sub(r"[^a-z]", "", strip_accents(str(label)).lower())


def _named_likely(label: Hashable) -> bool:
    folded = _folded(label)
    return bool(_words(label) & _WORDS) or "dienthoai" in folded or folded.startswith("sdt")


def _sample(df: pd.DataFrame, label: Hashable) -> pd.Series[Any]:
    column: Any = df[label]
    if isinstance(column, pd.DataFrame):  # columns of the same name
        column = column.iloc[:, 0]
    present = np.flatnonzero(column.notna().to_numpy())
    chosen: pd.Series[Any] = column.iloc[present[:: max(1, len(present) // _SAMPLE)][:_SAMPLE]]
    return chosen


def _usable_share(df: pd.DataFrame, label: Hashable) -> float:
    sample = _sample(df, label)
    return float((phones.read(sample) >= 0).mean()) if len(sample) else 0.0


def _written_as_phones(df: pd.DataFrame, label: Hashable) -> bool:
    """Tell whether a column of another name is clearly phone numbers: usable, and written with 0 or 84 in front."""
    sample = _sample(df, label)
    if not len(sample) or not (pd.api.types.is_object_dtype(sample) or pd.api.types.is_string_dtype(sample)):
        return False
    usable = phones.read(sample) >= 0
    written = sample.astype(str).str.match(r"\D*(?:0|84)").to_numpy(dtype=bool)
    return float((usable & written).mean()) >= _CLEAR_SHARE


def _listed(labels: Sequence[Hashable]) -> str:
    shown = ", ".join(repr(str(label)) for label in labels[:12])
    return shown + (f" and {len(labels) - 12} more" if len(labels) > 12 else "") if labels else "none"
