"""Compare and show names of columns and segments, whatever they are; pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from esms_frames.base.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")


def tidy(name: Any) -> Any:
    r"""Return a name in one standard spelling: composed, without blanks around it, with single blanks in it.

    Other types than text stay as they are.

    Examples
    --------
    >>> tidy(" Hue\u0302\u0301\u00a0 "), tidy(1.5)
    ('Huế', 1.5)
    """
    if not isinstance(name, str):
        return name
    return " ".join(unicodedata.normalize("NFC", _UNSEEN.sub("", name)).split())


def text_of(value: object) -> str:
    """Return a value as text, or its type if it can't be written as text."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - an object of somebody else
        return f"<{type(value).__name__}>"


def is_same(one: object, other: object) -> bool:
    """Return whether two values are equal; those that can't be compared are not."""
    try:
        return one is other or bool(one == other)
    except Exception:  # noqa: BLE001 - an object of somebody else
        return False


def find_label(labels: Iterable[Any], wanted: Any) -> list[int]:
    r"""Find the positions of a label; of a text that is nowhere exactly the same, those of its other spellings.

    Examples
    --------
    >>> find_label(["Hu\u1ebf", "x"], "Hue\u0302\u0301 "), find_label(["x", "x"], "x")
    ([0], [0, 1])
    """
    labels = list(labels)
    exact = [position for position, label in enumerate(labels) if is_same(label, wanted)]
    if exact or not isinstance(wanted, str):
        return exact
    return [position for position, label in enumerate(labels) if isinstance(label, str) and tidy(label) == tidy(wanted)]


def tidy_categories(column: pd.Categorical) -> pd.Categorical:
    """Join the categories that have the same standard spelling; an empty one becomes missing."""
    names = [tidy(name) for name in column.categories]
    if all(a is b or a == b for a, b in zip(names, column.categories, strict=True) if isinstance(a, str)) and (
        "" not in {name for name in names if isinstance(name, str)}
    ):
        return column
    kept = {
        name: position for position, name in enumerate(dict.fromkeys(name for name in names if not _is_blank(name)))
    }
    codes = np.array([-1 if _is_blank(name) else kept[name] for name in names] + [-1], dtype=np.int64)
    labels = pd.Index(list(kept), dtype=column.categories.dtype)
    return pd.Categorical.from_codes(codes[column.codes], categories=labels, ordered=column.ordered)


def list_names(names: Sequence[Any], most: int = 12) -> str:
    """List names in a sentence, the first of many.

    Examples
    --------
    >>> list_names(["sdt", 1, "x"], most=2)
    "'sdt', '1' and 1 more"
    """
    listed = ", ".join(f"'{visible(text_of(name), 60)}'" for name in names[:most])
    return listed + (f" and {len(names) - most:,} more" if len(names) > most else "") if names else "none"


def list_values(names: Sequence[Any], most: int = 5) -> str:
    """List values in a sentence with their types, by which 1 and '1' differ.

    Examples
    --------
    >>> list_values([1, 2]), list_values(["1", 2.0])
    ('1, 2 (int)', "'1' (str), 2.0 (float)")
    """
    kinds = [_kind(name) for name in names[:most]]
    shown = [f"'{visible(name, 40)}'" if isinstance(name, str) else visible(text_of(name), 40) for name in names[:most]]
    if len(set(kinds)) == 1:
        listed = f"{', '.join(shown)} ({kinds[0]})"
    else:
        listed = ", ".join(f"{text} ({kind})" for text, kind in zip(shown, kinds, strict=True))
    return f"{listed} and {len(names) - most:,} more" if len(names) > most else listed if shown else "none"


def _kind(value: Any) -> str:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind.__name__
    return type(value).__name__.rstrip("_0123456789")


def _is_blank(name: Any) -> bool:
    return isinstance(name, str) and not name
