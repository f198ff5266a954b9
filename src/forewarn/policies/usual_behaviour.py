"""What each signal of a machine does in health, in one regime, and how far a stretch of rows departs from it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.standard_rows import centre_and_spread

Matrix = NDArray[np.float64]
_RARE: Final = 1e-3
BEYOND_DOUBT: Final = 6.0
"""Spreads from which on a departure is no chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """float64[m] each: median, robust spread (NaN where a signal is constant or hardly known), the mean absolute step
    from row to row, the values that one row in a thousand is below, or above, in the signals' units; and the share of
    rows, 0-1, that say another value than the one before (0 where nothing is known)."""

    centre: Matrix
    spread: Matrix
    step: Matrix
    low: Matrix
    high: Matrix
    change: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Departure:
    """float64[m] each; NaN = unknown. level: of the last rows' mean, in spreads. restlessness: mean absolute step over
    the healthy one. missing: share of rows without a value, 0-1."""

    level: Matrix
    restlessness: Matrix
    missing: Matrix


def usual(healthy: Matrix) -> Usual:
    """healthy: float64[n, m]."""
    centre, spread = centre_and_spread(healthy)
    step = np.abs(np.diff(healthy, axis=0))
    steps = np.sum(np.isfinite(step), axis=0)
    change = np.sum(step > 0.0, axis=0) / np.maximum(steps, 1)
    still = np.sum(step == 0.0, axis=0) * 2 > steps
    # A coarse or slow instrument stands still by itself: of its restlessness nothing can be said.
    low, high = _range(healthy)
    known = ~np.isnan(spread)
    step = np.where(still, np.nan, _mean_step(healthy))
    return Usual(centre, spread, step, np.where(known, low, np.nan), np.where(known, high, np.nan), change)


def departure(usual_: Usual, rows: Matrix, level_rows: int = 5) -> Departure:
    """rows: float64[n, m], the newest last; level_rows: as many of them say where the signal is."""
    last = rows[-level_rows:]
    known = np.isfinite(last)
    count = known.sum(axis=0)
    mean = np.where(count > 0, np.where(known, last, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    with np.errstate(all="ignore"):
        level = (mean - usual_.centre) / usual_.spread
        restless = _mean_step(rows) / usual_.step
    restless[~(usual_.step > 0)] = np.nan
    return Departure(level, restless, np.mean(~np.isfinite(rows), axis=0))


def against_expected(level: Matrix, off: Matrix, share: Matrix) -> Matrix:
    """Of a row that a model speaks of: `level`, or where it is farther what the model makes of each signal; float64[m],
    in spreads.

    off: measured less expected, in the signals' units; share: of the blame, 0-1. In a whole regime a signal moves more
    than it does while the others stand as they stand now, so a departure shows there late. The signal that the model
    blames most is beyond doubt, or it would not speak; the others depart by the root of their share, as what is squared
    is shared out. Beyond that nothing grows with the score: of a machine far from health the model expects little that
    can be relied on."""
    known = np.isfinite(off) & np.isfinite(share)
    most = np.max(share, where=known, initial=0.0)
    if not most > 0.0:
        return level
    clear = np.where(known, np.sign(off) * np.sqrt(np.maximum(share, 0.0) / most) * BEYOND_DOUBT, np.nan)
    return np.where(known & ~(np.abs(level) >= np.abs(clear)), clear, level)


def _range(healthy: Matrix) -> tuple[Matrix, Matrix]:
    low, high = np.full(healthy.shape[1], np.nan), np.full(healthy.shape[1], np.nan)
    for c, column in enumerate(healthy.T):
        value = column[np.isfinite(column)]
        if len(value):
            low[c], high[c] = np.quantile(value, (_RARE, 1.0 - _RARE))
    return low, high


def _mean_step(rows: Matrix) -> Matrix:
    """NaN where fewer than ten steps are known."""
    step = np.abs(np.diff(rows, axis=0))
    known = np.isfinite(step)
    count = known.sum(axis=0)
    total = np.where(known, step, 0.0).sum(axis=0)
    return np.where(count >= 10, total / np.maximum(count, 1), np.nan)
