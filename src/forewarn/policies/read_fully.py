"""Which rows of a stored stretch were read as often as its signals are read: what a gateway thinned is not judged."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Series

_STEPS: Final = 10  # a part of the stretch that is looked at as one
FULL: Final = 0.75  # of the readings that its rate would give: raw data lose some on the way, thinned data lose most
_LEAST: Final = 5.0  # readings in a part that a signal needs to tell


def read_fully(
    time: NDArray[np.int64], readings: Series, rate_hz: Mapping[int, float], step_us: int, before: int
) -> NDArray[np.bool_]:
    """bool[n]: rows beginning at `time` (microseconds) that stand in parts read in full, together with the `before`
    rows before them. rate_hz: by signal key; the signal that comes most fully speaks for all, as others may report on
    change alone. All where no signal is read often enough to tell."""
    part_us = _STEPS * step_us
    expected = {key: hz * part_us / 1e6 for key, hz in rate_hz.items() if hz * part_us / 1e6 >= _LEAST}
    if not expected or not len(time):
        return np.ones(len(time), np.bool_)
    first = (int(time.min()) - before * step_us) // part_us
    count = int(time.max()) // part_us - first + 1
    filled = np.zeros(count)
    for key, wanted in expected.items():
        part = _within(readings.time[readings.signal == key] // part_us - first, count)
        filled = np.maximum(filled, np.bincount(part, minlength=count) / wanted)
    # The newest part is not over yet, and one at the end of what is stored never will be.
    lacking = np.r_[0, np.cumsum(filled < FULL)]
    since, until = (time - before * step_us) // part_us - first, time // part_us - first
    return np.asarray(lacking[until + 1] == lacking[since])


def share_read(readings: Series, rate_hz: Mapping[int, float], length_us: int) -> float | None:
    """Of the signal that came most fully in a stretch so long: its readings over those that its rate would give. None
    where no signal is read often enough to tell."""
    expected = {key: hz * length_us / 1e6 for key, hz in rate_hz.items() if hz * length_us / 1e6 >= _LEAST}
    keys, counts = np.unique(readings.signal, return_counts=True)
    found = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    return max((found.get(key, 0) / wanted for key, wanted in expected.items()), default=None)


def _within(part: NDArray[np.int64], count: int) -> NDArray[Any]:
    return part[(part >= 0) & (part < count)]
