"""Prepare an audience larger than memory: partitions are cleaned one by one, duplicates found by a shuffle.

What is in memory at once is a partition of the customers for each of Dask's workers, and the (number, position) pairs
that the shuffle brings together, 4,000,000 at a time. Dask does the work, on the cores of one machine or on the workers
of the user's own `distributed.Client`, in four steps, between which only counts come back:

1. Each partition is read once: numbers, what can be said of a row by itself, segment and index go to disk (a draft).
2. Pairs of number and position are shuffled on the number; the positions of all but the first of each go to disk.
3. The recipients of each partition are counted by segment, which gives everybody's place in the whole.
4. Each partition's rows are written as they are in `Audience.frame`, and its recipients' numbers beside them.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from esms_frames import numbering, phones
from esms_frames.audience import (
    REASON_EXCLUDED,
    REASONS,
    STATUSES,
    check_limits,
    counted,
    decided_frame,
    equal_batches,
    mark_duplicates,
    segments_of,
    set_aside,
    verdicts,
)
from esms_frames.detection import named_as_phone, phone_column
from esms_frames.errors import InvalidInput, shown
from esms_frames.large import LargeAudience, numbers_file, read_part, write_part
from esms_frames.number_list import read_list

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Hashable, Sequence

    from numpy.typing import NDArray

_READY, _DUPLICATE, _EXCLUDED = (STATUSES.index(name) for name in ("ready", "duplicate", "excluded"))
_PAIRS = 4_000_000  # brought together by the shuffle at once
_ROW_BITS = 32  # of a position, under the number of its partition
_LOOKED_AT = 5  # partitions, for the column of phones
_SAMPLE = 1000  # rows of each


class _Limits(NamedTuple):
    column: Hashable
    min_batch: int
    max_batch: int


class _Draft(NamedTuple):
    """What is known of a partition once it was cleaned."""

    rows: int
    usable: int
    excluded: NDArray[np.int32]
    segments: pd.Index[Any] | None
    """The names of the segments in it, which its codes stand for."""
    order: pd.CategoricalDtype | None
    """What the customers' own categories are, where the column of segments is categorical."""


class _Whole(NamedTuple):
    """What step 4 has to know of the whole about one partition."""

    codes: NDArray[np.int64]
    """The code in the whole of each of its segments; the last, for rows without one, is -1."""
    counts: NDArray[np.bool_]
    """Which segments count; the last stands for rows without one."""
    before: NDArray[np.int64]
    """How many recipients of each segment are in earlier partitions."""
    sizes: NDArray[np.int64]
    """How many recipients each segment has."""


def drafted_large(
    ddf: Any,
    phone: Hashable | None = None,
    *,
    by: Any = None,
    exclude: Any = None,
    min_batch: int,
    max_batch: int,
    folder: str | os.PathLike[str] | None = None,
) -> LargeAudience:
    """Do what `audience.drafted` does, of a Dask DataFrame."""
    check_limits(min_batch, max_batch)
    column = _phone_column(ddf, phone)
    if type(exclude).__module__.partition(".")[0] in {"dask", "dask_expr"}:
        raise InvalidInput("exclude is a Dask collection, and is needed as a whole: give exclude.compute().")
    excluded = np.empty(0, dtype=np.int32) if exclude is None else read_list(exclude, "exclude")
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
        limits = _Limits(column, min_batch, max_batch)
        return _arranged(place, limits, divisions, ddf._meta.index, drafts, None)  # noqa: SLF001 - Dask's word for it
    except BaseException:  # nobody is told where it is, and it holds phone numbers
        shutil.rmtree(place, ignore_errors=True)
        raise


def only_large_segments(audience: LargeAudience, segments: Collection[Any]) -> LargeAudience:
    """Do what `audience.only_segments` does; what is made of it is in the folder of the audience, and goes with it."""
    if audience.segments is None or all(name in segments for name in audience.segments):
        return audience
    place = _new_folder(audience.folder)
    source, like = str(audience.folder), dask.delayed(audience.empty, pure=True)
    parts = [dask.delayed(_drafted_again)(part, source, str(place), like) for part in range(audience.partitions)]
    limits = _Limits(audience.column, audience.min_batch, audience.max_batch)
    return _arranged(place, limits, audience.divisions, audience.empty.index, _done(parts), segments)


def _arranged(
    folder: Path,
    limits: _Limits,
    divisions: tuple[Any, ...],
    index: pd.Index[Any],
    drafts: Sequence[_Draft],
    wanted: Collection[Any] | None,
) -> LargeAudience:
    """Do steps 2 to 4 with the drafts of all partitions, given the segments that count."""
    parts, place = range(len(drafts)), str(folder)
    segments = _all_segments(drafts)
    counts = np.array([True, True]) if segments is None else counted(segments.categories, wanted)
    wholes = [_Whole(_codes(draft, segments), counts, *[np.zeros(len(counts), np.int64)] * 2) for draft in drafts]
    again = _found_again(place, wholes, sum(draft.usable for draft in drafts))
    ready = np.array(_done([dask.delayed(_counted)(part, place, again, wholes[part]) for part in parts]))
    ready = ready.reshape(len(drafts), len(counts) - 1)
    before, sizes = np.cumsum(ready, axis=0) - ready, ready.sum(axis=0)
    empty = _empty(index, segments)
    like = dask.delayed(empty, pure=True)
    written = _done(
        [
            dask.delayed(_written)(
                part, place, again, wholes[part]._replace(before=before[part], sizes=sizes), limits.max_batch, like
            )
            for part in parts
        ]
    )
    for scratch in ("draft", "again"):
        shutil.rmtree(folder / scratch)
    return LargeAudience(
        folder=folder,
        column=limits.column,
        min_batch=limits.min_batch,
        max_batch=limits.max_batch,
        divisions=divisions,
        empty=empty,
        rows=np.sum([rows for rows, _ in written], axis=0),
        networks=np.sum([networks for _, networks in written], axis=0),
        ready_by_part=ready,
        excluded=np.unique(np.concatenate([np.empty(0, np.int32), *(draft.excluded for draft in drafts)])),
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
    found = phones.read(part[column])
    status, reason = verdicts(found, excluded)
    given = segments if segments is not None else by
    segment, names, order = np.zeros(len(part), np.int32), None, None
    if given is not None:
        values = segments_of(part, given)
        segment, names = values.codes.astype(np.int32), values.categories
        source = part[by] if segments is None else segments
        if isinstance(source.dtype, pd.CategoricalDtype):
            order = source.dtype
        else:  # in the order in which they come, which those of all partitions can be put together in
            appearance = pd.unique(segment[segment >= 0])
            place = np.full(len(names) + 1, -1, dtype=np.int32)
            place[appearance] = np.arange(len(appearance), dtype=np.int32)
            segment, names = place[segment], names.take(appearance)
    out = np.unique(found[(status == _EXCLUDED) & (reason == REASONS.index(REASON_EXCLUDED))])
    _write_draft(folder, number, found, status, reason, segment, part.index)
    return _Draft(len(part), int((status == _READY).sum()), out, names, order)


def _drafted_again(number: int, source: str, folder: str, like: pd.DataFrame) -> _Draft:
    """Take a partition of an audience for a draft."""
    frame = read_part(number, source, like=like)
    status: NDArray[np.int8] = frame["status"].cat.codes.to_numpy().astype(np.int8)
    reason: NDArray[np.int8] = frame["reason"].cat.codes.to_numpy().astype(np.int8)
    status[status == _DUPLICATE] = _READY
    found = phones.read(frame["phone"])
    out = np.unique(found[(status == _EXCLUDED) & (reason == REASONS.index(REASON_EXCLUDED))])
    segment = frame["segment"].cat
    order: Any = like["segment"].dtype
    _write_draft(folder, number, found, status, reason, segment.codes.to_numpy().astype(np.int32), frame.index)
    return _Draft(len(frame), int((status == _READY).sum()), out, segment.categories, order)


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
            f"The index of partition {part} holds values that Parquet can't: take another with ddf.reset_index(drop=True)."
        ) from None


# Step 2


def _found_again(folder: str, wholes: Sequence[_Whole], usable: int) -> list[str]:
    """Find the rows whose number an earlier one has; the names of the files that hold their positions, sorted."""
    like = pd.DataFrame({"number": np.empty(0, np.int32), "position": np.empty(0, np.int64)})
    pairs = dd.from_map(_pairs, list(range(len(wholes))), list(wholes), folder=folder, meta=like)
    together = pairs.shuffle("number", npartitions=max(1, -(-usable // _PAIRS)))
    names = together.map_partitions(_later_ones, folder, meta=pd.DataFrame({"file": pd.Series([], dtype=object)}))
    with dask.config.set({"temporary_directory": str(Path(folder) / "again")}):  # where it shuffles on one machine
        return [str(name) for name in names.compute()["file"]]


def _pairs(part: int, whole: _Whole, folder: str) -> pd.DataFrame:
    """Give the numbers of a partition that may be texted, and where they are."""
    draft = _read_draft(folder, part, ["number", "status", "segment"])
    usable = np.flatnonzero((draft["status"] == _READY) & whole.counts[whole.codes[draft["segment"]]])
    position = (np.int64(part) << _ROW_BITS) | usable
    return pd.DataFrame({"number": draft["number"][usable], "position": position})


def _later_ones(pairs: pd.DataFrame, folder: str) -> pd.DataFrame:
    """Write the positions of all but the first of each number, given all pairs of these numbers in any order."""
    position = pairs["position"].to_numpy()
    order = np.argsort(position, kind="stable")
    again = pairs["number"].take(order).duplicated().to_numpy()
    file = Path(folder) / "again" / f"{uuid.uuid4().hex}.npy"
    np.save(file, position[order[again]])
    return pd.DataFrame({"file": pd.Series([str(file)], dtype=object)})


# Steps 3 and 4


def _verdict(
    draft: dict[str, NDArray[Any]], part: int, again: Sequence[str], whole: _Whole
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int64]]:
    """Give the codes of status, reason and segment of a partition's rows, given the files of the duplicates."""
    status, reason, segment = draft["status"].copy(), draft["reason"].copy(), whole.codes[draft["segment"]]
    set_aside(status, reason, segment, whole.counts)
    is_again = np.zeros(len(status), dtype=bool)
    for name in again:
        positions = np.load(name, mmap_mode="r")
        start, stop = np.searchsorted(positions, np.array([part, part + 1]) << _ROW_BITS)
        is_again[np.asarray(positions[start:stop]) - (part << _ROW_BITS)] = True
    usable = np.flatnonzero(status == _READY)
    mark_duplicates(status, reason, usable, is_again[usable])
    return status, reason, segment


def _counted(part: int, folder: str, again: Sequence[str], whole: _Whole) -> NDArray[np.int64]:
    """Count the recipients of a partition by segment."""
    status, _, segment = _verdict(_read_draft(folder, part, ["status", "reason", "segment"]), part, again, whole)
    counts: NDArray[np.int64] = np.bincount(segment[status == _READY], minlength=len(whole.counts) - 1)
    return counts


def _written(
    part: int, folder: str, again: Sequence[str], whole: _Whole, max_batch: int, like: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write the rows of a partition; how many there are of each status and reason, and recipients of each network."""
    table = pq.read_table(_draft_file(folder, part), use_pandas_metadata=True)
    draft = {name: table[name].to_numpy() for name in ("number", "status", "reason", "segment")}
    status, reason, segment = _verdict(draft, part, again, whole)
    ready = status == _READY
    mine = segment[ready]
    batch = equal_batches(mine, max_batch, whole.before, whole.sizes)
    index = table.select([name for name in table.column_names if name not in draft]).to_pandas().index
    frame = decided_frame(draft["number"], status, reason, batch, index)
    if "segment" in like:
        segments: Any = like["segment"].dtype
        frame["segment"] = pd.Categorical.from_codes(segment, dtype=segments)
    try:
        write_part(folder, part, frame)
    except (pa.ArrowException, ValueError, TypeError):
        raise InvalidInput(
            "by holds values of several kinds, which can't be written as Parquet: make the segments text."
        ) from None
    numbers = draft["number"][ready]
    np.save(numbers_file(folder, part), numbers[np.argsort(mine, kind="stable")])
    why = len(REASONS) + 1
    code = status.astype(np.int64) * why + np.where(reason < 0, len(REASONS), reason)
    rows = np.bincount(code, minlength=len(STATUSES) * why).reshape(-1, why)
    names, _ = numbering.networks()
    network = frame["network"].cat.codes.to_numpy()[ready]
    return rows, np.bincount(np.where(network < 0, len(names), network), minlength=len(names) + 1)


# What the steps share


def _phone_column(ddf: Any, phone: Hashable | None) -> Hashable:
    """Find the column of phones as in a DataFrame; by content, it is looked for in a sample of some partitions."""
    empty = ddf._meta  # noqa: SLF001 - Dask's word for it
    if phone is not None or sum(map(named_as_phone, empty.columns)) == 1:
        return phone_column(empty, phone)
    chosen = np.unique(np.linspace(0, ddf.npartitions - 1, _LOOKED_AT).astype(int)).tolist()
    looked_at = [ddf.partitions[number].map_partitions(_sample, meta=empty) for number in chosen]
    return phone_column(pd.concat(dask.compute(*looked_at)))


def _sample(part: pd.DataFrame) -> pd.DataFrame:
    return part.iloc[:: max(1, len(part) // _SAMPLE)]


def _partitions(ddf: Any, column: Hashable, by: Any) -> list[tuple[Any, Any]]:
    """Give the partitions of what is needed of the customers; and of a Series of segments, where there is one."""
    labels, named = list(ddf.columns), [column]
    is_dask = type(by).__module__.partition(".")[0] in {"dask", "dask_expr"}
    if by is None or is_dask:
        parts = _each(ddf[named])
        if not is_dask:
            return [(part, None) for part in parts]
        segments = _each(by) if getattr(by, "ndim", 0) == 1 else []
        if len(segments) != len(parts):
            raise InvalidInput(
                f"by is a Dask collection of {len(segments):,} partitions and the data has {len(parts):,}: name a column "
                "of the data."
            )
        return list(zip(parts, segments, strict=True))
    if pd.api.types.is_list_like(by) and not isinstance(by, tuple):
        raise InvalidInput(f"by is {shown(by)}: of a Dask DataFrame, name a column, or give a Dask Series of it.")
    places = [] if by is pd.NA else [place for place, label in enumerate(labels) if label == by]
    if len(places) != 1:
        segments_of(ddf._meta, by)  # noqa: SLF001 - says what is wrong
    if by != column:
        named.append(labels[places[0]])
    return [(part, None) for part in _each(ddf[named])]


def _each(collection: Any) -> list[Any]:
    """Give the partitions as they are, where Dask would put some together of which few columns are needed."""
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
        for name in ("draft", "again", "frame", "numbers"):
            (folder / name).mkdir()
    except (OSError, TypeError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise InvalidInput(f"folder {shown(given)} can't be written to ({why}): name another.") from None
    if given is None:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _check_shared(folder: Path, parts: int) -> None:
    if not all(_draft_file(folder, part).exists() for part in range(parts)):
        raise InvalidInput(
            f"Dask's workers have written nothing that can be read here into {folder}: name a folder that all machines "
            "share with folder=…"
        )


def _draft_file(folder: str | Path, part: int) -> Path:
    return Path(folder) / "draft" / f"part-{part:06}.parquet"


def _read_draft(folder: str, part: int, names: list[str]) -> dict[str, NDArray[Any]]:
    table = pq.read_table(_draft_file(folder, part), columns=names, use_pandas_metadata=False)
    return {name: table[name].to_numpy() for name in names}


def _done(parts: Sequence[Any]) -> list[Any]:
    return list(dask.compute(*parts))
