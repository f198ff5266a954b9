"""Sorting, joining and cutting readings as columns."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series

Keys = NDArray[np.int32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

EMPTY: Final = Series(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint32))


def take(series: Series, rows: NDArray[Any] | slice) -> Series:
    """The rows that an index array, a mask or a slice names."""
    return Series(series.signal[rows], series.time[rows], series.value[rows], series.quality[rows])


def join(parts: Sequence[Series | ReadingBatch]) -> Series:
    """All rows of `parts`, one after the other."""
    if not parts:
        return EMPTY
    if len(parts) == 1:
        only = parts[0]
        return Series(only.signal, only.time, only.value, only.quality)
    return Series(
        np.concatenate([p.signal for p in parts]),
        np.concatenate([p.time for p in parts]),
        np.concatenate([p.value for p in parts]),
        np.concatenate([p.quality for p in parts]),
    )


def last_wins(series: Series) -> Series:
    """Rows ordered by (signal, time), one per pair: the last of `series` that has it."""
    n = len(series)
    if n < 2:
        return series
    signal, time = series.signal, series.time
    if not _ordered(signal, time):
        series = take(series, _order(signal, time))
        signal, time = series.signal, series.time
    repeated = (signal[1:] == signal[:-1]) & (time[1:] == time[:-1])
    if not repeated.any():
        return series
    return take(series, np.append(~repeated, True))


def run_starts(*columns: NDArray[Any]) -> NDArray[np.intp]:
    """Where a run of rows with equal `columns` begins; the rows are ordered by them and not empty."""
    changed = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        changed |= column[1:] != column[:-1]
    return np.concatenate(([0], np.flatnonzero(changed) + 1))


def ranges(first: Rows, count: Rows) -> Rows:
    """first[i], first[i]+1, ... count[i] of them, for every i in turn."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    rows: Rows = np.arange(total) + np.repeat(first - (ends - count), count)
    return rows


def _ordered(signal: Keys, time: Rows) -> bool:
    rising = signal[1:] > signal[:-1]
    return bool((rising | ((signal[1:] == signal[:-1]) & (time[1:] >= time[:-1]))).all())


def _order(signal: Keys, time: Rows) -> NDArray[np.intp]:
    if signal.max() >= 1 << 16 or signal.min() < 0:
        return np.lexsort((time, signal))
    # Sorting 16-bit keys is a radix sort; readings mostly arrive in time order, so it mostly suffices.
    order = np.argsort(signal.astype(np.uint16), kind="stable")
    if _ordered(signal[order], time[order]):
        return order
    return np.lexsort((time, signal))
