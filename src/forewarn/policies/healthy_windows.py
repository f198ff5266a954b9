"""What is usual for each slot (a signal in a regime): several features at once, learned from its own healthy
windows."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.runs import resized

Array = NDArray[np.float64]
Slots = NDArray[np.intp]
_MAD_TO_SIGMA: Final = 1.4826
_CAUTION: Final = 5.0
_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class HealthySettings:
    """warm_up: windows before there is a limit. keep: windows remembered, thinned as they age to one of
    `longest_stride`. headroom: times the `quantile`; spreads: robust sigmas above the median; the limit is the higher
    of both. refresh: windows learned between two limits. absorb_us: a level over the limit that has lasted so long is
    learned anew."""

    warm_up: int
    keep: int
    longest_stride: int
    headroom: float
    quantile: float
    spreads: float
    refresh: int
    absorb_us: int


class HealthyWindows:
    """`limit` and `usual` (median): float64[slots, features], NaN in warm-up and for a feature that was never known.

    Memory is `keep` rows a slot. It fills with every window; when full every second is dropped and from then on half as
    many are taken, until one of `longest_stride`; from there the newest takes the oldest's place. No limit lies below
    `floor`."""

    def __init__(self, settings: HealthySettings, floor: Array) -> None:
        self._s = settings
        self._floor = floor
        self._used = 0
        self._kept = np.zeros((0, settings.keep, len(floor)))
        self.limit = np.zeros((0, len(floor)))
        self.usual = np.zeros((0, len(floor)))
        self._column: dict[str, NDArray[Any]] = {}
        for name, fill in (("count", 0), ("head", 0), ("stride", 1), ("offered", 0), ("waiting", _NEVER)):
            self._column[name] = np.full(0, fill, np.int64)

    def allocate(self, many: int) -> Slots:
        """New empty slots."""
        first, self._used = self._used, self._used + many
        if self._used > len(self._kept):
            self._grow(max(self._used, 2 * len(self._kept), 4))
        return np.arange(first, self._used)

    def _grow(self, room: int) -> None:
        more = room - len(self._kept)
        features = len(self._floor)
        self._kept = np.concatenate((self._kept, np.full((more, self._s.keep, features), np.nan)))
        self.limit = np.concatenate((self.limit, np.full((more, features), np.nan)))
        self.usual = np.concatenate((self.usual, np.full((more, features), np.nan)))
        for name, fill in (("count", 0), ("head", 0), ("stride", 1), ("offered", 0), ("waiting", _NEVER)):
            self._column[name] = resized(self._column[name], room, fill)

    def learn(self, slot: Slots, value: Array, time: NDArray[np.int64], calm: NDArray[np.bool_]) -> None:
        """Offer one window of each slot. What is not calm teaches nothing, unless it has lasted `absorb_us`."""
        c = self._column
        c["waiting"][slot[calm]] = _NEVER
        upset = slot[~calm]
        c["waiting"][upset] = np.minimum(c["waiting"][upset], time[~calm])
        self._restart(upset[time[~calm] - c["waiting"][upset] >= self._s.absorb_us])
        self._store(slot[calm], value[calm])

    def _store(self, slot: Slots, value: Array) -> None:
        c, keep = self._column, self._s.keep
        due = c["offered"][slot] % c["stride"][slot] == 0
        c["offered"][slot] += 1
        slot, value = slot[due], value[due]
        self._thin(slot[(c["count"][slot] == keep) & (c["stride"][slot] < self._s.longest_stride)])
        place = np.where(c["count"][slot] < keep, c["count"][slot], c["head"][slot])
        full = slot[c["count"][slot] == keep]
        c["head"][full] = (c["head"][full] + 1) % keep
        self._kept[slot, place] = value
        c["count"][slot] = np.minimum(c["count"][slot] + 1, keep)
        stored = c["count"][slot]
        ready = (stored == self._s.warm_up) | ((stored > self._s.warm_up) & ((place + 1) % self._s.refresh == 0))
        self._refresh(slot[ready])

    def _thin(self, slot: Slots) -> None:
        if not len(slot):
            return
        half = (self._s.keep + 1) // 2
        self._kept[slot, :half] = self._kept[slot, ::2]
        self._kept[slot, half:] = np.nan
        self._column["count"][slot] = half
        self._column["stride"][slot] *= 2

    def _refresh(self, slot: Slots) -> None:
        if not len(slot):
            return
        kept = self._kept[slot]
        unknown: NDArray[np.bool_] = np.all(np.isnan(kept), axis=1)
        kept[np.broadcast_to(unknown[:, None, :], kept.shape)] = 0.0
        median = np.nanmedian(kept, axis=1)
        sigma = _MAD_TO_SIGMA * np.nanmedian(np.abs(kept - median[:, None, :]), axis=1)
        high = np.nanquantile(kept, self._s.quantile, axis=1)
        limit = np.maximum(self._s.headroom * high, median + self._s.spreads * sigma)
        limit = np.maximum(limit * (1.0 + _CAUTION / self._column["count"][slot, None]), self._floor)
        self.limit[slot] = np.where(unknown, np.nan, limit)
        self.usual[slot] = np.where(unknown, np.nan, median)

    def _restart(self, slot: Slots) -> None:
        self._kept[slot], self.limit[slot], self.usual[slot] = np.nan, np.nan, np.nan
        for name, fill in (("count", 0), ("head", 0), ("stride", 1), ("offered", 0), ("waiting", _NEVER)):
            self._column[name][slot] = fill
