"""Slow path: parse numbers out of free text by regular expressions."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esms_frames.recipients.phones.area_codes import is_old_landline
from esms_frames.recipients.phones.parse_digits import WRAPPING, are_perhaps_old, bytes_of, is_unusual, read_bytes
from esms_frames.recipients.phones.problems import CODE, Problem, choose_first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esms_frames.recipients.phones.classify import Bools, Ints


# Words are looked for in lower-case ASCII text, with RE2's regular expressions over the whole column.
_SOFTS = r"""\-.()\[\]{}<>_~'"` \t\r\x0b\x0c"""
_STRONGS = r"/,;|&\\\n"  # what people put between two numbers; also seen inside one: 0901/888/484
_EMPTY = r"""^[\s'"]*(?:-+|#n/a|na|<na>|-?nan|nat|nil|undefined|\\n|none|null|\(null\)|\[null\]|<null>)?[\s'"]*$"""
"""What databases, spreadsheets and programs write for a cell that holds nothing, or only blanks.

Not what people write: n/a is a word, as "không có" is.
"""
_TAGS = (
    r"</?(?:a|b|big|br|center|code|div|em|font|h[1-6]|i|label|li|nobr|ol|p|pre|small|span|strong|t[adhrt]|table|tbody|u|ul)"
    r"(?:[\s/][^<>]*)?>"
)
_ENTITIES = r"&(?:nbsp|ensp|emsp|thinsp|zwnj|zwj|amp|#160|#xa0|#8203);?"
_LABEL = (
    r"(?:(?:so ?)?(?:tel|telephone|phones?|mobile|mobil|mob|cell|cellphone|cellular|cel|hand ?phone|hp|sdt|dt|dtdd|dd|"
    r"dien ?thoai|di ?dong|fone|hotline|zalo|whatsapp|viber|sms|smsto|callto|call|contact|lien he|lh|goi)"
    r"(?: ?(?:no|number|so))?|number|"
    r"so ?:|no ?[.:]|[tmp] ?:|vn|vnm|viet ?nam)"
)
"""Words before a number that do not say whose it is: labels, programs that text or call it, and its country.

Without their accents, so only those that are nobody's name even so: not ``dong``, which may be Đông, nor ``di``, Dì.
"""
_OPENING = rf"^[^a-z0-9+]*(?:{_LABEL}[^a-z0-9+]*)+(?:[1-9] ?[:=][^a-z0-9+]*)?((?s:[0-9+].*)?)$"
_BETWEEN = rf"\b(?:{_LABEL}[^a-z0-9+]*)+([0-9+])"
_CHAT = r"^([^a-z0-9+]*(?:[a-z]+:)?/*\+?[0-9]+)@(?:c\.us|s\.whatsapp\.net)\s*$"
_ADDRESS = r"^[^a-z0-9+]*(?:https?://)?(?:www\.)?(?:zalo\.me|wa\.me)/+"
# One whole number: a mobile or landline one, of today or of before 2018.
_CODE_AND_NUMBER = r"(?:\+?(?:00)?840?|0)(?:[1-9][0-9]{8}|[12][0-9]{9})"
_COMPLETE = rf"(?:{_CODE_AND_NUMBER}|[1-9][0-9]{{8}}|[12][0-9]{{9}})"
_TWO_TOGETHER = rf"^(?:({_CODE_AND_NUMBER})({_CODE_AND_NUMBER})|([35789][0-9]{{8}})([35789][0-9]{{8}}))$"
_TEN, _ELEVEN = (rf"(0[{_SOFTS}]*{begin}(?:[0-9][{_SOFTS}]*){{9}})" for begin in ("", rf"2[{_SOFTS}]*"))
_NINE = rf"([35789][{_SOFTS}]*(?:[0-9][{_SOFTS}]*){{8}})"
_TWO_IN_GROUPS = rf"^[{_SOFTS}]*(?:{_TEN}{_TEN}|{_TEN}{_ELEVEN}|{_ELEVEN}{_TEN}|{_NINE}{_NINE})$"
_RUN_TOGETHER = rf"^(?:{_CODE_AND_NUMBER}){{2,}}$|^(?:[35789][0-9]{{8}}){{2,}}$"
_SCIENTIFIC = r"^[+-]?[0-9]+(?:[.,][0-9]*)?e[+-]?[0-9]+$"
_CALCULATED = (
    r"^-[1-9][0-9]*(?:[.,][0-9]+)?$"  # negative
    r"|^\+?[0-9]+[.,][0-9]{1,2}$"  # fractions
    r"|^[0-9,]+,[0-9]+\.[0-9]{1,2}$|^[0-9.]+\.[0-9]+,[0-9]{1,2}$"  # with signs for thousands
    r"|^[0-9]{1,2}/[0-9]{1,2}/(?:19|20)[0-9]{2}\b"  # dates
)
_SLASH, _NOTHING = pa.scalar("/", pa.large_string()), pa.scalar("", pa.large_string())
_PHONES_AND_BULLETS = frozenset("☎☏✆📞📱📲🕻🕼🕽🕾🕿🖀💬●○◦▪▫■□◆◇★☆►▶▸➤→⇒✓✔✅☑※")
"""Signs that say no more than that a number follows; a cross or a "no entry" sign says something else."""
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


def parse_freeform(text: Any) -> NDArray[np.int32]:
    """Read rows in ASCII and without their wrapping; those that are still doubtful are read by their words."""
    text = _to_ascii(text)
    found, doubtful = read_bytes(*_spans(pc.ascii_trim(text, characters=WRAPPING)))
    rows = np.flatnonzero(doubtful)
    if rows.size:
        found[rows] = _read_by_words(text.take(pa.array(rows)))
    return found


def _to_ascii(chunk: Any) -> Any:
    """Write every character as one ASCII byte of the same meaning, so that one parser reads all scripts."""
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
    """Return the ASCII code that means what the character means in a phone number; 0 for what is invisible."""
    if character.isascii():
        return ord(character) if character.isprintable() or character.isspace() else 0
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return ord("0") + decimal
    category = unicodedata.category(character)
    if category in {"Cf", "Cc", "Mn", "Me"}:
        return 0
    if category.startswith("Z") or character in _PHONES_AND_BULLETS:
        return ord(" ")
    if ord(character) in _FLAG_LETTERS:
        return ord("a") + ord(character) - _FLAG_LETTERS.start
    if category in {"Pd", "Ps", "Pe", "Pi", "Pf"} or character in "·•∙‧‒−":
        return ord("-")
    folded = unicodedata.normalize("NFKD", character)[0].replace("đ", "d").replace("Đ", "D")
    return ord(folded) if folded.isascii() and not folded.isdigit() else ord("?")


def _spans(chunk: Any) -> tuple[NDArray[np.uint8], Ints, Ints]:
    data, offsets = bytes_of(chunk)
    return data, offsets[:-1], offsets[1:]


def _read_by_words(text: Any) -> NDArray[np.int32]:
    text = pc.ascii_lower(text)
    missing = _matches(text, _EMPTY)
    rounded = np.zeros(len(text), dtype=bool)
    lettered = _matches(text, "[a-z&]")
    if lettered.any():
        words = _drop_markup(text.filter(pa.array(lettered)))
        missing[lettered] |= _matches(words, r"^\s*$")
        words, rounded[lettered] = _drop_labels(words)
        text = pc.replace_with_mask(text, pa.array(lettered), words)
    text = pc.ascii_ltrim(pc.ascii_trim(text, characters=WRAPPING), characters=WRAPPING + "=")
    if _has(text, "[.,]0+$"):
        text = pc.replace_substring_regex(text, r"^(\+?[0-9]+)[.,]0{1,2}$|^(\+?[0-9]{9,})[.,]0{3,}$", r"\1\2")
    calculated = _matches(text, _CALCULATED)
    worded = _matches(text, rf"[^0-9+{_SOFTS}{_STRONGS}]")

    parts = pc.replace_substring_regex(text, rf"[{_SOFTS}]+", "")
    parts = pc.replace_substring_regex(parts, "[^0-9+]+", "/")
    if _has(parts, r"[0-9]\+"):
        parts = pc.replace_substring_regex(parts, r"([0-9])\+", r"\1/+")
    apart = _matches(parts, r"^/*(?:\+?(?:00)?840?|0)/")
    if apart.any():
        joined = pc.replace_substring_regex(parts.filter(pa.array(apart)), r"^/*(\+?(?:00)?840?|0)/+", r"\1")
        parts = pc.replace_with_mask(parts, pa.array(apart), joined)
    joined = pc.replace_substring(parts, "/", "")
    digits = pc.binary_length(pc.replace_substring(joined, "+", "")).to_numpy(zero_copy_only=False)
    several = _hold_several(parts, worded) | _matches(joined, _RUN_TOGETHER)
    pluses = pc.binary_length(joined).to_numpy(zero_copy_only=False) - digits
    contradictory = pluses > pc.starts_with(joined, "+").to_numpy(zero_copy_only=False)

    verdicts = [
        (missing, Problem.MISSING),
        (rounded, Problem.ROUNDED),
        (several, Problem.SEVERAL),
        (calculated | worded | contradictory | (digits == 0), Problem.NOT_A_NUMBER),
        (digits > 16, Problem.TOO_LONG),
    ]
    found = choose_first(verdicts, otherwise=_read_groups(joined, text, ~several & ~worded))
    rows = np.flatnonzero(several & ~(missing | rounded | worded))
    if rows.size:
        found[rows] = _read_one_of_several(text.take(pa.array(rows)))
    return found


def _hold_several(parts: Any, worded: Bools) -> Bools:
    """Return which cells, written as parts with slashes between, hold a whole number and others, or more of one."""
    several = np.zeros(len(parts), dtype=bool)
    rows = np.flatnonzero(_matches(parts, "[0-9]/.*[0-9]"))
    if rows.size:
        parts = pc.replace_substring(parts.take(pa.array(rows)), "/", "//")
        parts = pc.binary_join_element_wise(_SLASH, parts, _SLASH, _NOTHING)
        complete = _counts(parts, rf"/(?:{_COMPLETE}|\+[0-9]{{8,15}})/")
        several[rows] = complete >= 2
        one = np.flatnonzero((complete == 1) & ~worded[rows])
        several[rows[one]] = _counts(parts.take(pa.array(one)), "[0-9]/") >= 2
    return several


def _drop_markup(text: Any) -> Any:
    """Drop HTML, and the parts of chat addresses around a number."""
    if _has(text, "[<&%/@]"):
        text = pc.replace_substring_regex(text, _TAGS, "\n")
        text = pc.replace_substring_regex(text, _ENTITIES, " ")
        text = pc.replace_substring_regex(text, r"&(?:plus|#43|#x2b);|%2b", "+")
        text = pc.replace_substring_regex(text, _ADDRESS, "")
        text = pc.replace_substring_regex(text, _CHAT, r"\1")
    return text


def _drop_labels(text: Any) -> tuple[Any, Bools]:
    """Drop labels, and write scientific notation as plain digits; the second array tells which of these were rounded."""
    worded = _matches(text, "[a-df-z]")  # all of these words have other letters than e
    if worded.any():
        words = pc.replace_substring_regex(text.filter(pa.array(worded)), _OPENING, r"\1")
        words = pc.ascii_ltrim(pc.ascii_trim(words, characters=WRAPPING), characters=WRAPPING + "=")
        words = pc.replace_substring_regex(words, _BETWEEN, r"/\1")
        words = pc.replace_substring_regex(words, r"([0-9)\]]) +(?:hoac|hay|va|or|and) +([0-9+(\[])", r"\1/\2")
        text = pc.replace_with_mask(text, pa.array(worded), words)
    text = pc.ascii_ltrim(pc.ascii_trim(text, characters=WRAPPING), characters=WRAPPING + "=")
    scientific = _matches(text, _SCIENTIFIC)
    if not scientific.any():
        return text, scientific
    subset = _expand_exponents(text.filter(pa.array(scientific)))
    text = pc.replace_with_mask(text, pa.array(scientific), subset)
    scientific[scientific] = _matches(subset, "e") & ~_matches(subset, "^-")
    return text, scientific


def _expand_exponents(text: Any) -> Any:
    """Write numbers in scientific notation as plain digits, if no digit is missing."""
    exponents = pc.unique(pc.replace_substring_regex(text, r"^.*e\+?0*", "")).to_pylist()
    for places in sorted(
        {int(exponent or "0") for exponent in exponents if len(exponent) <= 2 and exponent[:1] != "-"}
    ):
        point = rf"[.,]([0-9]{{{places}}})0*" if places else "(?:[.,]0*)?()"
        text = pc.replace_substring_regex(text, rf"^\+?0*([0-9]+){point}e\+?0*{places or ''}$", r"\1\2")
        # What is left then is a fraction: of a number that has all its digits, too.
        text = pc.replace_substring_regex(text, rf"^([0-9]+[.,][0-9]{{{places},}})e\+?0*{places or ''}$", r"-\1")
    return pc.replace_substring_regex(text, "^0+([0-9])", r"\1")


def _read_one_of_several(text: Any) -> NDArray[np.int32]:
    """Read cells with more than one number: the only mobile number of each, however often it is there; else several."""
    text = pc.replace_substring_regex(text, rf"[{_STRONGS}]+", "/")
    text = pc.replace_substring_regex(text, r"([0-9)\]])(?: +[-~] +([0-9+(\[])| *([(\[] ?0|\+))", r"\1/\2\3")
    text = pc.replace_substring_regex(text, rf"^[{_SOFTS}/]*(\+?(?:00)?840?|0)[{_SOFTS}]*/+", r"\1 ")
    row, pieces = _split(text)
    if _has(pieces, "[0-9]{18}|[0-9][^0-9]+[0-9]"):
        bare = pc.replace_substring_regex(pieces, rf"[{_SOFTS}]+", "")
        joined = pa.array(_matches(bare, _TWO_TOGETHER) & ~_matches(pieces, rf"[{_SOFTS}]"))
        pieces = pc.if_else(joined, pc.replace_substring_regex(bare, _TWO_TOGETHER, r"\1\3/\2\4"), pieces)
        inner, pieces = _split(pc.replace_substring_regex(pieces, _TWO_IN_GROUPS, r"\1\3\5\7/\2\4\6\8"))
        row = row[inner]
    found = _read_groups(pieces, pieces, np.ones(len(pieces), dtype=bool))
    mobile, landline = found >= 0, found == CODE[Problem.LANDLINE]
    lowest, highest = np.full(len(text), 2**31 - 1, dtype=np.int32), np.full(len(text), -1, dtype=np.int32)
    np.minimum.at(lowest, row[mobile], found[mobile])
    np.maximum.at(highest, row[mobile], found[mobile])
    unclear = np.bincount(row[~mobile & ~landline], minlength=len(text)) > 0
    return np.where((lowest == highest) & ~unclear, highest, CODE[Problem.SEVERAL]).astype(np.int32)


def _read_groups(joined: Any, groups: Any, single: Bools) -> NDArray[np.int32]:
    """Read numbers by their digits, unless the groups of a single one, as they were written, are an old landline's."""
    found = read_bytes(*_spans(joined))[0]
    rows = np.flatnonzero(single & ((found >= 0) | are_perhaps_old(found)))
    rows = rows[_matches(groups.take(pa.array(rows)), "[0-9][^0-9]+[0-9]")] if rows.size else rows
    if rows.size:
        found[rows[is_old_landline(groups.take(pa.array(rows)))]] = CODE[Problem.LANDLINE]
    return found


def _split(text: Any) -> tuple[Ints, Any]:
    """Split texts at slashes into pieces with digits; the first array tells which text each is from."""
    lists = pc.split_pattern(text, "/")
    row, pieces = pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists)
    subset = np.flatnonzero(_matches(pieces, "[0-9]"))
    return row[subset], pieces.take(pa.array(subset))


def _has(text: Any, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _matches(text: Any, pattern: str) -> Bools:
    matched: Bools = np.array(pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False))
    return matched


def _counts(text: Any, pattern: str) -> Ints:
    counted: Ints = pc.count_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    return counted
