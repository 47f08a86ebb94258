"""The second, slower look at doubtful rows: other scripts, labels, scientific notation, cells with two numbers."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esms_frames.first_look import WRAPPING, bytes_of, is_unusual, read_bytes
from esms_frames.problem import Problem, first_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esms_frames.national import Bools, Ints

# Words are looked for in lower-case ASCII text, with RE2's regular expressions over the whole column.
_SOFTS = r"""\-.()\[\]{}<>_~'"` \t\r\x0b\x0c"""
_STRONGS = r"/,;|&\\\n"  # what people put between two numbers; also seen inside one: 0901/888/484
_LABEL = (
    r"^[^a-z0-9+]*(?:(?:so )?(?:tel|telephone|phone|mobile|mob|cell|cellphone|handphone|hp|sdt|dt|dtdd|dd|"
    r"dien thoai|di dong|zalo)(?: ?(?:no|number|so))?|[tmp]:)[^a-z0-9+]*"
)
# One whole number: a mobile or landline one, of today or of before 2018.
_CODE_AND_NUMBER = r"(?:\+?(?:00)?840?|0)(?:[1-9][0-9]{8}|[12][0-9]{9})"
_COMPLETE = rf"(?:{_CODE_AND_NUMBER}|[1-9][0-9]{{8}}|[12][0-9]{{9}})"
_RUN_TOGETHER = rf"^(?:{_CODE_AND_NUMBER}){{2,}}$|^(?:[35789][0-9]{{8}}){{2,}}$"
_CALCULATED = (
    r"^-[1-9][0-9]*(?:[.,][0-9]+)?$"  # negative
    r"|^\+?[0-9]+[.,][0-9]{1,2}$"  # fractions
    r"|^[0-9,]+,[0-9]+\.[0-9]{1,2}$|^[0-9.]+\.[0-9]+,[0-9]{1,2}$"  # with signs for thousands
    r"|^[0-9]{1,2}/[0-9]{1,2}/(?:19|20)[0-9]{2}\b"  # dates
)


def second_look(text: Any) -> NDArray[np.int32]:
    """Read rows without what is wrapped around them, in ASCII; what is doubtful even so is looked at by its words."""
    text = _to_ascii(text)
    found, doubtful = read_bytes(*_spans(pc.ascii_trim(text, characters=WRAPPING)))
    rows = np.flatnonzero(doubtful)
    if rows.size:
        found[rows] = _by_words(text.take(pa.array(rows)))
    return found


def _to_ascii(chunk: Any) -> Any:
    """Write every character as one ASCII byte of the same meaning, so that a single reading serves all scripts."""
    data, offsets = bytes_of(chunk)
    if not is_unusual(data).any():
        return chunk
    points = np.frombuffer(data.tobytes().decode("utf-8").encode("utf-32-le"), dtype=np.uint32)
    used = np.flatnonzero(np.bincount(points))
    table = np.zeros(int(used[-1]) + 1 if used.size else 1, dtype=np.uint8)
    table[used] = [_ascii_for(chr(point)) for point in used]
    written = table[points]
    characters = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])[offsets]  # all but UTF-8 continuation bytes
    begins = np.concatenate([[0], np.cumsum(written != 0)])[characters]
    buffers = [None, pa.py_buffer(begins.astype(np.int64)), pa.py_buffer(written[written != 0])]
    return pa.Array.from_buffers(pa.large_string(), len(chunk), buffers)


def _ascii_for(character: str) -> int:
    """Give the ASCII code that means what the character means in a phone number; 0 for what is invisible."""
    if character.isascii():
        return ord(character) if character.isprintable() or character.isspace() else 0
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return ord("0") + decimal
    category = unicodedata.category(character)
    if category in {"Cf", "Cc", "Mn", "Me"}:
        return 0
    if category.startswith("Z"):
        return ord(" ")
    if category in {"Pd", "Ps", "Pe", "Pi", "Pf"} or character in "·•∙‧‒−":
        return ord("-")
    folded = unicodedata.normalize("NFKD", character)[0].replace("đ", "d").replace("Đ", "D")
    return ord(folded) if folded.isascii() and not folded.isdigit() else ord("?")


def _spans(chunk: Any) -> tuple[NDArray[np.uint8], Ints, Ints]:
    data, offsets = bytes_of(chunk)
    return data, offsets[:-1], offsets[1:]


def _by_words(text: Any) -> NDArray[np.int32]:
    text = pc.ascii_lower(text)
    blank = _matches(text, r"""^[\s'"]*$""")
    text = pc.replace_substring_regex(text, _LABEL, "", max_replacements=1)
    text = pc.replace_substring_regex(text, r"""^[\s='"`]+|[\s'"`]+$""", "")
    scientific = _matches(text, r"^[+-]?[0-9]+(?:[.,][0-9]*)?e[+-]?[0-9]+$")
    text = pc.replace_substring_regex(text, r"^(\+?[0-9]+)[.,]0{1,2}$|^(\+?[0-9]{9,})[.,]0{3,6}$", r"\1\2")
    calculated = _matches(text, _CALCULATED)
    worded = _matches(text, rf"[^0-9+{_SOFTS}{_STRONGS}]")

    parts = pc.replace_substring_regex(text, rf"[^0-9+{_SOFTS}]+", "/")
    parts = pc.replace_substring_regex(parts, rf"[{_SOFTS}]+", "")
    parts = pc.replace_substring_regex(parts, r"([0-9])\+", r"\1/+")
    parts = pc.replace_substring_regex(parts, r"^/*(\+?(?:00)?840?|0)/+", r"\1")
    whole = pc.replace_substring(parts, "/", "")
    parts = pc.replace_substring_regex(pc.replace_substring(parts, "/", "//"), r"^(.*)$", r"/\1/")
    complete = _counts(parts, rf"/(?:{_COMPLETE}|\+[0-9]{{8,15}})/")
    several = complete >= 2
    several |= (complete == 1) & (_counts(parts, "[0-9]/") >= 2) & ~worded
    several |= _matches(whole, _RUN_TOGETHER)
    digits = pc.binary_length(pc.replace_substring(whole, "+", "")).to_numpy(zero_copy_only=False)
    contradictory = _matches(whole, r"[0-9]\+|\+\+")

    verdicts = [
        (blank, Problem.MISSING),
        (scientific, Problem.ROUNDED),
        (several, Problem.SEVERAL),
        (calculated | worded | contradictory | (digits == 0), Problem.NOT_A_NUMBER),
        (digits > 16, Problem.TOO_LONG),
    ]
    return first_of(verdicts, otherwise=read_bytes(*_spans(whole))[0])


def _matches(text: Any, pattern: str) -> Bools:
    matched: Bools = pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return matched


def _counts(text: Any, pattern: str) -> Ints:
    counted: Ints = pc.count_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return counted
