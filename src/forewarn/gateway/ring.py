"""The raw ring: the log's last hours, kept as long as the disk budget allows, to be read again."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.batch_log import BatchLog, LogDepth
from forewarn.contracts.historian_reads import Keys
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.gateway.early import ThinEarly, WaitingParcels
from forewarn.kit.clock import HOUR, MINUTE
from forewarn.policies.row_order import by_signal_and_time
from forewarn.policies.series_rows import last_told, together

CONSUMER: Final = "ring"
_AT_ONCE: Final = 200_000
# A device's clock may be so far ahead of ours, and a reading come so late, and still be found by its time.
_AHEAD_US: Final = HOUR
_LATE_US: Final = 10 * MINUTE
# What frames and parcels take in SQLite's pages for each byte of theirs: measured (a frame of 14 kB takes a third
# more), without the pages of tables that are empty, and within these bounds.
_EMPTY: Final = 128 << 10
_LEAST_OVERHEAD, _MOST_OVERHEAD = 1.1, 3.0
_FULL: Final = 0.95


class RingLog(BatchLog, Protocol):
    """A log that knows when its batches came and can be told how large it may be."""

    def offset_before(self, appended_at: int) -> int: ...
    def appended_at(self, offset: int) -> int | None: ...
    def offset_freeing(self, size: int) -> int: ...
    def used_bytes(self) -> int: ...
    def resize(self, capacity_bytes: int) -> None: ...


class SpoolRing:
    """RawRing on the raw log. A consumer of the log that lets go of batches after keep_hours, or when the budget asks
    for it, but never before the thinning has them.

    Answers `latest` and `raw` as a Historian does, for what learns from the past at a start. Thread-safe."""

    def __init__(
        self,
        log: RingLog,
        outbox: WaitingParcels,
        clock: Callable[[], int],
        *,
        keep_hours: float = 24.0,
        note: Callable[[ConditionCode, str], None] = lambda code, text: None,
        beside: Callable[[], int] = lambda: 0,
    ) -> None:
        """note: told when normal data had to be thinned further. beside: bytes of the budget that neither the log's
        frames nor the outbox's parcels may take. Raises StorageFailed."""
        self._log, self._outbox, self._clock = log, outbox, clock
        self._keep_us = int(keep_hours * HOUR)
        self._note = note
        self._beside = beside
        self._early = ThinEarly(outbox)
        log.commit(CONSUMER, 0)

    @property
    def raw_from(self) -> int | None:
        """When the oldest batch that is still here came, microseconds UTC, our clock; None when there is none. Raises
        StorageFailed."""
        depth = self._log.depth()
        return self._log.appended_at(_first(depth)) if depth.batches else None

    def keep(self) -> None:
        """Let go of what is older than keep_hours. Raises StorageFailed."""
        self._let_go(self._log.offset_before(self._clock() - self._keep_us))

    def keep_within(self, budget_bytes: int) -> None:
        """Make raw log and outbox fit: first the oldest raw batches that were thinned go, then the oldest normal
        parcels are thinned further; if that does not do, the log is full and the sources wait. Raises StorageFailed."""
        # A copy that somebody leaves in the directory must not thin what waits, nor stop the sources.
        most = max(budget_bytes - self._beside(), budget_bytes // 2)
        frames, parcels = self._log.depth().bytes, self._outbox.waiting().bytes
        by_frame, by_parcel = _overhead(self._log.used_bytes(), frames), _overhead(self._outbox.used_bytes(), parcels)
        waiting, raw = int(by_parcel * parcels), int(by_frame * frames)
        # Pages of delivered parcels are given back little by little.
        room = max(most - max(waiting, self._outbox.used_bytes(with_free=True)), 0)
        if (over := raw - int(_FULL * room)) > 0:
            self._let_go(self._log.offset_freeing(int(over / by_frame)))
        held = self._unthinned_bytes(raw)
        if (over := waiting + held - int(_FULL * most)) > 0:
            given_up = self._early.free(int(over / by_parcel))
            if given_up:
                self._note(
                    ConditionCode.THINNED_EARLY,
                    f"{given_up:,} normal readings that the site has not got were given up: the buffer of "
                    f"{budget_bytes:,} bytes is full. Findings and what is around them are kept. Bring the site back, "
                    "or give the gateway more disk",
                )
            waiting = int(by_parcel * self._outbox.waiting().bytes)
            room = max(most - max(waiting, self._outbox.used_bytes(with_free=True)), 0)
        # A twentieth more than is let go of: there is always room for the next batch.
        self._log.resize(int(room / by_frame))

    def _unthinned_bytes(self, raw: int) -> int:
        """About what the frames take that the thinning has not passed."""
        depth = self._log.depth()
        behind = max(depth.last_offset - self._outbox.offset, 0)
        return 0 if not depth.batches else int(raw * min(behind / depth.batches, 1.0))

    def _let_go(self, up_to: int) -> None:
        up_to = min(up_to, self._outbox.offset, self._log.depth().last_offset)
        if up_to > self._log.committed(CONSUMER):
            self._log.commit(CONSUMER, up_to)

    def read(self, signals: Keys, start: int, end: int) -> Series:
        """As RawRing.read. Readings that came more than ten minutes late, or from a clock more than an hour ahead, are
        not found by their time."""
        return last_told(together(list(self.pieces(signals, start, end))))

    def pieces(self, signals: Keys, start: int, end: int) -> Iterator[Series]:
        """The same in the order of arrival, some 200,000 readings of the log at a time, repeats included."""
        first = self._log.offset_before(start - _AHEAD_US)
        last = self._log.offset_before(end + _LATE_US)
        for batch in self._batches(first, last):
            inside = np.flatnonzero((batch.time >= start) & (batch.time < end))
            rows = inside[np.isin(batch.signal[inside], signals)]
            if len(rows):
                yield _ordered(batch.take(rows))

    def _batches(self, after: int, until: int) -> Iterator[ReadingBatch]:
        while after < until:
            found = [pair for pair in self._log.read(after, _AT_ONCE) if pair[0] <= until]
            if not found:
                return
            after = found[-1][0]
            yield ReadingBatch.concatenate([batch for _, batch in found])

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        """As HistorianReads.raw, of what is here."""
        series = self.read(signals, start, end)
        if limit is None or not len(series):
            return series
        from_end = np.arange(len(series))[::-1] - _ends(series.signal)[::-1]
        newest = from_end[::-1] > -limit
        return Series(series.signal[newest], series.time[newest], series.value[newest], series.quality[newest])

    def latest(self, signals: Keys) -> Series:
        """As Historian.latest, of what is here."""
        found: list[Series] = []
        wanted = np.unique(signals)
        until, newest = self._log.depth().last_offset, self._clock()
        for back in (2 * MINUTE, HOUR, self._keep_us):
            after = self._log.offset_before(newest - back)
            for batch in self._batches(after, until):
                rows = _ordered(batch.take(np.isin(batch.signal, wanted)))
                found.append(_last(rows))
            until = min(until, after)
            wanted = np.setdiff1d(wanted, np.concatenate([f.signal for f in found])) if found else wanted
            if not len(wanted):
                break
        return _last(together(found))


def _overhead(used: int, payload: int) -> float:
    return min(max((used - _EMPTY) / max(payload, 1), _LEAST_OVERHEAD), _MOST_OVERHEAD)


def _first(depth: LogDepth) -> int:
    return depth.last_offset - depth.batches + 1


def _ordered(batch: ReadingBatch) -> Series:
    order = by_signal_and_time(batch.signal, batch.time)
    b = batch if order is None else batch.take(order)
    return Series(b.signal, b.time, b.value, b.quality)


def _last(rows: Series) -> Series:
    """The last row of each signal."""
    last = np.ones(len(rows), np.bool_)
    last[:-1] = rows.signal[1:] != rows.signal[:-1]
    return Series(rows.signal[last], rows.time[last], rows.value[last], rows.quality[last])


def _ends(signal: NDArray[np.int32]) -> NDArray[np.intp]:
    """Of each row, where its signal's last row is."""
    last = np.append(np.flatnonzero(signal[1:] != signal[:-1]), len(signal) - 1)
    return last[np.searchsorted(last, np.arange(len(signal)))]
