"""Flatline: has a live signal stopped moving?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.detector import Scores
from forewarn.domain.assets import Signal
from forewarn.domain.quantity import shown
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies.regimes import FAST, LONG_AGO, SLOW, STANDING, UNKNOWN, Regimes
from forewarn.policies.repeats import Repeats, RepeatSettings
from forewarn.policies.runs import Runs, new_rows, resized, since_last
from forewarn.policies.scoring import ratio_score

Times = NDArray[np.int64]


class Flatline:
    """Seconds without any change against the signal's `flatline_s`, or equal readings in a row against what the signal
    itself has shown to be chance (`policies/repeats.py`), whichever says more; r / (1 + r) of the ratio.

    The second speaks only of a machine whose speed says that it runs, from `settle_s` after its start, and never of a
    value at 0 or at the end of the instrument's range, where a healthy signal may rest.
    Counts only while readings arrive (a gap of more than `gap_periods` nominal periods starts anew) and only
    while the machine runs, from its last start; the regime is read from the asset's speed signal.
    `expected` is NaN: anything but this very value.

    >>> from forewarn.domain.assets import Signal
    >>> import numpy as np
    >>> flow = Signal("p1.flow", "p1", "flow", "flow", "m3/h", key=1, flatline_s=2.0)
    >>> detector = Flatline()
    >>> detector.configure(SignalTable.of([flow]))
    >>> values = np.array([7.0, 7.5, 7.5, 7.5, 7.5, 7.5])
    >>> batch = ReadingBatch(np.ones(6, np.int32), np.arange(6) * 10**6, values, np.zeros(6, np.uint32), "gw", 0)
    >>> [round(float(s), 3) for s in detector.score(batch).score]
    [0.0, 0.0, 0.333, 0.5, 0.6, 0.667]
    >>> detector.explain(1, 7.5, 0.667, float("nan"))
    'exactly 7.5 m3/h for 4 s while the machine runs; it normally changes within 2 s'
    """

    name: ClassVar[str] = "flatline"
    anomaly_type: ClassVar[str] = "flatline"

    def __init__(self, gap_periods: float = 10.0, settle_s: float = 60.0, chance: float = 1e-9) -> None:
        self._parameters = {"gap_periods": gap_periods, "settle_s": settle_s, "chance": chance}
        self._gap_periods = gap_periods
        self._settle_us = int(settle_s * 1e6)
        self._repeats = Repeats(RepeatSettings(chance=chance))
        self._regimes = Regimes()
        self._time = np.zeros(0, np.int64)
        self._since = np.zeros(0, np.int64)
        self._value = np.zeros(0)
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        self._signals: tuple[Signal | None, ...] = table.signals
        self._longest_s = table.flatline_s
        self._gap_us = np.array(
            [self._gap_periods * 1e6 / (s.rate_hz if s and s.rate_hz > 0 else 1.0) for s in table.signals]
        )
        self._period_s = self._gap_us / (self._gap_periods * 1e6)
        self._low, self._high = table.range_low, table.range_high
        self._repeats.resize(table.size)
        self._regimes.configure(table)
        self._time = resized(self._time, table.size, LONG_AGO)
        self._since = resized(self._since, table.size, LONG_AGO)
        self._value = resized(self._value, table.size, np.nan)

    def score(self, batch: ReadingBatch) -> Scores:
        score = np.full(len(batch), np.nan)
        if len(batch):
            speeds = self._regimes.follow(batch, Runs.of(batch))
            usable = is_good(batch.quality) & np.isfinite(batch.value) & (self._longest_s[batch.signal] > 0)
            rows = new_rows(batch, usable, self._time)
            if len(rows):
                new, regime, started = batch.take(rows), speeds.row_regime[rows], speeds.row_since[rows]
                steady = (regime >= SLOW) & (regime <= FAST) & (new.time >= started + self._settle_us)
                flat_s, by_chance = self._flat(new, started, steady)
                ratio = np.maximum(flat_s / self._longest_s[new.signal], by_chance)
                ratio[(regime == STANDING) | (regime == UNKNOWN)] = np.nan
                score[rows] = ratio_score(ratio)
        return Scores(score, np.full(len(batch), np.nan))

    def _flat(
        self, batch: ReadingBatch, started: Times, steady: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """In a batch of readings that are all new: seconds that each one's value has stood, and its run of equal
        readings over the longest that may be chance."""
        runs = Runs.of(batch)
        before_value, before_time = np.roll(batch.value, 1), np.roll(batch.time, 1)
        before_value[runs.start], before_time[runs.start] = self._value[runs.signal], self._time[runs.signal]
        gap = batch.time - runs.spread(self._gap_us[runs.signal]) > before_time
        fresh = (batch.value != before_value) | gap
        by_chance = self._repeats.follow(runs, ~fresh & steady, ~gap & steady)
        pressed = np.flatnonzero(by_chance)
        by_chance[pressed[self._at_rest(batch.signal[pressed], batch.value[pressed])]] = 0.0
        first = np.zeros(len(batch), np.bool_)
        first[runs.start] = True
        newest = since_last(first | fresh)
        since = np.where(fresh[newest], batch.time[newest], runs.spread(self._since[runs.signal]))
        last, owner = runs.last, runs.signal
        self._time[owner], self._value[owner], self._since[owner] = batch.time[last], batch.value[last], since[last]
        return np.asarray((batch.time - np.maximum(since, started)) / 1e6), by_chance

    def _at_rest(self, signal: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        rests: NDArray[np.bool_] = (value == 0.0) | (value <= self._low[signal]) | (value >= self._high[signal])
        return rests

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        found = self._signals[signal]
        longest, times = float(self._longest_s[signal]), score / max(1.0 - score, 1e-9)
        chance = self._repeats.limit(signal) * float(self._period_s[signal])
        seen = f"exactly {shown(value, found.unit if found else '')} for {min(longest, chance) * times:.0f} s"
        if chance < longest:
            most = f"never more than {self._repeats.longest(signal) + 1} equal readings in a row"
            return f"{seen} while the machine runs; {most} among {self._repeats.seen(signal)} before"
        return f"{seen} while the machine runs; it normally changes within {longest:.0f} s"

    def baselining(self) -> NDArray[np.bool_]:
        return np.zeros(len(self._longest_s), np.bool_)

    def parameters(self) -> Mapping[str, Any]:
        return dict(self._parameters)
