"""What is slow in a healthy past: slower than a sixtieth of it. What wanders faster has been seen to come and go."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
STEADY, DRIFTING = 0.5, 0.7
LEAST_SIGNALS: Final = 2
_LEAST_WINDOW: Final = 20
_WINDOWS: Final = 60
_LEAST_WEIGHT: Final = 0.2


def slow_window(rows: int) -> int:
    """Rows over which what averages out is no drift."""
    return max(rows // _WINDOWS, _LEAST_WINDOW)


def slow_means(rows: Matrix) -> tuple[Matrix, NDArray[np.bool_]]:
    """Of rows[n, m], moving averages over `slow_window` rows about their mean, 0 where less than half of those rows are
    known; and where they are. About the first and the last rows there are half windows: a drift that begins at the end
    of the past is the one that goes on."""
    known = ~np.isnan(rows)
    window = min(slow_window(len(rows)), len(rows))
    edge = np.zeros((window // 2, rows.shape[1]))
    value, there = (np.concatenate((edge, part, edge)) for part in (centred(rows), known.astype(np.float64)))
    total, held = _sums(value, window), _sums(there, window)
    enough = 2 * held >= max(window, 1)
    mean = np.where(enough, total / np.maximum(held, 1.0), 0.0)
    seen = np.maximum(enough.sum(axis=0), 1)
    return np.where(enough, mean - mean.sum(axis=0) / seen, 0.0), enough


def slow_part(rows: Matrix) -> Matrix:
    """[m]: variance of the moving averages against that of the rows; NaN where there is none."""
    mean, seen = slow_means(rows)
    slow = np.sum(mean * mean, axis=0) / np.maximum(seen.sum(axis=0), 1)
    whole = np.sum(centred(rows) ** 2, axis=0) / np.maximum(np.sum(~np.isnan(rows), axis=0), 1)
    with np.errstate(all="ignore"):
        return np.where(seen.any(axis=0) & (whole > 0), np.minimum(slow / whole, 1.0), np.nan)


def centred(rows: Matrix) -> Matrix:
    """About the mean of each column; 0 where nothing is known."""
    known = ~np.isnan(rows)
    value = np.where(known, rows, 0.0)
    return np.where(known, value - value.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)


def weights(share: Matrix, least: int = LEAST_SIGNALS) -> Matrix:
    """[m]: 1 where at most STEADY of a variance is slow, falling to 0 at DRIFTING, where it is a wandering level more
    than noise about one. The `least` steadiest always have one."""
    weight = np.clip((DRIFTING - np.where(np.isnan(share), 1.0, share)) / (DRIFTING - STEADY), 0.0, 1.0)
    weight[weight <= _LEAST_WEIGHT] = 0.0
    if np.count_nonzero(weight) < least:
        steadiest = np.argsort(np.where(np.isnan(share), np.inf, share), kind="stable")[:least]
        weight[steadiest] = np.where(np.isnan(share[steadiest]), 0.0, np.maximum(weight[steadiest], _LEAST_WEIGHT))
    return weight


def _sums(values: Matrix, window: int) -> Matrix:
    total = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)))
    return np.asarray(total[window:] - total[: len(total) - window])
