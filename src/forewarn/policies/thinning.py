"""Which readings have to be told so that all others follow within a stated error; bytes of the state included."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series
from forewarn.domain.status import is_good
from forewarn.policies import thinning_door as door
from forewarn.policies import thinning_minutes as minutes
from forewarn.policies.runs import Runs, resized
from forewarn.policies.thinning_plan import Method, ThinPlan

_VERSION: Final = 1
_COUNT: Final = 4
_GRACE_US: Final = 5_000_000
_UNKNOWN: Final = -1
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Thinned:
    """What one call told. kept: readings to send, ordered by (signal, time); own[i]: kept row i is of this batch (else
    it was in hand). over: minutes that are over. thinned: readings that others now stand for."""

    kept: Series
    own: Bools
    over: Aggregates
    thinned: int


class Thinning:
    """Not thread-safe. However the readings are cut into batches, the same ones are kept.

    A reading that is not newer than what was seen of its signal is kept, as is one whose quality is not Good or not
    that of the one before, and the first after more than max_gap."""

    def __init__(self, plan: ThinPlan, state: bytes = b"") -> None:
        """state: of an earlier one, for a plan that may have grown. Raises InvalidInput for another version's."""
        self._doors, self._minutes = _read(state)
        self._heard = np.zeros(0, np.int64)
        self.follow(plan)

    def follow(self, plan: ThinPlan) -> None:
        """Thin by `plan` from now on. What was in hand under another method is told at the next tick."""
        self._plan = plan
        self._doors = _grown(self._doors, door.empty(plan.size))
        self._minutes = _grown(self._minutes, minutes.empty(plan.size))
        self._heard = resized(self._heard, plan.size, _UNKNOWN)

    @property
    def in_hand(self) -> int:
        """Readings that are neither kept nor thinned yet."""
        return int(np.count_nonzero(self._doors["held"])) + minutes.in_hand(self._minutes)

    def newest(self, keys: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Source time of the newest reading taken of each, 0 where none was."""
        known = keys[keys < self._plan.size]
        found = np.zeros(len(keys), np.int64)
        found[keys < self._plan.size] = np.maximum(self._doors["last_time"][known], self._minutes["last_time"][known])
        return found

    def take(self, batch: ReadingBatch, full: Bools, now_us: int) -> Thinned:
        """batch: ordered by (signal, time). full: rows to be kept whatever the plan says. now_us: our clock."""
        inside = batch.signal < self._plan.size
        method = np.zeros(len(batch), np.uint8)
        method[inside] = self._plan.method[batch.signal[inside]]
        self._heard[batch.signal[inside]] = now_us
        keep = full | (method == Method.NONE)
        by_door = inside & (method != Method.MINUTES)
        released, replaced = self._by_door(batch, by_door, keep)
        over, alone = self._by_minute(batch, method == Method.MINUTES, keep)
        kept, own = _merged(batch, keep, released)
        return Thinned(kept, own, over, replaced + alone)

    def _by_door(self, batch: ReadingBatch, which: Bools, keep: Bools) -> tuple[list[Series], int]:
        """Sets `keep`; what was in hand and is kept, and how many readings are thinned."""
        place = np.flatnonzero(which)
        if not len(place):
            return [], 0
        whole = len(place) == len(batch)
        rows = batch if whole else batch.take(place)
        runs = Runs.of(rows)
        order = np.argsort(-runs.length, kind="stable")
        key, start, length = runs.signal[order], runs.start[order], runs.length[order]
        doors = door.Doors(*(self._doors[name][key] for name, _ in door.FIELDS))
        plan = self._plan
        lines = plan.method[key] == Method.SWINGING_DOOR
        bounds = door.Bounds(plan.error[key], plan.relative[key], plan.max_gap_us[key], lines)
        held_before = int(np.count_nonzero(doors.held))
        # How many signals have an i-th row: lengths fall, so they are the first so many.
        active = len(length) - np.searchsorted(length[::-1], np.arange(int(length[0])), side="right")
        released: list[Series] = []
        n_released = 0
        forced = keep[place]
        kept = np.zeros(len(rows), np.bool_)
        for i, n in enumerate(active.tolist()):
            at = start[:n] + i
            told = door.step(
                doors.first(n),
                door.Rows(rows.time[at], rows.value[at], rows.quality[at]),
                bounds.first(n),
                forced[at],
            )
            kept[at] = told.keep
            if told.release.any():
                r = told.release
                released.append(Series(key[:n][r], told.held.time[r], told.held.value[r], told.held.quality[r]))
                n_released += len(released[-1])
        for name, _ in door.FIELDS:
            self._doors[name][key] = getattr(doors, name)
        keep[place] = kept
        in_hand = int(np.count_nonzero(doors.held)) - held_before
        return released, len(rows) - int(np.count_nonzero(kept)) - n_released - in_hand

    def _by_minute(self, batch: ReadingBatch, which: Bools, keep: Bools) -> tuple[Aggregates, int]:
        if not which.any():
            return minutes.none(), 0
        keep |= which & ~(is_good(batch.quality) & np.isfinite(batch.value))
        late = np.zeros(len(batch), np.bool_)
        late[which] = batch.time[which] < self._minutes["start"][batch.signal[which]]
        keep |= late
        counted = which & ~late
        return minutes.take(self._minutes, batch.take(counted), keep[counted])

    def release(self, keys: NDArray[np.intp]) -> Series:
        """What is in hand of `keys` (ascending) is kept, now; open minutes stay open."""
        keys = keys[keys < self._plan.size]
        return self._release(keys[self._doors["held"][keys]])

    def _release(self, keys: NDArray[np.intp]) -> Series:
        doors = self._doors[keys]
        kept = Series(keys.astype(np.int32), doors["last_time"], doors["last_value"], doors["quality"])
        self._doors["kept_time"][keys], self._doors["kept_value"][keys] = doors["last_time"], doors["last_value"]
        self._doors["low"][keys], self._doors["high"][keys] = -np.inf, np.inf
        self._doors["held"][keys] = False
        return kept

    def told_besides(self, signal: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows that were thinned are sent after all; index of those that are still in hand, in an open minute."""
        inside = np.flatnonzero(signal < self._plan.size)
        key = signal[inside]
        open_now: NDArray[np.int64] = inside[
            (self._plan.method[key] == Method.MINUTES) & (time[inside] >= self._minutes["start"][key])
        ]
        np.add.at(self._minutes["raw"], signal[open_now], 1)
        return open_now

    def tick(self, now_us: int) -> Thinned:
        """What was in hand of signals that fell silent, and minutes that must be over by their devices' clock."""
        self._heard[self._heard == _UNKNOWN] = now_us
        size = self._plan.size
        since = now_us - self._heard[:size]  # it may be longer: signals left the plant
        doors, open_minutes = self._doors[:size], self._minutes[:size]
        silent = doors["held"] & ((since > self._plan.max_gap_us) | (self._plan.method == Method.MINUTES))
        # Signals beyond the plan have left the plant: nothing of theirs will come to end what is in hand.
        silent = np.concatenate((silent, self._doors["held"][size:]))
        kept = self._release(np.flatnonzero(silent))
        source_now = open_minutes["last_time"] + since
        over = (open_minutes["count"] > 0) & (source_now >= open_minutes["start"] + minutes.MINUTE + _GRACE_US)
        over = np.concatenate((over, self._minutes["count"][size:] > 0))
        told, alone = minutes.close(self._minutes, np.flatnonzero(over))
        return Thinned(kept, np.zeros(len(kept), np.bool_), told, alone)

    def state(self) -> bytes:
        """All that is needed to go on: a version byte, and 58 bytes a signal with a door, 64 one with a minute."""
        doors, open_minutes = np.flatnonzero(self._doors["begun"]), np.flatnonzero(self._minutes["last_time"])
        parts = [len(self._doors).to_bytes(_COUNT, "little"), len(doors).to_bytes(_COUNT, "little")]
        parts += [keys.astype("<i4").tobytes() for keys in (doors, open_minutes)]
        return b"".join(
            [bytes([_VERSION]), *parts, self._doors[doors].tobytes(), self._minutes[open_minutes].tobytes()]
        )


def _read(state: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    if not state:
        return door.empty(0), minutes.empty(0)
    if state[0] != _VERSION:
        raise InvalidInput(f"the thinning's state has version {state[0]}; known is {_VERSION}")
    size, of_doors = (int.from_bytes(state[at : at + _COUNT], "little") for at in (1, 1 + _COUNT))
    doors, open_minutes = door.empty(size), minutes.empty(size)
    at = 1 + 2 * _COUNT
    of_minutes = (len(state) - at - of_doors * (4 + doors.itemsize)) // (4 + open_minutes.itemsize)
    keys = np.frombuffer(state, "<i4", of_doors + of_minutes, at)
    at += keys.nbytes
    doors[keys[:of_doors]] = np.frombuffer(state, doors.dtype, of_doors, at)
    at += of_doors * doors.itemsize
    open_minutes[keys[of_doors:]] = np.frombuffer(state, open_minutes.dtype, of_minutes, at)
    return doors, open_minutes


def _grown(state: NDArray[Any], fresh: NDArray[Any]) -> NDArray[Any]:
    if len(state) >= len(fresh):
        return state
    fresh[: len(state)] = state
    return fresh


def _merged(batch: ReadingBatch, keep: Bools, released: list[Series]) -> tuple[Series, Bools]:
    rows = np.flatnonzero(keep)
    own = Series(batch.signal[rows], batch.time[rows], batch.value[rows], batch.quality[rows])
    mine = np.ones(len(rows), np.bool_)
    if not released:
        return own, mine
    parts = [own, *released]
    mine = np.concatenate((mine, np.zeros(sum(map(len, released)), np.bool_)))
    signal = np.concatenate([p.signal for p in parts])
    time = np.concatenate([p.time for p in parts])
    order = np.lexsort((time, signal))
    value = np.concatenate([p.value for p in parts])
    quality = np.concatenate([p.quality for p in parts])
    return Series(signal[order], time[order], value[order], quality[order]), mine[order]
