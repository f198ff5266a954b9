"""What passed lately, in memory: the raw readings before a finding, those that were sent already left out."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.policies.series_rows import nothing

_MOST_ROWS: Final = 400_000
_CATCH_UP_US: Final = 300_000_000
_FAR: Final = 2**62
_PAIR: Final = np.dtype([("signal", "<i8"), ("time", "<i8")])


@dataclass(frozen=True, slots=True, eq=False)
class _Passed:
    """rows: all of one carriage, source times first to last (microseconds UTC); sent: which were kept at this step,
    also rows of earlier ones."""

    at: int
    first: int
    last: int
    rows: ReadingBatch
    sent: NDArray[np.void]


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
        self._passed.append(_Passed(now_us, first, last, rows, pairs(kept.signal, kept.time)))
        self._rows += len(rows)
        while len(self._passed) > 1 and (self._rows > _MOST_ROWS or self._passed[0].at < now_us - self._us):
            self._rows -= len(self._passed.popleft().rows)

    def unsent(self, keys: NDArray[np.int32], start: int, end: int) -> Series:
        """Rows of `keys` with start <= time <= end that were not sent, ordered by (signal, time). They count as sent
        from now on."""
        near = [p.rows for p in self._passed if p.last >= start and p.first <= end]
        if not near:
            return nothing()
        every = ReadingBatch.concatenate(near)
        found = every.take(np.flatnonzero(_among(every.signal, keys) & (every.time >= start) & (every.time <= end)))
        name = pairs(found.signal, found.time)
        sent = np.concatenate([p.sent for p in self._passed])
        sent = sent[(sent["time"] >= start) & _among(sent["signal"], keys)]  # pairs are slow to compare
        new = np.flatnonzero(~np.isin(name, sent))
        _, back = np.unique(name[new][::-1], return_index=True)  # of equal ones the last that came
        rows = new[len(new) - 1 - back]
        told = Series(found.signal[rows], found.time[rows], found.value[rows], found.quality[rows])
        if len(told):
            last = self._passed[-1]
            self._passed[-1] = replace(last, sent=np.concatenate((last.sent, name[rows])))
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


def pairs(signal: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.void]:
    """(signal, time) as one comparable column."""
    made = np.empty(len(signal), _PAIR)
    made["signal"], made["time"] = signal, time
    return made
