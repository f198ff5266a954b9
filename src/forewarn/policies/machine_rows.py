"""Readings as they come, made into rows: every machine's signals side by side, a row per step of a regular grid.

A row holds the last good value of each signal within its step, or before it for at most `hold` steps; after that the
signal has no value. Rows are of source time. One is closed, and told, when its machine brings a reading more than
`GRACE` steps newer, so that sources which lag each other by a step make the same rows as the historian does
afterwards. What comes for a row that is closed is too late. Of a clock that jumps ahead as many rows are made as break
every window; one that jumps back is followed after a minute of rows that come as slowly as those in time did. What
comes faster is the past told late, unless nothing else comes for long.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.status import is_good

GRACE: Final = 1
_OPEN: Final = GRACE + 1  # rows of a machine that are still open
_NEVER: Final = np.iinfo(np.int64).min // 2
_TURN_US: Final = 60_000_000
_TURN_STEPS, _TURN_TAKES = 10, 5
_FASTER: Final = 3  # times the steps that a batch in time brings
_ANY_TAKES: Final = 200  # however fast
_FARTHEST: Final = 2**43  # steps; whoever says more does not know the time

Places = NDArray[np.intp]
Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]
# (machine[k], time[k, n], value[k, n, m], read like value: in its row, not held) -> the values that count, NaN = not.
Screen = Callable[[Places, NDArray[np.int64], Matrix, Flags], Matrix]


@dataclass(frozen=True, slots=True, eq=False)
class RowBlock:
    """As many new rows of some machines. machine: intp[k], place among the machines. time: int64[k, n], the beginning
    of each row's step, microseconds. fresh: bool[k, n], something was read in it. value: float64[k, depth + n, m], the
    `depth` rows before stand before them; NaN = nothing known."""

    machine: Places
    time: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    value: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class _Sequence:
    """Rows of the machines that a batch touches, one machine after the other. Each begins with a row of what is known
    from before, then come its open rows, then new ones; of a long silence only as many as make it one."""

    machine: Places
    start: Places
    length: Places
    bucket: NDArray[np.int64]
    raw: Matrix


class MachineRows:
    """Machines of equally many signals and one step. State is bounded by their number."""

    def __init__(
        self,
        keys: NDArray[np.int32],
        step_us: int,
        hold: NDArray[np.int64],
        depth: int,
        screen: Screen | None = None,
    ) -> None:
        """keys: int32[machines, m], signal keys, 0 where there is none. hold: int64[machines, m], steps that a value
        lasts. screen: asked of every row before it is told or kept."""
        self._screen = screen
        self.step_us, self.depth = step_us, depth
        self._hold = hold
        machines, self._width = keys.shape
        self._place: Places = np.full(int(keys.max(initial=0)) + 1, -1, np.intp)
        self._place[keys.ravel()] = np.arange(keys.size)
        self._place[0] = -1
        self._reach = int(hold.max(initial=0)) + depth + _OPEN + 1
        self._newest = np.full(machines, _NEVER)
        self._late_since = np.full(machines, _NEVER)  # of batches in which nothing was in time, and how many
        self._late_takes = np.zeros(machines, np.int64)
        self._slow_takes = np.zeros(machines, np.int64)  # the last of them, which follow on each other slowly
        self._late_newest = np.full(machines, _NEVER)
        self._pace = np.zeros(machines, np.int64)  # steps that a batch in time brings; 0 = not known
        self._turn = max(_TURN_US // step_us, _TURN_STEPS)
        self._open = np.full((machines, _OPEN, self._width), np.nan)
        self._last = np.full((machines, self._width), np.nan)
        self._age = np.zeros((machines, self._width), np.int64)
        self._ring = np.full((machines, depth, self._width), np.nan)

    def carry(self, before: "MachineRows", theirs: Places, ours: Places) -> None:
        """Go on where machines `theirs` of `before` are, as our `ours`: of the same signals, step and depth."""
        for mine, old in (
            (self._newest, before._newest),
            (self._open, before._open),
            (self._last, before._last),
            (self._age, before._age),
            (self._pace, before._pace),
            (self._ring, before._ring),
        ):
            mine[ours] = old[theirs]

    def take(self, batch: ReadingBatch) -> Iterator[RowBlock]:
        """Rows that this batch closes. `batch` is ordered by (signal, time); signals of nobody here are passed over."""
        picked = self._usable(batch)
        if not len(picked):
            return
        place, bucket = self._place[batch.signal[picked]], batch.time[picked] // self.step_us
        machine, column = np.divmod(place, self._width)
        self._newest[machine[self._newest[machine] == _NEVER]] = np.iinfo(np.int64).max
        unknown = self._newest == np.iinfo(np.int64).max
        np.minimum.at(self._newest, machine[unknown[machine]], bucket[unknown[machine]])
        in_time = bucket > self._newest[machine] - _OPEN
        if self._late_takes.any() or not in_time.all():
            self._turn_back(machine, bucket, in_time)
            in_time = bucket > self._newest[machine] - _OPEN
        if in_time.any():
            sequence = self._sequence(machine[in_time], column[in_time], bucket[in_time], batch.value[picked][in_time])
            yield from self._close(sequence)

    def _turn_back(self, machine: Places, bucket: NDArray[np.int64], in_time: Flags) -> None:
        """Machines of which nothing came in time for some batches, while what is late went on for a minute, as slowly
        as rows in time did: the clock was wrong before. They begin anew where it is now, with nothing known. What an
        outage left to be told late has readings in time beside it, or comes faster."""
        size = len(self._newest)
        first, newest = np.full(size, np.iinfo(np.int64).max), np.full(size, _NEVER)
        np.minimum.at(first, machine, bucket)
        np.maximum.at(newest, machine, bucket)
        is_late = newest != _NEVER
        is_late[machine[in_time]] = False
        goes_on = is_late & (self._late_takes > 0)
        far = np.where(self._pace > 0, _FASTER * self._pace, _FARTHEST)
        slow = newest - first <= far
        follows = goes_on & slow & (newest >= self._late_newest) & (newest - self._late_newest <= far)
        begins = is_late & ~follows
        self._late_since[begins] = first[begins]
        self._slow_takes = np.where(follows, self._slow_takes + 1, np.where(begins, slow, self._slow_takes))
        self._late_takes[is_late] += 1
        self._late_newest[is_late] = newest[is_late]
        self._late_takes[machine[in_time]] = 0
        turned = (self._slow_takes >= _TURN_TAKES) & (newest - self._late_since >= self._turn)
        turned = is_late & (turned | (self._late_takes >= _ANY_TAKES)) & (self._newest - newest > self._turn)
        if turned.any():
            self._newest[turned], self._late_takes[turned], self._age[turned] = newest[turned], 0, 0
            for kept in (self._open, self._last, self._ring):
                kept[turned] = np.nan

    def _usable(self, batch: ReadingBatch) -> NDArray[np.intp]:
        ours = batch.signal < len(self._place)
        ours[ours] = self._place[batch.signal[ours]] >= 0
        return np.flatnonzero(ours & is_good(batch.quality) & np.isfinite(batch.value))

    def _sequence(self, machine: Places, column: Places, bucket: NDArray[np.int64], value: Matrix) -> _Sequence:
        touched, at = np.unique(machine, return_inverse=True)
        base = self._newest[touched] - GRACE  # bucket of the first open row
        ahead = np.clip(bucket - base[at] - GRACE, 0, _FARTHEST)
        steps = np.unique(np.stack((at, ahead), axis=1), axis=0)
        owner, later = steps[:, 0], steps[:, 1]
        before = np.where(np.r_[True, owner[1:] != owner[:-1]], 0, np.r_[0, later[:-1]])
        total = np.cumsum(np.minimum(later - before, self._reach))
        first = np.searchsorted(owner, np.arange(len(touched)))
        moved = total - np.r_[0, total][first][owner]  # rows after the newest one known so far
        length = 1 + _OPEN + np.r_[moved[np.r_[first[1:], len(owner)] - 1]]
        start = np.cumsum(length) - length
        rows = int(length.sum())
        raw = np.full((rows, self._width), np.nan)
        raw[start] = self._last[touched]
        raw[start[:, None] + 1 + np.arange(_OPEN)] = self._open[touched]
        times = self._buckets(start, rows, base, start[owner] + _OPEN + moved, base[owner] + GRACE + later)
        of_step = np.searchsorted(_joint(owner, later), _joint(at, ahead))
        back = np.maximum(base[at] + GRACE - bucket, 0)  # a row that was open already
        raw[start[at] + _OPEN + moved[of_step] - back, column] = value
        return _Sequence(touched, start, length, times, raw)

    @staticmethod
    def _buckets(
        start: Places, rows: int, base: NDArray[np.int64], at: Places, bucket: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Of every row: counted on from the last one that is known."""
        known = np.full(rows, _NEVER)
        known[start] = base - 1
        known[at] = bucket
        anchor = np.maximum.accumulate(np.where(known == _NEVER, 0, np.arange(rows)))
        return np.asarray(known[anchor] + np.arange(rows) - anchor)

    def _close(self, rows: _Sequence) -> Iterator[RowBlock]:
        machine, start, length = rows.machine, rows.start, rows.length
        owner = np.repeat(np.arange(len(machine)), length)
        read = np.isfinite(rows.raw)
        fresh: NDArray[np.bool_] = np.logical_or.reduce(read, axis=1)
        read[start] = True
        line = np.arange(len(owner))[:, None]
        newest = np.maximum.accumulate(np.where(read, line, 0), axis=0)
        known = np.take_along_axis(rows.raw, newest, axis=0)
        age = line - newest + np.where(newest == start[owner][:, None], self._age[machine][owner], 0)
        filled = np.where(age <= self._hold[machine][owner], known, np.nan)
        closed = length - 1 - _OPEN
        last = start + closed  # the row before the first one that stays open
        self._last[machine], self._age[machine] = known[last], np.minimum(age[last], _reachable(self._hold[machine]))
        end = start + length
        self._open[machine] = rows.raw[end[:, None] - _OPEN + np.arange(_OPEN)]
        moved = rows.bucket[end - 1] - self._newest[machine]
        pace = self._pace[machine]
        self._pace[machine] = np.where(moved > 0, np.where(pace > 0, np.minimum(moved, 2 * pace), moved), pace)
        self._newest[machine] = rows.bucket[end - 1]
        for n in np.unique(closed[closed > 0]):
            some = np.flatnonzero(closed == n)
            at = start[some][:, None] + 1 + np.arange(n)
            time, value = rows.bucket[at] * self.step_us, filled[at]
            if self._screen is not None:
                value = self._screen(machine[some], time, value, read[at])
            yield self._block(machine[some], time, fresh[at], value)

    def _block(self, machine: Places, time: NDArray[np.int64], fresh: NDArray[np.bool_], filled: Matrix) -> RowBlock:
        value = np.concatenate((self._ring[machine], filled), axis=1)
        self._ring[machine] = value[:, value.shape[1] - self.depth :]
        return RowBlock(machine, time, fresh, value)


def _joint(owner: Places, later: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for both, in their order."""
    return np.asarray(owner.astype(np.int64) << np.int64(44)) + later


def _reachable(hold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ages beyond it are all the same."""
    return hold + 1
