"""In which regime a machine runs at each reading, from its speed signal.

Bins: standing at or below `running_above`; running below 35 %, 35-65 % and above 65 % of the speed signal's
range_high (one running regime where that is unknown). The usual rated speeds lie away from these edges
whatever range the instrument has, so a machine at constant speed does not flap between two.

A reading belongs to the regime of the last good speed reading at or before its own source time. Where the
speed is older than what was already seen, or silent, the last known regime stands.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies.runs import Runs, resized, since_last

UNCONDITIONAL: Final = 0
STANDING: Final = 1
SLOW: Final = 2
MIDDLE: Final = 3
FAST: Final = 4
UNKNOWN: Final = 5
COUNT: Final = 6
NAMES: Final = ("any speed", "standing", "low speed", "middle speed", "high speed", "unknown speed")
_EDGES: Final = (0.35, 0.65)
LONG_AGO: Final = np.iinfo(np.int64).min // 2

Codes = NDArray[np.uint8]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RegimeRows:
    """Regime and time of the last start or stop, per run where `mixed` is False, per row for all.

    UNCONDITIONAL: the asset has no speed signal; UNKNOWN: it has one that has not been heard yet.
    since is LONG_AGO when no start or stop was seen.
    """

    runs: Runs
    regime: Codes
    since: Times
    mixed: NDArray[np.bool_]
    row_regime: Codes
    row_since: Times


@dataclass(frozen=True, slots=True, eq=False)
class _Speeds:
    """The new good speed readings of a batch."""

    rows: NDArray[np.intp]
    runs: Runs
    code: Codes
    since: Times


class Regimes:
    """Follows the speed signals; state per speed signal only."""

    def __init__(self) -> None:
        self._table: SignalTable = SignalTable.of(())
        self._code: Codes = np.zeros(0, np.uint8)
        self._since: Times = np.zeros(0, np.int64)
        self._seen: Times = np.zeros(0, np.int64)

    def configure(self, table: SignalTable) -> None:
        self._table = table
        self._code = resized(self._code, table.size, UNKNOWN)
        self._since = resized(self._since, table.size, LONG_AGO)
        self._seen = resized(self._seen, table.size, LONG_AGO)

    def of_signal(self, signal: int) -> int:
        """The regime in which the signal's machine was last seen."""
        speed_key = int(self._table.speed_key[signal])
        return int(self._code[speed_key]) if speed_key else UNCONDITIONAL

    def codes(self, size: int) -> Codes:
        """By signal key below `size`: the regime in which the signal's machine was last seen."""
        speed_key = self._table.speed_key[:size]
        codes: Codes = np.where(speed_key == 0, np.uint8(UNCONDITIONAL), self._code[speed_key])
        return codes

    def running(self, size: int) -> NDArray[np.bool_]:
        """By signal key below `size`: whether the signal's machine is known to run."""
        code = self._code[self._table.speed_key[:size]]
        running: NDArray[np.bool_] = (code != STANDING) & (code != UNKNOWN)
        return running

    def started(self, size: int) -> Times:
        """By signal key below `size`: source time of its machine's last start or stop, LONG_AGO if none was seen."""
        speed_key = self._table.speed_key[:size]
        return np.where(speed_key == 0, LONG_AGO, self._since[speed_key])

    def follow(self, batch: ReadingBatch, runs: Runs) -> RegimeRows:
        """Regimes of the batch's readings; then remember its speeds. Signals must be in the table."""
        speed_key = self._table.speed_key[runs.signal]
        speeds = self._new_speeds(batch, runs)
        regime = np.where(speed_key == 0, np.uint8(UNCONDITIONAL), self._code[speed_key])
        since = np.where(speed_key == 0, LONG_AGO, self._since[speed_key])
        row_regime: Codes = runs.spread(regime)
        row_since: Times = runs.spread(since)
        mixed = np.zeros(len(runs), np.bool_)
        if speeds is not None:
            changing = self._changing(speeds)
            mixed = changing[speed_key]
            if mixed.any():
                self._join(batch, runs, speeds, speed_key, mixed, row_regime, row_since)
            self._remember(batch, speeds)
        return RegimeRows(runs, regime, since, mixed, row_regime, row_since)

    def _new_speeds(self, batch: ReadingBatch, runs: Runs) -> _Speeds | None:
        is_speed = ~np.isnan(self._table.running_above[runs.signal])
        if not is_speed.any():
            return None
        rows = np.flatnonzero(runs.spread(is_speed))
        signal, value = batch.signal[rows], batch.value[rows]
        rows = rows[is_good(batch.quality[rows]) & np.isfinite(value) & (batch.time[rows] > self._seen[signal])]
        if not len(rows):
            return None
        picked = batch.take(rows)
        speed_runs = Runs.of(picked)
        code = self._classify(picked)
        first = np.zeros(len(rows), np.bool_)
        first[speed_runs.start] = True
        before = np.where(first, self._code[picked.signal], np.roll(code, 1))
        flipped = ((code == STANDING) != (before == STANDING)) & (before != UNKNOWN)
        newest = since_last(first | flipped)
        since = np.where(flipped[newest], picked.time[newest], self._since[picked.signal])
        return _Speeds(rows, speed_runs, code, since)

    def _classify(self, speeds: ReadingBatch) -> Codes:
        value = np.abs(speeds.value)
        full = self._table.range_high[speeds.signal]
        share = np.divide(value, full, out=np.ones(len(speeds)), where=full > 0)
        code = np.digitize(share, _EDGES).astype(np.uint8) + np.uint8(SLOW)
        return np.where(value <= self._table.running_above[speeds.signal], np.uint8(STANDING), code)

    def _changing(self, speeds: _Speeds) -> NDArray[np.bool_]:
        changing = np.zeros(self._table.size, np.bool_)
        differs = speeds.code != speeds.runs.spread(self._code[speeds.runs.signal])
        changing[speeds.runs.signal] = np.logical_or.reduceat(differs, speeds.runs.start)
        return changing

    def _join(
        self,
        batch: ReadingBatch,
        runs: Runs,
        speeds: _Speeds,
        speed_key: NDArray[np.int32],
        mixed: NDArray[np.bool_],
        row_regime: Codes,
        row_since: Times,
    ) -> None:
        """As-of join on (speed signal, time), for the assets whose regime changes within the batch only."""
        rows = np.flatnonzero(runs.spread(mixed))
        wanted = runs.spread(speed_key)[rows].astype(np.int64)
        have = speeds.runs.spread(speeds.runs.signal).astype(np.int64)
        _, rank = np.unique(np.concatenate((batch.time[speeds.rows], batch.time[rows])), return_inverse=True)
        width = np.int64(rank.max() + 1)
        have_at = have * width + rank[: len(have)]
        found = np.searchsorted(have_at, wanted * width + rank[len(have) :], side="right") - 1
        hit = (found >= 0) & (have[found] == wanted)
        row_regime[rows[hit]] = speeds.code[found[hit]]
        row_since[rows[hit]] = speeds.since[found[hit]]

    def _remember(self, batch: ReadingBatch, speeds: _Speeds) -> None:
        last, signal = speeds.runs.last, speeds.runs.signal
        self._code[signal] = speeds.code[last]
        self._since[signal] = speeds.since[last]
        self._seen[signal] = batch.time[speeds.rows[last]]
