"""Times of a steady source as even slots and what each reading lies behind its slot.

Differences of jittered times take more than the jitter itself, and spoil their neighbours at every change of signal.
Even slots take nothing, and the jitter alone is one byte or two that zstd packs to about its entropy.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.historians.parquet.rows import Mask, Rows

# Periods that sources have, in ms. A source that has another is stored as it is.
_PERIODS_MS: Final = np.sort([*(a * 10**b for b in range(5) for a in (1, 2, 4, 5)), 15_000, 30_000, 60_000])
_SAMPLES: Final = 8
_LEAST_READINGS: Final = 100
_NEAR: Final = 0.1
_IRREGULAR: Final = 0.03


def split(time: Rows, count: Rows, ticks_per_ms: int) -> tuple[Rows, NDArray[np.int32]]:
    """slot and jitter, whose sum is `time`; jitter is 0 where slots would save nothing.

    time: ordered within each signal's run, in ticks. count: rows of each signal in turn."""
    period = _periods(time, count, ticks_per_ms)
    if not (period > 1).any():
        return time, np.zeros(len(time), np.int32)
    slot = _slots(time, count, period)
    first, each = np.cumsum(count) - count, np.repeat(period, count)
    uneven = np.zeros(len(time), np.bool_)
    uneven[1:] = np.diff(slot) != each[1:]
    uneven[first] = False
    poor: Mask = np.add.reduceat(uneven, first, dtype=np.int64) > _IRREGULAR * count
    poor |= _spread(time - slot, count) > 1.5 * _spread(np.diff(time, prepend=time[:1]), count, skip_first=True)
    slot = np.where(np.repeat(poor, count), time, slot)
    return slot, (time - slot).astype(np.int32)


def _spread(value: Rows, count: Rows, *, skip_first: bool = False) -> NDArray[np.float64]:
    """Mean distance from the mean, of each run.

    Even jitter of width J has J/4 and its differences J/3, and they take log2(J) and log2(2 J) bits. A clock that
    drifts widens the jitter to a ramp and leaves the differences as they are; then these are cheaper."""
    first = np.cumsum(count) - count
    counted = value.astype(np.float64)
    if skip_first:  # the step from one signal to the next is none
        counted[first] = counted[np.minimum(first + 1, len(value) - 1)]
    mean = np.add.reduceat(counted, first) / count
    spread: NDArray[np.float64] = np.add.reduceat(np.abs(counted - np.repeat(mean, count)), first) / count
    return spread


def _periods(time: Rows, count: Rows, ticks_per_ms: int) -> Rows:
    """The period of each signal's run in ticks, from a sample; 1 where there is none, or no jitter."""
    first = np.cumsum(count) - count
    picks = first[:, None] + (count[:, None] - 1) * np.arange(_SAMPLES) // _SAMPLES
    step = time[np.minimum(picks + 1, len(time) - 1)] - time[picks]
    typical = np.median(step, axis=1)
    known = _PERIODS_MS * ticks_per_ms
    at = np.searchsorted(known, typical)
    below, above = known[np.maximum(at - 1, 0)], known[np.minimum(at, len(known) - 1)]
    nearest = np.where(typical - below < above - typical, below, above)
    steady = (np.abs(typical - nearest) <= _NEAR * nearest) & (count >= _LEAST_READINGS)
    jittered = step.max(axis=1) != step.min(axis=1)
    return np.where(steady & jittered, nearest, 1)


def _slots(time: Rows, count: Rows, period: Rows) -> Rows:
    """The even grid through each run that lies just before its readings."""
    first, each = np.cumsum(count) - count, np.repeat(period, count)
    half = each // 2
    off = (time - np.repeat(time[first], count) + half) % each - half
    origin = time[first] + np.minimum.reduceat(off, first)
    slots: Rows = time - (time - np.repeat(origin, count)) % each
    return slots
