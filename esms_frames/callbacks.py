"""Read the gateway's callbacks out of URLs and access logs: one row a callback."""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from esms_frames import clock, columns, phones
from esms_frames.callback import AMOUNT, COUNTS, FINAL, INTEGER, frame_of, is_network
from esms_frames.errors import InvalidFile, InvalidInput

if TYPE_CHECKING:
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
_ISO_TIME = r"^\W?(?P<moment>\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2}))"


def read_callbacks(source: str | os.PathLike[str] | Iterable[str]) -> pd.DataFrame:
    """Read the callbacks that the gateway made to the ``callback_url`` of messages.

    Parameters
    ----------
    source : path, or iterable of str
        The access log of the web server behind that address (common or combined format, as text or gzip), or any
        other text file with an address, a path or a query string a line; or such lines themselves. Names of fields
        may be in capitals or not.

    Returns
    -------
    DataFrame
        One row a callback:

        - ``sms_id``, ``request_id``: text, the gateway's id of the send and ours.
        - ``phone``: text, ``0`` and nine digits; ``network``: category, by the gateway's id of it. Both come with
          customer care only, which calls once a number; advertising calls once a send.
        - ``send_status``: Int32, the gateway's SendStatus.
        - ``delivered``, ``failed``, ``sent``, ``recipients``: Int32, how many numbers the callback counts.
        - ``price``: decimal, VND; NA from a billion on, which no send costs.
        - ``type_id``: Int32.
        - ``received_at``: Vietnam time; NaT where the source does not say, or says no time zone with it.

        The gateway calls up to five times where nothing answers, and as things go on. Of the callbacks with the same
        ``sms_id`` and phone one is kept: that with the last state, by the time in the log or else the order of the
        lines, but what is final (SendStatus 4 or 5) is never replaced by what is not. ``attrs`` counts the ``lines``,
        the ``other_lines``, which are no callbacks, and the ``repeats``.

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
    d533-1 0901888484 MobiFone 5 1 850.0000
    """
    lines, name = _lines(source)
    count = len(lines)
    lines = lines.filter(pc.fill_null(pc.match_substring(lines, "smsid=", ignore_case=True), fill_value=False))
    query = _queries(lines)
    sms_id = _field(query, "SMSID")
    there = pc.fill_null(pc.and_(pc.greater(pc.utf8_length(sms_id), 0), _has(query, "SendStatus")), fill_value=False)
    if not pc.any(there).as_py():
        kind = InvalidFile if isinstance(source, (str, os.PathLike)) else InvalidInput
        raise kind(f"{name} holds no callback: one has SMSID=…&SendStatus=… in its address.")
    query, lines, sms_id = query.filter(there), lines.filter(there), sms_id.filter(there)
    number, telco, price = (_field(query, field) for field in ("phonenumber", "telcoid", "TotalPrice"))
    counted = {column: _field(query, field) for column, field in COUNTS.items()}
    found = phones.read(pd.Series(columns.text_from_arrow(number)))
    units, priced = _money(price)
    integers = {column: _integers(values) for column, values in counted.items()}
    telco_ids = _integers(telco)
    unread = {
        "phonenumber": _given(number) & (found < 0),
        "telcoid": _given(telco) & ~is_network(telco_ids),
        "TotalPrice": _given(price) & ~priced,
        **{field: _given(counted[column]) & ~integers[column][1] for column, field in COUNTS.items()},
    }
    request_id = columns.text_from_arrow(_none_where_empty(_field(query, "RequestId")))
    frame = frame_of(
        columns.text_from_arrow(sms_id), request_id, found, telco_ids, integers, (units, priced), _moments(lines)
    )
    # Two numbers that can't be read are not the same number.
    raw = np.asarray(number.to_numpy(zero_copy_only=False), dtype=object)
    kept = _last_states(frame, raw, unread["phonenumber"])
    _warn_of(unread, name)
    kept.attrs = {"lines": count, "other_lines": count - len(frame), "repeats": len(frame) - len(kept)}
    return kept


def last_states(callbacks: pd.DataFrame) -> pd.DataFrame:
    """Keep one callback for each send and number: the last, of which a final one is never replaced by one that is not."""
    nothing = np.zeros(len(callbacks), dtype=bool)
    return _last_states(callbacks, np.full(len(callbacks), None, dtype=object), nothing)


def _last_states(frame: pd.DataFrame, raw: NDArray[np.object_], unreadable: NDArray[np.bool_]) -> pd.DataFrame:
    place = np.arange(len(frame))
    order = pd.DataFrame(
        {
            "sms_id": frame["sms_id"].to_numpy(dtype=object),
            "phone": frame["phone"].to_numpy(dtype=object, na_value=""),
            "raw": np.where(unreadable, raw, ""),
            "final": frame["send_status"].isin(FINAL).to_numpy(),
            "received_at": frame["received_at"].to_numpy(),
            "place": place,
        }
    ).sort_values(["final", "received_at", "place"], na_position="first")
    last = order.drop_duplicates(["sms_id", "phone", "raw"], keep="last")["place"].to_numpy()
    return frame.iloc[np.sort(last)].reset_index(drop=True)


def _lines(source: object) -> tuple[Any, str]:
    """Give the lines of a source as an Arrow array, and what to call it in a sentence."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return pa.array(_text(path).splitlines(), pa.large_string()), path.name
    if not isinstance(source, Iterable) or isinstance(source, (bytes, pd.DataFrame)):
        raise InvalidInput(
            f"source is no file and no list of lines but {type(source).__name__}: pass a path, or a list of addresses."
        )
    try:
        return pa.array(list(source), pa.large_string(), from_pandas=True), "source"
    except (pa.ArrowException, TypeError, ValueError):
        raise InvalidInput("source holds something else than text: pass a list of addresses or log lines.") from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
    except PermissionError:
        raise InvalidFile(f"{path.name} can't be opened: check its permissions.") from None
    except (OSError, ValueError, EOFError, zlib.error):
        raise InvalidFile(
            "There is no such file, or it can't be read: check the path; a single address is passed as a list, [address]."
        ) from None
    return data.decode("utf-8-sig", "replace")


def _queries(lines: Any) -> Any:
    """Give the query of the request that each line is about; null where a line is about none."""
    request = pc.extract_regex(lines, _REQUEST)
    asked = pc.struct_field(request, "target").cast(pa.large_string())
    target = pc.if_else(pc.equal(pc.struct_field(request, "method"), "GET"), asked, _NONE)
    quoted = pc.is_valid(request)
    if not pc.all(quoted).as_py():
        word = pc.struct_field(pc.extract_regex(lines, _WORD), "target").cast(pa.large_string())
        target = pc.if_else(quoted, target, word)
    for written in ("&amp;", r"\u0026"):  # as pages and JSON logs write &
        target = pc.replace_substring(target, written, "&")
    return pc.replace_substring_regex(target, r"#.*|^[^?]*\?", "")


def _has(query: Any, name: str) -> Any:
    return pc.match_substring_regex(query, f"(?i)(?:^|&){name}=")


def _field(query: Any, name: str) -> Any:
    """Give the values of one field of the queries, decoded; null where there is none."""
    found = pc.struct_field(pc.extract_regex(query, f"(?i)(?:^|&){name}=(?P<value>[^&]*)"), "value")
    values = found.cast(pa.large_string())
    if pc.any(pc.match_substring_regex(values, "[%+]")).as_py():
        known = values.dictionary_encode()
        known = known if isinstance(known, pa.DictionaryArray) else known.unify_dictionaries()
        plain = [unquote_plus(value, errors="replace") for value in known.dictionary.to_pylist()]
        values = pa.array(plain, pa.large_string()).take(known.indices)
    return pc.utf8_trim_whitespace(values)


def _given(values: Any) -> NDArray[np.bool_]:
    given: NDArray[np.bool_] = pc.fill_null(pc.greater(pc.utf8_length(values), 0), fill_value=False).to_numpy(
        zero_copy_only=False
    )
    return given


def _none_where_empty(values: Any) -> Any:
    return pc.if_else(pc.equal(values, ""), _NONE, values)


def _integers(values: Any) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    valid = pc.fill_null(pc.match_substring_regex(values, INTEGER), fill_value=False)
    numbers = pc.if_else(valid, values, "0").cast(pa.int32())
    return numbers.to_numpy(zero_copy_only=False).copy(), valid.to_numpy(zero_copy_only=False)


def _money(values: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read amounts into ten-thousandths of a VND, as finely as the gateway writes them."""
    parts = pc.extract_regex(values, AMOUNT)
    valid = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    whole, rest = (
        pc.fill_null(pc.struct_field(parts, name).cast(pa.large_string()), "0") for name in ("whole", "rest")
    )
    units = whole.cast(pa.int64()).to_numpy() * 10**4 + pc.utf8_rpad(rest, 4, "0").cast(pa.int64()).to_numpy()
    return units, valid


def _moments(lines: Any) -> Any:
    """Give the time of each line, where it says one with its time zone."""
    clf = pc.extract_regex(lines, _CLF_TIME)
    year, month, day, time, zone = (
        pc.struct_field(clf, part).cast(pa.large_string()) for part in ("year", "month", "day", "time", "zone")
    )
    months = pc.index_in(month, pa.array(_MONTHS, pa.large_string()))
    number = pc.utf8_lpad(pc.add(months, 1).cast(pa.large_string()), 2, "0")
    dash, t, nothing = (pa.scalar(sign, pa.large_string()) for sign in ("-", "T", ""))
    written = pc.binary_join_element_wise(year, dash, number, dash, day, t, time, zone, nothing)
    iso = pc.struct_field(pc.extract_regex(lines, _ISO_TIME), "moment").cast(pa.large_string())
    text = pd.Series(columns.text_from_arrow(pc.coalesce(written, iso)))
    moments = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601")
    return moments.dt.tz_convert(clock.VIETNAM).astype(pd.DatetimeTZDtype("us", clock.VIETNAM))


def _warn_of(unread: dict[str, NDArray[np.bool_]], name: str) -> None:
    fields = [field for field, rows in unread.items() if rows.any()]
    if fields:
        rows = int(np.logical_or.reduce(list(unread.values())).sum())
        warnings.warn(
            f"{rows:,} callbacks of {name} hold a value that can't be read ({', '.join(fields)}): it is NA.",
            stacklevel=3,
        )
