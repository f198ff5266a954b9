"""What each signal of a machine does in health, in one regime, and how far a stretch of rows departs from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.standard_rows import centre_and_spread

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """float64[m] each: median, robust spread (NaN where a signal is constant or hardly known), and the mean absolute
    step from row to row, in the signals' units."""

    centre: Matrix
    spread: Matrix
    step: Matrix


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
    still = np.sum(step == 0.0, axis=0) * 2 > np.sum(np.isfinite(step), axis=0)
    # A coarse or slow instrument stands still by itself: of its restlessness nothing can be said.
    return Usual(centre, spread, np.where(still, np.nan, _mean_step(healthy)))


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


def _mean_step(rows: Matrix) -> Matrix:
    """NaN where fewer than ten steps are known."""
    step = np.abs(np.diff(rows, axis=0))
    known = np.isfinite(step)
    count = known.sum(axis=0)
    total = np.where(known, step, 0.0).sum(axis=0)
    return np.where(count >= 10, total / np.maximum(count, 1), np.nan)
