"""Rate of change: did the value move faster than the machine can?"""

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
from forewarn.policies.regimes import LONG_AGO
from forewarn.policies.runs import Runs, new_rows, resized
from forewarn.policies.scoring import ratio_score

Column = NDArray[np.float64]


class RateOfChange:
    """|dv/dt| against the signal's `max_rate_per_s`, as r / (1 + r) of their ratio. `expected` is the previous value.

    No opinion on the first reading, after a gap of more than `gap_periods` nominal periods, and on repeated or
    older times. Two readings closer than half a period count as half a period apart, else the jitter
    of a clock would look like a jump.

    >>> from forewarn.domain.assets import Signal
    >>> import numpy as np
    >>> level = Signal("t1.level", "t1", "level", "level", "m", key=1, max_rate_per_s=0.5)
    >>> detector = RateOfChange()
    >>> detector.configure(SignalTable.of([level]))
    >>> values = np.array([2.0, 2.25, 4.25])
    >>> batch = ReadingBatch(np.ones(3, np.int32), np.arange(3) * 10**6, values, np.zeros(3, np.uint32), "gw", 0)
    >>> [round(float(s), 3) for s in detector.score(batch).score]
    [nan, 0.333, 0.8]
    >>> detector.explain(1, 4.25, 0.8, 2.25)
    'jumped from 2.25 m to 4.25 m, 4.0 times faster than the believable 0.5 m/s'
    """

    name: ClassVar[str] = "rate_of_change"
    anomaly_type: ClassVar[str] = "spike"

    def __init__(self, gap_periods: float = 10.0) -> None:
        self._gap_periods = gap_periods
        self._time = np.zeros(0, np.int64)
        self._value = np.zeros(0)
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        self._signals: tuple[Signal | None, ...] = table.signals
        self._most = table.max_rate_per_s
        self._period_us = np.array([1e6 / s.rate_hz if s and s.rate_hz > 0 else 1e6 for s in table.signals])
        self._time = resized(self._time, table.size, LONG_AGO)
        self._value = resized(self._value, table.size, np.nan)

    def score(self, batch: ReadingBatch) -> Scores:
        score, expected = np.full(len(batch), np.nan), np.full(len(batch), np.nan)
        usable = is_good(batch.quality) & np.isfinite(batch.value) & (self._most[batch.signal] > 0)
        rows = new_rows(batch, usable, self._time)
        if len(rows):
            score[rows], expected[rows] = self._rates(batch.take(rows))
        return Scores(score, expected)

    def _rates(self, batch: ReadingBatch) -> tuple[Column, Column]:
        runs = Runs.of(batch)
        before_value, before_time = np.roll(batch.value, 1), np.roll(batch.time, 1)
        before_value[runs.start], before_time[runs.start] = self._value[runs.signal], self._time[runs.signal]
        period = runs.spread(self._period_us[runs.signal])
        step = np.where(before_time == LONG_AGO, np.inf, batch.time - before_time)
        seconds = np.where(step > self._gap_periods * period, np.nan, np.maximum(step, 0.5 * period)) / 1e6
        ratio = np.abs(batch.value - before_value) / seconds / runs.spread(self._most[runs.signal])
        last = runs.last
        self._time[runs.signal], self._value[runs.signal] = batch.time[last], batch.value[last]
        return ratio_score(ratio), np.where(np.isnan(ratio), np.nan, before_value)

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        found = self._signals[signal]
        unit = found.unit if found else ""
        times = score / max(1.0 - score, 1e-9)
        rate = shown(float(self._most[signal]), f"{unit}/s")
        jump = f"{shown(expected, unit, apart_from=value)} to {shown(value, unit, apart_from=expected)}"
        return f"jumped from {jump}, {times:.1f} times faster than the believable {rate}"

    def baselining(self) -> NDArray[np.bool_]:
        return np.zeros(len(self._most), np.bool_)

    def parameters(self) -> Mapping[str, Any]:
        return {"gap_periods": self._gap_periods}
