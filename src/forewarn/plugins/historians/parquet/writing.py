"""From a sorted tail to files: one segment an hour, rollups a minute and an hour."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet import encoding, rollup, statistics
from forewarn.plugins.historians.parquet.manifest import BUCKET_US, PARTITION_US, FileEntry, Kind
from forewarn.plugins.historians.parquet.rows import Mask, Rows, join, last_wins, run_starts, take
from forewarn.plugins.historians.parquet.sorted_file import SortedFileWriter, Written
from forewarn.plugins.historians.parquet.statistics import Statistics
from forewarn.plugins.historians.parquet.store import CHUNK_ROWS, Store

_HOUR_US: Final = PARTITION_US[Kind.RAW]


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a file goes and which flushes it holds."""

    directory: Path
    kind: Kind
    partition: int
    oldest: int
    generation: int

    @property
    def path(self) -> str:
        day, _, hour = str(np.datetime64(self.partition, "us")).partition("T")
        folder = f"{day}/{hour[:2]}" if self.kind is Kind.RAW else day
        name = (
            f"{self.generation:08d}" if self.oldest == self.generation else f"{self.oldest:08d}-{self.generation:08d}"
        )
        return f"{self.kind.value}/{folder}/{name}.parquet"

    def entry(self, written: Written, span: tuple[int, int], *, overwrites: int) -> FileEntry:
        return FileEntry(
            self.path,
            self.kind,
            self.partition,
            self.oldest,
            self.generation,
            *span,
            written.min_signal,
            written.max_signal,
            written.rows,
            written.bytes,
            written.footer_crc,
            overwrites,
        )


def write_flush(store: Store, directory: Path, generation: int, series: Series, overwrites: Mask) -> list[FileEntry]:
    """Files for reconciled rows; on disk for good, and garbage until the manifest lists them."""
    entries: list[FileEntry] = []
    for partition, rows in _partitions(series.time, _HOUR_US):
        place = FilePlace(directory, Kind.RAW, partition, generation, generation)
        entries.append(write_segment(place, take(series, rows), overwrites=int(np.count_nonzero(overwrites[rows]))))
    minutes = statistics.measure(series, BUCKET_US[Kind.MINUTE])
    hours = statistics.merge(statistics.coarsen(minutes, BUCKET_US[Kind.HOUR]))
    if overwrites.any():
        minutes = _repaired(store, series, overwrites, minutes, BUCKET_US[Kind.MINUTE])
        hours = _repaired(store, series, overwrites, hours, BUCKET_US[Kind.HOUR])
    for kind, rows_of in ((Kind.MINUTE, minutes), (Kind.HOUR, hours)):
        for partition, part in _partitions(rows_of.start, PARTITION_US[kind]):
            place = FilePlace(directory, kind, partition, generation, generation)
            entries.append(write_rollup(place, rows_of.take(part)))
    return entries


def write_segment(place: FilePlace, series: Series, *, overwrites: int) -> FileEntry:
    """One raw file of rows ordered by (signal, time), of which so many overwrite a stored reading."""
    count = np.diff(run_starts(series.signal), append=len(series))
    piece, shape = encoding.encode(series, count)
    writer = SortedFileWriter(place.directory / place.path, encoding.layout(shape))
    try:
        writer.write(piece)
        written = writer.finish()
    except BaseException:
        writer.abandon()
        raise
    span = (int(series.time.min()), int(series.time.max()))
    return place.entry(written, span, overwrites=overwrites)


def write_rollup(place: FilePlace, rows: Statistics) -> FileEntry:
    writer = SortedFileWriter(place.directory / place.path, rollup.LAYOUT)
    try:
        writer.write(rollup.encode(rows))
        written = writer.finish()
    except BaseException:
        writer.abandon()
        raise
    return place.entry(written, (int(rows.start.min()), int(rows.start.max())), overwrites=0)


def _repaired(store: Store, series: Series, overwrites: Mask, additive: Statistics, bucket_us: int) -> Statistics:
    """`additive`, its buckets that an overwrite spoils measured again from all readings, marked as replacing."""
    spoiled = take(series, overwrites)
    dirty = bucket_keys(spoiled.signal, spoiled.time // bucket_us * bucket_us)
    again: list[Statistics] = []
    for hour in np.unique(spoiled.time // _HOUR_US * _HOUR_US).tolist():
        end = hour + _HOUR_US
        inside = (spoiled.time >= hour) & (spoiled.time < end)
        signals = np.unique(spoiled.signal[inside])
        entries = store.entries(Kind.RAW, signals, hour, end)
        for chunk in store.signal_chunks(entries, signals, 4 * CHUNK_ROWS):
            mine = np.isin(series.signal, chunk) & (series.time >= hour) & (series.time < end)
            rows = last_wins(join([store.readings(chunk, hour, end), take(series, mine)]))
            measured = statistics.measure(rows, bucket_us)
            again.append(measured.take(members(measured, dirty)))
    kept = additive.take(~members(additive, dirty))
    replacing = Statistics.join(again)
    replacing.replaces[:] = True
    both = Statistics.join([kept, replacing])
    return both.take(np.lexsort((both.start, both.signal)))


def bucket_keys(signal: NDArray[np.int32], start: Rows) -> NDArray[Any]:
    """(signal, start) as records that can be compared."""
    keys = np.empty(len(signal), [("signal", np.int32), ("start", np.int64)])
    keys["signal"], keys["start"] = signal, start
    return keys


def members(rows: Statistics, keys: NDArray[Any]) -> Mask:
    """Which rows' (signal, start) are among `keys`."""
    keys = np.unique(keys)
    mine = bucket_keys(rows.signal, rows.start)
    if not len(keys):
        return np.zeros(len(mine), np.bool_)
    at = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
    return np.asarray(keys[at] == mine)


def _partitions(time: Rows, width: int) -> Iterator[tuple[int, NDArray[np.intp] | slice]]:
    """(first instant, rows in order) of each partition that holds any."""
    if not len(time):
        return
    number = time // width
    if number.min() == number.max():
        yield int(number[0]) * width, slice(None)
        return
    order = np.argsort(number, kind="stable")
    ordered = number[order]
    first = run_starts(ordered)
    for rows, at in zip(np.split(order, first[1:]), first, strict=True):
        yield int(ordered[at]) * width, rows
