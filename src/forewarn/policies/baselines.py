"""What is normal for each (signal, regime): a thinned memory of its healthy readings, and their median and spread.

Each slot remembers at most `window` readings. It begins with every reading; when full, every second one is
dropped and from then on only half as many are taken, until one per `longest_stride`; from there the
oldest gives way to the newest. So a slot covers all its life at even density, at the end the last
`window * longest_stride` (36 hours by default), in memory that never grows.

Robust statistics: Iglewicz & Hoaglin 1993 (median, MAD, mean absolute deviation where MAD is 0).
Effective sample size: batch means (Law & Kelton), 16 blocks.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.runs import resized

_BLOCKS: Final = 16
_REFRESHED_AT_ONCE: Final = 64
_CAUTION: Final = 5.0
_NEVER: Final = np.iinfo(np.int64).max
_COLUMNS: Final = {
    "count": (np.int32, 0),
    "head": (np.int32, 0),
    "pending": (np.int32, 0),
    "stride": (np.int64, 0),
    "due": (np.int64, -_NEVER),
    "waiting": (np.int64, _NEVER),
    "origin": (np.float64, 0.0),
    "median": (np.float64, np.nan),
    "spread": (np.float64, np.nan),
    "limit": (np.float64, np.nan),
    "floor": (np.float64, 0.0),
    "period": (np.int64, 0),
    "phase": (np.int32, 0),
}


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """Times in microseconds. See RobustZ for what each means."""

    limit: float
    headroom: float
    warm_up: int
    window: int
    refresh: int
    stride: int
    longest_stride: int
    absorb: int
    slow_share: float


class Baselines:
    """Columns by slot. `due`: no reading before this source time is taken. `waiting`: source time of the first
    reading that could have been taken since the last that was. `median`, `spread`: NaN in warm-up.
    `limit`: in spreads; NaN while the slot has no opinion."""

    def __init__(self, settings: BaselineSettings) -> None:
        self._s = settings
        self._used = 0
        self._ring = np.zeros((0, settings.window), np.float32)
        self.columns: dict[str, NDArray[Any]] = {name: np.zeros(0, dtype) for name, (dtype, _) in _COLUMNS.items()}

    def __len__(self) -> int:
        return self._used

    def allocate(
        self, floor: NDArray[np.float64], period: NDArray[np.int64], phase: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """New empty slots. floor: least spread, in the signal's unit; period: nominal microseconds a reading. phase:
        any number; slots of different ones are refreshed at different times, so that not all of a plant's are due at
        once."""
        first, self._used = self._used, self._used + len(floor)
        if self._used > len(self._ring):
            room = max(self._used, 2 * len(self._ring), 64)
            grown = np.zeros((room, self._s.window), np.float32)
            grown[: len(self._ring)] = self._ring
            self._ring = grown
            for name, (_, fill) in _COLUMNS.items():
                self.columns[name] = resized(self.columns[name], room, fill)
        slots = np.arange(first, self._used, dtype=np.int32)
        self.columns["floor"][slots] = floor
        self.columns["period"][slots] = period
        self.columns["phase"][slots] = phase % self._s.refresh
        self._restart(slots)
        return slots

    def learn(
        self,
        slot: NDArray[np.int32],
        row: NDArray[np.intp],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        calm: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Offer readings (time >= due), ordered by (slot, time); `row` is their place in the batch.

        Learning of a slot stops where its baseline changes. Returns those slots and the last row that was
        dealt with; later rows must be scored again and offered again."""
        c = self.columns
        group = np.flatnonzero(np.r_[True, slot[1:] != slot[:-1]])
        of_group = np.repeat(np.arange(len(group)), np.diff(np.r_[group, len(slot)]))
        slots = slot[group]
        waiting = np.minimum(c["waiting"][slots], time[group])
        store, rank = self._choose(slot, time, calm, of_group)
        first_store = _first(store, of_group, len(group))
        overdue = time - waiting[of_group] >= self._s.absorb
        first_overdue = _first(overdue, of_group, len(group))
        restart = first_overdue < first_store
        quota = self._quota(slots)
        refresh = ~restart
        early = refresh & (first_overdue < len(slot))
        quota[early] = np.minimum(quota[early], 1)
        store &= (rank < quota[of_group]) & ~restart[of_group]
        last = store & (rank == quota[of_group] - 1)
        taken = np.bincount(of_group[store], minlength=len(group))
        cut = np.full(len(group), -1, np.intp)
        cut[of_group[last]] = row[last]
        cut[restart] = row[first_overdue[restart]] - 1
        is_cut = restart.copy()
        is_cut[of_group[last]] = True
        self._store(slot[store], rank[store], time[store], value[store])
        self._note_waiting(slots, taken, waiting, is_cut, slot, time, of_group)
        self._restart(slots[restart])
        self._refresh(slots[(taken > 0) & (c["pending"][slots] >= self._due_count(slots))])
        return slots[is_cut], cut[is_cut]

    def _choose(
        self, slot: NDArray[np.int32], time: NDArray[np.int64], calm: NDArray[np.bool_], of_group: NDArray[np.intp]
    ) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """The first calm reading of each stride, and its number among those of its slot."""
        index = np.flatnonzero(calm)
        cell = time[index] // self.columns["stride"][slot[index]]
        new = np.ones(len(index), np.bool_)
        new[1:] = (cell[1:] != cell[:-1]) | (slot[index][1:] != slot[index][:-1])
        chosen = index[new]
        store = np.zeros(len(slot), np.bool_)
        store[chosen] = True
        rank = np.zeros(len(slot), np.intp)
        if len(chosen):
            owner = of_group[chosen]
            begin = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
            rank[chosen] = np.arange(len(chosen)) - np.repeat(begin, np.diff(np.r_[begin, len(chosen)]))
        return store, rank

    def _due_count(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        """Readings taken between two refreshes: the whole warm-up first, then `refresh`, less when nearly full."""
        c, s = self.columns, self._s
        warming = np.isnan(c["median"][slots])
        wanted = np.where(warming, s.warm_up, s.refresh)
        before = c["count"][slots] - np.minimum(c["pending"][slots], c["count"][slots])
        growing = c["stride"][slots] < s.longest_stride
        return np.where(growing, np.minimum(wanted, s.window - before), wanted).astype(np.int32)

    def _quota(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        left: NDArray[np.int32] = np.maximum(self._due_count(slots) - self.columns["pending"][slots], 1)
        return left

    def _store(
        self,
        slot: NDArray[np.int32],
        rank: NDArray[np.intp],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
    ) -> None:
        c, window = self.columns, self._s.window
        fresh = (rank == 0) & (c["count"][slot] == 0)
        c["origin"][slot[fresh]] = value[fresh]
        self._ring[slot, (c["head"][slot] + rank) % window] = value - c["origin"][slot]
        owners, taken = np.unique(slot, return_counts=True)
        c["head"][owners] = (c["head"][owners] + taken) % window
        c["count"][owners] = np.minimum(c["count"][owners] + taken, window)
        c["pending"][owners] += taken.astype(np.int32)
        stride = c["stride"][slot]
        np.maximum.at(c["due"], slot, (time // stride + 1) * stride)

    def _note_waiting(
        self,
        slots: NDArray[np.int32],
        taken: NDArray[np.intp],
        waiting: NDArray[np.int64],
        is_cut: NDArray[np.bool_],
        slot: NDArray[np.int32],
        time: NDArray[np.int64],
        of_group: NDArray[np.intp],
    ) -> None:
        after = time >= self.columns["due"][slot]
        first_after = _first(after, of_group, len(slots))
        found = first_after < len(slot)
        fresh = np.where(found, time[np.minimum(first_after, len(slot) - 1)], _NEVER)
        self.columns["waiting"][slots] = np.where(is_cut, _NEVER, np.where(taken > 0, fresh, waiting))

    def _restart(self, slots: NDArray[np.int32]) -> None:
        """Forget: what has lasted is the new normal, and is learned from the beginning."""
        for name in ("count", "head", "pending", "due", "waiting", "median", "spread", "limit"):
            self.columns[name][slots] = _COLUMNS[name][1]
        self.columns["stride"][slots] = np.maximum(self._s.stride, self.columns["period"][slots] // 2)

    def _refresh(self, slots: NDArray[np.int32]) -> None:
        """Some at a time: thousands of signals may be due at once, and each takes a dozen copies of its window."""
        for start in range(0, len(slots), _REFRESHED_AT_ONCE):
            self._refresh_some(slots[start : start + _REFRESHED_AT_ONCE])

    def _refresh_some(self, slots: NDArray[np.int32]) -> None:
        c, s = self.columns, self._s
        count = c["count"][slots]
        held = self._in_order(slots, count)
        median, spread, extreme, share = _statistics(held, count, c["floor"][slots])
        aged = (c["stride"][slots] >= s.longest_stride) & (count == s.window)
        # Once the memory rolls, a long drift would widen its own yardstick: let it double in a window at most.
        slowly = aged & ~np.isnan(c["spread"][slots])
        most = c["spread"][slots] * 2.0 ** (s.refresh / s.window)
        spread = np.where(slowly, np.minimum(spread, most), spread)
        independent = np.minimum(count, _BLOCKS / np.maximum(share, 1e-9))
        limit = np.maximum(s.limit, s.headroom * extreme) * (1.0 + _CAUTION / independent)
        warmed_up = np.isnan(c["median"][slots])
        full = (count == s.window) & (c["stride"][slots] < s.longest_stride)
        c["median"][slots] = median + c["origin"][slots]
        c["spread"][slots] = spread
        c["limit"][slots] = np.where((share <= s.slow_share) | aged, limit, np.nan)
        c["pending"][slots] = np.where(warmed_up | full, c["phase"][slots], 0)
        self._thin(slots[full])

    def _in_order(self, slots: NDArray[np.int32], count: NDArray[np.int32]) -> NDArray[np.float64]:
        """Held readings, oldest first, NaN behind the last."""
        place = np.arange(self._s.window)
        oldest = np.where(count == self._s.window, self.columns["head"][slots], 0)
        held = self._ring[slots[:, None], (oldest[:, None] + place) % self._s.window].astype(np.float64)
        held[place >= count[:, None]] = np.nan
        return held

    def _thin(self, slots: NDArray[np.int32]) -> None:
        c, half = self.columns, self._s.window // 2
        self._ring[slots, :half] = self._ring[slots, 1::2]
        c["count"][slots] = half
        c["head"][slots] = half
        wider = 2 * np.maximum(c["stride"][slots], c["period"][slots])
        c["stride"][slots] = np.minimum(wider, self._s.longest_stride)


def _first(mark: NDArray[np.bool_], of_group: NDArray[np.intp], groups: int) -> NDArray[np.intp]:
    """Index of the first marked entry of each group; len(mark) where there is none."""
    first = np.full(groups, len(mark), np.intp)
    index = np.flatnonzero(mark)[::-1]
    first[of_group[index]] = index
    return first


def _statistics(
    held: NDArray[np.float64], count: NDArray[np.int32], floor: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(median, spread, third largest |z|, share of the variance that is slow), one per row of `held`."""
    line = np.arange(len(held))
    ordered = np.sort(held, axis=1)
    median = (ordered[line, (count - 1) // 2] + ordered[line, count // 2]) / 2
    off = np.sort(np.abs(held - median[:, None]), axis=1)
    mad = (off[line, (count - 1) // 2] + off[line, count // 2]) / 2
    steps = np.diff(ordered, axis=1)
    quantum = np.min(np.where(steps > 0, steps, np.inf), axis=1)
    quantum = np.where(np.isfinite(quantum), quantum, 0.0)
    mean_off = np.nansum(off, axis=1) / count
    spread = np.max((1.4826 * mad, 0.5 * 1.2533 * mean_off, quantum, floor), axis=0)
    extreme = off[line, np.maximum(count - 3, 0)] / spread
    z = np.nan_to_num(np.clip((held - median[:, None]) / spread[:, None], -6, 6))
    total = np.cumsum(np.c_[np.zeros(len(z)), z], axis=1)
    edge = np.arange(_BLOCKS + 1) * count[:, None] // _BLOCKS
    means = np.diff(np.take_along_axis(total, edge, axis=1), axis=1) / np.maximum(np.diff(edge, axis=1), 1)
    mean = total[line, count] / count
    variance = np.sum(z * z, axis=1) / count - mean * mean
    share = np.var(means, axis=1) / np.maximum(variance, 1e-9)
    return median, spread, extreme, np.where(variance > 1e-9, share, 0.0)
