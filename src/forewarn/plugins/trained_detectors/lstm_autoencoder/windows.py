"""Rows made into the network's windows: gaps filled forward, every signal on its machine's own healthy range."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Floats
from forewarn.policies.standard_rows import Mask, Matrix, with_opinion

# A value this many healthy ranges away says all there is to say, and float32 holds it.
_FARTHEST: Final = 1e4
# Steps of a healthy range: what another unit changes in the last digit is rounded away.
_STEPS: Final = 2.0**20


def healthy_range(healthy: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """(low[m], width[m], middle[m]): least value, most less least, and the mean on that scale (0-1).

    The width is NaN where a signal is constant or never known, so that it takes no part."""
    known = np.isfinite(healthy)
    count = known.sum(axis=0)
    low = np.where(known, healthy, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, healthy, -np.inf).max(axis=0, initial=-np.inf)
    with np.errstate(all="ignore"):
        width = high - low
        moves = (count > 1) & (width > 1e-12 * np.maximum(np.abs(low), np.abs(high))) & np.isfinite(width)
        middle = np.where(known, (healthy - low) / width, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(moves, low, 0.0), np.where(moves, width, np.nan), np.where(moves, middle, 0.0)


def scaled(blocks: Matrix, low: Matrix, width: Matrix) -> Matrix:
    """blocks[k, n, m] as MinMax has it (low, width: [k, m]), not clipped: beyond 0-1 lies what health never showed.
    NaN where nothing is known or the signal takes no part."""
    with np.errstate(all="ignore"):
        x = (np.where(np.isfinite(blocks), blocks, np.nan) - low[:, None]) / width[:, None]
        x = np.clip(x, -_FARTHEST, _FARTHEST)
    return np.asarray(np.rint(x * _STEPS) / _STEPS)


def filled_forward(x: Matrix, most: int) -> Matrix:
    """x[k, n, m], up to `most` rows of a gap filled with the value before it, and nothing over a row without values."""
    row = np.arange(x.shape[1])[:, None]
    known = ~np.isnan(x)
    last = np.maximum.accumulate(np.where(known, row, -1), axis=1)
    broken = np.maximum.accumulate(np.where(known.any(axis=2, keepdims=True), -1, row), axis=1)
    usable = (last > broken) & (row - last <= most)
    return np.where(usable, np.take_along_axis(x, np.maximum(last, 0), axis=1), np.nan)


def whole_windows(x: Matrix, raw: Matrix, known: Mask, steps: int) -> tuple[Mask, Mask]:
    """Of the windows that end at rows steps - 1 and later of the filled x[k, n, m]: (present[k, w, m]: signals with a
    value at every step; opinion[k, w]: there is enough of them, and of values in the last row as it came, `raw`)."""
    count = np.concatenate((np.zeros((len(x), 1, x.shape[2]), np.intp), np.cumsum(~np.isnan(x), axis=1)), axis=1)
    present = (count[:, steps:] - count[:, :-steps]) == steps
    enough = present.any(axis=2) & (2 * present.sum(axis=2) >= known.sum(axis=1)[:, None])
    return present, enough & with_opinion(raw, known, steps - 1)


def gathered(x: Matrix, end: tuple[NDArray[np.intp], NDArray[np.intp]], steps: int) -> Floats:
    """float32[w, steps, m]: the windows of x[k, n, m] that end at (block, row)."""
    block, row = end
    return np.asarray(x[block[:, None], row[:, None] + np.arange(1 - steps, 1)], np.float32)
