"""Statistics per (signal, bucket): made from readings, merged without loss.

Merging is the pairwise formula of Chan, Golub, LeVeque (1983) for any number of parts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Aggregates, Series
from forewarn.domain.status import is_good
from forewarn.plugins.historians.parquet.rows import Keys, Mask, Rows, run_starts

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """count: readings; good: good ones, whose mean, sum of squared deviations m2, low and high the rest are (NaN,
    and 0 for m2, where there is none). replaces: rows of an earlier generation for this bucket do not count."""

    signal: Keys
    start: Rows
    count: Rows
    good: Rows
    mean: Floats
    m2: Floats
    low: Floats
    high: Floats
    replaces: Mask

    def __len__(self) -> int:
        return len(self.signal)

    def take(self, rows: NDArray[Any] | slice) -> "Statistics":
        return Statistics(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def join(parts: "Sequence[Statistics]") -> "Statistics":
        if len(parts) == 1:
            return parts[0]
        return Statistics(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Statistics)))


def empty() -> Statistics:
    return measure(
        Series(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint32)), 1
    )


def measure(series: Series, bucket_us: int) -> Statistics:
    """Statistics of readings ordered by (signal, time)."""
    start = series.time // bucket_us * bucket_us
    good = None if not series.quality.any() else is_good(series.quality)
    return measure_runs(series.signal, start, series.value, good)


def measure_runs(signal: Keys, start: Rows, value: Floats, good: Mask | None) -> Statistics:
    """Statistics of rows ordered by (signal, start). `good` None = all are."""
    if not len(signal):
        none, zero = np.empty(0), np.empty(0, np.int64)
        return Statistics(np.empty(0, np.int32), zero, zero, zero, none, none, none, none, np.empty(0, np.bool_))
    first = run_starts(signal, start)
    count = np.diff(first, append=len(signal))
    n, mean, m2, low, high = _moments(value, first, count) if good is None else _good_moments(value, first, good)
    return Statistics(signal[first], start[first], count, n, mean, m2, low, high, np.zeros(len(first), np.bool_))


def coarsen(statistics: Statistics, bucket_us: int) -> Statistics:
    """The same in wider buckets; not yet merged."""
    start = statistics.start // bucket_us * bucket_us
    return replace(statistics, start=start)


def resolve(statistics: Statistics) -> Statistics:
    """Order rows given in order of generation by (signal, start) and drop those that a later one replaces."""
    rows = statistics.take(np.lexsort((statistics.start, statistics.signal)))
    if not rows.replaces.any():
        return rows
    first = run_starts(rows.signal, rows.start)
    at = np.arange(len(rows))
    last_replacing = np.maximum.reduceat(np.where(rows.replaces, at, -1), first)
    return rows.take(at >= np.repeat(last_replacing, np.diff(first, append=len(rows))))


def merge(statistics: Statistics) -> Statistics:
    """One row per (signal, start), of rows ordered so."""
    if not len(statistics):
        return statistics
    s = statistics
    first = run_starts(s.signal, s.start)
    if len(first) == len(s):
        return s
    size = np.diff(first, append=len(s))
    good = np.add.reduceat(s.good, first)
    part_mean = np.where(s.good > 0, s.mean, 0.0)
    with np.errstate(all="ignore"):
        # Relative to the first part, so that a large offset costs no digits.
        origin = np.repeat(_first_good(s, first, part_mean), size)
        mean = origin[first] + np.add.reduceat(s.good * (part_mean - origin), first) / good
        apart = np.where(s.good > 0, part_mean - np.repeat(mean, size), 0.0)
        m2 = np.add.reduceat(s.m2 + s.good * apart * apart, first)
        low, high = np.fmin.reduceat(s.low, first), np.fmax.reduceat(s.high, first)
    return Statistics(
        s.signal[first],
        s.start[first],
        np.add.reduceat(s.count, first),
        good,
        mean,
        m2,
        low,
        high,
        np.logical_or.reduceat(s.replaces, first),
    )


def to_aggregates(s: Statistics) -> Aggregates:
    with np.errstate(all="ignore"):
        deviation = np.where(s.good > 1, np.sqrt(s.m2 / (s.good - 1)), np.nan)
    return Aggregates(s.signal, s.start, s.mean, s.low, s.high, deviation, s.count, s.good)


def _first_good(s: Statistics, first: NDArray[np.intp], part_mean: Floats) -> Floats:
    at = np.where(s.good > 0, np.arange(len(s)), len(s) - 1)
    return part_mean[np.minimum.reduceat(at, first)]


def _moments(value: Floats, first: NDArray[np.intp], count: Rows) -> tuple[Rows, Floats, Floats, Floats, Floats]:
    low, high = np.minimum.reduceat(value, first), np.maximum.reduceat(value, first)
    origin = value[first]
    with np.errstate(all="ignore"):
        apart = value - np.repeat(origin, count)
        shift = np.add.reduceat(apart, first) / count
        apart -= np.repeat(shift, count)
        np.multiply(apart, apart, out=apart)
        m2 = np.add.reduceat(apart, first)
    return count, origin + shift, m2, low, high


def _good_moments(value: Floats, first: NDArray[np.intp], good: Mask) -> tuple[Rows, Floats, Floats, Floats, Floats]:
    n = np.add.reduceat(good, first, dtype=np.int64)
    some = n > 0
    mean, low, high = (np.full(len(n), np.nan) for _ in range(3))
    m2 = np.zeros(len(n))
    if some.any():
        kept = n[some]
        starts = np.cumsum(kept) - kept
        _, mean[some], m2[some], low[some], high[some] = _moments(value[good], starts, kept)
    return n, mean, m2, low, high
