"""How long a signal that reports only changes keeps silent when all is well.

A noisy measurement of a running machine changes all the time; when it stops coming while the rest of the machine is
heard, its sensor is stuck or gone. How soon that can be said follows from its longest silence so far.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.policies.runs import Runs, resized

_US: Final = 1_000_000
_UNKNOWN: Final = np.iinfo(np.int64).max
_NEVER: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class RhythmSettings:
    """headroom: over the longest silence seen; there is an opinion after `learned` readings over `learned_s`."""

    headroom: float = 4.0
    least_s: float = 30.0
    learned: int = 300
    learned_s: float = 900.0


class Rhythm:
    """By signal, in source time: intervals between good readings while the machine runs."""

    def __init__(self, settings: RhythmSettings | None = None) -> None:
        self._s = settings or RhythmSettings()
        self._last = np.zeros(0, np.int64)
        self._count = np.zeros(0, np.int64)
        self._spent = np.zeros(0, np.int64)
        self._longest = np.zeros(0, np.int64)

    def resize(self, size: int) -> None:
        self._last = resized(self._last, size, _NEVER)
        self._count, self._spent = resized(self._count, size, 0), resized(self._spent, size, 0)
        self._longest = resized(self._longest, size, 0)

    def learn(self, readings: ReadingBatch, runs: Runs, running: NDArray[np.bool_]) -> None:
        """Good readings, ordered by (signal, time). running: per run, its machine ran throughout."""
        time, owner = readings.time, runs.signal
        first, last = time[runs.start], time[runs.last]
        step = np.diff(time, prepend=time[:1])
        step[runs.start] = np.where(self._last[owner] == _NEVER, 0, first - self._last[owner])
        longest = np.maximum.reduceat(step, runs.start)
        spent = np.where(self._last[owner] == _NEVER, last - first, last - self._last[owner])
        teaches = running & (spent > 0)
        self._count[owner] += np.where(teaches, runs.length, 0)
        self._spent[owner] += np.where(teaches, spent, 0)
        self._longest[owner] = np.maximum(self._longest[owner], np.where(teaches, longest, 0))
        self._last[owner] = np.where(running, np.maximum(self._last[owner], last), _NEVER)

    def interrupted(self, signals: NDArray[np.int32]) -> None:
        """A bad reading came: the silence before the next good one is none of the signal's own."""
        self._last[signals] = _NEVER

    def longest_us(self) -> NDArray[np.int64]:
        """By signal: silence that is no longer usual, microseconds; the greatest int64 while that is not known."""
        s = self._s
        known = (self._count >= s.learned) & (self._spent >= int(s.learned_s * _US))
        limit = np.maximum(int(s.least_s * _US), (s.headroom * self._longest).astype(np.int64))
        return np.where(known, limit, _UNKNOWN)
