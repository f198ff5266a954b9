"""The historian's contract as a plain dict, slow and obvious."""

import math
import statistics

import numpy as np

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series


def batch(rows: list[tuple[int, int, float, int]], sequence: int = 0) -> ReadingBatch:
    return ReadingBatch(
        np.array([r[0] for r in rows], np.int32),
        np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float64),
        np.array([r[3] for r in rows], np.uint32),
        "gw",
        sequence,
    )


class ModelStore:
    def __init__(self) -> None:
        self.readings: dict[tuple[int, int], tuple[float, int]] = {}

    def append(self, readings: ReadingBatch) -> None:
        columns = (readings.signal, readings.time, readings.value, readings.quality)
        for signal, time, value, quality in zip(*(c.tolist() for c in columns), strict=True):
            self.readings[signal, time] = (value, quality)

    def latest(self, signals: list[int]) -> list[tuple[int, int, float, int]]:
        newest: dict[int, int] = {}
        for signal, time in self.readings:
            if signal in signals:
                newest[signal] = max(time, newest.get(signal, time))
        return [(s, t, *self.readings[s, t]) for s, t in sorted(newest.items())]

    def raw(
        self, signals: list[int], start: int, end: int, limit: int | None = None
    ) -> list[tuple[int, int, float, int]]:
        rows = []
        for signal in sorted(set(signals)):
            mine = sorted((t, v) for (s, t), v in self.readings.items() if s == signal and start <= t < end)
            if limit is not None:
                mine = mine[len(mine) - min(limit, len(mine)) :]
            rows += [(signal, t, *v) for t, v in mine]
        return rows

    def aggregate(self, signals: list[int] | None, start: int, end: int, bucket_us: int) -> list[tuple[float, ...]]:
        groups: dict[tuple[int, int], list[tuple[float, int]]] = {}
        for (signal, time), reading in self.readings.items():
            if start <= time < end and (signals is None or signal in signals):
                groups.setdefault((signal, time // bucket_us * bucket_us), []).append(reading)
        return [(*key, *_measured(rows)) for key, rows in sorted(groups.items())]


def _measured(rows: list[tuple[float, int]]) -> tuple[float, ...]:
    good = [value for value, quality in rows if quality >> 30 == 0]
    mean = statistics.fmean(good) if good else math.nan
    deviation = statistics.stdev(good) if len(good) > 1 else math.nan
    return mean, min(good, default=math.nan), max(good, default=math.nan), deviation, len(rows), len(good)


def bits(rows: list[tuple[int, int, float, int]]) -> list[tuple[int, int, int, int]]:
    return [(s, t, int(np.float64(v).view(np.int64)), q) for s, t, v, q in rows]


def series_bits(series: Series) -> list[tuple[int, int, int, int]]:
    value = np.ascontiguousarray(series.value).view(np.int64)
    return list(zip(series.signal.tolist(), series.time.tolist(), value.tolist(), series.quality.tolist(), strict=True))


def assert_same_aggregates(found: Aggregates, expected: list[tuple[float, ...]]) -> None:
    """Keys, counts, minimum and maximum exactly; mean within 1e-9 relative; deviation too, or as near as the
    size of the values lets float64 be."""
    want = np.array(expected, np.float64).reshape(-1, 8)
    exact = [found.signal, found.start, found.count, found.good]
    for column, at in zip(exact, (0, 1, 6, 7), strict=True):
        np.testing.assert_array_equal(column, want[:, at])
    np.testing.assert_array_equal(found.minimum, want[:, 3])
    np.testing.assert_array_equal(found.maximum, want[:, 4])
    size = np.fmax(np.abs(want[:, 3]), np.abs(want[:, 4]))
    for column, at in ((found.mean, 2), (found.stddev, 5)):
        np.testing.assert_array_equal(np.isnan(column), np.isnan(want[:, at]))
        known = ~np.isnan(want[:, at])
        apart = np.abs(column - want[:, at])[known]
        assert (apart <= 1e-9 * np.abs(want[known, at]) + 1e-14 * size[known]).all()
