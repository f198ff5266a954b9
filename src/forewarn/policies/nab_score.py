"""The score of the Numenta Anomaly Benchmark (Lavin & Ahmad, ICMLA 2015; as its v1.1 computes it).

The first alarm inside a labelled window earns the more the earlier it comes; every alarm outside costs, less so just
after a window; a missed window costs. Rows of probation at a file's beginning count for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.detection_metrics import COSTS, Flags, Profiles, scaled

_PROBATION: Final = 0.15
_PROBATION_ROWS: Final = 5000  # of a longer file no more than of one this long
_STEEP: Final = 5.0
_FAR: Final = 3.0  # widths after a window; an alarm beyond costs in full


@dataclass(frozen=True, slots=True, eq=False)
class NabFile:
    """alarm: bool[n]. windows: intp[k, 2], first and last row of each labelled window, in order, apart."""

    alarm: Flags
    windows: NDArray[np.intp]


def probation(rows: int) -> int:
    """Rows at the beginning of a file that are not scored."""
    return int(np.ceil(min(np.floor(_PROBATION * rows), _PROBATION * _PROBATION_ROWS)))


def nab_score(files: Sequence[NabFile]) -> Profiles:
    """0 = silence, 100 = every window found at its first row and nothing else. NaN where no window is scored."""
    raw, windows = np.zeros(len(COSTS)), 0
    for file in files:
        own, scored = _raw(file)
        raw, windows = raw + own, windows + scored
    return scaled(raw, windows)


def raw_scores(file: NabFile) -> NDArray[np.float64]:
    """float64[3], unscaled, standard, low FP, low FN: as the benchmark's own files of results state them by file."""
    return _raw(file)[0]


def _raw(file: NabFile) -> tuple[NDArray[np.float64], int]:
    rows = len(file.alarm)
    alarm = file.alarm.copy()
    alarm[: probation(rows)] = False
    first, last = file.windows[:, 0], file.windows[:, 1]
    at = np.flatnonzero(alarm)
    window = np.searchsorted(first, at, side="right") - 1  # the one that holds it or stands before it
    width = (last - first + 1).astype(np.float64)
    inside = (window >= 0) & (at <= last[window]) if len(first) else np.zeros(len(at), bool)
    hit, earliest = np.unique(window[inside], return_index=True)
    place = -(last[hit] - at[inside][earliest] + 1) / width[hit]
    earned = float((_sigmoid(place) / _sigmoid(np.array(-1.0))).sum())
    fined = float(_fine(at[~inside], window[~inside], last, width).sum())
    scored = int((last >= probation(rows)).sum())
    missed = scored - len(hit)
    return np.array([earned - fp * fined - fn * missed for fp, fn in COSTS]), scored


def _fine(
    at: NDArray[np.intp], window: NDArray[np.intp], last: NDArray[np.intp], width: NDArray[np.float64]
) -> NDArray[np.float64]:
    """0 to 1 for each alarm outside a window."""
    after = np.full(len(at), np.inf)
    known = window >= 0
    after[known] = (at[known] - last[window[known]]) / np.maximum(width[window[known]] - 1, 1)
    return np.where(after > _FAR, 1.0, -_sigmoid(np.minimum(after, _FAR)))


def _sigmoid(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 well before the right edge of a window, 0 there, -1 well after."""
    return np.asarray(2 / (1 + np.exp(_STEEP * place)) - 1)
