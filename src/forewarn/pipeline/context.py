"""What passed lately, in memory: the raw readings before a finding, those that were sent already left out."""

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.policies.series_rows import nothing

_MOST_ROWS: Final = 400_000
_CATCH_UP_US: Final = 300_000_000
_FAR: Final = 2**62
_LONGEST_US: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, eq=False)
class _Passed:
    """rows: all of one carriage, source times first to last (microseconds UTC); sent: which were kept at this step,
    also rows of earlier ones."""

    at: int
    first: int
    last: int
    rows: ReadingBatch
    sent: Series


class Recent:
    """The last `seconds` by our clock, 400,000 readings at most. Not thread-safe."""

    def __init__(self, seconds: float) -> None:
        self._us = int(seconds * 1_000_000)
        self._passed: deque[_Passed] = deque()
        self._rows = 0

    def put(self, rows: ReadingBatch, kept: Series, now_us: int) -> None:
        """rows: all that came; kept: what was sent."""
        if not len(rows) and not len(kept):
            return
        first, last = (int(rows.time.min()), int(rows.time.max())) if len(rows) else (_FAR, -_FAR)
        self._passed.append(_Passed(now_us, first, last, rows, kept))
        self._rows += len(rows)
        while len(self._passed) > 1 and (self._rows > _MOST_ROWS or self._passed[0].at < now_us - self._us):
            self._rows -= len(self._passed.popleft().rows)

    def unsent(self, keys: NDArray[np.int32], start: int, end: int) -> Series:
        """Rows of `keys` with start <= time <= end (an hour at most) that were not sent, ordered by (signal, time).
        They count as sent from now on."""
        end = min(end, start + _LONGEST_US)
        near = [p.rows for p in self._passed if p.last >= start and p.first <= end]
        if not near:
            return nothing()
        every = ReadingBatch.concatenate(near)
        found = every.take(np.flatnonzero(_among(every.signal, keys) & (every.time >= start) & (every.time <= end)))
        signal = np.concatenate([p.sent.signal for p in self._passed])
        time = np.concatenate([p.sent.time for p in self._passed])
        sent = np.flatnonzero(_among(signal, keys) & (time >= start) & (time <= end))
        name = _names(found.signal, found.time, start)
        new = np.flatnonzero(~np.isin(name, _names(signal[sent], time[sent], start)))
        _, back = np.unique(name[new][::-1], return_index=True)  # of equal ones the last that came
        rows = new[len(new) - 1 - back]
        told = Series(found.signal[rows], found.time[rows], found.value[rows], found.quality[rows])
        if len(told):
            self._passed.append(_Passed(self._passed[-1].at, _FAR, -_FAR, _no_rows(), told))
        return told

    @property
    def since(self) -> int | None:
        """Source time from which on what came is here; None when nothing is."""
        for passed in self._passed:
            if len(passed.rows):
                return max(passed.first, passed.last - _CATCH_UP_US)  # one late reading does not reach back
        return None


def _among(signal: NDArray[np.integer[Any]], keys: NDArray[np.int32]) -> NDArray[np.bool_]:
    """np.isin of a few keys, by a table."""
    table = np.zeros(int(keys.max()) + 2, np.bool_)
    table[keys] = True
    among: NDArray[np.bool_] = table[np.minimum(signal, len(table) - 1)]
    return among


def _names(signal: NDArray[np.int32], time: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """(signal, time) as one number, for times less than 2**32 us after `start`: many times cheaper to compare than a
    pair."""
    return (signal.astype(np.int64) << 32) | (time - start)


def _no_rows() -> ReadingBatch:
    return ReadingBatch(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint32), "", 0)
