"""Prepare an audience larger than memory: partitions are cleaned one by one, duplicates found among all their numbers.

In memory are the numbers that can be texted, with a small code for the segment of each, and a partition of the customers
for each of Dask's workers. Dask does the work on rows, on the cores of one machine or on the workers of the user's own
`distributed.Client`:

1. Each partition is read once: numbers, what can be said of a row by itself, segment and index go to disk (a draft). Its
   usable numbers come back.
2. Here, in the order of the partitions, the first row of each number becomes a recipient, the others duplicates.
3. Each partition's rows are written as they are in `Audience.frame`.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from esms_frames.base.errors import InvalidInput
from esms_frames.base.labels import find_label, tidy_categories
from esms_frames.base.sets import NumberSet
from esms_frames.base.wording import shown
from esms_frames.messages.limits import MAX_BATCH, MIN_BATCH
from esms_frames.recipients.any_audience import count_networks, count_rows
from esms_frames.recipients.audience import check_limits, segments_of
from esms_frames.recipients.batching import arrange
from esms_frames.recipients.find_column import named_as_phone, phone_column
from esms_frames.recipients.large.audience import LargeAudience, read_part, write_part
from esms_frames.recipients.number_lists import read_list
from esms_frames.recipients.phones import normalize
from esms_frames.recipients.row_status import (
    REASON_EXCLUDED,
    REASONS,
    STATUSES,
    counted,
    decided_frame,
    verdicts,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Hashable, Sequence

    from numpy.typing import NDArray


_READY, _DUPLICATE, _EXCLUDED = (STATUSES.index(name) for name in ("ready", "duplicate", "excluded"))
_WRITTEN = 32  # partitions, at once: a bit for each of their rows is sent to the workers
_LOOKED_AT = 5  # partitions, for the column of phones
_SAMPLE = 1000  # rows of each
_NOBODY: NDArray[np.int32] = np.empty(0, dtype=np.int32)


class _Draft(NamedTuple):
    """The facts about a partition once it was cleaned."""

    numbers: NDArray[np.int32]
    """Those that may be texted, in the order of the rows."""
    codes: NDArray[np.signedinteger[Any]]
    """The segment of each, as a code for one of `segments`; 0 without segments."""
    excluded: NDArray[np.int32]
    segments: pd.Index[Any] | None
    """The names of the segments in it, which its codes stand for."""
    order: pd.CategoricalDtype | None
    """What the customers' own categories are, where the column of segments is categorical."""


class _Choice(NamedTuple):
    """The decisions about one partition, made over all."""

    ready: NDArray[np.uint8]
    """Which of its usable rows are recipients, a bit for each."""
    codes: NDArray[np.signedinteger[Any]]
    """The code in the whole of each of its segments; the last, for rows without one, is -1."""
    before: NDArray[np.int64]
    """How many recipients of each segment are in earlier partitions."""


class _Whole(NamedTuple):
    """The facts about all partitions."""

    like: pd.DataFrame
    """A frame as each partition's is to be, without rows."""
    counts: NDArray[np.bool_]
    """Which segments count; the last stands for rows without one."""
    sizes: NDArray[np.int64]
    """How many recipients each segment has."""


def draft_large_audience(
    ddf: Any,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int = MIN_BATCH,
    max_batch: int = MAX_BATCH,
    folder: str | os.PathLike[str] | None = None,
) -> LargeAudience:
    """Build the audience of a Dask DataFrame, whether there are enough recipients or not."""
    check_limits(min_batch, max_batch)
    column = _phone_column(ddf, phone)
    if type(exclude).__module__.partition(".")[0] in {"dask", "dask_expr"}:
        raise InvalidInput("exclude is a Dask collection, and is needed as a whole: give exclude.compute().")
    excluded = _NOBODY if exclude is None else read_list(exclude, "exclude")
    place = _new_folder(folder)
    try:
        handed_over = dask.delayed(excluded, pure=True)
        parts = [
            dask.delayed(_drafted)(
                part, segments, number, column, by if segments is None else None, handed_over, str(place)
            )
            for number, (part, segments) in enumerate(_partitions(ddf, column, by))
        ]
        drafts = _done(parts)
        _check_shared(place, len(parts))
        divisions = ddf.divisions if ddf.known_divisions else (None,) * (len(parts) + 1)
        terms = {"column": column, "min_batch": min_batch, "max_batch": max_batch, "divisions": divisions}
        return _finish(place, ddf._meta.index, drafts, None, **terms)  # Dask's word for it
    except BaseException:  # nobody is told where it is, and it holds phone numbers
        shutil.rmtree(place, ignore_errors=True)
        raise


def leave_out_large_segments(audience: LargeAudience, wanted: Collection[Any]) -> LargeAudience:
    """Leave out the rows of all other segments; what is made of it is in the folder of the audience, and goes with it."""
    place = _new_folder(audience.folder)
    source, like = str(audience.folder), dask.delayed(audience._empty, pure=True)
    parts = [dask.delayed(_drafted_again)(part, source, str(place), like) for part in range(audience.partitions)]
    terms = {name: getattr(audience, name) for name in ("column", "min_batch", "max_batch", "divisions")}
    return _finish(place, audience._empty.index, _done(parts), wanted, **terms)


def _finish(
    folder: Path, index: pd.Index[Any], drafts: list[_Draft], wanted: Collection[Any] | None, **terms: Any
) -> LargeAudience:
    """Choose the recipients from the drafts of all partitions, given the segments that count, and write all rows."""
    segments = _all_segments(drafts)
    counts = np.array([True, True]) if segments is None else counted(segments.categories, wanted)
    excluded = np.unique(np.concatenate([_NOBODY, *(draft.excluded for draft in drafts)]))
    numbers, codes, ready, choices = _chosen(drafts, segments, counts)
    empty = _empty(index, segments)
    whole = dask.delayed(_Whole(empty, counts, ready.sum(axis=0)), pure=True)
    parts = [
        dask.delayed(_written)(part, str(folder), choice, whole, terms["max_batch"])
        for part, choice in enumerate(choices)
    ]
    written = [each for start in range(0, len(parts), _WRITTEN) for each in _done(parts[start : start + _WRITTEN])]
    shutil.rmtree(folder / "draft")
    return LargeAudience(
        folder=folder,
        **terms,
        _empty=empty,
        _rows=np.sum([rows for rows, _ in written], axis=0),
        _networks=np.sum([networks for _, networks in written], axis=0),
        _ready_by_part=ready,
        _numbers=numbers,
        _codes=codes,
        _excluded=excluded,
    )


# Step 1
def _drafted(
    part: pd.DataFrame,
    segments: pd.Series[Any] | None,
    number: int,
    column: Hashable,
    by: Hashable | None,
    excluded: NDArray[np.int32],
    folder: str,
) -> _Draft:
    """Clean a partition, and write down what of it matters."""
    found = normalize.read(part[column])
    status, reason = verdicts(found, excluded)
    given = segments if segments is not None else by
    segment, names, order = np.zeros(len(part), np.int32), None, None
    if given is not None:
        values = segments_of(part, given)
        segment, names = values.codes.astype(np.int32), values.categories
        source = part.iloc[:, find_label(part.columns, by)[0]] if segments is None else segments
        if isinstance(source.dtype, pd.CategoricalDtype):
            order = tidy_categories(pd.Categorical([], dtype=source.dtype)).dtype
        else:  # in the order in which they come, which those of all partitions can be put together in
            appearance = pd.unique(segment[segment >= 0])
            place = np.full(len(names) + 1, -1, dtype=np.int32)
            place[appearance] = np.arange(len(appearance), dtype=np.int32)
            segment, names = place[segment], names.take(appearance)
    _write_draft(folder, number, found, status, reason, segment, part.index)
    return _Draft(*_usable(found, status, segment), _excluded(found, status, reason), names, order)


def _drafted_again(number: int, source: str, folder: str, like: pd.DataFrame) -> _Draft:
    """Take a partition of an audience for a draft."""
    frame = read_part(number, source, like=like)
    status: NDArray[np.int8] = frame["status"].cat.codes.to_numpy().astype(np.int8)
    reason: NDArray[np.int8] = frame["reason"].cat.codes.to_numpy().astype(np.int8)
    status[status == _DUPLICATE] = _READY
    found = normalize.read(frame["phone"])
    order: Any = like["segment"].dtype
    segment = frame["segment"].cat.codes.to_numpy().astype(np.int32)
    _write_draft(folder, number, found, status, reason, segment, frame.index)
    return _Draft(*_usable(found, status, segment), _excluded(found, status, reason), order.categories, order)


def _usable(
    found: NDArray[np.int32], status: NDArray[np.int8], segment: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.signedinteger[Any]]]:
    """Return the numbers that may be texted, and their segments in as few bytes as these take."""
    usable = status == _READY
    codes = segment[usable]
    return found[usable], codes.astype(_code_type(int(codes.max(initial=0))))


def _excluded(found: NDArray[np.int32], status: NDArray[np.int8], reason: NDArray[np.int8]) -> NDArray[np.int32]:
    return np.unique(found[(status == _EXCLUDED) & (reason == REASONS.index(REASON_EXCLUDED))])


def _code_type(highest: int) -> Any:
    """Return the smallest type of integer that holds codes from -1 to this one."""
    return next(kind for kind in (np.int8, np.int16, np.int32) if highest <= np.iinfo(kind).max)


def _write_draft(
    folder: str,
    part: int,
    found: NDArray[np.int32],
    status: NDArray[np.int8],
    reason: NDArray[np.int8],
    segment: NDArray[np.int32],
    index: pd.Index[Any],
) -> None:
    draft = pd.DataFrame({"number": found, "status": status, "reason": reason, "segment": segment}, index=index)
    try:
        draft.to_parquet(_draft_file(folder, part), engine="pyarrow", compression="lz4")
    except (pa.ArrowException, ValueError, TypeError):
        raise InvalidInput(
            "The index of partition {part} holds values that Parquet can't: take another with "
            "ddf.reset_index(drop=True).",
            part=part,
        ) from None


# Step 2
def _chosen(
    drafts: list[_Draft], segments: pd.CategoricalDtype | None, counts: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.signedinteger[Any]], NDArray[np.int64], list[_Choice]]:
    """Choose the recipients; give their numbers and segments, how many each partition has by segment, and which.

    The drafts are taken from their list one after the other, so that no number is in memory twice.
    """
    texted, kind = NumberSet(), _code_type(len(counts))
    numbers = np.empty(sum(len(draft.numbers) for draft in drafts), dtype=np.int32)
    codes = np.empty(0 if segments is None else len(numbers), dtype=kind)
    ready = np.zeros((len(drafts), len(counts) - 1), dtype=np.int64)
    choices, size = [], 0
    drafts.reverse()
    for part in range(len(drafts)):
        draft = drafts.pop()
        code_of = _codes(draft, segments).astype(kind)
        code = code_of[draft.codes]
        is_ready = counts[code]
        is_ready[is_ready] = texted.add_new(draft.numbers[is_ready])
        some, code = draft.numbers[is_ready], code[is_ready]
        numbers[size : size + len(some)] = some
        if segments is not None:
            codes[size : size + len(some)] = code
        size += len(some)
        before = ready.sum(axis=0)
        ready[part] = np.bincount(code, minlength=len(counts) - 1)
        choices.append(_Choice(np.packbits(is_ready), code_of, before))
    return numbers[:size], codes[:size], ready, choices


# Step 3
def _written(
    part: int, folder: str, choice: _Choice, whole: _Whole, max_batch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write the rows of a partition; how many there are of each status and reason, and recipients of each network."""
    table = pq.read_table(_draft_file(folder, part), use_pandas_metadata=True)
    draft = {name: table[name].to_numpy() for name in ("number", "status", "reason", "segment")}
    status, reason, segment = draft["status"].copy(), draft["reason"].copy(), choice.codes[draft["segment"]]
    repeats: NDArray[np.bool_] = status == _READY
    repeats[repeats] = np.unpackbits(choice.ready, count=int(repeats.sum())) == 0
    sizes = choice.before, whole.sizes
    batch = arrange(status, reason, segment, whole.counts, lambda usable: repeats[usable], max_batch, *sizes)
    index = table.select([name for name in table.column_names if name not in draft]).to_pandas().index
    frame = decided_frame(draft["number"], status, reason, batch, index)
    if "segment" in whole.like:
        segments: Any = whole.like["segment"].dtype
        frame["segment"] = pd.Categorical.from_codes(segment, dtype=segments)
    try:
        write_part(folder, part, frame)
    except (pa.ArrowException, ValueError, TypeError):
        raise InvalidInput(
            "by holds values of several kinds, which can't be written as Parquet: make the segments text."
        ) from None
    return count_rows(status, reason), count_networks(frame["network"].cat.codes.to_numpy()[status == _READY])


# What the steps share
def _phone_column(ddf: Any, phone: Hashable | None) -> Hashable:
    """Find the column of phones as in a DataFrame; by content, it is looked for in a sample of some partitions."""
    empty = ddf._meta  # Dask's word for it
    if phone is not None or sum(map(named_as_phone, empty.columns)) == 1:
        return phone_column(empty, phone)
    chosen = np.unique(np.linspace(0, ddf.npartitions - 1, _LOOKED_AT).astype(int)).tolist()
    looked_at = [ddf.partitions[number].map_partitions(_sample, meta=empty) for number in chosen]
    return phone_column(pd.concat(dask.compute(*looked_at)))


def _sample(part: pd.DataFrame) -> pd.DataFrame:
    return part.iloc[:: max(1, len(part) // _SAMPLE)]


def _partitions(ddf: Any, column: Hashable, by: Any) -> list[tuple[Any, Any]]:
    """Return the partitions of what is needed of the customers; and of a Series of segments, where there is one."""
    labels, named = list(ddf.columns), [column]
    is_dask = type(by).__module__.partition(".")[0] in {"dask", "dask_expr"}
    if by is None or is_dask:
        parts = _each(ddf[named])
        if not is_dask:
            return [(part, None) for part in parts]
        segments = _each(by) if getattr(by, "ndim", 0) == 1 else []
        if len(segments) != len(parts):
            raise InvalidInput(
                "by is a Dask collection of {count} partitions and the data has {partitions}: name a column of the data.",
                count=len(segments),
                partitions=len(parts),
            )
        return list(zip(parts, segments, strict=True))
    if pd.api.types.is_list_like(by) and not isinstance(by, tuple):
        raise InvalidInput("by is {by}: of a Dask DataFrame, name a column, or give a Dask Series of it.", by=shown(by))
    places = find_label(labels, by)
    if len(places) != 1:
        segments_of(ddf._meta, by)  # says what is wrong
    if by != column:
        named.append(labels[places[0]])
    return [(part, None) for part in _each(ddf[named])]


def _each(collection: Any) -> list[Any]:
    """Return the partitions as they are, where Dask would put some together of which few columns are needed."""
    parts = collection.simplify().to_delayed(optimize_graph=False)  # so that other columns are not read
    return list(parts if len(parts) == collection.npartitions else collection.to_delayed(optimize_graph=False))


def _all_segments(drafts: Sequence[_Draft]) -> pd.CategoricalDtype | None:
    """Put the segments of all partitions together, in the order in which they are in one DataFrame."""
    names = [draft.segments for draft in drafts if draft.segments is not None]
    if not names:
        return None
    orders = [draft.order for draft in drafts if draft.order is not None]
    together = pd.concat([pd.Series(some) for some in names], ignore_index=True)
    if len(orders) < len(names):
        return pd.CategoricalDtype(pd.Categorical(together).categories)
    every = pd.concat([pd.Series(order.categories) for order in orders], ignore_index=True).drop_duplicates()
    used = every[every.isin(together)]
    return pd.CategoricalDtype(pd.Index(used), ordered=all(order.ordered for order in orders))


def _codes(draft: _Draft, segments: pd.CategoricalDtype | None) -> NDArray[np.int64]:
    if segments is None or draft.segments is None:
        return np.array([0, -1])
    return np.append(segments.categories.get_indexer(draft.segments), -1)


def _empty(index: pd.Index[Any], segments: pd.CategoricalDtype | None) -> pd.DataFrame:
    number, code = np.empty(0, np.int32), np.empty(0, np.int8)
    frame = decided_frame(number, code, code, number, index[:0])
    return frame if segments is None else frame.assign(segment=pd.Categorical([], dtype=segments))


def _new_folder(given: str | os.PathLike[str] | None) -> Path:
    """Make a folder for one audience, readable by its owner only; one that nobody asked for goes with this process."""
    try:
        if given is not None:
            Path(given).mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix="esms-audience-", dir=given)).absolute()
        for name in ("draft", "frame"):
            (folder / name).mkdir()
    except (OSError, TypeError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise InvalidInput(
            "folder {folder} can't be written to ({cause}): name another.", folder=shown(given), cause=why
        ) from None
    if given is None:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _check_shared(folder: Path, parts: int) -> None:
    if not all(_draft_file(folder, part).exists() for part in range(parts)):
        raise InvalidInput(
            "Dask's workers have written nothing that can be read here into {folder}: name a folder that "
            "all machines share with folder=…",
            folder=folder,
        )


def _draft_file(folder: str | Path, part: int) -> Path:
    return Path(folder) / "draft" / f"part-{part:06}.parquet"


def _done(parts: Sequence[Any]) -> list[Any]:
    return list(dask.compute(*parts))
