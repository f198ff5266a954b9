"""Reading of what is on disk: segments and rollup files of one inventory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from forewarn.domain.errors import WouldBlock
from forewarn.domain.series import Series
from forewarn.domain.status import is_good
from forewarn.plugins.historians.parquet import rollup, statistics
from forewarn.plugins.historians.parquet.encoding import decode, qualities, time_columns, value_columns, values
from forewarn.plugins.historians.parquet.manifest import FileEntry, Inventory, Kind
from forewarn.plugins.historians.parquet.row_groups import GroupCache
from forewarn.plugins.historians.parquet.rows import Keys, join, last_wins, take
from forewarn.plugins.historians.parquet.sorted_file import ChunkPlan, SortedFile
from forewarn.plugins.historians.parquet.statistics import Statistics

CHUNK_ROWS: Final = 262_144
KEPT_BYTES: Final = 96 << 20
_KEPT_GROUPS: Final = 32
_FEW_FILES: Final = 4
# What may be done on an event loop: about a millisecond.
_QUICK_SIGNALS: Final = 8
_QUICK_GROUPS: Final = 8
_QUICK_ROWS: Final = 5_000
_ALWAYS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)
T = TypeVar("T")


class FileCache:
    """Open files by path, the least recently used dropped beyond `capacity` bytes of footers; and `kept` bytes of the
    row groups that were last read. Thread-safe."""

    def __init__(self, directory: Path, capacity: int = 48 << 20, kept: int = KEPT_BYTES) -> None:
        self._directory, self._capacity = directory, capacity
        self._kept = GroupCache(kept)
        self._lock = threading.Lock()
        self._files: OrderedDict[str, SortedFile] = OrderedDict()
        self._weight = 0

    def opened(self, entry: FileEntry) -> SortedFile | None:
        """The file, if it is open."""
        with self._lock:
            if (file := self._files.get(entry.path)) is not None:
                self._files.move_to_end(entry.path)
            return file

    def open(self, entry: FileEntry) -> SortedFile:
        if (known := self.opened(entry)) is not None:
            return known
        file = SortedFile(self._directory / entry.path, entry.bytes, entry.footer_crc, self._kept)
        with self._lock:
            if entry.path not in self._files:
                self._files[entry.path] = file
                self._weight += file.weight
            while self._weight > self._capacity and len(self._files) > 1:
                self._weight -= self._files.popitem(last=False)[1].weight
        return file

    def forget(self, paths: Sequence[str]) -> None:
        self._kept.forget({self._directory / path for path in paths})
        with self._lock:
            for path in paths:
                if (file := self._files.pop(path, None)) is not None:
                    self._weight -= file.weight


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """Ranges are [start, end) in microseconds; `signals` ascending and unique, None = all.

    keeps: row groups of small answers stay in memory for the next one.
    at_once: raise WouldBlock instead of reading a file or working long."""

    inventory: Inventory
    cache: FileCache
    workers: Executor
    keeps: bool = True
    at_once: bool = False

    def admit(self, signals: Keys | None, rows: int = 0) -> None:
        """Raises WouldBlock when so many signals, or rows of the tail, are not to be had at once."""
        if self.at_once and (signals is None or len(signals) > _QUICK_SIGNALS or rows > _QUICK_ROWS):
            raise WouldBlock("this is much work")

    def entries(self, kind: Kind, signals: Keys | None, start: int, end: int) -> list[FileEntry]:
        """Files that may hold such rows, by partition, then generation."""
        return [
            entry
            for partition in self.inventory.partitions(kind, start, end)
            for entry in self.inventory.files[kind, partition]
            if _may_hold(entry, signals, start, end)
        ]

    def readings(self, signals: Keys | None, start: int, end: int) -> Series:
        """Ordered by (signal, time), the newest generation of each."""
        plans = self._plans(self.entries(Kind.RAW, signals, start, end), signals)
        return last_wins(join([part for part in self._map(lambda plan: _cut(plan, start, end), plans) if len(part)]))

    def most_readings(self, signals: Keys, start: int, end: int) -> int:
        """Not more than these are stored."""
        entries = self.entries(Kind.RAW, signals, start, end)
        if self.at_once:
            return sum(plan.rows for plan in self._plans(entries, signals))
        return sum(self.cache.open(e).rows_of(signals) for e in entries)

    def measured(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> list[Statistics]:
        """Statistics of stored readings in parts to merge, from raw."""
        if self.at_once:
            self._plans(self.entries(Kind.RAW, signals, start, end), signals)
        parts: list[Statistics] = []
        plain: list[FileEntry] = []
        for partition in self.inventory.partitions(Kind.RAW, start, end):
            entries = [e for e in self.inventory.files[Kind.RAW, partition] if _may_hold(e, signals, start, end)]
            if any(e.overwrites for e in entries):
                parts += [
                    statistics.measure(self.newest(entries, chunk, start, end), bucket_us)
                    for chunk in self.signal_chunks(entries, signals, 4 * CHUNK_ROWS)
                ]
            else:
                plain += entries
        spans = {self.cache.open(e).path: (e.min_time, e.max_time) for e in plain}
        plans = self._plans(plain, signals)
        return parts + self._map(lambda plan: _measure(plan, spans[plan.file.path], start, end, bucket_us), plans)

    def rolled(self, kind: Kind, signals: Keys | None, start: int, end: int) -> Statistics:
        """Rows of a rollup whose buckets start in [start, end), in order, those replaced dropped; not merged."""
        plans = self._plans(self.entries(kind, signals, start, end), signals)
        parts = self._map(lambda plan: rollup.read(plan, start, end), plans)
        return statistics.resolve(Statistics.join(parts)) if parts else statistics.empty()

    def rolled_in(self, entries: Sequence[FileEntry], signals: Keys) -> Statistics:
        """Rows of these rollup files, in order, those replaced dropped; not merged."""
        return statistics.resolve(Statistics.join([rollup.read(p, *_ALWAYS) for p in self._plans(entries, signals)]))

    def newest(
        self, entries: Sequence[FileEntry], signals: Keys, start: int = _ALWAYS[0], end: int = _ALWAYS[1]
    ) -> Series:
        """Rows of these segments, given in order of generation: the last of each (signal, time)."""
        return last_wins(join([_cut(plan, start, end) for plan in self._plans(entries, signals)]))

    def signal_chunks(self, entries: Sequence[FileEntry], signals: Keys | None, max_rows: int) -> list[Keys]:
        """The signals of these files, in groups whose rows together are about `max_rows`."""
        return signal_groups([self.cache.open(e) for e in entries], signals, max_rows)

    def _plans(self, entries: Sequence[FileEntry], signals: Keys | None) -> list[ChunkPlan]:
        if self.at_once:
            return self._quick_plans(entries, signals)
        plans = [plan for entry in entries for plan in self.cache.open(entry).chunks(signals, CHUNK_ROWS)]
        # A scan of the fleet would push out what every chart asks for.
        if self.keeps and sum(len(plan.groups) for plan in plans) <= _KEPT_GROUPS:
            return [replace(plan, keep=True) for plan in plans]
        return plans

    def _quick_plans(self, entries: Sequence[FileEntry], signals: Keys | None) -> list[ChunkPlan]:
        if len(entries) > _QUICK_GROUPS:
            raise WouldBlock("this is much work")
        plans: list[ChunkPlan] = []
        for entry in entries:
            if (file := self.cache.opened(entry)) is None:
                raise WouldBlock(f"{entry.path} is not in memory")
            plans += [replace(plan, keep=True) for plan in file.chunks(signals, CHUNK_ROWS)]
        if sum(len(p.groups) for p in plans) > _QUICK_GROUPS or sum(p.rows for p in plans) > _QUICK_ROWS:
            raise WouldBlock("this is much work")
        if not all(plan.kept for plan in plans):
            raise WouldBlock("the readings are not in memory")
        return plans

    def _map(self, work: Callable[[ChunkPlan], T], plans: Sequence[ChunkPlan]) -> list[T]:
        # Few files, or row groups that are in memory, are not worth a thread's wake-up.
        if sum(not plan.kept for plan in plans) > _FEW_FILES:
            return list(self.workers.map(work, plans))
        return [work(plan) for plan in plans]


def signal_groups(files: Sequence[SortedFile], signals: Keys | None, max_rows: int) -> list[Keys]:
    """Signals of `files` in ascending groups of about `max_rows` rows; a group holds at least one signal."""
    if not files:
        return []
    every = np.concatenate([f.index.signal for f in files])
    count = np.concatenate([np.diff(f.index.first) for f in files])
    keys, at = np.unique(every, return_inverse=True)
    rows = np.bincount(at, count, len(keys))
    if signals is not None:
        inside = np.isin(keys, signals)
        keys, rows = keys[inside], rows[inside]
    if not len(keys):
        return []
    cuts = np.flatnonzero(np.diff((np.cumsum(rows) - 1) // max_rows)) + 1
    return np.split(keys, cuts)


def _may_hold(entry: FileEntry, signals: Keys | None, start: int, end: int) -> bool:
    if entry.max_time < start or entry.min_time >= end:
        return False
    return signals is None or (len(signals) > 0 and signals[0] <= entry.max_signal and signals[-1] >= entry.min_signal)


def _cut(plan: ChunkPlan, start: int, end: int) -> Series:
    series = decode(plan.read([*time_columns(plan.flags), *value_columns(plan.flags)]))
    inside = (series.time >= start) & (series.time < end)
    return series if inside.all() else take(series, inside)


def _measure(plan: ChunkPlan, span: tuple[int, int], start: int, end: int, bucket_us: int) -> Statistics:
    low, high = span
    columns = value_columns(plan.flags)
    if start <= low and high < end and low // bucket_us == high // bucket_us:
        # One bucket holds the whole file: no need to look at the times.
        chunk = plan.read(columns)
        quality = qualities(chunk)
        good = is_good(quality) if quality.any() else None
        bucket = np.full(chunk.rows, low // bucket_us * bucket_us)
        return statistics.measure_runs(chunk.row_signals(), bucket, values(chunk), good)
    return statistics.measure(_cut(plan, start, end), bucket_us)
