"""Answers from one moment's picture: files, what is newest in them, and the tail."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from forewarn.domain.errors import InvalidInput
from forewarn.domain.series import Aggregates, Series
from forewarn.plugins.historians.parquet import statistics, tail
from forewarn.plugins.historians.parquet.encoding import TIME
from forewarn.plugins.historians.parquet.late import reconcile
from forewarn.plugins.historians.parquet.latest import LatestTable
from forewarn.plugins.historians.parquet.manifest import BUCKET_US, PARTITION_US, Kind
from forewarn.plugins.historians.parquet.rows import EMPTY, Keys, Mask, join, last_wins, run_starts, take
from forewarn.plugins.historians.parquet.statistics import Statistics
from forewarn.plugins.historians.parquet.store import Store
from forewarn.plugins.historians.parquet.tail import TailView
from forewarn.plugins.historians.parquet.told_minutes import MINUTE_US, ToldMinutes
from forewarn.plugins.historians.parquet.writing import bucket_keys, members

_HOUR_US: Final = PARTITION_US[Kind.RAW]
_EXPORT_SIGNALS: Final = 64
_EXPORT: Final = pa.schema([("signal", pa.int32()), ("time", TIME), ("value", pa.float64()), ("quality", pa.uint32())])


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Unchanging but for `told`, the minutes that gateways told: `newest` is the newest stored reading of each signal,
    `tails` what is not stored, oldest first.

    Raises FileNotFoundError when a file was merged away meanwhile: take a new snapshot and ask again."""

    store: Store
    newest: LatestTable
    tails: Sequence[TailView]
    told: ToldMinutes

    def raw(self, signals: Keys, start: int, end: int, limit: int | None) -> Series:
        keys = np.unique(signals)
        self.store.admit(keys)
        if limit is None:
            return self._between(keys, start, end)
        return self._newest_of(keys, start, end, limit)

    def aggregate(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> Aggregates:
        if bucket_us < 1:
            raise InvalidInput(f"a bucket of {bucket_us} us holds nothing; give at least 1", field="bucket_us")
        keys = None if signals is None else np.unique(signals)
        self.store.admit(keys)
        if end <= start:
            return statistics.to_aggregates(statistics.empty())
        if bucket_us % MINUTE_US or not self.told.holds(keys):
            return statistics.to_aggregates(self._measured(keys, start, end, bucket_us))
        self.store.admit(None)
        return statistics.to_aggregates(self._with_told(keys, start, end, bucket_us))

    def told_minutes(self, signals: Keys, start: int, end: int) -> Aggregates:
        keys = np.unique(signals)
        if not self.told.holds(keys):
            return statistics.to_aggregates(statistics.empty())
        self.store.admit(None)
        return statistics.to_aggregates(self.told.between(keys, start, end))

    def _with_told(self, keys: Keys | None, start: int, end: int, bucket_us: int) -> Statistics:
        """A minute that a gateway told of stands in for the readings that it let through, unless more are here."""
        told = self.told.between(keys, start, end)
        of_told = np.unique(told.signal)
        if keys is None or len(of_told) < len(keys):
            others = None if keys is None else np.setdiff1d(keys, of_told)
            plain = self._measured(others, start, end, bucket_us)
            plain = plain.take(~np.isin(plain.signal, of_told))
        else:
            plain = statistics.empty()
        if not len(told):
            return plain
        minutes = _fuller(self._measured(of_told, start, end, MINUTE_US), told)
        whole = statistics.merge(statistics.resolve(statistics.coarsen(minutes, bucket_us)))
        return statistics.resolve(Statistics.join([plain, whole]))

    def _measured(self, keys: Keys | None, start: int, end: int, bucket_us: int) -> Statistics:
        """From readings alone."""
        parts = [part for piece in cover(start, end, bucket_us) for part in self._piece(keys, *piece, bucket_us)]
        parts += self._of_tail(keys, start, end, bucket_us, parts)
        whole = statistics.resolve(Statistics.join(parts)) if parts else statistics.empty()
        return statistics.merge(whole)

    def export(self, signals: Keys, start: int, end: int, target: Path) -> int:
        """Parquet in pieces of a few signals and an hour's folders at a time; never under `target` until whole."""
        keys, rows = np.unique(signals), 0
        temporary = target.with_name(target.name + ".tmp")
        with pq.ParquetWriter(temporary, _EXPORT, compression="zstd") as writer:
            for group in np.array_split(keys, max(1, -(-len(keys) // _EXPORT_SIGNALS))):
                part = self._between(group, start, end)
                rows += len(part)
                columns = [part.signal, pa.array(part.time).view(TIME), part.value, part.quality]
                writer.write_table(pa.table(columns, schema=_EXPORT))
        temporary.replace(target)
        return rows

    def _fresh(self, keys: Keys | None, start: int, end: int) -> Series:
        """The tails' readings, in order."""
        fresh = tail.select(self.tails, keys, start, end)
        self.store.admit(keys, len(fresh))
        return fresh

    def _between(self, keys: Keys, start: int, end: int) -> Series:
        stored = self.store.readings(keys, start, end)
        fresh = self._fresh(keys, start, end)
        return last_wins(join([stored, fresh])) if len(fresh) else stored

    def _newest_of(self, keys: Keys, start: int, end: int, limit: int) -> Series:
        """Hour by hour backward until every signal has enough."""
        fresh = self._fresh(keys, start, end)
        if self.store.most_readings(keys, start, end) + len(fresh) <= limit:
            return last_wins(join([self.store.readings(keys, start, end), fresh]))
        hours = set(self.store.inventory.partitions(Kind.RAW, start, end))
        hours.update(np.unique(fresh.time // _HOUR_US * _HOUR_US).tolist())
        found: list[Series] = []
        missing = np.full(len(keys), max(limit, 0), np.int64)
        for hour in sorted(hours, reverse=True):
            wanted = keys[missing > 0]
            if not len(wanted):
                break
            low, high = max(hour, start), min(hour + _HOUR_US, end)
            mine = (fresh.time >= low) & (fresh.time < high) & np.isin(fresh.signal, wanted)
            part = last_wins(join([self.store.readings(wanted, low, high), take(fresh, mine)]))
            found.append(part)
            missing -= np.bincount(np.searchsorted(keys, part.signal), minlength=len(keys))
        return _last(last_wins(join(found)), limit)

    def _piece(
        self, keys: Keys | None, kind: Kind | None, start: int, end: int, bucket_us: int
    ) -> Iterator[Statistics]:
        if kind is None:
            yield from self.store.measured(keys, start, end, bucket_us)
            return
        rows = self.store.rolled(kind, keys, start, end)
        yield statistics.coarsen(replace(rows, replaces=np.zeros(len(rows), np.bool_)), bucket_us)

    def _of_tail(
        self, keys: Keys | None, start: int, end: int, bucket_us: int, stored: list[Statistics]
    ) -> list[Statistics]:
        """The tail's part of the answer; buckets whose stored readings it overwrites are measured again."""
        fresh = self._fresh(keys, start, end)
        if not len(fresh):
            return []
        fresh, overwrites = reconcile(self.store, self.newest, fresh)
        parts = [statistics.measure(fresh, bucket_us)]
        if overwrites.any():
            parts.append(self._again(take(fresh, overwrites), start, end, bucket_us))
        return parts

    def _again(self, spoiled: Series, start: int, end: int, bucket_us: int) -> Statistics:
        first = spoiled.time // bucket_us * bucket_us
        dirty = bucket_keys(spoiled.signal, first)
        low, high = max(int(first.min()), start), min(int(first.max()) + bucket_us, end)
        measured = statistics.measure(self._between(np.unique(spoiled.signal), low, high), bucket_us)
        replacing = measured.take(members(measured, dirty))
        replacing.replaces[:] = True
        return replacing


class AtOnce:
    """contracts.historian.HistorianReads over the picture of the moment it is asked."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        return self._snapshot().raw(signals, start, end, limit)

    def aggregate(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> Aggregates:
        return self._snapshot().aggregate(signals, start, end, bucket_us)

    def told_minutes(self, signals: Keys, start: int, end: int) -> Aggregates:
        return self._snapshot().told_minutes(signals, start, end)


def cover(start: int, end: int, bucket_us: int) -> list[tuple[Kind | None, int, int]]:
    """[start, end) as pieces, each from the coarsest rollup that fits the buckets; None = from raw."""
    pieces: list[tuple[Kind | None, int, int]] = []
    kinds = [kind for kind in (Kind.HOUR, Kind.MINUTE) if bucket_us % BUCKET_US[kind] == 0]

    def split(low: int, high: int, left: list[Kind]) -> None:
        if low >= high:
            return
        if not left:
            pieces.append((None, low, high))
            return
        width = BUCKET_US[left[0]]
        first, last = -(-low // width) * width, high // width * width
        if first >= last:
            split(low, high, left[1:])
            return
        split(low, first, left[1:])
        pieces.append((left[0], first, last))
        split(last, high, left[1:])

    split(start, end, kinds)
    return pieces


def _fuller(measured: Statistics, told: Statistics) -> Statistics:
    """Of each (signal, minute) the row of more readings; the told one where they are as many."""
    both = Statistics.join([replace(measured, replaces=np.zeros(len(measured), np.bool_)), told])
    order = np.lexsort((np.arange(len(both)), both.count, both.start, both.signal))
    rows = both.take(order)
    last = np.ones(len(rows), np.bool_)
    last[:-1] = (rows.signal[1:] != rows.signal[:-1]) | (rows.start[1:] != rows.start[:-1])
    return rows.take(last)


def _last(series: Series, limit: int) -> Series:
    """The last `limit` rows of each signal."""
    if not len(series) or limit < 1:
        return EMPTY
    first = run_starts(series.signal)
    count = np.diff(first, append=len(series))
    from_end = np.repeat(first + count, count) - np.arange(len(series))
    kept: Mask = from_end <= limit
    return take(series, kept)
