"""Read the gateway's callbacks out of URLs and access logs: one row a callback."""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from esms_frames.base import clock, columns
from esms_frames.base.errors import InvalidFile, InvalidInput, visible
from esms_frames.base.wording import Sentence, shown
from esms_frames.recipients.files.paths import existing_file
from esms_frames.recipients.phones import normalize
from esms_frames.reporting.callbacks import AMOUNT, COUNTS, INTEGER, _last_states, frame_of, is_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


_NONE = pa.scalar(None, pa.large_string())
_GZIP = b"\x1f\x8b"

# The first quoted request of a log line; where a line has none, the first word with the name in it.
_REQUEST = r'"(?P<method>[A-Z]+) (?P<target>\S+)(?: HTTP/[^"]*)?"'
_WORD = r"""(?i)(?P<target>(?:[^\s"'<>]*[?&])?smsid=[^\s"'<>]*)"""
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_CLF_TIME = (
    r"\[(?P<day>\d{2})/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<time>\d{2}:\d{2}:\d{2}) (?P<zone>[+-]\d{4})\]"
)
_MOMENT = r"(?P<moment>\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2}))"
_BALANCER = r"(?:https?|h2|grpcs?|wss?) "  # an AWS load balancer's line begins with the kind of the request
_ISO_TIME = rf"^(?:\W|{_BALANCER})?{_MOMENT}"
_JSON_TIME = rf'[{{,]\s*"(?:ts|time|timestamp|@timestamp|time_iso8601)"\s*:\s*"{_MOMENT}'
_UNIX_TIME = (
    r'[{,]\s*"(?:ts|time|timestamp)"\s*:\s*"?(?P<seconds>[1-9][0-9]{8,10})(?:\.(?P<rest>[0-9]{1,6}))?[0-9]*[,"}]'
)

# What the call was answered with: behind the request, before it (a balancer's line), or by its name.
_STATUS = r'"[A-Z]+ \S+(?: HTTP/[^"]*)?" (?P<status>[0-9]{3})\b'
_BALANCER_STATUS = rf"^{_BALANCER}(?:\S+ ){{7}}(?P<status>[0-9]{{3}}) "
_JSON_STATUS = r'[{,]\s*"status"\s*:\s*"?(?P<status>[0-9]{3})[,"}]'
_NOT_FOUND = "404"

_MOST_BYTES, _MOST_RATIO, _ALWAYS_BYTES = 4 * 2**30, 200, 64 * 2**20  # of a log that is unpacked


def read_callbacks(source: str | os.PathLike[str] | Iterable[str], *, path: str | None = None) -> pd.DataFrame:
    """Read the callbacks that the gateway made to the ``callback_url`` of messages.

    Parameters
    ----------
    source : path, or iterable of str
        The access log of the web server behind that address (common or combined format, as text or gzip), or any
        other text file with an address, a path or a query string a line; or such lines themselves. Names of fields
        may be in capitals or not. Calls that the server answered with 404 (not found) do not count.
    path : str, optional
        The path of the `callback_url`, ``"/esms/"``: calls to other paths do not count. Left out, all paths do.

    Returns
    -------
    DataFrame
        One row a callback:

        - ``sms_id``, ``request_id``: text, the gateway's id of the send and ours.
        - ``phone``: text, ``0`` and nine digits; ``network``: category, by the gateway's id of it. Both come with
          customer care only, which calls once a number; advertising calls once a send.
        - ``send_status``: Int32, the gateway's SendStatus.
        - ``delivered``, ``failed``, ``sent``, ``recipients``: Int32, how many numbers the callback counts.
        - ``price``: float64, VND; NaN from a billion on, which no send costs.
        - ``type_id``: Int32.
        - ``received_at``: Vietnam time; NaT where the source does not say, or says no time zone with it.

        The gateway calls up to five times where nothing answers, and as things go on. Of the callbacks with the same
        ``sms_id`` and phone one is kept: that with the last state, by the time in the log or else the order of the
        lines, but what is final (SendStatus 4 or 5) is never replaced by what is not. ``attrs`` counts the ``lines``,
        the ``other_lines``, which are no callbacks or do not count, and the ``repeats``.

    Raises
    ------
    InvalidInput
        When `source` is nothing of the kind, or holds no callback; `InvalidFile` when it is a file.

    Warns
    -----
    UserWarning
        When callbacks hold a value that can't be read, which is NA then.

    Notes
    -----
    Whoever knows the address can call it, so a log is as trustworthy as the address is secret.

    Examples
    --------
    >>> import esms_frames as ef
    >>> callbacks = ef.read_callbacks([
    ...     "/sms?SMSID=d533-1&SendFailed=0&SendStatus=5&SendSuccess=1&TotalPrice=850.0000&TotalReceiver=1"
    ...     "&TotalSent=1&RequestId=r1&TypeId=2&telcoid=2&phonenumber=84901888484"
    ... ])
    >>> print(*callbacks.loc[0, ["sms_id", "phone", "network", "send_status", "delivered", "price"]])
    d533-1 0901888484 MobiFone 5 1 850.0
    """
    lines, name = _lines(source)
    count = len(lines)
    lines = lines.filter(pc.fill_null(pc.match_substring(lines, "smsid=", ignore_case=True), fill_value=False))
    query = _queries(lines, _check_path(path))
    answered = _answers(lines)
    sms_id = pc.utf8_trim_whitespace(_field(query, "SMSID"))
    is_callback = pc.fill_null(
        pc.and_(pc.greater(pc.utf8_length(sms_id), 0), _has(query, "SendStatus")), fill_value=False
    )
    lost = pc.and_(is_callback, pc.fill_null(pc.equal(answered, _NOT_FOUND), fill_value=False))
    is_callback = pc.and_not(is_callback, lost)
    if not pc.any(is_callback).as_py():
        kind = InvalidFile if isinstance(source, (str, os.PathLike)) else InvalidInput
        if count_of := pc.sum(lost).as_py():
            raise kind(
                "{name} holds {count} callbacks that were all answered with 404, not found: check the "
                "address that the messages were given.",
                name=name,
                count=count_of,
            )
        raise kind("{name} holds no callback: one has SMSID=…&SendStatus=… in its address.", name=name)
    query, lines, sms_id = query.filter(is_callback), lines.filter(is_callback), sms_id.filter(is_callback)
    number, telco, price = (_field(query, field) for field in ("phonenumber", "telcoid", "TotalPrice"))
    counted = {column: _field(query, field) for column, field in COUNTS.items()}
    found = normalize.read(pd.Series(columns.text_from_arrow(number)))
    units, priced = _money(price)
    integers = {column: _integers(values) for column, values in counted.items()}
    telco_ids = _integers(telco)
    unread = {
        "phonenumber": _find_given(number) & (found < 0),
        "telcoid": _find_given(telco) & ~is_network(telco_ids),
        "TotalPrice": _find_given(price) & ~priced,
        **{field: _find_given(counted[column]) & ~integers[column][1] for column, field in COUNTS.items()},
    }
    request_id = columns.text_from_arrow(_replace_empty(_field(query, "RequestId")))
    frame = frame_of(
        columns.text_from_arrow(sms_id), request_id, found, telco_ids, integers, (units, priced), _moments(lines)
    )
    # Two numbers that can't be read are not the same number.
    raw = np.asarray(number.to_numpy(zero_copy_only=False), dtype=object)
    kept = _last_states(frame, raw, unread["phonenumber"])
    _warn(unread, name)
    kept.attrs = {"lines": count, "other_lines": count - len(frame), "repeats": len(frame) - len(kept)}
    return kept


def _lines(source: object) -> tuple[Any, str]:
    """Return the lines of a source as an Arrow array, and what to call it in a sentence."""
    if isinstance(source, (str, os.PathLike)):
        try:
            path = existing_file(source)
        except InvalidFile:
            raise InvalidFile(
                "There is no such file, or it can't be read: check the path; a single address is passed as a list, "
                "[address]."
            ) from None
        return pa.array(_text(path).splitlines(), pa.large_string()), visible(path.name)
    if not isinstance(source, Iterable) or isinstance(source, (bytes, pd.DataFrame)):
        raise InvalidInput(
            "source is no file and no list of lines but {kind}: pass a path, or a list of addresses.",
            kind=type(source).__name__,
        )
    try:
        return pa.array(list(source), pa.large_string(), from_pandas=True), "source"
    except (pa.ArrowException, TypeError, ValueError):
        raise InvalidInput("source holds something else than text: pass a list of addresses or log lines.") from None


def _text(path: Path) -> str:
    name = visible(path.name)
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP):
            data = _unpack(path, name, len(data))
    except PermissionError:
        raise InvalidFile("{name} can't be opened: check its permissions.", name=name) from None
    except (OSError, EOFError, zlib.error):
        raise InvalidFile("{name} can't be read: check that it is whole.", name=name) from None
    return data.decode("utf-8-sig", "replace")


def _unpack(path: Path, name: str, packed: int) -> bytes:
    """Unpack a gzip file, up to the size that a log can have."""
    most = min(_MOST_BYTES, _ALWAYS_BYTES + _MOST_RATIO * packed)
    with gzip.open(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise InvalidFile(
            "{name} unpacks to over {most} MB, which no log does: check that it is one.",
            name=name,
            most=round(most / 2**20),
        )
    return data


def _check_path(path: object) -> str | None:
    if path is None:
        return None
    if not isinstance(path, str) or not path.startswith("/"):
        raise InvalidInput("path is {path}: give the path of the callback_url, like '/esms/'.", path=shown(path))
    return path


def _answers(lines: Any) -> Any:
    """Return the status that each call was answered with; null if the line does not have it."""
    found = [
        pc.struct_field(pc.extract_regex(lines, pattern), "status").cast(pa.large_string())
        for pattern in (_STATUS, _BALANCER_STATUS, _JSON_STATUS)
    ]
    return pc.coalesce(found[1], found[0], found[2])


def _queries(lines: Any, path: str | None) -> Any:
    """Return the query of the request in each line; null if a line has none, or another path."""
    request = pc.extract_regex(lines, _REQUEST)
    asked = pc.struct_field(request, "target").cast(pa.large_string())
    target = pc.if_else(pc.equal(pc.struct_field(request, "method"), "GET"), asked, _NONE)
    quoted = pc.is_valid(request)
    if not pc.all(quoted).as_py():
        word = pc.struct_field(pc.extract_regex(lines, _WORD), "target").cast(pa.large_string())
        target = pc.if_else(quoted, target, word)
    for written in ("&amp;", r"\u0026"):  # as pages and JSON logs write &
        target = pc.replace_substring(target, written, "&")
    if path is not None:
        asked_for = pc.replace_substring_regex(target, r"^[A-Za-z]+://[^/?#]*", "")
        target = pc.if_else(pc.starts_with(asked_for, path), target, _NONE)
    return pc.replace_substring_regex(target, r"#.*|^[^?]*\?", "")


def _has(query: Any, name: str) -> Any:
    return pc.match_substring_regex(query, f"(?i)(?:^|&){name}=")


def _field(query: Any, name: str) -> Any:
    """Return the decoded values of one field of the queries; null if there is none."""
    found = pc.struct_field(pc.extract_regex(query, f"(?i)(?:^|&){name}=(?P<value>[^&]*)"), "value")
    values = found.cast(pa.large_string())
    if pc.any(pc.match_substring_regex(values, "[%+]")).as_py():
        known = values.dictionary_encode()
        known = known if isinstance(known, pa.DictionaryArray) else known.unify_dictionaries()
        plain = [unquote_plus(value, errors="replace") for value in known.dictionary.to_pylist()]
        values = pa.array(plain, pa.large_string()).take(known.indices)
    return pc.utf8_trim_whitespace(values)


def _find_given(values: Any) -> NDArray[np.bool_]:
    given: NDArray[np.bool_] = pc.fill_null(pc.greater(pc.utf8_length(values), 0), fill_value=False).to_numpy(
        zero_copy_only=False
    )
    return given


def _replace_empty(values: Any) -> Any:
    return pc.if_else(pc.equal(values, ""), _NONE, values)


def _integers(values: Any) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    valid = pc.fill_null(pc.match_substring_regex(values, INTEGER), fill_value=False)
    numbers = pc.if_else(valid, values, "0").cast(pa.int32())
    return numbers.to_numpy(zero_copy_only=False).copy(), valid.to_numpy(zero_copy_only=False)


def _money(values: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read amounts into ten-thousandths of a VND, as finely as the gateway writes them."""
    parts = pc.extract_regex(values, AMOUNT)
    valid = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    integer, rest = (
        pc.fill_null(pc.struct_field(parts, name).cast(pa.large_string()), "0") for name in ("whole", "rest")
    )
    units = integer.cast(pa.int64()).to_numpy() * 10**4 + pc.utf8_rpad(rest, 4, "0").cast(pa.int64()).to_numpy()
    return units, valid


def _moments(lines: Any) -> Any:
    """Return the time of each line, if it has one with a time zone."""
    clf = pc.extract_regex(lines, _CLF_TIME)
    year, month, day, time, zone = (
        pc.struct_field(clf, part).cast(pa.large_string()) for part in ("year", "month", "day", "time", "zone")
    )
    months = pc.index_in(month, pa.array(_MONTHS, pa.large_string()))
    number = pc.utf8_lpad(pc.add(months, 1).cast(pa.large_string()), 2, "0")
    dash, t, nothing = (pa.scalar(sign, pa.large_string()) for sign in ("-", "T", ""))
    written = pc.binary_join_element_wise(year, dash, number, dash, day, t, time, zone, nothing)
    iso, named = (
        pc.struct_field(pc.extract_regex(lines, pattern), "moment").cast(pa.large_string())
        for pattern in (_ISO_TIME, _JSON_TIME)
    )
    text = pd.Series(columns.text_from_arrow(pc.coalesce(written, iso, named)))
    moments = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601").astype("datetime64[us, UTC]")
    moments = moments.where(moments.notna(), _unix_moments(lines))
    return moments.dt.tz_convert(clock.VIETNAM).astype(pd.DatetimeTZDtype("us", clock.VIETNAM))


def _unix_moments(lines: Any) -> pd.Series[Any]:
    """Read times that are written as seconds since 1970, as Caddy does."""
    parts = pc.extract_regex(lines, _UNIX_TIME)
    seconds, rest = (pc.struct_field(parts, name).cast(pa.large_string()) for name in ("seconds", "rest"))
    rest = pc.utf8_rpad(pc.fill_null(rest, "0"), 6, "0").cast(pa.int64())
    micros = pc.add(pc.multiply(seconds.cast(pa.int64()), 10**6), rest)
    return pd.Series(micros.cast(pa.timestamp("us", "UTC")).to_pandas())


def _warn(unread: dict[str, NDArray[np.bool_]], name: str) -> None:
    fields = [field for field, rows in unread.items() if rows.any()]
    if fields:
        rows = int(np.logical_or.reduce(list(unread.values())).sum())
        warnings.warn(
            Sentence(
                "{rows} callbacks of {name} hold a value that can't be read ({fields}): it is NA.",
                rows=rows,
                name=name,
                fields=", ".join(fields),
            ),
            stacklevel=3,
        )
