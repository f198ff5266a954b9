"""How often a signal repeats its last value when all is well, and how long a run of repeats is no longer chance.

Were repeats independent, a run of k would come with probability share^k. They are not (noise is coloured, converters
are coarse), so the longest run that was ever seen counts as well: the limit is the greater of both, never under
`least`. A signal that often or long stands still has a limit so long that it says nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.policies.runs import Runs, resized, since_last

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
_COLUMNS: Final = ("current", "seen", "repeated", "longest")


@dataclass(frozen=True, slots=True)
class RepeatSettings:
    """chance: of a run by luck; headroom: over the longest run seen; learned: readings before there is an opinion."""

    chance: float = 1e-9
    headroom: float = 3.0
    least: int = 20
    learned: int = 600


class Repeats:
    """Counts by signal. A run is learned when it ends, however it was judged: a false alarm teaches too."""

    def __init__(self, settings: RepeatSettings) -> None:
        self._s = settings
        self._log_chance = float(np.log(settings.chance))
        self._state: dict[str, Counts] = {name: np.zeros(0, np.int64) for name in _COLUMNS}

    def resize(self, size: int) -> None:
        self._state = {name: resized(column, size, 0) for name, column in self._state.items()}

    def follow(self, runs: Runs, equal: Flags, counts: Flags) -> NDArray[np.float64]:
        """Per row: length of its run of repeats over the limit known before the row; 0 where there is no opinion.

        equal: the reading repeats the one before it. counts: it follows closely on that one, so it teaches."""
        s, owner = self._state, runs.signal
        index = np.arange(len(equal))
        first = np.zeros(len(equal), np.bool_)
        first[runs.start] = True
        newest = since_last(first | ~equal)
        carried = runs.spread(s["current"][owner])
        length = index - newest + np.where(equal[newest], carried + 1, 0)
        before = np.roll(length, 1)
        before[runs.start] = s["current"][owner]
        ended = np.where(equal, 0, before)
        taught = np.where(equal, 0, before + counts)
        ratio = np.zeros(len(equal))
        rows = np.flatnonzero(length * 2 > self._s.least)
        if len(rows):
            seen = _so_far(taught, runs, s["seen"][owner])[rows]
            repeated = _so_far(ended, runs, s["repeated"][owner])[rows]
            longest = _longest_so_far(ended, runs, s["longest"][owner])[rows]
            ratio[rows] = np.where(seen < self._s.learned, 0.0, length[rows] / self._limit(seen, repeated, longest))
        s["current"][owner] = length[runs.last]
        s["seen"][owner] += np.add.reduceat(taught, runs.start)
        s["repeated"][owner] += np.add.reduceat(ended, runs.start)
        s["longest"][owner] = np.maximum(s["longest"][owner], np.maximum.reduceat(ended, runs.start))
        return ratio

    def limit(self, signal: int) -> float:
        """Repeats in a row that are no longer chance; infinite while that is not known."""
        known = self.seen(signal) >= self._s.learned
        one = slice(signal, signal + 1)
        s = self._state
        return float(self._limit(s["seen"][one], s["repeated"][one], s["longest"][one])[0]) if known else np.inf

    def seen(self, signal: int) -> int:
        return int(self._state["seen"][signal])

    def longest(self, signal: int) -> int:
        return int(self._state["longest"][signal])

    def _limit(self, seen: Counts, repeated: Counts, longest: Counts) -> NDArray[np.float64]:
        share = (repeated + 1) / (seen + 2)
        limit: NDArray[np.float64] = np.maximum(self._log_chance / np.log(share), self._s.headroom * longest)
        return np.maximum(limit, self._s.least)


def _so_far(added: Counts, runs: Runs, state: Counts) -> Counts:
    """Per row: the state and what the rows of its run before it added."""
    total = np.cumsum(added) - added
    so_far: Counts = total + runs.spread(state - total[runs.start])
    return so_far


def _longest_so_far(ended: Counts, runs: Runs, state: Counts) -> Counts:
    value = np.roll(ended, 1)
    value[runs.start] = state
    lift = runs.spread(np.arange(len(runs)) * (int(value.max()) + 1))
    longest: Counts = np.maximum.accumulate(value + lift) - lift
    return longest
