"""What stays of readings when there is no room for them: the extremes of each stretch of time."""

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Series
from forewarn.domain.status import is_good


def extremes(rows: Series, stretch_us: int) -> NDArray[np.bool_]:
    """Which rows (ordered by (signal, time)) stay: of each signal and stretch the first, the least and the greatest
    good one; and where quality changes to or from anything but Good."""
    n = len(rows)
    if not n:
        return np.zeros(0, np.bool_)
    good = is_good(rows.quality) & np.isfinite(rows.value)
    stretch = rows.time // stretch_us
    new = np.ones(n, np.bool_)
    new[1:] = (rows.signal[1:] != rows.signal[:-1]) | (stretch[1:] != stretch[:-1])
    stay = new.copy()
    stay[1:] |= rows.quality[1:] != rows.quality[:-1]
    group = np.cumsum(new) - 1
    for value in (np.where(good, rows.value, np.inf), np.where(good, -rows.value, np.inf)):
        order = np.lexsort((value, group))
        first = np.flatnonzero(new)  # groups lie together and keep their sizes
        stay[order[first]] |= good[order[first]]
    return stay
